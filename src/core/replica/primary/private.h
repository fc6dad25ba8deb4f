/* SPDX-License-Identifier: MIT
 *
 * private.h: what the files of the replica manager share. The law is in primary.c.
 */
#ifndef PACTFS_REPLICA_PRIMARY_PRIVATE_H
#define PACTFS_REPLICA_PRIMARY_PRIVATE_H

#include "core/base/assert.h"
#include "core/base/mark.h"
#include "core/registry/records.h"
#include "core/replica/primary/copy.h"
#include "core/replica/primary/pace.h"
#include "core/replica/primary/primary.h"
#include "core/replica/primary/serve.h"
#include "core/replica/primary/stream.h"
#include "core/replica/primary/view_change.h"
#include "core/replica/primary/window.h"

static inline bool stamp_less(struct stamp a, struct stamp b)
{
    return stamp_compare(a, b) < 0;
}

static inline bool stamp_equal(struct stamp a, struct stamp b)
{
    return stamp_compare(a, b) == 0;
}

struct giving;

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
    uint64_t repair_bytes_per_s, repair_filled; /* 0: no bound */
    int64_t repair_allowed;                     /* bytes that may be given now */
    struct giving *giving;                      /* see donor.c */
    uint32_t giving_count;
    struct pace pace;
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
        bool active, asked, made; /* made: the first view, by this process */
        uint64_t revision;        /* of the first view, seen before the registry's answer */
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
bool is_assigned(const struct primary *p, uint32_t node); /* shall it have a replica? */
/* Durability of what was committed is asked for. Never inside on_record. */
void sync_kick(struct primary *p);
void broke(struct primary *p, enum err err); /* the store failed */
void set_whole(struct primary *p, bool whole);

#endif
