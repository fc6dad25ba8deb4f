/* SPDX-License-Identifier: MIT */
#include "core/base/stamp.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/assert.h"

#define COUNTER_BITS 12u

struct stamp hlc_next(struct hlc *clock, uint64_t wall_ns)
{
    uint64_t wall = (wall_ns / 1000u) << COUNTER_BITS;
    INVARIANT(clock->last.time != UINT64_MAX);
    /* Kulkarni et al. 2014, fig. 5: the physical part when it is ahead, else count on from the
     * last. */
    clock->last.time = wall > clock->last.time ? wall : clock->last.time + 1;
    return clock->last;
}

void hlc_observe(struct hlc *clock, struct stamp seen)
{
    if (seen.time > clock->last.time)
        clock->last.time = seen.time;
}

uint64_t stamp_wall_ns(struct stamp s)
{
    return (s.time >> COUNTER_BITS) * 1000u;
}

const char *stamp_print(struct stamp s, char *buf, size_t size)
{
    uint64_t us = s.time >> COUNTER_BITS;
    snprintf(buf, size, "%" PRIu64 ".%06" PRIu64 ".%" PRIu64 "@%" PRIu32, us / 1000000u,
             us % 1000000u, s.time & ((1u << COUNTER_BITS) - 1), s.node);
    return buf;
}
