/* SPDX-License-Identifier: MIT
 *
 * history.c: recording what clients asked and were told.
 *
 * Law
 *   H1  txns are in the order of their beginnings; the acts of one follow one another.
 *   H2  Ranks are unique: each beginning, end and event has the next one.
 *   H3  The transactions of one session do not overlap, and only its last may have no end.
 *   H4  tails[k] is the longest answer of key k that goes on as all before it did: `count` values
 *       from `list` on in the pool, with `room` places. Answers that it begins with share them;
 *       values in use are never overwritten.
 */
#include "core/check/history.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "core/check/names.h"

struct history_tail {
    uint32_t list, count, room;
};

struct history *history_new(void)
{
    struct history *history = calloc(1, sizeof *history);
    INVARIANT(history != NULL);
    history->names = names_new();
    return history;
}

void history_free(struct history *history)
{
    if (!history)
        return;
    names_free(history->names);
    free(history->txns);
    free(history->acts);
    free(history->pool);
    free(history->events);
    free(history->keys);
    free(history->tails);
    free(history);
}

uint32_t history_begin(struct history *history, uint32_t process, uint64_t at_ns)
{
    history->txns =
        grow(history->txns, history->txn_count, &history->txn_room, sizeof *history->txns);
    if (process >= history->processes)
        history->processes = process + 1;
    history->txns[history->txn_count] = (struct history_txn){
        .process = process,
        .session = process,
        .first = history->act_count,
        .began = history->next_rank++,
        .ended = RANK_NEVER,
        .began_ns = at_ns,
    };
    return history->txn_count++;
}

struct history_act *history_add(struct history *history, const struct history_act *act)
{
    INVARIANT(history->txn_count > 0);
    struct history_txn *txn = &history->txns[history->txn_count - 1];
    INVARIANT(txn->first + txn->count == history->act_count);
    history->acts =
        grow(history->acts, history->act_count, &history->act_room, sizeof *history->acts);
    txn->count++;
    history->acts[history->act_count] = *act;
    return &history->acts[history->act_count++];
}

/* A part of the pool with room for so many values. */
static uint32_t pool_part(struct history *history, uint32_t room)
{
    while (history->pool_room - history->pool_count < room)
        history->pool =
            grow(history->pool, history->pool_room, &history->pool_room, sizeof *history->pool);
    uint32_t part = history->pool_count;
    history->pool_count += room;
    return part;
}

static struct history_tail *tail_of(struct history *history, uint32_t key)
{
    while (key >= history->tail_room) {
        uint32_t before = history->tail_room;
        history->tails =
            grow(history->tails, history->tail_room, &history->tail_room, sizeof *history->tails);
        memset(history->tails + before, 0, (history->tail_room - before) * sizeof *history->tails);
    }
    return &history->tails[key];
}

/* A list to which one appends is read again and again: a history of a million such reads would be
 * mostly the same beginnings. */
void history_answer_list(struct history *history, uint32_t txn, uint32_t index,
                         const uint32_t *values, uint32_t count)
{
    struct history_act *act = &history->acts[history->txns[txn].first + index];
    INVARIANT(index < history->txns[txn].count);
    struct history_tail *tail = tail_of(history, act->key);
    uint32_t same = 0;
    while (same < count && same < tail->count && history->pool[tail->list + same] == values[same])
        same++;
    act->list = tail->list;
    act->count = count;
    if (same == count)
        return;
    if (same < tail->count) { /* it goes on in another way */
        act->list = pool_part(history, count);
        memcpy(history->pool + act->list, values, count * sizeof *values);
        return;
    }
    if (tail->room < count) {
        uint32_t room = tail->count ? count * 2 : count;
        tail->list = act->list = pool_part(history, room);
        tail->room = room;
        same = 0;
    }
    memcpy(history->pool + tail->list + same, values + same, (count - same) * sizeof *values);
    tail->count = count;
}

void history_end(struct history *history, uint32_t txn, uint64_t at_ns, enum outcome outcome)
{
    struct history_txn *t = &history->txns[txn];
    INVARIANT(t->ended == RANK_NEVER);
    t->outcome = (uint8_t)outcome;
    t->ended_ns = at_ns;
    /* An unknown outcome ends nothing: the effect may still come. */
    if (outcome != OUTCOME_UNKNOWN)
        t->ended = history->next_rank++;
    if (outcome == OUTCOME_DONE)
        for (uint32_t i = 0; i < t->count; i++)
            history->acts[t->first + i].known = true;
}

void history_event(struct history *history, enum history_event_kind kind, uint64_t at_ns,
                   const char *text)
{
    history->events =
        grow(history->events, history->event_count, &history->event_room, sizeof *history->events);
    history->events[history->event_count++] = (struct history_event){
        .kind = (uint8_t)kind,
        .text = history_value(history, text, strlen(text)),
        .rank = history->next_rank++,
        .at_ns = at_ns,
    };
}

void history_sessions(struct history *history)
{
    uint32_t *session = malloc((history->processes + 1) * sizeof *session);
    INVARIANT(session != NULL);
    uint32_t next = history->processes;
    for (uint32_t p = 0; p < history->processes; p++)
        session[p] = p;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        struct history_txn *txn = &history->txns[i];
        txn->session = session[txn->process];
        if (txn->outcome == OUTCOME_UNKNOWN)
            session[txn->process] = next++;
    }
    history->sessions = next;
    free(session);
}
