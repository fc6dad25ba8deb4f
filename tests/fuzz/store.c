/* SPDX-License-Identifier: MIT
 *
 * store.c: a whole store directory that is hostile: `format`, segments and index of a real store in
 * the simulated world, changed as the input says. Opening it, reading, scrubbing and writing must
 * end, with errors where need be, and nothing may be served that was not written.
 *
 * Input: one byte of options (1: rebuild the index, 2: read only), then edits until it ends: what,
 * which file, a place (4 bytes), a length, and so many bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/store/index_entry.h"
#include "core/store/store.h"
#include "fuzz.h"
#include "sim/sim.h"

#define WAIT_NS   UINT64_C(60000000000)
#define FILES_MAX 16u
#define OBJECTS   12u
#define SEGMENT   65536u

enum edit { EDIT_WRITE, EDIT_FLIP, EDIT_CUT, EDIT_REMOVE, EDIT_ENTRY, EDIT_INDEX, EDIT_COUNT };

struct files {
    char paths[FILES_MAX][64];
    uint64_t sizes[FILES_MAX];
    unsigned count;
};

static struct store_options options_of(uint8_t bits)
{
    struct store_options options = {.path = "/s", .node = 1, .limits = store_limits_default()};

    options.limits.segment_bytes = SEGMENT;
    options.limits.pending_bytes = 4 * SEGMENT;
    options.limits.overlay_bytes = 1u << 20;
    options.limits.replay_bytes = 1u << 20;
    options.limits.spare_segments = 1;
    options.rebuild_index = bits & 1;
    options.read_only = bits & 2;
    return options;
}

static struct object_key small_key(uint32_t i)
{
    return (struct object_key){OBJECT_INODE, 1 + i, 0};
}

static struct object_key block_key(uint32_t i)
{
    return (struct object_key){OBJECT_BLOCK, 1 + i, 0};
}

/* Everything ever written to object i is made of this byte. */
static uint8_t filling(uint32_t i)
{
    return (uint8_t)('a' + i);
}

struct waiting {
    struct store_sync sync;
    struct store_scrub scrub;
    struct store_read read;
    bool done;
};

static bool is_done(void *ctx)
{
    return *(bool *)ctx;
}

static void synced(struct store_sync *sync, enum err err)
{
    (void)err;
    ((struct waiting *)sync)->done = true;
}

static void scrubbed(struct store_scrub *scrub, enum err err)
{
    (void)err;
    ((struct waiting *)((char *)scrub - offsetof(struct waiting, scrub)))->done = true;
}

static void was_read(struct store_read *read)
{
    ((struct waiting *)((char *)read - offsetof(struct waiting, read)))->done = true;
}

static void closed(void *ctx, enum err err)
{
    (void)err;
    *(bool *)ctx = true;
}

static void wait_for(struct sim *sim, bool *done)
{
    INVARIANT(sim_run_until(sim, is_done, done, WAIT_NS)); /* nothing hangs */
}

static void write_objects(struct sim *sim, struct store *store)
{
    struct stamp stamp = store_last_stamp(store);
    uint8_t bytes[3 * CHUNK_SIZE];
    struct waiting w = {.sync.done = synced};

    for (uint32_t i = 0; i < OBJECTS; i++) {
        uint64_t lsn;
        struct write writes[2] = {
            {.action = WRITE_PUT, .key = small_key(i), .value = {bytes, 50 + i}},
            {.action = WRITE_CHUNKS,
             .key = block_key(i),
             .value = {bytes, sizeof bytes - 9 * i},
             .first_chunk = i,
             .chunks = 3}};

        memset(bytes, filling(i), sizeof bytes);
        stamp.time++;
        stamp.node = 1;
        (void)store_commit(store, &(struct write_set){writes, 2}, stamp, false, &lsn);
    }
    store_sync(store, &w.sync);
    wait_for(sim, &w.done);
}

static void close_store(struct sim *sim, struct store *store)
{
    bool done = false;

    store_close(store, closed, &done);
    wait_for(sim, &done);
}

/* A store with a checkpoint, and records behind it: made once. */
static struct sim_disk *base_disk(void)
{
    static struct sim_disk *disk;
    struct store_options options = options_of(0);
    struct store_error error;
    struct store *store;

    if (disk)
        return disk;
    disk = sim_disk_new();
    for (int round = 0; round < 3; round++) {
        struct sim *sim = sim_new((uint64_t)round + 1, disk);
        struct env *env = sim_env(sim);

        if (round == 0) {
            INVARIANT(env->ops->dir_make(env, "/s") == OK);
            INVARIANT(store_format(env, &options, &error) == OK);
        }
        INVARIANT(store_open(env, &options, &store, &error) == OK);
        write_objects(sim, store);
        if (round == 2) {
            sim_stop(env);
            store_abandon(store);
        } else {
            close_store(sim, store);
        }
        sim_free(sim);
    }
    return disk;
}

/* --- edits --- */

static bool note_file(void *ctx, const char *path, uint64_t size)
{
    struct files *files = ctx;

    if (files->count == FILES_MAX)
        return false;
    snprintf(files->paths[files->count], sizeof files->paths[0], "%s", path);
    files->sizes[files->count++] = size;
    return true;
}

static void put_entry(struct env *env, struct bytes data)
{
    uint8_t value[256];
    struct env_index *index;
    struct env_batch *batch;

    if (data.len < INDEX_KEY + 4 || env->ops->index_open(env, "/s/index", &index) != OK)
        return;
    /* with the right checksum: what a hostile hand would write */
    size_t len = data.len - INDEX_KEY;
    memcpy(value, data.data + INDEX_KEY, len);
    uint32_t sum = (uint32_t)checksum64(value, len - 4, checksum64(data.data, INDEX_KEY, 0));
    memcpy(value + len - 4, &sum, 4);
    if (env->ops->batch_begin(index, &batch) == OK) {
        (void)env->ops->batch_put(batch, (struct bytes){data.data, INDEX_KEY},
                                  (struct bytes){value, len});
        (void)env->ops->batch_commit(batch);
    }
    env->ops->index_close(index);
}

static void edit_file(struct env *env, enum edit what, const char *path, uint64_t at,
                      struct bytes data)
{
    struct env_file *file;
    struct env_iov iov = {(void *)(uintptr_t)data.data, data.len};

    if (what == EDIT_REMOVE) {
        (void)env->ops->file_remove(env, path);
        return;
    }
    if (env->ops->file_open(env, path, ENV_WRITE, &file) != OK)
        return;
    if (what == EDIT_CUT)
        (void)env->ops->file_truncate(file, at);
    else if (data.len)
        (void)env->ops->file_write(file, at, &iov, 1);
    env->ops->file_close(file);
}

static void edit(struct sim_disk *disk, struct env *env, struct cursor *in)
{
    struct files files = {.count = 0};
    enum edit what = get_u8(in) % EDIT_COUNT;
    unsigned which = get_u8(in);
    uint64_t at = get_u32(in);
    size_t len = get_u8(in);

    sim_disk_list(disk, note_file, &files);
    if (len > cursor_left(in))
        len = cursor_left(in);
    struct bytes data = {get_bytes(in, len), len};
    if (!files.count)
        return;
    which %= files.count;
    /* half of the places lie where the heads of records are */
    at %= at & 1 ? files.sizes[which] + 1 : 8192;
    if (what == EDIT_ENTRY)
        put_entry(env, data);
    else if (what == EDIT_INDEX)
        (void)sim_disk_damage_index(disk, "/s/index");
    else if (what == EDIT_FLIP)
        (void)sim_disk_flip(disk, files.paths[which], at, (unsigned)len % 8);
    else
        edit_file(env, what, files.paths[which], at, data);
}

/* --- use --- */

static void read_block(struct sim *sim, struct store *store, uint32_t i)
{
    uint8_t bytes[BLOCK_SIZE / 4];
    struct store_range range = {block_key(i), 0, sizeof bytes, bytes};
    struct waiting w = {.read = {.at = STAMP_MAX, .ranges = &range, .count = 1, .done = was_read}};

    if (!store_read(store, &w.read))
        wait_for(sim, &w.done);
    for (size_t at = 0; w.read.err == OK && at < sizeof bytes; at++)
        INVARIANT(bytes[at] == 0 || bytes[at] == filling(i));
}

static bool see(void *ctx, const struct object_key *key, const struct object_version *version)
{
    (void)key;
    INVARIANT(version->value.len <= OBJECT_VALUE_MAX);
    return ++*(unsigned *)ctx < 1000;
}

static void use(struct sim *sim, struct store *store, bool written)
{
    struct waiting w = {.scrub.done = scrubbed};
    unsigned seen = 0;

    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct object_version version;

        (void)store_get(store, small_key(i), STAMP_MAX, &version);
        if (!written)
            read_block(sim, store, i);
        (void)store_scan(store, OBJECT_INODE, 1 + i, 0, UINT64_MAX, STAMP_MAX, see, &seen);
    }
    store_scrub(store, &w.scrub);
    wait_for(sim, &w.done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_over(data, size);
    struct store_options options = options_of(get_u8(&in));
    struct sim_disk *disk = sim_disk_clone(base_disk());
    struct sim *sim = sim_new(1, disk);
    struct env *env = sim_env(sim);
    struct store_error error = {""};
    struct store *store;
    bool entries = false;

    for (unsigned i = 0; i < 32 && cursor_left(&in) >= 7; i++) {
        entries |= in.at[0] % EDIT_COUNT == EDIT_ENTRY;
        edit(disk, env, &in);
    }
    enum err err = store_open(env, &options, &store, &error);
    if (err) {
        INVARIANT(error.text[0] != '\0');
    } else {
        use(sim, store, entries);
        if (!options.read_only)
            write_objects(sim, store);
        use(sim, store, entries);
        close_store(sim, store);
    }
    sim_free(sim);
    sim_disk_free(disk);
    return 0;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    struct cursor c = cursor_over(out, FUZZ_INPUT_MAX);

    if (number >= 6 * EDIT_COUNT)
        return 0;
    put_u8(&c, number % 5 == 4 ? (uint8_t)(number % 3) : 0);
    put_u8(&c, (uint8_t)(number % EDIT_COUNT));
    put_u8(&c, (uint8_t)(number / EDIT_COUNT));
    put_u32(&c, 4096 + number * 31);
    put_u8(&c, 60);
    put_u8(&c, OBJECT_INODE);
    while (c.at < out + 8 + 60)
        put_u8(&c, (uint8_t)(number * 7));
    INVARIANT(!c.bad);
    return (size_t)(c.at - out);
}
