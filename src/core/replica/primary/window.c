/* SPDX-License-Identifier: MIT
 *
 * window.c: the last records, in memory, as they are sent to others.
 *
 * Law
 *   W1  Each record follows the one before it; the last is the last of the store, unless the window
 *       is empty.
 *   W2  At most WINDOW_BYTES, or one record.
 */
#include <stdlib.h>
#include <string.h>

#include "core/replica/primary/private.h"

static void drop_first(struct primary *p)
{
    struct record *record = p->window.first;
    stream_record_dropped(p, record);
    if (p->own_unacked == record)
        p->own_unacked = record->next;
    p->window.first = record->next;
    if (!record->next)
        p->window.last = NULL;
    p->window.bytes -= sizeof *record + record->head_len + record->payload_len;
    free(record);
}

void window_clear(struct primary *p)
{
    while (p->window.first)
        drop_first(p);
    INVARIANT(p->window.bytes == 0);
}

void window_add(struct primary *p, const struct store_record *from)
{
    size_t size = sizeof(struct record) + from->head.len + from->payload_len;
    struct record *record = malloc(size);
    INVARIANT(record != NULL);
    *record = (struct record){.before = from->before,
                              .stamp = from->stamp,
                              .at = now_ns(p),
                              .head_len = (uint32_t)from->head.len,
                              .payload_len = (uint32_t)from->payload_len};
    memcpy(record->bytes, from->head.data, from->head.len);
    uint8_t *at = record->bytes + from->head.len;
    for (int i = 0; i < from->payload_count; i++) {
        memcpy(at, from->payload[i].data, from->payload[i].len);
        at += from->payload[i].len;
    }
    INVARIANT(at == record->bytes + record->head_len + record->payload_len);
    if (p->window.last && !stamp_equal(p->window.last->stamp, record->before))
        window_clear(p);
    if (p->window.last)
        p->window.last->next = record;
    else
        p->window.first = record;
    p->window.last = record;
    p->window.bytes += size;
    if (!p->own_unacked)
        p->own_unacked = record;
    stream_record_added(p, record);
    while (p->window.bytes > WINDOW_BYTES && p->window.first != record)
        drop_first(p);
}

bool window_find(const struct primary *p, struct stamp stamp, struct record **out)
{
    *out = NULL;
    if (stamp_equal(stamp, store_last_stamp(p->store)))
        return true;
    for (struct record *record = p->window.first; record; record = record->next)
        if (stamp_equal(record->before, stamp)) {
            *out = record;
            return true;
        }
    return false;
}

void record_send(struct primary *p, uint32_t to, const struct record *record)
{
    struct message m = message_new(p, MESSAGE_RECORD);
    struct env_iov payload = {(void *)(uintptr_t)(record->bytes + record->head_len),
                              record->payload_len};
    m.before = record->before;
    m.stamp = record->stamp;
    m.last = p->committed;
    m.head = (struct bytes){record->bytes, record->head_len};
    p->status.records_sent++;
    arena_reset(&p->arena);
    wire_send(p->net, to, &m, &payload, record->payload_len ? 1 : 0, &p->arena);
}
