/* SPDX-License-Identifier: MIT
 *
 * conn.c: a connection's life: TCP, TLS, reading, its end.
 *
 * Law
 *   K1  Bytes are read only while conn_may_read; what TLS holds of them then is read again by
 *       `again`, since the socket tells of it once.
 *   K2  An ended connection has no place in any queue and gets no event. Its memory goes when the
 *       loop has closed its handle, so whoever is using it further up may look at its state.
 *   K3  `joined` and `lost` are told from the loop, never from inside a call (peers.c).
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/wire/message.h"
#include "io/tls/transport_private.h"

struct conn *conn_new(struct transport *t, int fd, bool server)
{
    struct conn *conn = calloc(1, sizeof *conn);
    INVARIANT(conn != NULL);
    conn->transport = t;
    conn->fd = fd;
    conn->server = server;
    conn->state = CONN_CONNECTING;
    conn->plain.spare = conn->sealed.spare = &t->spare;
    conn->in.longest = STRANGER_MAX;
    conn->progress_ms = transport_now(t);
    INVARIANT(uv_poll_init(t->loop, &conn->poll, fd) == 0);
    LIST_INSERT_HEAD(&t->conns, conn, all);
    t->count++;
    return conn;
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = (struct conn *)handle;
    struct transport *t = conn->transport;
    close(conn->fd);
    peers_closed(conn);
    LIST_REMOVE(conn, all);
    t->count--;
    SSL_free(conn->ssl);
    free(conn);
    transport_free_when_empty(t);
}

static void count_part(struct conn *conn)
{
    struct transport *t = conn->transport;
    size_t held = conn->in.trusted ? 0 : frames_held(&conn->in);
    if (held < conn->part_counted && t->parts_short) {
        t->parts_freed = true;
        turn_busy(t);
    }
    if (held > 0 && conn->part_counted == 0)
        conn->part_ms = transport_now(t);
    if (held == 0 && t->favoured == conn)
        t->favoured = NULL;
    t->parts = t->parts - conn->part_counted + held;
    conn->part_counted = held;
}

void conn_end(struct conn *conn)
{
    struct transport *t = conn->transport;
    if (conn->state == CONN_ENDED)
        return;
    peers_ended(conn);
    conn->state = CONN_ENDED;
    if (conn->in_flush)
        TAILQ_REMOVE(&t->flush, conn, flush);
    if (conn->in_again)
        TAILQ_REMOVE(&t->again, conn, again);
    conn->in_flush = conn->in_again = false;
    if (t->cipher_of == conn) {
        t->cipher_of = NULL;
        t->cipher_len = 0;
    }
    outbox_clear(&conn->plain);
    outbox_clear(&conn->sealed);
    frames_free(&conn->in);
    count_part(conn);
    uv_poll_stop(&conn->poll);
    uv_close((uv_handle_t *)&conn->poll, on_closed);
}

/* The other end shall read why before the socket closes: unread bytes would reset it. */
static void linger(struct conn *conn)
{
    peers_ended(conn); /* it is nobody's any more */
    conn->dialled = 0;
    outbox_clear(&conn->plain);
    if (!seal_push(conn) || shutdown(conn->fd, SHUT_WR) != 0) {
        conn_end(conn);
        return;
    }
    conn->state = CONN_LINGERING;
    conn->deadline_ms = transport_now(conn->transport) + LINGER_MS;
    turn_due(conn->transport, conn->deadline_ms);
    conn_update(conn);
}

static void linger_on(struct conn *conn)
{
    struct transport *t = conn->transport;
    ssize_t n = recv(conn->fd, t->scratch, sizeof t->scratch, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        conn_end(conn);
}

/* --- what it waits for --- */

/* When guests' messages have taken all memory half-way, one of them may take more, so that there is
 * progress; it has to make haste (turn.c). */
static bool memory_for_more(struct conn *conn)
{
    struct transport *t = conn->transport;
    size_t more = frames_wants(&conn->in);
    if (more == 0 || t->parts + more <= GUESTS_PARTS)
        return true;
    if (!t->favoured) {
        t->favoured = conn;
        t->favoured_ms = transport_now(t);
    }
    if (t->favoured == conn)
        return true;
    t->parts_short = true;
    return false;
}

static bool conn_may_read(struct conn *conn)
{
    if (conn->state == CONN_HANDSHAKE || conn->state == CONN_LINGERING)
        return true;
    if ((conn->state != CONN_OPEN && conn->state != CONN_RETIRED) || conn->eof)
        return false;
    if (conn->peer < TRANSPORT_GUESTS)
        return true;
    return seal_waiting(conn) <= (conn->unread ? GUEST_UNREAD / 2 : GUEST_UNREAD) &&
           memory_for_more(conn);
}

static void on_event(uv_poll_t *poll, int status, int events);

void conn_update(struct conn *conn)
{
    if (conn->state == CONN_ENDED)
        return;
    bool may = conn_may_read(conn);
    int events = may ? UV_READABLE : 0;
    if (conn->sealed.bytes > 0 || conn->state == CONN_CONNECTING)
        events |= UV_WRITABLE;
    if (may && conn->unread)
        turn_again(conn);
    conn->unread = !may && conn->state == CONN_OPEN;
    if (conn->unread)
        events |= UV_DISCONNECT; /* or its end would not be noticed */
    if (events == conn->events)
        return;
    conn->events = events;
    if (events == 0)
        uv_poll_stop(&conn->poll);
    else
        uv_poll_start(&conn->poll, events, on_event);
}

/* --- the handshake --- */

/* The address of the node that was dialled; NULL: the other end has connected to here. */
static struct node_place *dialled(const struct conn *conn)
{
    return conn->server ? NULL : node_known(conn->transport, conn->dialled);
}

static void give_up(struct conn *conn)
{
    struct node_place *node = dialled(conn);
    char sentence[SENTENCE];
    if (node) {
        verify_trouble(conn->ssl, node->address, conn->why, sentence);
        dial_failed(conn->transport, node, sentence);
    }
    ERR_clear_error();
}

static void refuse_handshake(struct conn *conn)
{
    struct transport_status *status = &conn->transport->status;
    if (verify_certificates(conn->ssl))
        status->refused_certificate++;
    else if (ERR_peek_error())
        status->refused_handshake++;
    else
        status->broken++; /* it hung up */
    give_up(conn);
    linger(conn);
}

static void opened(struct conn *conn)
{
    static const uint8_t welcome[FRAMES_HEAD]; /* a message of no bytes */
    conn->state = CONN_OPEN;
    conn->opened_ms = transport_now(conn->transport);
    conn->deadline_ms = 0;
    if (conn->identity.role) {
        conn->in.longest = MESSAGE_MOST;
        conn->in.trusted = conn->identity.role == ROLE_NODE;
    }
    if (conn->server)
        outbox_add(&conn->plain, welcome, sizeof welcome);
    peers_take(conn);
    if (conn->state == CONN_OPEN)
        turn_flush(conn);
    if (conn->state != CONN_ENDED)
        conn_read(conn); /* TLS may hold what came behind the handshake */
}

static void shake_hands(struct conn *conn)
{
    ERR_clear_error();
    int done = SSL_do_handshake(conn->ssl);
    int error = SSL_get_error(conn->ssl, done);
    if (done == 1) {
        opened(conn);
    } else if (error != SSL_ERROR_WANT_READ) {
        refuse_handshake(conn);
    } else if (!seal_push(conn)) {
        give_up(conn);
        conn_end(conn);
    } else {
        conn_update(conn);
    }
}

void conn_start_tls(struct conn *conn)
{
    struct transport *t = conn->transport;
    conn->state = CONN_HANDSHAKE;
    conn->deadline_ms = transport_now(t) + t->options.handshake_ms;
    turn_due(t, conn->deadline_ms);
    if (seal_start(conn) != OK)
        conn_end(conn);
    else
        shake_hands(conn);
}

static void connected(struct conn *conn)
{
    struct node_place *node = dialled(conn);
    int number = 0;
    socklen_t len = sizeof number;
    char sentence[SENTENCE];
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &number, &len) == 0 && number == 0) {
        conn_start_tls(conn);
        return;
    }
    snprintf(sentence, sizeof sentence, "%.120s cannot be reached: %s.", node->address,
             strerror(number));
    dial_failed(conn->transport, node, sentence);
    conn_end(conn);
}

/* --- reading --- */

/* A stranger may ask, and nothing else (T1). The kind is in the prefix (core/wire/message.h). */
static bool may_send(const struct conn *conn, struct bytes message)
{
    struct cursor c = cursor_over(message.data, message.len);
    if (conn->identity.role)
        return true;
    get_bytes(&c, 6);
    return message.len >= WIRE_PREFIX && get_u16(&c) == MESSAGE_CALL;
}

static bool refuse_message(struct conn *conn)
{
    conn->transport->status.refused_message++;
    conn_end(conn);
    return false;
}

static bool take_welcome(struct conn *conn)
{
    if (conn->server || conn->welcomed)
        return refuse_message(conn);
    conn->welcomed = true;
    peers_welcomed(conn);
    return conn->state != CONN_ENDED;
}

static bool take_message(void *ctx, struct bytes message)
{
    struct conn *conn = ctx;
    struct transport *t = conn->transport;
    if (message.len == 0)
        return take_welcome(conn);
    if ((!conn->server && !conn->welcomed) || !may_send(conn, message))
        return refuse_message(conn);
    t->status.messages_in++;
    if (t->deliver && !t->closing)
        t->deliver(t->deliver_ctx, conn->peer, message);
    return conn->state != CONN_ENDED;
}

static void read_ended(struct conn *conn)
{
    conn->eof = true;
    if (conn->state == CONN_RETIRED) {
        ERR_clear_error();
        conn_relieved(conn);
        return;
    }
    if (!conn->server && !conn->welcomed)
        give_up(conn); /* its refusal comes after what this side takes for the end */
    else
        conn->transport->status.broken++;
    ERR_clear_error();
    conn_end(conn);
}

/* One record at most. 0: there is no more, or it is over. */
static size_t read_some(struct conn *conn)
{
    struct transport *t = conn->transport;
    size_t room = sizeof t->scratch, got;
    uint8_t *at = frames_place(&conn->in, &room);
    count_part(conn);
    if (!at)
        at = t->scratch;
    ERR_clear_error();
    if (SSL_read_ex(conn->ssl, at, room, &got) != 1) {
        if (SSL_get_error(conn->ssl, 0) != SSL_ERROR_WANT_READ)
            read_ended(conn);
        return 0;
    }
    t->status.bytes_in += got;
    enum err err = frames_add(&conn->in, (struct bytes){at, got}, take_message, conn);
    if (conn->state == CONN_ENDED)
        return 0;
    if (err == ERR_LIMIT) {
        refuse_message(conn);
        return 0;
    }
    count_part(conn);
    return got;
}

static bool expired(const struct conn *conn)
{
    return conn->identity.role && conn->identity.not_after < (int64_t)time(NULL);
}

void conn_read(struct conn *conn)
{
    size_t left = READ_BUDGET, got = 1;
    if (expired(conn)) {
        conn->transport->status.refused_certificate++;
        conn_end(conn);
    }
    while (got > 0 && left > 0 && conn->state != CONN_ENDED && conn_may_read(conn)) {
        got = read_some(conn);
        left -= got < left ? got : left;
    }
    if (conn->state == CONN_ENDED)
        return;
    if (left == 0)
        turn_again(conn);
    if (seal_push(conn))
        conn_update(conn);
    else
        conn_end(conn);
}

/* --- writing, and the end --- */

static void finish_retired(struct conn *conn)
{
    if (seal_waiting(conn) > 0)
        return;
    if (!conn->shut) {
        ERR_clear_error();
        SSL_shutdown(conn->ssl);
        conn->shut = true;
    }
    bool good = seal_push(conn);
    if (good && conn->sealed.bytes == 0)
        shutdown(conn->fd, SHUT_WR);
    if (!good || (conn->eof && conn->sealed.bytes == 0))
        conn_end(conn);
}

void conn_relieved(struct conn *conn)
{
    if (conn->state == CONN_RETIRED)
        finish_retired(conn);
    conn_update(conn);
}

void conn_retire(struct conn *conn)
{
    struct transport *t = conn->transport;
    conn->state = CONN_RETIRED;
    conn->deadline_ms = transport_now(t) + t->options.handshake_ms;
    turn_due(t, conn->deadline_ms);
    if (seal_flush(conn))
        conn_relieved(conn);
    else
        conn_end(conn);
}

static void take_room(struct conn *conn)
{
    if (seal_flush(conn)) {
        conn_relieved(conn);
        return;
    }
    conn->transport->status.broken++;
    conn_end(conn);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = (struct conn *)poll;
    if (status < 0) { /* libuv has stopped to poll */
        conn->events = 0;
        events = UV_READABLE;
    }
    if (conn->state == CONN_CONNECTING) {
        connected(conn);
        return;
    }
    if (events & UV_WRITABLE)
        take_room(conn);
    if ((events & UV_DISCONNECT) && conn->state == CONN_OPEN) {
        conn->transport->status.broken++;
        conn_end(conn);
    }
    if (!(events & UV_READABLE))
        return;
    if (conn->state == CONN_HANDSHAKE)
        shake_hands(conn);
    else if (conn->state == CONN_LINGERING)
        linger_on(conn);
    else if (conn->state != CONN_ENDED)
        conn_read(conn);
}
