/* SPDX-License-Identifier: MIT
 *
 * tools.c: asking a registry, and waiting for the answer.
 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

void wait_for(struct world *w, const bool *flag, unsigned seconds)
{
    uint64_t until = uv_hrtime() + seconds * UINT64_C(1000000000);
    uv_timer_t tick;
    assert_int_equal(uv_timer_init(&w->loop, &tick), 0);
    uv_timer_start(&tick, on_tick, 20, 20);
    while (!*flag && uv_hrtime() < until)
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    if (!*flag)
        fail_msg("it did not happen within %u s", seconds);
}

static void on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

void run_for(struct world *w, unsigned ms)
{
    uv_timer_t timer;
    bool over = false;
    assert_int_equal(uv_timer_init(&w->loop, &timer), 0);
    timer.data = &over;
    uv_timer_start(&timer, on_time, ms, 0);
    while (!over)
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* --- changes --- */

static void change_done(struct registry_change *change)
{
    bool *done = change->ctx;
    assert_false(*done); /* Y2: once */
    *done = true;
}

enum err change_all(struct world *w, struct registry *registry, struct registry_change *change)
{
    bool done = false;
    uint64_t start = uv_hrtime();
    change->done = change_done;
    change->ctx = &done;
    registry->ops->change(registry, change);
    assert_false(done); /* Y2: not before the call returned */
    wait_for(w, &done, 20);
    assert_true(uv_hrtime() - start < registry->deadline_ns + 300000000);
    return change->err;
}

static struct bytes text(const char *s)
{
    return (struct bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

enum err put(struct world *w, struct registry *registry, const char *key, const char *value,
             uint64_t *revision)
{
    const struct registry_write write = {key, text(value), false};
    struct registry_change change = {.writes = &write, .write_count = 1};
    enum err err = change_all(w, registry, &change);
    if (revision)
        *revision = change.revision;
    return err;
}

enum err put_if(struct world *w, struct registry *registry, const char *key, const char *value,
                uint64_t condition)
{
    const struct registry_condition c = {key, condition};
    const struct registry_write write = {key, text(value), false};
    struct registry_change change = {
        .conditions = &c, .condition_count = 1, .writes = &write, .write_count = 1};
    return change_all(w, registry, &change);
}

enum err delete_key(struct world *w, struct registry *registry, const char *key)
{
    return put(w, registry, key, NULL, NULL);
}

/* --- reads --- */

struct asked {
    struct registry_read read;
    struct got got;
    char keys[64][REGISTRY_KEY_MAX + 1];
    bool done;
};

static void read_done(struct registry_read *read)
{
    struct asked *asked = read->ctx;
    assert_false(asked->done);
    asked->done = true;
    asked->got.err = read->err;
    asked->got.count = read->count;
    asked->got.all = read->revision;
    for (size_t i = 0; i < read->count; i++) {
        const struct registry_item *item = &read->items[i];
        assert_true(item->revision > 0 && item->revision <= read->revision);
        assert_non_null(item->value.data);
        assert_true(i == 0 || strcmp(read->items[i - 1].key, item->key) < 0);
        if (i < 64)
            snprintf(asked->keys[i], sizeof asked->keys[i], "%s", item->key);
    }
    if (read->count == 0)
        return;
    size_t len = read->items[0].value.len;
    asked->got.len = len;
    len = len < sizeof asked->got.value - 1 ? len : sizeof asked->got.value - 1;
    memcpy(asked->got.value, read->items[0].value.data, len);
    asked->got.value[len] = 0;
    asked->got.revision = read->items[0].revision;
}

static void ask(struct world *w, struct registry *registry, struct asked *asked)
{
    asked->read.done = read_done;
    asked->read.ctx = asked;
    registry->ops->read(registry, &asked->read);
    assert_false(asked->done);
    wait_for(w, &asked->done, 20);
}

struct got get(struct world *w, struct registry *registry, const char *key)
{
    static struct asked asked;
    asked = (struct asked){.read = {.key = key}};
    ask(w, registry, &asked);
    assert_true(asked.got.count <= 1);
    return asked.got;
}

size_t count_of(struct world *w, struct registry *registry, const char *prefix)
{
    static struct asked asked;
    asked = (struct asked){.read = {.key = prefix, .prefix = true}};
    ask(w, registry, &asked);
    assert_int_equal(asked.got.err, OK);
    return asked.got.count;
}

void delete_all(struct world *w, struct registry *registry)
{
    static struct asked asked;
    do {
        asked = (struct asked){.read = {.key = "", .prefix = true}};
        ask(w, registry, &asked);
        assert_int_equal(asked.got.err, OK);
        for (size_t i = 0; i < asked.got.count && i < 64; i++)
            assert_int_equal(delete_key(w, registry, asked.keys[i]), OK);
    } while (asked.got.count);
}

/* --- watching --- */

static void note(struct witness *witness, const char *what, const char *key, struct bytes value)
{
    size_t room = sizeof witness->text - witness->len;
    int shown = (int)(value.len < 32 ? value.len : 32);
    int n = snprintf(witness->text + witness->len, room, "%s%s%s%.*s ", what, key,
                     value.data ? "=" : "", shown, value.data ? (const char *)value.data : "");
    assert_true(n > 0 && (size_t)n < room);
    witness->len += (size_t)n;
}

/* Y4: in the order of revisions; from a first look on, in any. */
static void witness_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct witness *witness = (struct witness *)watch;
    assert_true(strncmp(item->key, watch->prefix, strlen(watch->prefix)) == 0);
    assert_true(item->revision > 0);
    if (witness->here) {
        assert_true(item->revision >= witness->last);
        witness->last = item->revision;
    } else if (item->revision > witness->last) {
        witness->last = item->revision;
    }
    witness->events++;
    if (sizeof witness->text - witness->len < 512)
        witness->len = 0;
    note(witness, item->value.data ? "+" : "-", item->key, item->value);
}

static void witness_lost(struct registry_watch *watch)
{
    struct witness *witness = (struct witness *)watch;
    witness->here = false;
    witness->losses++;
    note(witness, "lost", "", (struct bytes){0});
}

static void witness_here(struct registry_watch *watch)
{
    struct witness *witness = (struct witness *)watch;
    assert_false(witness->here);
    witness->here = true;
    note(witness, "here", "", (struct bytes){0});
}

void witness_begin(struct witness *witness, struct registry *registry, const char *prefix)
{
    *witness = (struct witness){.watch = {.prefix = prefix,
                                          .changed = witness_changed,
                                          .lost = witness_lost,
                                          .caught_up = witness_here}};
    registry->ops->watch(registry, &witness->watch);
    assert_int_equal(witness->len, 0);
}

void witness_expect(struct world *w, const struct witness *witness, const char *want)
{
    uint64_t until = uv_hrtime() + UINT64_C(5000000000);
    size_t len = strlen(want);
    while (uv_hrtime() < until) {
        if (witness->len >= len && strcmp(witness->text + witness->len - len, want) == 0)
            return;
        run_for(w, 5);
    }
    fail_msg("told '%s', not '%s'", witness->text, want);
}
