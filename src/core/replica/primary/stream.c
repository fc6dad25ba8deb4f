/* SPDX-License-Identifier: MIT
 *
 * stream.c: agreement: the records go to each other replica, and what all of the view have durably
 * is committed.
 *
 * Law
 *   S1  A replica is sent records in order, each behind the one that it had last.
 *   S2  At most UNACKED_BYTES (and one record) are on their way to one.
 *   S3  `committed` is the smallest stamp that is durable at every member, those of a proposed view
 *       included; it never goes back within a reign.
 */
#include <stdlib.h>

#include "core/replica/primary/private.h"

void stream_init(struct primary *p, struct peer *peer)
{
    peer->stream = calloc(1, sizeof *peer->stream);
    INVARIANT(peer->stream != NULL);
    peer->stream->primary = p;
    peer->stream->node = peer->node;
}

static void drop_tail(struct stream *stream)
{
    if (!stream->tail)
        return;
    if (stream->reading) {
        stream->ended = true; /* closed when the read has ended */
        return;
    }
    store_tail_close(stream->tail);
    stream->tail = NULL;
}

void stream_stop(struct peer *peer)
{
    struct stream *stream = peer->stream;
    drop_tail(stream);
    stream->mode = STREAM_NONE;
    stream->next = stream->unacked = NULL;
    stream->unacked_bytes = 0;
}

/* As if the process had died: a read under way is never heard of again. */
void stream_free(struct peer *peer)
{
    if (peer->stream->tail && !peer->stream->reading)
        store_tail_close(peer->stream->tail);
    free(peer->stream);
    peer->stream = NULL;
}

static uint64_t record_bytes(const struct record *record)
{
    return (uint64_t)record->head_len + record->payload_len;
}

static void begin_window(struct stream *stream, struct record *next)
{
    drop_tail(stream);
    stream->mode = STREAM_WINDOW;
    stream->next = stream->unacked = next;
    stream->unacked_bytes = 0;
}

bool stream_start(struct primary *p, struct peer *peer, struct stamp last)
{
    struct stream *stream = peer->stream;
    struct record *next;
    if (stream->reading)
        return true; /* of before; it is about to end */
    drop_tail(stream);
    stream->rewound = now_ns(p);
    peer->last = last;
    if (window_find(p, last, &next)) {
        begin_window(stream, next);
        stream_pump(p, peer);
        return true;
    }
    if (stamp_equal(peer->no_log, last) || store_tail_open(p->store, last, &stream->tail) != OK) {
        stream->mode = STREAM_NONE;
        return false;
    }
    MARK(stream_from_log);
    stream->mode = STREAM_LOG;
    stream->read_end = last;
    stream->next = stream->unacked = NULL;
    stream_pump(p, peer);
    return true;
}

/* --- from the log --- */

static void read_each(struct store_tail_read *read, const struct store_record *record)
{
    struct stream *stream =
        (struct stream *)(void *)((uint8_t *)read - offsetof(struct stream, read));
    struct primary *p = stream->primary;
    struct peer *peer = peer_find(p, stream->node);
    struct message m = message_new(p, MESSAGE_RECORD);
    if (stream->ended)
        return;
    m.before = record->before;
    m.stamp = record->stamp;
    m.last = p->committed;
    m.head = record->head;
    arena_reset(&p->arena);
    wire_send(p->net, stream->node, &m, record->payload, record->payload_count, &p->arena);
    p->status.records_sent++;
    stream->read_end = record->stamp;
    if (peer) {
        peer->repaired_bytes += record->head.len + record->payload_len;
        peer->repaired_objects++;
    }
}

static void read_done(struct store_tail_read *read)
{
    struct stream *stream =
        (struct stream *)(void *)((uint8_t *)read - offsetof(struct stream, read));
    struct primary *p = stream->primary;
    struct peer *peer = peer_find(p, stream->node);
    stream->reading = false;
    if (stream->ended || stream->mode != STREAM_LOG || !peer) {
        stream->ended = false;
        if (stream->tail)
            store_tail_close(stream->tail);
        stream->tail = NULL;
        if (stream->mode == STREAM_LOG)
            stream->mode = STREAM_NONE;
        return;
    }
    if (read->err != OK) {
        MARK(stream_log_gone);
        peer->no_log = stream->read_end;
        stream_stop(peer); /* it asks again, and is given a snapshot */
        if (peer->member)
            peer->resigned = true;
        return;
    }
    if (read->count == 0)
        stream_pump(p, peer);
}

static void read_more(struct primary *p, struct peer *peer)
{
    struct stream *stream = peer->stream;
    struct record *next;
    if (stream->reading || !stamp_equal(peer->last, stream->read_end))
        return;
    if (window_find(p, stream->read_end, &next)) {
        begin_window(stream, next);
        stream_pump(p, peer);
        return;
    }
    stream->read =
        (struct store_tail_read){.most_bytes = BATCH_BYTES, .each = read_each, .done = read_done};
    stream->reading = true;
    if (store_tail_read(stream->tail, &stream->read))
        read_done(&stream->read);
}

/* --- from the window --- */

void stream_pump(struct primary *p, struct peer *peer)
{
    struct stream *stream = peer->stream;
    if (stream->mode == STREAM_LOG)
        read_more(p, peer);
    if (stream->mode != STREAM_WINDOW)
        return;
    while (stream->next && (stream->unacked_bytes < UNACKED_BYTES)) {
        record_send(p, peer->node, stream->next);
        stream->unacked_bytes += record_bytes(stream->next);
        stream->next = stream->next->next;
    }
}

void stream_pump_all(struct primary *p)
{
    for (uint32_t i = 0; i < p->peer_count; i++)
        stream_pump(p, &p->peers[i]);
}

void stream_record_added(struct primary *p, struct record *record)
{
    for (uint32_t i = 0; i < p->peer_count; i++) {
        struct stream *stream = p->peers[i].stream;
        if (stream->mode != STREAM_WINDOW)
            continue;
        if (!stream->next)
            stream->next = record;
        if (!stream->unacked)
            stream->unacked = record;
    }
}

/* One that is so far behind goes on from the log. */
void stream_record_dropped(struct primary *p, const struct record *record)
{
    for (uint32_t i = 0; i < p->peer_count; i++) {
        struct stream *stream = p->peers[i].stream;
        if (stream->mode == STREAM_WINDOW &&
            (stream->unacked == record || stream->next == record)) {
            MARK(stream_left_behind);
            stream->mode = STREAM_NONE;
            stream->next = stream->unacked = NULL;
            stream->unacked_bytes = 0;
        }
    }
}

/* --- what it says it has --- */

static void acknowledged(struct peer *peer)
{
    struct stream *stream = peer->stream;
    while (stream->unacked && stream->unacked != stream->next &&
           !stamp_less(peer->durable, stream->unacked->stamp)) {
        uint64_t bytes = record_bytes(stream->unacked);
        stream->unacked_bytes -= bytes < stream->unacked_bytes ? bytes : stream->unacked_bytes;
        stream->unacked = stream->unacked->next;
    }
}

/* The last record that it was sent. */
static struct stamp sent_last(const struct primary *p, const struct stream *stream)
{
    if (stream->mode == STREAM_LOG)
        return stream->read_end;
    return stream->next ? stream->next->before : store_last_stamp(p->store);
}

static void diverged(struct primary *p, struct peer *peer)
{
    if (!peer->member || peer->resigned)
        return;
    MARK(member_diverged);
    tell(p, "node %u has records that no view has: it leaves the view and is repaired", peer->node);
    peer->resigned = true;
}

void stream_told(struct primary *p, struct peer *peer, const struct message *m)
{
    struct stream *stream = peer->stream;
    uint64_t now = now_ns(p);
    bool progress = stamp_less(peer->last, m->last);
    if (!peer->member && !peer->joining)
        return;
    if (stream->mode == STREAM_SNAPSHOT)
        return;
    peer->last = m->last;
    if (stamp_less(peer->durable, m->stamp))
        peer->durable = m->stamp;
    if (MUTANT(received_is_durable) && stamp_less(peer->durable, m->last))
        peer->durable = m->last;
    if (stream->mode == STREAM_NONE) {
        if (!stream_start(p, peer, m->last))
            diverged(p, peer);
    } else if (!progress && !stream->reading && !stamp_equal(m->last, sent_last(p, stream)) &&
               now - stream->rewound > p->timing.heartbeat / 2) {
        MARK(stream_rewound);
        if (!stream_start(p, peer, m->last))
            diverged(p, peer);
    } else if (progress) {
        stream->rewound = now;
    }
    acknowledged(peer);
    stream_pump(p, peer);
    stream_commit(p);
}

void stream_commit(struct primary *p)
{
    if (p->part != PART_PRIMARY)
        return;
    struct stamp all = p->durable;
    for (uint32_t i = 0; i < p->peer_count; i++) {
        const struct peer *peer = &p->peers[i];
        if (peer->member && stamp_less(peer->durable, all) && !MUTANT(commit_without_all))
            all = peer->durable;
    }
    bool moved_on = stamp_less(p->committed, all);
    if (moved_on)
        p->committed = all;
    if (!p->settled && !stamp_less(all, p->settle)) {
        char view[256];
        p->settled = true;
        tell(p, "primary in %s", view_print(&p->view, view, sizeof view));
    }
    serve_release(p);
    /* Other copies answer reads: they should know at once. */
    if (p->contract.read == READ_ONE && moved_on &&
        stamp_equal(p->committed, store_last_stamp(p->store)))
        lease_heartbeat(p);
}

bool stream_has_room(const struct primary *p)
{
    for (uint32_t i = 0; i < p->peer_count; i++)
        if (p->peers[i].member && p->peers[i].stream->next && p->window.bytes > WINDOW_BYTES / 2 &&
            stamp_less(p->peers[i].durable, p->durable))
            return false;
    return true;
}
