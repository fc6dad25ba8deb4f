/* SPDX-License-Identifier: MIT
 *
 * managers.h: replica managers as an agent sees them, scripted, on a simulated network.
 *
 * Nodes 1 to `count` share one state, as if each request were replicated in no time: which requests
 * took effect, and how often. Each has its own opinion of the view, and serves, refuses or says
 * nothing as the test wants. The agent is node AGENT.
 *
 * Whatever the test does, they assert R2: in one session the serials of a slot grow by one, and
 * what comes again is the same but for the view that it names. A request that names a view of an
 * earlier primary does nothing.
 */
#ifndef PACTFS_TESTS_AGENT_MANAGERS_H
#define PACTFS_TESTS_AGENT_MANAGERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/agent/remote.h"
#include "sim/network.h"

#define MANAGERS_MAX 5u
#define AGENT        9u
#define INOS         4096u
#define MS           UINT64_C(1000000)
#define SECOND       UINT64_C(1000000000)
#define KINDS        128u

struct manager {
    struct managers *all;
    uint32_t number;
    struct env *env;
    struct net *net;
    struct view view;      /* its opinion; number 0: none */
    bool mute;             /* says nothing */
    bool serves;           /* it has its lease */
    uint64_t reign;        /* the number of the view with which its primary's time began */
    bool few;              /* takes no changes */
    bool refuses;          /* requests, though it serves */
    bool swallows;         /* takes requests, carries them out, and does not answer */
    uint64_t swallows_ino; /* likewise, of this one only */
    bool behind;           /* a backup that is too old for what readers have seen */
    enum err opens;        /* what OPEN is answered with */
    uint32_t heard[KINDS]; /* messages, by kind */
    uint64_t bytes;        /* of requests */
};

struct kept {
    uint64_t session, serial, sum;
    uint32_t slot;
    bool done;
};

struct managers {
    struct sim *sim;
    struct manager nodes[MANAGERS_MAX + 1]; /* by number */
    uint32_t count;
    struct env *env; /* the agent's */
    struct net *net;
    struct remote *remote;
    struct arena arena;
    uint64_t sessions;      /* made so far; their numbers are 101, 102, ... */
    uint64_t ended;         /* sessions up to this number are gone */
    bool gaps;              /* serials may skip some: reads went elsewhere */
    struct kept kept[4096]; /* the last request of each session and slot */
    uint32_t kept_count;
    uint32_t effects[INOS];    /* how often the change with this op.ino took effect */
    uint64_t last_held[16];    /* of the last HELD */
    uint32_t held, last_count; /* how many came; inodes in the last */
    uint32_t renewed, lost;    /* told by the agent */
    uint64_t clock;            /* stamps of changes */
    struct sim_disk *disk;
};

struct managers *managers_new(uint64_t seed, uint32_t count);
void managers_free(struct managers *all);
/* Starts an agent over them with these options; env, net, nodes and timing are filled in here. */
void managers_agent(struct managers *all, struct remote_options options);
/* All are of this view, and its primary serves. */
void managers_view(struct managers *all, uint64_t number, uint32_t primary);
uint32_t managers_heard(const struct managers *all, enum message_kind kind);

/* A request of the agent under test. */
struct ask {
    struct request request;
    uint32_t done; /* how often */
    bool out;      /* done runs later */
};

/* FS_SETATTR, FS_GETATTR, ... of `ino`. */
void ask(struct managers *all, struct ask *ask, enum fs_code code, uint64_t ino);
/* Any operation. request.into stays. */
void ask_op(struct managers *all, struct ask *ask, const struct fs_op *op);
/* True: it was done at once. */
bool sync_of(struct managers *all, struct ask *ask);
/* Until it is done, for a minute at most. */
void ask_wait(struct managers *all, struct ask *ask);
void ask_end(struct ask *ask);
/* Begins, and waits for the session. */
enum err begin(struct managers *all, uint64_t within_ns);

#endif
