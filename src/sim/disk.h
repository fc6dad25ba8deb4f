/* SPDX-License-Identifier: MIT
 *
 * disk.h: the inside of a simulated disk.
 *
 * Definitions
 *   content   the bytes of a file: a table of shared 4 KiB pages, absent pages are zeros
 *   cache     what reads see; durable: what survives for certain
 *   change    a write or a change of size that is in the cache and not yet durable
 *   naming    a creation, removal or renaming that is not yet durable
 *
 * Law
 *   D1  cache = durable + all changes, applied in order, unless a sync failed. The same for names
 *       and namings.
 *   D2  A page with more than one reference is never written.
 *   D3  used = the cost of all files that have a name or an open handle, plus the bytes of all
 *       indexes.
 */
#ifndef PACTFS_SIM_DISK_H
#define PACTFS_SIM_DISK_H

#include <bsd/sys/tree.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define SIM_PAGE   4096u
#define SIM_SECTOR 512u

struct chance;
struct map;
struct node;

struct page {
    uint32_t refs;
    uint8_t data[SIM_PAGE];
};

struct content {
    struct page **at; /* [len], NULL: zeros; beyond len: zeros */
    size_t len, room;
    uint64_t size;
    uint64_t reserved; /* bytes from 0 that have room for certain; a multiple of SIM_PAGE */
};

void content_read(const struct content *c, uint64_t offset, void *buf, size_t len);
void content_write(struct content *c, uint64_t offset, const uint8_t *data, size_t len);
void content_resize(struct content *c, uint64_t size);
void content_reserve(struct content *c, uint64_t size);
/* Makes the pages that hold [offset, offset + len) the same as in `from`. */
void content_share(struct content *c, const struct content *from, uint64_t offset, uint64_t len);
void content_copy(struct content *c, const struct content *from); /* c is empty */
void content_free(struct content *c);
/* Bytes of the disk it takes, and how many more a write / a reservation would. */
uint64_t content_cost(const struct content *c);
uint64_t content_write_cost(const struct content *c, uint64_t offset, uint64_t len);
uint64_t content_reserve_cost(const struct content *c, uint64_t size);

enum change_kind {
    CHANGE_WRITE,
    CHANGE_SIZE,
    CHANGE_RESERVE,
};

struct change {
    struct change *next;
    enum change_kind kind;
    uint64_t offset, len; /* of a write; len is the new size else */
    uint8_t data[];
};

enum inode_kind {
    INODE_FILE,
    INODE_DIR,
};

struct inode {
    enum inode_kind kind;
    uint32_t refs; /* names (cached and durable), handles, namings */
    uint32_t live; /* cached name + handles: it takes room while > 0 */
    bool parted;   /* a sync failed: cache holds what will never be durable */
    struct content cache, durable;
    struct change *changes, **last;
    struct map *index;  /* of a directory that holds one */
    struct inode *twin; /* while the disk is being cloned */
};

struct name {
    RB_ENTRY(name) entry;
    struct inode *cache, *durable;
    char path[];
};
RB_HEAD(names, name);

struct naming {
    struct naming *next;
    char *from, *to; /* creation: only to; removal: only from */
    struct inode *inode;
};

struct sim_disk {
    struct names names;
    struct inode root; /* always there */
    struct naming *namings, **last;
    struct node *user; /* the last node that worked on it; NULL: none, or its world has ended */
    uint64_t capacity, used;
    uint64_t epoch; /* counts crashes: handles of an earlier epoch hold no room */
    bool full;
};

/* Paths inside are without leading, trailing and double slashes; "" is the root. NULL when too
 * long. */
#define SIM_PATH_MAX 512u
char *path_clean(const char *path, char out[SIM_PATH_MAX]);
/* The length of the part that names the directory. */
size_t path_parent(const char *path);

/* The inode a clean path leads to in the cache, or NULL. */
struct inode *disk_find(const struct sim_disk *disk, const char *path);
/* OK when the directory of `path` is there; NOENT or NOTDIR. */
enum err disk_parent(const struct sim_disk *disk, const char *path);
struct inode *disk_create(struct sim_disk *disk, const char *path, enum inode_kind kind);
void disk_remove(struct sim_disk *disk, const char *path);
void disk_rename(struct sim_disk *disk, const char *from, const char *to);
void disk_sync_dir(struct sim_disk *disk, const char *path);
bool disk_has_room(const struct sim_disk *disk, uint64_t more);
struct name *disk_first_in(const struct sim_disk *disk, const char *dir);
struct name *disk_next(struct name *name);

void inode_ref(struct inode *inode);
void inode_unref(struct sim_disk *disk, struct inode *inode);
void inode_live(struct sim_disk *disk, struct inode *inode);
void inode_unlive(struct sim_disk *disk, struct inode *inode);

void file_change(struct inode *file, enum change_kind kind, uint64_t offset, const uint8_t *data,
                 uint64_t len);
void file_make_durable(struct inode *file);
/* A sync that fails: each change is kept, lost or torn here and now; the cache does not show it. */
void file_fail_sync(struct inode *file, struct chance *chance);

void disk_crash(struct sim_disk *disk, struct chance *chance);
/* The dead node that worked on it lets go of it. A live one is a mistake of the caller's. */
void disk_leave(struct sim_disk *disk);

/* map.c: the ordered map behind an index */
struct map *map_new(void);
void map_free(struct map *map);
struct map *map_copy(const struct map *map);
uint64_t map_bytes(const struct map *map);
void map_damage(struct map *map);

#endif
