/* SPDX-License-Identifier: MIT
 *
 * env.h: the one seam between the core and the world.
 *
 * Clock, chance, timers, files, the ordered index, and work off the loop come in through a table of
 * functions. src/io/uv implements it on libuv, POSIX files and LMDB; src/sim implements it in
 * memory, deterministically, with crashes and faults. The core has no other way to the outside.
 *
 * Threads. There is one loop. Everything in the core runs on it, except the `run` half of a job:
 * that runs on a worker, may block, and touches only what the job owns, plus env_file and
 * index-batch calls. `done` runs on the loop afterwards. env calls never call back into the core
 * before they return.
 *
 * Law
 *   E1  `done` of a submitted job runs exactly once, on the loop, never from inside env_submit.
 *   E2  Bytes written are durable only after file_sync (fdatasync) of that file returned OK; after
 *       a crash, any subset of what was not synced, torn at sector (512 bytes) boundaries, may be
 *       there.
 *   E3  A file's creation, renaming and removal are durable after dir_sync of its directory.
 *   E4  An index batch is all or nothing, and durable when commit returned OK.
 *   E5  mono_ns never goes back. wall_ns may jump either way.
 *   E6  `done` of a read begun with file_read_later runs exactly once, on the loop, never before
 *       that call returned. Reads may end in any order.
 */
#ifndef PACTFS_ENV_ENV_H
#define PACTFS_ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

struct env;
struct env_file;   /* an open file; implementation-defined */
struct env_index;  /* an open ordered map; implementation-defined */
struct env_cursor; /* a position in one; implementation-defined */
struct env_batch;  /* a set of changes to one; implementation-defined */

/* One job: embed it, fill run and done, submit. The memory is the caller's and must live until
 * done. */
struct env_job {
    void (*run)(struct env_job *job);  /* on a worker; may block */
    void (*done)(struct env_job *job); /* on the loop; may free the job */
    struct env_job *next;              /* for the implementation */
    void *impl;                        /* for the implementation */
};

/* One read that nobody waits for: embed it, fill file, offset, buf, len and done. Its memory, the
 * buffer and the open file must live until done. */
struct env_read {
    struct env_job job; /* for the implementation */
    struct env_file *file;
    uint64_t offset;
    void *buf;
    size_t len;
    void (*done)(struct env_read *read); /* on the loop; may free the read */
    size_t got;                          /* set before done: less than len only at the file's end */
    enum err err;                        /* set before done: OK, or what file_read would answer */
};

/* One timer: embed it, zero it, fill `fire`. One shot; may be started again from fire. */
struct env_timer {
    void (*fire)(struct env_timer *timer);
    void *impl; /* for the implementation; freed by timer_stop */
};

enum env_open {
    ENV_READ = 0,           /* must exist; read only */
    ENV_WRITE = 1,          /* must exist; read and write */
    ENV_CREATE = 2,         /* made anew, must not exist; read and write */
    ENV_CREATE_OR_OPEN = 3, /* read and write */
};

struct env_iov {
    void *data;
    size_t len;
};

struct env_space {
    uint64_t total, available; /* bytes of the disk under a directory, for this user */
};

struct env_ops {
    /* clock and chance */
    uint64_t (*wall_ns)(struct env *env);
    uint64_t (*mono_ns)(struct env *env);
    uint64_t (*random)(struct env *env); /* 64 uniform bits */

    /* the loop */
    void (*submit)(struct env *env, struct env_job *job);
    void (*timer_start)(struct env *env, struct env_timer *timer,
                        uint64_t after_ns); /* replaces a running one */
    void (*timer_stop)(struct env *env,
                       struct env_timer *timer); /* does nothing when not running */

    /* files: blocking, from the loop at start-up or from a job. Paths are absolute or relative to
     * the process; '/' separates. Every call returns OK or an error, never sets anything on
     * error. */
    enum err (*file_open)(struct env *env, const char *path, enum env_open how,
                          struct env_file **out);
    void (*file_close)(struct env_file *file);
    enum err (*file_size)(struct env_file *file, uint64_t *size);
    /* Reads `len` bytes at `offset`; *got is less only at the end of the file. */
    enum err (*file_read)(struct env_file *file, uint64_t offset, void *buf, size_t len,
                          size_t *got);
    /* As file_read, but answers AGAIN instead of waiting for the disk; for use on the loop. A short
     * count may also mean that the rest is not at hand. */
    enum err (*file_read_now)(struct env_file *file, uint64_t offset, void *buf, size_t len,
                              size_t *got);
    /* Reads while the loop goes on with other things. For use on the loop. */
    void (*file_read_later)(struct env *env, struct env_read *read);
    /* Writes all of the pieces one after another at `offset`, or fails (some may be there). */
    enum err (*file_write)(struct env_file *file, uint64_t offset, const struct env_iov *iov,
                           int count);
    enum err (*file_sync)(struct env_file *file);
    /* Makes sure that [0, size) has disk space; the file's size becomes at least `size`, new bytes
     * read as zeros. */
    enum err (*file_reserve)(struct env_file *file, uint64_t size);
    enum err (*file_truncate)(struct env_file *file, uint64_t size);

    /* directories */
    enum err (*dir_make)(struct env *env, const char *path); /* EXIST when there */
    enum err (*dir_sync)(struct env *env, const char *path);
    /* Calls each(ctx, name) for every name but . and .., in any order, until it returns false. */
    enum err (*dir_list)(struct env *env, const char *path,
                         bool (*each)(void *ctx, const char *name), void *ctx);
    enum err (*dir_space)(struct env *env, const char *path, struct env_space *out);
    enum err (*file_remove)(struct env *env, const char *path);
    enum err (*file_rename)(struct env *env, const char *from, const char *to); /* replaces `to` */

    /* the index: an ordered map from byte strings (1 to 64 bytes) to byte strings (up to 8 KiB).
     * index_open makes it in directory `path` when missing. ERR_INDEX when it is damaged. */
    enum err (*index_open)(struct env *env, const char *path, struct env_index **out);
    void (*index_close)(struct env_index *index);
    /* Removes the index and everything in it; it must not be open. */
    enum err (*index_remove)(struct env *env, const char *path);
    /* Reads, on the loop (or anywhere before the loop runs): they see the last batch before
     * index_refresh. *value stays valid until the next index_refresh. NOENT when the key is not
     * there. */
    enum err (*index_get)(struct env_index *index, struct bytes key, struct bytes *value);
    enum err (*index_refresh)(struct env_index *index);
    /* A cursor for ordered scans; valid until the next index_refresh or cursor_close. cursor_seek
     * goes to the first key >= `key`; cursor_last to the greatest key < `key`. NOENT at the end.
     * key/value stay valid until the next refresh. */
    enum err (*cursor_open)(struct env_index *index, struct env_cursor **out);
    enum err (*cursor_seek)(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                            struct bytes *value);
    enum err (*cursor_next)(struct env_cursor *cursor, struct bytes *found, struct bytes *value);
    enum err (*cursor_last)(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                            struct bytes *value);
    void (*cursor_close)(struct env_cursor *cursor);
    /* One batch at a time; all three from one job (or before the loop runs). commit and abort both
     * end it. */
    enum err (*batch_begin)(struct env_index *index, struct env_batch **out);
    enum err (*batch_put)(struct env_batch *batch, struct bytes key, struct bytes value);
    enum err (*batch_delete)(struct env_batch *batch, struct bytes key); /* OK when not there */
    enum err (*batch_commit)(struct env_batch *batch);
    void (*batch_abort)(struct env_batch *batch);
    uint64_t (*index_bytes)(struct env_index *index); /* bytes on disk in use by live entries */
    /* Looks at the whole index as it is on the disk, in a way that damage cannot harm: OK when
     * nothing was lost or moved, and `sound` says so of each entry; INDEX otherwise; or IO.
     * Blocking; before the loop runs or from a job, beside reads and a batch. */
    enum err (*index_verify)(struct env_index *index,
                             bool (*sound)(struct bytes key, struct bytes value));

    /* One line for the log of the process. */
    void (*log)(struct env *env, const char *line);
};

struct env {
    const struct env_ops *ops;
};

#endif
