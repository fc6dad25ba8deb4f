/* SPDX-License-Identifier: MIT
 *
 * records_test.c: keys and values of the registry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <registry.pb-c.h>

#include "core/contract/contract.h"
#include "core/registry/records.h"
#include "core/registry/registry.h"

static const uint8_t uuid[16] = {0x00, 0x01, 0xab, 0xcd, 0xef, 0xff, 6,  7,
                                 8,    9,    10,   11,   12,   13,   14, 0x9f};

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

/* --- keys --- */

static void keys_are_as_records_h_says(void **state)
{
    char key[REGISTRY_KEY_MAX + 1];
    (void)state;
    assert_string_equal(record_key_number(key, "node", 3), "node/3");
    assert_string_equal(record_key_number(key, "revoked", UINT64_MAX),
                        "revoked/18446744073709551615");
    assert_string_equal(record_key_uuid(key, "view", uuid),
                        "view/0001abcdefff060708090a0b0c0d0e9f");
    assert_ptr_equal(record_key_text(key, "name", "home"), key);
    assert_string_equal(key, "name/home");
}

static void uuids_come_back(void **state)
{
    char text[33];
    uint8_t back[16] = {0};
    (void)state;
    record_uuid_print(uuid, text);
    assert_string_equal(text, "0001abcdefff060708090a0b0c0d0e9f");
    assert_true(record_uuid(text, back));
    assert_memory_equal(back, uuid, 16);
    memset(back, 0, sizeof back);
    assert_true(record_uuid("0001ABCDEFFF060708090A0B0C0D0E9F", back));
    assert_memory_equal(back, uuid, 16);
}

static void other_texts_are_no_uuids(void **state)
{
    static const char *const wrong[] = {
        "",
        "0",
        "0001abcdefff060708090a0b0c0d0e9",
        "0001abcdefff060708090a0b0c0d0e9f0",
        "0001abcdefff060708090a0b0c0d0e9g",
        "g001abcdefff060708090a0b0c0d0e9f",
        "0001abcd-fff060708090a0b0c0d0e9f",
    };
    uint8_t back[16] = {42};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(record_uuid(wrong[i], back));
    assert_int_equal(back[0], 42);
}

static void names_have_rules(void **state)
{
    char longest[RECORD_NAME_MAX + 1];
    static const char *const good[] = {"a", "Z9", "node-1", "_x", "a.b_c-d", "0"};
    static const char *const wrong[] = {"", "-a", ".a", "a b", "a/b", "a\n", "\xc3\xa4", "a:b"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(record_name_sound(good[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(record_name_sound(wrong[i]));
    memset(longest, 'x', sizeof longest);
    longest[RECORD_NAME_MAX] = 0;
    assert_false(record_name_sound(longest));
    longest[RECORD_NAME_MAX - 1] = 0;
    assert_true(record_name_sound(longest));
}

/* --- values --- */

static void cells_come_back(void **state)
{
    struct record_cell cell = {.name = "home", .wire_version = 7, .created = -5}, back;
    memcpy(cell.uuid, uuid, 16);
    memset(&back, 0xee, sizeof back);
    assert_int_equal(record_decode_cell(record_encode_cell(&cell, *state), &back), OK);
    assert_memory_equal(back.uuid, uuid, 16);
    assert_string_equal(back.name, "home");
    assert_int_equal(back.wire_version, 7);
    assert_int_equal(back.created, -5);
}

static void nodes_come_back(void **state)
{
    struct record_node node = {.number = RECORD_NODE_LAST,
                               .name = "a",
                               .address = "[fe80::1]:4700",
                               .wire_version = 1,
                               .registry = true,
                               .joined = INT64_MAX,
                               .disk_total = UINT64_MAX,
                               .disk_available = 1};
    struct record_node back;
    assert_int_equal(record_decode_node(record_encode_node(&node, *state), &back), OK);
    assert_int_equal(back.number, RECORD_NODE_LAST);
    assert_string_equal(back.name, "a");
    assert_string_equal(back.address, "[fe80::1]:4700");
    assert_int_equal(back.wire_version, 1);
    assert_true(back.registry);
    assert_false(back.leaving);
    assert_true(back.joined == INT64_MAX);
    assert_true(back.disk_total == UINT64_MAX);
    assert_int_equal(back.disk_available, 1);
    node.registry = false;
    node.leaving = true;
    assert_int_equal(record_decode_node(record_encode_node(&node, *state), &back), OK);
    assert_false(back.registry);
    assert_true(back.leaving);
}

static struct record_volume a_volume(void)
{
    struct record_volume volume = {.name = "home",
                                   .identity = {.salt = UINT64_MAX - 1, .created = 99},
                                   .contract = {(const uint8_t *)"replicas = 3\n", 13},
                                   .created = 100,
                                   .deleted = 101,
                                   .made_by = 2};
    memcpy(volume.identity.uuid, uuid, 16);
    volume.replica_count = GROUP_MAX;
    for (uint32_t i = 0; i < GROUP_MAX; i++)
        volume.replicas[i] = 1000 - i; /* in no order: the first is to found it */
    return volume;
}

static void volumes_come_back(void **state)
{
    struct record_volume volume = a_volume(), back;
    memset(&back, 0xee, sizeof back);
    struct bytes value = record_encode_volume(&volume, *state);
    assert_int_equal(record_decode_volume(value, *state, &back), OK);
    assert_string_equal(back.name, "home");
    assert_memory_equal(back.identity.uuid, uuid, 16);
    assert_true(back.identity.salt == UINT64_MAX - 1);
    assert_int_equal(back.identity.created, 99);
    assert_int_equal(back.contract.len, 13);
    assert_memory_equal(back.contract.data, "replicas = 3\n", 13);
    assert_int_equal(back.created, 100);
    assert_int_equal(back.deleted, 101);
    assert_int_equal(back.made_by, 2);
    assert_int_equal(back.replica_count, GROUP_MAX);
    assert_memory_equal(back.replicas, volume.replicas, sizeof back.replicas);
}

static void invitations_come_back(void **state)
{
    struct record_invite invite = {ROLE_CLIENT, INT64_MIN, -1, true}, back;
    assert_int_equal(record_decode_invite(record_encode_invite(&invite, *state), &back), OK);
    assert_int_equal(back.role, ROLE_CLIENT);
    assert_true(back.expires == INT64_MIN);
    assert_int_equal(back.uid, -1);
    assert_true(back.used);
}

static void views_come_back(void **state)
{
    struct view view = {.number = UINT64_MAX, .primary = 9, .count = 3, .members = {2, 9, 700}};
    struct view back;
    memset(&back, 0xee, sizeof back);
    assert_int_equal(record_decode_view(record_encode_view(&view, *state), &back), OK);
    assert_true(view_equal(&view, &back));
}

/* Unknown fields are a newer version's: ignored. */
static void newer_values_are_understood(void **state)
{
    static const uint8_t more[] = {0xfa, 0x3e, 3, 'n', 'e', 'w'}; /* field 1007, bytes */
    struct view view = {.number = 4, .primary = 1, .count = 1, .members = {1}}, back;
    struct bytes value = record_encode_view(&view, *state);
    uint8_t longer[64];
    memcpy(longer, value.data, value.len);
    memcpy(longer + value.len, more, sizeof more);
    assert_int_equal(record_decode_view((struct bytes){longer, value.len + sizeof more}, &back),
                     OK);
    assert_true(view_equal(&view, &back));
}

/* --- what breaks a limit --- */

static struct bytes pack(struct arena *arena, const ProtobufCMessage *message)
{
    uint8_t *data = arena_alloc(arena, protobuf_c_message_get_packed_size(message));
    return (struct bytes){data, protobuf_c_message_pack(message, data)};
}

static ProtobufCBinaryData text(const char *s)
{
    return (ProtobufCBinaryData){strlen(s), (uint8_t *)(uintptr_t)s};
}

static void bad_nodes_are_refused(void **state)
{
    struct record_node back = {.number = 77};
    for (int i = 0; i <= 9; i++) {
        char longest[RECORD_ADDR_MAX + 1];
        Pactfs__NodeRecord m = PACTFS__NODE_RECORD__INIT;
        memset(longest, 'a', sizeof longest);
        m.number = i == 1 ? 0 : i == 2 ? RECORD_NODE_LAST + 1 : 3;
        m.name = i == 3 ? text("") : i == 4 ? text("a b") : text("a");
        m.name.len += i == 5; /* with the NUL */
        m.address = i == 6 ? text("") : i == 7 ? text("a:1\n") : text("a:1");
        if (i == 8)
            m.address = (ProtobufCBinaryData){RECORD_ADDR_MAX, (uint8_t *)longest};
        m.wire_version = i == 9 ? 0 : 1;
        enum err want = i == 0 ? OK : ERR_DECODE;
        assert_int_equal(record_decode_node(pack(*state, &m.base), &back), want);
        assert_int_equal(back.number, 3);
    }
}

static void bad_cells_are_refused(void **state)
{
    struct record_cell back;
    for (int i = 0; i <= 3; i++) {
        Pactfs__CellRecord m = PACTFS__CELL_RECORD__INIT;
        m.uuid = (ProtobufCBinaryData){i == 1 ? 15 : 16, (uint8_t *)(uintptr_t)uuid};
        m.name = i == 2 ? text("-") : text("a");
        m.wire_version = i == 3 ? 0 : 1;
        enum err want = i == 0 ? OK : ERR_DECODE;
        assert_int_equal(record_decode_cell(pack(*state, &m.base), &back), want);
    }
}

static void bad_volumes_are_refused(void **state)
{
    static uint8_t contract[CONTRACT_TEXT_MAX + 1];
    for (int i = 0; i <= 9; i++) {
        uint32_t replicas[GROUP_MAX + 1];
        struct record_volume back;
        Pactfs__VolumeRecord m = PACTFS__VOLUME_RECORD__INIT;
        for (uint32_t k = 0; k <= GROUP_MAX; k++)
            replicas[k] = k + 1;
        m.name = i == 1 ? text("a/b") : text("a");
        m.uuid = (ProtobufCBinaryData){i == 2 ? 0 : 16, (uint8_t *)(uintptr_t)uuid};
        m.n_replicas = i == 3 ? GROUP_MAX + 1 : i == 4 ? 0 : GROUP_MAX;
        m.replicas = replicas;
        replicas[5] = i == 5 ? 0 : i == 6 ? 1 : i == 7 ? RECORD_NODE_LAST + 1 : 6;
        m.contract = (ProtobufCBinaryData){sizeof contract - (i != 8), contract};
        m.deleted = i == 9 ? -1 : 0;
        enum err want = i == 0 ? OK : ERR_DECODE;
        assert_int_equal(record_decode_volume(pack(*state, &m.base), *state, &back), want);
    }
}

static void bad_invitations_are_refused(void **state)
{
    struct record_invite back;
    for (int i = 0; i <= 3; i++) {
        Pactfs__InviteRecord m = PACTFS__INVITE_RECORD__INIT;
        m.role = i == 1 ? 0 : i == 2 ? ROLE_ADMINISTRATOR + 1 : ROLE_ADMINISTRATOR;
        m.uid = i == 3 ? -2 : 0;
        enum err want = i == 0 ? OK : ERR_DECODE;
        assert_int_equal(record_decode_invite(pack(*state, &m.base), &back), want);
    }
}

static void bad_views_are_refused(void **state)
{
    for (int i = 0; i <= 8; i++) {
        uint32_t members[GROUP_MAX + 1];
        struct view back = {.number = 1};
        Pactfs__ViewRecord m = PACTFS__VIEW_RECORD__INIT;
        for (uint32_t k = 0; k <= GROUP_MAX; k++)
            members[k] = k + 10;
        m.number = i == 1 ? 0 : 7;
        m.n_members = i == 2 ? GROUP_MAX + 1 : i == 3 ? 0 : GROUP_MAX;
        m.members = members;
        m.primary = i == 4 ? 9 : 12;
        members[0] = i == 5 ? 0 : 10;
        members[7] = i == 6 ? 16 : i == 7 ? 18 : 17; /* twice; not ascending */
        members[GROUP_MAX - 1] = i == 8 ? RECORD_NODE_LAST + 1 : GROUP_MAX + 9;
        enum err want = i == 0 ? OK : ERR_DECODE;
        assert_int_equal(record_decode_view(pack(*state, &m.base), &back), want);
        assert_int_equal(back.number, i == 0 ? 7 : 1);
    }
}

static void no_value_and_cut_values_are_refused(void **state)
{
    struct record_volume volume = a_volume(), back;
    struct view view;
    struct bytes whole = record_encode_volume(&volume, *state);
    uint32_t decoded = 0;
    assert_int_equal(record_decode_view((struct bytes){NULL, 0}, &view), ERR_DECODE);
    for (size_t len = 0; len < whole.len; len++)
        if (record_decode_volume((struct bytes){whole.data, len}, *state, &back) == OK)
            decoded++;
    assert_true(decoded <= 3); /* cut between fields: only the last ones may be missing */
    static uint8_t long_value[REGISTRY_VALUE_MAX + 1];
    assert_int_equal(
        record_decode_volume((struct bytes){long_value, sizeof long_value}, *state, &back),
        ERR_DECODE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_as_records_h_says),
        cmocka_unit_test(uuids_come_back),
        cmocka_unit_test(other_texts_are_no_uuids),
        cmocka_unit_test(names_have_rules),
        cmocka_unit_test(cells_come_back),
        cmocka_unit_test(nodes_come_back),
        cmocka_unit_test(volumes_come_back),
        cmocka_unit_test(invitations_come_back),
        cmocka_unit_test(views_come_back),
        cmocka_unit_test(newer_values_are_understood),
        cmocka_unit_test(bad_nodes_are_refused),
        cmocka_unit_test(bad_cells_are_refused),
        cmocka_unit_test(bad_volumes_are_refused),
        cmocka_unit_test(bad_invitations_are_refused),
        cmocka_unit_test(bad_views_are_refused),
        cmocka_unit_test(no_value_and_cut_values_are_refused),
    };
    return cmocka_run_group_tests_name("records", tests, begin, end);
}
