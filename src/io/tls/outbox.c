/* SPDX-License-Identifier: MIT
 *
 * outbox.c: see outbox.h.
 */
#include "io/tls/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

static struct outbox_chunk *chunk_new(struct outbox *outbox)
{
    struct outbox_spare *spare = outbox->spare;
    struct outbox_chunk *chunk = spare->first;
    if (chunk) {
        spare->first = chunk->next;
        spare->count--;
    } else {
        chunk = malloc(sizeof *chunk);
        INVARIANT(chunk != NULL);
    }
    chunk->next = NULL;
    chunk->start = chunk->end = 0;
    if (outbox->last)
        outbox->last->next = chunk;
    else
        outbox->first = chunk;
    outbox->last = chunk;
    return chunk;
}

static void drop_first(struct outbox *outbox)
{
    struct outbox_spare *spare = outbox->spare;
    struct outbox_chunk *chunk = outbox->first;
    outbox->first = chunk->next;
    if (!outbox->first)
        outbox->last = NULL;
    if (spare->count == OUTBOX_SPARE) {
        free(chunk);
        return;
    }
    chunk->next = spare->first;
    spare->first = chunk;
    spare->count++;
}

void outbox_add(struct outbox *outbox, const void *data, size_t len)
{
    const uint8_t *from = data;
    outbox->bytes += len;
    while (len > 0) {
        struct outbox_chunk *chunk = outbox->last;
        if (!chunk || chunk->end == OUTBOX_CHUNK)
            chunk = chunk_new(outbox);
        size_t n = OUTBOX_CHUNK - chunk->end;
        if (n > len)
            n = len;
        memcpy(chunk->data + chunk->end, from, n);
        chunk->end += (uint32_t)n;
        from += n;
        len -= n;
    }
}

struct bytes outbox_peek(const struct outbox *outbox)
{
    const struct outbox_chunk *chunk = outbox->first;
    if (!chunk)
        return (struct bytes){0};
    return (struct bytes){chunk->data + chunk->start, chunk->end - chunk->start};
}

int outbox_pieces(const struct outbox *outbox, struct iovec *pieces, int most)
{
    int count = 0;
    for (struct outbox_chunk *chunk = outbox->first; chunk && count < most; chunk = chunk->next)
        pieces[count++] = (struct iovec){chunk->data + chunk->start, chunk->end - chunk->start};
    return count;
}

void outbox_consume(struct outbox *outbox, size_t len)
{
    INVARIANT(len <= outbox->bytes);
    outbox->bytes -= len;
    while (len > 0) {
        struct outbox_chunk *chunk = outbox->first;
        size_t there = chunk->end - chunk->start;
        if (len < there) {
            chunk->start += (uint32_t)len;
            return;
        }
        len -= there;
        drop_first(outbox);
    }
}

void outbox_move(struct outbox *to, struct outbox *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->bytes += from->bytes;
    from->first = from->last = NULL;
    from->bytes = 0;
}

void outbox_clear(struct outbox *outbox)
{
    outbox_consume(outbox, outbox->bytes);
}

void outbox_spare_free(struct outbox_spare *spare)
{
    while (spare->first) {
        struct outbox_chunk *chunk = spare->first;
        spare->first = chunk->next;
        free(chunk);
    }
    spare->count = 0;
}
