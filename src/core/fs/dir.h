/* SPDX-License-Identifier: MIT
 *
 * dir.h: names in directories.
 *
 * The names of a directory that share a hash lie in one object, a bucket: key (DIRENT, directory,
 * hash). The hash is XXH3 of the name, seeded with the volume's salt, its low three bits and its
 * top bit cleared, at least DIR_FIRST. The low three bits are the entry's slot in the bucket, so
 * hash | slot is a number that names the entry and never changes while it exists: its cookie.
 *
 * Invariants
 *   D1  A bucket has 1 to DIR_SLOTS entries, in order of slot; slots and names differ. An empty
 *       bucket does not exist.
 *   D2  Cookies 1 and 2 stand for "." and "..".
 */
#ifndef PACTFS_FS_DIR_H
#define PACTFS_FS_DIR_H

#include "core/fs/inode.h"

#define DIR_SLOTS      8u
#define DIR_FIRST      64u
#define DIR_LAST       (UINT64_MAX >> 1)
#define DIR_COOKIE_DOT 1u
#define DIR_COOKIE_UP  2u

struct dir_entry {
    struct bytes name;
    uint64_t ino;
    uint32_t type; /* the type bits of mode, in place */
    uint32_t slot;
};

struct dir_bucket {
    struct object_key key;
    uint32_t count;
    struct dir_entry entries[DIR_SLOTS];
};

/* The hash of a name, of a file or of an extended attribute. */
uint64_t name_hash(const struct fs_volume *volume, struct bytes name);

/* Names point into `arena`. CORRUPT when the bytes are no bucket. */
enum err bucket_decode(struct arena *arena, struct bytes value, struct dir_bucket *out);
struct bytes bucket_encode(struct arena *arena, const struct dir_bucket *bucket);

/* OK; NAMETOOLONG; NOENT for the empty name; INVAL for one with '/' or NUL. */
enum err name_valid(struct bytes name);
bool name_is_dot(struct bytes name);
bool name_is_up(struct bytes name);

/* One name in one directory: what an operation on names works on. `dir` and `bucket` are pointed at
 * by the caller, so that two places in one directory can share them. */
struct place {
    struct inode *dir;
    struct dir_bucket *bucket;
    struct bytes name;
    struct dir_entry *entry; /* NULL when there is no such name */
};

/* Asks for what place_open will read. */
void place_want(struct fs_call *call, uint64_t dir, struct bytes name);
/* Reads directory and bucket and finds the name. NEED, STALE (no such inode), NOTDIR, ACCES (search
 * permission), errors of name_valid. */
enum err place_open(struct fs_call *call, uint64_t dir, struct bytes name, struct place *place);
/* As place_open; shares dir and bucket with `other` where they are the same objects. */
enum err place_open_second(struct fs_call *call, uint64_t dir, struct bytes name,
                           struct place *other, struct place *place);

/* The inode that an existing name leads to: NEED, or CORRUPT when there is none, when it is of
 * another type than the name says, or the directory itself. */
enum err place_inode(struct fs_call *call, const struct place *place, struct inode *out);

/* Adds a name that is not there: DIR_COLLISION when its bucket is full. Counts dir->entries;
 * neither function writes the directory's inode. */
enum err place_add(struct fs_call *call, struct place *place, uint64_t ino, uint32_t mode);
void place_remove(struct fs_call *call, struct place *place);
/* Lets the name lead to another inode. */
void place_replace(struct fs_call *call, struct place *place, uint64_t ino, uint32_t mode);

#endif
