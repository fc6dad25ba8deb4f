/* SPDX-License-Identifier: MIT
 *
 * acts_ops.c: acts as operations of the file service.
 *
 *   register   a file; its value is written and read by one operation. Each lies at an offset of
 *              its own, some behind a hole, some over the edge of two blocks
 *   list       a file; a value is a line, appended
 *   set        a directory; a value is the name of an empty file
 *   counter    a file; it counts its bytes
 *   tree       the operations of the same names
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "core/fs/inode.h"
#include "sim/acts/acts.h"
#include "workload/workload.h"

#define LIST_ROOM  65536u  /* bytes of a list read at first, beyond what was seen */
#define LIST_LONG  524288u /* from here on lines are short */
#define INO_NOBODY (UINT64_C(1) << 50)
#define ENTRIES    64u /* of a set read at first */

struct payload {
    struct shared shared; /* comes first */
    size_t len;
    uint8_t data[];
};

static void payload_release(struct shared *shared)
{
    free(shared);
}

static struct payload *payload_new(size_t len)
{
    struct payload *payload = malloc(sizeof *payload + len);
    INVARIANT(payload != NULL);
    payload->shared = (struct shared){1, payload_release};
    payload->len = len;
    return payload;
}

/* Files of a tree and registers have one length for ever, by their number. */
uint32_t acts_length(const struct acts *acts, uint64_t number)
{
    uint64_t more = acts->pad * (number % 3) / 2;
    return TEXT_LEAST + (uint32_t)(more / TEXT_UNIT * TEXT_UNIT);
}

/* --- numbers and inodes --- */

uint64_t acts_ino(const struct acts *acts, uint64_t number)
{
    if (!acts->renumbers || number == FS_ROOT_INO)
        return number;
    bool known = number < acts->ino_room && acts->inos[number];
    return known ? acts->inos[number] : INO_NOBODY + number;
}

uint64_t acts_number(struct acts *acts, const struct fs_attr *attr)
{
    uint32_t number = attr->uid;
    if (!acts->renumbers || attr->ino == FS_ROOT_INO)
        return attr->ino;
    while (acts->ino_room <= number) {
        uint32_t room = acts->ino_room;
        acts->inos = grow(acts->inos, room, &acts->ino_room, sizeof *acts->inos);
        memset(acts->inos + room, 0, (acts->ino_room - room) * sizeof *acts->inos);
    }
    INVARIANT(!acts->inos[number] || acts->inos[number] == attr->ino);
    acts->inos[number] = attr->ino;
    return number;
}

/* --- where things are --- */

static uint64_t offset_of(const struct acts *acts, uint64_t number)
{
    if (!acts->pad)
        return 0;
    switch (number % 4) {
    case 1:
        return 5000;
    case 2:
        return BLOCK_SIZE - 24;
    default:
        return 0;
    }
}

static uint64_t number_arg(const struct deed *deed, uint32_t value)
{
    int64_t number = 0;
    history_integer(deed_history(deed), value, &number);
    return (uint64_t)number;
}

static uint64_t ino_arg(const struct deed *deed, uint32_t value)
{
    return acts_ino(deed->acts, number_arg(deed, value));
}

static struct bytes name_arg(const struct deed *deed, uint32_t value)
{
    const char *text = history_text(deed_history(deed), value);
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static uint8_t *room_for(struct deed *deed, size_t len)
{
    if (deed->into_room < len) {
        free(deed->into);
        deed->into = malloc(len);
        deed->into_room = len;
        INVARIANT(deed->into != NULL);
    }
    return deed->into;
}

/* --- from acts to operations --- */

static void op_read(struct deed *deed, uint64_t ino, uint64_t offset, uint64_t length)
{
    struct fs_op *op = &deed->request.op;
    op->code = FS_READ;
    op->ino = ino;
    op->offset = offset;
    op->length = length;
    op->flags = deed->txn % 2 && !deed->acts->no_atime ? FS_READ_ATIME : 0;
    deed->request.into = room_for(deed, length);
}

static void op_write(struct deed *deed, uint64_t ino, uint64_t offset, struct payload *payload)
{
    struct fs_op *op = &deed->request.op;
    op->code = FS_WRITE;
    op->ino = ino;
    op->offset = offset;
    op->value = (struct bytes){payload->data, payload->len};
    op->length = payload->len;
    op->owner = &payload->shared;
    deed->payload = payload;
}

static void op_write_text(struct deed *deed, uint64_t ino, uint64_t offset, uint32_t value)
{
    struct payload *payload = payload_new(acts_length(deed->acts, deed->number));
    text_fill(history_text(deed_history(deed), value), payload->data, payload->len);
    op_write(deed, ino, offset, payload);
}

static void op_append(struct deed *deed, const struct acts_file *file, uint32_t value)
{
    uint64_t pad = file->size < LIST_LONG ? deed->acts->pad : 0;
    uint32_t units = 1 + (uint32_t)(pad * (value % 4) / 3 / TEXT_UNIT);
    struct payload *payload = payload_new((size_t)units * TEXT_UNIT);
    line_fill(history_text(deed_history(deed), value), payload->data, units);
    op_write(deed, file->ino, 0, payload);
    deed->request.op.flags = FS_WRITE_APPEND;
}

static void op_increment(struct deed *deed, const struct acts_file *file, uint32_t value)
{
    struct payload *payload = payload_new(number_arg(deed, value));
    memset(payload->data, '.', payload->len);
    op_write(deed, file->ino, 0, payload);
    deed->request.op.flags = FS_WRITE_APPEND;
}

static void op_readdir(struct deed *deed, uint64_t ino, uint64_t entries)
{
    if (deed->want < entries)
        deed->want = entries;
    deed->request.op.code = FS_READDIR;
    deed->request.op.ino = ino;
    deed->request.op.length = deed->want;
    deed->request.op.flags = deed->txn % 8 || deed->acts->no_atime ? 0 : FS_READDIR_ATIME;
    if (deed->acts->renumbers)
        deed->request.op.flags |= FS_READDIR_PLUS; /* with owners */
}

static void op_read_key(struct deed *deed)
{
    const struct acts_file *file = deed_file(deed);
    switch (deed->acts->run->scenario->workload) {
    case WORKLOAD_LIST:
        if (deed->want < file->size + LIST_ROOM)
            deed->want = file->size + LIST_ROOM;
        if (deed->want > LIST_MOST)
            deed->want = LIST_MOST;
        op_read(deed, file->ino, 0, deed->want);
        break;
    case WORKLOAD_SET:
        op_readdir(deed, file->ino, ENTRIES);
        break;
    case WORKLOAD_COUNTER:
        deed->request.op.code = FS_GETATTR;
        deed->request.op.ino = file->ino;
        break;
    default:
        op_read(deed, file->ino, offset_of(deed->acts, file->ino),
                acts_length(deed->acts, deed->number) + TEXT_UNIT);
        break;
    }
}

static void op_of_key(struct deed *deed, const struct history_act *act)
{
    const struct acts_file *file = deed_file(deed);
    deed->number = file->ino;
    switch ((enum act_code)act->code) {
    case ACT_READ:
        op_read_key(deed);
        break;
    case ACT_WRITE:
        op_write_text(deed, file->ino, offset_of(deed->acts, file->ino), act->args[0]);
        break;
    case ACT_APPEND:
        op_append(deed, file, act->args[0]);
        break;
    case ACT_INCREMENT:
        op_increment(deed, file, act->args[0]);
        break;
    case ACT_ADD:
        deed->request.op.code = FS_MKNOD;
        deed->request.op.ino = file->ino;
        deed->request.op.name = name_arg(deed, act->args[0]);
        deed->request.op.mode = FS_REG | 0644;
        deed->request.op.new_ino = deed->acts->new_ino(deed->acts->ctx);
        break;
    default:
        INVARIANT(false);
    }
}

static uint32_t rename_flags(const struct deed *deed, uint32_t how)
{
    const char *word = history_text(deed_history(deed), how);
    return strcmp(word, "new") == 0        ? FS_RENAME_NOREPLACE
           : strcmp(word, "exchange") == 0 ? FS_RENAME_EXCHANGE
                                           : 0;
}

static void op_of_names(struct deed *deed, const struct history_act *act)
{
    static const enum fs_code codes[ACT_CODE_COUNT] = {
        [ACT_MKDIR] = FS_MKDIR,   [ACT_CREATE] = FS_MKNOD, [ACT_LINK] = FS_LINK,
        [ACT_UNLINK] = FS_UNLINK, [ACT_RMDIR] = FS_RMDIR,  [ACT_RENAME] = FS_RENAME,
        [ACT_LOOKUP] = FS_LOOKUP,
    };
    struct fs_op *op = &deed->request.op;
    op->code = codes[act->code];
    INVARIANT(op->code);
    op->ino = ino_arg(deed, act->args[0]);
    if (act->code == ACT_LINK) {
        op->ino2 = ino_arg(deed, act->args[1]);
        op->name2 = name_arg(deed, act->args[2]);
        return;
    }
    op->name = name_arg(deed, act->args[1]);
    if (act->code == ACT_MKDIR || act->code == ACT_CREATE) {
        op->new_ino = number_arg(deed, act->args[2]);
        if (deed->acts->renumbers)
            op->cred.uid = (uint32_t)op->new_ino;
        op->mode = act->code == ACT_MKDIR ? 0755 : FS_REG | 0644;
    } else if (act->code == ACT_RENAME) {
        op->ino2 = ino_arg(deed, act->args[2]);
        op->name2 = name_arg(deed, act->args[3]);
        op->flags = rename_flags(deed, act->args[4]);
    }
}

static void op_of_tree(struct deed *deed, const struct history_act *act)
{
    uint64_t ino = ino_arg(deed, act->args[0]);
    deed->number = number_arg(deed, act->args[0]);
    switch ((enum act_code)act->code) {
    case ACT_LIST:
        op_readdir(deed, ino, deed->acts->run->scenario->keys + 8);
        break;
    case ACT_PUT:
        op_write_text(deed, ino, 0, act->args[1]);
        break;
    case ACT_GET:
        op_read(deed, ino, 0, acts_length(deed->acts, deed->number) + TEXT_UNIT);
        break;
    case ACT_LINKS:
        deed->request.op.code = FS_GETATTR;
        deed->request.op.ino = ino;
        break;
    default:
        op_of_names(deed, act);
        break;
    }
}

void deed_operation(struct deed *deed)
{
    if (deed_is_tree(deed))
        op_of_tree(deed, deed_act(deed));
    else
        op_of_key(deed, deed_act(deed));
}

void deed_drop_payload(struct deed *deed)
{
    if (deed->payload)
        shared_unref(&deed->payload->shared);
    deed->payload = NULL;
}
