/* SPDX-License-Identifier: MIT
 *
 * pram_view.c: PRAM of registers whose values are written once: decided in polynomial time.
 *
 * Definitions. For one session p, its reads r1, r2, ... in order, w(r) the write that r shows:
 *   before   the least order in which the writes of each session are in its order, w(r) is before
 *            r, what p did is in p's order, and (V1) holds
 *   past(r)  the writes before r
 *
 * Law
 *   V1  If a write w' of r's register is in past(r), and is not w(r), then w' is before w(r): it
 *       would hide w(r) otherwise. A read of nothing has no write of its register in its past.
 *   V2  p has a serialisation exactly when `before` has no circle (the form of Bouajjani, Enea,
 *       Guerraoui and Hamza 2017, CyclicHB, without causes). If there is none: place the pasts of
 *       r1, r2, ... one after another, each in an order that `before` allows; then the last write
 *       of r's register in past(r) is w(r), by V1. All other writes come at the end.
 *   V3  The pasts are found by doing just that with the part of `before` that is known. Where a
 *       read finds another write behind w(r), V1 gives a new edge; then all is done again. What was
 *       placed is always needed, so each edge is forced; no new edge: the order found is legal.
 *   V4  A write of unknown outcome is placed only when p read it; it is the last of its session.
 */
#include "core/check/search/pram_view.h"

#include <string.h>

#include "core/check/search/intern.h"

#define NOBODY UINT32_MAX
#define MANY   (UINT32_MAX - 1)
#define RUNS   300u /* of making a witness small */

struct edge {
    uint32_t from, to, next; /* next edge to the same write, + 1 */
};

struct pram_views {
    struct checking *c;
    struct arena *arena;
    const struct history *history;
    const struct history_act **acts; /* by transaction: its only act, or NULL */
    struct intern written;           /* (key, value) */
    uint32_t *writers;               /* by number in `written`: the transaction, or MANY */
    uint32_t *wanted;                /* by read: the write that it shows, or NOBODY */
    uint32_t *before;                /* by write: the write before it in its session, or NOBODY */
    /* Of one session */
    uint32_t session, own_count;
    uint32_t *own;      /* its transactions */
    bool *left_out;     /* by place in `own`: a read that is not asked after */
    uint32_t *edges_to; /* by write: its first edge + 1, or 0 */
    struct edge *edges;
    uint32_t edge_count, edge_room;
    uint32_t run;
    uint32_t *placed_in;    /* by write: the run in which it was placed last */
    uint32_t *stacked_in;   /* by write: the run in which it was put on the stack */
    uint32_t *under;        /* by write: the write of the same register placed before it */
    uint32_t *top, *top_in; /* by key: the write placed last, and in which run */
    uint32_t *stack, *cursors;
    uint32_t *changed; /* while the witness is made small */
    uint32_t stuck;    /* place in `own` of the read that closes a circle */
};

/* --- what all sessions share --- */

static bool is_write(const struct history_act *act)
{
    return act && act->code == ACT_WRITE;
}

/* Whether every transaction is one read or write of a register. */
static bool collect(struct pram_views *v)
{
    const struct history *h = v->history;
    for (uint32_t i = 0; i < h->txn_count; i++) {
        const struct history_txn *txn = &h->txns[i];
        const struct history_act *act = history_act(h, txn, 0);
        if (txn->outcome == OUTCOME_FAILED || (txn->count == 1 && act->code == ACT_SYNC))
            continue;
        if (txn->count != 1 || h->keys[act->key].model != MODEL_REGISTER ||
            (act->code != ACT_READ && act->code != ACT_WRITE) || (act->known && act->fault))
            return false;
        v->acts[i] = act;
    }
    return true;
}

static void collect_writers(struct pram_views *v, uint32_t *last)
{
    const struct history *h = v->history;
    memset(last, 0xff, (h->sessions + 1) * sizeof *last);
    for (uint32_t i = 0; i < h->txn_count; i++) {
        const struct history_act *act = v->acts[i];
        bool fresh;
        if (!is_write(act))
            continue;
        uint32_t number = intern(&v->written, act->key, act->args[0], &fresh);
        v->writers[number] = fresh ? i : MANY;
        v->before[i] = last[h->txns[i].session];
        last[h->txns[i].session] = i;
    }
}

static uint32_t writer_of(const struct pram_views *v, const struct history_act *read)
{
    uint32_t number = intern_find(&v->written, read->key, read->value);
    return number == INTERN_NONE ? NOBODY : v->writers[number];
}

static bool values_are_unique(const struct pram_views *v)
{
    for (uint32_t i = 0; i < v->history->txn_count; i++) {
        const struct history_act *act = v->acts[i];
        if (act && act->code == ACT_READ && act->known && writer_of(v, act) == MANY)
            return false;
    }
    for (uint32_t i = 0; i < v->written.count; i++)
        if (v->written.things[i].b == VALUE_NONE)
            return false; /* nothing was written: a read of nothing may show that */
    return true;
}

/* NULL when the history is not one that the law speaks of. */
static struct pram_views *views_new(struct checking *c, struct arena *arena)
{
    const struct history *h = c->history;
    size_t txns = h->txn_count + (size_t)1, keys = h->key_count + (size_t)1;
    struct pram_views *v = ARENA_NEW(arena, struct pram_views);
    v->c = c;
    v->history = h;
    v->acts = ARENA_ARRAY(arena, const struct history_act *, txns);
    if (!collect(v))
        return NULL;
    v->writers = ARENA_ARRAY(arena, uint32_t, txns);
    v->before = ARENA_ARRAY(arena, uint32_t, txns);
    collect_writers(v, ARENA_ARRAY(arena, uint32_t, h->sessions + (size_t)1));
    bool unique = values_are_unique(v);
    /* The table is the C heap's: what is needed of it goes to the reads. */
    v->wanted = ARENA_ARRAY(arena, uint32_t, txns);
    for (uint32_t i = 0; i < h->txn_count && unique; i++)
        if (v->acts[i] && v->acts[i]->code == ACT_READ)
            v->wanted[i] = writer_of(v, v->acts[i]);
    intern_free(&v->written);
    if (!unique)
        return NULL;
    v->own = ARENA_ARRAY(arena, uint32_t, txns);
    v->left_out = ARENA_ARRAY(arena, bool, txns);
    v->edges_to = ARENA_ARRAY(arena, uint32_t, txns);
    v->placed_in = ARENA_ARRAY(arena, uint32_t, txns);
    v->stacked_in = ARENA_ARRAY(arena, uint32_t, txns);
    v->under = ARENA_ARRAY(arena, uint32_t, txns);
    v->stack = ARENA_ARRAY(arena, uint32_t, txns);
    v->cursors = ARENA_ARRAY(arena, uint32_t, txns);
    v->top = ARENA_ARRAY(arena, uint32_t, keys);
    v->top_in = ARENA_ARRAY(arena, uint32_t, keys);
    v->changed = ARENA_ARRAY(arena, uint32_t, txns);
    v->arena = arena;
    return v;
}

/* --- one run --- */

static bool is_placed(const struct pram_views *v, uint32_t write)
{
    return v->placed_in[write] == v->run;
}

static void place(struct pram_views *v, uint32_t write)
{
    uint32_t key = v->acts[write]->key;
    v->under[write] = v->top_in[key] == v->run ? v->top[key] : NOBODY;
    v->top[key] = write;
    v->top_in[key] = v->placed_in[write] = v->run;
}

/* A write that has to come before this one and is not placed, or NOBODY. The cursor says which of
 * its edges were looked at: 0 none, 1 the session's, else an edge + 2. */
static uint32_t missing(struct pram_views *v, uint32_t write, uint32_t *cursor)
{
    uint32_t edge = *cursor < 2 ? v->edges_to[write] : *cursor - 2;
    if (*cursor == 0) {
        *cursor = 1;
        if (v->before[write] != NOBODY && !is_placed(v, v->before[write]))
            return v->before[write];
    }
    for (; edge; edge = v->edges[edge - 1].next)
        if (!is_placed(v, v->edges[edge - 1].from)) {
            *cursor = edge + 2;
            return v->edges[edge - 1].from;
        }
    return NOBODY;
}

/* Places a write and all that is before it; false when that is a circle. `own`: it is p's turn to
 * write it. */
static bool place_past(struct pram_views *v, uint32_t write, bool own)
{
    uint32_t depth = 0, next = write;
    while (next != NOBODY || depth) {
        if (next != NOBODY) {
            bool early = v->history->txns[next].session == v->session && !(own && next == write);
            if (v->stacked_in[next] == v->run || early)
                return false;
            v->stacked_in[next] = v->run;
            v->stack[depth] = next;
            v->cursors[depth++] = 0;
        }
        next = missing(v, v->stack[depth - 1], &v->cursors[depth - 1]);
        if (next == NOBODY)
            place(v, v->stack[--depth]);
    }
    return true;
}

static void add_edge(struct pram_views *v, uint32_t from, uint32_t to)
{
    if (v->edge_count == v->edge_room) {
        struct edge *old = v->edges;
        v->edge_room = v->edge_room ? v->edge_room * 2 : 256;
        v->edges = arena_alloc(v->arena, v->edge_room * sizeof *v->edges);
        if (old)
            memcpy(v->edges, old, v->edge_count * sizeof *old);
    }
    v->edges[v->edge_count++] = (struct edge){from, to, v->edges_to[to]};
    v->edges_to[to] = v->edge_count;
}

/* A read of p; false when it closes a circle. `more`: V1 gave edges. */
static bool run_read(struct pram_views *v, uint32_t read, bool *more)
{
    uint32_t write = v->wanted[read], key = v->acts[read]->key;
    if (v->acts[read]->value == VALUE_NONE)
        return v->top_in[key] != v->run;
    if (write == NOBODY || (!is_placed(v, write) && !place_past(v, write, false)))
        return false;
    for (uint32_t w = v->top[key]; w != write; w = v->under[w]) {
        add_edge(v, w, write);
        *more = true;
    }
    return true;
}

/* Does it once with the edges known; false when there is a circle. */
static bool run_once(struct pram_views *v, bool *more)
{
    v->run++;
    *more = false;
    for (uint32_t i = 0; i < v->own_count; i++) {
        uint32_t txn = v->own[i];
        v->stuck = i;
        if (v->left_out[i])
            continue;
        if (is_write(v->acts[txn])) {
            if (!place_past(v, txn, true))
                return false;
        } else if (!run_read(v, txn, more)) {
            return false;
        }
    }
    return true;
}

/* V3 */
static bool explains(struct pram_views *v)
{
    bool more = true;
    for (uint32_t i = 0; i < v->edge_count; i++)
        v->edges_to[v->edges[i].to] = 0;
    v->edge_count = 0;
    while (more)
        if (!run_once(v, &more))
            return false;
    return true;
}

/* --- the witness --- */

/* Leaves out reads, in halves, quarters, ..., as long as the rest is not explained. */
static void shrink(struct pram_views *v)
{
    uint32_t count = v->own_count = v->stuck + 1, runs = 0;
    for (uint32_t most = count; most; most /= 2)
        for (uint32_t from = 0; from < count && runs < RUNS; from += most, runs++) {
            uint32_t to = from + most < count ? from + most : count, changed = 0;
            for (uint32_t i = from; i < to; i++)
                if (!is_write(v->acts[v->own[i]]) && !v->left_out[i]) {
                    v->left_out[i] = true;
                    v->changed[changed++] = i;
                }
            if (!changed || !explains(v))
                continue;
            while (changed)
                v->left_out[v->changed[--changed]] = false;
        }
    explains(v); /* the edges of what is left */
}

static void add_step(struct pram_views *v, uint32_t txn, const char *note)
{
    const struct verdict *verdict = v->c->verdict;
    for (uint32_t i = 0; i < verdict->step_count; i++)
        if (verdict->steps[i].txn == txn)
            return;
    checking_step(v->c, txn, "%s", note);
}

/* Reads that are left, what they show, and what hides it. */
static void tell(struct pram_views *v)
{
    const struct history *h = v->history;
    uint32_t read = v->own[v->stuck];
    bool garbage =
        !is_write(v->acts[read]) && v->wanted[read] == NOBODY && v->acts[read]->value != VALUE_NONE;
    enum anomaly anomaly = garbage ? ANOMALY_GARBAGE : ANOMALY_NO_ORDER;
    if (!checking_broken(v->c, anomaly, false))
        return;
    checking_text(v->c,
                  "%s: %s. What process %u read cannot be explained by any order that keeps "
                  "each process's own writes.",
                  history_key_text(h, v->acts[read]->key), anomaly_text(anomaly),
                  h->txns[read].process);
    for (uint32_t i = 0; i < v->own_count; i++)
        if (!v->left_out[i] && !is_write(v->acts[v->own[i]])) {
            add_step(v, v->own[i],
                     v->own[i] == read ? "here the order contradicts itself"
                                       : "what this read shows orders writes");
            if (v->wanted[v->own[i]] != NOBODY)
                add_step(v, v->wanted[v->own[i]], "was read");
        }
    for (uint32_t i = 0; i < v->edge_count && i < 8; i++)
        add_step(v, v->edges[i].from, "must come before another write of its object, or hides it");
    uint32_t key = v->acts[read]->key;
    if (v->acts[read]->value == VALUE_NONE && v->top_in[key] == v->run)
        add_step(v, v->top[key], "comes before the read of nothing");
}

/* Whether the session has an order that explains what it read; false after checking_broken. */
static bool view_holds(struct pram_views *v, uint32_t session)
{
    v->session = session;
    v->own_count = 0;
    for (uint32_t i = 0; i < v->history->txn_count; i++)
        if (v->acts[i] && v->history->txns[i].session == session &&
            (is_write(v->acts[i]) || v->acts[i]->known)) {
            v->left_out[v->own_count] = false;
            v->own[v->own_count++] = i;
        }
    if (explains(v))
        return true;
    shrink(v);
    tell(v);
    return false;
}

bool pram_registers(struct checking *c)
{
    struct arena arena;
    arena_init(&arena);
    struct pram_views *views = views_new(c, &arena);
    for (uint32_t p = 0; views && p < c->history->sessions; p++)
        if (!view_holds(views, p))
            break;
    arena_free(&arena);
    return views != NULL;
}
