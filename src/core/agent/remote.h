/* SPDX-License-Identifier: MIT
 *
 * remote.h: the agent's part of a volume whose replica managers are elsewhere: finds the primary,
 * follows views, asks again until there is an answer, each request with an identity, so that it
 * takes effect once (slots as in NFSv4.1, RFC 8881 section 2.10.6).
 *
 * Law
 *   R1  Every request is finished exactly once. The mount sees an error only when the operation
 *       itself gives one, when the volume could not be reached for `patience_ns` (TIMEOUT for what
 *       certainly did not happen, IO otherwise), or when the session ended meanwhile (IO, for what
 *       may have happened).
 *   R2  A slot has one request at a time; its serial grows by one with each new request, and a
 *       request that is sent again is the same, but for the view that it names: the newest known.
 *   R3  What is known is kept: a view is never exchanged for an older one.
 *   R4  With `read_one`, answers of a later request are never from an older state than those of an
 *       earlier one (requests carry the greatest stamp seen).
 */
#ifndef PACTFS_AGENT_REMOTE_H
#define PACTFS_AGENT_REMOTE_H

#include "core/agent/executor.h"
#include "core/group/view.h"
#include "core/wire/message.h"

#define REMOTE_SLOTS_MAX 256u

struct remote;

struct remote_options {
    struct env *env;
    struct net *net;
    uint8_t volume[16];
    const uint32_t *nodes; /* that may have a replica: tried until one knows the view; copied */
    uint32_t node_count;   /* 1 to GROUP_MAX */
    struct timing timing;
    uint32_t slots;       /* requests at once, 1 to REMOTE_SLOTS_MAX; 0: 64 */
    uint64_t patience_ns; /* 0: never gives up */
    bool read_one;        /* reads go to `near` (0: any member) instead of the primary */
    uint32_t near;
    /* Which of these inodes does the kernel still know? Leaves those in `inos`, returns how many.
     * NULL: none. */
    uint32_t (*holds)(void *ctx, uint64_t *inos, uint32_t count);
    /* The session had to be begun anew (the volume was out of reach for timing.session). */
    void (*renewed)(void *ctx);
    void *ctx;
};

/* Env and net stay the caller's and must outlive it; what arrives is handed to remote_deliver.
 * NOMEM. */
enum err remote_new(const struct remote_options *options, struct remote **out);
/* No request may be under way, not even in its `done`. Tells the primary that the session ends.
 * NULL: nothing. */
void remote_free(struct remote *remote);
/* At once, as if the process had died; requests under way are the caller's to abandon. */
void remote_abandon(struct remote *remote);

/* Its `sync` sends nothing: a change that was answered is durable on all of the view, so it waits
 * for the changes that were asked for before it. Its `reclaims` is true and its new_ino 0. */
struct executor *remote_executor(struct remote *remote);

/* done(ctx, err) once there is a session: OK; TIMEOUT after `within_ns`; what a primary answered
 * that will give none. Requests may be made before; they wait. */
void remote_begin(struct remote *remote, uint64_t within_ns, void (*done)(void *ctx, enum err err),
                  void *ctx);
void remote_deliver(struct remote *remote, uint32_t from, const struct message *message);
/* The connection to `node` broke: what it was asked is asked again, of whoever is primary. */
void remote_lost(struct remote *remote, uint32_t node);
/* Nodes that may have a replica, as known now; at most GROUP_MAX of them are kept. */
void remote_nodes(struct remote *remote, const uint32_t *nodes, uint32_t count);
/* Nobody waits any longer: what is under way ends before it returns, and what is asked from now on
 * ends at once, as if `patience_ns` had passed. */
void remote_give_up(struct remote *remote);

/* For how long nothing that was asked has been answered, in nanoseconds; 0: nothing is asked. */
uint64_t remote_silent(const struct remote *remote);

struct remote_status {
    struct view view;
    bool serves; /* the primary is known to answer */
    uint64_t session, requests, repeated, view_changes, sessions_begun;
    uint64_t longest_ns; /* the longest that a request took since the last look */
    uint64_t silent_ns;  /* remote_silent */
    uint32_t in_flight;
};
void remote_status(struct remote *remote, struct remote_status *out);
void remote_check(const struct remote *remote); /* asserts R2; slow; for tests */

#endif
