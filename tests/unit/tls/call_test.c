/* SPDX-License-Identifier: MIT
 *
 * call_test.c: transport_call, from a thread, as the command would from its process.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/wire/message.h"
#include "ends.h"

static struct {
    struct transport_call call;
    const char *addresses[8];
    uint8_t fingerprint[32];
    char *answer;
    struct store_error error;
    enum err err;
    atomic_bool over;
    uint32_t asked;
    bool silent;
    uint64_t took_ms;
    int fd; /* of a listener that never takes a connection */
    char dead[64], mute[64];
} t;

static void on_call(void *ctx, uint32_t from, struct bytes bytes)
{
    struct end *end = ctx;
    struct arena arena;
    struct message message;
    char text[256];
    arena_init(&arena);
    assert_int_equal(wire_decode(bytes, &arena, &message), OK);
    assert_int_equal(message.kind, MESSAGE_CALL);
    t.asked++;
    snprintf(text, sizeof text, "role %d: %.*s", (int)transport_who(end->t, from)->role,
             (int)message.text.len, (const char *)message.text.data);
    struct message answer = {.kind = MESSAGE_ANSWER,
                             .serial = message.serial,
                             .text = {(const uint8_t *)text, strlen(text)}};
    if (!t.silent)
        assert_int_equal(wire_send(end->net, from, &answer, NULL, 0, &arena), OK);
    arena_free(&arena);
}

static int listener(char address[64])
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    snprintf(address, 64, "127.0.0.1:%u", ntohs(any.sin_port));
    return fd;
}

static int begin(void **state)
{
    char path[TEST_PATH_MAX + 16];
    ends_begin(state);
    memset(&t, 0, sizeof t);
    t.fd = listener(t.mute);
    close(listener(t.dead));
    snprintf(path, sizeof path, "%s/ca.crt", ends.dir);
    assert_int_equal(authority_fingerprint(path, t.fingerprint, &t.error), OK);
    t.call = (struct transport_call){.dir = ends.dir,
                                     .name = "admin",
                                     .addresses = t.addresses,
                                     .text = "{\"request\":\"status\"}",
                                     .timeout_ms = 5000};
    return 0;
}

static int end(void **state)
{
    free(t.answer);
    close(t.fd);
    return ends_end(state);
}

static void node(const char *name, bool strangers)
{
    struct transport_options options = ends_options(&ends.end[0], name, 1);
    options.strangers = strangers;
    ends_open_with(0, &options);
    ends.end[0].net->ops->listen(ends.end[0].net, on_call, &ends.end[0]);
    t.addresses[0] = transport_address(ends.end[0].t);
}

static void *run(void *ctx)
{
    uint64_t begun = uv_hrtime();
    (void)ctx;
    t.err = transport_call(&t.call, &t.answer, &t.error);
    t.took_ms = (uv_hrtime() - begun) / 1000000;
    atomic_store(&t.over, true);
    return NULL;
}

static void call_now(enum err err, const char *said)
{
    pthread_t thread;
    free(t.answer);
    t.answer = NULL;
    t.error.text[0] = 0;
    atomic_store(&t.over, false);
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
    ends_watch("the call");
    while (!atomic_load(&t.over))
        uv_run(&ends.loop, UV_RUN_NOWAIT);
    ends_watched();
    pthread_join(thread, NULL);
    if (t.err != err || !strstr(err ? t.error.text : t.answer, said))
        fail_msg("%s: '%s', not %s: '%s'", err_name(t.err), t.err ? t.error.text : t.answer,
                 err_name(err), said);
}

static void gets_an_answer(void **state)
{
    (void)state;
    node("node-1", false);
    call_now(OK, "role 3: {\"request\":\"status\"}");
    t.call.name = "client";
    call_now(OK, "role 2: ");
    char *longest = calloc(1, WIRE_TEXT_MAX + 2);
    memset(longest, 'x', WIRE_TEXT_MAX);
    t.call.text = longest;
    call_now(OK, "role 2: xxx");
    longest[WIRE_TEXT_MAX] = 'x';
    call_now(ERR_LIMIT, "at most");
    free(longest);
    assert_int_equal(t.asked, 3);
}

static void strangers(void **state)
{
    (void)state;
    node("node-1", true);
    t.call.name = NULL;
    t.call.fingerprint = t.fingerprint;
    call_now(OK, "role 0: {\"request\":\"status\"}");
    t.fingerprint[31] ^= 1;
    call_now(ERR_CERTIFICATE, "not of this cell");
    assert_non_null(strstr(t.error.text, t.addresses[0]));
    assert_int_equal(t.asked, 1);
}

static void no_strangers(void **state)
{
    (void)state;
    node("node-1", false);
    t.call.name = NULL;
    t.call.fingerprint = t.fingerprint;
    call_now(ERR_CERTIFICATE, "there is none");
    assert_int_equal(ends_status(&ends.end[0]).refused_certificate, 1);
}

static void others_are_tried(void **state)
{
    (void)state;
    node("node-1", false);
    t.addresses[2] = t.addresses[0];
    t.addresses[0] = t.dead;
    t.addresses[1] = t.mute;
    call_now(OK, "role 3: ");
    t.addresses[0] = "no-such-host.invalid:4700";
    t.addresses[1] = "what is this";
    call_now(OK, "role 3: ");
    assert_int_equal(t.asked, 2);
}

static void nobody_there(void **state)
{
    (void)state;
    t.addresses[0] = t.dead;
    call_now(ERR_UNREACHABLE, "Connection refused");
    assert_non_null(strstr(t.error.text, t.dead));
    t.addresses[0] = t.mute; /* as a process that was stopped */
    t.call.timeout_ms = 300;
    call_now(ERR_UNREACHABLE, "does not answer");
    assert_non_null(strstr(t.error.text, t.mute));
    assert_true(t.took_ms < 4000);
    t.addresses[0] = "nonsense";
    call_now(ERR_USAGE, "cannot be read");
    t.addresses[0] = NULL;
    call_now(ERR_UNREACHABLE, "No address");
}

static void no_answer(void **state)
{
    (void)state;
    node("node-1", false);
    t.silent = true;
    t.call.timeout_ms = 300;
    call_now(ERR_TIMEOUT, "has not answered in 300 ms");
    assert_non_null(strstr(t.error.text, t.addresses[0]));
    assert_int_equal(t.asked, 1);
}

static void expired(void **state)
{
    (void)state;
    struct identity admin = identity_administrator(CELL), first = identity_node(CELL, 1);
    node("node-1", false);
    cell_sign(ends.dir, "admin", &admin, -1);
    call_now(ERR_CERTIFICATE, "has expired on 20");
    ends_close(&ends.end[0]);
    cell_sign(ends.dir, "node-1", &first, -1);
    node("node-1", false);
    t.call.name = "client";
    call_now(ERR_CERTIFICATE, "has expired");
    assert_non_null(strstr(t.error.text, t.addresses[0]));
    assert_int_equal(t.asked, 0);
}

static void revoked(void **state)
{
    (void)state;
    struct identity admin;
    char path[TEST_PATH_MAX + 16];
    node("node-1", false);
    snprintf(path, sizeof path, "%s/admin.crt", ends.dir);
    assert_int_equal(identity_load(path, &admin, &t.error), OK);
    ends.end[0].revoked = admin.serial;
    call_now(ERR_CERTIFICATE, "it was revoked");
    assert_int_equal(t.asked, 0);
}

/* A client's certificate is no node's, also at the listening end. */
static void no_node(void **state)
{
    (void)state;
    node("client", false);
    call_now(ERR_CERTIFICATE, "not that of a node");
    assert_int_equal(t.asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gets_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(strangers, begin, end),
        cmocka_unit_test_setup_teardown(no_strangers, begin, end),
        cmocka_unit_test_setup_teardown(others_are_tried, begin, end),
        cmocka_unit_test_setup_teardown(nobody_there, begin, end),
        cmocka_unit_test_setup_teardown(no_answer, begin, end),
        cmocka_unit_test_setup_teardown(expired, begin, end),
        cmocka_unit_test_setup_teardown(revoked, begin, end),
        cmocka_unit_test_setup_teardown(no_node, begin, end),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
