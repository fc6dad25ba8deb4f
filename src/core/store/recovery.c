/* SPDX-License-Identifier: MIT
 *
 * recovery.c: what happens when a store is opened.
 *
 * The index on disk is the state as of the last checkpoint, which names a place in the log. The
 * records from there on are applied again, in order, up to the end of the log.
 *
 * Law
 *   R1  The end of the log is the first place where the record with the next sequence number
 *       cannot be read. What lies behind it was never answered as durable, and is cut off.
 *   R2  Unless a later record says (frame.durable) that the log had been durable beyond that
 *       place: then the record there was damaged after it had been written. A damaged payload is
 *       kept, its chunks answer CORRUPT; a damaged frame stops the opening (DAMAGED_RECORD),
 *       because what it changed is not known.
 *   R3  Nothing but the index is changed on the disk before the whole log has been read.
 *   R4  When opening ends, everything that the index in memory says is durable; new records go to
 *       a new segment. What no record says to have been durable is written once more before it is
 *       synced: after a sync that failed, the system may show bytes that no later sync writes
 *       (Rebello et al. 2020, "Can Applications Recover from fsync Failures?", section 3).
 *
 * With no usable index all segments are read (rebuild): entries may come in any order (apply.c,
 * A1), so segments that the cleaner removed leave gaps in the sequence that mean nothing. Damaged
 * records are reported and passed over.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

#define AGAIN_BYTES (1u << 20) /* of what is written once more, at a time */

struct replay {
    struct store *store;
    struct store_error *error;
    uint32_t *numbers; /* of all segment files, in order */
    uint32_t count, room;
    struct place at;   /* end of what was applied */
    uint64_t proven;   /* the log was durable up to here: the checkpoint or a record says so */
    uint64_t sequence; /* of the next record */
    uint32_t incarnation;
    struct stamp stamp; /* of the record that is applied */
    bool stamped;       /* it has one */
    bool rebuild;
    enum err err;
};

/* --- the files --- */

static bool note_file(void *ctx, const char *name)
{
    struct replay *replay = ctx;
    uint32_t number = segment_number_of(name);
    if (!number)
        return true;
    if (replay->count == replay->room) {
        replay->room = replay->room ? replay->room * 2 : 256;
        replay->numbers = realloc(replay->numbers, sizeof *replay->numbers * replay->room);
        INVARIANT(replay->numbers != NULL);
    }
    replay->numbers[replay->count++] = number;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static enum err list_files(struct replay *replay)
{
    char seg[STORE_PATH_MAX + 8];
    struct store *store = replay->store;
    snprintf(seg, sizeof seg, "%s/seg", store->path);
    enum err err = store->env->ops->dir_list(store->env, seg, note_file, replay);
    if (err)
        return store_error_set(replay->error, err == ERR_NOENT ? ERR_NOT_A_STORE : err,
                               "%s cannot be read: %s.", seg, err_text(err));
    if (replay->count)
        qsort(replay->numbers, replay->count, sizeof *replay->numbers, compare_numbers);
    for (uint32_t i = 0; i < replay->count; i++)
        if (replay->numbers[i] > store->segments.last_number)
            store->segments.last_number = replay->numbers[i];
    return OK;
}

static bool file_exists(const struct replay *replay, uint32_t number)
{
    return replay->count &&
           bsearch(&number, replay->numbers, replay->count, sizeof number, compare_numbers) != NULL;
}

/* --- the index --- */

/* LMDB and its like trust what they find: nothing is read before all of it was looked at. */
static enum err open_verified(struct store *store, const char *path)
{
    const struct env_ops *ops = store->env->ops;
    enum err err = ops->index_open(store->env, path, &store->index);
    if (err)
        return err;
    err = ops->index_verify(store->index, index_entry_sound);
    if (err) {
        ops->index_close(store->index);
        store->index = NULL;
    }
    return err;
}

static enum err open_index(struct replay *replay)
{
    struct store *store = replay->store;
    const struct env_ops *ops = store->env->ops;
    char path[STORE_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/index", store->path);
    if (store->rebuild && !store->read_only)
        ops->index_remove(store->env, path);
    enum err err = open_verified(store, path);
    if (err == ERR_INDEX && !store->read_only) {
        MARK(recovery_index_damaged);
        ops->log(store->env, "the index is damaged; it is made again from the log");
        ops->index_remove(store->env, path);
        store->counters.problems++;
        err = open_verified(store, path);
    }
    if (err == ERR_INDEX)
        return store_error_set(replay->error, err,
                               "The index %s is damaged. Nothing is lost by that: pactfs up makes "
                               "it again from the log.",
                               path);
    if (err)
        return store_error_set(replay->error, err, "The index %s cannot be opened: %s.", path,
                               err_text(err));
    err = lookup_refresh(store);
    return err ? store_error_set(replay->error, err, "The index %s cannot be read: %s.", path,
                                 err_text(err))
               : OK;
}

/* Starts from an empty index. */
static enum err discard_index(struct replay *replay)
{
    struct store *store = replay->store;
    store->env->ops->cursor_close(store->cursor);
    store->env->ops->index_close(store->index);
    store->cursor = NULL;
    store->index = NULL;
    store->rebuild = true;
    return open_index(replay);
}

static enum err check_segment_file(struct replay *replay, const struct segment *segment)
{
    struct store *store = replay->store;
    const struct env_ops *ops = store->env->ops;
    char path[STORE_PATH_MAX];
    struct env_file *file;
    uint64_t size = 0;
    segment_path(store->path, segment->number, path, sizeof path);
    if (!file_exists(replay, segment->number))
        return store_error_set(replay->error, ERR_MISSING_SEGMENT,
                               "The segment file %s is missing. Put it back (from a backup, or "
                               "wherever it was moved to); "
                               "nothing was changed.",
                               path);
    enum err err = ops->file_open(store->env, path, ENV_READ, &file);
    if (err)
        return store_error_set(replay->error, err, "%s cannot be opened: %s.", path, err_text(err));
    err = ops->file_size(file, &size);
    ops->file_close(file);
    if (err)
        return store_error_set(replay->error, err, "%s cannot be read: %s.", path, err_text(err));
    if (size < segment->bytes)
        return store_error_set(replay->error, ERR_SHORT_SEGMENT,
                               "The segment file %s is %" PRIu64
                               " bytes long, it was %u. Put the whole file back; "
                               "nothing was changed.",
                               path, size, segment->bytes);
    return OK;
}

static enum err load_segments(struct replay *replay)
{
    struct store *store = replay->store;
    const struct env_ops *ops = store->env->ops;
    const uint8_t start[] = {INDEX_SEGMENT};
    struct bytes key, value;
    enum err err = ops->cursor_seek(store->cursor, (struct bytes){start, 1}, &key, &value);
    for (; !err; err = ops->cursor_next(store->cursor, &key, &value)) {
        struct cursor c = cursor_over(key.data, key.len);
        if (get_u8(&c) != INDEX_SEGMENT)
            break;
        uint32_t number = get_u32_be(&c);
        if (c.bad || number == 0)
            return ERR_INDEX;
        struct segment *segment = segments_add(&store->segments, number, SEGMENT_SEALED);
        segment->dirty = false;
        if (segment_decode(value, segment))
            return ERR_INDEX;
        err = check_segment_file(replay, segment);
        if (err)
            return err;
    }
    segments_sum(&store->segments);
    return err == ERR_NOENT ? OK : err;
}

static enum err load_meta(struct replay *replay, bool *found)
{
    struct store *store = replay->store;
    const uint8_t key[] = {INDEX_META};
    struct bytes value;
    struct meta meta;
    enum err err = store->env->ops->index_get(store->index, (struct bytes){key, 1}, &value);
    *found = !err;
    if (err)
        return err == ERR_NOENT ? OK : err;
    err = meta_decode(value, &meta);
    if (err)
        return ERR_INDEX;
    replay->at = meta.replay_from;
    replay->proven = place_lsn(meta.replay_from);
    replay->sequence = meta.sequence;
    replay->incarnation = meta.incarnation;
    if (!MUTANT(recovery_ino_lost))
        store->last_ino = meta.last_ino;
    store->old_versions = meta.old_versions;
    if (!MUTANT(recovery_stamp_lost))
        store->last_stamp = meta.last_stamp;
    if (!MUTANT(recovery_base_lost))
        store->base = meta.base;
    store->given_up = meta.given_up;
    store->kept_from = meta.keep_ns == store->policy.keep_ns ? meta.kept_from : meta.last_stamp;
    if (meta.last_segment > store->segments.last_number)
        store->segments.last_number = meta.last_segment;
    return OK;
}

/* What an earlier rebuild left when it was cut short is not built upon: an adopted entry would not
 * find its object as it was (apply.c, A5). */
static enum err discard_remains(struct replay *replay)
{
    const uint8_t first[] = {0};
    struct bytes key, value;
    struct store *store = replay->store;
    enum err err =
        store->env->ops->cursor_seek(store->cursor, (struct bytes){first, 1}, &key, &value);
    if (err || store->read_only)
        return err == ERR_NOENT ? OK : err;
    MARK(recovery_began_again);
    return discard_index(replay);
}

/* Reads what the last checkpoint left; decides for a rebuild when that cannot be used. */
static enum err load_checkpoint(struct replay *replay)
{
    struct store *store = replay->store;
    bool found = false;
    enum err err = load_meta(replay, &found);
    if (!err && found)
        err = load_segments(replay);
    if (err == ERR_INDEX && !store->read_only) {
        store->env->ops->log(store->env, "the index is damaged; it is made again from the log");
        segments_free(&store->segments, store->env);
        err = discard_index(replay);
        found = false;
    }
    if (err)
        return replay->error && replay->error->text[0]
                   ? err
                   : store_error_set(replay->error, err, "The index of %s cannot be read: %s.",
                                     store->path, err_text(err));
    replay->rebuild = !found;
    return found ? OK : discard_remains(replay);
}

/* --- the records --- */

static bool is_known(struct store *store, const struct object_key *key)
{
    struct version version;
    return lookup(store, key, STAMP_MAX, &version) == OK;
}

static void replay_entry(void *ctx, const struct entry *entry)
{
    struct replay *replay = ctx;
    struct store *store = replay->store;
    struct segment *segment = segments_find(&store->segments, entry->frame.segment);
    segments_append(&store->segments, segment, entry_log_weight(entry));
    segment->tombs += entry->action == WRITE_DELETE || entry->action == WRITE_PUNCH;
    /* earlier programs wrote no stamp into what the cleaner moved */
    if (!replay->stamped && stamp_compare(entry->stamp, store->last_stamp) > 0)
        store->last_stamp = entry->stamp;
    if ((MUTANT(recovery_skips_deletes) && entry->action == WRITE_DELETE) ||
        (MUTANT(recovery_keeps_index) && is_known(store, &entry->key)))
        return;
    if (!replay->err)
        replay->err = apply_entry(store, entry);
}

/* R4 */
static enum err write_again(const struct replay *replay, const struct segment *segment,
                            struct env_file *file)
{
    const struct env_ops *ops = replay->store->env->ops;
    struct place proven = place_of_lsn(replay->proven);
    uint64_t at = segment->number == proven.segment ? proven.offset : 0;
    enum err err = OK;
    if (segment->number < proven.segment || MUTANT(recovery_trusts_cache))
        return OK;
    uint8_t *window = malloc(AGAIN_BYTES);
    INVARIANT(window != NULL);
    while (!err && at < segment->bytes) {
        uint64_t left = segment->bytes - at;
        struct env_iov iov = {window, 0};
        err = ops->file_read(file, at, window, left < AGAIN_BYTES ? left : AGAIN_BYTES, &iov.len);
        if (!err && iov.len == 0)
            err = ERR_IO;
        err = err ? err : ops->file_write(file, at, &iov, 1);
        at += iov.len;
    }
    free(window);
    return err;
}

/* Makes the segments that were replayed durable; `cut` removes what lies behind the end of the log.
 */
static enum err settle_tail(struct replay *replay, bool cut)
{
    struct store *store = replay->store;
    const struct env_ops *ops = store->env->ops;
    enum err err = OK;
    for (uint32_t i = 0; i < store->segments.count && !err; i++) {
        struct segment *segment = store->segments.items[i];
        bool tail = cut && segment->number == replay->at.segment;
        if (!segment->unsynced && !tail)
            continue;
        char path[STORE_PATH_MAX];
        struct env_file *file;
        segment_path(store->path, segment->number, path, sizeof path);
        err = ops->file_open(store->env, path, ENV_WRITE, &file);
        if (err)
            break;
        if (tail && !MUTANT(recovery_tail_kept))
            err = ops->file_truncate(file, segment->bytes -
                                               (MUTANT(recovery_cuts_early) ? FRAME_SIZE : 0));
        err = err ? err : write_again(replay, segment, file);
        if (!MUTANT(recovery_skips_sync))
            err = err ? err : ops->file_sync(file);
        ops->file_close(file);
        segment->unsynced = false;
    }
    return err;
}

/* A large replay must not keep all of the index in memory. */
static enum err spill(struct replay *replay)
{
    struct store *store = replay->store;
    if (store->active->bytes < store->limits.overlay_bytes || store->read_only || store->frozen)
        return OK;
    enum err err = settle_tail(replay, false);
    if (err)
        return err;
    MARK(recovery_spilled);
    store->log.appended = replay->at;
    store->log.sequence = replay->sequence;
    store->log.incarnation = replay->incarnation;
    err = checkpoint_blocking(store, !replay->rebuild);
    return err == ERR_NOSPC && !replay->rebuild ? OK : err; /* then it is tried again later */
}

static enum err replay_record(struct replay *replay, struct segment *segment,
                              const struct reader_record *record, uint64_t end)
{
    struct store *store = replay->store;
    struct record_in in = {
        record->frame, record->bytes + FRAME_SIZE, {segment->number, record->offset}};
    arena_reset(&store->arena);
    replay->err = OK;
    replay->stamped = !(in.frame.flags & FRAME_MOVED) || in.frame.flags & FRAME_STAMPED;
    enum err err = record_stamp((struct bytes){in.head, in.frame.head_len}, &replay->stamp);
    err = err ? err : record_decode(&in, &store->arena, replay_entry, replay);
    err = err ? err : replay->err;
    if (err)
        return store_error_set(replay->error, err,
                               "Segment %08x, offset %u: the record cannot be applied: %s.",
                               segment->number, record->offset, err_text(err));
    if (store->counters.replayed_records && replay->at.segment != segment->number)
        MARK(recovery_over_segments);
    replay->at = (struct place){segment->number, (uint32_t)end};
    base_note(store, &record->frame, replay->stamp, replay->at);
    if (replay->stamped)
        store->last_stamp = replay->stamp; /* every record says it: T4 */
    if (!(record->frame.flags & FRAME_MOVED)) {
        segment->frames++;
        store->segments.frames++;
    }
    segment->bytes = (uint32_t)end;
    segment->unsynced = true;
    replay->sequence = record->frame.sequence + 1;
    replay->incarnation = record->frame.incarnation;
    if (record->frame.durable > replay->proven)
        replay->proven = record->frame.durable;
    store->counters.replayed_records++;
    err = spill(replay);
    return err ? store_error_set(replay->error, err, "The index of %s cannot be written: %s.",
                                 store->path, err_text(err))
               : OK;
}

static enum err open_segment(struct replay *replay, uint32_t number, struct segment_reader *reader)
{
    struct store *store = replay->store;
    const struct env_ops *ops = store->env->ops;
    char path[STORE_PATH_MAX];
    struct env_file *file;
    uint64_t size = 0;
    segment_path(store->path, number, path, sizeof path);
    enum err err = ops->file_open(store->env, path, ENV_READ, &file);
    if (!err)
        err = ops->file_size(file, &size);
    if (err)
        return store_error_set(replay->error, err, "%s cannot be read: %s.", path, err_text(err));
    reader_init(reader, store, number, file, size);
    return OK;
}

static void close_segment(struct replay *replay, struct segment_reader *reader)
{
    replay->store->env->ops->file_close(reader->file);
    reader_free(reader);
}

/* Looks through the rest of a reader for a record that proves that the log was durable beyond `at`
 * (R2). */
static bool proves(const struct replay *replay, struct segment_reader *reader, struct place at)
{
    struct reader_record record;
    for (;;) {
        enum err err = reader_next(reader, &record);
        if (!err && record.frame.sequence >= replay->sequence &&
            record.frame.incarnation >= replay->incarnation && record.frame.durable > place_lsn(at))
            return true;
        if (err == ERR_NOENT && reader->at + FRAME_SIZE > reader->end)
            return false;
        if (err && !reader_resync(reader))
            return false;
    }
}

/* Only in the rest of this segment. */
static bool proven_here(const struct replay *replay, const struct segment_reader *here,
                        struct place at)
{
    struct segment_reader rest = *here;
    rest.window = NULL;
    rest.window_len = rest.window_room = 0;
    bool proven = reader_resync(&rest) && proves(replay, &rest, at);
    reader_free(&rest);
    return proven;
}

static bool proven_durable(struct replay *replay, uint32_t index, const struct segment_reader *here,
                           struct place at)
{
    bool proven = proven_here(replay, here, at);
    for (uint32_t i = index + 1; i < replay->count && !proven; i++) {
        struct segment_reader reader;
        if (open_segment(replay, replay->numbers[i], &reader))
            continue;
        proven = proves(replay, &reader, at);
        close_segment(replay, &reader);
    }
    return proven;
}

enum verdict { GO_ON, NEXT_SEGMENT, END_OF_LOG, STOP };

static enum err damaged(struct replay *replay, struct place at)
{
    char path[STORE_PATH_MAX];
    MARK(recovery_refused);
    return store_error_set(replay->error, ERR_DAMAGED_RECORD,
                           "%s is damaged at offset %u: a record that had been made durable cannot "
                           "be read. Restore the file, "
                           "or rebuild the index, which passes over it: pactfs up --rebuild-index. "
                           "Nothing was changed.",
                           segment_path(replay->store->path, at.segment, path, sizeof path),
                           at.offset);
}

/* What to do about a place where no good record is. */
static enum verdict judge(struct replay *replay, uint32_t index, struct segment_reader *reader,
                          enum err err)
{
    struct place at = {replay->numbers[index], (uint32_t)reader->at};
    enum verdict next = MUTANT(recovery_one_segment) ? END_OF_LOG : NEXT_SEGMENT;
    if (err == ERR_NOENT && reader->at + FRAME_SIZE > reader->end)
        return next; /* whether that is the end shows there */
    /* zeros: a full segment ends so too, and then the next one goes on with the next record */
    if (err == ERR_NOENT && !proven_here(replay, reader, at))
        return next;
    if (err != ERR_NOENT && !proven_durable(replay, index, reader, at)) {
        MARK(recovery_torn_record);
        return END_OF_LOG; /* R1 */
    }
    if (!replay->rebuild) {
        replay->err = damaged(replay, at);
        return STOP;
    }
    MARK(recovery_passed_over);
    store_note_problem(replay->store, "a damaged record was passed over", at);
    return reader_resync(reader) ? GO_ON : NEXT_SEGMENT;
}

static bool fits(const struct replay *replay, const struct frame *frame)
{
    if (frame->incarnation < replay->incarnation && !replay->rebuild)
        return false;
    return replay->rebuild || frame->sequence == replay->sequence;
}

/* A record that does not continue the log: left over from before a crash, or a gap (R1, R2). */
static enum verdict judge_misfit(struct replay *replay, uint32_t index,
                                 const struct segment_reader *reader, const struct frame *frame)
{
    if (frame->sequence <= replay->sequence || frame->incarnation < replay->incarnation)
        return NEXT_SEGMENT;
    if (frame->durable <= place_lsn(replay->at) &&
        !proven_durable(replay, index, reader, replay->at)) {
        MARK(recovery_gap);
        return END_OF_LOG;
    }
    replay->err = damaged(replay, replay->at);
    return STOP;
}

static enum verdict replay_step(struct replay *replay, uint32_t index, struct segment *segment,
                                struct segment_reader *reader)
{
    struct reader_record record;
    uint64_t at = reader->at;
    enum err err = reader_next(reader, &record);
    if (err)
        return judge(replay, index, reader, err);
    if (!fits(replay, &record.frame))
        return judge_misfit(replay, index, reader, &record.frame);
    uint64_t end = reader->at;
    arena_reset(&replay->store->arena);
    uint32_t bad = record_first_bad(&record, segment->number, &replay->store->arena);
    if (bad && !MUTANT(recovery_payload_unchecked)) {
        reader->at = at;
        if (!proven_durable(replay, index, reader, (struct place){segment->number, (uint32_t)at})) {
            MARK(recovery_torn_payload);
            return END_OF_LOG;
        }
        MARK(recovery_payload_kept);
        store_note_problem(replay->store, "stored bytes do not match their checksum",
                           (struct place){segment->number, bad});
        reader->at = at;
        err = reader_next(reader, &record);
    }
    replay->err = err ? err : replay_record(replay, segment, &record, end);
    return replay->err ? STOP : GO_ON;
}

static bool header_ok(struct replay *replay, struct segment_reader *reader, uint32_t number)
{
    uint8_t *header = malloc(SEGMENT_HEADER);
    size_t got = 0;
    INVARIANT(header != NULL);
    enum err err =
        replay->store->env->ops->file_read(reader->file, 0, header, SEGMENT_HEADER, &got);
    bool ok = !err && got == SEGMENT_HEADER &&
              !segment_header_check(header, replay->store->identity.uuid, number);
    free(header);
    return ok;
}

/* Of a segment that has records: they say themselves where they belong. */
static enum verdict bad_header(struct replay *replay, struct place start)
{
    if (!replay->rebuild) {
        replay->err = damaged(replay, start);
        return STOP;
    }
    MARK(recovery_passed_over);
    store_note_problem(replay->store, "the header of the segment is damaged", start);
    return GO_ON;
}

static enum verdict replay_segment(struct replay *replay, uint32_t index)
{
    struct store *store = replay->store;
    uint32_t number = replay->numbers[index];
    struct segment_reader reader;
    if (!replay->rebuild && number < replay->at.segment)
        return NEXT_SEGMENT;
    replay->err = open_segment(replay, number, &reader);
    if (replay->err)
        return STOP;
    if (!replay->rebuild && number == replay->at.segment)
        reader.at = replay->at.offset;
    if (reader.at >= reader.end) { /* after an orderly stop: nothing in it is needed here */
        MARK(recovery_clean);
        close_segment(replay, &reader);
        return NEXT_SEGMENT;
    }
    struct segment *segment = segments_find(&store->segments, number);
    bool known = segment != NULL;
    if (!known) {
        segment = segments_add(&store->segments, number, SEGMENT_SEALED);
        segment->bytes = SEGMENT_HEADER;
    }
    enum verdict verdict = GO_ON;
    if (!header_ok(replay, &reader, number)) {
        struct place start = {number, 0};
        bool used = known || proven_durable(replay, index, &reader, start);
        if (!used)
            MARK(recovery_unfinished_segment);
        verdict = used ? bad_header(replay, start) : NEXT_SEGMENT; /* its making was cut short */
    }
    while (verdict == GO_ON)
        verdict = replay_step(replay, index, segment, &reader);
    close_segment(replay, &reader);
    if (!known && segment->bytes == SEGMENT_HEADER)
        segments_remove(&store->segments, segment, store->env);
    return verdict;
}

static enum err replay_all(struct replay *replay)
{
    enum verdict verdict = NEXT_SEGMENT;
    for (uint32_t i = 0; i < replay->count && verdict == NEXT_SEGMENT; i++)
        verdict = replay_segment(replay, i);
    segments_sum(&replay->store->segments);
    return verdict == STOP ? replay->err : OK;
}

/* --- settling down (R4); from here on the disk is changed --- */

/* A file behind the end of the log that was made ahead and never used. */
static bool is_spare(struct replay *replay, uint32_t number)
{
    struct segment_reader reader;
    struct store *store = replay->store;
    if (number < replay->at.segment || open_segment(replay, number, &reader))
        return false;
    bool ok = reader.end == store->limits.segment_bytes && header_ok(replay, &reader, number);
    size_t room = reader.end < (1u << 20) ? (size_t)reader.end + 1 : 1u << 20;
    uint8_t *window = malloc(room);
    INVARIANT(window != NULL);
    for (uint64_t at = SEGMENT_HEADER; ok && at < reader.end;) {
        size_t got = 0, want = reader.end - at < room ? (size_t)(reader.end - at) : room;
        ok = store->env->ops->file_read(reader.file, at, window, want, &got) == OK && got == want;
        /* all bytes equal to the first, which is zero */
        ok = ok && window[0] == 0 && memcmp(window, window + 1, want - 1) == 0;
        at += want;
    }
    free(window);
    close_segment(replay, &reader);
    return ok;
}

static enum err keep_or_remove(struct replay *replay, uint32_t number)
{
    struct store *store = replay->store;
    const struct env_ops *ops = store->env->ops;
    char path[STORE_PATH_MAX];
    struct env_file *file = NULL;
    segment_path(store->path, number, path, sizeof path);
    enum err err =
        is_spare(replay, number) ? ops->file_open(store->env, path, ENV_WRITE, &file) : OK;
    /* its size may have survived a crash without its space */
    if (!err && file && ops->file_reserve(file, store->limits.segment_bytes)) {
        ops->file_close(file);
        file = NULL;
    }
    if (!err && !file)
        MARK(recovery_file_removed);
    if (err || !file)
        return err ? err : ops->file_remove(store->env, path);
    MARK(recovery_spare_kept);
    struct segment *segment = segments_add(&store->segments, number, SEGMENT_SPARE);
    segment->dirty = false;
    segment->file = file;
    return OK;
}

static enum err settle_files(struct replay *replay)
{
    struct store *store = replay->store;
    enum err err = OK;
    for (uint32_t i = 0; i < replay->count && !err; i++)
        if (!segments_find(&store->segments, replay->numbers[i]))
            err = keep_or_remove(replay, replay->numbers[i]);
    char seg[STORE_PATH_MAX + 8];
    snprintf(seg, sizeof seg, "%s/seg", store->path);
    err = err ? err : store->env->ops->dir_sync(store->env, seg);
    return err || spare_count(store) > 0 ? err : spare_first(store);
}

static void start_log(struct replay *replay)
{
    struct store *store = replay->store;
    struct log *log = &store->log;
    log->sequence = replay->sequence;
    log->incarnation = replay->incarnation + 1;
    log->appended = log->written = log->durable = replay->at;
    store->sweep_wanted = store->old_versions > 0;
    if (!replay->rebuild)
        return;
    store->kept_from = store->last_stamp;
    store->checkpoint_place = replay->at;
}

enum err recovery_run(struct store *store, struct store_error *error)
{
    struct replay replay = {.store = store, .error = error, .sequence = 1};
    if (error)
        error->text[0] = 0;
    enum err err = list_files(&replay);
    err = err ? err : open_index(&replay);
    err = err ? err : load_checkpoint(&replay);
    store->checkpoint_place = replay.at;
    err = err ? err : replay_all(&replay);
    if (!err && !store->read_only) {
        err = settle_tail(&replay, true);
        err = err ? err : settle_files(&replay);
        if (err)
            store_error_set(error, err, "The store %s cannot be written: %s.", store->path,
                            err_text(err));
    }
    if (!err)
        start_log(&replay);
    if (!err && !store->read_only &&
        replay.rebuild) { /* a new store too: from here on the index is known to be whole */
        err = checkpoint_blocking(store, true);
        if (err)
            store_error_set(error, err, "The index of %s cannot be written: %s.", store->path,
                            err_text(err));
    }
    free(replay.numbers);
    return err;
}
