/* SPDX-License-Identifier: MIT
 *
 * seal.c: the writing half of a connection.
 *
 * Messages wait as they are in `plain`; what TLS has encrypted and the socket has not taken yet is
 * in `sealed`. Nothing is encrypted while `sealed` holds something, so that it stays short. Within
 * one call encrypted records gather in the transport's `cipher` and go to the socket together.
 *
 * Small messages are copied and leave at the end of the loop's turn, many in one record and one
 * system call; those of LARGE bytes and more are encrypted at once from where they are, without a
 * copy, for as long as the socket takes them.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/tls/transport_private.h"

#define PIECES 64

uint64_t seal_waiting(const struct conn *conn)
{
    return conn->plain.bytes + conn->sealed.bytes;
}

/* --- the socket under TLS, as OpenSSL sees it --- */

static int bio_write(BIO *bio, const char *data, int len)
{
    struct conn *conn = BIO_get_data(bio);
    struct transport *t = conn->transport;
    if (t->cipher_len > 0 && (t->cipher_of != conn || t->cipher_len + (size_t)len > CIPHER_ROOM))
        seal_push(t->cipher_of);
    INVARIANT((size_t)len <= CIPHER_ROOM);
    if (conn->sealed.bytes > 0) {
        outbox_add(&conn->sealed, data, (size_t)len);
        return len;
    }
    t->cipher_of = conn;
    memcpy(t->cipher + t->cipher_len, data, (size_t)len);
    t->cipher_len += (size_t)len;
    return len;
}

static int bio_read(BIO *bio, char *data, int len)
{
    struct conn *conn = BIO_get_data(bio);
    ssize_t n;
    do
        n = recv(conn->fd, data, (size_t)len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    return (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH; /* "done" */
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method; /* made once, for the process's life */
    if (method)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pactfs");
    if (method) {
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_ctrl(method, bio_control);
    }
    return method;
}

enum err seal_start(struct conn *conn)
{
    BIO_METHOD *method = bio_method();
    BIO *bio = method ? BIO_new(method) : NULL;
    conn->ssl = bio ? SSL_new(conn->transport->ctx) : NULL;
    if (!conn->ssl) {
        BIO_free(bio);
        return ERR_NOMEM;
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio);
    SSL_set_app_data(conn->ssl, conn);
    SSL_set_read_ahead(conn->ssl, 1);
    SSL_set_verify(conn->ssl, SSL_get_verify_mode(conn->ssl), verify_peer);
    if (conn->server) {
        SSL_set_accept_state(conn->ssl);
        SSL_set_purpose(conn->ssl, X509_PURPOSE_ANY); /* clients have one of ours: authority.c */
    } else {
        SSL_set_connect_state(conn->ssl);
    }
    return OK;
}

/* --- encrypted bytes to the socket --- */

/* Bytes that the socket took; -1: it broke. */
static ssize_t give(struct conn *conn, const struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
                             .msg_iovlen = (size_t)count};
    ssize_t n;
    do
        n = sendmsg(conn->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    conn->progress_ms = transport_now(conn->transport);
    conn->transport->status.bytes_out += (uint64_t)n;
    return n;
}

bool seal_push(struct conn *conn)
{
    struct transport *t = conn->transport;
    if (t->cipher_of != conn || t->cipher_len == 0)
        return true;
    struct iovec piece = {t->cipher, t->cipher_len};
    ssize_t n = give(conn, &piece, 1);
    t->cipher_of = NULL;
    t->cipher_len = 0;
    if (n < 0)
        return false;
    if ((size_t)n < piece.iov_len) {
        conn->progress_ms = transport_now(t);
        outbox_add(&conn->sealed, t->cipher + n, piece.iov_len - (size_t)n);
    }
    return true;
}

/* What the socket did not take before. */
static bool push_sealed(struct conn *conn)
{
    while (conn->sealed.bytes > 0) {
        struct iovec pieces[PIECES];
        ssize_t n = give(conn, pieces, outbox_pieces(&conn->sealed, pieces, PIECES));
        if (n <= 0)
            return n == 0;
        outbox_consume(&conn->sealed, (size_t)n);
    }
    return true;
}

/* --- messages into TLS --- */

static bool encrypt(struct conn *conn, const void *data, size_t len)
{
    size_t done;
    ERR_clear_error();
    if (SSL_write_ex(conn->ssl, data, len, &done) != 1 || done != len)
        return false;
    return conn->transport->cipher_len < CIPHER_PUSH || seal_push(conn);
}

bool seal_flush(struct conn *conn)
{
    if (!push_sealed(conn))
        return false;
    bool may = conn->state == CONN_OPEN || conn->state == CONN_RETIRED;
    while (may && conn->sealed.bytes == 0 && conn->plain.bytes > 0) {
        struct bytes next = outbox_peek(&conn->plain);
        if (!encrypt(conn, next.data, next.len))
            return false;
        outbox_consume(&conn->plain, next.len);
    }
    return seal_push(conn);
}

/* One piece, without a copy for as long as the socket takes it. */
static bool put_large(struct conn *conn, const uint8_t *data, size_t len)
{
    while (len > 0 && conn->plain.bytes == 0 && conn->sealed.bytes == 0) {
        size_t n = len < OUTBOX_CHUNK ? len : OUTBOX_CHUNK;
        if (!encrypt(conn, data, n))
            return false;
        data += n;
        len -= n;
    }
    outbox_add(&conn->plain, data, len);
    return true;
}

static bool put_pieces(struct conn *conn, const struct env_iov *pieces, int count)
{
    for (int i = 0; i < count; i++) {
        if (pieces[i].len < LARGE / 2) {
            outbox_add(&conn->plain, pieces[i].data, pieces[i].len);
            continue;
        }
        if (!seal_flush(conn) || !put_large(conn, pieces[i].data, pieces[i].len))
            return false;
    }
    return seal_flush(conn);
}

void seal_message(struct conn *conn, const struct env_iov *pieces, int count, uint32_t len)
{
    uint8_t head[FRAMES_HEAD];
    frames_put_head(head, len);
    outbox_add(&conn->plain, head, sizeof head);
    conn->transport->status.messages_out++;
    if (len >= LARGE && conn->state == CONN_OPEN && conn->sealed.bytes == 0) {
        if (!put_pieces(conn, pieces, count))
            conn_end(conn);
        else
            conn_update(conn);
        return;
    }
    for (int i = 0; i < count; i++)
        outbox_add(&conn->plain, pieces[i].data, pieces[i].len);
    if (conn->state == CONN_OPEN && conn->sealed.bytes == 0)
        turn_flush(conn);
}
