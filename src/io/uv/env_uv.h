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

/* Ends an env whose jobs are all done and whose files and indexes are closed. Timers still running
 * are stopped; run the loop once more before closing it, so that libuv lets go of their handles. */
void env_uv_free(struct env *env);

uv_loop_t *env_uv_loop(struct env *env);

#endif
