/* SPDX-License-Identifier: MIT
 *
 * replicate.h: what replica control asks of a store beyond reading and committing: the same records
 * on all replicas, the log behind a stamp, a snapshot compared and copied.
 *
 * Law
 *   T1  A record has the same stamp, head and payload on every replica that has it through
 *       store_on_record, store_commit_record and store_tail; each follows the one before it.
 *   T2  What was adopted is, object for object, what was exported: same stamps, same bytes. An
 *       object is replaced whole: no version of it but the adopted one stays, be it newer.
 *   T3  A tail that is open has every record behind its start: the cleaner leaves them.
 *   T4  The note and store_last_stamp are as durable as records: after a crash they are those of
 *       the last record in the log.
 */
#ifndef PACTFS_STORE_REPLICATE_H
#define PACTFS_STORE_REPLICATE_H

#include "core/base/arena.h"
#include "core/store/store.h"

#define STORE_NOTE_MAX 256u

/* --- records --- */

/* A committed record, as another replica takes it. Memory is valid during the call. */
struct store_record {
    struct stamp before, stamp; /* of the record before it in the log of this volume, and its own */
    struct bytes head;          /* the encoded Record */
    const struct env_iov *payload; /* its raw bytes, in pieces */
    int payload_count;
    uint64_t payload_len;
};

/* each(ctx, record) runs inside store_commit and store_commit_record, when they have succeeded.
 * `each` must not call the store. NULL: nobody. */
void store_on_record(struct store *store,
                     void (*each)(void *ctx, const struct store_record *record), void *ctx);

/* Commits a record that another replica made: as store_commit, at the stamp in `head`. DECODE: not
 * a record, or its stamp is not greater than the last; CORRUPT: the payload does not match its
 * checksums. `owner` keeps payload.data alive; NULL: it is copied. Nothing changed on error. */
struct store_shipped {
    struct bytes head, payload;
    struct shared *owner;
};
enum err store_commit_record(struct store *store, const struct store_shipped *shipped);

/* --- the log behind a stamp --- */

struct store_tail;

/* Records behind the one with exactly the stamp `after` (ZERO: from the first that there ever
 * was). LOG_GONE: there is none with that stamp, or records behind it are gone. Reads nothing; what
 * has to be read to find the place is read by store_tail_read, which may still answer LOG_GONE.
 * store_close wants all tails closed before; store_abandon takes them along. */
enum err store_tail_open(struct store *store, struct stamp after, struct store_tail **out);
/* Also during a read, whose `done` does not run then. */
void store_tail_close(struct store_tail *tail);

struct store_tail_read {
    uint32_t most_bytes; /* stop behind the record with which this is reached */
    /* In order; memory valid during the call; must not call the store. */
    void (*each)(struct store_tail_read *read, const struct store_record *record);
    void (*done)(struct store_tail_read *read); /* once, on the loop, unless it finished at once */
    enum err err;                               /* OK, LOG_GONE, CORRUPT, IO */
    uint32_t count;                             /* records given; 0 with OK: the end of the log */
    void *impl;
};
/* The next records. One at a time for each tail. True: finished at once. */
bool store_tail_read(struct store_tail *tail, struct store_tail_read *read);

/* Records that a replica may still want: the cleaner leaves segments within this many bytes of the
 * log's end alone, unless the disk is full. 0 (the default): none. */
void store_keep_log(struct store *store, uint64_t bytes);

/* --- snapshots: `at` is pinned by the caller, or STAMP_MAX --- */

/* Calls each(ctx, key, version) in the order of keys for objects present at `at`, from `from` on,
 * until it returns false or `most` were given. *next is where to go on; false there: that was all.
 * Kinds that are this node's own (the note) are left out. */
struct store_walk {
    struct object_key from;
    struct stamp at;
    uint32_t most;
    bool more;              /* out: there may be others */
    struct object_key next; /* out, with more */
};
enum err store_walk(struct store *store, struct store_walk *walk,
                    bool (*each)(void *ctx, const struct object_key *key,
                                 const struct object_version *version),
                    void *ctx);

/* The hash of (key, stamp) of the objects present in [from, to] at `at`, and how many there are;
 * equal for equal sets, on every machine; those of adjoining ranges add up. At most `most` objects
 * are counted. walk.more: there are others behind `last` in the whole store, from walk.next on.
 * An index that was made again from the log may know an older stamp of a block whose last change
 * was a hole; then digests differ although nothing else does. */
struct store_digest {
    struct store_walk walk; /* in: from, at, most; out: more, next */
    struct object_key to;   /* in: the last key that counts */
    struct object_key last; /* out: all objects up to this key were counted; `to`, unless `most`
                               were too few: then the key just before walk.next */
    uint32_t count;
    uint64_t hash;
};
enum err store_digest(struct store *store, struct store_digest *digest);

/* Reads whole objects, as they were at `at`, into one encoded record (of entries with their own
 * stamps, as adopt takes them) and its payload. Stops before the object with which most_bytes is
 * passed, but takes at least one; objects that are not present become DELETE entries. */
struct store_export {
    const struct object_key *keys; /* stay valid until the end */
    uint32_t count;
    struct stamp at;
    uint32_t most_bytes;
    void (*done)(struct store_export *export); /* once, on the loop, unless it finished at once */
    /* out */
    enum err err;               /* OK; CORRUPT, IO: what was read is of no use */
    uint32_t taken;             /* how many of the keys */
    struct bytes head, payload; /* until store_export_free */
    void *impl;
};
bool store_export(struct store *store, struct store_export *export);
void store_export_free(struct store_export *export);

/* --- adopting --- */

/* Makes objects what another replica exported (T2), as one record. Until store_adopt_end the store
 * is neither what it was nor what it will be, and nothing is to be committed; an object that is
 * adopted alone (it was damaged) may be newer than the next commits, which do not change it then.
 * DECODE, CORRUPT as above; NOSPC, LIMIT, FAILED as store_commit. store_last_stamp does not
 * change. */
enum err store_adopt(struct store *store, const struct store_shipped *shipped);
/* Is an older version of the object kept (a snapshot reads it)? Adopting would drop it. */
bool store_keeps_older(struct store *store, const struct object_key *key);
/* Deletes objects that the snapshot does not have. */
enum err store_adopt_absent(struct store *store, const struct object_key *keys, uint32_t count);
/* The store is what it was at `at` elsewhere: store_last_stamp is `at` from now on, also when it
 * was greater; the log behind earlier stamps is gone (store_tail_open). */
enum err store_adopt_end(struct store *store, struct stamp at);

/* A few bytes of this node's own, with the log: not seen by walks, digests, exports. */
enum err store_set_note(struct store *store, struct bytes note);
struct bytes store_note(const struct store *store); /* empty in the beginning */

#endif
