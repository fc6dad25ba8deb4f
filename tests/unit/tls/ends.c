/* SPDX-License-Identifier: MIT */
#include "ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE_MS 30000

struct ends ends;
static const char *awaited;

static void too_long(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited in vain for: %s", awaited);
}

void ends_watch(const char *what)
{
    awaited = what;
    uv_update_time(&ends.loop);
    uv_timer_start(&ends.watchdog, too_long, PATIENCE_MS, 0);
}

void ends_watched(void)
{
    uv_timer_stop(&ends.watchdog);
}

int ends_begin(void **state)
{
    (void)state;
    memset(&ends, 0, sizeof ends);
    folder_make(ends.dir);
    folder_make(ends.other);
    cell_make(ends.dir, CELL);
    for (uint32_t i = 1; i <= 3; i++) {
        struct identity node = identity_node(CELL, i);
        cell_sign(ends.dir, node.name, &node, 1);
    }
    struct identity client = identity_client(CELL), admin = identity_administrator(CELL);
    cell_sign(ends.dir, "client", &client, 1);
    cell_sign(ends.dir, "admin", &admin, 1);
    assert_int_equal(uv_loop_init(&ends.loop), 0);
    assert_int_equal(uv_timer_init(&ends.loop, &ends.watchdog), 0);
    return 0;
}

int ends_end(void **state)
{
    (void)state;
    for (int i = 0; i < ENDS; i++)
        if (ends.end[i].t)
            ends_close(&ends.end[i]);
    uv_close((uv_handle_t *)&ends.watchdog, NULL);
    uv_run(&ends.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&ends.loop), 0);
    folder_remove(ends.dir);
    folder_remove(ends.other);
    return 0;
}

static void on_joined(void *ctx, uint32_t peer, const struct identity *identity)
{
    struct end *end = ctx;
    uint32_t at = end->joined++ % NOTES;
    end->joined_peer[at] = peer;
    end->joined_as[at] = *identity;
}

static void on_lost(void *ctx, uint32_t peer)
{
    struct end *end = ctx;
    end->lost_peer[end->lost++ % NOTES] = peer;
}

static bool on_revoked(void *ctx, uint64_t serial)
{
    struct end *end = ctx;
    return serial == end->revoked;
}

static void on_message(void *ctx, uint32_t from, struct bytes message)
{
    struct end *end = ctx;
    uint32_t at = end->got++ % MESSAGES;
    end->from[at] = from;
    end->len[at] = message.len;
    end->got_bytes += message.len;
    snprintf(end->text[at], TEXT_SHORT, "%.*s",
             (int)(message.len < TEXT_SHORT ? message.len : TEXT_SHORT - 1),
             (const char *)message.data);
    for (size_t i = 0; message.len > 4096 && i < message.len; i++)
        if (message.data[i] != (uint8_t)(i * 7 + message.len))
            fail_msg("byte %zu of a message of %zu is %u", i, message.len, message.data[i]);
    if (end->answer) {
        struct env_iov piece = {(void *)(uintptr_t)message.data, message.len};
        assert_int_equal(end->net->ops->send(end->net, from, &piece, 1), OK);
    }
}

struct transport_options ends_options(struct end *end, const char *name, uint32_t self)
{
    return (struct transport_options){
        .loop = &ends.loop,
        .dir = ends.dir,
        .name = name,
        .self = self,
        .listen = self ? "127.0.0.1:0" : NULL,
        .again_ms = 10,
        .joined = on_joined,
        .lost = on_lost,
        .revoked = on_revoked,
        .ctx = end,
    };
}

struct end *ends_open_with(int which, const struct transport_options *options)
{
    struct end *end = &ends.end[which];
    if (transport_open(options, &end->t, &ends.error) != OK)
        fail_msg("%s", ends.error.text);
    end->net = transport_net(end->t);
    end->net->ops->listen(end->net, on_message, end);
    return end;
}

struct end *ends_open(int which, const char *name, uint32_t self)
{
    struct transport_options options = ends_options(&ends.end[which], name, self);
    return ends_open_with(which, &options);
}

void ends_place(struct end *from, struct end *to, uint32_t number)
{
    transport_place(from->t, number, transport_address(to->t));
}

static void on_done(void *ctx)
{
    struct end *end = ctx;
    end->closed = true;
}

void ends_close(struct end *end)
{
    end->closed = false;
    transport_close(end->t, 1000, on_done, end);
    end->t = NULL;
    ENDS_UNTIL(end->closed);
}

enum err ends_send(struct end *from, uint32_t to, const char *text)
{
    struct env_iov piece = {(void *)(uintptr_t)text, strlen(text)};
    return from->net->ops->send(from->net, to, &piece, 1);
}

enum err ends_send_bytes(struct end *from, uint32_t to, uint32_t len)
{
    uint8_t *data = malloc(len);
    assert_non_null(data);
    for (uint32_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 7 + len);
    size_t half = len / 5;
    struct env_iov pieces[] = {{data, half}, {NULL, 0}, {data + half, len - half}};
    enum err err = from->net->ops->send(from->net, to, pieces, 3);
    free(data);
    return err;
}

struct transport_status ends_status(const struct end *end)
{
    struct transport_status status;
    transport_status(end->t, &status);
    return status;
}
