/* SPDX-License-Identifier: MIT
 *
 * segments.h: the table of segment files.
 *
 * Law
 *   S1  Numbers grow; a number is never used twice. Bytes are only ever appended to the head.
 *   S2  live is the sum of the weights of the entries in the segment that the index refers to;
 *       appended that of all entries ever put there. appended - live, and the frames of single
 *       commits, are what cleaning gives back.
 *   S3  A doomed segment holds nothing that the index in memory refers to; its file goes once a
 *       checkpoint that began after it was doomed is durable.
 */
#ifndef PACTFS_STORE_SEGMENTS_H
#define PACTFS_STORE_SEGMENTS_H

#include "core/base/stamp.h"
#include "core/env/env.h"
#include "core/store/place.h"

enum segment_state {
    SEGMENT_SPARE,  /* made, empty, waits to become the head */
    SEGMENT_HEAD,   /* is appended to */
    SEGMENT_SEALED, /* full */
    SEGMENT_DOOMED, /* see S3 */
};

struct segment {
    uint32_t number;
    enum segment_state state;
    struct env_file *file; /* NULL: not open */
    uint32_t bytes;        /* of the file in use, from its start */
    uint32_t zeroed;       /* up to here zeros were written ahead of the log; see log.c */
    uint64_t live, appended;
    uint32_t frames;    /* records that are single commits */
    uint32_t tombs;     /* deletions and holes ever put here */
    uint32_t readers;   /* jobs that use the file */
    bool dirty;         /* the table entry has changed since the last checkpoint */
    bool unsynced;      /* the file has bytes that were not synced */
    bool guard;         /* see apply.c, A5 */
    bool damaged;       /* do not clean: something in it cannot be read */
    bool discard;       /* clean: nothing refers to what cannot be read; damage.c, D3 */
    struct stamp first; /* of the first commit in it; ZERO: there is none */
    bool looked;        /* for that; else it is not known */
    uint64_t doomed_at; /* number of the checkpoint that must be durable before the file goes */
};

/* Segments in order of their number. */
struct segments {
    struct segment **items;
    uint32_t count, room;
    uint32_t last_number;                   /* the greatest ever used */
    uint64_t live, appended, frames, bytes; /* sums over HEAD and SEALED */
};

void segments_init(struct segments *table);
void segments_free(struct segments *table, const struct env *env);
/* NULL when there is none with that number. */
struct segment *segments_find(const struct segments *table, uint32_t number);
/* The first segment with a number >= `number` that is not a spare, or NULL. */
struct segment *segments_from(const struct segments *table, uint32_t number);
/* Adds an empty one; the number must be greater than all before, except while a store is opened. */
struct segment *segments_add(struct segments *table, uint32_t number, enum segment_state state);
void segments_remove(struct segments *table, struct segment *segment, const struct env *env);

/* Accounting (S2), keeps the sums right. */
void segments_append(struct segments *table, struct segment *segment, uint32_t weight);
void segments_live(struct segments *table, uint32_t number, int64_t delta);
/* Bytes that cleaning the segment would give back / all would. */
uint64_t segment_reclaimable(const struct segment *segment);
uint64_t segments_reclaimable(const struct segments *table);
/* Recomputes the sums after entries were loaded. */
void segments_sum(struct segments *table);

/* PATH/seg/0000002a.seg; returns buf. */
const char *segment_path(const char *store_path, uint32_t number, char *buf, size_t size);
/* The number in a file name, 0 when it is not a segment's. */
uint32_t segment_number_of(const char *name);

#define SEGMENT_VALUE 33u
/* The index's record of a segment, at most SEGMENT_VALUE bytes; returns its length. */
size_t segment_encode(const struct segment *segment, uint8_t out[SEGMENT_VALUE]);
enum err segment_decode(struct bytes value, struct segment *segment);

#endif
