/* SPDX-License-Identifier: MIT
 *
 * placement.h: which nodes have a copy of a volume. Pure: what is known of nodes and volume in, the
 * next step towards what the contract says out.
 *
 * Law
 *   P1  One step adds one replica, takes one away, or exchanges one that is lost for a spare; the
 *       next step is taken from what came of it.
 *   P2  A replica that is in the view is taken away only when as many others as the contract wants,
 *       on nodes that stay, are in the view.
 *   P3  The primary is never taken away: its part is handed over first.
 *   P4  A spare is a node that runs, stays, has room, and has no replica of the volume.
 */
#ifndef PACTFS_NODE_CELL_PLACEMENT_H
#define PACTFS_NODE_CELL_PLACEMENT_H

#include "core/group/view.h"

struct placement_node {
    uint32_t number;
    bool alive, leaving;
    uint64_t available; /* bytes of its disk */
    uint32_t replicas;  /* that it has, of all volumes */
};

enum placement_step { PLACEMENT_STAY, PLACEMENT_CHANGE, PLACEMENT_HAND_OVER };

struct placement {
    const struct placement_node *nodes;
    uint32_t node_count;
    uint32_t wanted;              /* replicas, by the contract */
    uint64_t room;                /* bytes that a new replica needs */
    struct view view;             /* the current one */
    uint32_t lost;                /* bit i: replicas[i] has been out of the view for too long */
    uint32_t count;               /* of replicas */
    uint32_t replicas[GROUP_MAX]; /* in: now; out, PLACEMENT_CHANGE: next */
    uint32_t to;                  /* out, PLACEMENT_HAND_OVER: who shall be primary */
};

/* The spare with the fewest replicas, of those the one with most space, of those the least number;
 * 0: there is none. */
uint32_t placement_spare(const struct placement *placement);

/* Fills `replicas` with up to `wanted` nodes for a new volume. */
void placement_begin(struct placement *placement);

enum placement_step placement_next(struct placement *placement);

#endif
