/* SPDX-License-Identifier: MIT
 *
 * session_guarantees.c: monotonic reads, monotonic writes, writes follow reads (Terry, Demers,
 * Petersen, Spreitzer, Theimer and Welch 1994, "Session guarantees for weakly consistent replicated
 * data"), by visibility and arbitration (Viotti and Vukolic 2016, "Consistency in non-transactional
 * distributed storage systems", 3.3). Read your writes is in read_your_writes.c.
 *
 * Law
 *   G1  Each guarantee stands alone. It holds when for each session there are an arbitration, a
 *       total order of all writes, and for each of its reads a set of visible writes, such that
 *       the read returns what they say: a register the last visible write in arbitration; a list
 *       all visible appends in that order; a set and a counter all visible ones.
 *   G2  The writes of one session to one register are arbitrated in the order in which it made
 *       them.
 *   G3  Monotonic reads: what is visible to a read is visible to the session's later ones.
 *   G4  Monotonic writes: the writes of a session are arbitrated in its order, and a write is
 *       visible only together with the earlier ones of its session.
 *   G5  Writes follow reads: let v be a write that a session read, and w a later write of that
 *       session. Then v is before w in arbitration, and w is visible only together with v.
 *   G6  A single read hardly shows G4 or G5, so a session's reads are taken together by G3. That is
 *       only evidence as long as the reads alone have an explanation by G1 to G3: G4 and G5 are
 *       asked of every stretch of a session's reads that has one. So what breaks monotonic reads
 *       is not blamed on the other two.
 *   G7  Operations, not transactions: the acts of one transaction are taken one after another.
 *
 * Each session has an arbitration of its own, as in Brzezinski, Sobaniec and Wawrzyniak 2004, "From
 * session causality to causal consistency": that all agree on one is no matter of these guarantees
 * (Terry et al. ask for it apart from them, 2). So what is causal keeps all four: two processes
 * may see concurrent writes in different orders, and none of them has gone back.
 *
 * Exact, if values are unique, for registers, lists and sets. Only sound, that is without false
 * alarms: counters (view_number.c); values written twice; a cas that was refused is left out. For
 * G6 it must be known whether reads have an explanation: a stretch ends at a read of a value
 * written twice, and of a counter of which not all increments are 1. For unknown outcomes and
 * sessions see causal.c, K3.
 */
#include "core/base/assert.h"
#include "core/check/causal/view_witness.h"

/* --- the orders --- */

/* G2, as `also` of an order. */
static void order_own_writes(struct order *order, struct arena *arena)
{
    const struct reads_from *rf = order->rf;
    uint32_t *last = ARENA_ARRAY(arena, uint32_t, rf->history->key_count + (size_t)1);
    order->also = ARENA_ARRAY(arena, uint32_t, rf->count + (size_t)1);
    for (uint32_t op = 0; op < rf->count; op++) {
        const struct operation *o = &rf->ops[op];
        order->also[op] = NO_NODE;
        if (!o->writes || o->model != MODEL_REGISTER)
            continue;
        uint32_t before = last[o->key]; /* 1 + it */
        if (before && same_session(rf, before - 1, op))
            order->also[op] = before - 1;
        last[o->key] = op + 1;
    }
}

/* G4 */
static void order_monotonic_writes(struct order *order)
{
    const struct reads_from *rf = order->rf;
    uint32_t *last = ARENA_ARRAY(order->arena, uint32_t, rf->count + (size_t)1);
    uint32_t write = NO_NODE;
    for (uint32_t op = 0; op < rf->count; op++) {
        last[op] = write != NO_NODE && same_session(rf, write, op) ? write : NO_NODE;
        if (!rf->ops[op].writes)
            continue;
        order_count(order, op, last[op] != NO_NODE);
        write = op;
    }
    order_place(order);
    for (uint32_t op = 0; op < rf->count; op++)
        if (rf->ops[op].writes && last[op] != NO_NODE)
            order_pred(order, op, last[op]);
    order_done(order);
}

/* G5. Reads are nodes too, so that edges are few: a source comes before its read, a read before
 * the session's next read and its writes up to there. */
struct following {
    struct order *order;
    uint32_t *last_read; /* of each object: 1 + the session's last read of it, or 0 */
    bool fill;
};

static void follow(struct following *f, uint32_t node, uint32_t pred)
{
    if (f->fill)
        order_pred(f->order, node, pred);
    else
        order_count(f->order, node, 1);
}

static void follow_sources(struct following *f, uint32_t op)
{
    const struct reads_from *rf = f->order->rf;
    const struct operation *o = &rf->ops[op];
    if (o->source < SOURCE_FIRST)
        follow(f, op, o->source);
    uint32_t last = f->last_read[o->key], i = 0;
    if (last && o->count && same_session(rf, last - 1, op)) {
        const struct operation *p = &rf->ops[last - 1];
        while (i < p->count && i < o->count && rf->seen[p->seen + i] == rf->seen[o->seen + i])
            i++;
    }
    for (; i < o->count; i++)
        follow(f, op, rf->seen[o->seen + i]);
    f->last_read[o->key] = op + 1;
}

static void follow_all(struct following *f)
{
    const struct reads_from *rf = f->order->rf;
    uint32_t read = NO_NODE;
    for (uint32_t key = 0; key < rf->history->key_count; key++)
        f->last_read[key] = 0;
    for (uint32_t op = 0; op < rf->count; op++) {
        if (read != NO_NODE && same_session(rf, read, op))
            follow(f, op, read);
        if (rf->ops[op].writes)
            continue;
        follow_sources(f, op);
        read = op;
    }
}

static void order_writes_follow_reads(struct order *order)
{
    struct following f = {.order = order};
    f.last_read = ARENA_ARRAY(order->arena, uint32_t, order->rf->history->key_count + (size_t)1);
    follow_all(&f);
    order_place(order);
    f.fill = true;
    follow_all(&f);
    order_done(order);
}

/* --- the sessions' views --- */

/* What is checked: `reads` asks for G1 to G3; `guarantee` is what else is asked (G6), or NULL when
 * it is monotonic reads itself. */
struct guarding {
    struct checking *c;
    const struct reads_from *rf;
    struct view *reads, *guarantee;
    enum anomaly anomaly;
    bool *unsure; /* of objects: counters of which not all increments are 1 */
};

static void find_unsure(struct guarding *g, struct arena *arena)
{
    g->unsure = ARENA_ARRAY(arena, bool, g->rf->history->key_count + (size_t)1);
    for (uint32_t op = 0; op < g->rf->count; op++) {
        const struct operation *o = &g->rf->ops[op];
        if (o->writes && o->model == MODEL_COUNTER && o->number != 1)
            g->unsure[o->key] = true;
    }
}

/* Whether all is known of what a read returned. */
static bool is_sure(const struct guarding *g, const struct operation *o)
{
    if (o->model == MODEL_REGISTER)
        return o->source != SOURCE_MANY;
    if (o->model == MODEL_COUNTER)
        return !g->unsure[o->key];
    return o->count == g->rf->history->acts[o->act].count;
}

/* The sights of a session from operation *op on: all; or for G6 up to the first that is not sure,
 * which is passed over. */
static uint32_t collect(const struct guarding *g, uint32_t *op, uint32_t end, struct sight *sights)
{
    uint32_t count = 0;
    for (; *op < end; (*op)++) {
        const struct operation *o = &g->rf->ops[*op];
        if (o->writes)
            continue;
        bool sure = is_sure(g, o);
        if (!sure && g->guarantee) {
            (*op)++;
            break;
        }
        if (!sure && o->model == MODEL_REGISTER)
            continue;
        sights[count] = (struct sight){.at = count,
                                       .op = *op,
                                       .source = o->source,
                                       .seen = o->seen,
                                       .count = o->count,
                                       .number = o->number};
        count++;
    }
    return count;
}

static bool out_of_steps(struct guarding *g, const struct view *view)
{
    if (view->fault == VIEW_LIMIT)
        checking_undecided(g->c, "The search took more steps than allowed.");
    return view->fault == VIEW_LIMIT;
}

static bool blame(struct guarding *g, struct view *view)
{
    if (out_of_steps(g, view))
        return false;
    if (view->fault == VIEW_NOTHING || view->fault == VIEW_MISSED)
        view_explain_visible(view);
    view_witness(view, g->c, g->anomaly);
    return true;
}

/* Monotonic reads: where the session goes back, it begins anew. False when it was not decided, as
 * all below. */
static bool check_reads(struct guarding *g, const struct sight *sights, uint32_t count)
{
    struct view *view = g->reads;
    for (uint32_t from = 0; from < count;) {
        view->sights = sights + from;
        view->count = count - from;
        uint32_t length = view_longest(view);
        if (length == count - from)
            return true;
        if (!blame(g, view))
            return false;
        from += length ? length : 1; /* a read that nothing explains is left out */
    }
    return true;
}

/* One stretch of reads that monotonic reads explains. */
static bool check_stretch(struct guarding *g, const struct sight *sights, uint32_t count)
{
    struct view *view = g->guarantee;
    view->sights = sights;
    view->count = count;
    view->steps = 0; /* the limit is one search's */
    if (view_explained(view))
        return true;
    if (!out_of_steps(g, view))
        (void)view_longest(view);
    return blame(g, view);
}

static bool reads_explained(struct guarding *g, const struct sight *sights, uint32_t count)
{
    g->reads->sights = sights;
    g->reads->count = count;
    return view_explained(g->reads);
}

/* The longest stretch that ends with sight `last`: its first sight, or last + 1. */
static uint32_t first_of_stretch(struct guarding *g, const struct sight *sights, uint32_t last)
{
    uint32_t good = last + 1, step = 1;
    while (good > step && reads_explained(g, sights + good - step, last + 1 - (good - step))) {
        good -= step;
        step *= 2;
    }
    for (; step; step /= 2)
        if (good >= step && reads_explained(g, sights + good - step, last + 1 - (good - step)))
            good -= step;
    return good;
}

/* G6: all stretches that cannot be made longer. */
static bool check_stretches(struct guarding *g, const struct sight *sights, uint32_t count)
{
    for (uint32_t from = 0; from < count;) {
        g->reads->sights = sights + from;
        g->reads->count = count - from;
        uint32_t end = from + view_longest(g->reads);
        if (out_of_steps(g, g->reads) ||
            (end > from && !check_stretch(g, sights + from, end - from)))
            return false;
        if (end == count)
            return true;
        from = first_of_stretch(g, sights, end);
    }
    return true;
}

static void check_sessions(struct guarding *g)
{
    const struct reads_from *rf = g->rf;
    struct arena arena;
    arena_init(&arena);
    bool decided = true;
    for (uint32_t session = 0; session < rf->sessions && decided; session++) {
        uint32_t op = rf->session_first[session], end = rf->session_first[session + 1];
        if (op == end)
            continue;
        struct sight *sights = ARENA_ARRAY(&arena, struct sight, end - op);
        g->reads->steps = 0;
        while (op < end && decided) {
            uint32_t count = collect(g, &op, end, sights);
            decided =
                g->guarantee ? check_stretches(g, sights, count) : check_reads(g, sights, count);
        }
        arena_reset(&arena);
    }
    arena_free(&arena);
}

/* `make` adds the guarantee's own order; NULL: monotonic reads. */
static void check_guarantee(struct checking *c, enum anomaly anomaly, void (*make)(struct order *))
{
    struct reads_from rf;
    struct order reads_order, order;
    struct view reads, view;
    struct arena arena;
    if (!reads_from_init(&rf, c))
        return;
    arena_init(&arena);
    if (reads_from_explained(&rf, c)) {
        struct guarding g = {.c = c, .rf = &rf, .reads = &reads, .anomaly = anomaly};
        find_unsure(&g, &arena);
        order_init(&reads_order, &rf, &arena);
        order_place(&reads_order);
        order_done(&reads_order);
        order_own_writes(&reads_order, &arena);
        view_init(&reads, &reads_order, c->limits.steps);
        order_init(&order, &rf, &arena);
        order.also = reads_order.also;
        if (make) {
            make(&order);
            g.guarantee = &view;
        } else {
            order_place(&order);
        }
        view_init(&view, &order, c->limits.steps);
        if (view_order_sound(&view))
            check_sessions(&g);
        else
            view_witness(&view, c, ANOMALY_CYCLIC_CAUSE);
        view_free(&view);
        view_free(&reads);
    }
    arena_free(&arena);
    reads_from_free(&rf);
}

void check_monotonic_reads(struct checking *c)
{
    check_guarantee(c, ANOMALY_WENT_BACK, NULL);
}

void check_monotonic_writes(struct checking *c)
{
    check_guarantee(c, ANOMALY_OWN_WRITES_SWAPPED, order_monotonic_writes);
}

void check_writes_follow_reads(struct checking *c)
{
    check_guarantee(c, ANOMALY_FOLLOWING_WRITE_FIRST, order_writes_follow_reads);
}
