/* SPDX-License-Identifier: MIT
 *
 * random_history.h: histories of every kind of act, key, answer and outcome, by chance alone: they
 * need not make sense.
 */
#ifndef PACTFS_TESTS_RANDOM_HISTORY_H
#define PACTFS_TESTS_RANDOM_HISTORY_H

#include "core/check/history.h"

struct history *random_history(uint64_t seed, unsigned transactions);

#endif
