/* SPDX-License-Identifier: MIT
 *
 * index_entry.h: the index's keys and values.
 *
 * The index maps (object, stamp) to a version: a small value itself, or a map of where each chunk
 * of a block lies. A key is kind, ino, sub (big endian) and the stamp inverted, so that versions of
 * an object stand together, newest first. Each value ends with a checksum over key and value: a
 * flipped bit is found, not served.
 *
 * Other keys of the index, by their first byte: INDEX_META (one record about the checkpoint),
 * INDEX_SEGMENT (one per segment), INDEX_EXPIRY (versions that the policy keeps for a while, by the
 * stamp that superseded them).
 */
#ifndef PACTFS_STORE_INDEX_ENTRY_H
#define PACTFS_STORE_INDEX_ENTRY_H

#include "core/base/err.h"
#include "core/store/object.h"
#include "core/store/place.h"

enum {
    INDEX_META = 0x00,
    INDEX_EXPIRY = 0xfd,
    INDEX_SEGMENT = 0xfe,
};

#define INDEX_OBJECT_KEY 17u /* kind, ino, sub */
#define INDEX_KEY        29u /* with the stamp */
#define INDEX_VALUE_MAX  8000u

enum chunk_state { CHUNK_ABSENT = 0, CHUNK_DATA = 1, CHUNK_HOLE = 2 };

/* A HOLE remembers that a chunk was punched or deleted at a stamp, as long as older bytes of it may
 * be in the log; an ABSENT chunk was never written. Both read as zeros. */
struct chunk {
    enum chunk_state state;
    bool counted;       /* HOLE: its record was moved by the cleaner and counts as live */
    uint16_t len;       /* DATA: bytes stored, 1 to CHUNK_SIZE; the rest is zeros */
    uint32_t sum;       /* DATA: checksum32 of those bytes */
    struct place place; /* DATA: of the bytes; HOLE: of the record */
    struct stamp stamp; /* of the write that made it so */
};

struct version {
    struct stamp stamp;
    bool block;         /* then only chunks, stamp and oldest count */
    bool present;       /* small values; false: deleted at stamp */
    bool counted;       /* deleted, and moved by the cleaner: counts as live */
    uint32_t weight;    /* small values: bytes of its entry in the log */
    struct place place; /* small values: of its record */
    uint32_t oldest;    /* no bytes of this object are in a segment before this one */
    struct bytes value; /* points into what was decoded */
    struct chunk chunks[BLOCK_CHUNKS];
};

/* `key` receives INDEX_KEY bytes; with INDEX_OBJECT_KEY bytes it is the prefix of all versions. */
void index_key_encode(const struct object_key *object, struct stamp stamp, uint8_t key[INDEX_KEY]);
enum err index_key_decode(struct bytes key, struct object_key *object, struct stamp *stamp);

/* Returns the length written to `out` (room for INDEX_VALUE_MAX bytes). */
size_t index_value_encode(const struct object_key *object, const struct version *version,
                          uint8_t *out);
/* CORRUPT when checksum or form are wrong; *version is undefined then. */
enum err index_value_decode(const struct object_key *object, struct stamp stamp, struct bytes value,
                            struct version *version);

/* True when the checksum of an entry, of whatever kind, says that key and value are as they were
 * written. */
bool index_entry_sound(struct bytes key, struct bytes value);
bool index_version_sound(struct bytes key, struct bytes value); /* likewise, of a version */

/* The bit map of chunks that hold data. */
uint32_t version_chunks(const struct version *version);
bool version_present(const struct version *version);

#endif
