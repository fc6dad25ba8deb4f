/* SPDX-License-Identifier: MIT
 *
 * store_private.h: what the files of the store share. Grouped by the file that defines it.
 *
 * Law of the store
 *   M1  What a commit was answered OK for is in the log's order before everything answered later.
 *   M2  The index as seen by lookups (active overlay, frozen overlay, index on disk, in this
 *       order) equals the result of applying all entries of the log in any order (see apply.c: the
 *       greater stamp wins, chunk by chunk).
 *   M3  The index on disk never refers to bytes that are not durable in the log.
 *   M4  durable <= written <= appended, as places in the log.
 *   M5  A segment file is removed only when no durable index refers to it (S3).
 */
#ifndef PACTFS_STORE_PRIVATE_H
#define PACTFS_STORE_PRIVATE_H

#include "core/base/arena.h"
#include "core/base/assert.h"
#include "core/base/mark.h"
#include "core/store/damage.h"
#include "core/store/frame.h"
#include "core/store/log.h"
#include "core/store/overlay.h"
#include "core/store/reader.h"
#include "core/store/replicate.h"
#include "core/store/segments.h"
#include "core/store/store.h"

#define STORE_PATH_MAX 4096u

/* --- lookup.c: the index through its layers --- */

/* The version at or before `at`; NOENT when there is none. *layer tells where it came from. */
enum err lookup(struct store *store, const struct object_key *key, struct stamp at,
                struct version *version);
/* The next version of the object older than `before`. NOENT at the end. */
enum err lookup_older(struct store *store, const struct object_key *key, struct stamp before,
                      struct version *version);
enum err lookup_refresh(struct store *store);
/* Can a reader at `at` still find all versions of that time? */
bool store_readable(const struct store *store, struct stamp at);
/* All objects with keys in [from, to] in order, deleted ones too. walk_next gives the next key or
 * NOENT; the store may change between two walks, not during one. */
struct walk {
    struct store *store;
    struct object_key to, disk;
    struct overlay_object *active, *frozen; /* the next of each layer */
    bool on_disk;
};
enum err walk_begin(struct walk *walk, struct store *store, struct object_key from,
                    struct object_key to);
enum err walk_next(struct walk *walk, struct object_key *key);
/* The next greater key; false after the greatest. */
bool object_key_next(struct object_key *key);
/* Puts a version into the active overlay. */
void index_put(struct store *store, const struct object_key *key, const struct version *version,
               bool newest, bool born);

/* --- apply.c: what an entry does to the index --- */

/* Applies one entry (M2). Accounting included. */
enum err apply_entry(struct store *store, const struct entry *entry);
/* Forgets a version that is not the newest (policy), or a deletion that hides nothing any more. */
void apply_forget(struct store *store, const struct object_key *key, struct stamp stamp);
/* Must a version superseded at `next`, with `newer` versions before it, stay readable? */
bool store_keeps(const struct store *store, struct stamp stamp, struct stamp next, uint32_t newer);
/* What an entry adds to its segment's `appended`. */
uint32_t entry_log_weight(const struct entry *entry);

/* --- tail.c --- */

/* Where the log begins that can be read as a sequence of commits (tail.c, B1). */
struct log_base {
    struct place place;
    uint64_t sequence;  /* of the record there */
    struct stamp stamp; /* BASE_STAMP: of what is before it */
    enum base_state {
        BASE_STAMP,    /* nothing, or the volume as it was at a stamp */
        BASE_ADOPTING, /* adopted objects, and no commit since */
        BASE_ADOPTED,  /* adopted objects, then commits */
    } state;
};
/* A record is in the log, up to `end`. Before store->last_stamp is what it says. */
void base_note(struct store *store, const struct frame *frame, struct stamp stamp,
               struct place end);
/* Segments from this number on are left alone by the cleaner. */
uint32_t tail_held_from(const struct store *store);

/* --- checkpoint.c --- */

struct checkpoint {
    struct env_job job;
    struct store *store;
    bool running, again; /* again: another was asked for meanwhile */
    uint64_t number;     /* of the checkpoint under way or last done */
    uint64_t done_number;
    struct store_sync sync;
    struct store_sync *waiting, *waiting_next;
    struct segment_record {
        uint32_t number;
        size_t len;
        uint8_t value[SEGMENT_VALUE];
    } * segments;
    uint32_t segment_count;
    uint32_t *removed; /* segments that left the table since the last checkpoint */
    uint32_t removed_count, removed_now, removed_room;
    uint8_t meta[128];
    size_t meta_len;
    enum err err;
    uint64_t retry_at;
};
void checkpoint_kick(struct store *store); /* starts one when the limits say so */
void checkpoint_start(struct store *store, struct store_sync *sync);
/* Before the loop runs. Without meta the index stays one that has to be rebuilt. */
enum err checkpoint_blocking(struct store *store, bool with_meta);
void checkpoint_segment_gone(struct store *store, uint32_t number);
struct meta {
    struct place replay_from;
    uint64_t sequence;
    uint32_t incarnation;
    uint64_t last_ino, old_versions, keep_ns;
    struct stamp last_stamp, kept_from;
    uint32_t last_segment;
    struct log_base base;
    struct stamp given_up;
};
enum err meta_decode(struct bytes value, struct meta *meta);
void checkpoint_free(struct store *store);

/* --- recovery.c --- */

enum err recovery_run(struct store *store, struct store_error *error);

/* --- commit.c, note.c --- */

/* Applies what was appended. An error: the log has it, the index cannot be read; the store stops
 * then, and the next start sorts it out. */
enum err store_apply(struct store *store, const struct entry *entries, uint32_t count);
/* Before a commit at `stamp` is appended: see apply.c, A6. As log_append. */
enum err store_abolish(struct store *store, const struct entry *entries, uint32_t count,
                       struct stamp stamp);
/* A commit at `stamp` was applied: counts it, starts what it makes necessary. */
void store_committed(struct store *store, struct stamp stamp);
/* Reads the note after recovery. */
enum err note_load(struct store *store);

/* --- cleaner.c, scrub.c, read.c --- */

struct cleaner;
void cleaner_init(struct store *store);
void cleaner_kick(struct store *store);
void cleaner_free(struct store *store);
void cleaner_stop(struct store *store); /* finishes the step under way, then rests */
bool cleaner_busy(const struct store *store);
void cleaner_segments_done(struct store *store); /* a checkpoint is durable: remove doomed files */
bool scrub_busy(const struct store *store);
void store_note_problem(struct store *store, const char *what, struct place at);

/* --- store.c --- */

/* A job under way that owns memory: known to the store, so that a store that is abandoned (the
 * process died, the env forgot its jobs) gives it back. */
struct loose {
    struct loose *next, **link;
    void (*drop)(struct loose *loose); /* frees what contains it */
};
void loose_add(struct store *store, struct loose *loose, void (*drop)(struct loose *loose));
void loose_remove(struct loose *loose);

/* Opens the segment's file for reading when it is not open. */
enum err segment_open(struct store *store, struct segment *segment);

struct store {
    struct env *env;
    char path[STORE_PATH_MAX];
    uint32_t node;
    struct store_limits limits;
    struct version_policy policy;
    bool read_only, rebuild, opening, closing;
    struct store_identity identity;
    enum err failed; /* not OK: nothing is written any more */

    struct segments segments;
    struct log log;
    struct spare_job spare;
    struct env_timer spare_timer;
    bool full; /* the last attempt to make a segment failed for lack of space */

    struct env_index *index;
    struct env_cursor *cursor; /* for lookups and scans on the loop */
    struct overlay overlays[2];
    struct overlay *active, *frozen; /* frozen: NULL, or what the checkpoint under way writes */
    struct checkpoint checkpoint;
    struct place checkpoint_place; /* log position of the last checkpoint */

    struct cleaner *cleaner;
    struct store_sync *clean_waiting;
    struct damage damage; /* that the last scrub found */
    uint64_t last_commit_ns;
    struct env_timer clean_timer;
    uint32_t scrubs, reads, open_files;
    struct loose *loose;
    uint32_t doomed; /* segments that wait for a checkpoint to be removed */

    struct store_pin *pins;
    uint64_t old_versions;      /* versions behind the newest that the index holds */
    struct object_key sweep_at; /* where the next sweep for versions to forget goes on */
    bool sweep_wanted;
    uint64_t last_ino;
    struct stamp last_stamp;
    struct stamp kept_from; /* from here on the policy kept versions */

    void (*on_record)(void *ctx, const struct store_record *record);
    void *on_record_ctx;
    struct log_base base;
    struct stamp given_up; /* greatest stamp of a past that was given up: apply.c, A6 */
    struct store_tail *tails;
    uint64_t keep_log;
    uint8_t note[STORE_NOTE_MAX];
    size_t note_len;
    struct stamp note_stamp; /* counts how often it was set */

    void (*room)(void *ctx);
    void *room_ctx;
    void (*close_done)(void *ctx, enum err err);
    void *close_ctx;
    struct store_sync close_sync;
    enum err close_err;
    bool close_synced, close_submitted;

    struct arena arena; /* for one commit or one step */
    struct store_status counters;
};

void store_fail(struct store *store, enum err err, const char *what);
/* Calls the room callback when there is room again; goes on with closing when everything rests. */
void store_settle(struct store *store);
enum err store_error_set(struct store_error *error, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* identity.c */
enum err store_identity_read(struct env *env, const char *path, struct store_identity *out,
                             uint32_t *segment_bytes, struct store_error *error);
/* `shared`: of a volume with several replicas, whose log may have records that the first version of
 * the format does not know. */
enum err store_identity_write(struct env *env, const char *path,
                              const struct store_identity *identity, uint32_t segment_bytes,
                              bool shared);

#endif
