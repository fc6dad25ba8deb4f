/* SPDX-License-Identifier: MIT
 *
 * causal_sight.c: what a transaction saw of others.
 *
 * Law
 *   S1  Only the first read of an object in a transaction tells of others; the next ones return the
 *       same, with what the transaction wrote in between.
 *   S2  What a transaction wrote itself is taken out of what it saw: of a list the end, of a set
 *       any elements, of a counter a sum.
 */
#include "core/check/causal/causal.h"

#include <string.h>

/* The read's transaction, as far as it touched the object before. */
struct past {
    uint32_t first; /* its first operation */
    uint32_t read;  /* its last read of the object before, or NO_NODE */
    uint32_t last;  /* its last operation on the object before, or NO_NODE */
};

static struct past past_of(const struct order *order, uint32_t op)
{
    const struct operation *ops = order->rf->ops;
    struct past past = {order->node_op[order->op_node[op]], NO_NODE, NO_NODE};
    for (uint32_t i = past.first; i < op; i++)
        if (ops[i].key == ops[op].key) {
            past.last = i;
            if (!ops[i].writes)
                past.read = i;
        }
    return past;
}

/* Whether operation `i` is a write of the transaction that the read must show anew. */
static bool is_own(const struct order *order, uint32_t i, uint32_t op)
{
    return order->rf->ops[i].writes && order->rf->ops[i].key == order->rf->ops[op].key;
}

static uint32_t own_from(const struct past *past)
{
    return past->read == NO_NODE ? past->first : past->read;
}

static bool see_register(const struct order *order, struct sight *s, enum anomaly *anomaly)
{
    const struct operation *ops = order->rf->ops;
    struct past past = past_of(order, s->op);
    s->source = ops[s->op].source;
    if (past.last != NO_NODE) {
        if (ops[past.last].value != ops[s->op].value)
            *anomaly = ANOMALY_INTERNAL;
        return false;
    }
    if (s->source >= SOURCE_FIRST)
        return s->source == SOURCE_NONE;
    uint32_t node = order->op_node[s->source];
    if (node == order->op_node[s->op])
        *anomaly = ANOMALY_CYCLIC_CAUSE;
    for (uint32_t i = s->source + 1; i < order->node_op[node + 1]; i++)
        if (is_own(order, i, s->op) && !*anomaly)
            *anomaly = ANOMALY_G1B;
    return true;
}

static const uint32_t *elements(const struct order *order, uint32_t op, uint32_t *count)
{
    const struct history *history = order->rf->history;
    const struct history_act *act = &history->acts[order->rf->ops[op].act];
    *count = act->count;
    return act->count ? history->pool + act->list : NULL;
}

/* Whether any element that the sight keeps was written by the transaction itself. */
static bool sees_itself(const struct order *order, const struct sight *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (order->op_node[order->rf->seen[s->seen + i]] == order->op_node[s->op])
            return true;
    return false;
}

/* Whether two elements of one transaction, side by side, are in the wrong order. (With others
 * between them, the transaction is before and after those: the view finds that.) */
static bool is_swapped(const struct order *order, const struct sight *s)
{
    const uint32_t *seen = order->rf->seen + s->seen;
    for (uint32_t i = 1; i < s->count; i++)
        if (seen[i - 1] > seen[i] && order->op_node[seen[i - 1]] == order->op_node[seen[i]])
            return true;
    return false;
}

static bool see_list(const struct order *order, struct sight *s, enum anomaly *anomaly)
{
    const struct operation *ops = order->rf->ops;
    struct past past = past_of(order, s->op);
    uint32_t count, before = 0, own = 0;
    const uint32_t *list = elements(order, s->op, &count);
    for (uint32_t i = own_from(&past); i < s->op; i++)
        own += is_own(order, i, s->op);
    const uint32_t *list_before = past.read == NO_NODE ? NULL : elements(order, past.read, &before);
    bool fits = count >= own && (past.read == NO_NODE || count - own == before);
    if (fits && before)
        fits = memcmp(list, list_before, before * sizeof *list) == 0;
    for (uint32_t i = own_from(&past), at = count - own; fits && i < s->op; i++)
        if (is_own(order, i, s->op)) {
            fits = list[at++] == ops[i].value;
            s->count -= ops[i].unique;
        }
    if (!fits)
        *anomaly = ANOMALY_INTERNAL;
    else if (past.read == NO_NODE && sees_itself(order, s))
        *anomaly = ANOMALY_CYCLIC_CAUSE;
    else if (is_swapped(order, s))
        *anomaly = ANOMALY_CAUSE_ORDER;
    return past.read == NO_NODE;
}

/* --- sets --- */

static uint32_t mark_all(struct outside *o, const uint32_t *ops, uint32_t count)
{
    uint32_t marked = 0;
    for (uint32_t i = 0; i < count; i++) {
        marked += o->mark[ops[i]] != o->round;
        o->mark[ops[i]] = o->round;
    }
    return marked;
}

/* The same as the read before it, and what was added in between. */
static bool same_set(struct outside *o, const struct sight *s, const struct past *past)
{
    const struct order *order = o->order;
    const struct operation *ops = order->rf->ops, *last = &ops[past->read];
    o->round++;
    uint32_t expected = mark_all(o, order->rf->seen + last->seen, last->count), found = 0;
    for (uint32_t i = past->read; i < s->op; i++)
        if (is_own(order, i, s->op) && ops[i].unique)
            expected += mark_all(o, &i, 1);
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t *mark = &o->mark[order->rf->seen[s->seen + i]];
        if (*mark == o->round)
            found++;
        else if (*mark != o->round + 1)
            return false;
        *mark = o->round + 1;
    }
    o->round++;
    return found == expected;
}

/* Whether all that the transaction added is there; then moves it to the end (S2). */
static bool take_own(struct outside *o, struct sight *s, const struct past *past)
{
    const struct order *order = o->order;
    uint32_t *seen = order->rf->seen + s->seen, own = 0, kept = 0;
    o->round++;
    (void)mark_all(o, seen, s->count);
    for (uint32_t i = past->first; i < s->op; i++) {
        if (!is_own(order, i, s->op) || !order->rf->ops[i].unique)
            continue;
        if (o->mark[i] != o->round)
            return false;
        own++;
    }
    for (uint32_t i = 0; own && i < s->count; i++) {
        uint32_t element = seen[i];
        if (element >= past->first && element < s->op)
            continue;
        seen[i] = seen[kept];
        seen[kept++] = element;
    }
    s->count = own ? kept : s->count;
    return true;
}

static bool see_set(struct outside *o, struct sight *s, enum anomaly *anomaly)
{
    struct past past = past_of(o->order, s->op);
    bool fits = past.read == NO_NODE ? take_own(o, s, &past) : same_set(o, s, &past);
    if (!fits)
        *anomaly = ANOMALY_INTERNAL;
    else if (past.read == NO_NODE && sees_itself(o->order, s))
        *anomaly = ANOMALY_CYCLIC_CAUSE;
    return past.read == NO_NODE;
}

static bool see_counter(const struct order *order, struct sight *s, enum anomaly *anomaly)
{
    const struct operation *ops = order->rf->ops;
    struct past past = past_of(order, s->op);
    for (uint32_t i = own_from(&past); i < s->op; i++)
        if (is_own(order, i, s->op) && __builtin_sub_overflow(s->number, ops[i].number, &s->number))
            return false;
    if (past.read != NO_NODE && s->number != ops[past.read].number)
        *anomaly = ANOMALY_INTERNAL;
    return past.read == NO_NODE;
}

bool sight_from_outside(struct outside *outside, struct sight *s, enum anomaly *anomaly)
{
    const struct order *order = outside->order;
    const struct operation *op = &order->rf->ops[s->op];
    *anomaly = ANOMALY_NONE;
    s->source = SOURCE_NONE;
    s->seen = op->seen;
    s->count = op->count;
    s->number = op->number;
    switch (op->model) {
    case MODEL_REGISTER:
        return see_register(order, s, anomaly);
    case MODEL_LIST:
        return see_list(order, s, anomaly);
    case MODEL_SET:
        return see_set(outside, s, anomaly);
    case MODEL_COUNTER:
        return see_counter(order, s, anomaly);
    default:
        return false;
    }
}
