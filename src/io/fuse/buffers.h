/* SPDX-License-Identifier: MIT
 *
 * buffers.h: memory for one request of the kernel each, the data of a write or a read included.
 *
 * A buffer is a reference-counted `struct shared`, so the log can write file data from where the
 * kernel put it. Buffers outlive their pool when the log still needs them.
 */
#ifndef PACTFS_IO_FUSE_BUFFERS_H
#define PACTFS_IO_FUSE_BUFFERS_H

#include "core/fs/fs.h"

#define BUFFER_HEADER 4096u
#define BUFFER_SIZE   (BUFFER_HEADER + FS_IO_MAX)

struct pool;

struct buffer {
    struct shared shared; /* first */
    struct pool *pool;
    struct buffer *next;
    uint8_t *data; /* BUFFER_SIZE bytes, at a page */
};

struct pool *pool_new(void);
/* Buffers in use are freed with their last reference. */
void pool_free(struct pool *pool);
/* With one reference. Never NULL. */
struct buffer *buffer_get(struct pool *pool);
uint32_t pool_in_use(const struct pool *pool);

#endif
