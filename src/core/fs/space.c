/* SPDX-License-Identifier: MIT
 *
 * space.c: where a file has bytes: fallocate, seek, copy.
 */
#include <string.h>

#include "core/fs/data.h"
#include "core/fs/perm.h"

/* Linux's numbers for fallocate and lseek, which operations carry unchanged. */
#define ALLOC_KEEP_SIZE  1u
#define ALLOC_PUNCH_HOLE 2u
#define ALLOC_ZERO_RANGE 16u
#define SEEK_TO_DATA     3u
#define SEEK_TO_HOLE     4u

#define SCAN_DATA 4u /* the next blocks after a hole: the first or second has data */
#define SCAN_HOLE 4096u

/* --- fallocate --- */

static enum err allocate_mode(uint32_t flags)
{
    switch (flags) {
    case 0:
    case ALLOC_KEEP_SIZE:
    case ALLOC_PUNCH_HOLE | ALLOC_KEEP_SIZE:
    case ALLOC_ZERO_RANGE:
    case ALLOC_ZERO_RANGE | ALLOC_KEEP_SIZE:
        return OK;
    default:
        return ERR_NOTSUP;
    }
}

enum err fs_fallocate(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode inode;
    enum err err = inode_get(call, op->ino, ERR_STALE, &inode);
    if (err == OK)
        err = data_has(&inode);
    if (err == OK)
        err = allocate_mode(op->flags);
    if (err != OK)
        return err;
    if (op->length == 0)
        return ERR_INVAL;
    if (op->offset > FS_FILE_MAX || op->length > FS_FILE_MAX - op->offset)
        return ERR_FBIG;
    uint64_t end = op->offset + op->length;
    err = perm_data_changed(call, &inode);
    if (op->flags & (ALLOC_PUNCH_HOLE | ALLOC_ZERO_RANGE)) {
        enum err zero = data_zero(call, &inode, op->offset, end);
        if (err == OK)
            err = zero;
    }
    if (err != OK)
        return err;
    if (!(op->flags & ALLOC_KEEP_SIZE) && end > inode.size)
        inode.size = end;
    inode_touch(call, &inode);
    inode_put(call, &inode);
    call->result->attr = inode_attr(&inode);
    return OK;
}

/* --- seek --- */

/* The first chunk at or after `chunk` of the file that holds data; `none` when there is none. */
static enum err next_data(struct fs_call *call, uint64_t chunk, uint64_t none, uint64_t *out)
{
    uint64_t last = none / BLOCK_CHUNKS;
    for (uint64_t at = chunk / BLOCK_CHUNKS; at <= last;) {
        struct ws_scan scan;
        enum err err = ws_scan(
            call->ws, &(struct ws_range){OBJECT_BLOCK, call->op->ino, at, last, SCAN_DATA}, &scan);
        if (err != OK)
            return err;
        for (uint32_t i = 0; i < scan.count; i++) {
            uint64_t base = scan.found[i].key.sub * BLOCK_CHUNKS;
            uint32_t mask = scan.found[i].version.chunks;
            if (chunk > base)
                mask &= UINT32_MAX << (chunk - base);
            if (mask) {
                *out = base + (uint32_t)__builtin_ctz(mask);
                return OK;
            }
        }
        if (!scan.more || !scan.count)
            break;
        at = scan.found[scan.count - 1].key.sub + 1;
    }
    *out = none;
    return OK;
}

/* The first chunk at or after `chunk` that holds none. */
static enum err next_hole(struct fs_call *call, uint64_t chunk, uint64_t none, uint64_t *out)
{
    uint64_t last = none / BLOCK_CHUNKS;
    *out = chunk;
    while (*out < none) {
        struct ws_scan scan;
        uint64_t at = *out / BLOCK_CHUNKS;
        enum err err = ws_scan(
            call->ws, &(struct ws_range){OBJECT_BLOCK, call->op->ino, at, last, SCAN_HOLE}, &scan);
        if (err != OK)
            return err;
        for (uint32_t i = 0; i < scan.count; i++, at++) {
            if (scan.found[i].key.sub != at)
                return OK;
            uint32_t holes = ~scan.found[i].version.chunks;
            holes &= UINT32_MAX << (*out - at * BLOCK_CHUNKS);
            if (holes) {
                *out = at * BLOCK_CHUNKS + (uint32_t)__builtin_ctz(holes);
                return OK;
            }
            *out = (at + 1) * BLOCK_CHUNKS;
        }
        if (!scan.more || !scan.count)
            return OK;
    }
    return OK;
}

enum err fs_seek(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode inode;
    enum err err = inode_get(call, op->ino, ERR_STALE, &inode);
    if (err == OK)
        err = data_has(&inode);
    if (err != OK)
        return err;
    if (op->flags != SEEK_TO_DATA && op->flags != SEEK_TO_HOLE)
        return ERR_INVAL;
    if (op->offset >= inode.size)
        return ERR_NXIO;
    uint64_t none = (inode.size + CHUNK_SIZE - 1) / CHUNK_SIZE, found = none;
    bool data = op->flags == SEEK_TO_DATA;
    if (data && inode.chunks)
        err = next_data(call, op->offset / CHUNK_SIZE, none, &found);
    else if (!data)
        err = next_hole(call, op->offset / CHUNK_SIZE, none, &found);
    if (err != OK)
        return err;
    if (data && found >= none)
        return ERR_NXIO;
    uint64_t offset = found * CHUNK_SIZE;
    if (offset < op->offset)
        offset = op->offset;
    call->result->offset = offset < inode.size ? offset : inode.size;
    return OK;
}

/* --- copy --- */

struct copying {
    struct inode *from, *to;
    uint64_t at, into, length;
};

/* Reads the source's chunks, all at once. */
static enum err fetch_source(struct fs_call *call, const struct copying *c)
{
    enum err err = OK;
    uint64_t last = (c->at + c->length - 1) / CHUNK_SIZE;
    for (uint64_t chunk = c->at / CHUNK_SIZE; chunk <= last; chunk++) {
        const uint8_t *data;
        enum err one = ws_get_chunk(call->ws, key_block(c->from->ino, chunk / BLOCK_CHUNKS),
                                    (uint32_t)(chunk % BLOCK_CHUNKS), &data);
        if (one != OK)
            err = one;
    }
    return err;
}

static void gather_bytes(struct fs_call *call, uint64_t ino, uint64_t at, struct bytes into)
{
    uint8_t *out = (uint8_t *)(uintptr_t)into.data;
    for (size_t done = 0; done < into.len;) {
        uint64_t chunk = (at + done) / CHUNK_SIZE;
        uint32_t in = (uint32_t)((at + done) % CHUNK_SIZE);
        size_t n = CHUNK_SIZE - in < into.len - done ? CHUNK_SIZE - in : into.len - done;
        const uint8_t *data;
        enum err err = ws_get_chunk(call->ws, key_block(ino, chunk / BLOCK_CHUNKS),
                                    (uint32_t)(chunk % BLOCK_CHUNKS), &data);
        INVARIANT(err == OK);
        memcpy(out + done, data + in, n);
        done += n;
    }
}

static enum err copy_data(struct fs_call *call, const struct copying *c, uint64_t at, uint64_t to)
{
    size_t len = (size_t)(to - at);
    struct bytes bytes = {arena_alloc(&call->ws->arena, len), len};
    gather_bytes(call, c->from->ino, at, bytes);
    struct data_source source = {.bytes = bytes, .in_arena = true};
    return data_write(call, c->to, c->into + (at - c->at), source);
}

static enum err copy_hole(struct fs_call *call, const struct copying *c, uint64_t at, uint64_t to)
{
    MARK(copy_hole);
    uint64_t into = c->into + (at - c->at), end = into + (to - at);
    enum err err = data_zero(call, c->to, into, end);
    if (err == OK && end > c->to->size)
        c->to->size = end;
    return err;
}

/* Where the run that starts at `at` ends, and whether it is a hole. Runs matter only when both
 * files' chunks lie alike. */
static enum err run_end(struct fs_call *call, const struct copying *c, uint64_t at, uint64_t *to,
                        bool *hole)
{
    uint64_t end = c->at + c->length;
    *to = end;
    *hole = false;
    if (c->at % CHUNK_SIZE != c->into % CHUNK_SIZE) {
        MARK(copy_apart);
        return OK;
    }
    for (uint64_t next = at; next < end; next = (next / CHUNK_SIZE + 1) * CHUNK_SIZE) {
        struct object_version block;
        enum err err = ws_get(call->ws, key_block(c->from->ino, next / BLOCK_SIZE), &block);
        if (err != OK)
            return err;
        bool none = !block.present || !(block.chunks >> (next % BLOCK_SIZE / CHUNK_SIZE) & 1);
        if (next == at) {
            *hole = none;
        } else if (none != *hole) {
            *to = next;
            return OK;
        }
    }
    return OK;
}

static enum err copy_runs(struct fs_call *call, const struct copying *c)
{
    enum err err = fetch_source(call, c);
    for (uint64_t at = c->at, to = 0; err == OK && at < c->at + c->length; at = to) {
        bool hole;
        err = run_end(call, c, at, &to, &hole);
        if (err == OK)
            err = hole ? copy_hole(call, c, at, to) : copy_data(call, c, at, to);
    }
    return err;
}

/* Loads both inodes; one and the same struct when they are the same file. */
static enum err open_copy(struct fs_call *call, struct copying *c, struct inode files[2])
{
    const struct fs_op *op = call->op;
    c->from = &files[0];
    c->to = op->ino == op->ino2 ? &files[0] : &files[1];
    ws_want(call->ws, key_inode(op->ino2));
    data_want(call, op->ino, op->offset, c->length);
    data_want(call, op->ino2, op->offset2, c->length);
    enum err err = inode_get(call, op->ino, ERR_STALE, c->from);
    if (err == OK && c->to != c->from)
        err = inode_get(call, op->ino2, ERR_STALE, c->to);
    if (err == OK)
        err = data_has(c->from);
    return err == OK ? data_has(c->to) : err;
}

enum err fs_copy(struct fs_call *call)
{
    const struct fs_op *op = call->op;
    struct inode files[2];
    struct copying c = {.at = op->offset, .into = op->offset2};
    c.length = op->length < FS_COPY_MAX ? op->length : FS_COPY_MAX;
    STATIC_ASSERT(FS_COPY_MAX <= FS_IO_MAX, "a copy is one write");
    enum err err = open_copy(call, &c, files);
    if (err != OK)
        return err;
    uint64_t left = c.at < c.from->size ? c.from->size - c.at : 0;
    if (c.length > left)
        c.length = left;
    uint64_t apart = c.at > c.into ? c.at - c.into : c.into - c.at;
    if (c.to == c.from && apart < c.length)
        return ERR_INVAL;
    if (c.length && (c.into >= FS_FILE_MAX || c.length > FS_FILE_MAX - c.into))
        return ERR_FBIG;
    if (c.length) {
        err = copy_runs(call, &c);
        if (err == OK)
            err = perm_data_changed(call, c.to);
        if (err != OK)
            return err;
        inode_touch(call, c.to);
        inode_put(call, c.to);
    }
    call->result->length = c.length;
    call->result->attr = inode_attr(c.from);
    call->result->attr2 = inode_attr(c.to);
    return OK;
}
