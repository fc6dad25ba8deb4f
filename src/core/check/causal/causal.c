/* SPDX-License-Identifier: MIT
 *
 * causal.c: causal memory (Ahamad, Neiger, Burns, Kohli and Hutto 1995, "Causal memory:
 * definitions, implementation, and programming").
 *
 * Law
 *   K1  The causal order is the least one in which an operation comes after the earlier ones of its
 *       own session, and a read after the writes whose values it returned. The history is causal
 *       when that is an order (no CyclicCO) and there is for each session a serialisation of all
 *       writes and of its own reads that respects it and in which each read returns what the writes
 *       before it left.
 *   K2  A transaction is one operation: it reads and writes its objects at once, as in Biswas and
 *       Enea 2019, "On the complexity of checking transactional consistency". What it reads of its
 *       own writes, it reads alone (internal); what it overwrote itself, nobody sees (G1b).
 *   K3  A session that had an outcome which is not known goes on as another one (history_sessions).
 *       What has an unknown outcome is the last of its session: when nobody saw it, nothing comes
 *       after it, and a serialisation takes it last or leaves it out.
 *
 * Exact, if values are unique: registers (Bouajjani et al. 2017, theorem 6: no CyclicCO,
 * ThinAirRead, WriteHBInitRead, CyclicHB; WriteCOInitRead and WriteCORead are named when they are
 * the cause), lists and sets, and transactions of these. Only sound, that is without false alarms:
 *   - counters: bounds for what is read (view_number.c). Reads of counters make nothing causal;
 *   - values written twice to one object: a read of one tells nothing;
 *   - a cas that was refused is left out.
 * Not looked at: trees.
 *
 * Cost: for each session as often as the saturation repeats (mostly twice) what it has seen of the
 * history, in steps of operations and elements of lists.
 */
#include "core/check/causal/causal.h"

#include "core/base/assert.h"
#include "core/check/causal/view_witness.h"

/* --- the causal order --- */

/* K2: operations of one transaction are one node. */
static void make_nodes(struct order *order)
{
    const struct reads_from *rf = order->rf;
    order->nodes = 0;
    for (uint32_t op = 0; op < rf->count; op++) {
        if (!op || rf->ops[op].txn != rf->ops[op - 1].txn)
            order->node_op[order->nodes++] = op;
        order->op_node[op] = order->nodes - 1;
    }
    order->node_op[order->nodes] = rf->count;
}

static bool follows(const struct order *order, uint32_t node)
{
    return node && same_session(order->rf, order->node_op[node], order->node_op[node - 1]);
}

/* Calls `add` for each node's predecessors, both times alike: first to count, then to fill. What a
 * session's last read of the same list showed already is not repeated; K1 has it from there. */
struct linking {
    struct order *order;
    uint32_t *last_read; /* of each object: 1 + the session's last read of it, or 0 */
    bool fill;
};

static void link(struct linking *l, uint32_t node, uint32_t op)
{
    uint32_t pred = l->order->op_node[op];
    if (pred == node)
        return;
    if (l->fill)
        order_pred(l->order, node, pred);
    else
        order_count(l->order, node, 1);
}

static void link_read(struct linking *l, uint32_t node, uint32_t op)
{
    const struct reads_from *rf = l->order->rf;
    const struct operation *o = &rf->ops[op];
    if (o->source < SOURCE_FIRST)
        link(l, node, o->source);
    if (o->model != MODEL_LIST && o->model != MODEL_SET)
        return;
    uint32_t last = l->last_read[o->key], i = 0;
    if (last && same_session(rf, last - 1, op)) {
        const struct operation *p = &rf->ops[last - 1];
        while (i < p->count && i < o->count && rf->seen[p->seen + i] == rf->seen[o->seen + i])
            i++;
    }
    for (; i < o->count; i++)
        link(l, node, rf->seen[o->seen + i]);
    l->last_read[o->key] = op + 1;
}

static void link_all(struct linking *l)
{
    struct order *order = l->order;
    for (uint32_t node = 0; node < order->nodes; node++) {
        if (follows(order, node))
            link(l, node, order->node_op[node - 1]);
        for (uint32_t op = order->node_op[node]; op < order->node_op[node + 1]; op++)
            if (!order->rf->ops[op].writes)
                link_read(l, node, op);
    }
}

static void make_order(struct order *order, const struct reads_from *rf, struct arena *arena)
{
    order_init(order, rf, arena);
    order->serialised = true;
    make_nodes(order);
    struct linking l = {.order = order};
    l.last_read = ARENA_ARRAY(arena, uint32_t, rf->history->key_count + (size_t)1);
    link_all(&l);
    order_place(order);
    l.fill = true;
    for (uint32_t key = 0; key < rf->history->key_count; key++)
        l.last_read[key] = 0;
    link_all(&l);
    order_done(order);
}

/* --- what is to be blamed --- */

/* Whether one node is among the causes of another: by `pred` alone. */
static bool is_cause(const struct order *order, uint32_t node, uint32_t of)
{
    struct arena arena;
    arena_init(&arena);
    uint32_t *stack = ARENA_ARRAY(&arena, uint32_t, order->nodes + (size_t)1), count = 0;
    uint8_t *found = ARENA_ARRAY(&arena, uint8_t, order->nodes + (size_t)1);
    stack[count++] = of;
    found[of] = 1;
    while (count && !found[node]) {
        uint32_t n = stack[--count];
        for (uint32_t i = order->pred_first[n]; i < order->pred_first[n + 1]; i++)
            if (!found[order->pred[i]]) {
                found[order->pred[i]] = 1;
                stack[count++] = order->pred[i];
            }
    }
    bool cause = found[node] && node != of;
    arena_free(&arena);
    return cause;
}

/* WriteCORead: a read returned what a cause of it had overwritten, knowing of it. Looks for one
 * among the sights of a cycle, and makes it the cycle. */
static bool is_missed_cause(struct view *view)
{
    const struct order *order = view->order;
    for (uint32_t i = 0; i < view->cycle_count; i++) {
        struct view_link *later = &view->cycle[i];
        uint32_t source = view->cycle[(i + 1) % view->cycle_count].node;
        if (later->sight == NO_NODE)
            continue;
        const struct operation *read = &order->rf->ops[view->sights[later->sight].op];
        uint32_t reader = order->op_node[view->sights[later->sight].op];
        if (read->model != MODEL_REGISTER || !is_cause(order, source, later->node) ||
            !is_cause(order, later->node, reader))
            continue;
        view->cycle[1] = *later;
        view->cycle[0] = (struct view_link){source, NO_NODE};
        view->cycle_count = 2;
        return true;
    }
    return false;
}

/* Whether two writes of one transaction were seen apart. */
static bool is_torn(const struct view *view)
{
    const struct order *order = view->order;
    uint32_t missing = order->op_node[view->op];
    const struct sight *s = &view->sights[view->sight];
    for (uint32_t i = 0; i < s->count; i++)
        if (order->op_node[order->rf->seen[s->seen + i]] == missing)
            return true;
    return false;
}

static enum anomaly anomaly_of(struct view *view)
{
    const struct order *order = view->order;
    switch (view->fault) {
    case VIEW_NOTHING:
    case VIEW_MISSED:
        if (view->fault == VIEW_MISSED && is_torn(view))
            return ANOMALY_G1B;
        if (!is_cause(order, order->op_node[view->op],
                      view->own_first + view->sights[view->sight].at))
            return ANOMALY_CAUSE_ORDER;
        return view->fault == VIEW_NOTHING ? ANOMALY_CAUSE_MISSED_INIT : ANOMALY_CAUSE_MISSED;
    case VIEW_CYCLE:
        return is_missed_cause(view) ? ANOMALY_CAUSE_MISSED : ANOMALY_CAUSE_ORDER;
    case VIEW_NUMBER:
        return ANOMALY_CAUSE_MISSED;
    case VIEW_EXPLAINED:
    case VIEW_LIMIT:
        break;
    }
    return ANOMALY_NONE;
}

static void blame(struct view *view, struct checking *c)
{
    if (view->fault == VIEW_NOTHING || view->fault == VIEW_MISSED)
        view_explain_visible(view);
    view_witness(view, c, anomaly_of(view));
}

/* --- each session --- */

/* The sights of a session's transactions, without what each saw of itself; false when one did not
 * see its own acts (then the promise is broken). */
static bool collect(struct view *view, struct checking *c, uint32_t session,
                    struct outside *outside, struct sight *sights)
{
    const struct order *order = view->order;
    const struct reads_from *rf = order->rf;
    uint32_t first = rf->session_first[session], end = rf->session_first[session + 1];
    view->own_first = order->op_node[first];
    view->own_count = order->op_node[end - 1] - view->own_first + 1;
    view->count = 0;
    view->sights = sights;
    bool sound = true;
    for (uint32_t op = first; op < end; op++) {
        enum anomaly anomaly;
        struct sight *s = &sights[view->count];
        *s = (struct sight){.at = order->op_node[op] - view->own_first, .op = op};
        if (rf->ops[op].writes)
            continue;
        view->count += sight_from_outside(outside, s, &anomaly);
        sound = sound && !anomaly;
        if (anomaly && checking_broken(c, anomaly, false)) {
            checking_text(c, "Process %u: %s. That cannot be: %s.", operation_process(rf, op),
                          operation_print(rf, c, op), anomaly_text(anomaly));
            checking_step(c, rf->ops[op].txn, "%s", anomaly_text(anomaly));
        }
    }
    return sound;
}

/* False when it was not decided. */
static bool check_view(struct view *view, struct checking *c)
{
    view->steps = 0; /* the limit is one search's */
    if (view_explained(view))
        return true;
    if (view->fault != VIEW_LIMIT)
        (void)view_longest(view);
    if (view->fault == VIEW_LIMIT) {
        checking_undecided(c, "The search took more steps than allowed.");
        return false;
    }
    blame(view, c);
    return true;
}

static void check_sessions(struct view *view, struct checking *c)
{
    const struct reads_from *rf = view->order->rf;
    struct arena arena;
    arena_init(&arena);
    struct outside outside = {.order = view->order};
    outside.mark = ARENA_ARRAY(view->order->arena, uint32_t, rf->count + (size_t)1);
    bool decided = true;
    for (uint32_t session = 0; session < rf->sessions && decided; session++) {
        uint32_t count = rf->session_first[session + 1] - rf->session_first[session];
        if (!count)
            continue;
        struct sight *sights = ARENA_ARRAY(&arena, struct sight, count + (size_t)1);
        if (collect(view, c, session, &outside, sights) && view->count)
            decided = check_view(view, c);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

void check_causal(struct checking *c)
{
    struct reads_from rf;
    struct order order;
    struct view view;
    struct arena arena;
    if (!reads_from_init(&rf, c))
        return;
    arena_init(&arena);
    if (reads_from_explained(&rf, c)) {
        make_order(&order, &rf, &arena);
        view_init(&view, &order, c->limits.steps);
        if (view_order_sound(&view))
            check_sessions(&view, c);
        else
            view_witness(&view, c, ANOMALY_CYCLIC_CAUSE);
        view_free(&view);
    }
    arena_free(&arena);
    reads_from_free(&rf);
}
