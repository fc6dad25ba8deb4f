/* SPDX-License-Identifier: MIT
 *
 * xattr_bucket.h: the buckets that extended attributes lie in; private to xattr*.c.
 */
#ifndef PACTFS_FS_XATTR_BUCKET_H
#define PACTFS_FS_XATTR_BUCKET_H

#include "core/fs/xattr.h"

struct object_key xattr_key(const struct fs_call *call, uint64_t ino, struct bytes name);
bool xattr_is_capability(struct bytes name);

/* Reads the bucket of a name and finds it: *found NULL when there is no such attribute. OK, NEED,
 * CORRUPT. */
enum err xattr_load(struct fs_call *call, uint64_t ino, struct bytes name,
                    struct xattr_bucket *bucket, struct xattr **found);
/* The whole value. OK or NEED. */
enum err xattr_read(struct fs_call *call, const struct xattr_bucket *bucket, const struct xattr *x,
                    struct bytes *value);
/* Removes / sets name and value (x: what xattr_load found); both count the inode's totals and do
 * not write the inode. XATTR_NOSPC when a limit is reached. */
void xattr_take(struct fs_call *call, struct inode *inode, struct xattr_bucket *bucket,
                struct xattr *x);
enum err xattr_store(struct fs_call *call, struct inode *inode, struct xattr_bucket *bucket,
                     struct xattr *x, const struct xattr *set);

#endif
