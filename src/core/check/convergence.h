/* SPDX-License-Identifier: MIT
 *
 * convergence.h: the final reads of a history. Private to convergence*.c; the law is in
 * convergence.c.
 */
#ifndef PACTFS_CHECK_CONVERGENCE_H
#define PACTFS_CHECK_CONVERGENCE_H

#include "core/check/checking.h"

#define NO_TXN UINT32_MAX

/* A final read. */
struct final {
    uint32_t window; /* which event it came after */
    uint32_t txn, act;
};

struct converging {
    struct checking *c;
    const struct history *history;
    struct arena arena;
    struct final *finals;
    uint32_t count;
};

/* Breaks the promise: that final read cannot be, or lacks what transaction `writer` (or NO_TXN)
 * wrote. */
void converging_lost(struct converging *v, uint32_t final, uint32_t writer, enum anomaly anomaly);

/* V4 of trees' names. */
void converging_names(struct converging *v);

#endif
