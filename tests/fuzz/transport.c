/* SPDX-License-Identifier: MIT
 *
 * transport.c: the stream of a connection, cut into messages (io/tls/frames.h). However it is cut,
 * the same messages come out, and no more memory is held than law F2 says.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "fuzz.h"
#include "io/tls/frames.h"

#define OPTIONS 4u

struct reading {
    const uint8_t *stream; /* what the messages have to be, by a plain reading */
    size_t len, at;
    uint32_t longest;
    bool over; /* by the plain reading: a length that is not allowed, or a part */
    uint32_t stop_after;
};

static bool each(void *ctx, struct bytes message)
{
    struct reading *r = ctx;
    struct cursor c = cursor_over(r->stream + r->at, r->len - r->at);
    uint32_t len = get_u32_be(&c);
    INVARIANT(!c.bad && len <= r->longest && len == message.len);
    INVARIANT(len <= cursor_left(&c));
    INVARIANT(len == 0 || memcmp(c.at, message.data, len) == 0);
    r->at += FRAMES_HEAD + len;
    return r->stop_after == 0 || --r->stop_after > 0;
}

/* What is left is the beginning of a message, or one that is not allowed. */
static void check_end(const struct reading *r, const struct frames *frames, enum err err)
{
    struct cursor c = cursor_over(r->stream + r->at, r->len - r->at);
    uint32_t len = get_u32_be(&c);
    if (err == ERR_CONFLICT)
        return;
    if (err == ERR_LIMIT)
        INVARIANT(!c.bad && len > r->longest);
    else
        INVARIANT(c.bad || (len <= r->longest && len > cursor_left(&c)));
    INVARIANT(err || c.bad || frames_held(frames) > 0);
}

static void check_memory(const struct frames *frames)
{
    size_t most = 2 * (size_t)frames->have > FRAMES_STEP ? 2 * (size_t)frames->have : FRAMES_STEP;
    if (!frames->trusted)
        INVARIANT(frames_held(frames) <= most);
    INVARIANT(frames_held(frames) <= frames->longest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < OPTIONS)
        return 0;
    struct reading r = {.stream = data + OPTIONS,
                        .len = size - OPTIONS,
                        .longest = (uint32_t)(data[0] * 64 + 1),
                        .stop_after = data[3]};
    struct frames frames = {.longest = r.longest, .trusted = data[1] & 1};
    size_t step = data[2] % 64 + 1u, at = 0;
    enum err err = OK;
    while (!err && at < r.len) {
        size_t room = 0, n = r.len - at < step ? r.len - at : step;
        uint8_t *place = data[1] & 2 ? frames_place(&frames, &room) : NULL;
        if (place && n > room)
            n = room;
        uint8_t *copy = malloc(n); /* so that a sanitizer sees the very end */
        INVARIANT(copy != NULL);
        memcpy(place ? place : copy, r.stream + at, n);
        err = frames_add(&frames, (struct bytes){place ? place : copy, n}, each, &r);
        free(copy);
        at += n;
        step = step * 7 % 61 + 1;
        check_memory(&frames);
    }
    check_end(&r, &frames, err);
    frames_free(&frames);
    INVARIANT(frames_held(&frames) == 0);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const uint16_t lengths[][6] = {{5, 0, 1, 300, 0, 20},
                                          {16000, 0, 0, 0, 0, 0},
                                          {1, 1, 1, 1, 1, 1},
                                          {200, 17000, 3, 0, 0, 0}};
    size_t at = OPTIONS;
    if (number >= 16)
        return 0;
    memset(out, 0, FUZZ_INPUT_MAX);
    out[0] = 255;
    out[1] = (uint8_t)(number / 4);
    out[2] = (uint8_t)(number * 5);
    for (int i = 0; i < 6; i++) {
        uint16_t len = lengths[number % 4][i];
        if (at + FRAMES_HEAD + len > FUZZ_INPUT_MAX)
            break;
        frames_put_head(out + at, len);
        for (uint16_t k = 0; k < len; k++)
            out[at + FRAMES_HEAD + k] = (uint8_t)k;
        at += FRAMES_HEAD + len;
    }
    return at;
}
