/* SPDX-License-Identifier: MIT
 *
 * A replica manager in histories that chance seldom makes: each test is one schedule, by hand, for
 * one law of core/replica/primary. The mutants that break these laws are tried here (tests/sim).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "manager.h"
#ifdef PACTFS_INSTRUMENTED
#include "instrument/instrument.h"
#endif

#define BIT(node) (1u << (node))
#define HEARTBEAT (FAILOVER / 10)

static int set_up(void **state)
{
    static struct manager m;
    manager_new(&m);
    *state = &m;
    return 0;
}

static int tear_down(void **state)
{
    manager_free(*state);
    return 0;
}

static struct asked ask_for(uint32_t slot, uint64_t serial, enum fs_code code, uint64_t ino,
                            const char *name)
{
    struct asked asked = {.slot = slot, .serial = serial, .op = {.code = code, .ino = ino}};
    if (name)
        asked.op.name = (struct bytes){(const uint8_t *)name, strlen(name)};
    asked.op.mode = code == FS_MKNOD ? S_IFREG | 0644 : 0755;
    return asked;
}

static uint64_t serial_of_others;

/* Requests that the schedule needs besides, in a slot of their own. */
static enum err other(struct manager *m, enum fs_code code, uint64_t ino, const char *name)
{
    struct asked asked = ask_for(7, ++serial_of_others, code, ino, name);
    return manager_do(m, &asked, NULL);
}

static uint64_t make_file(struct manager *m, const char *name)
{
    struct asked asked = ask_for(7, ++serial_of_others, FS_MKNOD, FS_ROOT_INO, name);
    struct message reply;
    assert_int_equal(manager_do(m, &asked, &reply), OK);
    return reply.result.attr.ino;
}

static struct stamp last_of(const struct manager *m)
{
    return store_last_stamp(m->store);
}

/* Another node is the primary, and then this one again. */
static void reign_anew(struct manager *m)
{
    uint64_t number = m->view.number;
    manager_view(m, number + 1, 2, BIT(1) | BIT(2));
    manager_view(m, number + 2, SELF, BIT(1));
}

/* --- I2, I3: a request takes effect once --- */

static void late_request_of_an_earlier_reign(void **state)
{
    struct manager *m = *state;
    struct asked again = ask_for(0, 1, FS_MKDIR, FS_ROOT_INO, "a");
    again.number = m->view.number;
    assert_int_equal(other(m, FS_MKDIR, FS_ROOT_INO, "a"), OK);
    assert_int_equal(manager_do(m, &again, NULL), ERR_EXIST);
    reign_anew(m);
    manager_pass(m, HEARTBEAT);
    assert_int_equal(other(m, FS_RMDIR, FS_ROOT_INO, "a"), OK);
    manager_ask(m, &again); /* a copy of it, that was long on its way */
    manager_pass(m, HEARTBEAT);
    assert_int_equal(other(m, FS_LOOKUP, FS_ROOT_INO, "a"), ERR_NOENT);
}

static void request_of_long_ago(void **state)
{
    struct manager *m = *state;
    struct asked first = ask_for(0, 1, FS_MKDIR, FS_ROOT_INO, "a");
    struct asked next = ask_for(0, 2, FS_MKDIR, FS_ROOT_INO, "a");
    assert_int_equal(other(m, FS_MKDIR, FS_ROOT_INO, "a"), OK);
    assert_int_equal(manager_do(m, &first, NULL), ERR_EXIST);
    assert_int_equal(manager_do(m, &next, NULL), ERR_EXIST);
    assert_int_equal(other(m, FS_RMDIR, FS_ROOT_INO, "a"), OK);
    manager_ask(m, &first);
    manager_pass(m, HEARTBEAT);
    assert_int_equal(other(m, FS_LOOKUP, FS_ROOT_INO, "a"), ERR_NOENT);
}

static void failure_that_is_asked_for_twice(void **state)
{
    struct manager *m = *state;
    struct asked asked = ask_for(0, 1, FS_MKDIR, FS_ROOT_INO, "a");
    assert_int_equal(other(m, FS_MKDIR, FS_ROOT_INO, "a"), OK);
    assert_int_equal(manager_do(m, &asked, NULL), ERR_EXIST);
    assert_int_equal(other(m, FS_RMDIR, FS_ROOT_INO, "a"), OK);
    assert_int_equal(manager_do(m, &asked, NULL), ERR_EXIST);
    assert_int_equal(other(m, FS_LOOKUP, FS_ROOT_INO, "a"), ERR_NOENT);
}

static uint64_t size_of(struct manager *m, uint64_t ino)
{
    struct asked asked = ask_for(7, ++serial_of_others, FS_GETATTR, ino, NULL);
    struct message reply;
    assert_int_equal(manager_do(m, &asked, &reply), OK);
    return reply.result.attr.size;
}

static struct asked append(uint64_t serial, uint64_t ino)
{
    struct asked asked = ask_for(0, serial, FS_WRITE, ino, NULL);
    asked.op.flags = FS_WRITE_APPEND;
    asked.op.value = (struct bytes){(const uint8_t *)"12345", 5};
    asked.op.length = 5;
    return asked;
}

/* It waits for the disk while one reign ends and another begins; its sender asks again. */
static void request_under_way_between_reigns(void **state)
{
    struct manager *m = *state;
    uint64_t ino = make_file(m, "f");
    struct asked first = append(1, ino), second = append(2, ino);
    assert_int_equal(manager_do(m, &first, NULL), OK);
    manager_pass(m, FAILOVER); /* its bytes are on the disk, and there alone */
    sim_again_per_mille(m->env, 1000);
    manager_forget(m);
    manager_ask(m, &second);
    reign_anew(m);
    sim_advance(m->sim, 0);
    for (int i = 0; i < 20; i++) {
        struct message reply;
        manager_ask(m, &second);
        manager_pass(m, HEARTBEAT / 4);
        if (manager_reply(m, &second, &reply))
            break;
    }
    manager_pass(m, HEARTBEAT);
    assert_int_equal(size_of(m, ino), 10);
}

/* --- L2, L3: who joins --- */

static void join(struct manager *m, uint32_t node, struct stamp last)
{
    struct message join = {.kind = MESSAGE_JOIN, .last = last, .stamp = last, .whole = true};
    m->alive[node] = true;
    m->has[node] = last;
    manager_give(m, node, &join);
}

/* The registry may have taken the view: nothing is answered that the new member lacks. */
static void view_of_which_nothing_is_heard(void **state)
{
    struct manager *m = *state;
    struct asked asked = ask_for(0, 1, FS_MKDIR, FS_ROOT_INO, "a");
    struct message reply;
    m->holds = true;
    join(m, 2, last_of(m));
    manager_pass(m, HEARTBEAT);
    assert_true(view_has(&m->proposed, 2));
    manager_forget(m);
    manager_ask(m, &asked);
    manager_pass(m, HEARTBEAT);
    assert_false(manager_reply(m, &asked, &reply));
    m->takes[2] = true;
    for (int i = 0; i < 10 && !manager_reply(m, &asked, &reply); i++)
        manager_pass(m, HEARTBEAT);
    assert_true(manager_reply(m, &asked, &reply));
}

/* Who has not even what is waited for would hold up all writes. */
static void one_that_lags_does_not_join(void **state)
{
    struct manager *m = *state;
    struct asked asked = ask_for(0, 1, FS_MKDIR, FS_ROOT_INO, "a");
    m->alive[3] = true;
    m->has[3] = last_of(m);
    struct stamp before = last_of(m);
    manager_view(m, m->view.number + 1, SELF, BIT(1) | BIT(3));
    manager_pass(m, HEARTBEAT);
    manager_ask(m, &asked); /* 3 is alive, but does not take it */
    manager_pass(m, HEARTBEAT * 2);
    join(m, 2, before);
    manager_pass(m, HEARTBEAT);
    assert_false(view_has(&m->proposed, 2));
    m->takes[2] = m->takes[3] = true;
    manager_pass(m, FAILOVER);
    assert_true(view_has(&m->proposed, 2));
    assert_true(view_has(&m->view, 3));
}

/* --- L5: the candidate --- */

/* Node 1 is a backup of node 2; node 3, too. */
static void follow(struct manager *m)
{
    manager_view(m, m->view.number + 1, 2, BIT(1) | BIT(2) | BIT(3));
    m->proposed.number = 0;
}

static bool part_is(const struct manager *m, enum primary_part part)
{
    struct primary_status status;
    primary_status(m->primary, &status);
    return status.part == part;
}

static void suspect(struct manager *m)
{
    manager_forget(m);
    for (int i = 0; i < 200 && !part_is(m, PART_CANDIDATE); i++)
        manager_pass(m, 10 * MS);
    assert_true(part_is(m, PART_CANDIDATE));
    assert_non_null(manager_got(m, 3, MESSAGE_FLUSH));
    assert_int_equal(m->proposed.number, 0);
}

static void flushed(struct manager *m, uint32_t node, struct stamp last)
{
    struct message message = {.kind = MESSAGE_FLUSHED, .whole = true, .last = last};
    manager_give(m, node, &message);
}

static void wait_for_proposal(struct manager *m)
{
    for (int i = 0; i < 200 && !m->proposed.number; i++)
        manager_pass(m, 10 * MS);
    assert_int_equal(m->proposed.primary, SELF);
}

static void candidate_lacks_records(void **state)
{
    struct manager *m = *state;
    struct stamp more = last_of(m);
    more.time += 1 << 20;
    follow(m);
    suspect(m);
    flushed(m, 3, more); /* and the record itself was lost on the way */
    wait_for_proposal(m);
    assert_false(view_has(&m->proposed, 3));
}

static void candidate_takes_all_along(void **state)
{
    struct manager *m = *state;
    follow(m);
    suspect(m);
    manager_pass(m, FAILOVER / 8 / 2);
    assert_int_equal(m->proposed.number, 0);
    flushed(m, 3, last_of(m));
    wait_for_proposal(m);
    assert_true(view_has(&m->proposed, 3));
    assert_false(view_has(&m->proposed, 2));
}

static void candidate_is_given_records(void **state)
{
    struct manager *m = *state;
    struct stamp before = last_of(m);
    assert_int_equal(other(m, FS_MKDIR, FS_ROOT_INO, "a"), OK);
    follow(m);
    manager_pass(m, FAILOVER * 3 / 8); /* the primary is silent, but not suspected yet */
    manager_forget(m);
    struct message flush = {.kind = MESSAGE_FLUSH, .last = before};
    manager_give(m, 3, &flush);
    const struct message *record = manager_got(m, 3, MESSAGE_RECORD);
    const struct message *answer = manager_got(m, 3, MESSAGE_FLUSHED);
    assert_non_null(answer);
    assert_int_equal(stamp_compare(answer->last, last_of(m)), 0);
    assert_non_null(record);
    assert_int_equal(stamp_compare(record->before, before), 0);
}

/* --- K1: a copy that is cut short; mending --- */

/* Node 2 gives a snapshot in which there is `name`, or nothing. */
static void copy_from_2(struct manager *m, struct stamp at, const struct message_name *name)
{
    const struct object_key end = {UINT8_MAX, UINT64_MAX, UINT64_MAX};
    const struct message_leaf leaf = {.last = end, .count = 1, .hash = 1};
    manager_view(m, m->view.number + 1, 2, BIT(2));
    struct message snapshot = {.kind = MESSAGE_SNAPSHOT, .stamp = at};
    manager_give(m, 2, &snapshot);
    manager_pass(m, HEARTBEAT);
    struct message leaves = {.kind = MESSAGE_LEAVES, .stamp = at, .end = true, .from = end};
    leaves.leaves = &leaf;
    leaves.leaf_count = 1;
    manager_give(m, 2, &leaves);
    struct message names = {.kind = MESSAGE_NAMES, .stamp = at, .to = end, .names = name};
    names.name_count = name ? 1 : 0;
    manager_give(m, 2, &names);
}

static void copy_that_is_cut_short(void **state)
{
    struct manager *m = *state;
    struct stamp at = last_of(m);
    at.time += 1 << 20;
    const struct message_name name = {{OBJECT_INODE, 77, 0}, at};
    copy_from_2(m, at, &name); /* everything here goes; what is to come does not */
    assert_non_null(manager_got(m, 2, MESSAGE_FETCH));
    manager_pass(m, FAILOVER); /* the store syncs */
    manager_restart(m);
    manager_pass(m, FAILOVER);
    const struct message *join = manager_got(m, 2, MESSAGE_JOIN);
    assert_non_null(join);
    assert_false(join->whole);
}

/* The snapshot's last record may be one that its members never all had. */
static void what_was_copied_is_not_committed(void **state)
{
    struct manager *m = *state;
    struct primary_status status;
    struct stamp at = last_of(m);
    at.time += 1 << 20;
    copy_from_2(m, at, NULL);
    manager_pass(m, HEARTBEAT);
    assert_int_equal(stamp_compare(last_of(m), at), 0);
    primary_status(m->primary, &status);
    assert_true(stamp_compare(status.committed, at) < 0);
}

static void on_mended(void *ctx, enum err err)
{
    (void)ctx;
    (void)err;
}

static void on_exported(struct store_export *export)
{
    *(bool *)export->impl = true;
}

/* What is here is newer than what another copy gives for it. */
static void mended_by_another_version(void **state)
{
    struct manager *m = *state;
    struct object_key root = {OBJECT_INODE, FS_ROOT_INO, 0};
    struct object_version version;
    assert_int_equal(other(m, FS_MKDIR, FS_ROOT_INO, "a"), OK);
    struct store_pin pin;
    store_pin(m->store, last_of(m), &pin);
    assert_int_equal(store_get(m->store, root, STAMP_MAX, &version), OK);
    struct message_name name = {root, version.stamp};
    struct store_export export = {
        .keys = &root, .count = 1, .at = pin.at, .most_bytes = 1 << 20, .done = on_exported};
    assert_true(store_export(m->store, &export));
    assert_int_equal(export.err, OK);
    store_unpin(m->store, &pin);
    assert_int_equal(other(m, FS_MKDIR, FS_ROOT_INO, "b"), OK);
    assert_int_equal(store_get(m->store, root, STAMP_MAX, &version), OK);
    struct stamp newest = version.stamp;
    assert_true(stamp_compare(name.stamp, newest) < 0);
    follow(m);
    manager_forget(m);
    primary_mend(m->primary, &root, 1, on_mended, NULL);
    const struct message *fetch = manager_got(m, 2, MESSAGE_FETCH);
    assert_non_null(fetch);
    struct message objects = {.kind = MESSAGE_OBJECTS,
                              .serial = fetch->serial,
                              .count = 1,
                              .names = &name,
                              .name_count = 1,
                              .head = export.head,
                              .payload = export.payload};
    manager_give(m, 2, &objects);
    assert_int_equal(store_get(m->store, root, STAMP_MAX, &version), OK);
    assert_int_equal(stamp_compare(version.stamp, newest), 0);
    store_export_free(&export);
}

/* --- files without a name --- */

#define FILES 14

static void asked_for_before_all_can_know(void **state)
{
    struct manager *m = *state;
    uint64_t inos[FILES], gone[FILES];
    char name[8];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%d", i);
        inos[i] = make_file(m, name);
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%d", i);
        gone[i] = sim_now(m->sim);
        assert_int_equal(other(m, FS_UNLINK, FS_ROOT_INO, name), OK);
        manager_forget(m);
        manager_pass(m, FAILOVER / 7);
        for (uint32_t s = 0; s < m->sent_count; s++) {
            const struct message *holds = &m->sent[s].message;
            for (uint32_t k = 0; holds->kind == MESSAGE_HOLDS && k < holds->ino_count; k++)
                for (int f = 0; f <= i; f++)
                    assert_true(holds->inos[k] != inos[f] || m->sent[s].at >= gone[f] + FAILOVER);
        }
    }
}

static void held_by_one_that_is_silent(void **state)
{
    struct manager *m = *state;
    uint64_t ino = make_file(m, "f");
    assert_int_equal(other(m, FS_UNLINK, FS_ROOT_INO, "f"), OK);
    manager_forget(m);
    manager_pass(m, 6 * FAILOVER);
    assert_non_null(manager_got(m, AGENT, MESSAGE_HOLDS));
    assert_int_equal(other(m, FS_GETATTR, ino, NULL), OK);
    for (int i = 0; i < 40; i++) {
        manager_forget(m);
        manager_pass(m, FAILOVER / 4);
        const struct message *holds = manager_got(m, AGENT, MESSAGE_HOLDS);
        struct message held = {.kind = MESSAGE_HELD, .session = m->session};
        held.serial = holds ? holds->serial : 0;
        if (holds)
            manager_give(m, AGENT, &held);
    }
    assert_int_not_equal(other(m, FS_GETATTR, ino, NULL), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The instrumented program: --mutant NAME. */
static bool options(int argc, char **argv)
{
#ifdef PACTFS_INSTRUMENTED
    if (argc == 2 && strcmp(argv[1], "--list-mutants") == 0) {
        mutants_print(stdout);
        exit(0);
    }
    if (argc == 3 && strcmp(argv[1], "--mutant") == 0)
        mutant_on = mutant_find(argv[2]);
    return argc == 1 || mutant_on != MUTANT_NONE;
#else
    (void)argv;
    return argc == 1;
#endif
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(late_request_of_an_earlier_reign), TEST(request_of_long_ago),
        TEST(failure_that_is_asked_for_twice),  TEST(request_under_way_between_reigns),
        TEST(view_of_which_nothing_is_heard),   TEST(one_that_lags_does_not_join),
        TEST(candidate_lacks_records),          TEST(candidate_takes_all_along),
        TEST(candidate_is_given_records),       TEST(copy_that_is_cut_short),
        TEST(what_was_copied_is_not_committed), TEST(mended_by_another_version),
        TEST(asked_for_before_all_can_know),    TEST(held_by_one_that_is_silent),
    };
    if (!options(argc, argv))
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
