/* SPDX-License-Identifier: MIT
 *
 * run_test.c: runs of scenarios: the same seed gives the same run; faults happen and are survived;
 * systems that stand still, lie or lose something are found out.
 *
 * The table of systems is this file's own: beside the volume it has systems that misbehave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "sim/run/system.h"

#define MS UINT64_C(1000000)
#define S  (UINT64_C(1000) * MS)

/* --- systems that misbehave --- */

enum vice { HONEST, MUTE, RESTLESS, LIAR, FORGETFUL, LOST, BROKEN_AT_ONCE };

struct fake {
    struct system system; /* comes first */
    enum vice vice;
    uint32_t value[16];
    uint32_t under_way[SCENARIO_CLIENTS_MAX]; /* transaction + 1 */
    uint32_t submitted;
};

static struct fake *fake_of(struct system *system)
{
    return (struct fake *)(void *)system;
}

static struct system *fake_make(struct run *run)
{
    struct fake *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    fake->system = (struct system){NULL, run};
    fake->vice = (enum vice)scenario_option_number(run->scenario, "vice", HONEST);
    if (fake->vice == BROKEN_AT_ONCE) {
        run_broken(run, "start", "no %s today", "start");
        free(fake);
        return NULL;
    }
    return &fake->system;
}

static void fake_free(struct system *system)
{
    free(system);
}

/* A register that answers at once. */
static void fake_submit(struct system *system, uint32_t client, uint32_t txn, bool durable)
{
    struct fake *fake = fake_of(system);
    struct history *history = system->run->history;
    struct history_act *act = &history->acts[history->txns[txn].first];
    (void)durable;
    fake->submitted++;
    fake->under_way[client] = txn + 1;
    if (fake->vice == MUTE && fake->submitted > 20)
        return;
    if (fake->vice == LOST && fake->submitted > 20)
        run_ends(system->run, "the disk is gone");
    if (act->code == ACT_WRITE && !(fake->vice == LIAR && fake->submitted % 10 == 0))
        fake->value[act->key] = act->args[0];
    act->value = act->code == ACT_READ ? fake->value[act->key] : VALUE_NONE;
    fake->under_way[client] = 0;
    run_ended(system->run, txn, OUTCOME_DONE);
    if (fake->vice == FORGETFUL && fake->submitted == 40) {
        memset(fake->value, 0, sizeof fake->value);
        run_crashed(system->run, "it forgot");
    }
}

static void fake_give_up(struct system *system)
{
    struct fake *fake = fake_of(system);
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++)
        if (fake->under_way[i])
            run_ended(system->run, fake->under_way[i] - 1, OUTCOME_UNKNOWN);
}

static bool fake_at_rest(struct system *system)
{
    return fake_of(system)->vice != RESTLESS;
}

static void fake_inspect(struct system *system)
{
    assert_int_not_equal(fake_of(system)->vice, LOST);
}

static const struct system_ops system_fake = {
    .word = "fake",
    .text = "registers in memory, with a vice",
    .make = fake_make,
    .free = fake_free,
    .submit = fake_submit,
    .give_up = fake_give_up,
    .at_rest = fake_at_rest,
    .inspect = fake_inspect,
};

const struct system_ops *const systems[] = {&system_volume, &system_fake, NULL};

const struct run_system *run_systems(void)
{
    static const struct run_system none[] = {{NULL, NULL}};
    return none;
}

/* --- scenarios --- */

#define INSPECT_ALL (INSPECT_STRUCTURE | INSPECT_SCRUB | INSPECT_REBUILD)

static struct scenario scenario_of(const char *system, enum workload_kind workload)
{
    struct scenario s = {
        .nodes = 1,
        .clients = 3,
        .keys = 5,
        .acts = 1,
        .workload = workload,
        .read_percent = 40,
        .durable_percent = 30,
        .sync_percent = 2,
        .think_ns = 20 * MS,
        .length_ns = 2 * S,
        .heal_ns = 10 * S,
        .faults_most = UINT32_MAX,
    };
    snprintf(s.name, sizeof s.name, "test");
    snprintf(s.system, sizeof s.system, "%s", system);
    return s;
}

static struct scenario volume_scenario(enum workload_kind workload)
{
    struct scenario s = scenario_of("volume", workload);
    s.promises = 1u << PROMISE_DURABILITY;
    s.inspect = INSPECT_ALL;
    return s;
}

static struct scenario fake_scenario(enum vice vice)
{
    struct scenario_error error;
    char text[16];
    struct scenario s = scenario_of("fake", WORKLOAD_REGISTER);
    snprintf(text, sizeof text, "%d", vice);
    assert_int_equal(scenario_set(&s, "option.vice", text, &error), OK);
    s.sync_percent = 0;
    s.promises = 1u << PROMISE_LINEARISABLE | 1u << PROMISE_CONVERGENCE;
    return s;
}

static struct scenario_fault *add_fault(struct scenario *s, enum fault_kind kind, uint64_t every_ns,
                                        uint64_t lasts_ns)
{
    struct scenario_fault *fault = &s->faults[s->fault_count++];
    *fault = (struct scenario_fault){
        .kind = kind,
        .every = {every_ns / 2, every_ns},
        .lasts = {lasts_ns / 2, lasts_ns},
        .most = UINT32_MAX,
    };
    return fault;
}

struct transcript {
    uint64_t hash, jumps, last_ns;
    uint32_t lines, clients, faults;
};

static void on_line(void *ctx, uint64_t now_ns, const char *who, const char *text)
{
    struct transcript *t = ctx;
    assert_true(now_ns >= t->last_ns);
    t->last_ns = now_ns;
    t->hash = checksum64(text, strlen(text), t->hash);
    t->lines++;
    t->clients += strncmp(who, "client ", 7) == 0;
    t->faults += strcmp(who, "fault") == 0;
    if (strstr(text, "clock-jump"))
        t->jumps = checksum64(&now_ns, sizeof now_ns, t->jumps);
}

static void run_clean(const struct scenario *s, uint64_t seed, struct run_result *result)
{
    struct text why = {0};
    assert_false(run_refuses(s, &why));
    run_scenario(s, seed, NULL, result);
    if (result->broken)
        print_error("seed %llu: %s: %s\n", (unsigned long long)seed, result->promise,
                    text_string(&result->text));
    assert_false(result->broken);
}

static void expect_broken(const struct scenario *s, const char *promise)
{
    struct run_result result;
    run_scenario(s, 1, NULL, &result);
    assert_true(result.broken);
    assert_string_equal(result.promise, promise);
    assert_true(result.text.len > 0);
    run_result_free(&result);
}

/* --- the same seed --- */

static void same_seed_same_run(void **state)
{
    static const enum workload_kind kinds[] = {WORKLOAD_TREE, WORKLOAD_LIST, WORKLOAD_SET,
                                               WORKLOAD_REGISTER, WORKLOAD_COUNTER};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct scenario s = volume_scenario(kinds[k]);
        struct run_result first, second, other;
        struct transcript one = {0}, two = {0};
        struct run_watch watch = {on_line, &one};
        add_fault(&s, FAULT_POWER_CUT, S, 200 * MS);
        add_fault(&s, FAULT_DISK_STALL, S, 200 * MS);
        run_scenario(&s, 11, &watch, &first);
        watch.ctx = &two;
        run_scenario(&s, 11, &watch, &second);
        assert_int_equal(first.trace, second.trace);
        assert_int_equal(first.transactions, second.transactions);
        assert_int_equal(one.hash, two.hash);
        assert_true(one.clients >= first.transactions && one.faults > 2);
        run_clean(&s, 12, &other); /* unwatched: as good */
        assert_int_not_equal(first.trace, other.trace);
        run_result_free(&second);
        run_scenario(&s, 11, NULL, &second);
        assert_int_equal(first.trace, second.trace);
        run_result_free(&first);
        run_result_free(&second);
        run_result_free(&other);
    }
}

/* --- faults --- */

static const struct {
    enum fault_kind kind;
    uint64_t every_ns, lasts_ns;
} volume_faults[] = {
    {FAULT_POWER_CUT, 500 * MS, 100 * MS},   {FAULT_KILL, 500 * MS, 100 * MS},
    {FAULT_PAUSE, 500 * MS, 300 * MS},       {FAULT_SLOW, 800 * MS, 500 * MS},
    {FAULT_DISK_STALL, 500 * MS, 300 * MS},  {FAULT_DISK_FULL, 600 * MS, 500 * MS},
    {FAULT_DISK_ERROR, 500 * MS, 0},         {FAULT_CLOCK_JUMP, 300 * MS, 0},
    {FAULT_CLOCK_DRIFT, 500 * MS, 300 * MS}, {FAULT_ROT, 300 * MS, 0},
};
#define VOLUME_FAULTS (sizeof volume_faults / sizeof *volume_faults)

static bool has_crash(const struct history *history)
{
    for (uint32_t i = 0; i < history->event_count; i++)
        if (history->events[i].kind == EVENT_CRASH)
            return true;
    return false;
}

static void each_fault_is_survived(void **state)
{
    (void)state;
    for (size_t f = 0; f < VOLUME_FAULTS; f++) {
        bool death =
            volume_faults[f].kind == FAULT_POWER_CUT || volume_faults[f].kind == FAULT_KILL;
        uint64_t fired = 0;
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct scenario s = volume_scenario(seed == 2 ? WORKLOAD_LIST : WORKLOAD_TREE);
            struct run_result result;
            add_fault(&s, volume_faults[f].kind, volume_faults[f].every_ns,
                      volume_faults[f].lasts_ns);
            run_clean(&s, seed, &result);
            fired += result.fired[volume_faults[f].kind];
            assert_true(result.done > 30);
            if (death)
                assert_true(has_crash(result.history));
            run_result_free(&result);
        }
        assert_true(fired >= 3);
    }
}

static void all_faults_together_are_survived(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct scenario s = volume_scenario(WORKLOAD_TREE);
        struct run_result result;
        for (size_t f = 0; f < VOLUME_FAULTS; f++)
            if (volume_faults[f].kind != FAULT_ROT)
                add_fault(&s, volume_faults[f].kind, 3 * volume_faults[f].every_ns,
                          volume_faults[f].lasts_ns);
        run_clean(&s, seed, &result);
        run_result_free(&result);
    }
}

/* A deletion in a part of a segment that could not be read was lost with the segment. */
static void rot_among_power_cuts(void **state)
{
    uint32_t ended = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct scenario s = volume_scenario(WORKLOAD_TREE);
        struct run_result result;
        s.length_ns = 6 * S;
        add_fault(&s, FAULT_POWER_CUT, 2 * S, S);
        add_fault(&s, FAULT_ROT, S, 0);
        run_clean(&s, seed, &result);
        ended += result.ended;
        run_result_free(&result);
    }
    assert_true(ended < 12);
}

/* F1: what one line of faults does is not moved by leaving out another. */
static void lines_of_faults_do_not_disturb_one_another(void **state)
{
    struct scenario s = volume_scenario(WORKLOAD_REGISTER);
    struct run_result with, without;
    struct transcript one = {0}, two = {0};
    struct run_watch watch = {on_line, &one};
    (void)state;
    s.length_ns = 5 * S;
    add_fault(&s, FAULT_DISK_STALL, 300 * MS, 10 * MS);
    add_fault(&s, FAULT_CLOCK_JUMP, 100 * MS, 0);
    run_scenario(&s, 5, &watch, &with);
    s.faults[0].off = true;
    watch.ctx = &two;
    run_scenario(&s, 5, &watch, &without);
    assert_int_equal(without.fired[FAULT_DISK_STALL], 0);
    assert_true(with.fired[FAULT_DISK_STALL] > 5);
    assert_int_equal(with.fired[FAULT_CLOCK_JUMP], without.fired[FAULT_CLOCK_JUMP]);
    assert_int_equal(one.jumps, two.jumps); /* at the same times */
    run_result_free(&with);
    run_result_free(&without);
}

static void bounds_hold(void **state)
{
    struct scenario s = volume_scenario(WORKLOAD_REGISTER);
    struct run_result result;
    (void)state;
    add_fault(&s, FAULT_CLOCK_JUMP, 50 * MS, 0)->most = 2;
    add_fault(&s, FAULT_DISK_STALL, 50 * MS, 10 * MS);
    s.faults_most = 7;
    run_clean(&s, 5, &result);
    assert_int_equal(result.fired[FAULT_CLOCK_JUMP], 2);
    assert_int_equal(result.fired[FAULT_DISK_STALL], 5);
    run_result_free(&result);
    s.fault_count = 0;
    s.operations = 4;
    run_clean(&s, 5, &result);
    assert_true(result.transactions < 4 + 3 * (8 + s.keys)); /* then the faults end */
    run_result_free(&result);
}

/* Every transaction is durable, so nothing may be lost, not even by power cuts. */
static void durable_registers_are_linearisable(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct scenario s = volume_scenario(seed % 2 ? WORKLOAD_REGISTER : WORKLOAD_COUNTER);
        struct run_result result;
        s.durable_percent = 100;
        s.promises |= 1u << PROMISE_LINEARISABLE | 1u << PROMISE_CONVERGENCE;
        add_fault(&s, FAULT_POWER_CUT, 500 * MS, 100 * MS);
        run_clean(&s, seed, &result);
        assert_int_equal(result.undecided, 0);
        run_result_free(&result);
    }
}

/* What an error of the disk left unanswered may be there or not: it did not fail. */
static void errors_of_the_disk_leave_doubt(void **state)
{
    uint64_t unknown = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct scenario s = volume_scenario(WORKLOAD_COUNTER);
        struct run_result result;
        s.durable_percent = 100;
        s.read_percent = 20;
        s.think_ns = 5 * MS;
        s.promises |= 1u << PROMISE_LINEARISABLE;
        add_fault(&s, FAULT_DISK_ERROR, 200 * MS, 0);
        run_clean(&s, seed, &result);
        unknown += result.unknown;
        run_result_free(&result);
    }
    assert_true(unknown > 10);
}

/* More names than are asked for at once. */
static void long_sets_are_read_whole(void **state)
{
    struct scenario s = volume_scenario(WORKLOAD_SET);
    struct run_result result;
    (void)state;
    s.keys = 1;
    s.think_ns = 5 * MS;
    s.promises |= 1u << PROMISE_LINEARISABLE | 1u << PROMISE_CONVERGENCE;
    run_clean(&s, 1, &result);
    const struct history_txn *last = &result.history->txns[result.history->txn_count - 1];
    assert_true(history_act(result.history, last, 0)->count > 200);
    run_result_free(&result);
}

static void knobs_give_what_can_be_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct scenario s = volume_scenario(seed % 2 ? WORKLOAD_LIST : WORKLOAD_TREE);
        struct run_result result;
        run_knobs(&s, seed);
        assert_true(s.option_count > 5);
        add_fault(&s, FAULT_POWER_CUT, 500 * MS, 100 * MS);
        run_clean(&s, seed, &result);
        run_result_free(&result);
    }
}

/* --- systems that misbehave --- */

static void an_honest_system_is_believed(void **state)
{
    struct scenario s = fake_scenario(HONEST);
    struct run_result result;
    (void)state;
    run_clean(&s, 1, &result);
    assert_int_equal(result.failed + result.unknown, 0);
    assert_true(result.done > 200);
    run_result_free(&result);
}

static void who_stands_still_is_noticed(void **state)
{
    struct scenario s = fake_scenario(MUTE);
    (void)state;
    expect_broken(&s, "progress");
    s = fake_scenario(RESTLESS);
    expect_broken(&s, "progress");
}

static void who_lies_is_noticed(void **state)
{
    struct scenario s = fake_scenario(LIAR);
    (void)state;
    expect_broken(&s, "linearisable");
}

/* Nothing was answered as durable by the one; a half by the other. */
static void who_forgets_may_unless_it_was_durable(void **state)
{
    struct scenario s = fake_scenario(FORGETFUL);
    struct run_result result;
    (void)state;
    s.promises = 1u << PROMISE_DURABILITY;
    s.durable_percent = 0;
    run_clean(&s, 1, &result);
    run_result_free(&result);
    s.durable_percent = 50;
    expect_broken(&s, "durability");
}

static void who_may_end_ends(void **state)
{
    struct scenario s = fake_scenario(LOST);
    struct run_result result;
    (void)state;
    run_clean(&s, 1, &result);
    assert_true(result.ended);
    assert_true(result.transactions < 30);
    run_result_free(&result);
}

static void who_cannot_start_is_told(void **state)
{
    struct scenario s = fake_scenario(BROKEN_AT_ONCE);
    struct run_result result;
    (void)state;
    run_scenario(&s, 1, NULL, &result);
    assert_true(result.broken);
    assert_string_equal(result.promise, "start");
    assert_string_equal(text_string(&result.text), "no start today");
    run_result_free(&result);
}

/* --- refusals --- */

static void refused(const struct scenario *s, const char *part)
{
    struct text why = {0};
    assert_true(run_refuses(s, &why));
    if (!strstr(text_string(&why), part))
        print_error("'%s' lacks '%s'\n", text_string(&why), part);
    assert_non_null(strstr(text_string(&why), part));
    text_free(&why);
}

static void what_cannot_be_run_is_refused(void **state)
{
    struct scenario_error error;
    struct scenario s = volume_scenario(WORKLOAD_BANK);
    (void)state;
    refused(&s, "bank");
    s = volume_scenario(WORKLOAD_LIST);
    s.acts = 2;
    refused(&s, "acts = 1");
    s = volume_scenario(WORKLOAD_LIST);
    s.nodes = 3;
    refused(&s, "nodes = 1");
    s = volume_scenario(WORKLOAD_LIST);
    add_fault(&s, FAULT_PARTITION, S, S);
    refused(&s, "partition");
    s.faults[0].off = true;
    assert_false(run_refuses(&s, &(struct text){0}));
    assert_int_equal(scenario_set(&s, "option.segment-bytes", "77", &error), OK);
    refused(&s, "segment-bytes");
    s = volume_scenario(WORKLOAD_LIST);
    assert_int_equal(scenario_set(&s, "option.colour", "7", &error), OK);
    refused(&s, "options");
    s = scenario_of("fake", WORKLOAD_TREE);
    refused(&s, "no trees");
    s = scenario_of("chess", WORKLOAD_TREE);
    refused(&s, "volume fake");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_run),
        cmocka_unit_test(each_fault_is_survived),
        cmocka_unit_test(all_faults_together_are_survived),
        cmocka_unit_test(rot_among_power_cuts),
        cmocka_unit_test(lines_of_faults_do_not_disturb_one_another),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(durable_registers_are_linearisable),
        cmocka_unit_test(errors_of_the_disk_leave_doubt),
        cmocka_unit_test(long_sets_are_read_whole),
        cmocka_unit_test(knobs_give_what_can_be_run),
        cmocka_unit_test(an_honest_system_is_believed),
        cmocka_unit_test(who_stands_still_is_noticed),
        cmocka_unit_test(who_lies_is_noticed),
        cmocka_unit_test(who_forgets_may_unless_it_was_durable),
        cmocka_unit_test(who_may_end_ends),
        cmocka_unit_test(who_cannot_start_is_told),
        cmocka_unit_test(what_cannot_be_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
