/* SPDX-License-Identifier: MIT
 *
 * outbox.h: bytes that wait to go out, in chunks as long as a TLS record.
 */
#ifndef PACTFS_IO_TLS_OUTBOX_H
#define PACTFS_IO_TLS_OUTBOX_H

#include <sys/uio.h>

#include "core/base/bytes.h"

#define OUTBOX_CHUNK 16384u /* a record's plaintext at most (RFC 8446, 5.1) */
#define OUTBOX_SPARE 64u

struct outbox_chunk {
    struct outbox_chunk *next;
    uint32_t start, end;
    uint8_t data[OUTBOX_CHUNK];
};

/* Chunks that are not in use, shared by all outboxes. */
struct outbox_spare {
    struct outbox_chunk *first;
    uint32_t count;
};

struct outbox {
    struct outbox_spare *spare;
    struct outbox_chunk *first, *last;
    uint64_t bytes;
};

void outbox_add(struct outbox *outbox, const void *data, size_t len);
/* The first bytes, as many as are in one piece; none when it is empty. */
struct bytes outbox_peek(const struct outbox *outbox);
/* As many of the first chunks as fit; returns how many. */
int outbox_pieces(const struct outbox *outbox, struct iovec *pieces, int most);
void outbox_consume(struct outbox *outbox, size_t len);
/* Everything in `from`, behind what is in `to`. */
void outbox_move(struct outbox *to, struct outbox *from);
void outbox_clear(struct outbox *outbox);
void outbox_spare_free(struct outbox_spare *spare);

#endif
