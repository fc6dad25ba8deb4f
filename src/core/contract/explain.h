/* SPDX-License-Identifier: MIT
 *
 * explain.h: the promise in plain sentences, made from the contract and the state of the volume.
 *
 * Law
 *   X1  Nothing is said that does not hold: each sentence follows from the contract, a limit of
 *       the store, or what was observed (how the kernel is set, what the store reports).
 *   X2  What could surprise is said: what can be lost, and when.
 */
#ifndef PACTFS_CONTRACT_EXPLAIN_H
#define PACTFS_CONTRACT_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/contract/contract.h"

enum explain_topic {
    EXPLAIN_SEE,       /* who sees a write, and when */
    EXPLAIN_DURABLE,   /* what is on the disk when which call returns */
    EXPLAIN_CRASH,     /* what a crash leaves */
    EXPLAIN_LOSS,      /* which loss it survives */
    EXPLAIN_PARTITION, /* what stops working when machines are cut off */
    EXPLAIN_VERSIONS,  /* what is kept of the past */
    EXPLAIN_PROOF,     /* how far it has been shown */
    EXPLAIN_NOW,       /* how the volume is doing */
    EXPLAIN_TOPICS
};

/* The topic's word ("durable") and heading ("What is on the disk, and when"); static. */
const char *explain_topic_name(enum explain_topic topic);
const char *explain_topic_heading(enum explain_topic topic);

/* A copy of a volume with several. */
struct explain_replica {
    const char *node; /* its name */
    const char *part; /* "primary", "backup", "joining"; anything else: it is away */
    uint64_t lag_bytes, lag_ms;
    uint64_t away_ms;
    uint64_t repair_left_ms; /* of one that joins; UINT64_MAX: not known */
};

struct explain_state {
    uint64_t unsynced_ms;        /* nothing accepted stays unsynced longer */
    uint64_t dirty_expire_ms;    /* of the kernel: when dirty pages are old enough; 0: not known */
    uint64_t dirty_writeback_ms; /* of the kernel: how often it looks for them */
    bool writeback;              /* the mount lets the kernel hold written data back */
    bool running;                /* the rest is only known then */
    const char *mount;           /* where it is mounted, or NULL */
    uint64_t live_bytes, log_bytes, disk_available;
    uint64_t problems; /* damaged places found since the start */
    bool full, failed;
    /* of a volume with several copies */
    uint64_t patience_ms; /* a mount waits so long for the volume to be in reach; 0: not known */
    uint64_t view;        /* its number; 0: none is known */
    bool serves;          /* the primary answers */
    bool writes;          /* `least` members are there */
    bool registry;        /* is in reach */
    uint32_t spares;      /* nodes that run and have no copy of this volume */
    const struct explain_replica *replicas;
    uint32_t replica_count; /* at most GROUP_MAX */
};

/* Calls say(ctx, topic, sentence) for each sentence, topics in order. The sentence is valid during
 * the call. */
void explain(const struct contract *contract, const struct explain_state *state,
             void (*say)(void *ctx, enum explain_topic topic, const char *sentence), void *ctx);

/* The promise in three sentences, for the end of `pactfs up` and `pactfs volume create`:
 * EXPLAIN_SEE, _DURABLE, _LOSS. */
void explain_brief(const struct contract *contract, const struct explain_state *state,
                   void (*say)(void *ctx, enum explain_topic topic, const char *sentence),
                   void *ctx);

#endif
