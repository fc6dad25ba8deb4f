/* SPDX-License-Identifier: MIT
 *
 * switch.h: a registry whose backend can be exchanged while it is in use; and growth, from the
 * embedded registry of one node to etcd.
 *
 * Law
 *   W1  Reads, changes and watches of the users never notice which backend there is, but for: held
 *       changes take longer, watches are told `lost` at the exchange, and a change with a condition
 *       on a revision from before it is answered CONFLICT.
 *   W2  Revisions go on growing over the exchange (Y1): those of etcd begin behind the last one of
 *       the embedded registry, the same way for every node (registry_etcd_base).
 *   W3  The embedded registry is the cell's until it was sealed, and never afterwards. It is sealed
 *       when all that it held is in etcd. Whoever crashes in the middle begins again from the one
 *       that is the cell's; what an unfinished growth left in etcd is removed by the next.
 *   W4  No change is made in both, and none that was answered OK gets lost: while keys are copied,
 *       changes are held, at most until their deadline (then REGISTRY).
 */
#ifndef PACTFS_IO_REGISTRY_SWITCH_H
#define PACTFS_IO_REGISTRY_SWITCH_H

#include <uv.h>

#include "core/registry/registry.h"
#include "core/store/store.h"

/* A registry over `backend`, which stays the caller's. Deadline and lease are the backend's. */
struct registry *registry_switch_new(uv_loop_t *loop, struct registry *backend);
/* The backend now. */
struct registry *registry_switch_backend(const struct registry *board);
/* Frees it, later on the loop: done(ctx) runs once. Watches must have ended, and growth; changes
 * under way are forgotten. The backend stays open. */
void registry_switch_close(struct registry *board, void (*done)(void *ctx), void *ctx);

/* Growth. `board` is over the embedded registry; `etcd` was opened by registry_etcd_open and is in
 * reach, and the cell has no other node that uses it yet. Copies all keys, seals the embedded
 * registry, and puts `etcd` in its place. done runs once, on the loop:
 *   OK              `etcd` is the backend; the embedded registry can be closed.
 *   REGISTRY, ...   nothing has changed for the users; `etcd` may hold some keys, and can be closed
 *                   or used for another try. error->text says why.
 *   FAILED          it is not known whether the embedded registry was sealed: the process has to be
 *                   started anew (it opens the one that is the cell's). Changes are refused. */
struct registry_growth {
    struct registry *board, *etcd;
    void (*done)(struct registry_growth *growth);
    void *ctx;
    enum err err;
    struct store_error error;
    void *impl;
};
void registry_grow(struct registry_growth *growth); /* in io/etcd/grow.c */

#endif
