/* SPDX-License-Identifier: MIT
 *
 * wire.c: what libfuse 3.14 does not know of the kernel's protocol.
 *
 * libfuse decodes requests and encodes answers. Three things go past it:
 *   - flags of the answer to FUSE_INIT that it has no name for, FUSE_HANDLE_KILLPRIV_V2 above all:
 * without it the kernel asks for the attribute security.capability before every write(2);
 *   - FUSE_TMPFILE, FUSE_STATX and FUSE_SYNCFS, which are newer than it;
 *   - reading: the bytes are read straight into the buffer from which the log will write them.
 */
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/fuse/private.h"

/* From protocol 7.39 on; the kernel headers of Debian 12 are of 7.38. */
#define OPCODE_STATX 52u

#define STATX_BITS_BASIC 0x7ffu
#define STATX_BITS_BTIME 0x800u

struct wire_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

struct wire_statx_out {
    uint64_t attr_valid;
    uint32_t attr_valid_nsec;
    uint32_t flags;
    uint64_t spare[2];
    uint32_t mask;
    uint32_t blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask;
    struct wire_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t spare2[14];
};

STATIC_ASSERT(sizeof(struct wire_statx_out) == 288, "the kernel's struct fuse_statx_out");

struct wire_created {
    struct fuse_entry_out entry;
    struct fuse_open_out open;
};

const void *wire_arguments(const struct mount *mount)
{
    return mount->current->data + sizeof(struct fuse_in_header);
}

/* --- answers without libfuse --- */

/* False when the kernel did not take it. Ends the call. */
static bool answer(struct call *call, void *body, size_t size)
{
    enum err err = call->request.err;
    struct fuse_out_header out = {.unique = call->unique, .error = -err_errno(err)};
    struct iovec iov[2] = {{&out, sizeof out}, {body, err == OK ? size : 0}};
    out.len = (uint32_t)(sizeof out + iov[1].iov_len);
    bool taken = writev(call->mount->fd, iov, iov[1].iov_len ? 2 : 1) >= 0;
    call_end(call);
    return taken;
}

void wire_answer_error(struct call *call, int number)
{
    struct fuse_out_header out = {.len = sizeof out, .error = -number, .unique = call->unique};
    if (call->req) {
        fuse_reply_err(call->req, number);
        call->req = NULL;
    } else {
        ssize_t taken = write(call->mount->fd, &out, sizeof out);
        (void)taken; /* nobody waits any more */
    }
}

static void reply_tmpfile(struct call *call)
{
    struct mount *mount = call->mount;
    struct wire_created out = {
        .entry = {.entry_valid = (uint64_t)shared_or(mount, FOREVER_S)},
        .open = {.open_flags = shared_open_flags(mount)},
    };
    uint64_t ino = call->request.result.attr.ino;
    bool made = call->request.err == OK;
    if (made) {
        out.entry.nodeid = ino;
        attr_to_wire(&call->request.result.attr, &out.entry.attr);
        agent_ref(mount->agent, ino);
        out.entry.attr_valid = (uint64_t)change_keep(call, &call->request.result.attr);
    }
    if (!answer(call, &out, sizeof out) && made) {
        mount->status.forgotten_replies++;
        agent_forget(mount->agent, ino, 1);
    }
}

static void do_tmpfile(struct mount *mount)
{
    const struct fuse_create_in *in = wire_arguments(mount);
    struct call *call = call_new_raw(mount, FS_TMPFILE);
    call->request.op.new_ino = agent_new_ino(mount->agent);
    call->request.op.mode = in->mode;
    call->request.op.umask = in->umask;
    call_run(call, reply_tmpfile);
}

static struct wire_time to_wire_time(uint64_t seconds, uint32_t nanoseconds)
{
    return (struct wire_time){.seconds = (int64_t)seconds, .nanoseconds = nanoseconds};
}

static struct wire_statx_out statx_of(const struct fs_attr *attr, double keep)
{
    struct fuse_attr a;
    attr_to_wire(attr, &a);
    int64_t btime = attr->btime / 1000000000, rest = attr->btime % 1000000000;
    return (struct wire_statx_out){
        .attr_valid = (uint64_t)keep,
        .mask = STATX_BITS_BASIC | STATX_BITS_BTIME,
        .blksize = a.blksize,
        .nlink = a.nlink,
        .uid = a.uid,
        .gid = a.gid,
        .mode = (uint16_t)a.mode,
        .ino = a.ino,
        .size = a.size,
        .blocks = a.blocks,
        .atime = to_wire_time(a.atime, a.atimensec),
        .mtime = to_wire_time(a.mtime, a.mtimensec),
        .ctime = to_wire_time(a.ctime, a.ctimensec),
        .btime = {.seconds = rest < 0 ? btime - 1 : btime,
                  .nanoseconds = (uint32_t)(rest < 0 ? rest + 1000000000 : rest)},
        .rdev_major = major(attr->rdev),
        .rdev_minor = minor(attr->rdev),
    };
}

static void reply_statx(struct call *call)
{
    const struct fs_attr *attr = &call->request.result.attr;
    if (call->request.err == OK)
        shared_looked(call);
    struct wire_statx_out out = statx_of(attr, change_keep(call, attr));
    answer(call, &out, sizeof out);
}

void wire_answer_attr(struct call *call, const struct fs_attr *attr)
{
    struct stat st;
    struct wire_statx_out body = statx_of(attr, 0);
    struct fuse_out_header out = {.len = sizeof out + sizeof body, .unique = call->unique};
    struct iovec iov[2] = {{&out, sizeof out}, {&body, sizeof body}};
    attr_to_stat(attr, &st);
    if (call->req) {
        fuse_reply_attr(call->req, &st, 0);
        call->req = NULL;
    } else {
        ssize_t taken = writev(call->mount->fd, iov, 2);
        (void)taken; /* nobody waits any more */
    }
}

static void do_statx(struct mount *mount)
{
    struct call *call = call_new_raw(mount, FS_GETATTR);
    shared_looks(call);
    call_run(call, reply_statx);
}

static void reply_raw_status(struct call *call)
{
    answer(call, NULL, 0);
}

/* --- asking the kernel for what it holds --- */

/* With an offset below 0 only attributes are dropped; else, from there to the end, pages too. */
static void invalidate(struct mount *mount, uint64_t ino, int64_t offset)
{
    struct fuse_notify_inval_inode_out body = {.ino = ino, .off = offset};
    struct fuse_out_header out = {.len = sizeof out + sizeof body,
                                  .error = FUSE_NOTIFY_INVAL_INODE};
    struct iovec iov[2] = {{&out, sizeof out}, {&body, sizeof body}};
    ssize_t told = writev(mount->fd, iov, 2);
    (void)told; /* the kernel may not know the inode any more */
}

void wire_attributes_changed(struct mount *mount, uint64_t ino)
{
    invalidate(mount, ino, -1);
}

static void tell_later_work(uv_work_t *work)
{
    struct call *call = work->data;
    invalidate(call->mount, call->request.op.ino, -1);
}

static void tell_later_done(uv_work_t *work, int status)
{
    (void)status;
    call_end(work->data);
}

void wire_attributes_changed_later(struct call *call)
{
    call->work.data = call;
    int problem = uv_queue_work(call->mount->loop, &call->work, tell_later_work, tell_later_done);
    INVARIANT(problem == 0);
}

/* Blocks until the loop has taken all dirty pages of the file. What goes wrong shows at the next
 * fsync. */
static void write_back_work(uv_work_t *work)
{
    struct call *call = work->data;
    invalidate(call->mount, call->request.op.ino, 0);
}

static void write_back_done(uv_work_t *work, int status)
{
    struct call *call = work->data;
    (void)status;
    call->flushed(call);
}

void wire_write_back(struct call *call, void (*flushed)(struct call *call))
{
    call->work.data = call;
    call->flushed = flushed;
    int problem = uv_queue_work(call->mount->loop, &call->work, write_back_work, write_back_done);
    INVARIANT(problem == 0);
}

/* --- requests --- */

void wire_dispatch(struct mount *mount, size_t size)
{
    const struct fuse_in_header *in = (const void *)mount->current->data;
    struct fuse_buf buf = {.mem = mount->current->data, .size = size};
    INVARIANT(size >= sizeof *in);
    mount->status.messages++;
    change_heard(mount, in);
    switch (in->opcode) {
    case FUSE_TMPFILE:
        do_tmpfile(mount);
        break;
    case OPCODE_STATX:
        do_statx(mount);
        break;
    case FUSE_INTERRUPT:
        if (mount->options.shared)
            shared_interrupt(mount,
                             ((const struct fuse_interrupt_in *)wire_arguments(mount))->unique);
        else
            fuse_session_process_buf(mount->session, &buf);
        break;
    case FUSE_SYNCFS:
        call_sync(call_new_raw(mount, FS_GETATTR), reply_raw_status);
        break;
    default:
        fuse_session_process_buf(mount->session, &buf);
    }
}

ssize_t wire_read(int fd, void *buf, size_t len, void *userdata)
{
    (void)userdata;
    return read(fd, buf, len);
}

/* Adds to the answer to FUSE_INIT. */
static void complete_init(struct mount *mount, struct fuse_init_out *out)
{
    const struct fuse_init_in *in = wire_arguments(mount);
    if (in->flags & FUSE_HANDLE_KILLPRIV_V2) {
        out->flags |= FUSE_HANDLE_KILLPRIV_V2;
        out->flags &= ~(uint32_t)FUSE_HANDLE_KILLPRIV;
        mount->kill_priv = true;
    }
    if (mount->options.shared)
        shared_init(mount, in, out);
    mount->started = true;
}

ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct mount *mount = userdata;
    if (!mount->started && count >= 2 && iov[1].iov_len >= sizeof(struct fuse_init_out) &&
        ((const struct fuse_in_header *)(const void *)mount->current->data)->opcode == FUSE_INIT)
        complete_init(mount, iov[1].iov_base);
    return writev(fd, iov, count);
}
