/* SPDX-License-Identifier: MIT
 *
 * files.c: the file and directory functions of the simulated env, over disk.c.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/ops.h"
#include "sim/world.h"

#define COST_READ_NS  20000u
#define COST_WRITE_NS 30000u
#define COST_SYNC_NS  400000u
#define COST_NAME_NS  50000u
#define DISK_TOTAL    (UINT64_C(1) << 40)

enum what {
    OP_OPEN = 1,
    OP_READ,
    OP_WRITE,
    OP_SYNC,
    OP_RESERVE,
    OP_TRUNCATE,
    OP_MAKE,
    OP_SYNC_DIR,
    OP_REMOVE,
    OP_RENAME,
    OP_LIST,
};

struct env_file {
    struct node *node;
    struct inode *inode;
    uint64_t epoch;
    bool writable;
    struct env_file *next, **link;
};

static enum err open_inode(struct node *node, const char *path, enum env_open how,
                           struct inode **out)
{
    struct inode *inode = disk_find(node->disk, path);
    enum err err = disk_parent(node->disk, path);
    if (err)
        return err;
    if (inode && how == ENV_CREATE)
        return ERR_EXIST;
    if (inode && inode->kind == INODE_DIR)
        return ERR_ISDIR;
    if (!inode && (how == ENV_READ || how == ENV_WRITE))
        return ERR_NOENT;
    *out = inode ? inode : disk_create(node->disk, path, INODE_FILE);
    return OK;
}

static struct env_file *handle_new(struct node *node, struct inode *inode, bool writable)
{
    struct env_file *file = sim_zalloc(sizeof *file);
    *file = (struct env_file){.node = node,
                              .inode = inode,
                              .epoch = node->disk->epoch,
                              .writable = writable,
                              .next = node->files,
                              .link = &node->files};
    if (file->next)
        file->next->link = &file->next;
    node->files = file;
    inode_ref(inode);
    inode_live(node->disk, inode);
    return file;
}

enum err sim_file_open(struct env *env, const char *path, enum env_open how, struct env_file **out)
{
    struct node *node = node_of(env);
    char clean[SIM_PATH_MAX];
    struct inode *inode = NULL;
    bool change = how == ENV_CREATE || how == ENV_CREATE_OR_OPEN;
    enum err err = op_begin(node, change, COST_NAME_NS, OP_OPEN);
    if (err)
        return err;
    err = path_clean(path, clean) ? open_inode(node, clean, how, &inode) : ERR_NAMETOOLONG;
    err = op_end(node, err);
    if (!err)
        *out = handle_new(node, inode, how != ENV_READ);
    return err;
}

/* Lets go of the inode; NULL from then on. */
static void let_go(struct env_file *file)
{
    struct sim_disk *disk = file->node->disk;
    if (!file->inode)
        return;
    if (file->epoch == disk->epoch)
        inode_unlive(disk, file->inode);
    inode_unref(disk, file->inode);
    file->inode = NULL;
}

void sim_file_close(struct env_file *file)
{
    *file->link = file->next;
    if (file->next)
        file->next->link = file->link;
    let_go(file);
    free(file);
}

void files_release(struct node *node)
{
    for (struct env_file *file = node->files; file; file = file->next)
        let_go(file);
}

void files_close_all(struct node *node)
{
    while (node->files)
        sim_file_close(node->files);
}

enum err sim_file_size(struct env_file *file, uint64_t *size)
{
    if (file->node->dead)
        return ERR_CRASHED;
    *size = file->inode->cache.size;
    return OK;
}

static size_t readable(const struct env_file *file, uint64_t offset, size_t len)
{
    uint64_t size = file->inode->cache.size;
    if (offset >= size)
        return 0;
    return len < size - offset ? len : (size_t)(size - offset);
}

enum err sim_file_read(struct env_file *file, uint64_t offset, void *buf, size_t len, size_t *got)
{
    struct node *node = file->node;
    enum err err = op_begin(node, false, COST_READ_NS, OP_READ ^ offset << 8);
    if (err)
        return err;
    size_t part = readable(file, offset, len);
    if (part)
        content_read(&file->inode->cache, offset, buf, part);
    *got = part;
    return op_end(node, OK);
}

enum err sim_file_read_now(struct env_file *file, uint64_t offset, void *buf, size_t len,
                           size_t *got)
{
    struct node *node = file->node;
    if (node->dead)
        return ERR_CRASHED;
    if (node->sim->now < node->stalled_until)
        return ERR_AGAIN;
    size_t part = readable(file, offset, len);
    if (part && chance_below(&node->sim->chance, 1000) < node->again_per_mille) {
        if (part == 1 || chance_coin(&node->sim->chance))
            return ERR_AGAIN;
        part = 1 + chance_below(&node->sim->chance, part < 1u << 30 ? (uint32_t)part - 1 : 1u);
    }
    if (part)
        content_read(&file->inode->cache, offset, buf, part);
    *got = part;
    return OK;
}

static struct env_read *read_of(struct env_job *job)
{
    return (struct env_read *)(void *)job; /* job is the first member */
}

static void read_run(struct env_job *job)
{
    struct env_read *read = read_of(job);
    read->err = sim_file_read(read->file, read->offset, read->buf, read->len, &read->got);
}

static void read_done(struct env_job *job)
{
    read_of(job)->done(read_of(job));
}

/* Read at some moment of the seed's choosing, told at a later one. */
void sim_file_read_later(struct env *env, struct env_read *read)
{
    INVARIANT(read->file->node == node_of(env) && read->done);
    read->got = 0;
    read->job.run = read_run;
    read->job.done = read_done;
    env->ops->submit(env, &read->job);
}

/* --- changes --- */

static uint64_t total(const struct env_iov *iov, int count)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += iov[i].len;
    return sum;
}

/* The first `len` bytes of the pieces, each piece a change of its own: a crash tells them apart. */
static void write_pieces(struct env_file *file, uint64_t offset, const struct env_iov *iov,
                         int count, uint64_t len)
{
    for (int i = 0; i < count && len; i++) {
        uint64_t part = iov[i].len < len ? iov[i].len : len;
        if (part)
            file_change(file->inode, CHANGE_WRITE, offset, iov[i].data, part);
        offset += part;
        len -= part;
    }
}

enum err sim_file_write(struct env_file *file, uint64_t offset, const struct env_iov *iov,
                        int count)
{
    struct node *node = file->node;
    INVARIANT(file->writable && count >= 0);
    uint64_t len = total(iov, count);
    enum err err =
        op_begin(node, true, COST_WRITE_NS + len / 4, OP_WRITE ^ offset << 8 ^ len << 40);
    if (err == ERR_CRASHED)
        return err;
    if (err)
        len = len / 2; /* a part of it got through */
    uint64_t cost = content_write_cost(&file->inode->cache, offset, len);
    if (disk_has_room(node->disk, cost)) {
        write_pieces(file, offset, iov, count, len);
        node->disk->used += cost;
    } else if (!err) {
        err = ERR_NOSPC;
    }
    return op_end(node, err);
}

enum err sim_file_sync(struct env_file *file)
{
    struct node *node = file->node;
    enum err err = op_begin(node, true, COST_SYNC_NS, OP_SYNC);
    if (err == ERR_IO)
        file_fail_sync(file->inode, &node->sim->chance);
    if (err)
        return err;
    if (op_effective(node))
        file_make_durable(file->inode);
    return op_end(node, OK);
}

enum err sim_file_reserve(struct env_file *file, uint64_t size)
{
    struct node *node = file->node;
    INVARIANT(file->writable);
    enum err err = op_begin(node, true, COST_NAME_NS, OP_RESERVE ^ size << 8);
    if (err)
        return err;
    uint64_t cost = content_reserve_cost(&file->inode->cache, size);
    if (disk_has_room(node->disk, cost)) {
        file_change(file->inode, CHANGE_RESERVE, 0, NULL, size);
        node->disk->used += cost;
    } else {
        err = ERR_NOSPC;
    }
    return op_end(node, err);
}

enum err sim_file_truncate(struct env_file *file, uint64_t size)
{
    struct node *node = file->node;
    INVARIANT(file->writable);
    enum err err = op_begin(node, true, COST_NAME_NS, OP_TRUNCATE ^ size << 8);
    if (err)
        return err;
    node->disk->used -= content_cost(&file->inode->cache);
    file_change(file->inode, CHANGE_SIZE, 0, NULL, size);
    node->disk->used += content_cost(&file->inode->cache);
    return op_end(node, OK);
}

/* --- directories --- */

static enum err make(struct node *node, const char *path)
{
    char clean[SIM_PATH_MAX];
    if (!path_clean(path, clean))
        return ERR_NAMETOOLONG;
    enum err err = disk_parent(node->disk, clean);
    if (err)
        return err;
    if (disk_find(node->disk, clean))
        return ERR_EXIST;
    disk_create(node->disk, clean, INODE_DIR);
    return OK;
}

enum err sim_dir_make(struct env *env, const char *path)
{
    struct node *node = node_of(env);
    enum err err = op_begin(node, true, COST_NAME_NS, OP_MAKE);
    return err ? err : op_end(node, make(node, path));
}

static enum err find_dir(struct node *node, const char *path, char clean[SIM_PATH_MAX])
{
    if (!path_clean(path, clean))
        return ERR_NAMETOOLONG;
    enum err err = disk_parent(node->disk, clean);
    const struct inode *inode = disk_find(node->disk, clean);
    if (err || !inode)
        return err ? err : ERR_NOENT;
    return inode->kind == INODE_DIR ? OK : ERR_NOTDIR;
}

enum err sim_dir_sync(struct env *env, const char *path)
{
    struct node *node = node_of(env);
    char clean[SIM_PATH_MAX];
    enum err err = op_begin(node, true, COST_SYNC_NS, OP_SYNC_DIR);
    if (err)
        return err;
    err = find_dir(node, path, clean);
    if (!err && op_effective(node))
        disk_sync_dir(node->disk, clean);
    return op_end(node, err);
}

enum err sim_dir_list(struct env *env, const char *path, bool (*each)(void *ctx, const char *name),
                      void *ctx)
{
    struct node *node = node_of(env);
    char clean[SIM_PATH_MAX];
    enum err err = op_begin(node, false, COST_READ_NS, OP_LIST);
    if (err)
        return err;
    err = find_dir(node, path, clean);
    if (err)
        return err;
    size_t skip = strlen(clean) + (clean[0] != 0);
    for (struct name *n = disk_first_in(node->disk, clean); n; n = disk_next(n))
        if (!each(ctx, n->path + skip))
            break;
    return OK;
}

enum err sim_dir_space(struct env *env, const char *path, struct env_space *out)
{
    struct node *node = node_of(env);
    const struct sim_disk *disk = node->disk;
    char clean[SIM_PATH_MAX];
    if (node->dead)
        return ERR_CRASHED;
    INVARIANT(disk);
    enum err err = find_dir(node, path, clean);
    if (err)
        return err;
    out->total = disk->capacity ? disk->capacity : DISK_TOTAL;
    out->available = disk->full || disk->used >= out->total ? 0 : out->total - disk->used;
    return OK;
}

static enum err remove_file(struct node *node, const char *path)
{
    char clean[SIM_PATH_MAX];
    if (!path_clean(path, clean))
        return ERR_NAMETOOLONG;
    enum err err = disk_parent(node->disk, clean);
    const struct inode *inode = disk_find(node->disk, clean);
    if (err || !inode)
        return err ? err : ERR_NOENT;
    if (inode->kind == INODE_DIR)
        return ERR_ISDIR;
    disk_remove(node->disk, clean);
    return OK;
}

enum err sim_file_remove(struct env *env, const char *path)
{
    struct node *node = node_of(env);
    enum err err = op_begin(node, true, COST_NAME_NS, OP_REMOVE);
    return err ? err : op_end(node, remove_file(node, path));
}

static enum err rename_file(struct node *node, const char *from, const char *to)
{
    char source[SIM_PATH_MAX], target[SIM_PATH_MAX];
    if (!path_clean(from, source) || !path_clean(to, target))
        return ERR_NAMETOOLONG;
    enum err err = disk_parent(node->disk, source);
    if (!err)
        err = disk_parent(node->disk, target);
    const struct inode *inode = disk_find(node->disk, source);
    const struct inode *over = disk_find(node->disk, target);
    if (err || !inode)
        return err ? err : ERR_NOENT;
    if (inode->kind == INODE_DIR)
        return ERR_NOTSUP; /* the core renames files only */
    if (over && over->kind == INODE_DIR)
        return ERR_ISDIR;
    if (strcmp(source, target) != 0)
        disk_rename(node->disk, source, target);
    return OK;
}

enum err sim_file_rename(struct env *env, const char *from, const char *to)
{
    struct node *node = node_of(env);
    enum err err = op_begin(node, true, COST_NAME_NS, OP_RENAME);
    return err ? err : op_end(node, rename_file(node, from, to));
}
