/* SPDX-License-Identifier: MIT
 *
 * perm.h: who may do what (POSIX access checks, POSIX.1e ACLs, sticky directories, set-id rules).
 */
#ifndef PACTFS_FS_PERM_H
#define PACTFS_FS_PERM_H

#include "core/fs/inode.h"

enum perm { PERM_X = 1, PERM_W = 2, PERM_R = 4 };

bool perm_in_group(const struct fs_cred *cred, uint32_t gid);

/* ACCES unless the caller has all of `mask`; the answer itself, whatever cred.checked says. */
enum err perm_evaluate(const struct fs_cred *cred, const struct inode *inode, uint32_t mask);
/* The same as a check on the way: OK when the caller was checked before. */
enum err perm_check(const struct fs_call *call, const struct inode *inode, uint32_t mask);
/* PERM unless the caller owns the inode or is uid 0 (or was checked before). */
enum err perm_owner(const struct fs_call *call, const struct inode *inode);
/* May a name of `victim` be taken out of `dir`? Write and search permission, and the sticky rule.
 */
enum err perm_remove(const struct fs_call *call, const struct inode *dir,
                     const struct inode *victim);

/* Takes the set-id bits and security.capability away, as a change of data or owner does: S_ISUID
 * always, S_ISGID when it is a set-id bit (with S_IXGRP). True when something changed besides the
 * capability, which is removed from the workspace here and may need reading first: NEED. */
enum err perm_drop_privileges(struct fs_call *call, struct inode *inode);
/* The same for data changes: a caller with cap_fsetid keeps the bits (never the capability). */
enum err perm_data_changed(struct fs_call *call, struct inode *inode);

#endif
