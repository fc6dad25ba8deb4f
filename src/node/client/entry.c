/* SPDX-License-Identifier: MIT
 *
 * entry.c: what a mount's process leaves in HOME/mounts for others to find it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/client/client_private.h"

#define LOG_MAX (4 << 20)

static enum err refuse(struct mounting *mounting, const char *what)
{
    int number = errno;
    snprintf(mounting->error.text, sizeof mounting->error.text, "cannot %s %.200s/mounts: %s.",
             what, mounting->options->home, strerror(number));
    return err_from_errno(number);
}

/* Standard output and error, also of libraries, go to the file. */
static int redirect(const struct entry *entry, int flags)
{
    char name[80];
    snprintf(name, sizeof name, "%s.log", entry->id);
    int fd = openat(entry->folder, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0600);
    if (fd < 0)
        return -1;
    int failed = dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0;
    close(fd);
    return failed ? -1 : 0;
}

enum err entry_open(struct mounting *mounting)
{
    struct entry *entry = &mounting->entry;
    char path[HOME_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/mounts", mounting->options->home);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return refuse(mounting, "make");
    entry->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (entry->folder < 0)
        return refuse(mounting, "open");
    snprintf(entry->id, sizeof entry->id, "%08x-%ld",
             (unsigned)checksum32(mounting->options->dir, strlen(mounting->options->dir)),
             (long)getpid());
    entry->background = mounting->options->background;
    if (entry->background && redirect(entry, O_EXCL) != 0)
        return refuse(mounting, "write a log in");
    return OK;
}

enum err entry_write(const struct mounting *mounting)
{
    const struct entry *entry = &mounting->entry;
    json_t *json = json_pack("{s:s, s:s, s:I}", "volume", mounting->volume, "dir",
                             mounting->options->dir, "pid", (json_int_t)getpid());
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    int fd = openat(entry->folder, entry->id, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = text && fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    enum err err = written ? OK : err_from_errno(errno);
    if (fd >= 0)
        close(fd);
    free(text);
    json_decref(json);
    return err;
}

/* The log begins anew when it has grown too long. */
void entry_rotate(const struct entry *entry)
{
    struct stat st;
    if (entry->background && fstat(STDERR_FILENO, &st) == 0 && st.st_size >= LOG_MAX)
        redirect(entry, O_TRUNC);
}

void entry_remove(struct entry *entry)
{
    char name[80];
    if (entry->folder < 0)
        return;
    unlinkat(entry->folder, entry->id, 0);
    snprintf(name, sizeof name, "%s.control", entry->id);
    unlinkat(entry->folder, name, 0);
    snprintf(name, sizeof name, "%s.log", entry->id);
    unlinkat(entry->folder, name, 0);
    close(entry->folder);
    entry->folder = -1;
}
