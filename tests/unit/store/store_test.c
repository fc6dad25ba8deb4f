/* SPDX-License-Identifier: MIT
 *
 * store_test.c: the store against its model, in a world where the power fails, disks fill and
 * bits rot.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static uint32_t rounds(uint32_t normally)
{
    const char *text = getenv("PACTFS_TEST_ROUNDS");
    return text ? (uint32_t)strtoul(text, NULL, 10) : normally;
}

static void must_open(struct world *w)
{
    struct store_error error = {""};
    enum err err = world_open(w, &error);
    if (err)
        fail_msg("open: %s: %s", err_name(err), error.text);
}

static void some_commits(struct world *w, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while (!store_has_room(w->store) && sim_step(w->sim))
            ;
        assert_int_equal(world_commit(w), OK);
        while (world_random(w) % 3 == 0 && sim_step(w->sim))
            ;
    }
}

static void keeps_what_was_committed(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 1);
    must_open(&w);
    for (int i = 0; i < 10; i++) {
        some_commits(&w, 50);
        world_verify(&w);
    }
    assert_true(world_sync(&w));
    sim_advance(w.sim, UINT64_C(3000000000));
    world_verify(&w);
    assert_int_equal(world_close(&w), OK);
    must_open(&w);
    world_verify(&w);
    struct store_status status;
    store_status(w.store, &status);
    assert_int_equal(status.replayed_records, 0);
    world_free(&w);
}

static void survives_kill(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 2);
    for (int i = 0; i < 30; i++) {
        must_open(&w);
        world_verify(&w);
        some_commits(&w, 20);
        assert_true(world_sync(&w));
        world_die(&w, false);
    }
    world_free(&w);
}

static void syncs_by_itself(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 3);
    must_open(&w);
    for (int i = 0; i < 20; i++) {
        some_commits(&w, 5);
        sim_advance(w.sim, 1000000000);
        world_die(&w, true);
        must_open(&w);
        world_verify(&w);
    }
    world_free(&w);
}

/* --- power cuts --- */

static void work_until_crash(struct world *w)
{
    sim_crash_at(w->env, 1 + world_random(w) % 120);
    for (uint32_t i = 0; i < 150 && !sim_crashed(w->env); i++) {
        if (!store_has_room(w->store)) {
            if (!sim_step(w->sim))
                break;
            continue;
        }
        enum err err = world_commit(w);
        if (err && err != ERR_FAILED && err != ERR_CRASHED && err != ERR_AGAIN)
            fail_msg("commit: %s", err_name(err));
        if (world_random(w) % 6 == 0)
            world_sync(w);
        while (world_random(w) % 4 == 0 && !sim_crashed(w->env) && sim_step(w->sim))
            ;
    }
}

/* Opens, however often the power fails meanwhile. */
static void open_through_crashes(struct world *w, uint64_t seed)
{
    for (;;) {
        struct store_error error = {""};
        enum err err = world_open(w, &error);
        if (!err)
            return;
        (void)seed;
        fail_msg("seed %" PRIu64 ": after a power cut: %s: %s", seed, err_name(err), error.text);
    }
}

static void one_power_cut_run(uint64_t seed)
{
    struct world w;
    world_new(&w, seed);
    for (uint32_t round = 0; round < 5; round++) {
        open_through_crashes(&w, seed);
        int match = world_match(&w, w.acked);
        if (match < 0)
            fail_msg("seed %" PRIu64
                     " round %u: no prefix of the commits matches (%u acknowledged, %u made)",
                     seed, round, w.acked, w.commits);
        w.commits = w.acked = (uint32_t)match; /* what was recovered is durable (R4) */
        w.now = w.history[match];
        store_check(w.store);
        work_until_crash(&w);
        world_die(&w, true);
    }
    world_free(&w);
}

static void power_cuts_leave_a_prefix(void **state)
{
    (void)state;
    uint32_t n = rounds(400);
    for (uint64_t seed = 1000; seed < 1000 + n; seed++)
        one_power_cut_run(seed);
}

/* --- space --- */

static void cleaner_gives_space_back(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 7);
    must_open(&w);
    for (int i = 0; i < 6; i++) {
        some_commits(&w, 200);
        sim_run_idle(w.sim, UINT64_C(20000000000));
        world_verify(&w);
    }
    struct store_status status;
    store_status(w.store, &status);
    assert_true(status.segments_cleaned > 10);
    assert_true(status.log_bytes < 16 * (256u << 10));
    assert_int_equal(world_close(&w), OK);
    must_open(&w);
    world_verify(&w);
    world_free(&w);
}

static void full_disk_refuses_and_recovers(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 8);
    must_open(&w);
    some_commits(&w, 100);
    sim_run_idle(w.sim, UINT64_C(5000000000));
    sim_disk_full(w.disk, true);
    enum err err = OK;
    for (uint32_t i = 0; i < 2000 && err != ERR_NOSPC; i++) {
        while (!store_has_room(w.store) && sim_step(w.sim))
            ;
        err = world_commit(&w);
        assert_true(err == OK || err == ERR_NOSPC);
        sim_advance(w.sim, 100000);
    }
    assert_int_equal(err, ERR_NOSPC);
    world_verify(&w);
    assert_true(world_sync(&w));
    world_die(&w, true);
    must_open(&w);
    world_verify(&w);
    sim_disk_full(w.disk, false);
    sim_run_idle(w.sim, UINT64_C(5000000000));
    some_commits(&w, 50);
    world_verify(&w);
    world_free(&w);
}

/* --- rot --- */

struct files {
    char path[64][64];
    uint64_t size[64];
    uint32_t count;
};

static bool note_segment(void *ctx, const char *path, uint64_t size)
{
    struct files *files = ctx;
    if (strstr(path, "/seg/") && files->count < 64) {
        snprintf(files->path[files->count], sizeof files->path[0], "%s", path);
        files->size[files->count++] = size;
    }
    return true;
}

static void scrub_problem(struct store_scrub *scrub, const char *file, uint64_t offset,
                          const char *what)
{
    (void)file;
    (void)offset;
    (void)what;
    ++*(uint32_t *)scrub->impl;
}

struct scrubbing {
    struct store_scrub scrub;
    bool over;
    uint32_t found;
};

static void scrub_over(struct store_scrub *scrub, enum err err)
{
    assert_int_equal(err, OK);
    ((struct scrubbing *)scrub)->over = true;
}

static bool flag_set(void *flag)
{
    return *(bool *)flag;
}

static uint32_t scrub_all(struct world *w)
{
    struct scrubbing s = {.scrub = {.problem = scrub_problem, .done = scrub_over}};
    s.scrub.impl = &s.found;
    store_scrub(w->store, &s.scrub);
    assert_true(sim_run_until(w->sim, flag_set, &s.over, UINT64_C(60000000000)));
    return s.found;
}

/* A flipped bit in a closed store: found by scrub when it lies in a record, and never served. */
static void one_rot_run(uint64_t seed)
{
    struct world w;
    struct files files = {.count = 0};
    world_new(&w, seed);
    must_open(&w);
    some_commits(&w, 60);
    assert_int_equal(world_close(&w), OK);
    sim_disk_list(w.disk, note_segment, &files);
    uint32_t f = (uint32_t)(world_random(&w) % files.count);
    uint64_t byte = world_random(&w) % files.size[f];
    uint8_t before = 0;
    assert_int_equal(sim_disk_peek(w.disk, files.path[f], byte, &before, 1), 1);
    assert_int_equal(sim_disk_flip(w.disk, files.path[f], byte, (unsigned)(world_random(&w) % 8)),
                     OK);
    must_open(&w);
    for (uint32_t what = 0; what < SMALLS + BLOCKS; what++) {
        enum err err = OK;
        bool same = world_same(&w, &w.now, what, &err);
        if (!same && err != ERR_CORRUPT)
            fail_msg("seed %" PRIu64 ": rot at %s:%" PRIu64 " was served as data", seed,
                     files.path[f], byte);
    }
    scrub_all(&w);
    world_free(&w);
}

static void rot_is_never_served(void **state)
{
    (void)state;
    uint32_t n = rounds(300);
    for (uint64_t seed = 5000; seed < 5000 + n; seed++)
        one_rot_run(seed);
}

static void scrub_finds_rot_in_records(void **state)
{
    (void)state;
    struct world w;
    struct files files = {.count = 0};
    world_new(&w, 9);
    must_open(&w);
    some_commits(&w, 60);
    assert_int_equal(scrub_all(&w), 0);
    assert_int_equal(world_close(&w), OK);
    sim_disk_list(w.disk, note_segment, &files);
    must_open(&w);
    assert_int_equal(scrub_all(&w), 0);
    assert_int_equal(sim_disk_flip(w.disk, files.path[0], 4096 + 60, 3), OK);
    assert_true(scrub_all(&w) > 0);
    world_free(&w);
}

static void damage_behind_the_checkpoint_stops_the_opening(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 10);
    must_open(&w);
    some_commits(&w, 3);
    assert_true(world_sync(&w));
    some_commits(&w, 3);
    assert_true(world_sync(&w));
    world_die(&w, true);
    assert_int_equal(sim_disk_flip(w.disk, "/store/seg/00000001.seg", 4096 + 50, 1), OK);
    struct store_error error = {""};
    assert_int_equal(world_open(&w, &error), ERR_DAMAGED_RECORD);
    assert_non_null(strstr(error.text, "00000001.seg"));
    assert_int_equal(sim_disk_flip(w.disk, "/store/seg/00000001.seg", 4096 + 50, 1), OK);
    must_open(&w);
    world_verify(&w);
    world_free(&w);
}

static void lost_index_is_made_again(void **state)
{
    (void)state;
    uint32_t n = rounds(60);
    for (uint64_t seed = 6000; seed < 6000 + n; seed++) {
        struct world w;
        world_new(&w, seed);
        must_open(&w);
        for (int i = 0; i < 3; i++) {
            some_commits(&w, 150);
            sim_run_idle(w.sim, UINT64_C(20000000000));
        }
        assert_int_equal(world_close(&w), OK);
        assert_int_equal(sim_disk_damage_index(w.disk, "/store/index"), OK);
        must_open(&w);
        world_verify(&w);
        some_commits(&w, 20);
        world_verify(&w);
        assert_int_equal(world_close(&w), OK);
        w.options.rebuild_index = true;
        must_open(&w);
        world_verify(&w);
        world_free(&w);
    }
}

/* --- versions --- */

static void pinned_versions_stay(void **state)
{
    (void)state;
    struct world w;
    struct store_pin pin;
    world_new(&w, 11);
    must_open(&w);
    some_commits(&w, 30);
    struct model then = w.now;
    struct stamp at = store_last_stamp(w.store);
    store_pin(w.store, at, &pin);
    for (int i = 0; i < 4; i++) {
        some_commits(&w, 60);
        sim_run_idle(w.sim, UINT64_C(5000000000));
        for (uint32_t k = 0; k < SMALLS; k++) {
            struct object_version version;
            assert_int_equal(store_get(w.store, world_small(k), at, &version), OK);
            assert_int_equal(version.present, then.small[k].present);
            if (version.present)
                assert_int_equal(version.value.len, then.small[k].len);
        }
    }
    store_unpin(w.store, &pin);
    struct object_version version;
    assert_int_equal(store_get(w.store, world_small(0), at, &version), ERR_SNAPSHOT_GONE);
    sim_run_idle(w.sim, UINT64_C(20000000000));
    world_verify(&w);
    world_free(&w);
}

static void refuses_what_is_no_store(void **state)
{
    (void)state;
    struct world w;
    struct store_error error = {""};
    world_new(&w, 12);
    w.options.path = "/nowhere";
    assert_int_equal(world_open(&w, &error), ERR_NOT_A_STORE);
    assert_true(error.text[0]);
    w.options.path = "/store";
    must_open(&w);
    some_commits(&w, 200);
    assert_int_equal(world_close(&w), OK);
    w.sim = sim_new(1, w.disk);
    w.env = sim_env(w.sim);
    struct env_file *file;
    assert_int_equal(w.env->ops->file_open(w.env, "/store/seg/00000001.seg", ENV_WRITE, &file), OK);
    assert_int_equal(w.env->ops->file_truncate(file, 5000), OK);
    w.env->ops->file_close(file);
    sim_free(w.sim);
    assert_int_equal(world_open(&w, &error), ERR_SHORT_SEGMENT);
    assert_non_null(strstr(error.text, "00000001.seg"));
    w.sim = sim_new(1, w.disk);
    w.env = sim_env(w.sim);
    assert_int_equal(w.env->ops->file_remove(w.env, "/store/seg/00000001.seg"), OK);
    sim_free(w.sim);
    assert_int_equal(world_open(&w, &error), ERR_MISSING_SEGMENT);
    w.sim = NULL;
    world_free(&w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_committed),
        cmocka_unit_test(survives_kill),
        cmocka_unit_test(syncs_by_itself),
        cmocka_unit_test(power_cuts_leave_a_prefix),
        cmocka_unit_test(cleaner_gives_space_back),
        cmocka_unit_test(full_disk_refuses_and_recovers),
        cmocka_unit_test(rot_is_never_served),
        cmocka_unit_test(scrub_finds_rot_in_records),
        cmocka_unit_test(damage_behind_the_checkpoint_stops_the_opening),
        cmocka_unit_test(lost_index_is_made_again),
        cmocka_unit_test(pinned_versions_stay),
        cmocka_unit_test(refuses_what_is_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
