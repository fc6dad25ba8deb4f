/* SPDX-License-Identifier: MIT
 *
 * etcd_test.c: the suite of all registries against one real etcd; and what is etcd's own.
 */
#include "cluster.h"

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

int main(void)
{
    return run_suite();
}
