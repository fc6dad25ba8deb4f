/* SPDX-License-Identifier: MIT
 *
 * cleaner.h: what cleaner.c (which segment, when) and move.c (what of it is still needed) share.
 */
#ifndef PACTFS_STORE_CLEANER_H
#define PACTFS_STORE_CLEANER_H

#include "core/store/store_private.h"

/* Records of the segment being cleaned, copied by a job. */
struct clean_record {
    struct frame frame;
    uint32_t offset;
    uint8_t *bytes;
};
#define CLEAN_RECORDS 512u

/* Entries to be written again, gathered over some records. */
#define MOVE_ENTRIES 1024u
struct move_batch {
    struct entry entries[MOVE_ENTRIES];
    const uint8_t *payloads[MOVE_ENTRIES];
    uint32_t count, bytes;
};

struct cleaner {
    struct env_job job;
    struct store *store;
    struct segment *victim; /* NULL: none */
    struct segment_reader reader;
    struct clean_record records[CLEAN_RECORDS];
    uint32_t count, next; /* records read; the next to be looked at */
    bool busy;            /* the job runs */
    bool end;             /* the job saw the end of the segment */
    bool stop;
    enum err err;
    struct place bad;
    uint32_t removals; /* jobs that remove files */
    struct move_batch batch;
    struct arena arena; /* of the record being looked at */
    struct store_sync checkpoint;
    bool waits_for_checkpoint;
    bool untidy; /* files went: a small checkpoint at the end lets the index give space back too */
};

/* Writes again what the index still refers to in one record; its bytes stay the caller's. */
enum err move_record(struct cleaner *cleaner, const struct clean_record *record);

#endif
