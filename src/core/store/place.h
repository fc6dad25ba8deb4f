/* SPDX-License-Identifier: MIT
 *
 * place.h: where bytes lie in the log: a segment's number and an offset in its file. Places grow in
 * the order of appending, so a place is also the log's sequence position (LSN).
 */
#ifndef PACTFS_STORE_PLACE_H
#define PACTFS_STORE_PLACE_H

#include <stdint.h>

struct place {
    uint32_t segment, offset;
};

static inline uint64_t place_lsn(struct place p)
{
    return (uint64_t)p.segment << 32 | p.offset;
}

static inline struct place place_of_lsn(uint64_t lsn)
{
    return (struct place){(uint32_t)(lsn >> 32), (uint32_t)lsn};
}

#endif
