/* SPDX-License-Identifier: MIT
 *
 * shrink_test.c: shrinking against failures whose smallest form is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/scenario/shrink.h"

static const char text[] =
    "system = volume\nworkload = list\ncheck = durability\n"
    "clients = 12\nkeys = 30\nacts = 5\nlength = 20s\n"
    "fault = power-cut every 2s\nfault = kill every 3s\n"
    "fault = pause every 4s\nfault = rot every 5s\nfault = disk-full every 6s\n"
    "option = pad 6000\noption = segment-bytes 65536\n";

/* What a run needs in order to fail. */
struct need {
    uint64_t faults; /* bits 1 << kind that must be on */
    uint32_t clients, keys, operations, faults_most;
    uint64_t length_ns;
    const char *option;
    uint64_t seeds; /* it fails only with a seed that this divides; 0: with every one */
    unsigned tries, stop_after;
};

static bool has_faults(const struct scenario *s, uint64_t wanted)
{
    for (uint32_t i = 0; i < s->fault_count; i++)
        if (!s->faults[i].off)
            wanted &= ~(UINT64_C(1) << s->faults[i].kind);
    return wanted == 0;
}

static uint32_t fewer(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum shrink_answer attempt(void *ctx, struct shrink_state *candidate)
{
    struct need *need = ctx;
    const struct scenario *s = &candidate->scenario;
    uint32_t operations = fewer(s->operations ? s->operations : UINT32_MAX, 1000);
    if (need->stop_after && need->tries >= need->stop_after)
        return SHRINK_STOP;
    need->tries++;
    if (!has_faults(s, need->faults) || s->clients < need->clients || s->keys < need->keys ||
        operations < need->operations || fewer(s->faults_most, 20) < need->faults_most ||
        s->length_ns < need->length_ns || (need->option && !scenario_option(s, need->option, NULL)))
        return SHRINK_HOLDS;
    while (need->seeds && candidate->seed % need->seeds)
        candidate->seed++;
    candidate->transactions = operations;
    candidate->faults = fewer(s->faults_most, 20);
    candidate->ended_ns = 0;
    return SHRINK_FAILS;
}

static struct shrink_state begin(void)
{
    struct shrink_state state = {.seed = 7, .transactions = 1000, .faults = 20};
    struct scenario_error error;
    const struct bytes bytes = {(const uint8_t *)text, strlen(text)};
    assert_int_equal(scenario_parse("t", bytes, &state.scenario, &error), OK);
    return state;
}

static uint32_t faults_on(const struct scenario *s)
{
    uint32_t on = 0;
    for (uint32_t i = 0; i < s->fault_count; i++)
        on += !s->faults[i].off;
    return on;
}

static void test_finds_the_smallest(void **unused)
{
    (void)unused;
    struct need need = {.faults = UINT64_C(1) << FAULT_KILL | UINT64_C(1) << FAULT_ROT,
                        .clients = 3,
                        .keys = 4,
                        .operations = 137,
                        .faults_most = 5,
                        .length_ns = UINT64_C(3000000000),
                        .option = "pad"};
    struct shrink_state state = begin();
    struct shrink_count count = scenario_shrink(&state, attempt, &need);
    const struct scenario *s = &state.scenario;
    assert_int_equal(count.tried, need.tries);
    assert_true(count.taken > 0 && count.tried < 200);
    assert_int_equal(faults_on(s), 2);
    assert_true(has_faults(s, need.faults));
    assert_int_equal(s->clients, 3);
    assert_int_equal(s->keys, 4);
    assert_int_equal(s->acts, 1);
    assert_int_equal(s->operations, 137);
    assert_int_equal(s->faults_most, 5);
    assert_in_range(s->length_ns, need.length_ns, need.length_ns * 4 / 3);
    assert_int_equal(s->option_count, 1);
    assert_string_equal(s->options[0].key, "pad");
    assert_int_equal(state.seed, 7);
}

static void test_nothing_is_needed(void **unused)
{
    (void)unused;
    struct need need = {0};
    struct shrink_state state = begin();
    scenario_shrink(&state, attempt, &need);
    assert_int_equal(faults_on(&state.scenario), 0);
    assert_int_equal(state.scenario.clients, 1);
    assert_int_equal(state.scenario.operations, 1);
    assert_int_equal(state.scenario.option_count, 0);
}

static void test_nothing_can_go(void **unused)
{
    (void)unused;
    struct need need = {.clients = UINT32_MAX};
    struct shrink_state state = begin(), before = state;
    struct shrink_count count = scenario_shrink(&state, attempt, &need);
    assert_int_equal(count.taken, 0);
    assert_memory_equal(&state, &before, sizeof state); /* K1 */
}

static void test_another_seed(void **unused)
{
    (void)unused;
    struct need need = {.seeds = 5};
    struct shrink_state state = begin();
    scenario_shrink(&state, attempt, &need);
    assert_int_equal(state.seed, 10);
}

static void test_stops_when_told(void **unused)
{
    (void)unused;
    struct need need = {.clients = 1, .stop_after = 4};
    struct shrink_state state = begin();
    struct shrink_count count = scenario_shrink(&state, attempt, &need);
    assert_int_equal(need.tries, 4);
    assert_int_equal(count.tried, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_smallest), cmocka_unit_test(test_nothing_is_needed),
        cmocka_unit_test(test_nothing_can_go),     cmocka_unit_test(test_another_seed),
        cmocka_unit_test(test_stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
