/* SPDX-License-Identifier: MIT
 *
 * turn.c: what is done once in a turn of the loop, and at deadlines.
 *
 * A turn of libuv's loop: timers, then `prepare`, waiting and what it brought, then `check`, then
 * what was closed. What was queued by callbacks leaves in the `check` of the same turn, or, if a
 * timer queued it, in the `prepare` before the loop waits.
 */
#include <stdlib.h>
#include <time.h>

#include "core/base/assert.h"
#include "io/tls/transport_private.h"

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* that it is active keeps the loop from waiting */
}

void turn_busy(struct transport *t)
{
    if (!uv_is_closing((uv_handle_t *)&t->idle))
        uv_idle_start(&t->idle, on_idle);
}

void turn_flush(struct conn *conn)
{
    if (conn->in_flush)
        return;
    conn->in_flush = true;
    TAILQ_INSERT_TAIL(&conn->transport->flush, conn, flush);
}

void turn_again(struct conn *conn)
{
    if (conn->in_again)
        return;
    conn->in_again = true;
    TAILQ_INSERT_TAIL(&conn->transport->again, conn, again);
    turn_busy(conn->transport);
}

/* --- once in a turn --- */

static void flush_all(struct transport *t)
{
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&t->flush))) {
        TAILQ_REMOVE(&t->flush, conn, flush);
        conn->in_flush = false;
        if (seal_flush(conn)) {
            conn_relieved(conn);
        } else {
            t->status.broken++;
            conn_end(conn);
        }
    }
}

static void deliver_own(struct transport *t)
{
    struct self_message *message, *last = TAILQ_LAST(&t->own, own_queue);
    while (last && (message = TAILQ_FIRST(&t->own))) {
        TAILQ_REMOVE(&t->own, message, next);
        t->own_bytes -= message->len;
        if (t->deliver && !t->closing)
            t->deliver(t->deliver_ctx, t->net.self, (struct bytes){message->data, message->len});
        if (message == last)
            last = NULL;
        free(message);
    }
}

/* As many as wait now; those that come back wait for the next turn. */
static void read_again(struct transport *t)
{
    struct conn *conn;
    uint32_t count = 0;
    TAILQ_FOREACH(conn, &t->again, again)
    count++;
    while (count-- > 0 && (conn = TAILQ_FIRST(&t->again))) {
        TAILQ_REMOVE(&t->again, conn, again);
        conn->in_again = false;
        conn_read(conn);
    }
}

static void tell_lost(struct transport *t)
{
    t->tell = false;
    for (uint32_t i = 0; i < t->node_room; i++)
        if (t->nodes[i])
            peers_tell_lost(t, t->nodes[i]);
}

static void give_memory(struct transport *t)
{
    struct conn *conn;
    t->parts_short = t->parts_freed = false;
    LIST_FOREACH(conn, &t->conns, all)
    if (conn->unread)
        conn_update(conn);
}

static void on_check(uv_check_t *check)
{
    struct transport *t = check->data;
    uv_idle_stop(&t->idle);
    deliver_own(t);
    read_again(t);
    if (t->tell)
        tell_lost(t);
    if (t->parts_freed)
        give_memory(t);
    flush_all(t);
    if (!TAILQ_EMPTY(&t->again) || !TAILQ_EMPTY(&t->own) || t->tell || t->parts_freed)
        turn_busy(t);
}

static void on_prepare(uv_prepare_t *prepare)
{
    flush_all(prepare->data);
}

/* --- deadlines --- */

static void too_late(struct conn *conn)
{
    struct transport *t = conn->transport;
    struct node_place *node = conn->server ? NULL : node_known(t, conn->dialled);
    char sentence[SENTENCE];
    if (node && conn->state <= CONN_HANDSHAKE) {
        snprintf(sentence, sizeof sentence, "%.120s does not answer.", node->address);
        dial_failed(t, node, sentence);
    } else if (conn->state == CONN_HANDSHAKE) {
        t->status.refused_handshake++;
    }
    conn_end(conn);
}

static void look_at(struct conn *conn, uint64_t now)
{
    struct transport *t = conn->transport;
    struct transport_status *status = &t->status;
    bool open = conn->state == CONN_OPEN;
    if (conn->deadline_ms && now >= conn->deadline_ms) {
        too_late(conn);
    } else if (conn->sealed.bytes > 0 && now - conn->progress_ms >= STALL_MS) {
        status->broken++;
        conn_end(conn);
    } else if (open && conn->part_counted > 0 &&
               (now - conn->part_ms >= PART_MS ||
                (t->favoured == conn && now - t->favoured_ms >= FAVOUR_MS))) {
        status->refused_message++;
        conn_end(conn);
    } else if (open && !conn->identity.role && now - conn->opened_ms >= PART_MS) {
        status->refused_message++;
        conn_end(conn);
    } else if (open && conn->identity.role && conn->identity.not_after < (int64_t)time(NULL)) {
        status->refused_certificate++;
        conn_end(conn);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct transport *t = timer->data;
    uint64_t now = transport_now(t);
    struct conn *conn;
    t->due_ms = UINT64_MAX;
    LIST_FOREACH(conn, &t->conns, all)
    {
        if (conn->state == CONN_ENDED)
            continue;
        look_at(conn, now);
        if (conn->state != CONN_ENDED && conn->deadline_ms)
            turn_due(t, conn->deadline_ms);
        turn_due(t, now + SWEEP_MS);
    }
    for (uint32_t i = 0; i < t->node_room; i++)
        if (t->nodes[i] && t->nodes[i]->waiting.bytes > 0)
            dial(t, t->nodes[i]);
}

void turn_due(struct transport *t, uint64_t when_ms)
{
    uint64_t now = transport_now(t);
    if (when_ms >= t->due_ms || uv_is_closing((uv_handle_t *)&t->timer))
        return;
    t->due_ms = when_ms;
    uv_timer_start(&t->timer, on_timer, when_ms > now ? when_ms - now : 0, 0);
}

/* --- beginning and end --- */

void turn_start(struct transport *t)
{
    t->due_ms = UINT64_MAX;
    uv_timer_init(t->loop, &t->timer);
    uv_timer_init(t->loop, &t->grace);
    uv_prepare_init(t->loop, &t->prepare);
    uv_check_init(t->loop, &t->check);
    uv_idle_init(t->loop, &t->idle);
    t->timer.data = t->grace.data = t->prepare.data = t->check.data = t->idle.data = t;
    uv_prepare_start(&t->prepare, on_prepare);
    uv_check_start(&t->check, on_check);
    uv_unref((uv_handle_t *)&t->timer);
    uv_unref((uv_handle_t *)&t->prepare);
    uv_unref((uv_handle_t *)&t->check);
    t->handles += 5;
}

static void on_closed(uv_handle_t *handle)
{
    struct transport *t = handle->data;
    t->handles--;
    transport_free_when_empty(t);
}

void turn_stop(struct transport *t)
{
    if (uv_is_closing((uv_handle_t *)&t->timer))
        return;
    uv_close((uv_handle_t *)&t->timer, on_closed);
    uv_close((uv_handle_t *)&t->grace, on_closed);
    uv_close((uv_handle_t *)&t->prepare, on_closed);
    uv_close((uv_handle_t *)&t->check, on_closed);
    uv_close((uv_handle_t *)&t->idle, on_closed);
}
