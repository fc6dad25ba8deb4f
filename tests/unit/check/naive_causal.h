/* SPDX-License-Identifier: MIT
 *
 * naive_causal.h: causal memory and the session guarantees by their definitions, for small
 * histories: every order is tried. Shares nothing with the checkers but the history.
 */
#ifndef PACTFS_TESTS_NAIVE_CAUSAL_H
#define PACTFS_TESTS_NAIVE_CAUSAL_H

#include "core/check/verdict.h"

#define NAIVE_ACTS   16u
#define NAIVE_WRITES 6u  /* more than these: naive_session must not be asked */
#define NAIVE_WAYS   16u /* in which reads may have got their values, tried at most */

enum naive_answer { NAIVE_BROKEN = 0, NAIVE_HOLDS, NAIVE_TOO_LARGE };

/* Ahamad et al. 1995: some reads-from, and for each session some serialisation of all transactions'
 * writes and its own reads. history_sessions was called. */
enum naive_answer naive_causal(const struct history *history);

/* One of the four session guarantees: for each session some arbitration of all writes, and for each
 * read some set of visible ones; the definitions are G1 to G7 of session_guarantees.c and Y1 of
 * read_your_writes.c. */
enum naive_answer naive_session(const struct history *history, enum promise promise);

#endif
