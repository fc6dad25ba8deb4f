/* SPDX-License-Identifier: MIT
 *
 * index_lmdb.c: the ordered index of env.h on LMDB.
 *
 * Definitions
 *   guard   an entry of our own, greater than every legal key, in each commit: the number of its
 *           transaction and of its entries. It says that the tree LMDB found is the one
 *           committed last.
 *   pad     an entry of our own before the keys that begin with one byte, as large as fits a page
 *           twice. Where keys are only ever added at the end of such a range, LMDB would split the
 *           page that the range shares with the next one in halves, again and again, and leave
 *           every page half empty. The pads of the next range keep it to itself.
 *   margin  bytes that the file is kept longer (sparsely) than the last page in use
 *
 * Law
 *   L1  The loop owns the one read transaction; workers own the write transaction between begin
 *       and its end.
 *   L2  Every commit writes the guard. Cursors never show it.
 *   L3  Before a commit ends, the file reaches behind its last page: a shorter file has been cut.
 *       (A batch that is larger than the margin is caught up with right after it.)
 *   L4  The mapping is read only; dropping its pages from memory loses nothing and may happen at
 *       any time.
 *   L5  Pads are longer than legal keys, and cursors never show them. An index without them works.
 *   L6  The blocks of pages that neither of the two last commits uses may be given back: LMDB
 *       writes a free page whole before it reads it.
 */
#include "io/lmdb/index_lmdb.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/lmdb/header.h"
#include "io/lmdb/holes.h"
#include "io/lmdb/verify.h"

#define KEY_MAX         64u
#define VALUE_MAX       8192u
#define GUARD_LEN       LMDB_GUARD_LEN
#define GUARD_BYTES     LMDB_GUARD_BYTES
#define MAP_MOST        ((size_t)1 << 40) /* of address space; the file is as its contents */
#define MAP_LEAST       ((size_t)1 << 26)
#define MARGIN          ((uint64_t)4 << 20)
#define RESIDENT_MOST   ((size_t)64 << 20)
#define LOOK_EVERY      2048u /* calls between two looks at the memory in use */
#define PATH_MOST       4096u
#define VERIFY_TRIES    8 /* beside commits that follow one another quickly */
#define PAD_LEN         LMDB_GUARD_LEN
#define PAD_ROOM        2048u
#define PAD_FIRST       1u /* the ranges that grow at their end: of keys with these first bytes */
#define PAD_LAST        7u
#define QUIET_PUTS      1024u
#define QUIET_SPACE     ((uint64_t)8 << 20) /* of free pages that stay on the disk */
#define BUSY_SPACE      ((uint64_t)64 << 20)
#define DISK_FULL_BYTES ((uint64_t)2 << 20) /* LMDB writes up to 1 MiB at once */
#define PAGE_HEADER     16u
#define NODE_HEADER     8u

struct env_index {
    struct env *owner;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reader;
    struct env_batch *batch;
    const uint8_t *map; /* where page 0 is mapped */
    uint32_t page_size;
    uint32_t cursors;
    uint32_t calls; /* since the last look at the memory; the loop's */
    uint64_t refreshes;
    size_t resident_most;
    bool read_only;
};

struct env_cursor {
    struct env_index *index;
    MDB_cursor *mdb;
    uint64_t refreshes;
};

struct env_batch {
    struct env_index *index;
    MDB_txn *txn;
    MDB_cursor *cursor; /* keys come sorted: from one leaf to the next without a search */
    uint32_t puts;
};

STATIC_ASSERT(GUARD_LEN > KEY_MAX, "no legal key is the guard");
STATIC_ASSERT(PAD_LEN > KEY_MAX && PAD_LAST < 0xff, "nor a pad, and no pad is the guard");
static const uint8_t guard_key[GUARD_LEN] = {
    [0 ... GUARD_LEN - 1] = 0xff,
};

static enum err from_mdb(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return OK;
    case MDB_NOTFOUND:
        return ERR_NOENT;
    case MDB_MAP_FULL:
        return ERR_NOSPC;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
        return ERR_INDEX;
    default:
        return rc > 0 ? err_from_errno(rc) : ERR_IO;
    }
}

static MDB_val val(struct bytes b)
{
    return (MDB_val){b.len, (void *)(uintptr_t)b.data};
}

static struct bytes bytes_of(MDB_val v)
{
    return (struct bytes){v.mv_data, v.mv_size};
}

static MDB_val key_val(struct bytes key)
{
    INVARIANT(key.len >= 1 && key.len <= KEY_MAX);
    return val(key);
}

/* --- the memory the mapping takes --- */

/* File-backed memory of this process that is resident, in bytes; 0 when the kernel does not say. */
static size_t resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    char *at = text;
    unsigned long pages = 0;
    for (int field = 0; field < 3; field++) /* all, resident, file-backed */
        pages = strtoul(at, &at, 10);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void trim(struct env_index *index)
{
    MDB_envinfo info;
    if (!index->map || resident_bytes() <= index->resident_most)
        return;
    INVARIANT(mdb_env_info(index->env, &info) == 0);
    size_t len = (info.me_last_pgno + 1) * index->page_size;
    madvise((void *)(uintptr_t)index->map, len, MADV_DONTNEED);
}

static void count_call(struct env_index *index)
{
    if (++index->calls < LOOK_EVERY)
        return;
    index->calls = 0;
    trim(index);
}

void index_lmdb_limit(struct env_index *index, size_t bytes)
{
    index->resident_most = bytes;
    index->calls = LOOK_EVERY;
}

/* --- the guard --- */

static void guard_fill(uint8_t raw[GUARD_BYTES], MDB_txn *txn, uint64_t entries)
{
    struct cursor c = cursor_over(raw, GUARD_BYTES);
    put_u64(&c, mdb_txn_id(txn));
    put_u64(&c, entries);
    INVARIANT(!c.bad);
}

static int guard_put(MDB_txn *txn, MDB_dbi dbi)
{
    uint8_t raw[GUARD_BYTES] = {0};
    MDB_stat stat;
    MDB_val key = {GUARD_LEN, (void *)(uintptr_t)guard_key};
    MDB_val value = {sizeof raw, raw};
    int rc = mdb_put(txn, dbi, &key, &value, 0); /* so that it is among the entries counted */
    if (!rc)
        rc = mdb_stat(txn, dbi, &stat);
    if (rc)
        return rc;
    guard_fill(raw, txn, stat.ms_entries);
    return mdb_put(txn, dbi, &key, &value, 0);
}

/* --- pads --- */

static int pads_put(MDB_txn *txn, MDB_dbi dbi, uint32_t page_size)
{
    uint8_t raw[PAD_LEN] = {0}, filling[PAD_ROOM] = {0};
    size_t most = (((page_size - PAGE_HEADER) / 2) & ~(size_t)1) - 2 - NODE_HEADER; /* of a node */
    size_t fill = most - PAD_LEN < PAD_ROOM ? most - PAD_LEN : PAD_ROOM;
    int rc = 0;
    for (unsigned first = PAD_FIRST; first <= PAD_LAST && !rc; first++) {
        for (uint8_t which = 1; which <= 2 && !rc; which++) {
            raw[0] = (uint8_t)first;
            raw[PAD_LEN - 1] = which;
            MDB_val key = {PAD_LEN, raw}, value = {fill, filling};
            rc = mdb_put(txn, dbi, &key, &value, 0);
        }
    }
    return rc;
}

static bool is_pad(int rc, const MDB_val *key)
{
    return rc == 0 && key->mv_size == PAD_LEN && *(const uint8_t *)key->mv_data != 0xff;
}

/* Also finds where the file is mapped: the guard lies in a leaf, and a page begins with its number.
 */
static enum err guard_check(struct env_index *index, uint64_t txn_number)
{
    uint8_t want[GUARD_BYTES];
    MDB_stat stat;
    MDB_val key = {GUARD_LEN, (void *)(uintptr_t)guard_key};
    MDB_val value;
    int rc = mdb_get(index->reader, index->dbi, &key, &value);
    if (rc == MDB_NOTFOUND)
        return ERR_INDEX;
    if (!rc)
        rc = mdb_stat(index->reader, index->dbi, &stat);
    if (rc)
        return from_mdb(rc);
    if (mdb_txn_id(index->reader) != txn_number)
        return ERR_INDEX;
    guard_fill(want, index->reader, stat.ms_entries);
    if (value.mv_size != GUARD_BYTES || memcmp(value.mv_data, want, GUARD_BYTES) != 0)
        return ERR_INDEX;
    const uint8_t *page =
        (const uint8_t *)((uintptr_t)value.mv_data & ~(uintptr_t)(index->page_size - 1));
    struct cursor c = cursor_over(page, sizeof(uint64_t));
    index->map = page - get_u64(&c) * index->page_size;
    return OK;
}

/* --- opening --- */

static enum err sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err err = fsync(fd) < 0 ? err_from_errno(errno) : OK;
    close(fd);
    return err;
}

static enum err sync_parent(const char *path)
{
    char parent[PATH_MOST];
    int n = snprintf(parent, sizeof parent, "%s/..", path);
    return n < 0 || (size_t)n >= sizeof parent ? ERR_NAMETOOLONG : sync_dir(parent);
}

static enum err file_in(const char *path, const char *name, char out[PATH_MOST])
{
    int n = snprintf(out, PATH_MOST, "%s/%s", path, name);
    return n < 0 || (size_t)n >= PATH_MOST ? ERR_NAMETOOLONG : OK;
}

/* The largest map that the address space allows: it is never made larger later. */
static int open_env(struct env_index *index, const char *path, unsigned flags)
{
    int rc = ENOMEM;
    for (size_t size = MAP_MOST; rc == ENOMEM && size >= MAP_LEAST; size /= 2) {
        rc = mdb_env_create(&index->env);
        if (rc)
            break;
        rc = mdb_env_set_mapsize(index->env, size);
        if (!rc)
            rc = mdb_env_open(index->env, path, flags, 0600);
        if (rc) {
            mdb_env_close(index->env);
            index->env = NULL;
        }
    }
    return rc;
}

static enum err open_any(struct env_index *index, const char *path)
{
    int rc = open_env(index, path, MDB_NOTLS);
    if (rc == EROFS || rc == EACCES) {
        index->read_only = true;
        rc = open_env(index, path, MDB_NOTLS | MDB_RDONLY);
        if (rc == EROFS || rc == EACCES) /* no place for a lock: then nobody can write either */
            rc = open_env(index, path, MDB_NOTLS | MDB_RDONLY | MDB_NOLOCK);
    }
    return from_mdb(rc);
}

/* Makes the file reach `margin` behind the last page in use. */
static enum err lengthen(struct env_index *index, uint64_t margin)
{
    MDB_envinfo info;
    struct stat st;
    int fd;
    INVARIANT(mdb_env_info(index->env, &info) == 0 && mdb_env_get_fd(index->env, &fd) == 0);
    uint64_t want = (info.me_last_pgno + 1) * index->page_size + margin;
    if (fstat(fd, &st) < 0)
        return err_from_errno(errno);
    if ((uint64_t)st.st_size >= want)
        return OK;
    return ftruncate(fd, (off_t)(want + margin)) < 0 ? err_from_errno(errno) : OK;
}

static enum err open_dbi(struct env_index *index, bool fresh)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(index->env, NULL, fresh ? 0 : MDB_RDONLY, &txn);
    if (rc)
        return from_mdb(rc);
    rc = mdb_dbi_open(txn, NULL, 0, &index->dbi);
    if (!rc && fresh)
        rc = guard_put(txn, index->dbi);
    if (!rc && fresh)
        rc = pads_put(txn, index->dbi, index->page_size);
    if (!rc && fresh)
        rc = guard_put(txn, index->dbi); /* which says how many entries there are */
    if (rc) {
        mdb_txn_abort(txn);
        return from_mdb(rc);
    }
    return from_mdb(mdb_txn_commit(txn));
}

static enum err open_checked(struct env_index *index, const char *path, const char *file)
{
    struct lmdb_header header = {0};
    enum err err = lmdb_header_read(file, &header);
    bool missing = err == ERR_NOENT;
    if (err && !missing)
        return err;
    bool fresh = header.txn == 0; /* also when its making was cut short */
    err = open_any(index, path);
    if (!err)
        err = lmdb_header_read(file, &header);
    if (err)
        return err;
    index->page_size = header.page_size;
    int fd;
    INVARIANT(mdb_env_get_fd(index->env, &fd) == 0);
    fcntl(fd, F_SETFD, FD_CLOEXEC); /* LMDB leaves it open to programs we start */
    if (fresh && index->read_only)
        return ERR_READ_ONLY;
    if (!index->read_only)
        err = lengthen(index, MARGIN);
    if (!err)
        err = open_dbi(index, fresh);
    if (!err && fresh)
        err = sync_dir(path);
    if (!err && fresh)
        err = sync_parent(path);
    if (!err)
        err = from_mdb(mdb_txn_begin(index->env, NULL, MDB_RDONLY, &index->reader));
    return err ? err : guard_check(index, fresh ? 1 : header.txn);
}

static void close_all(struct env_index *index)
{
    if (index->reader)
        mdb_txn_abort(index->reader);
    if (index->env)
        mdb_env_close(index->env);
    free(index);
}

enum err index_lmdb_open(struct env *env, const char *path, struct env_index **out)
{
    char file[PATH_MOST];
    enum err err = file_in(path, "data.mdb", file);
    if (err)
        return err;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_from_errno(errno);
    struct env_index *index = calloc(1, sizeof *index);
    if (!index)
        return ERR_NOMEM;
    index->owner = env;
    index->resident_most = RESIDENT_MOST;
    err = open_checked(index, path, file);
    if (err) {
        close_all(index);
        return err;
    }
    *out = index;
    return OK;
}

void index_lmdb_close(struct env_index *index)
{
    INVARIANT(index->cursors == 0);
    if (index->batch)
        index_lmdb_batch_abort(index->batch);
    close_all(index);
}

enum err index_lmdb_remove(struct env *env, const char *path)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    char file[PATH_MOST];
    (void)env;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum err err = file_in(path, names[i], file);
        if (err)
            return err;
        if (unlink(file) < 0 && errno != ENOENT)
            return err_from_errno(errno);
    }
    char parent[PATH_MOST];
    enum err err = file_in(path, "..", parent);
    int fd = err ? -1 : open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err ? err : err_from_errno(errno);
    if (rmdir(path) < 0 || fsync(fd) < 0)
        err = err_from_errno(errno);
    close(fd);
    return err;
}

/* --- reading --- */

enum err index_lmdb_get(struct env_index *index, struct bytes key, struct bytes *value)
{
    MDB_val k = key_val(key), v;
    count_call(index);
    int rc = mdb_get(index->reader, index->dbi, &k, &v);
    if (rc)
        return from_mdb(rc);
    *value = bytes_of(v);
    return OK;
}

enum err index_lmdb_refresh(struct env_index *index)
{
    mdb_txn_reset(index->reader);
    index->refreshes++;
    count_call(index);
    return from_mdb(mdb_txn_renew(index->reader));
}

enum err index_lmdb_cursor_open(struct env_index *index, struct env_cursor **out)
{
    struct env_cursor *cursor = malloc(sizeof *cursor);
    if (!cursor)
        return ERR_NOMEM;
    int rc = mdb_cursor_open(index->reader, index->dbi, &cursor->mdb);
    if (rc) {
        free(cursor);
        return from_mdb(rc);
    }
    cursor->index = index;
    cursor->refreshes = index->refreshes;
    index->cursors++;
    *out = cursor;
    return OK;
}

void index_lmdb_cursor_close(struct env_cursor *cursor)
{
    INVARIANT(cursor->index->cursors > 0);
    cursor->index->cursors--;
    mdb_cursor_close(cursor->mdb);
    free(cursor);
}

static int move(struct env_cursor *cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
    INVARIANT(cursor->refreshes == cursor->index->refreshes); /* not past a refresh */
    count_call(cursor->index);
    return mdb_cursor_get(cursor->mdb, key, value, op);
}

static enum err found_at(int rc, MDB_val key, MDB_val value, struct bytes *found, struct bytes *out)
{
    if (rc)
        return from_mdb(rc);
    if (key.mv_size == GUARD_LEN)
        return ERR_NOENT;
    *found = bytes_of(key);
    *out = bytes_of(value);
    return OK;
}

enum err index_lmdb_cursor_seek(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                                struct bytes *value)
{
    MDB_val k = key_val(key), v = {0, NULL};
    int rc = move(cursor, &k, &v, MDB_SET_RANGE);
    while (is_pad(rc, &k))
        rc = move(cursor, &k, &v, MDB_NEXT);
    return found_at(rc, k, v, found, value);
}

enum err index_lmdb_cursor_next(struct env_cursor *cursor, struct bytes *found, struct bytes *value)
{
    MDB_val k = {0, NULL}, v = {0, NULL};
    int rc = move(cursor, &k, &v, MDB_NEXT);
    while (is_pad(rc, &k))
        rc = move(cursor, &k, &v, MDB_NEXT);
    return found_at(rc, k, v, found, value);
}

enum err index_lmdb_cursor_last(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                                struct bytes *value)
{
    MDB_val k = key_val(key), v = {0, NULL};
    int rc = move(cursor, &k, &v, MDB_SET_RANGE);
    if (rc) /* the guard is greater than every key, so there is always one */
        return rc == MDB_NOTFOUND ? ERR_INDEX : from_mdb(rc);
    rc = move(cursor, &k, &v, MDB_PREV);
    while (is_pad(rc, &k))
        rc = move(cursor, &k, &v, MDB_PREV);
    return found_at(rc, k, v, found, value);
}

/* --- batches --- */

enum err index_lmdb_batch_begin(struct env_index *index, struct env_batch **out)
{
    INVARIANT(!index->batch);
    if (index->read_only)
        return ERR_READ_ONLY;
    struct env_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return ERR_NOMEM;
    batch->index = index;
    enum err err = lengthen(index, MARGIN);
    if (!err)
        err = from_mdb(mdb_txn_begin(index->env, NULL, 0, &batch->txn));
    if (!err)
        err = from_mdb(mdb_cursor_open(batch->txn, index->dbi, &batch->cursor));
    if (err) {
        if (batch->txn)
            mdb_txn_abort(batch->txn);
        free(batch);
        return err;
    }
    index->batch = batch;
    *out = batch;
    return OK;
}

static void count_put(struct env_batch *batch)
{
    if (++batch->puts % LOOK_EVERY == 0)
        trim(batch->index);
}

enum err index_lmdb_batch_put(struct env_batch *batch, struct bytes key, struct bytes value)
{
    MDB_val k = key_val(key), v = val(value);
    INVARIANT(value.len <= VALUE_MAX);
    count_put(batch);
    return from_mdb(mdb_cursor_put(batch->cursor, &k, &v, 0));
}

enum err index_lmdb_batch_delete(struct env_batch *batch, struct bytes key)
{
    MDB_val k = key_val(key);
    count_put(batch);
    int rc = mdb_del(batch->txn, batch->index->dbi, &k, NULL);
    return rc == MDB_NOTFOUND ? OK : from_mdb(rc);
}

/* Gives free pages back to the disk (L6). A small batch says that little is going on, and that
 * few of them will be wanted soon. */
static void give_back(struct env_index *index, bool quiet)
{
    MDB_stat stat;
    if (mdb_env_stat(index->env, &stat) != 0)
        return;
    uint64_t used = (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) *
                    (uint64_t)stat.ms_psize;
    lmdb_holes_make(index->env, (quiet ? used + used / 16 : 2 * used + BUSY_SPACE) + QUIET_SPACE);
}

static void batch_end(struct env_batch *batch)
{
    batch->index->batch = NULL;
    free(batch);
}

/* Is there no room for one more write of LMDB's largest size? */
static bool disk_full(struct env_index *index)
{
    int fd;
    struct statvfs space;
    if (mdb_env_get_fd(index->env, &fd) || fstatvfs(fd, &space))
        return false;
    return (uint64_t)space.f_bavail * space.f_frsize < DISK_FULL_BYTES;
}

enum err index_lmdb_batch_commit(struct env_batch *batch)
{
    struct env_index *index = batch->index;
    mdb_cursor_close(batch->cursor);
    int rc = guard_put(batch->txn, index->dbi);
    if (rc)
        mdb_txn_abort(batch->txn);
    else
        rc = mdb_txn_commit(batch->txn);
    bool quiet = batch->puts < QUIET_PUTS;
    batch_end(batch);
    enum err err = from_mdb(rc);
    INVARIANT(err != ERR_NOENT);
    if (err == ERR_IO && disk_full(index))
        err = ERR_NOSPC; /* LMDB says EIO when a write was cut short */
    if (!err)
        give_back(index, quiet);
    if (!err) /* after a batch larger than the margin; should it fail, batch_begin tries again */
        (void)lengthen(index, 0);
    return err;
}

void index_lmdb_batch_abort(struct env_batch *batch)
{
    mdb_cursor_close(batch->cursor);
    mdb_txn_abort(batch->txn);
    batch_end(batch);
}

uint64_t index_lmdb_bytes(struct env_index *index)
{
    MDB_stat stat;
    INVARIANT(mdb_stat(index->reader, index->dbi, &stat) == 0);
    return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) *
           (uint64_t)stat.ms_psize;
}

/* Pages of a commit may be used again, or be given back, two commits later: then the next one is
 * looked at. */
static enum err verify_newest(const char *file, int fd,
                              bool (*sound)(struct bytes key, struct bytes value))
{
    struct lmdb_header header, later;
    for (int i = 0;; i++) {
        enum err err = lmdb_header_read(file, &header);
        if (!err)
            err = lmdb_verify(fd, &header, sound);
        if (err != ERR_INDEX || i == VERIFY_TRIES)
            return err;
        if (lmdb_header_read(file, &later) == OK && later.txn == header.txn)
            return err;
    }
}

enum err index_lmdb_verify(struct env_index *index,
                           bool (*sound)(struct bytes key, struct bytes value))
{
    char file[PATH_MOST];
    const char *path;
    int fd;
    INVARIANT(mdb_env_get_path(index->env, &path) == 0 && mdb_env_get_fd(index->env, &fd) == 0);
    enum err err = file_in(path, "data.mdb", file);
    return err ? err : verify_newest(file, fd, sound);
}
