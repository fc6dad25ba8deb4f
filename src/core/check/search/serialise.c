/* SPDX-License-Identifier: MIT
 *
 * serialise.c: the search for a legal serialisation: depth first, just in time, with memory of the
 * configurations from which nothing goes on (Wing and Gong 1993; Lowe 2017, "Testing for
 * linearizability"; for falling back at crashes Izraelevitz, Mendes and Scott 2016).
 *
 * Definitions
 *   configuration  which items were placed, and the state of each object (and the era)
 *   limit          the smallest end among items that are not placed
 *   enabled        in real time: its beginning is below the limit. In process order: all that its
 *                  session did before is placed
 *   candidate      at the end of an era: a state that a crash may leave behind
 *
 * Law
 *   S1  An enabled item that only looks, and is right in this state, is placed at once: wherever a
 *       serialisation has it later, it can be moved here and nothing else changes.
 *   S2  A state that does not come back (no item is left that makes it; lists, sets and growing
 *       counters never do) is not left while an item that must be placed waits for it.
 *   S3  A list, set or growing counter goes on only to states from which its next milestone (a
 *       state that some item of the era must find) can be reached.
 *   S4  If the next milestone needs a value that only one item appends or adds, and nothing waits
 *       for the present state, that item is placed at once. In several eras not so for sets, and
 *       not behind the last milestone: there the order decides what a crash can leave.
 *   S5  Of enabled items with the same effect the one that ends first goes first (real time); of
 *       those that may be left out, any one stands for all.
 *   S6  A write whose value no item waits for, on a register without a refused or unanswered cas,
 *       is placed at once when nothing waits for the present state.
 *   S7  An item that may be left out is, for good, when no answer shows its value (problem.c).
 *   S8  From a configuration that was left without success none is reached later either: it is
 *       not entered again. Configurations are known by 128 bits of a sum of mixed parts; that two
 *       of 10^7 have the same is less likely than 2^-80.
 *   S9  Candidates are the states behind the last durable item of the era, once all durable ones
 *       are placed. Whether the rest of the history can go on from one depends on nothing but the
 *       era and that state; so each is tried once. For S8 this means: a configuration from which
 *       the end of the era was reached has tried all states behind it; when it is met again on
 *       another path, only that path's own states are left to try.
 */
#include "core/check/search/serialise.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "core/check/search/problem.h"
#include "core/check/search/search.h"

/* --- the walk --- */

static void push_frame(struct search *s, enum frame_phase phase, bool only_crash)
{
    s->frames = grow(s->frames, s->frame_count, &s->frame_room, sizeof *s->frames);
    s->frames[s->frame_count++] = (struct frame){
        .print = search_print(s),
        .limit = search_limit(s),
        .base = s->trail_count,
        .cursor = phase == PHASE_REQUIRED ? list_required(s) : s->trail_count + 1,
        .era = s->era,
        .phase = (uint8_t)phase,
        .only_crash = only_crash,
        .reached = phase == PHASE_CRASH,
    };
}

/* Looks at the configuration; pushes a frame when there is something to try from it. */
static void enter(struct search *s)
{
    bool last = s->era + 1 == s->p->eras;
    bool ends = s->remaining[s->era] == 0 && !last;
    struct memo_entry *known = memo_find(&s->memo, search_print(s));
    if (!known) {
        memo_add(&s->memo, search_print(s));
        push_frame(s, ends ? PHASE_CRASH : PHASE_REQUIRED, false);
    } else if (memo_reached(known) && !last && !s->durables[s->era]) {
        push_frame(s, PHASE_CRASH, true); /* S9 */
    }
}

/* S5: whether another enabled item with the same effect ends before this one. */
static bool another_is_due(const struct search *s, uint32_t item, uint64_t limit)
{
    const struct item *items = s->p->items;
    uint32_t class = items[item].class;
    if (!class || s->p->class_sizes[class] < 2 || s->p->question->order != ORDER_REAL_TIME)
        return false;
    for (uint32_t i = s->next[list_required(s)]; i != list_required(s); i = s->next[i]) {
        if (items[i].began > limit)
            break;
        if (items[i].class == class && items[i].ended < items[item].ended)
            return true;
    }
    return false;
}

static bool next_required(struct search *s, struct frame *f)
{
    for (uint32_t i = s->next[f->cursor]; i != list_required(s); i = s->next[i]) {
        const struct item *item = &s->p->items[i];
        if (item->began > f->limit)
            break;
        f->cursor = i;
        if (!item->looks && !another_is_due(s, i, f->limit) && search_place(s, i))
            return true;
    }
    f->phase = PHASE_OPTIONAL;
    f->cursor = list_optional(s);
    return false;
}

/* S5: whether an item before this one in the ring has the same effect: it was tried already. */
static bool was_tried(const struct search *s, uint32_t item, uint64_t limit)
{
    const struct item *items = s->p->items;
    uint32_t class = items[item].class;
    if (!class || s->p->class_sizes[class] < 2)
        return false;
    for (uint32_t i = s->next[list_optional(s)]; i != item; i = s->next[i])
        if (items[i].class == class && items[i].began <= limit)
            return true;
    return false;
}

static bool next_optional(struct search *s, struct frame *f)
{
    for (uint32_t i = s->next[f->cursor]; i != list_optional(s); i = s->next[i]) {
        f->cursor = i;
        if (s->p->items[i].began <= f->limit && !was_tried(s, i, f->limit) && search_place(s, i))
            return true;
    }
    f->phase = PHASE_DONE;
    return false;
}

static bool advance(struct search *s)
{
    struct frame *f = &s->frames[s->frame_count - 1];
    search_undo(s, f->base);
    if (f->phase == PHASE_CRASH) {
        if (search_crash(s, f))
            return true;
        f->phase = f->only_crash ? PHASE_DONE : PHASE_REQUIRED;
        f->cursor = list_required(s);
    }
    if (f->phase == PHASE_REQUIRED && next_required(s, f))
        return true;
    return f->phase == PHASE_OPTIONAL && next_optional(s, f);
}

static void pop_frame(struct search *s)
{
    struct frame *f = &s->frames[--s->frame_count];
    if (!f->reached) {
        if (f->limit != RANK_NEVER && (s->stuck_rank == RANK_NEVER || f->limit > s->stuck_rank))
            s->stuck_rank = f->limit;
        return;
    }
    memo_set_reached(&s->memo, f->print);
    if (s->frame_count && f[-1].era == f->era)
        f[-1].reached = true;
}

static enum serial_result walk(struct search *s)
{
    const struct question *q = s->p->question;
    for (;;) {
        search_settle(s);
        if (s->remaining[s->era] == 0 && s->era + 1 == s->p->eras)
            return SERIAL_FOUND;
        enter(s);
        while (s->frame_count && !advance(s))
            pop_frame(s);
        if (!s->frame_count)
            return SERIAL_NONE;
        if (s->steps > q->steps)
            return SERIAL_TOO_LONG;
        if (search_bytes(s) > q->bytes)
            return SERIAL_TOO_LARGE;
    }
}

static uint32_t stuck_txn(const struct problem *p, uint64_t rank)
{
    for (uint32_t i = 0; i < p->item_count; i++)
        if (p->items[i].ended == rank)
            return p->items[i].txn;
    return NO_ITEM;
}

void serialise(const struct question *question, struct serial_answer *answer)
{
    struct problem problem;
    struct search search;
    problem_build(&problem, question);
    *answer = (struct serial_answer){.stuck_rank = RANK_NEVER, .stuck = problem.spans};
    if (problem.spans != NO_ITEM) {
        answer->result = SERIAL_SPANS;
    } else {
        search_init(&search, &problem);
        answer->result = walk(&search);
        answer->steps = search.steps;
        answer->stuck_rank = search.stuck_rank;
        answer->stuck = stuck_txn(&problem, search.stuck_rank);
        search_free(&search);
    }
    problem_free(&problem);
}
