/* SPDX-License-Identifier: MIT
 *
 * object.h: the unit of concurrency, replication and storage.
 *
 * An object is an inode, a bucket of directory entries that share a hash, a bucket of extended
 * attributes that share a hash, a block of file data, or a mark that an inode has no name left. It
 * is named by a key (kind, inode number, sub) and has versions, each at a stamp. Kinds other than
 * BLOCK have a small value (at most OBJECT_VALUE_MAX bytes) that is replaced whole. A block is
 * BLOCK_CHUNKS chunks of CHUNK_SIZE bytes; chunks are written and punched one by one, an absent
 * chunk reads as zeros.
 */
#ifndef PACTFS_STORE_OBJECT_H
#define PACTFS_STORE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/stamp.h"

#define CHUNK_SIZE   4096u
#define BLOCK_CHUNKS 32u
#define BLOCK_SIZE   (CHUNK_SIZE * BLOCK_CHUNKS) /* 128 KiB */

/* A small value stays in the index, so it has to be small; larger ones (long attribute
 * values) are kept as blocks by the file service. */
#define OBJECT_VALUE_MAX 7168u

enum object_kind {
    OBJECT_NONE = 0,
    OBJECT_INODE = 1,      /* ino; sub 0 */
    OBJECT_DIRENT = 2,     /* ino of the directory; sub: hash of the name (see fs/dir.h) */
    OBJECT_XATTR = 3,      /* ino; sub: hash of the name */
    OBJECT_BLOCK = 4,      /* ino; sub: block index in the file */
    OBJECT_ORPHAN = 5,     /* ino 0; sub: the inode that has no name left and awaits reclaim */
    OBJECT_XATTR_DATA = 6, /* as BLOCK; sub: hash of the name | part: a long attribute value */
    OBJECT_SESSION = 7,    /* ino: a session; sub: one of its slots (replica/primary/session.c) */
    OBJECT_NOTE = 8,       /* 0; 0: this node's own, never replicated (replicate.h) */
    OBJECT_KIND_COUNT
};

/* True for the kinds that are made of chunks. */
static inline bool object_kind_is_block(uint8_t kind)
{
    return kind == OBJECT_BLOCK || kind == OBJECT_XATTR_DATA;
}

struct object_key {
    uint8_t kind;
    uint64_t ino, sub;
};

/* True for the kinds that are the same on all replicas of a volume. */
static inline bool object_kind_is_shared(uint8_t kind)
{
    return kind != OBJECT_NONE && kind < OBJECT_NOTE;
}

static inline int object_key_compare(const struct object_key *a, const struct object_key *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    if (a->sub != b->sub)
        return a->sub < b->sub ? -1 : 1;
    return 0;
}

static inline bool object_key_equal(const struct object_key *a, const struct object_key *b)
{
    return object_key_compare(a, b) == 0;
}

/* Prints "inode 17", "entry 1/8f3a...", "block 17/4"; returns buf. 64 bytes always suffice. */
const char *object_key_print(const struct object_key *key, char *buf, size_t size);

/* What one version of an object says. */
struct object_version {
    struct stamp stamp; /* STAMP_ZERO when the object never existed (as far as is remembered) */
    bool present;       /* false: never made, or deleted at `stamp` */
    struct bytes value; /* kinds other than block, when present; owned by whoever answered */
    uint32_t chunks;    /* blocks, when present: bit i set = chunk i holds data */
};

#endif
