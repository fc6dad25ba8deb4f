/* SPDX-License-Identifier: MIT
 *
 * record.c: frames, segment headers and the heads of records.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/assert.h"
#include "core/store/frame.h"

static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct totals {
    uint64_t payload, bytes;
};

/* What every user of record_decode relies on. */
static void look_at(void *ctx, const struct entry *entry)
{
    struct totals *totals = ctx;

    INVARIANT(entry->key.kind > OBJECT_NONE && entry->key.kind < OBJECT_KIND_COUNT);
    for (size_t i = 0; i < entry->value.len; i++)
        totals->bytes += entry->value.data[i];
    if (entry->action != WRITE_CHUNKS)
        return;
    INVARIANT(entry_chunks(entry) >= 1);
    INVARIANT(entry->first_chunk + entry_chunks(entry) <= BLOCK_CHUNKS);
    for (uint32_t i = 0; i < entry_chunks(entry); i++)
        totals->bytes += entry->sums[i];
    totals->payload += entry->length;
}

static void decode(const struct frame *frame, const uint8_t *head)
{
    struct record_in in = {*frame, head, {1, SEGMENT_HEADER}};
    struct totals totals = {0, 0};
    struct arena arena;

    arena_init(&arena);
    if (record_decode(&in, &arena, look_at, &totals) == OK)
        INVARIANT(totals.payload == frame->payload_len);
    arena_free(&arena);
}

/* The first byte chooses: a segment header, bytes as they come, or a head behind a frame that fits
 * it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;

    if (size < 1 + FRAME_SIZE)
        return 0;
    if (data[0] % 3 == 0) {
        uint8_t *header = calloc(1, SEGMENT_HEADER);

        INVARIANT(header);
        memcpy(header, data + 1, size - 1 < SEGMENT_HEADER ? size - 1 : SEGMENT_HEADER);
        segment_header_check(header, uuid, 7);
        free(header);
        return 0;
    }
    if (frame_peek(data + 1, size - 1, &frame) != OK)
        return 0;
    INVARIANT(frame_record_len(&frame) <= size - 1);
    if (data[0] % 3 == 1 || frame_verify(data + 1, &frame, 0))
        decode(&frame, data + 1 + FRAME_SIZE);
    return 0;
}

static size_t header_seed(uint8_t *out)
{
    out[0] = 0;
    segment_header_encode(uuid, 7, out + 1);
    return 1 + SEGMENT_HEADER;
}

static size_t record_seed(uint8_t *out, bool moved)
{
    static const uint32_t sums[2] = {17, 18};
    const struct stamp stamp = {1234567, 1};
    const struct entry entries[] = {
        {.action = WRITE_PUT,
         .key = {OBJECT_INODE, 5, 0},
         .value = {(const uint8_t *)"an inode", 8},
         .stamp = stamp},
        {.action = WRITE_DELETE, .key = {OBJECT_DIRENT, 5, 99}, .stamp = stamp},
        {.action = WRITE_PUNCH,
         .key = {OBJECT_BLOCK, 5, 1},
         .first_chunk = 3,
         .length = 4,
         .stamp = stamp},
        {.action = WRITE_CHUNKS,
         .key = {OBJECT_BLOCK, 5, 2},
         .first_chunk = 30,
         .length = 5000,
         .sums = sums,
         .stamp = stamp},
    };
    struct record_out record = {entries, 4, stamp, moved};
    uint32_t weights[4];
    struct arena arena;
    struct frame frame = {.payload_len = 5000, .sequence = 9, .durable = 8};
    void *packed;

    arena_init(&arena);
    frame.head_len = (uint32_t)record_measure(&record, &arena, weights, &packed);
    frame.flags = moved ? FRAME_MOVED : 0;
    record_encode(packed, out + 1 + FRAME_SIZE);
    frame_encode(&frame, out + 1 + FRAME_SIZE, 0, out + 1);
    arena_free(&arena);
    out[0] = moved ? 2 : 1;
    memset(out + 1 + FRAME_SIZE + frame.head_len, 'x', 5008);
    return 1 + (size_t)frame_record_len(&frame);
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    if (number == 0)
        return header_seed(out);
    return number <= 2 ? record_seed(out, number == 2) : 0;
}
