/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/assert.h"

#define WAIT_NS UINT64_C(60000000000)

static uint64_t mix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t world_random(struct world *w)
{
    return mix(&w->chance);
}

static void generate(uint64_t seed, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = mix(&seed);
        memcpy(out + i, &v, len - i < 8 ? len - i : 8);
    }
}

struct object_key world_small(uint32_t i)
{
    return i % 2 ? (struct object_key){OBJECT_INODE, 1 + i, 0}
                 : (struct object_key){OBJECT_DIRENT, 1, 64 + 8 * i};
}

struct object_key world_block(uint32_t i)
{
    return (struct object_key){OBJECT_BLOCK, 100 + i / 2, i % 2};
}

static void keep_line(void *ctx, const char *line)
{
    struct world *w = ctx;
    snprintf(w->log, sizeof w->log, "%s", line);
}

static void new_sim(struct world *w)
{
    w->sim = sim_new(world_random(w), w->disk);
    w->env = sim_env(w->sim);
    sim_log_to(w->env, keep_line, w);
}

void world_new(struct world *w, uint64_t seed)
{
    *w = (struct world){.chance = seed, .disk = sim_disk_new()};
    w->history = calloc(HISTORY, sizeof *w->history);
    assert_non_null(w->history);
    w->options =
        (struct store_options){.path = "/store", .node = 1, .limits = store_limits_default()};
    w->options.limits.segment_bytes = 256u << 10;
    w->options.limits.pending_bytes = 512u << 10;
    w->options.limits.overlay_bytes = 24u << 10;
    w->options.limits.replay_bytes = 1u << 20;
    w->options.limits.unsynced_ns = 5000000;
    w->options.limits.spare_segments = 2;
    new_sim(w);
    struct store_error error = {""};
    assert_int_equal(w->env->ops->dir_make(w->env, "/store"), OK);
    assert_int_equal(w->env->ops->dir_sync(w->env, "/"), OK);
    assert_int_equal(store_format(w->env, &w->options, &error), OK);
    sim_free(w->sim);
    w->sim = NULL;
}

void world_free(struct world *w)
{
    if (w->sim)
        world_die(w, false);
    sim_disk_free(w->disk);
    free(w->history);
}

enum err world_open(struct world *w, struct store_error *error)
{
    new_sim(w);
    enum err err = store_open(w->env, &w->options, &w->store, error);
    if (err) {
        sim_free(w->sim);
        w->sim = NULL;
        w->store = NULL;
        return err;
    }
    hlc_observe(&w->clock, store_last_stamp(w->store));
    return OK;
}

void world_die(struct world *w, bool crash)
{
    if (!sim_crashed(w->env)) {
        if (crash)
            sim_crash(w->env);
        else
            sim_stop(w->env);
    }
    if (w->store)
        store_abandon(w->store);
    sim_free(w->sim);
    w->store = NULL;
    w->sim = NULL;
}

struct closing {
    bool over;
    enum err err;
};

static void closed(void *ctx, enum err err)
{
    struct closing *closing = ctx;
    closing->over = true;
    closing->err = err;
}

static bool is_set(void *flag)
{
    return *(bool *)flag;
}

enum err world_close(struct world *w)
{
    struct closing closing = {false, OK};
    store_close(w->store, closed, &closing);
    if (!sim_run_until(w->sim, is_set, &closing.over, WAIT_NS))
        fail_msg("the store did not close");
    w->store = NULL;
    world_die(w, false);
    return closing.err;
}

/* --- commits --- */

struct owned {
    struct shared shared;
    uint8_t data[];
};

static void owned_release(struct shared *shared)
{
    free(shared);
}

struct change {
    struct write writes[8];
    struct shared *owners[8];
    uint32_t count;
    struct model model;
    uint8_t values[8][SMALL_MAX];
};

static void change_small(struct world *w, struct change *change, uint32_t i)
{
    struct write *write = &change->writes[change->count];
    *write = (struct write){.action = world_random(w) % 4 ? WRITE_PUT : WRITE_DELETE,
                            .key = world_small(i)};
    change->model.small[i].present = write->action == WRITE_PUT;
    if (write->action == WRITE_PUT) {
        uint64_t seed = world_random(w);
        uint32_t len = (uint32_t)(world_random(w) % SMALL_MAX);
        change->model.small[i].seed = seed;
        change->model.small[i].len = len;
        generate(seed, change->values[change->count], len);
        write->value = (struct bytes){change->values[change->count], len};
    }
    change->count++;
}

static void put_chunks(struct world *w, struct change *change, uint32_t i, struct write *write)
{
    uint32_t first = (uint32_t)(world_random(w) % BLOCK_CHUNKS);
    uint32_t most = world_random(w) % 4 ? 2 : BLOCK_CHUNKS - first;
    uint32_t n = 1 + (uint32_t)(world_random(w) % most);
    n = n > BLOCK_CHUNKS - first ? BLOCK_CHUNKS - first : n;
    uint32_t tail = 1 + (uint32_t)(world_random(w) % CHUNK_SIZE), len = (n - 1) * CHUNK_SIZE + tail;
    struct owned *owned = malloc(sizeof *owned + len);
    assert_non_null(owned);
    owned->shared = (struct shared){1, owned_release};
    for (uint32_t c = 0; c < n; c++) {
        uint64_t seed = world_random(w) | 1;
        uint32_t clen = c + 1 == n ? tail : CHUNK_SIZE;
        generate(seed, owned->data + c * CHUNK_SIZE, clen);
        change->model.chunk[i][first + c].seed = seed;
        change->model.chunk[i][first + c].len = clen;
    }
    *write = (struct write){WRITE_CHUNKS, write->key, {owned->data, len}, first, n, &owned->shared};
    change->owners[change->count] = &owned->shared;
}

static void change_block(struct world *w, struct change *change, uint32_t i)
{
    struct write *write = &change->writes[change->count];
    uint64_t kind = world_random(w) % 8;
    write->key = world_block(i);
    if (kind >= 2) {
        put_chunks(w, change, i, write);
    } else {
        bool whole = kind == 0;
        uint32_t first = whole ? 0 : (uint32_t)(world_random(w) % BLOCK_CHUNKS);
        uint32_t n =
            whole ? BLOCK_CHUNKS : 1 + (uint32_t)(world_random(w) % (BLOCK_CHUNKS - first));
        write->action = whole ? WRITE_DELETE : WRITE_PUNCH;
        write->first_chunk = whole ? 0 : first;
        write->chunks = whole ? 0 : n;
        memset(&change->model.chunk[i][first], 0, n * sizeof change->model.chunk[i][0]);
    }
    change->count++;
}

enum err world_commit(struct world *w)
{
    struct change change = {.model = w->now};
    uint32_t objects = 1 + (uint32_t)(world_random(w) % 3), taken = 0;
    for (uint32_t k = 0; k < objects; k++) {
        uint32_t what = (uint32_t)(world_random(w) % (SMALLS + BLOCKS));
        if (taken >> what & 1)
            continue;
        taken |= 1u << what;
        if (what < SMALLS)
            change_small(w, &change, what);
        else
            change_block(w, &change, what - SMALLS);
    }
    struct write_set set = {change.writes, change.count};
    uint64_t lsn;
    struct stamp stamp = hlc_next(&w->clock, w->env->ops->wall_ns(w->env));
    stamp.node = w->options.node;
    w->clock.last = stamp;
    bool frees = world_random(w) % 8 == 0;
    enum err err = store_commit(w->store, &set, stamp, frees, &lsn);
    for (uint32_t k = 0; k < change.count; k++)
        shared_unref(change.owners[k]);
    if (!err) {
        assert_true(w->commits + 1 < HISTORY);
        w->now = change.model;
        w->history[++w->commits] = w->now;
    }
    return err;
}

struct waiting {
    struct store_sync sync;
    bool over, ok;
};

static void synced(struct store_sync *sync, enum err err)
{
    struct waiting *waiting = (struct waiting *)sync;
    waiting->over = true;
    waiting->ok = err == OK;
}

struct until {
    struct world *w;
    struct waiting *waiting;
};

static bool over_or_crashed(void *ctx)
{
    struct until *until = ctx;
    return until->waiting->over || sim_crashed(until->w->env);
}

bool world_sync(struct world *w)
{
    static struct waiting waiting; /* may be referred to by a store that is abandoned */
    waiting = (struct waiting){.sync.done = synced};
    uint32_t commits = w->commits;
    store_sync(w->store, &waiting.sync);
    if (!sim_run_until(w->sim, over_or_crashed, &(struct until){w, &waiting}, WAIT_NS))
        fail_msg("a sync was never answered");
    if (waiting.ok)
        w->acked = commits;
    return waiting.ok;
}

/* --- comparing --- */

static bool same_small(struct world *w, const struct model *model, uint32_t i, enum err *err)
{
    struct object_version version;
    uint8_t expected[SMALL_MAX];
    *err = store_get(w->store, world_small(i), STAMP_MAX, &version);
    if (*err || version.present != model->small[i].present)
        return false;
    if (!version.present)
        return true;
    generate(model->small[i].seed, expected, model->small[i].len);
    return version.value.len == model->small[i].len &&
           memcmp(version.value.data, expected, version.value.len) == 0;
}

struct reading {
    struct store_read read;
    bool over;
};

static void read_over(struct store_read *read)
{
    ((struct reading *)read)->over = true;
}

static bool same_block(struct world *w, const struct model *model, uint32_t i, enum err *err)
{
    static uint8_t got[BLOCK_SIZE];
    uint8_t expected[CHUNK_SIZE];
    struct object_version version;
    *err = store_get(w->store, world_block(i), STAMP_MAX, &version);
    for (uint32_t c = 0; c < BLOCK_CHUNKS && !*err; c++)
        if ((version.chunks >> c & 1) != (model->chunk[i][c].seed != 0))
            return false;
    struct store_range range = {world_block(i), 0, BLOCK_SIZE, got};
    struct reading reading = {
        .read = {.at = STAMP_MAX, .ranges = &range, .count = 1, .done = read_over}};
    if (!*err && !store_read(w->store, &reading.read))
        sim_run_until(w->sim, is_set, &reading.over, WAIT_NS);
    *err = *err ? *err : reading.read.err;
    for (uint32_t c = 0; c < BLOCK_CHUNKS && !*err; c++) {
        memset(expected, 0, sizeof expected);
        if (model->chunk[i][c].seed)
            generate(model->chunk[i][c].seed, expected, model->chunk[i][c].len);
        if (memcmp(got + c * CHUNK_SIZE, expected, CHUNK_SIZE) != 0)
            return false;
    }
    return *err == OK;
}

bool world_same(struct world *w, const struct model *model, uint32_t what, enum err *err)
{
    return what < SMALLS ? same_small(w, model, what, err)
                         : same_block(w, model, what - SMALLS, err);
}

int world_match(struct world *w, uint32_t from)
{
    enum err err;
    for (uint32_t j = from; j <= w->commits; j++) {
        bool same = true;
        for (uint32_t what = 0; what < SMALLS + BLOCKS && same; what++)
            same = world_same(w, &w->history[j], what, &err);
        if (same)
            return (int)j;
    }
    return -1;
}

void world_verify(struct world *w)
{
    for (uint32_t what = 0; what < SMALLS + BLOCKS; what++) {
        enum err err = OK;
        if (!world_same(w, &w->now, what, &err))
            fail_msg("object %u differs from the model after %u commits (%s)", what, w->commits,
                     err_name(err));
    }
    store_check(w->store);
}
