/* SPDX-License-Identifier: MIT
 *
 * child.h: a member of etcd as a child of this process: started, started again when it dies, and
 * ended with the process whatever becomes of it.
 *
 * Adding a member to a running cluster: (1) ETCD_MEMBERS_ADD with its peer URL, at one that runs;
 * (2) etcd_child_start on the new machine with `cluster` from etcd_cluster and join set; (3)
 * ETCD_MEMBERS_PROMOTE, again every second while AGAIN. Until (3) it counts for no majority, so a
 * machine that never starts it does no harm; but only one at a time can be on its way.
 */
#ifndef PACTFS_IO_ETCD_CHILD_H
#define PACTFS_IO_ETCD_CHILD_H

#include <uv.h>

#include "io/etcd/etcd.h"

struct etcd_child;

struct etcd_child_options {
    uv_loop_t *loop;
    const char *dir;  /* HOME/registry: gets etcd/ (the data), etcd.log, etcd.log.old */
    const char *tls;  /* has ca.crt, node.crt, node.key; NULL: without TLS, for tests */
    const char *name; /* of the member, unique in the cluster: "node-3" */
    const char *host; /* that others reach it by: an IP address (v6 in brackets) or a name */
    uint16_t client_port, peer_port;
    const char *cluster; /* "node-1=https://10.0.0.1:4702,..." with itself; NULL: it is the first.
                            Only looked at when there is no data yet */
    bool join;           /* the cluster runs already */
    const char *program; /* NULL: "etcd", from PATH */
    /* It was started, or has died and will be started again (`why` a sentence); may be NULL. Never
     * called from inside a call. */
    void (*changed)(void *ctx, bool up, const char *why);
    void *ctx;
};

/* UNREACHABLE: the program is not installed; IO and others; with a sentence. That it was started
 * does not say that it is ready: ask through a registry. Everything is copied. */
enum err etcd_child_start(const struct etcd_child_options *options, struct etcd_child **out,
                          struct store_error *error);
/* SIGTERM, after `grace_ms` SIGKILL; waits for its end. done(ctx) runs once, on the loop; freed. */
void etcd_child_stop(struct etcd_child *child, uint64_t grace_ms, void (*done)(void *ctx),
                     void *ctx);
/* "https://10.0.0.1:4701" */
const char *etcd_child_client_url(const struct etcd_child *child);
const char *etcd_child_peer_url(const struct etcd_child *child);
/* Whether it runs, as far as is known; its process, 0 when not. */
int etcd_child_process(const struct etcd_child *child);

/* `cluster` for a new member: those of `members` and the new one, whose entry has no name yet.
 * malloc'd. */
char *etcd_cluster(const struct etcd_member *members, size_t count, const char *new_name);

#endif
