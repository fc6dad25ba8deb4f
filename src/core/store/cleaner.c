/* SPDX-License-Identifier: MIT
 *
 * cleaner.c: giving back the space of what is overwritten and deleted (Rosenblum & Ousterhout 1992,
 * section 3).
 *
 * A segment is chosen by the share of it that cleaning gives back. A job reads its records; the
 * loop moves what is live to the head (move.c); then the segment is doomed, and its file goes once
 * a checkpoint that began after that is durable. When the cleaner has nothing to do it rests until
 * a commit or a checkpoint wakes it.
 *
 * Law
 *   G1  Only sealed segments that no replay needs are cleaned: all of them lie before the last
 *       checkpoint's place.
 *   G2  A segment in which something cannot be read is marked damaged and kept, unless it is known
 *       that nothing refers to what cannot be read (damage.c, D3).
 *   G3  Unless space is short or it was asked for, the cleaner works only while nobody commits.
 *   G4  Segments of many deletions come last, in order: by then the older bytes that the deletions
 *       hide are gone, files and all, and most deletions need not be kept (move.c, V2).
 *   G5  What replicas may still want of the log is left alone (tail.c, B3).
 *   G6  A guard is cleaned when nothing older is left, nor can come back with a power cut: after
 *       what it hides (apply.c, A5). When the space of guards is wanted and nothing else is to be
 *       had, older segments are cleaned in order, however little they give back themselves.
 */
#include "core/store/cleaner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/tail.h"

#define STEP_BYTES (1u << 20)
#define IDLE_NS    UINT64_C(200000000)
#define PAUSE_NS   UINT64_C(5000000)
#define SWEEP_STEP 1000u
#define SWEEP_NS   UINT64_C(30000000000)

static void timer_fire(struct env_timer *timer)
{
    struct store *store = (struct store *)((char *)timer - offsetof(struct store, clean_timer));
    if (store->policy.keep_ns && store->old_versions)
        store->sweep_wanted = true;
    cleaner_kick(store);
}

void cleaner_init(struct store *store)
{
    store->cleaner = calloc(1, sizeof *store->cleaner);
    INVARIANT(store->cleaner != NULL);
    store->cleaner->store = store;
    store->clean_timer.fire = timer_fire;
}

static void free_records(struct cleaner *cleaner)
{
    for (uint32_t i = 0; i < cleaner->count; i++)
        free(cleaner->records[i].bytes);
    cleaner->count = cleaner->next = 0;
}

void cleaner_free(struct store *store)
{
    store->env->ops->timer_stop(store->env, &store->clean_timer);
    free_records(store->cleaner);
    reader_free(&store->cleaner->reader);
    free(store->cleaner);
}

bool cleaner_busy(const struct store *store)
{
    return store->cleaner->busy || store->cleaner->removals > 0;
}

/* --- removing files (S3) --- */

struct removal {
    struct env_job job;
    struct store *store;
    struct loose loose;
    bool sync; /* a guard waits for it: G6 */
    char path[STORE_PATH_MAX], dir[STORE_PATH_MAX + 8];
};

static void removal_drop(struct loose *loose)
{
    free((char *)loose - offsetof(struct removal, loose));
}

static void removal_run(struct env_job *job)
{
    struct removal *removal = (struct removal *)job;
    const struct env_ops *ops = removal->store->env->ops;
    ops->file_remove(removal->store->env, removal->path);
    if (removal->sync)
        ops->dir_sync(removal->store->env, removal->dir);
}

static void removal_done(struct env_job *job)
{
    struct store *store = ((struct removal *)job)->store;
    bool guards = ((struct removal *)job)->sync;
    loose_remove(&((struct removal *)job)->loose);
    free(job);
    store->cleaner->removals--;
    if (guards)
        cleaner_kick(store);
    if (store->full) {
        store->full = false; /* try again: there may be room now */
        spare_kick(store);
    }
    store_settle(store);
}

static bool any_guard(const struct store *store)
{
    bool any = false;
    for (uint32_t i = 0; i < store->segments.count && !any; i++)
        any = store->segments.items[i]->guard;
    return any;
}

static void remove_file(struct store *store, struct segment *segment)
{
    struct removal *removal = calloc(1, sizeof *removal);
    INVARIANT(removal != NULL);
    removal->job.run = removal_run;
    removal->job.done = removal_done;
    removal->store = store;
    loose_add(store, &removal->loose, removal_drop);
    segment_path(store->path, segment->number, removal->path, sizeof removal->path);
    snprintf(removal->dir, sizeof removal->dir, "%s/seg", store->path);
    removal->sync = any_guard(store);
    segments_remove(&store->segments, segment, store->env);
    INVARIANT(store->doomed > 0);
    store->doomed--;
    store->cleaner->removals++;
    store->counters.segments_cleaned++;
    store->env->ops->submit(store->env, &removal->job);
}

void cleaner_segments_done(struct store *store)
{
    for (uint32_t i = store->segments.count; i > 0; i--) {
        struct segment *s = store->segments.items[i - 1];
        if (s->state == SEGMENT_DOOMED && s->doomed_at <= store->checkpoint.done_number &&
            s->readers == 0 && !s->unsynced)
            remove_file(store, s);
    }
}

static void doom(struct store *store, struct segment *segment)
{
    INVARIANT(segment->live == 0 && segment->state == SEGMENT_SEALED);
    segment->state = SEGMENT_DOOMED;
    if (segment->discard && store->damage.discards == 1)
        discard_end(store, OK);
    else
        store->damage.discards -= segment->discard;
    segment->discard = false;
    segment->doomed_at = store->checkpoint.number + 1;
    store->doomed++;
    store->cleaner->untidy = true;
    checkpoint_segment_gone(store, segment->number);
    segments_sum(&store->segments);
    if (MUTANT(cleaner_removes_early)) {
        segment->doomed_at = store->checkpoint.done_number;
        cleaner_segments_done(store);
    }
}

/* --- which, and when --- */

static bool cleanable(const struct segment *s)
{
    return s->state == SEGMENT_SEALED && !s->damaged &&
           (s->live == 0 || segment_reclaimable(s) * 25 > s->bytes);
}

/* A deletion takes some 40 bytes; a quarter of the segment is many. */
static bool mostly_tombs(const struct segment *s)
{
    return (uint64_t)s->tombs * 160 > s->bytes;
}

/* What is dead, but held (G5). */
static uint64_t held_bytes(const struct store *store)
{
    uint64_t bytes = 0;
    uint32_t held = tail_held_from(store);
    for (uint32_t i = store->segments.count; i > 0; i--) {
        const struct segment *s = store->segments.items[i - 1];
        if (s->number < held)
            break;
        if (s->state == SEGMENT_HEAD || s->state == SEGMENT_SEALED)
            bytes += segment_reclaimable(s);
    }
    return bytes;
}

static uint64_t excess(const struct store *store)
{
    uint64_t dead = segments_reclaimable(&store->segments) - held_bytes(store);
    uint64_t allowed = store->segments.live / 100 * store->limits.clean_percent;
    return dead > allowed ? dead - allowed : 0;
}

/* G6 */
static bool hides(const struct store *store, const struct segment *s)
{
    return s->guard && (segments_from(&store->segments, 0) != s || store->cleaner->removals > 0);
}

/* The oldest segment that can be cleaned, so that the guard behind it can be, in the end. */
static struct segment *before_guard(const struct store *store, const struct segment *guard)
{
    for (uint32_t i = 0; guard && i < store->segments.count; i++) {
        struct segment *s = store->segments.items[i];
        if (s->number >= guard->number)
            break;
        if (s->state != SEGMENT_SEALED || s->damaged || hides(store, s))
            continue;
        MARK(cleaner_before_guard);
        return s;
    }
    return NULL;
}

/* The segment that gives back the greatest share; `later`: a checkpoint would let more be cleaned
 * or removed. */
static struct segment *choose(const struct store *store, bool *later)
{
    struct segment *best = NULL, *tombs = NULL, *guard = NULL;
    uint32_t held = tail_held_from(store);
    *later = false;
    for (uint32_t i = 0; i < store->segments.count; i++) {
        struct segment *s = store->segments.items[i];
        if (s->state == SEGMENT_DOOMED && s->doomed_at > store->checkpoint.done_number)
            *later = true;
        if (!cleanable(s) || s->number >= held) /* G5 */
            continue;
        if (s->number >= store->checkpoint_place.segment || store->frozen) { /* G1 */
            *later = true;
            continue;
        }
        if (hides(store, s)) {
            guard = guard ? guard : s;
            continue;
        }
        if (mostly_tombs(s)) {
            tombs = tombs ? tombs : s;
            continue;
        }
        if (s->live == 0)
            return s;
        if (!best || segment_reclaimable(s) * best->bytes > segment_reclaimable(best) * s->bytes)
            best = s;
    }
    if (!best && !*later && tombs)
        MARK(cleaner_deletions_last);
    if (best || *later)
        return best;
    return tombs || !excess(store) ? tombs : before_guard(store, guard); /* G4, G6 */
}

/* Likewise, of those that are to go because something in them is damaged: also what is kept of the
 * log for other replicas (G5), which is of no use for them. */
static struct segment *choose_discard(const struct store *store, bool *later)
{
    for (uint32_t i = 0; i < store->segments.count; i++) {
        struct segment *s = store->segments.items[i];
        if (!s->discard || s->damaged || s->state != SEGMENT_SEALED || hides(store, s) ||
            tail_stands(store, s->number))
            continue;
        if (s->number < store->checkpoint_place.segment && !store->frozen) /* G1 */
            return s;
        *later = true;
    }
    return NULL;
}

enum need { REST, WHEN_IDLE, AT_ONCE };

static enum need need(const struct store *store)
{
    uint64_t over = excess(store), segment = store->limits.segment_bytes;
    if (store->clean_waiting || store->damage.discards)
        return AT_ONCE;
    if (over == 0)
        return store->doomed ? WHEN_IDLE : REST;
    if (store->full || over > store->segments.live / 2 + 32 * segment)
        return AT_ONCE;
    return over > segment || store->doomed ? WHEN_IDLE : REST;
}

static void finish_request(struct store *store, enum err err)
{
    while (store->clean_waiting) {
        struct store_sync *sync = store->clean_waiting;
        store->clean_waiting = sync->next;
        sync->done(sync, err);
    }
}

/* --- one segment --- */

static void clean_run(struct env_job *job)
{
    struct cleaner *cleaner = (struct cleaner *)job;
    uint64_t bytes = 0;
    cleaner->err = OK;
    while (cleaner->count < CLEAN_RECORDS && bytes < STEP_BYTES && !cleaner->err) {
        struct reader_record record;
        cleaner->err = reader_next(&cleaner->reader, &record);
        if (cleaner->err)
            break;
        uint64_t len = frame_record_len(&record.frame);
        struct clean_record *copy = &cleaner->records[cleaner->count++];
        copy->frame = record.frame;
        copy->offset = record.offset;
        copy->bytes = malloc(len);
        INVARIANT(copy->bytes != NULL);
        memcpy(copy->bytes, record.bytes, len);
        bytes += len;
    }
    cleaner->end = cleaner->err == ERR_NOENT && cleaner->reader.at >= cleaner->reader.end;
    if (cleaner->end)
        cleaner->err = OK;
    else if (cleaner->err == ERR_NOENT)
        cleaner->err = ERR_DAMAGED_RECORD;
}

static void end_victim(struct cleaner *cleaner, bool damaged)
{
    struct store *store = cleaner->store;
    struct segment *victim = cleaner->victim;
    free_records(cleaner);
    reader_free(&cleaner->reader);
    victim->readers--;
    cleaner->victim = NULL;
    cleaner->end = false;
    if (damaged) { /* G2 */
        MARK(cleaner_gave_up);
        victim->damaged = true;
        if (victim->discard)
            discard_end(store, ERR_CORRUPT);
        store_note_problem(store, "the cleaner cannot read a record; the segment is kept",
                           (struct place){victim->number, (uint32_t)cleaner->reader.at});
    } else if (victim->discard ? !tail_stands(store, victim->number)
                               : victim->number < tail_held_from(store)) {
        doom(store, victim);
    } else {
        MARK(cleaner_held); /* a tail was opened meanwhile: the rest of it another time */
    }
}

/* Moves what was read. False when it has to wait. */
static bool work_through(struct cleaner *cleaner)
{
    struct store *store = cleaner->store;
    while (cleaner->next < cleaner->count) {
        if (!store_has_room(store))
            return false;
        enum err err = move_record(cleaner, &cleaner->records[cleaner->next]);
        if (err == ERR_AGAIN || err == ERR_NOSPC)
            return false;
        if (err) {
            end_victim(cleaner, true);
            return true;
        }
        cleaner->next++;
    }
    checkpoint_kick(store); /* deletions that are forgotten grow the overlay, too */
    free_records(cleaner);
    /* What cannot be read may be a deletion, which is not counted as live: G2. */
    if (cleaner->end)
        end_victim(cleaner, cleaner->err || cleaner->victim->live != 0);
    return true;
}

/* The reader stands at damage that is given up: it goes on behind it. */
static bool skip_damage(struct cleaner *cleaner)
{
    struct place at = {cleaner->victim->number, (uint32_t)cleaner->reader.at};
    const struct damage_range *range = damage_at(&cleaner->store->damage, at);
    if (!cleaner->victim->discard || !range || range->referred || !range->unreadable ||
        range->from != at.offset)
        return false;
    cleaner->reader.at = range->end;
    return true;
}

static void clean_done(struct env_job *job)
{
    struct cleaner *cleaner = (struct cleaner *)job;
    struct store *store = cleaner->store;
    cleaner->busy = false;
    if (cleaner->err && skip_damage(cleaner))
        cleaner->err = OK;
    else if (cleaner->err && cleaner->count == 0)
        end_victim(cleaner, true);
    else if (cleaner->err)
        cleaner->end = true; /* the good records first */
    cleaner_kick(store);
    store_settle(store);
}

static void read_more(struct cleaner *cleaner)
{
    cleaner->job.run = clean_run;
    cleaner->job.done = clean_done;
    cleaner->busy = true;
    cleaner->store->env->ops->submit(cleaner->store->env, &cleaner->job);
}

static void start_victim(struct cleaner *cleaner, struct segment *victim)
{
    struct store *store = cleaner->store;
    if (victim->live == 0 && victim->tombs == 0) {
        MARK(cleaner_empty_segment);
        doom(store, victim);
        return;
    }
    if (segment_open(store, victim)) {
        victim->damaged = true;
        return;
    }
    victim->readers++;
    cleaner->victim = victim;
    cleaner->end = false;
    reader_init(&cleaner->reader, store, victim->number, victim->file, victim->bytes);
}

/* --- versions that are no longer kept --- */

static void sweep_object(struct store *store, const struct object_key *key)
{
    struct version version;
    uint32_t newer = 0;
    enum err err = lookup(store, key, STAMP_MAX, &version);
    while (!err && store->old_versions) {
        struct stamp next = version.stamp;
        err = lookup_older(store, key, next, &version);
        if (!err && !store_keeps(store, version.stamp, next, ++newer)) {
            apply_forget(store, key, version.stamp);
            version.stamp = next; /* look again below the same one */
            newer--;
        }
    }
}

static void sweep(struct store *store)
{
    const struct object_key last = {OBJECT_KIND_COUNT - 1, UINT64_MAX, UINT64_MAX};
    struct object_key keys[SWEEP_STEP], key;
    struct walk walk;
    uint32_t n = 0;
    enum err err = walk_begin(&walk, store, store->sweep_at, last);
    while (!err && n < SWEEP_STEP && (err = walk_next(&walk, &key)) == OK)
        keys[n++] = key;
    for (uint32_t i = 0; i < n; i++)
        sweep_object(store, &keys[i]);
    store->sweep_at = (struct object_key){0, 0, 0};
    if (err || !n)
        store->sweep_wanted = false;
    else
        (void)(store->sweep_at = keys[n - 1], object_key_next(&store->sweep_at));
}

/* --- the wheel --- */

static void again_in(struct store *store, uint64_t ns)
{
    store->env->ops->timer_start(store->env, &store->clean_timer, ns);
}

static void checkpoint_ready(struct store_sync *sync, enum err err)
{
    struct cleaner *cleaner =
        (struct cleaner *)((char *)sync - offsetof(struct cleaner, checkpoint));
    cleaner->waits_for_checkpoint = false;
    if (err)
        finish_request(cleaner->store, err);
    else if (!cleaner->stop)
        again_in(cleaner->store, 0); /* when all is quiet, nothing else would wake it */
}

/* Nothing can be cleaned now: perhaps after a checkpoint. The last one of a cleaning has little to
 * write. */
static void rest_or_checkpoint(struct store *store, bool later)
{
    struct cleaner *cleaner = store->cleaner;
    if (!later && !cleaner->untidy) {
        spare_trim(store);
        if (store->damage.discards)
            discard_end(store, ERR_BUSY);
        finish_request(store, OK);
        return;
    }
    cleaner->untidy = later;
    cleaner->waits_for_checkpoint = true;
    cleaner->checkpoint.done = checkpoint_ready;
    checkpoint_start(store, &cleaner->checkpoint);
}

void cleaner_kick(struct store *store)
{
    struct cleaner *cleaner = store->cleaner;
    bool later = false;
    if (store->opening || store->failed || store->read_only || cleaner->stop || cleaner->busy ||
        cleaner->waits_for_checkpoint)
        return;
    enum need how = need(store);
    bool resting = how == REST && !cleaner->victim && !store->sweep_wanted;
    if (resting && !cleaner->untidy) {
        if (store->policy.keep_ns && store->old_versions)
            again_in(store, SWEEP_NS);
        return;
    }
    if (how != AT_ONCE && store->env->ops->mono_ns(store->env) < store->last_commit_ns + IDLE_NS) {
        again_in(store, IDLE_NS);
        return; /* G3 */
    }
    if (resting) {
        rest_or_checkpoint(store, false);
        return;
    }
    if (store->sweep_wanted) {
        sweep(store);
        again_in(store, PAUSE_NS);
    }
    if (!cleaner->victim) {
        struct segment *victim =
            store->damage.discards ? choose_discard(store, &later) : choose(store, &later);
        if (!victim) {
            rest_or_checkpoint(store, later);
            return;
        }
        start_victim(cleaner, victim);
    } else if (cleaner->next < cleaner->count || cleaner->end) {
        if (!work_through(cleaner)) {
            MARK(cleaner_waited);
            again_in(store, PAUSE_NS);
            return;
        }
    }
    if (cleaner->victim)
        read_more(cleaner);
    else
        again_in(store, 0);
}

void cleaner_stop(struct store *store)
{
    struct cleaner *cleaner = store->cleaner;
    cleaner->stop = true;
    store->env->ops->timer_stop(store->env, &store->clean_timer);
    finish_request(store, ERR_BUSY);
    discard_end(store, ERR_BUSY);
}

void store_clean(struct store *store, struct store_sync *sync)
{
    if (store->failed || store->read_only) {
        sync->done(sync, store->failed ? store->failed : ERR_READ_ONLY);
        return;
    }
    sync->next = store->clean_waiting;
    store->clean_waiting = sync;
    cleaner_kick(store);
}
