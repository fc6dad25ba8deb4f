/* SPDX-License-Identifier: MIT
 *
 * faults.c: what befalls a node: crashes, pauses, a slow machine, a clock that drifts, a disk that
 * fails, stalls or loses power.
 */
#include "core/base/assert.h"
#include "sim/world.h"

/* What sim_trace remembers of a fault. */
enum what {
    FAULT_STOP = 200,
    FAULT_PAUSE,
    FAULT_RESUME,
    FAULT_SLOW,
    FAULT_STALL,
    FAULT_DRIFT,
};

static bool of_node(const struct event *event, const void *node)
{
    return event->node == node;
}

void sim_stop(struct env *env)
{
    struct node *node = node_of(env);
    struct sim *sim = node->sim;
    if (node->dead)
        return;
    trace_mix(sim, FAULT_STOP);
    node->dead = true;
    node->paused = false;
    queue_take_all(sim, of_node, node, &node->waiting);
    for (struct event *event; (event = events_pop(&node->waiting));) {
        if (event->kind == EVENT_MESSAGE)
            network_lose(sim, event);
        else
            event_free(sim, event);
    }
    network_leave(node);
}

void sim_crash(struct env *env)
{
    struct node *node = node_of(env);
    if (node->dead)
        return;
    sim_stop(env);
    trace_mix(node->sim, node->changes);
    if (node->disk)
        disk_crash(node->disk, &node->sim->chance);
}

bool sim_crashed(const struct env *env)
{
    return node_of(env)->dead;
}

void sim_pause(struct env *env)
{
    struct node *node = node_of(env);
    if (node->dead || node->paused)
        return;
    trace_mix(node->sim, FAULT_PAUSE);
    node->paused = true;
    queue_take_all(node->sim, of_node, node, &node->waiting);
}

/* What is overdue has kept its time and its serial, so it comes first, in order. */
void sim_resume(struct env *env)
{
    struct node *node = node_of(env);
    if (!node->paused)
        return;
    trace_mix(node->sim, FAULT_RESUME);
    node->paused = false;
    for (struct event *event; (event = events_pop(&node->waiting));)
        queue_insert(node->sim, event);
}

bool sim_paused(const struct env *env)
{
    return node_of(env)->paused;
}

void sim_slow(struct env *env, unsigned factor)
{
    INVARIANT(factor > 0);
    trace_mix(node_of(env)->sim, FAULT_SLOW ^ (uint64_t)factor << 8);
    node_of(env)->slow = factor;
}

/* Lets `change` alter the times of the node's events, wherever they are. */
static void retime(struct node *node, void (*change)(struct event *event, uint64_t by), uint64_t by)
{
    struct sim *sim = node->sim;
    for (size_t i = 0; i < sim->count; i++)
        if (sim->heap[i]->node == node)
            change(sim->heap[i], by);
    for (struct event *event = node->waiting.first; event; event = event->next)
        change(event, by);
    queue_restore(sim);
}

static void retime_timer(struct event *event, uint64_t now)
{
    if (event->kind != EVENT_TIMER || event->at <= now)
        return;
    uint64_t at = clock_when(&event->node->clock, event->due);
    event->at = at > now ? at : now;
}

void sim_clock_drift(struct env *env, int32_t ns_per_ms)
{
    struct node *node = node_of(env);
    trace_mix(node->sim, FAULT_DRIFT ^ (uint64_t)(uint32_t)ns_per_ms << 8);
    clock_set_rate(&node->clock, node->sim->now, ns_per_ms);
    retime(node, retime_timer, node->sim->now);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Only what the disk has not ended yet can be held up. */
static void retime_done(struct event *event, uint64_t by)
{
    if (event->kind != EVENT_DONE || event->disk_end <= event->node->sim->now)
        return;
    event->at = plus(event->at, by);
    event->disk_end = plus(event->disk_end, by);
}

void sim_disk_stall(struct env *env, uint64_t ns)
{
    struct node *node = node_of(env);
    uint64_t now = node->sim->now, until = sim_after(node->sim, ns);
    uint64_t from = node->stalled_until > now ? node->stalled_until : now;
    trace_mix(node->sim, FAULT_STALL ^ ns << 8);
    if (until <= from)
        return;
    node->stalled_until = until;
    retime(node, retime_done, until - from);
}

void sim_crash_at(struct env *env, uint64_t k)
{
    node_of(env)->crash_at = k ? node_of(env)->changes + k : 0;
}

void sim_io_error_at(struct env *env, uint64_t k)
{
    node_of(env)->io_error_at = k ? node_of(env)->ops + k : 0;
}

uint64_t sim_disk_ops(const struct env *env)
{
    return node_of(env)->ops;
}

uint64_t sim_disk_changes(const struct env *env)
{
    return node_of(env)->changes;
}

void sim_again_per_mille(struct env *env, unsigned per_mille)
{
    node_of(env)->again_per_mille = per_mille;
}

enum err op_begin(struct node *node, bool change, uint64_t cost_ns, uint64_t what)
{
    if (node->dead)
        return ERR_CRASHED;
    INVARIANT(!node->dying && node->disk);
    node->ops++;
    node->changes += change;
    /* The operation begins when those of the job before it have ended. */
    uint64_t begins = sim_after(node->sim, node->busy_ns);
    if (begins < node->stalled_until)
        node->busy_ns += node->stalled_until - begins;
    node->busy_ns = plus(node->busy_ns, node->slow * cost_ns);
    trace_mix(node->sim, what);
    if (node->ops == node->io_error_at)
        return ERR_IO;
    node->dying = change && node->crash_at && node->changes >= node->crash_at;
    return OK;
}

enum err op_end(struct node *node, enum err err)
{
    if (!node->dying)
        return err;
    node->dying = false;
    sim_crash(&node->env);
    return ERR_CRASHED;
}

bool op_effective(struct node *node)
{
    return !node->dying || chance_coin(&node->sim->chance);
}
