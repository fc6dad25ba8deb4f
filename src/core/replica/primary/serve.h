/* SPDX-License-Identifier: MIT
 *
 * serve.h: sessions, calls and what is reclaimed: the primary towards its clients. The laws are
 * in serve.c, session.c and orphans.c.
 */
#ifndef PACTFS_REPLICA_PRIMARY_SERVE_H
#define PACTFS_REPLICA_PRIMARY_SERVE_H

#include <bsd/sys/tree.h>

#include "core/replica/local.h"
#include "core/wire/message.h"

#define SLOTS_MAX    256u /* of a session */
#define SESSIONS_MAX 65536u
#define CALLS_MAX    8192u /* requests under way; more are left unanswered and come again */
#define SESSION_MARK UINT64_C(0xffffffff) /* the slot that says that a session exists */

struct primary;
struct call;

struct slot {
    uint64_t serial;   /* of the newest request begun in this reign */
    struct call *call; /* under way, or NULL */
    uint64_t failed;   /* the serial of a change that ended with an error */
    enum err failed_err;
};

struct session {
    RB_ENTRY(session) link;
    uint64_t id;
    uint64_t heard;
    uint32_t from; /* where answers go */
    uint32_t slot_count;
    struct slot *slots;
    bool held; /* has answered the question of the round, see orphans.c */
    bool closing;
};
RB_HEAD(sessions, session);

struct call {
    struct request request; /* comes first */
    struct primary *primary;
    struct call *next, *prev;           /* of all calls */
    struct call *wait_next, *wait_prev; /* of those that wait for `need` */
    uint64_t reign, session, serial;
    uint32_t slot, from;
    struct stamp need;                   /* what the answer rests on */
    bool waiting, change;                /* change: an operation that alters the volume */
    bool held;                           /* until there is room; linked by wait_next */
    bool near;                           /* a read that any copy may answer */
    bool dropped;                        /* nobody wants the answer any more */
    void (*finished)(struct call *call); /* of the replica manager's own; NULL: of a client */
    struct arena reply;                  /* memory of a kept answer */
    uint8_t *bytes, *into;
    size_t bytes_room, into_room;
    struct shared *payload;
};

enum orphan_step { ORPHANS_REST, ORPHANS_SEEN, ORPHANS_ASKED, ORPHANS_RECLAIM };

struct orphans {
    enum orphan_step step;
    uint64_t since, round;
    uint64_t *inos;
    uint32_t count, next;
};

/* session.c */
RB_PROTOTYPE(sessions, session, link, session_order)
struct session *session_find(struct primary *p, uint64_t id);
void session_open(struct primary *p, uint32_t from, const struct message *message);
void session_end(struct primary *p, uint64_t id);
void session_renew(struct primary *p, uint32_t from, const struct message *message);
void session_load_all(struct primary *p); /* those that the store knows */
void session_forget_all(struct primary *p);
void sessions_tick(struct primary *p);
struct slot *session_slot(struct session *session, uint32_t slot); /* NULL: too many */
struct object_key session_key(uint64_t id, uint64_t slot);

/* serve.c */
void serve_request(struct primary *p, uint32_t from, const struct message *message);
void serve_moved(struct primary *p, uint32_t to, const struct message *about);
void serve_release(struct primary *p);  /* those whose need is met are answered */
void serve_drop_all(struct primary *p); /* another will be the primary */
void serve_go_on(struct primary *p);    /* those that were held, as far as there is room */
struct call *call_take(struct primary *p);
void call_execute(struct call *call);
void call_wait(struct call *call, struct stamp need); /* then it is answered */
void call_free(struct call *call);
void held_remove(struct call *call); /* nothing when it is not held */
void serve_free(struct primary *p);
void serve_abandon(struct primary *p);

/* orphans.c */
void orphans_tick(struct primary *p);
void orphans_held(struct primary *p, uint32_t from, const struct message *message);
void orphans_reset(struct primary *p);

#endif
