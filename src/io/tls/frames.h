/* SPDX-License-Identifier: MIT
 *
 * frames.h: messages out of a stream of bytes: each behind its length, 4 bytes, big-endian.
 *
 * Law
 *   F1  Messages come out whole, in order, however the stream is cut.
 *   F2  A message is held only while a part of it is missing, and in no more memory than twice what
 *       has come of it, or FRAMES_STEP; of a trusted sender, in as much as it says it will be.
 */
#ifndef PACTFS_IO_TLS_FRAMES_H
#define PACTFS_IO_TLS_FRAMES_H

#include "core/base/bytes.h"
#include "core/base/err.h"

#define FRAMES_HEAD 4u
#define FRAMES_STEP (64u << 10)

struct frames {
    uint32_t longest; /* bytes of a message; more is refused */
    bool trusted;
    uint8_t head[FRAMES_HEAD];
    uint32_t head_have;
    uint8_t *part; /* what is there of the message that is under way; NULL: none is */
    uint32_t len, have, room;
};

/* Returns false to stop: the rest is dropped. */
typedef bool (*frames_each)(void *ctx, struct bytes message);

/* Where the next bytes had better be read to; NULL: anywhere. *len: how many go there. */
uint8_t *frames_place(struct frames *frames, size_t *len);
/* Bytes that were read: in frames_place, or elsewhere. LIMIT: a message longer than `longest`
 * begins, nothing more is taken then; CONFLICT: `each` said stop; else OK. */
enum err frames_add(struct frames *frames, struct bytes bytes, frames_each each, void *ctx);
/* Memory that is held; what more the next frames_place takes. */
size_t frames_held(const struct frames *frames);
size_t frames_wants(const struct frames *frames);
void frames_free(struct frames *frames);

void frames_put_head(uint8_t head[FRAMES_HEAD], uint32_t len);

#endif
