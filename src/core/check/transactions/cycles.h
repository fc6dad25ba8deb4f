/* SPDX-License-Identifier: MIT
 *
 * cycles.h: which cycles a graph of dependencies has, and a short one of each sort.
 *
 * Private to src/core/check.
 */
#ifndef PACTFS_CHECK_CYCLES_H
#define PACTFS_CHECK_CYCLES_H

#include "core/check/transactions/dependencies.h"

#define KIND(kind) (1u << (kind))

/* A sort of cycles. */
struct cycle_sort {
    unsigned kinds; /* the edges that it may have: KIND(EDGE_WW) | ... */
    unsigned first; /* of these kinds it has at least one; none of them is EDGE_REAL_TIME */
    unsigned rest;  /* and all other edges are of these kinds */
    bool apart;     /* no two edges of EDGE_RW follow each other */
    bool perhaps;   /* `rest` is not all of `kinds`: there may be none, also where `kinds` alone
                       has a cycle. The search for it may give up */
};

struct cycle {
    uint64_t *edges; /* places in the graph's arrays, each ends where the next one begins */
    uint32_t *from;  /* the node where each begins; that of the first is a transaction */
    uint32_t count;
    uint32_t txns; /* transactions on it; 0: no cycle */
};

struct cycles; /* a search's working memory */

/* Of an indexed graph, which the caller keeps. `effort`: how many edges one cycles_find may look at
 * after it found one cycle, in the hope of a shorter one. */
struct cycles *cycles_new(const struct dependencies *graph, uint64_t effort);
void cycles_free(struct cycles *s);

/* Whether there is a cycle at all: the quick way to know that all is well. */
bool cycles_any(struct cycles *s, unsigned kinds, bool apart);

/* How many strongly connected components (of the graph with the edges of sort->kinds) have a cycle
 * of that sort. Components with a transaction that was counted in a call before are passed over:
 * each knot of transactions is counted once, under the sort that is asked for first. `best` becomes
 * the shortest cycle that was found, when there is one; it is the caller's (cycle_free). */
uint32_t cycles_find(struct cycles *s, const struct cycle_sort *sort, struct cycle *best);
void cycle_free(struct cycle *cycle);

#endif
