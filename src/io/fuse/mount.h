/* SPDX-License-Identifier: MIT
 *
 * mount.h: one FUSE mount of one volume, driven by the event loop.
 *
 * The kernel's requests are read from /dev/fuse on the loop and go to the agent; answers go back
 * from the loop, at once or when the agent has them.
 *
 * A mount that is not `shared` is the only client of its volume, so the kernel may cache names,
 * attributes and data for as long as it likes: everything that changes them goes through it.
 * Answers that a change overtakes are the one thing it has to be told of: see change.c.
 *
 * In a `shared` one other machines change the volume too, so the kernel keeps nothing: see shared.c
 * for what programs may rely on.
 */
#ifndef PACTFS_IO_FUSE_MOUNT_H
#define PACTFS_IO_FUSE_MOUNT_H

#include "core/agent/agent.h"

struct mount;

struct mount_options {
    const char *dir;       /* an existing, empty directory that is no mount point; copied */
    const char *fsname;    /* shown by mount(8) and df(1); NULL: "pactfs" */
    bool allow_other;      /* users other than the one who mounts; root only, unless /etc/fuse.conf
                              allows it */
    bool through_pages;    /* shared: as on kernels before 6.6, see shared.c; for tests */
    bool shared;           /* other machines change the volume too */
    bool no_writeback;     /* every write(2) waits for this process: slower, for debugging */
    uint32_t readahead_kb; /* 0: 1024. Root only, others get the kernel's default */
    uint32_t spin_us;      /* after a request, look for the next one this long before sleeping;
                              UINT32_MAX: never      sleep less, 0: the default */
    /* Somebody else unmounted it, or the connection broke. Runs once, on the loop, unless
     * mount_close was called before; the mount is no longer usable and must be closed. */
    void (*on_unmounted)(void *ctx);
    /* For statfs(2): the size of the disk under the volume and what is left of it. NULL: zero. */
    void (*space)(void *ctx, struct env_space *out);
    /* Asked about a program that was interrupted (killed, mostly) while it waits for an answer:
     * true when there is none to be expected soon. It then gets EINTR; what it asked for may happen
     * all the same. NULL: it waits. */
    bool (*stalled)(void *ctx);
    /* The kernel has let go, and nobody waits any more for what is still under way: it has to end.
     * NULL: it will anyway. */
    void (*give_up)(void *ctx);
    void *ctx;
};

/* Mounts. `env` is one of src/io/uv, from which the loop is taken. Blocking, for milliseconds. The
 * mount is usable when the loop runs. A stale mount of a dead process on `dir` is cleared away
 * first. NOENT, NOTDIR, NOTEMPTY, BUSY (a mount point already), ACCES, NOTSUP (no /dev/fuse) or
 * MOUNT, with a sentence in error->text; then nothing has changed. */
enum err mount_open(struct env *env, struct agent *agent, const struct mount_options *options,
                    struct mount **out, struct store_error *error);

/* What mount_close found. */
struct mount_closed {
    bool was_busy;  /* programs still used it: it was detached, and they get errors from now on */
    bool timed_out; /* the kernel did not let go in time: the connection was cut */
};

/* Unmounts and frees. The loop must go on running. done runs once, on the loop, within 15 s in any
 * case; the agent has then forgotten all references. Dirty pages are written back first. */
void mount_close(struct mount *mount, void (*done)(void *ctx, const struct mount_closed *how),
                 void *ctx);

struct mount_status {
    uint64_t messages; /* from the kernel */
    uint64_t bytes_read, bytes_written;
    uint64_t wakeups, spins_won; /* sleeps ended by the kernel; requests found while looking */
    uint64_t pauses;             /* times no more requests were taken because the agent was full */
    uint64_t forgotten_replies;  /* the kernel did not want the answer any more */
    uint32_t in_flight, buffers;
};
void mount_status(const struct mount *mount, struct mount_status *out);
const char *mount_dir(const struct mount *mount);

/* Unmounts what a killed process left on `dir` ("Transport endpoint is not connected"). OK also
 * when there is nothing of the kind; it never touches a mount that works. ACCES when this user may
 * not. */
enum err mount_clear_stale(const char *dir);

/* True when `dir` is a mount point now. Does not touch the file system mounted there. */
bool mount_is_point(const char *dir);

#endif
