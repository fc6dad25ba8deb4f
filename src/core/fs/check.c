/* SPDX-License-Identifier: MIT
 *
 * check.c: the structural check of a volume.
 *
 * Inodes come first in the order of keys, so a table of them is complete when the first name
 * arrives; every other object is counted at its inode, and the counts are compared at the end.
 */
#include "core/fs/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fs/dir.h"
#include "core/fs/xattr.h"

enum reach { REACH_UNKNOWN, REACH_WALKING, REACH_ROOT, REACH_NOWHERE };

struct fs_check_node {
    uint64_t ino, size, chunks, parent, entries, xattr_bytes;
    uint32_t mode, nlink;
    /* what was found */
    uint64_t found_chunks, found_entries, found_xattr_bytes;
    uint32_t names, subdirs;
    uint32_t long_chunks; /* of attributes that lie in blocks, less the chunks found */
    bool marked;
    uint8_t reach;
};

typedef struct fs_check_node node;

__attribute__((format(printf, 2, 3))) static void report(struct fs_check *check, const char *format,
                                                         ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->problems++;
    check->problem(check->ctx, text);
}

void fs_check_begin(struct fs_check *check, const struct fs_volume *volume,
                    void (*problem)(void *ctx, const char *sentence), void *ctx)
{
    memset(check, 0, sizeof *check);
    check->volume = volume;
    check->problem = problem;
    check->ctx = ctx;
    arena_init(&check->arena);
}

static node *find(struct fs_check *check, uint64_t ino)
{
    size_t low = 0, high = check->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (check->nodes[middle].ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    return low < check->count && check->nodes[low].ino == ino ? &check->nodes[low] : NULL;
}

static bool is_dir(const node *n)
{
    return (n->mode & FS_TYPE) == FS_DIR;
}

static node *append(struct fs_check *check)
{
    if (check->count == check->room) {
        check->room = check->room ? check->room + check->room / 2 : 64;
        check->nodes = realloc(check->nodes, check->room * sizeof *check->nodes);
        INVARIANT(check->nodes != NULL);
    }
    return memset(&check->nodes[check->count++], 0, sizeof *check->nodes);
}

/* --- one object --- */

static void on_inode(struct fs_check *check, uint64_t ino, struct bytes value)
{
    struct inode inode;
    if (inode_decode(&check->arena, ino, value, &inode) != OK) {
        report(check, "inode %" PRIu64 " cannot be decoded", ino);
        return;
    }
    node *n = append(check);
    n->ino = ino;
    n->size = inode.size;
    n->chunks = inode.chunks;
    n->parent = inode.parent;
    n->entries = inode.entries;
    n->xattr_bytes = inode.xattr_bytes;
    n->mode = inode.mode;
    n->nlink = inode.nlink;
    check->inodes++;
}

static void on_entry(struct fs_check *check, node *dir, uint64_t hash, const struct dir_entry *e)
{
    node *child = find(check, e->ino);
    dir->found_entries++;
    check->names++;
    if (name_valid(e->name) != OK || name_hash(check->volume, e->name) != hash)
        report(check, "directory %" PRIu64 ": the name '%.*s' is not where its hash says", dir->ino,
               (int)e->name.len, (const char *)e->name.data);
    if (!child) {
        report(check,
               "directory %" PRIu64 ": the name '%.*s' leads to inode %" PRIu64
               ", which does not exist",
               dir->ino, (int)e->name.len, (const char *)e->name.data, e->ino);
        return;
    }
    child->names++;
    if ((child->mode & FS_TYPE) != e->type)
        report(check, "directory %" PRIu64 ": the name '%.*s' has another type than inode %" PRIu64,
               dir->ino, (int)e->name.len, (const char *)e->name.data, e->ino);
    if (!is_dir(child))
        return;
    dir->subdirs++;
    if (child->parent != dir->ino)
        report(check,
               "directory %" PRIu64 " has a name in directory %" PRIu64
               ", but its parent is %" PRIu64,
               child->ino, dir->ino, child->parent);
}

static void on_bucket(struct fs_check *check, const struct object_key *key, struct bytes value)
{
    struct dir_bucket bucket = {.key = *key};
    node *dir = find(check, key->ino);
    if (!dir || !is_dir(dir)) {
        report(check, "names lie in inode %" PRIu64 ", which is not a directory", key->ino);
        return;
    }
    if (bucket_decode(&check->arena, value, &bucket) != OK) {
        report(check, "names of directory %" PRIu64 " cannot be decoded", key->ino);
        return;
    }
    for (uint32_t i = 0; i < bucket.count; i++)
        on_entry(check, dir, key->sub, &bucket.entries[i]);
}

static void on_xattrs(struct fs_check *check, const struct object_key *key, struct bytes value)
{
    struct xattr_bucket bucket = {.key = *key};
    node *n = find(check, key->ino);
    if (!n) {
        report(check, "attributes of inode %" PRIu64 ", which does not exist", key->ino);
        return;
    }
    if (xattr_bucket_decode(&check->arena, value, &bucket) != OK) {
        report(check, "attributes of inode %" PRIu64 " cannot be decoded", key->ino);
        return;
    }
    for (uint32_t i = 0; i < bucket.count; i++) {
        const struct xattr *x = &bucket.list[i];
        if (name_hash(check->volume, x->name) != key->sub)
            report(check, "inode %" PRIu64 ": an attribute is not where its hash says", n->ino);
        n->found_xattr_bytes += x->name.len + xattr_length(x);
        n->long_chunks += (x->long_length + CHUNK_SIZE - 1) / CHUNK_SIZE;
    }
}

static void on_block(struct fs_check *check, const struct object_key *key, uint32_t mask)
{
    node *n = find(check, key->ino);
    check->blocks++;
    check->chunks += ws_count_chunks(mask);
    if (!n || (n->mode & FS_TYPE) != FS_REG) {
        report(check, "block %" PRIu64 "/%" PRIu64 " belongs to no file", key->ino, key->sub);
        return;
    }
    if (!mask) {
        report(check, "block %" PRIu64 "/%" PRIu64 " is empty", key->ino, key->sub);
        return;
    }
    uint64_t last = key->sub * BLOCK_CHUNKS + 31 - (uint32_t)__builtin_clz(mask);
    if (key->sub > FS_FILE_MAX / BLOCK_SIZE || last * CHUNK_SIZE >= n->size)
        report(check,
               "block %" PRIu64 "/%" PRIu64 " has data behind the end of the file (%" PRIu64
               " bytes)",
               key->ino, key->sub, n->size);
    n->found_chunks += ws_count_chunks(mask);
}

static void on_long_value(struct fs_check *check, const struct object_key *key, uint32_t mask)
{
    node *n = find(check, key->ino);
    uint32_t chunks = ws_count_chunks(mask);
    if (n && n->long_chunks >= chunks)
        n->long_chunks -= chunks;
    else
        report(check, "inode %" PRIu64 ": an attribute's value without the attribute", key->ino);
}

static void on_orphan(struct fs_check *check, uint64_t ino)
{
    node *n = find(check, ino);
    check->orphans++;
    if (n)
        n->marked = true;
    else
        report(check, "an orphan mark names inode %" PRIu64 ", which does not exist", ino);
}

void fs_check_object(struct fs_check *check, const struct object_key *key,
                     const struct object_version *version)
{
    INVARIANT(version->present);
    INVARIANT(object_key_compare(&check->last, key) < 0);
    check->last = *key;
    switch ((enum object_kind)key->kind) {
    case OBJECT_INODE:
        on_inode(check, key->ino, version->value);
        break;
    case OBJECT_DIRENT:
        on_bucket(check, key, version->value);
        break;
    case OBJECT_XATTR:
        on_xattrs(check, key, version->value);
        break;
    case OBJECT_BLOCK:
        on_block(check, key, version->chunks);
        break;
    case OBJECT_ORPHAN:
        on_orphan(check, key->sub);
        break;
    case OBJECT_XATTR_DATA:
        on_long_value(check, key, version->chunks);
        break;
    case OBJECT_SESSION: /* what replica control keeps; no part of the tree */
        break;
    default:
        report(check, "an object of unknown kind %u", key->kind);
    }
    arena_reset(&check->arena);
}

/* --- the end --- */

static void check_links(struct fs_check *check, const node *n)
{
    bool root = n->ino == FS_ROOT_INO;
    uint32_t links = n->names;
    if (is_dir(n)) {
        if (n->names > 1 || (root && n->names))
            report(check, "directory %" PRIu64 " has %" PRIu32 " names", n->ino, n->names);
        links = n->names || root ? 2 + n->subdirs : 0;
    }
    if (n->nlink != links)
        report(check, "inode %" PRIu64 " says %" PRIu32 " links; it has %" PRIu32, n->ino, n->nlink,
               links);
    if (!links && !n->marked && !root)
        report(check, "inode %" PRIu64 " has neither a name nor an orphan mark", n->ino);
    if (links && n->marked)
        report(check, "inode %" PRIu64 " has an orphan mark and a name", n->ino);
}

static void check_counts(struct fs_check *check, const node *n)
{
    if (n->entries != n->found_entries)
        report(check, "directory %" PRIu64 " says %" PRIu64 " names; it has %" PRIu64, n->ino,
               n->entries, n->found_entries);
    if (n->chunks != n->found_chunks)
        report(check, "file %" PRIu64 " says %" PRIu64 " chunks; it has %" PRIu64, n->ino,
               n->chunks, n->found_chunks);
    if (n->xattr_bytes != n->found_xattr_bytes)
        report(check, "inode %" PRIu64 " says %" PRIu64 " bytes of attributes; it has %" PRIu64,
               n->ino, n->xattr_bytes, n->found_xattr_bytes);
    if (n->long_chunks)
        report(check, "inode %" PRIu64 ": attributes lack %" PRIu32 " chunks of their values",
               n->ino, n->long_chunks);
}

/* Follows parents from `n` until something known; then all on the way are known too. */
static void walk_up(struct fs_check *check, node *n)
{
    node *at = n;
    while (at && at->reach == REACH_UNKNOWN) {
        at->reach = REACH_WALKING;
        bool named = at->names && at->ino != at->parent;
        at = named ? find(check, at->parent) : NULL;
    }
    uint8_t answer = at && at->reach == REACH_ROOT ? REACH_ROOT : REACH_NOWHERE;
    for (at = n; at && at->reach == REACH_WALKING;) {
        at->reach = answer;
        at = find(check, at->parent);
    }
}

static void check_reach(struct fs_check *check, node *n)
{
    walk_up(check, n);
    /* a directory without a name is judged by its orphan mark */
    if (n->reach != REACH_ROOT && n->names)
        report(check, "directory %" PRIu64 " cannot be reached from the root", n->ino);
}

void fs_check_end(struct fs_check *check)
{
    node *root = find(check, FS_ROOT_INO);
    if (!root)
        report(check, "the root directory does not exist");
    else if (!is_dir(root) || root->parent != FS_ROOT_INO)
        report(check, "the root is not a directory above all others");
    else
        root->reach = REACH_ROOT;
    for (size_t i = 0; i < check->count; i++) {
        node *n = &check->nodes[i];
        check_links(check, n);
        check_counts(check, n);
        if (is_dir(n))
            check_reach(check, n);
    }
    free(check->nodes);
    check->nodes = NULL;
    check->count = check->room = 0;
    arena_free(&check->arena);
}
