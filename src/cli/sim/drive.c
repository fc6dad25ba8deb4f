/* SPDX-License-Identifier: MIT
 *
 * drive.c: hands out the seeds of all scenarios in small batches, adds up what they came to, and
 * stops at a failure.
 *
 * Law
 *   D1  The seeds of a scenario are handed out in their order. When one fails, the batches under
 *       way are waited for: the failure that is kept is that of the lowest seed.
 *   D2  Without a limit of time all seeds of a scenario are handed out before the next one's;
 *       with a limit all scenarios get the same machine time.
 *   D3  A canary is over when it was caught, but with --trace, whose sum is over all seeds.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/sim/sim.h"
#include "core/base/assert.h"

#define BATCH_NS  (SECOND_NS / 10) /* of machine time, about */
#define BATCH_MAX 256u
#define TICK_MS   250

struct driver {
    struct workers *workers;
    struct tasks *tasks;
    const struct sim_options *options;
    uint64_t since_ns, shown_ns;
    bool stopping; /* no more seeds are begun */
};

/* What a batch that is under way belongs to. The tag of its job. */
static struct task *task_of(void *tag)
{
    return tag;
}

/* --- what to do next --- */

static uint64_t seeds_left(const struct driver *d, const struct task *task)
{
    bool none = task->over || task->next > d->options->last;
    return none ? 0 : d->options->last - task->next + 1;
}

/* Machine time that the task has had, or is getting. */
static uint64_t time_had(const struct task *task)
{
    return task->sums.cpu_ns + task->under_way * BATCH_NS;
}

static struct task *next_task(const struct driver *d)
{
    struct task *best = NULL;
    for (unsigned i = 0; i < d->tasks->count; i++) {
        struct task *task = &d->tasks->at[i];
        if (!seeds_left(d, task))
            continue;
        if (!d->options->limit_ns)
            return task;
        if (!best || time_had(task) < time_had(best))
            best = task;
    }
    return best;
}

/* About a tenth of a second, and not so many that the other workers go without. */
static uint32_t batch_size(const struct driver *d, const struct task *task)
{
    uint64_t left = seeds_left(d, task), each = 0;
    if (task->sums.seeds)
        each = task->sums.cpu_ns / task->sums.seeds + 1;
    uint64_t size = each ? BATCH_NS / each : 1, share = left / (2 * d->options->jobs);
    size = size < BATCH_MAX ? size : BATCH_MAX;
    size = size < share ? size : share;
    return size ? (uint32_t)size : 1;
}

static bool hand_out(struct driver *d)
{
    while (!d->stopping && workers_idle(d->workers)) {
        struct task *task = next_task(d);
        if (!task)
            return true;
        struct job job = {.scenario = task->asked, .seed = task->next};
        job.count = batch_size(d, task);
        if (!workers_submit(d->workers, &job, task))
            return false;
        task->next += job.count;
        task->under_way++;
    }
    return true;
}

/* --- what came of it --- */

bool canary_caught(const struct task *task)
{
    enum promise promise;
    return task->asked.expect_broken && task->failure &&
           promise_of_word(task->failure->promise, &promise) && task->asked.promises >> promise & 1;
}

bool task_bad(const struct task *task)
{
    return task->asked.expect_broken ? !canary_caught(task) : task->failure != NULL;
}

static void add_sums(struct sums *to, const struct sums *more)
{
    to->seeds += more->seeds;
    to->trace += more->trace;
    to->simulated_ns += more->simulated_ns;
    to->cpu_ns += more->cpu_ns;
    to->events += more->events;
    to->transactions += more->transactions;
    to->done += more->done;
    to->unknown += more->unknown;
    to->failed += more->failed;
    to->undecided += more->undecided;
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++)
        to->faults[i] += more->faults[i];
}

static void keep_failure(struct task *task, const struct failure *failure)
{
    task->failures++;
    if (task->failure && task->failure->seed <= failure->seed)
        return;
    if (!task->failure)
        task->failure = malloc(sizeof *task->failure);
    INVARIANT(task->failure != NULL);
    *task->failure = *failure;
}

/* The seeds of a batch behind one that failed, when the task goes on. */
static bool hand_out_rest(struct driver *d, struct task *task, const struct job_done *done)
{
    uint64_t past = done->failure.seed - done->job.seed + 1;
    struct job rest = done->job;
    if (past >= rest.count)
        return true;
    rest.seed += past;
    rest.count -= (uint32_t)past;
    task->under_way++;
    return workers_submit(d->workers, &rest, task);
}

static bool take_done(struct driver *d, const struct job_done *done)
{
    struct task *task = task_of(done->tag);
    task->under_way--;
    add_sums(&task->sums, &done->sums);
    if (!done->failed)
        return true;
    keep_failure(task, &done->failure);
    if (task->asked.expect_broken && !d->options->trace) {
        task->over = true;
        return true;
    }
    if (!task->asked.expect_broken && !d->options->keep_going) {
        d->stopping = true;
        return true;
    }
    return d->stopping || hand_out_rest(d, task, done);
}

static void show_progress(struct driver *d)
{
    uint64_t now = real_ns();
    if (d->options->limit_ns && now - d->since_ns >= d->options->limit_ns)
        d->stopping = true;
    if (now - d->shown_ns < SECOND_NS / 4)
        return;
    d->shown_ns = now;
    report_progress(d->tasks, d->options, d->since_ns);
}

enum drive_end drive(struct workers *workers, struct tasks *tasks,
                     const struct sim_options *options)
{
    struct driver d = {workers, tasks, options, real_ns(), 0, false};
    enum drive_end end = DRIVE_OVER;
    for (unsigned i = 0; i < tasks->count; i++)
        tasks->at[i].next = options->first;
    for (;;) {
        static struct job_done done; /* large, and there is one driver */
        if (!hand_out(&d)) {
            end = DRIVE_TROUBLE;
            break;
        }
        if (!workers_busy(workers))
            break;
        enum workers_event event = workers_wait(workers, TICK_MS, &done);
        if (event == WORKERS_INTERRUPTED) {
            end = DRIVE_INTERRUPTED;
            break;
        }
        if (event == WORKERS_DONE && !take_done(&d, &done)) {
            end = DRIVE_TROUBLE;
            break;
        }
        show_progress(&d);
    }
    report_progress_clear();
    return end;
}
