/* SPDX-License-Identifier: MIT
 *
 * shrink.h: makes a failing scenario smaller, as long as it fails in the same way.
 *
 * Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input": candidates are
 * made by leaving parts out, and a candidate that still fails is taken. The parts are the faults,
 * the number of faults that happen, the time between them, the whole time, the number of
 * operations, clients, keys, acts, and the options of the system.
 *
 * Law
 *   K1  What is handed back failed when it was tried; without a candidate that fails, it is what
 *       came in.
 *   K2  No part is larger in it than in what came in.
 *   K3  It ends: every candidate that is taken is smaller in one part and larger in none; the
 *       search ends when none is taken in a whole round, or when try answers SHRINK_STOP.
 */
#ifndef PACTFS_SIM_SHRINK_H
#define PACTFS_SIM_SHRINK_H

#include "sim/scenario/scenario.h"

/* A scenario that failed, and how much of it there was. */
struct shrink_state {
    struct scenario scenario; /* swarm is off */
    uint64_t seed;
    uint64_t transactions; /* that clients began */
    uint64_t faults;       /* that happened */
    uint64_t ended_ns;     /* when it was over or the failure showed; 0: not known */
};

enum shrink_answer { SHRINK_HOLDS = 0, SHRINK_FAILS, SHRINK_STOP };

/* Runs the candidate, with its seed or, when that does not fail, with others that it likes to.
 * FAILS: the same promise was broken; seed and sizes are filled in. STOP: time is up. */
typedef enum shrink_answer shrink_try(void *ctx, struct shrink_state *candidate);

/* How many candidates were tried and taken. */
struct shrink_count {
    uint32_t tried, taken;
};

struct shrink_count scenario_shrink(struct shrink_state *state, shrink_try *attempt, void *ctx);

#endif
