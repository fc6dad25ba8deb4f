/* SPDX-License-Identifier: MIT
 *
 * scenario_test.c: scenarios as text: what is read, printed, changed, varied, and refused with
 * place and reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/run/run.h"
#include "sim/scenario/scenario.h"

#define HEAD "system = volume\nworkload = tree\ncheck = durability, structure\n"

static const char full[] = "# A comment.\n"
                           "system    = volume   # behind a value\n"
                           "nodes     = 3\n"
                           "contract  = local\n"
                           "workload\t=\tlist\r\n"
                           "\n"
                           "clients = 5\n"
                           "keys = 9\n"
                           "acts = 2\n"
                           "reads = 40%\n"
                           "durable = 30%\n"
                           "syncs = 2%\n"
                           "think = 20ms\n"
                           "length = 90s\n"
                           "heal = 2m\n"
                           "operations = 500\n"
                           "fault = power-cut every 2s..5s\n"
                           "fault = pause every 3s for 100ms..2s, at most 3\n"
                           "fault = rot every 1500ms, at most 7, off\n"
                           "faults-most = 11\n"
                           "check = durability,linearisable , scrub\n"
                           "swarm = yes\n"
                           "option = pad 6000\n"
                           "option = segment-bytes 65536\n"
                           "expect = broken\n";

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct scenario parsed(const char *text)
{
    struct scenario scenario;
    struct scenario_error error;
    if (scenario_parse("test", bytes_of(text), &scenario, &error) != OK)
        fail_msg("%u:%u: %s", error.line, error.column, error.text);
    return scenario;
}

static void assert_same(const struct scenario *a, const struct scenario *b)
{
    struct text one = {0}, other = {0};
    scenario_print(a, &one);
    scenario_print(b, &other);
    assert_string_equal(text_string(&one), text_string(&other));
    text_free(&one);
    text_free(&other);
}

static void test_everything_is_read(void **state)
{
    (void)state;
    struct scenario s = parsed(full);
    assert_string_equal(s.name, "test");
    assert_string_equal(s.system, "volume");
    assert_int_equal(s.nodes, 3);
    assert_int_equal(s.workload, WORKLOAD_LIST);
    assert_int_equal(s.clients, 5);
    assert_int_equal(s.keys, 9);
    assert_int_equal(s.acts, 2);
    assert_int_equal(s.read_percent, 40);
    assert_int_equal(s.durable_percent, 30);
    assert_int_equal(s.sync_percent, 2);
    assert_int_equal(s.think_ns, 20000000);
    assert_int_equal(s.length_ns, 90000000000);
    assert_int_equal(s.heal_ns, 120000000000);
    assert_int_equal(s.operations, 500);
    assert_int_equal(s.faults_most, 11);
    assert_int_equal(s.fault_count, 3);
    assert_int_equal(s.faults[0].kind, FAULT_POWER_CUT);
    assert_int_equal(s.faults[0].every.least_ns, 2000000000);
    assert_int_equal(s.faults[0].every.most_ns, 5000000000);
    assert_true(s.faults[0].lasts.least_ns > 0); /* as usual, when the file does not say */
    assert_int_equal(s.faults[1].every.most_ns, 3000000000);
    assert_int_equal(s.faults[1].lasts.least_ns, 100000000);
    assert_int_equal(s.faults[1].most, 3);
    assert_true(s.faults[2].off);
    assert_int_equal(s.faults[2].lasts.most_ns, 0);
    assert_int_equal(s.promises, 1u << PROMISE_DURABILITY | 1u << PROMISE_LINEARISABLE);
    assert_int_equal(s.inspect, INSPECT_SCRUB);
    assert_true(s.swarm);
    assert_true(s.expect_broken);
    assert_int_equal(scenario_option_number(&s, "pad", 1), 6000);
    assert_string_equal(scenario_option(&s, "segment-bytes", ""), "65536");
    assert_null(scenario_option(&s, "none", NULL));
}

static void test_what_is_not_said(void **state)
{
    (void)state;
    struct scenario s = parsed(HEAD);
    assert_int_equal(s.nodes, 1);
    assert_int_equal(s.operations, 0);
    assert_int_equal(s.faults_most, UINT32_MAX);
    assert_string_equal(s.contract, "local");
    assert_false(s.swarm);
    assert_false(s.expect_broken);
}

static void test_print_reads_back(void **state)
{
    (void)state;
    const char *const texts[] = {full, HEAD};
    for (size_t i = 0; i < 2; i++) {
        struct text text = {0};
        struct scenario s = parsed(texts[i]), again;
        scenario_print(&s, &text);
        again = parsed(text_string(&text));
        assert_same(&s, &again);
        text_free(&text);
    }
}

/* --- what is refused --- */

struct bad {
    const char *text;
    uint32_t line, column;
    const char *says;
};

static const struct bad bads[] = {
    {HEAD "clints = 3\n", 4, 1, "did you mean 'clients'"},
    {HEAD "colour = 3\n", 4, 1, "the keys are"},
    {HEAD "clients = 3\nkeys = 1\n clients = 4\n", 6, 2, "in line 4 already"},
    {HEAD "clients 3\n", 4, 1, "KEY = VALUE"},
    {HEAD "clients =  # none\n", 4, 10, "no value"},
    {HEAD "clients = 0\n", 4, 11, "from 1 to 64"},
    {HEAD "clients = 99999999999999999999999\n", 4, 11, "from 1 to 64"},
    {HEAD "clients = 3x\n", 4, 11, "'3x'"},
    {HEAD "reads = 140%\n", 4, 9, "from 0% to 100%"},
    {HEAD "reads = 40\n", 4, 9, "write 40%"},
    {HEAD "think = 5\n", 4, 9, "its unit"},
    {HEAD "think = 5 ms\n", 4, 9, "its unit"},
    {HEAD "think = 100h\n", 4, 9, "100h is not between 1us and 1h"},
    {HEAD "length = 99999999999999999999h\n", 4, 10, "not between"},
    {HEAD "swarm = maybe\n", 4, 9, "neither 'no' nor 'yes'"},
    {HEAD "expect = broke\n", 4, 10, "neither 'holds' nor 'broken'"},
    {HEAD "fault = powercut every 2s\n", 4, 9, "did you mean 'power-cut'"},
    {HEAD "fault = power-cut\n", 4, 18, "when?"},
    {HEAD "fault = power-cut every\n", 4, 24, "a time is missing"},
    {HEAD "fault = power-cut every 5s..2s\n", 4, 25, "longer than the second"},
    {HEAD "fault = power-cut every 0s\n", 4, 25, "0s is not between"},
    {HEAD "fault = rot every 5s for 2s\n", 4, 22, "has no duration"},
    {HEAD "fault = rot every 5s, at most 0\n", 4, 31, "from 1"},
    {HEAD "fault = rot every 5s, sometimes\n", 4, 23, "'at most NUMBER' or 'off'"},
    {HEAD "fault = rot every 5s off\n", 4, 22, "not expected here"},
    {HEAD "fault = rot every 5s\nfault = rot every 3s\n", 5, 9, "there already"},
    {HEAD "option = pad\n", 4, 10, "KEY VALUE"},
    {HEAD "option = pad 1 2\n", 4, 15, "one word"},
    {HEAD "option = pad 1\noption = pad 2\n", 5, 10, "there already"},
    {HEAD "x\001y = 3\n", 4, 2, "0x01"},
    {"system = volume\nworkload = tre\n", 2, 12, "did you mean 'tree'"},
    {"system = volume\nworkload = tree\n", 3, 1, "no line 'check = ...'"},
    {"system = volume\ncheck = durability\n", 3, 1, "no line 'workload = ...'"},
    {"", 1, 1, "no line 'system = ...'"},
    {"check = linearizable\n", 1, 9, "did you mean 'linearisable'"},
    {"check = durability structure\n", 1, 20, "comma is missing"},
    {"check = durability,\n", 1, 20, "there is no check ''"},
};

static void test_refusals_name_place_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct scenario scenario;
        struct scenario_error error;
        enum err err = scenario_parse("bad", bytes_of(bads[i].text), &scenario, &error);
        if (err != ERR_USAGE || error.line != bads[i].line || error.column != bads[i].column ||
            !strstr(error.text, bads[i].says))
            fail_msg("%s: %u:%u: %s; expected %u:%u: %s", bads[i].text, error.line, error.column,
                     error.text, bads[i].line, bads[i].column, bads[i].says);
    }
}

static void test_name_too_long(void **state)
{
    (void)state;
    char name[SCENARIO_WORD_MAX + 1];
    struct scenario scenario;
    struct scenario_error error;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(scenario_parse(name, bytes_of(HEAD), &scenario, &error), ERR_USAGE);
    assert_non_null(strstr(error.text, "name"));
}

/* --- one key --- */

static void set(struct scenario *scenario, const char *key, const char *value)
{
    struct scenario_error error;
    if (scenario_set(scenario, key, value, &error) != OK)
        fail_msg("%s=%s: %s", key, value, error.text);
}

static void test_set(void **state)
{
    (void)state;
    struct scenario s = parsed(full);
    set(&s, "clients", "2");
    assert_int_equal(s.clients, 2);
    set(&s, "fault.power-cut", "off");
    assert_true(s.faults[0].off);
    set(&s, "fault.power-cut", "on");
    assert_false(s.faults[0].off);
    set(&s, "fault.power-cut", "every 1s, at most 2");
    assert_int_equal(s.faults[0].most, 2);
    set(&s, "fault.kill", "every 4s for 1s");
    assert_int_equal(s.fault_count, 4);
    assert_int_equal(s.faults[3].kind, FAULT_KILL);
    set(&s, "faults-most", "any");
    assert_int_equal(s.faults_most, UINT32_MAX);
    set(&s, "option.pad", "");
    assert_null(scenario_option(&s, "pad", NULL));
    assert_int_equal(s.option_count, 1);
    set(&s, "option.write-back", "no");
    assert_string_equal(scenario_option(&s, "write-back", ""), "no");
    set(&s, "check", "total");
    assert_int_equal(s.promises, 1u << PROMISE_TOTAL);
    assert_int_equal(s.inspect, 0);
}

static void test_set_refuses_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"clints", "3"},
        {"clients", "0"},
        {"clients", ""},
        {"fault.kill", "off"},
        {"fault.kil", "every 2s"},
        {"fault", "rot every 1s"},
        {"option", "a b"},
        {"fault.pause", "every"},
        {"check", "durability, nothing"},
        {"contract", "a#b"},
        {"option.a b", "c d"},
        {"contract", "a\nsystem = b"},
        {"option.", "x"},
        {"", ""},
        {"workload", "trees and more"},
        {"faults-most", "many"},
        {"length", "1ns"},
        {"system", ""},
    };
    struct scenario s = parsed(full), before = s;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct scenario_error error;
        if (scenario_set(&s, wrong[i][0], wrong[i][1], &error) != ERR_USAGE || !error.text[0])
            fail_msg("%s=%s was taken", wrong[i][0], wrong[i][1]);
        assert_int_equal(error.line, 0);
        assert_same(&s, &before);
    }
}

/* --- differences --- */

static void apply(void *ctx, const char *key, const char *value)
{
    set(ctx, key, value);
}

static void count_up(void *ctx, const char *key, const char *value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)ctx;
}

static void test_differences(void **state)
{
    (void)state;
    struct scenario from = parsed(full), to = from, made = from;
    unsigned count = 0;
    scenario_differences(&from, &to, count_up, &count);
    assert_int_equal(count, 0);
    set(&to, "clients", "1");
    set(&to, "fault.rot", "on");
    set(&to, "fault.pause", "every 5s for 1s, off");
    set(&to, "fault.kill", "every 5s for 1s");
    set(&to, "option.pad", "");
    set(&to, "option.new", "x");
    set(&to, "option.segment-bytes", "1");
    scenario_differences(&from, &to, count_up, &count);
    assert_int_equal(count, 7);
    scenario_differences(&from, &to, apply, &made);
    assert_same(&made, &to);
}

/* --- swarm --- */

static const char swarm[] =
    HEAD "clients = 6\nkeys = 20\nreads = 40%\ndurable = 100%\nswarm = yes\n"
         "fault = power-cut every 2s..5s\nfault = pause every 3s for 1s\n"
         "fault = rot every 1s\nfault = kill every 9s, off\n";

static void check_variation(const struct scenario *from, const struct scenario *s)
{
    struct scenario again, made = *from;
    struct text text = {0};
    assert_false(s->swarm);
    assert_in_range(s->clients, 1, 6);
    assert_in_range(s->keys, 1, 20);
    assert_in_range(s->read_percent, 1, 99);
    assert_int_equal(s->durable_percent, 100); /* V2 */
    assert_int_equal(s->sync_percent, 0);
    assert_true(s->faults[3].off); /* what the file has off stays off */
    assert_int_equal(s->length_ns, from->length_ns);
    scenario_print(s, &text);
    again = parsed(text_string(&text));
    assert_same(s, &again);
    text_free(&text);
    scenario_differences(from, s, apply, &made);
    assert_same(&made, s);
}

static void test_swarm(void **state)
{
    (void)state;
    const struct scenario from = parsed(swarm);
    unsigned off[3] = {0}, none = 0, clients[7] = {0};
    const unsigned seeds = 4000;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct scenario s = from, twin = from;
        scenario_vary(&s, seed);
        scenario_vary(&twin, seed);
        assert_same(&s, &twin);
        check_variation(&from, &s);
        for (int i = 0; i < 3; i++)
            off[i] += s.faults[i].off;
        none += s.faults[0].off && s.faults[1].off && s.faults[2].off;
        clients[s.clients]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(off[i], seeds * 4 / 10, seeds * 6 / 10);
    assert_in_range(none, seeds / 10, seeds / 6); /* V3 */
    for (int i = 1; i <= 6; i++)
        assert_true(clients[i] > seeds / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_read),
        cmocka_unit_test(test_what_is_not_said),
        cmocka_unit_test(test_print_reads_back),
        cmocka_unit_test(test_refusals_name_place_and_reason),
        cmocka_unit_test(test_name_too_long),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_refuses_and_changes_nothing),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_swarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
