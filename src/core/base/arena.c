/* SPDX-License-Identifier: MIT */
#include "core/base/arena.h"

#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

#define BLOCK_MIN 16384u
#define ALIGN     16u

struct arena_block {
    struct arena_block *next;
    size_t used, room;
    _Alignas(ALIGN) uint8_t data[];
};

void arena_init(struct arena *a)
{
    a->first = a->current = NULL;
}

static void free_after(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_reset(struct arena *a)
{
    if (!a->first)
        return;
    free_after(a->first->next);
    a->first->next = NULL;
    a->first->used = 0;
    a->current = a->first;
}

void arena_free(struct arena *a)
{
    free_after(a->first);
    arena_init(a);
}

static void grow(struct arena *a, size_t size)
{
    size_t room = size > BLOCK_MIN ? size : BLOCK_MIN;
    struct arena_block *block = malloc(sizeof *block + room);
    INVARIANT(block != NULL);
    block->next = NULL;
    block->used = 0;
    block->room = room;
    if (a->current)
        a->current->next = block;
    else
        a->first = block;
    a->current = block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    INVARIANT(size < SIZE_MAX / 2);
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->current || a->current->room - a->current->used < size)
        grow(a, size);
    void *p = a->current->data + a->current->used;
    a->current->used += size;
    return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

void *arena_copy(struct arena *a, const void *bytes, size_t len)
{
    uint8_t *p = arena_alloc(a, len + 1);
    if (len)
        memcpy(p, bytes, len);
    p[len] = 0;
    return p;
}

static void *allocator_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void allocator_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer; /* goes with the arena */
}

struct ProtobufCAllocator arena_allocator(struct arena *a)
{
    return (ProtobufCAllocator){
        .alloc = allocator_alloc, .free = allocator_free, .allocator_data = a};
}
