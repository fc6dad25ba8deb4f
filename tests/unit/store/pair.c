/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/assert.h"

#define WAIT_NS UINT64_C(60000000000)

static void take(void *ctx, const struct store_record *record)
{
    struct pair *p = ctx;
    uint64_t len = 0;
    assert_true(record->head.len <= PAIR_RECORD && record->payload_len <= PAIR_RECORD);
    p->before = record->before;
    p->stamp = record->stamp;
    p->head_len = record->head.len;
    p->payload_len = record->payload_len;
    memcpy(p->head, record->head.data, record->head.len);
    for (int i = 0; i < record->payload_count; i++) {
        memcpy(p->payload + len, record->payload[i].data, record->payload[i].len);
        len += record->payload[i].len;
    }
    assert_int_equal(len, p->payload_len);
}

/* T1: what a backup tells its own listener is what it was given. */
static void compare(void *ctx, const struct store_record *record)
{
    struct pair *p = ctx;
    assert_int_equal(stamp_compare(record->before, p->before), 0);
    assert_int_equal(stamp_compare(record->stamp, p->stamp), 0);
    assert_int_equal(record->head.len, p->head_len);
    assert_memory_equal(record->head.data, p->head, p->head_len);
    assert_int_equal(record->payload_len, p->payload_len);
    if (record->payload_len)
        assert_memory_equal(record->payload[0].data, p->payload, p->payload_len);
}

struct copy {
    struct shared shared;
    uint8_t data[];
};

static void copy_release(struct shared *shared)
{
    free(shared);
}

void pair_ship(struct pair *p)
{
    struct copy *copy = malloc(sizeof *copy + p->payload_len);
    assert_non_null(copy);
    copy->shared = (struct shared){1, copy_release};
    memcpy(copy->data, p->payload, p->payload_len);
    struct store_shipped shipped = {{p->head, p->head_len},
                                    {copy->data, p->payload_len},
                                    world_random(&p->to) % 2 ? &copy->shared : NULL};
    while (!store_has_room(p->to.store) && sim_step(p->to.sim))
        ;
    assert_int_equal(stamp_compare(p->before, store_last_stamp(p->to.store)), 0);
    assert_int_equal(store_commit_record(p->to.store, &shipped), OK);
    assert_int_equal(stamp_compare(p->stamp, store_last_stamp(p->to.store)), 0);
    shared_unref(&copy->shared);
}

struct catching {
    struct store_tail_read read; /* comes first */
    struct pair *p;
    bool over;
};

static void caught(struct store_tail_read *read, const struct store_record *record)
{
    struct pair *p = ((struct catching *)(void *)read)->p;
    take(p, record);
    pair_ship(p);
}

static void read_over(struct store_tail_read *read)
{
    ((struct catching *)(void *)read)->over = true;
}

static bool is_over(void *ctx)
{
    return *(bool *)ctx;
}

enum err pair_catch_up(struct pair *p, uint32_t most_bytes)
{
    struct store_tail *tail;
    struct catching c = {.read = {.most_bytes = most_bytes, .each = caught, .done = read_over},
                         .p = p};
    enum err err = store_tail_open(p->from.store, store_last_stamp(p->to.store), &tail);
    if (err)
        return err;
    do {
        c.over = store_tail_read(tail, &c.read);
        if (!c.over && !sim_run_until(p->from.sim, is_over, &c.over, WAIT_NS))
            fail_msg("a tail was never answered");
        if (world_random(&p->from) % 2)
            sim_step(p->from.sim);
    } while (!c.read.err && c.read.count);
    store_tail_close(tail);
    return c.read.err;
}

void pair_open_to(struct pair *p)
{
    struct store_error error = {""};
    enum err err = world_open(&p->to, &error);
    if (err)
        fail_msg("open: %s: %s", err_name(err), error.text);
    store_on_record(p->to.store, compare, p);
}

void pair_open_from(struct pair *p)
{
    struct store_error error = {""};
    assert_int_equal(world_open(&p->from, &error), OK);
    store_on_record(p->from.store, take, p);
}

void pair_open(struct pair *p)
{
    pair_open_from(p);
    pair_open_to(p);
}

/* A second store, in a directory of its own, of the volume of the first. */
static void format_to(struct pair *p)
{
    struct world *w = &p->to;
    struct store_error error = {""};
    world_new(w, world_random(&p->from));
    w->options.path = "/replica";
    w->options.node = 2;
    w->options.identity = store_identity(p->from.store);
    w->sim = sim_new(world_random(w), w->disk);
    w->env = sim_env(w->sim);
    assert_int_equal(w->env->ops->dir_make(w->env, "/replica"), OK);
    assert_int_equal(w->env->ops->dir_sync(w->env, "/"), OK);
    assert_int_equal(store_format(w->env, &w->options, &error), OK);
    sim_free(w->sim);
    w->options.identity = NULL;
}

void pair_new(struct pair *p, uint64_t seed)
{
    struct store_error error = {""};
    *p = (struct pair){.head = malloc(PAIR_RECORD), .payload = malloc(PAIR_RECORD)};
    assert_true(p->head && p->payload);
    world_new(&p->from, seed);
    assert_int_equal(world_open(&p->from, &error), OK);
    store_on_record(p->from.store, take, p);
    format_to(p);
    pair_open_to(p);
}

void pair_free(struct pair *p)
{
    world_free(&p->from);
    world_free(&p->to);
    free(p->head);
    free(p->payload);
}

void pair_commits(struct pair *p, uint32_t n)
{
    struct world *w = &p->from;
    for (uint32_t i = 0; i < n; i++) {
        while (!store_has_room(w->store) && sim_step(w->sim))
            ;
        assert_int_equal(world_commit(w), OK);
        if (!p->hold)
            pair_ship(p);
        while (world_random(w) % 3 == 0 && sim_step(w->sim))
            ;
        while (world_random(w) % 3 == 0 && sim_step(p->to.sim))
            ;
    }
}

void pair_same(struct pair *p)
{
    world_verify(&p->from);
    p->to.now = p->from.now;
    world_verify(&p->to);
}
