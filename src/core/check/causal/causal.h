/* SPDX-License-Identifier: MIT
 *
 * causal.h: what a transaction saw of others. Private to causal*.c.
 */
#ifndef PACTFS_CHECK_CAUSAL_H
#define PACTFS_CHECK_CAUSAL_H

#include "core/check/causal/view.h"

/* Of transactions as nodes of an order; see causal.c, K2. */
struct outside {
    const struct order *order;
    uint32_t *mark; /* of operations: below `round`, or not looked at in this round */
    uint32_t round;
};

/* Fills the sight of the read s->op with what it saw of other transactions; false when it adds
 * nothing to the transaction's earlier reads, or nothing is known from it. *anomaly is set when
 * what it returned does not fit what its own transaction did and saw before (internal), is what
 * another transaction overwrote itself (G1b) or did in another order (cyclic order of writes), or
 * what its own writes only later (cyclic cause). */
bool sight_from_outside(struct outside *outside, struct sight *s, enum anomaly *anomaly);

#endif
