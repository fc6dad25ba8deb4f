/* SPDX-License-Identifier: MIT
 *
 * directory.c: what a directory holds at one moment.
 *
 * A listing takes several calls, and a name that is made or moved meanwhile may be told or not, or
 * told twice (POSIX, readdir): it is no single moment. So it is collected twice; when both are the
 * same, that is what the directory held between them (Afek et al. 1993, 3: the double collect).
 * An entry that went away and came back between the two, to the same place and inode, is not
 * noticed: the two collects follow each other directly, which makes that rare.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/client.h"

#define TRIES 200

struct dirent64 {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static void add_name(struct names *names, const char *name, uint64_t inode)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, inode);
    text_add_bytes(&names->text, name, strlen(name) + 1);
    text_add_bytes(&names->text, text, strlen(text) + 1);
    names->count++;
}

static bool collect(int dir, const char *name, struct names *names)
{
    static char buf[1 << 18];
    long n;
    text_clear(&names->text);
    names->count = 0;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0)
        for (long at = 0; at < n;) {
            struct dirent64 entry;
            memcpy(&entry, buf + at, sizeof entry);
            const char *text = buf + at + offsetof(struct dirent64, name);
            if (strcmp(text, ".") != 0 && strcmp(text, "..") != 0)
                add_name(names, text, entry.inode);
            at += entry.length;
        }
    int number = errno;
    close(fd);
    errno = number;
    return n == 0;
}

static bool same(const struct names *a, const struct names *b)
{
    return a->text.len == b->text.len &&
           (a->text.len == 0 || memcmp(a->text.data, b->text.data, a->text.len) == 0);
}

bool read_names(int dir, const char *name, struct names *names)
{
    struct names before = {{0}, 0};
    bool good = collect(dir, name, names), agreed = false;
    for (int i = 0; good && !agreed && i < TRIES; i++) {
        struct names swap = before;
        before = *names;
        *names = swap;
        good = collect(dir, name, names);
        agreed = good && same(&before, names);
    }
    int number = good && !agreed ? EAGAIN : errno;
    text_free(&before.text);
    errno = number;
    return good && agreed;
}
