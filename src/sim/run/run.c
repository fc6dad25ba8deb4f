/* SPDX-License-Identifier: MIT
 *
 * run.c: one run of a scenario: its phases, and what a system may tell it.
 *
 * Law
 *   N1  The phases follow one another: safety, progress, rest, final reads, inspection, checks. A
 *       broken promise ends the run at once; a system that ends as it may (run_ends) leaves out all
 *       but the checks.
 *   N2  Whatever chance decides comes from the seed, by streams that do not disturb one another.
 *   N3  Every transaction that was begun has an end in the history when the checks begin.
 */
#include "sim/run/run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/run/run_private.h"

#define PROGRESS_LEAST 2u /* transactions of each client, after the faults */

uint64_t run_seed(uint64_t seed, uint64_t purpose)
{
    struct chance chance;
    chance_seed(&chance, seed ^ purpose * UINT64_C(0xa0761d6478bd642f));
    return chance_next(&chance);
}

/* --- what a system calls --- */

void run_broken(struct run *run, const char *promise, const char *format, ...)
{
    struct run_result *result = run->result;
    va_list arguments;
    char line[512];
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    run_say(run, "check", "broken: %s: %s", promise, line);
    if (result->broken)
        return;
    result->broken = true;
    result->at_ns = sim_now(run->sim);
    snprintf(result->promise, sizeof result->promise, "%s", promise);
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *whole = malloc((size_t)len + 1);
    INVARIANT(len >= 0 && whole != NULL);
    va_start(arguments, format);
    vsnprintf(whole, (size_t)len + 1, format, arguments);
    va_end(arguments);
    text_add(&result->text, "%s", whole);
    free(whole);
}

void run_ends(struct run *run, const char *format, ...)
{
    va_list arguments;
    char line[512];
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    run_say(run, "run", "ends: %s", line);
    run->result->ended = true;
}

void run_say(struct run *run, const char *who, const char *format, ...)
{
    va_list arguments;
    char line[2048];
    if (!run->watch)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    run->watch->line(run->watch->ctx, sim_now(run->sim), who, line);
}

uint64_t run_random(struct run *run)
{
    return chance_next(run->chance);
}

uint32_t run_below(struct run *run, uint32_t n)
{
    return chance_below(run->chance, n);
}

/* --- phases --- */

static bool is_over(const struct running *r)
{
    return r->run.result->broken || r->run.result->ended;
}

/* Runs the world until wanted(r), or something ends the run: true; or until `deadline`, or until
 * nothing happens any more: false. */
static bool run_until(struct running *r, bool (*wanted)(struct running *r), uint64_t deadline)
{
    while (!is_over(r) && !wanted(r)) {
        if (sim_now(r->run.sim) >= deadline || !sim_step(r->run.sim))
            return false;
        if (r->ops->stepped)
            r->ops->stepped(r->system);
    }
    return true;
}

static uint64_t phase_begin(struct running *r, enum run_phase phase, uint64_t lasts)
{
    r->phase = phase;
    r->phase_began = sim_now(r->run.sim);
    return r->phase_began + lasts;
}

static bool never(struct running *r)
{
    uint32_t most = r->run.scenario->operations;
    return most && r->begun >= most && clients_idle(r);
}

static bool have_progressed(struct running *r)
{
    for (uint32_t i = 0; i < r->run.scenario->clients; i++)
        if (r->clients[i].progress < PROGRESS_LEAST)
            return false;
    return true;
}

static bool is_at_rest(struct running *r)
{
    return clients_idle(r) && r->ops->at_rest(r->system);
}

static bool have_read_all(struct running *r)
{
    for (uint32_t i = 0; i < r->run.scenario->clients; i++)
        if (!r->clients[i].finished)
            return false;
    return true;
}

/* Who stands still, for the sentence of a broken promise. */
static void no_progress(struct running *r, const char *what)
{
    const struct run_client *busy = clients_busy(r);
    char line[1024];
    uint64_t waited = (sim_now(r->run.sim) - r->phase_began) / 1000000;
    if (busy)
        run_broken(&r->run, "progress",
                   "%s: %" PRIu64 " ms after the last fault this has no answer: %s", what, waited,
                   txn_print(r->run.history, busy->txn, line, sizeof line));
    else
        run_broken(&r->run, "progress", "%s: %" PRIu64 " ms after the last fault it is not so",
                   what, waited);
}

static void safety(struct running *r, uint64_t seed)
{
    uint64_t end = phase_begin(r, RUN_SAFETY, r->run.scenario->length_ns);
    clients_begin(r, seed);
    faults_begin(r, seed);
    run_until(r, never, end);
}

static void progress(struct running *r)
{
    if (is_over(r))
        return;
    run_say(&r->run, "run", "the faults end");
    faults_end(r);
    history_event(r->run.history, EVENT_HEALED, sim_now(r->run.sim), "the faults have ended");
    uint64_t end = phase_begin(r, RUN_PROGRESS, r->run.scenario->heal_ns);
    clients_wake(r);
    if (!run_until(r, have_progressed, end)) {
        no_progress(r, "every client goes on");
        return;
    }
    r->phase = RUN_REST;
    if (!run_until(r, is_at_rest, end))
        no_progress(r, "everything comes to rest");
}

static void final_reads(struct running *r)
{
    if (is_over(r))
        return;
    run_say(&r->run, "run", "all is at rest; each client reads everything");
    history_event(r->run.history, EVENT_CONVERGED, sim_now(r->run.sim), "all is at rest");
    uint64_t end = phase_begin(r, RUN_FINAL, r->run.scenario->heal_ns);
    clients_wake(r);
    if (!run_until(r, have_read_all, end))
        no_progress(r, "each client reads everything");
}

/* --- making and ending --- */

static const struct system_ops *find_system(const char *word)
{
    for (size_t i = 0; systems[i]; i++)
        if (strcmp(systems[i]->word, word) == 0)
            return systems[i];
    return NULL;
}

static struct running *running_new(const struct scenario *scenario, uint64_t seed,
                                   const struct run_watch *watch, struct run_result *result)
{
    struct running *r = calloc(1, sizeof *r);
    struct chance *chance = malloc(sizeof *chance);
    INVARIANT(r != NULL && chance != NULL);
    chance_seed(chance, run_seed(seed, PURPOSE_SYSTEM));
    r->disk = sim_disk_new();
    r->run = (struct run){
        .scenario = scenario,
        .sim = sim_new(seed, r->disk),
        .history = history_new(),
        .chance = chance,
        .watch = watch && watch->line ? watch : NULL,
        .result = result,
        .impl = r,
    };
    r->env = sim_env(r->run.sim);
    result->history = r->run.history;
    arena_init(&result->arena);
    return r;
}

static void running_free(struct running *r)
{
    faults_free(r);
    workload_free(r->workload);
    if (r->system)
        r->ops->free(r->system);
    sim_free(r->run.sim);
    sim_disk_free(r->disk);
    free(r->run.chance);
    free(r);
}

void run_scenario(const struct scenario *scenario, uint64_t seed, const struct run_watch *watch,
                  struct run_result *result)
{
    memset(result, 0, sizeof *result);
    struct running *r = running_new(scenario, seed, watch, result);
    r->ops = find_system(scenario->system);
    INVARIANT(r->ops != NULL); /* run_refuses was asked */
    r->system = r->ops->make(&r->run);
    if (!r->system && !result->broken)
        run_broken(&r->run, "start", "the system cannot be made");
    if (r->system) {
        if (!is_over(r))
            safety(r, seed);
        progress(r);
        final_reads(r);
        if (!clients_idle(r))
            r->ops->give_up(r->system);
        INVARIANT(clients_idle(r)); /* Y1 */
        if (!is_over(r))
            r->ops->inspect(r->system);
    }
    result->simulated_ns = sim_now(r->run.sim);
    result->events = sim_events(r->run.sim);
    result->trace = run_trace(r);
    if (!result->broken)
        run_check(r);
    running_free(r);
}

void run_result_free(struct run_result *result)
{
    history_free(result->history);
    text_free(&result->text);
    arena_free(&result->arena);
    result->history = NULL;
}

/* --- which systems there are, and what they refuse --- */

static bool refuse_faults(const struct scenario *s, const struct system_ops *ops, struct text *why)
{
    for (uint32_t i = 0; i < s->fault_count; i++) {
        if (s->faults[i].off || (ops->faults >> s->faults[i].kind & 1))
            continue;
        text_add(why, "the system %s takes no fault %s; it takes", ops->word,
                 fault_word(s->faults[i].kind));
        for (unsigned kind = 0; kind < FAULT_KIND_COUNT; kind++)
            if (ops->faults >> kind & 1)
                text_add(why, " %s", fault_word((enum fault_kind)kind));
        return true;
    }
    return false;
}

bool run_refuses(const struct scenario *scenario, struct text *why)
{
    const struct system_ops *ops = find_system(scenario->system);
    if (!ops) {
        text_add(why, "there is no system %s; there are:", scenario->system);
        for (size_t i = 0; systems[i]; i++)
            text_add(why, " %s", systems[i]->word);
        return true;
    }
    if (!scenario->clients || scenario->clients > SCENARIO_CLIENTS_MAX || !scenario->nodes ||
        scenario->nodes > SCENARIO_NODES_MAX) {
        text_add(why, "there are 1 to %u clients and 1 to %u nodes", SCENARIO_CLIENTS_MAX,
                 SCENARIO_NODES_MAX);
        return true;
    }
    if (scenario->workload == WORKLOAD_TREE && !ops->new_inode) {
        text_add(why, "the system %s has no trees of files", ops->word);
        return true;
    }
    const char *sentence = ops->refuses ? ops->refuses(scenario) : NULL;
    if (sentence)
        text_add(why, "the system %s cannot do this: %s", ops->word, sentence);
    return sentence || refuse_faults(scenario, ops, why);
}

void run_knobs(struct scenario *scenario, uint64_t seed)
{
    const struct system_ops *ops = find_system(scenario->system);
    struct chance chance;
    chance_seed(&chance, seed);
    if (ops && ops->knobs)
        ops->knobs(scenario, &chance);
}
