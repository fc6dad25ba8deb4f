/* SPDX-License-Identifier: MIT
 *
 * cut_load.c: see cut_load.h. One function for each family of operations; a table of weights.
 */
#include "cut_load.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/fs/inode.h"

#define KEEP_SIZE  1u
#define PUNCH_HOLE 2u
#define ZERO_RANGE 16u

static const char *const names[] = {
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "a name of some length.txt",
    ("012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
     "3"
     "4567890123456789012345678901234567890123456789012345678901234567890123456789"),
};
#define NAMES (sizeof names / sizeof *names)

static const char *const attributes[] = {"user.a", "user.b", "user.long", "trusted.c",
                                         "security.d"};
#define ATTRIBUTES (sizeof attributes / sizeof *attributes)

uint64_t load_random(struct load *load)
{
    uint64_t z = (load->chance += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t load_below(struct load *load, uint32_t n)
{
    return (uint32_t)(load_random(load) % n);
}

/* --- what is there --- */

static uint32_t place_of(const struct load *load, uint64_t ino)
{
    uint32_t i = 0;
    while (i < load->count && load->known[i].ino != ino)
        i++;
    return i;
}

static void forget(struct load *load, uint64_t ino)
{
    uint32_t i = place_of(load, ino);
    if (i < load->count)
        load->known[i] = load->known[--load->count];
}

static void know(struct load *load, const struct fs_attr *attr)
{
    uint32_t i = place_of(load, attr->ino);
    if (i == LOAD_INODES) /* full: an inode is forgotten, not removed */
        i = load_below(load, LOAD_INODES);
    else if (i == load->count)
        load->count++;
    load->known[i].ino = attr->ino;
    load->known[i].type = attr->mode & FS_TYPE;
    load->known[i].nameless = attr->nlink == 0;
}

void load_look(struct load *load, struct model *model)
{
    load->count = 0;
    for (size_t i = 0; i < model->count && load->count < LOAD_INODES; i++) {
        struct fs_op op = {.code = FS_GETATTR, .cred.checked = true};
        if (model->items[i]->key.kind != OBJECT_INODE)
            break;
        op.ino = model->items[i]->key.ino;
        if (model_apply(model, &op) == OK && model->result.attr.nlink && op.ino != FS_ROOT_INO)
            know(load, &model->result.attr);
    }
}

/* An inode of the type (0: any); sometimes, and when there is none, the root. */
static uint64_t some(struct load *load, uint32_t type)
{
    uint32_t from = load->count ? load_below(load, load->count) : 0;
    if (type == FS_DIR && load_below(load, 3) == 0)
        return FS_ROOT_INO;
    for (uint32_t i = 0; i < load->count; i++) {
        uint32_t at = (from + i) % load->count;
        if (!type || load->known[at].type == type)
            return load->known[at].ino;
    }
    return FS_ROOT_INO;
}

static uint64_t some_nameless(struct load *load)
{
    for (uint32_t i = 0; i < load->count; i++)
        if (load->known[i].nameless)
            return load->known[i].ino;
    return 0;
}

static struct bytes some_name(struct load *load)
{
    const char *name = names[load_below(load, NAMES)];
    return (struct bytes){(const uint8_t *)name, strlen(name)};
}

static struct bytes some_attribute(struct load *load)
{
    const char *name = attributes[load_below(load, ATTRIBUTES)];
    return (struct bytes){(const uint8_t *)name, strlen(name)};
}

static void payload_release(struct shared *shared)
{
    free(shared);
}

static struct payload *payload_new(struct load *load, size_t len)
{
    struct payload *payload = malloc(sizeof *payload + len + 8);
    INVARIANT(payload != NULL);
    payload->shared = (struct shared){1, payload_release};
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = load_random(load) | UINT64_C(0x0101010101010101); /* no zeros: a target too */
        memcpy(payload->data + i, &v, 8);
    }
    return payload;
}

/* Lengths and offsets of all sizes, often at or around the edges of chunks and blocks. */
static uint32_t some_length(struct load *load)
{
    switch (load_below(load, 12)) {
    case 0:
        return CHUNK_SIZE * (1 + load_below(load, 8));
    case 1:
    case 2:
        return 1 + load_below(load, 3 * CHUNK_SIZE);
    case 3:
        return 1 + load_below(load, 180000);
    case 4:
        return 16384 + load_below(load, 16384);
    default:
        return 1 + load_below(load, 600);
    }
}

static uint64_t some_offset(struct load *load)
{
    switch (load_below(load, 10)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return (uint64_t)CHUNK_SIZE * load_below(load, 64);
    case 3:
        return BLOCK_SIZE * (1 + load_below(load, 3)) - load_below(load, 3 * CHUNK_SIZE);
    case 4:
        return load_random(load) % (UINT64_C(8) << 20);
    default:
        return load_below(load, 5 * CHUNK_SIZE);
    }
}

/* --- operations --- */

static struct payload *make_file(struct load *load, struct fs_op *op)
{
    static const uint32_t types[] = {FS_REG, FS_REG, FS_REG, FS_REG, FS_FIFO, FS_SOCK, FS_CHR};
    op->code = load_below(load, 8) ? FS_MKNOD : FS_TMPFILE;
    op->ino = some(load, FS_DIR);
    op->name = some_name(load);
    op->mode = (op->code == FS_MKNOD ? types[load_below(load, 7)] : FS_REG) | 0666;
    op->umask = 022;
    op->rdev = load_below(load, 100);
    return NULL;
}

static struct payload *make_dir(struct load *load, struct fs_op *op)
{
    op->code = FS_MKDIR;
    op->ino = some(load, FS_DIR);
    op->name = some_name(load);
    op->mode = 0777;
    return NULL;
}

static struct payload *make_symlink(struct load *load, struct fs_op *op)
{
    size_t len = 1 + load_below(load, load_below(load, 4) ? 60 : 2000);
    struct payload *payload = payload_new(load, len);
    op->code = FS_SYMLINK;
    op->ino = some(load, FS_DIR);
    op->name = some_name(load);
    op->value = (struct bytes){payload->data, len};
    return payload;
}

static struct payload *write_some(struct load *load, struct fs_op *op)
{
    size_t len = some_length(load);
    struct payload *payload = payload_new(load, len);
    op->code = FS_WRITE;
    op->ino = some(load, FS_REG);
    op->offset = some_offset(load);
    op->value = (struct bytes){payload->data, len};
    op->length = len;
    op->owner = load_below(load, 2) ? &payload->shared : NULL;
    op->flags = load_below(load, 3) ? 0 : FS_WRITE_APPEND;
    return payload;
}

static struct payload *resize(struct load *load, struct fs_op *op)
{
    op->code = load_below(load, 5) ? FS_SETATTR : FS_OPEN;
    op->ino = some(load, FS_REG);
    if (op->code == FS_OPEN) {
        op->mask = 2;
        op->flags = FS_OPEN_TRUNCATE;
        return NULL;
    }
    op->set = FS_SET_SIZE;
    op->attr.size = some_offset(load);
    return NULL;
}

static struct payload *allocate(struct load *load, struct fs_op *op)
{
    static const uint32_t modes[] = {PUNCH_HOLE | KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, 0};
    op->code = FS_FALLOCATE;
    op->ino = some(load, FS_REG);
    op->offset = some_offset(load);
    op->length = 1 + some_offset(load);
    op->flags = modes[load_below(load, 4)];
    return NULL;
}

static struct payload *copy(struct load *load, struct fs_op *op)
{
    op->code = FS_COPY;
    op->ino = some(load, FS_REG);
    op->ino2 = some(load, FS_REG);
    op->offset = some_offset(load);
    op->offset2 = some_offset(load);
    op->length = load_below(load, 150000);
    return NULL;
}

static struct payload *rename_some(struct load *load, struct fs_op *op)
{
    op->code = FS_RENAME;
    op->ino = some(load, FS_DIR);
    op->name = some_name(load);
    op->ino2 = some(load, FS_DIR);
    op->name2 = some_name(load);
    uint32_t how = load_below(load, 6);
    op->flags = how == 0 ? FS_RENAME_NOREPLACE : how <= 2 ? FS_RENAME_EXCHANGE : 0;
    return NULL;
}

static struct payload *link_some(struct load *load, struct fs_op *op)
{
    uint64_t nameless = some_nameless(load);
    op->code = FS_LINK;
    op->ino = nameless && load_below(load, 2) ? nameless : some(load, FS_REG);
    op->ino2 = some(load, FS_DIR);
    op->name2 = some_name(load);
    return NULL;
}

static struct payload *remove_some(struct load *load, struct fs_op *op)
{
    op->code = load_below(load, 3) ? FS_UNLINK : FS_RMDIR;
    op->ino = some(load, FS_DIR);
    op->name = some_name(load);
    return NULL;
}

static struct payload *reclaim(struct load *load, struct fs_op *op)
{
    op->ino = some_nameless(load);
    if (!op->ino)
        return remove_some(load, op);
    op->code = FS_RECLAIM;
    forget(load, op->ino);
    return NULL;
}

static struct payload *set_attributes(struct load *load, struct fs_op *op)
{
    op->code = FS_SETATTR;
    op->ino = some(load, 0);
    op->set = 1 + load_below(load, 7); /* mode, uid, gid */
    op->set |= load_below(load, 2) ? FS_SET_ATIME | FS_SET_MTIME : 0u;
    op->attr = (struct fs_attr){.mode = load_below(load, 010000) | 0600,
                                .uid = load_below(load, 3),
                                .gid = load_below(load, 3),
                                .atime = (int64_t)(load_random(load) >> 2),
                                .mtime = (int64_t)(load_random(load) >> 2)};
    return NULL;
}

static struct payload *set_xattr(struct load *load, struct fs_op *op)
{
    size_t len = load_below(load, load_below(load, 5) ? 300 : 24000);
    struct payload *payload = payload_new(load, len);
    op->code = FS_SETXATTR;
    op->ino = some(load, 0);
    op->name = some_attribute(load);
    op->value = (struct bytes){payload->data, len};
    return payload;
}

static struct payload *remove_xattr(struct load *load, struct fs_op *op)
{
    op->code = FS_REMOVEXATTR;
    op->ino = some(load, 0);
    op->name = some_attribute(load);
    return NULL;
}

static struct payload *look_around(struct load *load, struct fs_op *op)
{
    uint32_t what = load_below(load, 3);
    op->code = what == 0 ? FS_READDIR : what == 1 ? FS_READ : FS_LOOKUP;
    op->ino = some(load, what == 1 ? FS_REG : FS_DIR);
    op->name = some_name(load);
    op->offset = what == 1 ? some_offset(load) : 0;
    op->length = what == 1 ? 1 + load_below(load, 65536) : 100;
    op->flags = what == 0 ? FS_READDIR_ATIME : what == 1 ? FS_READ_ATIME : 0;
    return NULL;
}

typedef struct payload *(*maker)(struct load *load, struct fs_op *op);

static const struct {
    maker make;
    uint32_t weight, weight_scarce;
} makers[] = {
    {make_file, 14, 2}, {make_dir, 6, 1},     {make_symlink, 4, 1}, {write_some, 26, 10},
    {resize, 6, 12},    {allocate, 6, 6},     {copy, 5, 2},         {rename_some, 12, 10},
    {link_some, 5, 2},  {remove_some, 9, 30}, {reclaim, 4, 12},     {set_attributes, 4, 4},
    {set_xattr, 5, 3},  {remove_xattr, 2, 6}, {look_around, 8, 8},
};
#define MAKERS (sizeof makers / sizeof *makers)

struct payload *load_next(struct load *load, struct fs_op *op, uint64_t new_ino)
{
    uint32_t all = 0, at = 0;
    for (size_t i = 0; i < MAKERS; i++)
        all += load->scarce ? makers[i].weight_scarce : makers[i].weight;
    uint32_t drawn = load_below(load, all);
    for (;; at++) {
        uint32_t weight = load->scarce ? makers[at].weight_scarce : makers[at].weight;
        if (drawn < weight)
            break;
        drawn -= weight;
    }
    memset(op, 0, sizeof *op);
    op->new_ino = new_ino;
    op->cred.uid = load_below(load, 4) ? 0 : 1 + load_below(load, 2);
    op->cred.gid = op->cred.uid;
    op->cred.checked = load_below(load, 4) > 0;
    op->cred.cap_fsetid = op->cred.uid == 0;
    return makers[at].make(load, op);
}

void load_done(struct load *load, const struct fs_op *op, const struct fs_result *result)
{
    switch (op->code) {
    case FS_MKNOD:
    case FS_MKDIR:
    case FS_SYMLINK:
    case FS_TMPFILE:
    case FS_LINK:
        know(load, &result->attr);
        break;
    case FS_UNLINK:
    case FS_RMDIR:
        if (result->attr.nlink == 0)
            know(load, &result->attr);
        break;
    case FS_RENAME:
        if (result->attr2.ino && result->attr2.nlink == 0)
            know(load, &result->attr2);
        break;
    default:
        break;
    }
}
