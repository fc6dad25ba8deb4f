/* SPDX-License-Identifier: MIT
 *
 * tail.c: the log behind a stamp, for a replica that was away.
 *
 * Records are read from the segment files, by a job, as far as they are there, and from memory
 * beyond. The place of the record to begin behind is looked for first: commits stand in the order
 * of their stamps, so the segment is found by bisection over the first commits of segments, and the
 * record by reading on from there.
 *
 * Law
 *   B1  The base of the log is a place behind which only commits change the volume: behind the last
 *       adopted record or rebase, or the beginning. A tail begins at the base or behind it.
 *   B2  Between two records that are given none is missing: the log numbers its records one by one,
 *       and a tail that meets another number than the next answers LOG_GONE.
 *   B3  Segments from the one at which a tail stands on are held: they are not doomed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/tail.h"

/* --- the base --- */

static void rebased(struct store *store, struct stamp stamp, struct place end)
{
    struct segment *segment = segments_find(&store->segments, end.segment);
    store->kept_from = stamp; /* of earlier times nothing is known here */
    if (stamp_compare(store->last_stamp, stamp) <= 0)
        return;
    if (stamp_compare(store->last_stamp, store->given_up) > 0)
        store->given_up = store->last_stamp;
    segment->guard = segment->dirty = true; /* as long as what was given up is in the log */
}

void base_note(struct store *store, const struct frame *frame, struct stamp stamp, struct place end)
{
    struct log_base *base = &store->base;
    if (MUTANT(tail_ignores_adopted))
        return;
    if (frame->flags & FRAME_REBASE)
        rebased(store, stamp, end);
    if (frame_adopts(frame->flags))
        *base = (struct log_base){
            .place = end, .sequence = frame->sequence + 1, .state = BASE_ADOPTING};
    else if (frame->flags & FRAME_REBASE)
        *base = (struct log_base){
            .place = end, .sequence = frame->sequence + 1, .stamp = stamp, .state = BASE_STAMP};
    else if (frame->flags == 0 && base->state == BASE_ADOPTING)
        base->state = BASE_ADOPTED;
}

/* --- what is held (B3) --- */

static uint32_t kept_from(const struct store *store)
{
    uint64_t bytes = 0;
    uint32_t i = store->segments.count;
    if (!store->keep_log || store->full)
        return UINT32_MAX;
    while (i > 0 && bytes < store->keep_log) {
        const struct segment *s = store->segments.items[--i];
        bytes += s->state == SEGMENT_SPARE ? 0 : s->bytes;
    }
    return i < store->segments.count ? store->segments.items[i]->number : UINT32_MAX;
}

uint32_t tail_held_from(const struct store *store)
{
    uint32_t held = kept_from(store);
    for (const struct store_tail *t = store->tails; t; t = t->next)
        if (t->at.segment < held && !MUTANT(tail_holds_nothing))
            held = t->at.segment;
    return held;
}

bool tail_stands(const struct store *store, uint32_t number)
{
    for (const struct store_tail *t = store->tails; t; t = t->next)
        if (t->at.segment <= number)
            return true;
    return false;
}

void store_keep_log(struct store *store, uint64_t bytes)
{
    store->keep_log = bytes;
    cleaner_kick(store);
}

/* --- opening and closing --- */

static void tail_free(struct store_tail *tail)
{
    for (uint32_t i = 0; i < tail->count; i++)
        free(tail->records[i].bytes);
    reader_free(&tail->reader);
    free(tail->probes);
    free(tail->pieces);
    free(tail);
}

static void tail_drop(struct loose *loose)
{
    tail_free((struct store_tail *)((char *)loose - offsetof(struct store_tail, loose)));
}

/* Where a tail behind `after` begins, as far as that is known without reading. */
static enum err find_start(struct store_tail *tail, struct stamp after)
{
    const struct store *store = tail->store;
    const struct log_base *base = &store->base;
    int order = stamp_compare(after, store->last_stamp);
    if (order > 0)
        return ERR_LOG_GONE;
    if (order == 0) {
        tail->at = store->log.appended;
        tail->sequence = store->log.sequence;
        return base->state == BASE_ADOPTING ? ERR_LOG_GONE : OK;
    }
    tail->at = base->place;
    tail->sequence = base->sequence;
    if (base->state == BASE_STAMP && stamp_compare(after, base->stamp) <= 0)
        return stamp_compare(after, base->stamp) == 0 ? OK : ERR_LOG_GONE;
    tail->looks = tail->probing = true;
    return OK;
}

enum err store_tail_open(struct store *store, struct stamp after, struct store_tail **out)
{
    struct store_tail *tail = calloc(1, sizeof *tail);
    INVARIANT(tail != NULL);
    tail->store = store;
    tail->before = after;
    enum err err = find_start(tail, after);
    if (err) {
        free(tail);
        return err;
    }
    tail->next = store->tails;
    store->tails = tail;
    loose_add(store, &tail->loose, tail_drop);
    *out = tail;
    return OK;
}

void store_tail_close(struct store_tail *tail)
{
    struct store *store = tail->store;
    struct store_tail **link = &store->tails;
    while (*link != tail)
        link = &(*link)->next;
    *link = tail->next;
    tail->closed = true;
    tail->read = NULL;
    if (!tail->busy) {
        loose_remove(&tail->loose);
        tail_free(tail);
    }
    cleaner_kick(store);
}

/* --- records, wherever they came from --- */

struct found {
    struct frame frame;
    struct bytes head;
    const struct env_iov *payload;
    int payload_count;
};

static enum err give(struct store_tail *tail, const struct found *found, struct stamp stamp)
{
    struct store_tail_read *read = tail->read;
    struct store_record record = {.before = tail->before,
                                  .stamp = stamp,
                                  .head = found->head,
                                  .payload = found->payload,
                                  .payload_count = found->payload_count,
                                  .payload_len = found->frame.payload_len};
    tail->before = stamp;
    tail->given += record.head.len + record.payload_len;
    read->count++;
    read->each(read, &record);
    return OK;
}

/* The next record of the log. */
static enum err take(struct store_tail *tail, const struct found *found)
{
    const struct frame *frame = &found->frame;
    struct stamp stamp;
    bool follows = !tail->sequence || frame->sequence == tail->sequence;
    if (!follows && !MUTANT(tail_skips_gap))
        return ERR_LOG_GONE; /* B2 */
    tail->sequence = frame->sequence + 1;
    if (frame_adopts(frame->flags) || frame->flags & FRAME_REBASE)
        return MUTANT(tail_ignores_adopted) ? OK : ERR_LOG_GONE; /* B1 */
    if (frame->flags)
        return OK;
    enum err err = record_stamp(found->head, &stamp);
    if (err || !tail->looks)
        return err ? err : give(tail, found, stamp);
    int order = stamp_compare(stamp, tail->before);
    tail->looks = order < 0;
    return order > 0 ? ERR_LOG_GONE : OK;
}

/* --- the segment at which the tail stands --- */

static bool readable(const struct segment *segment)
{
    return segment->state == SEGMENT_HEAD || segment->state == SEGMENT_SEALED;
}

/* The first segment from `number` on with records; NULL: none. */
static struct segment *segment_from(const struct store *store, uint32_t number)
{
    struct segment *segment = segments_from(&store->segments, number);
    while (segment && !readable(segment))
        segment = segments_from(&store->segments, segment->number + 1);
    return segment;
}

/* Moves on to the segment with the next record; false at the end of the log. */
static bool normalise(struct store_tail *tail)
{
    const struct store *store = tail->store;
    const struct segment *segment = segments_find(&store->segments, tail->at.segment);
    if (place_lsn(tail->at) >= place_lsn(store->log.appended))
        return false;
    if (segment && readable(segment) && tail->at.offset < segment->bytes)
        return true;
    segment = segment_from(store, tail->at.segment + 1);
    if (!segment)
        return false;
    tail->at = (struct place){segment->number, SEGMENT_HEADER};
    return place_lsn(tail->at) < place_lsn(store->log.appended);
}

static enum err at_end(const struct store_tail *tail)
{
    bool complete = !tail->sequence || tail->sequence == tail->store->log.sequence;
    return !tail->looks && (complete || MUTANT(tail_skips_gap)) ? OK : ERR_LOG_GONE;
}

/* --- from memory --- */

static void add_piece(struct store_tail *tail, int n, struct env_iov piece)
{
    if (n == tail->piece_room) {
        tail->piece_room = n ? n * 2 : 16;
        tail->pieces = realloc(tail->pieces, sizeof *tail->pieces * (size_t)tail->piece_room);
        INVARIANT(tail->pieces != NULL);
    }
    tail->pieces[n] = piece;
}

/* The bytes [at, at + len) of a segment, in the pieces in which the log has them. */
static int gather(struct store_tail *tail, struct place at, uint32_t len)
{
    int n = 0;
    for (const struct log_piece *p = tail->store->log.first; p && len; p = p->next) {
        if (p->place.segment != at.segment || at.offset < p->place.offset ||
            at.offset - p->place.offset >= p->len)
            continue;
        uint32_t skip = at.offset - p->place.offset;
        uint32_t here = p->len - skip < len ? p->len - skip : len;
        add_piece(tail, n++, (struct env_iov){p->data + skip, here});
        at.offset += here;
        len -= here;
    }
    INVARIANT(len == 0);
    return n;
}

static enum err take_pending(struct store_tail *tail)
{
    struct found found;
    const uint8_t *bytes = log_pending_bytes(tail->store, tail->at, FRAME_SIZE);
    INVARIANT(bytes != NULL);
    INVARIANT(frame_peek(bytes, UINT64_MAX, &found.frame) == OK);
    struct place payload = {tail->at.segment, tail->at.offset + FRAME_SIZE + found.frame.head_len};
    found.head = (struct bytes){bytes + FRAME_SIZE, found.frame.head_len};
    found.payload_count = gather(tail, payload, found.frame.payload_len);
    found.payload = tail->pieces;
    tail->at.offset += (uint32_t)frame_record_len(&found.frame);
    return take(tail, &found);
}

/* --- from a file --- */

static void tail_run(struct env_job *job)
{
    struct store_tail *tail = (struct store_tail *)(void *)job; /* its first member */
    struct arena arena;
    uint64_t bytes = 0;
    arena_init(&arena);
    tail->err = OK;
    while (!tail->err && tail->count < TAIL_RECORDS && bytes < tail->most) {
        struct reader_record record;
        tail->err = reader_next(&tail->reader, &record);
        if (tail->err)
            break;
        struct tail_record *copy = &tail->records[tail->count];
        *copy = (struct tail_record){.frame = record.frame};
        uint64_t len = frame_record_len(&record.frame);
        arena_reset(&arena);
        if (record.frame.flags == 0 && record_first_bad(&record, tail->reader.number, &arena))
            tail->err = ERR_CORRUPT;
        if (tail->err)
            break;
        tail->count++;
        bytes += len;
        if (record.frame.flags)
            continue; /* only that it was there counts */
        copy->bytes = malloc(len);
        INVARIANT(copy->bytes != NULL);
        memcpy(copy->bytes, record.bytes, len);
    }
    arena_free(&arena);
}

/* Gives what the job read. */
static enum err take_read(struct store_tail *tail)
{
    enum err err = OK;
    for (uint32_t i = 0; i < tail->count; i++) {
        const struct tail_record *record = &tail->records[i];
        const struct frame *frame = &record->frame;
        uint8_t *head = record->bytes + (record->bytes ? FRAME_SIZE : 0);
        struct env_iov payload = {head ? head + frame->head_len : NULL, frame->payload_len};
        struct found found = {*frame, {head, frame->head_len}, &payload, payload.len > 0};
        tail->at.offset += (uint32_t)frame_record_len(frame);
        err = err ? err : take(tail, &found);
        free(record->bytes);
    }
    tail->count = 0;
    return err;
}

static bool go_on(struct store_tail *tail);

static void finish(struct store_tail *tail)
{
    struct store_tail_read *read = tail->read;
    tail->read = NULL;
    read->done(read);
}

/* After a job; the tail may have been closed meanwhile. */
static void resume(struct store_tail *tail, enum err err)
{
    struct store *store = tail->store;
    tail->busy = false;
    store->reads--;
    if (tail->closed) {
        loose_remove(&tail->loose);
        tail_free(tail);
    } else {
        tail->read->err = err;
        if (err || go_on(tail))
            finish(tail);
    }
    store_settle(store);
}

static void begin_job(struct store_tail *tail, void (*run)(struct env_job *job),
                      void (*done)(struct env_job *job))
{
    tail->busy = true;
    tail->store->reads++;
    tail->job.run = run;
    tail->job.done = done;
    tail->store->env->ops->submit(tail->store->env, &tail->job);
}

static void synced(struct store_sync *sync, enum err err)
{
    resume((struct store_tail *)(void *)((char *)sync - offsetof(struct store_tail, sync)), err);
}

/* A record of which only the beginning is in the file: it will be there after a sync. Only one that
 * cannot be read then is damaged. */
static void wait_for_rest(struct store_tail *tail)
{
    if (tail->waited && place_lsn(tail->waited_at) == place_lsn(tail->at)) {
        resume(tail, ERR_CORRUPT);
        return;
    }
    MARK(tail_waited);
    tail->waited = true;
    tail->waited_at = tail->at;
    tail->sync.done = synced;
    store_sync(tail->store, &tail->sync);
}

static void tail_done(struct env_job *job)
{
    struct store_tail *tail = (struct store_tail *)(void *)job;
    bool ended = tail->err == ERR_NOENT && tail->reader.at >= tail->reader.end;
    bool some = tail->count > 0, unread = tail->err && !ended;
    enum err err = tail->err == ERR_IO || tail->err == ERR_CORRUPT ? tail->err : OK;
    tail->segment->readers--;
    reader_free(&tail->reader);
    if (tail->closed) {
        resume(tail, OK);
        return;
    }
    enum err taken = take_read(tail);
    if (taken || !unread || some) /* what cannot be read shows again the next time */
        resume(tail, taken);
    else if (err)
        resume(tail, err);
    else
        wait_for_rest(tail);
}

static enum err read_file(struct store_tail *tail)
{
    struct store *store = tail->store;
    struct segment *segment = segments_find(&store->segments, tail->at.segment);
    uint32_t end = segment->bytes;
    enum err err = segment_open(store, segment);
    if (err)
        return err;
    if (segment->number == store->log.written.segment && store->log.written.offset < end)
        end = store->log.written.offset;
    reader_init(&tail->reader, store, segment->number, segment->file, end);
    tail->reader.at = tail->at.offset;
    tail->segment = segment;
    segment->readers++;
    tail->most = tail->read->most_bytes;
    begin_job(tail, tail_run, tail_done);
    return OK;
}

/* --- finding the segment to begin with --- */

/* The stamp of the first commit in the segment's file. Blocking. */
static struct stamp first_commit(struct store_tail *tail, const struct probe *probe)
{
    const struct store *store = tail->store;
    struct segment_reader reader;
    struct reader_record record;
    struct stamp stamp = STAMP_ZERO;
    struct env_file *file;
    char path[STORE_PATH_MAX];
    segment_path(store->path, probe->number, path, sizeof path);
    if (store->env->ops->file_open(store->env, path, ENV_READ, &file))
        return stamp;
    reader_init(&reader, store, probe->number, file, probe->end);
    while (reader_next(&reader, &record) == OK)
        if (record.frame.flags == 0) {
            (void)record_stamp((struct bytes){record.bytes + FRAME_SIZE, record.frame.head_len},
                               &stamp);
            break;
        }
    reader_free(&reader);
    store->env->ops->file_close(file);
    return stamp;
}

/* The last segment whose first commit is not behind the one looked for; bisection. Segments without
 * a commit count as the one before them. */
static void probe_run(struct env_job *job)
{
    struct store_tail *tail = (struct store_tail *)(void *)job;
    uint32_t low = 0, high = tail->probe_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2, at = middle;
        for (; at <= high; at++) {
            struct probe *probe = &tail->probes[at];
            if (!probe->looked)
                probe->first = first_commit(tail, probe);
            probe->looked = true;
            if (stamp_compare(probe->first, STAMP_ZERO) != 0)
                break;
        }
        if (at <= high && stamp_compare(tail->probes[at].first, tail->before) <= 0)
            low = at;
        else
            high = middle - 1;
    }
    tail->start = low;
}

static void probe_done(struct env_job *job)
{
    struct store_tail *tail = (struct store_tail *)(void *)job;
    struct place start = {tail->probes[tail->start].number, SEGMENT_HEADER};
    for (uint32_t i = 0; i < tail->probe_count; i++) {
        struct segment *segment = segments_find(&tail->store->segments, tail->probes[i].number);
        if (!segment || segment->looked)
            continue;
        segment->first = tail->probes[i].first;
        segment->looked = tail->probes[i].looked;
    }
    if (place_lsn(start) > place_lsn(tail->at)) {
        tail->at = start;
        tail->sequence = 0; /* whatever it is */
    }
    tail->probing = false;
    resume(tail, OK);
}

/* False: there is no segment at all. */
static bool begin_probe(struct store_tail *tail)
{
    const struct segments *table = &tail->store->segments;
    tail->probes = calloc(table->count + 1, sizeof *tail->probes);
    INVARIANT(tail->probes != NULL);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct segment *s = table->items[i];
        if (!readable(s) || s->number < tail->at.segment)
            continue;
        tail->probes[tail->probe_count++] =
            (struct probe){.number = s->number, .end = s->bytes, s->first, s->looked};
    }
    if (!tail->probe_count)
        return false;
    begin_job(tail, probe_run, probe_done);
    return true;
}

/* --- reading --- */

/* Goes on with the read. True: it is finished, read->err says how. */
static bool go_on(struct store_tail *tail)
{
    const struct log *log = &tail->store->log;
    struct store_tail_read *read = tail->read;
    if (tail->probing && begin_probe(tail))
        return false;
    while (!read->err && (!read->count || tail->given < read->most_bytes)) {
        bool more = normalise(tail);
        if (more && place_lsn(tail->at) >= place_lsn(log->written))
            read->err = take_pending(tail);
        else if (more && read->count)
            return true; /* the files another time */
        else if (more)
            read->err = read_file(tail);
        else
            read->err = at_end(tail);
        if (!more || tail->busy)
            return !tail->busy;
    }
    return true;
}

bool store_tail_read(struct store_tail *tail, struct store_tail_read *read)
{
    INVARIANT(!tail->read && !tail->busy);
    tail->read = read;
    tail->given = 0;
    read->err = OK;
    read->count = 0;
    if (!go_on(tail))
        return false;
    tail->read = NULL;
    return true;
}
