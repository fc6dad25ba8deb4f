/* SPDX-License-Identifier: MIT
 *
 * create.c: making inodes: format, mknod, mkdir, symlink, tmpfile.
 */
#include <string.h>

#include "core/fs/acl.h"
#include "core/fs/dir.h"
#include "core/fs/perm.h"

static void new_times(const struct fs_call *call, struct inode *inode)
{
    inode->atime = inode->mtime = inode->ctime = inode->btime = call->op->now;
}

enum err fs_format(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode root;
    enum err err = inode_get(call, FS_ROOT_INO, ERR_NOENT, &root);
    if (err != ERR_NOENT)
        return err == OK ? ERR_EXIST : err;
    root = (struct inode){
        .ino = FS_ROOT_INO,
        .mode = FS_DIR | (op->mode & FS_PERM),
        .uid = op->cred.uid,
        .gid = op->cred.gid,
        .nlink = 2,
        .parent = FS_ROOT_INO,
    };
    new_times(call, &root);
    inode_put(call, &root);
    call->result->attr = inode_attr(&root);
    return OK;
}

/* In a set-gid directory a new file belongs to the directory's group; one that would be set-gid for
 * a group its maker is not in loses the bit. */
static void inherit_group(const struct fs_call *call, const struct inode *dir, struct inode *inode)
{
    const struct fs_cred *cred = &call->op->cred;
    inode->gid = cred->gid;
    if (!(dir->mode & FS_SGID))
        return;
    inode->gid = dir->gid;
    if (inode_is_dir(inode))
        inode->mode |= FS_SGID;
    else if ((inode->mode & (FS_SGID | 0010)) == (FS_SGID | 0010) && !cred->cap_fsetid &&
             !perm_in_group(cred, dir->gid))
        inode->mode &= ~FS_SGID;
}

/* The default ACL of the directory takes the place of the umask (POSIX.1e 23.3.1). */
static void inherit_acl(const struct fs_call *call, const struct inode *dir, struct inode *inode)
{
    if (!dir->acl_default.len) {
        inode->mode &= ~(call->op->umask & 0777);
        return;
    }
    uint32_t mode = inode->mode & acl_mode(dir->acl_default);
    struct bytes acl = acl_with_mode(&call->ws->arena, dir->acl_default, mode);
    inode->mode = (inode->mode & ~0777u) | (mode & 0777);
    if (!acl_minimal(acl))
        inode->acl_access = acl;
    if (inode_is_dir(inode))
        inode->acl_default = dir->acl_default;
}

static struct inode new_inode(const struct fs_call *call, const struct inode *dir, uint32_t mode)
{
    const struct fs_op *op = call->op;
    struct inode inode = {
        .ino = op->new_ino,
        .mode = mode,
        .uid = op->cred.uid,
        .nlink = inode_is_dir(&(struct inode){.mode = mode}) ? 2 : 1,
    };
    INVARIANT(op->new_ino > FS_ROOT_INO);
    new_times(call, &inode);
    inherit_group(call, dir, &inode);
    if ((mode & FS_TYPE) != FS_LNK)
        inherit_acl(call, dir, &inode);
    if (inode_is_dir(&inode))
        inode.parent = dir->ino;
    return inode;
}

/* Opens the place for a new name and checks that it may be made there. */
static enum err open_new(struct fs_call *call, struct place *place)
{
    const struct fs_op *op = call->op;
    enum err err = place_open(call, op->ino, op->name, place);
    if (err != OK)
        return err;
    if (place->entry || name_is_dot(op->name) || name_is_up(op->name))
        return ERR_EXIST;
    if (place->dir->nlink == 0)
        return ERR_NOENT;
    return perm_check(call, place->dir, PERM_W | PERM_X);
}

static enum err add_new(struct fs_call *call, struct place *place, const struct inode *inode)
{
    enum err err = place_add(call, place, inode->ino, inode->mode);
    if (err != OK)
        return err;
    if (inode_is_dir(inode)) {
        if (place->dir->nlink >= FS_LINK_MAX)
            return ERR_MLINK;
        place->dir->nlink++;
    }
    inode_touch(call, place->dir);
    inode_put(call, place->dir);
    inode_put(call, inode);
    call->result->attr = inode_attr(inode);
    return OK;
}

enum err fs_mknod(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    uint32_t type = op->mode & FS_TYPE ? op->mode & FS_TYPE : FS_REG;
    struct place place;
    enum err err = open_new(call, &place);
    if (err != OK)
        return err;
    switch (type) {
    case FS_REG:
    case FS_FIFO:
    case FS_SOCK:
        break;
    case FS_CHR:
    case FS_BLK:
        if (!op->cred.checked && op->cred.uid != 0)
            return ERR_PERM;
        break;
    case FS_DIR:
        return ERR_PERM;
    default:
        return ERR_INVAL;
    }
    struct inode inode = new_inode(call, place.dir, type | (op->mode & FS_PERM));
    inode.rdev = type == FS_CHR || type == FS_BLK ? op->rdev : 0;
    return add_new(call, &place, &inode);
}

enum err fs_mkdir(struct fs_call *call)
{
    struct place place;
    enum err err = open_new(call, &place);
    if (err != OK)
        return err;
    struct inode inode = new_inode(call, place.dir, FS_DIR | (call->op->mode & (0777 | FS_SVTX)));
    return add_new(call, &place, &inode);
}

enum err fs_symlink(struct fs_call *call)
{
    struct bytes target = call->op->value;
    struct place place;
    enum err err = open_new(call, &place);
    if (err != OK)
        return err;
    if (target.len == 0)
        return ERR_NOENT;
    if (target.len > FS_SYMLINK_MAX)
        return ERR_NAMETOOLONG;
    if (memchr(target.data, 0, target.len))
        return ERR_INVAL;
    struct inode inode = new_inode(call, place.dir, FS_LNK | 0777);
    inode.target = target;
    inode.size = target.len;
    return add_new(call, &place, &inode);
}

enum err fs_tmpfile(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode dir;
    enum err err = inode_get(call, op->ino, ERR_STALE, &dir);
    if (err != OK)
        return err;
    if (!inode_is_dir(&dir))
        return ERR_NOTDIR;
    if (dir.nlink == 0)
        return ERR_NOENT;
    err = perm_check(call, &dir, PERM_W | PERM_X);
    if (err != OK)
        return err;
    struct inode inode = new_inode(call, &dir, FS_REG | (op->mode & FS_PERM));
    inode.nlink = 0;
    inode.flags = INODE_LINKABLE;
    inode_make_orphan(call, &inode);
    inode_put(call, &inode);
    call->result->attr = inode_attr(&inode);
    return OK;
}
