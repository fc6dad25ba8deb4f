/* SPDX-License-Identifier: MIT
 *
 * call.h: one application of an operation, as the families of operations see it.
 *
 * An operation function may write as it goes: fs_apply takes everything back unless it returns OK.
 * ERR_NEED is passed up unchanged; before returning it, a function asks (ws_want) for everything
 * else that it knows it will read.
 */
#ifndef PACTFS_FS_CALL_H
#define PACTFS_FS_CALL_H

#include "core/base/assert.h"
#include "core/base/mark.h"
#include "core/fs/fs.h"

struct fs_call {
    struct workspace *ws;
    const struct fs_volume *volume;
    const struct fs_op *op;
    struct fs_result *result;
    bool contradiction; /* objects were found that cannot belong together */
};

/* A law between objects (a total, a count, a mark). Each object was written by this code, but what
 * comes from the store is input all the same: where `holds` is false the operation ends with
 * CORRUPT, whatever it returns, and leaves no writes. Code behind this must be safe either way. */
static inline bool fs_expect(struct fs_call *call, bool holds)
{
    call->contradiction |= !holds;
    return holds;
}

static inline struct object_key key_inode(uint64_t ino)
{
    return (struct object_key){OBJECT_INODE, ino, 0};
}

static inline struct object_key key_block(uint64_t ino, uint64_t index)
{
    return (struct object_key){OBJECT_BLOCK, ino, index};
}

static inline struct object_key key_orphan(uint64_t ino)
{
    return (struct object_key){OBJECT_ORPHAN, 0, ino};
}

/* The operations, one function per code; see fs.h for what each does. */
enum err fs_format(struct fs_call *call);
enum err fs_lookup(struct fs_call *call);
enum err fs_getattr(struct fs_call *call);
enum err fs_setattr(struct fs_call *call);
enum err fs_access(struct fs_call *call);
enum err fs_open(struct fs_call *call);
enum err fs_readlink(struct fs_call *call);
enum err fs_mknod(struct fs_call *call);
enum err fs_mkdir(struct fs_call *call);
enum err fs_symlink(struct fs_call *call);
enum err fs_tmpfile(struct fs_call *call);
enum err fs_link(struct fs_call *call);
enum err fs_unlink(struct fs_call *call);
enum err fs_rmdir(struct fs_call *call);
enum err fs_rename(struct fs_call *call);
enum err fs_read(struct fs_call *call);
enum err fs_write(struct fs_call *call);
enum err fs_fallocate(struct fs_call *call);
enum err fs_seek(struct fs_call *call);
enum err fs_copy(struct fs_call *call);
enum err fs_readdir(struct fs_call *call);
enum err fs_setxattr(struct fs_call *call);
enum err fs_getxattr(struct fs_call *call);
enum err fs_listxattr(struct fs_call *call);
enum err fs_removexattr(struct fs_call *call);
enum err fs_reclaim(struct fs_call *call);

#endif
