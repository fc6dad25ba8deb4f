/* SPDX-License-Identifier: MIT
 *
 * replay.c: from plans and readings of the clock to a history in order.
 *
 * Law
 *   Y1  All clients read one clock. Of equal readings a beginning comes before an end: then the two
 *       overlap, which claims less.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "record/recorder.h"

void round_moment(struct recorder *recorder, uint64_t ns, int what, uint32_t txn)
{
    if (recorder->moment_count == recorder->moment_room) {
        recorder->moment_room = recorder->moment_room ? recorder->moment_room * 2 : 1024;
        recorder->moments =
            realloc(recorder->moments, recorder->moment_room * sizeof *recorder->moments);
        INVARIANT(recorder->moments != NULL);
    }
    recorder->moments[recorder->moment_count++] =
        (struct moment){.ns = ns, .what = (uint8_t)what, .txn = txn};
}

static int compare_moments(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    if (x->what != y->what)
        return x->what < y->what ? -1 : 1;
    return x->txn < y->txn ? -1 : x->txn > y->txn;
}

static uint32_t translate(const struct recorder *r, uint32_t value)
{
    const char *text = history_text(r->plan, value);
    return value == VALUE_NONE ? VALUE_NONE : history_value(r->out, text, strlen(text));
}

static bool looks_only(enum act_code code)
{
    return code == ACT_READ || code == ACT_LOOKUP || code == ACT_LIST || code == ACT_GET ||
           code == ACT_LINKS;
}

/* A transfer that never knew what to write did not write. */
static bool left_out(const struct history_act *act)
{
    return act->code == ACT_WRITE && act->args[0] == VALUE_NONE;
}

static void replay_begin(struct recorder *r, const struct history_txn *txn, uint64_t ns)
{
    history_begin(r->out, txn->process, ns - r->start_ns);
    for (uint32_t i = 0; i < txn->count; i++) {
        struct history_act act = *history_act(r->plan, txn, i);
        const struct history_key *key = &r->plan->keys[act.key];
        if (left_out(&act))
            continue;
        uint32_t name = translate(r, key->name);
        enum err err = history_key(r->out, VALUE_NONE, name, key->model, &act.key);
        INVARIANT(err == OK);
        for (unsigned a = 0; a < ACT_ARGS_MAX; a++)
            act.args[a] = translate(r, act.args[a]);
        act.value = translate(r, act.value);
        act.known = false;
        act.list = act.count = 0;
        history_add(r->out, &act);
    }
}

static void replay_end(struct recorder *r, const struct history_txn *txn, uint32_t to, uint64_t ns)
{
    bool changes = false;
    uint32_t index = 0;
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct history_act *act = history_act(r->plan, txn, i);
        if (left_out(act))
            continue;
        changes |= !looks_only(act->code) && !act->fault;
        if (act->count && txn->outcome == OUTCOME_DONE) {
            uint32_t *values = malloc(act->count * sizeof *values);
            INVARIANT(values != NULL);
            for (uint32_t v = 0; v < act->count; v++)
                values[v] = translate(r, r->plan->pool[act->list + v]);
            history_answer_list(r->out, to, index, values, act->count);
            free(values);
        }
        index++;
    }
    r->out->txns[to].durable = r->options->sync && changes && txn->outcome == OUTCOME_DONE;
    history_end(r->out, to, ns - r->start_ns, txn->outcome);
}

void round_replay(struct recorder *r)
{
    uint32_t *to = calloc(r->plan->txn_count + 1, sizeof *to);
    INVARIANT(to != NULL);
    if (r->moment_count)
        qsort(r->moments, r->moment_count, sizeof *r->moments, compare_moments);
    for (uint32_t i = 0; i < r->moment_count; i++) {
        const struct moment *m = &r->moments[i];
        if (m->what == MOMENT_CONVERGED) {
            history_event(r->out, EVENT_CONVERGED, m->ns - r->start_ns, "all clients have ended");
            continue;
        }
        const struct history_txn *txn = &r->plan->txns[m->txn];
        if (m->what == MOMENT_BEGIN) {
            to[m->txn] = r->out->txn_count;
            replay_begin(r, txn, m->ns);
        } else {
            replay_end(r, txn, to[m->txn], m->ns);
        }
    }
    free(to);
    r->moment_count = 0;
}
