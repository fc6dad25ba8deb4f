/* SPDX-License-Identifier: MIT
 *
 * pram.c: the writes of each process are seen in the order it made them.
 *
 * Law (Lipton and Sandberg 1988)
 *   P1  A history is PRAM when for each session p some order of p's own transactions and of the
 *       changes that all others made gives all the answers that p got, and what one session did
 *       comes in its order. Different p may see different orders.
 *   P2  To p, what another did is a change without an answer: it takes effect where it can (a cas
 *       that succeeded writes its new value; what was refused is nothing).
 *   P3  A transaction of unknown outcome, of p or another, may be left out.
 *   P4  A quick answer: what is linearisable is PRAM, unless an object has changes that depend on
 *       the state (P2 could let them fail for p where they did not): so only of registers without
 *       cas, lists, sets and counters.
 *   P5  Registers whose values are written once are decided in polynomial time: pram_view.c.
 */
#include "core/check/checking.h"
#include "core/check/search/blame.h"
#include "core/check/search/objects.h"
#include "core/check/search/pram_view.h"

static void broken(struct checking *c, const struct question *question,
                   const struct serial_answer *answer)
{
    blame(c, question, answer, ANOMALY_NONE, "that keeps each process's own");
}

/* P4 */
static bool changes_are_plain(const struct history *history)
{
    for (uint32_t i = 0; i < history->key_count; i++)
        if (history->keys[i].model == MODEL_TREE)
            return false;
    for (uint32_t i = 0; i < history->act_count; i++)
        if (history->acts[i].code == ACT_CAS)
            return false;
    return true;
}

/* The parts as p sees them; false when p was answered nothing. */
static bool view_of(const struct history *history, uint32_t session, struct objects *objects)
{
    bool asked = false;
    for (uint32_t i = 0; i < objects->first[1]; i++) {
        const struct history_txn *txn = &history->txns[objects->parts[i].txn];
        bool own = txn->session == session;
        asked = asked || (own && txn->outcome == OUTCOME_DONE);
        objects->parts[i].role = own ? PART_REQUIRED : PART_EFFECT;
    }
    return asked;
}

static void search_views(struct checking *c, struct question *question)
{
    struct objects objects;
    struct serial_answer answer;
    struct arena arena;
    uint64_t left = c->limits.steps;
    arena_init(&arena);
    objects_group(c->history, true, &arena, &objects);
    question->places = objects.places;
    question->objects = objects.sizes[0];
    question->parts = objects.parts;
    question->part_count = objects.first[1];
    for (uint32_t p = 0; p < c->history->sessions && c->verdict->result != CHECK_BROKEN; p++) {
        if (!view_of(c->history, p, &objects))
            continue;
        question->steps = left;
        serialise(question, &answer);
        left -= answer.steps < left ? answer.steps : left;
        if (answer.result == SERIAL_NONE)
            broken(c, question, &answer);
        blame_limits(c, &answer, c->limits.steps);
    }
    arena_free(&arena);
}

void check_pram(struct checking *c)
{
    struct models models;
    if (!objects_known(c))
        return;
    models_init(&models, c->history);
    struct question question = objects_question(c, &models);
    bool quick = changes_are_plain(c->history) && linearisable_at_once(c, &question);
    if (!quick && !pram_registers(c)) {
        question.order = ORDER_PROCESS;
        search_views(c, &question);
    }
    models_free(&models);
}
