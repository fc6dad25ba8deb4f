/* SPDX-License-Identifier: MIT
 *
 * abd.h: the reference system of the simulated network: registers replicated on a majority.
 *
 * The algorithm is that of Attiya, Bar-Noy and Dolev ("Sharing memory robustly in message-passing
 * systems", 1995) for several writers (Lynch and Shvartsman 1997). It has been proven by hand: it
 * serves as a yardstick: what the checkers find in it is a fault of network, disks or checkers; and
 * with one of its steps left out by an option they must find something.
 *
 * Definitions
 *   tag     (count, writer): the version of a register; compared by count, then writer
 *   quorum  more than half of the replicas; any two have one in common
 *
 * Law
 *   A1  A replica's tag of a register never goes back, also over a crash: it answers STORE only
 *       when the tag, or a greater one, is durable.
 *   A2  A write asks a quorum for the greatest tag, then stores its value under a greater one at a
 *       quorum.
 *   A3  A read asks a quorum for the greatest tag and its value, stores both at a quorum (write-
 *       back), then answers.
 *
 * Messages  QUERY op key          -> VALUE op key tag value
 *           STORE op key tag value -> STORED op key
 */
#ifndef PACTFS_SIM_REFERENCE_ABD_H
#define PACTFS_SIM_REFERENCE_ABD_H

#include "sim/run/system.h"

#define ABD_KEYS_MAX 64u

enum abd_kind { ABD_QUERY = 1, ABD_VALUE, ABD_STORE, ABD_STORED };

struct abd_tag {
    uint64_t count;
    uint32_t writer;
};

struct abd_message {
    uint8_t kind;
    uint64_t op;
    uint32_t key;
    struct abd_tag tag;
    uint32_t value;
};

/* <0, 0, >0 as a is before, equal to, after b. */
int abd_compare(struct abd_tag a, struct abd_tag b);
/* To one node; a message that the network does not take is as good as lost. */
void abd_send(struct net *net, uint32_t to, const struct abd_message *message);
/* False: not a message of ours. */
bool abd_decode(struct bytes bytes, struct abd_message *message);

/* --- abd_replica.c --- */

struct abd_replica;

/* Starts a replica from what is on its disk. `careless`: answers STORE before it is durable. NULL:
 * the power failed meanwhile. */
struct abd_replica *abd_replica_start(struct env *env, uint32_t number, bool careless);
/* The process is gone (or goes now): frees its memory. */
void abd_replica_free(struct abd_replica *replica);
bool abd_replica_busy(const struct abd_replica *replica);

#endif
