/* SPDX-License-Identifier: MIT
 *
 * txn_total_test.c: the sum over all accounts; limits; witnesses of larger histories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../check/memory_db.h"
#include "core/base/chance.h"
#include "core/check/verdict.h"
#include "txn_notation.h"

/* --- totals: the bank of Bernstein, Hadzilacos and Goodman 1987, 1.2 --- */

static enum check_result total_of(const char *const *lines)
{
    struct history *history = txn_history(lines);
    struct arena arena;
    struct verdict verdict;
    arena_init(&arena);
    check_history(history, PROMISE_TOTAL, NULL, &arena, &verdict);
    enum check_result result = verdict.result;
    assert_int_equal(result == CHECK_BROKEN, verdict.anomaly == ANOMALY_WRONG_TOTAL);
    assert_int_equal(result == CHECK_BROKEN, verdict.step_count == 2);
    arena_free(&arena);
    history_free(history);
    return result;
}

#define TOTAL(expected, ...) \
    assert_int_equal(total_of((const char *const[]){__VA_ARGS__, NULL}), expected)

static void test_total(void **state)
{
    (void)state;
    TOTAL(CHECK_HOLDS, "0-1 x=50 y=50", "2-3 x:50 x=40 y:50 y=60", "4-5 x:40 y:60");
    TOTAL(CHECK_BROKEN, "0-1 x=50 y=50", "2-3 x:50 x=40 y:50 y=60", "2-5 x:40 y:50");
    /* what a transaction writes itself does not change what it saw */
    TOTAL(CHECK_HOLDS, "0-1 x=50 y=50", "2-3 x:50 x=40 x:40 y:50 y=60");
    TOTAL(CHECK_BROKEN, "0-1 x=50 y=50", "2-3 x:50 x=40 y:60 y=60");
    /* who reads not all says nothing */
    TOTAL(CHECK_NOT_APPLICABLE, "0-1 x=50 y=50", "2-3 x:50 x=40");
    TOTAL(CHECK_NOT_APPLICABLE, "0-1 x=50 y=50", "2-3 x:50 y:10 failed");
    /* without a first transaction that writes all, the first statement is right */
    TOTAL(CHECK_HOLDS, "2-3 x:1 y:2", "4-5 x:2 y:1");
    TOTAL(CHECK_BROKEN, "2-3 x:1 y:2", "4-5 x:2 y:2");
    /* nothing there yet; nothing there any more */
    TOTAL(CHECK_HOLDS, "0-5 x=50 y=50", "1-2 x:nil y:nil", "6-7 x:50 y:50");
    TOTAL(CHECK_BROKEN, "0-5 x=50 y=50", "6-7 x:50 y:nil");
    TOTAL(CHECK_HOLDS, "0-5 x=50 y=50 lost", "6-7 x:nil y:nil", "8-9 x:50 y:50");
    TOTAL(CHECK_BROKEN, "0-5 x=50 y=50", "6-7 x:50 y:much");
    /* the number is what the value begins with; debts count */
    TOTAL(CHECK_HOLDS, "0-1 x=50/a y=50/b", "2-3 x:70/c y:30/d", "2-3 x:110/c y:-10/d");
    TOTAL(CHECK_BROKEN, "0-1 x=50/a y=50/b", "2-3 x:110/c y:10/d");
}

/* --- lists share their beginnings --- */

#define ANSWERS 300

/* Each answer is what was given, whatever was answered later. */
static void test_answers(void **state)
{
    (void)state;
    static uint32_t given[ANSWERS][64];
    uint32_t counts[ANSWERS], key[2];
    struct history *history = history_new();
    struct chance chance;
    chance_seed(&chance, 3);
    for (uint32_t k = 0; k < 2; k++)
        history_key(history, VALUE_NONE, history_number(history, k), MODEL_LIST, &key[k]);
    for (uint32_t i = 0; i < ANSWERS; i++) {
        uint32_t before = i ? chance_below(&chance, i) : 0;
        counts[i] = 0;
        for (uint32_t at = 0; i && at < counts[before] && chance_below(&chance, 20); at++)
            given[i][counts[i]++] = given[before][at];
        while (counts[i] < 60 && chance_below(&chance, 3))
            given[i][counts[i]++] = 1 + chance_below(&chance, 3);
        history_begin(history, 0, i);
        history_add(history, &(struct history_act){.code = ACT_READ, .key = key[i % 2]});
        history_answer_list(history, i, 0, given[i], counts[i]);
        history_end(history, i, i, OUTCOME_DONE);
    }
    for (uint32_t i = 0; i < ANSWERS; i++) {
        const struct history_act *act = &history->acts[i];
        assert_int_equal(act->count, counts[i]);
        if (act->count)
            assert_memory_equal(history->pool + act->list, given[i], act->count * sizeof *given[i]);
    }
    history_free(history);
}

/* --- limits --- */

static struct history *large(enum db_level level, enum db_bug bug, enum history_model model)
{
    struct db_load load = {.seed = 7,
                           .txns = 3000,
                           .clients = 8,
                           .acts = 5,
                           .keys = 6,
                           .retire = 60,
                           .model = model,
                           .level = level,
                           .bug = bug,
                           .bug_every = 4,
                           .unknown = 10,
                           .failed = 20,
                           .final_read = true};
    return db_history(&load);
}

static void test_limits(void **state)
{
    (void)state;
    struct history *history = large(DB_SERIALISABLE, DB_NO_BUG, MODEL_LIST);
    struct check_limits limits = {.bytes = 10000};
    struct arena arena;
    struct verdict verdict;
    arena_init(&arena);
    check_history(history, PROMISE_SERIALISABLE, &limits, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_UNDECIDED);
    assert_non_null(strstr(verdict.text, "10000"));
    limits = (struct check_limits){.steps = 1};
    check_history(history, PROMISE_SERIALISABLE, &limits, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_HOLDS);
    arena_free(&arena);
    history_free(history);
}

/* With little effort the witness may be longer, and of another name; the verdict is the same. */
static void test_little_effort(void **state)
{
    (void)state;
    struct history *history = large(DB_SNAPSHOT, DB_TORN_SNAPSHOT, MODEL_REGISTER);
    struct check_limits limits = {.steps = 1};
    struct arena arena;
    struct verdict full, short_of;
    arena_init(&arena);
    check_history(history, PROMISE_SERIALISABLE, NULL, &arena, &full);
    check_history(history, PROMISE_SERIALISABLE, &limits, &arena, &short_of);
    assert_int_equal(full.result, CHECK_BROKEN);
    assert_int_equal(short_of.result, CHECK_BROKEN);
    assert_true(short_of.step_count >= full.step_count);
    arena_free(&arena);
    history_free(history);
}

/* --- larger histories of known quality --- */

struct quality {
    enum db_level level;
    enum db_bug bug;
    bool holds[4]; /* read committed, snapshot isolation, serialisable, strict */
};

static const struct quality qualities[] = {
    {DB_SERIALISABLE, DB_NO_BUG, {true, true, true, true}},
    {DB_SNAPSHOT, DB_NO_BUG, {true, true, false, false}},
    {DB_READ_COMMITTED, DB_NO_BUG, {true, false, false, false}},
    {DB_NONE, DB_NO_BUG, {false, false, false, false}},
    {DB_SNAPSHOT,
     DB_STALE_SNAPSHOT,
     {false, false, false, false}}, /* own appends, read, misplaced */
    {DB_SNAPSHOT, DB_TORN_SNAPSHOT, {true, false, false, false}},
    {DB_SNAPSHOT, DB_DIRTY_READ, {false, false, false, false}},
    {DB_SERIALISABLE, DB_STALE_SNAPSHOT, {false, false, false, false}},
    {DB_SERIALISABLE, DB_INTERMEDIATE, {false, false, false, false}},
    {DB_SERIALISABLE, DB_OWN_MISSED, {false, false, false, false}},
};

/* With a bug a level breaks what it breaks on lists; of registers less is known. */
static void check_quality(const struct quality *quality, enum history_model model)
{
    static const enum promise promises[] = {PROMISE_READ_COMMITTED, PROMISE_SNAPSHOT_ISOLATION,
                                            PROMISE_SERIALISABLE, PROMISE_STRICT_SERIALISABLE};
    struct history *history = large(quality->level, quality->bug, model);
    for (size_t i = 0; i < 4; i++) {
        struct arena arena;
        struct verdict verdict;
        arena_init(&arena);
        check_history(history, promises[i], NULL, &arena, &verdict);
        bool holds = verdict.result == CHECK_HOLDS;
        if (model == MODEL_LIST ? holds != quality->holds[i] : quality->holds[i] && !holds)
            fail_msg("level %d, bug %d, %s: %s %s", (int)quality->level, (int)quality->bug,
                     promise_word(promises[i]), anomaly_name(verdict.anomaly), verdict.text);
        assert_true(verdict.step_count <= 6);
        arena_free(&arena);
    }
    history_free(history);
}

static void test_qualities(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof qualities / sizeof *qualities; i++) {
        check_quality(&qualities[i], MODEL_LIST);
        check_quality(&qualities[i], MODEL_REGISTER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_total),     cmocka_unit_test(test_answers),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_little_effort),
        cmocka_unit_test(test_qualities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
