/* SPDX-License-Identifier: MIT
 *
 * remote_private.h: what the files of the remote agent share.
 *
 *   remote.c     the law; making, ending, what arrives, the turn of the timer
 *   slots.c      requests: waiting for a slot, in one, sent, sent again, finished
 *   session.c    the session, and the inodes that it holds
 *   locate.c     views and primaries
 *   answer.c     a reply becomes a result
 */
#ifndef PACTFS_AGENT_REMOTE_PRIVATE_H
#define PACTFS_AGENT_REMOTE_PRIVATE_H

#include "core/agent/remote.h"

#define NODES_MAX   (2u * GROUP_MAX)
#define BACKOFF_MAX 4u   /* the wait for an answer doubles this many times */
#define BYTE_NS     100u /* and is longer by this for each byte on its way: 10 MB/s */

/* A request, and when it came. */
struct asked {
    struct request *request;
    uint64_t order, at_ns;
};

struct slot {
    struct asked asked; /* request NULL: free */
    uint64_t serial;    /* of the last request that was sent from it in this session */
    struct arena arena; /* of `head` */
    struct bytes head;  /* encoded; data NULL: not yet */
    struct bytes payload;
    uint64_t number;   /* of the view that it names */
    struct stamp seen; /* that it names, for R4 */
    uint64_t sum;      /* of the head, for R2 */
    uint64_t due_ns;   /* sent: without an answer by then, again; else not before */
    uint32_t to;       /* who was asked last */
    uint32_t tries;    /* how often it was sent */
    bool sent;         /* see remote.c */
    bool read;         /* cannot change anything */
    bool held_asked;   /* was under way when the question of `holds` came */
    bool primary_now;  /* a read that the replica nearby did not answer */
};

/* The primary's question what the kernel knows; answered when all that was under way has been. */
struct holds {
    uint64_t *inos; /* NULL: none */
    uint32_t count, waiting;
    uint32_t from;
    uint64_t serial;
};

struct remote {
    struct executor executor; /* first */
    struct remote_options options;
    struct env *env;
    struct net *net;
    struct timing timing;
    struct env_timer timer;
    uint64_t timer_at; /* UINT64_MAX: not running */
    struct arena scratch;
    bool given_up;
    /* where */
    uint32_t nodes[GROUP_MAX], node_count;
    struct view view;
    uint64_t where_ns;   /* not before: the next question around */
    uint64_t probe_ns;   /* not before: the next question to the primary */
    uint64_t heard_ns;   /* the primary, last, whatever it said */
    uint64_t replied_ns; /* to a request, last */
    uint64_t lost_ns;    /* not before: the next loss is asked about at once */
    uint64_t trial_ns;   /* not before: the next change while cautious */
    uint64_t near_ns;    /* not before: the replica nearby is asked again */
    bool serves;         /* the primary answers, as far as is known */
    bool cautious;       /* see remote.c */
    bool full;           /* the transport took no more */
    /* session */
    uint64_t session; /* 0: none */
    uint64_t opening; /* the random number of the question for one; 0: not asked */
    uint64_t renewed_ns;
    struct stamp seen;
    struct holds holds;
    void (*begun)(void *ctx, enum err err);
    void *begun_ctx;
    uint64_t begin_until;
    /* requests */
    struct slot *slots;
    uint32_t slot_count, busy;
    uint64_t free_slots[REMOTE_SLOTS_MAX / 64]; /* bit: free */
    struct asked *waiting;                      /* a ring */
    uint32_t waiting_room, waiting_first, waiting_count;
    struct asked *syncs;
    uint32_t sync_room, sync_count;
    uint64_t order;    /* of the last request */
    uint64_t on_way;   /* bytes of payload, sent and not answered */
    uint64_t asked_ns; /* since when something is under way */
    void (*room)(void *ctx);
    void *room_ctx;
    struct remote_status status;
};

static inline uint64_t remote_now(const struct remote *remote)
{
    return remote->env->ops->mono_ns(remote->env);
}

/* Between two looks at what is due. */
static inline uint64_t remote_quick(const struct remote *remote)
{
    return remote->timing.retry / 4;
}

/* How long nothing that was asked has been answered. */
static inline uint64_t remote_silence(const struct remote *remote, uint64_t now)
{
    uint64_t since = remote->replied_ns > remote->asked_ns ? remote->replied_ns : remote->asked_ns;
    return remote->busy && now > since ? now - since : 0;
}

/* --- remote.c --- */

void remote_wake(struct remote *remote, uint64_t at_ns); /* the timer fires then, or before */
/* Fills in what all messages have. */
struct message remote_message(const struct remote *remote, enum message_kind kind);
void remote_say(struct remote *remote, uint32_t to, const struct message *message);

/* --- slots.c --- */

bool slots_execute(struct executor *executor, struct request *request);
bool slots_sync(struct executor *executor, struct request *request);
bool slots_has_room(const struct executor *executor);
void slots_on_room(struct executor *executor, void (*room)(void *ctx), void *ctx);
/* Sends what is not sent, as far as there is somebody to send it to. */
void slots_send(struct remote *remote);
/* What `node` was asked (0: anybody) and has not answered is to be sent again. */
void slots_unsend(struct remote *remote, uint32_t node);
void slots_take_back(struct remote *remote, struct slot *slot);
/* What is sent is sent again at `at_ns`, or before. */
void slots_hasten(struct remote *remote, uint64_t at_ns);
/* The slot whose request this message answers; NULL: none any more. */
struct slot *slots_find(struct remote *remote, const struct message *message);
void slots_answered(struct remote *remote, struct slot *slot, uint32_t from,
                    const struct message *message);
/* The session is gone: what may have happened ends with IO, the rest gets new identities. */
void slots_new_session(struct remote *remote);
void slots_give_up(struct remote *remote);
/* What is due: sent again, or given up. */
void slots_tick(struct remote *remote, uint64_t now);
/* Marks all that is under way for session_settle; how many there are. */
uint32_t slots_mark_asked(struct remote *remote);
uint64_t slots_sum(const struct slot *slot); /* of what it sends */

/* --- session.c --- */

uint64_t session_new_ino(struct executor *executor);
void session_opened(struct remote *remote, const struct message *message);
void session_renewed(struct remote *remote, uint32_t from, const struct message *message);
void session_lost(struct remote *remote);
void session_close(struct remote *remote);
/* Asks the primary for a session, or whether it serves. Not too often. */
void session_probe(struct remote *remote, uint64_t now);
void session_holds(struct remote *remote, uint32_t from, const struct message *message);
/* One that was under way when the question came has ended. */
void session_settle(struct remote *remote);
void session_tick(struct remote *remote, uint64_t now);

/* --- locate.c --- */

void locate_moved(struct remote *remote, uint32_t from, const struct message *message);
/* A view that a message tells of. */
void locate_learn(struct remote *remote, const struct view *view);
/* The primary does not answer us, or has refused. */
void locate_doubt(struct remote *remote);
void locate_serves(struct remote *remote);
void locate_lost(struct remote *remote, uint32_t node);
/* Asks all nodes for the view. Not too often. */
void locate_ask(struct remote *remote, uint64_t now);
/* Who is to be asked for this; 0: nobody now. */
uint32_t locate_for(const struct remote *remote, const struct slot *slot, uint64_t now);
void locate_tick(struct remote *remote, uint64_t now);

/* --- answer.c --- */

/* Does it change nothing, whatever it finds? */
bool answer_is_read(const struct fs_op *op);
/* The reply's result goes to the request, with all it points to. */
void answer_take(struct request *request, const struct message *message);

#endif
