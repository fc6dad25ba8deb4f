/* SPDX-License-Identifier: MIT
 *
 * checking.h: what the checkers share. Private to src/core/check.
 */
#ifndef PACTFS_CHECK_CHECKING_H
#define PACTFS_CHECK_CHECKING_H

#include "core/check/verdict.h"

/* One check under way: one history, one promise. check_history fills it; the checker judges. */
struct checking {
    struct history *history;    /* history_sessions was called */
    struct check_limits limits; /* never 0 */
    struct arena *arena;        /* the caller's: for what the verdict refers to */
    struct verdict *verdict;    /* is CHECK_HOLDS, all else zero */
};

/* The first broken law wins: later calls only count the anomaly, unless theirs is `graver`. Returns
 * true when this one is now the verdict's, and its text, steps and edges are to be given. */
bool checking_broken(struct checking *c, enum anomaly anomaly, bool graver);
void checking_undecided(struct checking *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void checking_not_applicable(struct checking *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Of the broken promise: the sentences; one step, whose place is returned; one edge. */
void checking_text(struct checking *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint32_t checking_step(struct checking *c, uint32_t txn, const char *note_format, ...)
    __attribute__((format(printf, 3, 4)));
void checking_edge(struct checking *c, const struct witness_edge *edge);

/* A format's result in the arena. */
const char *checking_print(struct checking *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The checkers, one a promise. */
void check_linearisable(struct checking *c);
void check_sequential(struct checking *c);
void check_causal(struct checking *c);
void check_pram(struct checking *c);
void check_read_your_writes(struct checking *c);
void check_monotonic_reads(struct checking *c);
void check_monotonic_writes(struct checking *c);
void check_writes_follow_reads(struct checking *c);
void check_strict_serialisable(struct checking *c);
void check_serialisable(struct checking *c);
void check_snapshot_isolation(struct checking *c);
void check_read_committed(struct checking *c);
void check_convergence(struct checking *c);
void check_durability(struct checking *c);
void check_total(struct checking *c);

#endif
