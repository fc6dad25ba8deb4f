/* SPDX-License-Identifier: MIT
 *
 * dependencies.h: the graph of which transaction must come before which.
 *
 * A node is a transaction, by its number, or a relay: a node of no transaction, which stands for
 * "everything that comes in here is before everything that goes out", so that m times n edges are
 * written as m + n. The edge into a relay carries the kind; what leaves one has EDGE_NONE and goes
 * on with the kind that came in. Private to src/core/check.
 */
#ifndef PACTFS_CHECK_DEPENDENCIES_H
#define PACTFS_CHECK_DEPENDENCIES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/check/verdict.h"

/* Kinds beside those of enum edge_kind: what is forced by the promise itself; see rw_register.c. */
#define EDGE_WW_FORCED 8u /* else a transaction saw a part of another */
#define EDGE_WW_TIMED  9u /* else real time is broken */
#define EDGE_RW_TIMED  10u

#define EDGE_NONE 0u         /* out of a relay: the kind is that of the edge which came in */
#define NO_ACT    UINT32_MAX /* an edge that no act shows: real time, or into a relay */

struct dependency {
    uint32_t from, to;
    uint8_t kind; /* enum edge_kind, one of the above, or EDGE_NONE */
    uint32_t why; /* the act of `to` that shows it: the write, or of EDGE_WR the read */
};

struct dependencies {
    uint32_t txns, nodes; /* nodes [txns, nodes) are relays */
    uint64_t count, room; /* edges */
    uint64_t bytes_max;
    bool over;       /* edges were left out: they would have taken more than bytes_max */
    uint64_t *first; /* after dependencies_index: the edges out of n are [first[n], first[n + 1]) */
    uint32_t *from;  /* before it */
    uint32_t *to, *why;
    uint8_t *kind;
};

void dependencies_init(struct dependencies *d, uint32_t txns, uint64_t bytes_max);
void dependencies_free(struct dependencies *d);

uint32_t dependencies_relay(struct dependencies *d);
/* Adds an edge. One from a transaction to itself is left out. */
void depend(struct dependencies *d, const struct dependency *edge);
/* Sorts the edges by where they come from, in the order in which they were added. Nothing can be
 * added afterwards. */
void dependencies_index(struct dependencies *d);

#endif
