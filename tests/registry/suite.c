/* SPDX-License-Identifier: MIT
 *
 * suite.c: laws Y1 to Y5 of registry.h.
 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world *world_of(void **state)
{
    return *state;
}

/* --- Y1: reads and changes --- */

static void what_is_written_is_read(void **state)
{
    struct world *w = world_of(state);
    uint64_t first, second;
    assert_int_equal(put(w, w->a, "k", "one", &first), OK);
    struct got got = get(w, w->b, "k");
    assert_int_equal(got.err, OK);
    assert_string_equal(got.value, "one");
    assert_true(got.revision == first && first > 0);
    assert_int_equal(put(w, w->b, "k", "two", &second), OK);
    assert_true(second > first);
    got = get(w, w->a, "k");
    assert_string_equal(got.value, "two");
    assert_true(got.revision == second && got.all >= second);
}

static void what_is_not_there_is_no_error(void **state)
{
    struct world *w = world_of(state);
    struct got got = get(w, w->a, "none");
    assert_int_equal(got.err, OK);
    assert_int_equal(got.count, 0);
    assert_int_equal(delete_key(w, w->a, "none"), OK);
}

static void values_are_bytes(void **state)
{
    static uint8_t large[REGISTRY_VALUE_MAX];
    struct world *w = world_of(state);
    const struct registry_write writes[] = {
        {"bytes", {(const uint8_t *)"a\0\xff\n\"", 5}, false},
        {"empty", {(const uint8_t *)"", 0}, false},
        {"large", {large, sizeof large}, false},
    };
    struct registry_change change = {.writes = writes, .write_count = 3};
    memset(large, 0xfe, sizeof large);
    assert_int_equal(change_all(w, w->a, &change), OK);
    struct got got = get(w, w->b, "bytes");
    assert_int_equal(got.len, 5);
    assert_memory_equal(got.value, "a\0\xff\n\"", 5);
    got = get(w, w->b, "empty");
    assert_int_equal(got.count, 1);
    assert_int_equal(got.len, 0);
    got = get(w, w->b, "large");
    assert_int_equal(got.len, sizeof large);
    assert_int_equal((uint8_t)got.value[200], 0xfe);
}

static void prefixes_are_read_in_order(void **state)
{
    struct world *w = world_of(state);
    assert_int_equal(put(w, w->a, "node/2", "b", NULL), OK);
    assert_int_equal(put(w, w->a, "node/10", "j", NULL), OK);
    assert_int_equal(put(w, w->a, "node0", "x", NULL), OK);
    assert_int_equal(put(w, w->a, "node", "y", NULL), OK);
    assert_int_equal(put(w, w->a, "~", "z", NULL), OK);
    assert_int_equal(count_of(w, w->b, "node/"), 2); /* which looks at their order */
    assert_int_equal(count_of(w, w->b, "node"), 4);
    assert_int_equal(count_of(w, w->b, ""), 5);
    assert_int_equal(count_of(w, w->b, "~"), 1);
    assert_int_equal(count_of(w, w->b, "z"), 0);
}

static void revisions_never_come_back(void **state)
{
    struct world *w = world_of(state);
    uint64_t first, second;
    assert_int_equal(put(w, w->a, "k", "v", &first), OK);
    assert_int_equal(delete_key(w, w->a, "k"), OK);
    assert_int_equal(put(w, w->a, "k", "v", &second), OK);
    assert_true(second > first + 1);
    assert_int_equal(put_if(w, w->a, "k", "w", first), ERR_CONFLICT);
}

/* --- Y3: conditions --- */

static void conditions_hold_or_nothing_happens(void **state)
{
    struct world *w = world_of(state);
    uint64_t revision;
    assert_int_equal(put_if(w, w->a, "k", "one", 0), OK);
    assert_int_equal(put_if(w, w->b, "k", "two", 0), ERR_CONFLICT);
    struct got got = get(w, w->a, "k");
    assert_string_equal(got.value, "one");
    revision = got.revision;
    assert_int_equal(put_if(w, w->b, "k", "two", revision + 1), ERR_CONFLICT);
    assert_int_equal(put_if(w, w->b, "k", "two", revision), OK);
    assert_int_equal(put_if(w, w->a, "k", "three", revision), ERR_CONFLICT);
    assert_string_equal(get(w, w->a, "k").value, "two");
    assert_int_equal(put_if(w, w->a, "other", "x", revision), ERR_CONFLICT);
    assert_int_equal(get(w, w->a, "other").count, 0);
}

static void several_keys_change_together(void **state)
{
    struct world *w = world_of(state);
    struct registry_condition conditions[] = {{"x", 0}, {"y", 0}};
    const struct registry_write writes[] = {
        {"x", {(const uint8_t *)"1", 1}, false},
        {"y", {NULL, 0}, false},
        {"z", {(const uint8_t *)"3", 1}, false},
    };
    struct registry_change change = {conditions, 2, writes, 3, NULL, NULL, OK, 0, NULL};
    assert_int_equal(put(w, w->a, "y", "2", &conditions[1].revision), OK);
    conditions[1].revision++;
    assert_int_equal(change_all(w, w->b, &change), ERR_CONFLICT);
    assert_int_equal(count_of(w, w->b, ""), 1);
    conditions[1].revision--;
    assert_int_equal(change_all(w, w->b, &change), OK);
    assert_int_equal(get(w, w->a, "y").count, 0);
    struct got x = get(w, w->a, "x"), z = get(w, w->a, "z");
    assert_string_equal(x.value, "1");
    assert_string_equal(z.value, "3");
    assert_true(x.revision == z.revision && x.revision == change.revision);
}

static void limits_are_told(void **state)
{
    static uint8_t large[REGISTRY_VALUE_MAX + 1];
    struct world *w = world_of(state);
    struct registry_write writes[REGISTRY_CHANGES_MAX + 1];
    char keys[REGISTRY_CHANGES_MAX + 1][8], longest[REGISTRY_KEY_MAX + 2];
    struct registry_change change = {.writes = writes, .write_count = 1};
    writes[0] = (struct registry_write){"k", {large, sizeof large}, false};
    assert_int_equal(change_all(w, w->a, &change), ERR_LIMIT);
    for (size_t i = 0; i <= REGISTRY_CHANGES_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        writes[i] = (struct registry_write){keys[i], {large, 1}, false};
    }
    change.write_count = REGISTRY_CHANGES_MAX + 1;
    assert_int_equal(change_all(w, w->a, &change), ERR_LIMIT);
    change.write_count = REGISTRY_CHANGES_MAX;
    assert_int_equal(change_all(w, w->a, &change), OK);
    assert_int_equal(count_of(w, w->b, "k"), REGISTRY_CHANGES_MAX);
    writes[1].key = writes[0].key;
    assert_int_equal(change_all(w, w->a, &change), ERR_LIMIT);
    for (size_t i = 0; i < 5; i++) {
        writes[i].key = keys[i];
        writes[i].value.len = REGISTRY_VALUE_MAX;
    }
    assert_int_equal(change_all(w, w->a, &change), ERR_LIMIT);
    memset(longest, 'k', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(put(w, w->a, longest, "v", NULL), ERR_LIMIT);
    assert_int_equal(put(w, w->a, "", "v", NULL), ERR_LIMIT);
    assert_int_equal(put(w, w->a, "a b", "v", NULL), ERR_LIMIT);
    assert_int_equal(get(w, w->a, longest).err, ERR_LIMIT);
    longest[REGISTRY_KEY_MAX] = 0;
    assert_int_equal(put(w, w->a, longest, "v", NULL), OK);
    assert_string_equal(get(w, w->b, longest).value, "v");
}

/* --- Y2: many at once --- */

enum { RACERS = 40, ROUNDS = 5 };

struct race {
    struct registry_change change;
    struct registry_condition condition;
    struct registry_write write;
    int *left, *won;
};

static void race_done(struct registry_change *change)
{
    struct race *race = change->ctx;
    --*race->left;
    assert_true(change->err == OK || change->err == ERR_CONFLICT);
    *race->won += change->err == OK;
}

static void one_of_many_wins(void **state)
{
    struct world *w = world_of(state);
    static struct race races[RACERS];
    uint64_t revision = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int left = RACERS, won = 0;
        bool over = false;
        for (int i = 0; i < RACERS; i++) {
            struct registry *registry = i % 2 ? w->a : w->b;
            struct race *r = &races[i];
            *r = (struct race){.condition = {"k", revision},
                               .write = {"k", {(const uint8_t *)"v", 1}, false},
                               .left = &left,
                               .won = &won};
            r->change =
                (struct registry_change){&r->condition, 1, &r->write, 1, race_done, r, OK, 0, NULL};
            registry->ops->change(registry, &r->change);
        }
        for (int turns = 0; left && turns < 2000; turns++)
            run_for(w, 1);
        over = left == 0;
        assert_true(over);
        assert_int_equal(won, 1);
        revision = get(w, w->a, "k").revision;
    }
}

static void never(struct registry_change *change)
{
    (void)change;
    fail_msg("a forgotten change was answered");
}

static void never_read(struct registry_read *read)
{
    (void)read;
    fail_msg("a forgotten read was answered");
}

static void who_forgets_is_not_called(void **state)
{
    struct world *w = world_of(state);
    const struct registry_write write = {"k", {(const uint8_t *)"v", 1}, false};
    for (int wait = 0; wait < 2; wait++) {
        int me;
        struct registry_change *change = calloc(1, sizeof *change);
        struct registry_read *read = calloc(1, sizeof *read);
        *change =
            (struct registry_change){.writes = &write, .write_count = 1, .done = never, .ctx = &me};
        *read = (struct registry_read){.key = "k", .done = never_read, .ctx = &me};
        w->a->ops->change(w->a, change);
        w->a->ops->read(w->a, read);
        w->a->ops->forget(w->a, &w); /* somebody else's */
        w->a->ops->forget(w->a, &me);
        free(change);
        free(read);
        run_for(w, 50);
    }
    assert_int_equal(put(w, w->a, "k2", "v", NULL), OK);
}

/* --- Y4: watches --- */

static void watches_begin_with_what_is_there(void **state)
{
    struct world *w = world_of(state);
    struct witness all, few, none;
    assert_int_equal(put(w, w->a, "a/1", "x", NULL), OK);
    assert_int_equal(put(w, w->a, "b/1", "y", NULL), OK);
    witness_begin(&all, w->b, "");
    witness_begin(&few, w->b, "b/");
    witness_begin(&none, w->b, "c");
    witness_expect(w, &all, "here ");
    assert_string_equal(all.text, "+a/1=x +b/1=y here ");
    witness_expect(w, &few, "here ");
    assert_string_equal(few.text, "+b/1=y here ");
    witness_expect(w, &none, "here ");
    assert_string_equal(none.text, "here ");
    assert_int_equal(put(w, w->a, "b/2", "z", NULL), OK);
    assert_int_equal(delete_key(w, w->a, "b/1"), OK);
    assert_int_equal(delete_key(w, w->a, "b/1"), OK); /* tells nothing */
    assert_int_equal(put(w, w->a, "a/2", "", NULL), OK);
    witness_expect(w, &all, "+b/2=z -b/1 +a/2= ");
    witness_expect(w, &few, "here +b/2=z -b/1 ");
    assert_string_equal(none.text, "here ");
    w->b->ops->unwatch(w->b, &all.watch);
    w->b->ops->unwatch(w->b, &few.watch);
    w->b->ops->unwatch(w->b, &none.watch);
    unsigned before = all.events;
    assert_int_equal(put(w, w->a, "a/3", "", NULL), OK);
    run_for(w, 100);
    assert_int_equal(all.events, before);
}

static void watches_see_every_change(void **state)
{
    struct world *w = world_of(state);
    struct witness witness;
    char value[16];
    witness_begin(&witness, w->b, "k");
    witness_expect(w, &witness, "here ");
    for (int i = 0; i < 100; i++) {
        snprintf(value, sizeof value, "%d", i);
        assert_int_equal(put(w, i % 3 ? w->a : w->b, "k", value, NULL), OK);
    }
    witness_expect(w, &witness, "+k=98 +k=99 ");
    assert_int_equal(witness.events, 100);
    assert_int_equal(witness.losses, 0);
    w->b->ops->unwatch(w->b, &witness.watch);
}

static void changed_quietly(struct registry_change *change)
{
    *(bool *)change->ctx = true;
    assert_int_equal(change->err, OK);
}

/* The loop stands still, while others work. */
static void stand_still(unsigned ms)
{
    uint64_t until = uv_hrtime() + ms * UINT64_C(1000000);
    while (uv_hrtime() < until)
        ;
}

/* A change is under way while the watch looks for the first time: told once, also when the change
 * was made and not answered yet. */
static void watches_that_begin_in_the_middle_see_it_once(void **state)
{
    struct world *w = world_of(state);
    struct witness outer; /* what it was told of, a new watch does not find */
    witness_begin(&outer, w->b, "k");
    for (int i = 0; i < 20; i++) {
        const struct registry_write write = {"k", {(const uint8_t *)"v", 1}, false};
        bool done = false;
        struct registry_change change = {
            .writes = &write, .write_count = 1, .done = changed_quietly, .ctx = &done};
        struct witness witness;
        w->b->ops->change(w->b, &change);
        stand_still(i % 2 ? 20 : 0);
        witness_begin(&witness, w->b, "k");
        wait_for(w, &done, 5);
        while (!witness.here || witness.events == 0)
            run_for(w, 1);
        assert_int_equal(put(w, w->b, "k2", "v", NULL), OK);
        witness_expect(w, &witness, "+k2=v ");
        assert_int_equal(witness.events, 2);
        w->b->ops->unwatch(w->b, &witness.watch);
        assert_int_equal(delete_key(w, w->b, "k"), OK);
        assert_int_equal(delete_key(w, w->b, "k2"), OK);
        witness_expect(w, &outer, "-k -k2 ");
    }
    w->b->ops->unwatch(w->b, &outer.watch);
}

struct restless {
    struct registry_watch watch;
    struct registry *registry;
    struct witness *other;
    struct registry_change change;
    unsigned calls;
};

static void nothing_done(struct registry_change *change)
{
    assert_int_equal(change->err, OK);
}

/* Ends itself and another one, and asks for a change, from inside `changed`. */
static void restless_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct restless *r = (struct restless *)watch;
    static const struct registry_write write = {"k3", {(const uint8_t *)"v", 1}, false};
    (void)item;
    r->calls++;
    r->registry->ops->unwatch(r->registry, &r->watch);
    r->registry->ops->unwatch(r->registry, &r->other->watch);
    r->change = (struct registry_change){.writes = &write, .write_count = 1, .done = nothing_done};
    r->registry->ops->change(r->registry, &r->change);
}

static void watches_may_end_from_inside(void **state)
{
    struct world *w = world_of(state);
    struct witness other, last;
    struct restless r = {
        .watch = {.prefix = "k", .changed = restless_changed}, .registry = w->a, .other = &other};
    w->a->ops->watch(w->a, &r.watch);
    witness_begin(&other, w->a, "k");
    witness_begin(&last, w->a, "k");
    witness_expect(w, &last, "here ");
    assert_int_equal(put(w, w->b, "k1", "v", NULL), OK);
    witness_expect(w, &last, "+k1=v +k3=v ");
    assert_int_equal(r.calls, 1);
    assert_int_equal(other.events, 0);
    w->a->ops->unwatch(w->a, &last.watch);
}

/* --- Y5: in the tests of the backends; here: a leased key is a key --- */

static void leased_keys_are_keys(void **state)
{
    struct world *w = world_of(state);
    const struct registry_write write = {"alive/1", {(const uint8_t *)"me", 2}, true};
    struct registry_change change = {.writes = &write, .write_count = 1};
    assert_int_equal(change_all(w, w->a, &change), OK);
    assert_string_equal(get(w, w->b, "alive/1").value, "me");
    assert_int_equal(put_if(w, w->b, "alive/1", "you", change.revision), OK);
    assert_int_equal(delete_key(w, w->b, "alive/1"), OK);
    assert_int_equal(change_all(w, w->a, &change), OK);
    assert_int_equal(count_of(w, w->b, "alive/"), 1);
}

static int empty(void **state)
{
    struct world *w = world_of(state);
    delete_all(w, w->a);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, empty)

const struct CMUnitTest registry_suite[] = {
    TEST(what_is_written_is_read),
    TEST(what_is_not_there_is_no_error),
    TEST(values_are_bytes),
    TEST(prefixes_are_read_in_order),
    TEST(revisions_never_come_back),
    TEST(conditions_hold_or_nothing_happens),
    TEST(several_keys_change_together),
    TEST(limits_are_told),
    TEST(one_of_many_wins),
    TEST(who_forgets_is_not_called),
    TEST(watches_begin_with_what_is_there),
    TEST(watches_see_every_change),
    TEST(watches_that_begin_in_the_middle_see_it_once),
    TEST(watches_may_end_from_inside),
    TEST(leased_keys_are_keys),
};
const size_t registry_suite_count = sizeof registry_suite / sizeof registry_suite[0];
