/* SPDX-License-Identifier: MIT
 *
 * inode.h: the inode as the file service handles it, and its form as a value.
 *
 * Invariants
 *   I1  nlink of a directory is 2 + its subdirectories, or 0 once removed; of anything else the
 *       number of its names.
 *   I2  nlink is 0 exactly when the orphan mark exists.
 *   I3  chunks is the number of chunks of its blocks that hold data; none lies wholly beyond size,
 *       and bytes of a chunk beyond size are zeros.
 *   I4  entries is the number of names in a directory, without "." and "..".
 *   I5  the mode agrees with acl_access: owner and other bits with their entries, group bits with
 *       the mask.
 *   I6  xattr_bytes is the sum of name and value lengths of its attributes (ACLs not counted);
 *       xattr_names of name lengths + 1.
 */
#ifndef PACTFS_FS_INODE_H
#define PACTFS_FS_INODE_H

#include "core/fs/call.h"

#define FS_TYPE 0170000u
#define FS_DIR  0040000u
#define FS_REG  0100000u
#define FS_LNK  0120000u
#define FS_CHR  0020000u
#define FS_BLK  0060000u
#define FS_FIFO 0010000u
#define FS_SOCK 0140000u
#define FS_SUID 04000u
#define FS_SGID 02000u
#define FS_SVTX 01000u
#define FS_PERM 07777u /* everything in a mode but the type */

enum inode_flag {
    INODE_LINKABLE = 1,   /* made by TMPFILE and never linked: a link may give it its first name */
    INODE_CAPABILITY = 2, /* has security.capability, which any change of the data removes */
};

struct inode {
    uint64_t ino;
    uint32_t mode, uid, gid, nlink;
    uint64_t size, chunks, rdev, parent, entries, xattr_bytes, xattr_names;
    int64_t atime, mtime, ctime, btime;
    struct bytes target;
    struct bytes acl_access, acl_default;
    uint32_t flags;
};

static inline bool inode_is_dir(const struct inode *inode)
{
    return (inode->mode & FS_TYPE) == FS_DIR;
}

static inline bool inode_is_file(const struct inode *inode)
{
    return (inode->mode & FS_TYPE) == FS_REG;
}

/* Decodes; byte fields point into `arena`. CORRUPT when the bytes are not an inode. */
enum err inode_decode(struct arena *arena, uint64_t ino, struct bytes value, struct inode *out);
/* Encodes into `arena`; at most OBJECT_VALUE_MAX bytes. */
struct bytes inode_encode(struct arena *arena, const struct inode *inode);

/* Reads an inode: OK, NEED, CORRUPT, or `missing` when there is none. */
enum err inode_get(struct fs_call *call, uint64_t ino, enum err missing, struct inode *out);
void inode_put(struct fs_call *call, const struct inode *inode);

struct fs_attr inode_attr(const struct inode *inode);

/* The change of a directory's names: mtime and ctime. */
void inode_touch(const struct fs_call *call, struct inode *inode);
/* relatime: true when the access time moved. */
bool inode_accessed(const struct fs_call *call, struct inode *inode);

/* One name fewer; the last one leaves an orphan. Writes the inode. */
void inode_unlinked(struct fs_call *call, struct inode *inode);
void inode_make_orphan(struct fs_call *call, const struct inode *inode);

#endif
