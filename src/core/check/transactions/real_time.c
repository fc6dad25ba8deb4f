/* SPDX-License-Identifier: MIT
 *
 * real_time.c: which transactions ended before which others began.
 *
 * Law
 *   T1  There is a way from a to b over relays, by EDGE_REAL_TIME, exactly when both committed and
 *       a ended (at a smaller rank) before b began. A transaction of unknown outcome ends never.
 *   T2  The number of edges is at most three times that of the transactions: the ends between two
 *       beginnings share one relay, which also stands for all ends before.
 */
#include <stdlib.h>

#include "core/base/assert.h"
#include "core/check/transactions/transactional.h"

#define NO_RELAY UINT32_MAX

struct sweep {
    struct txn_check *t;
    uint32_t *ends; /* the transaction that ends at a rank, or NO_TXN */
    uint64_t rank;  /* all ends before it were swept */
    uint32_t relay; /* of the ends so far, or NO_RELAY */
    bool used;      /* a beginning hangs on it: later ends need another one */
};

static void sweep_to(struct sweep *sweep, uint64_t rank)
{
    struct dependencies *graph = &sweep->t->graph;
    for (; sweep->rank < rank; sweep->rank++) {
        uint32_t txn = sweep->ends[sweep->rank];
        if (txn == NO_TXN)
            continue;
        if (sweep->relay == NO_RELAY || sweep->used) {
            uint32_t relay = dependencies_relay(graph);
            if (sweep->relay != NO_RELAY)
                depend(graph, &(struct dependency){sweep->relay, relay, EDGE_NONE, NO_ACT});
            sweep->relay = relay;
            sweep->used = false;
        }
        depend(graph, &(struct dependency){txn, sweep->relay, EDGE_REAL_TIME, NO_ACT});
    }
}

void real_time_depend(struct txn_check *t)
{
    const struct history *history = t->history;
    struct sweep sweep = {.t = t, .relay = NO_RELAY};
    sweep.ends = malloc((history->next_rank + 1) * sizeof *sweep.ends);
    INVARIANT(sweep.ends != NULL);
    for (uint64_t rank = 0; rank < history->next_rank; rank++)
        sweep.ends[rank] = NO_TXN;
    for (uint32_t i = 0; i < history->txn_count; i++)
        if (history->txns[i].outcome == OUTCOME_DONE)
            sweep.ends[history->txns[i].ended] = i;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        if (!t->committed[i])
            continue;
        sweep_to(&sweep, history->txns[i].began);
        if (sweep.relay == NO_RELAY)
            continue;
        sweep.used = true;
        depend(&t->graph, &(struct dependency){sweep.relay, i, EDGE_NONE, NO_ACT});
    }
    free(sweep.ends);
}
