/* SPDX-License-Identifier: MIT
 *
 * cleaner_test.c: what the cleaner does with a segment of which a part cannot be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/frame.h"
#include "world.h"

#define LONG_NS UINT64_C(60000000000)
#define LIVE    7000u

static struct object_key key_of(uint64_t ino)
{
    return (struct object_key){OBJECT_INODE, ino, 0};
}

/* Puts `len` bytes of `letter`, or deletes (len 0). */
static void commit(struct world *w, uint64_t ino, uint8_t letter, size_t len)
{
    uint8_t bytes[LIVE];
    memset(bytes, letter, sizeof bytes);
    struct write write = {
        .action = len ? WRITE_PUT : WRITE_DELETE, .key = key_of(ino), .value = {bytes, len}};
    struct write_set writes = {&write, 1};
    uint64_t lsn;
    struct stamp stamp = hlc_next(&w->clock, w->env->ops->wall_ns(w->env));
    assert_int_equal(store_commit(w->store, &writes, stamp, false, &lsn), OK);
}

static void open_store(struct world *w)
{
    struct store_error error = {""};
    assert_int_equal(world_open(w, &error), OK);
}

/* What follows goes to a new segment. */
static void open_again(struct world *w)
{
    assert_int_equal(world_close(w), OK);
    open_store(w);
}

struct search {
    const struct sim_disk *disk;
    uint8_t letter;
    char path[64];
    uint64_t at;
};

/* Looks for 64 of the letter. */
static bool look(void *ctx, const char *path, uint64_t size)
{
    static uint8_t file[1u << 20];
    struct search *s = ctx;
    uint8_t wanted[64];
    memset(wanted, s->letter, sizeof wanted);
    size_t len = sim_disk_peek(s->disk, path, 0, file, size < sizeof file ? size : sizeof file);
    const uint8_t *found = memmem(file, len, wanted, sizeof wanted);
    if (!found || !strstr(path, "/seg/"))
        return true;
    snprintf(s->path, sizeof s->path, "%s", path);
    const uint8_t *frame = memmem(found, len - (size_t)(found - file), "PFR1", 4);
    s->at = frame ? (uint64_t)(frame - file) : 0;
    return false;
}

static void cleaned(struct store_sync *sync, enum err err)
{
    (void)err;
    sync->lsn = UINT64_MAX;
}

static bool is_cleaned(void *ctx)
{
    return ((struct store_sync *)ctx)->lsn == UINT64_MAX;
}

/*   segment A: x, and much that stays      segment B: y, then the deletion of x
 *   segment C: y again, so that of B only the deletion is needed. Its frame rots. */
static void a_deletion_that_cannot_be_read_stays(void **state)
{
    struct world w;
    struct store_sync sync = {.done = cleaned};
    uint8_t byte;
    (void)state;
    world_new(&w, 1);
    open_store(&w);
    commit(&w, 10, 'x', 100);
    commit(&w, 11, 'l', LIVE);
    open_again(&w);
    commit(&w, 12, 'y', 100);
    commit(&w, 10, 0, 0);
    open_again(&w);
    commit(&w, 12, 'z', 100);
    open_again(&w);
    struct search b = {.disk = w.disk, .letter = 'y'};
    sim_disk_list(w.disk, look, &b);
    assert_true(b.at > SEGMENT_HEADER);
    assert_int_equal(sim_disk_flip(w.disk, b.path, b.at + 8, 1), OK);
    store_clean(w.store, &sync);
    assert_true(sim_run_until(w.sim, is_cleaned, &sync, LONG_NS));
    sim_run_idle(w.sim, LONG_NS);
    assert_int_equal(sim_disk_peek(w.disk, b.path, 0, &byte, 1), 1); /* G2 */
    store_check(w.store);
    assert_int_equal(world_close(&w), OK);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_deletion_that_cannot_be_read_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
