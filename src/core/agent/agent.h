/* SPDX-License-Identifier: MIT
 *
 * agent.h: the file service agent: the client side of one volume.
 *
 * A mount hands its requests to the agent, the agent to an executor. Between the two it
 * knows which inodes the kernel holds on to and what is left to do when it lets go of the last
 * reference, and it sets the limit on what is under way at once.
 *
 * References. The mount counts one reference (agent_ref) for every reply that names an inode to the
 * kernel, before the reply is sent, and takes it back (agent_forget) when the kernel forgets or
 * never got the reply.
 */
#ifndef PACTFS_AGENT_AGENT_H
#define PACTFS_AGENT_AGENT_H

#include "core/agent/executor.h"

struct agent;

struct agent_limits {
    uint32_t in_flight; /* requests under way at once */
    uint32_t reclaims;  /* orphans being reclaimed at once */
};
struct agent_limits agent_limits_default(void);

/* Env and executor stay the caller's and must outlive the agent. NOMEM. */
enum err agent_new(struct env *env, struct executor *executor, const struct agent_limits *limits,
                   struct agent **out);
/* Nothing may be under way: see agent_drain. */
void agent_free(struct agent *agent);
/* Frees everything at once, as if the process had died; for tests, after the env has dropped all
 * jobs. Requests that were under way are the caller's: request_abandon each of them. */
void agent_abandon(struct agent *agent);

/* Runs a request: as replica_execute (replica/local.h), of which it keeps the contract.
 * request->done must be set even when it may finish at once; request->ctx is the caller's. */
bool agent_execute(struct agent *agent, struct request *request);
/* As replica_sync. */
bool agent_sync(struct agent *agent, struct request *request);

/* False: take no more requests; `ready` of agent_on_ready runs once when it is true again. A
 * request that is handed over all the same is carried out. */
bool agent_ready(const struct agent *agent);
void agent_on_ready(struct agent *agent, void (*ready)(void *ctx), void *ctx);

/* One more / `count` fewer references of the kernel to `ino`. The last one going reclaims an
 * orphan. Forgetting more than was counted is a broken invariant, except for the root, which is
 * never counted. */
void agent_ref(struct agent *agent, uint64_t ino);
void agent_forget(struct agent *agent, uint64_t ino, uint64_t count);
/* A kernel that writes back knows a file's size better than we do, but not its blocks in use.
 * agent_told notes what an answer to the thread `who` (0: not known) says of an inode, before it is
 * sent; false: the kernel must not keep it, see agent_lost_name. agent_has_news, after a write, is
 * true once when the blocks have changed: the kernel should ask again. */
bool agent_told(struct agent *agent, const struct fs_attr *attr, uint32_t who);
bool agent_has_news(struct agent *agent, const struct fs_attr *attr);

/* A request of `who` (0: not known) has changed the attributes of `ino` without answering them.
 * True: since the last such change others were told the old ones, and it is not known that the
 * kernel has taken those answers in: it must be told that they are void, before the answer. */
bool agent_changed(struct agent *agent, uint64_t ino, uint32_t who);
/* A request of `who` has taken a name of this inode away and left others: the kernel will count its
 * links down by itself when it gets the answer. Until then it must not keep a count that is down
 * already. agent_settled: `who` is known to have got it. */
void agent_lost_name(struct agent *agent, uint64_t ino, uint32_t who);
void agent_settled(struct agent *agent, uint64_t ino, uint32_t who);

/* The kernel has let go of everything: it unmounted, or died. */
void agent_forget_all(struct agent *agent);

/* done(ctx) once nothing is under way any more, orphans that could be reclaimed included; maybe
 * before it returns. Call agent_forget_all first. */
void agent_drain(struct agent *agent, void (*done)(void *ctx), void *ctx);

/* For the operation that makes one; 0: who executes takes a number. */
uint64_t agent_new_ino(struct agent *agent);
/* Does the kernel hold a reference? Always of the root. */
bool agent_knows(const struct agent *agent, uint64_t ino);

struct agent_status {
    uint64_t requests;  /* since start */
    uint64_t inodes;    /* the kernel knows */
    uint64_t orphans;   /* of them without a name */
    uint64_t reclaimed; /* since start */
    uint64_t unclaimed; /* could not be reclaimed: left for the next start */
    uint32_t in_flight, most_in_flight;
};
void agent_status(const struct agent *agent, struct agent_status *out);

/* Asserts the invariants that agent.c states; slow; for tests. */
void agent_check(const struct agent *agent);

#endif
