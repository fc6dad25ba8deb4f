/* SPDX-License-Identifier: MIT
 *
 * assert.h: invariants. They stay on in release builds: a broken invariant ends the process before
 * it can reach the disk. Operating errors (a full disk, hostile input) are never assertions.
 */
#ifndef PACTFS_BASE_ASSERT_H
#define PACTFS_BASE_ASSERT_H

#include <stdbool.h>

_Noreturn void invariant_broken(const char *what, const char *file, int line);

#define INVARIANT(condition)                                  \
    do {                                                      \
        if (__builtin_expect(!(condition), 0))                \
            invariant_broken(#condition, __FILE__, __LINE__); \
    } while (0)

#define STATIC_ASSERT(condition, why) _Static_assert(condition, why)

#endif
