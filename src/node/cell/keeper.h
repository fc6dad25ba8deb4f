/* SPDX-License-Identifier: MIT
 *
 * keeper.h: the node's way to the registry, and its growth with the cell: embedded in the first
 * node, in an etcd of one member when a second node joins, of three when there are three; or an
 * etcd that somebody else looks after.
 *
 * Law
 *   K1  The registry is handed to a second node only when it is one that both can reach.
 *   K2  A member is added as one that does not vote, and votes when it has caught up: a machine
 *       that fails on the way costs no majority.
 *   K3  The node starts, and serves the volumes whose views stand, also when no registry is in
 *       reach.
 */
#ifndef PACTFS_NODE_CELL_KEEPER_H
#define PACTFS_NODE_CELL_KEEPER_H

#include "node/cell/cell_private.h"

/* Opens what cell.json says; sets cell->registry. Blocking, before the loop runs. */
enum err keeper_open(struct cell *cell, struct store_error *error);
/* Once a second, or so. */
void keeper_tick(struct cell *cell);
/* done(ctx) once, when all is closed and the children have ended. Watches have ended before. */
void keeper_close(struct cell *cell, void (*done)(void *ctx), void *ctx);

/* Makes sure that other nodes can use the registry. done(ctx, err) once: OK, or an error with a
 * sentence in error->text. */
void keeper_share(struct cell *cell,
                  void (*done)(void *ctx, enum err err, const struct store_error *error),
                  void *ctx);
/* Takes the member of a node that has left out of etcd. done likewise. */
void keeper_expel(struct cell *cell, uint32_t node,
                  void (*done)(void *ctx, enum err err, const struct store_error *error),
                  void *ctx);

/* Why the registry is not in reach; "" when it is, as far as is known. */
const char *keeper_trouble(const struct cell *cell);

#endif
