/* SPDX-License-Identifier: MIT
 *
 * wire.c: messages between nodes and agents, and replies that are kept.
 */
#include <string.h>

#include "core/base/assert.h"
#include "fuzz.h"
#include "samples.h"

enum {
    AS_IT_IS,
    ONLY_HEAD, /* the prefix is put right: all of the rest is the head */
    KEPT,
    WAYS
};

static uint64_t sum_of(struct bytes bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < bytes.len; i++)
        sum += bytes.data[i];
    return sum;
}

/* --- what every receiver relies on --- */

static uint64_t look_at_op(const struct message *m)
{
    const struct fs_op *op = &m->op;
    uint64_t sum = sum_of(op->name) + sum_of(op->name2) + sum_of(op->value);

    if (m->kind != MESSAGE_REQUEST)
        return 0;
    INVARIANT(op->code > 0 && op->code < FS_CODE_COUNT && op->new_ino == 0 && !op->owner);
    INVARIANT(op->name.data && op->name2.data && op->value.data);
    INVARIANT(op->value.len <= (op->code == FS_WRITE ? FS_IO_MAX : FS_XATTR_MAX));
    INVARIANT(op->code != FS_WRITE || op->value.data == m->payload.data);
    for (uint32_t i = 0; i < op->cred.group_count; i++)
        sum += op->cred.groups[i];
    return sum;
}

static uint64_t look_at_result(const struct message *m)
{
    const struct fs_result *r = &m->result;
    uint64_t sum = sum_of(r->value);

    INVARIANT(r->piece_count == 0 && r->entry_count <= WIRE_ENTRIES_MAX);
    for (uint32_t i = 0; i < r->entry_count; i++) {
        struct bytes name = r->entries[i].name;

        INVARIANT(name.len > 0 && name.len <= FS_NAME_MAX && !memchr(name.data, '/', name.len));
        INVARIANT(r->entries[i].cookie > (i ? r->entries[i - 1].cookie : 0));
        sum += sum_of(name);
    }
    return sum;
}

static uint64_t look_at_lists(const struct message *m)
{
    uint64_t sum = sum_of(m->head) + sum_of(m->text) + sum_of(m->payload);

    INVARIANT(m->ino_count <= WIRE_ENTRIES_MAX && m->leaf_count <= WIRE_ENTRIES_MAX &&
              m->name_count <= WIRE_ENTRIES_MAX);
    for (uint32_t i = 0; i < m->ino_count; i++)
        sum += m->inos[i];
    for (uint32_t i = 0; i < m->leaf_count; i++)
        sum += m->leaves[i].hash;
    for (uint32_t i = 0; i < m->name_count; i++)
        INVARIANT(m->names[i].key.kind > 0 && m->names[i].key.kind < OBJECT_KIND_COUNT);
    return sum;
}

/* An operation may be handed on as it is, with a number for what it makes. */
static void apply(const struct message *m)
{
    struct workspace ws;
    struct fs_volume volume = {.salt = 1};
    struct fs_op op = m->op;
    struct fs_result result;

    if (m->kind != MESSAGE_REQUEST)
        return;
    op.new_ino = 99;
    ws_init(&ws);
    fs_apply(&ws, &volume, &op, &result);
    ws_free(&ws);
}

/* --- round trip --- */

/* What decodes, encodes to something that decodes to the same, and is its one encoding. */
static void round_trip(const struct message *m, struct arena *arena)
{
    struct message again;
    struct bytes once = sample_bytes(m, arena), twice;

    INVARIANT(wire_decode(once, arena, &again) == OK);
    INVARIANT(sample_equal(m, &again));
    twice = sample_bytes(&again, arena);
    INVARIANT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
}

static void try_message(struct bytes bytes, struct arena *arena)
{
    struct message m;
    char text[3000];
    static volatile uint64_t sink; /* so that the bytes are really read */

    if (wire_decode(bytes, arena, &m) != OK)
        return;
    INVARIANT(m.version >= WIRE_OLDEST && (m.view.number == 0 || view_sound(&m.view)));
    sink = look_at_op(&m) + look_at_result(&m) + look_at_lists(&m);
    (void)sink;
    message_print(&m, text, sizeof text);
    INVARIANT(strlen(text) < sizeof text);
    apply(&m);
    round_trip(&m, arena);
}

static void try_kept(struct bytes value, struct arena *arena)
{
    uint64_t serial;
    enum err err;
    struct message m = {.kind = MESSAGE_REPLY}, again = {.kind = MESSAGE_REPLY};

    if (wire_kept_reply(value, arena, &serial, &err, &m.result) != OK ||
        m.result.value.len > FS_SYMLINK_MAX)
        return;
    value = wire_keep_reply(serial, err, &m.result, arena);
    INVARIANT(wire_kept_reply(value, arena, &again.serial, &again.err, &again.result) == OK);
    INVARIANT(again.serial == serial && again.err == err);
    again.serial = 0;
    again.err = OK;
    INVARIANT(sample_equal(&m, &again));
}

static void put_head_right(uint8_t *bytes, size_t size, struct arena *arena)
{
    struct bytes prefix = wire_encode(&(struct message){.kind = MESSAGE_WHERE}, arena);
    struct cursor c = cursor_over(bytes + 8, 4);

    memcpy(bytes, prefix.data, 6); /* magic and version */
    put_u32(&c, (uint32_t)(size - WIRE_PREFIX));
}

/* The first byte chooses the way. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;

    if (size < 1 || (data[0] % WAYS == ONLY_HEAD && size < 1 + WIRE_PREFIX))
        return 0;
    arena_init(&arena);
    if (data[0] % WAYS == KEPT) {
        try_kept((struct bytes){data + 1, size - 1}, &arena);
    } else if (data[0] % WAYS == AS_IT_IS) {
        try_message((struct bytes){data + 1, size - 1}, &arena);
    } else {
        uint8_t *copy = arena_copy(&arena, data + 1, size - 1);

        put_head_right(copy, size - 1, &arena);
        try_message((struct bytes){copy, size - 1}, &arena);
    }
    arena_free(&arena);
    return 0;
}

static size_t seed_of(uint8_t *out, uint8_t way, struct bytes bytes)
{
    out[0] = way;
    memcpy(out + 1, bytes.data, bytes.len);
    return 1 + bytes.len;
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    struct arena arena;
    struct message m;
    size_t size = 0;
    unsigned samples = 0;

    arena_init(&arena);
    while (sample(samples, &m))
        samples++;
    if (number < 2 * samples) {
        sample(number / 2, &m);
        size = seed_of(out, number % 2 ? ONLY_HEAD : AS_IT_IS, sample_bytes(&m, &arena));
    } else if (number == 2 * samples) {
        m = (struct message){0};
        m.result.attr.ino = m.result.length = 17;
        m.result.value = (struct bytes){(const uint8_t *)"target", 6};
        size = seed_of(out, KEPT, wire_keep_reply(300, ERR_EXIST, &m.result, &arena));
    }
    arena_free(&arena);
    return size;
}
