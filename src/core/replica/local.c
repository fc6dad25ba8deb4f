/* SPDX-License-Identifier: MIT
 *
 * local.c: the replica manager of a volume with one replica.
 *
 * Definitions
 *   attempt   one go at a request, from an empty workspace to its commit
 *   awaited   in this attempt the loop has run something else between a read and now
 *   alone     a request that lost ALONE_AFTER times against others; nothing new starts until it has
 * finished
 *
 * Law
 *   R1  The loop is the order. An attempt that awaited nothing saw one state of the store and
 *       commits to the same one.
 *   R2  An attempt that awaited answers or commits only if every version and every range it read
 *       is still the newest; otherwise it is undone as if it had never run, and made again.
 *   R3  Stamps of commits grow strictly and never fall behind what the store held at the start.
 *   R4  An operation in steps (result.again) is whole in each of its commits; others may run
 *       between two of them.
 *   R5  done runs exactly once for each request for which replica_execute or replica_sync answered
 *       false, else never.
 *   R6  Only orphans that were there before the start are reclaimed here; later ones belong to the
 *       agent.
 *   R7  A request that is alone meets no new rival, so it finishes.
 */
#include "core/replica/local.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/mark.h"
#include "core/replica/fetch.h"

#define ALONE_AFTER  4u
#define RECLAIM_STEP 16u /* orphans of an earlier run reclaimed between two turns of the loop */
#define RECLAIM_REST 2000000u /* nanoseconds between two steps: others go first */
#define FALLOC_PUNCH 2u       /* FALLOC_FL_PUNCH_HOLE */

enum stage {
    STAGE_EXECUTE = 1,
    STAGE_AGREE,
    STAGE_GATHER,
    STAGE_DURABLE,
    STAGE_END,
};

struct replica {
    struct env *env;
    struct store *store;
    uint32_t node;
    struct hlc clock;
    struct fs_volume volume;
    uint64_t next_ino;
    struct request *alone;
    struct request *resting, **resting_end; /* to be gone on with in the next turn of the loop */
    struct request *waiting, **waiting_end; /* for the one that is alone */
    struct env_timer turn;
    struct replica_status status;
    /* orphans of an earlier run */
    struct request reclaim;
    struct env_timer reclaim_turn;
    struct stamp started;
    uint64_t reclaim_from;
    bool reclaiming; /* the request `reclaim` is under way */
    bool closing;
};

static void resume(struct request *request);

/* --- queues --- */

static void append(struct request ***end, struct request *request)
{
    request->next = NULL;
    **end = request;
    *end = &request->next;
}

static void rest(struct replica *replica, struct request *request)
{
    bool first = replica->resting == NULL;
    append(&replica->resting_end, request);
    if (first)
        replica->env->ops->timer_start(replica->env, &replica->turn, 0);
}

static void turn(struct env_timer *timer)
{
    struct replica *replica =
        (struct replica *)(void *)((uint8_t *)timer - offsetof(struct replica, turn));
    struct request *request = replica->resting;
    replica->resting = NULL;
    replica->resting_end = &replica->resting;
    while (request) {
        struct request *next = request->next;
        resume(request);
        request = next;
    }
}

/* Lets those go on that waited for the one that was alone. */
static void release_waiting(struct replica *replica)
{
    struct request *request = replica->waiting;
    replica->waiting = NULL;
    replica->waiting_end = &replica->waiting;
    while (request) {
        struct request *next = request->next;
        rest(replica, request);
        request = next;
    }
}

/* --- request: the agent hands over an operation --- */

static void arrive(struct replica *replica, struct request *request, enum stage stage)
{
    INVARIANT(request->ready && request->stage == 0);
    request->replica = replica;
    request->stage = (uint8_t)stage;
    request->err = OK;
    replica->status.requests++;
    replica->status.in_flight++;
}

/* --- coordination: the loop is the order --- */

/* False: it has to wait until the one that is alone has finished. */
static bool coordination(struct request *request)
{
    struct replica *replica = request->replica;
    if (replica->alone && replica->alone != request) {
        MARK(conflict_waited);
        append(&replica->waiting_end, request);
        return false;
    }
    if (request->op.now == 0)
        request->op.now = (int64_t)replica->env->ops->wall_ns(replica->env);
    return true;
}

/* --- execution: fs_apply; what it needs is fetched, then it runs again --- */

static void fetched(struct store_read *read)
{
    struct request *request =
        (struct request *)(void *)((uint8_t *)read - offsetof(struct request, read));
    INVARIANT(request->stage == STAGE_EXECUTE);
    if (read->err == OK) {
        fetch_chunks_arrived(&request->ws, read);
    } else {
        request->err = read->err;
        request->stage = STAGE_END;
    }
    resume(request);
}

static bool execution(struct request *request)
{
    struct replica *replica = request->replica;
    struct workspace *ws = &request->ws;
    for (;;) {
        request->err = fs_apply(ws, &replica->volume, &request->op, &request->result);
        if (request->err != ERR_NEED) {
            request->stage = STAGE_AGREE;
            return true;
        }
        INVARIANT(ws->need_count > 0);
        replica->status.reruns++;
        request->read.done = fetched;
        enum fetch_outcome outcome = fetch_needs(ws, replica->store, &request->read);
        if (outcome == FETCH_LATER) {
            MARK(fetch_later);
            request->awaited = true;
            return false;
        }
        if (outcome == FETCH_FAILED) {
            request->err = request->read.err;
            request->stage = STAGE_END;
            return true;
        }
    }
}

/* --- agreement: the read set is validated, the write set appended to the log --- */

/* True when the operation gives more space back than it takes: it may use what is held back for
 * that. */
static bool frees_space(const struct fs_op *op, const struct write_set *writes)
{
    switch (op->code) {
    case FS_UNLINK:
    case FS_RMDIR:
    case FS_RECLAIM:
    case FS_RENAME:
    case FS_REMOVEXATTR:
        return true;
    case FS_FALLOCATE:
        return (op->flags & FALLOC_PUNCH) != 0;
    case FS_SETATTR:
        break;
    default:
        return false;
    }
    for (size_t i = 0; i < writes->count; i++)
        if (writes->items[i].key.kind == OBJECT_BLOCK &&
            (writes->items[i].action == WRITE_DELETE || writes->items[i].action == WRITE_PUNCH))
            return true;
    return false;
}

/* A bug: a part of a write set as a commit of its own. */
static void commit_half(struct replica *replica, struct write_set *writes)
{
    uint64_t lsn;
    struct write_set half = {writes->items, writes->count / 2};
    if (half.count == 0)
        return;
    struct stamp stamp = hlc_next(&replica->clock, replica->env->ops->wall_ns(replica->env));
    if (store_commit(replica->store, &half, stamp, true, &lsn) == OK)
        *writes = (struct write_set){writes->items + half.count, writes->count - half.count};
}

static enum err commit(struct request *request)
{
    struct replica *replica = request->replica;
    struct write_set writes = ws_write_set(&request->ws);
    if (request->record && (writes.count || request->keeps)) {
        enum err refused = request->record(request);
        if (refused)
            return refused;
        writes = ws_write_set(&request->ws);
    }
    if (writes.count == 0)
        return OK;
    if (MUTANT(commit_in_two))
        commit_half(replica, &writes);
    uint64_t lsn;
    struct stamp stamp = hlc_next(&replica->clock, replica->env->ops->wall_ns(replica->env));
    INVARIANT(stamp_compare(stamp, store_last_stamp(replica->store)) > 0);
    enum err err =
        store_commit(replica->store, &writes, stamp, frees_space(&request->op, &writes), &lsn);
    if (err == OK) {
        request->stamp = stamp;
        replica->status.commits++;
    } else if (MUTANT(nospc_half) && err == ERR_NOSPC) {
        commit_half(replica, &writes);
    } else if (request->op.code == FS_READ) {
        MARK(read_without_atime);
        err = OK; /* the data is there; only the access time could not be kept */
    }
    return err;
}

/* --- what an answer rests on --- */

static bool seen_object(void *ctx, const struct object_key *key, struct stamp stamp)
{
    struct request *request = ctx;
    (void)key;
    /* What is not there may have been deleted by the last record: a deletion is not remembered for
     * ever. */
    if (stamp_compare(stamp, STAMP_ZERO) == 0)
        stamp = store_last_stamp(request->replica->store);
    if (stamp_compare(stamp, request->seen) > 0)
        request->seen = stamp;
    return true;
}

static bool seen_range(void *ctx, const struct ws_need *range, const struct ws_scan *found)
{
    struct request *request = ctx;
    (void)range;
    (void)found;
    request->seen =
        store_last_stamp(request->replica->store); /* what went out of it left no trace */
    return false;
}

static void note_seen(struct request *request)
{
    if (!request->track)
        return;
    ws_each_read(&request->ws, seen_object, request);
    ws_each_scan(&request->ws, seen_range, request);
    if (stamp_compare(request->stamp, request->seen) > 0)
        request->seen = request->stamp;
}

/* Undoes the attempt. */
static void again(struct request *request)
{
    ws_reset(&request->ws);
    request->awaited = false;
    request->stage = STAGE_EXECUTE;
}

static bool agreement(struct request *request)
{
    struct replica *replica = request->replica;
    if (request->awaited && !MUTANT(read_set_unchecked) &&
        !fetch_still_valid(&request->ws, replica->store)) {
        MARK(conflict_rerun);
        replica->status.conflicts++;
        request->attempts++;
        if (request->attempts >= ALONE_AFTER && !replica->alone) {
            MARK(conflict_alone);
            replica->alone = request;
        }
        again(request);
        return coordination(request);
    }
    request->stage = STAGE_END;
    if (request->err == OK)
        request->err = commit(request);
    note_seen(request);
    if (request->err != OK)
        return true;
    if (request->result.again) {
        again(request);
        rest(replica, request);
        return false;
    }
    request->stage = STAGE_GATHER;
    return true;
}

/* --- response: result and data go back; when asked for, only after the log is durable --- */

static void gathered(struct store_read *read)
{
    struct request *request =
        (struct request *)(void *)((uint8_t *)read - offsetof(struct request, read));
    INVARIANT(request->stage == STAGE_GATHER);
    request->err = read->err;
    request->stage = read->err == OK ? STAGE_DURABLE : STAGE_END;
    resume(request);
}

/* Brings the pieces of a read together. They are looked up in the turn of the loop in which the
 * operation ran. */
static bool gather(struct request *request)
{
    request->stage = STAGE_DURABLE;
    if (request->op.code != FS_READ || request->result.length == 0)
        return true;
    INVARIANT(request->into != NULL && request->result.length <= request->op.length);
    struct fetch_pieces pieces = {request->result.pieces, request->result.piece_count,
                                  request->result.length};
    request->read.done = gathered;
    request->stage = STAGE_GATHER;
    if (!fetch_gather(&request->ws, request->replica->store, &pieces, request->into,
                      &request->read))
        return false;
    request->err = request->read.err;
    request->stage = request->err == OK ? STAGE_DURABLE : STAGE_END;
    return true;
}

static void synced(struct store_sync *sync, enum err err)
{
    struct request *request =
        (struct request *)(void *)((uint8_t *)sync - offsetof(struct request, sync));
    INVARIANT(request->stage == STAGE_DURABLE);
    request->err = err;
    request->stage = STAGE_END;
    if (!request->entered)
        resume(request);
}

static bool durable(struct request *request)
{
    if (!request->durable || MUTANT(reply_before_durable)) {
        request->stage = STAGE_END;
        return true;
    }
    request->sync.done = synced;
    request->entered = true;
    store_sync(request->replica->store, &request->sync);
    request->entered = false;
    return request->stage == STAGE_END;
}

/* Errors that say nothing about the request, but about the machine under it. */
static bool is_failure(enum err err)
{
    switch (err) {
    case ERR_NOSPC:
    case ERR_NOMEM:
    case ERR_LIMIT:
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_MISSING_SEGMENT:
    case ERR_SHORT_SEGMENT:
    case ERR_DAMAGED_RECORD:
    case ERR_INDEX:
    case ERR_READ_ONLY:
    case ERR_FAILED:
    case ERR_CRASHED:
        return true;
    default:
        return false;
    }
}

static void response(struct request *request)
{
    struct replica *replica = request->replica;
    INVARIANT(request->err != ERR_NEED && request->err != ERR_CONFLICT);
    INVARIANT(replica->status.in_flight > 0);
    replica->status.in_flight--;
    request->stage = 0;
    if (is_failure(request->err)) {
        replica->status.failures++;
        replica->status.last_failure = request->err;
    }
    if (replica->alone == request) {
        replica->alone = NULL;
        release_waiting(replica);
    }
}

/* Runs a request as far as it goes without waiting. True: it has finished. */
static bool run(struct request *request)
{
    bool goes_on = true;
    while (goes_on) {
        switch ((enum stage)request->stage) {
        case STAGE_EXECUTE:
            goes_on = execution(request);
            break;
        case STAGE_AGREE:
            goes_on = agreement(request);
            break;
        case STAGE_GATHER:
            goes_on = gather(request);
            break;
        case STAGE_DURABLE:
            goes_on = durable(request);
            break;
        case STAGE_END:
            response(request);
            return true;
        }
    }
    return false;
}

static void resume(struct request *request)
{
    if (request->stage == STAGE_EXECUTE && !coordination(request))
        return;
    if (run(request))
        request->done(request);
}

bool replica_execute(struct replica *replica, struct request *request)
{
    arrive(replica, request, STAGE_EXECUTE);
    return coordination(request) && run(request);
}

bool replica_sync(struct replica *replica, struct request *request)
{
    request->durable = true;
    arrive(replica, request, STAGE_DURABLE);
    return run(request);
}

/* --- orphans of an earlier run --- */

static bool count_orphan(void *ctx, const struct object_key *key,
                         const struct object_version *version)
{
    (void)key;
    (void)version;
    (*(uint64_t *)ctx)++;
    return true;
}

struct orphans {
    struct stamp started;
    uint64_t ino;
};

static bool first_orphan(void *ctx, const struct object_key *key,
                         const struct object_version *version)
{
    struct orphans *orphans = ctx;
    if (stamp_compare(version->stamp, orphans->started) > 0) {
        MARK(orphan_in_use);
        return true; /* someone has it open */
    }
    orphans->ino = key->sub;
    return false;
}

static void reclaim_step(struct replica *replica);

static void reclaim_finished(struct replica *replica)
{
    if (replica->reclaim.err == OK)
        MARK(orphan_reclaimed);
    if (replica->reclaim.err == OK && replica->status.orphans > 0)
        replica->status.orphans--;
    request_end(&replica->reclaim);
    replica->reclaiming = false;
}

static void reclaim_done(struct request *request)
{
    struct replica *replica = request->ctx;
    reclaim_finished(replica);
    if (replica->closing)
        replica_free(replica);
    else
        replica->env->ops->timer_start(replica->env, &replica->reclaim_turn, RECLAIM_REST);
}

static void reclaim_turn(struct env_timer *timer)
{
    reclaim_step(
        (struct replica *)(void *)((uint8_t *)timer - offsetof(struct replica, reclaim_turn)));
}

static void reclaim_step(struct replica *replica)
{
    for (uint32_t i = 0; i < RECLAIM_STEP; i++) {
        struct orphans orphans = {.started = replica->started};
        enum err err = store_scan(replica->store, OBJECT_ORPHAN, 0, replica->reclaim_from,
                                  UINT64_MAX, STAMP_MAX, first_orphan, &orphans);
        if (err != OK || orphans.ino == 0) {
            request_free(&replica->reclaim);
            replica->status.orphans = 0;
            return; /* what is left waits for the next start */
        }
        /* One that cannot be reclaimed is passed over: it must not stop the others. */
        replica->reclaim_from = orphans.ino + 1;
        request_begin(&replica->reclaim);
        replica->reclaim.op.code = FS_RECLAIM;
        replica->reclaim.op.ino = orphans.ino;
        replica->reclaim.op.cred.checked = true;
        replica->reclaim.done = reclaim_done;
        replica->reclaim.ctx = replica;
        replica->reclaiming = true;
        if (!replica_execute(replica, &replica->reclaim))
            return;
        reclaim_finished(replica);
    }
    replica->env->ops->timer_start(replica->env, &replica->reclaim_turn, RECLAIM_REST);
}

/* --- making and ending --- */

enum err replica_make_root(struct replica *replica, uint32_t uid, uint32_t gid)
{
    struct request request = {0};
    struct object_version root;
    struct object_key key = {.kind = OBJECT_INODE, .ino = FS_ROOT_INO};
    enum err err = store_get(replica->store, key, STAMP_MAX, &root);
    if (err != OK || root.present)
        return err;
    request_begin(&request);
    request.op.code = FS_FORMAT;
    request.op.ino = request.op.new_ino = FS_ROOT_INO;
    request.op.mode = 0755;
    request.op.cred = (struct fs_cred){.uid = uid, .gid = gid, .checked = true};
    bool finished = replica_execute(replica, &request);
    INVARIANT(finished); /* an empty volume has nothing to wait for */
    err = request.err;
    request_free(&request);
    return err;
}

enum err replica_commit(struct replica *replica, const struct write_set *writes)
{
    uint64_t lsn;
    struct stamp stamp = hlc_next(&replica->clock, replica->env->ops->wall_ns(replica->env));
    return store_commit(replica->store, writes, stamp, false, &lsn);
}

void replica_catch_up(struct replica *replica)
{
    hlc_observe(&replica->clock, store_last_stamp(replica->store));
    uint64_t last = store_last_ino(replica->store);
    if (replica->next_ino <= last)
        replica->next_ino = last + 1;
    if (replica->next_ino <= FS_ROOT_INO)
        replica->next_ino = FS_ROOT_INO + 1;
}

enum err replica_new_member(struct env *env, struct store *store, uint32_t node,
                            struct replica **out)
{
    struct replica *replica = calloc(1, sizeof *replica);
    if (!replica)
        return ERR_NOMEM;
    replica->env = env;
    replica->store = store;
    replica->node = node;
    replica->clock.last = (struct stamp){.time = 0, .node = node};
    replica->started = store_last_stamp(store);
    replica->volume.salt = store_identity(store)->salt;
    replica_catch_up(replica);
    replica->turn.fire = turn;
    replica->reclaim_turn.fire = reclaim_turn;
    replica->resting_end = &replica->resting;
    replica->waiting_end = &replica->waiting;
    *out = replica;
    return OK;
}

enum err replica_new(struct env *env, struct store *store, uint32_t node, uint32_t uid,
                     uint32_t gid,
                     struct replica **out) /* lint: parameters-ok: one call at start */
{
    struct replica *replica;
    enum err err = replica_new_member(env, store, node, &replica);
    if (err != OK)
        return err;
    err = replica_make_root(replica, uid, gid);
    if (err == OK)
        err = store_scan(store, OBJECT_ORPHAN, 0, 0, UINT64_MAX, STAMP_MAX, count_orphan,
                         &replica->status.orphans);
    if (err != OK) {
        free(replica);
        return err;
    }
    if (replica->status.orphans > 0)
        env->ops->timer_start(env, &replica->reclaim_turn, RECLAIM_REST);
    *out = replica;
    return OK;
}

void replica_free(struct replica *replica)
{
    if (!replica)
        return;
    replica->env->ops->timer_stop(replica->env, &replica->reclaim_turn);
    if (replica->reclaiming) {
        replica->closing = true; /* the last step of it frees everything */
        return;
    }
    INVARIANT(replica->status.in_flight == 0);
    replica->env->ops->timer_stop(replica->env, &replica->turn);
    request_free(&replica->reclaim);
    free(replica);
}

void replica_abandon(struct replica *replica)
{
    request_abandon(&replica->reclaim);
    replica->env->ops->timer_stop(replica->env, &replica->reclaim_turn);
    replica->env->ops->timer_stop(replica->env, &replica->turn);
    free(replica);
}

void request_begin(struct request *request)
{
    INVARIANT(request->stage == 0);
    if (!request->ready)
        ws_init(&request->ws);
    memset(&request->op, 0, sizeof request->op);
    memset(&request->result, 0, sizeof request->result);
    request->ready = true;
    request->durable = request->awaited = request->entered = false;
    request->into = NULL;
    request->record = NULL;
    request->track = request->keeps = false;
    request->err = OK;
    request->stamp = request->seen = STAMP_ZERO;
    request->attempts = 0;
}

void request_end(struct request *request)
{
    INVARIANT(request->stage == 0);
    if (request->ready)
        ws_reset(&request->ws);
}

void request_free(struct request *request)
{
    INVARIANT(request->stage == 0);
    if (request->ready)
        ws_free(&request->ws);
    request->ready = false;
}

void request_abandon(struct request *request)
{
    request->stage = 0;
    request_free(request);
}

bool replica_has_room(const struct replica *replica)
{
    return store_has_room(replica->store);
}

uint64_t replica_new_ino(struct replica *replica)
{
    INVARIANT(replica->next_ino < UINT64_MAX);
    return replica->next_ino++;
}

const struct fs_volume *replica_volume(const struct replica *replica)
{
    return &replica->volume;
}

struct store *replica_store(struct replica *replica)
{
    return replica->store;
}

void replica_status(const struct replica *replica, struct replica_status *out)
{
    *out = replica->status;
}
