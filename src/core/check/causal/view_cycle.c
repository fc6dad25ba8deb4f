/* SPDX-License-Identifier: MIT
 *
 * view_cycle.c: whether some node comes before itself, and the shortest such circle.
 *
 * Law
 *   C1  Members are the nodes looked at. degree[n] is, of a member, how many of its successors are
 *       still there; nodes without any are taken away until none is left (Kahn 1962). What stays
 *       lies on a circle or leads to one.
 *   C2  What then also has no predecessor left is taken away. What stays lies on a circle or
 *       between two. The shortest way back from each is looked for, within a budget once one is
 *       found.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/check/causal/view_work.h"

#define BUDGET UINT64_C(4000000) /* nodes visited in search of a shorter circle */

/* A walk over the predecessors of one node. */
struct walk {
    uint32_t at, end, also, edge;
    uint32_t node, sight; /* the present one */
};

static struct walk walk_from(const struct view *view, uint32_t node)
{
    const struct order *order = view->order;
    return (struct walk){.at = order->pred_first[node],
                         .end = order->pred_first[node + 1],
                         .also = order->also ? order->also[node] : NO_NODE,
                         .edge = view->work->edge_head[node]};
}

static bool walk_on(const struct view *view, struct walk *walk)
{
    walk->sight = NO_NODE;
    if (walk->at < walk->end) {
        walk->node = view->order->pred[walk->at++];
        return true;
    }
    if (walk->also != NO_NODE) {
        walk->node = walk->also;
        walk->also = NO_NODE;
        return true;
    }
    if (walk->edge == NO_NODE)
        return false;
    const struct view_edge *edge = &view->work->edges[walk->edge];
    walk->node = edge->from;
    walk->sight = edge->sight;
    walk->edge = edge->next;
    return true;
}

/* C1; returns how many stay. */
static uint32_t take_away(struct view *view)
{
    struct view_work *w = view->work;
    uint32_t left = w->member_count;
    for (uint32_t i = 0; i < w->member_count; i++) {
        struct walk walk = walk_from(view, w->members[i]);
        while (walk_on(view, &walk))
            if (w->degree[walk.node] != NO_NODE)
                w->degree[walk.node]++;
    }
    for (uint32_t i = 0; i < w->member_count; i++)
        if (!w->degree[w->members[i]])
            w->stack[w->stack_count++] = w->members[i];
    while (w->stack_count) {
        uint32_t n = w->stack[--w->stack_count];
        w->degree[n] = NO_NODE;
        left--;
        struct walk walk = walk_from(view, n);
        while (walk_on(view, &walk))
            if (w->degree[walk.node] != NO_NODE && --w->degree[walk.node] == 0)
                w->stack[w->stack_count++] = walk.node;
    }
    return left;
}

/* --- the shortest circle --- */

struct search {
    struct arena arena;
    uint32_t *nodes, count;      /* what stays */
    uint32_t *place;             /* of each node in `nodes`, or NO_NODE */
    uint32_t *succ_first, *succ; /* by place */
    uint32_t *preds;             /* by place: how many stay */
    uint32_t *queue, *from, *link, *depth, *visit;
    uint64_t visited;
    uint32_t round;
};

static void lay_out(const struct view *view, struct search *s)
{
    const struct view_work *w = view->work;
    size_t room = w->member_count + (size_t)1;
    uint32_t **arrays[] = {&s->nodes, &s->preds, &s->queue, &s->from,
                           &s->link,  &s->depth, &s->visit};
    arena_init(&s->arena);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = ARENA_ARRAY(&s->arena, uint32_t, room);
    s->place = arena_alloc(&s->arena, view->order->nodes * sizeof *s->place);
    memset(s->place, 0xff, view->order->nodes * sizeof *s->place);
    for (uint32_t i = 0; i < w->member_count; i++)
        if (w->degree[w->members[i]] != NO_NODE) {
            s->place[w->members[i]] = s->count;
            s->nodes[s->count++] = w->members[i];
        }
    s->succ_first = ARENA_ARRAY(&s->arena, uint32_t, (size_t)s->count + 2);
    for (uint32_t i = 0; i < s->count; i++) /* degree: the successors that stay */
        s->succ_first[i + 1] = s->succ_first[i] + w->degree[s->nodes[i]];
    s->succ = ARENA_ARRAY(&s->arena, uint32_t, (size_t)s->succ_first[s->count] + 1);
    uint32_t *next = arena_copy(&s->arena, s->succ_first, (s->count + (size_t)1) * sizeof *next);
    for (uint32_t i = 0; i < s->count; i++) {
        struct walk walk = walk_from(view, s->nodes[i]);
        while (walk_on(view, &walk))
            if (s->place[walk.node] != NO_NODE) {
                s->succ[next[s->place[walk.node]]++] = i;
                s->preds[i]++;
            }
    }
}

/* C2: nodes taken away lose their place. */
static void trim(struct search *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (!s->preds[i])
            s->queue[count++] = i;
    while (count) {
        uint32_t i = s->queue[--count];
        s->place[s->nodes[i]] = NO_NODE;
        for (uint32_t j = s->succ_first[i]; j < s->succ_first[i + 1]; j++)
            if (--s->preds[s->succ[j]] == 0)
                s->queue[count++] = s->succ[j];
    }
}

/* Keeps the circle that closes with an edge from `start` to `at`, shown by `sight`. */
static void keep(struct view *view, const struct search *s, uint32_t at, uint32_t sight)
{
    uint32_t length = s->depth[at] + 1, start = s->queue[0];
    view->cycle = realloc(view->cycle, length * sizeof *view->cycle);
    INVARIANT(view->cycle != NULL);
    view->cycle[0] = (struct view_link){s->nodes[start], sight};
    for (uint32_t i = 1; i < length; i++, at = s->from[at])
        view->cycle[i] = (struct view_link){s->nodes[at], s->link[at]};
    view->cycle_count = length;
}

/* The shortest way from `start` back to itself, if it is shorter than what is kept. */
static void circle_through(struct view *view, struct search *s, uint32_t start)
{
    uint32_t head = 0, tail = 0;
    s->round++;
    s->queue[tail++] = start;
    s->visit[start] = s->round;
    s->depth[start] = 0;
    while (head < tail) {
        uint32_t at = s->queue[head++];
        if (view->cycle_count && s->depth[at] + 1 >= view->cycle_count)
            return;
        s->visited++;
        struct walk walk = walk_from(view, s->nodes[at]);
        while (walk_on(view, &walk)) {
            uint32_t next = s->place[walk.node];
            if (next == start) {
                keep(view, s, at, walk.sight);
                return;
            }
            if (next == NO_NODE || s->visit[next] == s->round)
                continue;
            s->visit[next] = s->round;
            s->from[next] = at;
            s->link[next] = walk.sight;
            s->depth[next] = s->depth[at] + 1;
            s->queue[tail++] = next;
        }
    }
}

static void find_circle(struct view *view)
{
    struct search s = {.count = 0};
    lay_out(view, &s);
    trim(&s);
    view->cycle_count = 0;
    for (uint32_t i = 0; i < s.count; i++)
        if (s.place[s.nodes[i]] != NO_NODE && (!view->cycle_count || s.visited < BUDGET))
            circle_through(view, &s, i);
    INVARIANT(view->cycle_count > 0);
    arena_free(&s.arena);
}

bool view_acyclic(struct view *view)
{
    struct view_work *w = view->work;
    bool acyclic = take_away(view) == 0;
    if (!acyclic) {
        view->fault = VIEW_CYCLE;
        view->sight = view->count ? view->count - 1 : 0;
        find_circle(view);
    }
    for (uint32_t i = 0; i < w->member_count; i++)
        w->degree[w->members[i]] = NO_NODE;
    return acyclic;
}

/* --- a path --- */

struct path_search {
    uint32_t *queue, tail;
    uint32_t *next;  /* of each node: the one behind it on the path */
    uint32_t *sight; /* of a source: where it was seen; else NO_NODE */
    uint8_t *found;
};

static void path_begin(struct path_search *s, uint32_t node, uint32_t sight)
{
    if (s->found[node])
        return;
    s->found[node] = 1;
    s->next[node] = NO_NODE;
    s->sight[node] = sight;
    s->queue[s->tail++] = node;
}

static void path_ends(const struct view *view, struct path_search *s, uint32_t at)
{
    const struct order *order = view->order;
    for (uint32_t i = 0; i < view->count && view->sights[i].at <= at; i++) {
        const struct sight *sight = &view->sights[i];
        if (sight->source < SOURCE_FIRST)
            path_begin(s, order->op_node[sight->source], i);
        for (uint32_t j = 0; j < sight->count; j++)
            path_begin(s, order->op_node[order->rf->seen[sight->seen + j]], i);
    }
}

static void path_search(const struct order *order, struct path_search *s, uint32_t node)
{
    for (uint32_t head = 0; head < s->tail && !s->found[node]; head++) {
        uint32_t n = s->queue[head];
        for (uint32_t i = order->pred_first[n]; i < order->pred_first[n + 1]; i++) {
            uint32_t pred = order->pred[i];
            if (s->found[pred])
                continue;
            s->found[pred] = 1;
            s->next[pred] = n;
            s->sight[pred] = NO_NODE;
            s->queue[s->tail++] = pred;
        }
    }
}

void view_path(struct view *view, uint32_t node, uint32_t at)
{
    struct arena arena;
    arena_init(&arena);
    size_t room = view->order->nodes + (size_t)1;
    struct path_search s = {.queue = ARENA_ARRAY(&arena, uint32_t, room),
                            .next = ARENA_ARRAY(&arena, uint32_t, room),
                            .sight = ARENA_ARRAY(&arena, uint32_t, room),
                            .found = ARENA_ARRAY(&arena, uint8_t, room)};
    path_ends(view, &s, at);
    path_search(view->order, &s, node);
    INVARIANT(s.found[node]);
    uint32_t length = 0;
    for (uint32_t n = node; n != NO_NODE; n = s.next[n])
        length++;
    view->cycle = realloc(view->cycle, length * sizeof *view->cycle);
    INVARIANT(view->cycle != NULL);
    view->cycle_count = 0;
    for (uint32_t n = node; n != NO_NODE; n = s.next[n])
        view->cycle[view->cycle_count++] = (struct view_link){n, s.sight[n]};
    arena_free(&arena);
}
