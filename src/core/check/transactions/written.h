/* SPDX-License-Identifier: MIT
 *
 * written.h: which act wrote a value: the way from what a read shows to the transaction behind it.
 *
 * Only a value that one act wrote to a key tells its writer. Of a value that several acts wrote to
 * one key nothing is inferred, whoever they are. Private to src/core/check.
 */
#ifndef PACTFS_CHECK_WRITTEN_H
#define PACTFS_CHECK_WRITTEN_H

#include "core/check/history.h"

#define COUNT_FULL UINT16_MAX /* a count that is no longer exact */

struct writing {
    uint32_t key, value; /* value is VALUE_NONE and acts 0: a free slot */
    uint32_t act;        /* the first that wrote it; of a transaction that did not fail, if any */
    uint16_t acts;       /* how many wrote it */
    uint16_t alive;      /* how many of them in transactions that did not fail */
    uint16_t shown;      /* how often the longest read of a list shows it; for the list's checker */
    bool seen;           /* a read shows it */
};

struct written {
    struct writing *slots;
    uint64_t size; /* a power of 2 */
};

/* True, and the value, for an act that writes one: write, append, add, cas; unless it was answered
 * with a fault. */
bool act_writes(const struct history_act *act, uint32_t *value);

/* The writings of all acts. The caller frees it. */
void written_init(struct written *written, const struct history *history);
void written_free(struct written *written);

/* NULL when no act wrote that value to that key. */
struct writing *written_find(const struct written *written, uint32_t key, uint32_t value);

#endif
