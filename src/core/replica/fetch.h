/* SPDX-License-Identifier: MIT
 *
 * fetch.h: between a workspace and a local store: what an operation needs goes in, what it read is
 * compared.
 */
#ifndef PACTFS_REPLICA_FETCH_H
#define PACTFS_REPLICA_FETCH_H

#include "core/fs/fs.h"
#include "core/store/store.h"

enum fetch_outcome {
    FETCH_DONE,   /* every need is supplied: run the operation again */
    FETCH_LATER,  /* read->done runs once; call fetch_chunks_arrived from there when read->err is OK
                   */
    FETCH_FAILED, /* read->err says why */
};

/* Supplies all needs of the workspace from the newest versions in the store. read->done must be
 * set; the workspace must not be touched until it ran. */
enum fetch_outcome fetch_needs(struct workspace *ws, struct store *store, struct store_read *read);
void fetch_chunks_arrived(struct workspace *ws, const struct store_read *read);

/* True when every version and every range that was read is still the newest in the store. */
bool fetch_still_valid(struct workspace *ws, struct store *store);

/* Where the bytes of a read come from: fs_result's pieces. */
struct fetch_pieces {
    const struct fs_piece *pieces;
    uint32_t count;
    uint64_t length;
};

/* Brings the pieces together in `into` (pieces->length bytes). True: finished at once, see
 * read->err. False: read->done runs once. Memory for the ranges comes from the workspace's arena.
 */
bool fetch_gather(struct workspace *ws, struct store *store, const struct fetch_pieces *pieces,
                  uint8_t *into, struct store_read *read);

#endif
