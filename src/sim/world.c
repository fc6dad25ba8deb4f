/* SPDX-License-Identifier: MIT
 *
 * world.c: virtual time, chance, the queue of events, and the faults of a node.
 *
 * Law
 *   W1  The heap is ordered by (at, serial); serials are unique, so the order is total.
 *   W2  now never goes back; no event in the heap is due before now.
 *   W3  An event is in the heap (heap[place] == event) or in the free chain.
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

/* --- chance --- */

static uint64_t rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

void chance_seed(struct chance *c, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        c->s[i] = z ^ (z >> 31);
    }
}

uint64_t chance_next(struct chance *c)
{
    uint64_t *s = c->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t chance_below(struct chance *c, uint32_t n)
{
    INVARIANT(n > 0);
    return (uint32_t)(((chance_next(c) >> 32) * n) >> 32);
}

bool chance_coin(struct chance *c)
{
    return chance_next(c) >> 63;
}

/* --- the queue --- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void put_at(struct sim *sim, size_t place, struct event *event)
{
    sim->heap[place] = event;
    event->place = place;
}

static void sift(struct sim *sim, size_t place)
{
    struct event *event = sim->heap[place];
    while (place && before(event, sim->heap[(place - 1) / 2])) {
        put_at(sim, place, sim->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= sim->count)
            break;
        if (child + 1 < sim->count && before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!before(sim->heap[child], event))
            break;
        put_at(sim, place, sim->heap[child]);
        place = child;
    }
    put_at(sim, place, event);
}

static void heap_insert(struct sim *sim, struct event *event)
{
    put_at(sim, sim->count++, event);
    sift(sim, event->place);
}

static void event_free(struct sim *sim, struct event *event)
{
    if (event->timer)
        event->timer->impl = NULL;
    event->next = sim->free;
    sim->free = event;
}

static struct event *event_add(struct node *node, enum event_kind kind, uint64_t after_ns)
{
    struct sim *sim = node->sim;
    struct event *event = sim->free;
    if (event)
        sim->free = event->next;
    else
        event = sim_zalloc(sizeof *event);
    if (sim->count == sim->room) {
        sim->room = sim->room ? 2 * sim->room : 64;
        sim->heap = realloc(sim->heap, sim->room * sizeof *sim->heap);
        INVARIANT(sim->heap != NULL);
    }
    uint64_t at = after_ns > UINT64_MAX - sim->now ? UINT64_MAX : sim->now + after_ns;
    *event = (struct event){.at = at, .serial = sim->serial++, .kind = kind, .node = node};
    heap_insert(sim, event);
    return event;
}

static void event_remove(struct sim *sim, struct event *event)
{
    size_t place = event->place;
    INVARIANT(place < sim->count && sim->heap[place] == event);
    sim->count--;
    if (place != sim->count) {
        put_at(sim, place, sim->heap[sim->count]);
        sift(sim, place);
    }
    event_free(sim, event);
}

static void run_job(struct node *node, struct env_job *job)
{
    node->busy_ns = 0;
    job->run(job);
    if (node->dead)
        return; /* the power failed in it; done never comes */
    uint64_t delay = node->busy_ns + chance_below(&node->sim->chance, 20000);
    event_add(node, EVENT_DONE, delay)->job = job;
}

bool sim_step(struct sim *sim)
{
    if (!sim->count)
        return false;
    struct event event = *sim->heap[0];
    event_remove(sim, sim->heap[0]);
    INVARIANT(event.at >= sim->now);
    sim->now = event.at;
    sim->events++;
    trace_mix(sim, event.at ^ (uint64_t)event.kind << 60);
    if (event.kind == EVENT_RUN)
        run_job(event.node, event.job);
    else if (event.kind == EVENT_DONE)
        event.job->done(event.job);
    else
        event.timer->fire(event.timer);
    return true;
}

static uint64_t limit_at(const struct sim *sim, uint64_t ns)
{
    return ns > UINT64_MAX - sim->now ? UINT64_MAX : sim->now + ns;
}

bool sim_run_until(struct sim *sim, bool (*wanted)(void *ctx), void *ctx, uint64_t limit_ns)
{
    uint64_t end = limit_at(sim, limit_ns);
    while (!wanted(ctx)) {
        if (!sim->count || sim->heap[0]->at > end)
            return false;
        sim_step(sim);
    }
    return true;
}

bool sim_run_idle(struct sim *sim, uint64_t limit_ns)
{
    uint64_t end = limit_at(sim, limit_ns);
    while (sim->count) {
        if (sim->heap[0]->at > end)
            return false;
        sim_step(sim);
    }
    return true;
}

void sim_advance(struct sim *sim, uint64_t ns)
{
    uint64_t end = limit_at(sim, ns);
    while (sim->count && sim->heap[0]->at <= end)
        sim_step(sim);
    sim->now = end;
}

/* --- the env's clock, chance, jobs and timers --- */

static uint64_t env_wall(struct env *env)
{
    struct node *node = node_of(env);
    return WALL_START + node->sim->now + (uint64_t)node->wall_offset;
}

static uint64_t env_mono(struct env *env)
{
    return node_of(env)->sim->now;
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
    INVARIANT(job->run && job->done);
    if (!node->dead)
        event_add(node, EVENT_RUN, start_delay(&node->sim->chance))->job = job;
}

static void env_timer_stop(struct env *env, struct env_timer *timer)
{
    if (timer->impl)
        event_remove(node_of(env)->sim, timer->impl);
    INVARIANT(!timer->impl);
}

static void env_timer_start(struct env *env, struct env_timer *timer, uint64_t after_ns)
{
    struct node *node = node_of(env);
    INVARIANT(timer->fire);
    env_timer_stop(env, timer);
    if (node->dead)
        return;
    struct event *event = event_add(node, EVENT_TIMER, after_ns);
    event->timer = timer;
    timer->impl = event;
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
    node->again_per_mille = 100;
    *sim->last = node;
    sim->last = &node->next;
    return &node->env;
}

struct sim *sim_new(uint64_t seed, struct sim_disk *disk)
{
    struct sim *sim = sim_zalloc(sizeof *sim);
    chance_seed(&sim->chance, seed);
    sim->last = &sim->first;
    sim_env_add(sim, disk);
    return sim;
}

struct env *sim_env(struct sim *sim)
{
    return &sim->first->env;
}

void sim_stop(struct env *env)
{
    struct node *node = node_of(env);
    struct sim *sim = node->sim;
    node->dead = true;
    size_t all = sim->count;
    sim->count = 0;
    for (size_t i = 0; i < all; i++) {
        struct event *event = sim->heap[i];
        if (event->node == node)
            event_free(sim, event);
        else
            heap_insert(sim, event); /* never past i */
    }
}

void sim_crash(struct env *env)
{
    struct node *node = node_of(env);
    if (node->dead)
        return;
    sim_stop(env);
    trace_mix(node->sim, node->changes);
    disk_crash(node->disk, &node->sim->chance);
}

bool sim_crashed(const struct env *env)
{
    return node_of(env)->dead;
}

void sim_free(struct sim *sim)
{
    for (struct node *node = sim->first, *next; node; node = next) {
        next = node->next;
        sim_stop(&node->env);
        files_close_all(node);
        index_close_all(node);
        free(node);
    }
    INVARIANT(sim->count == 0);
    for (struct event *event = sim->free, *next; event; event = next) {
        next = event->next;
        free(event);
    }
    free(sim->heap);
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

/* --- faults --- */

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
    INVARIANT(!node->dying);
    node->ops++;
    node->changes += change;
    node->busy_ns += cost_ns;
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
