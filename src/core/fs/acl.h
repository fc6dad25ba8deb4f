/* SPDX-License-Identifier: MIT
 *
 * acl.h: POSIX.1e access control lists (draft 17), in the form of the system.posix_acl_*
 * attributes.
 *
 * The bytes: version 2 as u32, then entries of tag u16, permissions u16, id u32, all little endian.
 * A valid list has, in this order: USER_OBJ, USER..., GROUP_OBJ, GROUP..., MASK (at most one;
 * exactly one when there is a USER or GROUP), OTHER.
 */
#ifndef PACTFS_FS_ACL_H
#define PACTFS_FS_ACL_H

#include "core/fs/inode.h"

#define ACL_BYTES_MAX 3404u /* two lists fit an inode beside everything else */

enum acl_tag {
    ACL_USER_OBJ = 0x01,
    ACL_USER = 0x02,
    ACL_GROUP_OBJ = 0x04,
    ACL_GROUP = 0x08,
    ACL_MASK = 0x10,
    ACL_OTHER = 0x20
};

/* True for bytes that are a valid list as above. */
bool acl_valid(struct bytes acl);
/* True for bytes that are well formed and have no entries: a request to remove the list. */
bool acl_empty(struct bytes acl);
/* True when the list says no more than mode bits can. `acl` is valid. */
bool acl_minimal(struct bytes acl);
/* The nine permission bits that a valid list stands for. */
uint32_t acl_mode(struct bytes acl);
/* A copy of the list with its owner, other and mask (or group) entries taken from the mode. */
struct bytes acl_with_mode(struct arena *arena, struct bytes acl, uint32_t mode);
/* The access check: ACCES or OK. `acl` is valid. */
enum err acl_check(const struct fs_cred *cred, const struct inode *inode, uint32_t mask);

#endif
