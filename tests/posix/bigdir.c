/* SPDX-License-Identifier: MIT
 *
 * bigdir.c: a directory of ten thousand entries, read while it changes.
 *
 * What POSIX promises: an entry that is there from the opendir (or rewinddir) on to the end of the
 * reading is returned exactly once; one that is added or removed meanwhile may be returned or not,
 * and never twice.
 */
#include "harness.h"

#include <dirent.h>

enum { ENTRIES = 10000, EXTRA = 2000 };

static void name_of(char *name, int i)
{
    snprintf(name, 32, "entry-%06d", i);
}

static void fill_directory(void)
{
    char name[32];

    for (int i = 0; i < ENTRIES; i++) {
        name_of(name, i);
        close(open_ok(name, O_CREAT | O_WRONLY | O_EXCL, 0644));
    }
}

static void count(unsigned *seen, const char *name)
{
    char *end;
    long i;

    if (name[0] == '.')
        return;
    CHECK(strncmp(name, "entry-", 6) == 0);
    i = strtol(name + 6, &end, 10);
    CHECK(*end == '\0' && i >= 0 && i < ENTRIES + EXTRA);
    seen[i]++;
}

static void complete(void)
{
    unsigned *seen = calloc(ENTRIES + EXTRA, sizeof *seen);
    struct dirent *e;
    DIR *dir;

    CHECK(seen);
    fill_directory();
    dir = opendir(".");
    CHECK(dir);
    while ((e = readdir(dir)))
        count(seen, e->d_name);
    for (int i = 0; i < ENTRIES; i++)
        SAME(seen[i], 1);
    closedir(dir);
    free(seen);
}

static void change_while_reading(void)
{
    unsigned *seen = calloc(ENTRIES + EXTRA, sizeof *seen);
    struct dirent *e;
    char name[32];
    DIR *dir;
    int step = 0;

    CHECK(seen);
    fill_directory();
    dir = opendir(".");
    CHECK(dir);
    while ((e = readdir(dir))) {
        count(seen, e->d_name);
        if (step >= EXTRA)
            continue;
        name_of(name, ENTRIES + step); /* one comes, one of the first half goes */
        close(open_ok(name, O_CREAT | O_WRONLY | O_EXCL, 0644));
        name_of(name, step);
        OK(unlink(name));
        step++;
    }
    for (int i = EXTRA; i < ENTRIES; i++)
        SAME(seen[i], 1);
    for (int i = 0; i < ENTRIES + EXTRA; i++)
        CHECK(seen[i] <= 1);
    closedir(dir);
    free(seen);
}

static void seek_and_tell(void)
{
    enum { MARKS = 100 };
    struct {
        long at;
        char next[32];
    } marks[MARKS];
    struct dirent *e;
    char name[32];
    DIR *dir;
    int n = 0;

    fill_directory();
    dir = opendir(".");
    CHECK(dir);
    for (int i = 0; n < MARKS; i++) {
        long at = telldir(dir);

        e = readdir(dir);
        CHECK(e);
        if (i % 97 == 5) {
            marks[n].at = at;
            snprintf(marks[n++].next, sizeof marks[0].next, "%.31s", e->d_name);
        }
    }
    for (int i = 0; i < 300; i++) { /* positions outlive changes elsewhere */
        name_of(name, ENTRIES + i);
        close(open_ok(name, O_CREAT | O_WRONLY, 0644));
    }
    char first_new[32];
    name_of(first_new, ENTRIES);
    for (int i = MARKS - 1; i >= 0; i--) {
        seekdir(dir, marks[i].at);
        e = readdir(dir);
        CHECK(e);
        if (strcmp(e->d_name, first_new) < 0 && strcmp(e->d_name, marks[i].next) != 0)
            check_failed(__FILE__, __LINE__, "after seekdir: %s, should be %s", e->d_name,
                         marks[i].next);
    }
    closedir(dir);
}

static void remove_while_reading(void)
{
    struct dirent *e;
    int removed = 0;
    DIR *dir;

    fill_directory();
    dir = opendir(".");
    CHECK(dir);
    while ((e = readdir(dir)))
        if (e->d_name[0] != '.') {
            OK(unlink(e->d_name));
            removed++;
        }
    SAME(removed, ENTRIES);
    closedir(dir);
    OK(chdir(".."));
}

static const struct test_case cases[] = {
    {"every entry once", complete},
    {"entries come and go while it is read", change_while_reading},
    {"seekdir and telldir", seek_and_tell},
    {"removed while it is read", remove_while_reading},
};
TOPIC(bigdir, "bigdir", cases);
