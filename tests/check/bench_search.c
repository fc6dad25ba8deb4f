/* SPDX-License-Identifier: MIT
 *
 * bench_search.c: bench_search [OPERATIONS]: what the checkers by search cost. Histories of
 * correct systems: registers, lists, sets and counters of 20 clients over 1,000 objects, and a tree
 * of files of 6 clients with crashes. Prints seconds and the peak of memory of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "large_history.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* In a process of its own, so that the peak is its own. */
static void measure(const struct large *large, enum promise promise, const char *name)
{
    fflush(stdout);
    pid_t child = fork();
    if (child > 0) {
        waitpid(child, NULL, 0);
        return;
    }
    struct arena arena;
    struct verdict verdict;
    struct rusage usage;
    arena_init(&arena);
    struct history *history = large_history(large);
    double begin = seconds();
    check_history(history, promise, NULL, &arena, &verdict);
    double end = seconds();
    getrusage(RUSAGE_SELF, &usage);
    printf("%-10s %-13s %8u operations %8.3f s %6ld MiB  %s %s %u steps\n", name,
           promise_word(promise), history->txn_count, end - begin, usage.ru_maxrss / 1024,
           verdict.result == CHECK_HOLDS       ? "holds"
           : verdict.result == CHECK_UNDECIDED ? "undecided"
                                               : "broken",
           anomaly_name(verdict.anomaly), verdict.step_count);
    fflush(stdout);
    _exit(0);
}

static void measure_all(uint32_t operations)
{
    static const struct {
        enum history_model model;
        const char *name;
    } models[] = {{MODEL_REGISTER, "registers"},
                  {MODEL_LIST, "lists"},
                  {MODEL_SET, "sets"},
                  {MODEL_COUNTER, "counters"}};
    struct large large = {.operations = operations, .keys = 1000, .clients = 20, .seed = 1};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        large.model = models[i].model;
        measure(&large, PROMISE_LINEARISABLE, models[i].name);
    }
    large.model = MODEL_REGISTER;
    large.faults = 1;
    measure(&large, PROMISE_LINEARISABLE, "stale read");
    large.faults = 0;
    large.keys = 1;
    measure(&large, PROMISE_LINEARISABLE, "one key");
    large.keys = 1000;
    measure(&large, PROMISE_SEQUENTIAL, "registers");
    large.lag = 100;
    measure(&large, PROMISE_SEQUENTIAL, "lagging");
    measure(&large, PROMISE_PRAM, "lagging");
}

int main(int argc, char **argv)
{
    uint32_t one = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    for (uint32_t operations = 10000; operations <= 1000000; operations *= 10)
        if (!one || one == operations)
            measure_all(operations);
    for (uint32_t operations = 500; operations <= 5000; operations *= 10) {
        struct large large = {.model = MODEL_TREE,
                              .operations = operations,
                              .keys = 1,
                              .clients = 6,
                              .crashes = 8,
                              .seed = 1};
        measure(&large, PROMISE_DURABILITY, "tree");
        large.faults = 1;
        measure(&large, PROMISE_DURABILITY, "lost");
    }
    return 0;
}
