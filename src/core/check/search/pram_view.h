/* SPDX-License-Identifier: MIT
 *
 * pram_view.h: PRAM of registers whose values are written once: decided in polynomial time. The law
 * is in pram_view.c.
 */
#ifndef PACTFS_CHECK_PRAM_VIEW_H
#define PACTFS_CHECK_PRAM_VIEW_H

#include "core/check/checking.h"

/* Judges the history when it is of that kind (the verdict is then final, for PRAM); else false. */
bool pram_registers(struct checking *c);

#endif
