/* SPDX-License-Identifier: MIT
 *
 * wire.c: what encoding and decoding a message costs; one line for each kind of sample.
 *
 *     ninja -C build tests/unit/wire/wire_bench && build/tests/unit/wire/wire_bench
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/assert.h"
#include "samples.h"

#define ROUNDS 300000u

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const struct message *message, unsigned rounds)
{
    struct arena arena;
    struct message out;
    struct bytes bytes = {0};
    char text[2048];
    arena_init(&arena);
    double start = now();
    for (unsigned i = 0; i < rounds; i++) {
        arena_reset(&arena);
        bytes = wire_encode(message, &arena);
    }
    double middle = now();
    struct arena own;
    arena_init(&own);
    bytes = sample_bytes(message, &own);
    for (unsigned i = 0; i < rounds; i++) {
        arena_reset(&arena);
        INVARIANT(wire_decode(bytes, &arena, &out) == OK);
    }
    double end = now();
    message_print(message, text, sizeof text);
    printf("%8.0f ns encode %8.0f ns decode %7zu bytes: %.60s\n", (middle - start) / rounds,
           (end - middle) / rounds, bytes.len - message->payload.len, text);
    arena_free(&own);
    arena_free(&arena);
}

/* A part of a directory as a mount asks for it, with attributes. */
static void listing(uint32_t count)
{
    static struct fs_entry entries[4096];
    static char names[4096][16];
    for (uint32_t i = 0; i < count; i++) {
        int len = snprintf(names[i], sizeof names[i], "file-%u.txt", i);
        entries[i] = (struct fs_entry){.name = {(const uint8_t *)names[i], (size_t)len},
                                       .cookie = (UINT64_C(1) << 50) * (i + 1) / 4,
                                       .attr = {.ino = 1000 + i,
                                                .size = 4096,
                                                .blocks = 8,
                                                .mode = 0100644,
                                                .uid = 1000,
                                                .gid = 1000,
                                                .nlink = 1,
                                                .atime = INT64_C(1700000000123456789),
                                                .mtime = INT64_C(1700000000123456789),
                                                .ctime = INT64_C(1700000000123456789),
                                                .btime = INT64_C(1700000000123456789)}};
    }
    struct message message = {.kind = MESSAGE_REPLY, .session = 5, .serial = 7};
    message.result.entries = entries;
    message.result.entry_count = count;
    measure(&message, ROUNDS / count + 1);
}

/* What most operations are answered with. */
static void reply(void)
{
    struct message message = {.kind = MESSAGE_REPLY, .session = 5, .serial = 300, .number = 7};
    message.result.attr = (struct fs_attr){.ino = 1000,
                                           .size = 4096,
                                           .blocks = 8,
                                           .mode = 0100644,
                                           .uid = 1000,
                                           .gid = 1000,
                                           .nlink = 1,
                                           .atime = INT64_C(1700000000123456789),
                                           .mtime = INT64_C(1700000000123456789),
                                           .ctime = INT64_C(1700000000123456789),
                                           .btime = INT64_C(1700000000123456789)};
    memset(message.volume, 7, sizeof message.volume);
    measure(&message, ROUNDS);
}

int main(void)
{
    struct message message;
    for (unsigned n = 0; sample(n, &message); n++)
        measure(&message, ROUNDS);
    reply();
    listing(30);
    listing(4096);
    return 0;
}
