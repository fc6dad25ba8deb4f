/* SPDX-License-Identifier: MIT
 *
 * sim_test.c: the simulated env: the common suite, then crashes, faults and determinism.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env_suite.h"
#include "sim/sim.h"

#define HOUR UINT64_C(3600000000000)

struct sim_world {
    struct world world;
    struct sim *sim;
    struct sim_disk *disk;
};

static bool run_until(struct world *world, bool (*wanted)(void *ctx), void *ctx)
{
    struct sim_world *w = world->impl;
    return sim_run_until(w->sim, wanted, ctx, HOUR);
}

int world_setup(void **state)
{
    struct sim_world *w = calloc(1, sizeof *w);
    w->disk = sim_disk_new();
    w->sim = sim_new(7, w->disk);
    w->world =
        (struct world){.env = sim_env(w->sim), .dir = "d", .run_until = run_until, .impl = w};
    assert_int_equal(w->world.env->ops->dir_make(w->world.env, "d"), OK);
    *state = &w->world;
    return 0;
}

int world_teardown(void **state)
{
    struct sim_world *w = ((struct world *)*state)->impl;
    sim_free(w->sim);
    sim_disk_free(w->disk);
    free(w);
    return 0;
}

static enum err write_run(struct env *env, struct env_file *file, uint64_t at, uint8_t with,
                          size_t len)
{
    uint8_t data[16384];
    struct env_iov iov = {data, len};
    memset(data, with, len);
    return env->ops->file_write(file, at, &iov, 1);
}

/* --- crashes --- */

enum { BASE = 8192, OVER = 4096 };

struct outcome {
    unsigned old_sectors, new_sectors, torn, missing;
};

/* Synced 'a's, a write of 'b's over a part that was not, and a new file whose name was not. */
static void one_crash(uint64_t seed, struct outcome *sum)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(seed, disk);
    struct env *env = sim_env(sim);
    struct env_file *f, *g;
    uint8_t back[BASE];
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &f), OK);
    assert_int_equal(write_run(env, f, 0, 'a', BASE), OK);
    assert_int_equal(env->ops->file_sync(f), OK);
    assert_int_equal(env->ops->dir_sync(env, "."), OK);
    assert_int_equal(write_run(env, f, 1000, 'b', OVER), OK);
    assert_int_equal(env->ops->file_open(env, "g", ENV_CREATE, &g), OK);
    sim_crash(env);
    assert_int_equal(write_run(env, f, 0, 'c', 1), ERR_CRASHED);
    assert_int_equal(env->ops->file_sync(f), ERR_CRASHED);
    sim_free(sim);
    assert_int_equal(sim_disk_peek(disk, "f", 0, back, BASE), BASE);
    unsigned news = 0, olds = 0;
    for (unsigned at = 1000; at < 1000 + OVER; at++) {
        bool border = at == 1000 || at % 512 == 0;
        assert_true(back[at] == 'a' || back[at] == 'b');
        assert_true(border || back[at] == back[at - 1]); /* torn at sectors only */
        if (border)
            *(back[at] == 'b' ? &news : &olds) += 1;
    }
    for (unsigned at = 0; at < BASE; at++)
        assert_true((at >= 1000 && at < 1000 + OVER) || back[at] == 'a'); /* E2 */
    sum->old_sectors += news == 0;
    sum->new_sectors += olds == 0;
    sum->torn += olds && news;
    sim = sim_new(1, disk);
    env = sim_env(sim);
    enum err err = env->ops->file_open(env, "g", ENV_READ, &g);
    assert_true(err == OK || err == ERR_NOENT);
    sum->missing += err == ERR_NOENT;
    sim_free(sim);
    sim_disk_free(disk);
}

static void crashes_keep_lose_and_tear(void **state)
{
    struct outcome sum = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++)
        one_crash(seed, &sum);
    assert_true(sum.old_sectors > 100 && sum.new_sectors > 100 && sum.torn > 100);
    assert_true(sum.missing > 100 && sum.missing < 1900);
}

static void writes_survive_a_kill(void **state)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(1, disk);
    struct env *env = sim_env(sim);
    struct env_file *f;
    uint8_t back[4];
    (void)state;
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &f), OK);
    assert_int_equal(write_run(env, f, 0, 'k', 4), OK);
    sim_stop(env);
    sim_free(sim);
    assert_int_equal(sim_disk_peek(disk, "f", 0, back, 4), 4);
    assert_memory_equal(back, "kkkk", 4);
    sim_disk_free(disk);
}

/* A rename over a synced file: the old or the new one, never neither. Once synced: the new one. */
static void renames_are_atomic(void **state)
{
    unsigned olds = 0, news = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct sim_disk *disk = sim_disk_new();
        struct sim *sim = sim_new(seed, disk);
        struct env *env = sim_env(sim);
        struct env_file *f, *g;
        uint8_t back;
        assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &f), OK);
        assert_int_equal(write_run(env, f, 0, 'o', 1), OK);
        assert_int_equal(env->ops->file_sync(f), OK);
        assert_int_equal(env->ops->dir_sync(env, "."), OK);
        assert_int_equal(env->ops->file_open(env, "g", ENV_CREATE, &g), OK);
        assert_int_equal(write_run(env, g, 0, 'n', 1), OK);
        assert_int_equal(env->ops->file_sync(g), OK);
        assert_int_equal(env->ops->file_rename(env, "g", "f"), OK);
        if (seed & 1)
            assert_int_equal(env->ops->dir_sync(env, "."), OK);
        sim_crash(env);
        sim_free(sim);
        assert_int_equal(sim_disk_peek(disk, "f", 0, &back, 1), 1);
        assert_true(back == 'n' || (back == 'o' && !(seed & 1)));
        olds += back == 'o';
        news += back == 'n' && !(seed & 1);
        sim_disk_free(disk);
    }
    assert_true(olds > 20 && news > 20);
}

static enum err set_key(struct env *env, struct env_index *index, char value)
{
    struct env_batch *batch;
    struct bytes key = {(const uint8_t *)"key", 3};
    enum err err = env->ops->batch_begin(index, &batch);
    if (err)
        return err;
    assert_int_equal(env->ops->batch_put(batch, key, (struct bytes){(uint8_t *)&value, 1}), OK);
    return env->ops->batch_commit(batch);
}

static char get_key(struct sim_disk *disk)
{
    struct sim *sim = sim_new(3, disk);
    struct env *env = sim_env(sim);
    struct env_index *index;
    struct bytes value, key = {(const uint8_t *)"key", 3};
    assert_int_equal(env->ops->index_open(env, "index", &index), OK);
    char got = env->ops->index_get(index, key, &value) == OK ? (char)value.data[0] : '-';
    env->ops->index_close(index);
    sim_free(sim);
    return got;
}

/* E4, with the power failing before, in and after the second commit. */
static void batches_are_all_or_nothing(void **state)
{
    unsigned before = 0, after = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim_disk *disk = sim_disk_new();
        struct sim *sim = sim_new(seed, disk);
        struct env *env = sim_env(sim);
        struct env_index *index;
        assert_int_equal(env->ops->index_open(env, "index", &index), OK);
        assert_int_equal(set_key(env, index, '1'), OK);
        sim_crash_at(env, 1);
        assert_int_equal(set_key(env, index, '2'), ERR_CRASHED);
        assert_true(sim_crashed(env));
        env->ops->index_close(index);
        sim_free(sim);
        char got = get_key(disk);
        assert_true(got == '1' || got == '2');
        before += got == '1';
        after += got == '2';
        sim_disk_free(disk);
    }
    assert_true(before > 10 && after > 10);
}

/* --- faults --- */

static void full_disks_refuse(void **state)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(1, disk);
    struct env *env = sim_env(sim);
    struct env_file *f;
    struct env_space space;
    (void)state;
    sim_disk_capacity(disk, 16384);
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &f), OK);
    assert_int_equal(env->ops->file_reserve(f, 8192), OK);
    assert_int_equal(env->ops->file_reserve(f, 20000), ERR_NOSPC);
    assert_int_equal(write_run(env, f, 0, 'x', 8192), OK); /* has its room */
    assert_int_equal(write_run(env, f, 8192, 'x', 8192), OK);
    assert_int_equal(sim_disk_used(disk), 16384);
    assert_int_equal(write_run(env, f, 16384, 'x', 1), ERR_NOSPC);
    assert_int_equal(env->ops->dir_space(env, ".", &space), OK);
    assert_int_equal(space.available, 0);
    assert_int_equal(env->ops->file_truncate(f, 4096), OK);
    assert_int_equal(sim_disk_used(disk), 4096);
    assert_int_equal(write_run(env, f, 4096, 'x', 4096), OK);
    sim_disk_full(disk, true);
    assert_int_equal(write_run(env, f, 8192, 'x', 1), ERR_NOSPC);
    assert_int_equal(write_run(env, f, 0, 'y', 8192), OK);
    assert_int_equal(env->ops->file_remove(env, "f"), OK);
    assert_int_equal(sim_disk_used(disk), 8192); /* open still */
    env->ops->file_close(f);
    assert_int_equal(sim_disk_used(disk), 0);
    sim_free(sim);
    sim_disk_free(disk);
}

/* x's whose sync failed, then y's whose sync did not: the y's are safe, the x's may be lost. */
static struct sim_disk *after_failed_sync(uint64_t seed)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(seed, disk);
    struct env *env = sim_env(sim);
    struct env_file *f;
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &f), OK);
    sim_io_error_at(env, 2);
    assert_int_equal(write_run(env, f, 0, 'x', 8), OK);
    assert_int_equal(env->ops->file_sync(f), ERR_IO);
    assert_int_equal(write_run(env, f, 0, 'y', 4), OK);
    assert_int_equal(env->ops->file_sync(f), OK);
    assert_int_equal(env->ops->dir_sync(env, "."), OK);
    sim_crash(env);
    sim_free(sim);
    return disk;
}

static void io_errors_strike_once(void **state)
{
    unsigned kept = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        uint8_t back[8] = {0};
        struct sim_disk *disk = after_failed_sync(seed);
        assert_true(sim_disk_peek(disk, "f", 0, back, 8) >= 4);
        kept += back[7] == 'x';
        assert_memory_equal(back, "yyyy", 4);
        sim_disk_free(disk);
    }
    assert_true(kept > 10 && kept < 90);
}

static void rot_shows(void **state)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(1, disk);
    struct env *env = sim_env(sim);
    struct env_file *f;
    uint8_t back[4];
    (void)state;
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &f), OK);
    assert_int_equal(write_run(env, f, 0, 'y', 4), OK);
    sim_free(sim);
    assert_int_equal(sim_disk_flip(disk, "f", 1, 0), OK);
    assert_int_equal(sim_disk_flip(disk, "f", 100, 0), ERR_RANGE);
    assert_int_equal(sim_disk_flip(disk, "none", 1, 0), ERR_NOENT);
    sim_disk_peek(disk, "f", 0, back, 4);
    assert_memory_equal(back, "yxyy", 4);
    sim_disk_free(disk);
}

static void damaged_indexes_say_so(void **state)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(1, disk);
    struct env *env = sim_env(sim);
    struct env_index *index;
    (void)state;
    assert_int_equal(env->ops->index_open(env, "index", &index), OK);
    env->ops->index_close(index);
    assert_int_equal(sim_disk_damage_index(disk, "index"), OK);
    assert_int_equal(env->ops->index_open(env, "index", &index), ERR_INDEX);
    assert_int_equal(env->ops->index_remove(env, "index"), OK);
    assert_int_equal(env->ops->index_open(env, "index", &index), OK);
    env->ops->index_close(index);
    sim_free(sim);
    sim_disk_free(disk);
}

/* --- determinism, and the model of a disk against plain memory --- */

struct churn {
    struct env_job job;
    struct env *env;
    struct env_file *file;
    int left;
};

static void churn_run(struct env_job *job)
{
    struct churn *c = (struct churn *)(void *)job;
    uint64_t draw = c->env->ops->random(c->env);
    (void)write_run(c->env, c->file, draw % 60000, (uint8_t)(draw >> 20), 1 + draw % 5000);
    if (draw >> 60 == 0)
        (void)c->env->ops->file_sync(c->file);
    else if (draw >> 60 == 1)
        (void)c->env->ops->file_truncate(c->file, draw >> 8 & 0xffff);
    else if (draw >> 60 == 2)
        (void)c->env->ops->file_reserve(c->file, draw >> 8 & 0xffff);
}

static void churn_done(struct env_job *job)
{
    struct churn *c = (struct churn *)(void *)job;
    if (--c->left > 0)
        c->env->ops->submit(c->env, job);
}

static uint64_t churn(uint64_t seed, struct sim_disk **left)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(seed, disk);
    struct env *env = sim_env(sim);
    struct churn c[3];
    struct env_file *file;
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &file), OK);
    assert_int_equal(env->ops->dir_sync(env, ""), OK);
    for (int i = 0; i < 3; i++) {
        c[i] = (struct churn){
            .job = {.run = churn_run, .done = churn_done}, .env = env, .file = file, .left = 40};
        env->ops->submit(env, &c[i].job);
    }
    sim_crash_at(env, 40 + seed % 50);
    sim_run_idle(sim, HOUR);
    assert_true(sim_crashed(env));
    uint64_t trace = sim_trace(sim);
    sim_free(sim);
    *left = disk;
    return trace;
}

static uint64_t hash_disk(struct sim_disk *disk)
{
    static uint8_t buf[1 << 17];
    size_t n = sim_disk_peek(disk, "f", 0, buf, sizeof buf);
    return checksum64(buf, n, n);
}

static void same_seed_same_world(void **state)
{
    uint64_t last = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim_disk *a, *b;
        uint64_t trace = churn(seed, &a);
        assert_true(trace == churn(seed, &b));
        assert_true(hash_disk(a) == hash_disk(b));
        assert_true(trace != last);
        last = trace;
        sim_disk_free(a);
        sim_disk_free(b);
    }
}

/* What was synced is what a crash leaves when nothing else was done: cache and durable never part.
 */
static void synced_bytes_equal_the_cache(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sim_disk *disk = sim_disk_new();
        struct sim *sim = sim_new(seed, disk);
        struct env *env = sim_env(sim);
        struct churn c = {.env = env};
        assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &c.file), OK);
        for (int i = 0; i < 60; i++)
            churn_run(&c.job);
        assert_int_equal(env->ops->file_sync(c.file), OK);
        assert_int_equal(env->ops->dir_sync(env, "."), OK);
        uint64_t used = sim_disk_used(disk), cached = hash_disk(disk);
        sim_free(sim);
        struct sim_disk *clone = sim_disk_clone(disk);
        assert_true(hash_disk(clone) == cached && sim_disk_used(clone) == used);
        sim_disk_crash(clone, seed);
        assert_true(hash_disk(clone) == cached && sim_disk_used(clone) == used);
        sim_disk_free(clone);
        assert_true(hash_disk(disk) == cached);
        sim_disk_free(disk);
    }
}

static void clones_crash_apart(void **state)
{
    struct sim_disk *disk;
    uint64_t first = 0;
    unsigned differ = 0;
    (void)state;
    disk = sim_disk_new();
    struct sim *sim = sim_new(5, disk);
    struct env *env = sim_env(sim);
    struct churn c = {.env = env};
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &c.file), OK);
    assert_int_equal(env->ops->dir_sync(env, "."), OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(write_run(env, c.file, (uint64_t)i * 3000, (uint8_t)i, 4000), OK);
    sim_free(sim);
    uint64_t whole = hash_disk(disk);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_disk *clone = sim_disk_clone(disk);
        assert_true(hash_disk(clone) == whole);
        sim_disk_crash(clone, seed);
        uint64_t now = hash_disk(clone);
        differ += seed && now != first;
        first = now;
        sim_disk_free(clone);
    }
    assert_true(differ > 25);
    assert_true(hash_disk(disk) == whole);
    sim_disk_free(disk);
}

static void jumping_clocks(void **state)
{
    struct sim_disk *disk = sim_disk_new();
    struct sim *sim = sim_new(1, disk);
    struct env *env = sim_env(sim);
    (void)state;
    uint64_t mono = env->ops->mono_ns(env), wall = env->ops->wall_ns(env);
    sim_wall_jump(env, -5000000000);
    assert_int_equal(env->ops->wall_ns(env), wall - 5000000000);
    assert_int_equal(env->ops->mono_ns(env), mono);
    sim_advance(sim, 17);
    assert_int_equal(env->ops->mono_ns(env), mono + 17);
    assert_int_equal(sim_now(sim), mono + 17);
    sim_free(sim);
    sim_disk_free(disk);
}

static const struct CMUnitTest sim_only[] = {
    cmocka_unit_test(crashes_keep_lose_and_tear),
    cmocka_unit_test(writes_survive_a_kill),
    cmocka_unit_test(renames_are_atomic),
    cmocka_unit_test(batches_are_all_or_nothing),
    cmocka_unit_test(full_disks_refuse),
    cmocka_unit_test(io_errors_strike_once),
    cmocka_unit_test(rot_shows),
    cmocka_unit_test(damaged_indexes_say_so),
    cmocka_unit_test(same_seed_same_world),
    cmocka_unit_test(synced_bytes_equal_the_cache),
    cmocka_unit_test(clones_crash_apart),
    cmocka_unit_test(jumping_clocks),
};

int main(void)
{
    int failed = _cmocka_run_group_tests("env: sim", env_suite, env_suite_count, NULL, NULL);
    failed += cmocka_run_group_tests_name("sim", sim_only, NULL, NULL);
    return failed != 0;
}
