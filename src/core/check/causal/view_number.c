/* SPDX-License-Identifier: MIT
 *
 * view_number.c: whether what a counter answered is possible.
 *
 * A counter's number does not tell whose increments it holds. What must be in it and what cannot
 * be gives bounds: that is sound, and no more.
 *
 * Law
 *   M1  An increment is in what a sight answered if it is visible there. It is not if the session's
 *       own node at that position, or an earlier one, comes before it (serialisations only):
 *       forward[n] is 1 + the last position whose node comes before n, or 0.
 *   M2  From nothing to a sight, and from a sight to the next one of the same counter, the number
 *       changes by all increments that must have come in between, and any of those that may have.
 *   M3  Counters with a number beyond LARGEST are not judged: sums could overflow.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/check/causal/view_work.h"

#define LARGEST (INT64_C(1) << 32)

/* What is added and what is taken away. */
struct sum {
    int64_t negative, positive;
};

static void sum_add(struct sum *sum, int64_t number)
{
    if (number < 0)
        sum->negative += number;
    else
        sum->positive += number;
}

static struct sum sum_more(struct sum a, struct sum b)
{
    return (struct sum){a.negative + b.negative, a.positive + b.positive};
}

static struct sum sum_less(struct sum a, struct sum b)
{
    return (struct sum){a.negative - b.negative, a.positive - b.positive};
}

static int64_t sum_all(struct sum a)
{
    return a.negative + a.positive;
}

/* Predecessors first. The order has no cycle: who uses serialisations has looked at that. */
static void sort_nodes(struct view *view)
{
    struct view_work *w = view->work;
    const struct order *order = view->order;
    uint32_t nodes = order->nodes, count = nodes;
    uint32_t *left = ARENA_ARRAY(&w->arena, uint32_t, (size_t)nodes + 1);
    w->topological = ARENA_ARRAY(&w->arena, uint32_t, (size_t)nodes + 1);
    for (uint32_t i = 0; i < order->pred_first[nodes]; i++)
        left[order->pred[i]]++;
    uint32_t stack = 0;
    for (uint32_t n = 0; n < nodes; n++)
        if (!left[n])
            w->stack[stack++] = n;
    while (stack) { /* from the last to the first: those without successors */
        uint32_t node = w->stack[--stack];
        w->topological[--count] = node;
        for (uint32_t i = order->pred_first[node]; i < order->pred_first[node + 1]; i++)
            if (--left[order->pred[i]] == 0)
                w->stack[stack++] = order->pred[i];
    }
    INVARIANT(count == 0);
}

/* The increments of each counter side by side. */
static void sort_increments(struct view *view)
{
    struct view_work *w = view->work;
    const struct reads_from *rf = view->order->rf;
    size_t keys = rf->history->key_count;
    w->increment_first = ARENA_ARRAY(&w->arena, uint32_t, keys + 2);
    w->increment = ARENA_ARRAY(&w->arena, uint32_t, (size_t)rf->count + 1);
    uint32_t *next = w->increment_first + 1; /* moves on to where the next object's begin */
    for (uint32_t op = 0; op < rf->count; op++)
        if (rf->ops[op].model == MODEL_COUNTER && rf->ops[op].writes && rf->ops[op].key + 1 < keys)
            next[rf->ops[op].key + 1]++;
    for (size_t key = 1; key < keys; key++)
        next[key] += next[key - 1];
    for (uint32_t op = 0; op < rf->count; op++)
        if (rf->ops[op].model == MODEL_COUNTER && rf->ops[op].writes)
            w->increment[next[rf->ops[op].key]++] = op;
}

/* forward (M1): each node when all of its predecessors are done. */
static void look_forward(struct view *view)
{
    struct view_work *w = view->work;
    const struct order *order = view->order;
    for (uint32_t i = 0; i < order->nodes; i++) {
        uint32_t node = w->topological[i], best = 0;
        for (uint32_t j = order->pred_first[node]; j < order->pred_first[node + 1]; j++)
            if (w->forward[order->pred[j]] > best)
                best = w->forward[order->pred[j]];
        if (node - view->own_first < view->own_count)
            best = node - view->own_first + 1;
        w->forward[node] = best;
    }
    view->steps += order->nodes;
}

/* The increments of one counter. Its sights are numbered 0 ...; in [k] of each array are those
 * increments of which k is the number of the first sight ... */
struct tally {
    uint32_t sights;
    const uint32_t *sight; /* their places in the view */
    struct sum *in;        /* ... that must hold them; k = sights: none */
    struct sum *may;       /* ... that may hold them */
    struct sum *sure;      /* both: they came after sight k - 1 and before sight k */
    bool judged;
};

/* The number of the first sight at that position or later. */
static uint32_t sight_from(const struct view *view, const struct tally *t, uint32_t position)
{
    uint32_t low = 0, high = t->sights;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (view->sights[t->sight[middle]].at < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void count_increment(const struct view *view, struct tally *t, uint32_t op)
{
    uint32_t node = view->order->op_node[op];
    int64_t number = view->order->rf->ops[op].number;
    t->judged = t->judged && number <= LARGEST && number >= -LARGEST;
    if (!t->judged)
        return;
    uint32_t in = sight_from(view, t, visible_from(view, node));
    uint32_t may = sight_from(view, t, view->work->forward[node]);
    sum_add(&t->in[in], number);
    sum_add(&t->may[may], number);
    if (in == may)
        sum_add(&t->sure[in], number);
}

/* Whether a sight answered `from`, and what is sure, and any part of what may be. */
static bool within(struct view *view, uint32_t sight, int64_t from, struct sum may)
{
    int64_t number = view->sights[sight].number;
    view->least = from + may.negative;
    view->most = from + may.positive;
    view->sight = sight;
    return number >= view->least && number <= view->most;
}

/* M2 */
static bool judge(struct view *view, const struct tally *t)
{
    struct sum in = {0, 0}, may = {0, 0};
    for (uint32_t k = 0; k < t->sights; k++) {
        struct sum before = in, sure = t->sure[k];
        in = sum_more(in, t->in[k]);
        may = sum_more(may, t->may[k]);
        if (!within(view, t->sight[k], sum_all(in), sum_less(may, in)))
            return false;
        if (k && !within(view, t->sight[k], view->sights[t->sight[k - 1]].number + sum_all(sure),
                         sum_less(sum_less(may, before), sure)))
            return false;
    }
    return true;
}

static bool judge_counter(struct view *view, uint32_t key, struct arena *arena)
{
    const struct key_view *k = &view->work->keys[key];
    struct tally t = {.sights = k->count, .sight = view->work->by_key + k->first, .judged = true};
    t.in = ARENA_ARRAY(arena, struct sum, (size_t)k->count + 1);
    t.may = ARENA_ARRAY(arena, struct sum, (size_t)k->count + 1);
    t.sure = ARENA_ARRAY(arena, struct sum, (size_t)k->count + 1);
    const struct view_work *w = view->work;
    for (uint32_t i = w->increment_first[key]; i < w->increment_first[key + 1]; i++)
        count_increment(view, &t, w->increment[i]);
    view->steps += w->increment_first[key + 1] - w->increment_first[key];
    return !t.judged || judge(view, &t);
}

/* Once for all views of an order. */
static void prepare(struct view *view)
{
    struct view_work *w = view->work;
    w->forward = ARENA_ARRAY(&w->arena, uint32_t, (size_t)view->order->nodes + 1);
    sort_increments(view);
    if (view->own_count)
        sort_nodes(view);
}

bool view_numbers(struct view *view)
{
    struct view_work *w = view->work;
    struct arena arena;
    bool possible = true, looked = !view->own_count;
    arena_init(&arena);
    for (uint32_t i = 0; i < w->used_count && possible; i++) {
        if (view->order->rf->history->keys[w->used_keys[i]].model != MODEL_COUNTER)
            continue;
        if (!w->forward)
            prepare(view);
        if (!looked)
            look_forward(view);
        looked = true;
        possible = judge_counter(view, w->used_keys[i], &arena);
    }
    if (!possible)
        view->fault = VIEW_NUMBER;
    arena_free(&arena);
    return possible;
}
