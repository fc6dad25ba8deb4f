/* SPDX-License-Identifier: MIT
 *
 * order.c: what comes before what, as arrays: the predecessors of a node lie side by side.
 *
 * Law
 *   O1  order_count of a node, summed, is how often order_pred is called for it.
 *   O2  From order_done on, pred[pred_first[n] .. pred_first[n + 1]) are n's predecessors.
 */
#include "core/base/assert.h"
#include "core/check/causal/view.h"

void order_init(struct order *order, const struct reads_from *rf, struct arena *arena)
{
    *order = (struct order){.rf = rf, .nodes = rf->count, .arena = arena};
    order->node_op = ARENA_ARRAY(arena, uint32_t, (size_t)rf->count + 1);
    order->op_node = ARENA_ARRAY(arena, uint32_t, (size_t)rf->count + 1);
    order->pred_first = ARENA_ARRAY(arena, uint32_t, (size_t)rf->count + 2);
    for (uint32_t i = 0; i <= rf->count; i++)
        order->node_op[i] = order->op_node[i] = i;
}

void order_count(struct order *order, uint32_t node, uint32_t preds)
{
    order->pred_first[node + 1] += preds;
}

void order_place(struct order *order)
{
    for (uint32_t n = 0; n < order->nodes; n++)
        order->pred_first[n + 1] += order->pred_first[n];
    order->pred = arena_alloc(order->arena,
                              ((size_t)order->pred_first[order->nodes] + 1) * sizeof *order->pred);
}

void order_pred(struct order *order, uint32_t node, uint32_t pred)
{
    order->pred[order->pred_first[node]++] = pred; /* order_done moves it back */
}

void order_done(struct order *order)
{
    for (uint32_t n = order->nodes; n > 0; n--)
        order->pred_first[n] = order->pred_first[n - 1];
    order->pred_first[0] = 0;
}
