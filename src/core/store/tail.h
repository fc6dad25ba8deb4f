/* SPDX-License-Identifier: MIT
 *
 * tail.h: an open tail of the log. See tail.c.
 */
#ifndef PACTFS_STORE_TAIL_H
#define PACTFS_STORE_TAIL_H

#include "core/store/store_private.h"

#define TAIL_RECORDS 1024u /* that one job reads */

/* A record that a job read. */
struct tail_record {
    struct frame frame;
    uint8_t *bytes; /* FRAME_SIZE + head + payload; NULL: no commit */
};

/* A segment in which the start may lie. */
struct probe {
    uint32_t number, end;
    struct stamp first;
    bool looked;
};

struct store_tail {
    struct env_job job;
    struct store *store;
    struct store_tail *next;
    struct loose loose;
    struct place at;              /* of the next record */
    uint64_t sequence;            /* which it must have; 0: any */
    struct stamp before;          /* of the commit before it, or the one looked for */
    bool looks;                   /* for `before`: nothing is given yet */
    bool probing;                 /* not even its segment is known */
    struct store_tail_read *read; /* under way, or NULL */
    uint64_t given;               /* bytes of it */
    bool busy, closed;            /* busy: a job or a sync is under way */
    struct store_sync sync;
    bool waited;
    struct place waited_at; /* the record for which a sync was waited for last */
    /* of the job */
    struct segment *segment;
    struct segment_reader reader;
    struct tail_record records[TAIL_RECORDS];
    uint32_t count, most;
    enum err err;
    struct probe *probes;
    uint32_t probe_count, start;
    /* of a record in memory */
    struct env_iov *pieces;
    int piece_room;
};

/* Does a tail stand at the segment with this number, or before it? */
bool tail_stands(const struct store *store, uint32_t number);

#endif
