/* SPDX-License-Identifier: MIT
 *
 * cut.h: what cut.c, the main program, shares with what it cuts.
 */
#ifndef PACTFS_TESTS_CRASH_CUT_H
#define PACTFS_TESTS_CRASH_CUT_H

#include <stdint.h>

struct figures {
    uint64_t points, points_opening, points_closing, kills, errors, volumes, operations, commits,
        durable;
    uint64_t lost, checkpoints, cleaned, nospc, orphans, checked_objects;
};

/* One volume: made, used and cut `rounds` times, used to an end. Ends the process when a law is
 * broken. Returns a hash of what happened. */
uint64_t cut_volume(uint64_t seed, uint32_t rounds, struct figures *figures);

/* How the tests of power cuts end when something is wrong: says so, and how to see it again. */
_Noreturn void cut_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
