/* SPDX-License-Identifier: MIT
 *
 * version.h: the codec of one version. Two of them, built from the same sources, meet in
 * versions_test.c.
 */
#ifndef PACTFS_TESTS_WIRE_VERSION_H
#define PACTFS_TESTS_WIRE_VERSION_H

#include "core/base/arena.h"
#include "core/base/bytes.h"
#include "core/base/err.h"

/* What one version makes of the bytes of another. */
struct codec_view {
    enum err err;
    uint32_t version, kind;
    uint32_t newest; /* the field that version 2 has more; 0 in version 1 */
    bool same;       /* it is the sample */
};

struct codec {
    uint32_t version;
    /* Sample `number` as this version sends it; false: there is none. */
    bool (*encode)(unsigned number, struct arena *arena, struct bytes *out);
    struct codec_view (*decode)(unsigned number, struct bytes bytes, struct arena *arena);
    /* A message of a kind that only version 2 knows; empty in version 1. */
    struct bytes (*greet)(struct arena *arena);
};

extern const struct codec codec_1, codec_2;

#endif
