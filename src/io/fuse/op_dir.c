/* SPDX-License-Identifier: MIT
 *
 * op_dir.c: listing directories, with or without the attributes of what is in them.
 */
#include "core/base/assert.h"
#include "io/fuse/private.h"

/* The kernel takes "." and ".." from a listing without holding on to them. */
static bool is_dots(struct bytes name)
{
    return name.data[0] == '.' && (name.len == 1 || (name.len == 2 && name.data[1] == '.'));
}

static const char *terminated(const struct fs_entry *entry, char name[FS_NAME_MAX + 1])
{
    INVARIANT(entry->name.len > 0 && entry->name.len <= FS_NAME_MAX);
    for (size_t i = 0; i < entry->name.len; i++)
        name[i] = (char)entry->name.data[i];
    name[entry->name.len] = 0;
    return name;
}

/* Bytes the entry took, or more than `room` when it does not fit. */
static size_t add_plain(struct call *call, const struct fs_entry *entry, char *at, size_t room)
{
    char name[FS_NAME_MAX + 1];
    struct stat st = {.st_ino = entry->attr.ino, .st_mode = entry->attr.mode};
    return fuse_add_direntry(call->req, at, room, terminated(entry, name), &st,
                             (off_t)entry->cookie);
}

static size_t add_plus(struct call *call, const struct fs_entry *entry, char *at, size_t room,
                       double keep)
{
    char name[FS_NAME_MAX + 1];
    struct fuse_entry_param e;
    entry_param(call->mount, &entry->attr, &e);
    e.attr_timeout = keep;
    if (is_dots(entry->name))
        e.ino = 0;
    return fuse_add_direntry_plus(call->req, at, room, terminated(entry, name), &e,
                                  (off_t)entry->cookie);
}

/* The same with a reference and attributes, unless it is one of the dots. */
static size_t add_known(struct call *call, const struct fs_entry *entry, char *at, size_t room)
{
    if (is_dots(entry->name))
        return add_plus(call, entry, at, room, shared_or(call->mount, FOREVER_S));
    agent_ref(call->mount->agent, entry->attr.ino);
    size_t took = add_plus(call, entry, at, room, change_keep(call, &entry->attr));
    if (took > room)
        agent_forget(call->mount->agent, entry->attr.ino, 1);
    return took;
}

/* Fills the call's buffer; the number of entries that fit. */
static uint32_t fill(struct call *call, bool plus, size_t *size)
{
    const struct fs_result *result = &call->request.result;
    char *out = (char *)call->buffer->data + BUFFER_HEADER;
    uint32_t i;
    *size = 0;
    for (i = 0; i < result->entry_count; i++) {
        size_t room = call->room - *size;
        size_t took = plus ? add_known(call, &result->entries[i], out + *size, room)
                           : add_plain(call, &result->entries[i], out + *size, room);
        if (took > room)
            break;
        *size += took;
    }
    return i;
}

static void reply_readdir(struct call *call)
{
    size_t size;
    if (reply_failed(call))
        return;
    fill(call, false, &size);
    fuse_reply_buf(call->req, (const char *)call->buffer->data + BUFFER_HEADER, size);
    call_end(call);
}

static void reply_readdirplus(struct call *call)
{
    size_t size;
    if (reply_failed(call))
        return;
    struct agent *agent = call->mount->agent;
    const struct fs_entry *entries = call->request.result.entries;
    uint32_t count = fill(call, true, &size);
    if (fuse_reply_buf(call->req, (const char *)call->buffer->data + BUFFER_HEADER, size) != 0) {
        call->mount->status.forgotten_replies++;
        for (uint32_t i = 0; i < count; i++)
            if (!is_dots(entries[i].name))
                agent_forget(agent, entries[i].attr.ino, 1);
    }
    call_end(call);
}

static struct call *listing(fuse_req_t req, fuse_ino_t ino, size_t size, off_t cookie)
{
    struct call *call = call_new(req, FS_READDIR, ino);
    call->room = size < FS_IO_MAX ? size : FS_IO_MAX;
    call->request.op.offset = (uint64_t)cookie;
    return call;
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t cookie,
                struct fuse_file_info *fi)
{
    (void)fi;
    struct call *call = listing(req, ino, size, cookie);
    call->request.op.length = call->room / FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 1) + 1;
    call_run(call, reply_readdir);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t cookie,
                    struct fuse_file_info *fi)
{
    (void)fi;
    struct call *call = listing(req, ino, size, cookie);
    call->request.op.flags = FS_READDIR_PLUS;
    call->request.op.length = call->room / FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + 1) + 1;
    call_run(call, reply_readdirplus);
}
