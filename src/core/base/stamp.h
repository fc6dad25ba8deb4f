/* SPDX-License-Identifier: MIT
 *
 * stamp.h: an object version's place in order.
 *
 * A stamp is a hybrid logical clock reading and the node that issued it (Kulkarni et al. 2014,
 * "Logical Physical Clocks"). `time` holds microseconds since 1970 in its upper 52 bits and a
 * counter in the lower 12, so stamps of one node grow strictly and stay near real time. Two nodes
 * never issue equal stamps, which makes the order total: by time, then node.
 */
#ifndef PACTFS_BASE_STAMP_H
#define PACTFS_BASE_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stamp {
    uint64_t time; /* 52 bits of microseconds, 12 bits of counter */
    uint32_t node;
};

#define STAMP_ZERO ((struct stamp){0, 0})
#define STAMP_MAX  ((struct stamp){UINT64_MAX, UINT32_MAX})

/* <0, 0, >0 as a is before, equal to, after b. */
static inline int stamp_compare(struct stamp a, struct stamp b)
{
    if (a.time != b.time)
        return a.time < b.time ? -1 : 1;
    if (a.node != b.node)
        return a.node < b.node ? -1 : 1;
    return 0;
}

/* The clock of one node: the last stamp it issued or saw. */
struct hlc {
    struct stamp last;
};

/* The next stamp, after everything issued or observed; `wall_ns` is the wall clock, which may jump
 * back without harm. Law: the result is greater than clock->last was. */
struct stamp hlc_next(struct hlc *clock, uint64_t wall_ns);

/* Takes note of a stamp from elsewhere, so that later ones are greater. */
void hlc_observe(struct hlc *clock, struct stamp seen);

/* The wall-clock nanoseconds a stamp stands for. */
uint64_t stamp_wall_ns(struct stamp s);

/* Prints "seconds.microseconds.counter@node"; returns buf. 64 bytes always suffice. */
const char *stamp_print(struct stamp s, char *buf, size_t size);

#endif
