/* SPDX-License-Identifier: MIT
 *
 * registry_calls.c: reads and changes on their way to the service and back: Z1, Z2.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/registry/registry_private.h"
#include "sim/world.h"

/* --- beginning and ending --- */

static struct call *call_new(struct connection *c, const void *ctx)
{
    struct call *call = sim_zalloc(sizeof *call);
    arena_init(&call->arena);
    call->connection = c;
    call->ctx = ctx;
    call->next = c->calls;
    call->link = &c->calls;
    if (call->next)
        call->next->link = &call->next;
    c->calls = call;
    return call;
}

static void call_free(struct call *call)
{
    struct env *env = call->connection->env, *service = call->connection->service->env;
    service->ops->timer_stop(service, &call->arrival);
    env->ops->timer_stop(env, &call->answer);
    env->ops->timer_stop(env, &call->deadline);
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    arena_free(&call->arena);
    free(call);
}

void calls_free(struct connection *connection)
{
    while (connection->calls)
        call_free(connection->calls);
}

/* The caller hears of it, unless it has forgotten it. */
static void call_over(struct call *call, enum err err)
{
    struct env *env = call->connection->env;
    struct registry_read *read = call->read;
    struct registry_change *change = call->change;
    env->ops->timer_stop(env, &call->answer);
    env->ops->timer_stop(env, &call->deadline);
    call->over = true;
    call->read = NULL;
    call->change = NULL;
    if (read) {
        read->err = err;
        read->items = err ? NULL : call->items;
        read->count = err ? 0 : call->item_count;
        read->revision = err ? 0 : call->revision;
        read->done(read);
    } else if (change) {
        change->err = err;
        change->revision = err ? 0 : call->revision;
        change->done(change);
    }
    if (!call->under_way)
        call_free(call);
}

void registry_forget(struct registry *registry, const void *ctx)
{
    struct connection *c = connection_of(registry);
    for (struct call *call = c->calls; call; call = call->next)
        if (call->ctx == ctx) {
            call->read = NULL;
            call->change = NULL;
        }
}

/* --- on the way --- */

#define CALL_OF(timer, member) \
    ((struct call *)(void *)((uint8_t *)(timer)-offsetof(struct call, member)))

static void answered(struct env_timer *timer)
{
    struct call *call = CALL_OF(timer, answer);
    call_over(call, call->err);
}

static void too_late(struct env_timer *timer)
{
    call_over(CALL_OF(timer, deadline), ERR_TIMEOUT);
}

static void answer_later(struct call *call)
{
    struct connection *c = call->connection;
    c->env->ops->timer_start(c->env, &call->answer, service_delay(c->service));
}

static void take_effect(struct call *call)
{
    struct sim_registry *service = call->connection->service;
    if (call->writes) {
        call->err = service_change(service, call);
        return;
    }
    call->items = items_copy(service, call->key, call->prefix, &call->arena, &call->item_count);
    call->revision = service->revision;
}

static void arrived(struct env_timer *timer)
{
    struct call *call = CALL_OF(timer, arrival);
    struct connection *c = call->connection;
    call->under_way = false;
    if (reaches(c)) {
        c->heard_ns = c->service->env->ops->mono_ns(c->service->env);
        take_effect(call);
        if (!call->over && hears(c) &&
            !service_chance(c->service, c->service->options.lost_per_million))
            answer_later(call);
    }
    if (call->over)
        call_free(call);
}

/* --- sending --- */

static bool key_sound(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] < ' ' || key[i] > '~')
            return false;
    return len <= REGISTRY_KEY_MAX;
}

/* What cannot get there may be known at once (nobody listens), or never. */
static void send(struct call *call, bool sound)
{
    struct connection *c = call->connection;
    struct sim_registry *service = c->service;
    const struct sim_registry_options *o = &service->options;
    call->arrival.fire = arrived;
    call->answer.fire = answered;
    call->deadline.fire = too_late;
    c->env->ops->timer_start(c->env, &call->deadline, o->deadline_ns);
    bool refused = !reaches(c) && service_chance(service, 500000);
    if (!sound || refused) {
        call->err = sound ? ERR_REGISTRY : ERR_LIMIT;
        answer_later(call);
    } else if (reaches(c) && !service_chance(service, o->lost_per_million)) {
        uint64_t delay = service_delay(service);
        if (service_chance(service, o->late_per_million))
            delay += service->env->ops->random(service->env) % (2 * o->deadline_ns);
        call->under_way = true;
        service->env->ops->timer_start(service->env, &call->arrival, delay);
    }
}

void registry_read_begin(struct registry *registry, struct registry_read *read)
{
    struct call *call = call_new(connection_of(registry), read->ctx);
    INVARIANT(read->done);
    call->read = read;
    call->key = arena_copy(&call->arena, read->key, strlen(read->key));
    call->prefix = read->prefix;
    send(call, key_sound(read->key));
}

static bool copy_change(struct call *call, const struct registry_change *change)
{
    struct arena *arena = &call->arena;
    bool sound = change->condition_count <= REGISTRY_CHANGES_MAX &&
                 change->write_count <= REGISTRY_CHANGES_MAX;
    call->conditions = ARENA_ARRAY(arena, struct registry_condition, change->condition_count + 1);
    call->writes = ARENA_ARRAY(arena, struct registry_write, change->write_count + 1);
    for (size_t i = 0; i < change->condition_count && sound; i++) {
        call->conditions[i] = change->conditions[i];
        call->conditions[i].key =
            arena_copy(arena, change->conditions[i].key, strlen(change->conditions[i].key));
        sound = key_sound(call->conditions[i].key);
    }
    for (size_t i = 0; i < change->write_count && sound; i++) {
        struct registry_write *write = &call->writes[i];
        *write = change->writes[i];
        write->key = arena_copy(arena, write->key, strlen(write->key));
        sound = key_sound(write->key) && write->value.len <= REGISTRY_VALUE_MAX;
        if (write->value.data && sound)
            write->value.data = arena_copy(arena, write->value.data, write->value.len);
    }
    call->condition_count = change->condition_count;
    call->write_count = change->write_count;
    return sound;
}

void registry_change_begin(struct registry *registry, struct registry_change *change)
{
    struct call *call = call_new(connection_of(registry), change->ctx);
    INVARIANT(change->done);
    call->change = change;
    send(call, copy_change(call, change));
}
