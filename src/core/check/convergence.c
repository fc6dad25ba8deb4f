/* SPDX-License-Identifier: MIT
 *
 * convergence.c: when all has come to rest, everybody reads the same (Vogels 2009, "Eventually
 * consistent"; Shapiro, Preguica, Baquero and Zawirski 2011, 2.2).
 *
 * Law
 *   V1  The history says itself when all has come to rest: EVENT_CONVERGED. A final read is one in
 *       a transaction that began after such an event, and ended before the next transaction that
 *       writes anything, or crash, began.
 *   V2  After one event, all final reads that ask the same answer the same: those of one object; of
 *       a tree those of one act with the same arguments. Lists are compared in order, sets and
 *       directories without.
 *   V3  What is read at the end was written by something that did not fail.
 *   V4  Something acknowledged is there: a register to which something was written holds
 *       something; a list or set holds one of the elements whose writes were acknowledged, if there
 *       are any; a counter that was only added to is not 0. A name of a tree that was made, and
 *       that nothing can have taken away since, is there. (That all of it is there is promised
 *       by others: linearisable, causal, durability.)
 */
#include <stdlib.h>
#include <string.h>

#include "core/check/convergence.h"

/* --- which reads are final (V1) --- */

static bool is_read(const struct history *history, const struct history_act *act)
{
    bool tree = history->keys[act->key].model == MODEL_TREE;
    return act->code == ACT_READ || (tree && (act->code == ACT_LOOKUP || act->code == ACT_LIST ||
                                              act->code == ACT_GET || act->code == ACT_LINKS));
}

static bool writes(const struct history *history, const struct history_txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct history_act *act = history_act(history, txn, i);
        if (act->code != ACT_SYNC && !is_read(history, act) && txn->outcome != OUTCOME_FAILED)
            return true;
    }
    return false;
}

/* The rank at which the rest that began at `from` ends. */
static uint64_t end_of_rest(const struct history *history, uint64_t from)
{
    uint64_t end = RANK_NEVER;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        if (txn->began > from && txn->began < end && writes(history, txn))
            end = txn->began;
    }
    for (uint32_t i = 0; i < history->event_count; i++) {
        const struct history_event *event = &history->events[i];
        bool ends = event->kind == EVENT_CRASH || event->kind == EVENT_CONVERGED;
        if (ends && event->rank > from && event->rank < end)
            end = event->rank;
    }
    return end;
}

static void find_finals(struct converging *v, uint32_t window, uint64_t from)
{
    const struct history *history = v->history;
    uint64_t end = end_of_rest(history, from);
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        if (txn->outcome != OUTCOME_DONE || txn->began < from || txn->ended > end)
            continue;
        for (uint32_t j = 0; j < txn->count; j++) {
            const struct history_act *act = history_act(history, txn, j);
            if (act->code != ACT_SYNC && act->known && is_read(history, act))
                v->finals[v->count++] = (struct final){window, i, txn->first + j};
        }
    }
}

/* --- equal answers (V2) --- */

static bool same_question(const struct history_act *a, const struct history_act *b)
{
    return a->key == b->key && a->code == b->code &&
           (a->code == ACT_READ || memcmp(a->args, b->args, sizeof a->args) == 0);
}

/* By question, then by place in the history; the same with any sort. */
static uint64_t mixed(const struct history_act *act)
{
    uint64_t h = act->key * UINT64_C(0x9e3779b97f4a7c15) + act->code;
    for (uint32_t i = 0; act->code != ACT_READ && i < ACT_ARGS_MAX; i++)
        h = (h ^ act->args[i]) * UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static int by_number(const void *x, const void *y)
{
    const uint32_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Entries of a directory: name and inode. */
static int by_entry(const void *x, const void *y)
{
    const uint32_t *a = x, *b = y;
    return a[0] != b[0] ? (a[0] > b[0]) - (a[0] < b[0]) : (a[1] > b[1]) - (a[1] < b[1]);
}

static uint32_t *sorted(struct converging *v, const struct history_act *act)
{
    uint32_t *copy = arena_alloc(&v->arena, (act->count + (size_t)1) * sizeof *copy);
    if (act->count)
        memcpy(copy, v->history->pool + act->list, act->count * sizeof *copy);
    if (act->code == ACT_LIST)
        qsort(copy, act->count / 2, 2 * sizeof *copy, by_entry);
    else if (v->history->keys[act->key].model == MODEL_SET)
        qsort(copy, act->count, sizeof *copy, by_number);
    return copy;
}

static bool same_answer(struct converging *v, const struct history_act *a,
                        const struct history_act *b)
{
    if (a->fault != b->fault || a->value != b->value || a->count != b->count)
        return false;
    return !a->count || memcmp(sorted(v, a), sorted(v, b), a->count * sizeof(uint32_t)) == 0;
}

static void diverged(struct converging *v, const struct final *a, const struct final *b)
{
    char one[512], other[512];
    const struct history *history = v->history;
    if (!checking_broken(v->c, ANOMALY_DIVERGED, false))
        return;
    (void)act_print(history, &history->acts[a->act], one, sizeof one);
    (void)act_print(history, &history->acts[b->act], other, sizeof other);
    checking_text(v->c, "All had come to rest, yet process %u read %s and process %u read %s.",
                  history->txns[a->txn].process, one, history->txns[b->txn].process, other);
    checking_step(v->c, a->txn, "one answer");
    checking_step(v->c, b->txn, "another answer, with no write in between");
}

/* The first final read of each question after each event is what the others are compared with. */
static void compare_all(struct converging *v)
{
    uint32_t size = 16;
    while (size < 2 * v->count)
        size *= 2;
    uint32_t *table = arena_alloc(&v->arena, size * sizeof *table);
    memset(table, 0xff, size * sizeof *table);
    for (uint32_t i = 0; i < v->count; i++) {
        const struct final *f = &v->finals[i];
        const struct history_act *act = &v->history->acts[f->act];
        uint32_t at = (uint32_t)(mixed(act) + f->window * UINT64_C(0x94d049bb)) & (size - 1);
        for (; table[at] != NO_TXN; at = (at + 1) & (size - 1)) {
            const struct final *g = &v->finals[table[at]];
            if (g->window == f->window && same_question(&v->history->acts[g->act], act))
                break;
        }
        if (table[at] == NO_TXN)
            table[at] = i;
        else if (!same_answer(v, &v->history->acts[v->finals[table[at]].act], act))
            diverged(v, &v->finals[table[at]], f);
    }
}

/* --- what must be there (V3, V4) --- */

void converging_lost(struct converging *v, uint32_t final, uint32_t writer, enum anomaly anomaly)
{
    char read[512];
    const struct final *f = &v->finals[final];
    if (!checking_broken(v->c, anomaly, false))
        return;
    (void)act_print(v->history, &v->history->acts[f->act], read, sizeof read);
    checking_text(v->c, "When all had come to rest, process %u: %s. That cannot be: %s.",
                  v->history->txns[f->txn].process, read, anomaly_text(anomaly));
    if (writer != NO_TXN)
        checking_step(v->c, writer, anomaly == ANOMALY_LOST_WRITE ? "acknowledged" : "failed");
    checking_step(v->c, f->txn, "what was there at the end");
}

/* What was written to one object before the first final read of it. */
struct written {
    uint32_t acknowledged; /* a transaction whose write was, or NO_TXN */
    bool only_added;       /* to a counter: numbers above 0 */
    bool unsure;           /* a cas or "nothing" was written: do not judge */
};

/* Who wrote a value: a transaction that was done, then one that may be, then one that failed. */
struct value_writer {
    uint32_t txn;
    uint8_t outcome; /* enum outcome */
};

static uint32_t value_written(const struct history_act *act)
{
    return act->code == ACT_CAS ? act->args[1] : act->args[0];
}

static bool is_plain_write(const struct history_act *act)
{
    return act->code == ACT_WRITE || act->code == ACT_CAS || act->code == ACT_APPEND ||
           act->code == ACT_ADD || act->code == ACT_INCREMENT;
}

static void note_write(struct converging *v, struct written *w, uint32_t txn,
                       const struct history_act *act)
{
    int64_t number = 0;
    if (act->code == ACT_INCREMENT &&
        (!history_integer(v->history, act->args[0], &number) || number <= 0))
        w->only_added = false;
    if (act->code != ACT_INCREMENT && value_written(act) == VALUE_NONE)
        w->unsure = true;
    if (v->history->txns[txn].outcome == OUTCOME_DONE && w->acknowledged == NO_TXN)
        w->acknowledged = txn;
}

/* Rank of outcomes as a reason why a value is there. */
static unsigned weight(uint8_t outcome)
{
    return outcome == OUTCOME_DONE ? 3 : outcome == OUTCOME_UNKNOWN ? 2 : 1;
}

/* The writers of each (key, value), in a table of slots; see slot_for. */
struct writers {
    struct writers_slot {
        uint32_t key_after, value; /* key + 1; 0: free */
        struct value_writer writer;
    } * slots;
    uint32_t size;
};

static struct writers_slot *slot_for(const struct writers *w, uint32_t key, uint32_t value)
{
    uint64_t h = ((uint64_t)key << 32 | value) * UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t at = (uint32_t)(h >> 32) & (w->size - 1);; at = (at + 1) & (w->size - 1)) {
        struct writers_slot *slot = &w->slots[at];
        if (!slot->key_after || (slot->key_after == key + 1 && slot->value == value))
            return slot;
    }
}

static void find_writes(struct converging *v, struct written *written, struct writers *writers)
{
    const struct history *history = v->history;
    for (uint32_t i = 0; i < history->txn_count; i++)
        for (uint32_t j = 0; j < history->txns[i].count; j++) {
            const struct history_act *act = history_act(history, &history->txns[i], j);
            if (!is_plain_write(act) || act->fault != OK)
                continue;
            if (history->txns[i].outcome != OUTCOME_FAILED)
                note_write(v, &written[act->key], i, act);
            struct writers_slot *slot = slot_for(writers, act->key, value_written(act));
            uint8_t outcome = history->txns[i].outcome;
            if (slot->key_after && weight(slot->writer.outcome) >= weight(outcome))
                continue;
            *slot = (struct writers_slot){act->key + 1, value_written(act), {i, outcome}};
        }
}

/* V3 of one value; true when it was written by something acknowledged. */
static bool look_at_value(struct converging *v, const struct writers *writers, uint32_t final,
                          uint32_t value)
{
    const struct history_act *act = &v->history->acts[v->finals[final].act];
    const struct writers_slot *slot = slot_for(writers, act->key, value);
    if (!slot->key_after)
        converging_lost(v, final, NO_TXN, ANOMALY_GARBAGE);
    else if (slot->writer.outcome == OUTCOME_FAILED)
        converging_lost(v, final, slot->writer.txn, ANOMALY_G1A);
    return !slot->key_after || slot->writer.outcome != OUTCOME_UNKNOWN;
}

static void look_at_final(struct converging *v, const struct written *written,
                          const struct writers *writers, uint32_t final)
{
    const struct history *history = v->history;
    const struct history_act *act = &history->acts[v->finals[final].act];
    const struct written *w = &written[act->key];
    int64_t number;
    bool there = true;
    switch (history->keys[act->key].model) {
    case MODEL_REGISTER:
        there = act->value != VALUE_NONE || w->unsure;
        if (act->value != VALUE_NONE)
            (void)look_at_value(v, writers, final, act->value);
        break;
    case MODEL_LIST:
    case MODEL_SET:
        there = false;
        for (uint32_t i = 0; i < act->count; i++)
            there |= look_at_value(v, writers, final, history->pool[act->list + i]);
        break;
    case MODEL_COUNTER:
        there = !w->only_added || !history_integer(history, act->value, &number) || number != 0;
        break;
    default:
        return;
    }
    if (!there && w->acknowledged != NO_TXN &&
        history->txns[w->acknowledged].began < history->txns[v->finals[final].txn].began)
        converging_lost(v, final, w->acknowledged, ANOMALY_LOST_WRITE);
}

static void look_at_objects(struct converging *v)
{
    const struct history *history = v->history;
    struct writers writers = {.size = 16};
    while (writers.size < 2 * history->act_count)
        writers.size *= 2;
    writers.slots = ARENA_ARRAY(&v->arena, struct writers_slot, writers.size);
    struct written *written =
        arena_alloc(&v->arena, (history->key_count + (size_t)1) * sizeof *written);
    for (uint32_t key = 0; key < history->key_count; key++)
        written[key] = (struct written){.acknowledged = NO_TXN, .only_added = true};
    find_writes(v, written, &writers);
    for (uint32_t i = 0; i < v->count; i++)
        look_at_final(v, written, &writers, i);
}

void check_convergence(struct checking *c)
{
    const struct history *history = c->history;
    struct converging v = {.c = c, .history = history};
    arena_init(&v.arena);
    v.finals = arena_alloc(&v.arena, (history->act_count + (size_t)1) * sizeof *v.finals);
    uint32_t windows = 0;
    for (uint32_t i = 0; i < history->event_count; i++)
        if (history->events[i].kind == EVENT_CONVERGED)
            find_finals(&v, windows++, history->events[i].rank);
    if (!windows) {
        checking_not_applicable(c, "The history does not say when all had come to rest "
                                   "(an event \"converged\").");
    } else if (!v.count) {
        checking_not_applicable(c, "Nothing was read after all had come to rest.");
    } else {
        compare_all(&v);
        look_at_objects(&v);
        converging_names(&v);
    }
    arena_free(&v.arena);
}
