/* SPDX-License-Identifier: MIT
 *
 * remove.c: taking names away (unlink, rmdir), giving more (link), and reclaiming what has none.
 */
#include "core/fs/data.h"
#include "core/fs/dir.h"
#include "core/fs/perm.h"
#include "core/fs/xattr.h"

/* The place of an existing name and the inode behind it. */
static enum err open_victim(struct fs_call *call, struct place *place, struct inode *victim)
{
    enum err err = place_open(call, call->op->ino, call->op->name, place);
    if (err != OK)
        return err;
    if (!place->entry)
        return ERR_NOENT;
    err = place_inode(call, place, victim);
    return err != OK ? err : perm_remove(call, place->dir, victim);
}

static void finish(struct fs_call *call, struct place *place, struct inode *victim)
{
    place_remove(call, place);
    inode_touch(call, place->dir);
    inode_put(call, place->dir);
    inode_unlinked(call, victim);
    call->result->attr = inode_attr(victim);
}

enum err fs_unlink(struct fs_call *call)
{
    if (name_is_dot(call->op->name) || name_is_up(call->op->name))
        return ERR_ISDIR;
    struct place place;
    struct inode victim;
    enum err err = open_victim(call, &place, &victim);
    if (err != OK)
        return err;
    if (inode_is_dir(&victim))
        return ERR_ISDIR;
    finish(call, &place, &victim);
    return OK;
}

enum err fs_rmdir(struct fs_call *call)
{
    if (name_is_dot(call->op->name))
        return ERR_INVAL;
    if (name_is_up(call->op->name))
        return ERR_NOTEMPTY;
    struct place place;
    struct inode victim;
    enum err err = open_victim(call, &place, &victim);
    if (err != OK)
        return err;
    if (!inode_is_dir(&victim))
        return ERR_NOTDIR;
    if (victim.entries)
        return ERR_NOTEMPTY;
    fs_expect(call, place.dir->nlink > 2); /* I1 */
    if (!MUTANT(rmdir_keeps_count))
        place.dir->nlink--;
    finish(call, &place, &victim);
    return OK;
}

static enum err may_link(const struct inode *target)
{
    if (inode_is_dir(target))
        return ERR_PERM;
    if (target->nlink == 0 && !(target->flags & INODE_LINKABLE))
        return ERR_NOENT;
    return target->nlink >= FS_LINK_MAX ? ERR_MLINK : OK;
}

static enum err link_here(struct fs_call *call, struct place *place, struct inode *target)
{
    if (place->entry || name_is_dot(place->name) || name_is_up(place->name))
        return ERR_EXIST;
    if (place->dir->nlink == 0)
        return ERR_NOENT;
    enum err err = perm_check(call, place->dir, PERM_W | PERM_X);
    if (err == OK)
        err = may_link(target);
    if (err == OK)
        err = place_add(call, place, target->ino, target->mode);
    if (err != OK)
        return err;
    if (target->nlink == 0) {
        MARK(link_nameless);
        if (!MUTANT(link_keeps_mark))
            ws_delete(call->ws, key_orphan(target->ino));
    }
    target->flags &= ~(uint32_t)INODE_LINKABLE;
    target->nlink++;
    target->ctime = call->op->now;
    inode_touch(call, place->dir);
    inode_put(call, place->dir);
    inode_put(call, target);
    call->result->attr = inode_attr(target);
    return OK;
}

enum err fs_link(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode target;
    struct place place;
    ws_want(call->ws, key_inode(op->ino));
    enum err err = place_open(call, op->ino2, op->name2, &place);
    if (err != OK)
        return err;
    err = inode_get(call, op->ino, ERR_STALE, &target);
    return err != OK ? err : link_here(call, &place, &target);
}

enum err fs_reclaim(struct fs_call *call)
{
    uint64_t ino = call->op->ino;
    struct inode inode;
    struct object_version mark;
    ws_want(call->ws, key_orphan(ino));
    enum err err = inode_get(call, ino, ERR_STALE, &inode);
    if (err == ERR_NEED)
        return err;
    enum err marked = ws_get(call->ws, key_orphan(ino), &mark);
    if (marked != OK)
        return marked;
    if (err == OK && inode.nlink > 0) {
        MARK(reclaim_named);
        return OK; /* a file without a name was given one meanwhile */
    }
    if (err == OK && !MUTANT(reclaim_leaves_data)) {
        err = data_cut(call, &inode, 0);
        if (err == OK && call->result->again)
            inode_put(call, &inode);
        if (err == OK && !call->result->again)
            err = xattr_delete_all(call, &inode);
    } else if (err == ERR_STALE) {
        err = OK;
    }
    if (err != OK || call->result->again)
        return err;
    ws_delete(call->ws, key_inode(ino));
    if (mark.present)
        ws_delete(call->ws, key_orphan(ino));
    return OK;
}
