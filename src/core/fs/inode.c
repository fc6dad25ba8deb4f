/* SPDX-License-Identifier: MIT
 *
 * inode.c: reading, writing and changing inodes.
 */
#include "core/fs/inode.h"
#include "core/fs/acl.h"
#include "core/fs/xattr.h"

#include <pactfs.pb-c.h>
#include <string.h>

#define DAY_NS INT64_C(86400000000000)

static struct bytes from_pb(ProtobufCBinaryData data)
{
    return (struct bytes){data.data, data.len};
}

static ProtobufCBinaryData to_pb(struct bytes b)
{
    return (ProtobufCBinaryData){.len = b.len, .data = (uint8_t *)(uintptr_t)b.data};
}

static bool mode_known(uint32_t mode)
{
    switch (mode & FS_TYPE) {
    case FS_DIR:
    case FS_REG:
    case FS_LNK:
    case FS_CHR:
    case FS_BLK:
    case FS_FIFO:
    case FS_SOCK:
        return (mode & ~(FS_TYPE | FS_PERM)) == 0;
    default:
        return false;
    }
}

/* Only symbolic links have a target; they have no ACLs. So the value stays within its limit. */
static bool texts_fit(const Pactfs__Inode *m)
{
    if ((m->mode & FS_TYPE) != FS_LNK)
        return m->target.len == 0;
    return m->target.len <= FS_SYMLINK_MAX && m->acl_access.len == 0 && m->acl_default.len == 0;
}

static bool acl_absent_or_valid(ProtobufCBinaryData b)
{
    return b.len == 0 || (b.len <= ACL_BYTES_MAX && acl_valid(from_pb(b)));
}

enum err inode_decode(struct arena *arena, uint64_t ino, struct bytes value, struct inode *out)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    Pactfs__Inode *m = pactfs__inode__unpack(&allocator, value.len, value.data);
    if (!m || !mode_known(m->mode) || m->size > FS_FILE_MAX ||
        m->chunks > (m->size + CHUNK_SIZE - 1) / CHUNK_SIZE || !texts_fit(m) ||
        m->xattr_bytes > XATTR_TOTAL_MAX || m->xattr_names > XATTR_NAMES_MAX ||
        !acl_absent_or_valid(m->acl_access) || !acl_absent_or_valid(m->acl_default))
        return ERR_CORRUPT;
    *out = (struct inode){
        .ino = ino,
        .mode = m->mode,
        .uid = m->uid,
        .gid = m->gid,
        .nlink = m->nlink,
        .size = m->size,
        .chunks = m->chunks,
        .rdev = m->rdev,
        .parent = m->parent,
        .entries = m->entries,
        .xattr_bytes = m->xattr_bytes,
        .xattr_names = m->xattr_names,
        .atime = m->atime,
        .mtime = m->mtime,
        .ctime = m->ctime,
        .btime = m->btime,
        .target = from_pb(m->target),
        .acl_access = from_pb(m->acl_access),
        .acl_default = from_pb(m->acl_default),
        .flags = m->flags,
    };
    return OK;
}

struct bytes inode_encode(struct arena *arena, const struct inode *inode)
{
    Pactfs__Inode m = PACTFS__INODE__INIT;
    m.mode = inode->mode;
    m.uid = inode->uid;
    m.gid = inode->gid;
    m.nlink = inode->nlink;
    m.size = inode->size;
    m.chunks = inode->chunks;
    m.rdev = inode->rdev;
    m.parent = inode->parent;
    m.entries = inode->entries;
    m.xattr_bytes = inode->xattr_bytes;
    m.xattr_names = inode->xattr_names;
    m.atime = inode->atime;
    m.mtime = inode->mtime;
    m.ctime = inode->ctime;
    m.btime = inode->btime;
    m.target = to_pb(inode->target);
    m.acl_access = to_pb(inode->acl_access);
    m.acl_default = to_pb(inode->acl_default);
    m.flags = inode->flags;
    size_t len = pactfs__inode__get_packed_size(&m);
    INVARIANT(len <= OBJECT_VALUE_MAX);
    uint8_t *buf = arena_alloc(arena, len);
    INVARIANT(pactfs__inode__pack(&m, buf) == len);
    return (struct bytes){buf, len};
}

enum err inode_get(struct fs_call *call, uint64_t ino, enum err missing, struct inode *out)
{
    struct object_version version;
    enum err err = ws_get(call->ws, key_inode(ino), &version);
    if (err != OK)
        return err;
    if (!version.present)
        return missing;
    return inode_decode(&call->ws->arena, ino, version.value, out);
}

void inode_put(struct fs_call *call, const struct inode *inode)
{
    INVARIANT(mode_known(inode->mode));
    INVARIANT(inode->size <= FS_FILE_MAX);
    fs_expect(call, inode->chunks <= (inode->size + CHUNK_SIZE - 1) / CHUNK_SIZE); /* I3 */
    ws_put(call->ws, key_inode(inode->ino), inode_encode(&call->ws->arena, inode));
}

struct fs_attr inode_attr(const struct inode *inode)
{
    return (struct fs_attr){
        .ino = inode->ino,
        .size = inode->size,
        .blocks = inode->chunks * (CHUNK_SIZE / 512),
        .mode = inode->mode,
        .uid = inode->uid,
        .gid = inode->gid,
        .nlink = inode->nlink,
        .rdev = inode->rdev,
        .atime = inode->atime,
        .mtime = inode->mtime,
        .ctime = inode->ctime,
        .btime = inode->btime,
    };
}

void inode_touch(const struct fs_call *call, struct inode *inode)
{
    inode->mtime = inode->ctime = call->op->now;
}

bool inode_accessed(const struct fs_call *call, struct inode *inode)
{
    int64_t now = call->op->now;
    bool stale = inode->atime <= inode->mtime || inode->atime <= inode->ctime ||
                 (now > inode->atime && now - inode->atime >= DAY_NS);
    if (!stale || inode->atime == now)
        return false;
    inode->atime = now;
    return true;
}

void inode_make_orphan(struct fs_call *call, const struct inode *inode)
{
    INVARIANT(inode->nlink == 0);
    if (MUTANT(orphan_mark_lost))
        return;
    ws_put(call->ws, key_orphan(inode->ino), (struct bytes){0});
}

void inode_unlinked(struct fs_call *call, struct inode *inode)
{
    if (!fs_expect(call, inode->nlink > 0)) /* I1: the name that goes was one */
        return;
    if (inode_is_dir(inode)) {
        fs_expect(call, inode->nlink == 2 && inode->entries == 0);
        inode->nlink = 0;
    } else if (!MUTANT(unlink_keeps_count)) {
        inode->nlink--;
    }
    inode->ctime = call->op->now;
    if (inode->nlink == 0) {
        MARK(unlink_last_name);
        inode_make_orphan(call, inode);
    }
    inode_put(call, inode);
}
