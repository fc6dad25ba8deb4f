/* SPDX-License-Identifier: MIT
 *
 * links.c: symbolic and hard links, and files that have lost their last name.
 */
#include "harness.h"

#include <limits.h>

static void symlink_basics(void)
{
    char buf[64];
    struct stat st;

    OK(symlink("some/where", "l"));
    st = stat_of("l");
    CHECK(S_ISLNK(st.st_mode));
    SAME(st.st_size, 10);
    SAME(readlink("l", buf, sizeof buf), 10);
    CHECK(memcmp(buf, "some/where", 10) == 0);
    SAME(readlink("l", buf, 4), 4);
    FAILS(symlink("x", "l"), EEXIST);
    FAILS(symlink("", "m"), ENOENT);
    make_file("f", "");
    FAILS(readlink("f", buf, sizeof buf), EINVAL);
    FAILS(symlink("x", "f/m"), ENOTDIR);
}

static void symlink_longest(void)
{
    char target[PATH_MAX + 2], got[PATH_MAX + 2];

    memset(target, 'x', sizeof target);
    target[PATH_MAX - 1] = '\0';
    OK(symlink(target, "longest"));
    SAME(readlink("longest", got, sizeof got), PATH_MAX - 1);
    CHECK(memcmp(target, got, PATH_MAX - 1) == 0);
    target[PATH_MAX - 1] = 'x';
    target[PATH_MAX] = '\0';
    FAILS(symlink(target, "too-long"), ENAMETOOLONG);
}

static void symlink_to_directory(void)
{
    OK(mkdir("d", 0755));
    OK(symlink("d", "l"));
    make_file("l/f", "in d");
    check_content("d/f", "in d");
    FAILS(rmdir("l"), ENOTDIR);
    OK(unlink("l"));
    check_content("d/f", "in d");
}

static void symlink_owner_and_times(void)
{
    struct timespec t[2] = {{5, 6}, {7, 8}};
    struct stat st;

    make_file("f", "");
    OK(symlink("f", "l"));
    OK(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
    st = stat_of("l");
    SAME(st.st_mtim.tv_sec, 7);
    SAME(st.st_mtim.tv_nsec, 8);
    CHECK(stat_of("f").st_mtim.tv_sec != 7);
    need_root();
    OK(lchown("l", 12, 34));
    SAME(stat_of("l").st_uid, 12);
    SAME(stat_of("f").st_uid, 0);
}

static void hard_links(void)
{
    struct stat a, b;

    make_file("a", "one");
    OK(link("a", "b"));
    a = stat_of("a");
    b = stat_of("b");
    SAME(a.st_ino, b.st_ino);
    SAME(b.st_nlink, 2);
    make_file("b", "two");
    check_content("a", "two");
    OK(unlink("a"));
    SAME(stat_of("b").st_nlink, 1);
    check_content("b", "two");
}

static void hard_link_refusals(void)
{
    make_file("a", "");
    make_file("b", "");
    OK(mkdir("d", 0755));
    FAILS(link("a", "b"), EEXIST);
    FAILS(link("a", "d"), EEXIST);
    FAILS(link("none", "c"), ENOENT);
    FAILS(link("d", "e"), EPERM);
    FAILS(link("a", "none/c"), ENOENT);
    FAILS(link("a", "b/c"), ENOTDIR);
    FAILS(link("a", "/dev/c"), EXDEV);
}

static void hard_link_to_symlink(void)
{
    OK(symlink("nowhere", "l"));
    OK(linkat(AT_FDCWD, "l", AT_FDCWD, "m", 0));
    CHECK(S_ISLNK(stat_of("m").st_mode));
    SAME(stat_of("m").st_nlink, 2);
}

static void many_links(void)
{
    char name[32];

    make_file("f", "x");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "l%d", i);
        OK(link("f", name));
    }
    SAME(stat_of("f").st_nlink, 1001);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "l%d", i);
        OK(unlink(name));
    }
    SAME(stat_of("f").st_nlink, 1);
}

static void link_changes_ctime(void)
{
    struct stat before, after;

    make_file("f", "");
    before = stat_of("f");
    do
        OK(utimensat(AT_FDCWD, ".", NULL, 0));
    while (stat_of(".").st_mtim.tv_nsec == before.st_ctim.tv_nsec);
    OK(link("f", "g"));
    after = stat_of("f");
    CHECK(after.st_ctim.tv_sec != before.st_ctim.tv_sec ||
          after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
    SAME(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

static void unlinked_but_open(void)
{
    char buf[8] = {0};
    struct stat st;
    int fd;

    make_file("f", "old");
    fd = OPEN("f", O_RDWR);
    OK(unlink("f"));
    CHECK(!exists("f"));
    OK(fstat(fd, &st));
    SAME(st.st_nlink, 0);
    make_file("f", "new");
    SAME(pwrite(fd, "OLDER", 5, 0), 5);
    OK(fsync(fd));
    SAME(pread(fd, buf, sizeof buf, 0), 5);
    CHECK(memcmp(buf, "OLDER", 5) == 0);
    OK(ftruncate(fd, 2));
    OK(fchmod(fd, 0600));
    OK(fstat(fd, &st));
    SAME(st.st_size, 2);
    close(fd);
    check_content("f", "new");
}

static void replaced_but_open(void)
{
    char buf[8];
    int fd;

    make_file("f", "old");
    make_file("g", "new");
    fd = OPEN("f", O_RDONLY);
    OK(rename("g", "f"));
    SAME(read(fd, buf, sizeof buf), 3);
    CHECK(memcmp(buf, "old", 3) == 0);
    close(fd);
    check_content("f", "new");
}

static const struct test_case cases[] = {
    {"symbolic links", symlink_basics},
    {"longest symbolic link", symlink_longest},
    {"symbolic link to a directory", symlink_to_directory},
    {"owner and times of a symbolic link", symlink_owner_and_times},
    {"hard links", hard_links},
    {"hard link refusals", hard_link_refusals},
    {"hard link to a symbolic link", hard_link_to_symlink},
    {"a thousand hard links", many_links},
    {"link changes ctime only", link_changes_ctime},
    {"unlinked but open", unlinked_but_open},
    {"replaced but open", replaced_but_open},
};
TOPIC(links, "links", cases);
