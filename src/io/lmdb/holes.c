/* SPDX-License-Identifier: MIT
 *
 * holes.c: an LMDB file never becomes shorter; its free pages can still be holes in it.
 *
 * Definitions
 *   list    an entry of LMDB's tree of free pages (number 0): by transaction, the pages that it
 *           freed: a count, then so many page numbers, falling
 *
 * Law
 *   F1  Only pages that neither of the two last commits uses become holes. A page freed by commit
 *       t was used by t - 1; so those of lists before the newest commit's own.
 *   F2  The newest lists go first: LMDB takes pages from the oldest, which so keep their space.
 */
#include "io/lmdb/holes.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/assert.h"

struct holes {
    int fd;
    uint32_t page_size;
    uint64_t over; /* bytes still to be given back */
};

static uint64_t number_at(const MDB_val *list, size_t i)
{
    uint64_t n;
    memcpy(&n, (const uint8_t *)list->mv_data + i * sizeof n, sizeof n);
    return n;
}

static bool punch(struct holes *holes, uint64_t first, uint64_t pages)
{
    uint64_t bytes = pages * holes->page_size;
    if (first < 2 || fallocate(holes->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               (off_t)(first * holes->page_size), (off_t)bytes) != 0)
        return false;
    holes->over -= bytes < holes->over ? bytes : holes->over;
    return true;
}

/* The pages of one list, run by run. */
static bool punch_list(struct holes *holes, const MDB_val *list)
{
    size_t count = list->mv_size / sizeof(uint64_t);
    uint64_t listed = count ? number_at(list, 0) : 0;
    if (count == 0 || listed >= count)
        return false; /* not what we think it is */
    for (size_t i = 1; i <= listed && holes->over;) {
        uint64_t last = number_at(list, i), pages = 1;
        while (i + pages <= listed && number_at(list, i + pages) == last - pages)
            pages++;
        if (!punch(holes, last - pages + 1, pages))
            return false;
        i += pages;
    }
    return true;
}

static void punch_all(struct holes *holes, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, list;
    uint64_t newest = mdb_txn_id(txn);
    if (mdb_cursor_open(txn, 0, &cursor) != 0)
        return;
    int rc = mdb_cursor_get(cursor, &key, &list, MDB_LAST);
    while (rc == 0 && holes->over) {
        uint64_t by = newest;
        if (key.mv_size == sizeof by)
            memcpy(&by, key.mv_data, sizeof by);
        if (by < newest && !punch_list(holes, &list)) /* F1 */
            break;
        rc = mdb_cursor_get(cursor, &key, &list, MDB_PREV); /* F2 */
    }
    mdb_cursor_close(cursor);
}

void lmdb_holes_make(MDB_env *env, uint64_t keep)
{
    struct holes holes = {.fd = -1};
    struct stat st;
    MDB_stat info;
    MDB_txn *txn;
    if (mdb_env_get_fd(env, &holes.fd) != 0 || fstat(holes.fd, &st) != 0 ||
        mdb_env_stat(env, &info) != 0)
        return;
    uint64_t taken = (uint64_t)st.st_blocks * 512;
    if (taken <= keep)
        return;
    holes.over = taken - keep;
    holes.page_size = info.ms_psize;
    if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
        return;
    punch_all(&holes, txn);
    mdb_txn_abort(txn);
}
