/* SPDX-License-Identifier: MIT
 *
 * causal_random.h: random small histories of replicas that deliver writes causally, in FIFO order
 * or anyhow, some with answers changed afterwards.
 */
#ifndef PACTFS_TESTS_CAUSAL_RANDOM_H
#define PACTFS_TESTS_CAUSAL_RANDOM_H

#include "core/base/chance.h"
#include "core/check/history.h"

/* What may be in it; see causal_random.c. */
struct random_history {
    struct history *history; /* the caller's; history_sessions was called */
    bool repeats;            /* values may be written twice */
    bool counters, refused;  /* there are counters, refused cas */
};

struct random_history causal_random(uint64_t seed);

#endif
