/* SPDX-License-Identifier: MIT
 *
 * index.c: the ordered index in memory, with snapshots.
 *
 * Definitions
 *   entry    one key and its versions, newest first
 *   version  what a batch made of the key: a value, or its absence
 *   txn      the number of a committed batch; the map's is that of the newest
 *
 * Law
 *   M1  The versions of an entry have falling txns.
 *   M2  A reader at txn t sees of each entry the newest version whose txn is <= t.
 *   M3  Entries with more than one version, or whose only version is an absence, are in the
 *       touched list; refresh empties it, since there is one reader and it has moved on.
 *   M4  bytes = the sum of key and value lengths, plus ENTRY_COST, of entries present at the
 *       newest txn.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/assert.h"
#include "sim/ops.h"
#include "sim/world.h"

#define KEY_MAX        64u
#define VALUE_MAX      8192u
#define ENTRY_COST     16u
#define COST_COMMIT_NS 800000u

enum what {
    OP_INDEX_OPEN = 100,
    OP_INDEX_REMOVE,
    OP_COMMIT,
};

struct version {
    struct version *older;
    uint64_t txn;
    uint32_t len;
    bool absent;
    uint8_t value[];
};

struct entry {
    RB_ENTRY(entry) links;
    struct version *newest;
    struct entry *next_touched;
    bool touched;
    uint8_t len;
    uint8_t key[KEY_MAX];
};
RB_HEAD(entries, entry);

struct map {
    struct entries entries;
    uint64_t txn, bytes;
    struct entry *touched;
    struct env_index *open;
    bool damaged;
};

struct env_index {
    struct node *node;
    struct inode *dir;
    struct map *map;
    uint64_t snapshot, refreshes;
    struct env_cursor *cursors;
    struct env_batch *batch;
    struct env_index *next, **link;
};

struct env_cursor {
    struct env_index *index;
    struct entry *at;
    bool started;
    uint64_t refreshes;
    struct env_cursor *next, **link;
};

struct item {
    struct item *next;
    struct bytes key, value;
    bool absent;
};

struct env_batch {
    struct env_index *index;
    struct arena arena;
    struct item *first, **last;
};

static int entry_compare(const struct entry *a, const struct entry *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->key, b->key, len);
    return order ? order : (int)a->len - (int)b->len;
}

RB_GENERATE_INTERNAL(entries, entry, links, entry_compare, static __attribute__((unused)))

/* --- the map --- */

static void entry_key(struct entry *entry, struct bytes key)
{
    INVARIANT(key.len >= 1 && key.len <= KEY_MAX);
    entry->len = (uint8_t)key.len;
    memcpy(entry->key, key.data, key.len);
}

static void forget_older(struct version *version)
{
    for (struct version *v = version->older, *older; v; v = older) {
        older = v->older;
        free(v);
    }
    version->older = NULL;
}

static void entry_free(struct map *map, struct entry *entry)
{
    RB_REMOVE(entries, &map->entries, entry);
    forget_older(entry->newest);
    free(entry->newest);
    free(entry);
}

/* Forgets what no reader can see any more. */
static void map_prune(struct map *map)
{
    while (map->touched) {
        struct entry *entry = map->touched;
        map->touched = entry->next_touched;
        entry->touched = false;
        forget_older(entry->newest);
        if (entry->newest->absent)
            entry_free(map, entry);
    }
}

static uint64_t version_bytes(const struct entry *entry, const struct version *version)
{
    return version && !version->absent ? (uint64_t)entry->len + version->len + ENTRY_COST : 0;
}

static void map_set(struct map *map, struct bytes key, struct bytes value, bool absent)
{
    struct entry probe;
    entry_key(&probe, key);
    struct entry *entry = RB_FIND(entries, &map->entries, &probe);
    if (!entry && absent)
        return;
    if (!entry) {
        entry = sim_zalloc(sizeof *entry);
        entry_key(entry, key);
        RB_INSERT(entries, &map->entries, entry);
    }
    struct version *version = malloc(sizeof *version + value.len);
    INVARIANT(version != NULL);
    *version = (struct version){
        .older = entry->newest, .txn = map->txn, .len = (uint32_t)value.len, .absent = absent};
    if (value.len)
        memcpy(version->value, value.data, value.len);
    map->bytes -= version_bytes(entry, entry->newest);
    map->bytes += version_bytes(entry, version);
    if (version->older && version->older->txn == map->txn) {
        version->older = entry->newest->older;
        free(entry->newest);
    }
    entry->newest = version;
    if (!entry->touched && (version->older || absent)) {
        entry->touched = true;
        entry->next_touched = map->touched;
        map->touched = entry;
    }
}

struct map *map_new(void)
{
    struct map *map = sim_zalloc(sizeof *map);
    RB_INIT(&map->entries);
    return map;
}

void map_free(struct map *map)
{
    INVARIANT(!map->open);
    struct entry *entry, *next;
    RB_FOREACH_SAFE(entry, entries, &map->entries, next)
    {
        entry_free(map, entry);
    }
    free(map);
}

struct map *map_copy(const struct map *map)
{
    struct map *copy = map_new();
    struct entry *entry;
    RB_FOREACH(entry, entries, (struct entries *)(uintptr_t)&map->entries)
    {
        const struct version *v = entry->newest;
        if (!v->absent)
            map_set(copy, (struct bytes){entry->key, entry->len}, (struct bytes){v->value, v->len},
                    false);
    }
    INVARIANT(copy->bytes == map->bytes);
    copy->damaged = map->damaged;
    return copy;
}

uint64_t map_bytes(const struct map *map)
{
    return map->bytes;
}

void map_damage(struct map *map)
{
    map->damaged = true;
}

/* --- opening --- */

/* The index's directory and its names are made durable with it: E4 speaks of nothing else to sync.
 */
static enum err find_map(struct node *node, const char *path, struct inode **out)
{
    char clean[SIM_PATH_MAX], parent[SIM_PATH_MAX];
    if (!path_clean(path, clean))
        return ERR_NAMETOOLONG;
    enum err err = disk_parent(node->disk, clean);
    struct inode *dir = disk_find(node->disk, clean);
    if (err)
        return err;
    if (dir && dir->kind != INODE_DIR)
        return ERR_NOTDIR;
    if (!dir)
        dir = disk_create(node->disk, clean, INODE_DIR);
    if (!dir->index)
        dir->index = map_new();
    if (dir->index->damaged)
        return ERR_INDEX;
    size_t len = path_parent(clean);
    memcpy(parent, clean, len);
    parent[len] = 0;
    if (op_effective(node))
        disk_sync_dir(node->disk, parent);
    *out = dir;
    return OK;
}

enum err sim_index_open(struct env *env, const char *path, struct env_index **out)
{
    struct node *node = node_of(env);
    struct inode *dir = NULL;
    enum err err = op_begin(node, true, COST_COMMIT_NS, OP_INDEX_OPEN);
    if (err)
        return err;
    err = op_end(node, find_map(node, path, &dir));
    if (err)
        return err;
    INVARIANT(!dir->index->open);
    struct env_index *index = sim_zalloc(sizeof *index);
    *index = (struct env_index){
        .node = node, .dir = dir, .map = dir->index, .next = node->indexes, .link = &node->indexes};
    if (index->next)
        index->next->link = &index->next;
    node->indexes = index;
    inode_ref(dir);
    map_prune(index->map);
    index->snapshot = index->map->txn;
    index->map->open = index;
    *out = index;
    return OK;
}

/* Lets go of the map and its directory; NULL from then on. */
static void let_go(struct env_index *index)
{
    if (!index->map)
        return;
    map_prune(index->map);
    index->map->open = NULL;
    index->map = NULL;
    inode_unref(index->node->disk, index->dir);
    index->dir = NULL;
}

void sim_index_close(struct env_index *index)
{
    INVARIANT(!index->cursors);
    if (index->batch)
        sim_batch_abort(index->batch);
    *index->link = index->next;
    if (index->next)
        index->next->link = index->link;
    let_go(index);
    free(index);
}

void index_release(struct node *node)
{
    for (struct env_index *index = node->indexes; index; index = index->next)
        let_go(index);
}

void index_close_all(struct node *node)
{
    while (node->indexes) {
        while (node->indexes->cursors) /* of a process that died with them */
            sim_cursor_close(node->indexes->cursors);
        sim_index_close(node->indexes);
    }
}

static enum err remove_map(struct node *node, const char *path)
{
    char clean[SIM_PATH_MAX], parent[SIM_PATH_MAX];
    if (!path_clean(path, clean))
        return ERR_NAMETOOLONG;
    enum err err = disk_parent(node->disk, clean);
    struct inode *dir = disk_find(node->disk, clean);
    if (err || !dir)
        return err ? err : ERR_NOENT;
    if (!dir->index)
        return ERR_NOENT;
    INVARIANT(!dir->index->open);
    if (!op_effective(node))
        return OK; /* the power fails first */
    node->disk->used -= map_bytes(dir->index);
    map_free(dir->index);
    dir->index = NULL;
    disk_remove(node->disk, clean);
    size_t len = path_parent(clean);
    memcpy(parent, clean, len);
    parent[len] = 0;
    disk_sync_dir(node->disk, parent);
    return OK;
}

enum err sim_index_remove(struct env *env, const char *path)
{
    struct node *node = node_of(env);
    enum err err = op_begin(node, true, COST_COMMIT_NS, OP_INDEX_REMOVE);
    return err ? err : op_end(node, remove_map(node, path));
}

/* --- reading --- */

static const struct version *seen(const struct env_index *index, const struct entry *entry)
{
    const struct version *v = entry->newest;
    while (v && v->txn > index->snapshot)
        v = v->older;
    return v && !v->absent ? v : NULL;
}

enum err sim_index_get(struct env_index *index, struct bytes key, struct bytes *value)
{
    struct entry probe;
    if (index->node->dead)
        return ERR_CRASHED;
    entry_key(&probe, key);
    struct entry *entry = RB_FIND(entries, &index->map->entries, &probe);
    const struct version *v = entry ? seen(index, entry) : NULL;
    if (!v)
        return ERR_NOENT;
    *value = (struct bytes){v->value, v->len};
    return OK;
}

enum err sim_index_refresh(struct env_index *index)
{
    if (index->node->dead)
        return ERR_CRASHED;
    index->snapshot = index->map->txn;
    index->refreshes++;
    map_prune(index->map);
    return OK;
}

enum err sim_cursor_open(struct env_index *index, struct env_cursor **out)
{
    if (index->node->dead)
        return ERR_CRASHED;
    struct env_cursor *cursor = sim_zalloc(sizeof *cursor);
    *cursor = (struct env_cursor){.index = index,
                                  .refreshes = index->refreshes,
                                  .next = index->cursors,
                                  .link = &index->cursors};
    if (cursor->next)
        cursor->next->link = &cursor->next;
    index->cursors = cursor;
    *out = cursor;
    return OK;
}

void sim_cursor_close(struct env_cursor *cursor)
{
    *cursor->link = cursor->next;
    if (cursor->next)
        cursor->next->link = cursor->link;
    free(cursor);
}

static enum err settle(struct env_cursor *cursor, struct entry *entry, bool forward,
                       struct bytes *found, struct bytes *value)
{
    while (entry && !seen(cursor->index, entry))
        entry = forward ? RB_NEXT(entries, NULL, entry) : RB_PREV(entries, NULL, entry);
    cursor->at = entry;
    cursor->started = true;
    if (!entry)
        return ERR_NOENT;
    const struct version *v = seen(cursor->index, entry);
    *found = (struct bytes){entry->key, entry->len};
    *value = (struct bytes){v->value, v->len};
    return OK;
}

static enum err cursor_usable(const struct env_cursor *cursor)
{
    INVARIANT(cursor->refreshes == cursor->index->refreshes); /* not past a refresh */
    return cursor->index->node->dead ? ERR_CRASHED : OK;
}

enum err sim_cursor_seek(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                         struct bytes *value)
{
    struct entry probe;
    enum err err = cursor_usable(cursor);
    if (err)
        return err;
    entry_key(&probe, key);
    struct entry *entry = RB_NFIND(entries, &cursor->index->map->entries, &probe);
    return settle(cursor, entry, true, found, value);
}

enum err sim_cursor_next(struct env_cursor *cursor, struct bytes *found, struct bytes *value)
{
    enum err err = cursor_usable(cursor);
    if (err)
        return err;
    struct entry *entry = cursor->at;
    if (!cursor->started)
        entry = RB_MIN(entries, &cursor->index->map->entries);
    else if (entry)
        entry = RB_NEXT(entries, NULL, entry);
    return settle(cursor, entry, true, found, value);
}

enum err sim_cursor_last(struct env_cursor *cursor, struct bytes key, struct bytes *found,
                         struct bytes *value)
{
    struct entry probe;
    enum err err = cursor_usable(cursor);
    if (err)
        return err;
    entry_key(&probe, key);
    struct entries *entries = &cursor->index->map->entries;
    struct entry *entry = RB_NFIND(entries, entries, &probe);
    entry = entry ? RB_PREV(entries, NULL, entry) : RB_MAX(entries, entries);
    return settle(cursor, entry, false, found, value);
}

/* --- batches --- */

enum err sim_batch_begin(struct env_index *index, struct env_batch **out)
{
    if (index->node->dead)
        return ERR_CRASHED;
    INVARIANT(!index->batch);
    struct env_batch *batch = sim_zalloc(sizeof *batch);
    batch->index = index;
    batch->last = &batch->first;
    arena_init(&batch->arena);
    index->batch = batch;
    *out = batch;
    return OK;
}

static enum err batch_add(struct env_batch *batch, struct bytes key, struct bytes value,
                          bool absent)
{
    INVARIANT(key.len >= 1 && key.len <= KEY_MAX && value.len <= VALUE_MAX);
    if (batch->index->node->dead)
        return ERR_CRASHED;
    struct item *item = ARENA_NEW(&batch->arena, struct item);
    item->key = (struct bytes){arena_copy(&batch->arena, key.data, key.len), key.len};
    item->value = (struct bytes){arena_copy(&batch->arena, value.data, value.len), value.len};
    item->absent = absent;
    *batch->last = item;
    batch->last = &item->next;
    return OK;
}

enum err sim_batch_put(struct env_batch *batch, struct bytes key, struct bytes value)
{
    return batch_add(batch, key, value, false);
}

enum err sim_batch_delete(struct env_batch *batch, struct bytes key)
{
    return batch_add(batch, key, (struct bytes){NULL, 0}, true);
}

void sim_batch_abort(struct env_batch *batch)
{
    batch->index->batch = NULL;
    arena_free(&batch->arena);
    free(batch);
}

/* A bound from above of how much larger the batch makes the index. */
static uint64_t batch_growth(const struct env_batch *batch)
{
    uint64_t growth = 0;
    for (const struct item *item = batch->first; item; item = item->next) {
        struct entry probe;
        if (item->absent)
            continue;
        entry_key(&probe, item->key);
        const struct entry *entry = RB_FIND(entries, &batch->index->map->entries, &probe);
        uint64_t now = item->key.len + item->value.len + ENTRY_COST;
        uint64_t before = entry ? version_bytes(entry, entry->newest) : 0;
        growth += now > before ? now - before : 0;
    }
    return growth;
}

static void batch_apply(struct env_batch *batch)
{
    struct map *map = batch->index->map;
    struct sim_disk *disk = batch->index->node->disk;
    disk->used -= map->bytes;
    map->txn++;
    for (const struct item *item = batch->first; item; item = item->next)
        map_set(map, item->key, item->value, item->absent);
    disk->used += map->bytes;
}

enum err sim_batch_commit(struct env_batch *batch)
{
    struct node *node = batch->index->node;
    enum err err = op_begin(node, true, COST_COMMIT_NS, OP_COMMIT);
    if (!err) {
        /* Only a disk that can fill needs the second look at every key. */
        bool bounded = node->disk->full || node->disk->capacity;
        if (bounded && !disk_has_room(node->disk, batch_growth(batch)))
            err = ERR_NOSPC;
        else if (op_effective(node))
            batch_apply(batch);
        err = op_end(node, err);
    }
    sim_batch_abort(batch);
    return err;
}

uint64_t sim_index_bytes(struct env_index *index)
{
    return index->map ? index->map->bytes : 0; /* a dead node's may have let go of it */
}

enum err sim_index_verify(struct env_index *index,
                          bool (*sound)(struct bytes key, struct bytes value))
{
    struct entry *entry;
    if (index->node->dead)
        return ERR_CRASHED;
    if (index->map->damaged)
        return ERR_INDEX;
    RB_FOREACH(entry, entries, &index->map->entries)
    {
        const struct version *v = seen(index, entry);
        if (v && !sound((struct bytes){entry->key, entry->len}, (struct bytes){v->value, v->len}))
            return ERR_INDEX;
    }
    return OK;
}
