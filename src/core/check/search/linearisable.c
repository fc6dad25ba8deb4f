/* SPDX-License-Identifier: MIT
 *
 * linearisable.c: each operation takes effect at one moment between its call and its answer.
 *
 * Law (Herlihy and Wing 1990)
 *   L1  A history is linearisable when some order of its transactions (all that were answered, and
 *       any of those whose outcome is unknown) gives all the answers, and what ended before another
 *       began comes before it.
 *   L2  It is when each of its objects is (locality). Objects that one transaction uses together
 *       are judged as one object.
 *   L3  Crashes excuse nothing here: see durability.c.
 */
#include "core/check/checking.h"
#include "core/check/search/blame.h"
#include "core/check/search/objects.h"

static void broken(struct checking *c, const struct question *question,
                   const struct serial_answer *answer)
{
    blame(c, question, answer, ANOMALY_NONE, "in real time");
}

void check_linearisable(struct checking *c)
{
    struct models models;
    if (!objects_known(c))
        return;
    models_init(&models, c->history);
    struct question question = objects_question(c, &models);
    objects_search(c, &question, broken);
    models_free(&models);
}
