/* SPDX-License-Identifier: MIT
 *
 * faults_test.c: three members of etcd, of which some die or stand still, under load.
 */
#include "cluster.h"
#include "counting.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MAX UINT64_C(3000000000) /* between two changes: 2 s, and a busy machine */

static int start_three(void **state)
{
    struct cluster *c = cluster_new();
    cluster_start(c, 3);
    *state = c;
    return 0;
}

static int stop(void **state)
{
    cluster_free(*state);
    return 0;
}

static int open_clients(void **state)
{
    struct cluster *c = *state;
    c->w.a = client_open(c, 0, 3);
    c->w.b = client_open(c, 1, 3);
    wait_until_there(c, c->w.a);
    wait_until_there(c, c->w.b);
    delete_all(&c->w, c->w.a);
    return 0;
}

static int close_clients(void **state)
{
    struct cluster *c = *state;
    client_close(c, c->w.a);
    client_close(c, c->w.b);
    return 0;
}

static void three_members_answer(void **state)
{
    struct cluster *c = *state;
    struct counting *n = count_begin(&c->w, c->w.a, "n");
    count_some(n, 20);
    count_mark(n);
    count_some(n, 300);
    count_report(n, "three members");
    assert_int_equal(n->timeouts + n->refused + n->conflicts, 0);
    count_end(n);
}

/* Two clients go on while a member dies; afterwards it comes back. */
static void strike(struct cluster *c, unsigned victim, int signal, const char *what)
{
    struct counting *a = count_begin(&c->w, c->w.a, "a");
    struct counting *b = count_begin(&c->w, c->w.b, "b");
    count_some(a, 20);
    count_some(b, 20);
    count_mark(a);
    count_mark(b);
    member_signal(c, victim, signal);
    count_some(a, 100);
    count_some(b, 100);
    count_report(a, what);
    count_report(b, what);
    assert_true(a->longest < PAUSE_MAX && b->longest < PAUSE_MAX);
    assert_int_equal(a->conflicts + b->conflicts, 0);
    if (signal == SIGSTOP)
        member_signal(c, victim, SIGCONT);
    count_some(a, 20);
    count_end(a);
    count_end(b);
    delete_all(&c->w, c->w.a);
}

static void the_leader_is_killed(void **state)
{
    struct cluster *c = *state;
    for (int round = 0; round < 3; round++)
        strike(c, cluster_leader(c), SIGKILL, "leader killed");
}

static void a_follower_is_killed(void **state)
{
    struct cluster *c = *state;
    strike(c, (cluster_leader(c) + 1) % 3, SIGKILL, "follower killed");
}

static void the_leader_stands_still(void **state)
{
    struct cluster *c = *state;
    strike(c, cluster_leader(c), SIGSTOP, "leader stopped");
}

static void a_follower_stands_still(void **state)
{
    struct cluster *c = *state;
    for (unsigned i = 0; i < 2; i++) /* one of them is nearest to one of the clients */
        strike(c, (cluster_leader(c) + 1 + i) % 3, SIGSTOP, "follower stopped");
}

/* put and get look at the deadline themselves. */
static void cut_off_it_is_told_in_time(void **state)
{
    struct cluster *c = *state;
    assert_int_equal(put(&c->w, c->w.a, "k", "v", NULL), OK);
    for (unsigned i = 0; i < 3; i++)
        member_signal(c, i, SIGSTOP);
    for (int round = 0; round < 2; round++) {
        enum err err = put(&c->w, c->w.a, "k", "w", NULL);
        assert_true(err == ERR_TIMEOUT || err == ERR_REGISTRY);
        err = get(&c->w, c->w.a, "k").err;
        assert_true(err == ERR_TIMEOUT || err == ERR_REGISTRY);
        assert_true(registry_etcd_trouble(c->w.a)[0] != 0);
    }
    for (unsigned i = 0; i < 3; i++)
        member_signal(c, i, SIGCONT);
    wait_until_there(c, c->w.a);
    struct got got = get(&c->w, c->w.a, "k");
    assert_true(strcmp(got.value, "v") == 0 || strcmp(got.value, "w") == 0);
}

static void without_a_majority_nothing_changes(void **state)
{
    struct cluster *c = *state;
    assert_int_equal(put(&c->w, c->w.a, "k", "v", NULL), OK);
    member_stop(c, 1);
    member_stop(c, 2);
    run_for(&c->w, 1200); /* until the first one knows */
    assert_int_not_equal(put(&c->w, c->w.a, "k", "w", NULL), OK);
    assert_int_not_equal(get(&c->w, c->w.a, "k").err, OK);
    member_start(c, 1, NULL, false);
    member_start(c, 2, NULL, false);
    wait_until_there(c, c->w.a);
    assert_int_equal(put(&c->w, c->w.a, "k", "x", NULL), OK);
    assert_string_equal(get(&c->w, c->w.b, "k").value, "x");
}

/* The endpoint of the stream stands still, or is gone: the watch goes on elsewhere. */
static void watches_move_on(void **state)
{
    struct cluster *c = *state;
    struct witness witness;
    witness_begin(&witness, c->w.b, "k");
    witness_expect(&c->w, &witness, "here ");
    for (unsigned i = 0; i < 3; i++) {
        char value[8], want[32];
        member_signal(c, i, SIGSTOP);
        snprintf(value, sizeof value, "%u", i);
        snprintf(want, sizeof want, "+k=%u ", i);
        while (put(&c->w, c->w.a, "k", value, NULL) != OK)
            ;
        witness_expect(&c->w, &witness, want); /* within five seconds */
        member_signal(c, i, SIGCONT);
        wait_until_there(c, c->w.a);
    }
    assert_int_equal(witness.losses, 0);
    c->w.b->ops->unwatch(c->w.b, &witness.watch);
}

/* While the watch was away, etcd has forgotten what it missed. */
static void what_was_forgotten_is_told_as_lost(void **state)
{
    struct cluster *c = *state;
    struct registry *lone = client_open(c, 0, 1);
    struct witness witness;
    char body[64];
    uint64_t revision = 0;
    assert_int_equal(put(&c->w, c->w.b, "k1", "v", NULL), OK);
    assert_int_equal(put(&c->w, c->w.b, "k2", "v", NULL), OK);
    witness_begin(&witness, lone, "k");
    witness_expect(&c->w, &witness, "here ");
    member_stop(c, 0);
    for (int i = 0; i < 10; i++)
        while (put(&c->w, c->w.b, "k2", "w", &revision) != OK)
            ;
    assert_int_equal(delete_key(&c->w, c->w.b, "k1"), OK);
    snprintf(body, sizeof body, "{\"revision\":\"%llu\"}", (unsigned long long)revision);
    free(ask_member(c, 1, "/v3/kv/compaction", body));
    member_start(c, 0, NULL, false);
    witness_expect(&c->w, &witness, "here lost +k2=w here ");
    assert_int_equal(witness.losses, 1);
    assert_int_equal(put(&c->w, c->w.b, "k3", "v", NULL), OK);
    witness_expect(&c->w, &witness, "+k2=w here +k3=v ");
    lone->ops->unwatch(lone, &witness.watch);
    client_close(c, lone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_clients, close_clients)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_members_answer),
        TEST(the_leader_is_killed),
        TEST(a_follower_is_killed),
        TEST(the_leader_stands_still),
        TEST(a_follower_stands_still),
        TEST(cut_off_it_is_told_in_time),
        TEST(without_a_majority_nothing_changes),
        TEST(watches_move_on),
        TEST(what_was_forgotten_is_told_as_lost),
    };
    return cmocka_run_group_tests_name("faults", tests, start_three, stop);
}
