/* SPDX-License-Identifier: MIT
 *
 * search_test.c: the checkers by search: histories that must pass and histories that must fail,
 * each with where it comes from; limits; agreement with the naive checkers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "search_agree.h"
#include "timed_history.h"

static void judge(const char *const *lines, enum promise promise, bool holds, enum anomaly anomaly)
{
    struct history *history = timed_history(lines);
    struct verdict verdict;
    struct arena arena;
    arena_init(&arena);
    check_history(history, promise, NULL, &arena, &verdict);
    bool right = verdict.result == (holds ? CHECK_HOLDS : CHECK_BROKEN) &&
                 (holds || verdict.anomaly == anomaly) && (holds || verdict.step_count > 0);
    if (!right) {
        search_agree_print(history);
        fail_msg("%s: result %d, %s: %s", promise_word(promise), (int)verdict.result,
                 anomaly_name(verdict.anomaly), verdict.text);
    }
    arena_free(&arena);
    history_free(history);
}

#define LINES(...)          ((const char *const[]){__VA_ARGS__, NULL})
#define HOLDS(promise, ...) judge(LINES(__VA_ARGS__), PROMISE_##promise, true, ANOMALY_NONE)
#define BROKEN(promise, anomaly, ...) \
    judge(LINES(__VA_ARGS__), PROMISE_##promise, false, ANOMALY_##anomaly)

/* --- linearisable --- */

static void herlihy_wing(void **state)
{
    (void)state;
    /* Herlihy and Wing 1990, section 2: concurrent operations take effect in either order */
    HOLDS(LINEARISABLE, "[x=0 ]   [x=1        ]", "        [x:0] [x:1]");
    HOLDS(LINEARISABLE, "[x=0 ] [x=1  ]", "         [x:1 ]  [x:1]");
    /* the same section, H4: a read returns 0 after another returned 1 */
    BROKEN(LINEARISABLE, NO_ORDER, "[x=0 ]   [x=1              ]", "          [x:1]  ",
           "                 [x:0] ");
    /* an older value after the write of a newer one has ended */
    BROKEN(LINEARISABLE, LOST_WRITE, "[x=0 ] [x=1  ]", "                 [x:0]");
    BROKEN(LINEARISABLE, STALE, "[x=0 ] [x=1  ]", "                 [x:0] [x:1]");
    /* locality, 3.3: each object is linearisable, so is the history */
    HOLDS(LINEARISABLE, "[l+1      ]  [m+2    ]", "   [m+1 ]  [l+2      ]",
          "                         [l:1,2] [m:1,2]");
    /* 2.1, a queue-like use: two enqueues in sequence are seen in that order */
    BROKEN(LINEARISABLE, NO_ORDER, "[l+1] [l+2]", "               [l:2,1]");
}

static void lowe(void **state)
{
    (void)state;
    /* Lowe 2017, section 3: pending operations may have taken effect, or not, or late */
    HOLDS(LINEARISABLE, "[x=1>", "       [x:1]");
    HOLDS(LINEARISABLE, "[x=1>", "       [x:-]");
    HOLDS(LINEARISABLE, "[x=1>", "       [x:-] [x:1]");
    BROKEN(LINEARISABLE, NO_ORDER, "[x=1>", "       [x:1] [x:-]");
    /* cas: the register is owned once */
    HOLDS(LINEARISABLE, "[x=-~1  ]", "[x=-~2.    ]");
    BROKEN(LINEARISABLE, NO_ORDER, "[x=-~1  ]", "[x=-~2    ]");
    HOLDS(LINEARISABLE, "[x=1 ]  [x=2  ]", "   [x=1~3    ]", "               [x:2]");
    /* values that are written twice */
    HOLDS(LINEARISABLE, "[x=1] [x=2] [x=1]", "                   [x:1]");
    BROKEN(LINEARISABLE, LOST_WRITE, "[x=1] [x=1] [x=2]", "                   [x:1]");
    /* what failed took no effect */
    BROKEN(LINEARISABLE, GARBAGE, "[x=1!", "      [x:1]");
    HOLDS(LINEARISABLE, "[x=1!", "      [x:-]");
}

static void names(void **state)
{
    (void)state;
    BROKEN(LINEARISABLE, GARBAGE, "[x=1] [x:7]");
    BROKEN(LINEARISABLE, FUTURE, "[x:1]", "       [x=1]");
    BROKEN(LINEARISABLE, GARBAGE, "[l+1] [l:1,9]");
    BROKEN(LINEARISABLE, DUPLICATE, "[l+1] [l:1,1]");
    BROKEN(LINEARISABLE, FUTURE, "[l:1]", "       [l+1]");
    BROKEN(LINEARISABLE, LOST_WRITE, "[l+1] [l+2] [l:1]");
    BROKEN(LINEARISABLE, STALE, "[l+1] [l+2] [l:1] [l:1,2]");
    BROKEN(LINEARISABLE, INCOMPATIBLE, "[l+1> [l:1]", "[l+2>       [l:2]");
    HOLDS(LINEARISABLE, "[s+1    ] [s:1,2]", "[s+2] [s:2]");
    BROKEN(LINEARISABLE, NO_ORDER, "[s+1          ]", "[s+2         ]", "  [s:1]  ",
           "         [s:2]");
    BROKEN(LINEARISABLE, LOST_WRITE, "[s+1] [s:-]");
    BROKEN(LINEARISABLE, GARBAGE, "[s+1] [s:1,2]");
    HOLDS(LINEARISABLE, "[c+1] [c+2    ] [c:3]", "          [c:1]");
    BROKEN(LINEARISABLE, DUPLICATE, "[c+1] [c:2]");
    BROKEN(LINEARISABLE, LOST_WRITE, "[c+1] [c+2] [c:1]");
    BROKEN(LINEARISABLE, STALE, "[c+1] [c+2] [c:1] [c:3]");
    BROKEN(LINEARISABLE, FUTURE, "[c+1] [c:3] [c+2]");
    HOLDS(LINEARISABLE, "[c+1] [c+-1] [c:0]");
}

static void transactions(void **state)
{
    (void)state;
    /* one atomic step over two objects; neither object alone shows the fault */
    HOLDS(LINEARISABLE, "[x=1;y=1]", "           [x:1;y:1]");
    BROKEN(LINEARISABLE, NO_ORDER, "[x=1;y=1      ]", "[x=2;y=2    ]", "                [x:1;y:2]");
    HOLDS(LINEARISABLE, "[l+1;l:1;l+2]", "             [l:1,2]");
}

/* --- trees --- */

static void trees(void **state)
{
    (void)state;
    HOLDS(LINEARISABLE, "[mkdir 1 a 2] [create 2 f 3] [put 3 v] [get 3 = v] [list 1 = a 2]");
    HOLDS(LINEARISABLE, "[create 1 a 2    ]", "[create 1 a 3 = EXIST]", "  [lookup 1 a = NOENT]");
    /* POSIX: rename, "if old and new are names of one file, nothing is done" */
    HOLDS(LINEARISABLE, "[create 1 a 2] [link 2 1 b] [rename 1 a 1 b replace] [list 1 = b 2 a 2]");
    /* rename into itself; either of two faults that apply */
    HOLDS(LINEARISABLE, "[mkdir 1 a 2] [mkdir 2 b 3] [rename 1 a 3 c replace = INVAL]");
    HOLDS(LINEARISABLE, "[mkdir 1 a 2] [mkdir 2 b 3] [rename 1 a 3 c replace = LOOP]");
    BROKEN(LINEARISABLE, NO_ORDER, "[mkdir 1 a 2] [mkdir 2 b 3] [rename 1 a 3 c replace]");
    HOLDS(LINEARISABLE, "[mkdir 1 a 2] [create 2 f 3] [rmdir 1 a = NOTEMPTY] [unlink 1 a = ISDIR]");
    HOLDS(LINEARISABLE, "[mkdir 1 a 2] [create 2 f 3] [rmdir 1 a = EXIST] [links 2 = 2]");
    BROKEN(LINEARISABLE, NO_ORDER, "[mkdir 1 a 2] [create 2 f 3] [rmdir 1 a]");
    HOLDS(LINEARISABLE, "[mkdir 1 a 2] [create 1 b 3] [rename 1 a 1 b replace = NOTDIR]");
    HOLDS(LINEARISABLE, "[mkdir 1 a 2] [create 1 b 3] [rename 1 b 1 a replace = ISDIR]");
    HOLDS(LINEARISABLE,
          "[mkdir 1 a 2] [create 1 b 3] [rename 1 b 1 a exchange] [list 1 = a 3 b 2]");
    /* what a directory lies in after it was moved or exchanged */
#define MOVED "[mkdir 1 a 2] [mkdir 1 b 3] [rename 1 a 3 c replace] "
    HOLDS(LINEARISABLE, MOVED "[rename 1 b 2 x replace = INVAL] [links 3 = 3] [links 1 = 3]");
    BROKEN(LINEARISABLE, NO_ORDER, MOVED "[rename 1 b 2 x replace]");
#define EXCHANGED "[mkdir 1 a 2] [mkdir 2 b 3] [create 1 f 4] [rename 1 f 2 b exchange] "
    HOLDS(LINEARISABLE, EXCHANGED "[links 2 = 2] [links 1 = 4] [rename 1 a 3 q replace]");
    BROKEN(LINEARISABLE, NO_ORDER, EXCHANGED "[rename 1 a 3 q replace = INVAL]");
    /* a file without names may be there for those who hold it open, or be gone */
    HOLDS(LINEARISABLE, "[create 1 a 2] [put 2 v] [unlink 1 a] [get 2 = v]");
    HOLDS(LINEARISABLE, "[create 1 a 2] [put 2 v] [unlink 1 a] [get 2 = STALE]");
    BROKEN(LINEARISABLE, GARBAGE, "[create 1 a 2] [put 2 v] [unlink 1 a] [get 2 = w]");
    BROKEN(LINEARISABLE, STALE, "[create 1 a 2] [put 2 v] [put 2 w] [get 2 = v] [get 2 = w]");
    BROKEN(LINEARISABLE, NO_ORDER, "[create 1 a 2] [lookup 1 a = NOENT]");
    BROKEN(LINEARISABLE, NO_ORDER, "[create 1 a 2] [create 1 b 2]");
}

/* --- sequential, PRAM --- */

static void sequential(void **state)
{
    (void)state;
    /* Tanenbaum and van Steen, figure 7-4: a stale read is sequential, but not linearisable */
    HOLDS(SEQUENTIAL, "[x=1]", "      [x:-] [x:1]");
    BROKEN(LINEARISABLE, STALE, "[x=1]", "      [x:-] [x:1]");
    /* figure 7-5 (a) and (b) */
    HOLDS(SEQUENTIAL, "[x=1]", "      [x=2]", "            [x:2]       [x:1]",
          "                  [x:2]       [x:1]");
    BROKEN(SEQUENTIAL, NO_ORDER, "[x=1]", "      [x=2]", "            [x:2]       [x:1]",
           "                  [x:1]       [x:2]");
    /* Lamport 1979: both miss what the other wrote before (Dekker) */
    BROKEN(SEQUENTIAL, NO_ORDER, "[x=1] [y:-]", "[y=1] [x:-]");
    HOLDS(SEQUENTIAL, "[x=1] [y:-]", "[y=1] [x:1]");
    /* Herlihy and Wing 1990, 3.3: sequential for each object, not for both */
    BROKEN(SEQUENTIAL, NO_ORDER, "[l+1] [m+1] [l:2,1]", "[m+2] [l+2] [m:1,2]");
    BROKEN(SEQUENTIAL, GARBAGE, "[x=1] [x:7]");
    BROKEN(SEQUENTIAL, DUPLICATE, "[l+1] [l:1,1]");
}

static void pram(void **state)
{
    (void)state;
    /* Lipton and Sandberg 1988; Tanenbaum and van Steen, FIFO consistency: two readers may see
     * writes of different processes in different orders, and no causes */
    HOLDS(PRAM, "[x=1]", "      [x=2]", "            [x:2]       [x:1]",
          "                  [x:1]       [x:2]");
    HOLDS(PRAM, "[x=1]", "      [x:1] [x=2] [x=3]", "               [x:2] [x:1] [x:3]",
          "                 [x:1] [x:2] [x:3]");
    HOLDS(PRAM, "[x=1] [y:-]", "[y=1] [x:-]");
    /* but those of one process in its order */
    BROKEN(PRAM, NO_ORDER, "[x=1] [x=2]", "             [x:2] [x:1]");
    BROKEN(PRAM, NO_ORDER, "[x=1] [y=1]", "             [y:1] [x:-]");
    BROKEN(PRAM, NO_ORDER, "[x=1] [x:-]");
    /* a read of what its own process writes later */
    BROKEN(PRAM, NO_ORDER, "[x:1] [x=1]");
    BROKEN(PRAM, GARBAGE, "[x:1]");
    /* three sessions: an order that two objects need in opposite ways */
    BROKEN(PRAM, NO_ORDER, "[x=1] [y=1]", "[y=2] [x=2]",
           "             [x:1] [y:2] [y:1] [x:2] [y:2]");
}

/* --- durability --- */

static void durability(void **state)
{
    (void)state;
    /* Izraelevitz, Mendes and Scott 2016, section 4: a crash may take the last of what was not
     * synced; never what was answered as durable, and never something in the middle */
    HOLDS(DURABILITY, "[l+1] [l+2] [l+3]     [l:1,2]", "#                   #");
    HOLDS(DURABILITY, "[l+1] [l+2] [l+3]     [l:-]", "#                   #");
    BROKEN(DURABILITY, HOLE, "[l+1] [l+2] [l+3]     [l:1,3]", "#                   #");
    HOLDS(DURABILITY, "[l+1] [l+2*] [l+3]     [l:1,2]", "#                    #");
    BROKEN(DURABILITY, LOST_WRITE, "[l+1] [l+2*] [l+3]     [l:1]", "#                    #");
    BROKEN(DURABILITY, LOST_WRITE, "[l+1] [sync] [l+2]     [l:-]", "#                    #");
    HOLDS(DURABILITY, "[l+1] [sync> [l+2]     [l:-]", "#                    #");
    /* a sync covers what was answered before it began, not what was under way */
    HOLDS(DURABILITY, "  [l+1    ]             [l:-]", "     [sync]", "#                    #");
    /* in flight at the crash: before it or never */
    HOLDS(DURABILITY, "[l+1>       [l:1]", "#       #");
    HOLDS(DURABILITY, "[l+1>       [l:-]", "#       #");
    BROKEN(DURABILITY, NO_ORDER, "[l+1>       [l:-] [l:1]", "#       #");
    /* a shorter list before the crash, a longer one after it: both were seen */
    HOLDS(DURABILITY, "[l+1> [l:1]   [l:-] [l+2] [l+3] [l:2,3]", "#           #");
    /* what was kept stays kept; and another crash may take the new */
    HOLDS(DURABILITY, "[x=1]    [x:1] [x=2]     [x:1]", "#     #              #");
    BROKEN(DURABILITY, NO_ORDER, "[x=1]    [x:- ] [x:1]", "#     #");
    /* linearisable ignores crashes */
    BROKEN(LINEARISABLE, LOST_WRITE, "[x=1]    [x:-]", "#     #");
    /* a whole volume: a prefix of all operations */
    HOLDS(DURABILITY, "[create 1 a 2] [put 2 v] [create 1 b 3]    [list 1 = a 2] [get 2 = v]",
          "#                                        #");
    BROKEN(DURABILITY, HOLE,
           "[create 1 a 2] [put 2 v] [create 1 b 3]    [lookup 1 b = 3] [get 2 = -]",
           "#                                        #");
    BROKEN(DURABILITY, LOST_WRITE, "[create 1 a 2*] [put 2 v]    [list 1 = ]",
           "#                          #");
}

/* --- limits --- */

static void limits(void **state)
{
    (void)state;
    /* Twenty increments by different amounts under way together, and a sum that none of the subsets
     * has: exponential. */
    struct history *history = history_new();
    uint32_t key;
    int64_t amount = 1;
    history_key(history, VALUE_NONE, history_value(history, "c", 1), MODEL_COUNTER, &key);
    for (uint32_t i = 0; i < 20; i++, amount *= 3) {
        struct history_act act = {.code = ACT_INCREMENT, .key = key};
        act.args[0] = history_number(history, amount);
        history_begin(history, i, 0);
        history_add(history, &act);
    }
    struct history_act read = {.code = ACT_READ, .key = key};
    read.value = history_number(history, amount / 3 + 2);
    uint32_t txn = history_begin(history, 20, 0);
    history_add(history, &read);
    history_end(history, txn, 0, OUTCOME_DONE);
    struct check_limits some = {.steps = 10000}, little = {.bytes = 1 << 16};
    struct verdict verdict;
    struct arena arena;
    arena_init(&arena);
    check_history(history, PROMISE_LINEARISABLE, &some, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_UNDECIDED);
    assert_true(verdict.text[0] != 0);
    check_history(history, PROMISE_LINEARISABLE, &little, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_UNDECIDED);
    arena_free(&arena);
    history_free(history);
}

static void undecided(const char *const *lines)
{
    struct history *history = timed_history(lines);
    struct verdict verdict;
    struct arena arena;
    arena_init(&arena);
    check_history(history, PROMISE_DURABILITY, NULL, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_UNDECIDED);
    arena_free(&arena);
    history_free(history);
}

/* What the history does not tell enough of is not judged. */
static void untold(void **state)
{
    (void)state;
    undecided(LINES("[x=1    ]", "#   #")); /* spans a crash, and was answered */
    undecided(LINES("[create 1 a>  [lookup 1 a = 5]", "#           #"));
}

/* --- agreement --- */

static void agree(void **state)
{
    (void)state;
    struct agreement a;
    search_agree(1000000, 4000, &a);
    if (a.what)
        fail_msg("seed %llu, %s: %s", (unsigned long long)a.seed, promise_word(a.promise), a.what);
    for (unsigned i = 0; i < PROMISE_COUNT; i++)
        if (a.checked[i])
            assert_true(a.broken[i] * 5 >= a.checked[i] && a.broken[i] * 5 <= a.checked[i] * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(herlihy_wing), cmocka_unit_test(lowe),       cmocka_unit_test(names),
        cmocka_unit_test(transactions), cmocka_unit_test(trees),      cmocka_unit_test(sequential),
        cmocka_unit_test(pram),         cmocka_unit_test(durability), cmocka_unit_test(limits),
        cmocka_unit_test(untold),       cmocka_unit_test(agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
