/* SPDX-License-Identifier: MIT
 *
 * index_lmdb.h: the ordered index of env.h on LMDB. Each function is the env call of that name.
 *
 * LMDB keeps no checksums of its pages. index_open refuses (ERR_INDEX) a file that is too short,
 * whose headers are damaged, or whose tree is not the one last committed. Before anything else is
 * read, index_verify must have found no damage: LMDB trusts its pages, and a flipped bit deep
 * inside the tree can end the process or hide entries.
 */
#ifndef PACTFS_IO_LMDB_INDEX_LMDB_H
#define PACTFS_IO_LMDB_INDEX_LMDB_H

#include "core/env/env.h"

enum err index_lmdb_open(struct env *env, const char *path, struct env_index **out);
void index_lmdb_close(struct env_index *index);
enum err index_lmdb_remove(struct env *env, const char *path);
enum err index_lmdb_get(struct env_index *index, struct bytes key, struct bytes *value);
enum err index_lmdb_refresh(struct env_index *index);
enum err index_lmdb_cursor_open(struct env_index *index, struct env_cursor **out);
enum err index_lmdb_cursor_seek(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                                struct bytes *value);
enum err index_lmdb_cursor_next(struct env_cursor *cursor, struct bytes *found,
                                struct bytes *value);
enum err index_lmdb_cursor_last(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                                struct bytes *value);
void index_lmdb_cursor_close(struct env_cursor *cursor);
enum err index_lmdb_batch_begin(struct env_index *index, struct env_batch **out);
enum err index_lmdb_batch_put(struct env_batch *batch, struct bytes key, struct bytes value);
enum err index_lmdb_batch_delete(struct env_batch *batch, struct bytes key);
enum err index_lmdb_batch_commit(struct env_batch *batch);
void index_lmdb_batch_abort(struct env_batch *batch);
uint64_t index_lmdb_bytes(struct env_index *index);
enum err index_lmdb_verify(struct env_index *index,
                           bool (*sound)(struct bytes key, struct bytes value));

/* How much of the index may stay mapped in memory, in bytes; checked every few thousand calls
 * against the file-backed memory of the whole process. Default 64 MiB. The pages stay in the
 * kernel's cache. */
void index_lmdb_limit(struct env_index *index, size_t resident_bytes);

#endif
