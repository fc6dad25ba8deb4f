/* SPDX-License-Identifier: MIT
 *
 * random_history.h: small random histories, made by running a naive system with some clients; some
 * of them are then wrong on purpose.
 */
#ifndef PACTFS_TEST_RANDOM_HISTORY_H
#define PACTFS_TEST_RANDOM_HISTORY_H

#include "core/check/history.h"

/* The history of that seed: 2 to 4 processes, 4 to 9 transactions, one model. The caller frees it.
 */
struct history *random_history(uint64_t seed);

#endif
