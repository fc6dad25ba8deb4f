/* SPDX-License-Identifier: MIT
 *
 * golden_test.c: the bytes themselves. When this fails, nodes of before no longer understand those
 * of now, and replies that are kept on disks can no longer be read: the change is a mistake, or
 * needs a new version.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "samples.h"

/* Compares with hexadecimal; blanks are for the reader. */
static void expect(struct bytes bytes, const char *golden)
{
    char *text = calloc(1, bytes.len * 2 + 1), *wanted = calloc(1, strlen(golden) + 1);
    assert_true(text && wanted);
    for (size_t i = 0; i < bytes.len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    for (size_t len = 0; *golden; golden++)
        if (*golden != ' ')
            wanted[len++] = *golden;
    assert_string_equal(text, wanted);
    free(text);
    free(wanted);
}

static void check(const struct message *message, const char *golden)
{
    struct arena arena;
    if (WIRE_VERSION != 1)
        skip();
    arena_init(&arena);
    expect(sample_bytes(message, &arena), golden);
    arena_free(&arena);
}

static void a_read(void **state)
{
    (void)state;
    struct message m = {.kind = MESSAGE_REQUEST,
                        .volume = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa,
                                   0xab, 0xac, 0xad, 0xae, 0xaf},
                        .number = 7,
                        .session = 0x1122334455667788,
                        .serial = 300,
                        .slot = 3};
    m.op = (struct fs_op){.code = FS_READ,
                          .cred = {.uid = 1000, .gid = 100, .checked = true},
                          .ino = 17,
                          .offset = 131072,
                          .length = 4096};
    check(&m, "50465357 0100 0800 36000000 0a10a0a1a2a3a4a5a6a7a8a9aaabacadaeaf "
              "1007 198877665544332211 20ac02 2803 "
              "3212081010e80718642001281130808008388020");
}

static void a_write(void **state)
{
    (void)state;
    struct message m = {.kind = MESSAGE_REQUEST, .session = 1, .serial = 1};
    m.op = (struct fs_op){.code = FS_WRITE, .now = 1, .ino = 17, .offset = 5};
    m.op.value = m.payload = (struct bytes){(const uint8_t *)"hello", 5};
    check(&m, "50465357 0100 0800 1c000000 190100000000000000 2001 "
              "320f081128113005710100000000000000 68656c6c6f");
}

static void a_reply(void **state)
{
    (void)state;
    struct message m = {.kind = MESSAGE_REPLY, .session = 1, .serial = 1};
    m.result.attr = (struct fs_attr){.ino = 17,
                                     .size = 10,
                                     .blocks = 8,
                                     .mode = 0100644,
                                     .uid = 1000,
                                     .gid = 100,
                                     .nlink = 1,
                                     .mtime = -1};
    m.result.length = 5;
    check(&m, "50465357 0100 0900 2b000000 190100000000000000 2001 "
              "3a1e0a1a081110a4830218e80720642801300a380851ffffffffffffffff "
              "2805");
    m = (struct message){.kind = MESSAGE_REPLY, .session = 1, .serial = 1, .err = ERR_NOENT};
    check(&m, "50465357 0100 0900 14000000 190100000000000000 2001 3a00 "
              "42054e4f454e54");
}

static void a_heartbeat(void **state)
{
    (void)state;
    struct message m = {.kind = MESSAGE_HEARTBEAT,
                        .number = 2,
                        .serial = 1,
                        .view = {.number = 2, .primary = 3, .count = 2, .members = {1, 3}},
                        .stamp = {0x1000, 3},
                        .last = {0x2000, 3}};
    check(&m, "50465357 0100 2000 29000000 1002 2001 4a0b0900100000000000001003 "
              "5a0b0900200000000000001003 820108080210031a020103");
}

static void a_record(void **state)
{
    (void)state;
    struct message m = {.kind = MESSAGE_RECORD,
                        .before = {0x1000, 3},
                        .stamp = {0x2000, 3},
                        .head = {(const uint8_t *)"head", 4},
                        .payload = {(const uint8_t *)"payload", 7}};
    check(&m, "50465357 0100 2200 20000000 4a0b0900200000000000001003 "
              "520b0900100000000000001003 620468656164 7061796c6f6164");
}

static void names_and_leaves(void **state)
{
    (void)state;
    static const struct message_name names[] = {{{OBJECT_BLOCK, 17, 2}, {0x1000, 3}}};
    static const struct message_leaf leaves[] = {{{OBJECT_BLOCK, 17, 2}, 9, 0x1122334455667788}};
    struct message m = {.kind = MESSAGE_NAMES, .names = names, .name_count = 1, .end = true};
    check(&m, "50465357 0100 2c00 1d000000 7801 "
              "aa0118080410111902000000000000002100100000000000002803");
    m = (struct message){.kind = MESSAGE_LEAVES, .leaves = leaves, .leaf_count = 1};
    m.from = (struct object_key){OBJECT_BLOCK, 17, 3};
    check(&m, "50465357 0100 2a00 2b000000 8a010d08041011190300000000000000 "
              "a20118080410111902000000000000002009298877665544332211");
}

static void a_kept_reply(void **state)
{
    (void)state;
    struct arena arena;
    struct fs_result result = {.attr = {.ino = 17, .mode = 0100644}, .length = 5};
    arena_init(&arena);
    expect(wire_keep_reply(300, ERR_EXIST, &result, &arena),
           "08ac02 12054558495354 1a0a0a06081110a483022805");
    arena_free(&arena);
}

/* Numbers that are on the wire or in logs: they stay what they are. */
static void numbers_stay(void **state)
{
    (void)state;
    assert_int_equal(MESSAGE_WHERE, 1);
    assert_int_equal(MESSAGE_HELD, 11);
    assert_int_equal(MESSAGE_HEARTBEAT, 32);
    assert_int_equal(MESSAGE_TAKE_OVER, 47);
    assert_int_equal(MESSAGE_CALL, 96);
    assert_int_equal(MESSAGE_ANSWER, 97);
    assert_int_equal(FS_FORMAT, 1);
    assert_int_equal(FS_RECLAIM, 26);
    assert_int_equal(FS_SET_BTIME, 512);
    assert_int_equal(OBJECT_SESSION, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read),       cmocka_unit_test(a_write),
        cmocka_unit_test(a_reply),      cmocka_unit_test(a_heartbeat),
        cmocka_unit_test(a_record),     cmocka_unit_test(names_and_leaves),
        cmocka_unit_test(a_kept_reply), cmocka_unit_test(numbers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
