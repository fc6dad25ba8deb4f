/* SPDX-License-Identifier: MIT */
#include "core/store/frame.h"

#include <pactfs.pb-c.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/assert.h"
#include "core/base/mark.h"

#define FRAME_SUMMED   40u                          /* bytes of the frame before its checksum */
#define SEGMENT_MAGIC  UINT64_C(0x3147455354434150) /* "PACTSEG1" */
#define SEGMENT_FORMAT 1u
#define SEGMENT_SUMMED 32u

uint64_t frame_record_len(const struct frame *frame)
{
    return ((uint64_t)FRAME_SIZE + frame->head_len + frame->payload_len + 7u) & ~UINT64_C(7);
}

uint64_t frame_seed(const uint8_t uuid[16], struct place at)
{
    return checksum64(uuid, 16, place_lsn(at));
}

static uint64_t frame_checksum(const uint8_t *frame, const uint8_t *head, size_t head_len,
                               uint64_t seed)
{
    return checksum64(head, head_len, checksum64(frame, FRAME_SUMMED, seed));
}

void frame_encode(const struct frame *frame, const uint8_t *head, uint64_t seed,
                  uint8_t out[FRAME_SIZE])
{
    struct cursor c = cursor_over(out, FRAME_SIZE);
    put_u32(&c, FRAME_MAGIC);
    put_u32(&c, frame->head_len);
    put_u32(&c, frame->payload_len);
    put_u32(&c, frame->flags);
    put_u64(&c, frame->sequence);
    put_u64(&c, frame->durable);
    put_u32(&c, frame->incarnation);
    put_u32(&c, 0);
    INVARIANT(FRAME_SIZE - cursor_left(&c) == FRAME_SUMMED);
    put_u64(&c, frame_checksum(out, head, frame->head_len, seed));
    INVARIANT(!c.bad && cursor_left(&c) == 0);
}

enum err frame_peek(const uint8_t in[FRAME_SIZE], uint64_t room, struct frame *frame)
{
    struct cursor c = cursor_over(in, FRAME_SIZE);
    uint32_t magic = get_u32(&c);
    frame->head_len = get_u32(&c);
    frame->payload_len = get_u32(&c);
    frame->flags = get_u32(&c);
    frame->sequence = get_u64(&c);
    frame->durable = get_u64(&c);
    frame->incarnation = get_u32(&c);
    if (magic != FRAME_MAGIC || frame_record_len(frame) > room)
        return ERR_DECODE;
    return OK;
}

bool frame_verify(const uint8_t *in, const struct frame *frame, uint64_t seed)
{
    struct cursor c = cursor_over(in + FRAME_SUMMED, FRAME_SIZE - FRAME_SUMMED);
    return get_u64(&c) == frame_checksum(in, in + FRAME_SIZE, frame->head_len, seed) ||
           MUTANT(frame_unchecked);
}

void segment_header_encode(const uint8_t uuid[16], uint32_t number, uint8_t *out)
{
    memset(out, 0, SEGMENT_HEADER);
    struct cursor c = cursor_over(out, SEGMENT_HEADER);
    put_u64(&c, SEGMENT_MAGIC);
    put_u32(&c, SEGMENT_FORMAT);
    put_u32(&c, number);
    put_bytes(&c, uuid, 16);
    put_u64(&c, checksum64(out, SEGMENT_SUMMED, 0));
    INVARIANT(!c.bad);
}

enum err segment_header_check(const uint8_t *in, const uint8_t uuid[16], uint32_t number)
{
    struct cursor c = cursor_over(in, SEGMENT_HEADER);
    if (get_u64(&c) != SEGMENT_MAGIC)
        return ERR_NOT_A_STORE;
    if (get_u32(&c) > SEGMENT_FORMAT)
        return ERR_NEWER_FORMAT;
    uint32_t found = get_u32(&c);
    const uint8_t *owner = get_bytes(&c, 16);
    bool intact = get_u64(&c) == checksum64(in, SEGMENT_SUMMED, 0);
    return intact && found == number && memcmp(owner, uuid, 16) == 0 ? OK : ERR_CORRUPT;
}

uint32_t entry_chunks(const struct entry *entry)
{
    if (entry->action == WRITE_CHUNKS)
        return (entry->length + CHUNK_SIZE - 1) / CHUNK_SIZE;
    return entry->action == WRITE_PUNCH ? entry->length : 0;
}

static bool entry_well_formed(const Pactfs__Entry *e)
{
    if (e->kind == OBJECT_NONE || e->kind >= OBJECT_KIND_COUNT)
        return false;
    bool block = object_kind_is_block((uint8_t)e->kind);
    switch (e->action) {
    case WRITE_PUT:
        return !block && e->value.len <= OBJECT_VALUE_MAX;
    case WRITE_DELETE:
        return true;
    case WRITE_CHUNKS:
        return block && e->length > 0 && e->length <= BLOCK_SIZE && e->first_chunk < BLOCK_CHUNKS &&
               e->n_sums == (e->length + CHUNK_SIZE - 1) / CHUNK_SIZE &&
               e->first_chunk + e->n_sums <= BLOCK_CHUNKS;
    case WRITE_PUNCH:
        return block && e->length > 0 && e->length <= BLOCK_CHUNKS &&
               e->first_chunk < BLOCK_CHUNKS && e->first_chunk + e->length <= BLOCK_CHUNKS;
    default:
        return false;
    }
}

static bool record_well_formed(const Pactfs__Record *message, const struct record_in *record)
{
    uint64_t payload = 0;
    for (size_t i = 0; i < message->n_entries; i++) {
        if (!entry_well_formed(message->entries[i]))
            return false;
        if (message->entries[i]->action == WRITE_CHUNKS)
            payload += message->entries[i]->length;
    }
    return payload == record->frame.payload_len;
}

enum err record_decode(const struct record_in *record, struct arena *arena,
                       void (*each)(void *ctx, const struct entry *entry), void *ctx)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    Pactfs__Record *message =
        pactfs__record__unpack(&allocator, record->frame.head_len, record->head);
    if (!message || !record_well_formed(message, record))
        return ERR_DECODE;
    uint32_t flags = record->frame.flags;
    const struct object_key *last = NULL;
    struct entry entry = {0};
    uint32_t payload = record->at.offset + FRAME_SIZE + record->frame.head_len;
    for (size_t i = 0; i < message->n_entries; i++) {
        const Pactfs__Entry *e = message->entries[i];
        struct object_key key = {(uint8_t)e->kind, e->ino, e->sub};
        bool first = !last || !object_key_equal(last, &key);
        entry = (struct entry){.action = (enum write_action)e->action,
                               .key = key,
                               .value = {e->value.data, e->value.len},
                               .first_chunk = e->first_chunk,
                               .length = e->length,
                               .sums = e->sums,
                               .stamp = flags & FRAME_OWN_STAMPS
                                            ? (struct stamp){e->time, e->node}
                                            : (struct stamp){message->time, message->node},
                               .frame = record->at,
                               .payload = {record->at.segment, payload},
                               .weight = (uint32_t)pactfs__entry__get_packed_size(e),
                               .moved = (flags & FRAME_MOVED) != 0,
                               .replaces = first && (flags & FRAME_ADOPTED)};
        last = &entry.key;
        each(ctx, &entry);
        if (e->action == WRITE_CHUNKS)
            payload += e->length;
    }
    return OK;
}

/* --- the stamp alone: of a message that may be long, without memory --- */

static uint64_t get_varint(struct cursor *c)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_u8(c);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    c->bad = true;
    return 0;
}

static void skip(struct cursor *c, uint64_t len)
{
    if (len > cursor_left(c))
        c->bad = true;
    else
        get_bytes(c, (size_t)len);
}

enum err record_stamp(struct bytes head, struct stamp *stamp)
{
    enum { VARINT, FIXED64, LENGTH, FIXED32 = 5 };
    struct cursor c = cursor_over(head.data, head.len);
    *stamp = STAMP_ZERO;
    while (!c.bad && cursor_left(&c)) {
        uint64_t tag = get_varint(&c), number = 0;
        if ((tag & 7) == VARINT)
            number = get_varint(&c);
        else if ((tag & 7) == FIXED64)
            number = get_u64(&c);
        else if ((tag & 7) == LENGTH)
            skip(&c, get_varint(&c));
        else if ((tag & 7) == FIXED32)
            skip(&c, 4);
        else
            c.bad = true;
        if (tag == (1 << 3 | FIXED64))
            stamp->time = number;
        else if (tag == (2 << 3 | VARINT))
            stamp->node = (uint32_t)number;
    }
    return c.bad ? ERR_DECODE : OK;
}

static void entry_to_message(const struct entry *entry, bool own_stamp, Pactfs__Entry *e)
{
    pactfs__entry__init(e);
    e->action = (uint32_t)entry->action;
    e->kind = entry->key.kind;
    e->ino = entry->key.ino;
    e->sub = entry->key.sub;
    e->value = (ProtobufCBinaryData){entry->value.len, (uint8_t *)(uintptr_t)entry->value.data};
    if (entry->action == WRITE_CHUNKS || entry->action == WRITE_PUNCH) {
        e->first_chunk = entry->first_chunk;
        e->length = entry->length;
    }
    if (entry->action == WRITE_CHUNKS) {
        e->n_sums = entry_chunks(entry);
        e->sums = (uint32_t *)(uintptr_t)entry->sums;
    }
    if (own_stamp) {
        e->time = entry->stamp.time;
        e->node = entry->stamp.node;
    }
}

size_t record_measure(const struct record_out *record, struct arena *arena, uint32_t *weights,
                      void **packed)
{
    Pactfs__Record *message = ARENA_NEW(arena, Pactfs__Record);
    pactfs__record__init(message);
    message->time = record->stamp.time;
    message->node = record->stamp.node;
    message->n_entries = record->count;
    message->entries = ARENA_ARRAY(arena, Pactfs__Entry *, record->count);
    Pactfs__Entry *entries = arena_alloc(arena, sizeof *entries * record->count);
    for (uint32_t i = 0; i < record->count; i++) {
        entry_to_message(&record->entries[i], record->own_stamps, &entries[i]);
        message->entries[i] = &entries[i];
        weights[i] = (uint32_t)pactfs__entry__get_packed_size(&entries[i]);
    }
    *packed = message;
    return pactfs__record__get_packed_size(message);
}

void record_encode(void *packed, uint8_t *out)
{
    pactfs__record__pack(packed, out);
}
