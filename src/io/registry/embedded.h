/* SPDX-License-Identifier: MIT
 *
 * embedded.h: the registry of a cell with one node: registry.h on an LMDB environment of its own.
 *
 * Changes are made by a worker, as many at once as wait, and are on the disk (fdatasync) before
 * they are answered. Leased keys die with the process: they are removed when it closes its registry
 * and, if it could not, when the registry is opened the next time.
 */
#ifndef PACTFS_IO_REGISTRY_EMBEDDED_H
#define PACTFS_IO_REGISTRY_EMBEDDED_H

#include <uv.h>

#include "core/registry/registry.h"
#include "core/store/store.h"

/* Opens the registry in directory `dir`, made when missing; blocking. Nobody else may have it open
 * (LOCKED). MOVED: it has grown into etcd (registry_embedded_seal) and is not the cell's registry
 * any more. INDEX: damaged; READ_ONLY, NOSPC, IO, ...; with a sentence in error->text. */
enum err registry_embedded_open(uv_loop_t *loop, const char *dir, struct registry **out,
                                struct store_error *error);

/* Removes leased keys and closes; reads and changes under way are answered first. done(ctx) runs
 * once, on the loop; the registry is freed then. All watches must have ended. */
void registry_embedded_close(struct registry *registry, void (*done)(void *ctx), void *ctx);

/* --- growth: see switch.h --- */

struct registry_all {
    enum err err; /* OK, REGISTRY */
    const struct registry_item *items;
    const bool *leased; /* whether item i is */
    size_t count;
    uint64_t revision;
};

/* Refuses changes from now on (REGISTRY), waits for those under way, and gives all that there is;
 * memory valid during done, which runs once, on the loop. */
void registry_embedded_freeze(struct registry *registry,
                              void (*done)(void *ctx, const struct registry_all *all), void *ctx);
/* Takes changes again. */
void registry_embedded_thaw(struct registry *registry);
/* Durably marks a frozen registry as grown: it cannot be opened any more. err OK, or REGISTRY: then
 * it is not known whether it is marked. */
void registry_embedded_seal(struct registry *registry, void (*done)(void *ctx, enum err err),
                            void *ctx);

#endif
