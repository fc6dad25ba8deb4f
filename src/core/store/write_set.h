/* SPDX-License-Identifier: MIT
 *
 * write_set.h: what one commit changes. It is applied whole or not at all, at one stamp.
 */
#ifndef PACTFS_STORE_WRITE_SET_H
#define PACTFS_STORE_WRITE_SET_H

#include "core/store/object.h"

enum write_action {
    WRITE_PUT = 1,    /* the object's value becomes `value` (kinds other than block) */
    WRITE_DELETE = 2, /* the object ceases to exist (any kind) */
    WRITE_CHUNKS =
        3, /* chunks [first_chunk, ...) of a block become `value`: value.len bytes, a last chunk
              that is not full is padded with zeros. The block is made when it is not there. */
    WRITE_PUNCH = 4, /* `chunks` chunks from first_chunk on of a block become holes */
};

struct write {
    enum write_action action;
    struct object_key key;
    struct bytes value;
    uint32_t first_chunk, chunks; /* chunks == ceil(value.len / CHUNK_SIZE) for WRITE_CHUNKS */
    struct shared *owner;         /* keeps value.data alive, or NULL: then it is copied at commit */
};

/* Each object occurs in at most one PUT or DELETE; a block may have several CHUNKS and PUNCH
 * writes, which do not overlap. */
struct write_set {
    struct write *items;
    size_t count;
};

#endif
