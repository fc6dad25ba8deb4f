/* SPDX-License-Identifier: MIT
 *
 * bench_txn.c: bench_txn [TRANSACTIONS...]: what a check of transactions costs: by default of
 * 10,000, 100,000 and 1,000,000, of lists and of registers, each in a process of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check/verdict.h"
#include "memory_db.h"

static const enum promise promises[] = {PROMISE_READ_COMMITTED, PROMISE_SNAPSHOT_ISOLATION,
                                        PROMISE_SERIALISABLE, PROMISE_STRICT_SERIALISABLE};

/* Of the processor, so that others on the machine do not count. */
static unsigned long long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

static unsigned long long peak_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (unsigned long long)usage.ru_maxrss / 1024;
}

static void judge(struct history *history, enum promise promise)
{
    struct arena arena;
    struct verdict verdict;
    arena_init(&arena);
    unsigned long long begin = milliseconds();
    check_history(history, promise, NULL, &arena, &verdict);
    printf("    %-22s %-16s %6llu ms, peak %5llu MiB\n", promise_word(promise),
           verdict.result == CHECK_HOLDS ? "holds" : anomaly_name(verdict.anomaly),
           milliseconds() - begin, peak_mib());
    fflush(stdout);
    arena_free(&arena);
}

static void run(uint32_t txns, enum history_model model, bool broken)
{
    struct db_load load = {.seed = 1,
                           .txns = txns,
                           .clients = 20,
                           .acts = 10,
                           .keys = 15,
                           .retire = 128,
                           .model = model,
                           .level = broken ? DB_SNAPSHOT : DB_SERIALISABLE,
                           .bug = broken ? DB_NO_FIRST_WINNER : DB_NO_BUG,
                           .bug_every = broken ? 2 : 0,
                           .unknown = 10,
                           .failed = 10};
    unsigned long long begin = milliseconds();
    struct history *history = db_history(&load);
    printf("%u transactions of %ss, %s: %u acts; made in %llu ms, peak %llu MiB\n", txns,
           model_word(model), broken ? "broken" : "serialisable", history->act_count,
           milliseconds() - begin, peak_mib());
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++)
        judge(history, promises[i]);
    history_free(history);
}

int main(int argc, char **argv)
{
    static const uint32_t counts[] = {10000, 100000, 1000000};
    for (int i = 0; i < (argc > 1 ? argc - 1 : 3) * 4; i++) {
        uint32_t txns = argc > 1 ? (uint32_t)strtoul(argv[1 + i / 4], NULL, 10) : counts[i / 4];
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            run(txns, i & 1 ? MODEL_REGISTER : MODEL_LIST, i & 2);
            fflush(stdout);
            _exit(0);
        }
        if (child < 0 || waitpid(child, NULL, 0) != child)
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
