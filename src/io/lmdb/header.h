/* SPDX-License-Identifier: MIT
 *
 * header.h: looks at an LMDB data file before LMDB maps it.
 */
#ifndef PACTFS_IO_LMDB_HEADER_H
#define PACTFS_IO_LMDB_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

/* The guard: an entry of our own in each commit, greater than every legal key (64 bytes), whose
 * value begins with the number of the commit's transaction. Says that a tree is the one that was
 * committed last. */
#define LMDB_GUARD_LEN   65u /* of the key: bytes of 0xff */
#define LMDB_GUARD_BYTES 16u /* of the value: transaction, entries */

struct lmdb_tree {
    uint16_t depth; /* 0: empty */
    uint64_t root;
    uint64_t branches, leaves, overflow; /* pages */
    uint64_t entries;
};

struct lmdb_header {
    uint32_t page_size;
    uint64_t last_page;                   /* the highest page number in use by the newest commit */
    uint64_t txn;                         /* of the newest commit; 0: nothing was ever committed */
    struct lmdb_tree free_pages, entries; /* of the newest commit */
};

/* Reads and checks the two headers, and that each leads to the guard of its own commit. OK; NOENT
 * when there is no file; INDEX when LMDB could crash on it or read what was not committed; or an
 * error of the disk.
 */
enum err lmdb_header_read(const char *file, struct lmdb_header *out);

/* Reads all of `len` bytes: INDEX when the file ends before, else what the system reported. */
enum err lmdb_read_at(int fd, void *buf, size_t len, uint64_t offset);

#endif
