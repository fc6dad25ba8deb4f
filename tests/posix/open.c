/* SPDX-License-Identifier: MIT
 *
 * open.c: open(2) and its flags, create, truncate, O_TMPFILE.
 */
#include "harness.h"

#include <sys/syscall.h>

static void create_new(void)
{
    int fd = open_ok("f", O_CREAT | O_EXCL | O_RDWR, 0640);
    struct stat st = stat_of("f");

    SAME(st.st_mode, S_IFREG | 0640);
    SAME(st.st_size, 0);
    SAME(st.st_nlink, 1);
    SAME(st.st_uid, geteuid());
    FAILS(open("f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    close(fd);
}

static void exclusive_does_not_follow(void)
{
    OK(symlink("nowhere", "l"));
    FAILS(open("l", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    CHECK(!exists("nowhere"));
}

static void create_through_dangling_link(void)
{
    OK(symlink("target", "l"));
    close(open_ok("l", O_CREAT | O_RDWR, 0600));
    CHECK(S_ISREG(stat_of("target").st_mode));
}

static void umask_applies(void)
{
    umask(027);
    close(open_ok("f", O_CREAT | O_RDWR, 0666));
    OK(mkdir("d", 0777));
    SAME(stat_of("f").st_mode & 07777, 0640);
    SAME(stat_of("d").st_mode & 07777, 0750);
}

static void read_only_mode_creation(void)
{
    int fd = open_ok("f", O_CREAT | O_WRONLY, 0000);

    SAME(write(fd, "abc", 3), 3);
    close(fd);
    SAME(stat_of("f").st_size, 3);
}

static void truncate_on_open(void)
{
    struct stat before, after;

    make_file("f", "hello");
    before = stat_of("f");
    close(OPEN("f", O_WRONLY | O_TRUNC));
    after = stat_of("f");
    SAME(after.st_size, 0);
    SAME(after.st_blocks, 0);
    SAME(before.st_ino, after.st_ino);
}

static void wrong_types(void)
{
    make_file("f", "x");
    OK(mkdir("d", 0755));
    OK(symlink("f", "l"));
    OK(symlink("loop", "loop"));
    FAILS(open("d", O_RDWR), EISDIR);
    FAILS(open("d", O_WRONLY), EISDIR);
    FAILS(open("d", O_CREAT | O_RDWR, 0600), EISDIR);
    FAILS(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("f/x", O_RDONLY), ENOTDIR);
    FAILS(open("none", O_RDONLY), ENOENT);
    FAILS(open("", O_RDONLY), ENOENT);
    FAILS(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    FAILS(open("loop", O_RDONLY), ELOOP);
    FAILS(open("none/x", O_CREAT | O_RDWR, 0600), ENOENT);
}

static void access_modes(void)
{
    char c;
    int fd;

    make_file("f", "x");
    fd = OPEN("f", O_RDONLY);
    FAILS(write(fd, "y", 1), EBADF);
    FAILS(ftruncate(fd, 0), EINVAL);
    close(fd);
    fd = OPEN("f", O_WRONLY);
    FAILS(read(fd, &c, 1), EBADF);
    close(fd);
    fd = OPEN("f", O_PATH);
    FAILS(read(fd, &c, 1), EBADF);
    close(fd);
}

static void sync_flags(void)
{
    int fd = open_ok("f", O_CREAT | O_RDWR | O_SYNC, 0600);

    write_all(fd, "abc", 3);
    close(fd);
    fd = OPEN("f", O_WRONLY | O_DSYNC | O_APPEND);
    write_all(fd, "def", 3);
    OK(fsync(fd));
    OK(fdatasync(fd));
    close(fd);
    check_content("f", "abcdef");
}

static void sync_of_directory(void)
{
    int fd = OPEN(".", O_RDONLY | O_DIRECTORY);

    make_file("f", "x");
    OK(fsync(fd));
    OK(fdatasync(fd));
    close(fd);
}

static int open_tmpfile(const char *dir, int flags)
{
    int fd = open(dir, O_TMPFILE | flags | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOSYS))
        skip_case("the kernel or the file system has no O_TMPFILE here");
    OK(fd);
    return fd;
}

static void tmpfile_linked(void)
{
    char path[64];
    struct stat st;
    int fd = open_tmpfile(".", O_RDWR);

    write_all(fd, "secret", 6);
    OK(fstat(fd, &st));
    SAME(st.st_nlink, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    check_content("named", "secret");
    SAME(stat_of("named").st_nlink, 1);
    SAME(stat_of("named").st_ino, st.st_ino);
    close(fd);
    check_content("named", "secret");
}

static void tmpfile_exclusive(void)
{
    char path[64];
    int fd = open_tmpfile(".", O_RDWR | O_EXCL);

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), ENOENT);
    close(fd);
}

static void creat_in_removed_directory(void)
{
    int dir, fd;

    OK(mkdir("d", 0755));
    dir = OPEN("d", O_RDONLY | O_DIRECTORY);
    OK(rmdir("d"));
    fd = openat(dir, "f", O_CREAT | O_RDWR, 0600);
    FAILS(fd, ENOENT);
    FAILS(mkdirat(dir, "g", 0700), ENOENT);
    FAILS(symlinkat("x", dir, "g"), ENOENT);
    close(dir);
}

static const struct test_case cases[] = {
    {"create new", create_new},
    {"O_EXCL does not follow links", exclusive_does_not_follow},
    {"create through a dangling link", create_through_dangling_link},
    {"umask", umask_applies},
    {"the descriptor writes whatever the mode", read_only_mode_creation},
    {"O_TRUNC", truncate_on_open},
    {"wrong types", wrong_types},
    {"access modes", access_modes},
    {"O_SYNC and O_DSYNC", sync_flags},
    {"fsync of a directory", sync_of_directory},
    {"O_TMPFILE and linkat", tmpfile_linked},
    {"O_TMPFILE with O_EXCL", tmpfile_exclusive},
    {"create in a removed directory", creat_in_removed_directory},
};
TOPIC(open, "open", cases);
