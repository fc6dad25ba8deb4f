/* SPDX-License-Identifier: MIT
 *
 * verdict.c: one check of one promise; the tables of promises and anomalies; the witness in words.
 */
#include "core/check/verdict.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/check/checking.h"

#define STEPS_DEFAULT UINT64_C(200000000)
#define BYTES_DEFAULT (UINT64_C(2) << 30)

static const struct {
    const char *word, *text;
} promises[PROMISE_COUNT] = {
#define X(code, word, text) [PROMISE_##code] = {word, text},
    PROMISE_TABLE(X)
#undef X
};

static const struct {
    const char *name, *text, *source;
} anomalies[ANOMALY_COUNT] = {
#define X(code, name, text, source) [ANOMALY_##code] = {name, text, source},
    ANOMALY_TABLE(X)
#undef X
};

/* Who judges which promise. */
static void (*const checkers[PROMISE_COUNT])(struct checking *) = {
    [PROMISE_LINEARISABLE] = check_linearisable,
    [PROMISE_SEQUENTIAL] = check_sequential,
    [PROMISE_PRAM] = check_pram,
    [PROMISE_DURABILITY] = check_durability,
    [PROMISE_STRICT_SERIALISABLE] = check_strict_serialisable,
    [PROMISE_SERIALISABLE] = check_serialisable,
    [PROMISE_SNAPSHOT_ISOLATION] = check_snapshot_isolation,
    [PROMISE_READ_COMMITTED] = check_read_committed,
    [PROMISE_TOTAL] = check_total,
    [PROMISE_CAUSAL] = check_causal,
    [PROMISE_READ_YOUR_WRITES] = check_read_your_writes,
    [PROMISE_MONOTONIC_READS] = check_monotonic_reads,
    [PROMISE_MONOTONIC_WRITES] = check_monotonic_writes,
    [PROMISE_WRITES_FOLLOW_READS] = check_writes_follow_reads,
    [PROMISE_CONVERGENCE] = check_convergence,
};

static bool has_model(const struct history *history, enum history_model model)
{
    for (uint32_t key = 0; key < history->key_count; key++)
        if (history->keys[key].model == model)
            return true;
    return false;
}

static bool has_event(const struct history *history, enum history_event_kind kind)
{
    for (uint32_t i = 0; i < history->event_count; i++)
        if (history->events[i].kind == kind)
            return true;
    return false;
}

static bool has_durable(const struct history *history)
{
    for (uint32_t i = 0; i < history->txn_count; i++)
        if (history->txns[i].durable)
            return true;
    return false;
}

bool promise_applies(const struct history *history, enum promise promise)
{
    bool tree = has_model(history, MODEL_TREE);
    bool plain = has_model(history, MODEL_REGISTER) || has_model(history, MODEL_LIST) ||
                 has_model(history, MODEL_SET) || has_model(history, MODEL_COUNTER);
    switch (promise) {
    case PROMISE_LINEARISABLE:
    case PROMISE_SEQUENTIAL:
    case PROMISE_PRAM:
        return tree || plain;
    case PROMISE_CAUSAL:
    case PROMISE_READ_YOUR_WRITES:
    case PROMISE_MONOTONIC_READS:
    case PROMISE_MONOTONIC_WRITES:
    case PROMISE_WRITES_FOLLOW_READS:
        return plain;
    case PROMISE_STRICT_SERIALISABLE:
    case PROMISE_SERIALISABLE:
    case PROMISE_SNAPSHOT_ISOLATION:
    case PROMISE_READ_COMMITTED:
        return has_model(history, MODEL_LIST) || has_model(history, MODEL_REGISTER);
    case PROMISE_CONVERGENCE:
        return has_event(history, EVENT_CONVERGED);
    case PROMISE_DURABILITY:
        return has_event(history, EVENT_CRASH) || has_durable(history);
    case PROMISE_TOTAL:
        return has_model(history, MODEL_REGISTER);
    case PROMISE_COUNT:
        break;
    }
    return false;
}

void check_history(struct history *history, enum promise promise, const struct check_limits *limits,
                   struct arena *arena, struct verdict *verdict)
{
    INVARIANT(promise < PROMISE_COUNT);
    *verdict = (struct verdict){.promise = promise, .text = "", .shape = WITNESS_TIMELINE};
    struct checking c = {.history = history, .arena = arena, .verdict = verdict};
    if (limits)
        c.limits = *limits;
    if (!c.limits.steps)
        c.limits.steps = STEPS_DEFAULT;
    if (!c.limits.bytes)
        c.limits.bytes = BYTES_DEFAULT;
    if (!promise_applies(history, promise)) {
        checking_not_applicable(&c, "The history has nothing that this promise speaks of.");
        return;
    }
    history_sessions(history);
    if (checkers[promise])
        checkers[promise](&c);
    else
        checking_not_applicable(&c, "not built yet");
}

const char *promise_word(enum promise promise)
{
    return promise < PROMISE_COUNT ? promises[promise].word : "?";
}

const char *promise_text(enum promise promise)
{
    return promise < PROMISE_COUNT ? promises[promise].text : "?";
}

bool promise_of_word(const char *word, enum promise *promise)
{
    for (unsigned i = 0; i < PROMISE_COUNT; i++)
        if (strcmp(promises[i].word, word) == 0) {
            *promise = (enum promise)i;
            return true;
        }
    return false;
}

const char *anomaly_name(enum anomaly anomaly)
{
    return anomaly < ANOMALY_COUNT ? anomalies[anomaly].name : "?";
}

const char *anomaly_text(enum anomaly anomaly)
{
    return anomaly < ANOMALY_COUNT ? anomalies[anomaly].text : "?";
}

const char *anomaly_source(enum anomaly anomaly)
{
    return anomaly < ANOMALY_COUNT ? anomalies[anomaly].source : "?";
}

/* --- in words --- */

static const char *edge_words(enum edge_kind kind)
{
    switch (kind) {
    case EDGE_WW:
        return "was overwritten by";
    case EDGE_WR:
        return "was read by";
    case EDGE_RW:
        return "did not see what was written by";
    case EDGE_PROCESS:
        return "was done by the same process before";
    case EDGE_REAL_TIME:
        return "had ended before the beginning of";
    case EDGE_CAUSE:
        return "is among the causes of";
    }
    return "?";
}

static void tell_edge(const struct history *history, const struct witness_edge *edge,
                      struct text *text)
{
    text_add(text, "  %u %s %u", edge->from + 1, edge_words(edge->kind), edge->to + 1);
    if (edge->kind == EDGE_WW || edge->kind == EDGE_WR || edge->kind == EDGE_RW) {
        text_add(text, " (%s", history_key_text(history, edge->key));
        if (edge->value != VALUE_NONE)
            text_add(text, ": %s", history_text(history, edge->value));
        text_add(text, ")");
    }
    text_add(text, "\n");
}

void verdict_tell(const struct history *history, const struct verdict *verdict, struct text *text)
{
    char line[1024];
    for (uint32_t i = 0; i < verdict->step_count; i++) {
        const struct witness_step *step = &verdict->steps[i];
        text_add(text, "  %u. %s\n", i + 1, txn_print(history, step->txn, line, sizeof line));
        if (step->note)
            text_add(text, "     %s\n", step->note);
    }
    for (uint32_t i = 0; i < verdict->edge_count; i++)
        tell_edge(history, &verdict->edges[i], text);
}
