/* SPDX-License-Identifier: MIT
 *
 * acl.c: POSIX.1e access control lists.
 */
#include "core/fs/acl.h"

#include "core/fs/perm.h"

#define ACL_VERSION 2u
#define HEADER      4u
#define ENTRY       8u

struct acl_entry {
    uint16_t tag, perm;
    uint32_t id;
};

static uint32_t entry_count(struct bytes acl)
{
    return (uint32_t)((acl.len - HEADER) / ENTRY);
}

static struct acl_entry entry_at(struct bytes acl, uint32_t index)
{
    struct cursor c = cursor_over(acl.data + HEADER + (size_t)index * ENTRY, ENTRY);
    struct acl_entry e;
    e.tag = get_u16(&c);
    e.perm = get_u16(&c);
    e.id = get_u32(&c);
    INVARIANT(!c.bad);
    return e;
}

static bool well_formed(struct bytes acl)
{
    struct cursor c = cursor_over(acl.data, acl.len);
    uint32_t version = get_u32(&c);
    return !c.bad && version == ACL_VERSION && cursor_left(&c) % ENTRY == 0;
}

bool acl_empty(struct bytes acl)
{
    return acl.len == 0 || (well_formed(acl) && acl.len == HEADER);
}

static bool id_valid(struct acl_entry e)
{
    return (e.tag != ACL_USER && e.tag != ACL_GROUP) || e.id != UINT32_MAX;
}

bool acl_valid(struct bytes acl)
{
    if (!well_formed(acl) || acl.len == HEADER)
        return false;
    uint32_t seen = 0, before = 0;
    for (uint32_t i = 0; i < entry_count(acl); i++) {
        struct acl_entry e = entry_at(acl, i);
        bool many = e.tag == ACL_USER || e.tag == ACL_GROUP;
        bool one_bit = e.tag && (e.tag & (e.tag - 1)) == 0 && e.tag <= ACL_OTHER;
        /* the tags' values rise in the order the list must have */
        if (!one_bit || e.perm > 7 || e.tag < before || (e.tag == before && !many) || !id_valid(e))
            return false;
        before = e.tag;
        seen |= e.tag;
    }
    uint32_t must = ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER;
    if (seen & (ACL_USER | ACL_GROUP))
        must |= ACL_MASK;
    return (seen & must) == must;
}

bool acl_minimal(struct bytes acl)
{
    return entry_count(acl) == 3;
}

uint32_t acl_mode(struct bytes acl)
{
    uint32_t owner = 0, group = 0, mask = 8, other = 0;
    for (uint32_t i = 0; i < entry_count(acl); i++) {
        struct acl_entry e = entry_at(acl, i);
        if (e.tag == ACL_USER_OBJ)
            owner = e.perm;
        else if (e.tag == ACL_GROUP_OBJ)
            group = e.perm;
        else if (e.tag == ACL_MASK)
            mask = e.perm;
        else if (e.tag == ACL_OTHER)
            other = e.perm;
    }
    return owner << 6 | (mask < 8 ? mask : group) << 3 | other;
}

struct bytes acl_with_mode(struct arena *arena, struct bytes acl, uint32_t mode)
{
    uint8_t *copy = arena_copy(arena, acl.data, acl.len);
    bool has_mask = false;
    for (uint32_t i = 0; i < entry_count(acl); i++)
        has_mask |= entry_at(acl, i).tag == ACL_MASK;
    for (uint32_t i = 0; i < entry_count(acl); i++) {
        uint16_t tag = entry_at(acl, i).tag;
        struct cursor c = cursor_over(copy + HEADER + (size_t)i * ENTRY + 2, 2);
        if (tag == ACL_USER_OBJ)
            put_u16(&c, mode >> 6 & 7);
        else if (tag == (has_mask ? ACL_MASK : ACL_GROUP_OBJ))
            put_u16(&c, mode >> 3 & 7);
        else if (tag == ACL_OTHER)
            put_u16(&c, mode & 7);
    }
    return (struct bytes){copy, acl.len};
}

/* What the list gives to a member of the groups: 8 when no group entry matches the caller; `mask`
 * when one gives all of the mask; 0 when one matches but none gives it. */
static uint32_t group_answer(const struct fs_cred *cred, const struct inode *inode, uint32_t mask)
{
    struct bytes acl = inode->acl_access;
    uint32_t answer = 8;
    for (uint32_t i = 0; i < entry_count(acl); i++) {
        struct acl_entry e = entry_at(acl, i);
        bool member = (e.tag == ACL_GROUP_OBJ && perm_in_group(cred, inode->gid)) ||
                      (e.tag == ACL_GROUP && perm_in_group(cred, e.id));
        if (!member)
            continue;
        if ((e.perm & mask) == mask)
            return mask;
        answer = 0;
    }
    return answer;
}

/* The entry for a tag (and id, for named users): its permissions, or `missing`. */
static uint32_t perms_of(struct bytes acl, enum acl_tag tag, uint32_t id, uint32_t missing)
{
    for (uint32_t i = 0; i < entry_count(acl); i++) {
        struct acl_entry e = entry_at(acl, i);
        if (e.tag == tag && (tag != ACL_USER || e.id == id))
            return e.perm;
    }
    return missing;
}

/* The algorithm of POSIX.1e draft 17, section 23.1.5: owner, named users, groups, others; the first
 * class that matches decides; the mask limits the named users and all groups. */
enum err acl_check(const struct fs_cred *cred, const struct inode *inode, uint32_t mask)
{
    struct bytes acl = inode->acl_access;
    uint32_t limit = perms_of(acl, ACL_MASK, 0, 7), given;
    if (cred->uid == inode->uid) {
        given = perms_of(acl, ACL_USER_OBJ, 0, 0);
    } else if ((given = perms_of(acl, ACL_USER, cred->uid, 8)) < 8) {
        given &= limit;
    } else if ((given = group_answer(cred, inode, mask)) < 8) {
        given &= limit;
    } else {
        given = perms_of(acl, ACL_OTHER, 0, 0);
    }
    return (given & mask) == mask ? OK : ERR_ACCES;
}
