/* SPDX-License-Identifier: MIT
 *
 * files.h: the file and directory functions of the real env. Their contract is env.h.
 */
#ifndef PACTFS_IO_UV_FILES_H
#define PACTFS_IO_UV_FILES_H

#include "core/env/env.h"

enum err posix_file_open(struct env *env, const char *path, enum env_open how,
                         struct env_file **out);
/* The descriptor, for as long as the file is open. */
int posix_file_fd(const struct env_file *file);
void posix_file_close(struct env_file *file);
enum err posix_file_size(struct env_file *file, uint64_t *size);
enum err posix_file_read(struct env_file *file, uint64_t offset, void *buf, size_t len,
                         size_t *got);
enum err posix_file_read_now(struct env_file *file, uint64_t offset, void *buf, size_t len,
                             size_t *got);
enum err posix_file_write(struct env_file *file, uint64_t offset, const struct env_iov *iov,
                          int count);
enum err posix_file_sync(struct env_file *file);
enum err posix_file_reserve(struct env_file *file, uint64_t size);
enum err posix_file_truncate(struct env_file *file, uint64_t size);
enum err posix_dir_make(struct env *env, const char *path);
enum err posix_dir_sync(struct env *env, const char *path);
enum err posix_dir_list(struct env *env, const char *path,
                        bool (*each)(void *ctx, const char *name), void *ctx);
enum err posix_dir_space(struct env *env, const char *path, struct env_space *out);
enum err posix_file_remove(struct env *env, const char *path);
enum err posix_file_rename(struct env *env, const char *from, const char *to);

#endif
