/* SPDX-License-Identifier: MIT
 *
 * data.c: writing, zeroing and cutting the bytes of a file.
 */
#include "core/fs/data.h"

#include <string.h>

#include "core/fs/perm.h"

#define FEW_BLOCKS 16u

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Bits [from, to) of a block's mask. */
static uint32_t mask_between(uint32_t from, uint32_t to)
{
    INVARIANT(from <= to && to <= BLOCK_CHUNKS);
    uint64_t bits = (UINT64_C(1) << to) - (UINT64_C(1) << from);
    return (uint32_t)bits;
}

enum err data_has(const struct inode *inode)
{
    if (inode_is_dir(inode))
        return ERR_ISDIR;
    return inode_is_file(inode) ? OK : ERR_INVAL;
}

void data_want(struct fs_call *call, uint64_t ino, uint64_t offset, uint64_t length)
{
    if (!length || offset >= FS_FILE_MAX)
        return;
    uint64_t last = (offset + length - 1) / BLOCK_SIZE;
    for (uint64_t b = offset / BLOCK_SIZE; b <= last; b++)
        ws_want(call->ws, key_block(ino, b));
}

static enum err blocks_one_by_one(struct fs_call *call, const struct data_range *range,
                                  struct ws_scan *out)
{
    uint64_t count = range->last - range->first + 1;
    struct ws_found *found = arena_alloc(&call->ws->arena, count * sizeof *found);
    enum err err = OK;
    for (uint64_t b = range->first; b <= range->last; b++) {
        struct ws_found *f = &found[out->count];
        f->key = key_block(range->ino, b);
        enum err one = ws_get(call->ws, f->key, &f->version);
        if (one != OK)
            err = one;
        else if (f->version.present)
            out->count++;
    }
    out->found = found;
    return err;
}

enum err data_blocks(struct fs_call *call, const struct data_range *range, struct ws_scan *out)
{
    *out = (struct ws_scan){0};
    if (range->last - range->first < FEW_BLOCKS)
        return blocks_one_by_one(call, range, out);
    return ws_scan(
        call->ws,
        &(struct ws_range){OBJECT_BLOCK, range->ino, range->first, range->last, range->limit}, out);
}

/* True when chunk number `chunk` of the file holds data. Its block was read before. */
static bool chunk_there(struct fs_call *call, uint64_t ino, uint64_t chunk)
{
    struct object_version block;
    enum err err = ws_get(call->ws, key_block(ino, chunk / BLOCK_CHUNKS), &block);
    INVARIANT(err == OK);
    return block.present && (block.chunks >> (chunk % BLOCK_CHUNKS) & 1);
}

/* How many bytes of a chunk lie within the file. */
static uint32_t chunk_valid(const struct inode *inode, uint64_t chunk)
{
    uint64_t start = chunk * CHUNK_SIZE;
    return start >= inode->size ? 0 : (uint32_t)least(inode->size - start, CHUNK_SIZE);
}

static enum err get_chunk(struct fs_call *call, uint64_t ino, uint64_t chunk, const uint8_t **data)
{
    return ws_get_chunk(call->ws, key_block(ino, chunk / BLOCK_CHUNKS),
                        (uint32_t)(chunk % BLOCK_CHUNKS), data);
}

static void put_chunk(struct fs_call *call, uint64_t ino, uint64_t chunk, struct bytes data)
{
    ws_write_chunks_arena(call->ws, key_block(ino, chunk / BLOCK_CHUNKS),
                          (uint32_t)(chunk % BLOCK_CHUNKS), data);
}

/* --- writing --- */

struct writing {
    struct inode *inode;
    struct data_source source;
    uint64_t offset, end;
};

/* True when the end of the write falls inside a chunk whose bytes behind it must survive. */
static bool merges_tail(struct fs_call *call, const struct writing *w)
{
    return w->end % CHUNK_SIZE && w->end < w->inode->size &&
           chunk_there(call, w->inode->ino, w->end / CHUNK_SIZE);
}

static bool merges_head(struct fs_call *call, const struct writing *w)
{
    return w->offset % CHUNK_SIZE && chunk_there(call, w->inode->ino, w->offset / CHUNK_SIZE);
}

/* Reads the old chunks that the edges of a write are merged with, both at once. */
static enum err fetch_edges(struct fs_call *call, const struct writing *w)
{
    const uint8_t *old;
    enum err err = OK, tail = OK;
    if (merges_head(call, w))
        err = get_chunk(call, w->inode->ino, w->offset / CHUNK_SIZE, &old);
    if (merges_tail(call, w)) {
        if (w->offset % CHUNK_SIZE)
            MARK(write_over_edges);
        tail = get_chunk(call, w->inode->ino, w->end / CHUNK_SIZE, &old);
    }
    return err != OK ? err : tail;
}

/* Writes the part of a write that lies in one chunk, together with what the chunk held. */
static void write_merged(struct fs_call *call, const struct writing *w, uint64_t at, uint64_t to)
{
    uint64_t ino = w->inode->ino, chunk = at / CHUNK_SIZE;
    uint32_t in = (uint32_t)(at % CHUNK_SIZE), len = in + (uint32_t)(to - at);
    uint8_t *buf = arena_alloc(&call->ws->arena, CHUNK_SIZE);
    uint32_t valid = 0;
    if (chunk_there(call, ino, chunk)) {
        const uint8_t *old;
        enum err err = get_chunk(call, ino, chunk, &old);
        INVARIANT(err == OK);
        valid = chunk_valid(w->inode, chunk);
        memcpy(buf, old, valid);
    } else {
        MARK(write_into_hole);
        w->inode->chunks++;
    }
    if (valid < in)
        memset(buf + valid, 0, in - valid);
    memcpy(buf + in, w->source.bytes.data + (at - w->offset), to - at);
    if (MUTANT(write_cuts_chunk))
        valid = 0;
    put_chunk(call, ino, chunk, (struct bytes){buf, len > valid ? len : valid});
}

/* Writes whole chunks of one block; the last may be short when nothing lies behind it. */
static void write_run(struct fs_call *call, const struct writing *w, uint64_t at, uint64_t to)
{
    struct object_key key = key_block(w->inode->ino, at / BLOCK_SIZE);
    uint32_t first = (uint32_t)(at % BLOCK_SIZE / CHUNK_SIZE);
    uint32_t count = (uint32_t)((to - at + CHUNK_SIZE - 1) / CHUNK_SIZE);
    struct bytes data = {w->source.bytes.data + (at - w->offset), to - at};
    struct object_version block;
    enum err err = ws_get(call->ws, key, &block);
    INVARIANT(err == OK);
    uint32_t had = block.present ? block.chunks : 0;
    w->inode->chunks += ws_count_chunks(mask_between(first, first + count) & ~had);
    if (w->source.in_arena)
        ws_write_chunks_arena(call->ws, key, first, data);
    else
        ws_write_chunks(call->ws, key, first, data, w->source.owner);
}

enum err data_write(struct fs_call *call, struct inode *inode, uint64_t offset,
                    struct data_source source)
{
    struct writing w = {inode, source, offset, offset + source.bytes.len};
    INVARIANT(source.bytes.len > 0 && source.bytes.len <= FS_IO_MAX && w.end <= FS_FILE_MAX);
    struct data_range range = {inode->ino, offset / BLOCK_SIZE, (w.end - 1) / BLOCK_SIZE, 0};
    struct ws_scan blocks;
    STATIC_ASSERT(FS_IO_MAX / BLOCK_SIZE + 1 < FEW_BLOCKS, "the blocks of a write are few");
    enum err err = data_blocks(call, &range, &blocks);
    if (err == OK)
        err = fetch_edges(call, &w);
    if (err != OK)
        return err;
    uint64_t stop = merges_tail(call, &w) ? w.end - w.end % CHUNK_SIZE : w.end;
    for (uint64_t at = offset, to; at < w.end; at = to) {
        uint64_t chunk_end = (at / CHUNK_SIZE + 1) * CHUNK_SIZE;
        uint64_t block_end = (at / BLOCK_SIZE + 1) * BLOCK_SIZE;
        if (at % CHUNK_SIZE || at >= stop) {
            to = least(chunk_end, w.end);
            write_merged(call, &w, at, to);
        } else {
            to = least(block_end, stop);
            write_run(call, &w, at, to);
        }
    }
    if (w.end > inode->size)
        inode->size = w.end;
    return OK;
}

/* --- zeroing --- */

struct zeroing {
    struct inode *inode;
    uint64_t from, to;
};

/* Reads the chunks that the range covers in part, both at once. */
static enum err fetch_zero_edges(struct fs_call *call, const struct zeroing *z)
{
    uint64_t head = z->from / CHUNK_SIZE, tail = z->to / CHUNK_SIZE;
    const uint8_t *old;
    enum err err = OK, other = OK;
    if (z->from % CHUNK_SIZE && chunk_there(call, z->inode->ino, head))
        err = get_chunk(call, z->inode->ino, head, &old);
    if (z->to % CHUNK_SIZE && chunk_there(call, z->inode->ino, tail))
        other = get_chunk(call, z->inode->ino, tail, &old);
    return err != OK ? err : other;
}

/* Zeros the range's part of a chunk that it covers in part. */
static void zero_part(struct fs_call *call, const struct zeroing *z, uint64_t chunk)
{
    if (!chunk_there(call, z->inode->ino, chunk))
        return;
    uint64_t start = chunk * CHUNK_SIZE;
    uint32_t from = z->from > start ? (uint32_t)(z->from - start) : 0;
    uint32_t to = (uint32_t)least(z->to - start, CHUNK_SIZE);
    uint32_t valid = chunk_valid(z->inode, chunk);
    const uint8_t *old;
    enum err err = get_chunk(call, z->inode->ino, chunk, &old);
    INVARIANT(err == OK);
    if (!fs_expect(call, from < valid)) /* I3: nothing lies wholly beyond the end */
        return;
    uint32_t len = to >= valid ? from : valid;
    INVARIANT(len > 0);
    uint8_t *buf = arena_copy(&call->ws->arena, old, len);
    if (to < len)
        memset(buf + from, 0, to - from);
    put_chunk(call, z->inode->ino, chunk, (struct bytes){buf, len});
}

/* Makes the chunks of one block that the range covers wholly into holes. */
static void punch_block(struct fs_call *call, const struct zeroing *z, const struct ws_found *block)
{
    uint64_t base = block->key.sub * BLOCK_CHUNKS;
    uint64_t first = (z->from + CHUNK_SIZE - 1) / CHUNK_SIZE, end = z->to / CHUNK_SIZE;
    uint32_t a = first > base ? (uint32_t)least(first - base, BLOCK_CHUNKS) : 0;
    uint32_t b = end > base ? (uint32_t)least(end - base, BLOCK_CHUNKS) : 0;
    if (a >= b)
        return;
    if (MUTANT(punch_too_much) && b < BLOCK_CHUNKS)
        b++;
    uint32_t gone = block->version.chunks & mask_between(a, b);
    if (!gone)
        return;
    if (!fs_expect(call, z->inode->chunks >= ws_count_chunks(gone))) /* I3 */
        return;
    z->inode->chunks -= ws_count_chunks(gone);
    if (gone == block->version.chunks) {
        MARK(zero_whole_block);
        ws_delete(call->ws, block->key);
    } else {
        ws_punch(call->ws, block->key, a, b - a);
    }
}

static enum err zero_edges(struct fs_call *call, const struct zeroing *z)
{
    uint64_t head = z->from / CHUNK_SIZE, tail = z->to / CHUNK_SIZE;
    struct object_version version;
    ws_want(call->ws, key_block(z->inode->ino, head / BLOCK_CHUNKS));
    enum err err = ws_get(call->ws, key_block(z->inode->ino, tail / BLOCK_CHUNKS), &version);
    if (err == OK)
        err = ws_get(call->ws, key_block(z->inode->ino, head / BLOCK_CHUNKS), &version);
    if (err == OK)
        err = fetch_zero_edges(call, z);
    if (err != OK)
        return err;
    if (z->from % CHUNK_SIZE && z->to % CHUNK_SIZE && head == tail)
        MARK(zero_inside_chunk);
    if (z->from % CHUNK_SIZE)
        zero_part(call, z, head);
    if (z->to % CHUNK_SIZE && (tail != head || !(z->from % CHUNK_SIZE)))
        zero_part(call, z, tail);
    return OK;
}

enum err data_zero(struct fs_call *call, struct inode *inode, uint64_t from, uint64_t to)
{
    INVARIANT(from <= to);
    if (from >= inode->size || from == to || !inode->chunks)
        return OK;
    /* behind the end there are zeros anyway: then the last chunk can go as a whole */
    if (to >= inode->size)
        to = (inode->size + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE;
    struct zeroing z = {inode, from, to};
    struct data_range range = {inode->ino, from / BLOCK_SIZE, (to - 1) / BLOCK_SIZE, FS_TRIM_MAX};
    struct ws_scan blocks;
    enum err err = data_blocks(call, &range, &blocks);
    if (err == OK || err == ERR_NEED) {
        enum err edges = zero_edges(call, &z);
        if (err == OK)
            err = edges;
    }
    if (err != OK)
        return err;
    for (uint32_t i = 0; i < blocks.count; i++)
        punch_block(call, &z, &blocks.found[i]);
    call->result->again |= blocks.more;
    return OK;
}

/* --- cutting --- */

/* Finds the blocks to remove: all in [first, last] when they are few enough, otherwise those from
 * some *from on: as wide a window at the end of the file as the limit allows, so that a sparse file
 * takes few steps too. */
static enum err blocks_to_cut(struct fs_call *call, const struct data_range *all, uint64_t *from,
                              struct ws_scan *out)
{
    enum err err = data_blocks(call, all, out);
    *from = all->first;
    if (err != OK || !out->more)
        return err;
    uint64_t width = all->limit;
    struct data_range part = *all;
    part.first = all->last - width + 1;
    err = data_blocks(call, &part, out);
    if (err != OK)
        return err;
    out->more = false;
    for (*from = part.first; out->count < all->limit / 16 && *from > all->first;) {
        struct ws_scan wider;
        width *= 16;
        part.first = width < all->last - all->first ? all->last - width + 1 : all->first;
        err = data_blocks(call, &part, &wider);
        if (err != OK || wider.more)
            return err;
        *out = wider;
        *from = part.first;
    }
    return OK;
}

/* Keeps the first `keep` bytes of a block (0: none). The chunk in which they end was read before.
 */
static enum err cut_block(struct fs_call *call, struct inode *inode, const struct ws_found *block,
                          uint64_t keep)
{
    uint32_t kept = (uint32_t)((keep + CHUNK_SIZE - 1) / CHUNK_SIZE);
    uint32_t gone = block->version.chunks & mask_between(kept, BLOCK_CHUNKS);
    uint32_t tail = (uint32_t)(keep % CHUNK_SIZE);
    if (tail && (block->version.chunks >> (kept - 1) & 1) && !MUTANT(truncate_keeps_tail)) {
        MARK(truncate_inside_chunk);
        const uint8_t *old;
        enum err err = ws_get_chunk(call->ws, block->key, kept - 1, &old);
        if (err != OK)
            return err;
        ws_write_chunks(call->ws, block->key, kept - 1, (struct bytes){old, tail}, NULL);
    }
    if (!fs_expect(call, inode->chunks >= ws_count_chunks(gone))) /* I3 */
        return ERR_CORRUPT;
    inode->chunks -= ws_count_chunks(gone);
    if (gone == block->version.chunks)
        ws_delete(call->ws, block->key);
    else if (gone)
        ws_punch(call->ws, block->key, kept, BLOCK_CHUNKS - kept);
    return OK;
}

enum err data_cut(struct fs_call *call, struct inode *inode, uint64_t size)
{
    INVARIANT(size <= inode->size);
    if (inode->chunks && size < inode->size) {
        struct data_range all = {inode->ino, size / BLOCK_SIZE, (inode->size - 1) / BLOCK_SIZE,
                                 FS_TRIM_MAX};
        struct ws_scan blocks;
        uint64_t from;
        enum err err = blocks_to_cut(call, &all, &from, &blocks);
        if (err == OK && from > all.first) {
            call->result->again = true;
            size = from * BLOCK_SIZE;
        }
        for (uint32_t i = 0; err == OK && i < blocks.count; i++) {
            uint64_t start = blocks.found[i].key.sub * BLOCK_SIZE;
            err = cut_block(call, inode, &blocks.found[i], size > start ? size - start : 0);
        }
        if (err != OK)
            return err;
    }
    inode->size = size;
    return OK;
}

enum err data_resize(struct fs_call *call, struct inode *inode, uint64_t size)
{
    if (size > FS_FILE_MAX)
        return ERR_FBIG;
    enum err err = perm_data_changed(call, inode);
    if (err == OK && size < inode->size)
        err = data_cut(call, inode, size);
    else if (err == OK)
        inode->size = size;
    inode_touch(call, inode);
    return err;
}
