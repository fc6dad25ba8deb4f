/* SPDX-License-Identifier: MIT
 *
 * acl.c: POSIX access control lists, through the attributes in which the kernel carries them.
 */
#include "harness.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NO_ID   UINT32_MAX

enum { ALICE = 2001, BOB = 2002, GROUP = 3001 };

struct acl {
    uint32_t version; /* with the entries: what the attribute holds */
    struct posix_acl_xattr_entry entries[16];
    size_t count;
};

#define ACL_BYTES(entries) (sizeof(uint32_t) + (entries) * sizeof(struct posix_acl_xattr_entry))

static void add(struct acl *acl, uint16_t tag, uint16_t perm, uint32_t id)
{
    acl->version = POSIX_ACL_XATTR_VERSION;
    acl->entries[acl->count++] = (struct posix_acl_xattr_entry){tag, perm, id};
}

static int set(const char *path, const char *name, const struct acl *acl)
{
    return setxattr(path, name, acl, ACL_BYTES(acl->count), 0);
}

/* user::rw-, user:ALICE:rw-, group::r--, mask::`mask`, other::--- */
static struct acl for_alice(uint16_t mask)
{
    struct acl acl = {0};

    add(&acl, ACL_USER_OBJ, 7, NO_ID);
    add(&acl, ACL_USER, 6, ALICE);
    add(&acl, ACL_GROUP_OBJ, 4, NO_ID);
    add(&acl, ACL_MASK, mask, NO_ID);
    add(&acl, ACL_OTHER, 0, NO_ID);
    return acl;
}

static void may_write(void)
{
    close(OPEN("f", O_RDWR));
}

static void may_read_only(void)
{
    close(OPEN("f", O_RDONLY));
    FAILS(open("f", O_RDWR), EACCES);
}

static void may_nothing(void)
{
    FAILS(open("f", O_RDONLY), EACCES);
}

static void need_acls(void)
{
    struct acl acl = for_alice(6);

    need_root();
    make_file("probe", "");
    if (set("probe", ACCESS, &acl) != 0 && errno == EOPNOTSUPP)
        skip_case("no POSIX ACLs here");
    OK(unlink("probe"));
}

static void named_user(void)
{
    struct acl acl = for_alice(6);

    need_acls();
    make_file("f", "x");
    OK(chmod("f", 0600));
    OK(set("f", ACCESS, &acl));
    SAME(stat_of("f").st_mode & 07777, 0760); /* the group bits show the mask */
    as_user(ALICE, ALICE, may_write);
    as_user(BOB, BOB, may_nothing);
    acl = for_alice(4);
    OK(set("f", ACCESS, &acl));
    as_user(ALICE, ALICE, may_read_only);
}

static void named_group(void)
{
    struct acl acl = {0};

    need_acls();
    make_file("f", "x");
    add(&acl, ACL_USER_OBJ, 6, NO_ID);
    add(&acl, ACL_GROUP_OBJ, 0, NO_ID);
    add(&acl, ACL_GROUP, 4, GROUP);
    add(&acl, ACL_MASK, 6, NO_ID);
    add(&acl, ACL_OTHER, 6, NO_ID);
    OK(set("f", ACCESS, &acl));
    as_user(ALICE, GROUP, may_read_only);
    as_user(ALICE, 0, may_nothing); /* the owning group has no rights and counts before others */
    as_user(ALICE, ALICE, may_write);
}

static void chmod_moves_the_mask(void)
{
    struct acl acl = for_alice(6), got = {0};
    ssize_t n;

    need_acls();
    make_file("f", "x");
    OK(set("f", ACCESS, &acl));
    OK(chmod("f", 0640));
    as_user(ALICE, ALICE, may_read_only);
    n = OK(getxattr("f", ACCESS, &got, ACL_BYTES(16)));
    SAME((size_t)n, ACL_BYTES(5));
    for (size_t i = 0; i < 5; i++)
        if (got.entries[i].e_tag == ACL_MASK)
            SAME(got.entries[i].e_perm, 4);
}

static void minimal_acl_is_a_mode(void)
{
    struct acl acl = {0};
    char buf[256];

    need_acls();
    make_file("f", "x");
    add(&acl, ACL_USER_OBJ, 6, NO_ID);
    add(&acl, ACL_GROUP_OBJ, 5, NO_ID);
    add(&acl, ACL_OTHER, 1, NO_ID);
    OK(set("f", ACCESS, &acl));
    SAME(stat_of("f").st_mode & 07777, 0651);
    FAILS(getxattr("f", ACCESS, buf, sizeof buf), ENODATA);
}

static void inheritance(void)
{
    struct acl acl = for_alice(6), got = {0};
    ssize_t n;
    int fd;

    need_acls();
    OK(mkdir("d", 0755));
    OK(set("d", DEFAULT, &acl));
    umask(077); /* a default list takes the place of the umask */
    fd = open_ok("d/f", O_CREAT | O_RDWR, 0666);
    close(fd);
    SAME(stat_of("d/f").st_mode & 07777, 0660);
    n = OK(getxattr("d/f", ACCESS, &got, ACL_BYTES(16)));
    SAME((size_t)n, ACL_BYTES(5));
    OK(mkdir("d/e", 0777));
    SAME(stat_of("d/e").st_mode & 07777, 0760);
    n = OK(getxattr("d/e", DEFAULT, &got, ACL_BYTES(16)));
    SAME((size_t)n, ACL_BYTES(5));
    CHECK(memcmp(&got, &acl, (size_t)n) == 0);
    FAILS(getxattr("d/f", DEFAULT, &got, ACL_BYTES(16)), ENODATA);
}

static void inherited_with_a_narrow_mode(void)
{
    struct acl acl = for_alice(7);

    need_acls();
    OK(mkdir("d", 0755));
    OK(set("d", DEFAULT, &acl));
    close(open_ok("d/f", O_CREAT | O_RDWR, 0600));
    SAME(stat_of("d/f").st_mode & 07777, 0600);
    OK(chdir("d"));
    as_user(ALICE, ALICE, may_nothing);
}

static void removing(void)
{
    struct acl acl = for_alice(6);
    char buf[256];

    need_acls();
    make_file("f", "x");
    OK(set("f", ACCESS, &acl));
    OK(removexattr("f", ACCESS));
    FAILS(getxattr("f", ACCESS, buf, sizeof buf), ENODATA);
    as_user(ALICE, ALICE, may_nothing);
}

static void refusals(void)
{
    struct acl acl = {0}, fine = for_alice(6);

    need_acls();
    make_file("f", "x");
    FAILS(setxattr("f", ACCESS, "\x07\0\0\0", 4, 0), EOPNOTSUPP); /* a version unknown to Linux */
    FAILS(setxattr("f", ACCESS, "\2\0\0\0abc", 7, 0), EINVAL);
    add(&acl, ACL_USER_OBJ, 6, NO_ID);
    add(&acl, ACL_USER, 6, ALICE); /* a named user without a mask */
    add(&acl, ACL_GROUP_OBJ, 6, NO_ID);
    add(&acl, ACL_OTHER, 6, NO_ID);
    FAILS(set("f", ACCESS, &acl), EINVAL);
    FAILS(set("f", DEFAULT, &fine), EACCES); /* only directories have a default list */
}

static void stranger_sets(void)
{
    struct acl acl = for_alice(7);

    FAILS(set("f", ACCESS, &acl), EPERM);
}

static void only_the_owner_sets(void)
{
    need_acls();
    make_file("f", "x");
    OK(chmod("f", 0666));
    as_user(ALICE, ALICE, stranger_sets);
}

static const struct test_case cases[] = {
    {"named user and mask", named_user},
    {"named group", named_group},
    {"chmod moves the mask", chmod_moves_the_mask},
    {"a minimal list is a mode", minimal_acl_is_a_mode},
    {"default list is inherited", inheritance},
    {"inherited with a narrow mode", inherited_with_a_narrow_mode},
    {"removing", removing},
    {"refusals", refusals},
    {"only the owner sets", only_the_owner_sets},
};
TOPIC(acl, "acl", cases);
