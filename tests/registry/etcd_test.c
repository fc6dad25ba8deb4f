/* SPDX-License-Identifier: MIT
 *
 * etcd_test.c: the suite of all registries against one real etcd; and what is etcd's own: leases,
 * certificates, and a child that dies.
 */
#include "cluster.h"
#include "counting.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int start_one(void **state)
{
    struct cluster *c = cluster_new();
    cluster_start(c, 1);
    c->w.a = client_open(c, 0, 1);
    c->w.b = client_open(c, 0, 1);
    *state = c;
    return 0;
}

static int stop(void **state)
{
    struct cluster *c = *state;
    if (c->w.a)
        client_close(c, c->w.a);
    if (c->w.b)
        client_close(c, c->w.b);
    cluster_free(c);
    return 0;
}

static int run_suite(void)
{
    struct CMUnitTest *tests = calloc(registry_suite_count, sizeof *tests);
    memcpy(tests, registry_suite, registry_suite_count * sizeof *tests);
    int failed =
        _cmocka_run_group_tests("etcd: suite", tests, registry_suite_count, start_one, stop);
    free(tests);
    return failed;
}

/* --- Y5 --- */

static enum err put_leased(struct cluster *c, struct registry *registry, const char *key)
{
    const struct registry_write write = {key, {(const uint8_t *)"me", 2}, true};
    struct registry_change change = {.writes = &write, .write_count = 1};
    return change_all(&c->w, registry, &change);
}

/* A process with a leased key, that dies without a word. */
static pid_t die_with_a_key(struct cluster *c)
{
    pid_t child = fork();
    if (child)
        return child;
    uv_loop_init(&c->w.loop); /* a loop of its own: the parent's is not to be shared */
    struct registry *registry = client_open(c, 0, 1);
    _exit(put_leased(c, registry, "alive/2") == OK ? 0 : 1);
}

static void leases_end_with_their_owner(void **state)
{
    struct cluster *c = *state;
    struct registry *closing = client_open(c, 0, 1);
    struct witness witness;
    int status;
    assert_int_equal(put_leased(c, c->w.a, "alive/1"), OK);
    pid_t child = die_with_a_key(c);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    uint64_t start = uv_hrtime();
    assert_int_equal(put_leased(c, closing, "alive/3"), OK);
    assert_int_equal(count_of(&c->w, c->w.b, "alive/"), 3);
    witness_begin(&witness, c->w.b, "alive/");
    witness_expect(&c->w, &witness, "here ");
    client_close(c, closing);
    witness_expect(&c->w, &witness, "here -alive/3 ");
    assert_true(uv_hrtime() - start < 1000000000); /* at once */
    witness_expect(&c->w, &witness, "-alive/3 -alive/2 ");
    double seconds = (double)(uv_hrtime() - start) / 1e9;
    assert_true(seconds > 1.5 && seconds < 5);
    run_for(&c->w, 2500); /* longer than a lease: who is there keeps it */
    assert_int_equal(count_of(&c->w, c->w.b, "alive/1"), 1);
    assert_string_equal(witness.text + witness.len - 9, "-alive/2 ");
    c->w.b->ops->unwatch(c->w.b, &witness.watch);
}

/* The process stood still for longer than its lease. */
static void who_was_away_writes_anew(void **state)
{
    struct cluster *c = *state;
    struct witness witness;
    assert_int_equal(put_leased(c, c->w.a, "alive/1"), OK);
    witness_begin(&witness, c->w.a, "alive/");
    witness_expect(&c->w, &witness, "here ");
    uint64_t until = uv_hrtime() + UINT64_C(4500000000);
    while (uv_hrtime() < until) /* nobody runs the loop */
        poll(NULL, 0, 100);
    witness_expect(&c->w, &witness, "-alive/1 ");
    run_for(&c->w, 1000); /* a third of a lease, and an answer */
    assert_int_equal(put_leased(c, c->w.a, "alive/1"), OK);
    witness_expect(&c->w, &witness, "-alive/1 +alive/1=me ");
    c->w.a->ops->unwatch(c->w.a, &witness.watch);
}

/* --- who may --- */

static void only_nodes_get_in(void **state)
{
    struct cluster *c = *state;
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", c->members[0].client_port);
    struct registry *client = client_open_at(c, url, c->other_tls);
    assert_int_not_equal(get(&c->w, client, "k").err, OK);
    assert_int_not_equal(put(&c->w, client, "k", "v", NULL), OK);
    assert_int_equal(get(&c->w, c->w.a, "k").count, 0);
    assert_true(registry_etcd_trouble(client)[0] != 0);
    client_close(c, client);
    client = client_open_at(c, url, NULL); /* without any */
    assert_int_not_equal(put(&c->w, client, "k", "v", NULL), OK);
    client_close(c, client);
    assert_int_equal(get(&c->w, c->w.a, "k").count, 0);
}

/* --- how long it takes --- */

static void changes_are_quick(void **state)
{
    struct cluster *c = *state;
    struct counting *n = count_begin(&c->w, c->w.a, "n");
    count_some(n, 20);
    count_mark(n);
    count_some(n, 300);
    count_report(n, "one member");
    assert_int_equal(n->timeouts + n->refused + n->conflicts, 0);
    count_end(n);
}

/* --- the child --- */

static void a_child_that_dies_is_started_again(void **state)
{
    struct cluster *c = *state;
    struct witness witness;
    struct member *m = &c->members[0];
    assert_int_equal(put(&c->w, c->w.a, "k", "v", NULL), OK);
    witness_begin(&witness, c->w.b, "k");
    witness_expect(&c->w, &witness, "here ");
    int first = etcd_child_process(m->child);
    member_signal(c, 0, SIGKILL);
    while (m->ups < 2)
        run_for(&c->w, 5);
    assert_true(m->downs == 1 && etcd_child_process(m->child) != first);
    wait_until_there(c, c->w.a);
    assert_string_equal(get(&c->w, c->w.a, "k").value, "v");
    assert_int_equal(put(&c->w, c->w.a, "k", "w", NULL), OK);
    witness_expect(&c->w, &witness, "here +k=w "); /* nothing was lost */
    c->w.b->ops->unwatch(c->w.b, &witness.watch);
}

static bool there(int pid)
{
    char path[64], state[64] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t len = fread(state, 1, sizeof state - 1, file);
    fclose(file);
    const char *end = memchr(state, ')', len);
    return end && end[2] != 'Z';
}

/* A process that has etcd as a child, and is killed. */
static void a_child_ends_with_its_parent(void **state)
{
    struct cluster *c = *state;
    int ends[2], pid = 0, status;
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        uv_loop_init(&c->w.loop);
        member_start(c, 1, NULL, false);
        while (!c->members[1].ups)
            run_for(&c->w, 5);
        pid = etcd_child_process(c->members[1].child);
        if (write(ends[1], &pid, sizeof pid) == sizeof pid)
            run_for(&c->w, 60000);
        _exit(1);
    }
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    assert_true(pid > 1 && there(pid));
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    for (int i = 0; i < 300 && there(pid); i++)
        run_for(&c->w, 10);
    assert_false(there(pid));
    close(ends[0]);
    close(ends[1]);
}

static void a_program_that_is_not_there_is_told(void **state)
{
    struct cluster *c = *state;
    struct store_error error = {""};
    struct etcd_child *child;
    const struct etcd_child_options options = {.loop = &c->w.loop,
                                               .dir = c->members[2].dir,
                                               .name = "x",
                                               .host = "127.0.0.1",
                                               .program = "no-etcd"};
    assert_int_equal(etcd_child_start(&options, &child, &error), ERR_UNREACHABLE);
    assert_non_null(strstr(error.text, "no-etcd"));
}

static int empty(void **state)
{
    struct cluster *c = *state;
    delete_all(&c->w, c->w.a);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, empty)

int main(void)
{
    const struct CMUnitTest own[] = {
        TEST(leases_end_with_their_owner),
        TEST(who_was_away_writes_anew),
        TEST(only_nodes_get_in),
        TEST(changes_are_quick),
        TEST(a_child_that_dies_is_started_again),
        TEST(a_child_ends_with_its_parent),
        TEST(a_program_that_is_not_there_is_told),
    };
    int failed = run_suite();
    return failed + cmocka_run_group_tests_name("etcd", own, start_one, stop);
}
