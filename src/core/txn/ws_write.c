/* SPDX-License-Identifier: MIT
 *
 * ws_write.c: the writes of a workspace: recording, taking back, and gathering the write set.
 *
 * An object appears in the write set where its newest write is. A block appears once, as what its
 * masks say: nothing of it left: DELETE; otherwise runs of CHUNKS and PUNCH. What never existed and
 * does not exist now is not mentioned.
 */
#include <string.h>

#include "core/txn/ws_private.h"

static uint32_t chunk_mask(uint32_t first, uint32_t count)
{
    uint32_t low = count == BLOCK_CHUNKS ? UINT32_MAX : (UINT32_C(1) << count) - 1;
    return low << first;
}

static struct ws_write *record(struct workspace *ws, struct object_key key,
                               enum write_action action)
{
    struct ws_object *object = ws_object_at(ws, key);
    struct ws_write *w = ARENA_NEW(&ws->arena, struct ws_write);
    w->object = object;
    w->action = action;
    w->serial = ++ws->serial;
    w->bytes_before = ws->bytes;
    w->before = object->write;
    w->older = ws->writes;
    object->write = w;
    ws->writes = w;
    if (object_kind_is_block(key.kind)) {
        struct ws_block *block = ws_block_of(ws, object);
        w->set_before = block->set;
        w->clear_before = block->clear;
    }
    return w;
}

static size_t value_len(const struct ws_write *w)
{
    return w && w->action == WRITE_PUT ? w->value.len : 0;
}

/* Sets the masks of a block and keeps the count of payload bytes. */
static void set_masks(struct workspace *ws, struct ws_block *block, uint32_t set, uint32_t clear)
{
    ws->bytes -= (uint64_t)ws_count_chunks(block->set) * CHUNK_SIZE;
    ws->bytes += (uint64_t)ws_count_chunks(set) * CHUNK_SIZE;
    block->set = set;
    block->clear = clear;
}

void ws_put(struct workspace *ws, struct object_key key, struct bytes value)
{
    INVARIANT(!object_kind_is_block(key.kind));
    INVARIANT(value.len <= OBJECT_VALUE_MAX);
    struct ws_write *w = record(ws, key, WRITE_PUT);
    w->value.data = arena_copy(&ws->arena, value.data, value.len);
    w->value.len = value.len;
    ws->bytes = ws->bytes - value_len(w->before) + value.len;
}

void ws_delete(struct workspace *ws, struct object_key key)
{
    struct ws_write *w = record(ws, key, WRITE_DELETE);
    if (w->object->block)
        set_masks(ws, w->object->block, 0, UINT32_MAX);
    else
        ws->bytes -= value_len(w->before);
}

/* Points own[] of the chunks at `w` and remembers what was there. */
static void take_chunks(struct workspace *ws, struct ws_write *w)
{
    struct ws_write **own = w->object->block->own + w->first;
    bool some = false;
    for (uint32_t i = 0; i < w->count; i++)
        some |= own[i] != NULL;
    if (some) {
        w->own_before = arena_copy(&ws->arena, own, w->count * sizeof *own);
    }
    for (uint32_t i = 0; i < w->count; i++)
        own[i] = w;
}

static void write_chunks(struct workspace *ws, struct object_key key, uint32_t first,
                         struct bytes data, struct shared *owner)
{
    INVARIANT(data.len > 0 && first < BLOCK_CHUNKS);
    INVARIANT(data.len <= (size_t)(BLOCK_CHUNKS - first) * CHUNK_SIZE);
    struct ws_write *w = record(ws, key, WRITE_CHUNKS);
    w->first = first;
    w->count = (uint32_t)((data.len + CHUNK_SIZE - 1) / CHUNK_SIZE);
    w->value = data;
    w->owner = shared_ref(owner);
    take_chunks(ws, w);
    struct ws_block *block = w->object->block;
    uint32_t mask = chunk_mask(first, w->count);
    set_masks(ws, block, block->set | mask, block->clear & ~mask);
}

void ws_write_chunks(struct workspace *ws, struct object_key block, uint32_t first_chunk,
                     struct bytes data, struct shared *owner)
{
    if (!owner)
        data.data = arena_copy(&ws->arena, data.data, data.len);
    write_chunks(ws, block, first_chunk, data, owner);
}

void ws_write_chunks_arena(struct workspace *ws, struct object_key block, uint32_t first_chunk,
                           struct bytes data)
{
    write_chunks(ws, block, first_chunk, data, NULL);
}

void ws_punch(struct workspace *ws, struct object_key key, uint32_t first_chunk, uint32_t chunks)
{
    INVARIANT(chunks > 0 && first_chunk < BLOCK_CHUNKS && chunks <= BLOCK_CHUNKS - first_chunk);
    struct ws_write *w = record(ws, key, WRITE_PUNCH);
    struct ws_block *block = w->object->block;
    uint32_t mask = chunk_mask(first_chunk, chunks);
    set_masks(ws, block, block->set & ~mask, block->clear | mask);
}

uint64_t ws_mark(const struct workspace *ws)
{
    return ws->serial;
}

static void take_back(struct workspace *ws, struct ws_write *w)
{
    struct ws_object *object = w->object;
    INVARIANT(object->write == w);
    object->write = w->before;
    ws->bytes = w->bytes_before;
    if (object->block) {
        object->block->set = w->set_before;
        object->block->clear = w->clear_before;
    }
    for (uint32_t i = 0; w->action == WRITE_CHUNKS && i < w->count; i++)
        object->block->own[w->first + i] = w->own_before ? w->own_before[i] : NULL;
    shared_unref(w->owner);
    w->owner = NULL;
}

void ws_rollback(struct workspace *ws, uint64_t mark)
{
    INVARIANT(mark <= ws->serial);
    while (ws->writes && ws->writes->serial > mark) {
        struct ws_write *w = ws->writes;
        MARK(undone);
        ws->writes = w->older;
        take_back(ws, w);
    }
    ws->serial = mark;
}

/* --- gathering --- */

struct gather {
    struct write *items; /* NULL while counting */
    size_t count;
};

static void emit(struct gather *g, struct write item)
{
    if (g->items)
        g->items[g->count] = item;
    g->count++;
}

/* Chunks [first, first + count) that one record wrote. */
static void emit_chunks(struct gather *g, const struct ws_object *o, uint32_t first, uint32_t count)
{
    const struct ws_write *w = o->block->own[first];
    size_t at = (size_t)(first - w->first) * CHUNK_SIZE;
    size_t len = w->value.len - at;
    if (len > (size_t)count * CHUNK_SIZE)
        len = (size_t)count * CHUNK_SIZE;
    emit(g, (struct write){.action = WRITE_CHUNKS,
                           .key = o->key,
                           .value = {w->value.data + at, len},
                           .first_chunk = first,
                           .chunks = count,
                           .owner = w->owner});
}

static void emit_runs(struct gather *g, const struct ws_object *o, uint32_t punched)
{
    const struct ws_block *block = o->block;
    for (uint32_t i = 0, end; i < BLOCK_CHUNKS; i = end) {
        end = i + 1;
        if (block->set >> i & 1) {
            while (end < BLOCK_CHUNKS && (block->set >> end & 1) &&
                   block->own[end] == block->own[i])
                end++;
            emit_chunks(g, o, i, end - i);
        } else if (punched >> i & 1) {
            while (end < BLOCK_CHUNKS && (punched >> end & 1))
                end++;
            emit(g, (struct write){
                        .action = WRITE_PUNCH, .key = o->key, .first_chunk = i, .chunks = end - i});
        }
    }
}

static void emit_block(struct gather *g, const struct ws_object *o)
{
    const struct ws_block *block = o->block;
    uint32_t base = !o->supplied ? UINT32_MAX : o->base.present ? o->base.chunks : 0;
    uint32_t left = (base & ~block->clear) | block->set;
    bool was = !o->supplied || o->base.present;
    if (left)
        emit_runs(g, o, MUTANT(write_set_loses_holes) ? 0 : block->clear & base);
    else if (was)
        emit(g, (struct write){.action = WRITE_DELETE, .key = o->key});
}

static void emit_object(struct gather *g, const struct ws_write *w)
{
    const struct ws_object *o = w->object;
    if (o->block)
        emit_block(g, o);
    else if (w->action == WRITE_PUT || !o->supplied || o->base.present)
        emit(g, (struct write){.action = w->action, .key = o->key, .value = w->value});
}

static void emit_all(struct gather *g, struct ws_write *const *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        emit_object(g, order[i]);
}

struct write_set ws_write_set(struct workspace *ws)
{
    size_t count = 0, at;
    for (const struct ws_write *w = ws->writes; w; w = w->older)
        count += w->object->write == w;
    if (!count)
        return (struct write_set){0};
    struct ws_write **order = arena_alloc(&ws->arena, count * sizeof *order);
    at = count;
    for (struct ws_write *w = ws->writes; w; w = w->older) {
        if (w->object->write == w)
            order[--at] = w;
    }
    INVARIANT(at == 0);
    struct gather g = {0};
    emit_all(&g, order, count);
    g.items = ARENA_ARRAY(&ws->arena, struct write, g.count);
    g.count = 0;
    emit_all(&g, order, count);
    return (struct write_set){g.items, g.count};
}

/* --- checking --- */

static void check_block(const struct ws_object *o)
{
    const struct ws_block *block = o->block;
    INVARIANT((block->set & block->clear) == 0);
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++) {
        if (!(block->set >> i & 1))
            continue;
        const struct ws_write *w = block->own[i];
        INVARIANT(w != NULL && w->object == o && w->action == WRITE_CHUNKS);
        INVARIANT(i >= w->first && i < w->first + w->count);
    }
}

static uint64_t object_bytes(const struct ws_object *o)
{
    if (o->block)
        return (uint64_t)ws_count_chunks(o->block->set) * CHUNK_SIZE;
    return value_len(o->write);
}

void ws_check(const struct workspace *ws)
{
    uint32_t objects = 0;
    uint64_t bytes = 0, serial = UINT64_MAX;
    for (const struct ws_object *o = ws->first; o; o = o->next) {
        objects++;
        bytes += object_bytes(o);
        INVARIANT(ws_object_find(ws, &o->key) == o);
        INVARIANT(!o->read || o->supplied);
        INVARIANT(o->supplied || o->base.value.len == 0);
        if (o->block)
            check_block(o);
        for (const struct ws_write *w = o->write; w; w = w->before) {
            INVARIANT(w->object == o);
            INVARIANT(!w->before || w->before->serial < w->serial);
        }
    }
    INVARIANT(objects == ws->object_count);
    INVARIANT(bytes == ws->bytes);
    for (const struct ws_write *w = ws->writes; w; w = w->older) {
        INVARIANT(w->serial < serial && w->serial <= ws->serial);
        serial = w->serial;
    }
}
