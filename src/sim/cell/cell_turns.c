/* SPDX-License-Identifier: MIT
 *
 * cell_turns.c: sequences that split others. One node after another is away, and the one that was
 * comes back at the moment at which the next one goes: with three replicas, writes under {1,2},
 * then {1,3}, then {2,3}. A scheme that lets any two of them go on would lose what only the third
 * has.
 */
#include "core/base/assert.h"
#include "sim/cell/cell.h"

enum away { AWAY_KILLED, AWAY_SILENT, AWAY_PAUSED, AWAY_KINDS };

static struct cell_node *node_of_number(struct cell *cell, uint32_t number)
{
    return &cell->nodes[number - CELL_FIRST];
}

static void come_back(struct cell *cell)
{
    struct cell_turns *turns = &cell->turns;
    if (!turns->away)
        return;
    struct cell_node *node = node_of_number(cell, turns->away);
    switch ((enum away)turns->kind) {
    case AWAY_KILLED:
        node->held = false;
        node_start(node);
        break;
    case AWAY_SILENT:
        sim_net_partition(cell_run(cell)->sim, UINT64_C(1) << node->number, false);
        node->registry_fault = 0;
        cell_registry_cuts(cell);
        break;
    default:
        if (node->env)
            sim_resume(node->env);
        break;
    }
    turns->away = 0;
}

static void go_away(struct cell *cell, uint32_t number)
{
    struct cell_turns *turns = &cell->turns;
    struct cell_node *node = node_of_number(cell, number);
    turns->away = number;
    turns->kind = run_below(cell_run(cell), AWAY_KINDS);
    run_say(cell_run(cell), "fault", "node %u is away", number - CELL_FIRST);
    switch ((enum away)turns->kind) {
    case AWAY_KILLED:
        node->held = true;
        node_die(node, run_below(cell_run(cell), 2), "is killed");
        break;
    case AWAY_SILENT:
        sim_net_partition(cell_run(cell)->sim, UINT64_C(1) << node->number, true);
        node->registry_fault = 3;
        cell_registry_cuts(cell);
        break;
    default:
        if (node->env)
            sim_pause(node->env);
        break;
    }
}

static void next_turn(struct cell *cell)
{
    struct env *env = cell_env(cell);
    uint64_t least = cell->turns.least_ns;
    env->ops->timer_start(env, &cell->turns.timer, least + run_random(cell_run(cell)) % least);
}

/* The last node first, so that the first primary stays for two turns. */
static void due(struct env_timer *timer)
{
    struct cell *cell = (struct cell *)(void *)((uint8_t *)timer - offsetof(struct cell, turns));
    uint32_t before = cell->turns.away, next = before > CELL_FIRST ? before - 1 : cell->node_count;
    come_back(cell);
    go_away(cell, next);
    next_turn(cell);
}

void turns_begin(struct cell *cell)
{
    uint64_t ms = scenario_option_number(cell_run(cell)->scenario, "turns-ms", 0);
    cell->turns.timer.fire = due;
    cell->turns.least_ns = ms * UINT64_C(1000000);
    if (ms)
        next_turn(cell);
}

void turns_end(struct cell *cell)
{
    struct env *env = cell_env(cell);
    env->ops->timer_stop(env, &cell->turns.timer);
    cell->turns.least_ns = 0;
    come_back(cell);
}
