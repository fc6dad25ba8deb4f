/* SPDX-License-Identifier: MIT
 *
 * run_faults.c: when faults begin and end, and those of one node.
 *
 * Law
 *   F1  Each line of faults draws the same amount of chance each time, whatever comes of it:
 *       leaving out one line, or making it rarer, does not move the others.
 *   F2  A node is at most once at a time under one kind of fault, and dies by one kind at a time.
 *   F3  What can do nothing (the node is down, say) is no fault, and is not counted.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/assert.h"
#include "sim/run/run_private.h"

#define MS          UINT64_C(1000000)
#define JUMP_MS     60000u /* farthest jump of a wall clock */
#define DRIFT_MOST  100000u
#define SLOW_LEAST  10u
#define SLOW_MOST   100u
#define BIT(number) (UINT64_C(1) << (number))

static bool is_network(enum fault_kind kind)
{
    return kind >= FAULT_PARTITION && kind <= FAULT_SLOW_LINKS;
}

/* Whether it makes sense only while the node is up. */
static bool needs_process(enum fault_kind kind)
{
    return kind != FAULT_DISK_FULL && kind != FAULT_ROT && kind != FAULT_DISK_LOST &&
           kind != FAULT_REGISTRY_OUTAGE && kind != FAULT_REGISTRY_CUT;
}

static bool is_death(enum fault_kind kind)
{
    return kind == FAULT_POWER_CUT || kind == FAULT_KILL || kind == FAULT_RESTART;
}

static struct env *env_of(const struct running *r, uint32_t node)
{
    return r->ops->node_env ? r->ops->node_env(r->system, node) : NULL;
}

static struct sim_disk *disk_of(const struct running *r, uint32_t node)
{
    return r->ops->node_disk ? r->ops->node_disk(r->system, node) : NULL;
}

static bool may_begin(const struct running *r, enum fault_kind kind, uint32_t node)
{
    uint64_t on = r->on[kind];
    if (is_death(kind))
        on = r->on[FAULT_POWER_CUT] | r->on[FAULT_KILL] | r->on[FAULT_RESTART];
    if (on & BIT(node))
        return false;
    if (kind == FAULT_DISK_FULL)
        return disk_of(r, node) != NULL;
    return !needs_process(kind) || env_of(r, node) != NULL;
}

/* --- one node --- */

static int64_t around_zero(uint32_t strength, uint32_t most)
{
    return (int64_t)(strength % (2 * most + 1)) - (int64_t)most;
}

static void node_fault_begin(struct running *r, const struct run_active *fault, uint32_t strength,
                             uint64_t lasts)
{
    struct env *env = needs_process(fault->kind) ? env_of(r, fault->node) : NULL;
    switch (fault->kind) {
    case FAULT_PAUSE:
        sim_pause(env);
        break;
    case FAULT_SLOW:
        sim_slow(env, SLOW_LEAST + strength % (SLOW_MOST - SLOW_LEAST + 1));
        break;
    case FAULT_DISK_STALL:
        sim_disk_stall(env, lasts);
        break;
    case FAULT_DISK_FULL:
        sim_disk_full(disk_of(r, fault->node), true);
        break;
    case FAULT_CLOCK_JUMP:
        sim_wall_jump(env, around_zero(strength, JUMP_MS) * (int64_t)MS);
        break;
    case FAULT_CLOCK_DRIFT:
        sim_clock_drift(env, (int32_t)around_zero(strength, DRIFT_MOST));
        break;
    default:
        r->ops->fault(r->system, fault->kind, fault->node, true, strength);
        break;
    }
}

static void node_fault_end(struct running *r, const struct run_active *fault)
{
    struct env *env = env_of(r, fault->node);
    switch (fault->kind) {
    case FAULT_PAUSE:
        if (env)
            sim_resume(env);
        break;
    case FAULT_SLOW:
        if (env)
            sim_slow(env, 1);
        break;
    case FAULT_DISK_STALL:
        break;
    case FAULT_DISK_FULL:
        sim_disk_full(disk_of(r, fault->node), false);
        break;
    case FAULT_CLOCK_DRIFT:
        if (env)
            sim_clock_drift(env, 0);
        break;
    default:
        r->ops->fault(r->system, fault->kind, fault->node, false, 0);
        break;
    }
}

/* --- beginning and ending --- */

static void remove_active(struct run_active *fault)
{
    struct running *r = fault->r;
    r->env->ops->timer_stop(r->env, &fault->timer);
    *fault->link = fault->next;
    if (fault->next)
        fault->next->link = fault->link;
    free(fault);
}

static void end_active(struct run_active *fault)
{
    struct running *r = fault->r;
    r->on[fault->kind] &= ~BIT(fault->node);
    run_say(&r->run, "fault", "%s of node %u ends", fault_word(fault->kind), fault->node);
    if (is_network(fault->kind))
        network_fault_end(r, fault);
    else
        node_fault_end(r, fault);
    remove_active(fault);
}

static void end_due(struct env_timer *timer)
{
    end_active((struct run_active *)(void *)timer);
}

static void keep_active(struct running *r, const struct run_active *fault, uint64_t lasts)
{
    struct run_active *kept = malloc(sizeof *kept);
    INVARIANT(kept != NULL);
    *kept = *fault;
    kept->timer = (struct env_timer){.fire = end_due};
    kept->next = r->active;
    kept->link = &r->active;
    if (kept->next)
        kept->next->link = &kept->next;
    r->active = kept;
    r->on[fault->kind] |= BIT(fault->node);
    r->env->ops->timer_start(r->env, &kept->timer, lasts);
}

struct draws {
    uint64_t where, lasts;
    uint32_t strength;
};

static bool begin(struct run_line *line, const struct draws *draws)
{
    struct running *r = line->r;
    struct run_active fault = {.r = r, .kind = line->fault->kind};
    if (is_network(fault.kind)) {
        r->network_touched = true;
        if (!network_fault_begin(r, &fault, draws->where))
            return false;
    } else {
        fault.node = (uint32_t)(draws->where % r->run.scenario->nodes);
        if (!may_begin(r, fault.kind, fault.node))
            return false;
        run_say(&r->run, "fault", "%s of node %u begins", fault_word(fault.kind), fault.node);
        node_fault_begin(r, &fault, draws->strength, draws->lasts);
    }
    if (line->fault->lasts.most_ns)
        keep_active(r, &fault, draws->lasts);
    return true;
}

static uint64_t in_range(struct chance *chance, struct scenario_range range)
{
    uint64_t more = range.most_ns - range.least_ns;
    uint64_t drawn = chance_next(chance);
    return range.least_ns + (more == UINT64_MAX ? drawn : drawn % (more + 1));
}

static void wait_for_next(struct run_line *line)
{
    uint64_t wait = in_range(&line->chance, line->fault->every);
    line->r->env->ops->timer_start(line->r->env, &line->timer, wait ? wait : 1);
}

static void due(struct env_timer *timer)
{
    struct run_line *line = (struct run_line *)(void *)timer;
    struct running *r = line->r;
    struct draws draws; /* F1: one after another, always */
    draws.where = chance_next(&line->chance);
    draws.strength = (uint32_t)(chance_next(&line->chance) >> 32);
    draws.lasts = in_range(&line->chance, line->fault->lasts);
    if (r->fault_times < r->run.scenario->faults_most && begin(line, &draws)) {
        r->fault_times++;
        line->times++;
        r->run.result->fired[line->fault->kind]++;
    }
    if (line->times < line->fault->most)
        wait_for_next(line);
}

void faults_begin(struct running *r, uint64_t seed)
{
    uint32_t lines[FAULT_KIND_COUNT] = {0};
    for (uint32_t i = 0; i < r->run.scenario->fault_count; i++) {
        struct run_line *line = &r->lines[i];
        line->fault = &r->run.scenario->faults[i];
        line->r = r;
        line->timer.fire = due;
        uint64_t purpose =
            PURPOSE_FAULTS + 100u * (uint64_t)line->fault->kind + lines[line->fault->kind]++;
        chance_seed(&line->chance, run_seed(seed, purpose));
        if (!line->fault->off && line->fault->most)
            wait_for_next(line);
    }
}

void faults_end(struct running *r)
{
    for (uint32_t i = 0; i < r->run.scenario->fault_count; i++)
        r->env->ops->timer_stop(r->env, &r->lines[i].timer);
    while (r->active)
        end_active(r->active);
    r->run.healed = true;
    for (uint32_t n = 0; n < r->run.scenario->nodes; n++) {
        struct env *env = env_of(r, n);
        if (env) { /* what was set and has not happened yet */
            sim_crash_at(env, 0);
            sim_io_error_at(env, 0);
        }
    }
    if (r->network_touched)
        sim_net_heal(r->run.sim);
}

void faults_free(struct running *r)
{
    while (r->active)
        remove_active(r->active);
}
