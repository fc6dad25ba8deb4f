/* SPDX-License-Identifier: MIT
 *
 * reader.c: the records of a segment file, one after another, through a window of memory.
 * Blocking: for recovery, and for the jobs of the cleaner and of scrub.
 */
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

#define WINDOW (1u << 20)

void reader_init(struct segment_reader *reader, const struct store *store, uint32_t number,
                 struct env_file *file, uint64_t end)
{
    *reader = (struct segment_reader){.env = store->env,
                                      .uuid = store->identity.uuid,
                                      .number = number,
                                      .file = file,
                                      .end = end,
                                      .at = SEGMENT_HEADER};
}

void reader_free(struct segment_reader *reader)
{
    free(reader->window);
    reader->window = NULL;
}

/* Makes bytes [at, at + len) of the file available; NOENT when the file ends before. */
static enum err fill(struct segment_reader *reader, uint64_t at, uint64_t len,
                     const uint8_t **bytes)
{
    if (at + len > reader->end)
        return ERR_NOENT;
    if (at < reader->window_at || at + len > reader->window_at + reader->window_len) {
        uint64_t want = len > WINDOW ? len : WINDOW;
        if (want > reader->end - at)
            want = reader->end - at;
        if (want > reader->window_room) {
            free(reader->window);
            reader->window = malloc(want);
            INVARIANT(reader->window != NULL);
            reader->window_room = want;
        }
        size_t got = 0;
        reader->window_len = 0;
        enum err err = reader->env->ops->file_read(reader->file, at, reader->window, want, &got);
        if (err)
            return err;
        reader->window_at = at;
        reader->window_len = got;
        if (got < len)
            return ERR_NOENT;
    }
    *bytes = reader->window + (at - reader->window_at);
    return OK;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

/* The record at `at`, verified but for its payload. */
static enum err read_at(struct segment_reader *reader, uint64_t at, struct reader_record *record)
{
    const uint8_t *bytes;
    enum err err = fill(reader, at, FRAME_SIZE, &bytes);
    if (err)
        return err;
    if (frame_peek(bytes, reader->end - at, &record->frame))
        return all_zero(bytes, FRAME_SIZE) ? ERR_NOENT : ERR_DAMAGED_RECORD;
    err = fill(reader, at, frame_record_len(&record->frame), &bytes);
    if (err)
        return err == ERR_NOENT ? ERR_DAMAGED_RECORD : err;
    struct place place = {reader->number, (uint32_t)at};
    if (!frame_verify(bytes, &record->frame, frame_seed(reader->uuid, place)))
        return ERR_DAMAGED_RECORD;
    record->offset = (uint32_t)at;
    record->bytes = bytes;
    return OK;
}

enum err reader_next(struct segment_reader *reader, struct reader_record *record)
{
    enum err err = read_at(reader, reader->at, record);
    if (!err)
        reader->at += frame_record_len(&record->frame);
    return err;
}

bool reader_resync(struct segment_reader *reader)
{
    struct reader_record record;
    const uint8_t *bytes;
    uint64_t at = reader->at + 8;
    while (at + FRAME_SIZE <= reader->end) {
        struct frame frame;
        if (fill(reader, at, FRAME_SIZE, &bytes))
            return false;
        /* what follows may be long and of zeros: no call for each place in it */
        uint64_t window_end = reader->window_at + reader->window_len;
        while (at + FRAME_SIZE <= window_end && bytes[0] != (uint8_t)FRAME_MAGIC) {
            at += 8;
            bytes += 8;
        }
        if (at + FRAME_SIZE > window_end)
            continue;
        if (!frame_peek(bytes, reader->end - at, &frame) && !read_at(reader, at, &record)) {
            reader->at = at;
            return true;
        }
        at += 8;
    }
    return false;
}

struct verify {
    const struct reader_record *record;
    void (*bad)(void *ctx, uint32_t offset, uint32_t length);
    void *ctx;
};

static void verify_entry(void *ctx, const struct entry *entry)
{
    const struct verify *verify = ctx;
    uint32_t n = entry_chunks(entry);
    for (uint32_t i = 0; entry->action == WRITE_CHUNKS && i < n; i++) {
        uint32_t offset = entry->payload.offset + i * CHUNK_SIZE;
        uint32_t rest = entry->length - i * CHUNK_SIZE, len = rest < CHUNK_SIZE ? rest : CHUNK_SIZE;
        const uint8_t *bytes = verify->record->bytes + (offset - verify->record->offset);
        if (checksum32(bytes, len) != entry->sums[i])
            verify->bad(verify->ctx, offset, len);
    }
}

enum err record_each_bad(const struct reader_record *record, struct place at, struct arena *arena,
                         void (*bad)(void *ctx, uint32_t offset, uint32_t length), void *ctx)
{
    struct verify verify = {.record = record, .bad = bad, .ctx = ctx};
    struct record_in in = {record->frame, record->bytes + FRAME_SIZE, at};
    return record_decode(&in, arena, verify_entry, &verify);
}

static void first_bad(void *ctx, uint32_t offset, uint32_t length)
{
    uint32_t *first = ctx;
    (void)length;
    if (!*first)
        *first = offset;
}

uint32_t record_first_bad(const struct reader_record *record, uint32_t segment, struct arena *arena)
{
    uint32_t first = 0;
    struct place at = {segment, record->offset};
    return record_each_bad(record, at, arena, first_bad, &first) ? record->offset : first;
}
