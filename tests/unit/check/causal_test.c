/* SPDX-License-Identifier: MIT
 *
 * causal_test.c: causal memory: histories that must pass, histories that must fail, each with
 * where it comes from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "causal_agree.h"
#include "short_history.h"

static void holds(const char *text)
{
    enum check_result result = short_verdict(text, PROMISE_CAUSAL, NULL);
    if (result != CHECK_HOLDS)
        fail_msg("should be causal: %s (%d)", text, (int)result);
}

static void broken(const char *text, enum anomaly expected)
{
    enum anomaly anomaly;
    enum check_result result = short_verdict(text, PROMISE_CAUSAL, &anomaly);
    if (result != CHECK_BROKEN || anomaly != expected)
        fail_msg("should be broken by %s: %s (%d, %s)", anomaly_name(expected), text, (int)result,
                 anomaly_name(anomaly));
}

/* Ahamad et al. 1995. */
static void ahamad(void **state)
{
    (void)state;
    /* figure 1 of the definitions: concurrent writes, each process sees its own first */
    holds("x=1 x:2 | x=2 x:1");
    /* figure 3: causal, though two processes disagree on the order of concurrent writes */
    holds("x=1 | x=2 | x:1 x:2 | x:2 x:1");
    /* 2.1: w(x)1 is before w(y)2 through a read; who sees the second must see the first */
    broken("x=1 | x:1 y=2 | y:2 x:-", ANOMALY_CAUSE_MISSED_INIT);
    holds("x=1 | x:1 y=2 | y:2 x:1");
    /* the first version must not come back when its successor was caused by it */
    broken("x=1 | x:1 x=2 | x:2 x:1", ANOMALY_CAUSE_MISSED);
    holds("x=1 | x:1 x=2 | x:1 x:2");
}

/* Bouajjani, Enea, Guerraoui and Hamza 2017, figure 3. */
static void bouajjani(void **state)
{
    (void)state;
    /* (a) CM but not CCv */
    holds("x=1 x:2 | x=2 x:1");
    /* (b) CCv but not CM: the second process reads y before its write of x, and then its own
     * x = 2 after having to take x = 1 behind it */
    broken("z=1 x=1 y=1 | x=2 z:- y:1 x:2", ANOMALY_CAUSE_ORDER);
    /* (c) CC, neither CM nor CCv: the order of two writes changes for one reader */
    broken("x=1 | x=2 x:1 x:2", ANOMALY_CAUSE_ORDER);
    /* (d) sequentially consistent */
    holds("x=1 y:- y=1 x:1 | x=2 y:- y=2 x:2");
    /* (e) not even CC: WriteCORead */
    broken("x=1 y=1 | y:1 x=2 | x:2 x:1", ANOMALY_CAUSE_MISSED);
    /* table 3: CyclicCO, ThinAirRead */
    broken("x:1 y=1 | y:1 x=1", ANOMALY_CYCLIC_CAUSE);
    broken("x=1 | x:2", ANOMALY_GARBAGE);
}

/* Tanenbaum and van Steen, "Distributed Systems", 3rd edition, 7.2. */
static void tanenbaum(void **state)
{
    (void)state;
    /* figure 7-8: allowed with a causally consistent store, not with a sequential one */
    holds("x=a x=c | x:a x=b | x:a x:c x:b | x:a x:b x:c");
    /* figure 7-9 (a): a violation; (b): without the read in between, none */
    broken("x=a | x:a x=b | x:b x:a | x:a x:b", ANOMALY_CAUSE_MISSED);
    holds("x=a | x=b | x:b x:a | x:a x:b");
    /* figure 7-5 (b): not sequential, but causal: nothing is caused */
    holds("x=a | x=b | x:b x:a | x:a x:b");
}

/* Lists, sets and counters: their reads say which writes came before. */
static void other_models(void **state)
{
    (void)state;
    holds("l+1 | l+2 | l:[1] l:[1,2] | l:[2] l:[2,1]");
    broken("l+1 l+2 | l:[2]", ANOMALY_CAUSE_MISSED);
    broken("l+1 l+2 | l:[2,1]", ANOMALY_CAUSE_ORDER);
    broken("l+1 | l:[1] m+2 | m:[2] l:[]", ANOMALY_CAUSE_MISSED);
    broken("l+1 | l+2 | l:[1,2] l:[1]", ANOMALY_CAUSE_MISSED);
    broken("l+1 | l+2 | l:[1] l:[2,1]", ANOMALY_CAUSE_ORDER);
    broken("l+1 | l:[1,1]", ANOMALY_DUPLICATE);
    broken("l+1 | l:[7]", ANOMALY_GARBAGE);
    broken("!l+1 | l:[1]", ANOMALY_G1A);
    broken("l+1 | l:[1] | l:[1] m+2 | m:[2] l:[]", ANOMALY_CAUSE_MISSED);
    holds("s+1 | s+2 | s:{1} s:{2,1} | s:{2}");
    broken("s+1 s+2 | s:{2}", ANOMALY_CAUSE_MISSED);
    broken("s+1 x=1 | x:1 s:{}", ANOMALY_CAUSE_MISSED);
    holds("c+1 c+1 | c:0 c:1 c:2");
    broken("c+1 c+1 | c:3", ANOMALY_CAUSE_MISSED);
    broken("c+1 c+1 | c:2 c:1", ANOMALY_CAUSE_MISSED);
    broken("c+1 x=1 | x:1 c:0", ANOMALY_CAUSE_MISSED);
    broken("c+1 c:0", ANOMALY_CAUSE_MISSED);
    broken("c:1 c+1", ANOMALY_CAUSE_MISSED);
    holds("c+5 | c+-2 | c:-2 c:3 | c:5");
}

/* Biswas and Enea 2019: transactions are one operation. */
static void transactions(void **state)
{
    (void)state;
    holds("(x=1 y=1) | (x:1 y:1)");
    holds("(x=1 y=1) | (x:- y:-) (x:1 y:1)");
    broken("(x=1 y=1) | (x:1 y:-)", ANOMALY_CAUSE_MISSED_INIT); /* fractured read */
    broken("(x=1 x=2) | x:1", ANOMALY_G1B);
    broken("(l+1 l+2) | l:[1]", ANOMALY_G1B);
    broken("(x=1 x:2) | x=2", ANOMALY_INTERNAL);
    broken("(x:1 x:2) | x=1 x=2", ANOMALY_INTERNAL);
    holds("(l+1 l:[2,1] l+3 l:[2,1,3]) | l+2");
    broken("(l+1 l:[1,2]) | l+2", ANOMALY_INTERNAL);
    broken("(l:[2] l+1 l:[1,2]) | l+2", ANOMALY_INTERNAL);
    broken("(s+1 s:{2}) | s+2", ANOMALY_INTERNAL);
    holds("(s+1 s:{2,1} s+3 s:{1,2,3}) | s+2");
    broken("(s:{2} s+1 s:{1}) | s+2", ANOMALY_INTERNAL);
    holds("(c+1 c:1 c+2 c:3)");
    broken("(c:0 c+1 c:2) | c+1", ANOMALY_INTERNAL);
    broken("(c:1 c+1)", ANOMALY_CAUSE_MISSED);
    broken("(x:1 x=1)", ANOMALY_CYCLIC_CAUSE);
    broken("(l:[1] l+1)", ANOMALY_CYCLIC_CAUSE);
    broken("(s:{1} s+1)", ANOMALY_CYCLIC_CAUSE);
    holds("x=1 | x:1 x=1>2 | x:2");
    broken("x=1 | x=1>2 | x:2 x:1", ANOMALY_CAUSE_MISSED);
}

/* Failed and unknown outcomes; values that tell nothing. */
static void outcomes(void **state)
{
    (void)state;
    broken("!x=1 | x:1", ANOMALY_G1A);
    broken("!x=1 | y=1 x=1 | x:1 y:-", ANOMALY_CAUSE_MISSED_INIT);
    holds("?x=1 | x:1 x:1");
    holds("?x=1 | x:-");
    /* the process goes on as another one: what it does later may come before */
    holds("?x=1 x:- | x:1");
    holds("?x=1 x=2 x:1");
    /* but what it did before is a cause of what it did last */
    broken("y=1 ?x=1 | x:1 y:-", ANOMALY_CAUSE_MISSED_INIT);
    /* written twice: not known by whom */
    holds("x=1 y=1 | x=1 | x:1 y:-");
    broken("x=1 y=1 | y:1 x:-", ANOMALY_CAUSE_MISSED_INIT);
    holds("x=- | x=1 x:-");
    holds("x=1 | x=2>3! x:1");
    holds("c+1 | ?c+1 | c:2 | c:1");
    assert_int_equal(short_verdict("*", PROMISE_CAUSAL, NULL), CHECK_NOT_APPLICABLE);
}

static void limits(void **state)
{
    (void)state;
    struct history *history = short_history("x=1 | x=2 | x:1 x:2 | x:2 x:1");
    struct arena arena;
    struct verdict verdict;
    arena_init(&arena);
    check_history(history, PROMISE_CAUSAL, &(struct check_limits){.steps = 1}, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_UNDECIDED);
    check_history(history, PROMISE_CAUSAL, &(struct check_limits){.bytes = 10}, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_UNDECIDED);
    arena_free(&arena);
    history_free(history);
}

/* The witness is as small as it can be, and made of what matters. */
static void witness(void **state)
{
    (void)state;
    struct history *history =
        short_history("z=1 z=2 x=1 z=3 | z:3 u=1 x:1 x=2 z=4 | u=5 z:4 u=6 x:2 "
                      "u=7 x:1 u=8 z:4");
    struct arena arena;
    struct verdict verdict;
    arena_init(&arena);
    check_history(history, PROMISE_CAUSAL, NULL, &arena, &verdict);
    assert_int_equal(verdict.result, CHECK_BROKEN);
    assert_int_equal(verdict.anomaly, ANOMALY_CAUSE_MISSED);
    assert_true(verdict.step_count <= 4);
    assert_int_equal(verdict.shape, WITNESS_CYCLE);
    assert_int_equal(verdict.edge_count, verdict.step_count);
    for (uint32_t i = 0; i < verdict.edge_count; i++) {
        assert_int_equal(verdict.edges[i].from, i);
        assert_int_equal(verdict.edges[i].to, (i + 1) % verdict.step_count);
    }
    arena_free(&arena);
    history_free(history);
}

/* The rest of 100,000 is in tests/check. */
static void agrees_with_the_definitions(void **state)
{
    (void)state;
    struct causal_agreement a = causal_agree(1, 3000);
    assert_int_equal(a.wrong, 0);
    for (uint32_t i = 0; i < CAUSAL_PROMISES; i++)
        assert_true(a.broken[i] > 300 && a.broken[i] < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ahamad),
        cmocka_unit_test(bouajjani),
        cmocka_unit_test(tanenbaum),
        cmocka_unit_test(other_models),
        cmocka_unit_test(transactions),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(limits),
        cmocka_unit_test(witness),
        cmocka_unit_test(agrees_with_the_definitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
