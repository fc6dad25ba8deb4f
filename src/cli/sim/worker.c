/* SPDX-License-Identifier: MIT
 *
 * worker.c: what a child does: runs the seeds of one job after another, and leaves what came of
 * them in the memory that it shares with its parent. What breaks an invariant, or hangs, ends or
 * is ended with the child; the parent sees at which seed.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/sim/sim.h"
#include "io/history/history_file.h"

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

uint64_t real_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* --- the transcript --- */

static void write_line(void *ctx, uint64_t now_ns, const char *who, const char *text)
{
    const struct worker *worker = ctx;
    struct text line = {0};
    text_add(&line, "%llu\t%s\t%s\n", (unsigned long long)now_ns, who, text);
    for (size_t at = 0; at < line.len;) {
        ssize_t n = write(worker->transcript_fd, line.data + at, line.len - at);
        if (n < 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    text_free(&line);
}

/* --- results --- */

/* A seed's trace, so mixed with the seed that a sum over seeds in any order tells all apart. */
static uint64_t mix(uint64_t seed, uint64_t trace)
{
    uint64_t z = trace + seed * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t faults_fired(const struct run_result *result)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++)
        sum += result->fired[i];
    return sum;
}

static void add_result(struct sums *sums, uint64_t seed, const struct run_result *result)
{
    sums->seeds++;
    sums->trace += mix(seed, result->trace);
    sums->simulated_ns += result->simulated_ns;
    sums->events += result->events;
    sums->transactions += result->transactions;
    sums->done += result->done;
    sums->unknown += result->unknown;
    sums->failed += result->failed;
    sums->undecided += result->undecided;
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++)
        sums->faults[i] += result->fired[i];
}

static void take_failure(struct failure *failure, uint64_t seed, const struct run_result *result)
{
    memset(failure, 0, sizeof *failure);
    failure->seed = seed;
    failure->at_ns = result->at_ns;
    failure->transactions = result->transactions;
    failure->faults = faults_fired(result);
    failure->ended_ns = failure->at_ns ? failure->at_ns : result->simulated_ns;
    snprintf(failure->promise, sizeof failure->promise, "%s", result->promise);
    snprintf(failure->text, sizeof failure->text, "%s", text_string(&result->text));
}

/* --- the files of --history and --svg --- */

static void say_trouble(struct shared_slot *shared, const char *path)
{
    snprintf(shared->trouble, sizeof shared->trouble, "%s cannot be written: %s", path,
             strerror(errno));
}

static void write_history(const struct worker *worker, const struct scenario *scenario,
                          const struct run_result *result)
{
    struct shared_slot *shared = worker->shared;
    struct history_file file = {.history = result->history,
                                .contract = shared->job.scenario.contract,
                                .made_by = shared->job.scenario.name,
                                .promises = scenario->promises != 0};
    for (unsigned i = 0; i < PROMISE_COUNT; i++)
        file.promised[i] = scenario->promises >> i & 1;
    FILE *out = fopen(worker->options->history, "we");
    bool good = out && history_file_write(&file, out) == OK;
    if (out && fclose(out) != 0)
        good = false;
    if (!good)
        say_trouble(shared, worker->options->history);
    shared->wrote_history = good;
}

static void write_picture(const struct worker *worker, const struct run_result *result)
{
    struct text svg = {0};
    if (result->verdict.result != CHECK_BROKEN)
        return;
    verdict_draw(result->history, &result->verdict, &svg);
    FILE *out = fopen(worker->options->svg, "we");
    bool good = out && fwrite(text_string(&svg), 1, svg.len, out) == svg.len;
    if (out && fclose(out) != 0)
        good = false;
    if (!good)
        say_trouble(worker->shared, worker->options->svg);
    worker->shared->wrote_svg = good;
    text_free(&svg);
}

static void write_outputs(const struct worker *worker, const struct scenario *scenario,
                          const struct run_result *result)
{
    if (worker->options->history && result->history)
        write_history(worker, scenario, result);
    if (worker->options->svg && result->history)
        write_picture(worker, result);
}

/* --- one job --- */

static bool refused(struct shared_slot *shared, const struct scenario *scenario, uint64_t seed)
{
    struct text why = {0};
    bool refuses = run_refuses(scenario, &why);
    if (refuses) {
        shared->failed = true;
        memset(&shared->failure, 0, sizeof shared->failure);
        shared->failure.seed = seed;
        snprintf(shared->failure.promise, sizeof shared->failure.promise, "start");
        snprintf(shared->failure.text, sizeof shared->failure.text,
                 "The varied scenario cannot be run: %s", text_string(&why));
    }
    text_free(&why);
    return refuses;
}

static void run_seed(const struct worker *worker, uint64_t seed)
{
    struct shared_slot *shared = worker->shared;
    struct run_watch watch = {write_line, (void *)(uintptr_t)worker};
    struct scenario scenario = sim_prepare(&shared->job.scenario, worker->options, seed);
    struct run_result result;
    uint64_t began = cpu_ns();
    if (refused(shared, &scenario, seed))
        return;
    run_scenario(&scenario, seed, shared->job.watch ? &watch : NULL, &result);
    shared->sums.cpu_ns += cpu_ns() - began;
    add_result(&shared->sums, seed, &result);
    if (result.broken) {
        take_failure(&shared->failure, seed, &result);
        shared->failed = true;
    }
    if (shared->job.watch)
        write_outputs(worker, &scenario, &result);
    run_result_free(&result);
}

static void run_job(const struct worker *worker)
{
    struct shared_slot *shared = worker->shared;
    memset(&shared->sums, 0, sizeof shared->sums);
    shared->failed = shared->wrote_history = shared->wrote_svg = false;
    shared->trouble[0] = 0;
    for (uint32_t i = 0; i < shared->job.count && !shared->failed; i++) {
        atomic_store(&shared->seed, shared->job.seed + i);
        atomic_store(&shared->began_ns, real_ns());
        run_seed(worker, shared->job.seed + i);
    }
    atomic_store(&shared->began_ns, 0);
}

_Noreturn void worker_main(const struct worker *worker)
{
    char byte;
    for (;;) {
        ssize_t n = read(worker->job_fd, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != 1)
            break;
        run_job(worker);
        while (write(worker->done_fd, "d", 1) < 0 && errno == EINTR)
            ;
    }
    if (worker->options->marks)
        marks_to_text(worker->shared->marks, sizeof worker->shared->marks);
    _exit(0);
}
