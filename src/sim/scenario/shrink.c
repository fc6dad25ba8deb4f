/* SPDX-License-Identifier: MIT
 *
 * shrink.c: the candidates, from the boldest on.
 */
#include "sim/scenario/shrink.h"

#include <string.h>

#include "core/base/assert.h"

#define ROUNDS_MAX 32u
#define LENGTH_MIN UINT64_C(50000000)
#define EVERY_MIN  UINT64_C(20000000)
#define EVERY_STEP UINT64_C(1000000)

struct shrinking {
    struct shrink_state *state;
    shrink_try *attempt;
    void *ctx;
    struct shrink_count count;
    bool stopped;
};

/* True when the candidate was taken. */
static bool offer(struct shrinking *k, struct shrink_state *candidate)
{
    if (k->stopped)
        return false;
    k->count.tried++;
    enum shrink_answer answer = k->attempt(k->ctx, candidate);
    k->stopped = answer == SHRINK_STOP;
    if (answer != SHRINK_FAILS)
        return false;
    k->count.taken++;
    *k->state = *candidate;
    return true;
}

/* --- faults --- */

/* Turns off the faults that are on, from the `first` of them on, `count` of them. */
static bool offer_without(struct shrinking *k, uint32_t first, uint32_t count)
{
    struct shrink_state candidate = *k->state;
    uint32_t on = 0, turned = 0;
    for (uint32_t i = 0; i < candidate.scenario.fault_count; i++) {
        struct scenario_fault *fault = &candidate.scenario.faults[i];
        if (fault->off)
            continue;
        if (on >= first && on < first + count) {
            fault->off = true;
            turned++;
        }
        on++;
    }
    return turned && offer(k, &candidate);
}

static uint32_t faults_on(const struct scenario *scenario)
{
    uint32_t on = 0;
    for (uint32_t i = 0; i < scenario->fault_count; i++)
        on += !scenario->faults[i].off;
    return on;
}

/* ddmin over the lines: all, halves, quarters, ..., one by one. */
static void shrink_faults(struct shrinking *k)
{
    for (uint32_t part = faults_on(&k->state->scenario); part && !k->stopped; part /= 2)
        for (uint32_t first = 0; first < faults_on(&k->state->scenario) && !k->stopped;)
            if (!offer_without(k, first, part))
                first += part;
}

/* --- numbers --- */

struct number {
    uint64_t value, least; /* what it is now, and what it may become */
    void (*set)(struct scenario *scenario, uint64_t value);
};

static bool offer_number(struct shrinking *k, const struct number *number, uint64_t value)
{
    struct shrink_state candidate = *k->state;
    number->set(&candidate.scenario, value);
    return offer(k, &candidate);
}

/* The least value that fails: first from below, doubling, then between the last that held and the
 * first that failed. The failure need not be monotonous in it; each value that is taken failed. */
static void shrink_number(struct shrinking *k, const struct number *number)
{
    uint64_t low = number->least, step = 1, failing = number->value;
    if (number->value <= number->least)
        return;
    for (uint64_t at = low; at < number->value && !k->stopped; step *= 2) {
        if (offer_number(k, number, at)) {
            failing = at;
            break;
        }
        low = at + 1;
        at = number->value - at > step ? at + step : number->value;
    }
    while (low < failing && !k->stopped) {
        uint64_t middle = low + (failing - low) / 2;
        if (offer_number(k, number, middle))
            failing = middle;
        else
            low = middle + 1;
    }
}

static void set_faults_most(struct scenario *s, uint64_t value)
{
    s->faults_most = (uint32_t)value;
}

static void set_operations(struct scenario *s, uint64_t value)
{
    s->operations = (uint32_t)value;
}

static void set_clients(struct scenario *s, uint64_t value)
{
    s->clients = (uint32_t)value;
}

static void set_keys(struct scenario *s, uint64_t value)
{
    s->keys = (uint32_t)value;
}

static void set_acts(struct scenario *s, uint64_t value)
{
    s->acts = (uint32_t)value;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void shrink_numbers(struct shrinking *k)
{
    const struct shrink_state *state = k->state;
    shrink_number(k, &(struct number){state->scenario.clients, 1, set_clients});
    shrink_number(k, &(struct number){smaller(state->scenario.faults_most, state->faults), 1,
                                      set_faults_most});
    uint64_t operations = state->scenario.operations ? state->scenario.operations : UINT32_MAX;
    shrink_number(k, &(struct number){smaller(operations, state->transactions), 1, set_operations});
    shrink_number(k, &(struct number){state->scenario.keys, 1, set_keys});
    shrink_number(k, &(struct number){state->scenario.acts, 1, set_acts});
}

/* --- time --- */

static bool offer_length(struct shrinking *k, uint64_t ns)
{
    struct shrink_state candidate = *k->state;
    ns -= ns % UINT64_C(1000000);
    if (ns < LENGTH_MIN || ns >= candidate.scenario.length_ns)
        return false;
    candidate.scenario.length_ns = ns;
    return offer(k, &candidate);
}

/* The faults sooner, and no more of them than before, so that less goes on around them. */
static bool offer_sooner(struct shrinking *k)
{
    struct shrink_state candidate = *k->state;
    bool changed = false;
    for (uint32_t i = 0; i < candidate.scenario.fault_count; i++) {
        struct scenario_range *every = &candidate.scenario.faults[i].every;
        if (candidate.scenario.faults[i].off || every->least_ns < 2 * EVERY_MIN)
            continue;
        every->least_ns = every->least_ns / 2 / EVERY_STEP * EVERY_STEP;
        every->most_ns = every->most_ns / 2 / EVERY_STEP * EVERY_STEP;
        changed = true;
    }
    if (k->state->faults && k->state->faults < candidate.scenario.faults_most)
        candidate.scenario.faults_most = (uint32_t)k->state->faults;
    return changed && offer(k, &candidate);
}

static void shrink_length(struct shrinking *k)
{
    while (offer_sooner(k))
        ;
    uint64_t shown = k->state->ended_ns;
    if (shown && shown < k->state->scenario.length_ns)
        offer_length(k, shown + UINT64_C(1000000));
    while (offer_length(k, k->state->scenario.length_ns / 8) ||
           offer_length(k, k->state->scenario.length_ns / 2) ||
           offer_length(k, k->state->scenario.length_ns / 4 * 3))
        ;
}

/* --- options --- */

static void shrink_options(struct shrinking *k)
{
    struct scenario_error error;
    for (uint32_t i = 0; i < k->state->scenario.option_count && !k->stopped;) {
        struct shrink_state candidate = *k->state;
        char key[SCENARIO_WORD_MAX + 8] = "option.";
        memcpy(key + strlen(key), candidate.scenario.options[i].key, SCENARIO_WORD_MAX);
        enum err err = scenario_set(&candidate.scenario, key, "", &error);
        INVARIANT(err == OK);
        if (!offer(k, &candidate))
            i++;
    }
}

struct shrink_count scenario_shrink(struct shrink_state *state, shrink_try *attempt, void *ctx)
{
    struct shrinking k = {state, attempt, ctx, {0, 0}, false};
    INVARIANT(!state->scenario.swarm);
    for (uint32_t round = 0, before = 0; round < ROUNDS_MAX && !k.stopped; round++) {
        shrink_faults(&k);
        shrink_length(&k);
        shrink_numbers(&k);
        shrink_options(&k);
        if (k.count.taken == before)
            break;
        before = k.count.taken;
    }
    return k.count;
}
