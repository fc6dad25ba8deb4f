/* SPDX-License-Identifier: MIT
 *
 * fetch.c: between a workspace and a local store.
 *
 * Law
 *   F1  Objects and ranges are supplied in the turn of the loop in which they were asked for; only
 *       chunks may come later.
 *   F2  Chunks that came later may be newer than their block object. The block is in the read set,
 *       so fetch_still_valid tells; nothing that was read is used before it has.
 */
#include "core/replica/fetch.h"

#include <string.h>

#include "core/base/assert.h"

#define FOUND_FIRST 64u

/* --- ranges --- */

struct collect {
    struct arena *arena;
    struct ws_found *found;
    uint32_t count, room, limit;
    bool more;
};

static void collect_grow(struct collect *collect)
{
    uint32_t room = collect->room ? collect->room * 2 : FOUND_FIRST;
    struct ws_found *found = arena_alloc(collect->arena, sizeof *found * room);
    if (collect->count)
        memcpy(found, collect->found, sizeof *found * collect->count);
    collect->found = found;
    collect->room = room;
}

static bool collect_one(void *ctx, const struct object_key *key,
                        const struct object_version *version)
{
    struct collect *collect = ctx;
    if (collect->count == collect->limit) {
        collect->more = true;
        return false;
    }
    if (collect->count == collect->room)
        collect_grow(collect);
    struct ws_found *found = &collect->found[collect->count++];
    found->key = *key;
    found->version = *version;
    if (version->value.len)
        found->version.value.data =
            arena_copy(collect->arena, version->value.data, version->value.len);
    return true;
}

static enum err fetch_scan(struct workspace *ws, struct store *store, const struct ws_need *need)
{
    INVARIANT(need->limit > 0 && need->limit <= WS_SCAN_MAX);
    struct collect collect = {.arena = &ws->arena, .limit = need->limit};
    enum err err = store_scan(store, need->key.kind, need->key.ino, need->from, need->to, STAMP_MAX,
                              collect_one, &collect);
    if (err == OK)
        ws_supply_scan(ws, need, collect.found, collect.count, collect.more);
    return err;
}

/* --- needs --- */

static enum err fetch_object(struct workspace *ws, struct store *store, struct object_key key)
{
    struct object_version version;
    enum err err = store_get(store, key, STAMP_MAX, &version);
    if (err == OK)
        ws_supply(ws, key, &version);
    return err;
}

/* One read for the chunks of all needs. */
static enum fetch_outcome fetch_chunks(struct workspace *ws, struct store *store,
                                       struct store_read *read, uint32_t count)
{
    struct store_range *ranges = arena_alloc(&ws->arena, sizeof *ranges * count);
    uint32_t filled = 0;
    for (uint32_t i = 0; i < ws->need_count; i++) {
        const struct ws_need *need = &ws->needs[i];
        if (need->type != WS_NEED_CHUNKS)
            continue;
        INVARIANT(need->count > 0 && need->first + need->count <= BLOCK_CHUNKS);
        ranges[filled++] = (struct store_range){
            .block = need->key,
            .offset = need->first * CHUNK_SIZE,
            .length = need->count * CHUNK_SIZE,
            .into = arena_alloc(&ws->arena, (size_t)need->count * CHUNK_SIZE),
        };
    }
    INVARIANT(filled == count);
    read->at = STAMP_MAX;
    read->ranges = ranges;
    read->count = count;
    if (!store_read(store, read))
        return FETCH_LATER;
    if (read->err != OK)
        return FETCH_FAILED;
    fetch_chunks_arrived(ws, read);
    return FETCH_DONE;
}

void fetch_chunks_arrived(struct workspace *ws, const struct store_read *read)
{
    INVARIANT(read->err == OK);
    for (uint32_t i = 0; i < read->count; i++) {
        const struct store_range *range = &read->ranges[i];
        ws_supply_chunks(ws, range->block, range->offset / CHUNK_SIZE, range->length / CHUNK_SIZE,
                         range->into);
    }
    ws_clear_needs(ws);
}

enum fetch_outcome fetch_needs(struct workspace *ws, struct store *store, struct store_read *read)
{
    uint32_t chunks = 0;
    read->err = OK;
    for (uint32_t i = 0; i < ws->need_count && read->err == OK; i++) {
        struct ws_need need = ws->needs[i];
        switch (need.type) {
        case WS_NEED_OBJECT:
            read->err = fetch_object(ws, store, need.key);
            break;
        case WS_NEED_SCAN:
            read->err = fetch_scan(ws, store, &need);
            break;
        case WS_NEED_CHUNKS:
            chunks++;
            break;
        }
    }
    if (read->err != OK)
        return FETCH_FAILED;
    if (chunks)
        return fetch_chunks(ws, store, read, chunks);
    ws_clear_needs(ws);
    return FETCH_DONE;
}

/* --- validation --- */

static bool object_unchanged(void *ctx, const struct object_key *key, struct stamp stamp)
{
    struct object_version now;
    return store_get(ctx, *key, STAMP_MAX, &now) == OK && stamp_compare(now.stamp, stamp) == 0;
}

struct compare {
    const struct ws_scan *was;
    uint32_t at;
    bool same;
};

static bool compare_one(void *ctx, const struct object_key *key,
                        const struct object_version *version)
{
    struct compare *compare = ctx;
    if (compare->at == compare->was->count) {
        compare->same = compare->was->more;
        return false;
    }
    const struct ws_found *was = &compare->was->found[compare->at++];
    compare->same =
        object_key_equal(key, &was->key) && stamp_compare(version->stamp, was->version.stamp) == 0;
    return compare->same;
}

static bool range_unchanged(void *ctx, const struct ws_need *range, const struct ws_scan *found)
{
    struct compare compare = {.was = found, .same = true};
    enum err err = store_scan(ctx, range->key.kind, range->key.ino, range->from, range->to,
                              STAMP_MAX, compare_one, &compare);
    return err == OK && compare.same && compare.at == found->count;
}

bool fetch_still_valid(struct workspace *ws, struct store *store)
{
    return ws_each_read(ws, object_unchanged, store) && ws_each_scan(ws, range_unchanged, store);
}

/* --- the data of a read --- */

bool fetch_gather(struct workspace *ws, struct store *store, const struct fetch_pieces *pieces,
                  uint8_t *into, struct store_read *read)
{
    struct store_range *ranges = arena_alloc(&ws->arena, sizeof *ranges * pieces->count);
    uint32_t count = 0;
    uint64_t filled = 0;
    for (uint32_t i = 0; i < pieces->count; i++) {
        const struct fs_piece *piece = &pieces->pieces[i];
        INVARIANT(filled + piece->length <= pieces->length);
        switch (piece->type) {
        case FS_PIECE_HOLE:
            memset(into + filled, 0, piece->length);
            break;
        case FS_PIECE_MEMORY:
            memcpy(into + filled, piece->data, piece->length);
            break;
        case FS_PIECE_STORE:
            INVARIANT(piece->offset + piece->length <= BLOCK_SIZE);
            ranges[count++] =
                (struct store_range){piece->block, piece->offset, piece->length, into + filled};
            break;
        }
        filled += piece->length;
    }
    INVARIANT(filled == pieces->length);
    read->at = STAMP_MAX;
    read->ranges = ranges;
    read->count = count;
    read->err = OK;
    return count == 0 || store_read(store, read);
}
