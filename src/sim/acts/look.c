/* SPDX-License-Identifier: MIT
 *
 * look.c: looking at a store at rest.
 */
#include "sim/acts/look.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "core/fs/check.h"

struct looking {
    struct run *run;
    const char *where;
    struct fs_check check;
    struct object_key *blocks;
    uint32_t count, room;
    uint64_t digest;
};

bool look_wait(struct run *run, const bool *over)
{
    uint64_t end = sim_now(run->sim) + run->scenario->heal_ns;
    while (!*over && sim_now(run->sim) <= end && sim_step(run->sim))
        ;
    return *over;
}

/* --- everything that the store holds --- */

static void mix(struct looking *l, const void *data, size_t len)
{
    l->digest = checksum64(data, len, l->digest);
}

static void on_problem(void *ctx, const char *sentence)
{
    struct looking *l = ctx;
    run_broken(l->run, "structure", "%s%s", l->where, sentence);
}

static void on_object(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct looking *l = ctx;
    fs_check_object(&l->check, key, version);
    uint64_t what[] = {key->kind, key->ino, key->sub, version->stamp.time, version->stamp.node};
    mix(l, what, sizeof what);
    if (!object_kind_is_block(key->kind)) {
        mix(l, version->value.data, version->value.len);
        return;
    }
    mix(l, &version->chunks, sizeof version->chunks);
    l->blocks = grow(l->blocks, l->count, &l->room, sizeof *l->blocks);
    l->blocks[l->count++] = *key;
}

struct reading {
    struct store_read read;
    bool over;
};

static void read_over(struct store_read *read)
{
    ((struct reading *)(void *)read)->over = true;
}

static enum err read_block(struct looking *l, struct store *store, const struct object_key *block,
                           uint8_t *into)
{
    struct store_range range = {.block = *block, .length = BLOCK_SIZE, .into = into};
    struct reading reading = {
        .read = {.at = STAMP_MAX, .ranges = &range, .count = 1, .done = read_over}};
    if (store_read(store, &reading.read))
        reading.over = true;
    if (!look_wait(l->run, &reading.over))
        return ERR_TIMEOUT;
    mix(l, into, BLOCK_SIZE);
    return reading.read.err;
}

enum err look_at(struct run *run, struct store *store, const char *where, struct look *out)
{
    struct looking l = {.run = run, .where = where};
    struct fs_volume volume = {.salt = store_identity(store)->salt};
    uint8_t *into = malloc(BLOCK_SIZE);
    INVARIANT(into != NULL);
    fs_check_begin(&l.check, &volume, on_problem, &l);
    enum err err = store_each(store, on_object, &l);
    for (uint32_t i = 0; i < l.count && !err; i++)
        err = read_block(&l, store, &l.blocks[i], into);
    fs_check_end(&l.check);
    out->digest = l.digest;
    out->orphans = l.check.orphans;
    free(l.blocks);
    free(into);
    return err;
}

/* --- scrub --- */

static void scrub_problem(struct store_scrub *scrub, const char *file, uint64_t offset,
                          const char *what)
{
    struct look_scrub *look = (struct look_scrub *)(void *)scrub;
    look->problem(look, file, offset, what);
}

static void scrub_done(struct store_scrub *scrub, enum err err)
{
    ((struct look_scrub *)(void *)scrub)->over = true;
    ((struct look_scrub *)(void *)scrub)->err = err;
}

enum err look_scrub(struct run *run, struct store *store, struct look_scrub *look)
{
    look->scrub = (struct store_scrub){.problem = scrub_problem, .done = scrub_done};
    look->over = false;
    store_scrub(store, &look->scrub);
    return look_wait(run, &look->over) ? look->err : ERR_TIMEOUT;
}
