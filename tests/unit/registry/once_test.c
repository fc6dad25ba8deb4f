/* SPDX-License-Identifier: MIT
 *
 * once_test.c: law E1 of io/etcd/etcd.h, against a server that fails in every way: a change is sent
 * once at most, REGISTRY is said only when it was not sent or refused, and all within the deadline.
 */
#include "../../registry/suite.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/etcd/etcd.h"

#define DEADLINE_NS UINT64_C(400000000)

enum manner {
    ANSWER,
    CLOSE,       /* reads the request, then ends the connection */
    SILENT,      /* reads it, and never answers */
    CUT,         /* answers half */
    NONSENSE,    /* answers with something that is not etcd's */
    REFUSE,      /* says that it did not do it: an invalid argument */
    DROPPED,     /* says so once: no leader; then answers */
    UNAVAILABLE, /* says that nobody knows */
    TWICE_CLOSE, /* answers the first change, ends the connection at the second */
};

struct peer {
    uv_tcp_t tcp; /* first */
    struct server *server;
    struct peer *next;
    size_t len;
    char text[8192];
};

struct server {
    struct world w; /* first */
    uv_tcp_t listener;
    struct peer *peers;
    enum manner manner;
    unsigned changes; /* requests to change something that arrived whole */
    bool closed;
    char url[64], dead_url[64];
};

/* --- the server --- */

static void send_text(struct peer *peer, const char *status, const char *body, size_t claimed)
{
    char text[512];
    int len = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
                       claimed, body);
    uv_buf_t buf = uv_buf_init(text, (unsigned)len);
    assert_int_equal(uv_try_write((uv_stream_t *)&peer->tcp, &buf, 1), len);
}

static void peer_closed(uv_handle_t *handle)
{
    struct peer *peer = (struct peer *)handle, **link = &peer->server->peers;
    while (*link != peer)
        link = &(*link)->next;
    *link = peer->next;
    free(peer);
}

static void drop(struct peer *peer)
{
    if (!uv_is_closing((uv_handle_t *)&peer->tcp))
        uv_close((uv_handle_t *)&peer->tcp, peer_closed);
}

static void say(struct peer *peer, const char *status, const char *body)
{
    send_text(peer, status, body, strlen(body));
}

static void act(struct peer *peer)
{
    static const char good[] = "{\"header\":{\"revision\":\"5\"},\"succeeded\":true}";
    struct server *server = peer->server;
    enum manner manner = server->manner;
    if (manner == DROPPED)
        server->manner = ANSWER;
    if (manner == TWICE_CLOSE)
        manner = server->changes == 1 ? ANSWER : CLOSE;
    if (manner == ANSWER)
        say(peer, "200 OK", good);
    else if (manner == CUT)
        send_text(peer, "200 OK", "{\"header\":", 50);
    else if (manner == NONSENSE)
        say(peer, "200 OK", "welcome");
    else if (manner == REFUSE)
        say(peer, "400 Bad Request", "{\"error\":\"etcdserver: bad\",\"code\":3}");
    else if (manner == DROPPED)
        say(peer, "500 Error", "{\"error\":\"raft proposal dropped\",\"code\":2}");
    else if (manner == UNAVAILABLE)
        say(peer, "503 Gone", "{\"error\":\"etcdserver: request timed out\",\"code\":14}");
    if (manner == CLOSE || manner == CUT)
        drop(peer);
}

/* Questions for the base are always answered. */
static void take_request(struct peer *peer)
{
    const char *body = strstr(peer->text, "\r\n\r\n"), *length;
    if (!body || !(length = strstr(peer->text, "Content-Length: ")))
        return;
    if (strlen(body + 4) < strtoul(length + 16, NULL, 10))
        return;
    bool change = strstr(peer->text, "/v3/kv/txn") != NULL;
    peer->len = 0;
    peer->server->changes += change;
    if (change)
        act(peer);
    else
        say(peer, "200 OK", "{\"header\":{\"revision\":\"1\"}}");
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct peer *peer = (struct peer *)handle;
    (void)suggested;
    *buf = uv_buf_init(peer->text + peer->len, (unsigned)(sizeof peer->text - 1 - peer->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct peer *peer = (struct peer *)stream;
    (void)buf;
    if (got < 0) {
        drop(peer);
        return;
    }
    peer->len += (size_t)got;
    peer->text[peer->len] = 0;
    take_request(peer);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    struct peer *peer = calloc(1, sizeof *peer);
    assert_int_equal(status, 0);
    peer->server = server;
    peer->next = server->peers;
    server->peers = peer;
    assert_int_equal(uv_tcp_init(&server->w.loop, &peer->tcp), 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&peer->tcp), 0);
    uv_read_start((uv_stream_t *)&peer->tcp, give_room, on_read);
}

/* --- the test's frame --- */

static void address_of(const uv_tcp_t *tcp, char url[64])
{
    struct sockaddr_in address;
    int len = sizeof address;
    assert_int_equal(uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &len), 0);
    snprintf(url, 64, "http://127.0.0.1:%u", ntohs(address.sin_port));
}

/* A port that nobody listens on: taken, so that nobody can. */
static void dead_address(struct server *server, uv_tcp_t *tcp)
{
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_init(&server->w.loop, tcp), 0);
    assert_int_equal(uv_tcp_bind(tcp, (const struct sockaddr *)&address, 0), 0);
    address_of(tcp, server->dead_url);
}

static uv_tcp_t dead;

static int begin(void **state)
{
    struct server *server = calloc(1, sizeof *server);
    struct sockaddr_in address;
    assert_int_equal(uv_loop_init(&server->w.loop), 0);
    assert_int_equal(uv_tcp_init(&server->w.loop, &server->listener), 0);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0);
    server->listener.data = server;
    assert_int_equal(uv_listen((uv_stream_t *)&server->listener, 16, on_connection), 0);
    address_of(&server->listener, server->url);
    dead_address(server, &dead);
    *state = server;
    return 0;
}

static void flag_up(void *ctx)
{
    *(bool *)ctx = true;
}

static int end(void **state)
{
    struct server *server = *state;
    bool closed = false;
    if (server->w.a) {
        registry_etcd_close(server->w.a, flag_up, &closed);
        wait_for(&server->w, &closed, 5);
    }
    for (struct peer *peer = server->peers; peer; peer = peer->next)
        drop(peer);
    uv_close((uv_handle_t *)&server->listener, NULL);
    uv_close((uv_handle_t *)&dead, NULL);
    uv_run(&server->w.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&server->w.loop), 0);
    free(server);
    return 0;
}

/* One change to a server of that manner; the server saw `changes` of them. */
static enum err change_by(struct server *server, enum manner manner, const char *urls)
{
    const struct registry_etcd_options options = {
        .loop = &server->w.loop, .urls = urls, .deadline_ns = DEADLINE_NS};
    struct store_error error;
    server->manner = manner;
    server->changes = 0;
    if (!server->w.a)
        assert_int_equal(registry_etcd_open(&options, &server->w.a, &error), OK);
    return put(&server->w, server->w.a, "k", "v", NULL);
}

/* --- the tests --- */

static void what_is_answered_is_done(void **state)
{
    struct server *server = *state;
    assert_int_equal(change_by(server, ANSWER, server->url), OK);
    assert_int_equal(server->changes, 1);
    assert_string_equal(registry_etcd_trouble(server->w.a), "");
}

static void nobody_there_is_not_done(void **state)
{
    struct server *server = *state;
    uint64_t start = uv_hrtime();
    assert_int_equal(change_by(server, ANSWER, server->dead_url), ERR_REGISTRY);
    assert_true(uv_hrtime() - start < DEADLINE_NS + 200000000);
    assert_non_null(strstr(registry_etcd_trouble(server->w.a), server->dead_url));
}

static void the_next_one_is_asked(void **state)
{
    struct server *server = *state;
    char urls[160];
    snprintf(urls, sizeof urls, "%s,%s/", server->dead_url, server->url);
    assert_int_equal(change_by(server, ANSWER, urls), OK);
    assert_int_equal(server->changes, 1);
}

static void who_knows_is_a_timeout(void **state)
{
    static const enum manner manners[] = {CLOSE, SILENT, CUT, NONSENSE, UNAVAILABLE};
    struct server *server = *state;
    char urls[160];
    snprintf(urls, sizeof urls, "%s,%s", server->url, server->dead_url);
    for (size_t i = 0; i < sizeof manners / sizeof manners[0]; i++) {
        assert_int_equal(change_by(server, manners[i], urls), ERR_TIMEOUT);
        assert_int_equal(server->changes, 1);
    }
}

/* The connection is there already, which libcurl would take for a reason to send once more. */
static void also_over_a_connection_that_was_used(void **state)
{
    struct server *server = *state;
    assert_int_equal(change_by(server, TWICE_CLOSE, server->url), OK);
    assert_int_equal(put(&server->w, server->w.a, "k", "v", NULL), ERR_TIMEOUT);
    run_for(&server->w, 50);
    assert_int_equal(server->changes, 2);
}

static void what_is_refused_is_not_done(void **state)
{
    struct server *server = *state;
    assert_int_equal(change_by(server, REFUSE, server->url), ERR_REGISTRY);
    assert_int_equal(server->changes, 1);
    assert_non_null(strstr(registry_etcd_trouble(server->w.a), "etcdserver: bad"));
}

static void what_had_no_leader_is_asked_again(void **state)
{
    struct server *server = *state;
    assert_int_equal(change_by(server, DROPPED, server->url), OK);
    assert_int_equal(server->changes, 2);
}

static void addresses_have_a_form(void **state)
{
    static const char *const wrong[] = {"",           ",",          "10.0.0.1:4701",
                                        "ftp://h:1",  "http://",    "https:///x",
                                        "http://a b", "http://a\"", "http://a,,http://b"};
    struct server *server = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct registry_etcd_options options = {.loop = &server->w.loop, .urls = wrong[i]};
        struct store_error error = {""};
        struct registry *registry;
        assert_int_equal(registry_etcd_open(&options, &registry, &error), ERR_USAGE);
        assert_true(error.text[0] != 0);
    }
    const struct registry_etcd_options options = {
        .loop = &server->w.loop, .urls = "https://h:1", .dir = "/nowhere"};
    struct store_error error = {""};
    struct registry *registry;
    assert_int_equal(registry_etcd_open(&options, &registry, &error), ERR_CERTIFICATE);
    assert_non_null(strstr(error.text, "/nowhere/ca.crt"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_answered_is_done),
        TEST(nobody_there_is_not_done),
        TEST(the_next_one_is_asked),
        TEST(who_knows_is_a_timeout),
        TEST(also_over_a_connection_that_was_used),
        TEST(what_is_refused_is_not_done),
        TEST(what_had_no_leader_is_asked_again),
        TEST(addresses_have_a_form),
    };
    return cmocka_run_group_tests_name("etcd: once", tests, NULL, NULL);
}
