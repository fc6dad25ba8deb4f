/* SPDX-License-Identifier: MIT
 *
 * keeper_private.h: what keeper.c and keeper_members.c share.
 */
#ifndef PACTFS_NODE_CELL_KEEPER_PRIVATE_H
#define PACTFS_NODE_CELL_KEEPER_PRIVATE_H

#include "io/etcd/child.h"
#include "io/etcd/etcd.h"
#include "io/registry/embedded.h"
#include "io/registry/switch.h"
#include "node/cell/keeper.h"

#define KEEPER_WAITERS 16u

struct keeper_waiter {
    void (*done)(void *ctx, enum err err, const struct store_error *error);
    void *ctx;
};

struct keeper {
    struct cell *cell;
    struct registry *board, *embedded, *etcd; /* embedded: until it has grown */
    struct etcd_child *child;
    /* growth */
    bool growing;
    struct registry_growth growth;
    struct registry_read look;
    struct env_timer timer;
    uint64_t until_ns;
    struct store_error error;
    struct keeper_waiter waiters[KEEPER_WAITERS];
    uint32_t waiter_count;
    /* members: one question to etcd at a time */
    struct etcd_members members;
    bool asking, announced;
    uint64_t own_id; /* of this node's member, once it is known */
    uint64_t listed_ns;
    char peer_url[CELL_URL_MAX];
    uint32_t expelled;
    struct keeper_waiter expeller;
    /* the end */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* The host of the address that this node listens on, an IPv6 one in brackets. */
void keeper_host(const struct cell *cell, char out[RECORD_ADDR_MAX]);
void keeper_ports(struct cell *cell);
/* `cluster` NULL: the first member, or one that has its data. */
enum err keeper_start_child(struct cell *cell, const char *cluster, struct store_error *error);
enum err keeper_open_etcd(struct cell *cell, struct store_error *error);
/* cell->file.urls have changed. */
void keeper_new_urls(struct cell *cell);

#endif
