/* SPDX-License-Identifier: MIT
 *
 * dirs.c: mkdir, rmdir, reading a directory, link counts, deep trees.
 */
#include "harness.h"

#include <dirent.h>

static void make_and_remove(void)
{
    struct stat st;

    OK(mkdir("d", 0750));
    st = stat_of("d");
    SAME(st.st_mode, S_IFDIR | 0750);
    SAME(st.st_nlink, 2);
    FAILS(mkdir("d", 0755), EEXIST);
    OK(rmdir("d"));
    FAILS(rmdir("d"), ENOENT);
}

static void link_counts(void)
{
    OK(mkdir("d", 0755));
    OK(mkdir("d/a", 0755));
    OK(mkdir("d/b", 0755));
    make_file("d/f", "");
    SAME(stat_of("d").st_nlink, 4);
    OK(rmdir("d/a"));
    SAME(stat_of("d").st_nlink, 3);
    OK(rename("d/b", "b"));
    SAME(stat_of("d").st_nlink, 2);
}

static void refusals(void)
{
    OK(mkdir("d", 0755));
    make_file("d/f", "x");
    make_file("f", "x");
    FAILS(rmdir("d"), ENOTEMPTY);
    FAILS(rmdir("f"), ENOTDIR);
    FAILS(rmdir("d/."), EINVAL);
    FAILS(rmdir("d/.."), ENOTEMPTY);
    FAILS(unlink("d"), EISDIR);
    FAILS(mkdir("f/d", 0755), ENOTDIR);
    FAILS(mkdir("none/d", 0755), ENOENT);
    FAILS(mkdir("f", 0755), EEXIST);
    OK(symlink("nowhere", "l"));
    FAILS(mkdir("l", 0755), EEXIST);
    FAILS(rmdir("l"), ENOTDIR);
}

static void dot_entries(void)
{
    bool dot = false, dots = false;
    ino_t self, above;
    struct dirent *e;
    DIR *dir;

    OK(mkdir("d", 0755));
    self = stat_of("d").st_ino;
    above = stat_of(".").st_ino;
    dir = opendir("d");
    CHECK(dir);
    while ((e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0) {
            dot = true;
            SAME(e->d_ino, self);
        } else if (strcmp(e->d_name, "..") == 0) {
            dots = true;
            SAME(e->d_ino, above);
        } else {
            check_failed(__FILE__, __LINE__, "unexpected entry %s", e->d_name);
        }
    }
    CHECK(dot && dots);
    closedir(dir);
}

static void entry_types(void)
{
    struct dirent *e;
    unsigned seen = 0;
    DIR *dir;

    make_file("f", "");
    OK(mkdir("d", 0755));
    OK(symlink("f", "l"));
    OK(mkfifo("p", 0644));
    dir = opendir(".");
    CHECK(dir);
    while ((e = readdir(dir))) {
        if (e->d_name[0] == '.')
            continue;
        seen++;
        SAME(e->d_ino, stat_of(e->d_name).st_ino);
        if (e->d_type != DT_UNKNOWN)
            SAME(DTTOIF(e->d_type), stat_of(e->d_name).st_mode & S_IFMT);
    }
    SAME(seen, 4);
    closedir(dir);
}

static unsigned count_entries(DIR *dir)
{
    unsigned n = 0;

    while (readdir(dir))
        n++;
    return n;
}

static void rewind_sees_changes(void)
{
    DIR *dir = opendir(".");

    CHECK(dir);
    SAME(count_entries(dir), 2);
    make_file("a", "");
    make_file("b", "");
    rewinddir(dir);
    SAME(count_entries(dir), 4);
    OK(unlink("a"));
    rewinddir(dir);
    SAME(count_entries(dir), 3);
    closedir(dir);
}

static void removed_but_open(void)
{
    struct stat st;
    DIR *dir;

    OK(mkdir("d", 0755));
    dir = opendir("d");
    CHECK(dir);
    OK(rmdir("d"));
    OK(fstat(dirfd(dir), &st));
    SAME(st.st_nlink, 0);
    CHECK(count_entries(dir) <= 2);
    closedir(dir);
    OK(mkdir("d", 0755));
}

static void times_of_parent(void)
{
    struct timespec old[2] = {{1000, 0}, {1000, 0}};
    struct stat st;

    OK(mkdir("d", 0755));
    OK(utimensat(AT_FDCWD, "d", old, 0));
    make_file("d/f", "");
    st = stat_of("d");
    CHECK(st.st_mtime > 1000);
    SAME(st.st_mtim.tv_nsec, st.st_ctim.tv_nsec);
    OK(utimensat(AT_FDCWD, "d", old, 0));
    OK(unlink("d/f"));
    CHECK(stat_of("d").st_mtime > 1000);
}

static void deep_tree(void)
{
    enum { DEPTH = 500 };
    struct stat top = stat_of("."), st;

    for (int i = 0; i < DEPTH; i++) {
        OK(mkdir("deeper", 0755));
        OK(chdir("deeper"));
    }
    make_file("bottom", "here");
    check_content("bottom", "here");
    OK(unlink("bottom"));
    for (int i = 0; i < DEPTH; i++) {
        OK(chdir(".."));
        OK(rmdir("deeper"));
    }
    st = stat_of(".");
    SAME(st.st_ino, top.st_ino);
}

static void awkward_names(void)
{
    static const char *const names[] = {" ",        "\n",       "\\", "a b", "...", "-",   "*",
                                        "\xff\xfe", "\xc3\xa4", "A",  "a",   "~",   "\x01"};
    const size_t count = sizeof names / sizeof names[0];
    DIR *dir;

    for (size_t i = 0; i < count; i++)
        make_file(names[i], names[i]);
    for (size_t i = 0; i < count; i++)
        check_content(names[i], names[i]);
    dir = opendir(".");
    CHECK(dir);
    SAME(count_entries(dir), count + 2);
    closedir(dir);
}

static const struct test_case cases[] = {
    {"make and remove", make_and_remove},
    {"link counts", link_counts},
    {"refusals", refusals},
    {"dot and dot-dot", dot_entries},
    {"entry types and inode numbers", entry_types},
    {"rewinddir sees changes", rewind_sees_changes},
    {"removed but open", removed_but_open},
    {"times of the parent", times_of_parent},
    {"500 levels deep", deep_tree},
    {"awkward names", awkward_names},
};
TOPIC(dirs, "dirs", cases);
