/* SPDX-License-Identifier: MIT
 *
 * cut_world.c: the life of one volume under power cuts. See cut_world.h for the laws.
 *
 * The linker puts __wrap_store_commit in the way of the replica manager's commits; it passes them
 * on and notes their order.
 */
#include "cut_world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

#define NODE      3u
#define PATH      "/volume"
#define LIMIT_NS  UINT64_C(600000000000)
#define STEPS_MAX 2000000u
#define REST_NS   UINT64_C(600000000)

/* --- the order of commits --- */

static struct cut_world *watched;

enum err __real_store_commit(struct store *store, const struct write_set *writes,
                             struct stamp stamp, bool frees, uint64_t *lsn);
enum err __wrap_store_commit(struct store *store, const struct write_set *writes,
                             struct stamp stamp, bool frees, uint64_t *lsn);

enum err __wrap_store_commit(struct store *store, const struct write_set *writes,
                             struct stamp stamp, bool frees, uint64_t *lsn)
{
    struct cut_world *w = watched;
    enum err err = __real_store_commit(store, writes, stamp, frees, lsn);
    if (err)
        return err;
    if (w->observed_count == w->observed_room) {
        w->observed_room = w->observed_room ? w->observed_room * 2 : 64;
        w->observed = realloc(w->observed, w->observed_room * sizeof *w->observed);
        INVARIANT(w->observed != NULL);
    }
    struct observed *observed = &w->observed[w->observed_count++];
    *observed = (struct observed){.stamp = stamp};
    for (size_t i = 0; i < writes->count; i++)
        if (writes->items[i].key.kind == OBJECT_ORPHAN && writes->items[i].action == WRITE_DELETE)
            observed->reclaimed = writes->items[i].key.sub;
    return OK;
}

static struct done_op *done_add(struct cut_world *w, struct stamp stamp)
{
    if (w->done_count == w->done_room) {
        w->done_room = w->done_room ? w->done_room * 2 : 256;
        w->done = realloc(w->done, w->done_room * sizeof *w->done);
        INVARIANT(w->done != NULL);
    }
    struct done_op *done = &w->done[w->done_count++];
    *done = (struct done_op){.stamp = stamp, .at = sim_now(w->sim)};
    w->figures->commits++;
    return done;
}

static struct slot *slot_of(struct cut_world *w, struct stamp stamp)
{
    for (uint32_t i = 0; i < SLOTS; i++)
        if (w->slots[i].busy && stamp_compare(w->slots[i].request.stamp, stamp) == 0)
            return &w->slots[i];
    return NULL;
}

/* Finds the operation behind a commit. One that no operation ends with has none: its effect alone
 * is no state that anybody may see. */
static void attribute(struct cut_world *w, const struct observed *observed)
{
    struct slot *slot = slot_of(w, observed->stamp);
    if (slot) {
        struct done_op *done = done_add(w, observed->stamp);
        done->op = slot->request.op;
        done->payload = slot->payload;
        if (slot->payload)
            shared_ref(&slot->payload->shared);
    } else if (w->formatting) {
        struct done_op *done = done_add(w, observed->stamp);
        done->op = (struct fs_op){.code = FS_FORMAT,
                                  .cred.checked = true,
                                  .now = w->format_now,
                                  .ino = FS_ROOT_INO,
                                  .new_ino = FS_ROOT_INO,
                                  .mode = 0755};
    } else if (observed->reclaimed) {
        struct done_op *done = done_add(w, observed->stamp);
        done->op = (struct fs_op){
            .code = FS_RECLAIM, .cred.checked = true, .ino = observed->reclaimed, .now = 1};
    }
}

static bool dead(const struct cut_world *w)
{
    return sim_crashed(w->env);
}

/* The disk reported an error and the store stopped. */
static bool failed(struct cut_world *w)
{
    struct store_status status;
    if (!w->erring || w->failed_at || dead(w))
        return w->failed_at != 0;
    store_status(w->store, &status);
    if (status.failed)
        w->failed_at = sim_now(w->sim);
    return status.failed;
}

/* --- requests --- */

static bool acceptable(const struct cut_world *w, enum err err)
{
    switch (err) {
    case ERR_IO:
        return w->erring;
    case ERR_CORRUPT:
    case ERR_NOMEM:
    case ERR_INDEX:
    case ERR_DAMAGED_RECORD:
    case ERR_MISSING_SEGMENT:
    case ERR_SHORT_SEGMENT:
    case ERR_READ_ONLY:
    case ERR_LIMIT:
    case ERR_NOSYS:
    case ERR_NEED:
    case ERR_CONFLICT:
        return false;
    case ERR_FAILED:
    case ERR_CRASHED:
        return sim_crashed(w->env) || w->failed_at;
    case ERR_NOSPC:
        return w->full;
    default:
        return true;
    }
}

static void acknowledge(struct cut_world *w, const struct slot *slot)
{
    uint32_t covered = slot->floor;
    if (!slot->request.durable)
        return;
    for (uint32_t i = w->done_count; i > covered; i--)
        if (stamp_compare(w->done[i - 1].stamp, slot->request.stamp) == 0)
            covered = i;
    if (covered > w->acked)
        w->acked = covered;
    w->figures->durable++;
}

static void slot_end(struct slot *slot)
{
    request_abandon(&slot->request);
    if (slot->payload)
        shared_unref(&slot->payload->shared);
    slot->payload = NULL;
    slot->busy = slot->over = slot->sync = false;
}

static void finish(struct cut_world *w, struct slot *slot)
{
    struct request *request = &slot->request;
    char text[256];
    if (!acceptable(w, request->err))
        cut_fail("%s: %s", slot->sync ? "sync" : fs_op_print(&request->op, text, sizeof text),
                 err_name(request->err));
    w->figures->nospc += request->err == ERR_NOSPC;
    if (request->err == OK) {
        acknowledge(w, slot);
        if (!slot->sync)
            load_done(&w->load, &request->op, &request->result);
    }
    slot_end(slot);
}

/* To be called after everything that may have let requests go on. */
static void harvest(struct cut_world *w)
{
    failed(w);
    for (uint32_t i = 0; i < w->observed_count; i++)
        attribute(w, &w->observed[i]);
    w->observed_count = 0;
    for (uint32_t i = 0; i < SLOTS; i++)
        if (w->slots[i].busy && w->slots[i].over)
            finish(w, &w->slots[i]);
}

static void request_over(struct request *request)
{
    ((struct slot *)(void *)request)->over = true;
}

static struct slot *free_slot(struct cut_world *w)
{
    for (uint32_t i = 0; i < SLOTS; i++)
        if (!w->slots[i].busy)
            return &w->slots[i];
    return NULL;
}

static void slot_begin(struct cut_world *w, struct slot *slot)
{
    request_begin(&slot->request);
    slot->request.done = request_over;
    slot->floor = w->done_count;
    slot->busy = true;
}

static void start_sync(struct cut_world *w, struct slot *slot)
{
    slot_begin(w, slot);
    slot->sync = true;
    if (replica_sync(w->replica, &slot->request))
        slot->over = true;
}

static void start_operation(struct cut_world *w, struct slot *slot)
{
    if (load_below(&w->load, 30) == 0) {
        start_sync(w, slot);
        return;
    }
    slot_begin(w, slot);
    slot->payload = load_next(&w->load, &slot->request.op, replica_new_ino(w->replica));
    slot->request.durable = load_below(&w->load, 8) == 0;
    if (!slot->into)
        slot->into = malloc(READ_ROOM);
    INVARIANT(slot->into != NULL);
    slot->request.into = slot->into;
    w->figures->operations++;
    if (replica_execute(w->replica, &slot->request))
        slot->over = true;
}

/* --- life and death --- */

/* Clears away what the process had in memory. */
static void bury(struct cut_world *w)
{
    struct store_status status;
    if (w->store) {
        store_status(w->store, &status);
        w->figures->checkpoints += status.checkpoints;
        w->figures->cleaned += status.segments_cleaned;
    }
    w->died_at = w->failed_at ? w->failed_at : sim_now(w->sim);
    w->figures->errors += w->failed_at != 0;
    w->failed_at = 0;
    w->erring = false;
    if (w->replica)
        replica_abandon(w->replica);
    for (uint32_t i = 0; i < SLOTS; i++)
        if (w->slots[i].busy)
            slot_end(&w->slots[i]);
    if (w->store)
        store_abandon(w->store);
    sim_free(w->sim);
    w->replica = NULL;
    w->store = NULL;
    w->sim = NULL;
    w->env = NULL;
    w->observed_count = 0;
    w->upkeep_busy = false;
}

static void set_full(struct cut_world *w, bool full)
{
    sim_disk_full(w->disk, full);
    w->load.scarce = full;
    w->full = w->full || full; /* the store may think so for a while longer */
}

static void new_world(struct cut_world *w)
{
    w->sim = sim_new(load_random(&w->load), w->disk);
    w->env = sim_env(w->sim);
}

/* One attempt. True: the volume is open, its state read. */
static bool try_to_open(struct cut_world *w, struct recovered *found)
{
    struct store_error error = {""};
    new_world(w);
    if (load_below(&w->load, 3) == 0)
        sim_crash_at(w->env, 1 + load_below(&w->load, 30));
    enum err err = store_open(w->env, &w->options, &w->store, &error);
    if (!err && !dead(w))
        store_check(w->store);
    if (!err && !dead(w) && cut_read_all(w, found))
        return true;
    if (dead(w)) {
        w->figures->points++;
        w->figures->points_opening++;
    } else if (err == ERR_NOSPC && w->full) {
        set_full(w, false);
    } else {
        cut_fail("the store cannot be opened: %s: %s", err_name(err), error.text);
    }
    uint64_t died_at = w->died_at;
    bury(w);
    w->died_at = died_at; /* of the load, not of the opening */
    return false;
}

/* Opens the volume, however often the power fails meanwhile, and judges what was recovered. */
static void recover(struct cut_world *w)
{
    struct recovered found;
    while (!try_to_open(w, &found))
        ;
    cut_match(w, &found);
    load_look(&w->load, &w->model);
    w->formatting = w->model.count == 0;
    w->format_now = (int64_t)w->env->ops->wall_ns(w->env);
    enum err err = replica_new(w->env, w->store, NODE, 0, 0, &w->replica);
    /* there has to be room for the root */
    while ((err == ERR_NOSPC || err == ERR_AGAIN) && w->full && !dead(w)) {
        set_full(w, false);
        if (!sim_step(w->sim))
            cut_fail("a disk that was full once stays so");
        w->format_now = (int64_t)w->env->ops->wall_ns(w->env);
        err = replica_new(w->env, w->store, NODE, 0, 0, &w->replica);
    }
    if (err && !dead(w))
        cut_fail("the replica manager cannot start: %s", err_name(err));
    harvest(w);
    w->formatting = false;
}

static bool idle(const struct cut_world *w)
{
    for (uint32_t i = 0; i < SLOTS; i++)
        if (w->slots[i].busy)
            return false;
    return true;
}

static void step(struct cut_world *w)
{
    if (dead(w))
        return;
    bool waiting = !idle(w) || !replica_has_room(w->replica);
    if (!sim_step(w->sim) && waiting)
        cut_fail("nothing goes on any more");
    harvest(w);
}

static void wait_idle(struct cut_world *w)
{
    uint64_t end = sim_now(w->sim) + LIMIT_NS;
    while (!dead(w) && !idle(w)) {
        if (sim_now(w->sim) > end)
            cut_fail("a request was never answered");
        step(w);
    }
}

static void upkeep_over(struct store_sync *sync, enum err err)
{
    (void)err; /* a full disk, or a cut */
    struct cut_world *w =
        (struct cut_world *)(void *)((uint8_t *)sync - offsetof(struct cut_world, upkeep));
    w->upkeep_busy = false;
}

static void start_upkeep(struct cut_world *w)
{
    if (w->upkeep_busy)
        return;
    w->upkeep_busy = true;
    w->upkeep.done = upkeep_over;
    if (load_below(&w->load, 3))
        store_clean(w->store, &w->upkeep);
    else
        store_checkpoint(w->store, &w->upkeep);
}

/* Lets time pass in which nobody commits: the cleaner works then. */
static void rest(struct cut_world *w)
{
    uint64_t end = sim_now(w->sim) + REST_NS;
    wait_idle(w);
    while (!dead(w) && sim_now(w->sim) < end && sim_step(w->sim))
        harvest(w);
}

/* Random operations, several at once, until `count` were started or the power fails. */
static void work(struct cut_world *w, uint32_t count)
{
    for (uint32_t steps = 0; count > 0 && !dead(w) && !failed(w); steps++) {
        struct slot *slot = free_slot(w);
        if (steps > STEPS_MAX)
            cut_fail("no progress");
        if (load_below(&w->load, 100) == 0)
            set_full(w, load_below(&w->load, 3) == 0);
        if (load_below(&w->load, 60) == 0)
            start_upkeep(w);
        if (load_below(&w->load, 150) == 0)
            rest(w);
        if (dead(w))
            return;
        if (!slot || !replica_has_room(w->replica) || load_below(&w->load, 4) == 0) {
            step(w);
            continue;
        }
        start_operation(w, slot);
        harvest(w);
        count--;
    }
}

/* Waits until no orphan of an earlier run is left (P4). */
static void drain_orphans(struct cut_world *w)
{
    struct replica_status status;
    uint64_t end = sim_now(w->sim) + LIMIT_NS;
    set_full(w, false);
    for (;;) {
        replica_status(w->replica, &status);
        if (dead(w) || status.orphans == 0)
            return;
        if (sim_now(w->sim) > end)
            cut_fail("orphans are never reclaimed");
        step(w);
    }
}

/* Makes everything durable and compares without a cut. `clean`: nothing was orphaned since the
 * start. (An orphan that cannot be reclaimed because the disk is full waits for the next start.) */
static void settle(struct cut_world *w, bool clean)
{
    struct recovered found;
    drain_orphans(w);
    wait_idle(w);
    if (dead(w) || failed(w))
        return;
    start_sync(w, free_slot(w));
    harvest(w);
    wait_idle(w);
    if (dead(w) || failed(w))
        return;
    if (w->acked != w->done_count)
        cut_fail("a sync covered %" PRIu32 " of %" PRIu32 " commits", w->acked, w->done_count);
    if (!cut_read_all(w, &found))
        return;
    harvest(w);
    cut_catch_up(w);
    if (found.digest != w->model.digest)
        cut_fail("the volume differs from the one in memory, without a cut");
    cut_compare_reads(w);
    if (dead(w) || failed(w))
        return;
    if (clean && !w->full && found.orphans)
        cut_fail("%" PRIu64 " orphans are left", found.orphans);
    store_check(w->store);
}

/* A full disk is no reason to lose anything: then the log has it, and the next start replays it. */
static void closed(void *ctx, enum err err)
{
    if (err && err != ERR_NOSPC)
        cut_fail("closing: %s", err_name(err));
    *(bool *)ctx = true;
}

/* An orderly end, which the power may cut short. */
static void close_volume(struct cut_world *w)
{
    static bool over; /* a store that is abandoned keeps a pointer to it */
    over = false;
    wait_idle(w);
    drain_orphans(w);
    if (dead(w))
        return;
    replica_free(w->replica);
    w->replica = NULL;
    store_close(w->store, closed, &over);
    while (!dead(w) && !over)
        if (!sim_step(w->sim))
            cut_fail("the store does not close");
    if (over)
        w->store = NULL;
    if (dead(w))
        w->figures->points_closing++;
    else
        w->acked = w->done_count;
}

/* How a round ends, if the power has not failed before. */
static void end_round(struct cut_world *w)
{
    uint32_t how = load_below(&w->load, 8);
    if (!dead(w) && !w->erring && how == 0) {
        if (load_below(&w->load, 2))
            sim_crash_at(w->env, 1 + load_below(&w->load, 12));
        close_volume(w);
    }
    if (!dead(w) && (how == 1 || (how > 3 && failed(w)))) {
        sim_stop(w->env); /* killed: what was written is still in the cache of the machine */
        w->figures->kills++;
    } else {
        sim_crash(w->env);
        w->figures->points++;
    }
    bury(w);
}

static void one_round(struct cut_world *w)
{
    uint32_t far = load_below(&w->load, 4) ? 60 : 500;
    recover(w);
    if (load_below(&w->load, 4) == 0)
        sim_again_per_mille(w->env, 900); /* little is at hand: operations wait, and meet */
    sim_crash_at(w->env, 1 + load_below(&w->load, far));
    if (load_below(&w->load, 3) == 0 && !dead(w)) {
        drain_orphans(w);
        settle(w, true);
        w->figures->orphans++;
    }
    if (load_below(&w->load, 10) == 0 && !dead(w))
        set_full(w, true);
    if (load_below(&w->load, 6) == 0 && !dead(w)) {
        w->erring = true;
        sim_io_error_at(w->env, 1 + load_below(&w->load, far * 4));
    }
    work(w, 10 + load_below(&w->load, far * 2));
    if (!dead(w))
        sim_io_error_at(w->env, 0);
    if (load_below(&w->load, 4) == 0 && !dead(w) && !failed(w))
        settle(w, false);
    end_round(w);
    if (load_below(&w->load, 2)) {
        set_full(w, false);
        w->full = false;
    }
}

/* Opens the volume with an index made again: because it was asked for, or is damaged. */
static void open_rebuilt(struct cut_world *w, const char *what)
{
    struct store_error error = {""};
    new_world(w);
    w->options.rebuild_index =
        load_below(&w->load, 2) || sim_disk_damage_index(w->disk, PATH "/index") != OK;
    enum err err = store_open(w->env, &w->options, &w->store, &error);
    if (err)
        cut_fail("%s: %s: %s", what, err_name(err), error.text);
}

/* Closes in order, throws the index away and makes it again from the log (P5). */
static void rebuild(struct cut_world *w)
{
    struct recovered found;
    close_volume(w);
    bury(w);
    open_rebuilt(w, "the index cannot be made again");
    store_check(w->store);
    cut_read_all(w, &found);
    if (found.digest != w->model.digest)
        cut_fail("the index made again from the log gives another volume");
    bury(w);
    if (!cut_flip(w))
        return;
    open_rebuilt(w, "the index cannot be made again from a damaged log");
    bury(w);
}

static void format(struct cut_world *w)
{
    struct store_error error = {""};
    new_world(w);
    enum err err = w->env->ops->dir_make(w->env, PATH);
    err = err ? err : w->env->ops->dir_sync(w->env, "/");
    err = err ? err : store_format(w->env, &w->options, &error);
    if (err)
        cut_fail("the store cannot be made: %s: %s", err_name(err), error.text);
    sim_stop(w->env);
    sim_free(w->sim);
}

static void set_limits(struct cut_world *w)
{
    struct store_limits *limits = &w->options.limits;
    *limits = store_limits_default();
    limits->segment_bytes = (256u << 10) << load_below(&w->load, 2);
    limits->pending_bytes = 512u << 10;
    limits->overlay_bytes = (6u << 10) << load_below(&w->load, 4);
    limits->replay_bytes = 1u << 20;
    limits->unsynced_ns = 5000000;
    limits->clean_percent = 5 + load_below(&w->load, 20);
    limits->spare_segments = 2;
}

uint64_t cut_volume(uint64_t seed, uint32_t rounds, struct figures *figures)
{
    struct cut_world w = {.seed = seed, .load.chance = seed, .figures = figures};
    watched = &w;
    w.disk = sim_disk_new();
    w.options = (struct store_options){.path = PATH, .node = NODE};
    set_limits(&w);
    format(&w);
    new_world(&w);
    struct store_error error = {""};
    if (store_open(w.env, &w.options, &w.store, &error))
        cut_fail("a new store cannot be opened: %s", error.text);
    model_init(&w.model, store_identity(w.store)->salt);
    bury(&w);
    for (uint32_t i = 0; i < rounds; i++)
        one_round(&w);
    set_full(&w, false);
    w.full = false;
    recover(&w);
    sim_crash_at(w.env, 0);
    drain_orphans(&w);
    settle(&w, true);
    cut_catch_up(&w);
    rebuild(&w);
    for (uint32_t i = 0; i < SLOTS; i++)
        free(w.slots[i].into);
    free(w.done);
    free(w.observed);
    model_free(&w.model);
    sim_disk_free(w.disk);
    figures->volumes++;
    return w.trace;
}
