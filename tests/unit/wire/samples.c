/* SPDX-License-Identifier: MIT */
#include "samples.h"

#include <string.h>

#define TEXT(text)   ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})
#define COUNT(array) ((unsigned)(sizeof(array) / sizeof *(array)))

#define VOLUME                                                \
    {                                                         \
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 \
    }

/* Initialisers: clang takes no constants for them. */
#define ATTR                                                                                \
    {                                                                                       \
        .ino = 17, .size = 1u << 30, .blocks = 9, .mode = 0100644, .uid = 1000, .gid = 100, \
        .nlink = 2, .rdev = 0x803, .atime = -1, .mtime = INT64_C(1700000000123456789),      \
        .ctime = INT64_MIN, .btime = INT64_MAX                                              \
    }
#define VIEW                                                            \
    {                                                                   \
        .number = 7, .primary = 3, .count = 3, .members = { 1, 3, 200 } \
    }
static const uint32_t groups[] = {0, 5, UINT32_MAX};
static const uint64_t inos[] = {1, 2, UINT64_MAX, 3};
static const struct message_leaf leaves[] = {
    {{OBJECT_INODE, 5, 0}, 100, 0xfedcba9876543210},
    {{OBJECT_DIRENT, 5, UINT64_MAX}, 1, 1},
    {{UINT8_MAX, UINT64_MAX, UINT64_MAX}, 0, 0},
};
static const struct message_name names[] = {
    {{OBJECT_INODE, 5, 0}, {1234567, 1}},
    {{OBJECT_DIRENT, 5, 0x8f3a}, {UINT64_MAX, UINT32_MAX}},
    {{OBJECT_SESSION, UINT64_MAX, 3}, {0, 0}},
};
static const struct fs_entry entries[] = {
    {{(const uint8_t *)".", 1}, 1, {.ino = 1, .mode = 040000}},
    {{(const uint8_t *)"..", 2}, 2, {.ino = 1, .mode = 040000}},
    {{(const uint8_t *)"a file \xff", 8}, UINT64_C(1) << 62, ATTR},
};

/* One of each field that any kind may have. */
static const struct message whole = {
    .kind = MESSAGE_MOVED,
    .volume = VOLUME,
    .number = 7,
    .session = 0x123456789abcdef0,
    .serial = UINT64_MAX,
    .slot = 63,
    .count = 5,
    .whole = true,
    .end = true,
    .err = ERR_NO_VOLUME,
    .view = VIEW,
    .stamp = {1234567, 1},
    .before = {1234566, 0},
    .last = {UINT64_MAX, UINT32_MAX},
    .from = {OBJECT_BLOCK, 5, 3},
    .to = {UINT8_MAX, UINT64_MAX, UINT64_MAX},
};

/* Kinds that have nothing of their own. */
static const enum message_kind plain[] = {
    MESSAGE_WHERE,  MESSAGE_MOVED,   MESSAGE_OPEN,      MESSAGE_OPENED, MESSAGE_CLOSE,
    MESSAGE_RENEW,  MESSAGE_RENEWED, MESSAGE_HEARTBEAT, MESSAGE_HEARD,  MESSAGE_ACK,
    MESSAGE_FLUSH,  MESSAGE_FLUSHED, MESSAGE_RESIGN,    MESSAGE_JOIN,   MESSAGE_SNAPSHOT,
    MESSAGE_DIGEST, MESSAGE_KEYS,    MESSAGE_TAKE_OVER,
};

static const struct fs_op ops[] = {
    {.code = FS_READ,
     .cred = {.uid = 1000, .gid = 100, .checked = true},
     .now = INT64_C(1700000000123456789),
     .ino = 17,
     .offset = 131072,
     .length = 131072,
     .flags = FS_READ_ATIME},
    {.code = FS_WRITE,
     .cred = {.uid = 1000, .gid = 100, .checked = true},
     .now = INT64_C(1700000000123456789),
     .ino = 17,
     .offset = 131072,
     .value = {(const uint8_t *)"the bytes that are written", 26}},
    {.code = FS_LOOKUP,
     .cred = {.uid = 1000, .gid = 100},
     .ino = 1,
     .name = {(const uint8_t *)"name", 4}},
    {.code = FS_RENAME,
     .cred = {.groups = groups, .group_count = 3, .cap_fsetid = true},
     .now = -1,
     .ino = 1,
     .ino2 = UINT64_MAX,
     .name = {(const uint8_t *)"from", 4},
     .name2 = {(const uint8_t *)"to\0/", 4},
     .value = {(const uint8_t *)"value", 5},
     .offset = UINT64_MAX,
     .offset2 = UINT64_MAX,
     .length = UINT64_MAX,
     .rdev = UINT64_MAX,
     .mode = UINT32_MAX,
     .umask = 022,
     .mask = 7,
     .flags = 2,
     .set = 0x3ff,
     .attr = ATTR},
};

static const struct fs_result results[] = {
    {.attr = ATTR},
    {.length = 5, .attr = ATTR},
    {.attr = ATTR,
     .attr2 = {.ino = 3},
     .value = {(const uint8_t *)"target", 6},
     .offset = 77,
     .length = 5,
     .again = true},
    {.entries = entries, .entry_count = COUNT(entries), .end = true, .attr = ATTR},
};

static void with_lists(unsigned number, struct message *out)
{
    static const enum message_kind kinds[] = {MESSAGE_HOLDS, MESSAGE_HELD, MESSAGE_LEAVES,
                                              MESSAGE_NAMES, MESSAGE_FETCH};
    out->kind = kinds[number];
    if (number < 2) {
        out->inos = inos;
        out->ino_count = COUNT(inos);
    } else if (number == 2) {
        out->leaves = leaves;
        out->leaf_count = COUNT(leaves);
    } else {
        out->names = names;
        out->name_count = COUNT(names);
    }
}

static bool with_bytes(unsigned number, struct message *out)
{
    static const enum message_kind kinds[] = {MESSAGE_RECORD, MESSAGE_OBJECTS, MESSAGE_CALL,
                                              MESSAGE_ANSWER};
    if (number >= COUNT(kinds))
        return false;
    out->kind = kinds[number];
    if (number < 2) {
        out->head = TEXT("a record's head");
        out->payload = TEXT("and its payload");
        out->names = number ? names : NULL;
        out->name_count = number ? COUNT(names) : 0;
    } else {
        out->text = TEXT("{\"request\":\"status\"}");
    }
    return true;
}

bool sample(unsigned number, struct message *out)
{
    *out = whole;
    if (number < COUNT(plain)) {
        out->kind = plain[number];
        return true;
    }
    number -= COUNT(plain);
    if (number < COUNT(ops)) {
        /* as an agent sends it */
        *out = (struct message){.kind = MESSAGE_REQUEST,
                                .volume = VOLUME,
                                .number = 7,
                                .session = 0x123456789abcdef0,
                                .serial = 99,
                                .slot = 3,
                                .op = ops[number]};
        if (out->op.code == FS_WRITE)
            out->payload = out->op.value;
        return true;
    }
    number -= COUNT(ops);
    if (number < COUNT(results)) {
        out->kind = MESSAGE_REPLY;
        out->result = results[number];
        out->payload = number == 1 ? TEXT("bytes") : (struct bytes){0};
        return true;
    }
    number -= COUNT(results);
    if (number < 5) {
        with_lists(number, out);
        return true;
    }
    return with_bytes(number - 5, out);
}

struct bytes sample_bytes(const struct message *message, struct arena *arena)
{
    struct bytes head = wire_encode(message, arena);
    size_t len = head.len + message->payload.len;
    uint8_t *all = arena_alloc(arena, len);
    memcpy(all, head.data, head.len);
    if (message->payload.len)
        memcpy(all + head.len, message->payload.data, message->payload.len);
    return (struct bytes){all, len};
}

/* --- equality --- */

static bool same_bytes(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool same_stamp(struct stamp a, struct stamp b)
{
    return stamp_compare(a, b) == 0;
}

static bool same_attr(const struct fs_attr *a, const struct fs_attr *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* it has no padding */
}

static bool same_cred(const struct fs_cred *a, const struct fs_cred *b)
{
    return a->uid == b->uid && a->gid == b->gid && a->checked == b->checked &&
           a->cap_fsetid == b->cap_fsetid && a->group_count == b->group_count &&
           (a->group_count == 0 ||
            memcmp(a->groups, b->groups, sizeof *a->groups * a->group_count) == 0);
}

static bool same_op(const struct fs_op *a, const struct fs_op *b)
{
    return a->code == b->code && same_cred(&a->cred, &b->cred) && a->now == b->now &&
           a->ino == b->ino && a->ino2 == b->ino2 && a->new_ino == b->new_ino &&
           same_bytes(a->name, b->name) && same_bytes(a->name2, b->name2) &&
           same_bytes(a->value, b->value) && a->offset == b->offset && a->offset2 == b->offset2 &&
           a->length == b->length && a->rdev == b->rdev && a->mode == b->mode &&
           a->umask == b->umask && a->mask == b->mask && a->flags == b->flags && a->set == b->set &&
           same_attr(&a->attr, &b->attr) && a->owner == b->owner;
}

static bool same_result(const struct fs_result *a, const struct fs_result *b)
{
    bool same = same_attr(&a->attr, &b->attr) && same_attr(&a->attr2, &b->attr2) &&
                same_bytes(a->value, b->value) && a->offset == b->offset &&
                a->length == b->length && a->end == b->end && a->again == b->again &&
                a->piece_count == b->piece_count && a->entry_count == b->entry_count;
    for (uint32_t i = 0; same && i < a->entry_count; i++)
        same = same_bytes(a->entries[i].name, b->entries[i].name) &&
               a->entries[i].cookie == b->entries[i].cookie &&
               same_attr(&a->entries[i].attr, &b->entries[i].attr);
    return same;
}

static bool same_lists(const struct message *a, const struct message *b)
{
    bool same = a->ino_count == b->ino_count && a->leaf_count == b->leaf_count &&
                a->name_count == b->name_count;
    for (uint32_t i = 0; same && i < a->ino_count; i++)
        same = a->inos[i] == b->inos[i];
    for (uint32_t i = 0; same && i < a->leaf_count; i++)
        same = object_key_equal(&a->leaves[i].last, &b->leaves[i].last) &&
               a->leaves[i].count == b->leaves[i].count && a->leaves[i].hash == b->leaves[i].hash;
    for (uint32_t i = 0; same && i < a->name_count; i++)
        same = object_key_equal(&a->names[i].key, &b->names[i].key) &&
               same_stamp(a->names[i].stamp, b->names[i].stamp);
    return same;
}

bool sample_equal(const struct message *a, const struct message *b)
{
    return a->kind == b->kind && memcmp(a->volume, b->volume, 16) == 0 && a->number == b->number &&
           a->session == b->session && a->serial == b->serial && a->slot == b->slot &&
           a->count == b->count && a->whole == b->whole && a->end == b->end && a->err == b->err &&
           view_equal(&a->view, &b->view) && same_stamp(a->stamp, b->stamp) &&
           same_stamp(a->before, b->before) && same_stamp(a->last, b->last) &&
           object_key_equal(&a->from, &b->from) && object_key_equal(&a->to, &b->to) &&
           same_op(&a->op, &b->op) && same_result(&a->result, &b->result) && same_lists(a, b) &&
           same_bytes(a->head, b->head) && same_bytes(a->text, b->text) &&
           same_bytes(a->payload, b->payload);
}
