/* SPDX-License-Identifier: MIT
 *
 * scenario_vary.c: a swarm: each seed tries another configuration of the same scenario.
 *
 * Groce, Zhang, Eide, Chen, Regehr 2012, "Swarm testing": a random subset of the features in each
 * test finds more than all features in all tests, because features hold one another back: a disk
 * that is often full hides what only happens to one that is much written; a process that is killed
 * every second never runs long enough to clean.
 *
 * Law
 *   V1  The same scenario and seed give the same variation. Each aspect draws from a stream of its
 *       own, so that a new one leaves the others as they were.
 *   V2  A share of 0 % or 100 % stays: a scenario whose promise rests on it says so that way.
 *   V3  Not every fault is left out, but in about one of eight.
 */
#include "core/base/chance.h"
#include "sim/run/run.h"
#include "sim/scenario/scenario_private.h"

enum aspect { ASPECT_FAULTS = 1, ASPECT_RATES, ASPECT_CLIENTS, ASPECT_SHARES, ASPECT_KNOBS };

static struct chance stream(uint64_t seed, enum aspect aspect)
{
    struct chance chance;
    chance_seed(&chance, seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)aspect);
    return chance;
}

/* Half of the faults, each with even chances; what the file has off stays off. */
static void leave_out_faults(struct scenario *s, struct chance *chance)
{
    uint32_t usable[SCENARIO_FAULTS_MAX], count = 0, left = 0;
    for (uint32_t i = 0; i < s->fault_count; i++)
        if (!s->faults[i].off)
            usable[count++] = i;
    bool none = chance_below(chance, 8) == 0;
    for (uint32_t i = 0; i < count; i++) {
        bool off = chance_coin(chance);
        s->faults[usable[i]].off = none || off;
        left += !s->faults[usable[i]].off;
    }
    if (count && !left && !none)
        s->faults[usable[chance_below(chance, count)]].off = false;
}

/* Times 1/4, 1/2, 1, 2 or 4; at least 1 us, so that nothing happens without end at one moment. */
static uint64_t scaled(uint64_t ns, uint32_t step)
{
    uint64_t out = step < 2 ? ns >> (2 - step) : ns << (step - 2);
    out = out < NS_MAX ? out : NS_MAX;
    return out > 1000 ? out : 1000;
}

static void scale_range(struct scenario_range *range, uint32_t step)
{
    range->least_ns = scaled(range->least_ns, step);
    range->most_ns = scaled(range->most_ns, step);
}

static void change_rates(struct scenario *s, struct chance *chance)
{
    for (uint32_t i = 0; i < s->fault_count; i++) {
        uint32_t every = chance_below(chance, 5), lasts = chance_below(chance, 4);
        scale_range(&s->faults[i].every, every);
        if (s->faults[i].lasts.most_ns)
            scale_range(&s->faults[i].lasts, lasts);
    }
    s->think_ns = scaled(s->think_ns, 1 + chance_below(chance, 4));
    s->think_ns = s->think_ns < THINK_MAX ? s->think_ns : THINK_MAX;
}

static uint32_t up_to(struct chance *chance, uint32_t most)
{
    return chance_below(chance, 4) ? 1 + chance_below(chance, most) : most;
}

static uint32_t share(struct chance *chance, uint32_t percent)
{
    uint32_t other = 5 + chance_below(chance, 91);
    bool keep = chance_below(chance, 3) == 0;
    return keep || percent == 0 || percent == 100 ? percent : other;
}

void scenario_vary(struct scenario *scenario, uint64_t seed)
{
    struct chance faults = stream(seed, ASPECT_FAULTS), rates = stream(seed, ASPECT_RATES);
    struct chance clients = stream(seed, ASPECT_CLIENTS), shares = stream(seed, ASPECT_SHARES);
    struct chance knobs = stream(seed, ASPECT_KNOBS);
    leave_out_faults(scenario, &faults);
    change_rates(scenario, &rates);
    scenario->clients = up_to(&clients, scenario->clients);
    scenario->keys = up_to(&clients, scenario->keys);
    scenario->acts = up_to(&clients, scenario->acts);
    scenario->read_percent = share(&shares, scenario->read_percent);
    scenario->durable_percent = share(&shares, scenario->durable_percent);
    if (scenario->sync_percent)
        scenario->sync_percent = 1 + chance_below(&shares, 2 * scenario->sync_percent);
    if (scenario->sync_percent > 100)
        scenario->sync_percent = 100;
    run_knobs(scenario, chance_next(&knobs));
    scenario->swarm = false;
}
