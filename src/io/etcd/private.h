/* SPDX-License-Identifier: MIT
 *
 * private.h: the parts of the client of etcd, among themselves.
 *
 * Definitions
 *   ask       one request to etcd, on its way to an answer: tried at one endpoint after another
 *   held      an ask that waits: for the base, for a lease, or to be tried again
 *   current   the endpoint that is tried first: where the last answer came from
 *   pinned    an ask that is meant for one endpoint, and is not tried anywhere else
 *   stream    the one watch over all keys
 *   mirror    all keys as of the stream
 */
#ifndef PACTFS_IO_ETCD_PRIVATE_H
#define PACTFS_IO_ETCD_PRIVATE_H

#include <uv.h>

#include "core/base/arena.h"
#include "io/etcd/etcd.h"
#include "io/etcd/http.h"
#include "io/etcd/json.h"

#define NS_PER_MS UINT64_C(1000000)
#define RETRY_NS  (50 * NS_PER_MS) /* after every endpoint was tried */
#define NO_PIN    (-1)

struct client;
struct ask;

struct ask_kind {
    const char *path;
    bool once;        /* not again when it may have been received (law E1) */
    bool needs_base;  /* waits until the base is known */
    bool needs_lease; /* and until there is a lease */
    void (*build)(struct ask *ask, struct text *body);
    /* Once, on the loop. OK: `answer` is etcd's. Otherwise `answer` may be NULL; TIMEOUT, REGISTRY,
     * LIMIT. The ask is freed afterwards. */
    void (*answered)(struct ask *ask, enum err err, const struct etcd_answer *answer);
};

struct ask {
    const struct ask_kind *kind;
    struct client *client;
    struct http_call call; /* its ctx is the ask */
    struct text url, body;
    void *ctx;
    void *user;     /* for `forget`: whose it is */
    bool under_way; /* at an endpoint */
    size_t at;      /* which */
    int pinned;     /* NO_PIN, or where */
    unsigned tries;
    uint64_t until, held_until; /* uv_hrtime */
    enum err verdict;           /* not OK: is the answer, soon */
    bool maybe;                 /* it may have been received */
    struct ask *next, **link;
};

struct entry { /* of the mirror */
    char *key;
    uint8_t *value;
    size_t len;
    uint64_t revision; /* etcd's */
};

struct seen {                    /* a watch */
    struct registry_watch *user; /* NULL: ended */
    bool looked;                 /* was told what there is */
    struct seen *next;
};

struct watching {
    struct seen *first, **end;
    bool telling; /* a walk over them is under way */
    bool started; /* somebody has watched */
    bool synced;  /* the mirror is whole, as of `revision` */
    bool syncing; /* a read of everything is under way */
    bool streaming, created;
    bool probing;
    unsigned ticks;   /* since the stream was asked for */
    unsigned streams; /* asked for so far */
    size_t at;        /* endpoint of the stream */
    uint64_t revision;
    struct entry *mirror; /* in the order of keys */
    size_t count, room;
    struct http_call stream;
    struct text url, body;
    uv_timer_t tick, soon;
};

struct client {
    struct registry registry; /* first */
    uv_loop_t *loop;
    struct http *http;
    char *prefix;
    char *urls[ETCD_URLS_MAX];
    size_t url_count, current;
    struct ask *asks, **asks_end; /* in the order in which they were begun */
    uv_timer_t again, keep;
    uint64_t base, lease;
    bool base_known, base_asked, lease_asked;
    struct watching watching;
    char trouble[HTTP_WHY_MAX + 256];
    bool closing;
    unsigned handles;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static inline struct client *client_of(struct registry *registry)
{
    return (struct client *)registry;
}

/* --- ask.c --- */

/* Begins; answered at the latest `deadline_ns` from now, never from inside. */
struct ask *ask_begin(struct client *client, const struct ask_kind *kind, void *ctx,
                      uint64_t deadline_ns);
/* As ask_begin; `verdict` is the answer, without asking. */
struct ask *ask_refuse(struct client *client, const struct ask_kind *kind, void *ctx,
                       enum err verdict);
struct ask *ask_pinned(struct client *client, const struct ask_kind *kind, size_t at,
                       uint64_t deadline_ns);
void ask_free(struct ask *ask);
/* Something that asks waited for is there. */
void asks_kick(struct client *client);
/* How long one endpoint may take before the next is tried, in milliseconds. */
uint32_t client_share_ms(const struct client *client);
void client_rotate(struct client *client, size_t from, const char *why);
void client_good(struct client *client, size_t at);

/* --- client.c --- */

void client_want_base(struct client *client);
void client_want_lease(struct client *client);

/* --- watching.c --- */

void watching_open(struct client *client);
/* Ends the stream; with it, all that would call anybody. */
void watching_stop(struct client *client);
void watching_free(struct client *client);
void watching_moved(struct client *client); /* the endpoints are others */
void client_watch(struct registry *registry, struct registry_watch *watch);
void client_unwatch(struct registry *registry, struct registry_watch *watch);

#endif
