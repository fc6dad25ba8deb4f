/* SPDX-License-Identifier: MIT
 *
 * local.h: the replica manager of a volume with one replica (`replicate` of preset `local`).
 *
 * A request goes through the five phases that every scheme has, by name in local.c:
 *   request       the agent hands over an operation
 *   coordination  the loop is the order: operations take effect one after another
 *   execution     fs_apply in a workspace; what it needs is fetched from the store, then it runs
 * again agreement     the read set is validated, the write set appended to the log at a new stamp
 *   response      result and data go back; when asked for, only after the log is durable
 */
#ifndef PACTFS_REPLICA_LOCAL_H
#define PACTFS_REPLICA_LOCAL_H

#include "core/env/env.h"
#include "core/fs/fs.h"
#include "core/store/store.h"

struct replica;
struct agent;

/* One operation under way. The caller owns the memory until the request has finished and
 * request_end was called. */
struct request {
    /* in: fill these, and call request_begin once per use */
    struct fs_op op; /* name/value memory must live until it finished; op.now 0 means: the replica
                        manager sets the time */
    bool durable;    /* finish only after everything committed so far, this included, is durable */
    uint8_t *into;   /* FS_READ: where the data goes, op.length bytes */
    void (*done)(struct request *request); /* runs once unless replica_execute returned true */
    void *ctx;
    /* in, for replica control, before each commit of the request: adds by ws_put what is committed
     * with it, or refuses the commit with an error, which ends the request. NULL: nothing to say */
    enum err (*record)(struct request *request);
    bool keeps; /* in: record is asked also when the operation changes nothing */
    bool track; /* in: `seen` is wanted */
    /* out */
    enum err err;
    struct stamp seen;       /* when tracked: the answer rests on nothing behind it */
    struct fs_result result; /* its memory lives until request_end */
    struct stamp stamp;      /* of the commit, STAMP_ZERO when nothing was written */
    /* private */
    struct workspace ws;
    struct store_sync sync;
    struct store_read read;
    struct store_range *ranges;
    struct replica *replica;
    struct request *next;
    struct agent *agent;                         /* the agent's, see agent.c */
    void (*agent_done)(struct request *request); /* likewise */
    uint32_t attempts;                           /* how often it lost against another */
    uint8_t stage;                               /* enum stage in local.c */
    bool ready;                                  /* ws is initialised */
    bool awaited; /* something else may have run since the first answer to this attempt */
    bool entered; /* a call into the store that may answer at once is under way */
};

/* Takes over nothing: store and env stay the caller's and must outlive the replica manager. Makes
 * the root directory when the volume is empty (owned by uid/gid) and reclaims orphans left by a
 * crash, in the background, in small steps. */
enum err replica_new(struct env *env, struct store *store, uint32_t node, uint32_t uid,
                     uint32_t gid, struct replica **out);
/* For one of several replicas: makes no root directory and reclaims nothing by itself. */
enum err replica_new_member(struct env *env, struct store *store, uint32_t node,
                            struct replica **out);
/* Makes the root directory of an empty volume; OK when it is there. */
enum err replica_make_root(struct replica *replica, uint32_t uid, uint32_t gid);
/* Commits a write set of replica control's own, at the next stamp. As store_commit. */
enum err replica_commit(struct replica *replica, const struct write_set *writes);
/* Another replica has committed records since: stamps and inode numbers go on behind them. */
void replica_catch_up(struct replica *replica);

/* All requests must have finished. */
void replica_free(struct replica *replica);
/* Frees everything at once, as if the process had died; for tests, after the env has dropped all
 * jobs. Requests that were under way are the caller's: request_abandon each of them. */
void replica_abandon(struct replica *replica);

/* Prepares a request for (another) use: keeps its workspace memory, clears the rest. A zeroed
 * struct may be begun. */
void request_begin(struct request *request);
/* After the end: gives back what the result held (keeps memory for the next use) / frees all of it.
 */
void request_end(struct request *request);
void request_free(struct request *request);
/* request_free, also of a request whose replica manager was abandoned while it was under way. */
void request_abandon(struct request *request);

/* Runs the request. True: it finished at once (see request->err), done will not run. False: done
 * runs once, later. The caller asks replica_has_room first for operations that write; without room
 * a write still works but memory grows. */
bool replica_execute(struct replica *replica, struct request *request);

bool replica_has_room(const struct replica *replica);

/* An inode number never used before. */
uint64_t replica_new_ino(struct replica *replica);

/* Durable: everything answered so far. done(request) runs once or true is returned, as above; only
 * err is set. */
bool replica_sync(struct replica *replica, struct request *request);

const struct fs_volume *replica_volume(const struct replica *replica);
struct store *replica_store(struct replica *replica);

struct replica_status {
    uint64_t requests, commits, conflicts, reruns; /* since start */
    uint64_t failures; /* requests that ended with an error of disks, stores or resources */
    enum err last_failure;
    uint64_t orphans; /* waiting to be reclaimed from before the start */
    uint64_t in_flight;
};
void replica_status(const struct replica *replica, struct replica_status *out);

#endif
