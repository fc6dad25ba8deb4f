/* SPDX-License-Identifier: MIT
 *
 * data.h: the bytes of a file, for all operations that change them.
 *
 * None of these checks permissions; all change `inode` and leave writing it to the caller.
 * inode->chunks stays exact, and bytes of a chunk beyond the file's size stay zeros (I3).
 */
#ifndef PACTFS_FS_DATA_H
#define PACTFS_FS_DATA_H

#include "core/fs/inode.h"

/* Bytes to be written: kept alive by `owner`, or lying in the workspace's arena, or else copied. */
struct data_source {
    struct bytes bytes;
    struct shared *owner;
    bool in_arena;
};

/* Asks for the blocks under [offset, offset + length). */
void data_want(struct fs_call *call, uint64_t ino, uint64_t offset, uint64_t length);

/* Writes; the range ends at or before FS_FILE_MAX. Grows the size. OK or NEED. */
enum err data_write(struct fs_call *call, struct inode *inode, uint64_t offset,
                    struct data_source source);

/* Makes [from, to) zeros, by holes where it can; the size stays. Sets result->again when there was
 * too much for one step. OK or NEED. */
enum err data_zero(struct fs_call *call, struct inode *inode, uint64_t from, uint64_t to);

/* Cuts a file to `size`, not more than it has. Sets result->again when this step only came nearer.
 * OK or NEED. */
enum err data_cut(struct fs_call *call, struct inode *inode, uint64_t size);

/* truncate(2) but for the permission: cuts or grows, moves the times, drops set-id bits. OK, NEED,
 * FBIG. */
enum err data_resize(struct fs_call *call, struct inode *inode, uint64_t size);

/* The blocks of the file with index in [first, last], at most `limit`, in order. A few are asked
 * for one by one, which is cheaper than a scan. */
struct data_range {
    uint64_t ino, first, last;
    uint32_t limit;
};
enum err data_blocks(struct fs_call *call, const struct data_range *range, struct ws_scan *out);

/* ISDIR for a directory, INVAL for what else has no data. */
enum err data_has(const struct inode *inode);

#endif
