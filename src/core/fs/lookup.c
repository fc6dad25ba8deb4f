/* SPDX-License-Identifier: MIT
 *
 * lookup.c: finding and describing: lookup, getattr, access, open, readlink.
 */
#include "core/fs/data.h"
#include "core/fs/dir.h"
#include "core/fs/perm.h"

static enum err answer(struct fs_call *call, uint64_t ino, enum err missing)
{
    struct inode inode;
    enum err err = inode_get(call, ino, missing, &inode);
    if (err == OK)
        call->result->attr = inode_attr(&inode);
    return err;
}

static enum err lookup_dots(struct fs_call *call)
{
    struct inode dir;
    enum err err = inode_get(call, call->op->ino, ERR_STALE, &dir);
    if (err == OK && !inode_is_dir(&dir))
        err = ERR_NOTDIR;
    if (err == OK)
        err = perm_check(call, &dir, PERM_X);
    if (err != OK)
        return err;
    return answer(call, name_is_up(call->op->name) ? dir.parent : dir.ino, ERR_NOENT);
}

enum err fs_lookup(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    if (name_is_dot(op->name) || name_is_up(op->name))
        return lookup_dots(call);
    struct place place;
    enum err err = place_open(call, op->ino, op->name, &place);
    if (err != OK)
        return err;
    return place.entry ? answer(call, place.entry->ino, ERR_CORRUPT) : ERR_NOENT;
}

enum err fs_getattr(struct fs_call *call)
{
    return answer(call, call->op->ino, ERR_STALE);
}

enum err fs_access(struct fs_call *call)
{
    struct inode inode;
    enum err err = inode_get(call, call->op->ino, ERR_STALE, &inode);
    return err != OK ? err : perm_evaluate(&call->op->cred, &inode, call->op->mask);
}

enum err fs_open(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode inode;
    enum err err = inode_get(call, op->ino, ERR_STALE, &inode);
    if (err != OK)
        return err;
    bool truncate = op->flags & FS_OPEN_TRUNCATE;
    if (inode_is_dir(&inode) && ((op->mask & PERM_W) || truncate))
        return ERR_ISDIR;
    err = perm_check(call, &inode, op->mask);
    if (err == OK && truncate && inode_is_file(&inode)) {
        err = perm_check(call, &inode, PERM_W);
        if (err == OK)
            err = data_resize(call, &inode, 0);
        if (err != OK)
            return err;
        inode_put(call, &inode);
    }
    call->result->attr = inode_attr(&inode);
    return err;
}

enum err fs_readlink(struct fs_call *call)
{
    struct inode inode;
    enum err err = inode_get(call, call->op->ino, ERR_STALE, &inode);
    if (err != OK)
        return err;
    if ((inode.mode & FS_TYPE) != FS_LNK)
        return ERR_INVAL;
    if ((call->op->flags & FS_READ_ATIME) && inode_accessed(call, &inode))
        inode_put(call, &inode);
    call->result->value = inode.target;
    call->result->attr = inode_attr(&inode);
    return OK;
}
