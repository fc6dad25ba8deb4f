/* SPDX-License-Identifier: MIT
 *
 * op_data.c: the contents of files.
 */
#include <fcntl.h>

#include "core/base/assert.h"
#include "io/fuse/private.h"

/* Beyond this many buffers out, the log gets copies: a buffer that it keeps for a few kilobytes is
 * a megabyte. */
#define BUFFERS_LENT 48u

static void reply_data(struct call *call)
{
    if (reply_failed(call))
        return;
    uint64_t length = call->request.result.length;
    INVARIANT(length <= call->request.op.length);
    call->mount->status.bytes_read += length;
    fuse_reply_buf(call->req, (const char *)call->request.into, length);
    change_accessed(call);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct call *call = call_new(req, FS_READ, ino);
    struct fs_op *op = &call->request.op;
    op->offset = (uint64_t)offset;
    op->length = size < FS_IO_MAX ? size : FS_IO_MAX;
    /* Of a file that is only open for writing, the kernel reads what surrounds a write: nobody has
     * accessed it. */
    if (!(fi->flags & O_NOATIME) && (fi->flags & O_ACCMODE) != O_WRONLY &&
        !call->mount->options.shared)
        op->flags = FS_READ_ATIME;
    call->request.into = call->buffer->data + BUFFER_HEADER;
    call_run(call, reply_data);
}

static void reply_count(struct call *call)
{
    if (reply_failed(call))
        return;
    change_tell(call);
    fuse_reply_write(call->req, call->request.result.length);
    call_end(call);
}

static void reply_written(struct call *call)
{
    const struct fs_attr *attr = &call->request.result.attr;
    if (call->request.err == OK && !call->mount->options.shared &&
        agent_has_news(call->mount->agent, attr))
        wire_attributes_changed(call->mount, attr->ino);
    reply_count(call);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
              struct fuse_file_info *fi) /* lint: parameters-ok: libfuse calls it */
{
    struct call *call = call_new(req, FS_WRITE, ino);
    struct mount *mount = call->mount;
    struct fs_op *op = &call->request.op;
    const struct fuse_write_in *in = wire_arguments(mount);
    op->offset = (uint64_t)offset;
    op->value = (struct bytes){(const uint8_t *)data, size};
    op->length = size;
    if (pool_in_use(mount->pool) < BUFFERS_LENT)
        op->owner = &call->buffer->shared;
    if (mount->options.shared)
        op->flags |= shared_write_flags(fi);
    else if (fi->writepage)
        op->flags |= FS_WRITE_CACHED;
    op->cred.cap_fsetid =
        mount->kill_priv ? !(in->write_flags & FUSE_WRITE_KILL_SUIDGID) : op->cred.uid == 0;
    mount->status.bytes_written += size;
    call_run(call, reply_written);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    (void)data_only; /* the log has both in one place */
    (void)fi;
    call_sync(call_new(req, FS_GETATTR, ino), reply_status);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                  struct fuse_file_info *fi) /* lint: parameters-ok: libfuse calls it */
{
    (void)fi;
    struct call *call = call_new(req, FS_FALLOCATE, ino);
    struct fs_op *op = &call->request.op;
    op->offset = (uint64_t)offset;
    op->length = (uint64_t)length;
    op->flags = (uint32_t)mode;
    op->cred.cap_fsetid = op->cred.uid == 0;
    call_run(call, reply_status);
}

static void reply_lseek(struct call *call)
{
    if (reply_failed(call))
        return;
    fuse_reply_lseek(call->req, (off_t)call->request.result.offset);
    call_end(call);
}

static void flushed(struct call *call)
{
    call_run(call, reply_lseek);
}

/* The kernel asks without writing back what it holds; so that comes first, on a worker, while the
 * loop takes it. */
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
    (void)fi;
    struct call *call = call_new(req, FS_SEEK, ino);
    call->request.op.offset = (uint64_t)offset;
    call->request.op.flags = (uint32_t)whence;
    if (call->mount->options.no_writeback || call->mount->options.shared)
        flushed(call);
    else
        wire_write_back(call, flushed);
}

void op_copy(fuse_req_t req, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_fi,
             fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_fi, size_t length,
             int flags) /* lint: parameters-ok: libfuse calls it */
{
    (void)from_fi;
    (void)to_fi;
    struct call *call = call_new(req, FS_COPY, from);
    struct fs_op *op = &call->request.op;
    op->offset = (uint64_t)from_offset;
    op->ino2 = to;
    op->offset2 = (uint64_t)to_offset;
    op->length = length < FS_COPY_MAX ? length : FS_COPY_MAX;
    op->cred.cap_fsetid = op->cred.uid == 0;
    if (flags) {
        call->request.err = ERR_INVAL;
        reply_status(call);
        return;
    }
    call_run(call, reply_count);
}
