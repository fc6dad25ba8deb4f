/* SPDX-License-Identifier: MIT
 *
 * frame.h: how a segment file looks.
 *
 *     segment  = header (SEGMENT_HEADER bytes), records one after another, then zeros or the end of
 * the file record   = frame (FRAME_SIZE bytes), head (a protobuf Record), payload (raw chunks),
 * zeros up to a multiple of 8
 *
 * Records are numbered: `sequence` grows by one from record to record across segments.
 * `incarnation` is the number of the run of the node that wrote it. `durable` is a place in the log
 * up to which everything was durable when the record was made: a reader that finds an unreadable
 * record before that place knows it for damage, not for the torn end of a crash. The frame's
 * checksum covers frame and head; each chunk of the payload has its own in the head.
 */
#ifndef PACTFS_STORE_FRAME_H
#define PACTFS_STORE_FRAME_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/store/object.h"
#include "core/store/place.h"
#include "core/store/write_set.h"

#define SEGMENT_HEADER 4096u
#define FRAME_SIZE     48u
#define FRAME_MAGIC    UINT32_C(0x31524650) /* "PFR1" */

enum frame_flags {
    FRAME_MOVED = 1,    /* entries moved by the cleaner */
    FRAME_ADOPTED = 2,  /* objects as another replica has them: each is replaced whole */
    FRAME_NOTE = 4,     /* the node's own note */
    FRAME_REBASE = 8,   /* no entries: the store is what it was elsewhere at the record's stamp */
    FRAME_STAMPED = 16, /* with MOVED: the record has a stamp, as all others do */
};
/* Records with one of these are made here and are no part of the volume's order: their entries have
 * stamps of their own, and the record's says which was the last committed when it was written. A
 * record without flags is a commit. */
#define FRAME_OWN_STAMPS ((uint32_t)(FRAME_MOVED | FRAME_ADOPTED | FRAME_NOTE))

/* Objects as another replica has them: not what was abolished here (abolish.c). */
static inline bool frame_adopts(uint32_t flags)
{
    return (flags & FRAME_ADOPTED) && !(flags & FRAME_MOVED);
}

struct frame {
    uint32_t head_len, payload_len, flags, incarnation;
    uint64_t sequence, durable;
};

/* Length of the whole record in the segment. */
uint64_t frame_record_len(const struct frame *frame);

/* What a frame's checksum starts from: the volume and the place. A copy of a record that turns up
 * anywhere else (as the
 * contents of a file, in a stale part of a segment) is no record there. */
uint64_t frame_seed(const uint8_t uuid[16], struct place at);
/* Writes FRAME_SIZE bytes; `head` is the encoded Record that follows. */
void frame_encode(const struct frame *frame, const uint8_t *head, uint64_t seed,
                  uint8_t out[FRAME_SIZE]);
/* Reads the fixed part only: DECODE when it cannot be a frame (magic, lengths beyond `room`
 * bytes). */
enum err frame_peek(const uint8_t in[FRAME_SIZE], uint64_t room, struct frame *frame);
/* Verifies the checksum over frame and head; `in` holds FRAME_SIZE + head_len bytes. */
bool frame_verify(const uint8_t *in, const struct frame *frame, uint64_t seed);

/* The header of a segment file: SEGMENT_HEADER bytes. */
void segment_header_encode(const uint8_t uuid[16], uint32_t number, uint8_t *out);
/* NOT_A_STORE: no such header; NEWER_FORMAT; CORRUPT: another volume's or number's, or damaged. */
enum err segment_header_check(const uint8_t *in, const uint8_t uuid[16], uint32_t number);

/* One change, as recovery, cleaner and commit see it. */
struct entry {
    enum write_action action;
    struct object_key key;
    struct bytes value;           /* PUT */
    uint32_t first_chunk, length; /* CHUNKS: bytes; PUNCH: chunks */
    const uint32_t *sums;         /* CHUNKS: one for each chunk */
    struct stamp stamp;
    struct place frame;   /* of the record */
    struct place payload; /* CHUNKS: of the first byte */
    uint32_t weight;      /* bytes of the encoded entry */
    bool moved;
    bool replaces; /* adopted: no version of the object that was there before stays */
};
uint32_t entry_chunks(const struct entry *entry);

/* Decodes a record's head and calls each(ctx, entry) for every entry, in order; the entry's memory
 * is valid during the call. DECODE when it is not a valid Record (nothing was called then). `at` is
 * the place of the frame. */
struct arena;
struct record_in {
    struct frame frame;
    const uint8_t *head;
    struct place at;
};
enum err record_decode(const struct record_in *record, struct arena *arena,
                       void (*each)(void *ctx, const struct entry *entry), void *ctx);

/* The stamp in an encoded Record; DECODE when it is none. Looks at the fields only, not into
 * them. */
enum err record_stamp(struct bytes head, struct stamp *stamp);

/* Encodes entries into a Record. First record_measure, which fills each entry's weight and says how
 * long the head will be; then record_encode into that many bytes. */
struct record_out {
    const struct entry *entries;
    uint32_t count;
    struct stamp stamp;
    bool own_stamps; /* write each entry's */
};
size_t record_measure(const struct record_out *record, struct arena *arena, uint32_t *weights,
                      void **packed);
void record_encode(void *packed, uint8_t *out);

#endif
