/* SPDX-License-Identifier: MIT
 *
 * copy.h: snapshots given (donor.c) and copied (copy.c), and damage mended (mend.c).
 */
#ifndef PACTFS_REPLICA_PRIMARY_COPY_H
#define PACTFS_REPLICA_PRIMARY_COPY_H

#include "core/replica/primary/stream.h"

#define EXPORT_BYTES (512u << 10) /* of objects in one message */
#define FETCHES      8u           /* asked for at once by one that copies */

/* --- donor.c: the snapshot that one replica copies --- */

struct donor {
    struct store_pin pin;
    struct store_tail *tail; /* holds the log behind it */
    uint64_t used;           /* when it was last asked */
    struct primary *primary;
    uint32_t node;
};

/* --- copy.c: what one that joins copies --- */

struct fetch_slot {
    bool busy;
    uint64_t serial, asked;
    struct message_name *names;
    uint32_t count, room;
};

struct copy {
    bool active;
    struct stamp at;
    uint32_t donor;
    struct object_key leaf_from;  /* where the next unasked leaf begins */
    struct object_key leaf_begin; /* where the next one to compare does */
    bool retry;                   /* something could not be changed */
    bool leaves_done, leaves_asked;
    uint64_t asked; /* when leaves or names were last asked for */
    struct message_leaf *leaves;
    uint32_t leaf_count, leaf_next, leaf_room;
    struct object_key names_from, names_to; /* of the leaf whose names were asked for */
    bool names_asked;
    struct message_name *wanted; /* names to fetch */
    uint32_t wanted_count, wanted_next, wanted_room;
    struct fetch_slot fetches[FETCHES];
    uint64_t serial, objects, bytes, began;
    struct store_sync sync;
    bool syncing, ending;
};

/* --- mend.c --- */

struct mending {
    bool active;
    struct object_key *keys;
    uint32_t count, batch; /* batch: objects asked for at once */
    bool adopted;          /* some came */
    uint64_t serial, asked;
    uint32_t donor_turn, tries;
    void (*done)(void *ctx, enum err err);
    void *ctx;
};

/* donor.c */
void donor_join(struct primary *p, uint32_t from, const struct message *message);
void donor_digest(struct primary *p, uint32_t from, const struct message *message);
void donor_keys(struct primary *p, uint32_t from, const struct message *message);
void donor_fetch(struct primary *p, uint32_t from, const struct message *message);
void donor_tick(struct primary *p, struct peer *peer);
void donor_end(struct primary *p, struct peer *peer);
void donor_abandon(struct primary *p);

/* copy.c */
void copy_snapshot(struct primary *p, uint32_t from, const struct message *message);
void copy_leaves(struct primary *p, uint32_t from, const struct message *message);
void copy_names(struct primary *p, uint32_t from, const struct message *message);
void copy_objects(struct primary *p, uint32_t from, const struct message *message);
void copy_tick(struct primary *p);
void copy_stop(struct primary *p);
void copy_free(struct primary *p);

/* mend.c */
void mend_objects(struct primary *p, uint32_t from, const struct message *message);
void mend_tick(struct primary *p);
void mend_stop(struct primary *p); /* what was asked for ends with BUSY */
void mend_free(struct primary *p);

#endif
