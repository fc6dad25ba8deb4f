/* SPDX-License-Identifier: MIT
 *
 * apply.c: the table of operations, and the rule that only what succeeds leaves a trace.
 */
#include <string.h>

#include "core/fs/call.h"

/* A plain table, by code. */
#define OPERATIONS(X)           \
    X(FORMAT, format)           \
    X(LOOKUP, lookup)           \
    X(GETATTR, getattr)         \
    X(SETATTR, setattr)         \
    X(ACCESS, access)           \
    X(OPEN, open)               \
    X(READLINK, readlink)       \
    X(MKNOD, mknod)             \
    X(MKDIR, mkdir)             \
    X(SYMLINK, symlink)         \
    X(TMPFILE, tmpfile)         \
    X(LINK, link)               \
    X(UNLINK, unlink)           \
    X(RMDIR, rmdir)             \
    X(RENAME, rename)           \
    X(READ, read)               \
    X(WRITE, write)             \
    X(FALLOCATE, fallocate)     \
    X(SEEK, seek)               \
    X(COPY, copy)               \
    X(READDIR, readdir)         \
    X(SETXATTR, setxattr)       \
    X(GETXATTR, getxattr)       \
    X(LISTXATTR, listxattr)     \
    X(REMOVEXATTR, removexattr) \
    X(RECLAIM, reclaim)

typedef enum err (*operation)(struct fs_call *call);

static const operation operations[FS_CODE_COUNT] = {
#define X(code, name) [FS_##code] = fs_##name,
    OPERATIONS(X)
#undef X
};

const char *fs_code_name(enum fs_code code)
{
    static const char *const names[FS_CODE_COUNT] = {
#define X(code, name) [FS_##code] = #name,
        OPERATIONS(X)
#undef X
    };
    return (unsigned)code < FS_CODE_COUNT && names[code] ? names[code] : "unknown";
}

enum err fs_apply(struct workspace *ws, const struct fs_volume *volume, const struct fs_op *op,
                  struct fs_result *result)
{
    memset(result, 0, sizeof *result);
    if ((unsigned)op->code >= FS_CODE_COUNT || !operations[op->code])
        return ERR_NOSYS;
    struct fs_call call = {ws, volume, op, result, false};
    uint64_t mark = ws_mark(ws);
    enum err err = operations[op->code](&call);
    INVARIANT(err != ERR_NEED || ws->need_count > 0);
    if (call.contradiction)
        err = ERR_CORRUPT;
    if (err != OK) {
        ws_rollback(ws, mark);
        memset(result, 0, sizeof *result);
    }
    return err;
}
