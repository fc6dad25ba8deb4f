/* SPDX-License-Identifier: MIT
 *
 * lane.h: the inside of the simulated network, shared by network.c (messages) and links.c (how
 * links behave). Definitions and law: network.c.
 */
#ifndef PACTFS_SIM_LANE_H
#define PACTFS_SIM_LANE_H

#include "core/base/assert.h"
#include "sim/network.h"
#include "sim/world.h"

#define SIM_NET_WORDS (SIM_NET_NODES / 64)

struct lane {
    struct sim_link link;
    bool own; /* not the default */
    uint32_t from, to;
    uint64_t queued;     /* bytes: L1 */
    uint64_t under_way;  /* messages */
    uint64_t carried_at; /* when the link has carried all that was sent */
    uint64_t last_at;    /* when the last of those that keep their order arrives */
    struct events held;
    struct event *leaving; /* the first of the held ones, on its way out; in the queue */
};

/* Copied once; a message that arrives twice has two events and one of these. */
struct message {
    struct lane *lane;
    unsigned refs;
    size_t len;
    uint8_t data[];
};

struct net_port {
    struct net net;
    struct node *node;
    void (*deliver)(void *ctx, uint32_t from, struct bytes message);
    void *ctx;
};

/* What is known of the links from one number. */
struct row {
    uint64_t cut[SIM_NET_WORDS], clogged[SIM_NET_WORDS]; /* bit n: towards n */
    struct lane *lanes[SIM_NET_NODES]; /* NULL: nothing was ever sent there, nor set */
};

struct network {
    struct chance chance;
    struct sim_link fallback;
    struct sim_net_figures figures;
    uint64_t known[SIM_NET_WORDS]; /* the numbers that some node has, or had */
    unsigned slow[SIM_NET_NODES];
    struct net_port *ports[SIM_NET_NODES]; /* of live nodes */
    struct row *rows[SIM_NET_NODES];
};

/* The world's network; made when first asked for. */
struct network *network_of(struct sim *sim);
struct row *row_of(struct network *network, uint32_t from);
struct lane *lane_of(struct network *network, uint32_t from, uint32_t to);
void each_lane(struct sim *sim, void (*each)(struct sim *sim, struct lane *lane));

static inline bool has_bit(const uint64_t *set, uint32_t n)
{
    return set[n / 64] >> n % 64 & 1;
}

static inline void set_bit(uint64_t *set, uint32_t n, bool on)
{
    uint64_t bit = UINT64_C(1) << n % 64;
    set[n / 64] = on ? set[n / 64] | bit : set[n / 64] & ~bit;
}

static inline bool lane_cut(const struct network *network, const struct lane *lane)
{
    return has_bit(network->rows[lane->from]->cut, lane->to);
}

static inline bool lane_clogged(const struct network *network, const struct lane *lane)
{
    return has_bit(network->rows[lane->from]->clogged, lane->to);
}

/* Takes a message off its lane and frees the event; its reference is the caller's. */
struct message *message_finish(struct sim *sim, struct event *event);
void message_drop(struct message *message);
/* Sends the first held message on, when there is one and the lane is clear. */
void lane_let_out(struct sim *sim, struct lane *lane);

#endif
