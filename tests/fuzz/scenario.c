/* SPDX-License-Identifier: MIT
 *
 * scenario.c: the text of a scenario. What is accepted is printed and parsed again (law N1), and so
 * is what a swarm makes of it (N3); what is refused has a place and a reason.
 */
#include "sim/scenario/scenario.h"

#include <string.h>

#include "core/base/assert.h"
#include "fuzz.h"

static void apply(void *ctx, const char *key, const char *value)
{
    struct scenario_error error;
    INVARIANT(scenario_set(ctx, key, value, &error) == OK);
}

static void print_and_parse(const struct scenario *first)
{
    struct scenario_error error;
    struct scenario second;
    struct text text = {0}, again = {0};
    scenario_print(first, &text);
    const struct bytes bytes = {(const uint8_t *)text_string(&text), text.len};
    INVARIANT(scenario_parse("fuzz", bytes, &second, &error) == OK);
    scenario_print(&second, &again);
    INVARIANT(strcmp(text_string(&text), text_string(&again)) == 0);
    text_free(&text);
    text_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scenario_error error;
    struct scenario scenario, varied, made;
    struct text one = {0}, other = {0};

    if (scenario_parse("fuzz", (struct bytes){data, size}, &scenario, &error) != OK) {
        INVARIANT(error.text[0] && memchr(error.text, '\0', sizeof error.text));
        INVARIANT(error.line > 0 && error.column > 0);
        return 0;
    }
    print_and_parse(&scenario);
    varied = made = scenario;
    scenario_vary(&varied, checksum64(data, size, 0));
    print_and_parse(&varied);
    scenario_differences(&scenario, &varied, apply, &made);
    scenario_print(&varied, &one);
    scenario_print(&made, &other);
    INVARIANT(strcmp(text_string(&one), text_string(&other)) == 0);
    text_free(&one);
    text_free(&other);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
#define HEAD "system = volume\nworkload = tree\ncheck = durability, structure\n"
    static const char *const texts[] = {
        HEAD,
        HEAD "nodes = 3 # three\nclients = 64\nkeys = 9\nreads = 40%\nthink = 20ms\nheal = 2m\n",
        HEAD "fault = power-cut every 2s..5s\nfault = pause every 3s for 1us..2s, at most 3, off\n",
        HEAD "fault = rot every 24h\nswarm = yes\nfaults-most = 11\noperations = 4294967295\n",
        HEAD
        "think = 1h\nlength = 24h\nheal = 24h\nfault = kill every 1ns..24h for 24h\nswarm = yes\n",
        HEAD "option = pad 6000\noption = segment-bytes 65536\nexpect = broken\ndurable = 100%\n",
        "system = abd\nworkload = register\ncheck = linearisable\ncontract = a, b c\nsyncs = 99%\n",
        "workload = tree\n\n= 3\n",
        "clients = 3 4\nfault\n",
    };
#undef HEAD
    if (number >= sizeof texts / sizeof texts[0])
        return 0;
    memcpy(out, texts[number], strlen(texts[number]));
    return strlen(texts[number]);
}
