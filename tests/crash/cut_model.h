/* SPDX-License-Identifier: MIT
 *
 * cut_model.h: a volume that never crashes: plain memory under the file service, with a digest of
 * everything in it.
 *
 * The digest of a volume is the sum of the digests of its objects (of a block: of its chunks), so
 * it follows each write without looking at the rest, and does not depend on how it was reached.
 */
#ifndef PACTFS_TESTS_CRASH_CUT_MODEL_H
#define PACTFS_TESTS_CRASH_CUT_MODEL_H

#include "core/fs/fs.h"
#include "cut.h"

struct model_item {
    struct object_key key;
    struct stamp stamp;
    struct bytes value;
    uint32_t chunks;
    uint8_t *data[BLOCK_CHUNKS];
};

struct model {
    struct fs_volume volume;
    struct workspace ws;
    struct fs_result result; /* of the last operation */
    struct model_item **items;
    size_t count, room;
    uint64_t digest, stamps;
};

uint64_t digest_value(const struct object_key *key, struct bytes value);
uint64_t digest_chunk(const struct object_key *block, uint32_t chunk, const uint8_t *data);

void model_init(struct model *model, uint64_t salt);
void model_free(struct model *model);
/* Runs an operation to its end; what fs_apply said. */
enum err model_apply(struct model *model, const struct fs_op *op);

/* The bytes of a read that model_apply has just run; result.length of them. */
void model_gather(struct model *model, uint8_t *into);

#endif
