/* SPDX-License-Identifier: MIT
 *
 * env_suite.c: what env.h promises, asked of an implementation. Crashes are in sim_test.c.
 */
#include "env_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH 512

static struct world *world_of(void **state)
{
    return *state;
}

static const char *in(struct world *w, const char *name, char buf[PATH])
{
    snprintf(buf, PATH, "%s/%s", w->dir, name);
    return buf;
}

static struct bytes text(const char *s)
{
    return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static void assert_bytes(struct bytes got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.data, want, got.len);
}

static struct env_file *open_new(struct world *w, const char *name)
{
    char path[PATH];
    struct env_file *file = NULL;
    assert_int_equal(w->env->ops->file_open(w->env, in(w, name, path), ENV_CREATE, &file), OK);
    return file;
}

static void write_at(struct world *w, struct env_file *file, uint64_t offset, const char *s)
{
    struct env_iov iov = {(void *)(uintptr_t)s, strlen(s)};
    assert_int_equal(w->env->ops->file_write(file, offset, &iov, 1), OK);
}

static void expect_at(struct world *w, struct env_file *file, uint64_t offset, const char *want)
{
    char buf[256];
    size_t got = 0, len = strlen(want);
    assert_int_equal(w->env->ops->file_read(file, offset, buf, len, &got), OK);
    assert_int_equal(got, len);
    assert_memory_equal(buf, want, len);
}

static uint64_t size_of(struct world *w, struct env_file *file)
{
    uint64_t size = 0;
    assert_int_equal(w->env->ops->file_size(file, &size), OK);
    return size;
}

/* --- clock, chance, jobs, timers --- */

static void clock_never_goes_back(void **state)
{
    struct world *w = world_of(state);
    uint64_t last = w->env->ops->mono_ns(w->env);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = w->env->ops->mono_ns(w->env);
        assert_true(now >= last);
        last = now;
    }
    assert_true(w->env->ops->wall_ns(w->env) > UINT64_C(1600000000000000000));
}

static void random_bits_differ(void **state)
{
    struct world *w = world_of(state);
    uint64_t any = 0, all = UINT64_MAX;
    for (int i = 0; i < 64; i++) {
        uint64_t bits = w->env->ops->random(w->env);
        any |= bits;
        all &= bits;
    }
    assert_true(any == UINT64_MAX);
    assert_true(all == 0);
}

struct counted_job {
    struct env_job job;
    int ran, done;
    int *left;
};

static void counted_run(struct env_job *job)
{
    ((struct counted_job *)(void *)job)->ran++;
}

static void counted_done(struct env_job *job)
{
    struct counted_job *c = (struct counted_job *)(void *)job;
    assert_int_equal(c->ran, 1);
    c->done++;
    (*c->left)--;
}

static bool none_left(void *ctx)
{
    return *(int *)ctx == 0;
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void jobs_are_done_once_and_later(void **state)
{
    struct world *w = world_of(state);
    struct counted_job jobs[50];
    int left = 50;
    memset(jobs, 0, sizeof jobs);
    for (int i = 0; i < 50; i++) {
        jobs[i].job.run = counted_run;
        jobs[i].job.done = counted_done;
        jobs[i].left = &left;
        w->env->ops->submit(w->env, &jobs[i].job);
    }
    assert_int_equal(left, 50); /* E1: never from inside submit */
    assert_true(w->run_until(w, none_left, &left));
    w->run_until(w, never, NULL);
    for (int i = 0; i < 50; i++)
        assert_int_equal(jobs[i].done, 1);
}

struct ring {
    struct env_timer timer;
    struct world *w;
    uint64_t at;
    int fired, again;
};

static void ring_fire(struct env_timer *timer)
{
    struct ring *r = (struct ring *)(void *)timer;
    r->fired++;
    r->at = r->w->env->ops->mono_ns(r->w->env);
    if (r->again) {
        r->again--;
        r->w->env->ops->timer_start(r->w->env, timer, 1000000);
    }
}

static void timers_fire_in_order_not_early(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct ring late = {.timer.fire = ring_fire, .w = w};
    struct ring soon = {.timer.fire = ring_fire, .w = w};
    struct ring off = {.timer.fire = ring_fire, .w = w};
    struct ring moved = {.timer.fire = ring_fire, .w = w};
    struct ring again = {.timer.fire = ring_fire, .w = w, .again = 3};
    uint64_t start = ops->mono_ns(w->env);
    ops->timer_start(w->env, &late.timer, 20000000);
    ops->timer_start(w->env, &soon.timer, 2000000);
    ops->timer_start(w->env, &off.timer, 1000000);
    ops->timer_start(w->env, &moved.timer, 1000000);
    ops->timer_start(w->env, &moved.timer, 10000000); /* replaces */
    ops->timer_start(w->env, &again.timer, 1000000);
    ops->timer_stop(w->env, &off.timer);
    ops->timer_stop(w->env, &off.timer); /* does nothing */
    w->run_until(w, never, NULL);
    assert_int_equal(late.fired, 1);
    assert_int_equal(soon.fired, 1);
    assert_int_equal(off.fired, 0);
    assert_int_equal(moved.fired, 1);
    assert_int_equal(again.fired, 4);
    assert_true(soon.at >= start + 2000000 && soon.at < moved.at && moved.at < late.at);
    assert_true(moved.at >= start + 10000000 && late.at >= start + 20000000);
    assert_null(late.timer.impl);
}

/* Waits for a tenth of a millisecond; a simulated clock stands still meanwhile. */
static void spin_to(struct world *w, uint64_t part)
{
    for (int i = 0; i < 1000000; i++)
        if (w->env->ops->mono_ns(w->env) % 1000000 / 100000 == part)
            return;
}

/* Asked for between two ticks, while another timer wakes the loop at each tick. */
static void timers_are_never_early(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    for (uint64_t part = 1; part < 10; part++) {
        struct ring r = {.timer.fire = ring_fire, .w = w};
        struct ring ticks = {.timer.fire = ring_fire, .w = w, .again = 6};
        spin_to(w, 0);
        ops->timer_start(w->env, &ticks.timer, 1000000);
        spin_to(w, part);
        uint64_t start = ops->mono_ns(w->env);
        ops->timer_start(w->env, &r.timer, 3000000);
        w->run_until(w, never, NULL);
        assert_int_equal(r.fired, 1);
        assert_true(r.at >= start + 3000000);
    }
}

/* --- files --- */

static void open_modes(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    char path[PATH], sub[PATH];
    struct env_file *file = NULL;
    in(w, "f", path);
    assert_int_equal(ops->file_open(w->env, path, ENV_READ, &file), ERR_NOENT);
    assert_int_equal(ops->file_open(w->env, path, ENV_WRITE, &file), ERR_NOENT);
    assert_null(file);
    ops->file_close(open_new(w, "f"));
    assert_int_equal(ops->file_open(w->env, path, ENV_CREATE, &file), ERR_EXIST);
    assert_int_equal(ops->file_open(w->env, path, ENV_CREATE_OR_OPEN, &file), OK);
    write_at(w, file, 0, "x");
    ops->file_close(file);
    assert_int_equal(ops->file_open(w->env, path, ENV_READ, &file), OK);
    expect_at(w, file, 0, "x");
    ops->file_close(file);
    in(w, "f/below", sub);
    assert_int_equal(ops->file_open(w->env, sub, ENV_CREATE, &file), ERR_NOTDIR);
    in(w, "no/such", sub);
    assert_int_equal(ops->file_open(w->env, sub, ENV_CREATE, &file), ERR_NOENT);
    assert_int_equal(ops->file_open(w->env, w->dir, ENV_READ, &file), ERR_ISDIR);
    assert_int_equal(ops->file_open(w->env, w->dir, ENV_WRITE, &file), ERR_ISDIR);
}

static void reads_and_writes(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_file *file = open_new(w, "f");
    char buf[64];
    size_t got = 99;
    write_at(w, file, 10, "hello");
    assert_int_equal(size_of(w, file), 15);
    assert_int_equal(ops->file_read(file, 0, buf, sizeof buf, &got), OK);
    assert_int_equal(got, 15);
    assert_memory_equal(buf, "\0\0\0\0\0\0\0\0\0\0hello", 15);
    assert_int_equal(ops->file_read(file, 15, buf, sizeof buf, &got), OK);
    assert_int_equal(got, 0);
    assert_int_equal(ops->file_read(file, 1u << 20, buf, sizeof buf, &got), OK);
    assert_int_equal(got, 0);
    write_at(w, file, 12, "LL");
    expect_at(w, file, 10, "heLLo");
    assert_int_equal(ops->file_sync(file), OK);
    expect_at(w, file, 10, "heLLo");
    ops->file_close(file);
}

/* More pieces than any kernel takes at once, some empty, over page borders. */
static void writes_gather(void **state)
{
    enum { COUNT = 3000, PIECE = 17 };
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_file *file = open_new(w, "f");
    struct env_iov *iov = calloc(COUNT, sizeof *iov);
    char *data = malloc(COUNT * PIECE), *back = malloc(COUNT * PIECE);
    size_t at = 0, got = 0;
    for (int i = 0; i < COUNT; i++) {
        size_t len = (size_t)(i % (PIECE + 1));
        iov[i] = (struct env_iov){data + at, len};
        for (size_t k = 0; k < len; k++)
            data[at++] = (char)(i * 31 + (int)k);
    }
    assert_int_equal(ops->file_write(file, 4090, iov, COUNT), OK);
    assert_int_equal(size_of(w, file), 4090 + at);
    assert_int_equal(ops->file_read(file, 4090, back, at, &got), OK);
    assert_int_equal(got, at);
    assert_memory_equal(data, back, at);
    assert_int_equal(ops->file_write(file, 0, iov, 0), OK);
    free(iov);
    free(data);
    free(back);
    ops->file_close(file);
}

static void read_now_is_right_or_says_again(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_file *file = open_new(w, "f");
    char buf[64];
    int answered = 0;
    write_at(w, file, 0, "0123456789");
    for (int i = 0; i < 200; i++) {
        size_t got = 0;
        enum err err = ops->file_read_now(file, 2, buf, 8, &got);
        if (err == ERR_AGAIN)
            continue;
        assert_int_equal(err, OK);
        assert_in_range(got, 1, 8);
        assert_memory_equal(buf, "23456789", got);
        answered++;
    }
    assert_true(answered > 0 || strcmp(w->dir, "d") != 0);
    ops->file_close(file);
}

struct later {
    struct env_read read;
    char buf[64];
    int done, *left;
};

static void later_done(struct env_read *read)
{
    struct later *l = (struct later *)(void *)read;
    assert_int_equal(l->done, 0);
    l->done++;
    (*l->left)--;
}

static void begin_later(struct world *w, struct later *l, struct env_file *file, uint64_t offset)
{
    l->read = (struct env_read){.file = file,
                                .offset = offset,
                                .buf = l->buf,
                                .len = sizeof l->buf,
                                .got = 99,
                                .done = later_done};
    l->done = 0;
    w->env->ops->file_read_later(w->env, &l->read);
}

/* More at once than any queue of an implementation holds, some at and beyond the end. */
static void later_reads_are_done_once_and_right(void **state)
{
    enum { COUNT = 1000, STEP = 7, SIZE = COUNT * STEP };
    struct world *w = world_of(state);
    struct env_file *file = open_new(w, "f");
    struct later *reads = calloc(COUNT, sizeof *reads);
    char data[SIZE];
    int left = COUNT;
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 + i / 256);
    struct env_iov iov = {data, SIZE - 100};
    assert_int_equal(w->env->ops->file_write(file, 0, &iov, 1), OK);
    for (int i = 0; i < COUNT; i++) {
        reads[i].left = &left;
        begin_later(w, &reads[i], file, (uint64_t)(i * STEP));
    }
    assert_int_equal(left, COUNT); /* E6: never before the call returned */
    assert_true(w->run_until(w, none_left, &left));
    w->run_until(w, never, NULL);
    for (int i = 0; i < COUNT; i++) {
        int rest = SIZE - 100 - i * STEP, want = rest < 0 ? 0 : rest < 64 ? rest : 64;
        assert_int_equal(reads[i].done, 1);
        assert_int_equal(reads[i].read.err, OK);
        assert_int_equal(reads[i].read.got, want);
        assert_memory_equal(reads[i].buf, data + i * STEP, (size_t)want);
    }
    free(reads);
    w->env->ops->file_close(file);
}

/* A read whose done begins the next one. */
struct chain {
    struct later later;
    struct world *w;
    int turns, inside;
};

static void chain_done(struct env_read *read)
{
    struct chain *c = (struct chain *)(void *)read;
    assert_int_equal(c->inside, 0);
    assert_int_equal(read->got, 4);
    assert_memory_equal(c->later.buf, "tail", 4);
    if (--c->turns == 0)
        return;
    c->inside = 1;
    c->w->env->ops->file_read_later(c->w->env, read);
    c->inside = 0;
}

static bool chain_ended(void *ctx)
{
    return ((struct chain *)ctx)->turns == 0;
}

static void later_reads_begin_others(void **state)
{
    struct world *w = world_of(state);
    struct env_file *file = open_new(w, "f");
    struct chain c = {.w = w, .turns = 200};
    write_at(w, file, 5000, "tail");
    c.later.read = (struct env_read){
        .file = file, .offset = 5000, .buf = c.later.buf, .len = 64, .done = chain_done};
    w->env->ops->file_read_later(w->env, &c.later.read);
    assert_true(w->run_until(w, chain_ended, &c));
    w->env->ops->file_close(file);
}

static void truncates_and_reserves(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_file *file = open_new(w, "f");
    char buf[16];
    size_t got;
    write_at(w, file, 0, "0123456789");
    assert_int_equal(ops->file_truncate(file, 4), OK);
    assert_int_equal(size_of(w, file), 4);
    assert_int_equal(ops->file_truncate(file, 8), OK);
    assert_int_equal(ops->file_read(file, 0, buf, 16, &got), OK);
    assert_int_equal(got, 8);
    assert_memory_equal(buf, "0123\0\0\0\0", 8); /* what was cut does not come back */
    assert_int_equal(ops->file_reserve(file, 1u << 20), OK);
    assert_int_equal(size_of(w, file), 1u << 20);
    expect_at(w, file, 0, "0123");
    assert_int_equal(ops->file_read(file, (1u << 20) - 16, buf, 16, &got), OK);
    assert_int_equal(got, 16);
    assert_memory_equal(buf, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(ops->file_reserve(file, 4096), OK); /* never makes it smaller */
    assert_int_equal(size_of(w, file), 1u << 20);
    assert_int_equal(ops->file_truncate(file, 0), OK);
    assert_int_equal(size_of(w, file), 0);
    ops->file_close(file);
}

static void removed_files_stay_readable(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    char path[PATH];
    struct env_file *file = open_new(w, "f");
    write_at(w, file, 0, "kept");
    assert_int_equal(ops->file_remove(w->env, in(w, "f", path)), OK);
    assert_int_equal(ops->file_remove(w->env, path), ERR_NOENT);
    expect_at(w, file, 0, "kept");
    ops->file_close(file);
}

static void renames_replace(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    char a[PATH], b[PATH];
    struct env_file *file = open_new(w, "a");
    write_at(w, file, 0, "from a");
    ops->file_close(file);
    ops->file_close(open_new(w, "b"));
    assert_int_equal(ops->file_rename(w->env, in(w, "a", a), in(w, "b", b)), OK);
    assert_int_equal(ops->file_rename(w->env, a, b), ERR_NOENT);
    assert_int_equal(ops->file_rename(w->env, b, b), OK);
    assert_int_equal(ops->file_open(w->env, b, ENV_READ, &file), OK);
    expect_at(w, file, 0, "from a");
    ops->file_close(file);
    assert_int_equal(ops->file_remove(w->env, b), OK);
}

struct listing {
    int count, stop_at;
    char seen[256];
};

static bool list_each(void *ctx, const char *name)
{
    struct listing *l = ctx;
    l->count++;
    size_t len = strlen(l->seen);
    snprintf(l->seen + len, sizeof l->seen - len, "%s ", name);
    return l->count != l->stop_at;
}

static void directories(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    char path[PATH];
    struct env_space space = {0, 0};
    struct listing all = {0}, one = {.stop_at = 1};
    assert_int_equal(ops->dir_make(w->env, in(w, "sub", path)), OK);
    assert_int_equal(ops->dir_make(w->env, path), ERR_EXIST);
    assert_int_equal(ops->dir_make(w->env, in(w, "no/sub", path)), ERR_NOENT);
    ops->file_close(open_new(w, "sub/deep"));
    ops->file_close(open_new(w, "sub-x"));
    ops->file_close(open_new(w, "a"));
    assert_int_equal(ops->dir_list(w->env, w->dir, list_each, &all), OK);
    assert_int_equal(all.count, 3);
    assert_non_null(strstr(all.seen, "sub "));
    assert_non_null(strstr(all.seen, "sub-x "));
    assert_non_null(strstr(all.seen, "a "));
    assert_int_equal(ops->dir_list(w->env, w->dir, list_each, &one), OK);
    assert_int_equal(one.count, 1);
    assert_int_equal(ops->dir_list(w->env, in(w, "none", path), list_each, &one), ERR_NOENT);
    assert_int_equal(ops->dir_list(w->env, in(w, "a", path), list_each, &one), ERR_NOTDIR);
    assert_int_equal(ops->dir_sync(w->env, w->dir), OK);
    assert_int_equal(ops->dir_sync(w->env, in(w, "none", path)), ERR_NOENT);
    assert_int_equal(ops->file_remove(w->env, in(w, "sub", path)), ERR_ISDIR);
    assert_int_equal(ops->dir_space(w->env, w->dir, &space), OK);
    assert_true(space.total > 0 && space.available <= space.total);
}

/* --- the index --- */

static struct env_index *open_index(struct world *w)
{
    char path[PATH];
    struct env_index *index = NULL;
    assert_int_equal(w->env->ops->index_open(w->env, in(w, "index", path), &index), OK);
    return index;
}

static struct env_batch *begin(struct world *w, struct env_index *index)
{
    struct env_batch *batch = NULL;
    assert_int_equal(w->env->ops->batch_begin(index, &batch), OK);
    return batch;
}

static void put(struct world *w, struct env_batch *batch, const char *key, const char *value)
{
    assert_int_equal(w->env->ops->batch_put(batch, text(key), text(value)), OK);
}

static void commit(struct world *w, struct env_batch *batch)
{
    assert_int_equal(w->env->ops->batch_commit(batch), OK);
}

static void expect_entry(struct world *w, struct env_index *index, const char *key,
                         const char *want)
{
    struct bytes value;
    enum err err = w->env->ops->index_get(index, text(key), &value);
    assert_int_equal(err, want ? OK : ERR_NOENT);
    if (want)
        assert_bytes(value, want);
}

static void index_snapshot_isolation(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_index *index = open_index(w);
    struct env_batch *batch = begin(w, index);
    struct bytes held;
    put(w, batch, "k", "1");
    put(w, batch, "gone", "x");
    expect_entry(w, index, "k", NULL);
    commit(w, batch);
    expect_entry(w, index, "k", NULL); /* not before the refresh */
    assert_int_equal(ops->index_refresh(index), OK);
    expect_entry(w, index, "k", "1");
    assert_int_equal(ops->index_get(index, text("k"), &held), OK);
    for (int i = 0; i < 3; i++) { /* several batches behind one snapshot */
        batch = begin(w, index);
        put(w, batch, "k", "2");
        put(w, batch, "k", "3"); /* the last one counts */
        assert_int_equal(ops->batch_delete(batch, text("gone")), OK);
        assert_int_equal(ops->batch_delete(batch, text("never there")), OK);
        put(w, batch, "new", "y");
        commit(w, batch);
    }
    assert_bytes(held, "1"); /* valid until the refresh */
    expect_entry(w, index, "k", "1");
    expect_entry(w, index, "gone", "x");
    expect_entry(w, index, "new", NULL);
    assert_int_equal(ops->index_refresh(index), OK);
    expect_entry(w, index, "k", "3");
    expect_entry(w, index, "gone", NULL);
    expect_entry(w, index, "new", "y");
    ops->index_close(index);
}

static bool not_bad(struct bytes key, struct bytes value)
{
    return key.len == 1 && !(value.len == 3 && memcmp(value.data, "bad", 3) == 0);
}

static void index_is_verified(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_index *index = open_index(w);
    assert_int_equal(ops->index_verify(index, not_bad), OK);
    struct env_batch *batch = begin(w, index);
    assert_int_equal(ops->batch_put(batch, text("a"), text("good")), OK);
    assert_int_equal(ops->batch_commit(batch), OK);
    assert_int_equal(ops->index_refresh(index), OK);
    assert_int_equal(ops->index_verify(index, not_bad), OK);
    batch = begin(w, index);
    assert_int_equal(ops->batch_put(batch, text("b"), text("bad")), OK);
    assert_int_equal(ops->batch_commit(batch), OK);
    assert_int_equal(ops->index_refresh(index), OK);
    assert_int_equal(ops->index_verify(index, not_bad), ERR_INDEX);
    ops->index_close(index);
}

static void index_abort_leaves_nothing(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_index *index = open_index(w);
    struct env_batch *batch = begin(w, index);
    put(w, batch, "k", "1");
    commit(w, batch);
    batch = begin(w, index);
    put(w, batch, "k", "2");
    put(w, batch, "l", "2");
    ops->batch_abort(batch);
    assert_int_equal(ops->index_refresh(index), OK);
    expect_entry(w, index, "k", "1");
    expect_entry(w, index, "l", NULL);
    ops->index_close(index);
}

static void index_survives_reopen_and_remove_empties(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    char path[PATH];
    for (int round = 0; round < 2; round++) {
        struct env_index *index = open_index(w);
        expect_entry(w, index, "k", NULL);
        struct env_batch *batch = begin(w, index);
        put(w, batch, "k", "1");
        commit(w, batch);
        ops->index_close(index);
        index = open_index(w);
        expect_entry(w, index, "k", "1");
        ops->index_close(index);
        assert_int_equal(ops->index_remove(w->env, in(w, "index", path)), OK);
    }
    assert_int_equal(ops->index_remove(w->env, in(w, "index", path)), ERR_NOENT);
}

static void cursors_walk_in_order(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_index *index = open_index(w);
    struct env_batch *batch = begin(w, index);
    struct env_cursor *c = NULL;
    struct bytes k, v;
    put(w, batch, "b", "2");
    put(w, batch, "a", "1");
    put(w, batch, "bb", "3");
    put(w, batch, "c", "4");
    commit(w, batch);
    assert_int_equal(ops->index_refresh(index), OK);
    batch = begin(w, index); /* invisible to the cursor */
    put(w, batch, "ab", "no");
    assert_int_equal(ops->batch_delete(batch, text("bb")), OK);
    commit(w, batch);
    assert_int_equal(ops->cursor_open(index, &c), OK);
    assert_int_equal(ops->cursor_seek(c, text("aa"), &k, &v), OK);
    assert_bytes(k, "b");
    assert_bytes(v, "2");
    assert_int_equal(ops->cursor_next(c, &k, &v), OK);
    assert_bytes(k, "bb");
    assert_int_equal(ops->cursor_next(c, &k, &v), OK);
    assert_bytes(k, "c");
    assert_int_equal(ops->cursor_next(c, &k, &v), ERR_NOENT);
    assert_int_equal(ops->cursor_seek(c, text("d"), &k, &v), ERR_NOENT);
    assert_int_equal(ops->cursor_seek(c, text("bb"), &k, &v), OK);
    assert_bytes(k, "bb");
    assert_int_equal(ops->cursor_last(c, text("bb"), &k, &v), OK);
    assert_bytes(k, "b");
    assert_int_equal(ops->cursor_last(c, text("zz"), &k, &v), OK);
    assert_bytes(k, "c");
    assert_int_equal(ops->cursor_next(c, &k, &v), ERR_NOENT);
    assert_int_equal(ops->cursor_last(c, text("\xff\xff\xff"), &k, &v), OK);
    assert_bytes(k, "c");
    assert_int_equal(ops->cursor_last(c, text("a"), &k, &v), ERR_NOENT);
    ops->cursor_close(c);
    ops->index_close(index);
}

static void empty_index_has_no_first_or_last(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_index *index = open_index(w);
    struct env_cursor *c = NULL;
    struct bytes k, v;
    assert_int_equal(ops->cursor_open(index, &c), OK);
    assert_int_equal(ops->cursor_next(c, &k, &v), ERR_NOENT);
    assert_int_equal(ops->cursor_seek(c, text("a"), &k, &v), ERR_NOENT);
    assert_int_equal(ops->cursor_last(c, text("a"), &k, &v), ERR_NOENT);
    ops->cursor_close(c);
    ops->index_close(index);
}

/* Against a table in memory: keys of all lengths, values up to the limit, batches of puts and
 * deletes. */
enum { KEYS = 300, VALUE = 8192 };

static struct bytes model_key(unsigned i, uint8_t buf[64])
{
    size_t len = 2 + i % 63;
    memset(buf, (int)(i * 7 % 256), 64);
    buf[0] = (uint8_t)(i >> 8);
    buf[1] = (uint8_t)i;
    return (struct bytes){buf, len};
}

static void index_against_a_model(void **state)
{
    struct world *w = world_of(state);
    const struct env_ops *ops = w->env->ops;
    struct env_index *index = open_index(w);
    static uint8_t value[VALUE];
    int length[KEYS];
    uint8_t key[64];
    uint32_t seed = 1;
    memset(length, -1, sizeof length);
    for (int round = 0; round < 30; round++) {
        struct env_batch *batch = begin(w, index);
        for (int n = 0; n < 60; n++) {
            seed = seed * 1103515245u + 12345u;
            unsigned i = seed >> 8 & 0xffff;
            i %= KEYS;
            length[i] = seed >> 24 & 1 ? (int)((seed >> 4) % (VALUE + 1)) : -1;
            memset(value, (int)i, sizeof value);
            struct bytes k = model_key(i, key);
            struct bytes v = {value, length[i] < 0 ? 0 : (size_t)length[i]};
            assert_int_equal(
                length[i] < 0 ? ops->batch_delete(batch, k) : ops->batch_put(batch, k, v), OK);
        }
        commit(w, batch);
        assert_int_equal(ops->index_refresh(index), OK);
        struct env_cursor *c = NULL;
        struct bytes k, v;
        assert_int_equal(ops->cursor_open(index, &c), OK);
        for (unsigned i = 0; i < KEYS; i++) {
            if (length[i] < 0) {
                assert_int_equal(ops->index_get(index, model_key(i, key), &v), ERR_NOENT);
                continue;
            }
            assert_int_equal(ops->cursor_next(c, &k, &v), OK);
            struct bytes want = model_key(i, key);
            assert_int_equal(k.len, want.len);
            assert_memory_equal(k.data, want.data, k.len);
            assert_int_equal(v.len, length[i]);
            assert_true(!v.len || (v.data[0] == (uint8_t)i && v.data[v.len - 1] == (uint8_t)i));
        }
        assert_int_equal(ops->cursor_next(c, &k, &v), ERR_NOENT);
        ops->cursor_close(c);
        assert_true(ops->index_bytes(index) > 0);
    }
    ops->index_close(index);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

static const struct CMUnitTest tests[] = {
    T(clock_never_goes_back),
    T(random_bits_differ),
    T(jobs_are_done_once_and_later),
    T(timers_fire_in_order_not_early),
    T(timers_are_never_early),
    T(open_modes),
    T(reads_and_writes),
    T(writes_gather),
    T(read_now_is_right_or_says_again),
    T(later_reads_are_done_once_and_right),
    T(later_reads_begin_others),
    T(truncates_and_reserves),
    T(removed_files_stay_readable),
    T(renames_replace),
    T(directories),
    T(index_snapshot_isolation),
    T(index_is_verified),
    T(index_abort_leaves_nothing),
    T(index_survives_reopen_and_remove_empties),
    T(cursors_walk_in_order),
    T(empty_index_has_no_first_or_last),
    T(index_against_a_model),
};

const struct CMUnitTest *const env_suite = tests;
const size_t env_suite_count = sizeof tests / sizeof tests[0];
