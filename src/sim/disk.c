/* SPDX-License-Identifier: MIT
 *
 * disk.c: names, files and what a crash leaves of them. Definitions and law: disk.h.
 */
#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/world.h"

static int name_compare(const struct name *a, const struct name *b)
{
    return strcmp(a->path, b->path);
}

RB_GENERATE_INTERNAL(names, name, entry, name_compare, static __attribute__((unused)))

static struct names *names_of(const struct sim_disk *disk)
{
    return (struct names *)(uintptr_t)&disk->names;
}

static struct inode *names_root(const struct sim_disk *disk)
{
    return (struct inode *)(uintptr_t)&disk->root;
}

char *path_clean(const char *path, char out[SIM_PATH_MAX])
{
    size_t len = 0;
    while (*path) {
        size_t part = strcspn(path, "/");
        if (part && !(part == 1 && path[0] == '.')) {
            if (len + part + 2 > SIM_PATH_MAX)
                return NULL;
            if (len)
                out[len++] = '/';
            memcpy(out + len, path, part);
            len += part;
        }
        path += part;
        path += *path == '/';
    }
    out[len] = 0;
    return out;
}

size_t path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* The entry of a path, made when `make`; `len` bytes of it. */
static struct name *name_at(const struct sim_disk *disk, const char *path, size_t len, bool make)
{
    _Alignas(struct name) char room[sizeof(struct name) + SIM_PATH_MAX];
    struct name *probe = (struct name *)(void *)room;
    INVARIANT(len < SIM_PATH_MAX);
    memcpy(probe->path, path, len);
    probe->path[len] = 0;
    struct name *found = RB_FIND(names, names_of(disk), probe);
    if (found || !make)
        return found;
    found = sim_zalloc(sizeof *found + len + 1);
    memcpy(found->path, path, len);
    RB_INSERT(names, names_of(disk), found);
    return found;
}

static void name_tidy(struct sim_disk *disk, struct name *name)
{
    if (name->cache || name->durable)
        return;
    RB_REMOVE(names, &disk->names, name);
    free(name);
}

static void drop_changes(struct inode *file)
{
    for (struct change *c = file->changes, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    file->changes = NULL;
    file->last = &file->changes;
}

void inode_ref(struct inode *inode)
{
    inode->refs++;
}

void inode_unref(struct sim_disk *disk, struct inode *inode)
{
    INVARIANT(inode->refs > 0);
    if (--inode->refs)
        return;
    drop_changes(inode);
    content_free(&inode->cache);
    content_free(&inode->durable);
    if (inode->index) {
        disk->used -= map_bytes(inode->index);
        map_free(inode->index);
    }
    free(inode);
}

void inode_live(struct sim_disk *disk, struct inode *inode)
{
    if (inode->live++ == 0)
        disk->used += content_cost(&inode->cache);
}

void inode_unlive(struct sim_disk *disk, struct inode *inode)
{
    INVARIANT(inode->live > 0);
    if (--inode->live == 0)
        disk->used -= content_cost(&inode->cache);
}

static void set_durable(struct sim_disk *disk, struct name *name, struct inode *inode)
{
    if (inode)
        inode_ref(inode);
    if (name->durable)
        inode_unref(disk, name->durable);
    name->durable = inode;
}

static void set_cache(struct sim_disk *disk, struct name *name, struct inode *inode)
{
    if (inode) {
        inode_ref(inode);
        inode_live(disk, inode);
    }
    if (name->cache) {
        inode_unlive(disk, name->cache);
        inode_unref(disk, name->cache);
    }
    name->cache = inode;
}

struct inode *disk_find(const struct sim_disk *disk, const char *path)
{
    if (!*path)
        return names_root(disk);
    struct name *name = name_at(disk, path, strlen(path), false);
    return name ? name->cache : NULL;
}

enum err disk_parent(const struct sim_disk *disk, const char *path)
{
    size_t len = path_parent(path);
    if (!len)
        return OK;
    struct name *name = name_at(disk, path, len, false);
    if (!name || !name->cache)
        return ERR_NOENT;
    return name->cache->kind == INODE_DIR ? OK : ERR_NOTDIR;
}

bool disk_has_room(const struct sim_disk *disk, uint64_t more)
{
    if (!more)
        return true;
    if (disk->full)
        return false;
    return !disk->capacity || (disk->used <= disk->capacity && more <= disk->capacity - disk->used);
}

static struct name *visible(struct name *name, const char *dir, size_t len)
{
    for (; name; name = RB_NEXT(names, NULL, name)) {
        if (strncmp(name->path, dir, len) != 0)
            return NULL;
        if (!name->cache)
            continue;
        const char *rest = name->path + len;
        if (len && *rest != '/')
            continue;
        if (!strchr(rest + (len > 0), '/'))
            return name;
    }
    return NULL;
}

struct name *disk_first_in(const struct sim_disk *disk, const char *dir)
{
    size_t len = strlen(dir);
    _Alignas(struct name) char room[sizeof(struct name) + SIM_PATH_MAX];
    struct name *probe = (struct name *)(void *)room;
    memcpy(probe->path, dir, len + 1);
    struct name *name = RB_NFIND(names, names_of(disk), probe);
    if (len && name && strcmp(name->path, dir) == 0)
        name = RB_NEXT(names, NULL, name);
    return visible(name, dir, len);
}

struct name *disk_next(struct name *name)
{
    char dir[SIM_PATH_MAX];
    size_t len = path_parent(name->path);
    memcpy(dir, name->path, len);
    dir[len] = 0;
    return visible(RB_NEXT(names, NULL, name), dir, len);
}

/* --- names --- */

static char *copy_string(const char *s)
{
    if (!s)
        return NULL;
    size_t len = strlen(s) + 1;
    return memcpy(sim_zalloc(len), s, len);
}

static void naming_add(struct sim_disk *disk, const char *from, const char *to, struct inode *inode)
{
    struct naming *naming = sim_zalloc(sizeof *naming);
    naming->from = copy_string(from);
    naming->to = copy_string(to);
    naming->inode = inode;
    inode_ref(inode);
    *disk->last = naming;
    disk->last = &naming->next;
}

static void naming_free(struct sim_disk *disk, struct naming *naming)
{
    inode_unref(disk, naming->inode);
    free(naming->from);
    free(naming->to);
    free(naming);
}

static void naming_apply(struct sim_disk *disk, const struct naming *naming)
{
    if (naming->from) {
        struct name *from = name_at(disk, naming->from, strlen(naming->from), false);
        if (from && (!naming->to || from->durable == naming->inode)) {
            set_durable(disk, from, NULL);
            name_tidy(disk, from);
        }
    }
    if (naming->to)
        set_durable(disk, name_at(disk, naming->to, strlen(naming->to), true), naming->inode);
}

struct inode *disk_create(struct sim_disk *disk, const char *path, enum inode_kind kind)
{
    struct inode *inode = sim_zalloc(sizeof *inode);
    inode->kind = kind;
    inode->last = &inode->changes;
    struct name *name = name_at(disk, path, strlen(path), true);
    INVARIANT(!name->cache);
    set_cache(disk, name, inode);
    naming_add(disk, NULL, path, inode);
    return inode;
}

void disk_remove(struct sim_disk *disk, const char *path)
{
    struct name *name = name_at(disk, path, strlen(path), false);
    INVARIANT(name && name->cache);
    naming_add(disk, path, NULL, name->cache);
    set_cache(disk, name, NULL);
    name_tidy(disk, name);
}

void disk_rename(struct sim_disk *disk, const char *from, const char *to)
{
    struct name *source = name_at(disk, from, strlen(from), false);
    INVARIANT(source && source->cache && strcmp(from, to) != 0);
    naming_add(disk, from, to, source->cache);
    set_cache(disk, name_at(disk, to, strlen(to), true), source->cache);
    set_cache(disk, source, NULL);
    name_tidy(disk, source);
}

static bool lies_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return path && path_parent(path) == len && strncmp(path, dir, len) == 0;
}

void disk_sync_dir(struct sim_disk *disk, const char *path)
{
    struct naming **link = &disk->namings;
    while (*link) {
        struct naming *naming = *link;
        if (!lies_in(naming->from, path) && !lies_in(naming->to, path)) {
            link = &naming->next;
            continue;
        }
        *link = naming->next;
        naming_apply(disk, naming);
        naming_free(disk, naming);
    }
    disk->last = link;
}

/* --- files --- */

static void change_apply(struct content *c, const struct change *change)
{
    if (change->kind == CHANGE_WRITE)
        content_write(c, change->offset, change->data, (size_t)change->len);
    else if (change->kind == CHANGE_SIZE)
        content_resize(c, change->len);
    else
        content_reserve(c, change->len);
}

void file_change(struct inode *file, enum change_kind kind, uint64_t offset, const uint8_t *data,
                 uint64_t len)
{
    size_t bytes = kind == CHANGE_WRITE ? (size_t)len : 0;
    struct change *change = malloc(sizeof *change + bytes);
    INVARIANT(change != NULL);
    *change = (struct change){.kind = kind, .offset = offset, .len = len};
    if (bytes)
        memcpy(change->data, data, bytes);
    change_apply(&file->cache, change);
    *file->last = change;
    file->last = &change->next;
}

/* The fast way when everything becomes durable: let both tables share the pages that changed. */
static void share_changes(struct inode *file)
{
    for (struct change *c = file->changes; c; c = c->next)
        if (c->kind == CHANGE_SIZE)
            content_resize(&file->durable, c->len);
    for (struct change *c = file->changes; c; c = c->next) {
        if (c->kind == CHANGE_WRITE)
            content_share(&file->durable, &file->cache, c->offset, c->len);
    }
    file->durable.size = file->cache.size;
    file->durable.reserved = file->cache.reserved;
    while (file->durable.len > file->cache.len) {
        INVARIANT(!file->durable.at[file->durable.len - 1]);
        file->durable.len--;
    }
}

void file_make_durable(struct inode *file)
{
    if (!file->parted) {
        share_changes(file);
    } else {
        for (const struct change *c = file->changes; c; c = c->next)
            change_apply(&file->durable, c);
    }
    drop_changes(file);
}

/* --- crash --- */

enum survival {
    KEEP_ALL,
    LOSE_ALL,
    KEEP_SOME,
};

static bool survives(enum survival mode, struct chance *chance)
{
    return mode == KEEP_ALL || (mode == KEEP_SOME && chance_coin(chance));
}

/* Keeps some of the sectors that a write covers: up to a point, or any. */
static void tear(struct content *c, const struct change *write, struct chance *chance)
{
    uint64_t end = write->offset + write->len;
    uint64_t sectors = end / SIM_SECTOR - write->offset / SIM_SECTOR + 1;
    bool prefix = chance_coin(chance);
    uint64_t keep = chance_next(chance) % sectors;
    uint64_t bits = 0;
    for (uint64_t at = write->offset, i = 0, next; at < end; at = next, i++) {
        next = (at / SIM_SECTOR + 1) * SIM_SECTOR;
        if (next > end)
            next = end;
        if (i % 64 == 0)
            bits = chance_next(chance);
        if (prefix ? i < keep : (bits >> (i % 64)) & 1)
            content_write(c, at, write->data + (at - write->offset), (size_t)(next - at));
    }
}

static void crash_write(struct content *c, const struct change *write, struct chance *chance)
{
    switch (chance_below(chance, 4)) {
    case 0:
        change_apply(c, write);
        break;
    case 1: /* lost, though the new size may have made it */
        if (write->offset + write->len > c->size && chance_coin(chance))
            content_resize(c, write->offset + write->len);
        break;
    default:
        tear(c, write, chance);
    }
}

static void settle_changes(struct inode *file, enum survival mode, struct chance *chance)
{
    for (const struct change *c = file->changes; c; c = c->next) {
        if (mode == KEEP_SOME && c->kind == CHANGE_WRITE)
            crash_write(&file->durable, c, chance);
        else if (survives(mode, chance))
            change_apply(&file->durable, c);
    }
    drop_changes(file);
}

void file_fail_sync(struct inode *file, struct chance *chance)
{
    file->parted = file->parted || file->changes;
    settle_changes(file, KEEP_SOME, chance);
}

static void crash_file(struct inode *file, enum survival mode, struct chance *chance)
{
    if (!file->changes && !file->parted)
        return;
    settle_changes(file, mode, chance);
    file->parted = false;
    content_free(&file->cache);
    content_copy(&file->cache, &file->durable);
}

static void crash_namings(struct sim_disk *disk, enum survival mode, struct chance *chance)
{
    while (disk->namings) {
        struct naming *naming = disk->namings;
        disk->namings = naming->next;
        if (survives(mode, chance))
            naming_apply(disk, naming);
        naming_free(disk, naming);
    }
    disk->last = &disk->namings;
}

static bool durable_parent(const struct sim_disk *disk, const char *path)
{
    size_t len = path_parent(path);
    if (!len)
        return true;
    struct name *name = name_at(disk, path, len, false);
    return name && name->durable && name->durable->kind == INODE_DIR;
}

void disk_crash(struct sim_disk *disk, struct chance *chance)
{
    uint32_t draw = chance_below(chance, 8);
    enum survival mode = draw == 0 ? KEEP_ALL : draw == 1 ? LOSE_ALL : KEEP_SOME;
    crash_namings(disk, mode, chance);
    disk->epoch++;
    struct name *name, *next;
    RB_FOREACH(name, names, &disk->names)
    {
        if (name->cache)
            name->cache->live = 1; /* handles of the old epoch hold no room */
    }
    for (name = RB_MIN(names, &disk->names); name; name = next) {
        /* A directory comes before what is in it, so its fate is known here. */
        next = RB_NEXT(names, &disk->names, name);
        if (name->durable && !durable_parent(disk, name->path))
            set_durable(disk, name, NULL);
        if (name->cache != name->durable)
            set_cache(disk, name, name->durable);
        if (name->durable)
            crash_file(name->durable, mode, chance);
        name_tidy(disk, name);
    }
    disk->used = 0;
    RB_FOREACH(name, names, &disk->names)
    {
        disk->used += content_cost(&name->cache->cache);
        if (name->cache->index)
            disk->used += map_bytes(name->cache->index);
    }
}

/* --- the disk as a whole --- */

void disk_leave(struct sim_disk *disk)
{
    if (!disk->user)
        return;
    node_release(disk->user);
    disk->user = NULL;
}

struct sim_disk *sim_disk_new(void)
{
    struct sim_disk *disk = sim_zalloc(sizeof *disk);
    RB_INIT(&disk->names);
    disk->last = &disk->namings;
    disk->root = (struct inode){.kind = INODE_DIR, .refs = 1, .live = 1};
    return disk;
}

static void forget_all(struct sim_disk *disk)
{
    while (disk->namings) {
        struct naming *naming = disk->namings;
        disk->namings = naming->next;
        naming_free(disk, naming);
    }
    disk->last = &disk->namings;
    struct name *name, *next;
    RB_FOREACH_SAFE(name, names, &disk->names, next)
    {
        set_cache(disk, name, NULL);
        set_durable(disk, name, NULL);
        name_tidy(disk, name);
    }
    if (disk->root.index) {
        disk->used -= map_bytes(disk->root.index);
        map_free(disk->root.index);
        disk->root.index = NULL;
    }
}

void sim_disk_free(struct sim_disk *disk)
{
    disk_leave(disk);
    forget_all(disk);
    free(disk);
}

void sim_disk_lose(struct sim_disk *disk)
{
    disk_leave(disk);
    forget_all(disk);
    INVARIANT(disk->used == 0);
    disk->capacity = 0;
    disk->full = false;
}

static struct inode *inode_twin(struct inode *inode)
{
    if (!inode || inode->twin)
        return inode ? inode->twin : NULL;
    struct inode *twin = sim_zalloc(sizeof *twin);
    twin->kind = inode->kind;
    twin->parted = inode->parted;
    twin->last = &twin->changes;
    content_copy(&twin->cache, &inode->cache);
    content_copy(&twin->durable, &inode->durable);
    for (const struct change *c = inode->changes; c; c = c->next) {
        size_t bytes = sizeof *c + (c->kind == CHANGE_WRITE ? (size_t)c->len : 0);
        struct change *copy = memcpy(sim_zalloc(bytes), c, bytes);
        copy->next = NULL;
        *twin->last = copy;
        twin->last = &copy->next;
    }
    twin->index = inode->index ? map_copy(inode->index) : NULL;
    inode->twin = twin;
    return twin;
}

static void forget_twins(const struct sim_disk *disk)
{
    struct name *name;
    RB_FOREACH(name, names, names_of(disk))
    {
        if (name->cache)
            name->cache->twin = NULL;
        if (name->durable)
            name->durable->twin = NULL;
    }
    for (struct naming *naming = disk->namings; naming; naming = naming->next)
        naming->inode->twin = NULL;
}

struct sim_disk *sim_disk_clone(const struct sim_disk *disk)
{
    struct sim_disk *copy = sim_disk_new();
    struct name *name;
    RB_FOREACH(name, names, names_of(disk))
    {
        struct name *to = name_at(copy, name->path, strlen(name->path), true);
        set_cache(copy, to, inode_twin(name->cache));
        set_durable(copy, to, inode_twin(name->durable));
    }
    for (struct naming *naming = disk->namings; naming; naming = naming->next)
        naming_add(copy, naming->from, naming->to, inode_twin(naming->inode));
    forget_twins(disk);
    copy->capacity = disk->capacity;
    copy->full = disk->full;
    RB_FOREACH(name, names, &copy->names)
    {
        if (name->cache && name->cache->index)
            copy->used += map_bytes(name->cache->index);
    }
    return copy;
}

void sim_disk_crash(struct sim_disk *disk, uint64_t seed)
{
    struct chance chance;
    INVARIANT(!disk->user || disk->user->dead);
    chance_seed(&chance, seed);
    disk_crash(disk, &chance);
}

void sim_disk_capacity(struct sim_disk *disk, uint64_t bytes)
{
    disk->capacity = bytes;
}

void sim_disk_full(struct sim_disk *disk, bool full)
{
    disk->full = full;
}

uint64_t sim_disk_used(const struct sim_disk *disk)
{
    return disk->used;
}

static struct inode *find_raw(const struct sim_disk *disk, const char *path)
{
    char clean[SIM_PATH_MAX];
    return path_clean(path, clean) ? disk_find(disk, clean) : NULL;
}

enum err sim_disk_flip(struct sim_disk *disk, const char *path, uint64_t byte, unsigned bit)
{
    struct inode *file = find_raw(disk, path);
    if (!file || file->kind != INODE_FILE)
        return ERR_NOENT;
    if (byte >= file->cache.size)
        return ERR_RANGE;
    struct content *both[2] = {&file->cache, &file->durable};
    for (int i = 0; i < 2; i++) {
        uint8_t v;
        if (byte >= both[i]->size)
            continue;
        content_read(both[i], byte, &v, 1);
        v ^= (uint8_t)(1u << (bit & 7));
        content_write(both[i], byte, &v, 1);
    }
    return OK;
}

enum err sim_disk_damage_index(struct sim_disk *disk, const char *path)
{
    struct inode *dir = find_raw(disk, path);
    if (!dir || !dir->index)
        return ERR_NOENT;
    map_damage(dir->index);
    return OK;
}

void sim_disk_list(const struct sim_disk *disk,
                   bool (*each)(void *ctx, const char *path, uint64_t size), void *ctx)
{
    struct name *name;
    RB_FOREACH(name, names, names_of(disk))
    {
        if (name->cache && name->cache->kind == INODE_FILE &&
            !each(ctx, name->path, name->cache->cache.size))
            return;
    }
}

size_t sim_disk_peek(const struct sim_disk *disk, const char *path, uint64_t offset, void *buf,
                     size_t len)
{
    const struct inode *file = find_raw(disk, path);
    if (!file || file->kind != INODE_FILE || offset >= file->cache.size)
        return 0;
    if (len > file->cache.size - offset)
        len = (size_t)(file->cache.size - offset);
    content_read(&file->cache, offset, buf, len);
    return len;
}
