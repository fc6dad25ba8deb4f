/* SPDX-License-Identifier: MIT
 *
 * registry_private.h: what the files of the simulated registry share.
 */
#ifndef PACTFS_SIM_REGISTRY_PRIVATE_H
#define PACTFS_SIM_REGISTRY_PRIVATE_H

#include "core/base/arena.h"
#include "sim/registry/registry.h"

#define REGISTRY_PAST 128u /* changes that are kept for watches */

struct connection;

/* A key, or what became of one in a change. */
struct entry {
    char *key;
    uint8_t *value; /* NULL: deleted */
    size_t len;
    uint64_t revision;
    struct connection *owner; /* of a leased key */
};

/* A read or a change under way. It is freed when it is `over` and has arrived, or never will. */
struct call {
    struct connection *connection;
    struct call *next, **link;
    struct env_timer arrival;       /* at the service */
    struct env_timer answer;        /* at the process */
    struct env_timer deadline;      /* at the process */
    struct registry_read *read;     /* one of the two */
    struct registry_change *change; /* NULL as well: the caller has forgotten it */
    const void *ctx;
    bool under_way; /* has not arrived yet */
    bool over;      /* the caller has its answer, or wants none */
    enum err err;
    uint64_t revision;
    struct arena arena; /* copies of what was asked, and the answer */
    struct registry_condition *conditions;
    struct registry_write *writes;
    size_t condition_count, write_count;
    char *key;
    bool prefix;
    struct registry_item *items;
    size_t item_count;
};

enum watch_step { WATCH_LOST = 1, WATCH_SNAPSHOT, WATCH_CAUGHT_UP, WATCH_LIVE };

struct watching {
    struct registry_watch *watch;
    struct connection *connection;
    struct watching *next, **link;
    struct env_timer pump; /* at the process: one call of the watcher each time */
    bool begun;            /* the first snapshot is no loss */
    bool inside, gone;     /* its watcher is being called / has let go of it */
    enum watch_step step;
    uint64_t position; /* has seen all up to this revision */
    struct arena arena;
    struct registry_item *items; /* of the snapshot */
    size_t item_count, item_at;
};

struct connection {
    struct registry registry; /* comes first */
    struct sim_registry *service;
    struct connection *next;
    struct env *env;
    uint32_t number;
    bool closed;
    uint64_t heard_ns;
    struct env_timer beat;   /* at the process */
    struct env_timer expiry; /* at the service */
    struct call *calls;
    struct watching *watches;
};

struct sim_registry {
    struct env *env; /* of the service; it has no disk of use */
    struct sim_registry_options options;
    bool outage;
    uint64_t cut_there, cut_back; /* bit n: of node n */
    uint64_t revision;
    struct entry *items; /* in the order of keys */
    uint32_t item_count, item_room;
    struct entry *past; /* the last changes, in order; those up to revision `forgotten` are gone */
    uint64_t forgotten;
    uint32_t past_count, past_room;
    struct connection *connections;
};

static inline struct connection *connection_of(struct registry *registry)
{
    return (struct connection *)(void *)registry;
}

/* Whether the way there, or back, is open now. */
static inline bool reaches(const struct connection *c)
{
    return !c->closed && !c->service->outage && !(c->service->cut_there >> c->number & 1);
}
static inline bool hears(const struct connection *c)
{
    return !c->closed && !c->service->outage && !(c->service->cut_back >> c->number & 1);
}

/* --- registry.c: the service --- */

/* The way of one message. */
uint64_t service_delay(struct sim_registry *service);
/* True so many times in a million. */
bool service_chance(struct sim_registry *service, unsigned per_million);
/* Where the key is, or would be. */
uint32_t item_find(const struct sim_registry *service, const char *key, bool *there);
bool has_prefix(const char *key, const char *prefix);
/* Copies of all items with this prefix, or the one of this key. */
struct registry_item *items_copy(const struct sim_registry *service, const char *key, bool prefix,
                                 struct arena *arena, size_t *count);
/* Carries a change out, when its conditions hold. */
enum err service_change(struct sim_registry *service, struct call *call);
/* Deletes what is leased by this connection. */
void service_unlease(struct sim_registry *service, const struct connection *connection);

/* --- registry_calls.c --- */

void registry_read_begin(struct registry *registry, struct registry_read *read);
void registry_change_begin(struct registry *registry, struct registry_change *change);
void registry_forget(struct registry *registry, const void *ctx);
void calls_free(struct connection *connection);

/* --- registry_watch.c --- */

void registry_watch_begin(struct registry *registry, struct registry_watch *watch);
void registry_watch_end(struct registry *registry, struct registry_watch *watch);
/* There is something new. */
void watches_wake(struct sim_registry *service);
/* The way to this connection is open again; broken: all of its watches are told `lost`, otherwise
 * by chance. */
void watches_resume(struct connection *connection, bool broken);
void watches_free(struct connection *connection);

#endif
