/* SPDX-License-Identifier: MIT
 *
 * limits.c: the lengths of names and paths, and identities that must not repeat.
 */
#include "harness.h"

#include <limits.h>

static void longest_name(void)
{
    char name[258];

    memset(name, 'n', sizeof name);
    name[255] = '\0';
    make_file(name, "x");
    check_content(name, "x");
    OK(unlink(name));
    OK(mkdir(name, 0755));
    OK(rmdir(name));
    OK(symlink(name, "l"));
    name[255] = 'n';
    name[256] = '\0';
    FAILS(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
    FAILS(open(name, O_RDONLY), ENAMETOOLONG);
    FAILS(mkdir(name, 0755), ENAMETOOLONG);
    FAILS(symlink("x", name), ENAMETOOLONG);
    FAILS(link("l", name), ENAMETOOLONG);
    FAILS(unlink(name), ENAMETOOLONG);
    FAILS(mkfifo(name, 0600), ENAMETOOLONG);
}

static void longest_path(void)
{
    char path[PATH_MAX + 2];

    memset(path, '/', sizeof path);
    path[0] = '.';
    make_file("f", "x");
    path[PATH_MAX - 2] = 'f';
    path[PATH_MAX - 1] = '\0';
    check_content(path, "x");
    path[PATH_MAX - 2] = '/';
    path[PATH_MAX - 1] = 'f';
    path[PATH_MAX] = '\0';
    FAILS(open(path, O_RDONLY), ENAMETOOLONG);
}

static void deep_path(void)
{
    char path[PATH_MAX] = "";
    size_t len = 0;

    while (len + 201 < sizeof path - 1) {
        memset(path + len, 'd', 200);
        path[len + 200] = '\0';
        OK(mkdir(path, 0755));
        len += 200;
        path[len++] = '/';
    }
    path[len++] = 'f';
    path[len] = '\0';
    make_file(path, "deep");
    check_content(path, "deep");
}

static void inode_numbers(void)
{
    enum { FILES = 500 };
    ino_t seen[FILES];
    char name[16];

    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        make_file(name, "");
        seen[i] = stat_of(name).st_ino;
        CHECK(seen[i] != 0);
        for (int j = 0; j < i; j++)
            CHECK(seen[j] != seen[i]);
    }
}

static void every_byte_in_a_name(void)
{
    char name[3] = "x?";

    for (int c = 1; c < 256; c++) {
        if (c == '/')
            continue;
        name[1] = (char)c;
        make_file(name, "");
    }
    for (int c = 1; c < 256; c++) {
        if (c == '/')
            continue;
        name[1] = (char)c;
        OK(unlink(name));
    }
}

static const struct test_case cases[] = {
    {"255 bytes of name", longest_name},
    {"4095 bytes of path", longest_path},
    {"a deep path", deep_path},
    {"inode numbers differ", inode_numbers},
    {"every byte in a name", every_byte_in_a_name},
};
TOPIC(limits, "limits", cases);
