/* SPDX-License-Identifier: MIT
 *
 * xattr.h: extended attributes.
 *
 * The attributes of an inode whose names share a hash (name_hash) lie in one bucket: key (XATTR,
 * ino, hash). A value of more than XATTR_INLINE bytes, or one that would make the bucket too big,
 * lies in a block of its own: key (XATTR_DATA, ino, hash | slot).
 */
#ifndef PACTFS_FS_XATTR_H
#define PACTFS_FS_XATTR_H

#include "core/fs/inode.h"

#define XATTR_SLOTS      8u
#define XATTR_INLINE     3000u
#define XATTR_TOTAL_MAX  (1u << 20) /* names and values of one inode */
#define XATTR_NAMES_MAX  65536u     /* a list of the names, ACLs included, fits in this */
#define XATTR_CAPABILITY "security.capability"

struct xattr {
    struct bytes name;
    struct bytes value;   /* when long_length is 0 */
    uint32_t long_length; /* bytes in the block */
    uint32_t slot;
};

struct xattr_bucket {
    struct object_key key;
    uint32_t count;
    struct xattr list[XATTR_SLOTS];
};

/* CORRUPT when the bytes are no bucket. Names and values point into `arena`. */
enum err xattr_bucket_decode(struct arena *arena, struct bytes value, struct xattr_bucket *out);

static inline size_t xattr_length(const struct xattr *x)
{
    return x->long_length ? x->long_length : x->value.len;
}

/* Removes security.capability; changes the inode, does not write it. OK or NEED. */
enum err xattr_drop_capability(struct fs_call *call, struct inode *inode);
/* Deletes all attributes of an inode that ceases to exist. OK or NEED. */
enum err xattr_delete_all(struct fs_call *call, const struct inode *inode);

#endif
