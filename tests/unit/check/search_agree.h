/* SPDX-License-Identifier: MIT
 *
 * search_agree.h: the checkers by search against the naive ones, on random histories.
 */
#ifndef PACTFS_TEST_SEARCH_AGREE_H
#define PACTFS_TEST_SEARCH_AGREE_H

#include <stdint.h>

#include "core/check/verdict.h"

struct agreement {
    uint32_t histories;
    uint32_t checked[PROMISE_COUNT], broken[PROMISE_COUNT], anomalies[ANOMALY_COUNT];
    uint64_t seed; /* of the first history on which they differ */
    enum promise promise;
    const char *what; /* NULL: they agree on all */
};

/* Compares on histories of seeds from ... from + count - 1 until they differ. */
void search_agree(uint64_t from, uint32_t count, struct agreement *out);
/* Prints a history, for people. */
void search_agree_print(struct history *history);

#endif
