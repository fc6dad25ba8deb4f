/* SPDX-License-Identifier: MIT
 *
 * lists.c: leaves of a hash tree and names of objects on the wire.
 */
#include "core/wire/private.h"

static void pack_leaves(const struct message *message, struct arena *arena,
                        Pactfs__Wire__Message *out)
{
    uint32_t count = message->leaf_count;
    Pactfs__Wire__Leaf *leaves = arena_alloc(arena, sizeof *leaves * count);
    out->n_leaves = count;
    out->leaves = arena_alloc(arena, sizeof *out->leaves * count);
    for (uint32_t i = 0; i < count; i++) {
        const struct message_leaf *leaf = &message->leaves[i];
        pactfs__wire__leaf__init(&leaves[i]);
        leaves[i].kind = leaf->last.kind;
        leaves[i].ino = leaf->last.ino;
        leaves[i].sub = leaf->last.sub;
        leaves[i].count = leaf->count;
        leaves[i].hash = leaf->hash;
        out->leaves[i] = &leaves[i];
    }
}

static void pack_names(const struct message *message, struct arena *arena,
                       Pactfs__Wire__Message *out)
{
    uint32_t count = message->name_count;
    Pactfs__Wire__Name *names = arena_alloc(arena, sizeof *names * count);
    out->n_names = count;
    out->names = arena_alloc(arena, sizeof *out->names * count);
    for (uint32_t i = 0; i < count; i++) {
        const struct message_name *name = &message->names[i];
        pactfs__wire__name__init(&names[i]);
        names[i].kind = name->key.kind;
        names[i].ino = name->key.ino;
        names[i].sub = name->key.sub;
        names[i].time = name->stamp.time;
        names[i].node = name->stamp.node;
        out->names[i] = &names[i];
    }
}

void wire_pack_lists(const struct message *message, struct arena *arena, Pactfs__Wire__Message *out)
{
    uint32_t parts = wire_kind_of((uint32_t)message->kind)->parts;
    if ((parts & WIRE_LEAVES) && message->leaf_count) {
        INVARIANT(message->leaf_count <= WIRE_ENTRIES_MAX);
        pack_leaves(message, arena, out);
    }
    if ((parts & WIRE_NAMES) && message->name_count) {
        INVARIANT(message->name_count <= WIRE_ENTRIES_MAX);
        pack_names(message, arena, out);
    }
}

/* Leaves lie one behind the other. The last may end behind all objects. */
bool wire_unpack_leaves(const Pactfs__Wire__Message *head, struct arena *arena, struct message *out)
{
    if (head->n_leaves > WIRE_ENTRIES_MAX)
        return false;
    struct message_leaf *leaves = arena_alloc(arena, sizeof *leaves * head->n_leaves);
    for (size_t i = 0; i < head->n_leaves; i++) {
        const Pactfs__Wire__Leaf *leaf = head->leaves[i];
        leaves[i] = (struct message_leaf){.last = {(uint8_t)leaf->kind, leaf->ino, leaf->sub},
                                          .count = leaf->count,
                                          .hash = leaf->hash};
        if (leaf->kind > UINT8_MAX ||
            (i > 0 && object_key_compare(&leaves[i - 1].last, &leaves[i].last) >= 0))
            return false;
    }
    out->leaves = leaves;
    out->leaf_count = (uint32_t)head->n_leaves;
    return true;
}

/* Names of a listing are in order; those that are asked for come as they please. */
bool wire_unpack_names(const Pactfs__Wire__Message *head, struct arena *arena, struct message *out)
{
    if (head->n_names > WIRE_ENTRIES_MAX)
        return false;
    bool ordered = out->kind == MESSAGE_NAMES;
    struct message_name *names = arena_alloc(arena, sizeof *names * head->n_names);
    for (size_t i = 0; i < head->n_names; i++) {
        const Pactfs__Wire__Name *name = head->names[i];
        names[i] = (struct message_name){.key = {(uint8_t)name->kind, name->ino, name->sub},
                                         .stamp = {name->time, name->node}};
        if (name->kind == OBJECT_NONE || name->kind >= OBJECT_KIND_COUNT ||
            (ordered && i > 0 && object_key_compare(&names[i - 1].key, &names[i].key) >= 0))
            return false;
    }
    out->names = names;
    out->name_count = (uint32_t)head->n_names;
    return true;
}
