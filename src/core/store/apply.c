/* SPDX-License-Identifier: MIT
 *
 * apply.c: what an entry of the log does to the index.
 *
 * Law
 *   A1  Applying commits and what the cleaner moved does not depend on the order: of two entries
 *       for the same small object, or the same chunk, the one with the greater stamp holds; with
 *       equal stamps (a copy moved by the cleaner) the later place. So commit, replay after a crash
 *       and rebuilding the index from the log are the same function.
 *   A2  `oldest` of an object is at or before the first segment that has bytes of it.
 *   A3  A deletion or hole is remembered while older bytes of the object may be in the log (A2);
 *       otherwise rebuilding the index would bring them back.
 *   A4  Each segment's live is the sum of the weights of what the index refers to in it, each
 *       counted once although several versions of a block may share chunks.
 *   A5  An adopted entry does depend on it: no version of its object from before it in the log
 *       stays, whatever their stamps. Nothing of them is moved behind it (they are dead), so that a
 *       rebuild, which reads the log in order, comes to the same, as long as it meets the adopted
 *       record. Therefore a segment with adopted entries that replaced something is a guard: it is
 *       cleaned only when no segment before it is left (cleaner.c, G6).
 *   A6  A deletion with a greater stamp than a commit that follows it is of a past that the replica
 *       has given up: a snapshot does not name what is not there, so nothing adopted replaced it.
 *       Before the commit an adopted record replaces it by nothing (abolish.c).
 */
#include <string.h>

#include "core/store/store_private.h"

#define HOLE_WEIGHT 1u /* of a chunk's hole that the cleaner had to keep */

static uint32_t chunk_weight(const struct chunk *chunk)
{
    if (chunk->state == CHUNK_DATA)
        return chunk->len;
    return chunk->state == CHUNK_HOLE && chunk->counted ? HOLE_WEIGHT : 0;
}

static uint32_t small_weight(const struct version *version)
{
    return version->present || version->counted ? version->weight : 0;
}

static void account(struct store *store, struct place place, int64_t delta)
{
    if (delta)
        segments_live(&store->segments, place.segment, delta);
}

static bool chunk_same(const struct chunk *a, const struct chunk *b)
{
    return a->state == b->state && stamp_compare(a->stamp, b->stamp) == 0 &&
           a->place.segment == b->place.segment && a->place.offset == b->place.offset;
}

/* --- letting versions go --- */

static void forget_block(struct store *store, const struct version *version,
                         const struct version *next, const struct version *before)
{
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++) {
        const struct chunk *chunk = &version->chunks[i];
        if (next && chunk_same(chunk, &next->chunks[i]))
            continue;
        if (before && chunk_same(chunk, &before->chunks[i]))
            continue;
        account(store, chunk->place, -(int64_t)chunk_weight(chunk));
    }
}

/* The version just newer than `stamp`: walks down from the newest. */
static enum err lookup_newer(struct store *store, const struct object_key *key, struct stamp stamp,
                             struct version *out)
{
    struct version version;
    enum err err = lookup(store, key, STAMP_MAX, &version), found = ERR_NOENT;
    while (!err && stamp_compare(version.stamp, stamp) > 0) {
        *out = version;
        found = OK;
        err = lookup_older(store, key, version.stamp, &version);
    }
    return found;
}

void apply_forget(struct store *store, const struct object_key *key, struct stamp stamp)
{
    struct version version, next, before;
    if (lookup(store, key, stamp, &version) || stamp_compare(version.stamp, stamp) != 0)
        return;
    bool has_next = lookup_newer(store, key, stamp, &next) == OK;
    if (!version.block) {
        account(store, version.place, -(int64_t)small_weight(&version));
    } else {
        bool has_before = lookup_older(store, key, stamp, &before) == OK;
        forget_block(store, &version, has_next ? &next : NULL, has_before ? &before : NULL);
    }
    if (has_next && store->old_versions > 0)
        store->old_versions--;
    overlay_drop(store->active, key, stamp);
}

/* A version that was superseded at `next`, with `newer` versions before it: must it stay? */
bool store_keeps(const struct store *store, struct stamp stamp, struct stamp next, uint32_t newer)
{
    uint64_t now = store->env->ops->wall_ns(store->env);
    if (newer <= store->policy.keep_count && store->policy.keep_count)
        return true;
    if (store->policy.keep_ns && stamp_wall_ns(next) + store->policy.keep_ns > now)
        return true;
    for (const struct store_pin *pin = store->pins; pin; pin = pin->next)
        if (stamp_compare(stamp, pin->at) <= 0 && stamp_compare(pin->at, next) < 0)
            return true;
    return false;
}

static void supersede(struct store *store, const struct object_key *key, const struct version *old,
                      const struct version *next)
{
    if (store_keeps(store, old->stamp, next->stamp, 1)) {
        store->old_versions++;
        return;
    }
    struct version before;
    bool has_before =
        store->old_versions > 0 && lookup_older(store, key, old->stamp, &before) == OK;
    if (old->block)
        forget_block(store, old, next, has_before ? &before : NULL);
    else
        account(store, old->place, -(int64_t)small_weight(old));
    overlay_drop(store->active, key, old->stamp);
}

/* --- replacing --- */

/* No version of the object stays (A5). */
static enum err replace(struct store *store, const struct entry *entry)
{
    struct version version, before;
    bool some = false;
    enum err err = lookup(store, &entry->key, STAMP_MAX, &version);
    if (!err && MUTANT(adopt_keeps_newer) && entry->replaces &&
        stamp_compare(version.stamp, entry->stamp) > 0)
        return OK;
    while (!err) {
        bool more = store->old_versions > 0 &&
                    lookup_older(store, &entry->key, version.stamp, &before) == OK;
        if (version.block)
            forget_block(store, &version, NULL, more ? &before : NULL);
        else
            account(store, version.place, -(int64_t)small_weight(&version));
        store->old_versions -= more;
        overlay_drop(store->active, &entry->key, version.stamp);
        some = true;
        err = lookup(store, &entry->key, STAMP_MAX, &version);
    }
    if (some && !MUTANT(adopt_guards_nothing)) {
        struct segment *segment = segments_find(&store->segments, entry->frame.segment);
        segment->guard = segment->dirty = true;
    }
    return err == ERR_NOENT ? OK : err;
}

/* --- applying --- */

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool place_later(struct place a, struct place b)
{
    return place_lsn(a) > place_lsn(b);
}

/* The same version at a later place: moved by the cleaner (A1). */
static void move_small(struct store *store, const struct entry *entry, struct version *version,
                       bool newest)
{
    if (!place_later(entry->frame, version->place))
        return;
    MARK(apply_moved);
    account(store, version->place, -(int64_t)small_weight(version));
    version->place = entry->frame;
    version->weight = entry->weight;
    version->counted = !version->present && entry->moved;
    account(store, version->place, small_weight(version));
    index_put(store, &entry->key, version, newest, false);
}

/* An entry older than the newest version. */
static enum err apply_old_small(struct store *store, const struct entry *entry,
                                struct version *newest)
{
    struct version version;
    if (entry->frame.segment < newest->oldest) {
        newest->oldest = entry->frame.segment; /* A2 */
        index_put(store, &entry->key, newest, true, false);
    }
    enum err err = lookup(store, &entry->key, entry->stamp, &version);
    if (err == ERR_NOENT || (!err && stamp_compare(version.stamp, entry->stamp) != 0))
        return OK;
    if (!err)
        move_small(store, entry, &version, false);
    return err;
}

static enum err apply_small(struct store *store, const struct entry *entry)
{
    struct version old, next = {.stamp = entry->stamp,
                                .present = entry->action == WRITE_PUT,
                                .counted = entry->action != WRITE_PUT && entry->moved,
                                .weight = entry->weight,
                                .place = entry->frame,
                                .oldest = entry->frame.segment,
                                .value = entry->value};
    enum err err = lookup(store, &entry->key, STAMP_MAX, &old);
    if (err && err != ERR_NOENT)
        return err;
    int order = err ? 1 : stamp_compare(entry->stamp, old.stamp);
    if (order < 0)
        return apply_old_small(store, entry, &old);
    if (order == 0) {
        move_small(store, entry, &old, true);
        return OK;
    }
    if (!err) {
        next.oldest = min_u32(old.oldest, next.oldest);
        supersede(store, &entry->key, &old, &next);
    }
    account(store, next.place, small_weight(&next));
    index_put(store, &entry->key, &next, true, true);
    return OK;
}

/* What the entry says of chunk i of the block. */
static struct chunk entry_chunk(const struct entry *entry, uint32_t i)
{
    struct chunk chunk = {
        .state = CHUNK_HOLE, .counted = entry->moved, .place = entry->frame, .stamp = entry->stamp};
    if (entry->action != WRITE_CHUNKS)
        return chunk;
    uint32_t n = i - entry->first_chunk, rest = entry->length - n * CHUNK_SIZE;
    chunk.state = CHUNK_DATA;
    chunk.counted = false;
    chunk.len = (uint16_t)min_u32(rest, CHUNK_SIZE);
    chunk.sum = entry->sums[n];
    chunk.place = (struct place){entry->payload.segment, entry->payload.offset + n * CHUNK_SIZE};
    return chunk;
}

static bool chunk_wins(const struct chunk *a, const struct chunk *b)
{
    int order = b->state == CHUNK_ABSENT ? 1 : stamp_compare(a->stamp, b->stamp);
    return order > 0 || (order == 0 && place_later(a->place, b->place));
}

static void entry_range(const struct entry *entry, uint32_t *first, uint32_t *end)
{
    bool whole = entry->action == WRITE_DELETE;
    *first = whole ? 0 : entry->first_chunk;
    *end = whole ? BLOCK_CHUNKS : entry->first_chunk + entry_chunks(entry);
    INVARIANT(*first < *end && *end <= BLOCK_CHUNKS);
}

/* The common case: the entry makes the block's newest version. */
static void apply_new_block(struct store *store, const struct entry *entry,
                            const struct version *old)
{
    struct version next = *old;
    uint32_t first, end;
    entry_range(entry, &first, &end);
    next.stamp = entry->stamp;
    if (MUTANT(apply_loses_chunk) && end - first > 1)
        end--;
    next.oldest = old->oldest ? min_u32(old->oldest, entry->frame.segment) : entry->frame.segment;
    for (uint32_t i = first; i < end; i++) {
        next.chunks[i] = entry_chunk(entry, i);
        account(store, next.chunks[i].place, chunk_weight(&next.chunks[i]));
    }
    if (old->oldest)
        supersede(store, &entry->key, old, &next);
    index_put(store, &entry->key, &next, true, true);
}

/* An entry not newer than the newest version: changes the versions that include its stamp (A1),
 * counting shared chunks once (A4). */
static enum err apply_old_block(struct store *store, const struct entry *entry,
                                struct version *version)
{
    struct chunk was[BLOCK_CHUNKS] = {0};
    bool added[BLOCK_CHUNKS] = {false}, newest = true;
    uint32_t first, end;
    enum err err = OK;
    entry_range(entry, &first, &end);
    while (!err && stamp_compare(version->stamp, entry->stamp) >= 0) {
        bool changed = newest && entry->frame.segment < version->oldest;
        version->oldest = min_u32(version->oldest, entry->frame.segment);
        for (uint32_t i = first; i < end; i++) {
            struct chunk chunk = entry_chunk(entry, i), *slot = &version->chunks[i];
            if (!chunk_wins(&chunk, slot))
                continue;
            if (slot->state != CHUNK_ABSENT && !(added[i] && chunk_same(slot, &was[i])))
                account(store, slot->place, -(int64_t)chunk_weight(slot));
            if (!added[i])
                account(store, chunk.place, chunk_weight(&chunk));
            added[i] = changed = true;
            was[i] = *slot;
            *slot = chunk;
        }
        if (changed)
            index_put(store, &entry->key, version, newest, false);
        newest = false;
        err = lookup_older(store, &entry->key, version->stamp, version);
    }
    /* What an older version, which keeps it, shares with the last that was changed, stays. */
    for (uint32_t i = first; i < end && !err; i++)
        if (added[i] && chunk_same(&version->chunks[i], &was[i]))
            account(store, was[i].place, chunk_weight(&was[i]));
    return err == ERR_NOENT ? OK : err;
}

static enum err apply_block(struct store *store, const struct entry *entry)
{
    struct version old;
    enum err err = lookup(store, &entry->key, STAMP_MAX, &old);
    if (err && err != ERR_NOENT)
        return err;
    if (err)
        old = (struct version){.block = true};
    if (err || stamp_compare(entry->stamp, old.stamp) > 0) {
        apply_new_block(store, entry, &old);
        return OK;
    }
    return apply_old_block(store, entry, &old);
}

enum err apply_entry(struct store *store, const struct entry *entry)
{
    enum err err = entry->replaces ? replace(store, entry) : OK;
    if (err || (entry->replaces && entry->action == WRITE_DELETE))
        return err; /* nothing stays, not even that it was deleted */
    if (entry->key.kind == OBJECT_INODE && entry->key.ino > store->last_ino)
        store->last_ino = entry->key.ino;
    return object_kind_is_block(entry->key.kind) ? apply_block(store, entry)
                                                 : apply_small(store, entry);
}

uint32_t entry_log_weight(const struct entry *entry)
{
    if (entry->action == WRITE_CHUNKS)
        return entry->length;
    /* What the cleaner wrote again is as small as it gets: moving it once more gives nothing back,
     * and a cleaner that thought so would never end. */
    if (entry->moved && object_kind_is_block(entry->key.kind))
        return HOLE_WEIGHT * (entry->action == WRITE_DELETE ? BLOCK_CHUNKS : entry_chunks(entry));
    /* room for what its holes count for, when the cleaner keeps them */
    return entry->weight + (object_kind_is_block(entry->key.kind) ? BLOCK_CHUNKS * HOLE_WEIGHT : 0);
}
