/* SPDX-License-Identifier: MIT
 *
 * private.h: what the files of the replica manager share. The law is in primary.c.
 */
#ifndef PACTFS_REPLICA_PRIMARY_PRIVATE_H
#define PACTFS_REPLICA_PRIMARY_PRIVATE_H

#include <bsd/sys/tree.h>

#include "core/base/assert.h"
#include "core/base/mark.h"
#include "core/registry/records.h"
#include "core/replica/primary/primary.h"

#define WINDOW_BYTES  (32u << 20) /* of the last records, in memory */
#define UNACKED_BYTES (8u << 20)  /* sent to one replica and not acknowledged */
#define BATCH_BYTES   (4u << 20)  /* read from the log at once for one that joins */
#define EXPORT_BYTES  (1u << 20)  /* of objects in one message */
#define SLOTS_MAX     256u        /* of a session */
#define SESSIONS_MAX  65536u
#define CALLS_MAX     8192u /* requests under way; more are left unanswered and come again */
#define SESSION_MARK  UINT64_C(0xffffffff) /* the slot that says that a session exists */
#define FETCHES       8u                   /* asked for at once by one that copies */

static inline bool stamp_less(struct stamp a, struct stamp b)
{
    return stamp_compare(a, b) < 0;
}

static inline bool stamp_equal(struct stamp a, struct stamp b)
{
    return stamp_compare(a, b) == 0;
}

/* --- window.c: the last records, as they are sent --- */

struct record {
    struct record *next;
    struct stamp before, stamp;
    uint64_t at; /* when it was committed here, on the monotonic clock */
    uint32_t head_len, payload_len;
    uint8_t bytes[]; /* head, payload */
};

struct window {
    struct record *first, *last;
    uint64_t bytes;
};

/* --- stream.c: records to one other replica --- */

enum stream_mode {
    STREAM_NONE, /* it is not known what it has */
    STREAM_WINDOW,
    STREAM_LOG,      /* from the store's tail, until the window has what follows */
    STREAM_SNAPSHOT, /* it copies; see donor.c */
};

struct stream {
    enum stream_mode mode;
    struct record *next;    /* WINDOW: to send; NULL: it has been sent everything */
    struct record *unacked; /* WINDOW: the first that it has not acknowledged; NULL: none */
    uint64_t unacked_bytes;
    uint64_t rewound; /* when it was last begun anew */
    struct store_tail *tail;
    struct store_tail_read read;
    bool reading, ended;   /* a read is under way; and is to be forgotten */
    struct stamp read_end; /* LOG: the last record that was sent */
    struct primary *primary;
    uint32_t node;
};

/* donor.c: the snapshot that one replica copies. */
struct donor {
    struct store_pin pin;
    struct store_tail *tail; /* holds the log behind it */
    uint64_t used;           /* when it was last asked */
    struct primary *primary;
    uint32_t node;
};

/* Another node of the volume, as this one sees it. */
struct peer {
    uint32_t node;
    bool member;    /* of the view, or of a proposed one: it has to have everything */
    bool joining;   /* it asked to join */
    bool resigned;  /* it said so */
    bool flushed;   /* to a candidate: it gave all it has */
    uint64_t heard; /* when, on the monotonic clock; 0: never */
    uint64_t lost;  /* when the connection broke; 0: it did not */
    uint64_t lease; /* when the last heartbeat was sent that it answered; see L3 */
    struct stamp durable, last;
    struct stamp no_log;   /* the log turned out not to reach back to this */
    struct stream *stream; /* never NULL */
    struct donor *donor;   /* or NULL */
    uint64_t repair_began, repaired_bytes, repaired_objects, repair_total;
};

/* --- session.c --- */

struct call;
struct giving;

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

/* --- serve.c --- */

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
    bool kept;                           /* the answer is one given before; see `reply` */
    void (*finished)(struct call *call); /* of the replica manager's own; NULL: of a client */
    struct arena reply;                  /* memory of a kept answer */
    uint8_t *bytes, *into;
    size_t bytes_room, into_room;
    struct shared *payload;
};

/* --- view_change.c --- */

struct proposal {
    bool active;  /* the outcome is not known */
    bool sending; /* the registry has been asked */
    bool reading;
    bool unsure; /* an attempt may have happened */
    struct view view;
    struct registry_change change;
    struct registry_read read;
    uint64_t next_try;
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

/* --- orphans.c --- */

enum orphan_step { ORPHANS_REST, ORPHANS_SEEN, ORPHANS_ASKED, ORPHANS_RECLAIM };

struct orphans {
    enum orphan_step step;
    uint64_t since, round;
    uint64_t *inos;
    uint32_t count, next;
};

struct primary {
    struct env *env;
    struct net *net;
    struct registry *registry;
    struct store *store;
    struct replica *replica;
    struct contract contract;
    struct store_identity identity;
    struct timing timing;
    uint32_t self, uid, gid;
    void (*say)(void *ctx, const char *line);
    void (*failed)(void *ctx, enum err err);
    void *ctx;
    uint64_t repair_bytes_per_s, repair_allowed, repair_filled;
    struct giving *giving; /* see donor.c */
    uint32_t giving_count;
    struct arena arena, replies;

    enum primary_part part;
    bool whole; /* the store has all of the volume up to its last stamp */
    struct view view;
    uint64_t revision; /* of the view's key; 0: not known */
    char view_key[REGISTRY_KEY_MAX + 1];
    struct registry_watch watch;
    bool watching, view_read; /* the registry has been read once */
    bool registry_fresh;      /* by this candidate */
    struct proposal proposal;
    uint32_t assigned[GROUP_MAX], assigned_count;
    struct peer peers[GROUP_MAX];
    uint32_t peer_count;
    struct env_timer tick;
    uint64_t next_heartbeat;

    /* the log */
    struct window window;
    struct record *own_unacked; /* the first that is not durable here */
    struct stamp durable, committed;
    struct store_sync sync;
    struct stamp sync_stamp;
    bool syncing;
    enum err broken; /* the store failed */
    bool broken_told;

    /* as primary */
    uint64_t reign, reign_from, reign_began; /* from: the number of its first view */
    struct stamp settle;                     /* L4 */
    bool settled;
    struct sessions sessions;
    uint32_t session_count;
    struct call *calls, *free_calls;
    uint32_t call_count, executing;
    struct call *waiting, *waiting_last; /* in the order of `need` */
    struct call *held, *held_last;       /* changes that wait for room, in their order */
    bool room_asked;
    struct orphans orphans;
    struct {
        bool active, proposed;
        uint32_t to;
        uint64_t since;
        void (*done)(void *ctx, enum err err);
        void *ctx;
    } handing;

    /* as backup, candidate, joiner */
    uint64_t heard;        /* when the primary was last heard of */
    uint64_t frozen_until; /* nothing is taken from the primary of this view before; L5 */
    uint64_t candidate_since;
    bool primary_resigned, resigned; /* the primary said so; this node did */
    uint64_t next_join, gap_told;
    struct copy copy;
    struct mending mending;

    bool stopping;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    uint64_t stop_since;
    struct {
        bool active, asked;
        void (*done)(void *ctx, enum err err);
        void *ctx;
        struct registry_change change;
        struct store_sync sync;
    } found;
    struct primary_status status;
};

static inline uint64_t now_ns(const struct primary *p)
{
    return p->env->ops->mono_ns(p->env);
}

/* primary.c */
__attribute__((format(printf, 2, 3))) void tell(struct primary *p, const char *format, ...);
/* A message of this volume and view, to be filled. */
struct message message_new(const struct primary *p, enum message_kind kind);
void send_message(struct primary *p, uint32_t to, const struct message *message);
struct peer *peer_find(struct primary *p, uint32_t node); /* NULL: there is none */
struct peer *peer_need(struct primary *p, uint32_t node); /* NULL: too many */
/* Durability of what was committed is asked for. Never inside on_record. */
void sync_kick(struct primary *p);
void broke(struct primary *p, enum err err); /* the store failed */
void set_whole(struct primary *p, bool whole);

/* window.c */
void window_add(struct primary *p, const struct store_record *record);
void window_clear(struct primary *p);
/* The record behind `stamp`: true, and NULL when there is none yet; false: the window does not
 * reach back to it, or there is no record with that stamp. */
bool window_find(const struct primary *p, struct stamp stamp, struct record **out);
void record_send(struct primary *p, uint32_t to, const struct record *record);

/* view_change.c */
void view_learn(struct primary *p, const struct view *view, uint64_t revision);
void view_watch(struct primary *p);
void view_unwatch(struct primary *p);
/* Tries to make `view` the next one; again and again, until some later view stands (L2). */
void view_propose(struct primary *p, const struct view *view);
void view_tick(struct primary *p);
void candidate_begin(struct primary *p);
void candidate_tick(struct primary *p);
void candidate_flush(struct primary *p, uint32_t from, const struct message *message);
void candidate_flushed(struct primary *p, uint32_t from, const struct message *message);
void hand_over_tick(struct primary *p);
void resign(struct primary *p);

/* lease.c */
bool lease_held(const struct primary *p);
bool may_serve(const struct primary *p);
void lease_heartbeat(struct primary *p); /* to everybody, now */
void lease_heard(struct primary *p, uint32_t from, const struct message *message);
void lease_tick(struct primary *p); /* of the primary: heartbeats, suspicion */

/* stream.c */
void stream_init(struct primary *p, struct peer *peer);
void stream_free(struct peer *peer);
void stream_stop(struct peer *peer);
/* Sends what is behind `last`. False: the log does not reach back. */
bool stream_start(struct primary *p, struct peer *peer, struct stamp last);
void stream_pump(struct primary *p, struct peer *peer);
void stream_pump_all(struct primary *p);
void stream_told(struct primary *p, struct peer *peer, const struct message *message);
void stream_record_added(struct primary *p, struct record *record);
void stream_record_dropped(struct primary *p, const struct record *record);
void stream_commit(struct primary *p); /* what all have is committed */
bool stream_has_room(const struct primary *p);

/* follow.c */
void follow_heartbeat(struct primary *p, uint32_t from, const struct message *message);
void follow_record(struct primary *p, uint32_t from, const struct message *message);
void follow_ack(struct primary *p);
void follow_tick(struct primary *p);

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
void serve_free(struct primary *p);
void serve_abandon(struct primary *p);

/* orphans.c */
void orphans_tick(struct primary *p);
void orphans_held(struct primary *p, uint32_t from, const struct message *message);
void orphans_reset(struct primary *p);

#endif
