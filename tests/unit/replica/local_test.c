/* SPDX-License-Identifier: MIT
 *
 * local_test.c: the replica manager of one copy: its phases, who wins, what a restart leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static void makes_the_root_once(void **state)
{
    (void)state;
    struct fixture f;
    struct fs_attr first, second;
    fixture_new(&f, NULL);
    assert_int_equal(fixture_getattr(&f, FS_ROOT_INO, &first), OK);
    assert_int_equal(first.mode, 040755);
    assert_int_equal(fixture_make(&f, FS_ROOT_INO, "a"), 2);
    fixture_sync(&f);
    fixture_restart(&f, false);
    assert_int_equal(fixture_getattr(&f, FS_ROOT_INO, &second), OK);
    assert_true(first.btime == second.btime);
    /* Inode numbers are never used again. */
    assert_int_equal(fixture_make(&f, FS_ROOT_INO, "b"), 3);
    fixture_free(&f);
}

static void a_read_waits_for_the_disk(void **state)
{
    (void)state;
    struct fixture f;
    struct request request = {0};
    uint8_t into[16] = {0};
    bool waited;
    fixture_new(&f, NULL);
    uint64_t ino = fixture_make(&f, FS_ROOT_INO, "a");
    assert_int_equal(fixture_write(&f, ino, 0, "hello"), OK);
    request_for(&request, FS_GETATTR, ino);
    request.durable = true;
    assert_int_equal(fixture_run(&f, &request, &waited), OK);
    assert_true(waited);
    request_end(&request);
    fixture_restart(&f, true);
    fixture_cold(&f);
    request_for(&request, FS_READ, ino);
    request.op.length = sizeof into;
    request.into = into;
    assert_int_equal(fixture_run(&f, &request, &waited), OK);
    assert_true(waited);
    assert_int_equal(request.result.length, 5);
    assert_memory_equal(into, "hello", 5);
    request_free(&request);
    fixture_free(&f);
}

static bool both_done(void *ctx)
{
    return *(uint32_t *)ctx == 2;
}

static void start_write(struct fixture *f, struct request *request, uint64_t ino, uint64_t offset)
{
    request_for(request, FS_WRITE, ino);
    request->op.offset = offset;
    request->op.value = text_bytes("xy");
    request->op.length = 2;
    request->done = count_done;
    assert_false(replica_execute(f->replica, request));
}

/* Two writes into one chunk, both of which have to read it first: the one that comes second must
 * not undo the first. */
static void the_loser_runs_again(void **state)
{
    (void)state;
    struct fixture f;
    struct request one = {0}, two = {0};
    struct replica_status status;
    uint32_t done = 0;
    fixture_new(&f, NULL);
    uint64_t ino = fixture_make(&f, FS_ROOT_INO, "a");
    assert_int_equal(fixture_write(&f, ino, 0, "0123456789"), OK);
    fixture_sync(&f);
    fixture_restart(&f, false);
    fixture_cold(&f);
    done = 0;
    one.ctx = two.ctx = &done;
    start_write(&f, &one, ino, 2);
    start_write(&f, &two, ino, 6);
    assert_true(sim_run_until(f.sim, both_done, &done, LIMIT_NS));
    assert_int_equal(one.err, OK);
    assert_int_equal(two.err, OK);
    replica_status(f.replica, &status);
    assert_int_equal(status.conflicts, 1);
    assert_int_equal(status.in_flight, 0);
    request_free(&one);
    request_free(&two);
    assert_string_equal(fixture_read(&f, ino, 0, 20), "01xy45xy89");
    fixture_free(&f);
}

#define RIVALS 12u

/* Many at once: everyone finishes although each commit beats all others that wait. */
static void everyone_finishes(void **state)
{
    (void)state;
    struct fixture f;
    static struct request requests[RIVALS];
    struct replica_status status;
    uint32_t done = 0;
    fixture_new(&f, NULL);
    uint64_t ino = fixture_make(&f, FS_ROOT_INO, "a");
    assert_int_equal(fixture_write(&f, ino, 0, "------------------------"), OK);
    fixture_sync(&f);
    fixture_restart(&f, false);
    fixture_cold(&f);
    for (uint32_t i = 0; i < RIVALS; i++) {
        requests[i].ctx = &done;
        start_write(&f, &requests[i], ino, i * 2);
    }
    while (done < RIVALS)
        assert_true(sim_step(f.sim));
    for (uint32_t i = 0; i < RIVALS; i++) {
        assert_int_equal(requests[i].err, OK);
        request_free(&requests[i]);
    }
    assert_string_equal(fixture_read(&f, ino, 0, 40), "xyxyxyxyxyxyxyxyxyxyxyxy");
    replica_status(f.replica, &status);
    assert_true(status.conflicts > 0);
    fixture_free(&f);
}

/* After a durable answer the power may fail; the stamp of the next run is later all the same. */
static void durable_means_durable(void **state)
{
    (void)state;
    struct fixture f;
    struct request request = {0};
    fixture_new(&f, NULL);
    uint64_t ino = fixture_make(&f, FS_ROOT_INO, "a");
    request_for(&request, FS_WRITE, ino);
    request.op.value = text_bytes("kept");
    request.op.length = 4;
    request.durable = true;
    assert_int_equal(fixture_run(&f, &request, NULL), OK);
    struct stamp stamp = request.stamp;
    request_free(&request);
    fixture_restart(&f, true);
    assert_string_equal(fixture_read(&f, ino, 0, 10), "kept");
    sim_wall_jump(f.env, -3600 * INT64_C(1000000000));
    request_for(&request, FS_WRITE, ino);
    request.op.value = text_bytes("more");
    request.op.length = 4;
    assert_int_equal(fixture_run(&f, &request, NULL), OK);
    assert_true(stamp_compare(request.stamp, stamp) > 0);
    request_free(&request);
    fixture_free(&f);
}

static void orphans_of_an_earlier_run_go(void **state)
{
    (void)state;
    struct fixture f;
    struct replica_status status;
    char name[16];
    uint64_t inos[40];
    fixture_new(&f, NULL);
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "f%u", i);
        inos[i] = fixture_make(&f, FS_ROOT_INO, name);
        assert_int_equal(fixture_write(&f, inos[i], 0, "data"), OK);
        assert_int_equal(fixture_unlink(&f, FS_ROOT_INO, name), OK);
        /* Still open: as good as ever. */
        assert_string_equal(fixture_read(&f, inos[i], 0, 10), "data");
    }
    fixture_sync(&f);
    fixture_restart(&f, false);
    replica_status(f.replica, &status);
    assert_int_equal(status.orphans, 40);
    /* One more, of this run: somebody has it open. */
    uint64_t mine = fixture_make(&f, FS_ROOT_INO, "mine");
    assert_int_equal(fixture_unlink(&f, FS_ROOT_INO, "mine"), OK);
    sim_advance(f.sim, UINT64_C(1000000000));
    replica_status(f.replica, &status);
    assert_int_equal(status.orphans, 0);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(fixture_getattr(&f, inos[i], NULL), ERR_STALE);
    assert_int_equal(fixture_getattr(&f, mine, NULL), OK);
    fixture_sync(&f);
    fixture_restart(&f, false);
    replica_status(f.replica, &status);
    assert_int_equal(status.orphans, 1);
    fixture_free(&f);
}

static void errors_are_counted(void **state)
{
    (void)state;
    struct fixture f;
    struct replica_status status;
    fixture_new(&f, NULL);
    assert_int_equal(fixture_unlink(&f, FS_ROOT_INO, "none"), ERR_NOENT);
    replica_status(f.replica, &status);
    assert_int_equal(status.failures, 0); /* an answer, not a failure */
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_root_once),   cmocka_unit_test(a_read_waits_for_the_disk),
        cmocka_unit_test(the_loser_runs_again),  cmocka_unit_test(everyone_finishes),
        cmocka_unit_test(durable_means_durable), cmocka_unit_test(orphans_of_an_earlier_run_go),
        cmocka_unit_test(errors_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
