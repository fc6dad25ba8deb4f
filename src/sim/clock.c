/* SPDX-License-Identifier: MIT
 *
 * clock.c: a node's clock, which may run a little too fast or too slowly.
 *
 * Definitions
 *   world time  what sim_now says; node time: what the node's clock shows
 *   rate        node nanoseconds in a million of the world's
 *
 * Law
 *   K1  node time = shown + (world time - since) * rate / 1,000,000, rounded down. It never goes
 *       back: a change of the rate begins with what the clock shows then.
 *   K2  clock_when(due) is the first world time at which the clock shows `due` or more.
 */
#include "core/base/assert.h"
#include "sim/world.h"

#define MILLION UINT64_C(1000000)

void clock_start(struct clock *clock, uint64_t now)
{
    *clock = (struct clock){.since = now, .shown = now, .rate = MILLION};
}

uint64_t clock_read(const struct clock *clock, uint64_t now)
{
    uint64_t passed = now - clock->since;
    return clock->shown + passed / MILLION * clock->rate + passed % MILLION * clock->rate / MILLION;
}

uint64_t clock_when(const struct clock *clock, uint64_t due)
{
    uint64_t missing = due > clock->shown ? due - clock->shown : 0;
    if (missing / clock->rate > UINT64_MAX / 2 / MILLION)
        return UINT64_MAX; /* not in this world's life */
    uint64_t at = missing / clock->rate * MILLION +
                  (missing % clock->rate * MILLION + clock->rate - 1) / clock->rate;
    return at > UINT64_MAX - clock->since ? UINT64_MAX : at + clock->since;
}

void clock_set_rate(struct clock *clock, uint64_t now, int32_t gain)
{
    INVARIANT(gain >= -CLOCK_GAIN_MAX && gain <= CLOCK_GAIN_MAX);
    clock->shown = clock_read(clock, now);
    clock->since = now;
    clock->rate = (uint64_t)((int64_t)MILLION + gain);
}
