/* SPDX-License-Identifier: MIT
 *
 * ports.h: ports of this machine that are free.
 */
#ifndef PACTFS_NODE_CELL_PORTS_H
#define PACTFS_NODE_CELL_PORTS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether somebody could listen at this port of any address now. */
bool port_free(uint16_t port);
/* The first of `count` ports in a row that are free, chosen by chance from those that the kernel
 * does not give to outgoing connections: what is free now is so when it is used soon. 0: none. */
uint16_t ports_choose(unsigned count);

#endif
