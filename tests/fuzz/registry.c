/* SPDX-License-Identifier: MIT
 *
 * registry.c: the values of the registry.
 */
#include "fuzz.h"

#include <string.h>

#include "core/base/arena.h"
#include "core/base/assert.h"
#include "core/contract/contract.h"
#include "core/registry/records.h"

/* What was accepted keeps to the limits, so it can be encoded; and it comes back the same. */
static void view(struct bytes value, struct arena *arena)
{
    struct view out, again;
    if (record_decode_view(value, &out) != OK)
        return;
    INVARIANT(view_sound(&out));
    INVARIANT(record_decode_view(record_encode_view(&out, arena), &again) == OK);
    INVARIANT(view_equal(&out, &again));
}

static void volume(struct bytes value, struct arena *arena)
{
    struct record_volume out, again;
    if (record_decode_volume(value, arena, &out) != OK)
        return;
    INVARIANT(record_name_sound(out.name) && out.contract.len <= CONTRACT_TEXT_MAX);
    INVARIANT(out.replica_count >= 1 && out.replica_count <= GROUP_MAX);
    INVARIANT(record_decode_volume(record_encode_volume(&out, arena), arena, &again) == OK);
    INVARIANT(strcmp(out.name, again.name) == 0 && out.contract.len == again.contract.len);
    INVARIANT(memcmp(out.replicas, again.replicas, sizeof out.replicas) == 0);
    INVARIANT(out.contract.len == 0 ||
              memcmp(out.contract.data, again.contract.data, out.contract.len) == 0);
}

static void node(struct bytes value, struct arena *arena)
{
    struct record_node out, again;
    if (record_decode_node(value, &out) != OK)
        return;
    INVARIANT(record_name_sound(out.name) && out.number >= 1 && out.number <= RECORD_NODE_LAST);
    INVARIANT(record_decode_node(record_encode_node(&out, arena), &again) == OK);
    INVARIANT(memcmp(out.address, again.address, sizeof out.address) == 0);
}

static void cell(struct bytes value, struct arena *arena)
{
    struct record_cell out, again;
    if (record_decode_cell(value, &out) != OK)
        return;
    INVARIANT(record_decode_cell(record_encode_cell(&out, arena), &again) == OK);
    INVARIANT(memcmp(out.uuid, again.uuid, 16) == 0 && out.created == again.created);
}

static void invite(struct bytes value, struct arena *arena)
{
    struct record_invite out, again;
    if (record_decode_invite(value, &out) != OK)
        return;
    INVARIANT(record_decode_invite(record_encode_invite(&out, arena), &again) == OK);
    INVARIANT(out.role == again.role && out.uid == again.uid && out.used == again.used);
}

static void (*const kinds[])(struct bytes value, struct arena *arena) = {cell, node, volume, invite,
                                                                         view};

/* The first byte chooses the record. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    if (size == 0)
        return 0;
    arena_init(&arena);
    kinds[data[0] % (sizeof kinds / sizeof kinds[0])]((struct bytes){data + 1, size - 1}, &arena);
    arena_free(&arena);
    return 0;
}

static struct bytes seed(unsigned number, struct arena *arena)
{
    const struct record_cell a_cell = {.name = "home", .wire_version = 1, .created = 1};
    const struct record_node a_node = {
        .number = 3, .name = "c", .address = "10.0.0.3:4700", .wire_version = 1, .registry = true};
    const struct record_volume a_volume = {.name = "v",
                                           .contract = {(const uint8_t *)"replicas = 3\n", 13},
                                           .replica_count = 3,
                                           .replicas = {1, 2, 3}};
    const struct record_invite an_invite = {.role = ROLE_CLIENT, .expires = 5, .uid = 1000};
    const struct view a_view = {.number = 7, .primary = 2, .count = 3, .members = {1, 2, 3}};
    switch (number) {
    case 0:
        return record_encode_cell(&a_cell, arena);
    case 1:
        return record_encode_node(&a_node, arena);
    case 2:
        return record_encode_volume(&a_volume, arena);
    case 3:
        return record_encode_invite(&an_invite, arena);
    default:
        return record_encode_view(&a_view, arena);
    }
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    struct arena arena;
    if (number >= sizeof kinds / sizeof kinds[0])
        return 0;
    arena_init(&arena);
    struct bytes value = seed(number, &arena);
    out[0] = (uint8_t)number;
    memcpy(out + 1, value.data, value.len);
    arena_free(&arena);
    return 1 + value.len;
}
