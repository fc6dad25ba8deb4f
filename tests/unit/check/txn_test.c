/* SPDX-License-Identifier: MIT
 *
 * txn_test.c: the checkers of transactions: histories from the literature, each with what it is at
 * each level; and agreement with the definitions on random ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/check/verdict.h"
#include "naive_txn.h"
#include "txn_agree.h"
#include "txn_notation.h"

#define LEVELS 4

static const enum promise levels[LEVELS] = {PROMISE_READ_COMMITTED, PROMISE_SNAPSHOT_ISOLATION,
                                            PROMISE_SERIALISABLE, PROMISE_STRICT_SERIALISABLE};

struct known_case {
    const char *name;
    const char *anomaly[LEVELS]; /* at read committed, snapshot isolation, serialisable, strict */
    const char *lines[10];
};

#define HOLDS "none"
#define ALL(name)              \
    {                          \
        name, name, name, name \
    }
#define FROM_SI(name)           \
    {                           \
        HOLDS, name, name, name \
    }
#define FROM_SE(name)            \
    {                            \
        HOLDS, HOLDS, name, name \
    }
#define STRICT(name)              \
    {                             \
        HOLDS, HOLDS, HOLDS, name \
    }

/* Adya 1999: "Weak Consistency", chapters 3 and 4; the same in Adya, Liskov, O'Neil 2000. The
 * histories with predicates (H_phantom) have no counterpart: no act reads by a predicate. */
static const struct known_case adya[] = {
    {"H_serial", ALL(HOLDS), {"0-1 x=1 y=1", "2-3 x:1 x=2", "4-5 x:2 y:1"}},
    {"overlapping, in order",
     ALL(HOLDS),
     {"0-9 x=1 y=1 z=1", "1-9 x:1 x=2", "1-8 y:1 y=2 x:2", "2-9 x:2 y:2"}},
    {"H1", FROM_SI("G-single"), {"0-1 x=5 y=5", "2-9 x:5 x=1 y:5 y=9", "2-9 x:1 y:5"}},
    {"H2", FROM_SI("G-single"), {"0-1 x=5 y=5", "2-9 x:5 x=1 y:5 y=9", "2-9 x:5 y:9"}},
    {"H1', reads all of T1", ALL(HOLDS), {"0-1 x=5 y=5", "2-9 x:5 x=1 y:5 y=9", "2-9 x:1 y:9"}},
    {"H2', reads nothing of T1", ALL(HOLDS), {"0-1 x=5 y=5", "2-9 x:5 x=1 y:5 y=9", "2-9 x:5 y:5"}},
    {"H_wcycle (G0)", ALL("G0"), {"1-9 l+1 m+1", "1-9 l+2 m+2", "10-11 l:[1 2] m:[2 1]"}},
    {"H_wcycle, in one order", ALL(HOLDS), {"1-9 l+1 m+1", "1-9 l+2 m+2", "10-11 l:[1 2] m:[1 2]"}},
    {"H_1a", ALL("G1a"), {"x=1 failed", "x:1"}},
    {"H_1a of a list", ALL("G1a"), {"l+1 failed", "l:[1]"}},
    {"H_1a, not read", ALL(HOLDS), {"x=1 failed", "x:nil"}},
    {"H_1b", ALL("G1b"), {"x=1 x=2", "x:1"}},
    {"H_1b of a list", ALL("G1b"), {"l+1 l+2", "l:[1]"}},
    {"H_1b, read by itself", ALL(HOLDS), {"x=1 x:1 x=2", "l+1 l:[1] l+2", "x:2 l:[1 2]"}},
    {"H_1c", ALL("G1c"), {"x=1 y:2", "y=2 x:1"}},
    {"H_1c of lists", ALL("G1c"), {"l+1 m:[2]", "m+2 l:[1]"}},
    {"H_1c, one way only", ALL(HOLDS), {"x=1 y:nil", "y=2 x:1"}},
    {"H_wskew", FROM_SE("G2-item"), {"0-1 x=1 y=5", "2-9 x:1 y:5 x=4", "2-9 x:1 y:5 y=8"}},
    {"H_wskew of lists", FROM_SE("G2-item"), {"l:[] m:[] l+1", "l:[] m:[] m+1"}},
    {"H_wskew, one after the other", ALL(HOLDS), {"l:[] m:[] l+1", "l:[1] m:[] m+1"}},
};

/* Berenson et al. 1995: "A Critique of ANSI SQL Isolation Levels"; H3 has a predicate. */
static const struct known_case berenson[] = {
    {"H1", FROM_SI("G-single"), {"0-1 x=50 y=50", "2-9 x:50 x=10 y:50 y=90", "2-9 x:10 y:50"}},
    {"H2", FROM_SI("G-single"), {"0-1 x=50 y=50", "2-9 x:50 y:90", "2-9 x:50 x=10 y:50 y=90"}},
    {"H4, P4 lost update",
     FROM_SI("lost update"),
     {"0-1 x=100", "2-9 x:100 x=130", "2-9 x:100 x=120"}},
    {"P4 of a list", FROM_SI("lost update"), {"l:[] l+1", "l:[] l+2", "l:[1 2]"}},
    {"P4 of a list, not read later", FROM_SI("lost update"), {"l:[] l+1", "l:[] l+2"}},
    {"P4 of a cas", FROM_SI("lost update"), {"0-1 x=1", "2-9 x~1>2", "2-9 x~1>3"}},
    {"H4, one does not find it", ALL(HOLDS), {"0-1 x=1", "2-9 x~1>2", "2-9 x~1>3!"}},
    {"blind writes lose nothing", ALL(HOLDS), {"0-1 x=100", "2-9 x=130", "2-9 x=120", "2-9 x:130"}},
    {"A5A read skew", FROM_SI("G-single"), {"0-1 x=50 y=50", "2-9 x:50 y:90", "2-9 x=10 y=90"}},
    {"H5, A5B write skew",
     FROM_SE("G2-item"),
     {"0-1 x=50 y=50", "2-9 x:50 y:50 y=-40", "2-9 x:50 y:50 x=-40"}},
    {"A2 fuzzy read", FROM_SI("internal"), {"0-1 x=1", "2-9 x:1 x:2", "2-9 x=2"}},
    {"A2 of a list", FROM_SI("internal"), {"2-9 l:[] l:[1]", "2-9 l+1"}},
};

static const struct known_case others[] = {
    /* Fekete, O'Neil, O'Neil 2004: "A Read-Only Transaction Anomaly Under Snapshot Isolation" */
    {"read-only anomaly",
     FROM_SE("G2-item"),
     {"0-1 x=0 y=0", "2-9 y:0 y=20", "2-9 x:0 y:0 x=-11", "2-9 x:0 y:20"}},
    {"read-only anomaly, without the reader",
     ALL(HOLDS),
     {"0-1 x=0 y=0", "2-9 y:0 y=20", "2-9 x:0 y:0 x=-11"}},
    /* Sovran et al. 2011, 3.1 (parallel snapshot isolation); Cerone et al. 2015, figure 2 (c) */
    {"long fork", FROM_SI("G-SIb"), {"x=1", "y=1", "x:1 y:nil", "x:nil y:1"}},
    {"long fork of lists", FROM_SI("G-SIb"), {"l+1", "m+1", "l:[1] m:[]", "l:[] m:[1]"}},
    {"long fork of a set", FROM_SI("G-SIb"), {"s*1", "t*1", "s:{1} t:{} x:nil", "s:{} t:{1}"}},
    {"a fork that joins", ALL(HOLDS), {"s*1", "s*2", "s:{1} x:nil", "s:{1 2}"}},
    /* Kingsbury and Alvaro 2020, 7.1 (TiDB: key 34), 7.2 (YugaByte), 7.3 (Fauna: internal) */
    {"Elle 7.1",
     FROM_SI("G-single"),
     {"0-1 34+2 34+1", "2-9 34:[2 1] 36+5 34+4", "2-9 34+5", "10-11 34:[2 1 5 4]"}},
    {"Elle 7.3", ALL("internal"), {"l+6 l:[]"}},
    {"own write missed", ALL("internal"), {"x=2", "x=1 x:2"}},
    {"own write read before", ALL("internal"), {"x:1 x=1"}},
    {"own append read before", ALL("internal"), {"l:[1] l+1"}},
    {"own add missed", ALL("internal"), {"s*1 s:{} x:nil"}},
    {"incompatible order", ALL("incompatible order"), {"l+1", "l+2", "l+3", "l:[1 2]", "l:[1 3]"}},
    {"compatible order", ALL(HOLDS), {"l+1", "l+2", "l+3", "l:[1 2]", "l:[1 2 3]"}},
    {"duplicate", ALL("duplicate"), {"l+1", "l:[1 1]"}},
    {"twice appended, twice there", ALL(HOLDS), {"l+1", "l+1", "l:[1 1]"}},
    {"duplicate in a set", ALL("duplicate"), {"s*1", "s:{1 1} x:nil"}},
    {"garbage", ALL("garbage read"), {"x:9"}},
    {"garbage in a list", ALL("garbage read"), {"l+1", "l:[1 9]"}},
    {"counter out of range", ALL("garbage read"), {"n#3", "n@4 x:nil"}},
    {"counter in range", ALL(HOLDS), {"n#3", "n#-1", "n@2 x:nil", "n@-1"}},
    {"a part of a transaction", ALL("lost write"), {"l+1 l+2", "l:[2]"}},
    {"swapped", ALL("own writes swapped"), {"l+1 l+2", "l+3", "l:[2 1 3]"}},
    /* values written twice tell nothing */
    {"value written twice", ALL(HOLDS), {"x=1 y:2", "y=2 x:1", "x=1", "y=2"}},
    {"nothing, written", ALL(HOLDS), {"0-1 x=1", "2-3 x=nil", "4-5 x:nil"}},
    {"three in a circle of ww",
     ALL("G0"),
     {"l+1 m+1", "m+2 k+2", "k+3 l+3", "l:[3 1] m:[1 2] k:[2 3]"}},
    /* a cas chain over an unknown outcome: who took effect saw what was before */
    {"cas of no answer, seen", ALL(HOLDS), {"x=1 lost", "x~1>2 lost", "2-9 x:2"}},
    {"cas of no answer: its cause",
     FROM_SI("G-single"),
     {"x=1 y=1 lost", "x~1>2 lost", "2-9 x:2 y:nil"}},
};

/* Herlihy and Wing 1990, 2 (real time); Papadimitriou 1979 (strictness); unknown outcomes as in
 * Kingsbury and Alvaro 2020, 4.2.3. */
static const struct known_case real_time[] = {
    {"stale read", STRICT("stale read"), {"0-1 x=1", "2-3 x=2", "4-5 x:1"}},
    {"stale read of nothing", STRICT("stale read"), {"0-1 x=1", "2-3 x:nil"}},
    {"stale read of a list", STRICT("stale read"), {"0-1 l+1", "2-3 l:[]", "4-5 l:[1]"}},
    {"not stale: overlaps", ALL(HOLDS), {"0-1 x=1", "2-5 x=2", "4-6 x:1"}},
    {"future read", STRICT("future read"), {"0-1 x:1", "2-3 x=1"}},
    {"appended into the past", STRICT("G0"), {"0-1 l+1", "2-3 l+2", "4-5 l:[2 1]"}},
    {"one process goes back", STRICT("G-single"), {"0-9 x=1", "1-2 p1 x:1", "3-4 p1 x:nil"}},
    {"there, and later not there", STRICT("G-single"), {"0-9 l+1", "1-2 l:[1]", "3-4 l:[]"}},
    {"write skew over time", STRICT("G2-item"), {"0-1 m+1", "0-9 l+1 m:[]", "2-9 l:[]"}},
    {"causal reverse", STRICT("G-single"), {"0-1 x=1", "2-3 y=1", "0-9 x:nil y:1"}},
    {"old value again",
     STRICT("stale read"),
     {"0-9 x=1", "0-9 x=2", "10-11 x:1", "12-13 x:2", "14-15 x:1"}},
    {"updated in between",
     STRICT("stale read"),
     {"0-1 x=1", "2-9 x:1 x=2", "10-11 x=3", "12-13 x:2"}},
    {"newer in real time, older by what was seen",
     STRICT("G-single"),
     {"1-3 y=7 x=2", "1-4 y:7 z=8", "0-5 z:8 x=1", "6-7 x:2"}},
    {"updates what another one replaced by what it saw",
     STRICT("G-single"),
     {"0-1 x=1", "2-9 z:8 x:1 x=2", "4-8 x=3 y=7", "4-8 y:7 z=8"}},
    {"no answer, seen", FROM_SI("G-single"), {"l+1 m+1 lost", "2-3 l:[1] m:[]"}},
    {"no answer, never seen", ALL(HOLDS), {"0-1 x=1 lost", "2-3 x:nil"}},
    {"no answer, late", ALL(HOLDS), {"0-1 x=1 lost", "2-3 x:nil", "4-5 x:1"}},
    {"no answer, late, taken back",
     STRICT("G-single"),
     {"0-1 x=1 lost", "2-3 x:nil", "4-5 x:1", "6-7 x:nil"}},
};

static void check_one(const struct known_case *known, size_t level)
{
    struct history *history = txn_history(known->lines);
    struct arena arena;
    struct verdict verdict;
    struct text text = {0};
    arena_init(&arena);
    check_history(history, levels[level], NULL, &arena, &verdict);
    const char *name = anomaly_name(verdict.anomaly);
    verdict_tell(history, &verdict, &text);
    if (strcmp(name, known->anomaly[level]) != 0)
        fail_msg("%s, %s: %s instead of %s\n%s\n%s", known->name, promise_word(levels[level]), name,
                 known->anomaly[level], verdict.text, text_string(&text));
    bool broken = strcmp(name, HOLDS) != 0;
    assert_int_equal(verdict.result, broken ? CHECK_BROKEN : CHECK_HOLDS);
    assert_int_equal(broken, *verdict.text != 0);
    assert_int_equal(broken, verdict.step_count > 0);
    assert_int_equal(broken, verdict.anomalies[verdict.anomaly] > 0);
    if (verdict.shape == WITNESS_CYCLE)
        for (uint32_t i = 0; i < verdict.edge_count; i++) {
            assert_int_equal(verdict.edges[i].from, i);
            assert_int_equal(verdict.edges[i].to, (i + 1) % verdict.step_count);
        }
    if (naive_holds(history, levels[level]) == broken)
        fail_msg("%s, %s: the definition does not agree", known->name, promise_word(levels[level]));
    text_free(&text);
    arena_free(&arena);
    history_free(history);
}

static void check_all(const struct known_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t level = 0; level < LEVELS; level++)
            check_one(&cases[i], level);
}

#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof *(cases))

static void test_adya(void **state)
{
    (void)state;
    CHECK_ALL(adya);
}

static void test_berenson(void **state)
{
    (void)state;
    CHECK_ALL(berenson);
}

static void test_others(void **state)
{
    (void)state;
    CHECK_ALL(others);
}

static void test_real_time(void **state)
{
    (void)state;
    CHECK_ALL(real_time);
}

static void test_agree(void **state)
{
    (void)state;
    struct agreement sum = txn_agree(1000001, 4000);
    assert_int_equal(sum.wrong, 0);
    assert_in_range(sum.broken * 100 / sum.judged, 20, 80);
    assert_true(sum.exact * 2 > sum.judged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adya),   cmocka_unit_test(test_berenson),
        cmocka_unit_test(test_others), cmocka_unit_test(test_real_time),
        cmocka_unit_test(test_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
