/* SPDX-License-Identifier: MIT
 *
 * fs.h: the file service as one pure function.
 *
 *     fs_apply(workspace, volume, operation, result) -> error
 *
 * An operation carries everything that would otherwise come from the world: the caller's
 * credentials, the time, the inode number to use for what it makes. fs_apply reads and writes
 * only the workspace, so the same call gives the same result wherever it runs: at a coordinator,
 * at every replica in one order, in a client under a lease, in a transaction.
 *
 * Outcomes: OK: *result is filled, the workspace's write set has grown by the operation's effect.
 * ERR_NEED: the workspace lacks something; nothing was written; supply ws->needs and call again.
 * Any other error: nothing was written. Memory of the result is the workspace's and lives until
 * ws_reset.
 */
#ifndef PACTFS_FS_FS_H
#define PACTFS_FS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/txn/workspace.h"

#define FS_ROOT_INO    1u
#define FS_NAME_MAX    255u
#define FS_SYMLINK_MAX 4095u
#define FS_LINK_MAX    UINT32_C(0x7fffffff)
#define FS_FILE_MAX    (UINT64_C(1) << 50) /* bytes */
#define FS_XATTR_MAX   65536u              /* bytes of one value */
#define FS_IO_MAX      (1u << 20)          /* bytes of one read or write */
#define FS_COPY_MAX    (1u << 20)          /* bytes of one copy; longer ones are cut short */
#define FS_TRIM_MAX    65536u              /* blocks freed by one operation; see fs_result.again */

/* What holds for the whole volume; never changes after it was made. */
struct fs_volume {
    uint64_t salt; /* of the hashes of names, so that nobody can make them collide on purpose */
};

struct fs_cred {
    uint32_t uid, gid;
    const uint32_t *groups; /* supplementary groups */
    uint32_t group_count;
    /* The caller (a kernel with default_permissions) has checked permissions already; the rules
     * that change results (set-id bits, sticky inheritance, ACLs) hold all the same. */
    bool checked;
    bool cap_fsetid; /* may keep set-id bits; a mount gives it to uid 0 */
};

enum fs_code {
    FS_FORMAT = 1, /* makes the root directory: mode, cred */
    FS_LOOKUP,     /* ino, name -> attr; "." and ".." too */
    FS_GETATTR,    /* ino -> attr */
    FS_SETATTR,    /* ino, set, attr -> attr */
    FS_ACCESS,     /* ino, mask (R 4, W 2, X 1) */
    FS_OPEN,       /* ino, mask: permission to open; flags FS_OPEN_TRUNCATE -> attr */
    FS_READLINK,   /* ino, flags FS_READ_ATIME -> value, attr */
    FS_MKNOD,     /* ino, name, new_ino, mode (with type; regular files too), umask, rdev -> attr */
    FS_MKDIR,     /* ino, name, new_ino, mode, umask -> attr */
    FS_SYMLINK,   /* ino, name, new_ino, value (target) -> attr */
    FS_TMPFILE,   /* ino (directory), new_ino, mode, umask -> attr: a file without a name */
    FS_LINK,      /* ino (target), ino2 (directory), name2 -> attr */
    FS_UNLINK,    /* ino, name -> attr of what was unlinked (nlink 0: it is an orphan now) */
    FS_RMDIR,     /* ino, name -> attr likewise */
    FS_RENAME,    /* ino, name, ino2, name2, flags -> attr of what was moved, attr2 of what was
                   replaced (ino 0: nothing) */
    FS_READ,      /* ino, offset, length, flags FS_READ_ATIME -> pieces, length */
    FS_WRITE,     /* ino, offset, value, owner, flags FS_WRITE_* -> length, attr */
    FS_FALLOCATE, /* ino, offset, length, flags FALLOC_FL_* -> attr */
    FS_SEEK,      /* ino, offset, flags SEEK_DATA 3 or SEEK_HOLE 4 -> offset */
    FS_COPY,      /* ino, offset, ino2, offset2, length -> length, attr2 (of ino2) */
    FS_READDIR,   /* ino, offset (cookie, 0 = start), length (most entries), flags
                     FS_READDIR_* -> entries */
    FS_SETXATTR,  /* ino, name, value, flags XATTR_CREATE 1, XATTR_REPLACE 2 */
    FS_GETXATTR,  /* ino, name -> value */
    FS_LISTXATTR, /* ino -> value: names, each with its NUL */
    FS_REMOVEXATTR, /* ino, name */
    FS_RECLAIM,     /* ino: an orphan that nobody has open any more ceases to exist; OK when it is
                       gone already */
    FS_CODE_COUNT
};

const char *fs_code_name(enum fs_code code); /* "mkdir"; static */

enum fs_set { /* bits of fs_op.set */
              FS_SET_MODE = 1,
              FS_SET_UID = 2,
              FS_SET_GID = 4,
              FS_SET_SIZE = 8,
              FS_SET_ATIME = 16,
              FS_SET_MTIME = 32,
              FS_SET_CTIME = 64, /* given by a kernel with a write-back cache */
              FS_SET_ATIME_NOW =
                  128, /* the operation's time; a user may do that with write permission alone */
              FS_SET_MTIME_NOW = 256,
              FS_SET_BTIME = 512, /* for restoring */
};

enum {
    FS_OPEN_TRUNCATE = 1,
    FS_READ_ATIME = 1,    /* update the access time by the relatime rule: when not newer than mtime
                            or ctime, or a day old */
    FS_WRITE_APPEND = 1,  /* at the end of the file, whatever `offset` says */
    FS_WRITE_CACHED = 2,  /* from a kernel's write-back cache: it sees to times and set-id bits */
    FS_READDIR_PLUS = 1,  /* with attributes */
    FS_READDIR_ATIME = 2, /* as FS_READ_ATIME */
    FS_RENAME_NOREPLACE = 1,
    FS_RENAME_EXCHANGE = 2,
};

struct fs_attr {
    uint64_t ino, size, blocks; /* blocks of 512 bytes in use */
    uint32_t mode, uid, gid, nlink;
    uint64_t rdev;
    int64_t atime, mtime, ctime, btime; /* nanoseconds since 1970 */
};

struct fs_op {
    enum fs_code code;
    struct fs_cred cred;
    int64_t now; /* nanoseconds since 1970 */
    uint64_t ino, ino2, new_ino;
    struct bytes name, name2;
    struct bytes value;
    struct shared *owner; /* of value.data for FS_WRITE; may be NULL */
    uint64_t offset, offset2, length;
    uint64_t rdev;
    uint32_t mode, umask, mask, flags, set;
    struct fs_attr attr;
};

/* Where the bytes of a read come from, in order; their lengths add up to result.length. */
enum fs_piece_type { FS_PIECE_HOLE, FS_PIECE_STORE, FS_PIECE_MEMORY };
struct fs_piece {
    enum fs_piece_type type;
    uint32_t length;
    struct object_key
        block; /* STORE: which block, and the offset in it; a piece never crosses a block */
    uint32_t offset;
    const uint8_t *data; /* MEMORY */
};

struct fs_entry {
    struct bytes name;
    uint64_t cookie;     /* of this entry: give it as offset to go on behind it */
    struct fs_attr attr; /* FS_READDIR_PLUS: all of it; otherwise ino and the type bits of mode */
};

struct fs_result {
    struct fs_attr attr, attr2;
    struct bytes value;
    uint64_t offset, length;
    const struct fs_piece *pieces;
    uint32_t piece_count;
    const struct fs_entry *entries;
    uint32_t entry_count;
    bool end; /* READDIR: there is nothing behind the last entry */
    /* A file with more than FS_TRIM_MAX blocks beyond the new end: this step cut a part off (from
     * the end, the file is that much shorter); commit, then call the same operation again until
     * `again` is false. Zeroing many blocks goes in steps likewise. */
    bool again;
};

enum err fs_apply(struct workspace *ws, const struct fs_volume *volume, const struct fs_op *op,
                  struct fs_result *result);

/* Prints "rename 1/'a' 7/'b' uid=1000" for logs and transcripts; returns buf. */
const char *fs_op_print(const struct fs_op *op, char *buf, size_t size);

#endif
