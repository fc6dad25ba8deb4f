/* SPDX-License-Identifier: MIT
 *
 * transport_test.c: messages between transports over real sockets: laws T2, T4, T5, and closing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ends.h"

static void nodes_talk(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
    ends_place(one, two, 2);
    assert_int_equal(ends_send(one, 2, "hello"), OK);
    assert_int_equal(two->got, 0);
    ENDS_UNTIL(two->got == 1);
    assert_int_equal(two->from[0], 1);
    assert_string_equal(two->text[0], "hello");
    assert_int_equal(two->joined, 1);
    assert_int_equal(two->joined_peer[0], 1);
    assert_int_equal(two->joined_as[0].role, ROLE_NODE);
    assert_string_equal(two->joined_as[0].name, "node-1");
    /* The way back is the same connection: node 2 knows no place of node 1. */
    assert_int_equal(ends_send(two, 1, "back"), OK);
    ENDS_UNTIL(one->got == 1 && one->joined == 1);
    assert_int_equal(one->from[0], 2);
    assert_string_equal(one->text[0], "back");
    assert_string_equal(transport_who(one->t, 2)->name, "node-2");
    assert_null(transport_who(one->t, 3));
    assert_string_equal(transport_trouble(one->t, 2), "");
    assert_int_equal(ends_status(one).peers, 1);
    assert_int_equal(ends_status(one).guests, 0);
}

static void unknown_nodes(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1);
    assert_int_equal(ends_send(one, 2, "x"), ERR_UNREACHABLE);
    assert_int_equal(ends_send(one, 70000, "x"), ERR_UNREACHABLE);
    assert_int_equal(ends_send(one, UINT32_MAX, "x"), ERR_UNREACHABLE);
    assert_int_equal(ends_send_bytes(one, 1, NET_MESSAGE_MAX + 1), ERR_LIMIT);
}

static void to_oneself(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1);
    assert_int_equal(ends_send(one, 1, "me"), OK);
    assert_int_equal(one->got, 0); /* never from inside a call */
    ENDS_UNTIL(one->got == 1);
    assert_int_equal(one->from[0], 1);
    assert_string_equal(one->text[0], "me");
}

static void in_order(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
    static const uint32_t sizes[] = {1, 100, 16379, 16380, 16384, 40000, 65536, 300000, 7};
    char text[TEXT_SHORT];
    uint32_t sent = 0;
    ends_place(one, two, 2);
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "m%u", i);
        assert_int_equal(ends_send(one, 2, text), OK);
        sent++;
        if (i % 50 == 0) {
            assert_int_equal(ends_send_bytes(one, 2, sizes[i / 50 % 9]), OK);
            sent++;
        }
        if (i == 250)
            ENDS_UNTIL(two->got > 0);
    }
    ENDS_UNTIL(two->got == sent);
    for (uint32_t i = 0, at = 0; i < 500; i++, at++) {
        snprintf(text, sizeof text, "m%u", i);
        assert_string_equal(two->text[at], text);
        if (i % 50 == 0)
            assert_int_equal(two->len[++at], sizes[i / 50 % 9]);
    }
}

static void great_messages(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
    ends_place(one, two, 2);
    two->answer = true;
    for (int i = 0; i < 8; i++)
        assert_int_equal(ends_send_bytes(one, 2, NET_MESSAGE_MAX - (uint32_t)i), OK);
    ENDS_UNTIL(one->got == 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(one->len[i], NET_MESSAGE_MAX - (uint32_t)i);
}

static void agents_are_guests(void **state)
{
    (void)state;
    struct end *node = ends_open(0, "node-1", 1);
    struct end *agent = ends_open(1, "client", 0), *admin = ends_open(2, "admin", 0);
    ends_place(agent, node, 1);
    ends_place(admin, node, 1);
    node->answer = true;
    assert_int_equal(ends_send(agent, 1, "from agent"), OK);
    assert_int_equal(ends_send(admin, 1, "from admin"), OK);
    ENDS_UNTIL(agent->got == 1 && admin->got == 1);
    assert_string_equal(agent->text[0], "from agent");
    assert_string_equal(admin->text[0], "from admin");
    assert_true(node->from[0] >= TRANSPORT_GUESTS && node->from[1] >= TRANSPORT_GUESTS);
    assert_int_not_equal(node->from[0], node->from[1]);
    assert_int_equal(ends_status(node).guests, 2);
    enum node_role role = transport_who(node->t, node->from[0])->role;
    assert_true(role == ROLE_CLIENT || role == ROLE_ADMINISTRATOR);
    uint32_t gone = node->from[0];
    transport_drop(node->t, gone);
    assert_int_equal(node->lost, 0); /* never from inside a call */
    ENDS_UNTIL(node->lost == 1 && agent->lost + admin->lost == 1);
    assert_int_equal(node->lost_peer[0], gone);
    assert_int_equal(ends_send(node, gone, "late"), ERR_UNREACHABLE);
    struct end *back = agent->lost ? agent : admin;
    assert_int_equal(ends_send(back, 1, "again"), OK); /* by a new connection, with a new number */
    ENDS_UNTIL(back->got == 2);
    assert_int_not_equal(node->from[2], gone);
    assert_int_equal(back->joined, 2);
}

/* Now and then more than a socket takes at once. */
static enum err both_send(struct end *from, uint32_t to, int i, int round)
{
    if (i == 1 && round % 2)
        return ends_send_bytes(from, to, NET_MESSAGE_MAX);
    return ends_send(from, to, "hello");
}

/* P2: both connect at once, again and again; every message arrives and one connection stays. */
static void both_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 40; round++) {
        struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
        memset(one->from, 0, sizeof one->from);
        one->got = two->got = one->joined = two->joined = one->lost = two->lost = 0;
        ends_place(one, two, 2);
        ends_place(two, one, 1);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(both_send(one, 2, i, round), OK);
            for (int turn = 0; i == 0 && turn < round / 3; turn++) /* how much later */
                uv_run(&ends.loop, UV_RUN_NOWAIT);
            assert_int_equal(both_send(two, 1, i, round), OK);
            for (int turn = 0; turn < round % 8; turn++)
                uv_run(&ends.loop, UV_RUN_NOWAIT);
        }
        ENDS_UNTIL(one->got == 20 && two->got == 20 && one->joined == 1 && two->joined == 1);
        assert_int_equal(one->lost + two->lost, 0);
        assert_int_equal(ends_send(one, 2, "c"), OK);
        assert_int_equal(ends_send(two, 1, "d"), OK);
        ENDS_UNTIL(one->got == 21 && two->got == 21);
        assert_int_equal(ends_status(one).peers + ends_status(two).peers, 2);
        ends_close(one);
        ends_close(two);
    }
}

/* P3: the other end is gone without a word, and connects anew. */
static void comes_back(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
    struct end *again = ends_open(2, "node-2", 2); /* the same node, "started anew" */
    ends_place(two, one, 1);
    ends_place(again, one, 1);
    assert_int_equal(ends_send(two, 1, "old"), OK);
    ENDS_UNTIL(one->got == 1);
    assert_int_equal(ends_send(again, 1, "new"), OK);
    ENDS_UNTIL(one->got == 2 && one->joined == 2);
    assert_int_equal(one->lost, 1);
    assert_int_equal(one->lost_peer[0], 2);
    assert_int_equal(ends_send(one, 2, "to the new one"), OK);
    ENDS_UNTIL(again->got == 1 && two->lost == 1);
    assert_int_equal(two->got, 0);
}

static void nobody_there(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
    char address[RECORD_ADDR_MAX];
    snprintf(address, sizeof address, "%s", transport_address(two->t));
    ends_close(two);
    two->t = NULL;
    transport_place(one->t, 2, address);
    assert_int_equal(ends_send(one, 2, "x"), OK);
    assert_int_equal(one->lost, 0);
    ENDS_UNTIL(one->lost == 1);
    assert_int_equal(one->joined, 0);
    assert_non_null(strstr(transport_trouble(one->t, 2), address));
    assert_non_null(strstr(transport_trouble(one->t, 2), "Connection refused"));
    /* It is there later, at the same place. */
    struct transport_options options = ends_options(two, "node-2", 2);
    options.listen = address;
    two = ends_open_with(1, &options);
    assert_int_equal(ends_send(one, 2, "y"), OK);
    ENDS_UNTIL(two->got == 1 && one->joined == 1);
    assert_string_equal(two->text[0], "y");
    assert_string_equal(transport_trouble(one->t, 2), "");
}

static void names_and_nonsense(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
    char address[RECORD_ADDR_MAX];
    snprintf(address, sizeof address, "localhost%s", strchr(transport_address(two->t), ':'));
    transport_place(one->t, 2, address);
    assert_int_equal(ends_send(one, 2, "by name"), OK);
    ENDS_UNTIL(two->got == 1);
    static const char *const places[] = {"nonsense",        "a:b",   "127.0.0.1:0", "[::1:5",
                                         "127.0.0.1:70000", "::1:5", ":5",          "["};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint32_t lost = one->lost;
        transport_place(one->t, 3, places[i]);
        assert_int_equal(ends_send(one, 3, "x"), OK);
        ENDS_UNTIL(one->lost > lost);
        assert_true(transport_trouble(one->t, 3)[0] != 0);
    }
    struct transport_options options = ends_options(&ends.end[2], "node-3", 3);
    struct transport *t;
    options.listen = "nonsense";
    assert_int_equal(transport_open(&options, &t, &ends.error), ERR_USAGE);
    assert_non_null(strstr(ends.error.text, "nonsense"));
    options.listen = transport_address(one->t);
    assert_int_equal(transport_open(&options, &t, &ends.error), ERR_BUSY);
}

/* What was sent before closing arrives, within the grace. */
static void closing_sends(void **state)
{
    (void)state;
    struct end *one = ends_open(0, "node-1", 1), *two = ends_open(1, "node-2", 2);
    ends_place(one, two, 2);
    assert_int_equal(ends_send(one, 2, "x"), OK);
    ENDS_UNTIL(two->got == 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ends_send_bytes(one, 2, 1 << 20), OK);
    ends_close(one);
    ENDS_UNTIL(two->lost == 1);
    assert_int_equal(two->got, 11);
    assert_int_equal(one->lost, 0); /* nothing is told after transport_close */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_talk, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(unknown_nodes, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(to_oneself, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(in_order, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(great_messages, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(agents_are_guests, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(both_at_once, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(comes_back, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(nobody_there, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(names_and_nonsense, ends_begin, ends_end),
        cmocka_unit_test_setup_teardown(closing_sends, ends_begin, ends_end),
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
