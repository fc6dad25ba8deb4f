/* SPDX-License-Identifier: MIT
 *
 * network.h: the simulated network between the nodes of a world.
 *
 * A link is one direction between two nodes: from -> to. Each has its own behaviour; what was not
 * set behaves as the world's default. All chance comes from the world's seed; integers only.
 *
 * Law
 *   T1  A message is delivered at the earliest one delay after it was sent, and never twice at one
 *       time. Without reordering, messages of one link arrive in the order in which they were sent.
 *   T2  A link with bandwidth carries one message after another: one waits until those before it
 *       have been carried; what does not fit link->queue_bytes is refused (send answers LIMIT).
 *   T3  A cut link swallows what is sent on it and what is under way. A clogged one keeps both
 *       until it is cleared; then they arrive.
 *   T4  What arrives at a node that is down, or does not listen, is lost; at one that is paused, it
 *       waits. What a node sent arrives also when the node has died since.
 */
#ifndef PACTFS_SIM_NETWORK_H
#define PACTFS_SIM_NETWORK_H

#include "core/env/net.h"
#include "sim/sim.h"

#define SIM_NET_NODES     128u                /* numbers are below */
#define SIM_NET_DELAY_MAX (UINT64_C(1) << 50) /* nanoseconds: 13 days */

/* Times at most SIM_NET_DELAY_MAX, shares at most a million. */
struct sim_link {
    uint64_t least_ns;         /* every message takes at least this long */
    uint64_t mean_ns;          /* and on the average this much more: exponential, cut at 20 means */
    unsigned lost_per_million; /* of the messages */
    unsigned twice_per_million;     /* arrive twice */
    unsigned reordered_per_million; /* may be overtaken: get 1 to 10 times the mean on top */
    uint64_t bytes_per_s;           /* 0: as many as one likes */
    uint64_t queue_bytes;           /* most on their way at once; 0: 64 MiB */
};

/* 100 us + 50 us on the average, nothing lost. */
struct sim_link sim_link_default(void);

/* Gives the node its number in the network, and the seam; the env owns it. A number is free again
 * when its env has crashed or was stopped: a node that is started anew takes its own again. */
struct net *sim_net(struct env *env, uint32_t number);

/* What links do that were not set on their own / what this link does from now on (NULL: as those);
 * what is under way goes on as it was. */
void sim_net_all(struct sim *sim, const struct sim_link *link);
void sim_net_link(struct sim *sim, uint32_t from, uint32_t to, const struct sim_link *link);

void sim_net_cut(struct sim *sim, uint32_t from, uint32_t to, bool cut);
bool sim_net_is_cut(struct sim *sim, uint32_t from, uint32_t to);
void sim_net_clog(struct sim *sim, uint32_t from, uint32_t to, bool clogged);
/* Cuts (or heals) every link, both ways, between a node inside the set and one outside of it; bit n
 * of `set` stands for node n; numbers from 64 on are outside. */
void sim_net_partition(struct sim *sim, uint64_t set, bool cut);
/* Everything from and to this node takes `factor` times as long (1: as ever). */
void sim_net_slow(struct sim *sim, uint32_t node, unsigned factor);
/* No link is cut, clogged or slow any more. */
void sim_net_heal(struct sim *sim);

/* In messages, and bytes of those sent. sent + twice = delivered + lost + cut + what is on its way
 * or waits. lost: by chance, or T4; twice: how many were copied; refused ones are not sent. */
struct sim_net_figures {
    uint64_t sent, delivered, lost, twice, cut, refused, bytes;
};
void sim_net_figures(const struct sim *sim, struct sim_net_figures *out);

#endif
