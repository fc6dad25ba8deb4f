/* SPDX-License-Identifier: MIT
 *
 * large_history.h: large histories of correct systems, and of systems with one fault.
 */
#ifndef PACTFS_TEST_LARGE_HISTORY_H
#define PACTFS_TEST_LARGE_HISTORY_H

#include "core/check/verdict.h"

struct large {
    enum history_model model;
    uint32_t operations, clients;
    uint32_t keys;    /* at least; lists and sets are retired after about 200 operations */
    uint32_t lag;     /* registers: reads may be so many writes behind, each client in order */
    uint32_t crashes; /* trees */
    uint32_t faults;  /* registers: stale reads; trees: crashes that lose what was durable */
    uint64_t seed;
};

struct history *large_history(const struct large *large);

#endif
