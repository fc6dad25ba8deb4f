/* SPDX-License-Identifier: MIT
 *
 * verify.h: looks at every page of an LMDB data file, without LMDB.
 */
#ifndef PACTFS_IO_LMDB_VERIFY_H
#define PACTFS_IO_LMDB_VERIFY_H

#include <stdbool.h>

#include "core/base/bytes.h"
#include "io/lmdb/header.h"

/* Verifies both trees of the commit that `header` describes (law V1 to V6 of verify.c): what passes
 * can be used by LMDB without harm, and holds as many entries, in order, as were committed; and that
 * `sound` holds for each of them but the guard. Blocking; reads the whole file; the pages of that commit
 * must not be reused meanwhile. INDEX; or an error of the disk. */
enum err lmdb_verify(int fd, const struct lmdb_header *header,
                     bool (*sound)(struct bytes key, struct bytes value));

#endif
