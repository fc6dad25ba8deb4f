/* SPDX-License-Identifier: MIT */
#include "core/store/index_entry.h"

#include <string.h>

#include "core/base/assert.h"

enum { TYPE_VALUE = 1, TYPE_DELETED = 2, TYPE_BLOCK = 3 };
enum { FLAG_COUNTED = 1 };

void index_key_encode(const struct object_key *object, struct stamp stamp, uint8_t key[INDEX_KEY])
{
    struct cursor c = cursor_over(key, INDEX_KEY);
    put_u8(&c, object->kind);
    put_u64_be(&c, object->ino);
    put_u64_be(&c, object->sub);
    put_u64_be(&c, ~stamp.time);
    put_u32_be(&c, ~stamp.node);
    INVARIANT(!c.bad && cursor_left(&c) == 0);
}

enum err index_key_decode(struct bytes key, struct object_key *object, struct stamp *stamp)
{
    struct cursor c = cursor_over(key.data, key.len);
    object->kind = get_u8(&c);
    object->ino = get_u64_be(&c);
    object->sub = get_u64_be(&c);
    stamp->time = ~get_u64_be(&c);
    stamp->node = ~get_u32_be(&c);
    if (c.bad || cursor_left(&c) != 0 || object->kind == OBJECT_NONE ||
        object->kind >= OBJECT_KIND_COUNT)
        return ERR_CORRUPT;
    return OK;
}

/* The length of the run of chunks from `first` on that one run entry can describe. */
static uint32_t run_length(const struct chunk *chunks, uint32_t first)
{
    const struct chunk *a = &chunks[first];
    uint32_t n = 1;
    for (; first + n < BLOCK_CHUNKS; n++) {
        const struct chunk *last = &chunks[first + n - 1], *b = &chunks[first + n];
        if (b->state != a->state || b->counted != a->counted ||
            stamp_compare(a->stamp, b->stamp) != 0)
            break;
        uint32_t step = a->state == CHUNK_DATA ? CHUNK_SIZE : 0;
        if (b->place.segment != a->place.segment || b->place.offset != a->place.offset + n * step)
            break;
        if (a->state == CHUNK_DATA && last->len != CHUNK_SIZE)
            break;
    }
    return n;
}

static void put_run(struct cursor *c, const struct chunk *chunks, uint32_t first, uint32_t n)
{
    const struct chunk *a = &chunks[first];
    put_u8(c, (uint8_t)first);
    put_u8(c, (uint8_t)n);
    put_u8(c, (uint8_t)(a->state | (a->counted ? 0x10 : 0)));
    put_u16(c, chunks[first + n - 1].len);
    put_u32(c, a->place.segment);
    put_u32(c, a->place.offset);
    put_u64(c, a->stamp.time);
    put_u32(c, a->stamp.node);
    for (uint32_t i = 0; a->state == CHUNK_DATA && i < n; i++)
        put_u32(c, chunks[first + i].sum);
}

static void put_block(struct cursor *c, const struct version *version)
{
    uint8_t *count = c->at;
    put_u8(c, 0);
    for (uint32_t i = 0; i < BLOCK_CHUNKS;) {
        if (version->chunks[i].state == CHUNK_ABSENT) {
            i++;
            continue;
        }
        uint32_t n = run_length(version->chunks, i);
        put_run(c, version->chunks, i, n);
        ++*count;
        i += n;
    }
}

static uint32_t entry_checksum(const struct object_key *object, struct stamp stamp,
                               const uint8_t *value, size_t len)
{
    uint8_t key[INDEX_KEY];
    index_key_encode(object, stamp, key);
    return (uint32_t)checksum64(value, len, checksum64(key, sizeof key, 0));
}

size_t index_value_encode(const struct object_key *object, const struct version *version,
                          uint8_t *out)
{
    struct cursor c = cursor_over(out, INDEX_VALUE_MAX);
    INVARIANT(version->block == object_kind_is_block(object->kind));
    put_u8(&c, version->block ? TYPE_BLOCK : version->present ? TYPE_VALUE : TYPE_DELETED);
    put_u8(&c, version->counted ? FLAG_COUNTED : 0);
    put_u32(&c, version->oldest);
    if (version->block) {
        put_block(&c, version);
    } else {
        put_u32(&c, version->place.segment);
        put_u32(&c, version->place.offset);
        put_u32(&c, version->weight);
        put_u32(&c, version->present ? (uint32_t)version->value.len : 0);
        if (version->present)
            put_bytes(&c, version->value.data, version->value.len);
    }
    INVARIANT(!c.bad && cursor_left(&c) >= 4);
    size_t len = INDEX_VALUE_MAX - cursor_left(&c);
    put_u32(&c, entry_checksum(object, version->stamp, out, len));
    return len + 4;
}

bool index_version_sound(struct bytes key, struct bytes value)
{
    if (key.len != INDEX_KEY || value.len < 4)
        return false;
    struct cursor tail = cursor_over(value.data + value.len - 4, 4);
    return get_u32(&tail) ==
           (uint32_t)checksum64(value.data, value.len - 4, checksum64(key.data, key.len, 0));
}

static bool get_run(struct cursor *c, struct version *version)
{
    uint32_t first = get_u8(c), n = get_u8(c);
    uint8_t state = get_u8(c);
    uint16_t tail = get_u16(c);
    struct chunk a = {.state = state & 0xf, .counted = (state & 0x10) != 0};
    a.place.segment = get_u32(c);
    a.place.offset = get_u32(c);
    a.stamp.time = get_u64(c);
    a.stamp.node = get_u32(c);
    if (c->bad || n == 0 || first + n > BLOCK_CHUNKS ||
        (a.state != CHUNK_DATA && a.state != CHUNK_HOLE))
        return false;
    if (a.state == CHUNK_DATA && (tail == 0 || tail > CHUNK_SIZE))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct chunk *chunk = &version->chunks[first + i];
        if (chunk->state != CHUNK_ABSENT)
            return false;
        *chunk = a;
        if (a.state != CHUNK_DATA)
            continue;
        chunk->place.offset = a.place.offset + i * CHUNK_SIZE;
        chunk->len = i + 1 == n ? tail : CHUNK_SIZE;
        chunk->sum = get_u32(c);
    }
    return !c->bad;
}

static bool get_block(struct cursor *c, struct version *version)
{
    memset(version->chunks, 0, sizeof version->chunks);
    for (uint32_t runs = get_u8(c); runs > 0; runs--)
        if (!get_run(c, version))
            return false;
    return true;
}

static bool get_small(struct cursor *c, struct version *version)
{
    version->place.segment = get_u32(c);
    version->place.offset = get_u32(c);
    version->weight = get_u32(c);
    version->value.len = get_u32(c);
    version->value.data = get_bytes(c, version->value.len);
    return !c->bad && version->value.len <= OBJECT_VALUE_MAX;
}

enum err index_value_decode(const struct object_key *object, struct stamp stamp, struct bytes value,
                            struct version *version)
{
    if (value.len < 4)
        return ERR_CORRUPT;
    struct cursor c = cursor_over(value.data, value.len - 4);
    struct cursor tail = cursor_over(value.data + value.len - 4, 4);
    if (get_u32(&tail) != entry_checksum(object, stamp, value.data, value.len - 4))
        return ERR_CORRUPT;
    uint8_t type = get_u8(&c);
    version->stamp = stamp;
    version->counted = (get_u8(&c) & FLAG_COUNTED) != 0;
    version->block = type == TYPE_BLOCK;
    version->present = type == TYPE_VALUE;
    version->oldest = get_u32(&c);
    version->value = (struct bytes){NULL, 0};
    version->weight = 0;
    if (version->block != object_kind_is_block(object->kind) || type < TYPE_VALUE ||
        type > TYPE_BLOCK)
        return ERR_CORRUPT;
    if (!(version->block ? get_block(&c, version) : get_small(&c, version)))
        return ERR_CORRUPT;
    return c.bad || cursor_left(&c) != 0 ? ERR_CORRUPT : OK;
}

uint32_t version_chunks(const struct version *version)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; version->block && i < BLOCK_CHUNKS; i++)
        if (version->chunks[i].state == CHUNK_DATA)
            bits |= UINT32_C(1) << i;
    return bits;
}

bool version_present(const struct version *version)
{
    return version->block ? version_chunks(version) != 0 : version->present;
}
