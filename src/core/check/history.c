/* SPDX-License-Identifier: MIT
 *
 * history.c: recording what clients asked and were told.
 *
 * Law
 *   H1  txns are in the order of their beginnings; the acts of one follow one another.
 *   H2  Ranks are unique: each beginning, end and event has the next one.
 *   H3  The transactions of one session do not overlap, and only its last may have no end.
 */
#include "core/check/history.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/check/names.h"

static void *grow(void *memory, uint32_t *room, size_t size)
{
    INVARIANT(*room < UINT32_MAX / 2);
    *room = *room ? *room * 2 : 256;
    memory = realloc(memory, *room * size);
    INVARIANT(memory != NULL);
    return memory;
}

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
    free(history);
}

uint32_t history_begin(struct history *history, uint32_t process, uint64_t at_ns)
{
    if (history->txn_count == history->txn_room)
        history->txns = grow(history->txns, &history->txn_room, sizeof *history->txns);
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
    if (history->act_count == history->act_room)
        history->acts = grow(history->acts, &history->act_room, sizeof *history->acts);
    txn->count++;
    history->acts[history->act_count] = *act;
    return &history->acts[history->act_count++];
}

void history_answer_list(struct history *history, uint32_t txn, uint32_t index,
                         const uint32_t *values, uint32_t count)
{
    struct history_act *act = &history->acts[history->txns[txn].first + index];
    INVARIANT(index < history->txns[txn].count);
    while (history->pool_room - history->pool_count < count)
        history->pool = grow(history->pool, &history->pool_room, sizeof *history->pool);
    act->list = history->pool_count;
    act->count = count;
    if (count)
        memcpy(history->pool + history->pool_count, values, count * sizeof *values);
    history->pool_count += count;
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
    if (history->event_count == history->event_room)
        history->events = grow(history->events, &history->event_room, sizeof *history->events);
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
