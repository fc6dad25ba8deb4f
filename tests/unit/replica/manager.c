/* SPDX-License-Identifier: MIT */
#include "manager.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEP (5 * MS)

/* --- what it sends --- */

static enum err net_send(struct net *net, uint32_t to, const struct env_iov *pieces, int count)
{
    struct manager *m = (struct manager *)(void *)((uint8_t *)net - offsetof(struct manager, net));
    size_t len = 0, at = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].len;
    if (m->sent_count == m->sent_room) {
        m->sent_room = m->sent_room ? 2 * m->sent_room : 64;
        m->sent = realloc(m->sent, sizeof *m->sent * m->sent_room);
        assert_non_null(m->sent);
    }
    struct sent *sent = &m->sent[m->sent_count++];
    *sent = (struct sent){.to = to, .at = sim_now(m->sim), .bytes = malloc(len)};
    assert_non_null(sent->bytes);
    for (int i = 0; i < count; at += pieces[i++].len)
        memcpy(sent->bytes + at, pieces[i].data, pieces[i].len);
    arena_init(&sent->arena);
    assert_int_equal(wire_decode((struct bytes){sent->bytes, len}, &sent->arena, &sent->message),
                     OK);
    return OK;
}

static void net_listen(struct net *net, void (*deliver)(void *, uint32_t, struct bytes), void *ctx)
{
    (void)net;
    (void)deliver;
    (void)ctx;
}

static const struct net_ops net_ops = {net_send, net_listen};

void manager_forget(struct manager *m)
{
    for (uint32_t i = 0; i < m->sent_count; i++) {
        arena_free(&m->sent[i].arena);
        free(m->sent[i].bytes);
    }
    m->sent_count = m->answered = 0;
}

const struct message *manager_got(const struct manager *m, uint32_t to, enum message_kind kind)
{
    for (uint32_t i = m->sent_count; i-- > 0;)
        if (m->sent[i].to == to && m->sent[i].message.kind == kind)
            return &m->sent[i].message;
    return NULL;
}

/* --- the registry --- */

static struct manager *of_registry(struct registry *registry)
{
    return (struct manager *)(void *)((uint8_t *)registry - offsetof(struct manager, registry));
}

static const struct registry_item *item(struct manager *m)
{
    arena_reset(&m->item_arena);
    m->item =
        (struct registry_item){m->key, record_encode_view(&m->view, &m->item_arena), m->revision};
    return &m->item;
}

static void read_due(struct env_timer *timer)
{
    struct manager *m =
        (struct manager *)(void *)((uint8_t *)timer - offsetof(struct manager, read_timer));
    struct registry_read *read = m->read;
    m->read = NULL;
    read->err = OK;
    read->count = m->view.number > 0;
    read->items = read->count ? item(m) : NULL;
    read->revision = m->revision;
    read->done(read);
}

static void registry_read(struct registry *registry, struct registry_read *read)
{
    struct manager *m = of_registry(registry);
    m->read = read;
    m->read_timer.fire = read_due;
    m->env->ops->timer_start(m->env, &m->read_timer, 1);
}

static void change_due(struct env_timer *timer)
{
    struct manager *m =
        (struct manager *)(void *)((uint8_t *)timer - offsetof(struct manager, change_timer));
    struct registry_change *change = m->change;
    if (m->holds)
        return;
    m->change = NULL;
    change->err = m->conditional && m->condition != m->revision ? ERR_CONFLICT : OK;
    if (change->err == OK) {
        m->view = m->proposed;
        change->revision = ++m->revision;
    }
    change->done(change);
}

static void registry_change(struct registry *registry, struct registry_change *change)
{
    struct manager *m = of_registry(registry);
    assert_int_equal(change->write_count, 1);
    assert_int_equal(record_decode_view(change->writes[0].value, &m->proposed), OK);
    m->change = change;
    m->conditional = change->condition_count == 1;
    m->condition = m->conditional ? change->conditions[0].revision : 0;
    m->change_timer.fire = change_due;
    m->env->ops->timer_start(m->env, &m->change_timer, 1);
}

static void registry_watch(struct registry *registry, struct registry_watch *watch)
{
    of_registry(registry)->watch = watch;
}

static void registry_unwatch(struct registry *registry, struct registry_watch *watch)
{
    (void)watch;
    of_registry(registry)->watch = NULL;
}

static void registry_forget(struct registry *registry, const void *ctx)
{
    struct manager *m = of_registry(registry);
    (void)ctx;
    m->env->ops->timer_stop(m->env, &m->read_timer);
    m->env->ops->timer_stop(m->env, &m->change_timer);
    m->read = NULL;
    m->change = NULL;
}

static const struct registry_ops registry_ops = {registry_read, registry_change, registry_watch,
                                                 registry_unwatch, registry_forget};

void manager_view(struct manager *m, uint64_t number, uint32_t primary, uint32_t members)
{
    m->view = (struct view){.number = number, .primary = primary};
    for (uint32_t node = 1; node < NODES; node++)
        if (members >> node & 1)
            view_add(&m->view, node);
    m->revision++;
    assert_true(view_sound(&m->view));
    if (m->watch)
        m->watch->changed(m->watch, item(m));
}

/* --- time, and the other nodes --- */

void manager_give(struct manager *m, uint32_t from, struct message *message)
{
    struct primary_status status;
    primary_status(m->primary, &status);
    memcpy(message->volume, m->identity.uuid, sizeof message->volume);
    if (message->number == 0)
        message->number = status.view.number;
    primary_deliver(m->primary, from, message);
}

static void answer(struct manager *m, uint32_t index)
{
    uint32_t node = m->sent[index].to;
    struct message got = m->sent[index].message;
    struct message back = {.kind = MESSAGE_ACK};
    if (node >= NODES || !m->alive[node])
        return;
    if (got.kind == MESSAGE_RECORD && m->takes[node] &&
        stamp_compare(got.before, m->has[node]) == 0) {
        m->has[node] = got.stamp;
    } else if (got.kind == MESSAGE_HEARTBEAT) {
        back.kind = MESSAGE_HEARD;
        back.serial = got.serial;
    } else {
        return;
    }
    back.stamp = back.last = m->has[node];
    manager_give(m, node, &back);
}

void manager_pass(struct manager *m, uint64_t ns)
{
    uint64_t end = sim_now(m->sim) + ns;
    while (sim_now(m->sim) < end) {
        sim_advance(m->sim, end - sim_now(m->sim) < STEP ? end - sim_now(m->sim) : STEP);
        while (m->answered < m->sent_count)
            answer(m, m->answered++);
    }
    primary_check(m->primary);
}

/* --- the agent --- */

void manager_ask(struct manager *m, const struct asked *asked)
{
    struct message message = {.kind = MESSAGE_REQUEST,
                              .session = m->session,
                              .slot = asked->slot,
                              .serial = asked->serial,
                              .number = asked->number,
                              .op = asked->op};
    message.op.cred.checked = true;
    manager_give(m, AGENT, &message);
}

bool manager_reply(const struct manager *m, const struct asked *asked, struct message *out)
{
    for (uint32_t i = 0; i < m->sent_count; i++) {
        const struct message *message = &m->sent[i].message;
        if (m->sent[i].to == AGENT && message->kind == MESSAGE_REPLY &&
            message->slot == asked->slot && message->serial == asked->serial) {
            *out = *message;
            return true;
        }
    }
    return false;
}

enum err manager_do(struct manager *m, const struct asked *asked, struct message *out)
{
    struct message reply;
    manager_forget(m);
    manager_ask(m, asked);
    for (int i = 0; i < 100 && !manager_reply(m, asked, &reply); i++)
        manager_pass(m, STEP);
    assert_true(manager_reply(m, asked, &reply));
    if (out)
        *out = reply;
    return reply.err;
}

/* --- its life --- */

static struct store_options options_of(const struct manager *m)
{
    return (struct store_options){.path = "/volume",
                                  .node = SELF,
                                  .limits = store_limits_default(),
                                  .identity = &m->identity};
}

static void start(struct manager *m)
{
    struct store_options options = options_of(m);
    struct store_error error = {{0}};
    assert_int_equal(store_open(m->env, &options, &m->store, &error), OK);
    const struct primary_options how = {
        .env = m->env,
        .net = &m->net,
        .registry = &m->registry,
        .identity = &m->identity,
        .contract = &m->contract,
    };
    assert_int_equal(primary_new(&how, m->store, &m->primary), OK);
}

static void on_found(void *ctx, enum err err)
{
    (void)ctx;
    assert_int_equal(err, OK);
}

void manager_new(struct manager *m)
{
    memset(m, 0, sizeof *m);
    m->disk = sim_disk_new();
    m->sim = sim_new(1, m->disk);
    m->env = sim_env(m->sim);
    memset(m->identity.uuid, 7, sizeof m->identity.uuid);
    m->identity.salt = 1;
    m->contract = (struct contract){.preset = PRESET_STRONG,
                                    .replicate = REPLICATE_PRIMARY,
                                    .share = SHARE_UNIX,
                                    .versions = VERSIONS_NONE,
                                    .read = READ_PRIMARY,
                                    .replicas = 3,
                                    .least = 1,
                                    .failover_ns = FAILOVER};
    m->net = (struct net){&net_ops, SELF};
    m->registry = (struct registry){&registry_ops, 1000 * MS, 3000 * MS};
    record_key_uuid(m->key, "view", m->identity.uuid);
    arena_init(&m->arena);
    arena_init(&m->item_arena);
    struct store_options options = options_of(m);
    struct store_error error = {{0}};
    assert_int_equal(m->env->ops->dir_make(m->env, "/volume"), OK);
    assert_int_equal(store_format(m->env, &options, &error), OK);
    start(m);
    primary_found(m->primary, on_found, NULL);
    manager_pass(m, FAILOVER); /* it finds itself primary of a view that it did not begin: L6 */
    struct message open = {.kind = MESSAGE_OPEN, .serial = 4};
    manager_give(m, AGENT, &open);
    manager_pass(m, 100 * MS);
    const struct message *opened = manager_got(m, AGENT, MESSAGE_OPENED);
    assert_non_null(opened);
    m->session = opened->session;
}

static void stop(struct manager *m)
{
    sim_stop(m->env);
    primary_abandon(m->primary);
    store_abandon(m->store);
    sim_free(m->sim);
    manager_forget(m);
}

void manager_free(struct manager *m)
{
    stop(m);
    sim_disk_free(m->disk);
    arena_free(&m->arena);
    arena_free(&m->item_arena);
    free(m->sent);
}

void manager_restart(struct manager *m)
{
    stop(m);
    m->watch = NULL;
    m->sim = sim_new(2, m->disk);
    m->env = sim_env(m->sim);
    memset(&m->read_timer, 0, sizeof m->read_timer);
    memset(&m->change_timer, 0, sizeof m->change_timer);
    start(m);
}
