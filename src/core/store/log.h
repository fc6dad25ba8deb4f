/* SPDX-License-Identifier: MIT
 *
 * log.h: appending to the log (log.c), and the segment files made ahead of it (spare.c).
 */
#ifndef PACTFS_STORE_LOG_H
#define PACTFS_STORE_LOG_H

#include "core/env/env.h"
#include "core/store/frame.h"
#include "core/store/segments.h"
#include "core/store/store.h"

/* --- log.c: appending --- */

/* Bytes accepted for the log and not yet written: a run at one place. */
struct log_piece {
    struct log_piece *next;
    struct place place;
    uint32_t len, room; /* room: of data, when it is our own and may still grow */
    uint8_t *data;
    struct shared *owner; /* keeps data alive; NULL: data follows this struct */
    bool closed;          /* a job was given it: it must not grow */
    bool written;
};

#define FLUSH_IOV_MAX   256u
#define FLUSH_FILES_MAX 64u

/* One job that writes and/or syncs. */
struct log_flush {
    struct env_job job;
    struct store *store;
    bool busy, sync;
    struct segment *ahead; /* zeros are written to it behind the log's end, or NULL */
    uint32_t ahead_at;
    struct place start, end; /* the part of the log that it writes */
    struct env_iov iov[FLUSH_IOV_MAX];
    struct {
        struct segment *segment;
        uint32_t offset, iov_first, iov_count;
    } writes[FLUSH_FILES_MAX];
    uint32_t write_count;
    struct segment *syncs[FLUSH_FILES_MAX];
    uint32_t sync_count;
    enum err err;
};

struct log {
    struct segment *head;
    struct log_piece *first, *last; /* in order of their place */
    struct log_piece *unsent;       /* the first not yet given to a job */
    uint64_t pending;               /* bytes in pieces */
    struct place appended, written, durable;
    uint64_t sequence; /* of the next record */
    uint32_t incarnation;
    struct log_flush writer, syncer;
    struct store_sync *waiting; /* in order of lsn */
    bool sync_wanted, timer_running;
    uint64_t switched_ns; /* when the head last changed */
    uint32_t switches;    /* of the head, since the last sync began */
    bool fast;            /* soon after the time before */
    bool wrote_ahead;     /* the writer ran since the last sync began: now the sync comes first */
    struct env_timer timer;
};

/* Appends one record; the entries' places are filled in. NOSPC, LIMIT, FAILED. */
struct append {
    struct entry *entries;
    uint32_t count;
    struct stamp stamp;
    uint32_t flags; /* of the frame */
    bool frees;
    /* where the payload is: in one run, kept alive by owner (NULL: it is copied); or one write for
     * each entry; or payloads[i], which is copied */
    struct bytes payload;
    struct shared *owner;
    const struct write *writes;
    const uint8_t *const *payloads;
    /* in: the encoded Record, or empty: it is made from the entries; out: as it is in the log, in
     * memory that stays until the loop goes on */
    struct bytes head;
};
enum err log_append(struct store *store, struct append *append);
/* The next record goes into another segment. AGAIN: there is none ready; NOSPC; FAILED. */
enum err log_seal(struct store *store);
void log_init(struct store *store);
void log_release(struct store *store); /* frees what waits; for store_free */
/* Starts what can be started: writes, syncs. Called after appends and at the end of jobs. */
void log_kick(struct store *store);
/* The bytes at `place`, when they are not in a file yet: NULL or a pointer to `len` bytes. */
const uint8_t *log_pending_bytes(struct store *store, struct place place, uint32_t len);
bool log_idle(const struct store *store);

/* --- spare.c: segment files made ahead --- */

#define SPARE_BATCH 4u
struct spare_job {
    struct env_job job;
    struct store *store;
    struct env_file *files[SPARE_BATCH];
    uint32_t first, wanted, made; /* numbers from `first` on */
    enum err err;
    bool busy;
};
void spare_kick(struct store *store);
/* A spare has become the head: see how fast they go, and make more. */
void spare_taken(struct store *store);
uint32_t spare_count(const struct store *store);
/* Takes the next spare as head; NULL when there is none that `frees` may have. */
struct segment *spare_take(struct store *store, bool frees);
void spare_timer_fired(struct env_timer *timer);
/* Makes segment files, blocking: also for store_open. Fills made and files; the error is that of
 * the first that could not be made. */
void spare_make(struct spare_job *spare);
/* Makes the one that a store needs to begin with; OK on a full disk too. Before the loop runs. */
enum err spare_first(struct store *store);
/* Gives a spare's disk space up, so that a checkpoint can be written on a full disk. */
bool spare_sacrifice(struct store *store);
/* Gives up what was made for a log that ran fast, now that it rests. */
void spare_trim(struct store *store);

#endif
