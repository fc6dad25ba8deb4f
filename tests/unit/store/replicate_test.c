/* SPDX-License-Identifier: MIT
 *
 * replicate_test.c: what replica control asks of a store: the laws T1 to T4 of replicate.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"

static void records_make_the_same_store(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p, 1);
    for (int i = 0; i < 10; i++) {
        pair_commits(&p, 30);
        pair_same(&p);
    }
    assert_int_equal(world_close(&p.from), OK);
    assert_int_equal(world_close(&p.to), OK);
    pair_open(&p);
    pair_same(&p);
    assert_memory_equal(store_identity(p.from.store), store_identity(p.to.store),
                        sizeof(struct store_identity));
    pair_free(&p);
}

/* Ships what `change` makes of the last record; the replica must refuse it and stay as it is. */
static void refused(struct pair *p, enum err expected, const uint8_t *head, size_t head_len,
                    size_t payload_len)
{
    struct store_shipped shipped = {{head, head_len}, {p->payload, payload_len}, NULL};
    struct stamp last = store_last_stamp(p->to.store);
    assert_int_equal(store_commit_record(p->to.store, &shipped), expected);
    assert_int_equal(stamp_compare(last, store_last_stamp(p->to.store)), 0);
}

static void refuses_what_is_no_record(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p, 2);
    pair_commits(&p, 40);
    p.hold = true;
    pair_commits(&p, 1);
    while (p.payload_len < 2 * CHUNK_SIZE) {
        pair_ship(&p);
        pair_commits(&p, 1);
    }
    refused(&p, ERR_DECODE, p.head, p.head_len - 1, p.payload_len);
    refused(&p, ERR_DECODE, p.head, 0, 0);
    refused(&p, ERR_DECODE, p.head, p.head_len, p.payload_len - 1);
    refused(&p, ERR_LIMIT, p.head, p.head_len, SIZE_MAX / 2);
    p.payload[CHUNK_SIZE] ^= 1;
    refused(&p, ERR_CORRUPT, p.head, p.head_len, p.payload_len);
    p.payload[CHUNK_SIZE] ^= 1;
    pair_ship(&p);
    refused(&p, ERR_DECODE, p.head, p.head_len, p.payload_len); /* a second time */
    pair_same(&p);
    pair_free(&p);
}

/* An entry of the note's kind, or of one that there is not, is no business of others. */
static void refuses_kinds_of_its_own(void **state)
{
    (void)state;
    /* a Record at a stamp far ahead, of one PUT: kind at [14] */
    uint8_t head[] = {0x09, 0,    0,    0,    0,    0,    0,    0,   0x70,
                      0x1a, 0x06, 0x08, 0x01, 0x10, 0x01, 0x18, 0x07};
    struct pair p;
    pair_new(&p, 3);
    pair_commits(&p, 3);
    head[14] = OBJECT_NOTE;
    refused(&p, ERR_DECODE, head, sizeof head, 0);
    head[14] = OBJECT_KIND_COUNT;
    refused(&p, ERR_DECODE, head, sizeof head, 0);
    head[14] = OBJECT_SESSION;
    store_on_record(p.to.store, NULL, NULL);
    struct store_shipped shipped = {{head, sizeof head}, {NULL, 0}, NULL};
    assert_int_equal(store_commit_record(p.to.store, &shipped), OK);
    assert_true(store_last_stamp(p.to.store).time == UINT64_C(0x70) << 56);
    pair_free(&p);
}

static bool no_object(void *ctx, const struct object_key *key, const struct object_version *version)
{
    (void)version;
    assert_int_not_equal(key->kind, OBJECT_NOTE);
    *(uint32_t *)ctx += 1;
    return true;
}

static void each_object(void *ctx, const struct object_key *key,
                        const struct object_version *version)
{
    no_object(ctx, key, version);
}

static void note_is(struct world *w, const char *text)
{
    struct bytes note = store_note(w->store);
    assert_int_equal(note.len, strlen(text));
    if (note.len)
        assert_memory_equal(note.data, text, note.len);
}

static void set_note(struct world *w, const char *text)
{
    assert_int_equal(store_set_note(w->store, (struct bytes){(const uint8_t *)text, strlen(text)}),
                     OK);
}

static void notes_last(void **state)
{
    (void)state;
    struct pair p;
    uint32_t objects = 0;
    uint8_t long_note[STORE_NOTE_MAX + 1] = {0};
    pair_new(&p, 4);
    struct world *w = &p.to;
    note_is(w, "");
    struct stamp last = store_last_stamp(w->store);
    set_note(w, "first");
    assert_int_equal(store_set_note(w->store, (struct bytes){long_note, sizeof long_note}),
                     ERR_LIMIT);
    note_is(w, "first");
    store_each(w->store, each_object, &objects);
    assert_int_equal(objects, 0);
    assert_int_equal(stamp_compare(last, store_last_stamp(w->store)), 0);
    for (uint32_t i = 0; i < 20; i++) {
        pair_commits(&p, 30);
        set_note(w, i % 2 ? "odd" : "even");
        assert_true(world_sync(w));
        last = store_last_stamp(w->store);
        if (i % 3)
            world_die(w, true);
        else
            assert_int_equal(world_close(w), OK);
        w->options.rebuild_index = i % 4 == 0;
        pair_open_to(&p);
        note_is(w, i % 2 ? "odd" : "even");
        assert_int_equal(stamp_compare(last, store_last_stamp(w->store)), 0);
        sim_advance(w->sim, UINT64_C(2000000000)); /* the cleaner works */
    }
    set_note(w, "");
    note_is(w, "");
    pair_same(&p);
    pair_free(&p);
}

/* --- the log behind a stamp --- */

static void catches_up_from_the_log(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p, 5);
    assert_int_equal(pair_catch_up(&p, 1), OK); /* nothing at all */
    store_keep_log(p.from.store, UINT64_C(1) << 30);
    p.hold = true;
    for (uint32_t i = 0; i < 30; i++) {
        pair_commits(&p, 40);
        if (i % 5 == 1)
            sim_advance(p.from.sim, UINT64_C(2000000000));
        if (i % 7 == 1 || i % 7 == 2) {
            if (i % 2)
                assert_int_equal(world_close(&p.from), OK);
            else if (world_sync(&p.from))
                world_die(&p.from, true);
            p.from.options.rebuild_index = i % 3 == 0;
            pair_open_from(&p);
            store_keep_log(p.from.store, UINT64_C(1) << 30);
        }
        if (i % 3 == 0)
            continue;
        assert_int_equal(pair_catch_up(&p, i % 2 ? 1 : 100000), OK);
        pair_same(&p);
    }
    pair_free(&p);
}

struct stamps {
    struct stamp items[3000];
    uint32_t count;
};

static void note_stamp(void *ctx, const struct store_record *record)
{
    struct stamps *stamps = ctx;
    assert_true(stamps->count < 3000);
    stamps->items[stamps->count++] = record->stamp;
}

struct counting {
    struct store_tail_read read; /* comes first */
    const struct stamps *stamps;
    uint32_t next;
    bool over;
};

static void count_one(struct store_tail_read *read, const struct store_record *record)
{
    struct counting *c = (struct counting *)(void *)read;
    const struct stamp *stamps = c->stamps->items;
    assert_true(c->next < c->stamps->count);
    assert_int_equal(stamp_compare(record->stamp, stamps[c->next]), 0);
    struct stamp before = c->next ? stamps[c->next - 1] : STAMP_ZERO;
    assert_int_equal(stamp_compare(record->before, before), 0);
    c->next++;
}

static void count_over(struct store_tail_read *read)
{
    ((struct counting *)(void *)read)->over = true;
}

static bool is_over(void *ctx)
{
    return ((struct counting *)ctx)->over;
}

/* Every record behind the n-th (from 1 on; 0: all), or LOG_GONE: never some of them. */
static enum err read_behind(struct world *w, const struct stamps *stamps, uint32_t n)
{
    struct counting c = {.read = {.most_bytes = 70000, .each = count_one, .done = count_over},
                         .stamps = stamps,
                         .next = n};
    struct store_tail *tail;
    enum err err = store_tail_open(w->store, n ? stamps->items[n - 1] : STAMP_ZERO, &tail);
    if (err)
        return err;
    do {
        c.over = store_tail_read(tail, &c.read);
        if (!c.over && !sim_run_until(w->sim, is_over, &c, UINT64_C(60000000000)))
            fail_msg("a tail was never answered");
    } while (!c.read.err && c.read.count);
    store_tail_close(tail);
    if (!c.read.err)
        assert_int_equal(c.next, stamps->count);
    return c.read.err;
}

static void a_log_with_gaps_is_gone(void **state)
{
    (void)state;
    static struct stamps stamps;
    struct store_error error = {""};
    struct world w;
    world_new(&w, 6);
    uint32_t gone = 0, there = 0;
    for (uint32_t round = 0; round < 12; round++) {
        w.options.rebuild_index = round % 4 == 2;
        assert_int_equal(world_open(&w, &error), OK);
        store_on_record(w.store, note_stamp, &stamps);
        store_keep_log(w.store, round % 3 * (1u << 20));
        for (uint32_t i = 0; i < 150; i++) {
            while (!store_has_room(w.store) && sim_step(w.sim))
                ;
            assert_int_equal(world_commit(&w), OK);
        }
        assert_int_equal(read_behind(&w, &stamps, stamps.count), OK);
        sim_advance(w.sim, UINT64_C(3000000000)); /* the cleaner takes what it likes */
        for (uint32_t n = 0; n <= stamps.count; n += 1 + n / 20) {
            enum err err = read_behind(&w, &stamps, n);
            assert_true(err == OK || err == ERR_LOG_GONE);
            gone += err == ERR_LOG_GONE;
            there += err == OK;
        }
        struct stamp odd = stamps.items[stamps.count / 2], far = {UINT64_MAX - 1, 1};
        struct store_tail *tail;
        odd.time += 1;
        odd.node = 9;
        stamps.items[stamps.count] = odd;
        struct stamps one = {.items = {odd}, .count = 1};
        assert_int_equal(read_behind(&w, &one, 1), ERR_LOG_GONE);
        assert_int_equal(store_tail_open(w.store, far, &tail), ERR_LOG_GONE);
        if (round % 2)
            assert_int_equal(world_close(&w), OK);
        else if (world_sync(&w))
            world_die(&w, true);
    }
    assert_true(gone > 20 && there > 60);
    world_free(&w);
}

/* T3: the cleaner is asked while a tail stands at the beginning. */
static void a_tail_holds_the_log(void **state)
{
    (void)state;
    static struct stamps stamps;
    struct store_error error = {""};
    struct store_tail *tail;
    struct world w;
    world_new(&w, 7);
    assert_int_equal(world_open(&w, &error), OK);
    store_on_record(w.store, note_stamp, &stamps);
    stamps.count = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        while (!store_has_room(w.store) && sim_step(w.sim))
            ;
        assert_int_equal(world_commit(&w), OK);
        if (i == 10)
            assert_int_equal(store_tail_open(w.store, stamps.items[i], &tail), OK);
        if (i % 100 == 0)
            sim_advance(w.sim, UINT64_C(1000000000));
    }
    struct store_status status;
    store_status(w.store, &status);
    assert_int_equal(status.segments_cleaned, 0);
    assert_int_equal(read_behind(&w, &stamps, 11), OK);
    store_tail_close(tail);
    sim_advance(w.sim, UINT64_C(3000000000));
    store_status(w.store, &status);
    assert_true(status.segments_cleaned > 5);
    assert_int_equal(read_behind(&w, &stamps, 11), ERR_LOG_GONE);
    world_free(&w);
}

struct payload {
    struct shared shared;
    uint8_t bytes[5 * CHUNK_SIZE];
};

static void payload_release(struct shared *shared)
{
    free(shared);
}

static struct stamp commit_large(struct world *w, uint32_t n)
{
    struct payload *payload = calloc(1, sizeof *payload);
    assert_non_null(payload);
    payload->shared = (struct shared){1, payload_release};
    payload->bytes[n] = 1;
    struct write write = {
        WRITE_CHUNKS,    {OBJECT_BLOCK, 5, n}, {payload->bytes, sizeof payload->bytes}, 0, 5,
        &payload->shared};
    struct write_set set = {&write, 1};
    struct stamp stamp = hlc_next(&w->clock, w->env->ops->wall_ns(w->env));
    uint64_t lsn;
    assert_int_equal(store_commit(w->store, &set, stamp, false, &lsn), OK);
    shared_unref(&payload->shared);
    return stamp;
}

/* So much at once that one job does not write it all: it ends inside a record. */
static void a_record_is_half_in_the_file(void **state)
{
    (void)state;
    static struct stamps stamps;
    struct store_error error = {""};
    struct world w;
    world_new(&w, 9);
    w.options.path = "/large";
    w.options.limits.segment_bytes = 16u << 20;
    w.sim = sim_new(9, w.disk);
    w.env = sim_env(w.sim);
    assert_int_equal(w.env->ops->dir_make(w.env, "/large"), OK);
    assert_int_equal(store_format(w.env, &w.options, &error), OK);
    sim_free(w.sim);
    assert_int_equal(world_open(&w, &error), OK);
    while (!store_has_room(w.store) && sim_step(w.sim))
        ;
    struct counting c = {.read = {.most_bytes = 1, .each = count_one, .done = count_over},
                         .stamps = &stamps};
    struct store_tail *tail;
    struct store_status before, now;
    assert_int_equal(store_tail_open(w.store, STAMP_ZERO, &tail), OK);
    for (uint32_t i = 0; i < 150; i++)
        stamps.items[stamps.count++] = commit_large(&w, i);
    store_status(w.store, &before);
    while (c.next < 127) /* from memory */
        assert_true(store_tail_read(tail, &c.read));
    do {
        assert_true(sim_step(w.sim));
        store_status(w.store, &now);
    } while (now.pending_bytes == before.pending_bytes);
    do {
        c.over = store_tail_read(tail, &c.read);
        if (!c.over && !sim_run_until(w.sim, is_over, &c, UINT64_C(60000000000)))
            fail_msg("a tail was never answered");
        assert_int_equal(c.read.err, OK);
    } while (c.read.count);
    assert_int_equal(c.next, stamps.count);
    store_tail_close(tail);
    world_free(&w);
}

/* --- adopting --- */

/* A replica that is new, or went its own way, becomes the same (T2); its log begins there. */
static void becomes_what_the_other_is(void **state)
{
    (void)state;
    struct pair p;
    struct store_tail *tail;
    pair_new(&p, 8);
    p.hold = true;
    for (uint32_t i = 0; i < 30; i++) {
        pair_commits(&p, 20);
        if (i % 3 == 2) { /* its own way, at later stamps too */
            store_on_record(p.to.store, NULL, NULL);
            p.to.clock.last.time += (uint64_t)(i % 2) << 40;
            for (uint32_t n = 0; n < 20 && store_has_room(p.to.store); n++)
                assert_int_equal(world_commit(&p.to), OK);
        }
        struct stamp own = store_last_stamp(p.to.store), at = store_last_stamp(p.from.store);
        assert_true(pair_repair(&p, 1 + i % 7));
        pair_digests_equal(&p);
        pair_same(&p);
        assert_int_equal(stamp_compare(store_last_stamp(p.to.store), at), 0);
        assert_int_equal(store_tail_open(p.to.store, own, &tail), ERR_LOG_GONE);
        if (i % 4 == 1) {
            assert_true(world_sync(&p.to));
            if (i % 8 == 1)
                world_die(&p.to, true);
            else
                assert_int_equal(world_close(&p.to), OK);
            p.to.options.rebuild_index = i % 3 == 0;
            pair_open_to(&p);
            pair_same(&p);
            pair_digests_equal(&p);
        }
        assert_int_equal(stamp_compare(store_last_stamp(p.to.store), at), 0);
        assert_int_equal(store_tail_open(p.to.store, own, &tail), ERR_LOG_GONE);
        pair_commits(&p, 1 + i % 3);
        store_on_record(p.to.store, NULL, NULL);
        assert_int_equal(pair_catch_up(&p, 1), OK);
        pair_digests_equal(&p);
        assert_int_equal(store_tail_open(p.to.store, at, &tail), OK);
        store_tail_close(tail);
        sim_advance(p.to.sim, UINT64_C(2000000000));
    }
    pair_free(&p);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_make_the_same_store),
        cmocka_unit_test(refuses_what_is_no_record),
        cmocka_unit_test(refuses_kinds_of_its_own),
        cmocka_unit_test(notes_last),
        cmocka_unit_test(catches_up_from_the_log),
        cmocka_unit_test(a_log_with_gaps_is_gone),
        cmocka_unit_test(a_tail_holds_the_log),
        cmocka_unit_test(a_record_is_half_in_the_file),
        cmocka_unit_test(becomes_what_the_other_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
