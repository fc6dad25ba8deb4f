/* SPDX-License-Identifier: MIT
 *
 * checkpoint.c: writing the overlay into the index on disk.
 *
 * Steps, and the function that performs them
 *   freeze   the active overlay becomes the frozen one; the log position, the counters and the
 * segment table of this moment are noted checkpoint_begin sync     the log up to that position
 * becomes durable (M3)                                 log_durable write    one batch: versions,
 * segment table, meta; durable when it returns                checkpoint_run forget   the frozen
 * overlay goes; files of segments doomed before the freeze are removed  checkpoint_done
 *
 * Law
 *   C1  One checkpoint at a time; further requests wait for the next one.
 *   C2  A replay from the noted position over the written index gives the index of M2.
 *   C3  When the disk is full the frozen overlay stays, a spare is given up, and the write is
 *       tried again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

#define RETRY_NS UINT64_C(100000000)

static const uint8_t meta_key[] = {INDEX_META};

static size_t meta_encode(const struct meta *meta, uint8_t *out, size_t room)
{
    struct cursor c = cursor_over(out, room);
    put_u32(&c, meta->replay_from.segment);
    put_u32(&c, meta->replay_from.offset);
    put_u64(&c, meta->sequence);
    put_u32(&c, meta->incarnation);
    put_u64(&c, meta->last_ino);
    put_u64(&c, meta->old_versions);
    put_u64(&c, meta->keep_ns);
    put_u64(&c, meta->last_stamp.time);
    put_u32(&c, meta->last_stamp.node);
    put_u64(&c, meta->kept_from.time);
    put_u32(&c, meta->kept_from.node);
    put_u32(&c, meta->last_segment);
    if (place_lsn(meta->base.place)) { /* something was adopted */
        put_u64(&c, place_lsn(meta->base.place));
        put_u64(&c, meta->base.sequence);
        put_u64(&c, meta->base.stamp.time);
        put_u32(&c, meta->base.stamp.node);
        put_u8(&c, (uint8_t)meta->base.state);
        put_u64(&c, meta->given_up.time);
        put_u32(&c, meta->given_up.node);
    }
    size_t len = room - cursor_left(&c);
    put_u32(&c, checksum32(out, len));
    INVARIANT(!c.bad);
    return len + 4;
}

enum err meta_decode(struct bytes value, struct meta *meta)
{
    if (value.len < 4)
        return ERR_CORRUPT;
    struct cursor c = cursor_over(value.data, value.len);
    meta->replay_from.segment = get_u32(&c);
    meta->replay_from.offset = get_u32(&c);
    meta->sequence = get_u64(&c);
    meta->incarnation = get_u32(&c);
    meta->last_ino = get_u64(&c);
    meta->old_versions = get_u64(&c);
    meta->keep_ns = get_u64(&c);
    meta->last_stamp.time = get_u64(&c);
    meta->last_stamp.node = get_u32(&c);
    meta->kept_from.time = get_u64(&c);
    meta->kept_from.node = get_u32(&c);
    meta->last_segment = get_u32(&c);
    meta->base = (struct log_base){.sequence = 1};
    meta->given_up = STAMP_ZERO;
    if (cursor_left(&c) > 4) {
        meta->base.place = place_of_lsn(get_u64(&c));
        meta->base.sequence = get_u64(&c);
        meta->base.stamp.time = get_u64(&c);
        meta->base.stamp.node = get_u32(&c);
        meta->base.state = get_u8(&c) & 3;
        meta->given_up.time = get_u64(&c);
        meta->given_up.node = get_u32(&c);
    }
    uint32_t sum = get_u32(&c);
    return !c.bad && cursor_left(&c) == 0 && sum == checksum32(value.data, value.len - 4)
               ? OK
               : ERR_CORRUPT;
}

bool index_entry_sound(struct bytes key, struct bytes value)
{
    struct segment segment;
    struct meta meta;
    if (key.len == INDEX_KEY)
        return index_version_sound(key, value);
    if (key.len == 1 && key.data[0] == INDEX_META)
        return meta_decode(value, &meta) == OK;
    return key.len == 5 && key.data[0] == INDEX_SEGMENT && segment_decode(value, &segment) == OK;
}

static void segment_key(uint32_t number, uint8_t key[5])
{
    struct cursor c = cursor_over(key, 5);
    put_u8(&c, INDEX_SEGMENT);
    put_u32_be(&c, number);
}

void checkpoint_segment_gone(struct store *store, uint32_t number)
{
    struct checkpoint *cp = &store->checkpoint;
    if (cp->removed_count == cp->removed_room) {
        cp->removed_room = cp->removed_room ? cp->removed_room * 2 : 64;
        cp->removed = realloc(cp->removed, sizeof *cp->removed * cp->removed_room);
        INVARIANT(cp->removed != NULL);
    }
    cp->removed[cp->removed_count++] = number;
}

static void note_segments(struct store *store)
{
    struct checkpoint *cp = &store->checkpoint;
    free(cp->segments);
    cp->segments = malloc(sizeof *cp->segments * (store->segments.count + 1));
    INVARIANT(cp->segments != NULL);
    cp->segment_count = 0;
    for (uint32_t i = 0; i < store->segments.count; i++) {
        struct segment *segment = store->segments.items[i];
        if (!segment->dirty || segment->state == SEGMENT_SPARE || segment->state == SEGMENT_DOOMED)
            continue;
        if (MUTANT(checkpoint_forgets_segment) && segment->state == SEGMENT_HEAD)
            continue;
        segment->dirty = false;
        struct segment_record *record = &cp->segments[cp->segment_count++];
        record->number = segment->number;
        record->len = segment_encode(segment, record->value);
    }
    cp->removed_now = cp->removed_count;
}

/* From here a replay has to begin. */
static void note_place(struct store *store)
{
    struct checkpoint *cp = &store->checkpoint;
    struct meta meta = {.replay_from = store->log.appended,
                        .sequence = store->log.sequence,
                        .incarnation = store->log.incarnation,
                        .last_ino = store->last_ino,
                        .old_versions = store->old_versions,
                        .keep_ns = store->policy.keep_ns,
                        .last_stamp = store->last_stamp,
                        .kept_from = store->kept_from,
                        .last_segment = store->segments.last_number,
                        .base = store->base,
                        .given_up = store->given_up};
    cp->meta_len = meta_encode(&meta, cp->meta, sizeof cp->meta);
    store->checkpoint_place = store->log.appended;
}

/* freeze */
static void checkpoint_begin(struct store *store)
{
    INVARIANT(!store->frozen);
    store->frozen = store->active;
    store->active =
        store->frozen == &store->overlays[0] ? &store->overlays[1] : &store->overlays[0];
    INVARIANT(store->active->objects == 0);
    note_place(store);
    note_segments(store);
    store->checkpoint.number++;
}

static enum err write_versions(struct store *store, struct env_batch *batch)
{
    const struct env_ops *ops = store->env->ops;
    const struct object_key first = {0, 0, 0};
    enum err err = OK;
    for (struct overlay_object *o = overlay_at(store->frozen, &first); o && !err;
         o = overlay_next(o)) {
        if (MUTANT(checkpoint_loses_object) && !overlay_next(o))
            break;
        for (struct overlay_version *v = o->versions; v && !err; v = v->older) {
            uint8_t key[INDEX_KEY];
            index_key_encode(&o->key, v->stamp, key);
            struct bytes k = {key, INDEX_KEY};
            if (MUTANT(checkpoint_keeps_dropped) && v->dropped)
                continue;
            err = v->dropped ? ops->batch_delete(batch, k)
                             : ops->batch_put(batch, k, (struct bytes){v->value, v->len});
        }
    }
    return err;
}

static enum err write_segments(struct checkpoint *cp, const struct env_ops *ops,
                               struct env_batch *batch)
{
    uint8_t key[5];
    enum err err = OK;
    for (uint32_t i = 0; i < cp->segment_count && !err; i++) {
        segment_key(cp->segments[i].number, key);
        err = ops->batch_put(batch, (struct bytes){key, 5},
                             (struct bytes){cp->segments[i].value, cp->segments[i].len});
    }
    for (uint32_t i = 0; i < cp->removed_now && !err; i++) {
        segment_key(cp->removed[i], key);
        err = ops->batch_delete(batch, (struct bytes){key, 5});
    }
    return err;
}

static enum err write_batch(struct store *store, bool with_meta)
{
    struct checkpoint *cp = &store->checkpoint;
    const struct env_ops *ops = store->env->ops;
    struct env_batch *batch;
    enum err err = ops->batch_begin(store->index, &batch);
    if (err)
        return err;
    err = write_versions(store, batch);
    err = err ? err : write_segments(cp, ops, batch);
    if (with_meta)
        err = err ? err
                  : ops->batch_put(batch, (struct bytes){meta_key, 1},
                                   (struct bytes){cp->meta, cp->meta_len});
    if (!err)
        return ops->batch_commit(batch);
    ops->batch_abort(batch);
    return err;
}

/* write; on a worker */
static void checkpoint_run(struct env_job *job)
{
    struct checkpoint *cp = (struct checkpoint *)job;
    cp->err = write_batch(cp->store, true);
}

/* forget */
static enum err checkpoint_finish(struct store *store)
{
    struct checkpoint *cp = &store->checkpoint;
    overlay_clear(store->frozen);
    store->frozen = NULL;
    if (store->active->objects)
        MARK(checkpoint_beside_commits);
    if (MUTANT(checkpoint_drops_new))
        overlay_clear(store->active);
    INVARIANT(cp->removed_now <= cp->removed_count);
    cp->removed_count -= cp->removed_now;
    if (cp->removed_count)
        memmove(cp->removed, cp->removed + cp->removed_now,
                sizeof *cp->removed * cp->removed_count);
    cp->removed_now = 0;
    cp->done_number = cp->number;
    store->counters.checkpoints++;
    return lookup_refresh(store);
}

static void answer(struct store_sync *list, enum err err)
{
    if (list && list->next)
        MARK(checkpoint_shared);
    while (list) {
        struct store_sync *sync = list;
        list = sync->next;
        sync->done(sync, err);
    }
}

/* Nobody is to wait for a checkpoint that will not come. */
static void answer_all(struct checkpoint *cp, enum err err)
{
    struct store_sync *now = cp->waiting, *next = cp->waiting_next;
    cp->waiting = cp->waiting_next = NULL;
    answer(now, err);
    answer(next, err);
}

/* The timer wakes the checkpoint too: when commits wait for it, nothing else would. */
static void retry(struct store *store)
{
    MARK(checkpoint_no_space);
    spare_sacrifice(
        store); /* C3; when there is none left, deletions and the cleaner may still help */
    store->checkpoint.retry_at = store->env->ops->mono_ns(store->env) + RETRY_NS;
    store->full = true;
    store->env->ops->timer_start(store->env, &store->spare_timer, RETRY_NS);
}

/* The store closes on a full disk: the log needs no more space, so it takes what is left, and the
 * next start replays it. */
static void give_up(struct store *store)
{
    MARK(checkpoint_not_at_close);
    store->log.sync_wanted = true;
    log_kick(store);
    answer_all(&store->checkpoint, ERR_NOSPC);
}

static void checkpoint_done(struct env_job *job)
{
    struct checkpoint *cp = (struct checkpoint *)job;
    struct store *store = cp->store;
    cp->running = false;
    if (cp->err == ERR_NOSPC) {
        if (store->closing)
            give_up(store);
        else
            retry(store);
        store_settle(store);
        return;
    }
    enum err err = cp->err ? cp->err : checkpoint_finish(store);
    if (err) {
        store_fail(store, err, "writing the index");
        answer_all(cp, err);
        store_settle(store);
        return;
    }
    struct store_sync *list = cp->waiting;
    cp->waiting = cp->waiting_next;
    cp->waiting_next = NULL;
    /* The answers come last: one of them may be store_close's, which must see this work under
     * way. */
    cleaner_segments_done(store);
    if (cp->waiting) {
        MARK(checkpoint_asked_again);
        checkpoint_kick(store);
    }
    cleaner_kick(store);
    answer(list, OK);
    store_settle(store);
}

static void log_durable(struct store_sync *sync, enum err err)
{
    struct checkpoint *cp = (struct checkpoint *)((char *)sync - offsetof(struct checkpoint, sync));
    struct store *store = cp->store;
    cp->err = err;
    if (err) {
        cp->running = false;
        answer_all(cp, err);
        store_settle(store);
        return;
    }
    if (MUTANT(checkpoint_noted_late))
        note_place(store);
    store->env->ops->submit(store->env, &cp->job);
}

static bool due(const struct store *store)
{
    uint64_t behind = 0, at = place_lsn(store->checkpoint_place);
    for (uint32_t i = store->segments.count; i > 0; i--) {
        const struct segment *s = store->segments.items[i - 1];
        if (s->number < place_of_lsn(at).segment)
            break;
        if (s->state != SEGMENT_SPARE)
            behind += s->bytes;
    }
    return store->active->bytes >= store->limits.overlay_bytes ||
           behind >= store->limits.replay_bytes;
}

void checkpoint_kick(struct store *store)
{
    struct checkpoint *cp = &store->checkpoint;
    if (cp->running || store->failed || store->opening || store->read_only)
        return;
    if (store->frozen && store->env->ops->mono_ns(store->env) < cp->retry_at)
        return; /* C3: waits for room */
    if (!store->frozen && !cp->waiting) {
        if (!due(store))
            return;
        MARK(checkpoint_by_limits);
    }
    if (!store->frozen)
        checkpoint_begin(store);
    cp->store = store;
    cp->job.run = checkpoint_run;
    cp->job.done = checkpoint_done;
    cp->running = true;
    cp->sync.done = log_durable;
    if (MUTANT(checkpoint_before_log))
        log_durable(&cp->sync, OK);
    else
        store_sync(store, &cp->sync);
}

void checkpoint_start(struct store *store, struct store_sync *sync)
{
    struct checkpoint *cp = &store->checkpoint;
    if (store->failed || store->read_only) {
        sync->done(sync, store->failed ? store->failed : ERR_READ_ONLY);
        return;
    }
    struct store_sync **list = store->frozen ? &cp->waiting_next : &cp->waiting; /* C1 */
    sync->next = *list;
    *list = sync;
    checkpoint_kick(store);
}

void store_checkpoint(struct store *store, struct store_sync *sync)
{
    checkpoint_start(store, sync);
}

enum err checkpoint_blocking(struct store *store, bool with_meta)
{
    checkpoint_begin(store);
    enum err err = write_batch(store, with_meta);
    return err ? err : checkpoint_finish(store);
}

void checkpoint_free(struct store *store)
{
    free(store->checkpoint.segments);
    free(store->checkpoint.removed);
}
