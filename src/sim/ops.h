/* SPDX-License-Identifier: MIT
 *
 * ops.h: the env functions of files.c and index.c. Their contract is env.h.
 */
#ifndef PACTFS_SIM_OPS_H
#define PACTFS_SIM_OPS_H

#include "core/env/env.h"

enum err sim_file_open(struct env *env, const char *path, enum env_open how, struct env_file **out);
void sim_file_close(struct env_file *file);
enum err sim_file_size(struct env_file *file, uint64_t *size);
enum err sim_file_read(struct env_file *file, uint64_t offset, void *buf, size_t len, size_t *got);
enum err sim_file_read_now(struct env_file *file, uint64_t offset, void *buf, size_t len,
                           size_t *got);
void sim_file_read_later(struct env *env, struct env_read *read);
enum err sim_file_write(struct env_file *file, uint64_t offset, const struct env_iov *iov,
                        int count);
enum err sim_file_sync(struct env_file *file);
enum err sim_file_reserve(struct env_file *file, uint64_t size);
enum err sim_file_truncate(struct env_file *file, uint64_t size);
enum err sim_dir_make(struct env *env, const char *path);
enum err sim_dir_sync(struct env *env, const char *path);
enum err sim_dir_list(struct env *env, const char *path, bool (*each)(void *ctx, const char *name),
                      void *ctx);
enum err sim_dir_space(struct env *env, const char *path, struct env_space *out);
enum err sim_file_remove(struct env *env, const char *path);
enum err sim_file_rename(struct env *env, const char *from, const char *to);

enum err sim_index_open(struct env *env, const char *path, struct env_index **out);
void sim_index_close(struct env_index *index);
enum err sim_index_remove(struct env *env, const char *path);
enum err sim_index_get(struct env_index *index, struct bytes key, struct bytes *value);
enum err sim_index_refresh(struct env_index *index);
enum err sim_cursor_open(struct env_index *index, struct env_cursor **out);
enum err sim_cursor_seek(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                         struct bytes *value);
enum err sim_cursor_next(struct env_cursor *cursor, struct bytes *found, struct bytes *value);
enum err sim_cursor_last(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                         struct bytes *value);
void sim_cursor_close(struct env_cursor *cursor);
enum err sim_batch_begin(struct env_index *index, struct env_batch **out);
enum err sim_batch_put(struct env_batch *batch, struct bytes key, struct bytes value);
enum err sim_batch_delete(struct env_batch *batch, struct bytes key);
enum err sim_batch_commit(struct env_batch *batch);
void sim_batch_abort(struct env_batch *batch);
uint64_t sim_index_bytes(struct env_index *index);
enum err sim_index_verify(struct env_index *index,
                          bool (*sound)(struct bytes key, struct bytes value));

#endif
