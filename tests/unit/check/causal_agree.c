/* SPDX-License-Identifier: MIT
 *
 * causal_agree.c: see causal_agree.h.
 */
#include "causal_agree.h"

#include <stdio.h>

#include "causal_random.h"
#include "naive_causal.h"

#define TOLD_MAX 5u

const enum promise causal_promises[CAUSAL_PROMISES] = {
    PROMISE_CAUSAL, PROMISE_READ_YOUR_WRITES, PROMISE_MONOTONIC_READS, PROMISE_MONOTONIC_WRITES,
    PROMISE_WRITES_FOLLOW_READS};

static void tell(struct causal_agreement *a, const struct history *history, uint64_t seed,
                 const char *what)
{
    char line[512];
    if (!a->wrong++)
        a->first_wrong = seed;
    if (a->wrong > TOLD_MAX)
        return;
    printf("seed %llu: %s\n", (unsigned long long)seed, what);
    for (uint32_t i = 0; i < history->txn_count; i++)
        printf("  %s (%s)\n", txn_print(history, i, line, sizeof line),
               history->txns[i].outcome == OUTCOME_DONE     ? "done"
               : history->txns[i].outcome == OUTCOME_FAILED ? "failed"
                                                            : "unknown");
}

/* A broken promise has a sentence and a witness: steps, and edges between them; a circle closes. */
static bool is_told(const struct verdict *v)
{
    bool told = v->text[0] && v->step_count;
    for (uint32_t i = 0; i < v->edge_count; i++)
        told = told && v->edges[i].from < v->step_count && v->edges[i].to < v->step_count &&
               v->edges[i].from != v->edges[i].to;
    if (v->shape != WITNESS_CYCLE)
        return told;
    for (uint32_t i = 0; i < v->edge_count; i++)
        told = told && v->edges[i].from == i && v->edges[i].to == (i + 1) % v->step_count;
    return told && v->edge_count == v->step_count;
}

static void judge(struct causal_agreement *a, const struct random_history *r, uint64_t seed,
                  struct arena *arena)
{
    bool exact = !r->repeats && !r->counters;
    char what[128];
    a->exact += exact;
    for (uint32_t i = 0; i < CAUSAL_PROMISES; i++) {
        struct verdict verdict;
        check_history(r->history, causal_promises[i], NULL, arena, &verdict);
        bool fast = verdict.result != CHECK_BROKEN;
        if (!fast && !is_told(&verdict))
            tell(a, r->history, seed, "a broken promise without a whole witness");
        enum naive_answer answer =
            i ? naive_session(r->history, causal_promises[i]) : naive_causal(r->history);
        bool naive = answer == NAIVE_HOLDS;
        a->too_large += answer == NAIVE_TOO_LARGE;
        if (answer == NAIVE_TOO_LARGE)
            continue;
        a->broken[i] += !naive;
        a->unfound[i] += fast && !naive;
        snprintf(what, sizeof what, "%s %s by definition, but not for the checker (%s)",
                 promise_word(causal_promises[i]), naive ? "holds" : "is broken",
                 anomaly_name(verdict.anomaly));
        if (fast != naive && (exact || !fast))
            tell(a, r->history, seed, what);
        arena_reset(arena);
    }
}

/* What holds, holds all that is weaker: stronger -> weaker. */
static const struct {
    enum promise stronger, weaker;
} relations[] = {
    {PROMISE_LINEARISABLE, PROMISE_SEQUENTIAL},
    {PROMISE_SEQUENTIAL, PROMISE_CAUSAL},
    {PROMISE_CAUSAL, PROMISE_PRAM},
    {PROMISE_CAUSAL, PROMISE_WRITES_FOLLOW_READS},
    {PROMISE_PRAM, PROMISE_READ_YOUR_WRITES},
    {PROMISE_PRAM, PROMISE_MONOTONIC_READS},
    {PROMISE_PRAM, PROMISE_MONOTONIC_WRITES},
};

/* A checker that is only sound may let pass what a stronger promise forbids; never the other way
 * round. Counters and repeated values leave "causal" sound only, and a refused cas too. */
static void compare(struct causal_agreement *a, const struct random_history *r, uint64_t seed,
                    struct arena *arena)
{
    bool exact = !r->repeats && !r->counters && !r->refused;
    enum check_result results[PROMISE_COUNT];
    char what[128];
    for (uint32_t p = PROMISE_LINEARISABLE; p <= PROMISE_WRITES_FOLLOW_READS; p++) {
        struct verdict verdict;
        check_history(r->history, p, NULL, arena, &verdict);
        results[p] = verdict.result;
        arena_reset(arena);
    }
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
        enum promise stronger = relations[i].stronger, weaker = relations[i].weaker;
        if (results[stronger] != CHECK_HOLDS || results[weaker] != CHECK_BROKEN ||
            (stronger == PROMISE_CAUSAL && !exact))
            continue;
        snprintf(what, sizeof what, "%s, but not %s", promise_word(stronger), promise_word(weaker));
        tell(a, r->history, seed, what);
    }
    for (uint32_t i = 0; i < sizeof a->relation_held / sizeof *a->relation_held; i++)
        a->relation_held[i] += results[i] == CHECK_HOLDS;
}

struct causal_agreement causal_agree(uint64_t first_seed, uint64_t count)
{
    struct causal_agreement a = {.exact = 0};
    struct arena arena;
    arena_init(&arena);
    for (uint64_t seed = first_seed; seed < first_seed + count; seed++) {
        struct random_history r = causal_random(seed);
        judge(&a, &r, seed, &arena);
        compare(&a, &r, seed, &arena);
        history_free(r.history);
    }
    arena_free(&arena);
    return a;
}
