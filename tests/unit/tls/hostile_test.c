/* SPDX-License-Identifier: MIT
 *
 * hostile_test.c: laws T1 to T3 against peers that break them. Each is refused and counted, and
 * node 2, which is connected all the while, notices nothing.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "core/wire/message.h"
#include "raw.h"

static struct end *server, *witness;
static struct raw raw;
static uint32_t before; /* messages of the witness */

static int begin_with(void **state, bool strangers, uint32_t handshake_ms)
{
    ends_begin(state);
    struct transport_options options = ends_options(&ends.end[0], "node-1", 1);
    options.strangers = strangers;
    options.handshake_ms = handshake_ms;
    server = ends_open_with(0, &options);
    witness = ends_open(1, "node-2", 2);
    ends_place(witness, server, 1);
    assert_int_equal(ends_send(witness, 1, "before"), OK);
    ENDS_UNTIL(server->got == 1);
    before = server->got;
    memset(&raw, 0, sizeof raw);
    raw.fd = -1;
    return 0;
}

static int begin(void **state)
{
    return begin_with(state, false, 0);
}

static int begin_hasty(void **state)
{
    return begin_with(state, false, 150);
}

static int begin_strangers(void **state)
{
    return begin_with(state, true, 0);
}

static int end(void **state)
{
    if (raw.fd >= 0)
        raw_close(&raw);
    /* Nothing of the intruder arrived, and the witness is as it was. */
    assert_int_equal(server->got, before);
    assert_int_equal(ends_send(witness, 1, "after"), OK);
    ENDS_UNTIL(server->got == before + 1);
    assert_int_equal(server->from[before], 2);
    assert_int_equal(witness->lost, 0);
    assert_int_equal(ends_status(server).peers, 1);
    return ends_end(state);
}

static void rubbish(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n";
    raw_connect(&raw, server);
    raw_send(&raw, text, sizeof text);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_handshake == 1);
}

static void rubbish_of_any_kind(void **state)
{
    (void)state;
    uint64_t chance = 1;
    for (int i = 0; i < 100; i++) {
        uint8_t bytes[400];
        for (size_t k = 0; k < sizeof bytes; k++) {
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            bytes[k] = (uint8_t)(chance >> 56);
        }
        memcpy(bytes, "\x16\x03\x01\x01\x8b\x01\x00\x01\x87\x03\x03",
               (size_t)i % 12); /* ever better */
        raw_connect(&raw, server);
        raw_send(&raw, bytes, sizeof bytes);
        shutdown(raw.fd, SHUT_WR);
        raw_until_closed(&raw);
        raw_close(&raw);
    }
    raw.fd = -1;
    struct transport_status status = ends_status(server);
    assert_int_equal(status.refused_handshake + status.broken, 100);
}

static void older_tls(void **state)
{
    (void)state;
    raw_connect(&raw, server);
    raw.ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(raw.ctx, TLS1_2_VERSION);
    raw.ssl = SSL_new(raw.ctx);
    SSL_set_fd(raw.ssl, raw.fd);
    SSL_set_connect_state(raw.ssl);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_handshake == 1);
}

static void half_a_handshake(void **state)
{
    (void)state;
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    raw_connect(&raw, server);
    raw_send(&raw, hello, sizeof hello - 1);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_handshake == 1);
}

static void says_nothing(void **state)
{
    (void)state;
    raw_connect(&raw, server);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_handshake == 1);
}

static void no_certificate(void **state)
{
    (void)state;
    if (raw_tls(&raw, server, NULL, NULL))
        raw_message(&raw, 5, "hello", 5);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_certificate == 1);
    assert_int_equal(server->joined, 1);
}

/* --- certificates --- */

static void refused_with(const char *name)
{
    uint64_t refused = ends_status(server).refused_certificate;
    if (raw_tls(&raw, server, ends.dir, name))
        raw_message(&raw, 5, "hello", 5);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_certificate == refused + 1);
    assert_int_equal(server->joined, 1);
}

static void expired(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 3);
    cell_sign(ends.dir, "node-3", &node, -1);
    refused_with("node-3");
}

static uint64_t serial_of(const char *name)
{
    char path[2 * TEST_PATH_MAX];
    struct identity found;
    snprintf(path, sizeof path, "%s/%s.crt", ends.dir, name);
    assert_int_equal(identity_load(path, &found, &ends.error), OK);
    return found.serial;
}

static void revoked(void **state)
{
    (void)state;
    server->revoked = serial_of("client");
    refused_with("client");
}

static void of_another_cell(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL + 1, 3);
    cell_make(ends.other, CELL + 1);
    cell_sign(ends.other, "node-3", &node, 1);
    if (raw_tls(&raw, server, ends.other, "node-3"))
        raw_message(&raw, 5, "hello", 5);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_certificate == 1);
}

/* The same UUID, by an authority of one's own. */
static void of_a_forged_cell(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 3);
    cell_make(ends.other, CELL);
    cell_sign(ends.other, "node-3", &node, 1);
    if (raw_tls(&raw, server, ends.other, "node-3"))
        raw_message(&raw, 5, "hello", 5);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_certificate == 1);
}

static void of_this_very_node(void **state)
{
    (void)state;
    refused_with("node-1");
}

static EVP_PKEY *key_at(const char *name)
{
    char path[2 * TEST_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.key", ends.dir, name);
    FILE *in = fopen(path, "r");
    EVP_PKEY *key = in ? PEM_read_PrivateKey(in, NULL, NULL, NULL) : NULL;
    if (in)
        fclose(in);
    assert_non_null(key);
    return key;
}

static X509 *certificate_at(const char *name)
{
    char path[2 * TEST_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.crt", ends.dir, name);
    FILE *in = fopen(path, "r");
    X509 *certificate = in ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;
    if (in)
        fclose(in);
    assert_non_null(certificate);
    return certificate;
}

/* A client's certificate, well signed, that also claims a node's number. */
static void client_as_a_node(void **state)
{
    (void)state;
    EVP_PKEY *ca = key_at("ca");
    X509 *odd = certificate_at("client");
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "URI:pactfs:node=3");
    int at = X509_get_ext_by_NID(odd, NID_subject_alt_name, -1);
    X509_EXTENSION_free(X509_delete_ext(odd, at));
    X509_add_ext(odd, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(odd, ca, NULL) > 0);
    EVP_PKEY *key = key_at("client");
    raw_connect(&raw, server);
    raw.ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(raw.ctx, odd), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(raw.ctx, key), 1);
    raw.ssl = SSL_new(raw.ctx);
    SSL_set_fd(raw.ssl, raw.fd);
    SSL_set_connect_state(raw.ssl);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_certificate == 1);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca);
    X509_free(odd);
}

/* Whatever node 3 calls itself, it is node 3. */
static void node_as_another(void **state)
{
    (void)state;
    struct transport_options options = ends_options(&ends.end[2], "node-3", 2);
    struct end *liar = ends_open_with(2, &options);
    ends_place(liar, server, 1);
    assert_int_equal(ends_send(liar, 1, "I am two"), OK);
    ENDS_UNTIL(server->got == before + 1);
    assert_int_equal(server->from[before], 3);
    assert_int_equal(transport_who(server->t, 3)->node, 3);
    ends_close(liar);
    ENDS_UNTIL(server->lost == 1);
    assert_int_equal(server->lost_peer[0], 3);
    before++;
}

static void expires_while_connected(void **state)
{
    (void)state;
    struct identity client = identity_client(CELL);
    char *request, *certificate;
    client.not_after = (int64_t)time(NULL) + 1;
    assert_int_equal(identity_request(ends.dir, "client", &request, &ends.error), OK);
    assert_int_equal(authority_sign(ends.dir, request, &client, &certificate, &ends.error), OK);
    assert_int_equal(identity_keep(ends.dir, "client", certificate, &ends.error), OK);
    free(request);
    free(certificate);
    struct end *agent = ends_open(2, "client", 0);
    ends_place(agent, server, 1);
    assert_int_equal(ends_send(agent, 1, "hello"), OK);
    ENDS_UNTIL(agent->lost == 1);
    assert_true(server->got <= before + 1);
    before = server->got;
    assert_int_equal(ends_status(server).refused_certificate, 1);
}

static void revoked_while_connected(void **state)
{
    (void)state;
    struct end *agent = ends_open(2, "client", 0);
    ends_place(agent, server, 1);
    assert_int_equal(ends_send(agent, 1, "hello"), OK);
    before++;
    ENDS_UNTIL(server->got == before && agent->joined == 1);
    server->revoked = serial_of("client");
    assert_int_equal(transport_renew(server->t, &ends.error), OK);
    ENDS_UNTIL(agent->lost == 1 && server->lost == 1);
    assert_int_equal(ends_status(server).refused_certificate, 1);
    assert_int_equal(ends_send(agent, 1, "again"), OK);
    ENDS_UNTIL(agent->lost == 2);
    assert_non_null(strstr(transport_trouble(agent->t, 1), "it was revoked"));
    assert_int_equal(agent->joined, 1);
}

/* --- what the dialling end says --- */

static void trouble(uint32_t number, const char *sentence)
{
    uint32_t lost = server->lost;
    assert_int_equal(ends_send(server, number, "x"), OK);
    ENDS_UNTIL(server->lost == lost + 1);
    const char *said = transport_trouble(server->t, number);
    if (!strstr(said, sentence) || !strstr(said, "127.0.0.1:"))
        fail_msg("'%s', not '%s'", said, sentence);
}

static void sentences(void **state)
{
    (void)state;
    struct identity node = identity_node(CELL, 3);
    struct end *other = ends_open(2, "node-3", 3);
    transport_place(server->t, 4, transport_address(other->t));
    trouble(4, "it is node 3 (node-3), not node 4");
    other->revoked = serial_of("node-1");
    ends_place(server, other, 3);
    trouble(3, "it was revoked");
    assert_int_equal(other->joined, 0);
    ends_close(other);
    trouble(3, "Connection refused");
    cell_sign(ends.dir, "node-3", &node, -1);
    other = ends_open(2, "node-3", 3);
    ends_place(server, other, 3);
    trouble(3, "has expired");
    ends_close(other);
    other = ends_open(2, "client", 3);
    ends_place(server, other, 3);
    trouble(3, "not that of a node");
}

/* --- messages --- */

static void no_message(const char *name, uint32_t len, const void *data, size_t there)
{
    uint64_t refused = ends_status(server).refused_message;
    assert_true(raw_tls(&raw, server, ends.dir, name));
    raw_message(&raw, len, data, there);
    raw_until_closed(&raw);
    ENDS_UNTIL(ends_status(server).refused_message == refused + 1);
    raw_close(&raw);
    raw.fd = -1;
}

static void too_long(void **state)
{
    (void)state;
    no_message("client", NET_MESSAGE_MAX + TRANSPORT_SLACK + 1, "x", 1);
    no_message("client", UINT32_MAX, "x", 1);
    no_message("client", 0, "x", 1);
}

static void prefix(uint8_t out[WIRE_PREFIX], uint16_t kind)
{
    struct cursor c = cursor_over(out, WIRE_PREFIX);
    put_u32(&c, 0x57534650);
    put_u16(&c, WIRE_VERSION);
    put_u16(&c, kind);
    put_u32(&c, 0);
}

static void stranger_may_only_call(void **state)
{
    (void)state;
    uint8_t bytes[WIRE_PREFIX];
    for (unsigned kind = 0; kind < 300; kind += kind < 100 ? 1 : 37) {
        if (kind == MESSAGE_CALL)
            continue;
        prefix(bytes, (uint16_t)kind);
        no_message(NULL, sizeof bytes, bytes, sizeof bytes);
    }
    no_message(NULL, WIRE_PREFIX - 1, bytes, WIRE_PREFIX - 1);
    no_message(NULL, (64 << 10) + 1, bytes, sizeof bytes);
    prefix(bytes, MESSAGE_CALL);
    assert_true(raw_tls(&raw, server, NULL, NULL));
    assert_true(raw_message(&raw, sizeof bytes, bytes, sizeof bytes));
    ENDS_UNTIL(server->got == before + 1);
    assert_int_equal(transport_who(server->t, server->from[before])->role, 0);
    before++;
}

static void crowd_of_strangers(void **state)
{
    (void)state;
    struct raw crowd[80];
    for (int i = 0; i < 80; i++)
        raw_tls(&crowd[i], server, NULL, NULL);
    ENDS_UNTIL(ends_status(server).refused_full == 16);
    assert_int_equal(ends_status(server).guests, 64);
    assert_true(raw_tls(&raw, server, ends.dir, "client")); /* whoever has one gets in */
    ENDS_UNTIL(ends_status(server).guests == 65);
    for (int i = 0; i < 80; i++)
        raw_close(&crowd[i]);
    ENDS_UNTIL(ends_status(server).guests == 1);
}

int main(void)
{
#define CASE(name, how) cmocka_unit_test_setup_teardown(name, how, end)
    const struct CMUnitTest tests[] = {
        CASE(rubbish, begin),
        CASE(rubbish_of_any_kind, begin),
        CASE(older_tls, begin),
        CASE(half_a_handshake, begin_hasty),
        CASE(says_nothing, begin_hasty),
        CASE(no_certificate, begin),
        CASE(expired, begin),
        CASE(revoked, begin),
        CASE(of_another_cell, begin),
        CASE(of_a_forged_cell, begin),
        CASE(of_this_very_node, begin),
        CASE(client_as_a_node, begin),
        CASE(node_as_another, begin),
        CASE(expires_while_connected, begin),
        CASE(revoked_while_connected, begin),
        CASE(sentences, begin),
        CASE(too_long, begin_strangers),
        CASE(stranger_may_only_call, begin_strangers),
        CASE(crowd_of_strangers, begin_strangers),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
