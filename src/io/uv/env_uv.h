/* SPDX-License-Identifier: MIT
 *
 * env_uv.h: the real env: libuv's loop and workers, POSIX files, LMDB.
 */
#ifndef PACTFS_IO_UV_ENV_UV_H
#define PACTFS_IO_UV_ENV_UV_H

#include <uv.h>

#include "core/env/env.h"

/* An env over a loop that the caller keeps and runs. NOMEM. On error *out is not set. */
enum err env_uv_new(uv_loop_t *loop, struct env **out);

/* How file_read_later is made. */
enum env_uv_reads {
    ENV_UV_READS_BEST,       /* by the kernel where it lets us (io_uring), else by workers */
    ENV_UV_READS_BY_WORKERS, /* for tests */
};

/* As env_uv_new, which means ENV_UV_READS_BEST. */
enum err env_uv_new_reading(uv_loop_t *loop, enum env_uv_reads how, struct env **out);

/* Ends an env whose jobs and reads are all done and whose files and indexes are closed. Timers
 * still running are stopped; run the loop once more before closing it, so that libuv lets go of its
 * handles. */
void env_uv_free(struct env *env);

uv_loop_t *env_uv_loop(struct env *env);

/* How much memory an index that is opened from now on may keep mapped, in bytes; see
 * index_lmdb_limit. */
void env_uv_cache(struct env *env, size_t bytes);

/* Whether reads for later go without workers; known after the first of them. */
bool env_uv_reads_by_ring(const struct env *env);
/* How many of them the kernel has not answered yet; 0 where workers read. */
uint32_t env_uv_reads_in_flight(const struct env *env);

#endif
