/* SPDX-License-Identifier: MIT
 *
 * op.c: operations of the file service on the wire.
 *
 * What decodes may be given to fs_apply as it is: fs_apply takes any numbers and answers for names
 * and values that are too long. Here only memory is bounded, and the inode number of what is to be
 * made stays behind: one who asks has none to give away.
 */
#include <string.h>

#include "core/wire/private.h"

void wire_pack_attr(const struct fs_attr *attr, Pactfs__Wire__Attr *out)
{
    pactfs__wire__attr__init(out);
    out->ino = attr->ino;
    out->mode = attr->mode;
    out->uid = attr->uid;
    out->gid = attr->gid;
    out->nlink = attr->nlink;
    out->size = attr->size;
    out->blocks = attr->blocks;
    out->rdev = attr->rdev;
    out->atime = attr->atime;
    out->mtime = attr->mtime;
    out->ctime = attr->ctime;
    out->btime = attr->btime;
}

void wire_unpack_attr(const Pactfs__Wire__Attr *attr, struct fs_attr *out)
{
    if (!attr) {
        *out = (struct fs_attr){0};
        return;
    }
    *out = (struct fs_attr){
        .ino = attr->ino,
        .size = attr->size,
        .blocks = attr->blocks,
        .mode = attr->mode,
        .uid = attr->uid,
        .gid = attr->gid,
        .nlink = attr->nlink,
        .rdev = attr->rdev,
        .atime = attr->atime,
        .mtime = attr->mtime,
        .ctime = attr->ctime,
        .btime = attr->btime,
    };
}

bool wire_attr_is_zero(const struct fs_attr *attr)
{
    static const struct fs_attr zero;
    STATIC_ASSERT(sizeof zero == 8 * 8 + 4 * 4, "no padding to compare");
    return memcmp(attr, &zero, sizeof zero) == 0;
}

static void pack_cred(const struct fs_cred *cred, Pactfs__Wire__Op *out)
{
    out->uid = cred->uid;
    out->gid = cred->gid;
    out->checked = cred->checked;
    out->cap_fsetid = cred->cap_fsetid;
    out->n_groups = cred->group_count;
    out->groups = (uint32_t *)(uintptr_t)cred->groups;
}

void wire_pack_op(const struct fs_op *op, struct arena *arena, Pactfs__Wire__Op *out)
{
    pactfs__wire__op__init(out);
    pack_cred(&op->cred, out);
    out->code = (uint32_t)op->code;
    out->now = op->now;
    out->ino = op->ino;
    out->ino2 = op->ino2;
    out->name = wire_binary(op->name);
    out->name2 = wire_binary(op->name2);
    if (op->code != FS_WRITE)
        out->value = wire_binary(op->value);
    out->offset = op->offset;
    out->offset2 = op->offset2;
    out->length = op->length;
    out->rdev = op->rdev;
    out->mode = op->mode;
    out->umask = op->umask;
    out->mask = op->mask;
    out->flags = op->flags;
    out->set = op->set;
    if (wire_attr_is_zero(&op->attr))
        return;
    out->attr = arena_alloc(arena, sizeof *out->attr);
    wire_pack_attr(&op->attr, out->attr);
}

/* The value of a write is the payload, of anything else it is in the head. */
static bool unpack_value(const Pactfs__Wire__Op *op, struct bytes payload, struct fs_op *out)
{
    if (op->code == FS_WRITE) {
        out->value = payload;
        return op->value.len == 0 && payload.len <= FS_IO_MAX;
    }
    out->value = wire_bytes(op->value);
    return op->value.len <= FS_XATTR_MAX && payload.len == 0;
}

bool wire_unpack_op(const Pactfs__Wire__Op *op, struct bytes payload, struct fs_op *out)
{
    if (op->code == 0 || op->code >= FS_CODE_COUNT || op->n_groups > WIRE_GROUPS_MAX ||
        op->name.len > WIRE_NAME_MAX || op->name2.len > WIRE_NAME_MAX)
        return false;
    out->code = (enum fs_code)op->code;
    out->cred = (struct fs_cred){
        .uid = op->uid,
        .gid = op->gid,
        .groups = op->n_groups ? op->groups : NULL,
        .group_count = (uint32_t)op->n_groups,
        .checked = op->checked != 0,
        .cap_fsetid = op->cap_fsetid != 0,
    };
    out->now = op->now;
    out->ino = op->ino;
    out->ino2 = op->ino2;
    out->name = wire_bytes(op->name);
    out->name2 = wire_bytes(op->name2);
    out->offset = op->offset;
    out->offset2 = op->offset2;
    out->length = op->length;
    out->rdev = op->rdev;
    out->mode = op->mode;
    out->umask = op->umask;
    out->mask = op->mask;
    out->flags = op->flags;
    out->set = op->set;
    wire_unpack_attr(op->attr, &out->attr);
    return unpack_value(op, payload, out);
}
