/* SPDX-License-Identifier: MIT
 *
 * workspace.h: a private view of a volume's objects.
 *
 * A workspace answers reads from what it holds, remembers what was read and at which version (the
 * read set), and collects what would change (the write set). It never fetches: a read of
 * something it does not hold is noted as a need and answers ERR_NEED; the owner supplies all
 * noted needs and runs the operation again. It reads its own writes.
 *
 * Law
 *   W1  An operation sees each object at one version, the one first supplied, overlaid with the
 *       workspace's own writes.
 *   W2  The read set names every object whose version or absence influenced an answer, every
 *       scanned range, and the stamp at which each was supplied.
 *   W3  After ws_rollback(mark) the write set is what it was at ws_mark(); the read set and
 *       supplied objects stay.
 *   W4  The write set holds at most one PUT or DELETE per object, and non-overlapping chunk writes
 *       per block (a later write to the same chunk replaces the earlier; a DELETE drops the chunk
 *       writes before it).
 */
#ifndef PACTFS_TXN_WORKSPACE_H
#define PACTFS_TXN_WORKSPACE_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/store/write_set.h"

struct ws_object; /* private */

enum ws_need_type {
    WS_NEED_OBJECT, /* supply key by ws_supply */
    WS_NEED_CHUNKS, /* supply chunks [first, first + count) of block key by ws_supply_chunks */
    WS_NEED_SCAN,   /* supply by ws_supply_scan: keys of kind/ino with sub in [from, to], in order,
                       at most `limit` */
};

struct ws_need {
    enum ws_need_type type;
    struct object_key key; /* SCAN: kind and ino; sub is unused */
    uint32_t first, count; /* CHUNKS */
    uint64_t from, to;     /* SCAN, both inclusive */
    uint32_t limit;        /* SCAN */
};

/* One object found by a scan. */
struct ws_found {
    struct object_key key;
    struct object_version version;
};

struct ws_scan {
    const struct ws_found *found; /* in order of sub, own writes merged in, deleted ones left out */
    uint32_t count;
    bool more; /* the range may hold more beyond the last found */
};

struct workspace {
    struct arena arena;
    struct ws_object **table; /* open hash table of objects by key */
    uint32_t table_size, object_count;
    struct ws_need *needs;
    uint32_t need_count, need_room;
    struct ws_object *first, *last; /* all objects in the order in which they came up */
    struct ws_scan_entry *scans;    /* private list */
    struct ws_write *writes;        /* private list, newest first */
    uint64_t serial;
    uint64_t bytes; /* payload bytes in the write set (a chunk counts in full), for limits */
};

/* How many chunks a block's mask names. */
static inline uint32_t ws_count_chunks(uint32_t mask)
{
    uint32_t n = 0;
    for (; mask; mask &= mask - 1)
        n++;
    return n;
}

void ws_init(struct workspace *ws);
/* Forgets everything; keeps memory for the next use. Drops the references that writes hold on
 * owners. */
void ws_reset(struct workspace *ws);
void ws_free(struct workspace *ws);

/* --- for operations (fs_apply) --- */

/* The object as this workspace sees it: OK (see version->present) or NEED. Value memory lives
 * until ws_reset. */
enum err ws_get(struct workspace *ws, struct object_key key, struct object_version *version);
/* Notes a need without asking, so that several objects are fetched at once. Does nothing when it
 * is held. */
void ws_want(struct workspace *ws, struct object_key key);
/* The bytes of one chunk as this workspace sees it: CHUNK_SIZE bytes, zero padded, valid until
 * ws_reset. OK or NEED. An absent chunk gives zeros without a need (the block itself may be
 * needed first). */
enum err ws_get_chunk(struct workspace *ws, struct object_key block, uint32_t chunk,
                      const uint8_t **data);
/* If the chunk was written in this workspace: true and its bytes (data.len <= CHUNK_SIZE, zeros
 * after that). */
bool ws_own_chunk(struct workspace *ws, struct object_key block, uint32_t chunk,
                  struct bytes *data);
/* Objects of a kind and inode with sub in [from, to], at most `limit`: OK or NEED. */
#define WS_SCAN_MAX 65536u
struct ws_range {
    uint8_t kind;
    uint64_t ino, from, to; /* both inclusive */
    uint32_t limit;
};
enum err ws_scan(struct workspace *ws, const struct ws_range *range, struct ws_scan *out);

/* Writes. `value` is copied into the workspace, except chunk data, which stays with `owner`
 * (referenced once more) or, when owner is NULL, is copied. */
void ws_put(struct workspace *ws, struct object_key key, struct bytes value);
void ws_delete(struct workspace *ws, struct object_key key);
void ws_write_chunks(struct workspace *ws, struct object_key block, uint32_t first_chunk,
                     struct bytes data, struct shared *owner);
/* As ws_write_chunks, for bytes that lie in ws->arena already: no copy. */
void ws_write_chunks_arena(struct workspace *ws, struct object_key block, uint32_t first_chunk,
                           struct bytes data);
void ws_punch(struct workspace *ws, struct object_key block, uint32_t first_chunk, uint32_t chunks);

uint64_t ws_mark(const struct workspace *ws);
void ws_rollback(struct workspace *ws, uint64_t mark);

/* --- for the owner of the workspace --- */

/* Answers to needs. Values are copied. Supplying an object that is held already changes nothing
 * (W1). */
void ws_supply(struct workspace *ws, struct object_key key, const struct object_version *version);
/* `data` is count * CHUNK_SIZE bytes, zero padded; copied. The block object itself must have been
 * supplied. */
void ws_supply_chunks(struct workspace *ws, struct object_key block, uint32_t first, uint32_t count,
                      const uint8_t *data);
/* Also supplies every object found. `more`: the limit was reached. */
void ws_supply_scan(struct workspace *ws, const struct ws_need *need, const struct ws_found *found,
                    uint32_t count, bool more);
/* Empties the list of needs (after they were supplied, before the operation runs again). */
void ws_clear_needs(struct workspace *ws);

/* The write set, gathered into arena memory; valid until the next write or reset. */
struct write_set ws_write_set(struct workspace *ws);
/* The read set: calls each(ctx, key, stamp) for every object that was read until it returns
 * false. */
bool ws_each_read(struct workspace *ws,
                  bool (*each)(void *ctx, const struct object_key *key, struct stamp stamp),
                  void *ctx);
/* The scanned ranges, likewise: [from, to] of kind/ino and what was found in it. */
bool ws_each_scan(struct workspace *ws,
                  bool (*each)(void *ctx, const struct ws_need *range, const struct ws_scan *found),
                  void *ctx);

/* Asserts W1, W3, W4 on the current state; for tests and debug builds. */
void ws_check(const struct workspace *ws);

#endif
