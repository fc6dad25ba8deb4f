/* SPDX-License-Identifier: MIT
 *
 * view_witness.c: why a view has no explanation, for people.
 *
 * Law
 *   E1  Of several nodes of one session in a row only the first and the last are told, and of
 *       several of one transaction one.
 *   E2  A circle is told as a circle; a path as a timeline, with the read that missed its first
 *       write at the end.
 */
#include "core/check/causal/view_witness.h"

#include <string.h>

#include "core/base/assert.h"

/* What is told: links of the cycle or path that remain (E1). */
struct telling {
    struct view *view;
    struct checking *c;
    const struct reads_from *rf;
    struct view_link *links;
    uint32_t count;
    bool circle;
};

static uint32_t first_op(const struct telling *t, uint32_t node)
{
    return t->view->order->node_op[node];
}

static uint32_t txn_of(const struct telling *t, uint32_t node)
{
    return t->rf->ops[first_op(t, node)].txn;
}

/* Whether the first comes before the second because one session did both in that order. */
static bool in_session(const struct telling *t, const struct view_link *a,
                       const struct view_link *b)
{
    return a->sight == NO_NODE && a->node < b->node &&
           same_session(t->rf, first_op(t, a->node), first_op(t, b->node));
}

static void leave_out(struct telling *t)
{
    const struct view_link *cycle = t->view->cycle;
    uint32_t count = t->view->cycle_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct view_link *link = &cycle[i];
        bool has_last = t->circle || i > 0, has_next = t->circle || i + 1 < count;
        const struct view_link *last = &cycle[(i + count - 1) % count];
        const struct view_link *next = &cycle[(i + 1) % count];
        bool before = has_last && count > 1 && in_session(t, last, link);
        bool after = has_next && count > 1 && in_session(t, link, next);
        if (after && (before || txn_of(t, link->node) == txn_of(t, next->node)))
            continue;
        t->links[t->count++] = *link;
    }
}

/* The write of the first node that the second one read; an operation, or NO_NODE. */
static uint32_t read_between(const struct telling *t, uint32_t from, uint32_t to)
{
    const struct order *order = t->view->order;
    for (uint32_t op = order->node_op[to]; op < order->node_op[to + 1]; op++) {
        const struct operation *o = &t->rf->ops[op];
        if (o->writes)
            continue;
        if (o->source < SOURCE_FIRST && order->op_node[o->source] == from)
            return o->source;
        for (uint32_t i = 0; i < o->count; i++)
            if (order->op_node[t->rf->seen[o->seen + i]] == from)
                return t->rf->seen[o->seen + i];
    }
    return NO_NODE;
}

/* Whether the link leads from the reader, who missed it, to the write (view_explain_visible). */
static bool is_miss(const struct telling *t, const struct view_link *link, uint32_t to)
{
    const struct view *v = t->view;
    return v->own_count && (v->fault == VIEW_NOTHING || v->fault == VIEW_MISSED) &&
           link->sight == v->sight && to == v->order->op_node[v->op];
}

static struct witness_edge edge_between(const struct telling *t, uint32_t from, uint32_t to)
{
    const struct view_link *a = &t->links[from], *b = &t->links[to];
    struct witness_edge edge = {.from = from, .to = to, .kind = EDGE_PROCESS};
    uint32_t op = t->view->op;
    if (is_miss(t, a, b->node)) {
        edge.kind = EDGE_RW;
    } else if (a->sight != NO_NODE) {
        edge.kind = EDGE_WW;
        op = t->view->sights[a->sight].op;
    } else if (!in_session(t, a, b)) {
        op = read_between(t, a->node, b->node);
        edge.kind = op == NO_NODE ? EDGE_CAUSE : EDGE_WR;
    }
    if (edge.kind == EDGE_RW || edge.kind == EDGE_WR || edge.kind == EDGE_WW) {
        edge.key = t->rf->ops[op].key;
        edge.value = t->rf->ops[op].value;
    }
    return edge;
}

static const char *note_of(const struct telling *t, uint32_t index)
{
    const struct view_link *link = &t->links[index];
    uint32_t next = t->links[(index + 1) % t->count].node;
    if (link->sight == NO_NODE)
        return NULL;
    uint32_t op = t->view->sights[link->sight].op;
    if (is_miss(t, link, next))
        return "did not see the next one";
    if (!t->circle)
        return checking_print(t->c, "seen by process %u: %s", operation_process(t->rf, op),
                              operation_print(t->rf, t->c, op));
    return checking_print(t->c,
                          "must come before the next one: both were visible to process %u's %s",
                          operation_process(t->rf, op), operation_print(t->rf, t->c, op));
}

static void tell_links(struct telling *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const char *note = note_of(t, i);
        if (note)
            checking_step(t->c, txn_of(t, t->links[i].node), "%s", note);
        else
            checking_step(t->c, txn_of(t, t->links[i].node), NULL);
    }
    for (uint32_t i = 0; i + 1 < t->count || (t->circle && t->count > 1 && i < t->count); i++) {
        struct witness_edge edge = edge_between(t, i, (i + 1) % t->count);
        checking_edge(t->c, &edge);
    }
}

/* The end of a path: who saw its last write, and who then missed its first. */
static void tell_miss(struct telling *t)
{
    const struct view *v = t->view;
    const struct view_link *last = &t->links[t->count - 1];
    const struct operation *missing = &t->rf->ops[v->op];
    uint32_t seen_by = v->sights[last->sight].op, reader = v->sights[v->sight].op;
    uint32_t at = t->count - 1;
    if (t->rf->ops[seen_by].txn != t->rf->ops[reader].txn) {
        uint32_t step = checking_step(t->c, t->rf->ops[seen_by].txn, NULL);
        checking_edge(t->c, &(struct witness_edge){.from = at,
                                                   .to = step,
                                                   .kind = EDGE_WR,
                                                   .key = t->rf->ops[seen_by].key,
                                                   .value = t->rf->ops[seen_by].value});
        at = step;
    }
    uint32_t step =
        checking_step(t->c, t->rf->ops[reader].txn, "did not see %s of process %u",
                      operation_print(t->rf, t->c, v->op), operation_process(t->rf, v->op));
    bool same = at != t->count - 1;
    checking_edge(t->c, &(struct witness_edge){.from = at,
                                               .to = step,
                                               .kind = same ? EDGE_PROCESS : EDGE_WR,
                                               .key = same ? 0 : t->rf->ops[seen_by].key});
    checking_edge(
        t->c,
        &(struct witness_edge){
            .from = step, .to = 0, .kind = EDGE_RW, .key = missing->key, .value = missing->value});
}

static void say(const struct telling *t)
{
    const struct view *v = t->view;
    uint32_t reader = v->sights ? v->sights[v->sight].op : NO_NODE;
    if (v->fault != VIEW_CYCLE)
        checking_text(
            t->c,
            "Process %u: %s. %s of process %u comes before what it had seen, so it should "
            "have seen that too.",
            operation_process(t->rf, reader), operation_print(t->rf, t->c, reader),
            operation_print(t->rf, t->c, v->op), operation_process(t->rf, v->op));
    else if (!v->count)
        checking_text(t->c, "Each of these comes before the next one, and the last before the "
                            "first.");
    else if (t->c->verdict->anomaly == ANOMALY_CAUSE_MISSED)
        checking_text(
            t->c,
            "Process %u: %s. That had been overwritten with knowledge of it, by something "
            "that is among the causes of what the process had seen.",
            operation_process(t->rf, reader), operation_print(t->rf, t->c, reader));
    else
        checking_text(t->c,
                      "What process %u saw, up to its %s, needs an order in which each of these "
                      "comes before the next one, and the last before the first.",
                      operation_process(t->rf, reader), operation_print(t->rf, t->c, reader));
}

static void tell_number(struct view *view, struct checking *c)
{
    const struct reads_from *rf = view->order->rf;
    const struct sight *s = &view->sights[view->sight];
    uint32_t last = NO_NODE;
    for (uint32_t i = 0; i < view->sight; i++)
        if (rf->ops[view->sights[i].op].key == rf->ops[s->op].key)
            last = view->sights[i].op;
    checking_text(c,
                  "Process %u: %s. With what it must have seen, and what it may have seen, the "
                  "number (without what its own transaction added) is between %lld and %lld.",
                  operation_process(rf, s->op), operation_print(rf, c, s->op),
                  (long long)view->least, (long long)view->most);
    if (last != NO_NODE && rf->ops[last].txn != rf->ops[s->op].txn)
        checking_step(c, rf->ops[last].txn, "the read before");
    checking_step(c, rf->ops[s->op].txn, "impossible number");
}

/* Steps in the order of their beginnings, as a timeline wants them. */
static void sort_steps(struct verdict *v)
{
    for (uint32_t i = 1; i < v->step_count; i++)
        for (uint32_t j = i; j && v->steps[j - 1].txn > v->steps[j].txn; j--) {
            struct witness_step later = v->steps[j - 1];
            v->steps[j - 1] = v->steps[j];
            v->steps[j] = later;
            for (uint32_t e = 0; e < v->edge_count; e++) {
                struct witness_edge *edge = &v->edges[e];
                edge->from = edge->from == j ? j - 1 : edge->from == j - 1 ? j : edge->from;
                edge->to = edge->to == j ? j - 1 : edge->to == j - 1 ? j : edge->to;
            }
        }
}

void view_witness(struct view *view, struct checking *c, enum anomaly anomaly)
{
    INVARIANT(view->fault != VIEW_EXPLAINED && view->fault != VIEW_LIMIT);
    bool smaller = c->verdict->result == CHECK_BROKEN && c->verdict->anomaly == anomaly &&
                   view->fault != VIEW_NUMBER && view->cycle_count < c->verdict->step_count;
    if (!checking_broken(c, anomaly, smaller))
        return;
    if (view->fault == VIEW_NUMBER) {
        tell_number(view, c);
        return;
    }
    struct telling t = {.view = view, .c = c, .rf = view->order->rf};
    t.circle = view->own_count || view->fault == VIEW_CYCLE;
    t.links = ARENA_ARRAY(c->arena, struct view_link, view->cycle_count);
    leave_out(&t);
    say(&t);
    tell_links(&t);
    if (t.circle && t.count > 1)
        c->verdict->shape = WITNESS_CYCLE;
    if (!t.circle) {
        tell_miss(&t);
        sort_steps(c->verdict);
    }
}
