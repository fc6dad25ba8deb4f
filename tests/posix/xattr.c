/* SPDX-License-Identifier: MIT
 *
 * xattr.c: extended attributes.
 */
#include "harness.h"

#include <linux/limits.h>
#include <sys/xattr.h>

static void set_and_get(void)
{
    char buf[16];

    make_file("f", "");
    OK(setxattr("f", "user.a", "hello", 5, 0));
    SAME(getxattr("f", "user.a", buf, sizeof buf), 5);
    CHECK(memcmp(buf, "hello", 5) == 0);
    SAME(getxattr("f", "user.a", NULL, 0), 5);
    FAILS(getxattr("f", "user.a", buf, 3), ERANGE);
    FAILS(getxattr("f", "user.b", buf, sizeof buf), ENODATA);
    OK(setxattr("f", "user.a", "", 0, 0));
    SAME(getxattr("f", "user.a", buf, sizeof buf), 0);
    OK(removexattr("f", "user.a"));
    FAILS(removexattr("f", "user.a"), ENODATA);
}

static void create_and_replace(void)
{
    char buf[16];

    make_file("f", "");
    FAILS(setxattr("f", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
    OK(setxattr("f", "user.a", "1", 1, XATTR_CREATE));
    FAILS(setxattr("f", "user.a", "2", 1, XATTR_CREATE), EEXIST);
    OK(setxattr("f", "user.a", "22", 2, XATTR_REPLACE));
    SAME(getxattr("f", "user.a", buf, sizeof buf), 2);
}

static bool listed(const char *path, const char *name)
{
    char buf[XATTR_LIST_MAX];
    ssize_t n = OK(llistxattr(path, buf, sizeof buf));

    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(buf + i) + 1)
        if (strcmp(buf + i, name) == 0)
            return true;
    return false;
}

static void list(void)
{
    char name[32], small[4];

    make_file("f", "");
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "user.attribute%02d", i);
        OK(setxattr("f", name, name, strlen(name), 0));
    }
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "user.attribute%02d", i);
        CHECK(listed("f", name));
    }
    FAILS(listxattr("f", small, sizeof small), ERANGE);
    CHECK(listxattr("f", NULL, 0) >= 50 * 17);
    OK(removexattr("f", "user.attribute07"));
    CHECK(!listed("f", "user.attribute07"));
}

static void namespaces(void)
{
    make_file("f", "");
    OK(setxattr("f", "user.x", "1", 1, 0));
    FAILS(setxattr("f", "nonsense.x", "1", 1, 0), EOPNOTSUPP);
    FAILS(setxattr("f", "user.", "1", 1, 0), EINVAL);
    need_root();
    OK(setxattr("f", "trusted.x", "1", 1, 0));
    CHECK(listed("f", "trusted.x"));
    OK(setxattr("f", "security.x", "1", 1, 0));
    CHECK(listed("f", "security.x"));
}

static void plain_user(void)
{
    char buf[4];

    FAILS(setxattr("f", "trusted.x", "1", 1, 0), EPERM);
    FAILS(getxattr("f", "trusted.x", buf, sizeof buf), ENODATA);
    CHECK(!listed("f", "trusted.x"));
    OK(setxattr("f", "user.mine", "1", 1, 0));
    SAME(getxattr("foreign", "user.a", buf, sizeof buf), 1);
    FAILS(setxattr("foreign", "user.a", "2", 1, 0), EACCES);
    FAILS(removexattr("foreign", "user.a"), EACCES);
    FAILS(getxattr("closed", "user.a", buf, sizeof buf), EACCES);
}

static void as_another_user(void)
{
    need_root();
    make_file("f", "");
    OK(setxattr("f", "trusted.x", "1", 1, 0));
    OK(chown("f", 2001, 2001));
    make_file("foreign", "");
    OK(setxattr("foreign", "user.a", "1", 1, 0));
    make_file("closed", "");
    OK(setxattr("closed", "user.a", "1", 1, 0));
    OK(chmod("closed", 0600));
    as_user(2001, 2001, plain_user);
}

static void name_limits(void)
{
    char name[XATTR_NAME_MAX + 2];

    make_file("f", "");
    memset(name, 'n', sizeof name);
    memcpy(name, "user.", 5);
    name[XATTR_NAME_MAX] = '\0';
    OK(setxattr("f", name, "1", 1, 0));
    CHECK(listed("f", name));
    name[XATTR_NAME_MAX] = 'n';
    name[XATTR_NAME_MAX + 1] = '\0';
    FAILS(setxattr("f", name, "1", 1, 0), ERANGE);
}

/* Sets and reads back a value of each length; true when the file system has room for the longest.
 */
static void sizes(void)
{
    static const size_t lengths[] = {1, 100, 4000, 4096, 7168, 7169, 20000, XATTR_SIZE_MAX};
    char *value = malloc(XATTR_SIZE_MAX + 1), *got = malloc(XATTR_SIZE_MAX + 1);

    CHECK(value && got);
    make_file("f", "");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(value, (int)('a' + i), XATTR_SIZE_MAX + 1);
        if (setxattr("f", "user.big", value, lengths[i], 0) != 0 && errno == ENOSPC)
            skip_case("no room for long values here");
        SAME(OK(getxattr("f", "user.big", got, XATTR_SIZE_MAX)), lengths[i]);
        CHECK(memcmp(value, got, lengths[i]) == 0);
    }
    FAILS(setxattr("f", "user.big", value, XATTR_SIZE_MAX + 1, 0), E2BIG);
    OK(setxattr("f", "user.big", "small", 5, 0));
    SAME(getxattr("f", "user.big", got, XATTR_SIZE_MAX), 5);
}

static void on_other_types(void)
{
    OK(mkdir("d", 0755));
    OK(setxattr("d", "user.a", "1", 1, 0));
    CHECK(listed("d", "user.a"));
    OK(symlink("d", "l"));
    FAILS(lsetxattr("l", "user.a", "1", 1, 0), EPERM);
    OK(mkfifo("p", 0600));
    FAILS(setxattr("p", "user.a", "1", 1, 0), EPERM);
    need_root();
    OK(lsetxattr("l", "trusted.a", "1", 1, 0));
    CHECK(listed("l", "trusted.a"));
}

static void ctime_changes(void)
{
    struct stat before, after;

    make_file("f", "");
    before = stat_of("f");
    do {
        OK(setxattr("f", "user.a", "1", 1, 0));
        after = stat_of("f");
    } while (before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
    SAME(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void goes_with_the_inode(void)
{
    char buf[4];

    make_file("f", "");
    OK(setxattr("f", "user.a", "1", 1, 0));
    OK(link("f", "g"));
    OK(rename("f", "h"));
    SAME(getxattr("g", "user.a", buf, sizeof buf), 1);
    OK(unlink("h"));
    OK(unlink("g"));
    make_file("g", "");
    FAILS(getxattr("g", "user.a", buf, sizeof buf), ENODATA);
}

static const struct test_case cases[] = {
    {"set, get, remove", set_and_get},
    {"XATTR_CREATE and XATTR_REPLACE", create_and_replace},
    {"list", list},
    {"namespaces", namespaces},
    {"as another user", as_another_user},
    {"name limits", name_limits},
    {"value sizes and limit", sizes},
    {"on other types", on_other_types},
    {"ctime changes", ctime_changes},
    {"goes with the inode", goes_with_the_inode},
};
TOPIC(xattr, "xattr", cases);
