/* SPDX-License-Identifier: MIT
 *
 * view.c: what one session saw, against an order of all writes.
 *
 * For registers this is the saturation of Bouajjani, Enea, Guerraoui and Hamza 2017, "On verifying
 * causal consistency", 5.2 (happened-before of causal memory), kept linear in two ways. A session's
 * reads are in one order, so "before read r" is one number for each node: the first read that it
 * comes before. And what a write must precede because of a read is one edge, to the source of the
 * first such read; the sources of later ones follow from there.
 *
 * Law
 *   L1  label[n] is the first position at which n is visible: the source of a sight there, one of
 *       the session's own nodes, or before (`pred`) something visible. It only ever falls.
 *   L2  Last writer: where a register's read returned write w, every other visible write to it
 *       comes before w. Sights of one source in a row are a run; a write comes before the source of
 *       the first run whose last position is not before its label, and each run's source before
 *       the next one's.
 *   L3  Where a register's read returned nothing, no write to it is visible.
 *   L4  A list shows its elements in order; each comes before the next one.
 *   L5  In a serialisation what comes before a visible node by L2 or L4 is visible too.
 *   L6  A list or set shows all visible unique elements. A read is the k-th of its object in the
 *       view; seen_last[w] is the last k that showed w, and miss_last[w] the last one that did not
 *       and was followed by one that did. (What it shows is visible by L1.)
 *   L7  A view is explained when L1 to L6 hold and no node comes before itself, by `pred`, `also`,
 *       L2 and L4; for counters see view_number.c.
 * Exactness: given L7, a serialisation is made by taking the nodes visible at position 0 in any
 * order that respects all edges, then those first visible at position 1, and so on.
 */
#include "core/check/causal/view.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "core/check/causal/view_work.h"

static uint32_t *filled(struct arena *arena, size_t count, uint32_t with)
{
    uint32_t *array = arena_alloc(arena, (count + 1) * sizeof *array);
    for (size_t i = 0; i <= count; i++)
        array[i] = with;
    return array;
}

void view_init(struct view *view, const struct order *order, uint64_t steps_max)
{
    *view = (struct view){.order = order, .steps_max = steps_max};
    struct view_work *w = view->work = calloc(1, sizeof *w);
    INVARIANT(w != NULL);
    arena_init(&w->arena);
    uint32_t nodes = order->nodes, ops = order->rf->count, keys = order->rf->history->key_count;
    w->label = filled(&w->arena, nodes, LABEL_NEVER);
    w->labelled = filled(&w->arena, nodes, 0);
    w->stack = filled(&w->arena, nodes, 0);
    w->edge_head = filled(&w->arena, nodes, NO_NODE);
    w->degree = filled(&w->arena, nodes, NO_NODE);
    w->members = filled(&w->arena, nodes, 0);
    w->seen_last = filled(&w->arena, ops, 0);
    w->miss_last = filled(&w->arena, ops, 0);
    w->keys = ARENA_ARRAY(&w->arena, struct key_view, (size_t)keys + 1);
    w->used_keys = filled(&w->arena, keys, 0);
}

void view_free(struct view *view)
{
    free(view->work->by_key);
    free(view->work->run);
    free(view->work->edges);
    arena_free(&view->work->arena);
    free(view->work);
    free(view->cycle);
    *view = (struct view){0};
}

static bool fault(struct view *view, enum view_fault kind, uint32_t sight, uint32_t op)
{
    view->fault = kind;
    view->sight = sight;
    view->op = op;
    return false;
}

void view_add_edge(struct view *view, uint32_t from, uint32_t to, uint32_t sight)
{
    struct view_work *w = view->work;
    if (from == to)
        return;
    w->edges = grow(w->edges, w->edge_count, &w->edge_room, sizeof *w->edges);
    w->edges[w->edge_count] = (struct view_edge){from, w->edge_head[to], sight};
    w->edge_head[to] = w->edge_count++;
}

/* --- beginning anew --- */

static void forget(struct view *view)
{
    struct view_work *w = view->work;
    const struct order *order = view->order;
    for (uint32_t i = 0; i < w->labelled_count; i++) {
        uint32_t node = w->labelled[i];
        w->label[node] = LABEL_NEVER;
        w->edge_head[node] = NO_NODE;
        for (uint32_t op = order->node_op[node]; op < order->node_op[node + 1]; op++)
            w->seen_last[op] = w->miss_last[op] = 0;
    }
    for (uint32_t i = 0; i < w->used_count; i++)
        w->keys[w->used_keys[i]].count = 0;
    w->labelled_count = w->used_count = w->edge_count = 0;
    view->fault = VIEW_EXPLAINED;
}

static void make_room(struct view_work *w, uint32_t sights)
{
    if (sights <= w->sight_room)
        return;
    free(w->by_key);
    free(w->run);
    w->sight_room = sights;
    w->by_key = malloc(sights * sizeof *w->by_key);
    w->run = malloc(sights * sizeof *w->run);
    INVARIANT(w->by_key != NULL && w->run != NULL);
}

static const struct operation *operation_of(const struct view *view, uint32_t sight)
{
    return &view->order->rf->ops[view->sights[sight].op];
}

/* The sights of each object side by side. */
static void group(struct view *view)
{
    struct view_work *w = view->work;
    make_room(w, view->count);
    for (uint32_t i = 0; i < view->count; i++) {
        uint32_t key = operation_of(view, i)->key;
        if (!w->keys[key].count++)
            w->used_keys[w->used_count++] = key;
    }
    uint32_t first = 0;
    for (uint32_t i = 0; i < w->used_count; i++) {
        struct key_view *k = &w->keys[w->used_keys[i]];
        k->first = first;
        first += k->count;
        k->count = k->runs = 0;
        k->nothing = NO_NODE;
    }
    for (uint32_t i = 0; i < view->count; i++) {
        struct key_view *k = &w->keys[operation_of(view, i)->key];
        w->by_key[k->first + k->count++] = i;
    }
}

static void make_runs(struct view *view, struct key_view *k)
{
    struct view_work *w = view->work;
    for (uint32_t i = 0; i < k->count; i++) {
        uint32_t sight = w->by_key[k->first + i];
        const struct sight *s = &view->sights[sight];
        struct run *last = k->runs ? &w->run[k->first + k->runs - 1] : NULL;
        if (s->source == SOURCE_NONE)
            k->nothing = sight;
        if (s->source >= SOURCE_FIRST)
            continue;
        if (last && last->source == s->source)
            last->last = s->at;
        else
            w->run[k->first + k->runs++] = (struct run){s->at, s->source, sight};
    }
}

/* --- visibility (L1) --- */

static void lower(struct view_work *w, uint32_t node, uint32_t label)
{
    if (w->label[node] <= label)
        return;
    if (w->label[node] == LABEL_NEVER)
        w->labelled[w->labelled_count++] = node;
    w->label[node] = label;
    w->stack[w->stack_count++] = node;
}

/* A node whose label fell takes its predecessors along. The stack is as large as there are nodes:
 * a node is not put on it twice with one label, and within one call labels only come from there. */
static void lower_all(struct view *view, uint32_t node, uint32_t label)
{
    struct view_work *w = view->work;
    const struct order *order = view->order;
    lower(w, node, label);
    while (w->stack_count) {
        uint32_t n = w->stack[--w->stack_count];
        view->steps += 1 + order->pred_first[n + 1] - order->pred_first[n];
        for (uint32_t i = order->pred_first[n]; i < order->pred_first[n + 1]; i++)
            lower(w, order->pred[i], label);
    }
}

static void see(struct view *view)
{
    const struct order *order = view->order;
    uint32_t position = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct sight *s = &view->sights[i];
        for (; position <= s->at && position < view->own_count; position++)
            lower_all(view, view->own_first + position, position);
        if (s->source < SOURCE_FIRST)
            lower_all(view, order->op_node[s->source], s->at);
        for (uint32_t j = 0; j < s->count; j++)
            lower_all(view, order->op_node[order->rf->seen[s->seen + j]], s->at);
    }
}

/* --- lists and sets (L4, L6) --- */

static uint32_t common_prefix(const struct view *view, uint32_t a, uint32_t b)
{
    const uint32_t *seen = view->order->rf->seen;
    const struct sight *x = &view->sights[a], *y = &view->sights[b];
    uint32_t n = 0;
    while (n < x->count && n < y->count && seen[x->seen + n] == seen[y->seen + n])
        n++;
    return n;
}

static void add_list_order(struct view *view, const struct key_view *k, uint32_t index)
{
    uint32_t sight = view->work->by_key[k->first + index];
    const struct sight *s = &view->sights[sight];
    const uint32_t *seen = view->order->rf->seen + s->seen;
    uint32_t known =
        index ? common_prefix(view, view->work->by_key[k->first + index - 1], sight) : 0;
    for (uint32_t i = known ? known : 1; i < s->count; i++)
        view_add_edge(view, view->order->op_node[seen[i - 1]], view->order->op_node[seen[i]],
                      sight);
}

static void look_at_elements(struct view *view, struct key_view *k, bool ordered)
{
    struct view_work *w = view->work;
    for (uint32_t i = 0; i < k->count; i++) {
        const struct sight *s = &view->sights[w->by_key[k->first + i]];
        for (uint32_t j = 0; j < s->count; j++) {
            uint32_t op = view->order->rf->seen[s->seen + j];
            if (w->seen_last[op] < i)
                w->miss_last[op] = i;
            w->seen_last[op] = i + 1;
        }
        view->steps += s->count;
        if (ordered)
            add_list_order(view, k, i);
    }
}

static void look_at_objects(struct view *view)
{
    struct view_work *w = view->work;
    for (uint32_t i = 0; i < w->used_count; i++) {
        struct key_view *k = &w->keys[w->used_keys[i]];
        uint8_t model = view->order->rf->history->keys[w->used_keys[i]].model;
        if (model == MODEL_REGISTER)
            make_runs(view, k);
        else if (model != MODEL_COUNTER)
            look_at_elements(view, k, model == MODEL_LIST);
    }
}

/* The last sight that does not show the element, or NO_NODE. */
static uint32_t last_miss(const struct view *view, uint32_t op)
{
    const struct view_work *w = view->work;
    const struct key_view *k = &w->keys[view->order->rf->ops[op].key];
    uint32_t k_th = w->seen_last[op] < k->count ? k->count : w->miss_last[op];
    return k_th ? w->by_key[k->first + k_th - 1] : NO_NODE;
}

/* --- last writer (L2, L3) --- */

/* The first run whose last position is not before `from`, or NULL. */
static const struct run *run_from(const struct view *view, const struct key_view *k, uint32_t from)
{
    const struct run *run = view->work->run + k->first;
    uint32_t low = 0, high = k->runs;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (run[middle].last < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low < k->runs ? &run[low] : NULL;
}

/* The run before whose source the write comes, or NULL. */
static const struct run *overwritten_in(const struct view *view, uint32_t op, uint32_t node)
{
    const struct operation *o = &view->order->rf->ops[op];
    const struct key_view *k = &view->work->keys[o->key];
    if (!o->writes || o->model != MODEL_REGISTER || !k->count)
        return NULL;
    const struct run *run = run_from(view, k, visible_from(view, node));
    return run && view->order->op_node[run->source] != node ? run : NULL;
}

/* L5, once over all; true when something became visible earlier. */
static bool saturate(struct view *view)
{
    struct view_work *w = view->work;
    const struct order *order = view->order;
    bool changed = false;
    for (uint32_t i = 0; i < w->labelled_count; i++) {
        uint32_t node = w->labelled[i];
        for (uint32_t op = order->node_op[node]; op < order->node_op[node + 1]; op++) {
            const struct run *run = overwritten_in(view, op, node);
            if (!run || w->label[order->op_node[run->source]] >= w->label[node])
                continue;
            lower_all(view, node, w->label[order->op_node[run->source]]);
            changed = true;
        }
        for (uint32_t e = w->edge_head[node]; e != NO_NODE; e = w->edges[e].next) {
            if (w->label[w->edges[e].from] <= w->label[node])
                continue;
            lower_all(view, w->edges[e].from, w->label[node]);
            changed = true;
        }
    }
    view->steps += w->labelled_count;
    return changed;
}

static bool missed(struct view *view)
{
    struct view_work *w = view->work;
    const struct order *order = view->order;
    for (uint32_t i = 0; i < w->labelled_count; i++) {
        uint32_t node = w->labelled[i], from = visible_from(view, node);
        for (uint32_t op = order->node_op[node]; op < order->node_op[node + 1]; op++) {
            const struct operation *o = &order->rf->ops[op];
            const struct key_view *k = &w->keys[o->key];
            if (!o->writes || !k->count || o->model == MODEL_COUNTER)
                continue;
            bool reg = o->model == MODEL_REGISTER;
            uint32_t sight = reg ? k->nothing : o->unique ? last_miss(view, op) : NO_NODE;
            if (sight != NO_NODE && from <= view->sights[sight].at)
                return !fault(view, reg ? VIEW_NOTHING : VIEW_MISSED, sight, op);
        }
    }
    return false;
}

static void add_last_writer_edges(struct view *view)
{
    struct view_work *w = view->work;
    const struct order *order = view->order;
    for (uint32_t i = 0; i < w->used_count; i++) {
        const struct key_view *k = &w->keys[w->used_keys[i]];
        for (uint32_t r = 1; r < k->runs; r++) {
            const struct run *run = &w->run[k->first + r];
            view_add_edge(view, order->op_node[run[-1].source], order->op_node[run->source],
                          run->sight);
        }
    }
    for (uint32_t i = 0; i < w->labelled_count; i++) {
        uint32_t node = w->labelled[i];
        for (uint32_t op = order->node_op[node]; op < order->node_op[node + 1]; op++) {
            const struct run *run = overwritten_in(view, op, node);
            if (run)
                view_add_edge(view, node, order->op_node[run->source], run->sight);
        }
    }
}

/* What is visible, and what `also` comes before that. */
static void gather(struct view *view)
{
    struct view_work *w = view->work;
    const uint32_t *also = view->order->also;
    w->member_count = 0;
    for (uint32_t i = 0; i < w->labelled_count; i++)
        for (uint32_t n = w->labelled[i]; n != NO_NODE && w->degree[n] == NO_NODE;
             n = also ? also[n] : NO_NODE) {
            w->degree[n] = 0;
            w->members[w->member_count++] = n;
        }
}

bool view_explained(struct view *view)
{
    forget(view);
    group(view);
    see(view);
    look_at_objects(view);
    while (view->order->serialised && saturate(view))
        if (view->steps > view->steps_max)
            return fault(view, VIEW_LIMIT, 0, 0);
    if (missed(view))
        return false;
    add_last_writer_edges(view);
    gather(view);
    view->steps += view->work->edge_count + view->work->member_count;
    if (view->steps > view->steps_max)
        return fault(view, VIEW_LIMIT, 0, 0);
    return view_acyclic(view) && view_numbers(view);
}

void view_explain_visible(struct view *view)
{
    enum view_fault kind = view->fault;
    uint32_t sight = view->sight, node = view->order->op_node[view->op];
    if (view->own_count) {
        add_last_writer_edges(view);
        view_add_edge(view, view->own_first + view->sights[sight].at, node, sight);
        gather(view);
        (void)view_acyclic(view);
    } else {
        view_path(view, node, view->sights[sight].at);
    }
    view->fault = kind;
    view->sight = sight;
}

bool view_order_sound(struct view *view)
{
    struct view_work *w = view->work;
    forget(view);
    w->member_count = view->order->nodes;
    for (uint32_t n = 0; n < view->order->nodes; n++) {
        w->members[n] = n;
        w->degree[n] = 0;
    }
    return view_acyclic(view);
}

static bool explained_up_to(struct view *view, uint32_t count)
{
    uint32_t all = view->count;
    view->count = count;
    bool explained = view_explained(view);
    view->count = all;
    return explained;
}

/* Doubling, so that it costs as much as what it finds; then halving. */
uint32_t view_longest(struct view *view)
{
    uint32_t good = 0, bad = 1;
    while (bad < view->count && explained_up_to(view, bad)) {
        good = bad;
        bad *= 2;
    }
    if (bad >= view->count) {
        if (explained_up_to(view, view->count))
            return view->count;
        bad = view->count;
    }
    while (bad - good > 1 && view->fault != VIEW_LIMIT) {
        uint32_t middle = good + (bad - good) / 2;
        if (explained_up_to(view, middle))
            good = middle;
        else
            bad = middle;
    }
    if (view->fault != VIEW_LIMIT)
        (void)explained_up_to(view, bad);
    return good;
}
