/* SPDX-License-Identifier: MIT
 *
 * run.h: one run of a scenario with one seed.
 *
 *   1. The system is made and started in a new world; clients begin.
 *   2. For scenario->length clients work and faults happen. (safety)
 *   3. All faults end: links heal, nodes start, paused ones go on. Clients still work; within
 *      scenario->heal every operation that is under way must end, and each client must complete
 *      some. (progress) Then everything comes to rest; each client reads everything. (convergence)
 *   4. The system is inspected, the history checked against each promise of the scenario.
 *
 * Chance: the world, the network, the workload of each client and each line of faults draw from
 * streams of their own, all from the seed, so that leaving one out changes the others little.
 */
#ifndef PACTFS_SIM_RUN_H
#define PACTFS_SIM_RUN_H

#include "sim/scenario/scenario.h"

/* Who wants to see what happens, as it happens. */
struct run_watch {
    /* One line of the transcript: who ("client 2", "node 1", "fault", "check"), what. */
    void (*line)(void *ctx, uint64_t now_ns, const char *who, const char *text);
    void *ctx;
};

struct run_result {
    bool broken;
    char promise[SCENARIO_WORD_MAX]; /* what was broken: a promise's word, "structure", "scrub",
                                        "rebuild", "start", "progress", "error", "invariant" */
    struct text text;                /* in sentences, with the witness */
    uint64_t at_ns;                  /* virtual time at which it showed, if it has one */
    uint64_t trace;                  /* a hash of everything that happened and of the history */
    uint64_t simulated_ns, events;
    uint64_t transactions, done, unknown, failed; /* clients' */
    uint64_t fired[FAULT_KIND_COUNT];
    uint32_t undecided; /* promises whose check took more than its limits */
    bool ended;         /* the system ended before the end, as it may: see run_ends in system.h */
    struct history *history; /* the caller's after the run */
    struct verdict verdict;  /* of the broken promise; result CHECK_HOLDS if none */
    struct arena arena;      /* of the verdict */
};

/* The sentence why no system can run this scenario, in `why`; false: it can be run. */
bool run_refuses(const struct scenario *scenario, struct text *why);

/* Fills *result, which the caller ends with run_result_free. `scenario` has swarm off (vary it
 * before). `watch` may be NULL. */
void run_scenario(const struct scenario *scenario, uint64_t seed, const struct run_watch *watch,
                  struct run_result *result);
void run_result_free(struct run_result *result);

/* For scenario_vary: options of the scenario's system with values that this seed chooses. */
void run_knobs(struct scenario *scenario, uint64_t seed);

/* The systems there are: word and sentence, until the word is NULL. */
struct run_system {
    const char *word, *text;
};
const struct run_system *run_systems(void);

#endif
