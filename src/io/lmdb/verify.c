/* SPDX-License-Identifier: MIT
 *
 * verify.c: the structure of an LMDB 0.9 data file, page by page. LMDB has no checksums and trusts
 * what it maps: a flipped bit can end the process, or hide entries.
 *
 * Definitions
 *   node    an entry of a page: of a branch a key and a child, of a leaf a key and a value
 *   bounds  the keys that may lie in a page: at or above `low`, below `high`; NULL: any
 *   list    the value of an entry of the tree of free pages: a count, and so many page numbers
 *
 * Law
 *   V1  Every page that is reached says its own number and its own kind.
 *   V2  The nodes of a page lie in its upper part and fill it without a gap.
 *   V3  Keys rise within a page, and lie in the bounds that the pages above give it.
 *   V4  Every page has one use at most: header, tree of entries, tree of free pages, or free.
 *   V5  The numbers of pages and entries of each tree are those that the header says.
 *   V6  Lists fall, and come from transactions not later than the header's.
 *   V7  The caller finds each entry sound.
 *
 * Pages that have no use at all are lost, which does no harm.
 */
#include "io/lmdb/verify.h"

#include <errno.h>
#include <fcntl.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/bytes.h"

#define PAGE_HEADER   16u
#define NODE_HEADER   8u
#define FLAG_BRANCH   0x01u
#define FLAG_LEAF     0x02u
#define FLAG_OVERFLOW 0x04u
#define NODE_BIG      0x01u /* the value lies in overflow pages */
#define DEPTH_MAX     32u   /* LMDB's cursor stack */

struct verifying {
    int fd;
    const struct lmdb_header *header;
    bool (*sound)(struct bytes key, struct bytes value);
    uint8_t *used;   /* one bit for each page */
    uint8_t *pages;  /* one buffer for each level */
    bool free_pages; /* the tree that is being walked */
    struct lmdb_tree found;
};

struct bounds {
    struct bytes low, high;
};

struct node {
    uint32_t value_len;
    uint16_t flags;
    uint64_t child; /* of a branch */
    struct bytes key;
    const uint8_t *value;
    size_t size; /* in the page */
};

struct page {
    const uint8_t *data;
    uint32_t size, count;
    uint16_t upper;
    bool leaf;
};

static enum err read_at(const struct verifying *v, uint64_t page, void *buf, size_t len)
{
    return lmdb_read_at(v->fd, buf, len, page * v->header->page_size);
}

/* V4. */
static bool take(struct verifying *v, uint64_t page)
{
    if (page < 2 || page > v->header->last_page || (v->used[page / 8] >> (page % 8) & 1))
        return false;
    v->used[page / 8] |= (uint8_t)(1u << (page % 8));
    return true;
}

/* The order of the tree that is being walked. */
static int compare(const struct verifying *v, struct bytes a, struct bytes b)
{
    if (v->free_pages) {
        uint64_t x, y;
        memcpy(&x, a.data, sizeof x);
        memcpy(&y, b.data, sizeof y);
        return (x > y) - (x < y);
    }
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool key_fits(const struct verifying *v, struct bytes key)
{
    return v->free_pages ? key.len == sizeof(uint64_t) : key.len >= 1 && key.len <= LMDB_GUARD_LEN;
}

/* --- pages and nodes --- */

static bool page_open(struct page *page, const uint8_t *data, uint32_t size, uint64_t number)
{
    struct cursor c = cursor_over(data, size);
    uint64_t says = get_u64(&c);
    get_u16(&c);
    uint16_t flags = get_u16(&c), lower = get_u16(&c), upper = get_u16(&c);
    *page = (struct page){.data = data,
                          .size = size,
                          .count = (lower - PAGE_HEADER) / 2,
                          .upper = upper,
                          .leaf = flags == FLAG_LEAF};
    return says == number && (flags == FLAG_LEAF || flags == FLAG_BRANCH) &&
           lower >= PAGE_HEADER + 2 && lower % 2 == 0 && lower <= upper && upper <= size;
}

static uint16_t load16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool node_open(const struct page *page, uint32_t index, struct node *node)
{
    size_t at = load16(page->data + PAGE_HEADER + 2 * (size_t)index);
    if (at < page->upper || at % 2 || at + NODE_HEADER > page->size)
        return false;
    const uint8_t *head = page->data + at;
    size_t room = page->size - at - NODE_HEADER;
    node->value_len = load16(head) | (uint32_t)load16(head + 2) << 16;
    node->flags = load16(head + 4);
    node->child = node->value_len | (uint64_t)node->flags << 32;
    node->key = (struct bytes){head + NODE_HEADER, load16(head + 6)};
    node->value = node->key.data + node->key.len;
    size_t value_len = !page->leaf              ? 0
                       : node->flags & NODE_BIG ? sizeof(uint64_t)
                                                : node->value_len;
    node->size = (NODE_HEADER + node->key.len + value_len + 1) & ~(size_t)1;
    return node->key.len <= room && value_len <= room - node->key.len &&
           (!page->leaf || (node->flags & ~NODE_BIG) == 0);
}

/* --- values --- */

/* V6. */
static enum err check_list(struct verifying *v, const struct node *node, const uint8_t *value)
{
    struct cursor c = cursor_over(value, node->value_len);
    uint64_t count = get_u64(&c), before = UINT64_MAX, txn;
    memcpy(&txn, node->key.data, sizeof txn);
    if (c.bad || txn > v->header->txn || count > cursor_left(&c) / sizeof(uint64_t))
        return ERR_INDEX;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t page = get_u64(&c);
        if (page >= before || !take(v, page))
            return ERR_INDEX;
        before = page;
    }
    return OK;
}

static enum err check_content(struct verifying *v, const struct node *node, const uint8_t *value)
{
    if (v->free_pages)
        return check_list(v, node, value);
    if (node->key.len == LMDB_GUARD_LEN)
        return OK; /* our own, no legal key: header.c has looked at the guard */
    return v->sound(node->key, (struct bytes){value, node->value_len}) ? OK : ERR_INDEX;
}

static enum err check_big(struct verifying *v, const struct node *node)
{
    uint8_t head[PAGE_HEADER];
    struct cursor c = cursor_over(node->value, sizeof(uint64_t));
    uint64_t first = get_u64(&c);
    enum err err = first > v->header->last_page ? ERR_INDEX : read_at(v, first, head, sizeof head);
    if (err)
        return err;
    c = cursor_over(head, sizeof head);
    uint64_t says = get_u64(&c);
    get_u16(&c);
    uint16_t flags = get_u16(&c);
    uint32_t pages = get_u32(&c);
    uint64_t need = (PAGE_HEADER - 1 + (uint64_t)node->value_len) / v->header->page_size + 1;
    if (says != first || flags != FLAG_OVERFLOW || pages < need ||
        pages > v->header->last_page - first + 1)
        return ERR_INDEX;
    for (uint32_t i = 0; i < pages; i++)
        if (!take(v, first + i))
            return ERR_INDEX;
    v->found.overflow += pages;
    uint8_t *whole = malloc(PAGE_HEADER + (size_t)node->value_len);
    INVARIANT(whole != NULL);
    err = read_at(v, first, whole, PAGE_HEADER + (size_t)node->value_len);
    err = err ? err : check_content(v, node, whole + PAGE_HEADER);
    free(whole);
    return err;
}

static enum err check_value(struct verifying *v, const struct node *node)
{
    v->found.entries++;
    return node->flags & NODE_BIG ? check_big(v, node) : check_content(v, node, node->value);
}

/* --- trees --- */

/* V2 and V3 of one page, before its children are looked at. */
static bool check_nodes(const struct verifying *v, const struct page *page,
                        const struct bounds *bounds)
{
    struct bytes before = bounds->low;
    size_t filled = 0;
    for (uint32_t i = 0; i < page->count; i++) {
        struct node node;
        if (!node_open(page, i, &node))
            return false;
        filled += node.size;
        if (!page->leaf && i == 0)
            continue; /* its key says nothing: it takes what is below the next */
        if (!key_fits(v, node.key))
            return false;
        int order = before.data ? compare(v, before, node.key) : -1;
        bool first = before.data == bounds->low.data;
        if (order > 0 || (order == 0 && !first))
            return false;
        before = node.key;
    }
    return filled == page->size - page->upper &&
           (!bounds->high.data || !before.data || compare(v, before, bounds->high) < 0);
}

static struct bounds child_bounds(const struct page *page, uint32_t index,
                                  const struct bounds *bounds)
{
    struct bounds out = *bounds;
    struct node node;
    if (index > 0 && node_open(page, index, &node))
        out.low = node.key;
    if (index + 1 < page->count && node_open(page, index + 1, &node))
        out.high = node.key;
    return out;
}

static enum err check_page(struct verifying *v, uint64_t number, unsigned level,
                           const struct bounds *bounds)
{
    uint8_t *data = v->pages + (size_t)(level - 1) * v->header->page_size;
    struct page page;
    struct node node;
    if (!take(v, number))
        return ERR_INDEX;
    enum err err = read_at(v, number, data, v->header->page_size);
    if (err)
        return err;
    if (!page_open(&page, data, v->header->page_size, number) || page.leaf != (level == 1) ||
        !check_nodes(v, &page, bounds))
        return ERR_INDEX;
    *(page.leaf ? &v->found.leaves : &v->found.branches) += 1;
    for (uint32_t i = 0; i < page.count && !err; i++) {
        INVARIANT(node_open(&page, i, &node));
        if (page.leaf) {
            err = check_value(v, &node);
        } else {
            struct bounds below = child_bounds(&page, i, bounds);
            err = check_page(v, node.child, level - 1, &below);
        }
    }
    return err;
}

static enum err check_tree(struct verifying *v, const struct lmdb_tree *tree, bool free_pages)
{
    const struct bounds any = {{NULL, 0}, {NULL, 0}};
    v->free_pages = free_pages;
    v->found = (struct lmdb_tree){.depth = tree->depth, .root = tree->root};
    if (tree->depth > DEPTH_MAX)
        return ERR_INDEX;
    enum err err = tree->depth ? check_page(v, tree->root, tree->depth, &any) : OK;
    if (err)
        return err;
    return v->found.branches == tree->branches && v->found.leaves == tree->leaves &&
                   v->found.overflow == tree->overflow && v->found.entries == tree->entries
               ? OK
               : ERR_INDEX;
}

enum err lmdb_verify(int fd, const struct lmdb_header *header,
                     bool (*sound)(struct bytes key, struct bytes value))
{
    struct verifying v = {.fd = fd, .header = header, .sound = sound};
    v.used = calloc(header->last_page / 8 + 1, 1);
    v.pages = malloc((size_t)DEPTH_MAX * header->page_size);
    INVARIANT(v.used && v.pages);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
    enum err err = check_tree(&v, &header->entries, false);
    if (!err)
        err = check_tree(&v, &header->free_pages, true);
    free(v.used);
    free(v.pages);
    return err;
}
