/* SPDX-License-Identifier: MIT
 *
 * frames.c: see frames.h.
 */
#include "io/tls/frames.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void frames_put_head(uint8_t head[FRAMES_HEAD], uint32_t len)
{
    struct cursor c = cursor_over(head, FRAMES_HEAD);
    put_u32_be(&c, len);
}

size_t frames_held(const struct frames *frames)
{
    return frames->part ? frames->room : 0;
}

static size_t next_room(const struct frames *frames)
{
    if (frames->trusted)
        return frames->len;
    return least(frames->len, frames->room ? (size_t)2 * frames->room : FRAMES_STEP);
}

size_t frames_wants(const struct frames *frames)
{
    return frames->part && frames->have == frames->room ? next_room(frames) - frames->room : 0;
}

static void make_room(struct frames *frames)
{
    frames->room = (uint32_t)next_room(frames);
    frames->part = realloc(frames->part, frames->room);
    INVARIANT(frames->part != NULL);
}

uint8_t *frames_place(struct frames *frames, size_t *len)
{
    if (!frames->part)
        return NULL;
    if (frames->have == frames->room)
        make_room(frames);
    *len = frames->room - frames->have;
    return frames->part + frames->have;
}

void frames_free(struct frames *frames)
{
    free(frames->part);
    frames->part = NULL;
    frames->len = frames->have = frames->room = frames->head_have = 0;
}

static bool give_part(struct frames *frames, frames_each each, void *ctx)
{
    uint8_t *part = frames->part;
    struct bytes message = {part, frames->len};
    frames->part = NULL; /* each may free the frames */
    frames->len = frames->have = frames->room = 0;
    bool go_on = each(ctx, message);
    free(part);
    return go_on;
}

/* The bytes that belong to the message under way; true when it is whole. */
static bool fill_part(struct frames *frames, struct bytes *bytes)
{
    while (bytes->len > 0 && frames->have < frames->len) {
        size_t room = 0;
        uint8_t *at = frames_place(frames, &room);
        size_t n = least(room, bytes->len);
        if (at != bytes->data)
            memcpy(at, bytes->data, n);
        frames->have += (uint32_t)n;
        bytes->data += n;
        bytes->len -= n;
    }
    return frames->have == frames->len;
}

static bool fill_head(struct frames *frames, struct bytes *bytes)
{
    size_t n = least(FRAMES_HEAD - frames->head_have, bytes->len);
    memcpy(frames->head + frames->head_have, bytes->data, n);
    frames->head_have += (uint32_t)n;
    bytes->data += n;
    bytes->len -= n;
    return frames->head_have == FRAMES_HEAD;
}

/* A message whose length is known: at once when all of it is here, else its beginning is kept. */
static enum err begin(struct frames *frames, struct bytes *bytes, frames_each each, void *ctx)
{
    struct cursor c = cursor_over(frames->head, FRAMES_HEAD);
    uint32_t len = get_u32_be(&c);
    if (len > frames->longest)
        return ERR_LIMIT;
    frames->head_have = 0;
    if (len <= bytes->len) {
        struct bytes message = {bytes->data, len};
        bytes->data += len;
        bytes->len -= len;
        return each(ctx, message) ? OK : ERR_CONFLICT;
    }
    frames->len = len;
    frames->have = frames->room = 0;
    make_room(frames);
    fill_part(frames, bytes);
    return OK;
}

enum err frames_add(struct frames *frames, struct bytes bytes, frames_each each, void *ctx)
{
    enum err err = OK;
    while (!err && bytes.len > 0) {
        if (frames->part) {
            if (fill_part(frames, &bytes) && !give_part(frames, each, ctx))
                err = ERR_CONFLICT;
        } else if (fill_head(frames, &bytes)) {
            err = begin(frames, &bytes, each, ctx);
        }
    }
    return err;
}
