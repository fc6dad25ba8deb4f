/* SPDX-License-Identifier: MIT
 *
 * reader.h: the records of a segment, one after another.
 */
#ifndef PACTFS_STORE_READER_H
#define PACTFS_STORE_READER_H

#include "core/base/arena.h"
#include "core/env/env.h"
#include "core/store/frame.h"
#include "core/store/store.h"

struct segment_reader {
    const struct env *env;
    const uint8_t *uuid;
    uint32_t number;
    struct env_file *file;
    uint8_t *window;
    uint64_t window_at, window_len, window_room, end;
    uint64_t at; /* offset of the next record */
};
void reader_init(struct segment_reader *reader, const struct store *store, uint32_t number,
                 struct env_file *file, uint64_t end);
void reader_free(struct segment_reader *reader);
/* The record at reader->at: OK with its frame, its bytes (valid until the next call); NOENT where
 * there is none (zeros or the end); DAMAGED_RECORD; IO. Moves on behind it when OK. Blocking. */
struct reader_record {
    struct frame frame;
    uint32_t offset;
    const uint8_t *bytes; /* FRAME_SIZE + head + payload */
};
enum err reader_next(struct segment_reader *reader, struct reader_record *record);
/* Moves to the next offset at which an intact record begins. False when there is none. */
bool reader_resync(struct segment_reader *reader);
/* Calls bad(ctx, offset, length) for each chunk of the payload that is not what its checksum says.
 * DECODE when the head is no record. */
enum err record_each_bad(const struct reader_record *record, struct place at, struct arena *arena,
                         void (*bad)(void *ctx, uint32_t offset, uint32_t length),
                         void *ctx); /* lint: parameters-ok: a callback and its context */
/* Verifies payload checksums: the offset of the first bad byte run, or 0. */
uint32_t record_first_bad(const struct reader_record *record, uint32_t segment,
                          struct arena *arena);

#endif
