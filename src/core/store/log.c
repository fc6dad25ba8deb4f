/* SPDX-License-Identifier: MIT
 *
 * log.c: appending to the log and making it durable.
 *
 * Commits copy or reference their bytes into pieces in memory; jobs write pieces to the head
 * segment and sync. Two jobs may be under way: `syncer` writes what waits and syncs (group commit:
 * whoever asked meanwhile goes with the next), `writer` only writes.
 *
 * Law
 *   L1  Pieces are in order of place and without gaps inside a segment; a closed piece does not
 *       change.
 *   L2  The syncer starts only when the writer rests, so that its sync covers all that was written
 *       before.
 *   L3  `durable` moves to the end of what the syncer wrote, when it is done; waiters are answered
 *       in order.
 *   L4  Nothing accepted stays unsynced longer than limits.unsynced_ns plus the time of two jobs:
 *       the timer runs whenever appended is beyond durable.
 *   L5  After a failed write or sync nothing is written any more: every waiter gets the error.
 */
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

#define PIECE_ROOM     65536u     /* of a piece that collects small appends */
#define REFERENCE_FROM 16384u     /* payloads from this size on are referenced, not copied */
#define WRITE_FROM     262144u    /* unsent bytes that start a write without a sync */
#define WRITE_MOST     (4u << 20) /* bytes of one job: their memory is free again when it is done */
#define SYNC_SWITCHES  4u         /* segments filled before a sync starts that nobody asked for */

static void timer_fire(struct env_timer *timer);
static void flush_run(struct env_job *job);
static void flush_done(struct env_job *job);

void log_init(struct store *store)
{
    struct log *log = &store->log;
    log->timer.fire = timer_fire;
    log->writer.store = log->syncer.store = store;
    log->writer.job.run = log->syncer.job.run = flush_run;
    log->writer.job.done = log->syncer.job.done = flush_done;
}

static void piece_free(struct log_piece *piece)
{
    shared_unref(piece->owner);
    free(piece);
}

void log_release(struct store *store)
{
    struct log *log = &store->log;
    while (log->first) {
        struct log_piece *piece = log->first;
        log->first = piece->next;
        piece_free(piece);
    }
    log->last = log->unsent = NULL;
    store->env->ops->timer_stop(store->env, &log->timer);
}

bool log_idle(const struct store *store)
{
    const struct log *log = &store->log;
    return !log->writer.busy && !log->syncer.busy && !log->first;
}

static void piece_add(struct log *log, struct log_piece *piece)
{
    if (log->last)
        log->last->next = piece;
    else
        log->first = piece;
    log->last = piece;
    if (!log->unsent)
        log->unsent = piece;
}

static bool piece_continues(const struct log_piece *piece, struct place place, uint32_t len)
{
    return piece && !piece->closed && !piece->owner && piece->place.segment == place.segment &&
           piece->place.offset + piece->len == place.offset && piece->room - piece->len >= len;
}

/* Room for the next `len` bytes of the log at `place`. */
static uint8_t *log_space(struct log *log, struct place place, uint32_t len)
{
    struct log_piece *piece = log->last;
    if (!piece_continues(piece, place, len)) {
        uint32_t room = len > PIECE_ROOM ? len : PIECE_ROOM;
        piece = malloc(sizeof *piece + room);
        INVARIANT(piece != NULL);
        *piece = (struct log_piece){.place = place, .room = room, .data = (uint8_t *)(piece + 1)};
        piece_add(log, piece);
    }
    uint8_t *space = piece->data + piece->len;
    piece->len += len;
    log->pending += len;
    return space;
}

static void log_reference(struct log *log, struct place place, struct bytes bytes,
                          struct shared *owner)
{
    MARK(log_referenced);
    struct log_piece *piece = malloc(sizeof *piece);
    INVARIANT(piece != NULL);
    *piece = (struct log_piece){.place = place,
                                .len = (uint32_t)bytes.len,
                                .data = (uint8_t *)(uintptr_t)bytes.data,
                                .owner = shared_ref(owner)};
    piece_add(log, piece);
    log->pending += bytes.len;
}

/* The payload of a record that came in one run. */
static void append_run(struct log *log, const struct append *append, struct place place)
{
    struct bytes run = append->payload;
    if (append->owner && run.len >= REFERENCE_FROM)
        log_reference(log, place, run, append->owner);
    else if (run.len)
        memcpy(log_space(log, place, (uint32_t)run.len), run.data, run.len);
}

static void append_payload(struct log *log, struct append *append, uint32_t i)
{
    const struct entry *entry = &append->entries[i];
    const struct write *write = append->writes ? &append->writes[i] : NULL;
    const uint8_t *data = write ? write->value.data : append->payloads[i];
    if (write && write->owner && entry->length >= REFERENCE_FROM)
        log_reference(log, entry->payload, (struct bytes){data, entry->length}, write->owner);
    else
        memcpy(log_space(log, entry->payload, entry->length), data, entry->length);
}

/* Makes the next spare the head. */
static enum err switch_head(struct store *store, bool frees)
{
    struct segment *next = spare_take(store, frees);
    if (!next && store->full) {
        MARK(log_full);
        return ERR_NOSPC;
    }
    if (!next) {
        MARK(log_waits_for_spare);
        return ERR_AGAIN;
    }
    if (store->log.head) {
        MARK(log_new_segment);
        store->log.head->state = SEGMENT_SEALED;
    }
    next->state = SEGMENT_HEAD;
    next->bytes = SEGMENT_HEADER;
    next->looked = true;
    next->dirty = true;
    store->log.head = next;
    /* bounds the number of files that a sync has to touch, and of dirty pages before it */
    if (++store->log.switches >= SYNC_SWITCHES)
        store->log.sync_wanted = true;
    segments_sum(&store->segments);
    spare_taken(store);
    return OK;
}

static enum err make_room(struct store *store, uint64_t total, bool frees)
{
    if (store->failed)
        return store->failed;
    if (total > store->limits.segment_bytes - SEGMENT_HEADER)
        return ERR_LIMIT;
    struct segment *head = store->log.head;
    if (head && head->bytes + total <= store->limits.segment_bytes)
        return OK;
    return switch_head(store, frees);
}

enum err log_seal(struct store *store)
{
    return store->failed ? store->failed : switch_head(store, true);
}

static uint32_t payload_length(const struct append *append)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < append->count; i++)
        if (append->entries[i].action == WRITE_CHUNKS)
            len += append->entries[i].length;
    return len;
}

/* How many entries of a record reach the log: all. */
static uint32_t entries_logged(const struct append *append)
{
    uint32_t last = append->count ? append->count - 1 : 0;
    if (MUTANT(log_loses_entry) && last > 0 && append->entries[last].action != WRITE_CHUNKS)
        return last;
    return append->count;
}

/* Tells the entries where they are, and the segment what it carries. */
static void place_entries(struct store *store, struct append *append, struct place at,
                          uint32_t head_len)
{
    struct segment *head = store->log.head;
    uint32_t payload = at.offset + FRAME_SIZE + head_len;
    for (uint32_t i = 0; i < append->count; i++) {
        struct entry *entry = &append->entries[i];
        entry->frame = at;
        entry->payload = (struct place){at.segment, payload};
        entry->moved = (append->flags & FRAME_MOVED) != 0;
        payload += entry->action == WRITE_CHUNKS ? entry->length : 0;
        segments_append(&store->segments, head, entry_log_weight(entry));
        head->tombs += entry->action == WRITE_DELETE || entry->action == WRITE_PUNCH;
    }
    bool frame = !(append->flags & FRAME_MOVED);
    head->frames += frame;
    store->segments.frames += frame;
}

/* How long the encoded entries will be; fills in their weights. */
static uint32_t head_length(struct store *store, struct append *append, void **packed)
{
    if (append->head.len)
        return (uint32_t)append->head.len;
    uint32_t *weights = ARENA_ARRAY(&store->arena, uint32_t, append->count + 1);
    struct record_out record = {append->entries, entries_logged(append), append->stamp,
                                (append->flags & FRAME_OWN_STAMPS) != 0};
    size_t len = record_measure(&record, &store->arena, weights, packed);
    for (uint32_t i = 0; i < append->count; i++)
        append->entries[i].weight = weights[i];
    return (uint32_t)len;
}

/* Puts the bytes of the record into the log, at the end of the head segment. */
static void append_record(struct store *store, struct append *append, const struct frame *frame,
                          void *packed)
{
    struct log *log = &store->log;
    struct place at = {log->head->number, log->head->bytes};
    uint8_t *space = log_space(log, at, FRAME_SIZE + frame->head_len);
    if (packed)
        record_encode(packed, space + FRAME_SIZE);
    else
        memcpy(space + FRAME_SIZE, append->head.data, frame->head_len);
    frame_encode(frame, space + FRAME_SIZE, frame_seed(store->identity.uuid, at), space);
    append->head = (struct bytes){space + FRAME_SIZE, frame->head_len};
    uint32_t used = FRAME_SIZE + frame->head_len;
    if (append->payload.data)
        append_run(log, append, (struct place){at.segment, at.offset + used});
    for (uint32_t i = 0; i < append->count && !append->payload.data; i++)
        if (append->entries[i].action == WRITE_CHUNKS)
            append_payload(log, append, i);
    used += frame->payload_len;
    uint32_t pad = (uint32_t)(frame_record_len(frame) - used);
    if (pad)
        memset(log_space(log, (struct place){at.segment, at.offset + used}, pad), 0, pad);
}

enum err log_append(struct store *store, struct append *append)
{
    struct log *log = &store->log;
    void *packed = NULL;
    struct frame frame = {.head_len = head_length(store, append, &packed),
                          .payload_len = payload_length(append),
                          .flags = append->flags,
                          .incarnation = log->incarnation,
                          .sequence = log->sequence,
                          .durable =
                              place_lsn(MUTANT(log_durable_ahead) ? log->appended : log->durable)};
    uint64_t total = frame_record_len(&frame);
    enum err err = make_room(store, total, append->frees);
    if (err)
        return err;
    struct place at = {log->head->number, log->head->bytes};
    place_entries(store, append, at, frame.head_len);
    append_record(store, append, &frame, packed);
    log->head->bytes += (uint32_t)total;
    store->segments.bytes += total;
    log->appended = (struct place){at.segment, log->head->bytes};
    log->sequence++;
    base_note(store, &frame, append->stamp, log->appended);
    if (!frame.flags && stamp_compare(log->head->first, STAMP_ZERO) == 0)
        log->head->first = append->stamp;
    log_kick(store);
    return OK;
}

const uint8_t *log_pending_bytes(struct store *store, struct place place, uint32_t len)
{
    for (const struct log_piece *p = store->log.first; p; p = p->next) {
        if (p->place.segment != place.segment || place.offset < p->place.offset)
            continue;
        if (place.offset - p->place.offset < p->len) {
            INVARIANT(place.offset - p->place.offset + len <= p->len);
            return p->data + (place.offset - p->place.offset);
        }
    }
    return NULL;
}

/* --- jobs --- */

/* --- zeros ahead ---
 *
 * A reserved part of a file that was never written costs a journal commit of the file system at the
 * first sync after it is written. For small syncs that is most of the time they take. So now and
 * then one of them also writes zeros ahead; the syncs after it only overwrite. */

#define AHEAD_BYTES (512u << 10)
#define AHEAD_FOR   (64u << 10) /* of jobs that write no more than this */
static const uint8_t zeros[65536];

static enum err write_ahead(const struct log_flush *flush)
{
    struct env_iov iov[AHEAD_BYTES / sizeof zeros];
    uint32_t left = flush->ahead->zeroed - flush->ahead_at;
    int n = 0;
    while (left) {
        uint32_t len = left < sizeof zeros ? left : (uint32_t)sizeof zeros;
        iov[n++] = (struct env_iov){(void *)(uintptr_t)zeros, len};
        left -= len;
    }
    return flush->store->env->ops->file_write(flush->ahead->file, flush->ahead_at, iov, n);
}

/* Decides about zeros behind what the job writes: the end of the log, where no other job writes
 * until this one is done. */
static void plan_ahead(struct store *store, struct log_flush *flush, uint64_t bytes)
{
    struct segment *head = store->log.head;
    uint32_t end = flush->end.offset;
    flush->ahead = NULL;
    if (store->log.unsent || bytes > AHEAD_FOR || !head || flush->end.segment != head->number)
        return;
    if (end + AHEAD_FOR <= head->zeroed || head->zeroed == store->limits.segment_bytes)
        return;
    uint32_t from = head->zeroed > end ? head->zeroed : end,
             room = store->limits.segment_bytes - from;
    MARK(log_zeros_ahead);
    flush->ahead = head;
    flush->ahead_at = from;
    head->zeroed = from + (room < AHEAD_BYTES ? room : AHEAD_BYTES);
}

static void flush_run(struct env_job *job)
{
    struct log_flush *flush = (struct log_flush *)job;
    const struct env_ops *ops = flush->store->env->ops;
    flush->err = OK;
    for (uint32_t i = 0; i < flush->write_count && !flush->err; i++)
        flush->err = ops->file_write(flush->writes[i].segment->file, flush->writes[i].offset,
                                     flush->iov + flush->writes[i].iov_first,
                                     (int)flush->writes[i].iov_count);
    if (flush->ahead && !flush->err)
        flush->err = write_ahead(flush);
    for (uint32_t i = 0; i < flush->sync_count && !flush->err && !MUTANT(log_skip_sync); i++)
        flush->err = ops->file_sync(flush->syncs[i]->file);
    if (MUTANT(log_error_ignored))
        flush->err = OK;
}

/* Adds a piece to the job; false when it has no place for it. */
static bool flush_take(struct log_flush *flush, struct store *store, struct log_piece *piece,
                       uint32_t *iovs)
{
    uint32_t n = flush->write_count;
    bool fits_last = n > 0 && flush->writes[n - 1].segment->number == piece->place.segment;
    if (*iovs == FLUSH_IOV_MAX || (!fits_last && n == FLUSH_FILES_MAX))
        return false;
    if (!fits_last) {
        struct segment *segment = segments_find(&store->segments, piece->place.segment);
        INVARIANT(segment && segment->file);
        flush->writes[n].segment = segment;
        flush->writes[n].offset = piece->place.offset;
        flush->writes[n].iov_first = *iovs;
        flush->writes[n].iov_count = 0;
        flush->write_count++;
        n++;
    }
    flush->iov[(*iovs)++] = (struct env_iov){piece->data, piece->len};
    flush->writes[n - 1].iov_count++;
    piece->closed = true;
    flush->end = (struct place){piece->place.segment, piece->place.offset + piece->len};
    return true;
}

/* Returns how many bytes the job will write. */
static uint64_t flush_collect(struct log_flush *flush, struct store *store, uint64_t most)
{
    struct log *log = &store->log;
    uint32_t iovs = 0;
    uint64_t bytes = 0;
    flush->write_count = flush->sync_count = 0;
    flush->start = log->unsent ? log->unsent->place : log->appended;
    flush->end = flush->start;
    while (log->unsent && bytes < most && flush_take(flush, store, log->unsent, &iovs)) {
        bytes += log->unsent->len;
        log->unsent = log->unsent->next;
    }
    for (uint32_t i = 0; i < flush->write_count; i++)
        flush->writes[i].segment->unsynced = true;
    return bytes;
}

static void collect_syncs(struct log_flush *flush, struct store *store)
{
    for (uint32_t i = 0; i < store->segments.count; i++) {
        struct segment *segment = store->segments.items[i];
        if (!segment->unsynced)
            continue;
        INVARIANT(flush->sync_count < FLUSH_FILES_MAX);
        if (MUTANT(log_syncs_last_file))
            flush->sync_count = 0;
        flush->syncs[flush->sync_count++] = segment;
        segment->unsynced = false;
    }
}

static void flush_start(struct store *store, struct log_flush *flush, bool sync, uint64_t most)
{
    INVARIANT(!flush->busy);
    uint64_t bytes = flush_collect(flush, store, most);
    flush->sync = sync;
    flush->ahead = NULL;
    if (sync) {
        plan_ahead(store, flush, bytes);
        collect_syncs(flush, store);
        store->log.sync_wanted = false;
        store->log.switches = 0;
    }
    flush->busy = true;
    store->env->ops->submit(store->env, &flush->job);
}

/* Frees the pieces that are in the files now, in order (a later part may be written before an
 * earlier one). */
static void pieces_written(struct log *log, struct place start, struct place end)
{
    for (struct log_piece *p = log->first; p && p != log->unsent; p = p->next)
        if (place_lsn(p->place) >= place_lsn(start) && place_lsn(p->place) < place_lsn(end))
            p->written = true;
    while (log->first && log->first->written) {
        struct log_piece *piece = log->first;
        log->written = (struct place){piece->place.segment, piece->place.offset + piece->len};
        log->pending -= piece->len;
        log->first = piece->next;
        if (log->last == piece)
            log->last = NULL;
        piece_free(piece);
    }
}

static void answer_waiters(struct store *store)
{
    struct log *log = &store->log;
    while (log->waiting && (store->failed || log->waiting->lsn <= place_lsn(log->durable))) {
        struct store_sync *sync = log->waiting;
        log->waiting = sync->next;
        if (sync->next && sync->next->lsn <= place_lsn(log->durable))
            MARK(log_group_commit);
        sync->done(sync, sync->lsn <= place_lsn(log->durable) ? OK : store->failed);
    }
}

static void flush_done(struct env_job *job)
{
    struct log_flush *flush = (struct log_flush *)job;
    struct store *store = flush->store;
    flush->busy = false;
    if (flush->err)
        store_fail(store, flush->err, "writing the log");
    else
        pieces_written(&store->log, flush->start, flush->end);
    if (!flush->err && flush->sync) {
        store->log.durable = flush->end;
        store->counters.syncs++;
        INVARIANT(place_lsn(store->log.durable) <= place_lsn(store->log.appended));
    }
    answer_waiters(store);
    log_kick(store);
    store_settle(store);
}

static uint64_t unsent_bytes(const struct log *log)
{
    uint64_t bytes = 0;
    for (const struct log_piece *p = log->unsent; p && bytes < WRITE_FROM; p = p->next)
        bytes += p->len;
    return bytes;
}

/* Much to write goes ahead of the sync that waits for it, and beside the next: the memory of bytes
 * that are being synced would otherwise be in use for as long as the disk takes. A little goes with
 * the sync, in one job. */
static void start_jobs(struct store *store, bool wanted)
{
    struct log *log = &store->log;
    bool much = unsent_bytes(log) >= WRITE_FROM;
    if (wanted && !log->syncer.busy && !log->writer.busy && (!much || log->wrote_ahead)) {
        flush_start(store, &log->syncer, true, much ? 0 : WRITE_MOST);
        log->wrote_ahead = false;
    }
    bool zeroing =
        log->syncer.busy && log->syncer.ahead; /* then that part of the file is its own */
    if (much && !log->writer.busy && !zeroing && unsent_bytes(log) >= WRITE_FROM) {
        MARK(log_write_ahead);
        flush_start(store, &log->writer, false, WRITE_MOST);
        log->wrote_ahead = !log->syncer.busy;
    }
}

void log_kick(struct store *store)
{
    struct log *log = &store->log;
    if (store->failed || store->opening) {
        answer_waiters(store);
        return;
    }
    bool behind = place_lsn(log->appended) > place_lsn(log->durable);
    start_jobs(store, behind && (log->waiting || log->sync_wanted));
    if (behind && !log->timer_running && !MUTANT(log_timer_lost)) {
        log->timer_running = true;
        store->env->ops->timer_start(store->env, &log->timer, store->limits.unsynced_ns);
    }
}

static void timer_fire(struct env_timer *timer)
{
    struct log *log = (struct log *)((char *)timer - offsetof(struct log, timer));
    struct store *store = log->syncer.store;
    MARK(log_timer);
    log->timer_running = false;
    log->sync_wanted = true;
    log_kick(store);
}

void store_sync(struct store *store, struct store_sync *sync)
{
    struct log *log = &store->log;
    sync->next = NULL;
    sync->lsn = place_lsn(MUTANT(sync_waits_for_less) ? log->written : log->appended);
    if (!store->failed && sync->lsn <= place_lsn(log->durable)) {
        sync->done(sync, OK);
        return;
    }
    struct store_sync **link = &log->waiting;
    while (*link)
        link = &(*link)->next;
    *link = sync;
    log_kick(store);
}
