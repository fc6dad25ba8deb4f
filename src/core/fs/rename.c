/* SPDX-License-Identifier: MIT
 *
 * rename.c: moving, replacing and exchanging names.
 */
#include "core/fs/dir.h"
#include "core/fs/perm.h"

struct renaming {
    struct place from, to;
    struct inode moved, other; /* other: what the target name leads to; ino 0: nothing */
    bool exchange;
};

/* Reads both places and the inodes behind them, as much as possible at once. */
static enum err open_both(struct fs_call *call, struct renaming *r)
{
    const struct fs_op *op = call->op;
    place_want(call, op->ino, op->name);
    place_want(call, op->ino2, op->name2);
    enum err err = place_open(call, op->ino, op->name, &r->from);
    if (err == OK)
        err = place_open_second(call, op->ino2, op->name2, &r->from, &r->to);
    if (err == OK && !r->from.entry)
        err = ERR_NOENT;
    if (err != OK)
        return err;
    if (r->to.entry)
        ws_want(call->ws, key_inode(r->to.entry->ino));
    err = place_inode(call, &r->from, &r->moved);
    if (err == OK && r->to.entry)
        err = place_inode(call, &r->to, &r->other);
    return err;
}

/* INVAL when `dir` is `moved` or lies below it: it would become its own ancestor. Parents that go
 * round in a ring never reach the root: an ancestor is remembered at each power of two, and met
 * again. */
static enum err outside(struct fs_call *call, const struct inode *moved, const struct inode *dir)
{
    uint64_t at = dir->ino, parent = dir->parent, remembered = 0;
    for (uint64_t steps = 1; at != FS_ROOT_INO; steps++) {
        struct inode above;
        if (at == moved->ino && !MUTANT(rename_loop)) {
            MARK(rename_into_itself);
            return ERR_INVAL;
        }
        enum err err = inode_get(call, parent, ERR_CORRUPT, &above);
        if (err != OK)
            return err;
        if (!inode_is_dir(&above) || above.ino == remembered)
            return ERR_CORRUPT;
        at = above.ino;
        parent = above.parent;
        if ((steps & (steps - 1)) == 0)
            remembered = at;
    }
    return moved->ino == FS_ROOT_INO ? ERR_INVAL : OK;
}

static enum err types_agree(const struct renaming *r)
{
    if (!r->other.ino || r->exchange)
        return OK;
    if (inode_is_dir(&r->moved) && !inode_is_dir(&r->other))
        return ERR_NOTDIR;
    if (!inode_is_dir(&r->moved) && inode_is_dir(&r->other))
        return ERR_ISDIR;
    return inode_is_dir(&r->other) && r->other.entries ? ERR_NOTEMPTY : OK;
}

/* A directory that changes its parent is itself changed ("..": write permission on it). */
static enum err may_move(struct fs_call *call, const struct renaming *r, const struct inode *moved,
                         const struct inode *into)
{
    if (!inode_is_dir(moved) || r->from.dir == r->to.dir)
        return OK;
    enum err err = perm_check(call, moved, PERM_W);
    return err != OK ? err : outside(call, moved, into);
}

static enum err may_rename(struct fs_call *call, const struct renaming *r)
{
    uint32_t flags = call->op->flags;
    if (r->to.dir->nlink == 0)
        return ERR_NOENT;
    if (r->exchange && !r->other.ino)
        return ERR_NOENT;
    if ((flags & FS_RENAME_NOREPLACE) && r->other.ino)
        return ERR_EXIST;
    if (r->other.ino == r->moved.ino)
        return OK; /* nothing will happen */
    enum err err = perm_remove(call, r->from.dir, &r->moved);
    if (err == OK)
        err = r->other.ino ? perm_remove(call, r->to.dir, &r->other)
                           : perm_check(call, r->to.dir, PERM_W | PERM_X);
    if (err == OK)
        err = may_move(call, r, &r->moved, r->to.dir);
    if (err == OK && r->exchange)
        err = may_move(call, r, &r->other, r->from.dir);
    return err != OK ? err : types_agree(r);
}

/* Puts a directory under another parent. */
static enum err reparent(struct fs_call *call, struct inode *moved, struct inode *from,
                         struct inode *to)
{
    if (!inode_is_dir(moved) || from == to)
        return OK;
    fs_expect(call, from->nlink > 2); /* I1 */
    if (to->nlink >= FS_LINK_MAX)
        return ERR_MLINK;
    from->nlink--;
    if (!MUTANT(rename_loses_link))
        to->nlink++;
    moved->parent = to->ino;
    return OK;
}

static enum err exchange(struct fs_call *call, struct renaming *r)
{
    struct inode *from = r->from.dir, *to = r->to.dir;
    /* counted at once, so that a full directory can exchange too */
    uint32_t in = inode_is_dir(&r->moved), out = inode_is_dir(&r->other);
    if (in && out && from != to)
        MARK(rename_exchanged_dirs);
    if (from != to) {
        fs_expect(call, from->nlink >= 2 + in && to->nlink >= 2 + out); /* I1 */
        from->nlink = from->nlink - in + out;
        to->nlink = to->nlink - out + in;
        if (in)
            r->moved.parent = to->ino;
        if (out)
            r->other.parent = from->ino;
    }
    place_replace(call, &r->from, r->other.ino, r->other.mode);
    place_replace(call, &r->to, r->moved.ino, r->moved.mode);
    r->other.ctime = call->op->now;
    inode_put(call, &r->other);
    return OK;
}

static enum err move(struct fs_call *call, struct renaming *r)
{
    struct inode *from = r->from.dir, *to = r->to.dir;
    enum err err = OK;
    if (r->other.ino && inode_is_dir(&r->other)) {
        MARK(rename_replaced_dir);
        fs_expect(call, to->nlink > 2); /* I1 */
        to->nlink--;
    }
    err = reparent(call, &r->moved, from, to);
    if (err != OK)
        return err;
    if (r->other.ino) {
        place_replace(call, &r->to, r->moved.ino, r->moved.mode);
        if (!MUTANT(rename_keeps_replaced))
            inode_unlinked(call, &r->other);
        if (r->other.nlink == 0)
            MARK(rename_replaced);
        place_remove(call, &r->from);
    } else {
        if (!MUTANT(rename_keeps_old))
            place_remove(call, &r->from);
        err = place_add(call, &r->to, r->moved.ino, r->moved.mode);
    }
    return err;
}

enum err fs_rename(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct renaming r = {.exchange = op->flags & FS_RENAME_EXCHANGE};
    if (op->flags & ~(uint32_t)(FS_RENAME_NOREPLACE | FS_RENAME_EXCHANGE) ||
        (r.exchange && (op->flags & FS_RENAME_NOREPLACE)))
        return ERR_INVAL;
    if (name_is_dot(op->name) || name_is_up(op->name) || name_is_dot(op->name2) ||
        name_is_up(op->name2))
        return ERR_INVAL;
    enum err err = open_both(call, &r);
    if (err == OK)
        err = may_rename(call, &r);
    if (err != OK)
        return err;
    call->result->attr = inode_attr(&r.moved);
    if (r.other.ino == r.moved.ino) {
        MARK(rename_same_file);
        call->result->attr2 = r.exchange ? call->result->attr : (struct fs_attr){0};
        return OK; /* two names of one file: POSIX says that nothing happens */
    }
    err = r.exchange ? exchange(call, &r) : move(call, &r);
    if (err != OK)
        return err;
    r.moved.ctime = op->now;
    inode_touch(call, r.from.dir);
    inode_touch(call, r.to.dir);
    inode_put(call, &r.moved);
    inode_put(call, r.from.dir);
    if (r.to.dir != r.from.dir)
        inode_put(call, r.to.dir);
    call->result->attr = inode_attr(&r.moved);
    if (r.other.ino)
        call->result->attr2 = inode_attr(&r.other);
    return OK;
}
