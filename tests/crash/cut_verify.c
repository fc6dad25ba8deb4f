/* SPDX-License-Identifier: MIT
 *
 * cut_verify.c: reads everything that a store holds, and finds the prefix that it equals.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/fs/check.h"
#include "cut_world.h"

#define WAIT_NS  UINT64_C(60000000000)
#define JOBS_NS  UINT64_C(30000000) /* more than two jobs take in the simulated world */
#define INOS_TOO 8u                 /* inode numbers looked at beyond the last one used */

/* --- reading everything --- */

struct found_block {
    struct object_key key;
    uint32_t chunks;
};

struct reading {
    struct cut_world *w;
    struct recovered *out;
    struct fs_check check;
    struct fs_volume volume;
    struct found_block *blocks;
    size_t count, room;
};

static void on_problem(void *ctx, const char *sentence)
{
    struct reading *reading = ctx;
    (void)reading;
    cut_fail("the structural check of what was recovered: %s", sentence);
}

static bool on_object(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct reading *reading = ctx;
    fs_check_object(&reading->check, key, version);
    reading->w->figures->checked_objects++;
    if (!object_kind_is_block(key->kind)) {
        reading->out->digest += digest_value(key, version->value);
        return true;
    }
    if (reading->count == reading->room) {
        reading->room = reading->room ? reading->room * 2 : 256;
        reading->blocks = realloc(reading->blocks, reading->room * sizeof *reading->blocks);
        INVARIANT(reading->blocks != NULL);
    }
    reading->blocks[reading->count++] = (struct found_block){*key, version->chunks};
    return true;
}

struct block_read {
    struct store_read read;
    struct cut_world *w;
    bool over;
};

static void block_over(struct store_read *read)
{
    ((struct block_read *)read)->over = true;
}

static bool block_settled(void *ctx)
{
    const struct block_read *block = ctx;
    return block->over || sim_crashed(block->w->env);
}

static void digest_block(struct reading *reading, const struct found_block *block,
                         const uint8_t *data)
{
    static const uint8_t zeros[CHUNK_SIZE];
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++) {
        const uint8_t *chunk = data + (size_t)i * CHUNK_SIZE;
        if (block->chunks >> i & 1)
            reading->out->digest += digest_chunk(&block->key, i, chunk);
        else if (memcmp(chunk, zeros, CHUNK_SIZE) != 0)
            cut_fail("a hole in block %" PRIu64 "/%" PRIu64 " has data", block->key.ino,
                     block->key.sub);
    }
}

static bool read_block(struct reading *reading, const struct found_block *block)
{
    static uint8_t data[BLOCK_SIZE];
    struct cut_world *w = reading->w;
    struct store_range range = {block->key, 0, BLOCK_SIZE, data};
    struct block_read read = {
        .read = {.at = STAMP_MAX, .ranges = &range, .count = 1, .done = block_over}, .w = w};
    if (!store_read(w->store, &read.read) && !sim_run_until(w->sim, block_settled, &read, WAIT_NS))
        cut_fail("a read after recovery was never answered");
    if (sim_crashed(w->env))
        return false;
    if (read.read.err)
        cut_fail("block %" PRIu64 "/%" PRIu64 " cannot be read after recovery: %s", block->key.ino,
                 block->key.sub, err_name(read.read.err));
    digest_block(reading, block, data);
    return true;
}

static void scan(struct reading *reading, uint8_t kind, uint64_t ino)
{
    enum err err =
        store_scan(reading->w->store, kind, ino, 0, UINT64_MAX, STAMP_MAX, on_object, reading);
    if (err && !sim_crashed(reading->w->env))
        cut_fail("the objects of inode %" PRIu64 " cannot be read: %s", ino, err_name(err));
}

bool cut_read_all(struct cut_world *w, struct recovered *out)
{
    struct reading reading = {.w = w, .out = out, .volume.salt = store_identity(w->store)->salt};
    uint64_t last = store_last_ino(w->store) + INOS_TOO;
    bool alive = true;
    *out = (struct recovered){0};
    sim_again_per_mille(w->env, 20);
    fs_check_begin(&reading.check, &reading.volume, on_problem, &reading);
    for (uint8_t kind = 1; kind < OBJECT_KIND_COUNT; kind++)
        for (uint64_t ino = 0; ino <= last; ino++)
            scan(&reading, kind, ino);
    if (reading.check.inodes)
        fs_check_end(&reading.check);
    else
        arena_free(&reading.check.arena); /* cut before the root was durable */
    out->orphans = reading.check.orphans;
    for (size_t i = 0; i < reading.count && alive; i++)
        alive = read_block(&reading, &reading.blocks[i]);
    free(reading.blocks);
    sim_again_per_mille(w->env, 100);
    return alive && !sim_crashed(w->env);
}

/* --- prefixes --- */

static void replay(struct cut_world *w, uint32_t i)
{
    char text[256];
    struct done_op *done = &w->done[i];
    enum err err = model_apply(&w->model, &done->op);
    if (err)
        cut_fail("operation %" PRIu32 " succeeded in the volume, but not in memory: %s: %s", i,
                 fs_op_print(&done->op, text, sizeof text), err_name(err));
    if (w->model.result.again)
        cut_fail("operation %" PRIu32 " takes several steps, which this test does not follow", i);
}

static void forget_done(struct cut_world *w)
{
    for (uint32_t i = 0; i < w->done_count; i++)
        if (w->done[i].payload)
            shared_unref(&w->done[i].payload->shared);
    w->done_count = w->acked = 0;
}

void cut_catch_up(struct cut_world *w)
{
    for (uint32_t i = 0; i < w->done_count; i++)
        replay(w, i);
    forget_done(w);
}

/* The number of operations that have to be there. */
static uint32_t must_have(const struct cut_world *w)
{
    uint32_t least = w->acked;
    uint64_t age = w->options.limits.unsynced_ns + JOBS_NS;
    while (least < w->done_count && w->done[least].at + age < w->died_at)
        least++;
    return least;
}

void cut_match(struct cut_world *w, const struct recovered *found)
{
    uint32_t least = must_have(w), count = w->done_count, earlier = UINT32_MAX, i = 0;
    char text[256] = "nothing";
    for (;; i++) {
        bool equal = w->model.digest == found->digest;
        if (equal && i >= least)
            break;
        earlier = equal ? i : earlier;
        if (i == count)
            break;
        replay(w, i);
    }
    if (w->model.digest != found->digest && earlier != UINT32_MAX)
        cut_fail("only the first %" PRIu32 " of %" PRIu32 " operations were recovered; %" PRIu32
                 " were acknowledged, %" PRIu32 " had to be durable; the first one lost: %s",
                 earlier, count, w->acked, least,
                 fs_op_print(&w->done[earlier].op, text, sizeof text));
    if (w->model.digest != found->digest)
        cut_fail("what was recovered is no prefix of the %" PRIu32 " operations (%" PRIu32
                 " acknowledged); the last one: %s",
                 count, w->acked,
                 count ? fs_op_print(&w->done[count - 1].op, text, sizeof text) : text);
    w->figures->lost += count - i;
    w->trace = checksum64(&found->digest, sizeof found->digest, w->trace + i);
    forget_done(w);
}
