/* SPDX-License-Identifier: MIT
 *
 * urgent.h: a node and the process behind a mount go before ordinary work of their machine.
 *
 * Whoever answers late counts as dead, and an operation passes through several processes: on a
 * machine that is busy with other things each of them would wait its turn. So they raise their
 * priority (nice URGENT_NICE) where they may; children inherit it.
 */
#ifndef PACTFS_NODE_URGENT_H
#define PACTFS_NODE_URGENT_H

#define URGENT_NICE (-10)

/* Where it may not be raised (it takes root), nothing happens. One that is raised already stays. */
void urgent(void);

#endif
