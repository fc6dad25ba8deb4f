/* SPDX-License-Identifier: MIT
 *
 * files.c: POSIX files and directories behind env.h.
 */
#include "io/uv/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/assert.h"

#define PIECES 64 /* handed to the kernel at once; below IOV_MAX everywhere */

struct env_file {
    int fd;
    bool writable;
};

static enum err failed(void)
{
    return err_from_errno(errno);
}

/* O_NOATIME is for owners only; O_NONBLOCK keeps a FIFO in our place from stopping us here. */
static int open_fd(const char *path, int flags)
{
    flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags | O_NOATIME, 0600);
    if (fd < 0 && errno == EPERM)
        fd = open(path, flags, 0600);
    return fd;
}

static enum err must_be_file(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return failed();
    if (S_ISDIR(st.st_mode))
        return ERR_ISDIR;
    return S_ISREG(st.st_mode) ? OK : ERR_INVAL;
}

enum err posix_file_open(struct env *env, const char *path, enum env_open how,
                         struct env_file **out)
{
    static const int flags[] = {
        [ENV_READ] = O_RDONLY,
        [ENV_WRITE] = O_RDWR,
        [ENV_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [ENV_CREATE_OR_OPEN] = O_RDWR | O_CREAT,
    };
    (void)env;
    INVARIANT((unsigned)how < sizeof flags / sizeof flags[0]);
    int fd = open_fd(path, flags[how]);
    if (fd < 0)
        return failed();
    enum err err = must_be_file(fd);
    struct env_file *file = err ? NULL : malloc(sizeof *file);
    if (!file) {
        close(fd);
        return err ? err : ERR_NOMEM;
    }
    *file = (struct env_file){.fd = fd, .writable = how != ENV_READ};
    *out = file;
    return OK;
}

int posix_file_fd(const struct env_file *file)
{
    return file->fd;
}

void posix_file_close(struct env_file *file)
{
    close(file->fd);
    free(file);
}

enum err posix_file_size(struct env_file *file, uint64_t *size)
{
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return failed();
    *size = (uint64_t)st.st_size;
    return OK;
}

enum err posix_file_read(struct env_file *file, uint64_t offset, void *buf, size_t len, size_t *got)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(file->fd, (char *)buf + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed();
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return OK;
}

enum err posix_file_read_now(struct env_file *file, uint64_t offset, void *buf, size_t len,
                             size_t *got)
{
    struct iovec iov = {buf, len};
    ssize_t n;
    do
        n = preadv2(file->fd, &iov, 1, (off_t)offset, RWF_NOWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0) /* a file system that cannot promise not to wait: ask again from a worker */
        return errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS ? ERR_AGAIN : failed();
    *got = (size_t)n;
    return OK;
}

/* --- writing --- */

static enum err write_fully(int fd, struct iovec *iov, int count, uint64_t *offset)
{
    while (count) {
        ssize_t n = pwritev(fd, iov, count, (off_t)*offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed();
        *offset += (uint64_t)n;
        size_t left = (size_t)n;
        while (count && left >= iov->iov_len) {
            left -= iov->iov_len;
            iov++;
            count--;
        }
        if (count) {
            iov->iov_base = (char *)iov->iov_base + left;
            iov->iov_len -= left;
        }
    }
    return OK;
}

enum err posix_file_write(struct env_file *file, uint64_t offset, const struct env_iov *iov,
                          int count)
{
    struct iovec pieces[PIECES];
    INVARIANT(file->writable && count >= 0);
    while (count) {
        int part = count < PIECES ? count : PIECES;
        for (int i = 0; i < part; i++)
            pieces[i] = (struct iovec){iov[i].data, iov[i].len};
        enum err err = write_fully(file->fd, pieces, part, &offset);
        if (err)
            return err;
        iov += part;
        count -= part;
    }
    return OK;
}

enum err posix_file_sync(struct env_file *file)
{
    return fdatasync(file->fd) < 0 ? failed() : OK;
}

/* For file systems without fallocate: zeros behind the end take the space. */
static enum err fill_with_zeros(struct env_file *file, uint64_t size)
{
    static const char zeros[65536];
    uint64_t at;
    enum err err = posix_file_size(file, &at);
    while (!err && at < size) {
        size_t part = size - at < sizeof zeros ? (size_t)(size - at) : sizeof zeros;
        struct iovec iov = {(void *)(uintptr_t)zeros, part};
        err = write_fully(file->fd, &iov, 1, &at);
    }
    return err;
}

enum err posix_file_reserve(struct env_file *file, uint64_t size)
{
    INVARIANT(file->writable);
    if (!size)
        return OK;
    int result;
    do
        result = fallocate(file->fd, 0, 0, (off_t)size);
    while (result < 0 && errno == EINTR);
    if (result < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        return fill_with_zeros(file, size);
    return result < 0 ? failed() : OK;
}

enum err posix_file_truncate(struct env_file *file, uint64_t size)
{
    INVARIANT(file->writable);
    int result;
    do
        result = ftruncate(file->fd, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? failed() : OK;
}

/* --- directories --- */

enum err posix_dir_make(struct env *env, const char *path)
{
    (void)env;
    return mkdir(path, 0700) < 0 ? failed() : OK;
}

enum err posix_dir_sync(struct env *env, const char *path)
{
    (void)env;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed();
    enum err err = fsync(fd) < 0 ? failed() : OK;
    close(fd);
    return err;
}

enum err posix_dir_list(struct env *env, const char *path,
                        bool (*each)(void *ctx, const char *name), void *ctx)
{
    (void)env;
    DIR *dir = opendir(path);
    if (!dir)
        return failed();
    enum err err = OK;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            err = failed();
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!each(ctx, entry->d_name))
            break;
    }
    closedir(dir);
    return err;
}

enum err posix_dir_space(struct env *env, const char *path, struct env_space *out)
{
    struct statvfs st;
    (void)env;
    if (statvfs(path, &st) < 0)
        return failed();
    out->total = (uint64_t)st.f_blocks * st.f_frsize;
    out->available = (uint64_t)st.f_bavail * st.f_frsize;
    return OK;
}

enum err posix_file_remove(struct env *env, const char *path)
{
    (void)env;
    return unlink(path) < 0 ? failed() : OK;
}

enum err posix_file_rename(struct env *env, const char *from, const char *to)
{
    (void)env;
    return rename(from, to) < 0 ? failed() : OK;
}
