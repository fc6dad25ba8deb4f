/* SPDX-License-Identifier: MIT
 *
 * listen.c: addresses and sockets; taking connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/tls/transport_private.h"

#define BACKLOG      1024
#define TAKE_AT_ONCE 64

/* --- addresses --- */

static bool port_of(const char *text, uint16_t *out)
{
    unsigned value = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return false;
    for (size_t i = 0; i < len; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *out = (uint16_t)value;
    return value <= UINT16_MAX;
}

bool address_parse(const char *text, bool any, char host[RECORD_ADDR_MAX], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    const char *begin = text, *end = colon;
    if (!colon || !port_of(colon + 1, port))
        return false;
    if (text[0] == '[') {
        begin = text + 1;
        end = colon - 1;
        if (colon < text + 3 || *end != ']')
            return false;
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return false; /* an IPv6 address needs brackets */
    }
    size_t len = (size_t)(end - begin);
    if (len >= RECORD_ADDR_MAX || (len == 0 && !any))
        return false;
    memcpy(host, begin, len);
    host[len] = 0;
    return any || *port != 0;
}

bool address_figures(const char *text, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    char host[RECORD_ADDR_MAX];
    uint16_t port;
    memset(out, 0, sizeof *out);
    if (!address_parse(text, true, host, &port))
        return false;
    if (!host[0]) {
        six->sin6_family = AF_INET6; /* any address, of IPv4 too */
        six->sin6_port = htons(port);
        *len = sizeof *six;
        return true;
    }
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *len = sizeof *four;
        return true;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
        return false;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    *len = sizeof *six;
    return true;
}

void address_set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

static void set(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value); /* without it: slower, not wrong */
}

void socket_options(int fd, bool alive)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!alive)
        return;
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_S);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_S);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)ALIVE_MS / 1000);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)ALIVE_MS);
}

/* --- taking connections --- */

/* Room for a newcomer: of those that have not said who they are, the oldest goes. */
static bool make_place(struct transport *t)
{
    struct conn *conn, *oldest = NULL;
    if (t->count < TRANSPORT_PEERS)
        return true;
    LIST_FOREACH(conn, &t->conns, all)
    if (conn->server && conn->state == CONN_HANDSHAKE &&
        (!oldest || conn->deadline_ms < oldest->deadline_ms))
        oldest = conn;
    t->status.refused_full++;
    if (oldest)
        conn_end(oldest);
    return oldest != NULL;
}

/* No descriptor is left: gives up the one kept for that, so that the caller does not hang. */
static void turn_away(struct transport *t)
{
    close(t->spare_fd);
    int fd = accept4(t->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    t->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    t->status.refused_full++;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct transport *t = poll->data;
    (void)status, (void)events;
    for (int i = 0; i < TAKE_AT_ONCE && !t->closing; i++) {
        int fd = accept4(t->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            turn_away(t);
        if (fd < 0)
            return;
        if (!make_place(t)) {
            close(fd);
            continue;
        }
        socket_options(fd, !t->options.no_delay_probe);
        conn_start_tls(conn_new(t, fd, true));
    }
}

/* --- opening --- */

static enum err resolve(const char *listen, struct sockaddr_storage *out, socklen_t *len,
                        struct store_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[RECORD_ADDR_MAX], port[8];
    uint16_t number;
    if (!address_parse(listen, true, host, &number))
        return tls_refuse(error, ERR_USAGE,
                          "The address '%.200s' cannot be read. Write host:port, [IPv6]:port or "
                          ":port.",
                          listen);
    if (address_figures(listen, out, len))
        return OK;
    snprintf(port, sizeof port, "%u", number);
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed)
        return tls_refuse(error, ERR_USAGE, "The name in '%.200s' is not known: %s.", listen,
                          gai_strerror(failed));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return OK;
}

/* As others see it: the host that was asked for, and the port that was found. */
static void note_address(struct transport *t)
{
    struct sockaddr_storage found;
    socklen_t len = sizeof found;
    char host[RECORD_ADDR_MAX];
    uint16_t port;
    INVARIANT(getsockname(t->listen_fd, (struct sockaddr *)&found, &len) == 0);
    INVARIANT(address_parse(t->options.listen, true, host, &port));
    if (port == 0)
        port = ntohs(found.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&found)->sin6_port
                                                 : ((struct sockaddr_in *)&found)->sin_port);
    bool six = strchr(host, ':') != NULL;
    snprintf(t->address, sizeof t->address, "%s%.200s%s:%u", six ? "[" : "", host, six ? "]" : "",
             port);
}

static int bound_socket(const struct sockaddr_storage *address, socklen_t len)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->ss_family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, (const struct sockaddr *)address, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

/* ":port" on a machine without IPv6. */
static int bound_socket_four(const struct sockaddr_storage *address)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    struct sockaddr_storage any = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&any;
    four->sin_family = AF_INET;
    four->sin_port = six->sin6_port;
    return bound_socket(&any, sizeof *four);
}

static enum err open_socket(const char *listen, int *fd, struct store_error *error)
{
    struct sockaddr_storage address;
    socklen_t len;
    enum err err = resolve(listen, &address, &len, error);
    if (err)
        return err;
    *fd = bound_socket(&address, len);
    if (*fd < 0 && errno == EAFNOSUPPORT && listen[0] == ':')
        *fd = bound_socket_four(&address);
    if (*fd < 0)
        return tls_refuse(error, errno == EADDRINUSE ? ERR_BUSY : ERR_IO,
                          "Cannot listen at %.200s: %s.", listen, strerror(errno));
    return OK;
}

enum err transport_can_listen(const char *listen, struct store_error *error)
{
    int fd = -1;
    enum err err = open_socket(listen, &fd, error);
    if (fd >= 0)
        close(fd);
    return err;
}

enum err listen_open(struct transport *t, struct store_error *error)
{
    enum err err = open_socket(t->options.listen, &t->listen_fd, error);
    if (err)
        return err;
    t->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    note_address(t);
    INVARIANT(uv_poll_init(t->loop, &t->listener, t->listen_fd) == 0);
    t->listener.data = t;
    t->handles++;
    INVARIANT(uv_poll_start(&t->listener, UV_READABLE, on_connection) == 0);
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct transport *t = handle->data;
    close(t->listen_fd);
    close(t->spare_fd);
    t->listen_fd = t->spare_fd = -1;
    t->handles--;
    transport_free_when_empty(t);
}

void listen_close(struct transport *t)
{
    if (t->listen_fd < 0 || uv_is_closing((uv_handle_t *)&t->listener))
        return;
    uv_poll_stop(&t->listener);
    uv_close((uv_handle_t *)&t->listener, on_closed);
}
