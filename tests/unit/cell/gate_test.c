/* SPDX-License-Identifier: MIT
 *
 * gate_test.c: who may send what: each law of gate.h, from both sides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/cell/gate.h"

static const struct gate_user alice = {
    .uid = 1000, .gid = 100, .group_count = 2, .groups = {20, 44}};
static const struct gate_peer stranger = {.role = GATE_STRANGER};
static const struct gate_peer node = {.role = GATE_NODE};
static const struct gate_peer administrator = {.role = GATE_ADMINISTRATOR, .uid = -1};
static const struct gate_peer machine = {.role = GATE_CLIENT, .uid = -1};
static const struct gate_peer bound = {.role = GATE_CLIENT, .uid = 1000, .user = &alice};

static const enum message_kind all[] = {
    MESSAGE_WHERE,     MESSAGE_MOVED,   MESSAGE_OPEN,   MESSAGE_OPENED,   MESSAGE_CLOSE,
    MESSAGE_RENEW,     MESSAGE_RENEWED, MESSAGE_REPLY,  MESSAGE_HOLDS,    MESSAGE_HELD,
    MESSAGE_HEARTBEAT, MESSAGE_HEARD,   MESSAGE_RECORD, MESSAGE_ACK,      MESSAGE_FLUSH,
    MESSAGE_FLUSHED,   MESSAGE_RESIGN,  MESSAGE_JOIN,   MESSAGE_SNAPSHOT, MESSAGE_DIGEST,
    MESSAGE_LEAVES,    MESSAGE_KEYS,    MESSAGE_NAMES,  MESSAGE_FETCH,    MESSAGE_OBJECTS,
    MESSAGE_TAKE_OVER, MESSAGE_CALL,    MESSAGE_ANSWER};

static bool an_agent_sends(enum message_kind kind)
{
    return kind == MESSAGE_WHERE || kind == MESSAGE_OPEN || kind == MESSAGE_CLOSE ||
           kind == MESSAGE_RENEW || kind == MESSAGE_HELD || kind == MESSAGE_CALL;
}

static void kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct message message = {.kind = all[i]};
        enum gate_verdict agent = an_agent_sends(all[i]) ? GATE_PASS : GATE_KIND;
        assert_int_equal(gate_message(&stranger, &message),
                         all[i] == MESSAGE_CALL ? GATE_PASS : GATE_KIND);
        assert_int_equal(gate_message(&machine, &message), agent);
        assert_int_equal(gate_message(&bound, &message), agent);
        assert_int_equal(gate_message(&administrator, &message), agent);
        assert_int_equal(gate_message(&node, &message), GATE_PASS);
    }
}

static struct message request(enum fs_code code)
{
    struct message message = {.kind = MESSAGE_REQUEST};
    message.op.code = code;
    message.op.cred = (struct fs_cred){.uid = 1000, .gid = 100};
    message.op.now = 5;
    return message;
}

static void own_user(void **state)
{
    (void)state;
    static const uint32_t known[] = {20, 100, 44}, foreign[] = {20, 0};
    struct message message = request(FS_MKDIR);
    assert_int_equal(gate_message(&bound, &message), GATE_PASS);
    assert_int_equal(message.op.now, 0);
    message.op.cred.gid = 44;
    assert_int_equal(gate_message(&bound, &message), GATE_PASS);
    message.op.cred.groups = known;
    message.op.cred.group_count = 3;
    assert_int_equal(gate_message(&bound, &message), GATE_PASS);
    message.op.cred.groups = foreign;
    message.op.cred.group_count = 2;
    assert_int_equal(gate_message(&bound, &message), GATE_USER);
}

static void not_beyond(void **state)
{
    (void)state;
    struct message message = request(FS_MKDIR);
    message.op.cred.uid = 0;
    assert_int_equal(gate_message(&bound, &message), GATE_USER);
    assert_int_equal(gate_message(&machine, &message), GATE_PASS);
    assert_int_equal(message.op.now, 5);
    message = request(FS_MKDIR);
    message.op.cred.gid = 0;
    assert_int_equal(gate_message(&bound, &message), GATE_USER);
    message = request(FS_MKDIR);
    message.op.cred.checked = true;
    assert_int_equal(gate_message(&bound, &message), GATE_USER);
    assert_int_equal(gate_message(&machine, &message), GATE_PASS);
    message = request(FS_MKDIR);
    message.op.cred.cap_fsetid = true;
    assert_int_equal(gate_message(&bound, &message), GATE_USER);
    message = request(FS_SETATTR);
    message.op.set = FS_SET_CTIME;
    assert_int_equal(gate_message(&bound, &message), GATE_USER);
    message.op.set = FS_SET_MTIME;
    assert_int_equal(gate_message(&bound, &message), GATE_PASS);
    message = request(FS_WRITE);
    message.op.flags = FS_WRITE_CACHED;
    assert_int_equal(gate_message(&bound, &message), GATE_USER);
}

static void unknown_user(void **state)
{
    (void)state;
    static const struct gate_peer peer = {.role = GATE_CLIENT, .uid = 7};
    struct message message = request(FS_LOOKUP);
    message.op.cred = (struct fs_cred){.uid = 7, .gid = 7};
    assert_int_equal(gate_message(&peer, &message), GATE_PASS);
    message.op.cred.gid = 8;
    assert_int_equal(gate_message(&peer, &message), GATE_USER);
    static const struct gate_peer root = {.role = GATE_CLIENT, .uid = 0};
    message.op.cred = (struct fs_cred){.uid = 0, .gid = 0};
    assert_int_equal(gate_message(&root, &message), GATE_PASS);
    message.op.cred.checked = true;
    assert_int_equal(gate_message(&root, &message), GATE_USER);
}

static void never_by_guests(void **state)
{
    (void)state;
    const struct gate_peer *guests[] = {&administrator, &machine, &bound};
    for (size_t i = 0; i < 3; i++) {
        struct message message = request(FS_FORMAT);
        assert_int_equal(gate_message(guests[i], &message), GATE_KIND);
        message = request(FS_RECLAIM);
        assert_int_equal(gate_message(guests[i], &message), GATE_KIND);
        message = request(FS_MKNOD);
        message.op.new_ino = 9;
        assert_int_equal(gate_message(guests[i], &message), GATE_KIND);
    }
}

static void calls(void **state)
{
    (void)state;
    assert_true(gate_call(GATE_STRANGER, GATE_STRANGER));
    assert_false(gate_call(GATE_STRANGER, GATE_CLIENT));
    assert_true(gate_call(GATE_CLIENT, GATE_CLIENT));
    assert_false(gate_call(GATE_CLIENT, GATE_ADMINISTRATOR));
    assert_true(gate_call(GATE_ADMINISTRATOR, GATE_ADMINISTRATOR));
    assert_false(gate_call(GATE_ADMINISTRATOR, GATE_NODE));
    assert_true(gate_call(GATE_NODE, GATE_NODE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),           cmocka_unit_test(own_user),
        cmocka_unit_test(not_beyond),      cmocka_unit_test(unknown_user),
        cmocka_unit_test(never_by_guests), cmocka_unit_test(calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
