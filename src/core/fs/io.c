/* SPDX-License-Identifier: MIT
 *
 * io.c: read and write.
 */
#include <string.h>

#include "core/fs/data.h"
#include "core/fs/perm.h"

/* --- read --- */

struct pieces {
    struct arena *arena;
    struct fs_piece *list;
    uint32_t count, room;
};

/* Adds a piece, or lengthens the last one when it goes on there. */
static void add_piece(struct pieces *p, struct fs_piece piece)
{
    if (!piece.length)
        return;
    struct fs_piece *last = p->count ? &p->list[p->count - 1] : NULL;
    if (last && last->type == piece.type) {
        bool hole = piece.type == FS_PIECE_HOLE;
        bool store = piece.type == FS_PIECE_STORE && object_key_equal(&last->block, &piece.block) &&
                     last->offset + last->length == piece.offset;
        bool memory = piece.type == FS_PIECE_MEMORY && last->data + last->length == piece.data;
        if (hole || store || memory) {
            last->length += piece.length;
            return;
        }
    }
    if (p->count == p->room) {
        uint32_t room = p->room ? p->room * 2 : 16;
        struct fs_piece *bigger = arena_alloc(p->arena, room * sizeof *bigger);
        if (p->count)
            memcpy(bigger, p->list, p->count * sizeof *bigger);
        p->list = bigger;
        p->room = room;
    }
    p->list[p->count++] = piece;
}

static void own_pieces(struct pieces *p, struct bytes own, uint32_t in, uint32_t length)
{
    uint32_t there = own.len > in ? (uint32_t)own.len - in : 0;
    if (there > length)
        there = length;
    add_piece(p,
              (struct fs_piece){.type = FS_PIECE_MEMORY, .length = there, .data = own.data + in});
    add_piece(p, (struct fs_piece){.type = FS_PIECE_HOLE, .length = length - there});
}

/* The pieces of [at, to), which lies in one block. */
static enum err block_pieces(struct fs_call *call, struct pieces *p, uint64_t at, uint64_t to)
{
    uint64_t first = call->op->offset / BLOCK_SIZE;
    struct object_key key =
        key_block(call->op->ino, MUTANT(read_wrong_block) ? first : at / BLOCK_SIZE);
    struct object_version block;
    enum err err = ws_get(call->ws, key, &block);
    while (err == OK && at < to) {
        uint32_t offset = (uint32_t)(at % BLOCK_SIZE), chunk = offset / CHUNK_SIZE;
        uint32_t in = offset % CHUNK_SIZE, length = CHUNK_SIZE - in;
        if (length > to - at)
            length = (uint32_t)(to - at);
        struct bytes own;
        if (!block.present || !(block.chunks >> chunk & 1))
            add_piece(p, (struct fs_piece){.type = FS_PIECE_HOLE, .length = length});
        else if (ws_own_chunk(call->ws, key, chunk, &own))
            own_pieces(p, own, in, length);
        else
            add_piece(
                p, (struct fs_piece){
                       .type = FS_PIECE_STORE, .length = length, .block = key, .offset = offset});
        at += length;
    }
    return err;
}

enum err fs_read(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode inode;
    uint64_t length = op->length < FS_IO_MAX ? op->length : FS_IO_MAX;
    ws_want(call->ws, key_inode(op->ino));
    data_want(call, op->ino, op->offset, length);
    enum err err = inode_get(call, op->ino, ERR_STALE, &inode);
    if (err == OK)
        err = data_has(&inode);
    if (err != OK)
        return err;
    uint64_t end = op->offset >= inode.size           ? op->offset
                   : inode.size - op->offset < length ? inode.size
                                                      : op->offset + length;
    struct pieces p = {.arena = &call->ws->arena};
    for (uint64_t at = op->offset, to; err == OK && at < end; at = to) {
        to = (at / BLOCK_SIZE + 1) * BLOCK_SIZE;
        if (to > end)
            to = end;
        err = block_pieces(call, &p, at, to);
    }
    if (err != OK)
        return err;
    if (p.count > 1)
        MARK(read_hole_and_data);
    if ((op->flags & FS_READ_ATIME) && inode_accessed(call, &inode))
        inode_put(call, &inode);
    call->result->pieces = p.list;
    call->result->piece_count = p.count;
    call->result->length = end - op->offset;
    call->result->attr = inode_attr(&inode);
    return OK;
}

/* --- write --- */

/* Times and set-id bits, unless a kernel with a write-back cache sees to them itself. */
static enum err written(struct fs_call *call, struct inode *inode)
{
    if (call->op->flags & FS_WRITE_CACHED)
        return OK;
    enum err err = perm_data_changed(call, inode);
    inode_touch(call, inode);
    return err;
}

static bool same_size(const struct inode *a, const struct inode *b)
{
    return a->size == b->size && a->chunks == b->chunks;
}

enum err fs_write(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    bool append = op->flags & FS_WRITE_APPEND;
    struct inode inode;
    if (op->value.len > FS_IO_MAX)
        return ERR_INVAL;
    ws_want(call->ws, key_inode(op->ino));
    if (!append)
        data_want(call, op->ino, op->offset, op->value.len);
    enum err err = inode_get(call, op->ino, ERR_STALE, &inode);
    if (err == OK)
        err = data_has(&inode);
    if (err != OK)
        return err;
    uint64_t offset = append && !MUTANT(append_at_offset) ? inode.size : op->offset;
    struct data_source source = {.bytes = op->value, .owner = op->owner};
    if (source.bytes.len && offset >= FS_FILE_MAX)
        return ERR_FBIG;
    if (source.bytes.len > FS_FILE_MAX - offset)
        source.bytes.len = FS_FILE_MAX - offset;
    if (source.bytes.len) {
        struct inode before = inode;
        err = written(call, &inode);
        enum err wrote = data_write(call, &inode, offset, source);
        if (err == OK)
            err = wrote;
        if (err != OK)
            return err;
        if (!(op->flags & FS_WRITE_CACHED) || !same_size(&before, &inode))
            inode_put(call, &inode);
    }
    call->result->length = source.bytes.len;
    call->result->attr = inode_attr(&inode);
    return OK;
}
