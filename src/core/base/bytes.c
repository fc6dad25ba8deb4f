/* SPDX-License-Identifier: MIT */
#include "core/base/bytes.h"

#include <string.h>
#include <xxhash.h>

struct cursor cursor_over(const void *data, size_t len)
{
    uint8_t *start = (uint8_t *)(uintptr_t)data;
    return (struct cursor){.at = start, .end = start + len, .bad = false};
}

/* The next len bytes, or NULL and bad. Both directions of all codecs pass here. */
static uint8_t *take(struct cursor *c, size_t len)
{
    if (c->bad || cursor_left(c) < len) {
        c->bad = true;
        return NULL;
    }
    uint8_t *at = c->at;
    c->at += len;
    return at;
}

static uint64_t get_little(struct cursor *c, unsigned width)
{
    const uint8_t *p = take(c, width);
    uint64_t v = 0;
    for (unsigned i = 0; p && i < width; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static uint64_t get_big(struct cursor *c, unsigned width)
{
    const uint8_t *p = take(c, width);
    uint64_t v = 0;
    for (unsigned i = 0; p && i < width; i++)
        v = v << 8 | p[i];
    return v;
}

static void put_little(struct cursor *c, uint64_t v, unsigned width)
{
    uint8_t *p = take(c, width);
    for (unsigned i = 0; p && i < width; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void put_big(struct cursor *c, uint64_t v, unsigned width)
{
    uint8_t *p = take(c, width);
    for (unsigned i = 0; p && i < width; i++)
        p[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
}

uint8_t get_u8(struct cursor *c)
{
    return (uint8_t)get_little(c, 1);
}

uint16_t get_u16(struct cursor *c)
{
    return (uint16_t)get_little(c, 2);
}

uint32_t get_u32(struct cursor *c)
{
    return (uint32_t)get_little(c, 4);
}

uint64_t get_u64(struct cursor *c)
{
    return get_little(c, 8);
}

uint32_t get_u32_be(struct cursor *c)
{
    return (uint32_t)get_big(c, 4);
}

uint64_t get_u64_be(struct cursor *c)
{
    return get_big(c, 8);
}

const uint8_t *get_bytes(struct cursor *c, size_t len)
{
    return take(c, len);
}

void put_u8(struct cursor *c, uint8_t v)
{
    put_little(c, v, 1);
}

void put_u16(struct cursor *c, uint16_t v)
{
    put_little(c, v, 2);
}

void put_u32(struct cursor *c, uint32_t v)
{
    put_little(c, v, 4);
}

void put_u64(struct cursor *c, uint64_t v)
{
    put_little(c, v, 8);
}

void put_u32_be(struct cursor *c, uint32_t v)
{
    put_big(c, v, 4);
}

void put_u64_be(struct cursor *c, uint64_t v)
{
    put_big(c, v, 8);
}

void put_bytes(struct cursor *c, const void *data, size_t len)
{
    uint8_t *p = take(c, len);
    if (p && len)
        memcpy(p, data, len);
}

uint64_t checksum64(const void *data, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, len, seed);
}

uint32_t checksum32(const void *data, size_t len)
{
    return (uint32_t)XXH3_64bits(data, len);
}
