/* SPDX-License-Identifier: MIT
 *
 * overlay.h: index changes in memory between checkpoints.
 *
 * Law
 *   O1  An overlay holds objects in key order, each with its changed versions, newest first, no
 *       stamp twice.
 *   O2  A put overrides, a drop hides, the version with the same stamp in every layer below.
 *   O3  A version marked `newest` is the newest of its object in all layers: lookups need not go
 *       further down.
 *   O4  A version marked `born` has no counterpart in the layers below: dropping it leaves no
 *       trace.
 *   O5  A frozen overlay does not change; the loop and one job may read it at the same time.
 */
#ifndef PACTFS_STORE_OVERLAY_H
#define PACTFS_STORE_OVERLAY_H

#include <bsd/sys/tree.h>

#include "core/store/object.h"

struct overlay_version {
    struct overlay_version *older;
    struct stamp stamp;
    bool dropped, newest, born;
    uint32_t len;
    uint8_t value[]; /* as encoded for the index */
};

struct overlay_object {
    RB_ENTRY(overlay_object) link;
    struct object_key key;
    struct overlay_version *versions;
};

RB_HEAD(overlay_tree, overlay_object);

struct overlay {
    struct overlay_tree tree;
    uint64_t bytes; /* memory in use */
    uint64_t objects;
};

void overlay_init(struct overlay *overlay);
void overlay_clear(struct overlay *overlay);

struct overlay_object *overlay_find(struct overlay *overlay, const struct object_key *key);
/* The first object with a key >= `key`, or NULL; and the one after an object. */
struct overlay_object *overlay_at(struct overlay *overlay, const struct object_key *key);
struct overlay_object *overlay_next(struct overlay_object *object);

/* Sets the version's encoded value; one there before is replaced and passes on `born`. With
 * `newest`, the mark moves to it. */
struct overlay_put {
    struct object_key key;
    struct stamp stamp;
    struct bytes value;
    bool newest, born;
};
void overlay_put(struct overlay *overlay, const struct overlay_put *put);
/* Hides the version (O2), or removes it when it was born here (O4). */
void overlay_drop(struct overlay *overlay, const struct object_key *key, struct stamp stamp);

/* Asserts O1, O3. */
void overlay_check(struct overlay *overlay);

#endif
