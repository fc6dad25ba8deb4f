/* SPDX-License-Identifier: MIT
 *
 * primary.h: the replica manager of a volume with several replicas, `replicate = primary`
 * (Alsberg and Day 1976; Budhiraja et al. 1993; views and leases as in Lin et al. 2008,
 * "PacificA"). One per volume and node, whatever its part: primary, backup, or one that joins.
 *
 * The law is in primary.c; what the parts share, in private.h.
 */
#ifndef PACTFS_REPLICA_PRIMARY_H
#define PACTFS_REPLICA_PRIMARY_H

#include "core/contract/contract.h"
#include "core/registry/registry.h"
#include "core/replica/local.h"
#include "core/wire/message.h"

struct primary;

struct primary_options {
    struct env *env;
    struct net *net;                       /* self is this node's number */
    struct registry *registry;             /* must outlive the replica manager, as env and net */
    const struct store_identity *identity; /* of the volume */
    const struct contract *contract;       /* copied */
    uint32_t uid, gid;                     /* of the root directory, when it is made */
    /* Something worth a line in the log of the node happened; never called from inside a call. May
     * be NULL. */
    void (*say)(void *ctx, const char *line);
    /* The replica manager can do nothing more (its store failed): free it and make a new one. May
     * be NULL. */
    void (*failed)(void *ctx, enum err err);
    void *ctx;
    uint64_t repair_bytes_per_s; /* that this node sends to one that joins; 0: no bound */
};

/* The store stays the caller's: it opens it before, with the volume's identity, and closes it after
 * primary_free. A store that is empty and new belongs to a replica that has yet to copy
 * everything, or to the founder: primary_found. */
enum err primary_new(const struct primary_options *options, struct store *store,
                     struct primary **out);

/* For the node that makes the volume, once: makes the root directory and the first view, of which
 * it is the only member. done(ctx, err) once: EXIST when the volume has a view already. */
void primary_found(struct primary *primary, void (*done)(void *ctx, enum err err), void *ctx);

/* A message for this volume. Kinds that it does not take are ignored. The message's memory (and the
 * bytes it points into) is only read during the call. */
void primary_deliver(struct primary *primary, uint32_t from, const struct message *message);
/* The connection to `peer` broke: a hint, answers on their way may be lost. */
void primary_lost(struct primary *primary, uint32_t peer);

/* The primary's part goes to member `to` (0: any) without an error to clients. done once: OK when a
 * later view stands with another primary; NOTSUP: not the primary here; INVAL: `to` is no member;
 * TIMEOUT. */
void primary_hand_over(struct primary *primary, uint32_t to, void (*done)(void *ctx, enum err err),
                       void *ctx);
/* Which nodes shall have a replica: as the registry says, now and at each change. A member that is
 * not among them is taken out of the view (by the primary, as soon as there are `least` others). */
void primary_assigned(struct primary *primary, const uint32_t *nodes, uint32_t count);

/* Fetches anew what is damaged here: `keys` that scrub found. done once: OK when all came; TIMEOUT:
 * the others could not give the rest; BUSY: not a member now, or at it already. See primary_status
 * for figures. */
void primary_mend(struct primary *primary, const struct object_key *keys, uint32_t count,
                  void (*done)(void *ctx, enum err err), void *ctx);

/* Stops: hands over when it is the primary, answers nothing any more, lets requests end. done(ctx)
 * once; then primary_free. At the latest after two heartbeats' time. */
void primary_stop(struct primary *primary, void (*done)(void *ctx), void *ctx);
void primary_free(struct primary *primary);
/* As if the process had died, after the env dropped all jobs; the store is then abandoned by the
 * caller. */
void primary_abandon(struct primary *primary);

enum primary_part {
    PART_LOOKING = 1, /* does not know the view yet */
    PART_JOINING,     /* not in the view */
    PART_BACKUP,
    PART_CANDIDATE, /* a view change is under way */
    PART_PRIMARY,
};
const char *primary_part_name(enum primary_part part); /* "backup"; static */

struct primary_peer {
    uint32_t node;
    bool member, joining;  /* in the view / being repaired from here */
    uint64_t heard_ns;     /* since it was last heard of; UINT64_MAX: never */
    struct stamp durable;  /* what it said it has */
    uint64_t behind_bytes; /* of records it has not acknowledged; while repairing: an estimate */
    uint64_t repaired_bytes, repaired_objects, repair_ns; /* of the repair under way */
    uint64_t repair_left_ns;                              /* estimate; UINT64_MAX: not known */
};

struct primary_status {
    enum primary_part part;
    struct view view;
    bool serves; /* may answer: the primary with its lease, and enough members */
    bool writes; /* `least` members are there */
    struct stamp committed, last;
    uint64_t view_changes, requests, repeated, refused, ignored; /* since start */
    uint64_t records_sent, records_received;
    uint32_t sessions, waiting; /* requests that wait for backups */
    uint64_t mended;            /* objects fetched anew */
    uint32_t mended_from;       /* the node that the last of them came from */
    struct primary_peer peers[GROUP_MAX];
    uint32_t peer_count;
};
void primary_status(const struct primary *primary, struct primary_status *out);
struct replica *
primary_replica(struct primary *primary); /* its executor, or NULL before it knows */

/* Asserts the invariants of primary.c; slow; for tests. */
void primary_check(const struct primary *primary);

#endif
