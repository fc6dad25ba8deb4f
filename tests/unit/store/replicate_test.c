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

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_make_the_same_store),
        cmocka_unit_test(refuses_what_is_no_record),
        cmocka_unit_test(refuses_kinds_of_its_own),
        cmocka_unit_test(notes_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
