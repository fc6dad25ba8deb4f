/* SPDX-License-Identifier: MIT
 *
 * buffers.c: a free list; the most recently used buffer is handed out first, its pages are warm.
 */
#include "io/fuse/buffers.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "core/base/assert.h"

#define KEEP 8u /* free buffers kept */

struct pool {
    struct buffer *free;
    uint32_t free_count, in_use;
    bool closed;
};

struct pool *pool_new(void)
{
    struct pool *pool = calloc(1, sizeof *pool);
    INVARIANT(pool != NULL);
    return pool;
}

static void destroy(struct buffer *buffer)
{
    munmap(buffer->data, BUFFER_SIZE);
    free(buffer);
}

static void released(struct shared *shared)
{
    struct buffer *buffer = (struct buffer *)(void *)shared;
    struct pool *pool = buffer->pool;
    INVARIANT(pool->in_use > 0);
    pool->in_use--;
    if (!pool->closed && pool->free_count < KEEP) {
        buffer->next = pool->free;
        pool->free = buffer;
        pool->free_count++;
        return;
    }
    destroy(buffer);
    if (pool->closed && pool->in_use == 0)
        free(pool);
}

struct buffer *buffer_get(struct pool *pool)
{
    struct buffer *buffer = pool->free;
    if (buffer) {
        pool->free = buffer->next;
        pool->free_count--;
    } else {
        buffer = calloc(1, sizeof *buffer);
        INVARIANT(buffer != NULL);
        buffer->data =
            mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        INVARIANT(buffer->data != MAP_FAILED);
        buffer->pool = pool;
    }
    buffer->shared = (struct shared){.refs = 1, .release = released};
    buffer->next = NULL;
    pool->in_use++;
    return buffer;
}

void pool_free(struct pool *pool)
{
    while (pool->free) {
        struct buffer *buffer = pool->free;
        pool->free = buffer->next;
        destroy(buffer);
    }
    pool->free_count = 0;
    pool->closed = true;
    if (pool->in_use == 0)
        free(pool);
}

uint32_t pool_in_use(const struct pool *pool)
{
    return pool->in_use;
}
