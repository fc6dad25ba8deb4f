/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

void raw_connect(struct raw *raw, const struct end *to)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const char *port = strrchr(transport_address(to->t), ':') + 1;
    memset(raw, 0, sizeof *raw);
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(raw->fd >= 0);
    assert_int_equal(connect(raw->fd, (struct sockaddr *)&address, sizeof address), 0);
    int on = 1;
    assert_int_equal(setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    assert_int_equal(fcntl(raw->fd, F_SETFL, O_NONBLOCK), 0);
}

/* Whether to try again, after a turn of the loop. */
static bool again(struct raw *raw, int result)
{
    int error = SSL_get_error(raw->ssl, result);
    uv_run(&ends.loop, UV_RUN_NOWAIT);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

bool raw_tls(struct raw *raw, const struct end *to, const char *dir, const char *name)
{
    int done;
    raw_connect(raw, to);
    if (name)
        assert_int_equal(identity_context(dir, name, false, &raw->ctx, &ends.error), OK);
    else
        raw->ctx = SSL_CTX_new(TLS_client_method());
    raw->ssl = SSL_new(raw->ctx);
    SSL_set_fd(raw->ssl, raw->fd);
    SSL_set_verify(raw->ssl, SSL_VERIFY_NONE, NULL);
    do {
        ERR_clear_error();
        done = SSL_connect(raw->ssl);
    } while (done != 1 && again(raw, done));
    return done == 1;
}

bool raw_send(struct raw *raw, const void *data, size_t len)
{
    const char *at = data;
    ends_watch("something sent to be taken");
    while (len > 0) {
        size_t n = 0;
        ERR_clear_error();
        if (!raw->ssl) {
            ssize_t sent = send(raw->fd, at, len, MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN)
                return false;
            n = sent < 0 ? 0 : (size_t)sent;
        } else if (SSL_write_ex(raw->ssl, at, len, &n) != 1) {
            n = 0;
            if (!again(raw, 0))
                return false;
        }
        at += n;
        len -= n;
        uv_run(&ends.loop, UV_RUN_NOWAIT);
    }
    ends_watched();
    return true;
}

bool raw_message(struct raw *raw, uint32_t len, const void *data, size_t there)
{
    uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                       (uint8_t)len};
    return raw_send(raw, head, sizeof head) && raw_send(raw, data, there);
}

static bool closed(struct raw *raw)
{
    char buf[4096];
    size_t n;
    ERR_clear_error();
    if (raw->ssl) {
        if (SSL_read_ex(raw->ssl, buf, sizeof buf, &n) == 1)
            return false;
        return SSL_get_error(raw->ssl, 0) != SSL_ERROR_WANT_READ;
    }
    ssize_t got = recv(raw->fd, buf, sizeof buf, 0);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

void raw_until_closed(struct raw *raw)
{
    ends_watch("the connection to be closed");
    while (!closed(raw))
        uv_run(&ends.loop, UV_RUN_NOWAIT);
    ends_watched();
}

void raw_close(struct raw *raw)
{
    close(raw->fd);
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->ctx);
    ERR_clear_error();
}
