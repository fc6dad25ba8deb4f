/* SPDX-License-Identifier: MIT
 *
 * registry_watch.c: watches: Y4 of core/registry/registry.h and Z3. A watcher is called by a timer
 * of its process, once each time: what it does inside meets nothing half done.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/registry/registry_private.h"
#include "sim/world.h"

static void pump_later(struct watching *w)
{
    struct connection *c = w->connection;
    if (!w->pump.impl)
        c->env->ops->timer_start(c->env, &w->pump, service_delay(c->service));
}

static void watching_free(struct watching *w)
{
    w->connection->env->ops->timer_stop(w->connection->env, &w->pump);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    arena_free(&w->arena);
    free(w);
}

/* --- what comes next --- */

/* The next change that it has not seen; *lost: it is not kept any more. */
static const struct entry *next_change(const struct watching *w, bool *lost)
{
    const struct sim_registry *service = w->connection->service;
    *lost = w->position < service->forgotten;
    for (uint32_t i = 0; i < service->past_count; i++)
        if (service->past[i].revision > w->position &&
            has_prefix(service->past[i].key, w->watch->prefix))
            return &service->past[i];
    return NULL;
}

static void take_snapshot(struct watching *w)
{
    struct sim_registry *service = w->connection->service;
    arena_reset(&w->arena);
    w->items = items_copy(service, w->watch->prefix, true, &w->arena, &w->item_count);
    w->item_at = 0;
    w->position = service->revision;
    w->step = w->item_count ? WATCH_SNAPSHOT : WATCH_CAUGHT_UP;
}

/* All changes of one revision are told at once; the position is behind them then. */
static void tell_changes(struct watching *w, const struct entry *first)
{
    struct sim_registry *service = w->connection->service;
    uint64_t revision = first->revision;
    arena_reset(&w->arena);
    struct registry_item *items = ARENA_ARRAY(&w->arena, struct registry_item, service->past_count);
    size_t count = 0;
    for (uint32_t i = 0; i < service->past_count; i++) {
        const struct entry *entry = &service->past[i];
        if (entry->revision != revision || !has_prefix(entry->key, w->watch->prefix))
            continue;
        struct registry_item *item = &items[count++];
        item->key = arena_copy(&w->arena, entry->key, strlen(entry->key));
        item->revision = revision;
        if (entry->value)
            item->value =
                (struct bytes){arena_copy(&w->arena, entry->value, entry->len), entry->len};
    }
    w->position = revision;
    for (size_t i = 0; i < count && !w->gone; i++)
        w->watch->changed(w->watch, &items[i]);
}

static void live(struct watching *w)
{
    bool lost;
    const struct entry *entry = next_change(w, &lost);
    if (lost) {
        w->step = WATCH_LOST;
        pump_later(w);
    } else if (entry) {
        pump_later(w);
        tell_changes(w, entry);
    } else if (w->connection->service->revision > w->position) {
        w->position = w->connection->service->revision; /* nothing of it concerns this watch */
    }
}

static void step(struct watching *w)
{
    const struct registry_watch *watch = w->watch;
    switch (w->step) {
    case WATCH_LOST:
        take_snapshot(w);
        pump_later(w);
        if (w->begun && watch->lost)
            watch->lost(w->watch);
        w->begun = true;
        break;
    case WATCH_SNAPSHOT: {
        const struct registry_item *item = &w->items[w->item_at++];
        if (w->item_at == w->item_count)
            w->step = WATCH_CAUGHT_UP;
        pump_later(w);
        watch->changed(w->watch, item);
        break;
    }
    case WATCH_CAUGHT_UP:
        w->step = WATCH_LIVE;
        pump_later(w);
        if (watch->caught_up)
            watch->caught_up(w->watch);
        break;
    case WATCH_LIVE:
        live(w);
        break;
    }
}

static void pump(struct env_timer *timer)
{
    struct watching *w =
        (struct watching *)(void *)((uint8_t *)timer - offsetof(struct watching, pump));
    if (!hears(w->connection)) /* watches_resume goes on */
        return;
    w->inside = true;
    step(w);
    w->inside = false;
    if (w->gone)
        watching_free(w);
}

/* --- waking --- */

void watches_wake(struct sim_registry *service)
{
    for (struct connection *c = service->connections; c; c = c->next)
        for (struct watching *w = c->watches; w; w = w->next)
            if (!w->gone)
                pump_later(w);
}

void watches_resume(struct connection *c, bool broken)
{
    for (struct watching *w = c->watches; w; w = w->next) {
        if (w->gone)
            continue;
        if (broken || service_chance(c->service, 500000))
            w->step = WATCH_LOST;
        pump_later(w);
    }
}

/* --- beginning and ending --- */

void registry_watch_begin(struct registry *registry, struct registry_watch *watch)
{
    struct connection *c = connection_of(registry);
    struct watching *w = sim_zalloc(sizeof *w);
    INVARIANT(watch->changed && watch->prefix);
    arena_init(&w->arena);
    w->watch = watch;
    w->connection = c;
    w->step = WATCH_LOST;
    w->pump.fire = pump;
    w->next = c->watches;
    w->link = &c->watches;
    if (w->next)
        w->next->link = &w->next;
    c->watches = w;
    watch->impl = w;
    pump_later(w);
}

void registry_watch_end(struct registry *registry, struct registry_watch *watch)
{
    struct watching *w = watch->impl;
    (void)registry;
    if (!w)
        return;
    watch->impl = NULL;
    w->gone = true;
    if (!w->inside)
        watching_free(w);
}

void watches_free(struct connection *connection)
{
    while (connection->watches)
        watching_free(connection->watches);
}
