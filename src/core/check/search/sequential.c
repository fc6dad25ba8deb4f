/* SPDX-License-Identifier: MIT
 *
 * sequential.c: all see one order of operations, in which each process's own are in its order.
 *
 * Law (Lamport 1979)
 *   Q1  A history is sequential when some order of its transactions (all that were answered, and
 *       any of unknown outcome) gives all the answers, and what one session did comes in the order
 *       in which it did it. Real time counts for nothing.
 *   Q2  Objects cannot be judged apart (Herlihy and Wing 1990, 3.3): the search is over all at
 *       once, and takes exponential time at worst.
 *   Q3  Quick answers: what is linearisable is sequential; what is not when an object is judged
 *       alone is not with the others either; and what is sequential is PRAM, which is decided
 *       quickly for registers whose values are written once.
 */
#include "core/check/checking.h"
#include "core/check/search/blame.h"
#include "core/check/search/objects.h"
#include "core/check/search/pram_view.h"

#define QUICK_SHARE 4u /* of the steps, for each quick answer */

static void broken(struct checking *c, const struct question *question,
                   const struct serial_answer *answer)
{
    blame(c, question, answer, ANOMALY_NONE, "that keeps each process's own");
}

static void search_whole(struct checking *c, struct question *question)
{
    struct objects objects;
    struct serial_answer answer;
    struct arena arena;
    arena_init(&arena);
    objects_group(c->history, true, &arena, &objects);
    question->places = objects.places;
    question->objects = objects.sizes[0];
    question->parts = objects.parts;
    question->part_count = objects.first[1];
    serialise(question, &answer);
    if (answer.result == SERIAL_NONE)
        broken(c, question, &answer);
    blame_limits(c, &answer, c->limits.steps);
    arena_free(&arena);
}

bool linearisable_at_once(struct checking *c, struct question *question)
{
    question->order = ORDER_REAL_TIME;
    question->steps = c->limits.steps / QUICK_SHARE;
    return objects_search(c, question, NULL);
}

void check_sequential(struct checking *c)
{
    struct models models;
    if (!objects_known(c))
        return;
    models_init(&models, c->history);
    struct question question = objects_question(c, &models);
    if (!linearisable_at_once(c, &question)) {
        question.order = ORDER_PROCESS;
        objects_search(c, &question, broken);
        question.steps = c->limits.steps;
        if (c->verdict->result != CHECK_BROKEN)
            pram_registers(c);
        if (c->verdict->result != CHECK_BROKEN) {
            c->verdict->result = CHECK_HOLDS; /* what one object left open, all may decide */
            c->verdict->text = "";
            search_whole(c, &question);
        }
    }
    models_free(&models);
}
