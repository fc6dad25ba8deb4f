/* SPDX-License-Identifier: MIT
 *
 * header.c: the two meta pages at the start of an LMDB 0.9 data file (format version 1).
 *
 * Law
 *   H1  Both pages carry the magic number, the version and the same page size.
 *   H2  Commit t writes meta page t mod 2, so the two hold consecutive numbers, each on its own
 *       side (or both 0).
 *   H3  The file holds every page up to the last one of the newest meta: reading a mapped page
 *       behind the end of a file kills the process. index_lmdb.c sees to it that the file is
 *       always that long.
 *   H4  The root pages of a meta say that they are what the meta takes them for.
 *   H5  The last entry of the tree of commit t > 0 is the guard, and it says t. LMDB reuses no
 *       page of the older of the two commits before it has overwritten its meta, so this holds for
 *       both.
 *
 * The offsets are those of a 64-bit little-endian machine; the magic number pins down the byte
 * order.
 */
#include "io/lmdb/header.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/bytes.h"

#define PAGE_HEADER 16u
#define NODE_HEADER 8u
#define PAGE_MOST   65536u
#define META_BYTES  136u
#define MAGIC       0xBEEFC0DEu
#define VERSION     1u
#define FLAG_BRANCH 0x01u
#define FLAG_LEAF   0x02u
#define FLAG_META   0x08u
#define NO_PAGE     UINT64_MAX
#define DEPTH_MAX   32u   /* LMDB's cursor stack */
#define FREE_FLAGS  0x08u /* MDB_INTEGERKEY: the map of free pages */

struct tree {
    uint32_t pad; /* of the first tree: the page size */
    uint16_t flags, depth;
    uint64_t branches, leaves, overflow, entries;
    uint64_t root;
};

struct meta {
    uint16_t page_flags;
    uint32_t magic, version;
    struct tree trees[2]; /* free pages, entries */
    uint64_t last_page, txn;
};

struct page_head {
    uint64_t number;
    uint16_t flags, lower, upper;
};

enum err lmdb_read_at(int fd, void *buf, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            return ERR_INDEX;
        done += (size_t)n;
    }
    return OK;
}

static struct page_head get_page_head(struct cursor *c)
{
    struct page_head head;
    head.number = get_u64(c);
    get_u16(c); /* padding */
    head.flags = get_u16(c);
    head.lower = get_u16(c);
    head.upper = get_u16(c);
    return head;
}

static struct tree get_tree(struct cursor *c)
{
    struct tree tree;
    tree.pad = get_u32(c);
    tree.flags = get_u16(c);
    tree.depth = get_u16(c);
    tree.branches = get_u64(c);
    tree.leaves = get_u64(c);
    tree.overflow = get_u64(c);
    tree.entries = get_u64(c);
    tree.root = get_u64(c);
    return tree;
}

static enum err read_meta(int fd, uint64_t offset, struct meta *meta)
{
    uint8_t raw[PAGE_HEADER + META_BYTES];
    enum err err = lmdb_read_at(fd, raw, sizeof raw, offset);
    if (err)
        return err;
    struct cursor c = cursor_over(raw, sizeof raw);
    meta->page_flags = get_page_head(&c).flags;
    meta->magic = get_u32(&c);
    meta->version = get_u32(&c);
    get_bytes(&c, 2 * sizeof(uint64_t)); /* address and size of the map */
    meta->trees[0] = get_tree(&c);
    meta->trees[1] = get_tree(&c);
    meta->last_page = get_u64(&c);
    meta->txn = get_u64(&c);
    INVARIANT(!c.bad && cursor_left(&c) == 0);
    return OK;
}

static bool meta_plausible(const struct meta *meta, uint64_t side)
{
    uint32_t size = meta->trees[0].pad;
    return meta->page_flags == FLAG_META && meta->magic == MAGIC && meta->version == VERSION &&
           size >= 512 && size <= PAGE_MOST && (size & (size - 1)) == 0 && meta->last_page >= 1 &&
           meta->last_page < UINT64_MAX / 65536 - 1 && (meta->txn & 1) == (meta->txn ? side : 0) &&
           (meta->trees[0].flags & 0xff) == FREE_FLAGS && meta->trees[1].flags == 0;
}

static bool metas_agree(const struct meta metas[2])
{
    uint64_t a = metas[0].txn, b = metas[1].txn;
    return metas[0].trees[0].pad == metas[1].trees[0].pad &&
           (a + 1 == b || b + 1 == a || (a == 0 && b == 0));
}

static enum err check_root(int fd, const struct meta *meta, const struct tree *tree)
{
    uint8_t raw[PAGE_HEADER];
    uint32_t size = meta->trees[0].pad;
    if (tree->root == NO_PAGE)
        return tree->depth == 0 ? OK : ERR_INDEX;
    if (tree->root < 2 || tree->root > meta->last_page || tree->depth < 1 ||
        tree->depth > DEPTH_MAX)
        return ERR_INDEX;
    enum err err = lmdb_read_at(fd, raw, sizeof raw, tree->root * size);
    if (err)
        return err;
    struct cursor c = cursor_over(raw, sizeof raw);
    struct page_head head = get_page_head(&c);
    uint16_t flags = tree->depth > 1 ? FLAG_BRANCH : FLAG_LEAF;
    bool good = head.number == tree->root && head.flags == flags && head.lower >= PAGE_HEADER &&
                head.lower <= head.upper && head.upper <= size;
    return good ? OK : ERR_INDEX;
}

/* The last node of a page: its first byte, or 0 when the page makes no sense. */
static size_t last_node(const uint8_t *page, uint32_t size, uint64_t number, uint16_t flags)
{
    struct cursor c = cursor_over(page, size);
    struct page_head head = get_page_head(&c);
    if (head.number != number || head.flags != flags || head.lower < PAGE_HEADER + 2 ||
        head.lower % 2 || head.lower > size)
        return 0;
    c = cursor_over(page + head.lower - 2, 2);
    size_t at = get_u16(&c);
    return at >= head.lower && at + NODE_HEADER <= size ? at : 0;
}

static enum err check_guard_node(const struct meta *meta, const uint8_t *page, size_t at)
{
    uint32_t size = meta->trees[0].pad;
    struct cursor c = cursor_over(page + at, size - at);
    uint32_t value_len = get_u16(&c);
    value_len |= (uint32_t)get_u16(&c) << 16;
    uint16_t flags = get_u16(&c), key_len = get_u16(&c);
    const uint8_t *key = get_bytes(&c, key_len);
    uint64_t txn = get_u64(&c);
    bool good = !c.bad && flags == 0 && key_len == LMDB_GUARD_LEN && key[0] == 0xff &&
                value_len == LMDB_GUARD_BYTES && txn == meta->txn;
    return good ? OK : ERR_INDEX;
}

/* Goes down the right edge of the tree of entries. */
static enum err check_guard(int fd, const struct meta *meta)
{
    uint8_t page[PAGE_MOST];
    const struct tree *tree = &meta->trees[1];
    uint32_t size = tree->depth ? meta->trees[0].pad : 0;
    uint64_t number = tree->root;
    if (!size)
        return meta->txn == 0 ? OK : ERR_INDEX;
    for (unsigned level = tree->depth;; level--) {
        if (number < 2 || number > meta->last_page)
            return ERR_INDEX;
        enum err err = lmdb_read_at(fd, page, size, number * size);
        if (err)
            return err;
        size_t at = last_node(page, size, number, level > 1 ? FLAG_BRANCH : FLAG_LEAF);
        if (!at)
            return ERR_INDEX;
        if (level == 1)
            return check_guard_node(meta, page, at);
        struct cursor c = cursor_over(page + at, NODE_HEADER);
        number = get_u16(&c);
        number |= (uint64_t)get_u16(&c) << 16;
        number |= (uint64_t)get_u16(&c) << 32;
    }
}

static enum err check_trees(int fd, const struct meta *meta)
{
    enum err err = check_root(fd, meta, &meta->trees[0]);
    if (!err)
        err = check_root(fd, meta, &meta->trees[1]);
    return err ? err : check_guard(fd, meta);
}

static struct lmdb_tree tree_out(const struct tree *tree)
{
    return (struct lmdb_tree){.depth = tree->depth,
                              .root = tree->root,
                              .branches = tree->branches,
                              .leaves = tree->leaves,
                              .overflow = tree->overflow,
                              .entries = tree->entries};
}

static enum err check(int fd, struct lmdb_header *out)
{
    struct meta metas[2];
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_from_errno(errno);
    if (!S_ISREG(st.st_mode))
        return ERR_INDEX;
    enum err err = read_meta(fd, 0, &metas[0]);
    if (err)
        return err;
    if (!meta_plausible(&metas[0], 0))
        return ERR_INDEX;
    err = read_meta(fd, metas[0].trees[0].pad, &metas[1]);
    if (err)
        return err;
    if (!meta_plausible(&metas[1], 1) || !metas_agree(metas))
        return ERR_INDEX;
    const struct meta *newest = &metas[metas[1].txn > metas[0].txn];
    uint32_t size = newest->trees[0].pad;
    if ((uint64_t)st.st_size / size < newest->last_page + 1)
        return ERR_INDEX;
    for (int i = 0; i < 2 && !err; i++)
        err = check_trees(fd, &metas[i]);
    *out = (struct lmdb_header){size, newest->last_page, newest->txn, tree_out(&newest->trees[0]),
                                tree_out(&newest->trees[1])};
    return err;
}

enum err lmdb_header_read(const char *file, struct lmdb_header *out)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_from_errno(errno);
    enum err err = check(fd, out);
    close(fd);
    return err;
}
