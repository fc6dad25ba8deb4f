/* SPDX-License-Identifier: MIT
 *
 * loop.c: clock, chance, jobs and timers on libuv, and the table of the real env.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "core/base/assert.h"
#include "io/lmdb/index_lmdb.h"
#include "io/uv/env_uv.h"
#include "io/uv/files.h"
#include "io/uv/reads.h"

#define NS_PER_MS 1000000u

struct work {
    uv_work_t request;
    struct uv_env *env;
    struct env_job *job;
};

/* A running timer. libuv owns the memory from uv_close to its callback. */
struct alarm {
    uv_timer_t handle;
    struct env_timer *timer;
    struct alarm *next, **link;
};

struct uv_env {
    struct env env;
    uv_loop_t *loop;
    uint64_t jobs; /* submitted, not yet done */
    struct alarm *alarms;
    struct reads *reads;
    size_t cache; /* 0: what an index takes by itself */
};

static struct uv_env *uv_env_of(const struct env *env)
{
    return (struct uv_env *)(uintptr_t)env; /* env is the first member */
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    INVARIANT(clock_gettime(id, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t wall_ns(struct env *env)
{
    (void)env;
    return clock_ns(CLOCK_REALTIME);
}

static uint64_t mono_ns(struct env *env)
{
    (void)env;
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t random_bits(struct env *env)
{
    uint64_t bits;
    ssize_t n;
    (void)env;
    do
        n = getrandom(&bits, sizeof bits, 0);
    while (n < 0 && errno == EINTR);
    INVARIANT(n == sizeof bits);
    return bits;
}

static void log_line(struct env *env, const char *line)
{
    uint64_t now = wall_ns(env);
    time_t seconds = (time_t)(now / 1000000000u);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    fprintf(stderr, "%s.%03uZ %s\n", text, (unsigned)(now / NS_PER_MS % 1000), line);
}

/* --- jobs --- */

static void work_run(uv_work_t *request)
{
    struct work *work = request->data;
    work->job->run(work->job);
}

static void work_done(uv_work_t *request, int status)
{
    struct work *work = request->data;
    struct env_job *job = work->job;
    INVARIANT(status == 0); /* nobody cancels */
    INVARIANT(work->env->jobs > 0);
    work->env->jobs--;
    free(work);
    job->impl = NULL;
    job->done(job);
}

static void submit(struct env *env, struct env_job *job)
{
    struct uv_env *uv = uv_env_of(env);
    struct work *work = malloc(sizeof *work);
    INVARIANT(work && job->run && job->done);
    work->env = uv;
    work->job = job;
    work->request.data = work;
    job->impl = work;
    uv->jobs++;
    INVARIANT(uv_queue_work(uv->loop, &work->request, work_run, work_done) == 0);
}

/* --- timers --- */

static void alarm_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void alarm_drop(struct alarm *alarm)
{
    alarm->timer->impl = NULL;
    *alarm->link = alarm->next;
    if (alarm->next)
        alarm->next->link = alarm->link;
    uv_close((uv_handle_t *)&alarm->handle, alarm_closed);
}

static void alarm_rings(uv_timer_t *handle)
{
    struct alarm *alarm = handle->data;
    struct env_timer *timer = alarm->timer;
    alarm_drop(alarm); /* before fire, which may start it again or free it */
    timer->fire(timer);
}

static struct alarm *alarm_new(struct uv_env *uv, struct env_timer *timer)
{
    struct alarm *alarm = malloc(sizeof *alarm);
    INVARIANT(alarm != NULL);
    INVARIANT(uv_timer_init(uv->loop, &alarm->handle) == 0);
    alarm->handle.data = alarm;
    alarm->timer = timer;
    alarm->next = uv->alarms;
    alarm->link = &uv->alarms;
    if (alarm->next)
        alarm->next->link = &alarm->next;
    uv->alarms = alarm;
    timer->impl = alarm;
    return alarm;
}

static void timer_start(struct env *env, struct env_timer *timer, uint64_t after_ns)
{
    struct uv_env *uv = uv_env_of(env);
    struct alarm *alarm = timer->impl ? timer->impl : alarm_new(uv, timer);
    INVARIANT(timer->fire);
    uv_update_time(uv->loop); /* the loop's idea of now may be one long callback old */
    /* libuv counts whole milliseconds from a clock that it rounds down: one more, or it is early.
     */
    uint64_t ms = after_ns ? (after_ns - 1) / NS_PER_MS + 2 : 0;
    INVARIANT(uv_timer_start(&alarm->handle, alarm_rings, ms, 0) == 0);
}

static void timer_stop(struct env *env, struct env_timer *timer)
{
    (void)env;
    if (timer->impl)
        alarm_drop(timer->impl);
}

/* --- reads --- */

static void read_later(struct env *env, struct env_read *read)
{
    reads_start(uv_env_of(env)->reads, read);
}

bool env_uv_reads_by_ring(const struct env *env)
{
    return reads_by_ring(uv_env_of(env)->reads);
}

uint32_t env_uv_reads_in_flight(const struct env *env)
{
    return reads_in_flight(uv_env_of(env)->reads);
}

/* --- the index --- */

static enum err index_open(struct env *env, const char *path, struct env_index **out)
{
    size_t cache = uv_env_of(env)->cache;
    enum err err = index_lmdb_open(env, path, out);
    if (!err && cache)
        index_lmdb_limit(*out, cache);
    return err;
}

void env_uv_cache(struct env *env, size_t bytes)
{
    uv_env_of(env)->cache = bytes;
}

/* --- the table --- */

static const struct env_ops uv_ops = {
    .wall_ns = wall_ns,
    .mono_ns = mono_ns,
    .random = random_bits,
    .submit = submit,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .file_open = posix_file_open,
    .file_close = posix_file_close,
    .file_size = posix_file_size,
    .file_read = posix_file_read,
    .file_read_now = posix_file_read_now,
    .file_read_later = read_later,
    .file_write = posix_file_write,
    .file_sync = posix_file_sync,
    .file_reserve = posix_file_reserve,
    .file_truncate = posix_file_truncate,
    .dir_make = posix_dir_make,
    .dir_sync = posix_dir_sync,
    .dir_list = posix_dir_list,
    .dir_space = posix_dir_space,
    .file_remove = posix_file_remove,
    .file_rename = posix_file_rename,
    .index_open = index_open,
    .index_close = index_lmdb_close,
    .index_remove = index_lmdb_remove,
    .index_get = index_lmdb_get,
    .index_refresh = index_lmdb_refresh,
    .cursor_open = index_lmdb_cursor_open,
    .cursor_seek = index_lmdb_cursor_seek,
    .cursor_next = index_lmdb_cursor_next,
    .cursor_last = index_lmdb_cursor_last,
    .cursor_close = index_lmdb_cursor_close,
    .batch_begin = index_lmdb_batch_begin,
    .batch_put = index_lmdb_batch_put,
    .batch_delete = index_lmdb_batch_delete,
    .batch_commit = index_lmdb_batch_commit,
    .batch_abort = index_lmdb_batch_abort,
    .index_bytes = index_lmdb_bytes,
    .index_verify = index_lmdb_verify,
    .log = log_line,
};

enum err env_uv_new_reading(uv_loop_t *loop, enum env_uv_reads how, struct env **out)
{
    struct uv_env *uv = calloc(1, sizeof *uv);
    if (!uv)
        return ERR_NOMEM;
    uv->reads = reads_new(&uv->env, loop, how);
    if (!uv->reads) {
        free(uv);
        return ERR_NOMEM;
    }
    uv->env.ops = &uv_ops;
    uv->loop = loop;
    *out = &uv->env;
    return OK;
}

enum err env_uv_new(uv_loop_t *loop, struct env **out)
{
    return env_uv_new_reading(loop, ENV_UV_READS_BEST, out);
}

void env_uv_free(struct env *env)
{
    struct uv_env *uv = uv_env_of(env);
    INVARIANT(uv->jobs == 0);
    while (uv->alarms)
        alarm_drop(uv->alarms);
    reads_free(uv->reads);
    free(uv);
}

uv_loop_t *env_uv_loop(struct env *env)
{
    return uv_env_of(env)->loop;
}
