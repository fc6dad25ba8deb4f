/* SPDX-License-Identifier: MIT
 *
 * registry.c: the service: keys, revisions, leases, connections. The law is in registry.h.
 */
#include "sim/registry/registry.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "sim/registry/registry_private.h"
#include "sim/world.h"

#define US      UINT64_C(1000)
#define SECOND  UINT64_C(1000000000)
#define MILLION 1000000u

/* --- chance --- */

bool service_chance(struct sim_registry *service, unsigned per_million)
{
    return service->env->ops->random(service->env) % MILLION < per_million;
}

uint64_t service_delay(struct sim_registry *service)
{
    const struct sim_registry_options *o = &service->options;
    struct chance chance;
    chance_seed(&chance, service->env->ops->random(service->env));
    return 1 + o->least_ns + chance_exponential(&chance, o->mean_ns);
}

/* --- keys --- */

bool has_prefix(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

uint32_t item_find(const struct sim_registry *service, const char *key, bool *there)
{
    uint32_t low = 0, high = service->item_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(service->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < service->item_count && strcmp(service->items[low].key, key) == 0;
    return low;
}

static struct registry_item item_copy(const struct entry *entry, struct arena *arena)
{
    return (struct registry_item){
        .key = arena_copy(arena, entry->key, strlen(entry->key)),
        .value = {arena_copy(arena, entry->value, entry->len), entry->len},
        .revision = entry->revision,
    };
}

struct registry_item *items_copy(const struct sim_registry *service, const char *key, bool prefix,
                                 struct arena *arena, size_t *count)
{
    struct registry_item *items = ARENA_ARRAY(arena, struct registry_item, service->item_count + 1);
    *count = 0;
    for (uint32_t i = 0; i < service->item_count; i++) {
        const struct entry *entry = &service->items[i];
        if (prefix ? has_prefix(entry->key, key) : strcmp(entry->key, key) == 0)
            items[(*count)++] = item_copy(entry, arena);
    }
    return items;
}

bool sim_registry_peek(const struct sim_registry *service, const char *key, struct bytes *value,
                       uint64_t *revision)
{
    bool there;
    uint32_t at = item_find(service, key, &there);
    if (!there)
        return false;
    *value = (struct bytes){service->items[at].value, service->items[at].len};
    *revision = service->items[at].revision;
    return true;
}

/* --- changes --- */

static struct entry entry_new(const char *key, struct bytes value, uint64_t revision)
{
    struct entry entry = {.key = sim_zalloc(strlen(key) + 1), .revision = revision};
    memcpy(entry.key, key, strlen(key));
    if (value.data) {
        entry.value = sim_zalloc(value.len + 1);
        entry.len = value.len;
        if (value.len)
            memcpy(entry.value, value.data, value.len);
    }
    return entry;
}

static void entry_free(struct entry *entry)
{
    free(entry->key);
    free(entry->value);
}

/* For watches; what is too old to be kept goes. */
static void remember(struct sim_registry *service, const char *key, struct bytes value)
{
    if (service->past_count == 2 * REGISTRY_PAST) {
        service->forgotten = service->past[REGISTRY_PAST - 1].revision;
        for (uint32_t i = 0; i < REGISTRY_PAST; i++)
            entry_free(&service->past[i]);
        memmove(service->past, service->past + REGISTRY_PAST,
                REGISTRY_PAST * sizeof *service->past);
        service->past_count = REGISTRY_PAST;
    }
    service->past =
        grow(service->past, service->past_count, &service->past_room, sizeof *service->past);
    service->past[service->past_count++] = entry_new(key, value, service->revision);
}

static void item_remove(struct sim_registry *service, uint32_t at)
{
    entry_free(&service->items[at]);
    service->item_count--;
    memmove(service->items + at, service->items + at + 1,
            (service->item_count - at) * sizeof *service->items);
}

static void item_insert(struct sim_registry *service, uint32_t at, struct entry entry)
{
    service->items =
        grow(service->items, service->item_count, &service->item_room, sizeof *service->items);
    memmove(service->items + at + 1, service->items + at,
            (service->item_count - at) * sizeof *service->items);
    service->items[at] = entry;
    service->item_count++;
}

static void write_one(struct sim_registry *service, const struct registry_write *write,
                      struct connection *owner)
{
    bool there;
    uint32_t at = item_find(service, write->key, &there);
    if (!there && !write->value.data)
        return;
    remember(service, write->key, write->value);
    if (there)
        item_remove(service, at);
    if (!write->value.data)
        return;
    struct entry entry = entry_new(write->key, write->value, service->revision);
    entry.owner = write->leased ? owner : NULL;
    item_insert(service, at, entry);
}

static bool holds(const struct sim_registry *service, const struct registry_condition *condition)
{
    bool there;
    uint32_t at = item_find(service, condition->key, &there);
    return (there ? service->items[at].revision : 0) == condition->revision;
}

static void expiry_later(struct connection *c)
{
    struct env *env = c->service->env;
    env->ops->timer_start(env, &c->expiry, c->registry.lease_ns);
}

enum err service_change(struct sim_registry *service, struct call *call)
{
    for (size_t i = 0; i < call->condition_count; i++)
        if (!holds(service, &call->conditions[i]))
            return ERR_CONFLICT;
    call->revision = ++service->revision;
    for (size_t i = 0; i < call->write_count; i++) {
        write_one(service, &call->writes[i], call->connection);
        if (call->writes[i].leased && !call->connection->expiry.impl)
            expiry_later(call->connection);
    }
    watches_wake(service);
    return OK;
}

/* --- leases --- */

void service_unlease(struct sim_registry *service, const struct connection *connection)
{
    bool any = false;
    for (uint32_t i = service->item_count; i-- > 0;) {
        if (service->items[i].owner != connection)
            continue;
        service->revision += !any;
        any = true;
        remember(service, service->items[i].key, (struct bytes){NULL, 0});
        item_remove(service, i);
    }
    if (any)
        watches_wake(service);
}

static struct connection *of_expiry(struct env_timer *timer)
{
    return (struct connection *)(void *)((uint8_t *)timer - offsetof(struct connection, expiry));
}

static void expire(struct env_timer *timer)
{
    struct connection *c = of_expiry(timer);
    uint64_t now = c->service->env->ops->mono_ns(c->service->env);
    uint64_t end = c->heard_ns + c->registry.lease_ns;
    if (c->service->outage) /* Z4 */
        expiry_later(c);
    else if (now < end)
        c->service->env->ops->timer_start(c->service->env, timer, end - now);
    else
        service_unlease(c->service, c);
}

static void beat(struct env_timer *timer)
{
    struct connection *c =
        (struct connection *)(void *)((uint8_t *)timer - offsetof(struct connection, beat));
    if (reaches(c))
        c->heard_ns = c->service->env->ops->mono_ns(c->service->env);
    c->env->ops->timer_start(c->env, timer, c->registry.lease_ns / 3);
}

/* --- connections --- */

static const struct registry_ops sim_registry_ops = {
    .read = registry_read_begin,
    .change = registry_change_begin,
    .watch = registry_watch_begin,
    .unwatch = registry_watch_end,
    .forget = registry_forget,
};

struct registry *sim_registry_open(struct sim_registry *service, struct env *env, uint32_t number)
{
    struct connection *c = sim_zalloc(sizeof *c);
    INVARIANT(number < 64);
    c->registry = (struct registry){
        .ops = &sim_registry_ops,
        .deadline_ns = service->options.deadline_ns,
        .lease_ns = service->options.lease_ns,
    };
    c->service = service;
    c->env = env;
    c->number = number;
    c->beat.fire = beat;
    c->expiry.fire = expire;
    c->heard_ns = service->env->ops->mono_ns(service->env);
    c->next = service->connections;
    service->connections = c;
    env->ops->timer_start(env, &c->beat, c->registry.lease_ns / 3);
    return &c->registry;
}

static void connection_end(struct connection *c)
{
    calls_free(c);
    watches_free(c);
    c->env->ops->timer_stop(c->env, &c->beat);
    c->service->env->ops->timer_stop(c->service->env, &c->expiry);
}

void sim_registry_close(struct registry *registry)
{
    struct connection *c = connection_of(registry);
    c->closed = true;
    connection_end(c);
    service_unlease(c->service, c);
}

/* --- the service --- */

struct sim_registry *sim_registry_new(struct sim *sim, const struct sim_registry_options *options)
{
    struct sim_registry *service = sim_zalloc(sizeof *service);
    service->env = sim_env_add(sim, NULL);
    service->options = *options;
    struct sim_registry_options *o = &service->options;
    o->deadline_ns = o->deadline_ns ? o->deadline_ns : SECOND;
    o->lease_ns = o->lease_ns ? o->lease_ns : 3 * SECOND;
    if (!o->least_ns && !o->mean_ns) {
        o->least_ns = 100 * US;
        o->mean_ns = 300 * US;
    }
    return service;
}

void sim_registry_free(struct sim_registry *service)
{
    for (struct connection *c = service->connections, *next; c; c = next) {
        next = c->next;
        connection_end(c);
        free(c);
    }
    for (uint32_t i = 0; i < service->item_count; i++)
        entry_free(&service->items[i]);
    for (uint32_t i = 0; i < service->past_count; i++)
        entry_free(&service->past[i]);
    free(service->items);
    free(service->past);
    free(service);
}

/* --- faults --- */

void sim_registry_outage(struct sim_registry *service, bool on)
{
    bool ends = service->outage && !on;
    service->outage = on;
    for (struct connection *c = service->connections; ends && c; c = c->next) {
        c->heard_ns = service->env->ops->mono_ns(service->env);
        watches_resume(c, false);
    }
}

void sim_registry_cut(struct sim_registry *service, uint32_t number, bool there, bool back)
{
    uint64_t bit = UINT64_C(1) << number;
    bool ends = (service->cut_back & bit) && !back;
    service->cut_there = there ? service->cut_there | bit : service->cut_there & ~bit;
    service->cut_back = back ? service->cut_back | bit : service->cut_back & ~bit;
    for (struct connection *c = service->connections; ends && c; c = c->next)
        if (c->number == number)
            watches_resume(c, false);
}

void sim_registry_lossy(struct sim_registry *service, unsigned per_million)
{
    service->options.lost_per_million = per_million;
}

void sim_registry_break(struct sim_registry *service, uint32_t number)
{
    for (struct connection *c = service->connections; c; c = c->next)
        if (c->number == number)
            watches_resume(c, true);
}
