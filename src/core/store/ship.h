/* SPDX-License-Identifier: MIT
 *
 * ship.h: a record from another replica, taken apart and looked at: for ship.c and adopt.c.
 */
#ifndef PACTFS_STORE_SHIP_H
#define PACTFS_STORE_SHIP_H

#include "core/store/store_private.h"

struct shipment {
    struct stamp stamp; /* of the record */
    struct entry *entries;
    uint32_t count; /* in the store's arena, as what they point to */
};

/* DECODE: not a record, or of kinds that are not replicated; CORRUPT: the payload does not match
 * its checksums; LIMIT: larger than a segment. `flags`: as the frame shall have. */
enum err shipment_open(struct store *store, const struct store_shipped *shipped, uint32_t flags,
                       struct shipment *out);

#endif
