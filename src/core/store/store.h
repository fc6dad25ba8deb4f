/* SPDX-License-Identifier: MIT
 *
 * store.h: the object manager of one volume on one node.
 *
 * The log is the store: a commit is one checksummed record, appended to a segment file. The index
 * says where the versions are; it is a checkpoint, never the truth. See log.h for the records,
 * index.h for the index entries, recovery.c for what happens at start, cleaner.c for how space
 * comes back.
 *
 * Everything here runs on the loop except where it says "blocking".
 */
#ifndef PACTFS_STORE_STORE_H
#define PACTFS_STORE_STORE_H

#include "core/env/env.h"
#include "core/store/write_set.h"

struct store;

/* Which versions behind the newest are kept. Both zero: none, except those that a pin holds. */
struct version_policy {
    uint64_t keep_ns;    /* a version stays readable this long after it was superseded */
    uint32_t keep_count; /* and this many versions behind the newest do */
};

/* Limits, known at start. store_limits_default gives values for production; tests shrink them. */
struct store_limits {
    uint32_t segment_bytes; /* size of a segment file */
    uint64_t
        pending_bytes; /* accepted but not yet written to the log: beyond it commits must wait */
    uint64_t overlay_bytes; /* index changes in memory before a checkpoint starts */
    uint64_t replay_bytes;  /* log behind the last checkpoint before another starts: bounds the time
                               of a start */
    uint64_t unsynced_ns;   /* no accepted commit stays unsynced longer than this */
    uint32_t clean_percent; /* dead bytes, in percent of live ones, that the cleaner leaves alone */
    uint32_t
        spare_segments; /* segments held back for deletes and the cleaner when the disk is full */
};
struct store_limits store_limits_default(void);

struct store_options {
    const char *path; /* directory of the store; must exist for store_format, copied */
    uint32_t node;
    struct store_limits limits;
    struct version_policy policy;
    bool read_only;                        /* look, do not touch: for scrub on a stopped store */
    bool rebuild_index;                    /* throw the index away and make it again from the log */
    const struct store_identity *identity; /* store_format: of the volume whose replica it is; NULL:
                                              a new one */
};

/* Where things went wrong, for the user. */
struct store_error {
    char text[512]; /* a sentence with file and offset */
};

struct store_identity {
    uint8_t uuid[16];
    uint64_t salt;
    int64_t created; /* nanoseconds since 1970 */
};

/* Makes a new, empty store in an existing, empty directory. Blocking. EXIST when there is one,
 * NOT_A_STORE when the directory holds something else. */
enum err store_format(struct env *env, const struct store_options *options,
                      struct store_error *error);

/* Opens a store: reads the identity, opens the index, replays the log behind the last checkpoint.
 * Blocking; call before the loop runs or from a job. NOT_A_STORE, NEWER_FORMAT, MISSING_SEGMENT,
 * SHORT_SEGMENT, DAMAGED_RECORD, INDEX, READ_ONLY, NOSPC or IO, with error->text saying which file
 * and what to do; nothing on the disk has changed then. */
enum err store_open(struct env *env, const struct store_options *options, struct store **out,
                    struct store_error *error);

/* Writes a checkpoint and closes. `done` runs once, on the loop; the store is freed after it, also
 * when err is not OK (then the log has everything, and the next start replays it). No other call
 * may be under way but store_sync. */
void store_close(struct store *store, void (*done)(void *ctx, enum err err), void *ctx);
/* Frees everything at once, without a checkpoint and without waiting: as if the process had died.
 * For tests, after the env has dropped all jobs. */
void store_abandon(struct store *store);

const struct store_identity *store_identity(const struct store *store);
/* The greatest inode number that was ever used (in a committed write). */
uint64_t store_last_ino(const struct store *store);
/* The greatest stamp committed. */
struct stamp store_last_stamp(const struct store *store);

/* --- reading --- */

/* The version of `key` at or before `at` (STAMP_MAX: the newest). OK also when there is none: see
 * version->present. The value stays valid until the next store call. ERR_CORRUPT when the index
 * entry is damaged; SNAPSHOT_GONE when `at` is older than what is kept. */
enum err store_get(struct store *store, struct object_key key, struct stamp at,
                   struct object_version *version);

/* Calls each(ctx, key, version) in order for the objects of kind/ino with sub in [from, to] that
 * are present at `at`, until it returns false. `each` must not call the store; the value is valid
 * during the call. */
enum err store_scan(struct store *store, uint8_t kind, uint64_t ino, uint64_t from, uint64_t to,
                    struct stamp at,
                    bool (*each)(void *ctx, const struct object_key *key,
                                 const struct object_version *version),
                    void *ctx);

/* Calls each(ctx, key, version) for every object of the volume that is present, in the order of the
 * keys. `each` must not call the store. */
enum err store_each(struct store *store,
                    void (*each)(void *ctx, const struct object_key *key,
                                 const struct object_version *version),
                    void *ctx);

/* Reads bytes of blocks into memory. Ranges lie inside their block; holes and absent blocks give
 * zeros. */
struct store_range {
    struct object_key block;
    uint32_t offset, length;
    uint8_t *into;
};
struct store_read {
    struct stamp at;
    const struct store_range *ranges; /* stay valid until the end */
    uint32_t count;
    void (*done)(struct store_read *read); /* set before the call */
    enum err
        err; /* the outcome: OK, CORRUPT, IO; on error `into` holds nothing that was not verified */
    void *impl;
};
/* True: finished at once, see read->err; done will not run. False: done runs once, later. */
bool store_read(struct store *store, struct store_read *read);

/* --- writing --- */

/* Commits a write set at `stamp` (greater than every stamp committed before). On OK it is visible
 * at once, durable after store_sync, and every `owner` was referenced as long as the log needs it;
 * *lsn is its place in the log. NOSPC: the disk is full and the write set needs more than a
 * deletion may; LIMIT: larger than a segment; READ_ONLY; FAILED: an earlier write to the log
 * failed. On error nothing changed. `frees` says that the purpose is to give space back (unlink,
 * truncate, reclaim): it may use the spare segments. */
enum err store_commit(struct store *store, const struct write_set *writes, struct stamp stamp,
                      bool frees, uint64_t *lsn);

/* False while more than limits.pending_bytes wait to be written: stop taking requests;
 * `store_on_room` runs once when it is true again. */
bool store_has_room(const struct store *store);
void store_on_room(struct store *store, void (*room)(void *ctx), void *ctx);

/* done(ctx, OK) once everything committed up to now is durable; an error when the log cannot be
 * written. Runs exactly once, possibly before store_sync returns when nothing is unsynced. */
struct store_sync {
    void (*done)(struct store_sync *sync, enum err err);
    struct store_sync *next;
    uint64_t lsn;
};
void store_sync(struct store *store, struct store_sync *sync);

/* --- versions --- */

/* Holds every version needed to read at `at` until store_unpin. */
struct store_pin {
    struct stamp at;
    struct store_pin *next, **link;
};
void store_pin(struct store *store, struct stamp at, struct store_pin *pin);
void store_unpin(struct store *store, struct store_pin *pin);

/* --- looking after it --- */

/* Starts a checkpoint now (otherwise by limits); done runs once. Several requests share one. */
void store_checkpoint(struct store *store, struct store_sync *sync);

/* Cleans until no more than limits.clean_percent is dead, then done. The store also does so by
 * itself when idle. */
void store_clean(struct store *store, struct store_sync *sync);

/* Verifies every checksum of every segment and that the index agrees with the log. Runs in steps
 * beside other work. */
struct store_scrub {
    void (*problem)(struct store_scrub *scrub, const char *file, uint64_t offset,
                    const char *what);           /* each damaged place */
    void (*progress)(struct store_scrub *scrub); /* after each step */
    /* Each object of which something lies in a damaged place of the log: what it says, or that it
     * is not there any more. None when the index itself is damaged. May be NULL. */
    void (*damaged)(struct store_scrub *scrub, const struct object_key *key);
    void (*done)(struct store_scrub *scrub, enum err err);
    uint64_t bytes_done, bytes_total, records, problems;
    void *impl;
};
void store_scrub(struct store *store, struct store_scrub *scrub);
/* After a scrub and what was done about it: gives up the damaged places to which no object refers
 * any more; their segments are cleaned, so that the next scrub does not meet them. done: OK, all
 * are gone; CORRUPT: something still refers to one; BUSY: one cannot be cleaned yet, or a scrub has
 * begun. */
void store_discard_damaged(struct store *store, struct store_sync *sync);

struct store_status {
    uint64_t live_bytes,
        log_bytes; /* bytes in use by current versions; bytes of all segment files */
    uint64_t index_bytes, overlay_bytes, pending_bytes;
    uint64_t disk_total, disk_available; /* of the disk, as of the last look */
    uint64_t segments, commits, syncs, checkpoints, segments_cleaned, problems;
    uint64_t replayed_records; /* at the last start */
    bool full, failed, cleaning, checkpointing;
};
void store_status(struct store *store, struct store_status *out);

/* Asserts the invariants that store.c, overlay.c and segment.c state; slow; for tests. */
void store_check(struct store *store);

#endif
