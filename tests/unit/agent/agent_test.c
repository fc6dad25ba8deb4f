/* SPDX-License-Identifier: MIT
 *
 * agent_test.c: what becomes of inodes without a name, and how much is taken at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/agent/agent.h"
#include "core/agent/local.h"
#include "fixture.h"

#define SECOND UINT64_C(1000000000)

/* Of the one agent that a test has. */
static struct local_executor local;

static struct agent *agent_over(struct fixture *f, uint32_t in_flight)
{
    struct agent_limits limits = agent_limits_default();
    struct agent *agent;
    limits.in_flight = in_flight;
    struct executor *executor = local_executor_init(&local, f->replica);
    assert_int_equal(agent_new(f->env, executor, &limits, &agent), OK);
    return agent;
}

static void note(void *ctx)
{
    ++*(uint32_t *)ctx;
}

static bool noted(void *ctx)
{
    return *(uint32_t *)ctx > 0;
}

/* Ends the agent as a mount does. */
static void finish(struct fixture *f, struct agent *agent)
{
    uint32_t drained = 0;
    agent_forget_all(agent);
    agent_drain(agent, note, &drained);
    if (!drained)
        assert_true(sim_run_until(f->sim, noted, &drained, LIMIT_NS));
    assert_int_equal(drained, 1);
    agent_check(agent);
    agent_free(agent);
}

/* Runs one request through the agent to its end. */
static enum err run(struct fixture *f, struct agent *agent, struct request *request)
{
    uint32_t done = 0;
    request->done = count_done;
    request->ctx = &done;
    if (!agent_execute(agent, request))
        assert_true(sim_run_until(f->sim, noted, &done, LIMIT_NS));
    agent_check(agent);
    return request->err;
}

static void unlink_by(struct fixture *f, struct agent *agent, const char *name)
{
    struct request request = {0};
    request_for(&request, FS_UNLINK, FS_ROOT_INO);
    request.op.name = text_bytes(name);
    assert_int_equal(run(f, agent, &request), OK);
    request_free(&request);
}

static bool exists(struct fixture *f, uint64_t ino)
{
    enum err err = fixture_getattr(f, ino, NULL);
    assert_true(err == OK || err == ERR_STALE);
    return err == OK;
}

static void the_last_reference_reclaims(void **state)
{
    (void)state;
    struct fixture f;
    struct agent_status status;
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 16);
    uint64_t ino = fixture_make(&f, FS_ROOT_INO, "a");
    for (uint32_t i = 0; i < 3; i++)
        agent_ref(agent, ino);
    unlink_by(&f, agent, "a");
    agent_forget(agent, ino, 2);
    sim_advance(f.sim, SECOND);
    assert_true(exists(&f, ino));
    agent_status(agent, &status);
    assert_int_equal(status.orphans, 1);
    agent_forget(agent, ino, 1);
    sim_advance(f.sim, SECOND);
    assert_false(exists(&f, ino));
    agent_status(agent, &status);
    assert_int_equal(status.orphans, 0);
    assert_int_equal(status.reclaimed, 1);
    assert_int_equal(status.inodes, 0);
    finish(&f, agent);
    fixture_free(&f);
}

static void an_unknown_orphan_goes_at_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 16);
    uint64_t ino = fixture_make(&f, FS_ROOT_INO, "a");
    unlink_by(&f, agent, "a");
    sim_advance(f.sim, SECOND);
    assert_false(exists(&f, ino));
    finish(&f, agent);
    fixture_free(&f);
}

static void what_others_reclaim_is_left_to_them(void **state)
{
    (void)state;
    struct fixture f;
    struct agent_status status;
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 16);
    local.executor.reclaims = true;
    uint64_t known = fixture_make(&f, FS_ROOT_INO, "a"), unknown = fixture_make(&f, 1, "b");
    agent_ref(agent, known);
    assert_true(agent_knows(agent, known) && agent_knows(agent, FS_ROOT_INO));
    assert_false(agent_knows(agent, unknown));
    unlink_by(&f, agent, "a");
    unlink_by(&f, agent, "b");
    agent_forget(agent, known, 1);
    sim_advance(f.sim, SECOND);
    assert_false(agent_knows(agent, known));
    assert_true(exists(&f, known) && exists(&f, unknown));
    agent_status(agent, &status);
    assert_int_equal(status.orphans, 0);
    finish(&f, agent);
    fixture_free(&f);
}

static void a_replaced_file_goes_too(void **state)
{
    (void)state;
    struct fixture f;
    struct request request = {0};
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 16);
    uint64_t from = fixture_make(&f, FS_ROOT_INO, "from"), to = fixture_make(&f, FS_ROOT_INO, "to");
    agent_ref(agent, from);
    agent_ref(agent, to);
    request_for(&request, FS_RENAME, FS_ROOT_INO);
    request.op.ino2 = FS_ROOT_INO;
    request.op.name = text_bytes("from");
    request.op.name2 = text_bytes("to");
    assert_int_equal(run(&f, agent, &request), OK);
    request_free(&request);
    agent_forget(agent, from, 1);
    agent_forget(agent, to, 1);
    sim_advance(f.sim, SECOND);
    assert_true(exists(&f, from));
    assert_false(exists(&f, to));
    finish(&f, agent);
    fixture_free(&f);
}

/* A file made without a name: with a link it stays, without one it goes with the last reference. */
static void tmpfiles(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t inos[2];
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 16);
    for (uint32_t i = 0; i < 2; i++) {
        struct request request = {0};
        request_for(&request, FS_TMPFILE, FS_ROOT_INO);
        request.op.new_ino = inos[i] = agent_new_ino(agent);
        request.op.mode = S_IFREG | 0600;
        assert_int_equal(run(&f, agent, &request), OK);
        agent_ref(agent, inos[i]);
        request_free(&request);
    }
    struct request request = {0};
    request_for(&request, FS_LINK, inos[0]);
    request.op.ino2 = FS_ROOT_INO;
    request.op.name2 = text_bytes("named");
    assert_int_equal(run(&f, agent, &request), OK);
    request_free(&request);
    agent_ref(agent, inos[0]);
    agent_forget(agent, inos[0], 2);
    agent_forget(agent, inos[1], 1);
    sim_advance(f.sim, SECOND);
    assert_true(exists(&f, inos[0]));
    assert_false(exists(&f, inos[1]));
    finish(&f, agent);
    fixture_free(&f);
}

static void unmounting_lets_go_of_everything(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t inos[300];
    char name[16];
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 16);
    for (uint32_t i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "f%u", i);
        inos[i] = fixture_make(&f, FS_ROOT_INO, name);
        agent_ref(agent, inos[i]);
        if (i % 2)
            unlink_by(&f, agent, name);
    }
    finish(&f, agent);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(exists(&f, inos[i]), i % 2 == 0);
    fixture_free(&f);
}

static void takes_no_more_than_the_limit(void **state)
{
    (void)state;
    struct fixture f;
    struct request requests[2] = {0};
    uint32_t done = 0, ready = 0;
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 2);
    fixture_sync(&f);
    fixture_make(&f, FS_ROOT_INO, "a");
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(agent_ready(agent));
        request_begin(&requests[i]);
        requests[i].done = count_done;
        requests[i].ctx = &done;
        assert_false(agent_sync(agent, &requests[i]));
    }
    assert_false(agent_ready(agent));
    agent_on_ready(agent, note, &ready);
    assert_int_equal(ready, 0);
    assert_true(sim_run_until(f.sim, noted, &ready, LIMIT_NS));
    assert_true(agent_ready(agent));
    while (done < 2)
        assert_true(sim_step(f.sim));
    assert_int_equal(ready, 1);
    for (uint32_t i = 0; i < 2; i++)
        request_free(&requests[i]);
    finish(&f, agent);
    fixture_free(&f);
}

static void a_slow_disk_pushes_back(void **state)
{
    (void)state;
    struct fixture f;
    static char text[60001];
    struct store_limits limits = store_limits_default();
    uint32_t ready = 0, written = 0;
    limits.pending_bytes = 256 << 10;
    fixture_new(&f, &limits);
    struct agent *agent = agent_over(&f, 16);
    uint64_t ino = fixture_make(&f, FS_ROOT_INO, "a");
    fixture_sync(&f);
    memset(text, 'x', sizeof text - 1);
    while (agent_ready(agent)) {
        struct request request = {0};
        request_for(&request, FS_WRITE, ino);
        request.op.value = text_bytes(text);
        request.op.length = sizeof text - 1;
        request.op.offset = (uint64_t)written * 61440;
        uint32_t done = 0;
        request.done = count_done;
        request.ctx = &done;
        assert_true(agent_execute(agent, &request));
        assert_int_equal(request.err, OK);
        request_free(&request);
        assert_true(++written < 100);
    }
    assert_true(written >= 4);
    agent_on_ready(agent, note, &ready);
    assert_int_equal(ready, 0);
    assert_true(sim_run_until(f.sim, noted, &ready, LIMIT_NS));
    assert_true(agent_ready(agent));
    finish(&f, agent);
    fixture_free(&f);
}

static void says_once_what_is_new(void **state)
{
    (void)state;
    struct fixture f;
    struct fs_attr attr = {.ino = 5, .blocks = 8};
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 2);
    assert_false(agent_has_news(agent, &attr)); /* the kernel does not know it */
    agent_ref(agent, 5);
    agent_told(agent, &attr, 1);
    assert_false(agent_has_news(agent, &attr));
    attr.blocks = 16;
    assert_true(agent_has_news(agent, &attr));
    assert_false(agent_has_news(agent, &attr));
    finish(&f, agent);
    fixture_free(&f);
}

static void says_whom_a_change_makes_wrong(void **state)
{
    (void)state;
    struct fixture f;
    struct fs_attr attr = {.ino = 5}, root = {.ino = FS_ROOT_INO};
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 2);
    assert_true(agent_told(agent, &attr, 1));
    assert_false(agent_changed(agent, 5, 2)); /* the kernel does not know it */
    agent_ref(agent, 5);
    assert_false(agent_changed(agent, 5, 2)); /* nobody was told */
    agent_told(agent, &attr, 1);
    assert_false(agent_changed(agent, 5, 1)); /* only the one who changes it */
    agent_told(agent, &attr, 1);
    assert_true(agent_changed(agent, 5, 2));
    assert_false(agent_changed(agent, 5, 2)); /* once */
    agent_told(agent, &attr, 1);
    agent_told(agent, &attr, 2);
    agent_told(agent, &attr, 1);
    assert_true(agent_changed(agent, 5, 1)); /* 2 was told as well */
    agent_told(agent, &attr, 0);
    assert_true(agent_changed(agent, 5, 0)); /* two that are not known are not the same */
    agent_told(agent, &root, 1);
    assert_true(agent_changed(agent, FS_ROOT_INO, 2));
    finish(&f, agent);
    fixture_free(&f);
}

static void lets_no_count_be_kept_while_the_kernel_counts(void **state)
{
    (void)state;
    struct fixture f;
    struct fs_attr attr = {.ino = 5, .nlink = 1};
    fixture_new(&f, NULL);
    struct agent *agent = agent_over(&f, 2);
    agent_lost_name(agent, 5, 1); /* the kernel does not know it */
    agent_ref(agent, 5);
    assert_true(agent_told(agent, &attr, 2));
    agent_lost_name(agent, 5, 1);
    assert_false(agent_told(agent, &attr, 2));
    agent_settled(agent, 5, 2);
    assert_false(agent_told(agent, &attr, 2));
    agent_settled(agent, 5, 1);
    assert_true(agent_told(agent, &attr, 2));
    agent_lost_name(agent, 5, 1);
    assert_true(agent_told(agent, &attr, 1)); /* it asks: so it has counted */
    assert_true(agent_told(agent, &attr, 2));
    agent_lost_name(agent, 5, 1);
    agent_lost_name(agent, 5, 2); /* who may do so only when 1 has counted */
    agent_settled(agent, 5, 1);
    assert_false(agent_told(agent, &attr, 3));
    agent_lost_name(agent, 5, 0);
    agent_settled(agent, 5, 0);
    assert_false(agent_told(agent, &attr, 0));
    finish(&f, agent);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_reference_reclaims),
        cmocka_unit_test(an_unknown_orphan_goes_at_once),
        cmocka_unit_test(what_others_reclaim_is_left_to_them),
        cmocka_unit_test(a_replaced_file_goes_too),
        cmocka_unit_test(tmpfiles),
        cmocka_unit_test(unmounting_lets_go_of_everything),
        cmocka_unit_test(takes_no_more_than_the_limit),
        cmocka_unit_test(a_slow_disk_pushes_back),
        cmocka_unit_test(says_once_what_is_new),
        cmocka_unit_test(says_whom_a_change_makes_wrong),
        cmocka_unit_test(lets_no_count_be_kept_while_the_kernel_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
