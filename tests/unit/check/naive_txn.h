/* SPDX-License-Identifier: MIT
 *
 * naive_txn.h: the isolation of transactions by its definitions: slow, and obviously right.
 */
#ifndef PACTFS_TESTS_NAIVE_TXN_H
#define PACTFS_TESTS_NAIVE_TXN_H

#include "core/check/verdict.h"

#define NAIVE_TXNS   10u
#define NAIVE_KEYS   4u
#define NAIVE_VALUES 32u

/* Whether the history, of at most so many transactions and keys, keeps strict-serialisable,
 * serialisable, snapshot-isolation or read-committed. Every order of the transactions that are
 * done, with any of the unknown ones, is tried. */
bool naive_holds(const struct history *history, enum promise promise);

#endif
