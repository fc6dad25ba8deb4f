/* SPDX-License-Identifier: MIT
 *
 * cut_model.c: objects in a sorted array; it answers the needs of a workspace and applies write
 * sets.
 */
#include "cut_model.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/mark.h"

static void *must(void *memory)
{
    INVARIANT(memory != NULL);
    return memory;
}

/* --- digests --- */

static uint64_t seed_of(const struct object_key *key, uint32_t chunk)
{
    uint64_t name[] = {key->kind, key->ino, key->sub, chunk};
    return checksum64(name, sizeof name, 1);
}

uint64_t digest_value(const struct object_key *key, struct bytes value)
{
    return checksum64(value.data, value.len, seed_of(key, UINT32_MAX));
}

uint64_t digest_chunk(const struct object_key *block, uint32_t chunk, const uint8_t *data)
{
    return checksum64(data, CHUNK_SIZE, seed_of(block, chunk));
}

static uint64_t digest_item(const struct model_item *item)
{
    uint64_t digest = 0;
    if (!object_kind_is_block(item->key.kind))
        return digest_value(&item->key, item->value);
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++)
        if (item->data[i])
            digest += digest_chunk(&item->key, i, item->data[i]);
    return digest;
}

/* --- objects --- */

static size_t place_of(const struct model *model, const struct object_key *key)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (object_key_compare(&model->items[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct model_item *find(const struct model *model, const struct object_key *key)
{
    size_t at = place_of(model, key);
    bool found = at < model->count && object_key_equal(&model->items[at]->key, key);
    return found ? model->items[at] : NULL;
}

static struct model_item *find_or_make(struct model *model, const struct object_key *key)
{
    struct model_item *item = find(model, key);
    if (item)
        return item;
    size_t at = place_of(model, key);
    if (model->count == model->room) {
        model->room = model->room ? model->room * 2 : 256;
        model->items = must(realloc(model->items, model->room * sizeof *model->items));
    }
    memmove(&model->items[at + 1], &model->items[at], (model->count - at) * sizeof *model->items);
    model->items[at] = item = must(calloc(1, sizeof *item));
    item->key = *key;
    model->count++;
    if (!object_kind_is_block(key->kind))
        model->digest += digest_item(item);
    return item;
}

static void item_free(struct model_item *item)
{
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++)
        free(item->data[i]);
    free((void *)(uintptr_t)item->value.data);
    free(item);
}

static void drop(struct model *model, const struct object_key *key)
{
    struct model_item *item = find(model, key);
    if (!item)
        return;
    size_t at = place_of(model, key);
    model->digest -= digest_item(item);
    item_free(item);
    model->count--;
    memmove(&model->items[at], &model->items[at + 1], (model->count - at) * sizeof *model->items);
}

static struct object_version version_of(const struct model_item *item)
{
    if (!item)
        return (struct object_version){.stamp = STAMP_ZERO};
    return (struct object_version){item->stamp, true, item->value, item->chunks};
}

/* --- answering needs --- */

static void supply_chunks(struct model *model, const struct ws_need *need)
{
    uint8_t *buf = must(calloc(need->count, CHUNK_SIZE));
    const struct model_item *item = find(model, &need->key);
    for (uint32_t i = 0; item && i < need->count; i++)
        if (item->data[need->first + i])
            memcpy(buf + (size_t)i * CHUNK_SIZE, item->data[need->first + i], CHUNK_SIZE);
    ws_supply_chunks(&model->ws, need->key, need->first, need->count, buf);
    free(buf);
}

static void supply_scan(struct model *model, const struct ws_need *need)
{
    struct object_key from = {need->key.kind, need->key.ino, need->from};
    size_t first = place_of(model, &from), most = model->count - first + 1;
    struct ws_found *found = must(calloc(most, sizeof *found));
    uint32_t count = 0;
    bool more = false;
    for (size_t i = first; i < model->count && !more; i++) {
        const struct model_item *item = model->items[i];
        if (item->key.kind != from.kind || item->key.ino != from.ino || item->key.sub > need->to)
            break;
        more = count == need->limit;
        if (!more)
            found[count++] = (struct ws_found){item->key, version_of(item)};
    }
    ws_supply_scan(&model->ws, need, found, count, more);
    free(found);
}

static void supply_all(struct model *model)
{
    for (uint32_t i = 0; i < model->ws.need_count; i++) {
        struct ws_need need = model->ws.needs[i];
        struct object_version version;
        switch (need.type) {
        case WS_NEED_OBJECT:
            version = version_of(find(model, &need.key));
            ws_supply(&model->ws, need.key, &version);
            break;
        case WS_NEED_CHUNKS:
            supply_chunks(model, &need);
            break;
        case WS_NEED_SCAN:
            supply_scan(model, &need);
            break;
        }
    }
    ws_clear_needs(&model->ws);
}

/* --- applying write sets --- */

static void set_chunk(struct model *model, struct model_item *item, uint32_t chunk,
                      struct bytes data)
{
    if (item->data[chunk])
        model->digest -= digest_chunk(&item->key, chunk, item->data[chunk]);
    free(item->data[chunk]);
    item->data[chunk] = NULL;
    item->chunks &= ~(UINT32_C(1) << chunk);
    if (!data.len)
        return;
    item->data[chunk] = must(calloc(1, CHUNK_SIZE));
    memcpy(item->data[chunk], data.data, data.len);
    item->chunks |= UINT32_C(1) << chunk;
    model->digest += digest_chunk(&item->key, chunk, item->data[chunk]);
}

static void apply_write(struct model *model, const struct write *write)
{
    if (write->action == WRITE_DELETE) {
        drop(model, &write->key);
        return;
    }
    struct model_item *item = find_or_make(model, &write->key);
    item->stamp = (struct stamp){model->stamps, 1};
    if (write->action == WRITE_PUT) {
        uint8_t *copy = must(malloc(write->value.len + 1));
        if (write->value.len)
            memcpy(copy, write->value.data, write->value.len);
        model->digest -= digest_item(item);
        free((void *)(uintptr_t)item->value.data);
        item->value = (struct bytes){copy, write->value.len};
        model->digest += digest_item(item);
        return;
    }
    for (uint32_t i = 0; i < write->chunks; i++) {
        struct bytes data = {NULL, 0};
        size_t at = (size_t)i * CHUNK_SIZE;
        if (write->action == WRITE_CHUNKS && at < write->value.len) {
            size_t rest = write->value.len - at;
            data = (struct bytes){write->value.data + at, rest < CHUNK_SIZE ? rest : CHUNK_SIZE};
        }
        set_chunk(model, item, write->first_chunk + i, data);
    }
}

static enum err apply(struct model *model, const struct fs_op *op)
{
    enum err err;
    ws_reset(&model->ws);
    while ((err = fs_apply(&model->ws, &model->volume, op, &model->result)) == ERR_NEED)
        supply_all(model);
    if (err)
        return err;
    struct write_set set = ws_write_set(&model->ws);
    model->stamps++;
    for (size_t i = 0; i < set.count; i++)
        apply_write(model, &set.items[i]);
    return OK;
}

/* The model shares the file service with what is under test, but not its deliberate bugs. */
enum err model_apply(struct model *model, const struct fs_op *op)
{
#ifdef PACTFS_INSTRUMENTED
    enum mutant was = mutant_on;
    mutant_on = MUTANT_NONE;
    enum err err = apply(model, op);
    mutant_on = was;
    return err;
#else
    return apply(model, op);
#endif
}

void model_gather(struct model *model, uint8_t *into)
{
    for (uint32_t i = 0; i < model->result.piece_count; i++) {
        const struct fs_piece *piece = &model->result.pieces[i];
        const struct model_item *item = find(model, &piece->block);
        INVARIANT(piece->type == FS_PIECE_HOLE || item != NULL);
        for (uint32_t done = 0, n; done < piece->length; done += n, into += n) {
            uint32_t at = piece->offset + done, left = piece->length - done;
            const uint8_t *chunk =
                piece->type == FS_PIECE_STORE ? item->data[at / CHUNK_SIZE] : NULL;
            n = CHUNK_SIZE - at % CHUNK_SIZE < left ? CHUNK_SIZE - at % CHUNK_SIZE : left;
            if (chunk)
                memcpy(into, chunk + at % CHUNK_SIZE, n);
            else
                memset(into, 0, n);
        }
    }
}

void model_init(struct model *model, uint64_t salt)
{
    memset(model, 0, sizeof *model);
    model->volume.salt = salt;
    ws_init(&model->ws);
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < model->count; i++)
        item_free(model->items[i]);
    free(model->items);
    ws_free(&model->ws);
}
