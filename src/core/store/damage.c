/* SPDX-License-Identifier: MIT
 *
 * damage.c: the places that the last scrub found damaged: which objects lie there, and giving them
 * up when none does any more.
 *
 * Law
 *   D1  A range covers all that the damage may have spoiled: the bytes of a chunk, or everything
 *       from a frame that cannot be read to the next one that can.
 *   D2  What the index says of an object lies in a range, or not: values by their record, chunks by
 *       their bytes, deletions and holes by their record.
 *   D3  A range to which no version in the index refers holds nothing that a rebuilt index would
 *       need (M2): its segment can be cleaned past it. Nothing new ever lies in an old place, so
 *       what was not referred to stays so.
 *   D4  Guards (apply.c, A5) wait as ever: an adopted record that cannot be read may be the one
 *       that hides something older.
 */
#include "core/store/damage.h"

#include <stdlib.h>

#include "core/base/grow.h"
#include "core/store/store_private.h"

#define NEAR      512u /* bytes spoiled closer than this to others are one range */
#define STEP_KEYS 2000u

void damage_add(struct damage *damage, const struct damage_range *range)
{
    struct damage_range *last = damage->count ? &damage->items[damage->count - 1] : NULL;
    if (last && last->segment == range->segment && !last->unreadable && !range->unreadable &&
        range->from <= last->end + NEAR) {
        last->end = range->end;
        return;
    }
    damage->items = grow(damage->items, damage->count, &damage->room, sizeof *damage->items);
    damage->items[damage->count++] = *range;
}

void damage_free(struct damage *damage)
{
    free(damage->items);
    *damage = (struct damage){0};
}

struct damage_range *damage_at(const struct damage *damage, struct place place)
{
    uint32_t low = 0, high = damage->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct damage_range *range = &damage->items[middle];
        if (range->segment < place.segment ||
            (range->segment == place.segment && range->end <= place.offset))
            low = middle + 1;
        else
            high = middle;
    }
    struct damage_range *range = low < damage->count ? &damage->items[low] : NULL;
    bool inside = range && range->segment == place.segment && range->from <= place.offset;
    return inside ? range : NULL;
}

static bool refer(const struct damage *damage, struct place place)
{
    struct damage_range *range = damage_at(damage, place);
    if (range)
        range->referred = true;
    return range != NULL;
}

/* A chunk may begin before the range that its end lies in. */
static bool refer_chunk(const struct damage *damage, const struct chunk *chunk)
{
    struct place last = chunk->place;
    if (chunk->state == CHUNK_ABSENT)
        return false;
    if (chunk->state == CHUNK_DATA)
        last.offset += chunk->len - 1u;
    bool first = refer(damage, chunk->place);
    return refer(damage, last) || first;
}

bool damage_refers(const struct damage *damage, const struct version *version)
{
    bool any = false;
    if (!version->block)
        return refer(damage, version->place);
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++)
        any |= refer_chunk(damage, &version->chunks[i]);
    return any;
}

/* --- giving up --- */

struct discarding {
    struct store *store;
    struct store_sync *sync;
    struct env_timer timer;
    struct loose loose;
    struct object_key at;
};

static void drop(struct loose *loose)
{
    struct discarding *d =
        (struct discarding *)(void *)((char *)loose - offsetof(struct discarding, loose));
    d->store->env->ops->timer_stop(d->store->env, &d->timer);
    free(d);
}

void discard_end(struct store *store, enum err err)
{
    struct store_sync *sync = store->damage.waiting;
    for (uint32_t i = 0; i < store->segments.count; i++) {
        struct segment *segment = store->segments.items[i];
        if (segment->discard && segment->state == SEGMENT_SEALED)
            segment->damaged = true; /* as before */
        segment->discard = false;
    }
    store->damage.discards = 0;
    store->damage.waiting = NULL;
    if (sync)
        sync->done(sync, err);
}

/* Segments of which no damaged range is referred to are given to the cleaner. */
static bool mark_segments(struct store *store)
{
    const struct damage *damage = &store->damage;
    bool all = true;
    for (uint32_t i = 0, n; i < damage->count; i = n) {
        bool referred = false;
        for (n = i; n < damage->count && damage->items[n].segment == damage->items[i].segment; n++)
            referred |= damage->items[n].referred;
        struct segment *segment = segments_find(&store->segments, damage->items[i].segment);
        all = all && !referred;
        if (referred || !segment || segment->discard || segment->state == SEGMENT_DOOMED)
            continue;
        segment->discard = true;
        segment->damaged = false;
        store->damage.discards++;
    }
    return all;
}

static void conclude(struct discarding *d, enum err err)
{
    struct store *store = d->store;
    struct store_sync *sync = d->sync;
    loose_remove(&d->loose);
    drop(&d->loose);
    store->scrubs--;
    if (!err && !mark_segments(store))
        err = ERR_CORRUPT;
    if (err || !store->damage.discards) {
        sync->done(sync, err); /* what can be given up is, all the same */
    } else {
        store->damage.waiting = sync;
    }
    cleaner_kick(store);
    store_settle(store);
}

static enum err look_at(struct store *store, const struct object_key *key)
{
    struct version version;
    enum err err = lookup(store, key, STAMP_MAX, &version);
    while (!err) {
        (void)damage_refers(&store->damage, &version);
        err = store->old_versions ? lookup_older(store, key, version.stamp, &version) : ERR_NOENT;
    }
    return err == ERR_NOENT ? OK : err;
}

/* Returns NOENT when all objects were looked at. */
static enum err walk_some(struct discarding *d)
{
    const struct object_key last = {OBJECT_KIND_COUNT - 1, UINT64_MAX, UINT64_MAX};
    struct object_key keys[STEP_KEYS], key;
    struct walk walk;
    uint32_t n = 0;
    enum err err = walk_begin(&walk, d->store, d->at, last);
    while (!err && n < STEP_KEYS && (err = walk_next(&walk, &key)) == OK)
        keys[n++] = key;
    for (uint32_t i = 0; i < n && (!err || err == ERR_NOENT); i++) {
        enum err looked = look_at(d->store, &keys[i]);
        err = looked ? looked : err;
    }
    if (err)
        return err;
    d->at = keys[n - 1];
    return object_key_next(&d->at) ? OK : ERR_NOENT;
}

static void step(struct env_timer *timer)
{
    struct discarding *d =
        (struct discarding *)(void *)((char *)timer - offsetof(struct discarding, timer));
    enum err err = d->store->closing ? ERR_BUSY : walk_some(d);
    if (!err)
        d->store->env->ops->timer_start(d->store->env, &d->timer, 0);
    else
        conclude(d, err == ERR_NOENT ? OK : err);
}

void damage_found(struct store *store, struct damage *damage)
{
    struct segment *head = store->log.head;
    bool in_head = false;
    if (store->damage.waiting)
        discard_end(store, ERR_BUSY);
    damage_free(&store->damage);
    store->damage = *damage;
    *damage = (struct damage){0};
    for (uint32_t i = 0; i < store->damage.count; i++)
        in_head |= head && store->damage.items[i].segment == head->number;
    if (!in_head || store->read_only || store->failed || store->closing)
        return;
    /* What replaces the damaged objects goes into another segment, or this one could not go. The
     * note is a record that can be made at any time. */
    if (log_seal(store) == OK)
        (void)store_set_note(store, store_note(store));
}

void store_discard_damaged(struct store *store, struct store_sync *sync)
{
    enum err err = store->read_only ? ERR_READ_ONLY : store->failed;
    if (err || store->closing || store->damage.waiting || !store->damage.count) {
        sync->done(sync, err ? err : store->damage.count ? ERR_BUSY : OK);
        return;
    }
    struct discarding *d = calloc(1, sizeof *d);
    INVARIANT(d != NULL);
    d->store = store;
    d->sync = sync;
    d->timer.fire = step;
    for (uint32_t i = 0; i < store->damage.count; i++)
        store->damage.items[i].referred = false;
    store->scrubs++;
    loose_add(store, &d->loose, drop);
    store->env->ops->timer_start(store->env, &d->timer, 0);
}
