/* SPDX-License-Identifier: MIT
 *
 * bytes.h: byte ranges, shared buffers, and the bounded cursor that all hand-written codecs use.
 *
 * A cursor never runs past its end: a get or put that would, does nothing, sets `bad` and returns
 * zero. Check `bad` once at the end. Integers are little endian, except the _be forms, which sort
 * as bytes in the order of the numbers and are meant for keys.
 */
#ifndef PACTFS_BASE_BYTES_H
#define PACTFS_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data;
    size_t len;
};

/* A reference-counted buffer: file data on its way from a mount into the log without a copy.
 * Not thread-safe: references are taken and dropped on the loop only. */
struct shared {
    uint32_t refs;
    void (*release)(struct shared *s); /* called once, when refs reaches 0; owns the memory */
};

static inline struct shared *shared_ref(struct shared *s)
{
    if (s)
        s->refs++;
    return s;
}

static inline void shared_unref(struct shared *s)
{
    if (s && --s->refs == 0)
        s->release(s);
}

struct cursor {
    uint8_t *at, *end;
    bool bad;
};

struct cursor cursor_over(const void *data, size_t len);
static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

uint8_t get_u8(struct cursor *c);
uint16_t get_u16(struct cursor *c);
uint32_t get_u32(struct cursor *c);
uint64_t get_u64(struct cursor *c);
uint32_t get_u32_be(struct cursor *c);
uint64_t get_u64_be(struct cursor *c);
/* A pointer to the next `len` bytes inside the buffer, or NULL (and bad) when fewer are left. */
const uint8_t *get_bytes(struct cursor *c, size_t len);

void put_u8(struct cursor *c, uint8_t v);
void put_u16(struct cursor *c, uint16_t v);
void put_u32(struct cursor *c, uint32_t v);
void put_u64(struct cursor *c, uint64_t v);
void put_u32_be(struct cursor *c, uint32_t v);
void put_u64_be(struct cursor *c, uint64_t v);
void put_bytes(struct cursor *c, const void *data, size_t len);

/* XXH3 over the bytes (Collet): fast, not meant against an adversary. checksum32 is its lower half.
 */
uint64_t checksum64(const void *data, size_t len, uint64_t seed);
uint32_t checksum32(const void *data, size_t len);

#endif
