/* SPDX-License-Identifier: MIT
 *
 * volume_ops.c: acts as operations of the file service.
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
#include "core/fs/inode.h"
#include "sim/volume/volume.h"
#include "workload/workload.h"

#define LIST_ROOM 65536u  /* bytes of a list read at first, beyond what was seen */
#define LIST_LONG 524288u /* from here on lines are short */
#define ENTRIES   64u     /* of a set read at first */

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

/* --- what a slot is about --- */

struct run *slot_run(const struct volume_slot *slot)
{
    return slot->volume->system.run;
}

struct history *slot_history(const struct volume_slot *slot)
{
    return slot_run(slot)->history;
}

struct history_act *slot_act(const struct volume_slot *slot)
{
    return &slot_history(slot)->acts[slot_history(slot)->txns[slot->txn].first];
}

bool slot_is_tree(const struct volume_slot *slot)
{
    return slot_run(slot)->scenario->workload == WORKLOAD_TREE;
}

/* Keys have the numbers 0, 1, ... in the order in which the workload made them. */
struct volume_file *slot_file(const struct volume_slot *slot)
{
    uint32_t key = slot_act(slot)->key;
    INVARIANT(key < slot_run(slot)->scenario->keys);
    return &slot->volume->files[key];
}

/* Files of a tree and registers have one length for ever, by their number. */
uint32_t slot_length(const struct volume *v, uint64_t number)
{
    uint64_t more = v->pad * (number % 3) / 2;
    return TEXT_LEAST + (uint32_t)(more / TEXT_UNIT * TEXT_UNIT);
}

/* --- where things are --- */

static uint64_t offset_of(const struct volume *v, uint64_t number)
{
    if (!v->pad)
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

static uint64_t number_arg(const struct volume_slot *slot, uint32_t value)
{
    int64_t number = 0;
    history_integer(slot_history(slot), value, &number);
    return (uint64_t)number;
}

static struct bytes name_arg(const struct volume_slot *slot, uint32_t value)
{
    const char *text = history_text(slot_history(slot), value);
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static uint8_t *room_for(struct volume_slot *slot, size_t len)
{
    if (slot->into_room < len) {
        free(slot->into);
        slot->into = malloc(len);
        slot->into_room = len;
        INVARIANT(slot->into != NULL);
    }
    return slot->into;
}

/* --- from acts to operations --- */

static void op_read(struct volume_slot *slot, uint64_t ino, uint64_t offset, uint64_t length)
{
    struct fs_op *op = &slot->request.op;
    op->code = FS_READ;
    op->ino = ino;
    op->offset = offset;
    op->length = length;
    op->flags = slot->txn % 2 ? FS_READ_ATIME : 0;
    slot->request.into = room_for(slot, length);
}

static void op_write(struct volume_slot *slot, uint64_t ino, uint64_t offset,
                     struct payload *payload)
{
    struct fs_op *op = &slot->request.op;
    op->code = FS_WRITE;
    op->ino = ino;
    op->offset = offset;
    op->value = (struct bytes){payload->data, payload->len};
    op->length = payload->len;
    op->owner = &payload->shared;
    slot->payload = payload;
}

static void op_write_text(struct volume_slot *slot, uint64_t ino, uint64_t offset, uint32_t value)
{
    struct payload *payload = payload_new(slot_length(slot->volume, ino));
    text_fill(history_text(slot_history(slot), value), payload->data, payload->len);
    op_write(slot, ino, offset, payload);
}

static void op_append(struct volume_slot *slot, const struct volume_file *file, uint32_t value)
{
    uint64_t pad = file->size < LIST_LONG ? slot->volume->pad : 0;
    uint32_t units = 1 + (uint32_t)(pad * (value % 4) / 3 / TEXT_UNIT);
    struct payload *payload = payload_new((size_t)units * TEXT_UNIT);
    line_fill(history_text(slot_history(slot), value), payload->data, units);
    op_write(slot, file->ino, 0, payload);
    slot->request.op.flags = FS_WRITE_APPEND;
}

static void op_increment(struct volume_slot *slot, const struct volume_file *file, uint32_t value)
{
    struct payload *payload = payload_new(number_arg(slot, value));
    memset(payload->data, '.', payload->len);
    op_write(slot, file->ino, 0, payload);
    slot->request.op.flags = FS_WRITE_APPEND;
}

static void op_readdir(struct volume_slot *slot, uint64_t ino, uint64_t entries)
{
    if (slot->want < entries)
        slot->want = entries;
    slot->request.op.code = FS_READDIR;
    slot->request.op.ino = ino;
    slot->request.op.length = slot->want;
    slot->request.op.flags = slot->txn % 8 ? 0 : FS_READDIR_ATIME;
}

static void op_read_key(struct volume_slot *slot)
{
    const struct volume_file *file = slot_file(slot);
    switch (slot_run(slot)->scenario->workload) {
    case WORKLOAD_LIST:
        if (slot->want < file->size + LIST_ROOM)
            slot->want = file->size + LIST_ROOM;
        if (slot->want > LIST_MOST)
            slot->want = LIST_MOST;
        op_read(slot, file->ino, 0, slot->want);
        break;
    case WORKLOAD_SET:
        op_readdir(slot, file->ino, ENTRIES);
        break;
    case WORKLOAD_COUNTER:
        slot->request.op.code = FS_GETATTR;
        slot->request.op.ino = file->ino;
        break;
    default:
        op_read(slot, file->ino, offset_of(slot->volume, file->ino),
                slot_length(slot->volume, file->ino) + TEXT_UNIT);
        break;
    }
}

static void op_of_key(struct volume_slot *slot, const struct history_act *act)
{
    const struct volume_file *file = slot_file(slot);
    switch ((enum act_code)act->code) {
    case ACT_READ:
        op_read_key(slot);
        break;
    case ACT_WRITE:
        op_write_text(slot, file->ino, offset_of(slot->volume, file->ino), act->args[0]);
        break;
    case ACT_APPEND:
        op_append(slot, file, act->args[0]);
        break;
    case ACT_INCREMENT:
        op_increment(slot, file, act->args[0]);
        break;
    case ACT_ADD:
        slot->request.op.code = FS_MKNOD;
        slot->request.op.ino = file->ino;
        slot->request.op.name = name_arg(slot, act->args[0]);
        slot->request.op.mode = FS_REG | 0644;
        slot->request.op.new_ino = agent_new_ino(slot->volume->agent);
        break;
    default:
        INVARIANT(false);
    }
}

static uint32_t rename_flags(const struct volume_slot *slot, uint32_t how)
{
    const char *word = history_text(slot_history(slot), how);
    return strcmp(word, "new") == 0        ? FS_RENAME_NOREPLACE
           : strcmp(word, "exchange") == 0 ? FS_RENAME_EXCHANGE
                                           : 0;
}

static void op_of_names(struct volume_slot *slot, const struct history_act *act)
{
    static const enum fs_code codes[ACT_CODE_COUNT] = {
        [ACT_MKDIR] = FS_MKDIR,   [ACT_CREATE] = FS_MKNOD, [ACT_LINK] = FS_LINK,
        [ACT_UNLINK] = FS_UNLINK, [ACT_RMDIR] = FS_RMDIR,  [ACT_RENAME] = FS_RENAME,
        [ACT_LOOKUP] = FS_LOOKUP,
    };
    struct fs_op *op = &slot->request.op;
    op->code = codes[act->code];
    INVARIANT(op->code);
    op->ino = number_arg(slot, act->args[0]);
    if (act->code == ACT_LINK) {
        op->ino2 = number_arg(slot, act->args[1]);
        op->name2 = name_arg(slot, act->args[2]);
        return;
    }
    op->name = name_arg(slot, act->args[1]);
    if (act->code == ACT_MKDIR || act->code == ACT_CREATE) {
        op->new_ino = number_arg(slot, act->args[2]);
        op->mode = act->code == ACT_MKDIR ? 0755 : FS_REG | 0644;
    } else if (act->code == ACT_RENAME) {
        op->ino2 = number_arg(slot, act->args[2]);
        op->name2 = name_arg(slot, act->args[3]);
        op->flags = rename_flags(slot, act->args[4]);
    }
}

static void op_of_tree(struct volume_slot *slot, const struct history_act *act)
{
    uint64_t ino = number_arg(slot, act->args[0]);
    switch ((enum act_code)act->code) {
    case ACT_LIST:
        op_readdir(slot, ino, slot_run(slot)->scenario->keys + 8);
        break;
    case ACT_PUT:
        op_write_text(slot, ino, 0, act->args[1]);
        break;
    case ACT_GET:
        op_read(slot, ino, 0, slot_length(slot->volume, ino) + TEXT_UNIT);
        break;
    case ACT_LINKS:
        slot->request.op.code = FS_GETATTR;
        slot->request.op.ino = ino;
        break;
    default:
        op_of_names(slot, act);
        break;
    }
}

void slot_operation(struct volume_slot *slot)
{
    if (slot_is_tree(slot))
        op_of_tree(slot, slot_act(slot));
    else
        op_of_key(slot, slot_act(slot));
}

void slot_drop_payload(struct volume_slot *slot)
{
    if (slot->payload)
        shared_unref(&slot->payload->shared);
    slot->payload = NULL;
}
