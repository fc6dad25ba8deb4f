/* SPDX-License-Identifier: MIT
 *
 * bounds_test.c: law T3: what a peer can make this process hold.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/tls/transport_private.h"
#include "raw.h"

#if defined __SANITIZE_ADDRESS__
#define SANITIZED true
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define CROWD   1000
#define PER_ONE (64 << 10) /* bytes of memory for a connection that is idle, both ends together */
#define PARTS   100

static struct end *server;
static struct raw crowd[CROWD];

static int begin(void **state)
{
    ends_begin(state);
    struct transport_options options = ends_options(&ends.end[0], "node-1", 1);
    options.queue_bytes = 8 << 20;
    options.handshake_ms = 30000; /* a thousand on a busy machine */
    server = ends_open_with(0, &options);
    return 0;
}

static uint64_t queued(const struct end *end)
{
    const struct conn *conn;
    uint64_t bytes = 0;
    LIST_FOREACH(conn, &end->t->conns, all)
    bytes += conn->plain.bytes + conn->sealed.bytes;
    return bytes;
}

/* A node that takes nothing: what waits for it is bounded, and its sender is told. */
static void full_queue(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 3);
    struct raw raw;
    assert_true(raw_tls(&raw, server, ends.dir, node.name));
    ENDS_UNTIL(server->joined == 1);
    enum err err = OK;
    uint32_t sent = 0;
    while (err == OK && sent < 200) {
        err = ends_send_bytes(server, 3, 1 << 20);
        sent += err == OK;
        uv_run(&ends.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_in_range(sent, 8, 100);
    assert_in_range(queued(server), 1, (8 << 20) + (1 << 20));
    assert_int_equal(ends_send(server, 3, "small"), OK); /* there is still room for that */
    raw_close(&raw);
    ENDS_UNTIL(server->lost == 1);
    assert_int_equal(queued(server), 0);
}

static void full_for_nobody(void **state)
{
    (void)state;
    transport_place(server->t, 2, "192.0.2.1:9"); /* nobody is there, by RFC 5737 */
    enum err err = OK;
    for (int i = 0; err == OK && i < 20; i++)
        err = ends_send_bytes(server, 2, 1 << 20);
    assert_int_equal(err, ERR_LIMIT);
    assert_in_range(queued(server), 1, (8 << 20) + (1 << 20));
}

/* A guest that asks and does not read is not listened to any more. */
static void unread_answers(void **state)
{
    (void)state;
    static uint8_t question[100 << 10];
    struct raw raw;
    assert_true(raw_tls(&raw, server, ends.dir, "client"));
    server->answer = true;
    for (size_t i = 0; i < sizeof question; i++)
        question[i] = (uint8_t)(i * 7 + sizeof question);
    uint8_t head[FRAMES_HEAD];
    frames_put_head(head, sizeof question);
    /* As many as go into the pipe; then it is full in both directions. */
    size_t n, at = 0, len = sizeof head + sizeof question;
    uint8_t *message = malloc(len);
    memcpy(message, head, sizeof head);
    memcpy(message + sizeof head, question, sizeof question);
    for (int idle = 0; idle < 200; idle++) {
        if (SSL_write_ex(raw.ssl, message + at, len - at, &n) == 1) {
            at = (at + n) % len;
            idle = 0;
        }
        uv_run(&ends.loop, UV_RUN_NOWAIT);
        assert_true(server->got < 2000);
    }
    assert_in_range(queued(server), GUEST_UNREAD, GUEST_UNREAD + 4 * sizeof question);
    uint32_t stopped_at = server->got;
    /* It reads: everything goes on. */
    ends_watch("more questions to be read");
    while (server->got == stopped_at) {
        SSL_read_ex(raw.ssl, message, len, &n);
        uv_run(&ends.loop, UV_RUN_NOWAIT);
    }
    ends_watched();
    free(message);
    raw_close(&raw);
    ENDS_UNTIL(server->lost == 1);
}

/* Guests that begin long messages and do not end them. */
static void unfinished_messages(void **state)
{
    (void)state;
    static uint8_t part[1 << 20];
    struct raw raws[PARTS];
    for (int i = 0; i < PARTS; i++) {
        assert_true(raw_tls(&raws[i], server, ends.dir, "client"));
        uint8_t head[FRAMES_HEAD];
        frames_put_head(head, NET_MESSAGE_MAX);
        raw_send(&raws[i], head, sizeof head);
    }
    ENDS_UNTIL(server->joined == PARTS);
    assert_true(server->t->parts <= PARTS * (size_t)FRAMES_STEP); /* not what they announce */
    for (int round = 0; round < 200; round++)
        for (int i = 0; i < PARTS; i++) {
            size_t n;
            SSL_write_ex(raws[i].ssl, part, LARGE, &n);
            if (i % 10 == 0)
                uv_run(&ends.loop, UV_RUN_NOWAIT);
        }
    assert_in_range(server->t->parts, GUESTS_PARTS / 4, GUESTS_PARTS + MESSAGE_MOST);
    /* Others are served meanwhile, and when the memory is free again, so are they. */
    struct end *other = ends_open(1, "node-2", 2);
    ends_place(other, server, 1);
    assert_int_equal(ends_send_bytes(other, 1, 1 << 20), OK);
    ENDS_UNTIL(server->got == 1);
    for (int i = 0; i < PARTS; i++)
        raw_close(&raws[i]);
    ENDS_UNTIL(server->lost == PARTS);
    assert_int_equal(server->t->parts, 0);
    struct end *guest = ends_open(2, "client", 0);
    ends_place(guest, server, 1);
    assert_int_equal(ends_send_bytes(guest, 1, NET_MESSAGE_MAX), OK);
    ENDS_UNTIL(server->got == 2);
}

static uint64_t memory(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    char line[128];
    assert_non_null(in);
    assert_non_null(fgets(line, sizeof line, in));
    fclose(in);
    char *end = line;
    total = strtoull(end, &end, 10);
    resident = strtoull(end, &end, 10);
    assert_true(total >= resident);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool descriptors(rlim_t wanted)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < wanted)
        return false;
    if (limit.rlim_cur < wanted)
        limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void thousand_clients(void **state)
{
    (void)state;
    if (!descriptors(2 * CROWD + 100))
        skip();
    uint64_t before = memory(), begun = uv_hrtime();
    SSL_CTX *ctx;
    assert_int_equal(identity_context(ends.dir, "client", false, &ctx, &ends.error), OK);
    for (int i = 0; i < CROWD; i++) { /* all at once, none after the other */
        raw_connect(&crowd[i], server);
        crowd[i].ssl = SSL_new(ctx);
        SSL_set_fd(crowd[i].ssl, crowd[i].fd);
        SSL_set_connect_state(crowd[i].ssl);
        SSL_do_handshake(crowd[i].ssl);
    }
    SSL_CTX_free(ctx);
    ends_watch("a thousand handshakes");
    while (ends_status(server).guests < CROWD) {
        for (int i = 0; i < CROWD; i++)
            if (!SSL_is_init_finished(crowd[i].ssl))
                SSL_do_handshake(crowd[i].ssl);
        uv_run(&ends.loop, UV_RUN_NOWAIT);
    }
    ends_watched();
    uint64_t each = (memory() - before) / CROWD, took = (uv_hrtime() - begun) / 1000000;
    print_message("%d clients in %llu ms, %llu bytes each, both ends\n", CROWD,
                  (unsigned long long)took, (unsigned long long)each);
    if (!SANITIZED)
        assert_true(each < PER_ONE);
    for (int i = 0; i < CROWD; i++)
        assert_true(raw_message(&crowd[i], 5, "hello", 5));
    ENDS_UNTIL(server->got == CROWD);
    for (int i = 0; i < CROWD; i++)
        raw_close(&crowd[i]);
    ENDS_UNTIL(ends_status(server).guests == 0);
}

/* More than there is room for: the oldest that has not said who it is goes, and who is in stays. */
static void no_room(void **state)
{
    (void)state;
    static int fds[TRANSPORT_PEERS];
    struct end *other = ends_open(1, "node-2", 2);
    struct raw raw;
    if (!descriptors(2 * TRANSPORT_PEERS + 100))
        skip();
    ends_place(other, server, 1);
    assert_int_equal(ends_send(other, 1, "first"), OK);
    ENDS_UNTIL(server->got == 1);
    for (uint32_t i = 0; i < TRANSPORT_PEERS; i++) {
        raw_connect(&raw, server);
        fds[i] = raw.fd;
        if (i % 64 == 0)
            uv_run(&ends.loop, UV_RUN_NOWAIT);
    }
    ENDS_UNTIL(ends_status(server).refused_full > 0);
    assert_true(server->t->count <= TRANSPORT_PEERS);
    assert_true(raw_tls(&raw, server, ends.dir, "client"));
    assert_true(raw_message(&raw, 5, "hello", 5));
    assert_int_equal(ends_send(other, 1, "still here"), OK);
    ENDS_UNTIL(server->got == 3);
    assert_int_equal(other->lost, 0);
    raw_close(&raw);
    for (uint32_t i = 0; i < TRANSPORT_PEERS; i++)
        close(fds[i]);
}

/* T1 to the second: what an expired peer sends is not delivered, though it is still connected. */
static void expired_before_the_sweep(void **state)
{
    (void)state;
    struct end *agent = ends_open(1, "client", 0);
    ends_place(agent, server, 1);
    assert_int_equal(ends_send(agent, 1, "valid"), OK);
    ENDS_UNTIL(server->got == 1 && agent->joined == 1);
    peer_conn(server->t, server->from[0])->identity.not_after = 1;
    assert_int_equal(ends_send(agent, 1, "expired"), OK);
    ENDS_UNTIL(agent->lost == 1);
    assert_int_equal(server->got, 1);
    assert_int_equal(ends_status(server).refused_certificate, 1);
}

/* A guest's number is not given again with its place. */
static void numbers_of_guests(void **state)
{
    (void)state;
    struct end *agent = ends_open(1, "client", 0);
    ends_place(agent, server, 1);
    for (uint32_t i = 0; i < 3; i++) {
        server->t->next_slot = 17;
        assert_int_equal(ends_send(agent, 1, "hello"), OK);
        ENDS_UNTIL(server->got == i + 1 && agent->joined == i + 1);
        assert_int_equal(server->from[i] % TRANSPORT_PEERS, 17);
        transport_drop(server->t, server->from[i]);
        ENDS_UNTIL(agent->lost == i + 1 && server->lost == i + 1);
        assert_int_equal(ends_send(server, server->from[i], "late"), ERR_UNREACHABLE);
    }
    assert_int_not_equal(server->from[0], server->from[1]);
    assert_int_not_equal(server->from[1], server->from[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(thousand_clients, begin, ends_end),
        cmocka_unit_test_setup_teardown(full_queue, begin, ends_end),
        cmocka_unit_test_setup_teardown(full_for_nobody, begin, ends_end),
        cmocka_unit_test_setup_teardown(unread_answers, begin, ends_end),
        cmocka_unit_test_setup_teardown(unfinished_messages, begin, ends_end),
        cmocka_unit_test_setup_teardown(no_room, begin, ends_end),
        cmocka_unit_test_setup_teardown(expired_before_the_sweep, begin, ends_end),
        cmocka_unit_test_setup_teardown(numbers_of_guests, begin, ends_end),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
