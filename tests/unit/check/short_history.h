/* SPDX-License-Identifier: MIT
 *
 * short_history.h: histories in one line, as papers write them.
 *
 *   "x=1 x:2 | x=2 x:1"     two processes: each writes x, then reads what the other one wrote
 *
 * Processes are separated by |; each does its transactions one after another, the next process
 * after the last one (so real time says nothing that is meant). Transactions:
 *   x=1 x:1 x:-            a register (u ... z): write, read, read nothing
 *   x=1>2                  cas, done; x=1>2! a cas that was refused
 *   l+1 l:[] l:[1,2]       a list (l ... n): append, read
 *   s+1 s:{} s:{1,2}       a set (r ... t): add, read
 *   c+1 c:3                a counter (a ... d): increment, read
 *   (x=1 y:2)              several acts in one transaction
 *   ?x=1 !x=1              of unknown outcome, failed
 *   *                      an event: all has come to rest
 * A process that comes back is named: "x=1 | x:1 | #0 x=2": # and its number.
 */
#ifndef PACTFS_TESTS_SHORT_HISTORY_H
#define PACTFS_TESTS_SHORT_HISTORY_H

#include "core/check/verdict.h"

/* To be freed by history_free. Ends the program when it is not understood. */
struct history *short_history(const char *text);

/* What the checker says of it; *anomaly may be NULL. */
enum check_result short_verdict(const char *text, enum promise promise, enum anomaly *anomaly);

#endif
