/* SPDX-License-Identifier: MIT
 *
 * workspace.c: the objects of a workspace: finding, supplying, reading them, and noting what is
 * missing.
 */
#include "core/txn/workspace.h"

#include <stdlib.h>
#include <string.h>

#include "core/txn/ws_private.h"

#define TABLE_MIN 128u
#define TABLE_KEEP \
    2048u /* a larger table is given back by ws_reset: clearing it would cost more \
                          */
#define NEEDS_MIN 32u

static const uint8_t zero_chunk[CHUNK_SIZE];

static void table_new(struct workspace *ws, uint32_t size)
{
    ws->table = calloc(size, sizeof(struct ws_object *));
    INVARIANT(ws->table != NULL);
    ws->table_size = size;
}

void ws_init(struct workspace *ws)
{
    memset(ws, 0, sizeof *ws);
    arena_init(&ws->arena);
    table_new(ws, TABLE_MIN);
    ws->needs = malloc(NEEDS_MIN * sizeof(struct ws_need));
    INVARIANT(ws->needs != NULL);
    ws->need_room = NEEDS_MIN;
}

static void drop_owners(struct workspace *ws)
{
    for (struct ws_write *w = ws->writes; w; w = w->older)
        shared_unref(w->owner);
    ws->writes = NULL;
}

static void table_clear(struct workspace *ws)
{
    if (ws->table_size > TABLE_KEEP) {
        free(ws->table);
        table_new(ws, TABLE_MIN);
    } else if (ws->object_count) {
        memset(ws->table, 0, ws->table_size * sizeof(struct ws_object *));
    }
    ws->object_count = 0;
    ws->first = ws->last = NULL;
}

void ws_reset(struct workspace *ws)
{
    drop_owners(ws);
    table_clear(ws);
    ws->need_count = 0;
    ws->scans = NULL;
    ws->serial = 0;
    ws->bytes = 0;
    arena_reset(&ws->arena);
}

void ws_free(struct workspace *ws)
{
    drop_owners(ws);
    free(ws->table);
    free(ws->needs);
    arena_free(&ws->arena);
    memset(ws, 0, sizeof *ws);
}

/* --- the table --- */

static uint32_t key_hash(const struct object_key *key)
{
    uint64_t h = key->ino * UINT64_C(0x9e3779b97f4a7c15) ^ key->sub * UINT64_C(0xc2b2ae3d27d4eb4f);
    h = (h ^ h >> 29 ^ key->kind) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}

static struct ws_object **slot_of(const struct workspace *ws, const struct object_key *key,
                                  uint32_t hash)
{
    uint32_t mask = ws->table_size - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct ws_object *o = ws->table[i];
        if (!o || (o->hash == hash && object_key_equal(&o->key, key)))
            return &ws->table[i];
    }
}

static void table_grow(struct workspace *ws)
{
    struct ws_object **old = ws->table;
    INVARIANT(ws->table_size < UINT32_MAX / 2);
    table_new(ws, ws->table_size * 2);
    for (struct ws_object *o = ws->first; o; o = o->next)
        *slot_of(ws, &o->key, o->hash) = o;
    free(old);
}

struct ws_object *ws_object_find(const struct workspace *ws, const struct object_key *key)
{
    return *slot_of(ws, key, key_hash(key));
}

struct ws_object *ws_object_at(struct workspace *ws, struct object_key key)
{
    INVARIANT(key.kind > OBJECT_NONE && key.kind < OBJECT_KIND_COUNT);
    uint32_t hash = key_hash(&key);
    struct ws_object **slot = slot_of(ws, &key, hash);
    if (*slot)
        return *slot;
    struct ws_object *o = ARENA_NEW(&ws->arena, struct ws_object);
    o->key = key;
    o->hash = hash;
    *slot = o;
    if (ws->last)
        ws->last->next = o;
    else
        ws->first = o;
    ws->last = o;
    if (++ws->object_count > ws->table_size / 2)
        table_grow(ws);
    return o;
}

struct ws_block *ws_block_of(struct workspace *ws, struct ws_object *object)
{
    INVARIANT(object_kind_is_block(object->key.kind));
    if (!object->block)
        object->block = ARENA_NEW(&ws->arena, struct ws_block);
    return object->block;
}

/* --- views --- */

bool ws_object_known(const struct ws_object *object)
{
    if (object->supplied)
        return true;
    if (object->block)
        return (object->block->set | object->block->clear) == UINT32_MAX;
    return object->write != NULL;
}

static void view_block(const struct ws_object *object, struct object_version *version)
{
    const struct ws_block *block = object->block;
    bool had = version->present;
    if (!had)
        version->chunks = 0;
    if (!object->write)
        return;
    INVARIANT(block != NULL);
    version->chunks = (version->chunks & ~block->clear) | block->set;
    version->present = version->chunks != 0;
}

void ws_object_view(const struct ws_object *object, struct object_version *version)
{
    *version = object->supplied ? object->base : (struct object_version){.stamp = STAMP_ZERO};
    if (object_kind_is_block(object->key.kind)) {
        view_block(object, version);
    } else if (object->write) {
        version->present = object->write->action == WRITE_PUT;
        version->value = object->write->value;
        version->chunks = 0;
    }
}

/* --- needs --- */

struct ws_need *ws_note_need(struct workspace *ws)
{
    if (ws->need_count == ws->need_room) {
        ws->need_room *= 2;
        ws->needs = realloc(ws->needs, ws->need_room * sizeof(struct ws_need));
        INVARIANT(ws->needs != NULL);
    }
    struct ws_need *need = &ws->needs[ws->need_count++];
    memset(need, 0, sizeof *need);
    return need;
}

static void need_object(struct workspace *ws, struct ws_object *object)
{
    if (object->wanted)
        return;
    object->wanted = true;
    struct ws_need *need = ws_note_need(ws);
    need->type = WS_NEED_OBJECT;
    need->key = object->key;
}

/* Chunks of one block that are next to each other are asked for together. */
static void need_chunk(struct workspace *ws, struct ws_object *object, uint32_t chunk)
{
    struct ws_block *block = ws_block_of(ws, object);
    if (block->wanted >> chunk & 1)
        return;
    block->wanted |= UINT32_C(1) << chunk;
    struct ws_need *last = ws->need_count ? &ws->needs[ws->need_count - 1] : NULL;
    if (last && last->type == WS_NEED_CHUNKS && object_key_equal(&last->key, &object->key) &&
        last->first + last->count == chunk) {
        last->count++;
        return;
    }
    struct ws_need *need = ws_note_need(ws);
    need->type = WS_NEED_CHUNKS;
    need->key = object->key;
    need->first = chunk;
    need->count = 1;
}

void ws_clear_needs(struct workspace *ws)
{
    for (uint32_t i = 0; i < ws->need_count; i++) {
        if (ws->needs[i].type == WS_NEED_SCAN)
            continue;
        struct ws_object *object = ws_object_find(ws, &ws->needs[i].key);
        INVARIANT(object != NULL);
        object->wanted = false;
        if (object->block)
            object->block->wanted = 0;
    }
    ws->need_count = 0;
}

/* --- reading --- */

void ws_want(struct workspace *ws, struct object_key key)
{
    struct ws_object *object = ws_object_at(ws, key);
    if (!ws_object_known(object))
        need_object(ws, object);
}

enum err ws_get(struct workspace *ws, struct object_key key, struct object_version *version)
{
    struct ws_object *object = ws_object_at(ws, key);
    if (!ws_object_known(object)) {
        need_object(ws, object);
        return ERR_NEED;
    }
    if (object->supplied && (!object->write || object->block))
        object->read = true;
    ws_object_view(object, version);
    return OK;
}

static struct bytes own_bytes(const struct ws_block *block, uint32_t chunk)
{
    const struct ws_write *w = block->own[chunk];
    INVARIANT(w != NULL && w->action == WRITE_CHUNKS);
    INVARIANT(chunk >= w->first && chunk < w->first + w->count);
    size_t at = (size_t)(chunk - w->first) * CHUNK_SIZE;
    size_t left = w->value.len - at;
    return (struct bytes){w->value.data + at, left < CHUNK_SIZE ? left : CHUNK_SIZE};
}

bool ws_own_chunk(struct workspace *ws, struct object_key key, uint32_t chunk, struct bytes *data)
{
    INVARIANT(chunk < BLOCK_CHUNKS);
    const struct ws_object *object = ws_object_find(ws, &key);
    if (!object || !object->block || !(object->block->set >> chunk & 1))
        return false;
    *data = own_bytes(object->block, chunk);
    return true;
}

static const uint8_t *own_padded(struct workspace *ws, struct ws_block *block, uint32_t chunk)
{
    struct bytes data = own_bytes(block, chunk);
    if (data.len == CHUNK_SIZE)
        return data.data;
    if (block->padded_of[chunk] != block->own[chunk]) {
        uint8_t *full = arena_alloc(&ws->arena, CHUNK_SIZE);
        memcpy(full, data.data, data.len);
        memset(full + data.len, 0, CHUNK_SIZE - data.len);
        block->padded[chunk] = full;
        block->padded_of[chunk] = block->own[chunk];
    }
    return block->padded[chunk];
}

enum err ws_get_chunk(struct workspace *ws, struct object_key key, uint32_t chunk,
                      const uint8_t **data)
{
    INVARIANT(chunk < BLOCK_CHUNKS);
    struct ws_object *object = ws_object_at(ws, key);
    struct ws_block *block = ws_block_of(ws, object);
    if (block->set >> chunk & 1) {
        *data = own_padded(ws, block, chunk);
        return OK;
    }
    if (block->clear >> chunk & 1) {
        *data = zero_chunk;
        return OK;
    }
    if (object->supplied && !(object->base.present && (object->base.chunks >> chunk & 1))) {
        *data = zero_chunk;
    } else if (object->supplied && block->base[chunk]) {
        *data = block->base[chunk];
    } else {
        if (!object->supplied)
            need_object(ws, object);
        need_chunk(ws, object, chunk);
        return ERR_NEED;
    }
    object->read = true;
    return OK;
}

/* --- supplying --- */

void ws_supply(struct workspace *ws, struct object_key key, const struct object_version *version)
{
    struct ws_object *object = ws_object_at(ws, key);
    if (object->supplied)
        return;
    object->supplied = true;
    object->base = *version;
    object->base.value = (struct bytes){0};
    if (!version->present) {
        object->base.chunks = 0;
    } else if (!object_kind_is_block(key.kind)) {
        object->base.chunks = 0;
        object->base.value.data = arena_copy(&ws->arena, version->value.data, version->value.len);
        object->base.value.len = version->value.len;
    }
}

void ws_supply_chunks(struct workspace *ws, struct object_key key, uint32_t first, uint32_t count,
                      const uint8_t *data)
{
    INVARIANT(first <= BLOCK_CHUNKS && count <= BLOCK_CHUNKS - first);
    struct ws_object *object = ws_object_at(ws, key);
    INVARIANT(object->supplied);
    struct ws_block *block = ws_block_of(ws, object);
    uint8_t *copy = arena_alloc(&ws->arena, (size_t)count * CHUNK_SIZE);
    memcpy(copy, data, (size_t)count * CHUNK_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        if (!block->base[first + i])
            block->base[first + i] = copy + (size_t)i * CHUNK_SIZE;
    }
}

/* --- the read set --- */

bool ws_each_read(struct workspace *ws,
                  bool (*each)(void *ctx, const struct object_key *key, struct stamp stamp),
                  void *ctx)
{
    for (const struct ws_object *o = ws->first; o; o = o->next) {
        if (o->read && !each(ctx, &o->key, o->base.stamp))
            return false;
    }
    return true;
}
