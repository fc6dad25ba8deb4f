/* SPDX-License-Identifier: MIT
 *
 * verify.h: looks at every page of an LMDB data file, without LMDB.
 */
#ifndef PACTFS_IO_LMDB_VERIFY_H
#define PACTFS_IO_LMDB_VERIFY_H

#include <stdbool.h>

#include "core/base/bytes.h"
#include "io/lmdb/header.h"

/* Verifies both trees of the commit that `header` describes (laws V1 to V7 of verify.c).
 * What passes can be used by LMDB without harm, and holds as many entries, in order, as were
 * committed; `sound` held for each that is not the binding's own. Blocking; reads the whole file;
 * the pages of that commit must not be used again meanwhile. INDEX; or an error of the disk. */
enum err lmdb_verify(int fd, const struct lmdb_header *header,
                     bool (*sound)(struct bytes key, struct bytes value));

#endif
