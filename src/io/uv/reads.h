/* SPDX-License-Identifier: MIT
 *
 * reads.h: the file_read_later of the real env.
 */
#ifndef PACTFS_IO_UV_READS_H
#define PACTFS_IO_UV_READS_H

#include "io/uv/env_uv.h"

struct reads;

/* Reads for `env` on its loop, made as `how` says. NULL: no memory. */
struct reads *reads_new(struct env *env, uv_loop_t *loop, enum env_uv_reads how);
/* Ends it when no read is under way. The rest happens when the loop runs once more. */
void reads_free(struct reads *reads);
/* env.h: file_read_later. */
void reads_start(struct reads *reads, struct env_read *read);
/* How many reads the kernel has, and whether it takes them without a worker (known after the
 * first). */
uint32_t reads_in_flight(const struct reads *reads);
bool reads_by_ring(const struct reads *reads);

#endif
