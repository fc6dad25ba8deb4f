/* SPDX-License-Identifier: MIT
 *
 * store.c: opening, closing, pinning. The law of the store is in store_private.h.
 */
#include "core/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/store_private.h"

#define OPEN_FILES_MAX 256u

struct store_limits store_limits_default(void)
{
    return (struct store_limits){.segment_bytes = 16u << 20,
                                 .pending_bytes = 48u << 20,
                                 .overlay_bytes = 16u << 20,
                                 .replay_bytes = UINT64_C(256) << 20,
                                 .unsynced_ns = UINT64_C(300000000),
                                 .clean_percent = 8,
                                 .spare_segments = 3};
}

/* --- files of segments --- */

static void close_one_file(struct store *store)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < store->segments.count; i++)
        open += store->segments.items[i]->file != NULL;
    for (uint32_t i = 0; i < store->segments.count && open >= OPEN_FILES_MAX; i++) {
        struct segment *s = store->segments.items[i];
        if (!s->file || s->readers || s->unsynced || s->state != SEGMENT_SEALED ||
            s->number >= store->log.written.segment)
            continue;
        store->env->ops->file_close(s->file);
        s->file = NULL;
        open--;
    }
    store->open_files = open;
}

enum err segment_open(struct store *store, struct segment *segment)
{
    if (segment->file)
        return OK;
    if (++store->open_files >= OPEN_FILES_MAX)
        close_one_file(store);
    char path[STORE_PATH_MAX];
    segment_path(store->path, segment->number, path, sizeof path);
    return store->env->ops->file_open(store->env, path, ENV_READ, &segment->file);
}

/* --- making and opening --- */

static bool count_name(void *ctx, const char *name)
{
    (void)name;
    ++*(uint32_t *)ctx;
    return true;
}

static struct store *store_new(struct env *env, const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    INVARIANT(store != NULL && options->path && strlen(options->path) + 32 < STORE_PATH_MAX);
    store->env = env;
    snprintf(store->path, sizeof store->path, "%s", options->path);
    store->node = options->node;
    store->limits = options->limits;
    store->policy = options->policy;
    store->read_only = options->read_only;
    store->rebuild = options->rebuild_index;
    store->opening = true;
    segments_init(&store->segments);
    store->base.sequence = 1;
    overlay_init(&store->overlays[0]);
    overlay_init(&store->overlays[1]);
    store->active = &store->overlays[0];
    arena_init(&store->arena);
    log_init(store);
    store->spare_timer.fire = spare_timer_fired;
    cleaner_init(store);
    return store;
}

void loose_add(struct store *store, struct loose *loose, void (*drop)(struct loose *loose))
{
    loose->drop = drop;
    loose->next = store->loose;
    loose->link = &store->loose;
    if (loose->next)
        loose->next->link = &loose->next;
    store->loose = loose;
}

void loose_remove(struct loose *loose)
{
    *loose->link = loose->next;
    if (loose->next)
        loose->next->link = loose->link;
}

static void store_free(struct store *store)
{
    const struct env_ops *ops = store->env->ops;
    while (store->loose) {
        struct loose *loose = store->loose;
        loose_remove(loose);
        loose->drop(loose);
    }
    ops->timer_stop(store->env, &store->spare_timer);
    log_release(store);
    cleaner_free(store);
    damage_free(&store->damage);
    checkpoint_free(store);
    overlay_clear(&store->overlays[0]);
    overlay_clear(&store->overlays[1]);
    segments_free(&store->segments, store->env);
    if (store->cursor)
        ops->cursor_close(store->cursor);
    if (store->index)
        ops->index_close(store->index);
    arena_free(&store->arena);
    free(store);
}

void store_abandon(struct store *store)
{
    store_free(store);
}

static struct store_identity new_identity(struct env *env)
{
    struct store_identity identity = {.salt = env->ops->random(env),
                                      .created = (int64_t)env->ops->wall_ns(env)};
    struct cursor c = cursor_over(identity.uuid, 16);
    put_u64(&c, env->ops->random(env));
    put_u64(&c, env->ops->random(env));
    return identity;
}

enum err store_format(struct env *env, const struct store_options *options,
                      struct store_error *error)
{
    const struct env_ops *ops = env->ops;
    char seg[STORE_PATH_MAX];
    uint32_t names = 0;
    enum err err = ops->dir_list(env, options->path, count_name, &names);
    if (err)
        return store_error_set(error, err, "%s cannot be read: %s.", options->path, err_text(err));
    if (names) {
        struct store_identity found;
        uint32_t bytes;
        if (store_identity_read(env, options->path, &found, &bytes, NULL) == OK)
            return store_error_set(error, ERR_EXIST, "%s is a PactFS store already.",
                                   options->path);
        return store_error_set(error, ERR_NOT_A_STORE,
                               "%s is not empty and not a PactFS store. Choose an empty directory.",
                               options->path);
    }
    struct store_identity identity;
    if (options->identity)
        identity = *options->identity;
    else
        identity = new_identity(env);
    snprintf(seg, sizeof seg, "%s/seg", options->path);
    err = ops->dir_make(env, seg);
    /* the identity comes last: a directory without it was never a store */
    err = err ? err
              : store_identity_write(env, options->path, &identity, options->limits.segment_bytes,
                                     options->identity != NULL);
    if (err)
        return store_error_set(error, err, "A store cannot be made in %s: %s.", options->path,
                               err_text(err));
    return OK;
}

enum err store_open(struct env *env, const struct store_options *options, struct store **out,
                    struct store_error *error)
{
    struct store *store = store_new(env, options);
    enum err err = store_identity_read(env, store->path, &store->identity,
                                       &store->limits.segment_bytes, error);
    err = err ? err : recovery_run(store, error);
    err = err ? err : note_load(store);
    if (err) {
        store_free(store);
        return err;
    }
    store->opening = false;
    *out = store;
    spare_kick(store);
    log_kick(store);
    checkpoint_kick(store); /* a long replay may have left one to be made */
    cleaner_kick(store);
    return OK;
}

/* --- closing: everything comes to rest, then a last checkpoint --- */

static bool at_rest(const struct store *store)
{
    return log_idle(store) && !store->spare.busy && !store->checkpoint.running &&
           !cleaner_busy(store) && !scrub_busy(store) && store->reads == 0;
}

static void close_finished(struct store_sync *sync, enum err err)
{
    struct store *store = (struct store *)((char *)sync - offsetof(struct store, close_sync));
    store->close_err = err;
    store->close_synced = true;
    store_settle(store);
}

void store_close(struct store *store, void (*done)(void *ctx, enum err err), void *ctx)
{
    INVARIANT(!store->closing);
    store->closing = true;
    store->close_done = done;
    store->close_ctx = ctx;
    store->close_sync.done = close_finished;
    cleaner_stop(store);
    bool nothing = store->active->objects == 0 && !store->frozen;
    if (store->read_only ||
        (nothing && place_lsn(store->log.durable) == place_lsn(store->log.appended)))
        close_finished(&store->close_sync, OK);
    else
        checkpoint_start(store, &store->close_sync);
}

struct closing_job {
    struct env_job job;
    struct store *store;
    struct loose loose;
};

static void closing_drop(struct loose *loose)
{
    free((char *)loose - offsetof(struct closing_job, loose));
}

static void closing_run(struct env_job *job)
{
    struct store *store = ((struct closing_job *)job)->store;
    if (store->log.head && !store->failed) /* gives back what was reserved */
        store->env->ops->file_truncate(store->log.head->file, store->log.head->bytes);
}

static void closing_done(struct env_job *job)
{
    struct store *store = ((struct closing_job *)job)->store;
    void (*done)(void *, enum err) = store->close_done;
    void *ctx = store->close_ctx;
    enum err err = store->close_err;
    store_free(store);
    done(ctx, err);
}

void store_settle(struct store *store)
{
    if (store->room && store_has_room(store)) {
        void (*room)(void *) = store->room;
        store->room = NULL;
        room(store->room_ctx);
    }
    if (!store->closing || !store->close_synced || store->close_submitted)
        return;
    if (!at_rest(store) && !(store->failed && !store->log.writer.busy && !store->log.syncer.busy &&
                             store->reads == 0 && !store->spare.busy &&
                             !store->checkpoint.running && !cleaner_busy(store)))
        return;
    struct closing_job *closing = calloc(1, sizeof *closing);
    INVARIANT(closing != NULL);
    store->close_submitted = true;
    closing->store = store;
    loose_add(store, &closing->loose, closing_drop);
    closing->job.run = closing_run;
    closing->job.done = closing_done;
    store->env->ops->submit(store->env, &closing->job);
}

/* --- room for commits --- */

/* Bytes that must stay free for the log before a commit may wait for nothing. */
static uint64_t log_room(const struct store *store)
{
    const struct segment *head = store->log.head;
    uint64_t room = head ? store->limits.segment_bytes - head->bytes : 0;
    return room + (uint64_t)spare_count(store) * (store->limits.segment_bytes - SEGMENT_HEADER);
}

bool store_has_room(const struct store *store)
{
    if (store->failed || store->read_only)
        return true; /* commits fail at once, there is nothing to wait for */
    if (!store->full && log_room(store) < store->limits.segment_bytes) {
        MARK(room_spare);
        return false; /* a spare is being made */
    }
    if (store->frozen && !store->full && store->active->bytes >= 2 * store->limits.overlay_bytes) {
        MARK(room_checkpoint);
        return false; /* the checkpoint under way must end first */
    }
    if (store->log.pending < store->limits.pending_bytes)
        return true;
    MARK(room_pending);
    return false;
}

void store_on_room(struct store *store, void (*room)(void *ctx), void *ctx)
{
    store->room = room;
    store->room_ctx = ctx;
    if (store_has_room(store))
        store_settle(store);
}

/* --- versions --- */

void store_pin(struct store *store, struct stamp at, struct store_pin *pin)
{
    pin->at = at;
    pin->next = store->pins;
    pin->link = &store->pins;
    if (pin->next)
        pin->next->link = &pin->next;
    store->pins = pin;
}

void store_unpin(struct store *store, struct store_pin *pin)
{
    *pin->link = pin->next;
    if (pin->next)
        pin->next->link = pin->link;
    store->sweep_wanted = store->old_versions > 0;
    cleaner_kick(store);
}

bool store_readable(const struct store *store, struct stamp at)
{
    if (stamp_compare(at, store->last_stamp) >= 0)
        return true;
    for (const struct store_pin *pin = store->pins; pin; pin = pin->next)
        if (stamp_compare(pin->at, at) == 0)
            return true;
    uint64_t now = store->env->ops->wall_ns(store->env);
    return store->policy.keep_ns && stamp_compare(at, store->kept_from) >= 0 &&
           stamp_wall_ns(at) + store->policy.keep_ns >= now;
}

/* --- the rest --- */

void store_fail(struct store *store, enum err err, const char *what)
{
    if (store->failed)
        return;
    MARK(store_failed);
    char line[STORE_PATH_MAX + 256];
    snprintf(line, sizeof line,
             "store %s stopped: %s failed: %s. Nothing more is written; what was answered as "
             "durable is safe.",
             store->path, what, err_text(err));
    store->failed = ERR_FAILED;
    store->env->ops->log(store->env, line);
    log_kick(store);
}

void store_note_problem(struct store *store, const char *what, struct place at)
{
    char line[STORE_PATH_MAX + 256], path[STORE_PATH_MAX];
    store->counters.problems++;
    snprintf(line, sizeof line, "%s at offset %u: %s",
             segment_path(store->path, at.segment, path, sizeof path), at.offset, what);
    store->env->ops->log(store->env, line);
}

const struct store_identity *store_identity(const struct store *store)
{
    return &store->identity;
}

uint64_t store_last_ino(const struct store *store)
{
    return store->last_ino;
}

struct stamp store_last_stamp(const struct store *store)
{
    return store->last_stamp;
}

void store_status(struct store *store, struct store_status *out)
{
    struct env_space space = {0, 0};
    *out = store->counters;
    if (store->env->ops->dir_space(store->env, store->path, &space) == OK) {
        out->disk_total = space.total;
        out->disk_available = space.available;
    }
    out->live_bytes = store->segments.live;
    for (uint32_t i = 0; i < store->segments.count; i++) {
        const struct segment *s = store->segments.items[i];
        out->log_bytes += s->state == SEGMENT_SPARE || s->state == SEGMENT_HEAD
                              ? store->limits.segment_bytes
                              : s->bytes;
    }
    out->index_bytes = store->env->ops->index_bytes(store->index);
    out->overlay_bytes = store->overlays[0].bytes + store->overlays[1].bytes;
    out->pending_bytes = store->log.pending;
    out->segments = store->segments.count;
    out->full = store->full;
    out->failed = store->failed != OK;
    out->cleaning = cleaner_busy(store);
    out->checkpointing = store->checkpoint.running;
}
