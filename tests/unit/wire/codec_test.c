/* SPDX-License-Identifier: MIT
 *
 * codec_test.c: what is encoded decodes to the same; what is not a message, or breaks a limit, is
 * refused; the bytes are those that were agreed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wire.pb-c.h>

#include <cmocka.h>

#include "core/base/assert.h"
#include "samples.h"

#define KIND_AT 6u /* in the prefix */
#define HEAD_AT 8u

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Decodes a copy that ends where its memory ends, so that a sanitizer sees a read behind it. */
static enum err decode(struct bytes bytes, struct message *out)
{
    static uint8_t *copy;
    free(copy);
    copy = malloc(bytes.len ? bytes.len : 1);
    INVARIANT(copy);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    enum err err = wire_decode((struct bytes){copy, bytes.len}, &arena, out);
    if (!bytes.len) {
        free(copy);
        copy = NULL;
    }
    return err;
}

/* --- round trips --- */

static void each_kind_comes_back(void **state)
{
    (void)state;
    struct message in, out;
    bool seen[128] = {false};
    for (unsigned n = 0; sample(n, &in); n++) {
        assert_int_equal(decode(sample_bytes(&in, &arena), &out), OK);
        if (!sample_equal(&in, &out))
            fail_msg("sample %u, %s, comes back as something else", n, message_kind_name(in.kind));
        assert_int_equal(out.version, WIRE_VERSION);
        seen[in.kind] = true;
    }
    for (unsigned kind = 0; kind < 98; kind++)
        assert_int_equal(seen[kind],
                         strcmp(message_kind_name((enum message_kind)kind), "unknown") != 0);
}

static void nothing_comes_back_as_nothing(void **state)
{
    (void)state;
    struct message in = {.kind = MESSAGE_WHERE}, out;
    struct bytes bytes = wire_encode(&in, &arena);
    assert_int_equal(decode(bytes, &out), OK);
    assert_true(sample_equal(&in, &out));
    in.kind = MESSAGE_REPLY;
    assert_int_equal(decode(wire_encode(&in, &arena), &out), OK);
    assert_true(sample_equal(&in, &out));
    assert_non_null(out.result.value.data);
}

static void a_kind_has_only_what_is_its_own(void **state)
{
    (void)state;
    struct message in, out, op;
    unsigned n = 0;
    assert_true(sample(0, &in));
    while (sample(n, &op) && op.kind != MESSAGE_REQUEST)
        n++;
    in.op = op.op;
    in.text = in.head = (struct bytes){(const uint8_t *)"x", 1};
    in.result.length = 5;
    in.inos = &(uint64_t){1};
    in.ino_count = 1;
    assert_int_equal(decode(wire_encode(&in, &arena), &out), OK);
    struct message alone;
    assert_true(sample(0, &alone));
    assert_true(sample_equal(&alone, &out));
}

static void every_error_has_a_name(void **state)
{
    (void)state;
    struct message in = {.kind = MESSAGE_OPENED}, out;
    for (in.err = OK; in.err < ERR_COUNT; in.err++) {
        assert_int_equal(decode(wire_encode(&in, &arena), &out), OK);
        assert_int_equal(out.err, in.err);
    }
}

static void every_operation_passes(void **state)
{
    (void)state;
    struct message in = {.kind = MESSAGE_REQUEST}, out;
    for (unsigned code = 1; code < FS_CODE_COUNT; code++) {
        in.op.code = (enum fs_code)code;
        in.op.new_ino = 99; /* stays behind */
        assert_int_equal(decode(wire_encode(&in, &arena), &out), OK);
        assert_int_equal(out.op.code, code);
        assert_int_equal(out.op.new_ino, 0);
        assert_non_null(out.op.name.data);
        assert_non_null(out.op.value.data);
    }
}

/* A directory as full as one message may be, with attributes, stays below what the net carries. */
static void the_largest_listing_fits(void **state)
{
    (void)state;
    static struct fs_entry entries[WIRE_ENTRIES_MAX];
    static uint8_t name[FS_NAME_MAX];
    memset(name, 0xff, sizeof name);
    for (uint64_t i = 0; i < WIRE_ENTRIES_MAX; i++) {
        struct fs_attr *a = &entries[i].attr;
        entries[i].name = (struct bytes){name, sizeof name};
        entries[i].cookie = i + 1;
        a->ino = a->size = a->blocks = a->rdev = UINT64_MAX;
        a->mode = a->uid = a->gid = a->nlink = UINT32_MAX;
        a->atime = a->mtime = a->ctime = a->btime = -1;
    }
    struct message in = {.kind = MESSAGE_REPLY}, out;
    in.result.entries = entries;
    in.result.entry_count = WIRE_ENTRIES_MAX;
    struct bytes bytes = wire_encode(&in, &arena);
    assert_true(bytes.len <= NET_MESSAGE_MAX);
    assert_int_equal(decode(bytes, &out), OK);
    assert_true(sample_equal(&in, &out));
}

static void the_largest_of_the_rest_fit(void **state)
{
    (void)state;
    static uint8_t text[WIRE_TEXT_MAX];
    static uint32_t groups[WIRE_GROUPS_MAX];
    static uint64_t inos[WIRE_ENTRIES_MAX];
    struct message in = {.kind = MESSAGE_CALL, .text = {text, sizeof text}}, out;
    assert_int_equal(decode(wire_encode(&in, &arena), &out), OK);
    assert_int_equal(out.text.len, sizeof text);
    in = (struct message){.kind = MESSAGE_REQUEST};
    in.op.code = FS_WRITE;
    memset(groups, 0xff, sizeof groups);
    in.op.cred.groups = groups;
    in.op.cred.group_count = WIRE_GROUPS_MAX;
    in.op.value = in.payload = (struct bytes){text, FS_IO_MAX};
    assert_int_equal(decode(sample_bytes(&in, &arena), &out), OK);
    assert_true(sample_equal(&in, &out));
    in = (struct message){.kind = MESSAGE_HELD, .inos = inos, .ino_count = WIRE_ENTRIES_MAX};
    assert_int_equal(decode(wire_encode(&in, &arena), &out), OK);
    assert_true(sample_equal(&in, &out));
}

/* --- what is refused --- */

static void every_cut_is_refused_or_read(void **state)
{
    (void)state;
    struct message in, out;
    for (unsigned n = 0; sample(n, &in); n++) {
        struct bytes bytes = sample_bytes(&in, &arena);
        for (size_t len = 0; len < bytes.len; len++) {
            enum err err = decode((struct bytes){bytes.data, len}, &out);
            /* a part of a payload may pass where nothing says how long it is */
            assert_true(err == ERR_DECODE || in.payload.len > 0);
        }
    }
}

static void the_prefix_is_looked_at(void **state)
{
    (void)state;
    struct message in = {.kind = MESSAGE_WHERE, .number = 5}, out;
    struct bytes good = wire_encode(&in, &arena);
    uint8_t *bytes = arena_copy(&arena, good.data, good.len);
    struct bytes all = {bytes, good.len};
    bytes[0] ^= 1;
    assert_int_equal(decode(all, &out), ERR_DECODE);
    bytes[0] ^= 1;
    bytes[4] = 0;
    assert_int_equal(decode(all, &out), ERR_NOTSUP);
    assert_int_equal(out.version, 0);
    bytes[4] = 250;
    assert_int_equal(decode(all, &out), OK);
    assert_int_equal(out.version, 250);
    bytes[HEAD_AT]++;
    assert_int_equal(decode(all, &out), ERR_DECODE);
    bytes[HEAD_AT]--;
    bytes[KIND_AT] = 250;
    assert_int_equal(decode(all, &out), ERR_NOTSUP);
    assert_int_equal(out.kind, 250);
    assert_int_equal(decode((struct bytes){NULL, 0}, &out), ERR_DECODE);
}

static void a_message_too_long_for_the_net_is_refused(void **state)
{
    (void)state;
    struct message in = {.kind = MESSAGE_RECORD}, out;
    uint8_t *payload = arena_zalloc(&arena, NET_MESSAGE_MAX + 1);
    in.payload = (struct bytes){payload, NET_MESSAGE_MAX - wire_encode(&in, &arena).len};
    assert_int_equal(decode(sample_bytes(&in, &arena), &out), OK);
    in.payload.len++;
    assert_int_equal(decode(sample_bytes(&in, &arena), &out), ERR_DECODE);
}

/* Packs a head as somebody else might. */
static enum err try_head(enum message_kind kind, const Pactfs__Wire__Message *head,
                         struct bytes payload)
{
    struct message whole = {.kind = MESSAGE_WHERE}, out;
    size_t len = pactfs__wire__message__get_packed_size(head);
    uint8_t *bytes = arena_alloc(&arena, WIRE_PREFIX + len + payload.len);
    memcpy(bytes, wire_encode(&whole, &arena).data, WIRE_PREFIX);
    bytes[KIND_AT] = (uint8_t)kind;
    struct cursor c = cursor_over(bytes + HEAD_AT, 4);
    put_u32(&c, (uint32_t)len);
    pactfs__wire__message__pack(head, bytes + WIRE_PREFIX);
    if (payload.len)
        memcpy(bytes + WIRE_PREFIX + len, payload.data, payload.len);
    return decode((struct bytes){bytes, WIRE_PREFIX + len + payload.len}, &out);
}

static enum err try_op(Pactfs__Wire__Op *op, size_t payload)
{
    Pactfs__Wire__Message head = PACTFS__WIRE__MESSAGE__INIT;
    head.op = op;
    return try_head(MESSAGE_REQUEST, &head, (struct bytes){arena_zalloc(&arena, payload), payload});
}

static void operations_beyond_a_limit_are_refused(void **state)
{
    (void)state;
    static uint8_t zeros[FS_XATTR_MAX + 1];
    static uint32_t groups[WIRE_GROUPS_MAX + 1];
    Pactfs__Wire__Message none = PACTFS__WIRE__MESSAGE__INIT;
    assert_int_equal(try_head(MESSAGE_REQUEST, &none, (struct bytes){0}), ERR_DECODE);
    Pactfs__Wire__Op op = PACTFS__WIRE__OP__INIT;
    assert_int_equal(try_op(&op, 0), ERR_DECODE);
    op.code = FS_CODE_COUNT;
    assert_int_equal(try_op(&op, 0), ERR_DECODE);
    op.code = FS_WRITE;
    assert_int_equal(try_op(&op, FS_IO_MAX), OK);
    assert_int_equal(try_op(&op, FS_IO_MAX + 1), ERR_DECODE);
    op.value = (ProtobufCBinaryData){1, zeros};
    assert_int_equal(try_op(&op, 5), ERR_DECODE);
    op.code = FS_SETXATTR;
    assert_int_equal(try_op(&op, 5), ERR_DECODE);
    assert_int_equal(try_op(&op, 0), OK);
    op.value.len = FS_XATTR_MAX;
    assert_int_equal(try_op(&op, 0), OK);
    op.value.len++;
    assert_int_equal(try_op(&op, 0), ERR_DECODE);
    op.value.len = 0;
    op.name = (ProtobufCBinaryData){4096, zeros}; /* the file service says that it is too long */
    assert_int_equal(try_op(&op, 0), OK);
    op.name.len++;
    assert_int_equal(try_op(&op, 0), ERR_DECODE);
    op.name.len = 0;
    op.name2 = (ProtobufCBinaryData){4097, zeros};
    assert_int_equal(try_op(&op, 0), ERR_DECODE);
    op.name2.len = 0;
    op.groups = groups;
    op.n_groups = WIRE_GROUPS_MAX + 1;
    assert_int_equal(try_op(&op, 0), ERR_DECODE);
}

static enum err try_result(Pactfs__Wire__Result *result, size_t payload)
{
    Pactfs__Wire__Message head = PACTFS__WIRE__MESSAGE__INIT;
    head.result = result;
    return try_head(MESSAGE_REPLY, &head, (struct bytes){arena_zalloc(&arena, payload), payload});
}

static void results_beyond_a_limit_are_refused(void **state)
{
    (void)state;
    static uint8_t zeros[FS_XATTR_MAX + 1];
    Pactfs__Wire__Result result = PACTFS__WIRE__RESULT__INIT;
    result.length = 5;
    assert_int_equal(try_result(&result, 0), OK);
    assert_int_equal(try_result(&result, 5), OK);
    assert_int_equal(try_result(&result, 4), ERR_DECODE);
    result.length = FS_IO_MAX + 1;
    assert_int_equal(try_result(&result, FS_IO_MAX + 1), ERR_DECODE);
    result.value = (ProtobufCBinaryData){FS_XATTR_MAX, zeros};
    assert_int_equal(try_result(&result, 0), OK);
    result.value.len++;
    assert_int_equal(try_result(&result, 0), ERR_DECODE);
}

static enum err try_entries(struct bytes name, uint64_t cookie, uint64_t second, uint64_t ino)
{
    Pactfs__Wire__Result result = PACTFS__WIRE__RESULT__INIT;
    Pactfs__Wire__Attr attr = PACTFS__WIRE__ATTR__INIT;
    Pactfs__Wire__Entry entries[2] = {PACTFS__WIRE__ENTRY__INIT, PACTFS__WIRE__ENTRY__INIT};
    Pactfs__Wire__Entry *list[2] = {&entries[0], &entries[1]};
    for (int i = 0; i < 2; i++) {
        entries[i].name = (ProtobufCBinaryData){name.len, (uint8_t *)(uintptr_t)name.data};
        entries[i].cookie = i ? second : cookie;
        entries[i].attr = &attr;
    }
    attr.ino = ino;
    result.n_entries = 2;
    result.entries = list;
    return try_result(&result, 0);
}

static void entries_are_sound(void **state)
{
    (void)state;
    static uint8_t letters[FS_NAME_MAX + 1];
    memset(letters, 'a', sizeof letters);
    assert_int_equal(try_entries((struct bytes){letters, FS_NAME_MAX}, 1, 2, 5), OK);
    assert_int_equal(try_entries((struct bytes){letters, FS_NAME_MAX + 1}, 1, 2, 5), ERR_DECODE);
    assert_int_equal(try_entries((struct bytes){letters, 0}, 1, 2, 5), ERR_DECODE);
    assert_int_equal(try_entries((struct bytes){(const uint8_t *)"a/b", 3}, 1, 2, 5), ERR_DECODE);
    assert_int_equal(try_entries((struct bytes){(const uint8_t *)"a\0b", 3}, 1, 2, 5), ERR_DECODE);
    assert_int_equal(try_entries((struct bytes){letters, 1}, 2, 2, 5), ERR_DECODE);
    assert_int_equal(try_entries((struct bytes){letters, 1}, 0, 2, 5), ERR_DECODE);
    assert_int_equal(try_entries((struct bytes){letters, 1}, 1, 2, 0), ERR_DECODE);
}

static enum err try_view(uint64_t number, uint32_t primary, uint32_t *members, size_t count)
{
    Pactfs__Wire__Message head = PACTFS__WIRE__MESSAGE__INIT;
    Pactfs__Wire__View view = PACTFS__WIRE__VIEW__INIT;
    view.number = number;
    view.primary = primary;
    view.members = members;
    view.n_members = count;
    head.view = &view;
    return try_head(MESSAGE_MOVED, &head, (struct bytes){0});
}

static void views_are_sound(void **state)
{
    (void)state;
    uint32_t members[GROUP_MAX + 1];
    for (uint32_t i = 0; i <= GROUP_MAX; i++)
        members[i] = i + 1;
    assert_int_equal(try_view(1, 16, members, GROUP_MAX), OK);
    assert_int_equal(try_view(1, 17, members, GROUP_MAX), ERR_DECODE);
    assert_int_equal(try_view(1, 17, members, GROUP_MAX + 1), ERR_DECODE);
    assert_int_equal(try_view(0, 1, members, 3), ERR_DECODE);
    assert_int_equal(try_view(1, 1, members, 0), ERR_DECODE);
    members[1] = 1;
    assert_int_equal(try_view(1, 1, members, 3), ERR_DECODE);
    static uint32_t many[100000];
    assert_int_equal(try_view(1, 0, many, 100000), ERR_DECODE);
}

static enum err try_names(enum message_kind kind, uint32_t first, uint32_t second)
{
    Pactfs__Wire__Message head = PACTFS__WIRE__MESSAGE__INIT;
    Pactfs__Wire__Name names[2] = {PACTFS__WIRE__NAME__INIT, PACTFS__WIRE__NAME__INIT};
    Pactfs__Wire__Name *list[2] = {&names[0], &names[1]};
    names[0].kind = first;
    names[1].kind = second;
    head.n_names = 2;
    head.names = list;
    return try_head(kind, &head, (struct bytes){0});
}

static enum err try_leaves(uint32_t first, uint32_t second)
{
    Pactfs__Wire__Message head = PACTFS__WIRE__MESSAGE__INIT;
    Pactfs__Wire__Leaf leaves[2] = {PACTFS__WIRE__LEAF__INIT, PACTFS__WIRE__LEAF__INIT};
    Pactfs__Wire__Leaf *list[2] = {&leaves[0], &leaves[1]};
    leaves[0].kind = first;
    leaves[1].kind = second;
    head.n_leaves = 2;
    head.leaves = list;
    return try_head(MESSAGE_LEAVES, &head, (struct bytes){0});
}

static void lists_are_in_order(void **state)
{
    (void)state;
    assert_int_equal(try_names(MESSAGE_NAMES, OBJECT_INODE, OBJECT_BLOCK), OK);
    assert_int_equal(try_names(MESSAGE_NAMES, OBJECT_BLOCK, OBJECT_INODE), ERR_DECODE);
    assert_int_equal(try_names(MESSAGE_NAMES, OBJECT_INODE, OBJECT_INODE), ERR_DECODE);
    assert_int_equal(try_names(MESSAGE_FETCH, OBJECT_BLOCK, OBJECT_INODE), OK);
    assert_int_equal(try_names(MESSAGE_FETCH, OBJECT_NONE, OBJECT_INODE), ERR_DECODE);
    assert_int_equal(try_names(MESSAGE_FETCH, OBJECT_INODE, OBJECT_KIND_COUNT), ERR_DECODE);
    assert_int_equal(try_names(MESSAGE_FETCH, OBJECT_INODE, 256 + OBJECT_INODE), ERR_DECODE);
    assert_int_equal(try_leaves(1, 255), OK);
    assert_int_equal(try_leaves(1, 1), ERR_DECODE);
    assert_int_equal(try_leaves(2, 1), ERR_DECODE);
    assert_int_equal(try_leaves(1, 258), ERR_DECODE);
}

/* Decodes a message whose head has some more behind it. */
static enum err decode_longer(struct bytes message, struct bytes more, struct message *out)
{
    size_t len = message.len + more.len;
    uint8_t *bytes = arena_alloc(&arena, len);
    memcpy(bytes, message.data, message.len);
    memcpy(bytes + message.len, more.data, more.len);
    struct cursor c = cursor_over(bytes + HEAD_AT, 4);
    put_u32(&c, (uint32_t)(len - WIRE_PREFIX));
    return decode((struct bytes){bytes, len}, out);
}

/* One more of each than may be in a message, all sound. wire_encode makes none that is too long, so
 * the last is put behind by hand. */
static void lists_end_somewhere(void **state)
{
    (void)state;
    enum { MOST = WIRE_ENTRIES_MAX + 1 };
    static struct message_leaf leaves[MOST];
    static struct message_name names[MOST];
    static struct fs_entry entries[MOST];
    struct message in = {.kind = MESSAGE_NAMES, .names = names}, out;
    for (uint32_t i = 0; i < MOST; i++) {
        names[i].key = leaves[i].last = (struct object_key){OBJECT_INODE, i, 0};
        entries[i] = (struct fs_entry){{(const uint8_t *)"a", 1}, i + 1, {.ino = 5}};
    }
    in.leaves = leaves;
    in.result.entries = entries;
    static const enum message_kind kinds[] = {MESSAGE_NAMES, MESSAGE_LEAVES, MESSAGE_REPLY};
    static const struct bytes last[] = {
        {(const uint8_t *)"\xaa\x01\x05\x08\x01\x10\x80\x40", 8},
        {(const uint8_t *)"\xa2\x01\x05\x08\x01\x10\x80\x40", 8},
        {(const uint8_t *)"\x3a\x12\x32\x10\x0a\x01z\x11\x01\x20\0\0\0\0\0\0\x1a\x02\x08\x05", 20},
    };
    for (int i = 0; i < 3; i++) {
        in.kind = kinds[i];
        in.name_count = in.leaf_count = in.result.entry_count = WIRE_ENTRIES_MAX;
        assert_int_equal(decode_longer(wire_encode(&in, &arena), last[i], &out), ERR_DECODE);
        /* what was put behind is sound by itself */
        in.name_count = in.leaf_count = in.result.entry_count = WIRE_ENTRIES_MAX - 1;
        assert_int_equal(decode_longer(wire_encode(&in, &arena), last[i], &out), OK);
        assert_int_equal(out.name_count + out.leaf_count + out.result.entry_count,
                         WIRE_ENTRIES_MAX);
    }
}

static void other_limits_hold(void **state)
{
    (void)state;
    static uint8_t zeros[WIRE_TEXT_MAX + 1];
    static uint64_t inos[WIRE_ENTRIES_MAX + 1];
    Pactfs__Wire__Message head = PACTFS__WIRE__MESSAGE__INIT;
    Pactfs__Wire__Key key = PACTFS__WIRE__KEY__INIT;
    head.volume = (ProtobufCBinaryData){15, zeros};
    assert_int_equal(try_head(MESSAGE_WHERE, &head, (struct bytes){0}), ERR_DECODE);
    head.volume.len = 17;
    assert_int_equal(try_head(MESSAGE_WHERE, &head, (struct bytes){0}), ERR_DECODE);
    head.volume.len = 16;
    assert_int_equal(try_head(MESSAGE_WHERE, &head, (struct bytes){0}), OK);
    assert_int_equal(try_head(MESSAGE_WHERE, &head, (struct bytes){zeros, 1}), ERR_DECODE);
    key.kind = 256;
    head.to = &key;
    assert_int_equal(try_head(MESSAGE_KEYS, &head, (struct bytes){0}), ERR_DECODE);
    head.to = NULL;
    head.from = &key;
    assert_int_equal(try_head(MESSAGE_KEYS, &head, (struct bytes){0}), ERR_DECODE);
    head.from = NULL;
    head.text = (ProtobufCBinaryData){WIRE_TEXT_MAX + 1, zeros};
    assert_int_equal(try_head(MESSAGE_CALL, &head, (struct bytes){0}), ERR_DECODE);
    head.text.len = 0;
    head.inos = inos;
    head.n_inos = WIRE_ENTRIES_MAX + 1;
    assert_int_equal(try_head(MESSAGE_HOLDS, &head, (struct bytes){0}), ERR_DECODE);
}

static void an_error_of_a_newer_node_is_an_error(void **state)
{
    (void)state;
    struct message in = {.kind = MESSAGE_OPENED, .err = ERR_SESSION}, out;
    struct bytes good = wire_encode(&in, &arena);
    uint8_t *bytes = arena_copy(&arena, good.data, good.len);
    uint8_t *name = memmem(bytes, good.len, "SESSION", 7);
    assert_non_null(name);
    memcpy(name, "MISSION", 7);
    assert_int_equal(decode((struct bytes){bytes, good.len}, &out), OK);
    assert_int_equal(out.err, ERR_IO);
}

/* --- memory --- */

/* A head of nothing but `unit` again and again, as long as the net takes it. */
static void try_flood(enum message_kind kind, const char *unit, size_t len)
{
    struct message in = {.kind = MESSAGE_WHERE}, out;
    uint8_t *bytes = arena_alloc(&arena, NET_MESSAGE_MAX);
    size_t at = WIRE_PREFIX;
    memcpy(bytes, wire_encode(&in, &arena).data, WIRE_PREFIX);
    for (; at + len <= NET_MESSAGE_MAX; at += len)
        memcpy(bytes + at, unit, len);
    bytes[KIND_AT] = (uint8_t)kind;
    struct cursor c = cursor_over(bytes + HEAD_AT, 4);
    put_u32(&c, (uint32_t)(at - WIRE_PREFIX));
    assert_int_equal(wire_decode((struct bytes){bytes, at}, &arena, &out), ERR_DECODE);
}

static void a_head_cannot_make_its_reader_swell(void **state)
{
    (void)state;
    try_flood(MESSAGE_LEAVES, "\xa2\x01\x00", 3); /* leaves, each empty */
    try_flood(MESSAGE_NAMES, "\xaa\x01\x00", 3);
    try_flood(MESSAGE_REPLY, "\x3a\x02\x32\x00", 4); /* results, each with one empty entry */
    try_flood(MESSAGE_WHERE, "\xf8\x7f\x00", 3);     /* a field that nobody knows */
    try_flood(MESSAGE_REQUEST, "\x32\x00", 2);       /* the operation, again and again */
    try_flood(MESSAGE_CALL, "\xb2\x01\x01x", 4);     /* a text, again and again */
}

/* --- sending --- */

struct fake_net {
    struct net net;
    uint32_t to;
    int count;
    size_t len;
    uint8_t sent[4096];
};

static enum err fake_send(struct net *net, uint32_t to, const struct env_iov *pieces, int count)
{
    struct fake_net *fake = (struct fake_net *)(void *)net;
    fake->to = to;
    fake->count = count;
    for (int i = 0; i < count; i++) {
        memcpy(fake->sent + fake->len, pieces[i].data, pieces[i].len);
        fake->len += pieces[i].len;
    }
    return to == 9 ? ERR_UNREACHABLE : OK;
}

static void what_is_sent_is_head_and_payload(void **state)
{
    (void)state;
    static const struct net_ops ops = {.send = fake_send};
    struct fake_net fake = {.net = {.ops = &ops}};
    struct message in = {.kind = MESSAGE_RECORD, .serial = 5}, out;
    struct env_iov payload[2] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "cde", 3}};
    assert_int_equal(wire_send(&fake.net, 4, &in, payload, 2, &arena), OK);
    assert_int_equal(fake.to, 4);
    assert_int_equal(fake.count, 3);
    assert_int_equal(decode((struct bytes){fake.sent, fake.len}, &out), OK);
    assert_int_equal(out.payload.len, 5);
    assert_memory_equal(out.payload.data, "abcde", 5);
    assert_int_equal(wire_send(&fake.net, 9, &in, NULL, 0, &arena), ERR_UNREACHABLE);
    assert_int_equal(fake.count, 1);
}

/* --- what is kept --- */

static void a_kept_reply_is_given_again(void **state)
{
    (void)state;
    static uint8_t target[FS_SYMLINK_MAX];
    memset(target, 'x', sizeof target);
    struct fs_result in = {0}, out;
    uint64_t serial;
    enum err err;
    struct bytes kept = wire_keep_reply(0, OK, &in, &arena);
    assert_true(kept.len <= 8);
    assert_int_equal(wire_kept_reply(kept, &arena, &serial, &err, &out), OK);
    assert_int_equal(serial, 0);
    assert_int_equal(err, OK);
    memset(&in.attr, 0xff, sizeof in.attr);
    in.attr2 = in.attr;
    in.offset = in.length = UINT64_MAX;
    in.again = in.end = true;
    in.value = (struct bytes){target, sizeof target};
    kept = wire_keep_reply(UINT64_MAX, ERR_DIR_COLLISION, &in, &arena);
    assert_true(kept.len <= OBJECT_VALUE_MAX);
    assert_int_equal(wire_kept_reply(kept, &arena, &serial, &err, &out), OK);
    assert_true(serial == UINT64_MAX && err == ERR_DIR_COLLISION);
    struct message a = {.kind = MESSAGE_REPLY, .result = in};
    struct message b = {.kind = MESSAGE_REPLY, .result = out};
    assert_true(sample_equal(&a, &b));
    for (size_t len = 0; len < kept.len; len++) /* any cut, one of them between two fields */
        wire_kept_reply((struct bytes){arena_copy(&arena, kept.data, len), len}, &arena, &serial,
                        &err, &out);
    kept.len = OBJECT_VALUE_MAX + 1;
    assert_int_equal(wire_kept_reply(kept, &arena, &serial, &err, &out), ERR_DECODE);
    assert_int_equal(wire_kept_reply((struct bytes){(const uint8_t *)"\x1a\x05", 2}, &arena,
                                     &serial, &err, &out),
                     ERR_DECODE);
}

static struct bytes kept_of(struct bytes value, size_t entries)
{
    Pactfs__Wire__Kept kept = PACTFS__WIRE__KEPT__INIT;
    Pactfs__Wire__Result result = PACTFS__WIRE__RESULT__INIT;
    Pactfs__Wire__Attr attr = PACTFS__WIRE__ATTR__INIT;
    Pactfs__Wire__Entry entry = PACTFS__WIRE__ENTRY__INIT, *list[] = {&entry};
    attr.ino = 5;
    entry.name = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "a"};
    entry.cookie = 1;
    entry.attr = &attr;
    result.value = (ProtobufCBinaryData){value.len, (uint8_t *)(uintptr_t)value.data};
    result.entries = list;
    result.n_entries = entries;
    kept.result = &result;
    size_t len = pactfs__wire__kept__get_packed_size(&kept);
    uint8_t *out = arena_alloc(&arena, len);
    pactfs__wire__kept__pack(&kept, out);
    return (struct bytes){out, len};
}

static void what_could_not_be_kept_is_refused(void **state)
{
    (void)state;
    static uint8_t zeros[OBJECT_VALUE_MAX];
    struct fs_result out;
    uint64_t serial;
    enum err err;
    struct bytes value = {zeros, OBJECT_VALUE_MAX - 6};
    struct bytes kept = kept_of(value, 0);
    assert_int_equal(kept.len, OBJECT_VALUE_MAX);
    assert_int_equal(wire_kept_reply(kept, &arena, &serial, &err, &out), OK);
    value.len++;
    kept = kept_of(value, 0);
    assert_int_equal(wire_kept_reply(kept, &arena, &serial, &err, &out), ERR_DECODE);
    kept = kept_of((struct bytes){0}, 1);
    assert_int_equal(wire_kept_reply(kept, &arena, &serial, &err, &out), ERR_DECODE);
}

/* --- print --- */

static void messages_are_printed(void **state)
{
    (void)state;
    struct message m;
    char all[4096], part[4096];
    for (unsigned n = 0; sample(n, &m); n++) {
        message_print(&m, all, sizeof all);
        assert_memory_equal(all, message_kind_name(m.kind), strlen(message_kind_name(m.kind)));
        for (size_t size = 0; size < 40; size++) {
            memset(part, 'x', sizeof part);
            assert_ptr_equal(message_print(&m, part, size), part);
            assert_true(size == 0 || strlen(part) == (strlen(all) < size ? strlen(all) : size - 1));
            assert_int_equal(part[size], 'x');
        }
    }
    m = (struct message){.kind = MESSAGE_ACK, .number = 2, .stamp = {(UINT64_C(3) << 12) + 4, 5}};
    assert_string_equal(message_print(&m, all, sizeof all), "ack in 2 stamp 0.000003.4@5");
    m = (struct message){
        .kind = MESSAGE_RENEWED, .session = 0xab, .slot = 1, .serial = 2, .err = ERR_SESSION};
    assert_string_equal(message_print(&m, all, sizeof all), "renewed ab:1:2 SESSION");
    m.kind = (enum message_kind)77;
    assert_string_equal(message_print(&m, all, sizeof all), "unknown (77) ab:1:2 SESSION");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_comes_back_as_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kind_has_only_what_is_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(every_error_has_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(every_operation_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(the_largest_listing_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(the_largest_of_the_rest_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(every_cut_is_refused_or_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_prefix_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_too_long_for_the_net_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(operations_beyond_a_limit_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(results_beyond_a_limit_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_are_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(views_are_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_end_somewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(other_limits_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_of_a_newer_node_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_cannot_make_its_reader_swell, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_is_head_and_payload, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kept_reply_is_given_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_could_not_be_kept_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_are_printed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
