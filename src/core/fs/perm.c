/* SPDX-License-Identifier: MIT
 *
 * perm.c: access checks and the rules for set-id bits.
 */
#include "core/fs/perm.h"

#include "core/fs/acl.h"
#include "core/fs/xattr.h"

bool perm_in_group(const struct fs_cred *cred, uint32_t gid)
{
    if (cred->gid == gid)
        return true;
    for (uint32_t i = 0; i < cred->group_count; i++) {
        if (cred->groups[i] == gid)
            return true;
    }
    return false;
}

enum err perm_evaluate(const struct fs_cred *cred, const struct inode *inode, uint32_t mask)
{
    mask &= 7;
    if (cred->uid == 0) {
        bool may = !(mask & PERM_X) || inode_is_dir(inode) || (inode->mode & 0111);
        return may ? OK : ERR_ACCES;
    }
    if (inode->acl_access.len)
        return acl_check(cred, inode, mask);
    uint32_t given = inode->mode;
    if (cred->uid == inode->uid)
        given >>= 6;
    else if (perm_in_group(cred, inode->gid))
        given >>= 3;
    return (given & mask) == mask ? OK : ERR_ACCES;
}

enum err perm_check(const struct fs_call *call, const struct inode *inode, uint32_t mask)
{
    return call->op->cred.checked ? OK : perm_evaluate(&call->op->cred, inode, mask);
}

enum err perm_owner(const struct fs_call *call, const struct inode *inode)
{
    const struct fs_cred *cred = &call->op->cred;
    return cred->checked || cred->uid == 0 || cred->uid == inode->uid ? OK : ERR_PERM;
}

enum err perm_remove(const struct fs_call *call, const struct inode *dir,
                     const struct inode *victim)
{
    const struct fs_cred *cred = &call->op->cred;
    enum err err = perm_check(call, dir, PERM_W | PERM_X);
    if (err != OK)
        return err;
    if (!(dir->mode & FS_SVTX) || cred->checked || cred->uid == 0)
        return OK;
    return cred->uid == dir->uid || cred->uid == victim->uid ? OK : ERR_PERM;
}

static void drop_bits(struct inode *inode)
{
    inode->mode &= ~FS_SUID;
    if (inode->mode & 0010)
        inode->mode &= ~FS_SGID;
}

enum err perm_drop_privileges(struct fs_call *call, struct inode *inode)
{
    if (inode_is_dir(inode))
        return OK;
    drop_bits(inode);
    return inode->flags & INODE_CAPABILITY ? xattr_drop_capability(call, inode) : OK;
}

enum err perm_data_changed(struct fs_call *call, struct inode *inode)
{
    if (!call->op->cred.cap_fsetid)
        drop_bits(inode);
    return inode->flags & INODE_CAPABILITY ? xattr_drop_capability(call, inode) : OK;
}
