/* SPDX-License-Identifier: MIT
 *
 * cell_node.c: the life of a node: its store is made, it starts, dies, ends in order, loses its
 * disk and starts again.
 */
#include <stdio.h>

#include "core/base/assert.h"
#include "sim/cell/cell.h"

#define MS            UINT64_C(1000000)
#define RETRY_MS      100u /* after a start that failed for want of space or by a disk error */
#define CUT_AGAIN     4u   /* one start after a power cut in so many is cut short too */
#define CUT_AGAIN_OPS 60u
#define TEND_MS       1500u /* between two looks after the store, on the average half of that */

static struct run *run_of(const struct cell_node *node)
{
    return cell_run(node->cell);
}

static void say(const struct cell_node *node, const char *text)
{
    char who[24];
    snprintf(who, sizeof who, "node %u", node->number - CELL_FIRST);
    run_say(run_of(node), who, "%s", text);
}

static void on_line(void *ctx, const char *line)
{
    say(ctx, line);
}

static void on_failed(void *ctx, enum err err)
{
    struct cell_node *node = ctx;
    char line[64];
    snprintf(line, sizeof line, "has failed: %s", err_name(err));
    say(node, line);
    node->restart = true;
}

/* --- messages --- */

static void deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct cell_node *node = ctx;
    struct message message;
    arena_reset(&node->arena);
    enum err err = wire_decode(bytes, &node->arena, &message);
    if (err)
        run_broken(run_of(node), "error", "a message of %u cannot be read: %s", from,
                   err_name(err)); /* N1 of core/env/net.h */
    else if (node->primary) {
        cell_trace(node->cell, node->number, from, &message);
        primary_deliver(node->primary, from, &message);
    }
}

/* --- death --- */

void node_bury(struct cell_node *node)
{
    node->up = node->restart = node->upkeep_busy = node->ending = node->closed = false;
    if (!node->env)
        return;
    sim_stop(node->env);
    if (node->primary)
        primary_abandon(node->primary);
    if (node->store)
        store_abandon(node->store);
    node->primary = NULL;
    node->store = NULL;
    node->registry = NULL; /* its leases end by themselves */
    node->env = NULL;
}

static void start_later(struct cell_node *node, uint64_t ms)
{
    struct env *env = cell_env(node->cell);
    env->ops->timer_start(env, &node->start_timer, ms * MS);
}

void node_die(struct cell_node *node, bool cut, const char *why)
{
    if (!node->env)
        return;
    if (cut)
        sim_crash(node->env);
    node->disk_erred = false;
    node_bury(node);
    say(node, why);
}

void node_lose(struct cell_node *node, const char *why)
{
    node_bury(node);
    sim_disk_lose(node->disk);
    node->formatted = false;
    node->lost = true;
    say(node, why);
}

void node_stepped(struct cell_node *node)
{
    struct run *run = run_of(node);
    if (node->closed) {
        node->store = NULL;
        node_bury(node);
        say(node, "has ended");
        if (!node->held)
            start_later(node, RETRY_MS);
        return;
    }
    if (!node->env || !(node->restart || sim_crashed(node->env)))
        return;
    bool cut = sim_crashed(node->env) || run_below(run, 2); /* C3 */
    node_die(node, cut, node->restart ? "its store has failed: it is ended" : "no power");
    if (!node->held)
        start_later(node, RETRY_MS + run_below(run, RETRY_MS));
}

/* --- an orderly end --- */

static void on_closed(void *ctx, enum err err)
{
    struct cell_node *node = ctx;
    if (err && err != ERR_NOSPC && !node->cell->ever_erred)
        run_broken(run_of(node), "error", "a store does not close: %s", err_name(err));
    node->closed = true; /* node_stepped goes on: the store is freed behind this call */
}

static void on_stopped(void *ctx)
{
    struct cell_node *node = ctx;
    primary_free(node->primary);
    node->primary = NULL;
    sim_registry_close(node->registry);
    store_close(node->store, on_closed, node);
}

void node_end(struct cell_node *node)
{
    if (!node->up || node->ending)
        return;
    say(node, "ends");
    node->ending = true;
    node->env->ops->timer_stop(node->env, &node->tend_timer);
    primary_stop(node->primary, on_stopped, node);
}

/* --- looking after the store --- */

static void upkeep_over(struct store_sync *sync, enum err err)
{
    struct cell_node *node =
        (struct cell_node *)(void *)((uint8_t *)sync - offsetof(struct cell_node, upkeep));
    (void)err; /* a full disk, say: it is tried again by the store */
    node->upkeep_busy = false;
}

static void tend_later(struct cell_node *node)
{
    uint64_t ms = 1 + run_below(run_of(node), TEND_MS);
    node->env->ops->timer_start(node->env, &node->tend_timer, ms * MS);
}

static void tend(struct env_timer *timer)
{
    struct cell_node *node =
        (struct cell_node *)(void *)((uint8_t *)timer - offsetof(struct cell_node, tend_timer));
    struct store_status status;
    uint32_t what = run_below(run_of(node), 4);
    store_status(node->store, &status);
    if (status.failed) {
        if (!node->cell->ever_erred)
            run_broken(run_of(node), "error", "a store failed without an error of the disk");
        node->restart = true;
        return;
    }
    primary_check(node->primary);
    if (!node->upkeep_busy && what < 2) {
        node->upkeep_busy = true;
        node->upkeep.done = upkeep_over;
        if (what == 0)
            store_checkpoint(node->store, &node->upkeep);
        else
            store_clean(node->store, &node->upkeep);
    }
    tend_later(node);
}

/* --- starting --- */

static void new_env(struct cell_node *node)
{
    struct run *run = run_of(node);
    node->env = sim_env_add(run->sim, node->disk);
    uint64_t again = scenario_option_number(run->scenario, "again", 100);
    sim_again_per_mille(node->env, (unsigned)(again < 1000 ? again : 999));
    sim_log_to(node->env, on_line, node);
    if (run->result->fired[FAULT_POWER_CUT] && !run->healed && run_below(run, CUT_AGAIN) == 0)
        sim_crash_at(node->env, 1 + run_below(run, CUT_AGAIN_OPS));
}

static enum err format(struct cell_node *node, struct store_error *error)
{
    const struct env_ops *ops = node->env->ops;
    enum err err = ops->dir_make(node->env, CELL_PATH);
    err = err ? err : ops->dir_sync(node->env, "/");
    err = err ? err : store_format(node->env, &node->options, error);
    if (!err && !sim_crashed(node->env))
        node->formatted = true;
    return err;
}

enum err node_open_store(struct cell_node *node, struct store_error *error)
{
    new_env(node);
    enum err err = node->formatted ? OK : format(node, error);
    if (!err && !sim_crashed(node->env))
        err = store_open(node->env, &node->options, &node->store, error);
    return sim_crashed(node->env) ? ERR_CRASHED : err;
}

static enum err open_all(struct cell_node *node, struct store_error *error)
{
    struct cell *cell = node->cell;
    enum err err = node_open_store(node, error);
    if (err)
        return err;
    struct net *net = sim_net(node->env, node->number);
    node->registry = sim_registry_open(cell->registry, node->env, node->number);
    const struct primary_options options = {
        .env = node->env,
        .net = net,
        .registry = node->registry,
        .identity = &cell->identity,
        .contract = &cell->contract,
        .say = on_line,
        .failed = on_failed,
        .ctx = node,
        .repair_bytes_per_s = scenario_option_number(run_of(node)->scenario, "repair-kib", 0) << 10,
    };
    err = primary_new(&options, node->store, &node->primary);
    if (!err && !sim_crashed(node->env))
        net->ops->listen(net, deliver, node);
    return sim_crashed(node->env) ? ERR_CRASHED : err;
}

static bool is_damage(enum err err)
{
    return err == ERR_DAMAGED_RECORD || err == ERR_CORRUPT || err == ERR_MISSING_SEGMENT ||
           err == ERR_SHORT_SEGMENT || err == ERR_INDEX;
}

/* What a start that failed means. */
static void start_failed(struct cell_node *node, enum err err, const struct store_error *error)
{
    struct run *run = run_of(node);
    char line[640];
    bool full = err == ERR_NOSPC || err == ERR_AGAIN, erred = node->disk_erred;
    snprintf(line, sizeof line, "the start fails: %s: %s", err_name(err), error->text);
    say(node, line);
    node->disk_erred = false;
    node_bury(node);
    bool damage = is_damage(err) && (node->cell->ever_rotted || node->cell->ever_erred);
    if (!node->formatted || damage)
        node_lose(node, damage ? "its store is damaged: it is made anew" : "its disk is emptied");
    if (err == ERR_CRASHED || (full && run->result->fired[FAULT_DISK_FULL]) || erred || damage)
        start_later(node, RETRY_MS);
    else
        run_broken(run, "start", "%s: %s", err_name(err), error->text);
}

void node_start(struct cell_node *node)
{
    struct store_error error = {""};
    struct env *clients = cell_env(node->cell);
    clients->ops->timer_stop(clients, &node->start_timer);
    if (node->env || node->held || run_of(node)->result->broken)
        return;
    enum err err = open_all(node, &error);
    if (err) {
        start_failed(node, err, &error);
        return;
    }
    node->up = true;
    primary_assigned(node->primary, node->cell->assigned, node->cell->node_count);
    tend_later(node);
    say(node, "is up");
}

static void start_due(struct env_timer *timer)
{
    node_start(
        (struct cell_node *)(void *)((uint8_t *)timer - offsetof(struct cell_node, start_timer)));
}

void node_begin(struct cell *cell, uint32_t index)
{
    struct cell_node *node = &cell->nodes[index];
    node->cell = cell;
    node->number = CELL_FIRST + index;
    node->disk = sim_disk_new();
    node->start_timer.fire = start_due;
    node->tend_timer.fire = tend;
    node->options.path = CELL_PATH;
    node->options.node = node->number;
    node->options.identity = &cell->identity;
    arena_init(&node->arena);
    node_start(node);
}

void node_free(struct cell_node *node)
{
    struct env *clients = cell_env(node->cell);
    clients->ops->timer_stop(clients, &node->start_timer);
    node_bury(node);
    sim_disk_free(node->disk);
    arena_free(&node->arena);
}
