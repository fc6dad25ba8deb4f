/* SPDX-License-Identifier: MIT
 *
 * index.c: the keys and values of the index, and the table entries of segments.
 */
#include "fuzz.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/store/index_entry.h"
#include "core/store/segments.h"

static void look_at(const struct version *version)
{
    uint32_t sum = version_chunks(version);

    for (size_t i = 0; i < version->value.len; i++)
        sum += version->value.data[i];
    INVARIANT(version->value.len <= OBJECT_VALUE_MAX);
    for (uint32_t i = 0; version->block && i < BLOCK_CHUNKS; i++)
        if (version->chunks[i].state == CHUNK_DATA)
            INVARIANT(version->chunks[i].len >= 1 && version->chunks[i].len <= CHUNK_SIZE);
    (void)sum;
}

/* What decodes can be encoded, and decodes to the same. */
static void round_trip(const struct object_key *key, struct stamp stamp, const struct version *a)
{
    uint8_t out[INDEX_VALUE_MAX], again[INDEX_VALUE_MAX];
    struct version b;
    size_t len = index_value_encode(key, a, out);

    INVARIANT(index_value_decode(key, stamp, (struct bytes){out, len}, &b) == OK);
    INVARIANT(version_chunks(a) == version_chunks(&b));
    INVARIANT(index_value_encode(key, &b, again) == len && memcmp(out, again, len) == 0);
}

static void try_value(struct bytes key, struct bytes value)
{
    struct object_key object;
    struct stamp stamp;
    struct version version;

    if (index_key_decode(key, &object, &stamp) != OK)
        return;
    if (index_value_decode(&object, stamp, value, &version) != OK)
        return;
    look_at(&version);
    round_trip(&object, stamp, &version);
}

/* The first byte chooses: a segment's entry, or key and value, as they come or with the right
 * checksum. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment segment;
    uint8_t value[INDEX_VALUE_MAX];
    size_t len;
    uint32_t sum;

    if (size >= 1 && data[0] % 3 == 0) {
        segment_decode((struct bytes){data + 1, size - 1}, &segment);
        return 0;
    }
    if (size < 1 + INDEX_KEY + 4)
        return 0;
    len = size - 1 - INDEX_KEY < sizeof value ? size - 1 - INDEX_KEY : sizeof value;
    memcpy(value, data + 1 + INDEX_KEY, len);
    sum = (uint32_t)checksum64(value, len - 4, checksum64(data + 1, INDEX_KEY, 0));
    if (data[0] % 3 == 1)
        memcpy(value + len - 4, &sum, 4);
    try_value((struct bytes){data + 1, INDEX_KEY}, (struct bytes){value, len});
    return 0;
}

static size_t seed_of(uint8_t *out, const struct object_key *key, const struct version *version)
{
    out[0] = 1;
    index_key_encode(key, version->stamp, out + 1);
    return 1 + INDEX_KEY + index_value_encode(key, version, out + 1 + INDEX_KEY);
}

static size_t block_seed(uint8_t *out, bool dense)
{
    const struct object_key key = {OBJECT_BLOCK, 5, 3};
    struct version v = {.stamp = {777, 1}, .block = true, .oldest = 1};

    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++) {
        struct chunk *c = &v.chunks[i];

        if (!dense && i % 3 == 2)
            continue;
        c->state = !dense && i % 3 == 1 ? CHUNK_HOLE : CHUNK_DATA;
        c->place = (struct place){2, 8192 + i * CHUNK_SIZE};
        c->stamp = (struct stamp){dense ? 700 : 700 + i, 1};
        c->len = c->state == CHUNK_DATA ? (dense ? CHUNK_SIZE : 100) : 0;
        c->sum = c->state == CHUNK_DATA ? i : 0;
    }
    return seed_of(out, &key, &v);
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    const struct object_key key = {OBJECT_INODE, 5, 0};
    struct version v = {.stamp = {777, 1}, .present = true, .weight = 30, .oldest = 1};
    struct segment segment = {.number = 9, .state = SEGMENT_SEALED, .bytes = 100000, .live = 5};

    v.place = (struct place){3, 4096};
    v.value = (struct bytes){(const uint8_t *)"the value", 9};
    switch (number) {
    case 0:
        return seed_of(out, &key, &v);
    case 1:
        v.present = false;
        v.value.len = 0;
        return seed_of(out, &key, &v);
    case 2:
        return block_seed(out, true);
    case 3:
        return block_seed(out, false);
    case 4:
        out[0] = 0;
        segment_encode(&segment, out + 1);
        return 1 + SEGMENT_VALUE;
    default:
        return 0;
    }
}
