/* SPDX-License-Identifier: MIT
 *
 * view.h: the agreed membership of a replica group at a time, numbered; and the times that derive
 * from the contract's one clock.
 *
 * A view is proposed to the registry by compare-and-swap on the one before it, so there is one
 * sequence of views (Lin et al. 2008, "PacificA", section 3.1). Its members hold everything that
 * was acknowledged; one of them is the primary.
 */
#ifndef PACTFS_GROUP_VIEW_H
#define PACTFS_GROUP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_MAX 16u /* replicas of one volume */

struct view {
    uint64_t number;             /* from 1; 0: not known */
    uint32_t primary;            /* one of the members */
    uint32_t count;              /* of members, 1 to GROUP_MAX */
    uint32_t members[GROUP_MAX]; /* node numbers, ascending */
};

bool view_has(const struct view *view, uint32_t node);
/* Adds / takes away a member; nothing when it is there / not there. */
void view_add(struct view *view, uint32_t node);
void view_remove(struct view *view, uint32_t node);
bool view_equal(const struct view *a, const struct view *b);
/* 1 to GROUP_MAX members, ascending, the primary among them, a number. */
bool view_sound(const struct view *view);
/* Prints "view 7 {*1 2 3}", the star at the primary; returns buf. 256 bytes always suffice. */
const char *view_print(const struct view *view, char *buf, size_t size);

/* All in nanoseconds of the monotonic clock. One number in the contract, `failover`, gives the
 * rest.
 *
 * Law
 *   G1  lease < suspect, by more than clocks can drift apart meanwhile (a tenth): whoever suspects
 *       a primary may be sure that its lease has ended.
 *   G2  suspect + flush + an answer of the registry < failover.
 */
struct timing {
    uint64_t failover;
    uint64_t heartbeat; /* between two */
    uint64_t lease;     /* a primary serves so long after it sent a heartbeat that was answered */
    uint64_t suspect;   /* silence, or a write that is not durable, this long: a failure */
    uint64_t flush;     /* a candidate waits so long for the members' logs */
    uint64_t retry;     /* between two tries of an agent, or of a replica that wants to join */
    uint64_t session;   /* an agent that was not heard of for so long is gone */
};
struct timing timing_of(uint64_t failover_ns);

#endif
