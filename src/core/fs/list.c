/* SPDX-License-Identifier: MIT
 *
 * list.c: directory listings, in order of cookie.
 */
#include "core/fs/dir.h"

#define LIST_MAX 4096u

struct listing {
    struct fs_entry *entries;
    uint32_t count, room;
};

static void add(struct listing *l, struct bytes name, uint64_t cookie, struct fs_attr attr)
{
    INVARIANT(l->count < l->room);
    INVARIANT(l->count == 0 || cookie > l->entries[l->count - 1].cookie);
    l->entries[l->count++] = (struct fs_entry){name, cookie, attr};
}

/* Adds "." and ".." when they lie behind the cookie; false when there was no room for one. */
static bool add_dots(const struct fs_call *call, struct listing *l, const struct inode *dir)
{
    static const uint8_t dots[] = "..";
    const uint64_t inos[] = {dir->ino, dir->parent};
    for (uint64_t cookie = DIR_COOKIE_DOT; cookie <= DIR_COOKIE_UP; cookie++) {
        if (cookie <= call->op->offset)
            continue;
        if (l->count == l->room)
            return false;
        add(l, (struct bytes){dots, cookie}, cookie,
            (struct fs_attr){.ino = inos[cookie - 1], .mode = FS_DIR});
    }
    return true;
}

/* Adds a bucket's entries behind the cookie; false when there was no room for one. */
static bool add_bucket(struct listing *l, const struct dir_bucket *bucket, uint64_t behind)
{
    for (uint32_t i = 0; i < bucket->count; i++) {
        const struct dir_entry *e = &bucket->entries[i];
        uint64_t cookie = bucket->key.sub | e->slot;
        if (cookie <= behind)
            continue;
        if (l->count == l->room)
            return false;
        add(l, e->name, cookie, (struct fs_attr){.ino = e->ino, .mode = e->type});
    }
    return true;
}

static enum err add_names(struct fs_call *call, struct listing *l, const struct ws_scan *scan)
{
    call->result->end = !scan->more;
    for (uint32_t i = 0; i < scan->count; i++) {
        if (MUTANT(listing_loses_name) && i > 0 && i + 1 == scan->count)
            break;
        struct dir_bucket bucket = {.key = scan->found[i].key};
        if (bucket.key.sub % DIR_SLOTS) /* cookies would not rise */
            return ERR_CORRUPT;
        enum err err = bucket_decode(&call->ws->arena, scan->found[i].version.value, &bucket);
        if (err != OK)
            return err;
        if (!add_bucket(l, &bucket, call->op->offset)) {
            call->result->end = false;
            return OK;
        }
    }
    return OK;
}

static enum err add_attributes(struct fs_call *call, struct listing *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        ws_want(call->ws, key_inode(l->entries[i].attr.ino));
    enum err err = OK;
    for (uint32_t i = 0; err == OK && i < l->count; i++) {
        struct inode inode;
        err = inode_get(call, l->entries[i].attr.ino, ERR_CORRUPT, &inode);
        if (err == OK)
            l->entries[i].attr = inode_attr(&inode);
    }
    return err;
}

static enum err open_list(struct fs_call *call, struct inode *dir, struct ws_scan *scan,
                          uint32_t most)
{
    const struct fs_op *op = call->op;
    uint64_t bucket = op->offset & ~(uint64_t)(DIR_SLOTS - 1);
    uint64_t from = bucket < DIR_FIRST ? DIR_FIRST : bucket;
    ws_want(call->ws, key_inode(op->ino));
    /* one more than is asked for: the first bucket may lie before the cookie altogether */
    enum err scanned = ws_scan(
        call->ws, &(struct ws_range){OBJECT_DIRENT, op->ino, from, DIR_LAST, most + 1}, scan);
    enum err err = inode_get(call, op->ino, ERR_STALE, dir);
    if (err == OK && !inode_is_dir(dir))
        err = ERR_NOTDIR;
    return err != OK ? err : scanned;
}

enum err fs_readdir(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode dir;
    struct ws_scan scan;
    struct listing l = {.room = op->length < LIST_MAX ? (uint32_t)op->length : LIST_MAX};
    if (!l.room)
        return ERR_INVAL;
    enum err err = open_list(call, &dir, &scan, l.room);
    if (err != OK)
        return err;
    l.entries = arena_alloc(&call->ws->arena, l.room * sizeof *l.entries);
    call->result->end = true;
    if (dir.nlink && !add_dots(call, &l, &dir))
        call->result->end = false;
    else if (dir.nlink)
        err = add_names(call, &l, &scan);
    if (err == OK && (op->flags & FS_READDIR_PLUS))
        err = add_attributes(call, &l);
    if (err != OK)
        return err;
    if ((op->flags & FS_READDIR_ATIME) && inode_accessed(call, &dir))
        inode_put(call, &dir);
    call->result->entries = l.entries;
    call->result->entry_count = l.count;
    call->result->attr = inode_attr(&dir);
    return OK;
}
