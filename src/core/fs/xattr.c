/* SPDX-License-Identifier: MIT
 *
 * xattr.c: the operations on extended attributes, and who may use which namespace.
 */
#include <string.h>

#include "core/fs/acl.h"
#include "core/fs/perm.h"
#include "core/fs/xattr_bucket.h"

#define SET_CREATE  1u
#define SET_REPLACE 2u

enum space {
    SPACE_NONE,
    SPACE_USER,
    SPACE_TRUSTED,
    SPACE_SECURITY,
    SPACE_ACL_ACCESS,
    SPACE_ACL_DEFAULT
};

#define ACL_ACCESS_NAME  "system.posix_acl_access"
#define ACL_DEFAULT_NAME "system.posix_acl_default"

static bool starts(struct bytes name, const char *prefix)
{
    size_t len = strlen(prefix);
    return name.len > len && memcmp(name.data, prefix, len) == 0;
}

static bool equals(struct bytes name, const char *text)
{
    return name.len == strlen(text) && memcmp(name.data, text, name.len) == 0;
}

static enum space space_of(struct bytes name)
{
    if (starts(name, "user."))
        return SPACE_USER;
    if (starts(name, "trusted."))
        return SPACE_TRUSTED;
    if (starts(name, "security."))
        return SPACE_SECURITY;
    if (equals(name, ACL_ACCESS_NAME))
        return SPACE_ACL_ACCESS;
    return equals(name, ACL_DEFAULT_NAME) ? SPACE_ACL_DEFAULT : SPACE_NONE;
}

static bool is_acl(enum space space)
{
    return space == SPACE_ACL_ACCESS || space == SPACE_ACL_DEFAULT;
}

static enum err name_check(struct bytes name)
{
    if (name.len == 0 || name.len > FS_NAME_MAX)
        return ERR_RANGE;
    if (equals(name, "user.") || equals(name, "trusted.") || equals(name, "security."))
        return ERR_INVAL; /* a name space without a name */
    return memchr(name.data, 0, name.len) ? ERR_INVAL : OK;
}

/* user. attributes lie only on files and directories, and go by the permissions of the data; a
 * sticky directory's belong to its owner. */
static enum err user_check(const struct fs_call *call, const struct inode *inode, bool write)
{
    if (!inode_is_file(inode) && !inode_is_dir(inode))
        return write ? ERR_PERM : ERR_NODATA;
    if (write && inode_is_dir(inode) && (inode->mode & FS_SVTX)) {
        enum err err = perm_owner(call, inode);
        if (err != OK)
            return err;
    }
    return perm_check(call, inode, write ? PERM_W : PERM_R);
}

static enum err space_check(const struct fs_call *call, const struct inode *inode, enum space space,
                            bool write)
{
    const struct fs_cred *cred = &call->op->cred;
    switch (space) {
    case SPACE_USER:
        return user_check(call, inode, write);
    case SPACE_TRUSTED:
        if (cred->uid == 0)
            return OK;
        return write ? ERR_PERM : ERR_NODATA;
    case SPACE_SECURITY:
        return !write || cred->checked || cred->uid == 0 ? OK : ERR_PERM;
    case SPACE_ACL_ACCESS:
    case SPACE_ACL_DEFAULT:
        if ((inode->mode & FS_TYPE) == FS_LNK)
            return ERR_NOTSUP;
        return write ? perm_owner(call, inode) : OK;
    default:
        return ERR_NOTSUP;
    }
}

/* Inode and bucket at once, the name's space, and the permission. */
static enum err begin(struct fs_call *call, bool write, struct inode *inode, enum space *space)
{
    const struct fs_op *op = call->op;
    enum err err = name_check(op->name);
    if (err != OK)
        return err;
    *space = space_of(op->name);
    ws_want(call->ws, key_inode(op->ino));
    if (*space != SPACE_NONE && !is_acl(*space))
        ws_want(call->ws, xattr_key(call, op->ino, op->name));
    err = inode_get(call, op->ino, ERR_STALE, inode);
    return err != OK ? err : space_check(call, inode, *space, write);
}

/* --- ACLs --- */

static enum err set_default_acl(struct inode *inode, struct bytes value)
{
    if (!inode_is_dir(inode))
        return value.len ? ERR_ACCES : OK;
    inode->acl_default = value;
    return OK;
}

/* The access ACL sets the permission bits; one that says no more than they do is not kept. */
static void set_access_acl(const struct fs_call *call, struct inode *inode, struct bytes value)
{
    inode->acl_access = (struct bytes){0};
    if (!value.len)
        return;
    inode->mode = (inode->mode & ~0777u) | acl_mode(value);
    if (!call->op->cred.cap_fsetid && !perm_in_group(&call->op->cred, inode->gid))
        inode->mode &= ~FS_SGID;
    if (!acl_minimal(value))
        inode->acl_access = value;
}

static enum err store_acl(struct fs_call *call, struct inode *inode, bool is_default,
                          struct bytes value)
{
    if (acl_empty(value))
        value = (struct bytes){0};
    else if (!acl_valid(value))
        return ERR_INVAL;
    else if (value.len > ACL_BYTES_MAX)
        return ERR_XATTR_NOSPC;
    enum err err = OK;
    if (is_default)
        err = set_default_acl(inode, value);
    else
        set_access_acl(call, inode, value);
    if (err != OK)
        return err;
    inode->ctime = call->op->now;
    inode_put(call, inode);
    return OK;
}

/* --- setting, getting, removing --- */

static enum err set_flags_check(uint32_t flags, bool exists)
{
    if (flags & ~(SET_CREATE | SET_REPLACE))
        return ERR_INVAL;
    if ((flags & SET_CREATE) && exists)
        return ERR_EXIST;
    return (flags & SET_REPLACE) && !exists ? ERR_NODATA : OK;
}

static struct bytes *acl_of(struct inode *inode, enum space space)
{
    return space == SPACE_ACL_ACCESS ? &inode->acl_access : &inode->acl_default;
}

static enum err set_acl(struct fs_call *call, struct inode *inode, enum space space)
{
    bool is_default = space == SPACE_ACL_DEFAULT;
    enum err err = set_flags_check(call->op->flags, acl_of(inode, space)->len > 0);
    if (err == OK)
        err = store_acl(call, inode, is_default, call->op->value);
    return err;
}

enum err fs_setxattr(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode inode;
    struct xattr_bucket bucket;
    struct xattr *x;
    enum space space;
    if (op->value.len > FS_XATTR_MAX)
        return ERR_XATTR_TOO_BIG;
    enum err err = begin(call, true, &inode, &space);
    if (err != OK)
        return err;
    if (is_acl(space))
        return set_acl(call, &inode, space);
    err = xattr_load(call, op->ino, op->name, &bucket, &x);
    if (err == OK)
        err = set_flags_check(op->flags, x != NULL);
    if (err == OK)
        err = xattr_store(call, &inode, &bucket, x,
                          &(struct xattr){.name = op->name, .value = op->value});
    if (err != OK)
        return err;
    if (xattr_is_capability(op->name))
        inode.flags |= INODE_CAPABILITY;
    inode.ctime = op->now;
    inode_put(call, &inode);
    return OK;
}

enum err fs_getxattr(struct fs_call *call)
{
    struct inode inode;
    struct xattr_bucket bucket;
    struct xattr *x;
    enum space space;
    enum err err = begin(call, false, &inode, &space);
    if (err != OK)
        return err;
    if (is_acl(space)) {
        call->result->value = *acl_of(&inode, space);
        return call->result->value.len ? OK : ERR_NODATA;
    }
    err = xattr_load(call, call->op->ino, call->op->name, &bucket, &x);
    if (err == OK && !x)
        err = ERR_NODATA;
    return err != OK ? err : xattr_read(call, &bucket, x, &call->result->value);
}

enum err fs_removexattr(struct fs_call *call)
{
    struct inode inode;
    struct xattr_bucket bucket;
    struct xattr *x;
    enum space space;
    enum err err = begin(call, true, &inode, &space);
    if (err != OK)
        return err;
    if (is_acl(space)) {
        /* as on Linux: removing what is not there succeeds */
        return acl_of(&inode, space)->len
                   ? store_acl(call, &inode, space == SPACE_ACL_DEFAULT, (struct bytes){0})
                   : OK;
    }
    err = xattr_load(call, call->op->ino, call->op->name, &bucket, &x);
    if (err == OK && !x)
        err = ERR_NODATA;
    if (err != OK)
        return err;
    xattr_take(call, &inode, &bucket, x);
    if (xattr_is_capability(call->op->name))
        inode.flags &= ~(uint32_t)INODE_CAPABILITY;
    inode.ctime = call->op->now;
    inode_put(call, &inode);
    return OK;
}

/* --- listing --- */

struct names {
    uint8_t *buf;
    size_t len, room;
};

static void add_name(struct names *names, struct bytes name)
{
    INVARIANT(names->room - names->len > name.len);
    memcpy(names->buf + names->len, name.data, name.len);
    names->buf[names->len + name.len] = 0;
    names->len += name.len + 1;
}

static void add_text(struct names *names, const char *text)
{
    add_name(names, (struct bytes){(const uint8_t *)text, strlen(text)});
}

static enum err add_bucket(struct fs_call *call, struct names *names, struct bytes value)
{
    struct xattr_bucket bucket;
    enum err err = xattr_bucket_decode(&call->ws->arena, value, &bucket);
    for (uint32_t i = 0; err == OK && i < bucket.count; i++) {
        struct bytes name = bucket.list[i].name;
        if (names->room - names->len <= name.len)
            return ERR_CORRUPT; /* the inode's total is wrong */
        if (call->op->cred.uid == 0 || !starts(name, "trusted."))
            add_name(names, name);
    }
    return err;
}

enum err fs_listxattr(struct fs_call *call)
{
    struct inode inode;
    struct ws_scan scan = {0};
    enum err err = inode_get(call, call->op->ino, ERR_STALE, &inode);
    if (err == OK && inode.xattr_bytes)
        err =
            ws_scan(call->ws,
                    &(struct ws_range){OBJECT_XATTR, inode.ino, 0, UINT64_MAX, WS_SCAN_MAX}, &scan);
    if (err != OK)
        return err;
    if (inode.xattr_names > XATTR_NAMES_MAX)
        return ERR_CORRUPT;
    struct names names = {.room = inode.xattr_names + 64};
    names.buf = arena_alloc(&call->ws->arena, names.room);
    if (inode.acl_access.len)
        add_text(&names, ACL_ACCESS_NAME);
    if (inode.acl_default.len)
        add_text(&names, ACL_DEFAULT_NAME);
    for (uint32_t i = 0; err == OK && i < scan.count; i++)
        err = add_bucket(call, &names, scan.found[i].version.value);
    call->result->value = (struct bytes){names.buf, names.len};
    return err;
}
