/* SPDX-License-Identifier: MIT
 *
 * mark.h: marks on rare branches, and deliberate bugs; both exist only in instrumented builds.
 *
 *   MARK(log_torn_tail);               this branch is rare: the tests must be seen to reach it
 *   if (MUTANT(log_skip_sync)) ...     here a bug can be switched on, by name, to see it caught
 *
 * In the programs that people run a mark is nothing and a mutant is the constant false. In an
 * instrumented build (-DPACTFS_INSTRUMENTED, made for tests only) marks are counted and one mutant
 * at a time is switched on: see src/instrument/instrument.h. The names come from one table each
 * (marks.h), so that a name that is not there does not compile. Counting is for programs of one
 * thread, as the simulator is.
 *
 * A mark is written where a branch is taken that a test could miss without anybody noticing. A
 * mutant is written so that the line reads as the plain code with one condition more:
 *     if (!MUTANT(log_skip_sync))
 *         err = sync(log);
 */
#ifndef PACTFS_BASE_MARK_H
#define PACTFS_BASE_MARK_H

#include <stdbool.h>

#include "core/base/marks.h"

#ifdef PACTFS_INSTRUMENTED
#include <stdint.h>
extern uint64_t mark_counts[MARK_COUNT]; /* since the process began, or marks_clear */
extern enum mutant mutant_on;            /* MUTANT_NONE: no bug */
#define MARK(name)   ((void)mark_counts[MARK_##name]++)
#define MUTANT(name) (mutant_on == MUTANT_##name)
#else
#define MARK(name)   ((void)MARK_##name)
#define MUTANT(name) ((void)MUTANT_##name, false)
#endif

#endif
