/* SPDX-License-Identifier: MIT
 *
 * txn_agree.h: random small histories of transactions, judged by the checkers and by naive_txn.h.
 */
#ifndef PACTFS_TESTS_TXN_AGREE_H
#define PACTFS_TESTS_TXN_AGREE_H

#include <stdint.h>

struct agreement {
    uint64_t judged, broken; /* verdicts; of them broken by definition */
    uint64_t exact;          /* judged in histories for which the checker says it is complete */
    uint64_t missed;         /* broken, not found, in the others */
    uint64_t wrong;          /* wrong verdicts: a false alarm, or missed where it is exact */
    uint64_t first_wrong;    /* the seed of the first of them */
};

/* Judges the histories of `count` seeds, each against the four promises; tells of the first few
 * wrong verdicts on the standard output. */
struct agreement txn_agree(uint64_t first_seed, uint64_t count);

#endif
