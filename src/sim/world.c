/* SPDX-License-Identifier: MIT
 *
 * world.c: virtual time, and the clock, jobs and timers of its nodes.
 *
 * Law
 *   W1  now never goes back. An event that is due before now (its node had been paused) runs now,
 *       before all others.
 *   W2  An event of a node is in the queue, or, while the node is paused, in its `waiting`.
 */
#include "sim/world.h"

#include <stdlib.h>

#include "core/base/assert.h"
#include "sim/ops.h"

#define WALL_START UINT64_C(1700000000000000000) /* an ordinary day */

void *sim_zalloc(size_t size)
{
    void *p = calloc(1, size);
    INVARIANT(p != NULL);
    return p;
}

void node_event(struct node *node, struct event *event)
{
    event->node = node;
    if (node->paused)
        events_push(&node->waiting, event);
    else
        queue_insert(node->sim, event);
}

static void run_job(struct node *node, struct env_job *job)
{
    struct sim *sim = node->sim;
    node->busy_ns = 0;
    job->run(job);
    if (node->dead)
        return; /* the power failed in it; done never comes */
    uint64_t told = (uint64_t)node->slow * chance_below(&sim->chance, 20000);
    struct event *event = event_new(sim, EVENT_DONE, sim_after(sim, node->busy_ns + told));
    event->job = job;
    event->disk_end = node->busy_ns ? sim_after(sim, node->busy_ns) : 0;
    node_event(node, event);
}

static void run_event(struct sim *sim, struct event *event)
{
    struct node *node = event->node;
    enum event_kind kind = event->kind;
    struct env_job *job = kind == EVENT_TIMER ? NULL : event->job;
    struct env_timer *timer = kind == EVENT_TIMER ? event->timer : NULL;
    event_free(sim, event);
    if (kind == EVENT_RUN)
        run_job(node, job);
    else if (kind == EVENT_DONE)
        job->done(job);
    else
        timer->fire(timer);
}

bool sim_step(struct sim *sim)
{
    if (!sim->count)
        return false;
    struct event *event = sim->heap[0];
    queue_take(sim, event);
    if (event->at > sim->now)
        sim->now = event->at;
    sim->events++;
    trace_mix(sim, event->at ^ (uint64_t)event->kind << 60 ^ event->serial << 24);
    if (event->kind == EVENT_MESSAGE)
        network_arrive(sim, event);
    else
        run_event(sim, event);
    return true;
}

bool sim_run_until(struct sim *sim, bool (*wanted)(void *ctx), void *ctx, uint64_t limit_ns)
{
    uint64_t end = sim_after(sim, limit_ns);
    while (!wanted(ctx)) {
        if (!sim->count || sim->heap[0]->at > end)
            return false;
        sim_step(sim);
    }
    return true;
}

bool sim_run_idle(struct sim *sim, uint64_t limit_ns)
{
    uint64_t end = sim_after(sim, limit_ns);
    while (sim->count) {
        if (sim->heap[0]->at > end)
            return false;
        sim_step(sim);
    }
    return true;
}

void sim_advance(struct sim *sim, uint64_t ns)
{
    uint64_t end = sim_after(sim, ns);
    while (sim->count && sim->heap[0]->at <= end)
        sim_step(sim);
    sim->now = end;
}

/* --- the env's clock, chance, jobs and timers --- */

static uint64_t env_mono(struct env *env)
{
    const struct node *node = node_of(env);
    return clock_read(&node->clock, node->sim->now);
}

static uint64_t env_wall(struct env *env)
{
    return WALL_START + env_mono(env) + (uint64_t)node_of(env)->wall_offset;
}

static uint64_t env_random(struct env *env)
{
    return chance_next(&node_of(env)->sim->chance);
}

/* Mostly soon, sometimes late: a worker that was busy, a thread that did not get a processor. */
static uint64_t start_delay(struct chance *chance)
{
    return chance_below(chance, 8) ? chance_below(chance, 5000) : chance_below(chance, 2000000);
}

static void env_submit(struct env *env, struct env_job *job)
{
    struct node *node = node_of(env);
    struct sim *sim = node->sim;
    INVARIANT(job->run && job->done);
    if (node->dead)
        return;
    uint64_t delay = (uint64_t)node->slow * start_delay(&sim->chance);
    struct event *event = event_new(sim, EVENT_RUN, sim_after(sim, delay));
    event->job = job;
    node_event(node, event);
}

static void env_timer_stop(struct env *env, struct env_timer *timer)
{
    struct node *node = node_of(env);
    struct event *event = timer->impl;
    if (!event)
        return;
    INVARIANT(event->timer == timer && event->node == node);
    if (event->place == EVENT_LISTED)
        events_remove(&node->waiting, event);
    else
        queue_take(node->sim, event);
    event_free(node->sim, event);
}

static void env_timer_start(struct env *env, struct env_timer *timer, uint64_t after_ns)
{
    struct node *node = node_of(env);
    struct sim *sim = node->sim;
    INVARIANT(timer->fire);
    env_timer_stop(env, timer);
    if (node->dead)
        return;
    uint64_t shown = clock_read(&node->clock, sim->now);
    uint64_t due = after_ns > UINT64_MAX - shown ? UINT64_MAX : shown + after_ns;
    uint64_t at = clock_when(&node->clock, due);
    struct event *event = event_new(sim, EVENT_TIMER, at > sim->now ? at : sim->now);
    event->timer = timer;
    event->due = due;
    timer->impl = event;
    node_event(node, event);
}

static void env_log(struct env *env, const char *line)
{
    struct node *node = node_of(env);
    if (node->log)
        node->log(node->log_ctx, line);
}

/* --- worlds and nodes --- */

struct env *sim_env_add(struct sim *sim, struct sim_disk *disk)
{
    struct node *node = sim_zalloc(sizeof *node);
    node->env.ops = &sim_ops;
    node->sim = sim;
    node->disk = disk;
    clock_start(&node->clock, sim->now);
    node->again_per_mille = 100;
    node->slow = 1;
    if (disk) {
        disk_leave(disk);
        disk->user = node;
    }
    *sim->last = node;
    sim->last = &node->next;
    return &node->env;
}

struct sim *sim_new(uint64_t seed, struct sim_disk *disk)
{
    struct sim *sim = sim_zalloc(sizeof *sim);
    sim->seed = seed;
    chance_seed(&sim->chance, seed);
    sim->last = &sim->first;
    sim_env_add(sim, disk);
    return sim;
}

struct env *sim_env(struct sim *sim)
{
    return &sim->first->env;
}

void node_release(struct node *node)
{
    INVARIANT(node->dead);
    files_release(node);
    index_release(node);
    node->disk = NULL;
}

void sim_free(struct sim *sim)
{
    for (struct node *node = sim->first, *next; node; node = next) {
        next = node->next;
        sim_stop(&node->env);
        files_close_all(node);
        index_close_all(node);
        if (node->disk && node->disk->user == node)
            node->disk->user = NULL;
        free(node->port);
        free(node);
    }
    network_free(sim);
    queue_free(sim);
    free(sim);
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now;
}

uint64_t sim_random(struct sim *sim)
{
    return chance_next(&sim->chance);
}

uint64_t sim_events(const struct sim *sim)
{
    return sim->events;
}

uint64_t sim_trace(const struct sim *sim)
{
    return sim->trace;
}

void sim_wall_jump(struct env *env, int64_t ns)
{
    node_of(env)->wall_offset += ns;
}

void sim_log_to(struct env *env, void (*line)(void *ctx, const char *line), void *ctx)
{
    node_of(env)->log = line;
    node_of(env)->log_ctx = ctx;
}

const struct env_ops sim_ops = {
    .wall_ns = env_wall,
    .mono_ns = env_mono,
    .random = env_random,
    .submit = env_submit,
    .timer_start = env_timer_start,
    .timer_stop = env_timer_stop,
    .file_open = sim_file_open,
    .file_close = sim_file_close,
    .file_size = sim_file_size,
    .file_read = sim_file_read,
    .file_read_now = sim_file_read_now,
    .file_read_later = sim_file_read_later,
    .file_write = sim_file_write,
    .file_sync = sim_file_sync,
    .file_reserve = sim_file_reserve,
    .file_truncate = sim_file_truncate,
    .dir_make = sim_dir_make,
    .dir_sync = sim_dir_sync,
    .dir_list = sim_dir_list,
    .dir_space = sim_dir_space,
    .file_remove = sim_file_remove,
    .file_rename = sim_file_rename,
    .index_open = sim_index_open,
    .index_close = sim_index_close,
    .index_remove = sim_index_remove,
    .index_get = sim_index_get,
    .index_refresh = sim_index_refresh,
    .cursor_open = sim_cursor_open,
    .cursor_seek = sim_cursor_seek,
    .cursor_next = sim_cursor_next,
    .cursor_last = sim_cursor_last,
    .cursor_close = sim_cursor_close,
    .batch_begin = sim_batch_begin,
    .batch_put = sim_batch_put,
    .batch_delete = sim_batch_delete,
    .batch_commit = sim_batch_commit,
    .batch_abort = sim_batch_abort,
    .index_bytes = sim_index_bytes,
    .index_verify = sim_index_verify,
    .log = env_log,
};
