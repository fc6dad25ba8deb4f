/* SPDX-License-Identifier: MIT
 *
 * naive_search.h: linearisable, sequential, PRAM and durable by their definitions: every order is
 * tried, one transaction after another, nothing is remembered and nothing is judged apart.
 */
#ifndef PACTFS_TEST_NAIVE_SEARCH_H
#define PACTFS_TEST_NAIVE_SEARCH_H

#include "core/check/verdict.h"

/* Whether the promise holds. history_sessions was called. At most 32 transactions. */
bool naive_holds(struct history *history, enum promise promise);

#endif
