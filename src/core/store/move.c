/* SPDX-License-Identifier: MIT
 *
 * move.c: what of a segment is still needed, and writing it again at the head of the log.
 *
 * Law
 *   V1  An entry is live when a version in the index refers to its place. Only live parts are
 *       written again, with their own stamps and their old checksums: damage stays visible, it is
 *       never given a fresh checksum.
 *   V2  A deletion or hole may be forgotten when no segment before the one being cleaned can hold
 *       older bytes of the object: the first existing segment from `oldest` on is this one
 *       (apply.c, A2, A3).
 */
#include <string.h>

#include "core/store/cleaner.h"

#define BATCH_BYTES (1u << 20)

static enum err flush(struct cleaner *cleaner)
{
    struct store *store = cleaner->store;
    struct move_batch *batch = &cleaner->batch;
    if (batch->count == 0)
        return OK;
    struct append append = {.entries = batch->entries,
                            .payloads = batch->payloads,
                            .count = batch->count,
                            .stamp = store->last_stamp,
                            .flags = FRAME_MOVED | FRAME_STAMPED,
                            .frees = true};
    arena_reset(&store->arena);
    enum err err = log_append(store, &append);
    for (uint32_t i = 0; i < batch->count && !err; i++)
        err = apply_entry(store, &batch->entries[i]);
    batch->count = batch->bytes = 0;
    return err;
}

static enum err add(struct cleaner *cleaner, const struct entry *entry, const uint8_t *payload)
{
    struct move_batch *batch = &cleaner->batch;
    batch->entries[batch->count] = *entry;
    batch->entries[batch->count].replaces = false; /* it did, when it came */
    if (MUTANT(cleaner_moves_dead))
        batch->entries[batch->count].stamp = store_last_stamp(cleaner->store);
    batch->payloads[batch->count++] = payload;
    batch->bytes += entry->action == WRITE_CHUNKS ? entry->length : (uint32_t)entry->value.len;
    return batch->count == MOVE_ENTRIES || batch->bytes >= BATCH_BYTES ? flush(cleaner) : OK;
}

static bool forgettable(const struct store *store, uint32_t oldest, uint32_t victim)
{
    const struct segment *first = segments_from(&store->segments, oldest);
    if (MUTANT(cleaner_forgets_deletions))
        return true;
    return store->old_versions == 0 && (!first || first->number >= victim); /* V2 */
}

static enum err move_small(struct cleaner *cleaner, const struct entry *entry)
{
    struct store *store = cleaner->store;
    struct version version;
    if (MUTANT(cleaner_moves_dead))
        return add(cleaner, entry, NULL);
    enum err err = lookup(store, &entry->key, entry->stamp, &version);
    if (err)
        return err == ERR_NOENT ? OK : err;
    if (stamp_compare(version.stamp, entry->stamp) != 0 ||
        place_lsn(version.place) != place_lsn(entry->frame))
        return OK;
    bool needed = version.present && !MUTANT(cleaner_forgets_live);
    if (needed || !forgettable(store, version.oldest, entry->frame.segment)) {
        if (version.present)
            MARK(cleaner_moved_value);
        else
            MARK(cleaner_moved_deletion);
        return add(cleaner, entry, NULL);
    }
    MARK(cleaner_forgot_deletion);
    apply_forget(store, &entry->key, entry->stamp);
    return OK;
}

/* Does the entry say anything of chunk i? The next entry of a record may go on with the next chunk
 * of the same block, and with its bytes right behind these. */
static bool covers(const struct entry *entry, uint32_t i)
{
    return entry->action == WRITE_DELETE ||
           (i >= entry->first_chunk && i - entry->first_chunk < entry_chunks(entry));
}

/* Is this entry the source of chunk i of the block? */
static bool chunk_from(const struct entry *entry, const struct chunk *chunk, uint32_t i)
{
    if (!covers(entry, i) || stamp_compare(chunk->stamp, entry->stamp) != 0)
        return false;
    if (entry->action != WRITE_CHUNKS)
        return chunk->state == CHUNK_HOLE && place_lsn(chunk->place) == place_lsn(entry->frame);
    return chunk->state == CHUNK_DATA && chunk->place.segment == entry->payload.segment &&
           chunk->place.offset == entry->payload.offset + (i - entry->first_chunk) * CHUNK_SIZE;
}

/* The chunks of the block that some version takes from this entry. */
static enum err live_chunks(struct store *store, const struct entry *entry, uint32_t *bits,
                            struct version *newest)
{
    struct version version;
    enum err err = lookup(store, &entry->key, STAMP_MAX, &version);
    *bits = 0;
    bool first = true;
    while (!err && stamp_compare(version.stamp, entry->stamp) >= 0) {
        for (uint32_t i = 0; i < BLOCK_CHUNKS; i++)
            if (chunk_from(entry, &version.chunks[i], i))
                *bits |= UINT32_C(1) << i;
        if (first)
            *newest = version;
        first = false;
        if (store->old_versions == 0)
            return OK;
        err = lookup_older(store, &entry->key, version.stamp, &version);
    }
    return err == ERR_NOENT ? OK : err;
}

/* Forgets holes that hide nothing any more; the block goes when nothing is left of it. */
static void forget_holes(struct store *store, const struct entry *entry, struct version *version,
                         uint32_t bits)
{
    bool left = false;
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++) {
        struct chunk *chunk = &version->chunks[i];
        if (bits >> i & 1) {
            if (chunk->counted)
                segments_live(&store->segments, chunk->place.segment, -1);
            *chunk = (struct chunk){.state = CHUNK_ABSENT};
        }
        left |= chunk->state != CHUNK_ABSENT;
    }
    if (left)
        index_put(store, &entry->key, version, true, false);
    else
        overlay_drop(store->active, &entry->key, version->stamp);
}

static enum err add_run(struct cleaner *cleaner, const struct entry *entry, const uint8_t *payload,
                        uint32_t first, uint32_t n)
{
    struct entry run = *entry;
    run.first_chunk = first;
    if (entry->action != WRITE_CHUNKS) {
        MARK(cleaner_moved_hole);
        run.action = WRITE_PUNCH;
        run.length = n;
        return add(cleaner, &run, NULL);
    }
    MARK(cleaner_moved_chunks);
    uint32_t skip = first - entry->first_chunk, rest = entry->length - skip * CHUNK_SIZE;
    run.length = rest < n * CHUNK_SIZE ? rest : n * CHUNK_SIZE;
    run.sums = entry->sums + skip;
    return add(cleaner, &run, payload + skip * CHUNK_SIZE);
}

static enum err move_block(struct cleaner *cleaner, const struct entry *entry,
                           const uint8_t *payload)
{
    struct store *store = cleaner->store;
    struct version newest;
    uint32_t bits;
    enum err err = live_chunks(store, entry, &bits, &newest);
    if (err || bits == 0)
        return err;
    if (entry->action != WRITE_CHUNKS && forgettable(store, newest.oldest, entry->frame.segment)) {
        MARK(cleaner_forgot_hole);
        forget_holes(store, entry, &newest, bits);
        return OK;
    }
    for (uint32_t i = 0; i < BLOCK_CHUNKS && !err;) {
        uint32_t n = 0;
        while (i + n < BLOCK_CHUNKS && bits >> (i + n) & 1)
            n++;
        if (n)
            err = add_run(cleaner, entry, payload, i, n);
        i += n ? n : 1;
    }
    return err;
}

struct moving {
    struct cleaner *cleaner;
    const struct clean_record *record;
    enum err err;
};

static void each_entry(void *ctx, const struct entry *entry)
{
    struct moving *moving = ctx;
    if (moving->err)
        return;
    const uint8_t *payload =
        moving->record->bytes + (entry->payload.offset - moving->record->offset);
    if (object_kind_is_block(entry->key.kind))
        moving->err = move_block(moving->cleaner, entry, payload);
    else
        moving->err = move_small(moving->cleaner, entry);
}

enum err move_record(struct cleaner *cleaner, const struct clean_record *record)
{
    struct moving moving = {cleaner, record, OK};
    struct record_in in = {
        record->frame, record->bytes + FRAME_SIZE, {cleaner->victim->number, record->offset}};
    arena_init(&cleaner->arena);
    enum err err = record_decode(&in, &cleaner->arena, each_entry, &moving);
    err = err ? err : moving.err;
    /* what was gathered points into the record: it goes before the record does */
    err = err ? err : flush(cleaner);
    cleaner->batch.count = cleaner->batch.bytes = 0;
    arena_free(&cleaner->arena);
    return err;
}
