/* SPDX-License-Identifier: MIT
 *
 * txn_notation.h: histories of transactions as short texts, as papers write them.
 *
 *   "0-3 x=1 y:2 l+5 l:[5 6]"   from time 0 to 3: write x 1; read y -> 2; append l 5; read l
 *   "x=1 failed", "x=1 lost"    failed; no answer. Without times: all at the same time
 *   "y:nil", "x~1>2", "x~1>2!"  nothing there; cas from 1 to 2; one that did not find 1
 *   "s*1 s:{1 2}", "n#3 n@3"    add to a set, read it; increment a counter, read it
 *   "p7 x=1"                    of process 7; else each line is another process
 */
#ifndef PACTFS_TESTS_TXN_NOTATION_H
#define PACTFS_TESTS_TXN_NOTATION_H

#include "core/check/history.h"

/* The history of these lines, in the order of their times; NULL ends them. The caller's. */
struct history *txn_history(const char *const *lines);

#endif
