/* SPDX-License-Identifier: MIT
 *
 * transport.c: opening, closing, net.h, and questions about it. See transport.h for the law and
 * transport_private.h for where the rest is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/tls/transport_private.h"

#define QUEUE_BYTES  (UINT64_C(64) << 20)
#define HANDSHAKE_MS 3000u
#define AGAIN_MS     100u

static struct transport *transport_of(struct net *net)
{
    return (struct transport *)net; /* net is the first member */
}

uint64_t transport_now(const struct transport *t)
{
    (void)t;
    return uv_hrtime() / 1000000;
}

/* --- net.h --- */

static enum err send_own(struct transport *t, const struct env_iov *pieces, int count, size_t len)
{
    if (t->own_bytes > 0 && t->own_bytes + len > t->options.queue_bytes)
        return ERR_LIMIT;
    struct self_message *message = malloc(sizeof *message + len);
    INVARIANT(message != NULL);
    message->len = len;
    for (size_t i = 0, at = 0; i < (size_t)count; at += pieces[i++].len)
        if (pieces[i].len > 0)
            memcpy(message->data + at, pieces[i].data, pieces[i].len);
    TAILQ_INSERT_TAIL(&t->own, message, next);
    t->own_bytes += len;
    turn_busy(t);
    return OK;
}

static bool full(const struct transport *t, uint64_t waiting, size_t len)
{
    return waiting > 0 && waiting + len > t->options.queue_bytes;
}

/* Keeps the message for the attempt that it begins. */
static enum err send_later(struct transport *t, struct node_place *node,
                           const struct env_iov *pieces, int count)
{
    uint8_t head[FRAMES_HEAD];
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].len;
    if (full(t, node->waiting.bytes, len))
        return ERR_LIMIT;
    frames_put_head(head, (uint32_t)len);
    outbox_add(&node->waiting, head, sizeof head);
    for (int i = 0; i < count; i++)
        outbox_add(&node->waiting, pieces[i].data, pieces[i].len);
    t->status.messages_out++;
    dial(t, node);
    return OK;
}

static enum err net_send(struct net *net, uint32_t to, const struct env_iov *pieces, int count)
{
    struct transport *t = transport_of(net);
    struct node_place *node = to < TRANSPORT_NODES ? node_known(t, to) : NULL;
    struct conn *conn = peer_conn(t, to);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].len;
    if (len > NET_MESSAGE_MAX)
        return ERR_LIMIT;
    if (t->closing)
        return ERR_UNREACHABLE;
    if (len == 0)
        return OK; /* nothing to arrive */
    if (to == net->self && to != 0)
        return send_own(t, pieces, count, len);
    if (!conn && node)
        conn = node->attempt;
    if (!conn)
        return node && node->address[0] ? send_later(t, node, pieces, count) : ERR_UNREACHABLE;
    if (full(t, seal_waiting(conn), len))
        return ERR_LIMIT;
    seal_message(conn, pieces, count, (uint32_t)len);
    return OK;
}

static void net_listen(struct net *net, void (*deliver)(void *, uint32_t, struct bytes), void *ctx)
{
    struct transport *t = transport_of(net);
    t->deliver = deliver;
    t->deliver_ctx = ctx;
}

static const struct net_ops ops = {.send = net_send, .listen = net_listen};

struct net *transport_net(struct transport *transport)
{
    return &transport->net;
}

/* --- opening --- */

static void free_all(struct transport *t)
{
    for (uint32_t i = 0; i < t->node_room; i++)
        if (t->nodes[i]) {
            outbox_clear(&t->nodes[i]->waiting);
            free(t->nodes[i]);
        }
    while (!TAILQ_EMPTY(&t->own)) {
        struct self_message *message = TAILQ_FIRST(&t->own);
        TAILQ_REMOVE(&t->own, message, next);
        free(message);
    }
    outbox_spare_free(&t->spare);
    SSL_CTX_free(t->ctx);
    free(t->nodes);
    free(t->dir);
    free(t->name);
    free(t);
}

static struct transport *transport_new(const struct transport_options *options)
{
    struct transport *t = calloc(1, sizeof *t);
    INVARIANT(t != NULL);
    t->net = (struct net){.ops = &ops, .self = options->self};
    t->loop = options->loop;
    t->options = *options;
    t->dir = strdup(options->dir);
    t->name = strdup(options->name);
    INVARIANT(t->dir && t->name);
    t->listen_fd = t->spare_fd = -1;
    if (!t->options.queue_bytes)
        t->options.queue_bytes = QUEUE_BYTES;
    if (!t->options.handshake_ms)
        t->options.handshake_ms = HANDSHAKE_MS;
    if (!t->options.again_ms)
        t->options.again_ms = AGAIN_MS;
    LIST_INIT(&t->conns);
    TAILQ_INIT(&t->flush);
    TAILQ_INIT(&t->again);
    TAILQ_INIT(&t->own);
    return t;
}

enum err transport_open(const struct transport_options *options, struct transport **out,
                        struct store_error *error)
{
    struct transport *t = transport_new(options);
    enum err err = identity_context(t->dir, t->name, options->strangers, &t->ctx, error);
    if (!err && options->listen)
        err = listen_open(t, error);
    if (err) {
        free_all(t);
        return err;
    }
    t->options.dir = t->options.name = t->options.listen = NULL; /* the caller's; not kept */
    turn_start(t);
    *out = t;
    return OK;
}

enum err transport_renew(struct transport *t, struct store_error *error)
{
    SSL_CTX *fresh;
    struct conn *conn;
    enum err err = identity_context(t->dir, t->name, t->options.strangers, &fresh, error);
    if (!err) {
        SSL_CTX_free(t->ctx); /* connections that stand hold it as long as they do */
        t->ctx = fresh;
    }
    LIST_FOREACH(conn, &t->conns, all)
    if (conn->state != CONN_ENDED && conn->identity.role && t->options.revoked &&
        t->options.revoked(t->options.ctx, conn->identity.serial)) {
        t->status.refused_certificate++;
        conn_end(conn);
    }
    return err;
}

/* --- questions --- */

const char *transport_address(const struct transport *transport)
{
    return transport->address;
}

void transport_place(struct transport *t, uint32_t number, const char *address)
{
    if (number == 0 || number >= TRANSPORT_NODES)
        return;
    struct node_place *node = node_of(t, number);
    if (strcmp(node->address, address ? address : "") == 0)
        return;
    snprintf(node->address, sizeof node->address, "%s", address ? address : "");
    node->trouble[0] = 0;
    node->next_ms = 0;
    dial_forget(node);
    if (node->attempt)
        conn_end(node->attempt); /* it is on its way to the wrong place */
    if (node->waiting.bytes > 0)
        dial(t, node);
}

const struct identity *transport_who(const struct transport *transport, uint32_t peer)
{
    const struct conn *conn = peer_conn(transport, peer);
    return conn ? &conn->identity : NULL;
}

void transport_drop(struct transport *transport, uint32_t peer)
{
    struct conn *conn = peer_conn(transport, peer);
    if (conn)
        conn_end(conn);
}

const char *transport_trouble(const struct transport *transport, uint32_t number)
{
    const struct node_place *node = node_known(transport, number);
    return node ? node->trouble : "";
}

void transport_status(const struct transport *transport, struct transport_status *out)
{
    *out = transport->status;
    out->guests = transport->guests;
    out->peers = 0;
    for (uint32_t i = 0; i < transport->node_room; i++)
        out->peers += transport->nodes[i] && transport->nodes[i]->conn;
}

/* --- closing --- */

void transport_free_when_empty(struct transport *t)
{
    if (!t->closing || t->count > 0)
        return;
    if (!uv_is_closing((uv_handle_t *)&t->timer))
        turn_stop(t);
    if (t->handles > 0)
        return;
    void (*done)(void *ctx) = t->done;
    void *ctx = t->done_ctx;
    free_all(t);
    done(ctx);
}

static void on_grace(uv_timer_t *timer)
{
    struct transport *t = timer->data;
    struct conn *conn;
    LIST_FOREACH(conn, &t->conns, all)
    conn_end(conn);
}

void transport_close(struct transport *t, uint64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
    struct conn *conn;
    INVARIANT(!t->closing);
    t->closing = true;
    t->done = done;
    t->done_ctx = ctx;
    listen_close(t);
    for (uint32_t i = 0; i < t->node_room; i++)
        if (t->nodes[i])
            dial_forget(t->nodes[i]);
    LIST_FOREACH(conn, &t->conns, all)
    {
        if (conn->state == CONN_OPEN)
            conn_retire(conn);
        else if (conn->state != CONN_RETIRED)
            conn_end(conn);
    }
    uv_timer_start(&t->grace, on_grace, grace_ms, 0);
    if (t->count == 0)
        turn_stop(t);
}
