/* SPDX-License-Identifier: MIT
 *
 * etcd.h: the registry on etcd (v3, by its JSON gateway): registry.h over HTTPS.
 *
 * Several endpoints: the one that answered last is used; when it cannot be reached, or is silent
 * for a part of the deadline, the next. Watches rest on one stream over all keys and a copy of them
 * in memory; the endpoint of the stream is asked regularly whether it is still in touch with the
 * others.
 *
 * Law
 *   E1  A change is sent at most once. REGISTRY is answered only when it was not sent, or etcd said
 *       that it did not make it; TIMEOUT in every other case without a clear answer.
 *   E2  Our revision of a key is etcd's plus the base, a number kept in etcd that is the same for
 *       all nodes: the last revision of the embedded registry that the cell grew from, or 0.
 */
#ifndef PACTFS_IO_ETCD_ETCD_H
#define PACTFS_IO_ETCD_ETCD_H

#include <uv.h>

#include "core/registry/registry.h"
#include "core/store/store.h"

#define ETCD_URLS_MAX    16u
#define ETCD_MEMBERS_MAX 16u

struct registry_etcd_options {
    uv_loop_t *loop;
    const char *urls;     /* "https://10.0.0.1:4701,https://10.0.0.2:4701"; the nearest first */
    const char *dir;      /* has ca.crt, node.crt, node.key; NULL: for http:// URLs */
    const char *prefix;   /* before all our keys, so that others may use the same etcd; may be "" */
    uint64_t deadline_ns; /* 0: 1 s */
    uint64_t lease_ns;    /* 0: 5 s; etcd counts whole seconds, rounded up, at least 2 */
};

/* Does not wait for etcd to be there. USAGE: the URLs cannot be understood, or there are none or
 * too many; CERTIFICATE: a file of `dir` cannot be read; with a sentence. */
enum err registry_etcd_open(const struct registry_etcd_options *options, struct registry **out,
                            struct store_error *error);
/* Other endpoints from now on. USAGE: nothing has changed. */
enum err registry_etcd_urls(struct registry *registry, const char *urls, struct store_error *error);
/* Gives the lease back (so that leased keys vanish), within the deadline, and closes. Reads and
 * changes under way are forgotten. done(ctx) runs once, on the loop; the registry is freed then. */
void registry_etcd_close(struct registry *registry, void (*done)(void *ctx), void *ctx);
/* Why etcd is not in reach ("https://10.0.0.2:4701: connection refused"); "" when it is. */
const char *registry_etcd_trouble(const struct registry *registry);

/* Removes every key behind the prefix, then sets the base (E2), which takes effect at once here;
 * for growth only (switch.h), before anybody else uses this etcd. done: OK, REGISTRY, TIMEOUT (try
 * again). */
void registry_etcd_base(struct registry *registry, uint64_t base,
                        void (*done)(void *ctx, enum err err), void *ctx);

/* --- the members of the cluster --- */

struct etcd_member {
    uint64_t id;
    char name[64]; /* "": has not started yet */
    char peer_url[288], client_url[288];
    bool learner; /* gets the log, does not vote yet */
};

enum etcd_members_what {
    ETCD_MEMBERS_LIST,
    ETCD_MEMBERS_ADD,     /* peer_url, as a learner; CONFLICT: another learner is there still;
                             AGAIN: not all members have been in touch for five seconds */
    ETCD_MEMBERS_PROMOTE, /* id: from learner to voter; AGAIN: it has not caught up yet */
    ETCD_MEMBERS_REMOVE,  /* id; OK also when it is not there */
};

struct etcd_members {
    enum etcd_members_what what;
    uint64_t id;          /* in; ADD: out, of the new one */
    const char *peer_url; /* must live until done */
    void (*done)(struct etcd_members *call);
    void *ctx;
    /* out. OK, TIMEOUT, REGISTRY, or as above; error->text says why */
    enum err err;
    struct store_error error;
    struct etcd_member members[ETCD_MEMBERS_MAX]; /* after it */
    size_t count;
    void *impl;
};
void registry_etcd_members(struct registry *registry, struct etcd_members *call);

#endif
