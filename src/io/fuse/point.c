/* SPDX-License-Identifier: MIT
 *
 * point.c: the directory to mount on: what can be wrong with it, what is mounted there, and
 * unmounting.
 *
 * Whether something is mounted is read from the kernel's table, never by looking into the
 * directory: a dead or slow file system there could keep us waiting.
 */
#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#undef BLOCK_SIZE /* ours is meant */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fuse/private.h"

extern char **environ;

/* Undoes the octal escapes of /proc/self/mountinfo in place. */
static void unescape(char *text)
{
    char *out = text;
    for (char *in = text; *in; out++) {
        if (in[0] == '\\' && in[1] && in[2] && in[3]) {
            *out = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = 0;
}

/* One line: "36 35 0:47 / /mnt rw - ..."; true when it is about `dir`. */
static bool parse_mount(char *line, const char *dir, uint32_t *major, uint32_t *minor)
{
    char *fields[5], *rest = line, *colon;
    for (size_t i = 0; i < 5; i++)
        if (!(fields[i] = strsep(&rest, " ")))
            return false;
    unescape(fields[4]);
    if (strcmp(fields[4], dir) != 0)
        return false;
    *major = (uint32_t)strtoul(fields[2], &colon, 10);
    if (*colon != ':')
        return false;
    *minor = (uint32_t)strtoul(colon + 1, NULL, 10);
    return true;
}

/* The last mount on `dir`, a path without links. */
bool point_device(const char *dir, uint32_t *major, uint32_t *minor)
{
    FILE *table = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    if (!table)
        return false;
    while (getline(&line, &room, table) >= 0)
        if (parse_mount(line, dir, major, minor))
            found = true;
    free(line);
    fclose(table);
    return found;
}

/* Where `dir` is without links; works on stale mounts, whose root no daemon is asked for. NULL and
 * errno. */
static char *resolve(const char *dir)
{
    return realpath(dir, NULL);
}

bool mount_is_point(const char *dir)
{
    uint32_t major, minor;
    char *path = resolve(dir);
    bool is = path && point_device(path, &major, &minor);
    free(path);
    return is;
}

/* --- unmounting --- */

static int run_fusermount(const char *dir, bool lazy)
{
    char *plain[] = {"fusermount3", "-u", "-q", "--", (char *)(uintptr_t)dir, NULL};
    char *detach[] = {"fusermount3", "-u", "-q", "-z", "--", (char *)(uintptr_t)dir, NULL};
    pid_t pid;
    int status = 0,
        error = posix_spawnp(&pid, "fusermount3", NULL, NULL, lazy ? detach : plain, environ);
    if (error)
        return error;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EBUSY;
}

int point_unmount(const char *dir, bool lazy)
{
    /* By force: whoever waits for an answer gets an error before the mount is detached. */
    if (umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH | MNT_FORCE : 0)) == 0)
        return 0;
    return errno == EPERM ? run_fusermount(dir, lazy) : errno;
}

static bool is_stale(const char *dir)
{
    struct statx st;
    /* Forced: the kernel would answer for a dead process from its cache. */
    return statx(AT_FDCWD, dir, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st) < 0 &&
           (errno == ENOTCONN || errno == ECONNABORTED ||
            errno == ECONNREFUSED /* it died before it had said hello to the kernel */);
}

enum err mount_clear_stale(const char *dir)
{
    enum err err = OK;
    if (!is_stale(dir))
        return OK;
    char *path = resolve(dir);
    int error = point_unmount(path ? path : dir, true);
    if (error)
        err = error == EPERM || error == EACCES ? ERR_ACCES : ERR_MOUNT;
    free(path);
    return err;
}

/* --- what can be wrong --- */

static enum err complain(struct store_error *error, enum err err, const char *format,
                         const char *dir)
{
    int length = snprintf(error->text, sizeof error->text, "%s: ", dir);
    if (length > 0 && (size_t)length < sizeof error->text)
        snprintf(error->text + length, sizeof error->text - (size_t)length, "%s", format);
    return err;
}

static bool is_empty(const char *dir, int *problem)
{
    DIR *open = opendir(dir);
    struct dirent *entry;
    bool empty = true;
    *problem = 0;
    if (!open) {
        *problem = errno;
        return false;
    }
    while (empty && (entry = readdir(open)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(open);
    return empty;
}

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : "/usr/bin:/bin"), *rest = copy, *dir;
    bool found = false;
    while (copy && !found && (dir = strsep(&rest, ":"))) {
        char full[4096];
        snprintf(full, sizeof full, "%s/%s", dir, program);
        found = access(full, X_OK) == 0;
    }
    free(copy);
    return found;
}

static enum err check_fuse(const char *dir, struct store_error *error)
{
    if (access("/dev/fuse", F_OK) < 0)
        return complain(
            error, ERR_NOTSUP,
            "cannot mount: this kernel has no /dev/fuse. Load the module (modprobe fuse), or "
            "in a container start it with --device /dev/fuse --cap-add SYS_ADMIN.",
            dir);
    if (geteuid() == 0)
        return OK;
    if (!in_path("fusermount3"))
        return complain(
            error, ERR_ACCES,
            "cannot mount: only root may, or others with the help of fusermount3, which is not "
            "installed. Install the package fuse3, or run this as root.",
            dir);
    if (access("/dev/fuse", R_OK | W_OK) < 0)
        return complain(error, ERR_ACCES,
                        "cannot mount: you may not open /dev/fuse. As root: chmod 666 /dev/fuse.",
                        dir);
    if (access(dir, W_OK) < 0)
        return complain(error, ERR_ACCES, "cannot mount: you may not write to this directory.",
                        dir);
    return OK;
}

enum err point_check(const char *dir, struct store_error *error)
{
    struct stat st;
    int problem;
    if (mount_clear_stale(dir) != OK)
        return complain(
            error, ERR_ACCES,
            "a dead file system is still mounted here, and it is not yours to unmount. As "
            "root: umount -l on this directory.",
            dir);
    if (stat(dir, &st) < 0)
        return errno == ENOENT
                   ? complain(error, ERR_NOENT,
                              "there is no such directory to mount on. Make it with mkdir -p.", dir)
                   : complain(error, ERR_ACCES, strerror(errno), dir);
    if (!S_ISDIR(st.st_mode))
        return complain(error, ERR_NOTDIR,
                        "is not a directory; a volume is mounted on an empty directory.", dir);
    if (mount_is_point(dir))
        return complain(
            error, ERR_BUSY,
            "something is mounted here already. Unmount it, or choose another directory.", dir);
    if (!is_empty(dir, &problem))
        return problem ? complain(error, ERR_ACCES, strerror(problem), dir)
                       : complain(error, ERR_NOTEMPTY,
                                  "is not empty; mounting would hide what is in it. Choose an "
                                  "empty directory.",
                                  dir);
    return check_fuse(dir, error);
}
