/* SPDX-License-Identifier: MIT
 *
 * spare.c: segment files made ahead of their use.
 *
 * A spare is a segment file with its header, its disk space reserved, synced with its directory.
 * Because the log only ever moves into a spare, running out of disk space shows here, where nothing
 * is lost, and never in the middle of an append. The last limits.spare_segments spares are for
 * deletions, the cleaner and, given up one after another, for the index: that is how a full disk
 * becomes less full.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/store/store_private.h"

#define AHEAD      2u /* spares beyond those held back */
#define AHEAD_FAST 5u /* when the log went through a segment in less than FAST_NS */
#define FAST_NS    UINT64_C(500000000)
#define RETRY_NS   UINT64_C(1000000000) /* between attempts on a full disk */

uint32_t spare_count(const struct store *store)
{
    uint32_t n = 0;
    for (uint32_t i = store->segments.count;
         i > 0 && store->segments.items[i - 1]->state == SEGMENT_SPARE; i--)
        n++;
    return n;
}

/* One segment file, with its space and header, not yet synced. */
static enum err make_one(struct store *store, uint32_t number, struct env_file **out)
{
    const struct env_ops *ops = store->env->ops;
    char path[STORE_PATH_MAX];
    struct env_file *file;
    segment_path(store->path, number, path, sizeof path);
    enum err err = ops->file_open(store->env, path, ENV_CREATE, &file);
    if (err)
        return err;
    uint8_t *header = calloc(1, SEGMENT_HEADER);
    INVARIANT(header != NULL);
    segment_header_encode(store->identity.uuid, number, header);
    struct env_iov iov = {header, SEGMENT_HEADER};
    err = MUTANT(spare_unreserved) ? OK : ops->file_reserve(file, store->limits.segment_bytes);
    err = err ? err : ops->file_write(file, 0, &iov, 1);
    free(header);
    if (err == ERR_NOSPC)
        MARK(spare_no_space);
    if (err) {
        ops->file_close(file);
        ops->file_remove(store->env, path);
        return err;
    }
    *out = file;
    return OK;
}

void spare_make(struct spare_job *spare)
{
    struct store *store = spare->store;
    char seg[STORE_PATH_MAX + 8];
    spare->made = 0;
    spare->err = OK;
    while (spare->made < spare->wanted && !spare->err) {
        spare->err = make_one(store, spare->first + spare->made, &spare->files[spare->made]);
        spare->made += !spare->err;
    }
    snprintf(seg, sizeof seg, "%s/seg", store->path);
    bool sync = spare->made && !MUTANT(spare_dir_unsynced);
    enum err err = sync ? store->env->ops->dir_sync(store->env, seg) : OK;
    spare->err = err ? err : spare->err;
}

static void spare_run(struct env_job *job)
{
    spare_make((struct spare_job *)job);
}

/* Puts what was made into the table. */
static void take_over(struct spare_job *spare)
{
    for (uint32_t i = 0; i < spare->made; i++) {
        struct segment *segment =
            segments_add(&spare->store->segments, spare->first + i, SEGMENT_SPARE);
        segment->file = spare->files[i];
        segment->dirty = false;
    }
    spare->made = 0;
}

static void spare_done(struct env_job *job)
{
    struct spare_job *spare = (struct spare_job *)job;
    struct store *store = spare->store;
    spare->busy = false;
    take_over(spare);
    store->full = spare->err == ERR_NOSPC;
    if (store->full)
        store->env->ops->timer_start(store->env, &store->spare_timer, RETRY_NS);
    else if (spare->err)
        store_fail(store, spare->err, "making a segment file");
    log_kick(store);
    spare_kick(store);
    cleaner_kick(store);
    store_settle(store);
}

enum err spare_first(struct store *store)
{
    struct spare_job spare = {
        .store = store, .first = store->segments.last_number + 1, .wanted = 1};
    spare_make(&spare);
    take_over(&spare);
    store->full = spare.err == ERR_NOSPC;
    if (!store->full)
        return spare.err;
    MARK(spare_none_at_start);
    /* a full disk can still be read, and need not stay full */
    store->env->ops->timer_start(store->env, &store->spare_timer, RETRY_NS);
    return OK;
}

void spare_timer_fired(struct env_timer *timer)
{
    struct store *store = (struct store *)((char *)timer - offsetof(struct store, spare_timer));
    MARK(spare_tried_again);
    store->full = false;
    spare_kick(store);
    checkpoint_kick(store); /* one may have found the disk full */
    cleaner_kick(store);
    store_settle(store);
}

void spare_kick(struct store *store)
{
    struct spare_job *spare = &store->spare;
    uint32_t wanted = store->limits.spare_segments + (store->log.fast ? AHEAD_FAST : AHEAD);
    if (spare->busy || store->failed || store->full || store->closing || store->opening ||
        store->read_only)
        return;
    if (spare_count(store) >= wanted)
        return;
    spare->store = store;
    spare->job.run = spare_run;
    spare->job.done = spare_done;
    spare->first = store->segments.last_number + 1;
    spare->wanted = wanted - spare_count(store);
    spare->wanted = spare->wanted < SPARE_BATCH ? spare->wanted : SPARE_BATCH;
    store->segments.last_number += spare->wanted;
    spare->busy = true;
    store->env->ops->submit(store->env, &spare->job);
}

void spare_taken(struct store *store)
{
    uint64_t now = store->env->ops->mono_ns(store->env);
    store->log.fast = now - store->log.switched_ns < FAST_NS;
    store->log.switched_ns = now;
    spare_kick(store);
}

struct segment *spare_take(struct store *store, bool frees)
{
    uint32_t n = spare_count(store);
    if (n == 0)
        return NULL;
    if (store->full && n <= store->limits.spare_segments) { /* held back */
        if (!frees) {
            MARK(spare_refused);
            return NULL;
        }
        MARK(spare_for_deletion);
    }
    return store->segments.items[store->segments.count - n];
}

bool spare_sacrifice(struct store *store)
{
    uint32_t n = spare_count(store);
    if (n < 2 || store->spare.busy)
        return false; /* the last one stays with the log */
    MARK(spare_given_up);
    struct segment *last = store->segments.items[store->segments.count - 1];
    char path[STORE_PATH_MAX];
    segment_path(store->path, last->number, path, sizeof path);
    segments_remove(&store->segments, last, store->env);
    return store->env->ops->file_remove(store->env, path) == OK;
}

void spare_trim(struct store *store)
{
    store->log.fast = false;
    while (spare_count(store) > store->limits.spare_segments + AHEAD && spare_sacrifice(store))
        ;
}
