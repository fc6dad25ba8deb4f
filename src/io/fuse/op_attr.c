/* SPDX-License-Identifier: MIT
 *
 * op_attr.c: looking up, attributes, forgetting.
 */
#include "core/base/assert.h"
#include "io/fuse/private.h"

static int64_t from_timespec(struct timespec t)
{
    /* Beyond the years 1678 to 2262 nanoseconds do not fit. */
    if (t.tv_sec > INT64_MAX / 1000000000 - 1)
        return INT64_MAX;
    if (t.tv_sec < INT64_MIN / 1000000000 + 1)
        return INT64_MIN;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void reply_lookup(struct call *call)
{
    if (call->request.err != ERR_NOENT || call->mount->options.shared) {
        reply_entry(call);
        return;
    }
    /* Inode 0: the kernel remembers that the name is not there. */
    struct fuse_entry_param none = {.entry_timeout = FOREVER_S};
    fuse_reply_entry(call->req, &none);
    call_end(call);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct call *call = call_new(req, FS_LOOKUP, parent);
    call_name(call, name);
    call_run(call, reply_lookup);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    struct mount *mount = fuse_req_userdata(req);
    agent_forget(mount->agent, ino, count);
    fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    struct mount *mount = fuse_req_userdata(req);
    for (size_t i = 0; i < count; i++)
        agent_forget(mount->agent, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)fi;
    struct call *call = call_new(req, FS_GETATTR, ino);
    shared_looks(call);
    call_run(call, reply_attr);
}

static const struct {
    int fuse;
    uint32_t fs;
} set_bits[] = {
    {FUSE_SET_ATTR_MODE, FS_SET_MODE},
    {FUSE_SET_ATTR_UID, FS_SET_UID},
    {FUSE_SET_ATTR_GID, FS_SET_GID},
    {FUSE_SET_ATTR_SIZE, FS_SET_SIZE},
    {FUSE_SET_ATTR_ATIME, FS_SET_ATIME},
    {FUSE_SET_ATTR_MTIME, FS_SET_MTIME},
    {FUSE_SET_ATTR_CTIME, FS_SET_CTIME},
    {FUSE_SET_ATTR_ATIME_NOW, FS_SET_ATIME_NOW},
    {FUSE_SET_ATTR_MTIME_NOW, FS_SET_MTIME_NOW},
};

static uint32_t set_from_fuse(int to_set)
{
    uint32_t set = 0;
    for (size_t i = 0; i < sizeof set_bits / sizeof *set_bits; i++)
        if (to_set & set_bits[i].fuse)
            set |= set_bits[i].fs;
    if (set & FS_SET_ATIME_NOW)
        set &= ~(uint32_t)FS_SET_ATIME;
    if (set & FS_SET_MTIME_NOW)
        set &= ~(uint32_t)FS_SET_MTIME;
    return set;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
                struct fuse_file_info *fi)
{
    (void)fi;
    struct call *call = call_new(req, FS_SETATTR, ino);
    struct fs_op *op = &call->request.op;
    const struct fuse_setattr_in *in = wire_arguments(call->mount);
    op->set = set_from_fuse(to_set);
    op->attr.mode = st->st_mode;
    op->attr.uid = st->st_uid;
    op->attr.gid = st->st_gid;
    op->attr.size = (uint64_t)st->st_size;
    op->attr.atime = from_timespec(st->st_atim);
    op->attr.mtime = from_timespec(st->st_mtim);
    op->attr.ctime = from_timespec(st->st_ctim);
    /* The kernel says when set-id bits go: on any change of owner, and on truncation without the
     * right to keep them. */
    op->cred.cap_fsetid =
        call->mount->kill_priv ? !(in->valid & FATTR_KILL_SUIDGID) : op->cred.uid == 0;
    call_run(call, reply_attr);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    struct mount *mount = fuse_req_userdata(req);
    struct env_space space = {0};
    if (mount->options.space)
        mount->options.space(mount->options.ctx, &space);
    uint64_t available = space.available / CHUNK_SIZE, total = space.total / CHUNK_SIZE;
    struct statvfs out = {
        .f_bsize = CHUNK_SIZE,
        .f_frsize = CHUNK_SIZE,
        .f_blocks = total,
        .f_bfree = available,
        .f_bavail = available,
        /* An inode takes no fixed place: as many as there is room for. */
        .f_files = total,
        .f_ffree = available,
        .f_favail = available,
        .f_namemax = FS_NAME_MAX,
    };
    fuse_reply_statfs(req, &out);
}
