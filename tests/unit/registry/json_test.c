/* SPDX-License-Identifier: MIT
 *
 * json_test.c: what is asked of etcd, and what is understood of its answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/etcd/json.h"

static int begin(void **state)
{
    static struct arena arena;
    arena_init(&arena);
    *state = &arena;
    return 0;
}

static int end(void **state)
{
    arena_free(*state);
    return 0;
}

/* --- base64 --- */

static void base64_is_as_rfc_4648_says(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfb", "//77"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct text text = {0};
        struct bytes back;
        base64_add(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(text_string(&text), pairs[i][1]);
        assert_true(base64_read(text_string(&text), text.len, *state, &back));
        assert_int_equal(back.len, strlen(pairs[i][0]));
        assert_memory_equal(back.data, pairs[i][0], back.len + 1); /* a NUL behind */
        text_free(&text);
    }
}

static void other_letters_are_no_base64(void **state)
{
    static const char *const wrong[] = {"Zg=", "Zg", "Z===", "Zg==Zg==", "Zm9*", "Zm 9", "=Zm9"};
    struct bytes back;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(base64_read(wrong[i], strlen(wrong[i]), *state, &back));
}

/* --- asking --- */

static void expect(struct text *text, const char *want)
{
    assert_string_equal(text_string(text), want);
    text_free(text);
}

static void questions_are_as_etcd_reads_them(void **state)
{
    struct text text = {0};
    const struct registry_condition conditions[] = {{"k", 0}, {"l", 7}};
    const struct registry_write writes[] = {{"k", {(const uint8_t *)"v", 1}, true},
                                            {"l", {NULL, 0}, false},
                                            {"m", {(const uint8_t *)"", 0}, false}};
    const struct registry_change change = {conditions, 2, writes, 3, NULL, NULL, OK, 0, NULL};
    (void)state;
    etcd_ask_range(&text, "p/", "key", false);
    expect(&text, "{\"key\":\"cC9rZXk=\"}");
    etcd_ask_range(&text, "p/", "ke", true); /* up to p/kf */
    expect(&text, "{\"key\":\"cC9rZQ==\",\"range_end\":\"cC9rZg==\"}");
    etcd_ask_range(&text, "", "", true); /* from '!' to behind '~' */
    expect(&text, "{\"key\":\"IQ==\",\"range_end\":\"fw==\"}");
    etcd_ask_txn(&text, "", &change, 9);
    expect(&text,
           "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",\"key\":\"aw==\","
           "\"mod_revision\":\"0\"},{\"target\":\"MOD\",\"result\":\"EQUAL\",\"key\":\"bA==\","
           "\"mod_revision\":\"7\"}],\"success\":[{\"request_put\":{\"key\":\"aw==\",\"value\":"
           "\"dg==\",\"lease\":\"9\"}},{\"request_delete_range\":{\"key\":\"bA==\"}},"
           "{\"request_put\":{\"key\":\"bQ==\",\"value\":\"\"}}]}");
}

/* --- answers --- */

static enum err answer_of(void **state, const char *text, struct etcd_answer *out)
{
    return etcd_answer_read(text, strlen(text), "p/", *state, out);
}

static void ranges_are_understood(void **state)
{
    struct etcd_answer a;
    assert_int_equal(
        answer_of(state,
                  "{\"header\":{\"revision\":\"12\"},\"kvs\":["
                  "{\"key\":\"cC8gYmFzZQ==\",\"mod_revision\":\"2\",\"value\":\"NDI=\"},"
                  "{\"key\":\"cC9rZXk=\",\"mod_revision\":\"9\",\"value\":\"Zm9v\"},"
                  "{\"key\":\"cC9lbXB0eQ==\",\"mod_revision\":11}],\"count\":\"3\"}",
                  &a),
        OK);
    assert_int_equal(a.revision, 12);
    assert_int_equal(a.base, 42);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.items[0].key, "key");
    assert_memory_equal(a.items[0].value.data, "foo", 3);
    assert_int_equal(a.items[0].revision, 9);
    assert_string_equal(a.items[1].key, "empty");
    assert_non_null(a.items[1].value.data);
    assert_int_equal(a.items[1].value.len, 0);
    assert_int_equal(a.items[1].revision, 11);
}

static void events_are_understood(void **state)
{
    struct etcd_answer a;
    assert_int_equal(
        answer_of(state,
                  "{\"result\":{\"header\":{\"revision\":\"12\"},\"events\":["
                  "{\"kv\":{\"key\":\"cC9h\",\"mod_revision\":\"9\",\"value\":\"Zm9v\"}},"
                  "{\"type\":\"DELETE\",\"kv\":{\"key\":\"cC9i\",\"mod_revision\":\"10\"}}]}}",
                  &a),
        OK);
    assert_int_equal(a.count, 2);
    assert_non_null(a.items[0].value.data);
    assert_null(a.items[1].value.data);
    assert_string_equal(a.items[1].key, "b");
    assert_int_equal(answer_of(state,
                               "{\"result\":{\"header\":{},\"canceled\":true,"
                               "\"compact_revision\":\"30\"}}",
                               &a),
                     OK);
    assert_true(a.canceled && a.compact_revision == 30 && !a.created);
}

static void foreign_keys_are_left_out(void **state)
{
    struct etcd_answer a; /* q/a; p/a b; "p"; p/ with a NUL in it */
    assert_int_equal(answer_of(state,
                               "{\"kvs\":[{\"key\":\"cS9h\",\"mod_revision\":\"9\"},"
                               "{\"key\":\"cC9hIGI=\",\"mod_revision\":\"9\"},"
                               "{\"key\":\"cA==\",\"mod_revision\":\"9\"},"
                               "{\"key\":\"cC9hAGI=\",\"mod_revision\":\"9\"}]}",
                               &a),
                     OK);
    assert_int_equal(a.count, 0);
}

static void errors_are_understood(void **state)
{
    struct etcd_answer a;
    assert_int_equal(answer_of(state,
                               "{\"error\":\"etcdserver: no\",\"message\":\"etcdserver: no\","
                               "\"code\":14}",
                               &a),
                     OK);
    assert_string_equal(a.error, "etcdserver: no");
    assert_int_equal(a.code, 14);
    assert_int_equal(answer_of(state, "{\"error\":{\"grpc_code\":11,\"message\":\"gone\"}}", &a),
                     OK);
    assert_string_equal(a.error, "gone");
    assert_int_equal(a.code, 11);
}

static void members_are_understood(void **state)
{
    struct etcd_answer a;
    assert_int_equal(
        answer_of(state,
                  "{\"member\":{\"ID\":\"18446744073709551615\"},\"members\":[{\"ID\":\"5\","
                  "\"name\":\"a\",\"peerURLs\":[\"http://h:1\"],\"clientURLs\":[\"http://h:2\"]},"
                  "{\"ID\":\"6\",\"isLearner\":true}]}",
                  &a),
        OK);
    assert_true(a.member == UINT64_MAX);
    assert_int_equal(a.member_count, 2);
    assert_string_equal(a.members[0].peer_url, "http://h:1");
    assert_string_equal(a.members[0].client_url, "http://h:2");
    assert_string_equal(a.members[1].name, "");
    assert_true(a.members[1].learner && !a.members[0].learner && a.members[1].id == 6);
}

static void nonsense_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "null",
        "[]",
        "{",
        "{}x",
        "{\"kvs\":{}}",
        "{\"kvs\":[1]}",
        "{\"kvs\":[{\"key\":\"cC9h\"}]}", /* no revision */
        "{\"kvs\":[{\"key\":\"cC9h\",\"mod_revision\":\"-1\"}]}",
        "{\"kvs\":[{\"key\":\"cC9h\",\"mod_revision\":\"99999999999999999999\"}]}",
        "{\"kvs\":[{\"key\":\"*\",\"mod_revision\":\"1\"}]}",
        "{\"kvs\":[{\"key\":7,\"mod_revision\":\"1\"}]}",
        "{\"header\":{\"revision\":\"1x\"}}",
        "{\"header\":{\"revision\":-1}}",
        "{\"result\":7}",
        "{\"events\":[{\"type\":\"PUT\"}]}",
        "{\"events\":[{\"kv\":{}}]}",
        "{\"members\":[7]}",
        "{\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":1}],\"events\":[{\"kv\":{}}]}",
        "{\"kvs\":[{\"key\":\"cC8gYmFzZQ==\",\"mod_revision\":\"1\",\"value\":\"eA==\"}]}",
        "<html>",
    };
    struct etcd_answer a;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (answer_of(state, wrong[i], &a) != ERR_DECODE)
            fail_msg("understood: %s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_as_rfc_4648_says),
        cmocka_unit_test(other_letters_are_no_base64),
        cmocka_unit_test(questions_are_as_etcd_reads_them),
        cmocka_unit_test(ranges_are_understood),
        cmocka_unit_test(events_are_understood),
        cmocka_unit_test(foreign_keys_are_left_out),
        cmocka_unit_test(errors_are_understood),
        cmocka_unit_test(members_are_understood),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests_name("etcd's messages", tests, begin, end);
}
