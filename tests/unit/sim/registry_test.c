/* SPDX-License-Identifier: MIT
 *
 * registry_test.c: the simulated registry keeps Y1 to Y5 of core/registry/registry.h under its
 * faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/registry/registry.h"

#define MS      UINT64_C(1000000)
#define SECOND  UINT64_C(1000000000)
#define NODES   4u
#define KEYS    3u
#define SLOTS   400u
#define SEEDS   40u
#define VERSION 8u /* bytes of a value: its number */

struct world;

struct client {
    struct world *world;
    struct env *env;
    struct registry *registry;
    uint32_t number;
    struct registry_watch watch;
    uint64_t seen[KEYS]; /* of each key, the revision that the watch said last */
    uint64_t told;       /* the last revision it said */
    uint64_t value[KEYS];
    uint32_t losses, caught_up;
    bool snapshot; /* between `lost` and `caught_up` */
};

/* A read and the change that follows from it. */
struct attempt {
    struct client *client;
    struct registry_read read;
    struct registry_change change;
    struct registry_condition condition;
    struct registry_write write;
    uint64_t began, next;
    uint64_t floor; /* the greatest revision that was known when it began */
    uint32_t key, ended;
    bool inside; /* a call of the registry: nobody may be told anything */
};

struct world {
    struct sim *sim;
    struct sim_disk *disk;
    struct sim_registry *service;
    struct client clients[NODES];
    struct attempt attempts[SLOTS];
    uint32_t used, open;
    uint64_t known; /* the greatest revision that anybody was told by an answer */
    uint64_t sure[KEYS], perhaps[KEYS];
    bool inside;
};

static const char *const names[KEYS] = {"view/a", "view/b", "other/c"};

static uint64_t number_of(struct bytes value)
{
    uint64_t number = 0;
    if (value.data) {
        assert_int_equal(value.len, VERSION);
        memcpy(&number, value.data, VERSION);
    }
    return number;
}

static uint32_t key_of(const char *name)
{
    for (uint32_t i = 0; i < KEYS; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    fail_msg("no such key: %s", name);
    return 0;
}

static struct world *world_new(uint64_t seed, const struct sim_registry_options *options)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->disk = sim_disk_new();
    w->sim = sim_new(seed, w->disk);
    w->service = sim_registry_new(w->sim, options);
    for (uint32_t i = 0; i < NODES; i++) {
        struct client *c = &w->clients[i];
        c->world = w;
        c->number = i;
        c->env = sim_env_add(w->sim, NULL);
        c->registry = sim_registry_open(w->service, c->env, i);
    }
    return w;
}

static void world_free(struct world *w)
{
    sim_registry_free(w->service);
    sim_free(w->sim);
    sim_disk_free(w->disk);
    free(w);
}

/* --- the watch: Y4 --- */

static void changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct client *c = watch->ctx;
    uint32_t key = key_of(item->key);
    assert_true(key < 2); /* of its prefix */
    assert_true(item->revision != 0);
    if (!c->snapshot)
        assert_true(item->revision >= c->told); /* several keys of one change have one revision */
    assert_true(item->revision >= c->seen[key]);
    assert_true(c->snapshot || item->revision > c->seen[key]);
    if (!c->snapshot && c->seen[key]) /* every change is told: none is left out */
        assert_int_equal(number_of(item->value), c->value[key] + 1);
    c->seen[key] = item->revision;
    c->value[key] = number_of(item->value);
    c->told = item->revision > c->told ? item->revision : c->told;
}

static void lost(struct registry_watch *watch)
{
    struct client *c = watch->ctx;
    c->losses++;
    c->snapshot = true;
}

static void caught_up(struct registry_watch *watch)
{
    struct client *c = watch->ctx;
    assert_true(c->snapshot);
    c->snapshot = false;
    c->caught_up++;
}

static void watch_all(struct world *w)
{
    for (uint32_t i = 0; i < NODES; i++) {
        struct client *c = &w->clients[i];
        c->watch = (struct registry_watch){
            .prefix = "view/", .changed = changed, .lost = lost, .caught_up = caught_up, .ctx = c};
        c->snapshot = true;
        c->registry->ops->watch(c->registry, &c->watch);
    }
}

/* --- counting up: Y1, Y2, Y3 --- */

static void ended(struct attempt *a)
{
    struct world *w = a->client->world;
    uint64_t now = a->client->env->ops->mono_ns(a->client->env);
    assert_false(w->inside);
    assert_true(now - a->began <= a->client->registry->deadline_ns);
}

static void change_done(struct registry_change *change)
{
    struct attempt *a = change->ctx;
    struct world *w = a->client->world;
    ended(a);
    assert_int_equal(++a->ended, 2);
    w->open--;
    if (change->err == OK) {
        assert_true(change->revision > a->floor);
        w->known = change->revision > w->known ? change->revision : w->known;
        w->sure[a->key]++;
    } else if (change->err == ERR_TIMEOUT) {
        w->perhaps[a->key]++;
    } else {
        assert_true(change->err == ERR_CONFLICT || change->err == ERR_REGISTRY);
    }
}

static void read_done(struct registry_read *read)
{
    struct attempt *a = read->ctx;
    struct world *w = a->client->world;
    struct registry *registry = a->client->registry;
    ended(a);
    assert_int_equal(++a->ended, 1);
    if (read->err) {
        assert_true(read->err == ERR_TIMEOUT || read->err == ERR_REGISTRY);
        w->open--;
        return;
    }
    assert_true(read->revision >= a->floor && read->count <= 1);
    w->known = read->revision > w->known ? read->revision : w->known;
    a->next = (read->count ? number_of(read->items[0].value) : 0) + 1;
    a->condition =
        (struct registry_condition){names[a->key], read->count ? read->items[0].revision : 0};
    a->write = (struct registry_write){.key = names[a->key],
                                       .value = {(const uint8_t *)&a->next, VERSION}};
    a->change = (struct registry_change){.conditions = &a->condition,
                                         .condition_count = 1,
                                         .writes = &a->write,
                                         .write_count = 1,
                                         .done = change_done,
                                         .ctx = a};
    a->began = a->client->env->ops->mono_ns(a->client->env);
    a->floor = w->known;
    w->inside = true;
    registry->ops->change(registry, &a->change);
    a->condition.revision = a->next = 0; /* they were copied */
    w->inside = false;
}

static void count_up(struct world *w)
{
    struct attempt *a = &w->attempts[w->used++];
    a->client = &w->clients[sim_random(w->sim) % NODES];
    a->key = (uint32_t)(sim_random(w->sim) % KEYS);
    a->read = (struct registry_read){.key = names[a->key], .done = read_done, .ctx = a};
    a->began = a->client->env->ops->mono_ns(a->client->env);
    a->floor = w->known;
    w->open++;
    w->inside = true;
    a->client->registry->ops->read(a->client->registry, &a->read);
    w->inside = false;
}

static void some_fault(struct world *w)
{
    uint64_t draw = sim_random(w->sim);
    uint32_t node = (uint32_t)(draw >> 8) % NODES;
    switch (draw % 8) {
    case 0:
        sim_registry_outage(w->service, true);
        break;
    case 1:
    case 2:
        sim_registry_outage(w->service, false);
        break;
    case 3:
        sim_registry_cut(w->service, node, draw >> 20 & 1, draw >> 21 & 1);
        break;
    case 4:
        sim_registry_cut(w->service, node, false, false);
        break;
    case 5:
        sim_registry_break(w->service, node);
        break;
    default:
        break;
    }
}

static void heal(struct world *w)
{
    sim_registry_outage(w->service, false);
    for (uint32_t i = 0; i < NODES; i++)
        sim_registry_cut(w->service, i, false, false);
    sim_registry_lossy(w->service, 0);
    sim_advance(w->sim, 10 * SECOND);
}

static void check_counts(struct world *w)
{
    for (uint32_t k = 0; k < KEYS; k++) {
        struct bytes value = {NULL, 0};
        uint64_t revision = 0, number = 0;
        if (sim_registry_peek(w->service, names[k], &value, &revision))
            number = number_of(value);
        assert_true(number >= w->sure[k] && number <= w->sure[k] + w->perhaps[k]);
        for (uint32_t i = 0; i < NODES && k < 2; i++) {
            assert_false(w->clients[i].snapshot);
            assert_int_equal(w->clients[i].value[k], number);
            assert_int_equal(w->clients[i].seen[k], revision);
        }
    }
}

static void counting_under_faults(void **state)
{
    uint32_t losses = 0;
    uint64_t sure = 0, perhaps = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct sim_registry_options options = {.late_per_million = 50000,
                                                     .lost_per_million = 50000};
        struct world *w = world_new(seed, &options);
        watch_all(w);
        while (w->used < SLOTS) {
            count_up(w);
            if (w->used % 8 == 0)
                some_fault(w);
            sim_advance(w->sim, sim_random(w->sim) % (20 * MS));
        }
        heal(w);
        assert_int_equal(w->open, 0);
        check_counts(w);
        for (uint32_t i = 0; i < NODES; i++)
            losses += w->clients[i].losses;
        for (uint32_t k = 0; k < KEYS; k++) {
            sure += w->sure[k];
            perhaps += w->perhaps[k];
        }
        world_free(w);
    }
    assert_true(losses > SEEDS && sure > 100 * SEEDS && perhaps > SEEDS); /* it was tried */
}

/* --- one change of several keys --- */

struct simple {
    struct registry_change change;
    struct registry_read read;
    enum err err;
    uint64_t revision;
    uint32_t count, times;
};

static void simple_changed(struct registry_change *change)
{
    struct simple *s = change->ctx;
    s->err = change->err;
    s->revision = change->revision;
    s->times++;
}

static void simple_read(struct registry_read *read)
{
    struct simple *s = read->ctx;
    s->err = read->err;
    s->count = (uint32_t)read->count;
    s->times++;
}

static enum err change(struct world *w, uint32_t client, const struct registry_condition *condition,
                       const struct registry_write *writes, size_t count,
                       uint64_t *revision) /* lint: parameters-ok: a change, as it is asked for */
{
    struct registry *registry = w->clients[client].registry;
    struct simple s = {.err = OK};
    s.change = (struct registry_change){.conditions = condition,
                                        .condition_count = condition ? 1 : 0,
                                        .writes = writes,
                                        .write_count = count,
                                        .done = simple_changed,
                                        .ctx = &s};
    registry->ops->change(registry, &s.change);
    assert_int_equal(s.times, 0);
    sim_advance(w->sim, registry->deadline_ns);
    assert_int_equal(s.times, 1);
    if (revision)
        *revision = s.revision;
    return s.err;
}

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static bool is_there(const struct world *w, const char *key)
{
    struct bytes value;
    uint64_t revision;
    return sim_registry_peek(w->service, key, &value, &revision);
}

static void all_or_nothing(void **state)
{
    const struct sim_registry_options options = {.deadline_ns = 0};
    struct world *w = world_new(7, &options);
    const struct registry_write both[2] = {{.key = "a", .value = text("1")},
                                           {.key = "b", .value = text("")}};
    const struct registry_write gone[2] = {{.key = "a"}, {.key = "c", .value = text("3")}};
    struct registry_condition absent = {"a", 0};
    uint64_t first = 0, second = 0;
    (void)state;
    assert_int_equal(change(w, 0, &absent, both, 2, &first), OK);
    assert_int_equal(change(w, 1, &absent, gone, 2, &second), ERR_CONFLICT);
    assert_true(is_there(w, "a") && is_there(w, "b") && !is_there(w, "c"));
    absent.revision = first;
    assert_int_equal(change(w, 1, &absent, gone, 2, &second), OK);
    assert_true(second > first);
    assert_true(!is_there(w, "a") && is_there(w, "b") && is_there(w, "c"));
    assert_int_equal(change(w, 1, &absent, gone, 2, &second), ERR_CONFLICT);
    world_free(w);
}

static void limits(void **state)
{
    const struct sim_registry_options options = {.deadline_ns = 0};
    struct world *w = world_new(7, &options);
    char *large = calloc(1, REGISTRY_VALUE_MAX + 1), key[REGISTRY_KEY_MAX + 2];
    struct registry_write write = {.key = "a",
                                   .value = {(const uint8_t *)large, REGISTRY_VALUE_MAX + 1}};
    (void)state;
    assert_non_null(large);
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    assert_int_equal(change(w, 0, NULL, &write, 1, NULL), ERR_LIMIT);
    write.value.len--;
    assert_int_equal(change(w, 0, NULL, &write, 1, NULL), OK);
    write.key = key;
    assert_int_equal(change(w, 0, NULL, &write, 1, NULL), ERR_LIMIT);
    write.key = key + 1;
    assert_int_equal(change(w, 0, NULL, &write, 1, NULL), OK);
    free(large);
    world_free(w);
}

/* --- leases: Y5 --- */

static void leases(void **state)
{
    const struct sim_registry_options options = {.deadline_ns = 0};
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct world *w = world_new(9, &options);
        const struct registry_write write = {.key = "alive/2", .value = text("x"), .leased = true};
        assert_int_equal(change(w, 2, NULL, &write, 1, NULL), OK);
        sim_advance(w->sim, 60 * SECOND);
        assert_true(is_there(w, "alive/2")); /* the process lives */
        if (way == 0)
            sim_stop(w->clients[2].env);
        else if (way == 1)
            sim_registry_close(w->clients[2].registry);
        else if (way == 2)
            sim_registry_cut(w->service, 2, true, false);
        else
            sim_registry_outage(w->service, true);
        assert_int_equal(is_there(w, "alive/2"), way != 1);
        sim_advance(w->sim, 1 * SECOND);
        assert_int_equal(is_there(w, "alive/2"), way != 1);
        sim_advance(w->sim, 3 * SECOND);
        assert_int_equal(is_there(w, "alive/2"), way == 3); /* Z4 */
        world_free(w);
    }
}

/* --- forgetting --- */

static void forgotten(void **state)
{
    const struct sim_registry_options options = {.deadline_ns = 0};
    struct world *w = world_new(3, &options);
    struct registry *registry = w->clients[0].registry;
    struct simple s = {.err = OK};
    (void)state;
    const struct registry_write write = {.key = "a", .value = text("x")};
    s.change = (struct registry_change){
        .writes = &write, .write_count = 1, .done = simple_changed, .ctx = &s};
    s.read = (struct registry_read){.key = "a", .done = simple_read, .ctx = &s};
    registry->ops->change(registry, &s.change);
    registry->ops->read(registry, &s.read);
    registry->ops->forget(registry, &s);
    sim_advance(w->sim, 10 * SECOND);
    assert_int_equal(s.times, 0);
    watch_all(w);
    registry->ops->unwatch(registry, &w->clients[0].watch);
    sim_advance(w->sim, SECOND);
    assert_int_equal(w->clients[0].caught_up, 0);
    assert_int_equal(w->clients[1].caught_up, 1);
    world_free(w);
}

/* A watch that stood still for more changes than are kept is told so. */
static void watch_far_behind(void **state)
{
    const struct sim_registry_options options = {.deadline_ns = 10 * MS};
    struct world *w = world_new(5, &options);
    uint64_t number = 0;
    const struct registry_write write = {.key = "view/a",
                                         .value = {(const uint8_t *)&number, VERSION}};
    (void)state;
    watch_all(w);
    sim_advance(w->sim, SECOND);
    sim_pause(w->clients[3].env);
    while (++number <= 1000)
        assert_int_equal(change(w, 0, NULL, &write, 1, NULL), OK);
    assert_int_equal(w->clients[1].losses, 0);
    sim_resume(w->clients[3].env);
    sim_advance(w->sim, SECOND);
    assert_int_equal(w->clients[3].losses, 1);
    assert_int_equal(w->clients[3].value[0], 1000);
    assert_int_equal(w->clients[1].value[0], 1000);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_under_faults),
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(limits),
        cmocka_unit_test(leases),
        cmocka_unit_test(forgotten),
        cmocka_unit_test(watch_far_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
