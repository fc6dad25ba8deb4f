/* SPDX-License-Identifier: MIT
 *
 * session_test.c: the session guarantees and convergence: histories that must pass, histories that
 * must fail, each with where it comes from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "short_history.h"

static void holds(enum promise promise, const char *text)
{
    enum check_result result = short_verdict(text, promise, NULL);
    if (result != CHECK_HOLDS)
        fail_msg("%s should hold: %s (%d)", promise_word(promise), text, (int)result);
}

static void broken(enum promise promise, const char *text, enum anomaly expected)
{
    enum anomaly anomaly;
    enum check_result result = short_verdict(text, promise, &anomaly);
    if (result != CHECK_BROKEN || anomaly != expected)
        fail_msg("%s should be broken by %s: %s (%d, %s)", promise_word(promise),
                 anomaly_name(expected), text, (int)result, anomaly_name(anomaly));
}

#define RYW PROMISE_READ_YOUR_WRITES
#define MR  PROMISE_MONOTONIC_READS
#define MW  PROMISE_MONOTONIC_WRITES
#define WFR PROMISE_WRITES_FOLLOW_READS

/* Only this of the four is broken. */
static void breaks_only(enum promise promise, const char *text, enum anomaly anomaly)
{
    const enum promise all[] = {RYW, MR, MW, WFR};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] == promise)
            broken(promise, text, anomaly);
        else
            holds(all[i], text);
    }
}

static void read_your_writes(void **state)
{
    (void)state;
    /* Terry et al. 1994, 3.1: a password is changed at one server, the login asks another one */
    breaks_only(RYW, "x=1 x=2 x:1", ANOMALY_OWN_WRITE_MISSED);
    breaks_only(RYW, "x=1 x:-", ANOMALY_OWN_WRITE_MISSED);
    /* Tanenbaum and van Steen, figure 7-16 (b): the store at L2 has not got w(x1) */
    breaks_only(RYW, "x=1 l+1 l:[]", ANOMALY_OWN_WRITE_MISSED);
    holds(RYW, "x=1 x:1 x=2 x:2 | x:2 x:1");
    holds(RYW, "x=1 x:2 | x=2"); /* another's write may come later in arbitration */
    holds(RYW, "x=1 x:2 x:1 | x=2");
    broken(RYW, "l+1 | l+2 l:[1]", ANOMALY_OWN_WRITE_MISSED);
    holds(RYW, "l+1 | l+2 l:[2]");
    broken(RYW, "s+1 s+2 s:{2} | s+3", ANOMALY_OWN_WRITE_MISSED);
    holds(RYW, "s+1 s:{3,1} | s+3");
    broken(RYW, "c+1 c+1 c:1", ANOMALY_OWN_WRITE_MISSED);
    broken(RYW, "c+1 c:3 | c+1", ANOMALY_OWN_WRITE_MISSED);
    holds(RYW, "c+1 c:2 c:1 | c+1");
    holds(RYW, "c+2 c:1 | c+-1 c:-1 c:1");
    holds(RYW, "?x=1 x:-");
    broken(RYW, "x=1 ?x=2 | #0 x:2 | x:7", ANOMALY_GARBAGE);
    broken(RYW, "x=1 (x=2 x:1)", ANOMALY_OWN_WRITE_MISSED);
}

static void monotonic_reads(void **state)
{
    (void)state;
    /* Terry et al. 1994, 3.2: a calendar shows a meeting, and then no longer does */
    breaks_only(MR, "l+1 | l:[1] l:[]", ANOMALY_WENT_BACK);
    breaks_only(MR, "x=1 | x:1 x:-", ANOMALY_WENT_BACK);
    /* Tanenbaum and van Steen, figure 7-14 (b) */
    broken(MR, "x=1 x=2 | x:2 x:1", ANOMALY_WENT_BACK);
    holds(MR, "x=1 x=2 | x:1 x:2 | x:2 x:2");
    /* concurrent writes may be arbitrated either way, but only one way */
    holds(MR, "x=1 | x=2 | x:1 x:2 | x:2 x:1");
    broken(MR, "x=1 | x=2 | x:1 x:2 x:1", ANOMALY_WENT_BACK);
    /* lists may get elements in the middle, but lose none and keep their order */
    holds(MR, "l+1 | l+2 | l:[1] l:[2,1]");
    broken(MR, "l+1 | l+2 | l:[1,2] l:[2,1]", ANOMALY_WENT_BACK);
    broken(MR, "l+1 | l+2 | l+3 | l:[1,2] l:[1,3,2] l:[3,1,2]", ANOMALY_WENT_BACK);
    broken(MR, "s+1 | s+2 | s:{1} s:{2}", ANOMALY_WENT_BACK);
    broken(MR, "c+1 c+1 | c:2 c:1", ANOMALY_WENT_BACK);
    holds(MR, "c+1 c+-1 | c:1 c:0 c:1");
    holds(MR, "?x=1 | x:1 ?y=1 x:-");
}

static void monotonic_writes(void **state)
{
    (void)state;
    /* Terry et al. 1994, 3.4: a new version of a library, then of a program that needs it */
    breaks_only(MW, "x=1 y=1 | y:1 x:-", ANOMALY_OWN_WRITES_SWAPPED);
    /* Tanenbaum and van Steen, figure 7-15 (b) */
    breaks_only(MW, "l+1 l+2 | l:[2]", ANOMALY_OWN_WRITES_SWAPPED);
    breaks_only(MW, "l+1 l+2 | l:[2,1]", ANOMALY_OWN_WRITES_SWAPPED);
    holds(MW, "l+1 l+2 | l:[1] l:[1,2]");
    holds(MW, "x=1 y=1 | y:1 x:1");
    /* across objects: each pair of reads needs the other order */
    broken(MW, "x=1 y=1 | y=2 x=2 | y:1 y:2 x:2 x:1", ANOMALY_OWN_WRITES_SWAPPED);
    /* what breaks monotonic reads is not blamed on it */
    holds(MW, "x=1 x=2 | x:2 x:1");
    /* but what comes after that is */
    broken(MW, "x=1 x=2 y=3 | x:2 x:1 y:3 x:1", ANOMALY_OWN_WRITES_SWAPPED);
    /* nor when that cannot be known: values written twice, counters that go up and down */
    holds(MW, "u=1 v=1 | w=5 | w=5 | w=6 | v:1 w:5 w:6 w:5 w:6 w:5 u:-");
    holds(MW, "u=1 v=1 | c+1 | c+-1 | v:1 c:1 c:0 c:1 u:-");
    broken(MW, "u=1 v=1 | c+1 | c+1 | v:1 c:1 c:2 u:-", ANOMALY_OWN_WRITES_SWAPPED);
    holds(MW, "x=1 ?y=1 | y:1 x:1");
    broken(MW, "s+1 x=1 | x:1 s:{}", ANOMALY_OWN_WRITES_SWAPPED);
    broken(MW, "c+1 x=1 | x:1 c:0", ANOMALY_OWN_WRITES_SWAPPED);
}

static void writes_follow_reads(void **state)
{
    (void)state;
    /* Terry et al. 1994, 3.3: a reply in a bulletin board is seen without what it replies to */
    breaks_only(WFR, "l+1 | l:[1] m+2 | m:[2] l:[]", ANOMALY_FOLLOWING_WRITE_FIRST);
    breaks_only(WFR, "x=1 | x:1 y=2 | y:2 x:-", ANOMALY_FOLLOWING_WRITE_FIRST);
    /* Tanenbaum and van Steen, figure 7-17 (b) */
    breaks_only(WFR, "l+1 | l:[1] l+2 | l:[2]", ANOMALY_FOLLOWING_WRITE_FIRST);
    breaks_only(WFR, "l+1 | l:[1] l+2 | l:[2,1]", ANOMALY_FOLLOWING_WRITE_FIRST);
    holds(WFR, "l+1 | l:[1] l+2 | l:[1,2] | l:[1]");
    breaks_only(WFR, "x=1 | x:1 x=2 | x:2 x:1", ANOMALY_FOLLOWING_WRITE_FIRST);
    /* through two readers */
    broken(WFR, "x=1 | x:1 y=2 | y:2 z=3 | z:3 x:-", ANOMALY_FOLLOWING_WRITE_FIRST);
    /* what others read of a list is no substitute for what its writer read */
    broken(WFR, "l+1 | l:[1] | l:[1] m+2 | m:[2] l:[]", ANOMALY_FOLLOWING_WRITE_FIRST);
    /* the writer's own earlier write is not what it read */
    holds(WFR, "x=1 y=2 | y:2 z=3 | z:3 x:-");
    broken(WFR, "x:1 y=1 | y:1 x=1", ANOMALY_CYCLIC_CAUSE);
    holds(WFR, "x=1 | x=1>2 | x:1 x:2");
    broken(WFR, "x=1 | x=1>2 | x:2 x:1", ANOMALY_FOLLOWING_WRITE_FIRST);
}

/* Tanenbaum and van Steen, figure 7-5 (b), and all of Ahamad's causal memory: who sees concurrent
 * writes in another order than others has lost none of the guarantees. */
static void causal_keeps_all(void **state)
{
    (void)state;
    const enum promise all[] = {RYW, MR, MW, WFR, PROMISE_CAUSAL};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        holds(all[i], "x=1 x:1 x:2 | x=2 x:2 x:1 | x:1 x:2 | x:2 x:1");
        holds(all[i], "x=1 y=1 | x:1 y=2 z=3 | y:1 y:2 z:3 x:1 | y:2 y:1 z:3");
        broken(all[i], "!x=1 | x:1", ANOMALY_G1A);
        broken(all[i], "l+1 | l:[1,1]", ANOMALY_DUPLICATE);
    }
}

#define END PROMISE_CONVERGENCE

static void convergence(void **state)
{
    (void)state;
    /* Shapiro et al. 2011, 2.2: correct replicas that have got the same updates have equal state */
    holds(END, "x=1 | x=2 | * x:2 | x:2");
    broken(END, "x=1 | x=2 | * x:1 | x:2", ANOMALY_DIVERGED);
    holds(END, "x=1 x:1 | x=2 x:2 | * x:1 | x:1"); /* before, they may differ */
    /* rest ends with the next write */
    holds(END, "x=1 | * x:1 | x=2 | x:2 | x:1");
    broken(END, "x=1 | * x:1 | x=2 | * x:2 | x:1", ANOMALY_DIVERGED);
    holds(END, "l+1 | l+2 | * l:[2,1] | l:[2,1]");
    broken(END, "l+1 | l+2 | * l:[2,1] | l:[1,2]", ANOMALY_DIVERGED);
    holds(END, "s+1 | s+2 | * s:{2,1} | s:{1,2}");
    broken(END, "s+1 | s+2 | * s:{2,1} | s:{1}", ANOMALY_DIVERGED);
    holds(END, "c+1 | * c:1 | c:1");
    broken(END, "c+1 | * c:1 | c:0", ANOMALY_DIVERGED);
    /* Vogels 2009: the last updated value, not nothing */
    broken(END, "x=1 | * x:- | x:-", ANOMALY_LOST_WRITE);
    broken(END, "l+1 | * l:[]", ANOMALY_LOST_WRITE);
    broken(END, "s+1 | * s:{}", ANOMALY_LOST_WRITE);
    broken(END, "c+1 | * c:0", ANOMALY_LOST_WRITE);
    broken(END, "l+1 ?l+2 | * l:[2]", ANOMALY_LOST_WRITE);
    holds(END, "?x=1 | * x:-");
    holds(END, "?x=1 | x=2 | * x:1");
    holds(END, "* x:-");
    broken(END, "!x=1 | * x:1", ANOMALY_G1A);
    holds(END, "!x=1 | x=1 | * x:1");
    holds(END, "x=1 | !x=1 | * x:1");
    broken(END, "x=1 | * x:2", ANOMALY_GARBAGE);
    assert_int_equal(short_verdict("x=1 | x:1", END, NULL), CHECK_NOT_APPLICABLE);
    assert_int_equal(short_verdict("x=1 *", END, NULL), CHECK_NOT_APPLICABLE);
}

/* --- trees --- */

struct tree {
    struct history *history;
    uint32_t key, txn;
};

static uint32_t word(struct tree *t, const char *text)
{
    size_t len = 0;
    while (text[len])
        len++;
    return history_value(t->history, text, len);
}

static struct history_act *tree_act(struct tree *t, enum act_code code, const char *a,
                                    const char *b, const char *c)
{
    struct history_act act = {.code = (uint8_t)code, .key = t->key};
    act.args[0] = a ? word(t, a) : VALUE_NONE;
    act.args[1] = b ? word(t, b) : VALUE_NONE;
    act.args[2] = c ? word(t, c) : VALUE_NONE;
    t->txn = history_begin(t->history, 0, 0);
    struct history_act *added = history_add(t->history, &act);
    history_end(t->history, t->txn, 0, OUTCOME_DONE);
    return added;
}

static struct tree tree_new(void)
{
    struct tree t = {.history = history_new()};
    assert_int_equal(history_key(t.history, VALUE_NONE, word(&t, "v"), MODEL_TREE, &t.key), OK);
    return t;
}

static void tree_list(struct tree *t, const char *directory, const char *const *entries,
                      uint32_t count)
{
    uint32_t values[8];
    (void)tree_act(t, ACT_LIST, directory, NULL, NULL);
    for (uint32_t i = 0; i < count; i++)
        values[i] = word(t, entries[i]);
    history_answer_list(t->history, t->txn, 0, values, count);
}

static void tree_is(struct tree *t, enum check_result result, enum anomaly anomaly)
{
    struct arena arena;
    struct verdict verdict;
    arena_init(&arena);
    check_history(t->history, END, NULL, &arena, &verdict);
    assert_int_equal(verdict.result, result);
    assert_int_equal(verdict.anomaly, anomaly);
    arena_free(&arena);
    history_free(t->history);
}

static void trees_converge(void **state)
{
    (void)state;
    static const char *const ab[] = {"a", "2", "b", "3"}, *const ba[] = {"b", "3", "a", "2"};
    for (int i = 0; i < 6; i++) {
        struct tree t = tree_new();
        (void)tree_act(&t, ACT_CREATE, "1", "a", "2");
        (void)tree_act(&t, ACT_MKDIR, "1", "b", "3");
        if (i == 3)
            (void)tree_act(&t, ACT_UNLINK, "1", "a", NULL);
        history_event(t.history, EVENT_CONVERGED, 0, "");
        tree_list(&t, "1", i == 3 ? ab + 2 : ab, i == 3 ? 2 : 4);
        if (i == 0) /* another order is no difference */
            tree_list(&t, "1", ba, 4);
        if (i == 1) /* a name less is one */
            tree_list(&t, "1", ab, 2);
        if (i == 2 || i == 3)
            tree_act(&t, ACT_LOOKUP, "1", "a", NULL)->fault = ERR_NOENT;
        if (i == 4)
            tree_act(&t, ACT_LOOKUP, "1", "a", NULL)->value = word(&t, "2");
        if (i == 5) {
            tree_act(&t, ACT_GET, "2", NULL, NULL)->value = word(&t, "x");
            tree_act(&t, ACT_GET, "2", NULL, NULL)->value = word(&t, "y");
        }
        bool fails = i == 1 || i == 2 || i == 5;
        tree_is(&t, fails ? CHECK_BROKEN : CHECK_HOLDS,
                !fails   ? ANOMALY_NONE
                : i == 2 ? ANOMALY_LOST_WRITE
                         : ANOMALY_DIVERGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_your_writes), cmocka_unit_test(monotonic_reads),
        cmocka_unit_test(monotonic_writes), cmocka_unit_test(writes_follow_reads),
        cmocka_unit_test(causal_keeps_all), cmocka_unit_test(convergence),
        cmocka_unit_test(trees_converge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
