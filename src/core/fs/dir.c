/* SPDX-License-Identifier: MIT
 *
 * dir.c: names in directories: hashing, buckets, finding, adding, removing.
 */
#include "core/fs/dir.h"

#include <pactfs.pb-c.h>
#include <string.h>

#include "core/fs/perm.h"

uint64_t name_hash(const struct fs_volume *volume, struct bytes name)
{
    uint64_t h = checksum64(name.data, name.len, volume->salt);
    h &= DIR_LAST & ~(uint64_t)(DIR_SLOTS - 1);
    return h < DIR_FIRST ? h + DIR_FIRST : h;
}

/* --- buckets --- */

static bool entry_decode(const Pactfs__DirEntry *m, struct dir_bucket *bucket)
{
    const struct dir_entry *last = bucket->count ? &bucket->entries[bucket->count - 1] : NULL;
    if (m->name.len == 0 || m->name.len > FS_NAME_MAX || m->ino == 0 || m->slot >= DIR_SLOTS ||
        m->type > 15 || (last && last->slot >= m->slot))
        return false;
    bucket->entries[bucket->count++] = (struct dir_entry){
        .name = {m->name.data, m->name.len},
        .ino = m->ino,
        .type = m->type << 12,
        .slot = m->slot,
    };
    return true;
}

enum err bucket_decode(struct arena *arena, struct bytes value, struct dir_bucket *out)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    Pactfs__DirBucket *m = pactfs__dir_bucket__unpack(&allocator, value.len, value.data);
    out->count = 0;
    if (!m || m->n_entries == 0 || m->n_entries > DIR_SLOTS)
        return ERR_CORRUPT;
    for (size_t i = 0; i < m->n_entries; i++) {
        if (!entry_decode(m->entries[i], out))
            return ERR_CORRUPT;
    }
    return OK;
}

struct bytes bucket_encode(struct arena *arena, const struct dir_bucket *bucket)
{
    Pactfs__DirEntry entries[DIR_SLOTS], *list[DIR_SLOTS];
    Pactfs__DirBucket m = PACTFS__DIR_BUCKET__INIT;
    INVARIANT(bucket->count > 0 && bucket->count <= DIR_SLOTS);
    for (uint32_t i = 0; i < bucket->count; i++) {
        const struct dir_entry *e = &bucket->entries[i];
        INVARIANT(i == 0 || e->slot > bucket->entries[i - 1].slot);
        pactfs__dir_entry__init(&entries[i]);
        entries[i].name.data = (uint8_t *)(uintptr_t)e->name.data;
        entries[i].name.len = e->name.len;
        entries[i].ino = e->ino;
        entries[i].type = e->type >> 12;
        entries[i].slot = e->slot;
        list[i] = &entries[i];
    }
    m.n_entries = bucket->count;
    m.entries = list;
    size_t len = pactfs__dir_bucket__get_packed_size(&m);
    INVARIANT(len <= OBJECT_VALUE_MAX);
    uint8_t *buf = arena_alloc(arena, len);
    INVARIANT(pactfs__dir_bucket__pack(&m, buf) == len);
    return (struct bytes){buf, len};
}

static void bucket_write(struct fs_call *call, const struct dir_bucket *bucket)
{
    if (bucket->count)
        ws_put(call->ws, bucket->key, bucket_encode(&call->ws->arena, bucket));
    else
        ws_delete(call->ws, bucket->key);
}

static struct dir_entry *bucket_find(struct dir_bucket *bucket, struct bytes name)
{
    for (uint32_t i = 0; i < bucket->count; i++) {
        struct dir_entry *e = &bucket->entries[i];
        if (e->name.len == name.len && memcmp(e->name.data, name.data, name.len) == 0)
            return e;
    }
    return NULL;
}

/* --- names --- */

enum err name_valid(struct bytes name)
{
    if (name.len == 0)
        return ERR_NOENT;
    if (name.len > FS_NAME_MAX)
        return ERR_NAMETOOLONG;
    if (memchr(name.data, '/', name.len) || memchr(name.data, 0, name.len))
        return ERR_INVAL;
    return OK;
}

bool name_is_dot(struct bytes name)
{
    return name.len == 1 && name.data[0] == '.';
}

bool name_is_up(struct bytes name)
{
    return name.len == 2 && name.data[0] == '.' && name.data[1] == '.';
}

/* --- places --- */

static struct object_key key_bucket(const struct fs_call *call, uint64_t dir, struct bytes name)
{
    return (struct object_key){OBJECT_DIRENT, dir, name_hash(call->volume, name)};
}

void place_want(struct fs_call *call, uint64_t dir, struct bytes name)
{
    ws_want(call->ws, key_inode(dir));
    if (name_valid(name) == OK)
        ws_want(call->ws, key_bucket(call, dir, name));
}

static enum err load_dir(struct fs_call *call, uint64_t ino, struct place *place)
{
    place->dir = ARENA_NEW(&call->ws->arena, struct inode);
    enum err err = inode_get(call, ino, ERR_STALE, place->dir);
    if (err == OK && !inode_is_dir(place->dir))
        err = ERR_NOTDIR;
    return err != OK ? err : perm_check(call, place->dir, PERM_X);
}

static enum err load_bucket(struct fs_call *call, struct object_key key, struct place *place)
{
    struct object_version version;
    enum err err = ws_get(call->ws, key, &version);
    if (err != OK)
        return err;
    place->bucket = ARENA_NEW(&call->ws->arena, struct dir_bucket);
    place->bucket->key = key;
    if (version.present)
        err = bucket_decode(&call->ws->arena, version.value, place->bucket);
    return err;
}

enum err place_open_second(struct fs_call *call, uint64_t dir, struct bytes name,
                           struct place *other, struct place *place)
{
    enum err err = OK;
    *place = (struct place){.name = name};
    if (other && other->dir->ino == dir)
        place->dir = other->dir;
    else
        err = load_dir(call, dir, place);
    if (err == OK)
        err = name_valid(name);
    if (err != OK)
        return err;
    struct object_key key = key_bucket(call, dir, name);
    if (other && object_key_equal(&other->bucket->key, &key))
        place->bucket = other->bucket;
    else
        err = load_bucket(call, key, place);
    if (err == OK)
        place->entry = bucket_find(place->bucket, name);
    return err;
}

enum err place_open(struct fs_call *call, uint64_t dir, struct bytes name, struct place *place)
{
    place_want(call, dir, name);
    return place_open_second(call, dir, name, NULL, place);
}

enum err place_inode(struct fs_call *call, const struct place *place, struct inode *out)
{
    enum err err = inode_get(call, place->entry->ino, ERR_CORRUPT, out);
    if (err != OK)
        return err;
    return (out->mode & FS_TYPE) == place->entry->type && out->ino != place->dir->ino ? OK
                                                                                      : ERR_CORRUPT;
}

/* The first free slot; entries are in order of slot, so it is also the place in the list. */
static uint32_t free_slot(const struct dir_bucket *bucket)
{
    uint32_t slot = 0;
    while (slot < bucket->count && bucket->entries[slot].slot == slot)
        slot++;
    return slot;
}

enum err place_add(struct fs_call *call, struct place *place, uint64_t ino, uint32_t mode)
{
    struct dir_bucket *b = place->bucket;
    INVARIANT(bucket_find(b, place->name) == NULL);
    if (b->count == DIR_SLOTS)
        return ERR_DIR_COLLISION;
    uint32_t slot = free_slot(b);
    memmove(&b->entries[slot + 1], &b->entries[slot], (b->count - slot) * sizeof *b->entries);
    b->entries[slot] = (struct dir_entry){place->name, ino, mode & FS_TYPE, slot};
    b->count++;
    place->dir->entries++;
    place->entry = &b->entries[slot];
    bucket_write(call, b);
    return OK;
}

void place_remove(struct fs_call *call, struct place *place)
{
    struct dir_bucket *b = place->bucket;
    struct dir_entry *e = bucket_find(b, place->name);
    INVARIANT(e != NULL);
    fs_expect(call, place->dir->entries > 0); /* I4 */
    size_t behind = (size_t)(b->entries + b->count - (e + 1));
    memmove(e, e + 1, behind * sizeof *e);
    b->count--;
    place->dir->entries--;
    place->entry = NULL;
    bucket_write(call, b);
}

void place_replace(struct fs_call *call, struct place *place, uint64_t ino, uint32_t mode)
{
    struct dir_entry *e = bucket_find(place->bucket, place->name);
    INVARIANT(e != NULL);
    e->ino = ino;
    e->type = mode & FS_TYPE;
    bucket_write(call, place->bucket);
}
