/* SPDX-License-Identifier: MIT
 *
 * pace.h: repair gives way to clients.
 */
#ifndef PACTFS_REPLICA_PRIMARY_PACE_H
#define PACTFS_REPLICA_PRIMARY_PACE_H

#include "core/env/env.h"

#define PACE_PIECE_NS UINT64_C(1000000) /* what one piece of work for a joiner should take */

struct primary;

/* The loop's work for replicas that join, in pieces. After each the loop looks at everything else;
 * while there are calls of clients, it also rests for REST_TIMES as long as the piece took. So
 * repair has at most a third of the loop then, and a call waits for one piece. */
struct pace {
    struct env_timer timer;
    bool resting;
    uint64_t began;    /* the piece under way */
    uint64_t requests; /* how many there had been after the last piece */
    uint64_t called;   /* when there last were calls */
};

void pace_begin(struct primary *p);
/* The piece is done; next(timer) runs when there may be another. */
void pace_end(struct primary *p, void (*next)(struct env_timer *timer));
struct primary *pace_rested(struct env_timer *timer); /* in next, first */
void pace_stop(struct primary *p);

#endif
