/* SPDX-License-Identifier: MIT
 *
 * run_check.c: what a run comes to: its trace, and the judgement on its history.
 */
#include "core/base/assert.h"
#include "sim/run/run_private.h"

/* Of one promise. A run is one of very many: what cannot be decided soon is only counted. */
#define STEPS_MOST UINT64_C(2000000)
#define BYTES_MOST (UINT64_C(1) << 30)

static void broken(struct running *r, const struct verdict *verdict)
{
    struct run_result *result = r->run.result;
    const struct history *history = r->run.history;
    result->verdict = *verdict;
    struct text witness = {0};
    verdict_tell(history, verdict, &witness);
    run_broken(&r->run, promise_word(verdict->promise), "%s: %s\n%s",
               anomaly_name(verdict->anomaly), verdict->text, text_string(&witness));
    text_free(&witness);
    uint64_t at = 0;
    for (uint32_t i = 0; i < verdict->step_count; i++) {
        const struct history_txn *t = &history->txns[verdict->steps[i].txn];
        uint64_t last = t->outcome == OUTCOME_UNKNOWN ? t->began_ns : t->ended_ns;
        at = last > at ? last : at;
    }
    if (at)
        result->at_ns = at;
}

void run_check(struct running *r)
{
    const struct check_limits limits = {.steps = STEPS_MOST, .bytes = BYTES_MOST};
    struct run_result *result = r->run.result;
    for (unsigned p = 0; p < PROMISE_COUNT && !result->broken; p++) {
        struct verdict verdict;
        if (!(r->run.scenario->promises >> p & 1))
            continue;
        check_history(r->run.history, (enum promise)p, &limits, &result->arena, &verdict);
        if (verdict.result == CHECK_BROKEN)
            broken(r, &verdict);
        result->undecided += verdict.result == CHECK_UNDECIDED;
        run_say(&r->run, "check", "%s: %s", promise_word((enum promise)p),
                verdict.result == CHECK_HOLDS       ? "holds"
                : verdict.result == CHECK_BROKEN    ? "BROKEN"
                : verdict.result == CHECK_UNDECIDED ? "undecided"
                                                    : "not applicable");
    }
}

/* --- the trace --- */

static uint64_t mix(uint64_t trace, uint64_t value)
{
    trace = (trace ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return trace ^ trace >> 29;
}

static uint64_t mix_act(uint64_t trace, const struct history *history,
                        const struct history_act *act)
{
    trace = mix(trace, act->code | (uint64_t)act->known << 8 | (uint64_t)act->fault << 16 |
                           (uint64_t)act->key << 32);
    for (unsigned i = 0; i < ACT_ARGS_MAX; i++)
        trace = mix(trace, act->args[i]);
    trace = mix(trace, act->value | (uint64_t)act->count << 32);
    if (act->count)
        trace = checksum64(history->pool + act->list, act->count * sizeof *history->pool, trace);
    return trace;
}

static uint64_t mix_values(uint64_t trace, const struct history *history)
{
    for (uint32_t v = 0; v < history_values(history); v++) {
        const char *text = history_text(history, v);
        size_t len = 0;
        while (text[len])
            len++;
        trace = checksum64(text, len, trace);
    }
    return trace;
}

uint64_t run_trace(const struct running *r)
{
    const struct history *history = r->run.history;
    uint64_t trace = mix(sim_trace(r->run.sim), history->txn_count);
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *t = &history->txns[i];
        trace = mix(trace, t->process | (uint64_t)t->outcome << 32 | (uint64_t)t->durable << 40);
        trace = mix(trace, t->began);
        trace = mix(trace, t->ended);
        trace = mix(trace, t->began_ns);
        trace = mix(trace, t->ended_ns);
        for (uint32_t a = 0; a < t->count; a++)
            trace = mix_act(trace, history, history_act(history, t, a));
    }
    for (uint32_t i = 0; i < history->event_count; i++) {
        trace = mix(trace, history->events[i].kind | (uint64_t)history->events[i].text << 32);
        trace = mix(trace, history->events[i].rank);
        trace = mix(trace, history->events[i].at_ns);
    }
    return mix_values(trace, history);
}
