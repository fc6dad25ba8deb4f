/* SPDX-License-Identifier: MIT
 *
 * op_names.c: making, linking, renaming and removing names.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "io/fuse/private.h"

static struct call *making(fuse_req_t req, enum fs_code code, fuse_ino_t parent, const char *name)
{
    struct call *call = call_new(req, code, parent);
    call->request.op.new_ino = agent_new_ino(call->mount->agent);
    call_name(call, name);
    return call;
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    struct call *call = making(req, FS_MKNOD, parent, name);
    call->request.op.mode = mode;
    call->request.op.rdev = rdev;
    call_run(call, reply_entry);
}

static void reply_create(struct call *call)
{
    struct mount *mount = call->mount;
    struct fuse_entry_param e;
    struct fuse_file_info fi = {.direct_io = mount->direct, .keep_cache = !mount->direct};
    if (reply_failed(call))
        return;
    uint64_t ino = call->request.result.attr.ino;
    entry_param(mount, &call->request.result.attr, &e);
    agent_ref(mount->agent, ino);
    if (fuse_reply_create(call->req, &e, &fi) != 0) {
        mount->status.forgotten_replies++;
        agent_forget(mount->agent, ino, 1);
    }
    call_end(call);
}

/* Another machine made the file since the kernel looked. It looks again at ESTALE, and opens what
 * it finds by the rules for files that are there. */
static void reply_create_or_open(struct call *call)
{
    if (call->request.err == ERR_EXIST)
        call->request.err = ERR_STALE;
    reply_create(call);
}

/* The kernel does without, by mknod and open: but then open(2) without O_EXCL fails when another
 * machine makes the file in between. */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *fi)
{
    const struct mount *mount = fuse_req_userdata(req);
    if (!mount->options.shared) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    struct call *call = making(req, FS_MKNOD, parent, name);
    call->request.op.mode = S_IFREG | (mode & ~(mode_t)S_IFMT);
    call_run(call, fi->flags & O_EXCL ? reply_create : reply_create_or_open);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct call *call = making(req, FS_MKDIR, parent, name);
    call->request.op.mode = S_IFDIR | mode;
    call_run(call, reply_entry);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    struct call *call = making(req, FS_SYMLINK, parent, name);
    call->request.op.value = (struct bytes){(const uint8_t *)target, strlen(target)};
    call_run(call, reply_entry);
}

static void reply_readlink(struct call *call)
{
    if (reply_failed(call))
        return;
    struct bytes value = call->request.result.value;
    fuse_reply_buf(call->req, (const char *)value.data, value.len);
    call_end(call);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    call_run(call_new(req, FS_READLINK, ino), reply_readlink);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    struct call *call = call_new(req, FS_LINK, ino);
    call->request.op.ino2 = parent;
    call->request.op.name2 = (struct bytes){(const uint8_t *)name, strlen(name)};
    call_run(call, reply_entry);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct call *call = call_new(req, FS_UNLINK, parent);
    call_name(call, name);
    call_run(call, reply_status);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct call *call = call_new(req, FS_RMDIR, parent);
    call_name(call, name);
    call_run(call, reply_status);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t parent2,
               const char *name2, unsigned flags) /* lint: parameters-ok: libfuse calls it */
{
    struct call *call = call_new(req, FS_RENAME, parent);
    struct fs_op *op = &call->request.op;
    op->ino2 = parent2;
    op->name2 = (struct bytes){(const uint8_t *)name2, strlen(name2)};
    op->flags = flags;
    call_name(call, name);
    if (flags & ~(unsigned)(FS_RENAME_NOREPLACE | FS_RENAME_EXCHANGE)) {
        call->request.err = ERR_INVAL;
        reply_status(call);
        return;
    }
    call_run(call, reply_status);
}
