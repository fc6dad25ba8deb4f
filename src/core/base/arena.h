/* SPDX-License-Identifier: MIT
 *
 * arena.h: memory for the length of one operation.
 *
 * Allocation is a pointer bump; everything is given back at once by arena_reset (keeps the first
 * block for the next operation) or arena_free. Running out of memory ends the process with a
 * message: every size that reaches an arena has been checked against a limit before.
 */
#ifndef PACTFS_BASE_ARENA_H
#define PACTFS_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *first, *current;
};

void arena_init(struct arena *a);
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

/* `size` bytes aligned to 16, not zeroed / zeroed. Never NULL. Owned by the arena. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_zalloc(struct arena *a, size_t size);
/* A copy of `len` bytes, followed by a NUL that is not counted. */
void *arena_copy(struct arena *a, const void *bytes, size_t len);

/* For protobuf-c: unpack with arena memory, nothing to free. `alloc` may be passed to any *_unpack.
 */
struct ProtobufCAllocator;
struct ProtobufCAllocator arena_allocator(struct arena *a);

#define ARENA_NEW(a, type)          ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_zalloc((a), sizeof(type) * (count)))

#endif
