/* SPDX-License-Identifier: MIT
 *
 * causal_agree.h: random small histories, judged by the checkers of causal order and of the session
 * guarantees, and by naive_causal.h.
 */
#ifndef PACTFS_TESTS_CAUSAL_AGREE_H
#define PACTFS_TESTS_CAUSAL_AGREE_H

#include "core/check/verdict.h"

#define CAUSAL_PROMISES 5u

struct causal_agreement {
    uint64_t exact;                    /* histories of which the checkers claim to be exact */
    uint64_t broken[CAUSAL_PROMISES];  /* by definition; in the order of causal_promises */
    uint64_t unfound[CAUSAL_PROMISES]; /* of them not found, in the histories that are not exact */
    uint64_t relation_held[4];         /* linearisable, sequential, causal, PRAM histories */
    uint64_t too_large;                /* verdicts left out: too much for the definition */
    uint64_t wrong;                    /* false alarms; not found in exact ones; a promise
                                           kept, but not one that follows from it */
    uint64_t first_wrong;              /* the first's seed */
};

extern const enum promise causal_promises[CAUSAL_PROMISES];

/* Tells of the first few wrong verdicts on the standard output. */
struct causal_agreement causal_agree(uint64_t first_seed, uint64_t count);

#endif
