/* SPDX-License-Identifier: MIT
 *
 * search_agree.c: the fast and the naive verdict of the same history.
 */
#include "search_agree.h"

#include <stdio.h>
#include <string.h>

#include "naive_search.h"
#include "random_history.h"

static const enum promise promises[] = {PROMISE_LINEARISABLE, PROMISE_SEQUENTIAL, PROMISE_PRAM,
                                        PROMISE_DURABILITY};

/* A witness says something, and is of transactions that took effect. */
static const char *witness_fault(const struct history *history, const struct verdict *v)
{
    if (!v->text[0])
        return "no text";
    if (!v->step_count)
        return "no steps";
    for (uint32_t i = 0; i < v->step_count; i++)
        if (v->steps[i].txn >= history->txn_count ||
            history->txns[v->steps[i].txn].outcome == OUTCOME_FAILED)
            return "a step of nothing";
    return NULL;
}

static const char *compare(struct history *history, enum promise promise, struct arena *arena,
                           struct agreement *out)
{
    struct verdict verdict;
    check_history(history, promise, NULL, arena, &verdict);
    if (verdict.result == CHECK_NOT_APPLICABLE)
        return NULL;
    if (verdict.result == CHECK_UNDECIDED)
        return "undecided";
    bool broken = verdict.result == CHECK_BROKEN;
    out->checked[promise]++;
    out->broken[promise] += broken;
    if (broken)
        out->anomalies[verdict.anomaly]++;
    bool holds = naive_holds(history, promise);
    if (holds == broken)
        return holds ? "a false alarm" : "the fast one found a serialisation where there is none";
    return broken ? witness_fault(history, &verdict) : NULL;
}

void search_agree(uint64_t from, uint32_t count, struct agreement *out)
{
    struct arena arena;
    arena_init(&arena);
    memset(out, 0, sizeof *out);
    for (uint64_t seed = from; seed < from + count && !out->what; seed++) {
        struct history *history = random_history(seed);
        out->histories++;
        for (size_t i = 0; i < sizeof promises / sizeof *promises && !out->what; i++) {
            out->seed = seed;
            out->promise = promises[i];
            out->what = compare(history, promises[i], &arena, out);
            arena_reset(&arena);
        }
        history_free(history);
    }
    arena_free(&arena);
}

void search_agree_print(struct history *history)
{
    char line[512];
    uint32_t event = 0;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *t = &history->txns[i];
        while (event < history->event_count && history->events[event].rank < t->began)
            printf("-- crash at %u\n", (unsigned)history->events[event++].rank);
        printf("%2u %3u..%-3d %s%s\n", i, (unsigned)t->began, (int)t->ended,
               txn_print(history, i, line, sizeof line), t->durable ? " (durable)" : "");
    }
}
