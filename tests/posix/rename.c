/* SPDX-License-Identifier: MIT
 *
 * rename.c: rename in all its forms and refusals.
 */
#include "harness.h"

#include <linux/fs.h>

static int rename_flags(const char *from, const char *to, unsigned flags)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void plain(void)
{
    struct stat before;

    make_file("a", "one");
    before = stat_of("a");
    OK(mkdir("d", 0755));
    OK(rename("a", "b"));
    CHECK(!exists("a"));
    OK(rename("b", "d/c"));
    check_content("d/c", "one");
    SAME(stat_of("d/c").st_ino, before.st_ino);
    SAME(stat_of("d/c").st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

static void replaces(void)
{
    make_file("a", "one");
    make_file("b", "two");
    OK(link("b", "c"));
    OK(rename("a", "b"));
    check_content("b", "one");
    check_content("c", "two");
    SAME(stat_of("c").st_nlink, 1);
}

static void same_inode(void)
{
    make_file("a", "one");
    OK(link("a", "b"));
    OK(rename("a", "b")); /* two names of one file: nothing happens */
    CHECK(exists("a") && exists("b"));
    OK(rename("a", "a"));
    CHECK(exists("a"));
}

static void directories(void)
{
    OK(mkdir("a", 0755));
    make_file("a/f", "x");
    OK(mkdir("b", 0755));
    OK(rename("a", "b"));
    check_content("b/f", "x");
    OK(mkdir("c", 0755));
    FAILS(rename("c", "b"), ENOTEMPTY);
    OK(mkdir("b/e", 0755));
    OK(rename("b/e", "e"));
    SAME(stat_of("b").st_nlink, 2);
}

static void parent_of_a_moved_directory(void)
{
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    OK(mkdir("a/d", 0755));
    OK(rename("a/d", "b/d"));
    SAME(stat_of("b/d/..").st_ino, stat_of("b").st_ino);
    SAME(stat_of("a").st_nlink, 2);
    SAME(stat_of("b").st_nlink, 3);
}

static void type_mismatch(void)
{
    make_file("f", "");
    OK(mkdir("d", 0755));
    FAILS(rename("f", "d"), EISDIR);
    FAILS(rename("d", "f"), ENOTDIR);
    FAILS(rename("none", "x"), ENOENT);
    FAILS(rename("f", "none/x"), ENOENT);
    FAILS(rename("f", "f/x"), ENOTDIR);
    FAILS(rename("f", ""), ENOENT);
}

static void into_itself(void)
{
    OK(mkdir("d", 0755));
    OK(mkdir("d/e", 0755));
    FAILS(rename("d", "d/x"), EINVAL);
    FAILS(rename("d", "d/e/x"), EINVAL);
    FAILS(rename("d/e", "d"), ENOTEMPTY);
    FAILS(rename("d", "."), EBUSY);
    FAILS(rename(".", "x"), EBUSY);
    FAILS(rename("d/e", "/proc/x"), EXDEV);
}

static void no_replace(void)
{
    make_file("a", "one");
    make_file("b", "two");
    FAILS(rename_flags("a", "b", RENAME_NOREPLACE), EEXIST);
    check_content("b", "two");
    OK(rename_flags("a", "c", RENAME_NOREPLACE));
    check_content("c", "one");
    OK(symlink("nowhere", "l"));
    FAILS(rename_flags("c", "l", RENAME_NOREPLACE), EEXIST);
}

static void exchange_files(void)
{
    ino_t a, b;

    make_file("a", "one");
    make_file("b", "two");
    a = stat_of("a").st_ino;
    b = stat_of("b").st_ino;
    OK(rename_flags("a", "b", RENAME_EXCHANGE));
    check_content("a", "two");
    check_content("b", "one");
    SAME(stat_of("a").st_ino, b);
    SAME(stat_of("b").st_ino, a);
    FAILS(rename_flags("a", "none", RENAME_EXCHANGE), ENOENT);
    FAILS(rename_flags("a", "b", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
}

static void exchange_file_and_directory(void)
{
    OK(mkdir("p", 0755));
    OK(mkdir("q", 0755));
    make_file("p/f", "file");
    OK(mkdir("q/d", 0755));
    make_file("q/d/g", "inside");
    OK(rename_flags("p/f", "q/d", RENAME_EXCHANGE));
    check_content("q/d", "file");
    check_content("p/f/g", "inside");
    SAME(stat_of("p").st_nlink, 3);
    SAME(stat_of("q").st_nlink, 2);
    SAME(stat_of("p/f/..").st_ino, stat_of("p").st_ino);
    FAILS(rename_flags("p", "p/f", RENAME_EXCHANGE), EINVAL);
}

static void replace_while_read(void *arg)
{
    const struct link_pair *l = arg;
    char name[16], buf[16];

    signal_parent(l);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "tmp%d", i);
        snprintf(buf, sizeof buf, "version %06d", i);
        make_file(name, buf);
        OK(rename(name, "f"));
    }
}

/* Whoever opens a name that is replaced all the time finds one whole version or another. */
static void atomic_for_readers(void)
{
    struct link_pair l = link_pair();
    char buf[32];
    pid_t child;

    make_file("f", "version 000000");
    child = spawn(replace_while_read, &l);
    await_child(&l);
    for (int i = 0; i < 2000; i++) {
        int fd = OPEN("f", O_RDONLY);

        SAME(read(fd, buf, sizeof buf), 14);
        CHECK(memcmp(buf, "version ", 8) == 0);
        close(fd);
    }
    wait_ok(child);
    check_content("f", "version 000499");
}

static void longest_names(void)
{
    char a[256], b[257];

    memset(a, 'a', 255);
    a[255] = '\0';
    memset(b, 'b', 256);
    b[256] = '\0';
    make_file("f", "x");
    FAILS(rename("f", b), ENAMETOOLONG);
    OK(rename("f", a));
    check_content(a, "x");
}

static const struct test_case cases[] = {
    {"plain", plain},
    {"replaces", replaces},
    {"two names of one file", same_inode},
    {"directories", directories},
    {"the parent of a moved directory", parent_of_a_moved_directory},
    {"types that do not go together", type_mismatch},
    {"into itself, and elsewhere", into_itself},
    {"RENAME_NOREPLACE", no_replace},
    {"RENAME_EXCHANGE of files", exchange_files},
    {"RENAME_EXCHANGE of file and directory", exchange_file_and_directory},
    {"atomic for readers", atomic_for_readers},
    {"longest names", longest_names},
};
TOPIC(rename, "rename", cases);
