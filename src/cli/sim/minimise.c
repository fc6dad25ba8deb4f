/* SPDX-License-Identifier: MIT
 *
 * minimise.c: makes a failing run smaller, with the workers: each candidate is tried
 * with its seed and, when that does not fail, with the few seeds behind it. A candidate counts
 * only when the same promise is broken; of an invariant, when it is the same one.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/sim/sim.h"
#include "sim/scenario/shrink.h"

#define SEEDS_TRIED  6u
#define LIMIT_NS     (60 * SECOND_NS)
#define WAIT_MS      1000
#define UNKNOWN_SIZE 4096u

struct minimising {
    struct workers *workers;
    struct minimised *out;
    uint64_t until_ns;
    enum drive_end end;
};

static bool same_failure(const struct failure *a, const struct failure *b)
{
    if (strcmp(a->promise, b->promise) != 0)
        return false;
    return strcmp(a->promise, "invariant") != 0 || strcmp(a->text, b->text) == 0;
}

/* Waits for `count` jobs; keeps the failure of the lowest seed that is the same. */
static bool collect(struct minimising *m, unsigned count, struct failure *found)
{
    bool any = false;
    struct job_done *done = malloc(sizeof *done);
    while (done && count && m->end == DRIVE_OVER) {
        enum workers_event event = workers_wait(m->workers, WAIT_MS, done);
        if (event == WORKERS_INTERRUPTED)
            m->end = DRIVE_INTERRUPTED;
        if (event != WORKERS_DONE)
            continue;
        count--;
        if (!done->failed || !same_failure(&done->failure, &m->out->failure))
            continue;
        if (!any || done->failure.seed < found->seed)
            *found = done->failure;
        any = true;
    }
    free(done);
    return any;
}

static enum shrink_answer attempt(void *ctx, struct shrink_state *candidate)
{
    struct minimising *m = ctx;
    struct failure found;
    for (unsigned tried = 0; tried < SEEDS_TRIED;) {
        unsigned wave = 0;
        if (real_ns() > m->until_ns)
            return SHRINK_STOP;
        while (tried < SEEDS_TRIED && workers_idle(m->workers)) {
            struct job job = {.scenario = candidate->scenario, .seed = candidate->seed + tried};
            job.count = 1;
            if (!workers_submit(m->workers, &job, NULL)) {
                m->end = DRIVE_TROUBLE;
                return SHRINK_STOP;
            }
            tried++;
            wave++;
        }
        if (collect(m, wave, &found)) {
            m->out->failure = found;
            candidate->seed = found.seed;
            candidate->transactions = found.transactions;
            candidate->faults = found.faults;
            candidate->ended_ns = found.ended_ns;
            return SHRINK_FAILS;
        }
        if (m->end != DRIVE_OVER)
            return SHRINK_STOP;
    }
    return SHRINK_HOLDS;
}

enum drive_end minimise(struct workers *workers, const struct task *task,
                        const struct sim_options *options, struct minimised *out)
{
    uint64_t began = real_ns();
    struct minimising m = {workers, out, began + LIMIT_NS, DRIVE_OVER};
    struct shrink_state state;
    memset(out, 0, sizeof *out);
    out->failure = *task->failure;
    out->from = out->scenario = sim_prepare(&task->asked, options, task->failure->seed);
    if (!options->shrink || strcmp(out->failure.promise, "hang") == 0)
        return DRIVE_OVER;
    memset(&state, 0, sizeof state);
    state.scenario = out->scenario;
    state.seed = out->failure.seed;
    /* A run that died said nothing of its size: any bound will do to begin with. */
    bool known = out->failure.transactions != 0;
    state.transactions = known ? out->failure.transactions : UNKNOWN_SIZE;
    state.faults = known ? out->failure.faults : UNKNOWN_SIZE;
    state.ended_ns = out->failure.ended_ns;
    struct shrink_count count = scenario_shrink(&state, attempt, &m);
    out->scenario = state.scenario;
    out->tried = count.tried;
    out->taken = count.taken;
    out->took_ns = real_ns() - began;
    return m.end;
}

enum drive_end watch_run(struct workers *workers, const struct minimised *run,
                         struct job_done *done)
{
    struct job job = {.scenario = run->scenario, .seed = run->failure.seed, .count = 1};
    job.watch = true;
    if (!workers_submit(workers, &job, NULL))
        return DRIVE_TROUBLE;
    for (;;) {
        enum workers_event event = workers_wait(workers, WAIT_MS, done);
        if (event == WORKERS_DONE)
            return DRIVE_OVER;
        if (event == WORKERS_INTERRUPTED)
            return DRIVE_INTERRUPTED;
    }
}
