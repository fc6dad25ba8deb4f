/* SPDX-License-Identifier: MIT
 *
 * version.c: built once with -DWIRE_VERSION=1u -DCODEC=codec_1 and once as version 2, each in a
 * library that shows nothing but its struct codec.
 */
#include "version.h"

#include "samples.h"

static bool encode_sample(unsigned number, struct arena *arena, struct bytes *out)
{
    struct message message;
    if (!sample(number, &message))
        return false;
    *out = sample_bytes(&message, arena);
    return true;
}

static struct codec_view decode_sample(unsigned number, struct bytes bytes, struct arena *arena)
{
    struct message expected, message;
    struct codec_view view = {.err = wire_decode(bytes, arena, &message)};
    view.version = message.version;
    view.kind = (uint32_t)message.kind;
#if WIRE_VERSION > 1
    view.newest = message.newest;
#endif
    view.same = view.err == OK && sample(number, &expected) && sample_equal(&expected, &message);
    return view;
}

static struct bytes greet(struct arena *arena)
{
#if WIRE_VERSION > 1
    return wire_encode(&(struct message){.kind = MESSAGE_GREETING, .serial = 5}, arena);
#else
    (void)arena;
    return (struct bytes){0};
#endif
}

__attribute__((visibility("default")))
const struct codec CODEC = {WIRE_VERSION, encode_sample, decode_sample, greet};
