/* SPDX-License-Identifier: MIT
 *
 * setattr.c: chmod, chown, truncate, utimens.
 */
#include "core/fs/acl.h"
#include "core/fs/data.h"
#include "core/fs/perm.h"

#define SET_TIMES (FS_SET_ATIME | FS_SET_MTIME | FS_SET_CTIME | FS_SET_BTIME)
#define SET_NOW   (FS_SET_ATIME_NOW | FS_SET_MTIME_NOW)
#define SET_ALL   (FS_SET_MODE | FS_SET_UID | FS_SET_GID | FS_SET_SIZE | SET_TIMES | SET_NOW)

/* Only uid 0 gives files away; an owner may choose among the groups she is in. */
static enum err may_chown(const struct fs_call *call, const struct inode *inode)
{
    const struct fs_op *op = call->op;
    const struct fs_cred *cred = &op->cred;
    if (cred->checked || cred->uid == 0)
        return OK;
    if (cred->uid != inode->uid)
        return ERR_PERM;
    if ((op->set & FS_SET_UID) && op->attr.uid != inode->uid)
        return ERR_PERM;
    bool foreign = op->attr.gid != inode->gid && !perm_in_group(cred, op->attr.gid);
    return (op->set & FS_SET_GID) && foreign ? ERR_PERM : OK;
}

static enum err may_set_times(const struct fs_call *call, const struct inode *inode)
{
    enum err err = perm_owner(call, inode);
    if (err == OK || (call->op->set & SET_TIMES))
        return err;
    return perm_check(call, inode, PERM_W); /* to the present: with write permission too */
}

static enum err may_resize(const struct fs_call *call, const struct inode *inode)
{
    enum err err = data_has(inode);
    if (err == OK && call->op->attr.size > FS_FILE_MAX)
        err = ERR_FBIG;
    return err != OK ? err : perm_check(call, inode, PERM_W);
}

static enum err may_set(const struct fs_call *call, const struct inode *inode)
{
    uint32_t set = call->op->set;
    enum err err = set & ~(uint32_t)SET_ALL ? ERR_INVAL : OK;
    if (err == OK && (set & FS_SET_SIZE))
        err = may_resize(call, inode);
    if (err == OK && (set & (FS_SET_UID | FS_SET_GID)))
        err = may_chown(call, inode);
    if (err == OK && (set & FS_SET_MODE))
        err = perm_owner(call, inode);
    if (err == OK && (set & (SET_TIMES | SET_NOW)))
        err = may_set_times(call, inode);
    return err;
}

static enum err change_owner(struct fs_call *call, struct inode *inode)
{
    const struct fs_op *op = call->op;
    if (op->set & FS_SET_UID)
        inode->uid = op->attr.uid;
    if (op->set & FS_SET_GID)
        inode->gid = op->attr.gid;
    return perm_drop_privileges(call, inode);
}

static void change_mode(struct fs_call *call, struct inode *inode)
{
    const struct fs_op *op = call->op;
    inode->mode = (inode->mode & FS_TYPE) | (op->attr.mode & FS_PERM);
    if (!op->cred.cap_fsetid && !perm_in_group(&op->cred, inode->gid))
        inode->mode &= ~FS_SGID;
    if (inode->acl_access.len)
        inode->acl_access = acl_with_mode(&call->ws->arena, inode->acl_access, inode->mode);
}

static void change_times(const struct fs_call *call, struct inode *inode)
{
    const struct fs_op *op = call->op;
    inode->ctime = op->now;
    if (op->set & FS_SET_ATIME)
        inode->atime = op->attr.atime;
    if (op->set & FS_SET_MTIME)
        inode->mtime = op->attr.mtime;
    if (op->set & FS_SET_ATIME_NOW)
        inode->atime = op->now;
    if (op->set & FS_SET_MTIME_NOW)
        inode->mtime = op->now;
    if (op->set & FS_SET_CTIME)
        inode->ctime = op->attr.ctime;
    if (op->set & FS_SET_BTIME)
        inode->btime = op->attr.btime;
}

enum err fs_setattr(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode inode;
    enum err err = inode_get(call, op->ino, ERR_STALE, &inode);
    if (err == OK)
        err = may_set(call, &inode);
    if (err == OK && (op->set & FS_SET_SIZE))
        err = data_resize(call, &inode, op->attr.size);
    if (err != OK)
        return err;
    /* a step towards the new size changes nothing else yet; the last one does */
    if (!call->result->again) {
        if (op->set & FS_SET_MODE)
            change_mode(call, &inode);
        if (op->set & (FS_SET_UID | FS_SET_GID))
            err = change_owner(call, &inode);
        if (err != OK)
            return err;
        if (op->set)
            change_times(call, &inode);
    }
    if (op->set)
        inode_put(call, &inode);
    call->result->attr = inode_attr(&inode);
    return OK;
}
