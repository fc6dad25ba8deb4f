/* SPDX-License-Identifier: MIT
 *
 * ws_private.h: what a workspace is made of; shared by the files that implement it.
 *
 * An object has a base (the version that was supplied) and own writes on top. Each write is a
 * record in a list, newest first, that remembers what it replaced, so that a rollback takes records
 * off and puts the old state back.
 *
 * Own writes of a block are two masks: `set` (chunks written here, by the record in own[]) and
 * `clear` (chunks whose base does not count any more). The block as seen is (base & ~clear) | set.
 */
#ifndef PACTFS_TXN_WS_PRIVATE_H
#define PACTFS_TXN_WS_PRIVATE_H

#include "core/base/assert.h"
#include "core/base/mark.h"
#include "core/txn/workspace.h"

struct ws_write {
    struct ws_write *older;  /* in the workspace's list */
    struct ws_write *before; /* the write of the same object that this one follows */
    struct ws_object *object;
    struct shared *owner;
    struct bytes value;
    uint64_t serial, bytes_before;
    enum write_action action;
    uint32_t first, count;
    uint32_t set_before, clear_before;
    struct ws_write *
        *own_before; /* CHUNKS: own[first, first + count) before; NULL: all were NULL */
};

struct ws_block {
    struct ws_write
        *own[BLOCK_CHUNKS]; /* which record wrote a chunk; counts where `set` has its bit */
    const uint8_t *base[BLOCK_CHUNKS];   /* supplied bytes */
    const uint8_t *padded[BLOCK_CHUNKS]; /* a short own chunk in full length, made on demand */
    const struct ws_write *padded_of[BLOCK_CHUNKS];
    uint32_t set, clear;
    uint32_t wanted;
};

struct ws_object {
    struct object_key key;
    uint32_t hash;
    bool supplied; /* base holds */
    bool wanted;   /* a need for it is in the list */
    bool read;     /* part of the read set */
    struct object_version base;
    struct ws_write *write; /* the newest own write */
    struct ws_block *block; /* of block kinds, made with the first write or chunk */
    struct ws_object *next; /* in order of appearance */
};

struct ws_scan_entry {
    struct ws_scan_entry *next;
    struct ws_need range;
    struct ws_scan found; /* as supplied */
    struct ws_object **objects;
    uint64_t covered; /* up to this sub (inclusive) nothing but `found` exists */
};

/* The object for a key, made when it is not there. */
struct ws_object *ws_object_at(struct workspace *ws, struct object_key key);
/* NULL when there is none. */
struct ws_object *ws_object_find(const struct workspace *ws, const struct object_key *key);
struct ws_block *ws_block_of(struct workspace *ws, struct ws_object *object);

/* True when the object can be answered: supplied, or wholly determined by own writes. */
bool ws_object_known(const struct ws_object *object);
/* The object with own writes applied; a base that was not supplied counts as absent. */
void ws_object_view(const struct ws_object *object, struct object_version *version);

struct ws_need *ws_note_need(struct workspace *ws);

#endif
