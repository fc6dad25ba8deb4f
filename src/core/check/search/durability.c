/* SPDX-License-Identifier: MIT
 *
 * durability.c: what was answered as durable is there after a crash; a crash takes nothing but the
 * last of what was not. This is buffered durable linearisability (Izraelevitz, Mendes and Scott
 * 2016, section 4).
 *
 * Definitions
 *   era      the time between two crashes
 *   durable  a transaction that was answered as durable, or that was answered before a sync began
 *            which was answered in the same era
 *
 * Law
 *   D1  In each era some order of its transactions (all that were answered, any of unknown outcome)
 *       extends real time and gives all the answers, from the state in which the era begins.
 *   D2  The next era begins in the state after a prefix of that order. The prefix holds every
 *       durable transaction of the era.
 *   D3  A transaction of unknown outcome that began before a crash takes effect before it, or
 *       never. One that was answered does not span a crash.
 *   D4  Objects are judged apart, but for those that one transaction uses together. A volume's
 *       tree is one object, so of it the prefix is over all operations; of registers, lists, sets
 *       and counters nothing is said about which of two objects lost more.
 *   D5  Names. LOST_WRITE: there would be a serialisation if nothing had been durable. HOLE: the
 *       era would have one if the crash had kept just some of the changes before. Else the name is
 *       as without crashes.
 *   D6  Without crashes this is linearisability.
 */
#include <string.h>

#include "core/check/checking.h"
#include "core/check/search/blame.h"
#include "core/check/search/objects.h"

static bool is_sync(const struct history *history, const struct history_txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++)
        if (history_act(history, txn, i)->code == ACT_SYNC && !history_act(history, txn, i)->fault)
            return txn->outcome == OUTCOME_DONE;
    return false;
}

static void find_eras(const struct history *history, struct arena *arena, struct eras *eras)
{
    uint64_t *crashes = ARENA_ARRAY(arena, uint64_t, history->event_count + 1);
    uint64_t *synced = ARENA_ARRAY(arena, uint64_t, history->event_count + 1);
    uint32_t count = 0, era = 0;
    for (uint32_t i = 0; i < history->event_count; i++)
        if (history->events[i].kind == EVENT_CRASH)
            crashes[count++] = history->events[i].rank;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        while (era < count && crashes[era] < txn->began)
            era++;
        bool inside = era == count || txn->ended < crashes[era];
        if (inside && is_sync(history, txn))
            synced[era] = txn->began; /* the last to begin covers the most */
    }
    *eras = (struct eras){.count = count + 1, .crashes = crashes, .synced = synced};
}

static bool found(struct question question, const struct serial_answer *before)
{
    struct serial_answer answer;
    question.steps = before->steps * 4 + 50000;
    serialise(&question, &answer);
    return answer.result == SERIAL_FOUND;
}

/* D5: the era in which the search was stuck, after any of the changes before. */
static bool is_hole(const struct question *question, const struct serial_answer *answer)
{
    const struct history *history = question->history;
    const struct eras *eras = question->eras;
    uint64_t from = 0, to = RANK_NEVER;
    for (uint32_t i = 0; i + 1 < eras->count; i++) {
        if (eras->crashes[i] < answer->stuck_rank)
            from = eras->crashes[i];
        else if (to == RANK_NEVER)
            to = eras->crashes[i];
    }
    if (answer->stuck_rank == RANK_NEVER || from == 0)
        return false;
    struct arena arena;
    arena_init(&arena);
    struct question alone = *question;
    struct part *parts = arena_alloc(&arena, (question->part_count + 1) * sizeof *parts);
    const uint64_t nothing[2] = {0, 0};
    const struct eras two = {.count = 2, .crashes = &from, .synced = nothing};
    alone.eras = &two;
    alone.parts = parts;
    alone.part_count = 0;
    for (uint32_t i = 0; i < question->part_count; i++) {
        uint64_t began = history->txns[question->parts[i].txn].began;
        struct part part = question->parts[i];
        part.role = began < from ? PART_FREE : PART_REQUIRED;
        if (began < to)
            parts[alone.part_count++] = part;
    }
    bool is = found(alone, answer);
    arena_free(&arena);
    return is;
}

static void broken(struct checking *c, const struct question *question,
                   const struct serial_answer *answer)
{
    enum anomaly anomaly = ANOMALY_NONE;
    struct question forgetful = *question;
    forgetful.forgetful = true;
    if (found(forgetful, answer))
        anomaly = ANOMALY_LOST_WRITE;
    else if (is_hole(question, answer))
        anomaly = ANOMALY_HOLE;
    blame(c, question, answer, anomaly,
          "in real time, with crashes that take only the last of it,");
}

void check_durability(struct checking *c)
{
    struct models models;
    struct eras eras;
    struct arena arena;
    if (!objects_known(c))
        return;
    arena_init(&arena);
    models_init(&models, c->history);
    find_eras(c->history, &arena, &eras);
    struct question question = objects_question(c, &models);
    question.eras = &eras;
    objects_search(c, &question, broken);
    models_free(&models);
    arena_free(&arena);
}
