/* SPDX-License-Identifier: MIT
 *
 * decode.c: bytes into messages. The bytes may come from anybody: nothing here is an assertion.
 */
#include <string.h>

#include "core/wire/private.h"

/* --- memory --- */

static void *budget_alloc(void *ctx, size_t size)
{
    struct wire_budget *budget = ctx;
    if (size > budget->left)
        return NULL;
    budget->left -= size;
    return arena_alloc(budget->arena, size);
}

static void budget_free(void *ctx, void *pointer)
{
    (void)ctx;
    (void)pointer; /* goes with the arena */
}

ProtobufCAllocator wire_allocator(struct wire_budget *budget)
{
    return (ProtobufCAllocator){
        .alloc = budget_alloc, .free = budget_free, .allocator_data = budget};
}

/* --- what any kind may have --- */

static struct stamp unpack_stamp(const Pactfs__Wire__Stamp *stamp)
{
    return stamp ? (struct stamp){stamp->time, stamp->node} : STAMP_ZERO;
}

static bool unpack_key(const Pactfs__Wire__Key *key, struct object_key *out)
{
    if (!key)
        return true;
    *out = (struct object_key){(uint8_t)key->kind, key->ino, key->sub};
    return key->kind <= UINT8_MAX;
}

static bool unpack_view(const Pactfs__Wire__View *view, struct view *out)
{
    if (!view)
        return true;
    if (view->n_members > GROUP_MAX)
        return false;
    out->number = view->number;
    out->primary = view->primary;
    out->count = (uint32_t)view->n_members;
    if (view->n_members)
        memcpy(out->members, view->members, sizeof *out->members * view->n_members);
    return view_sound(out);
}

static bool unpack_volume(ProtobufCBinaryData volume, uint8_t out[16])
{
    if (volume.len == 0)
        return true;
    if (volume.len != 16)
        return false;
    memcpy(out, volume.data, 16);
    return true;
}

static bool unpack_common(const Pactfs__Wire__Message *head, struct message *out)
{
    out->number = head->number;
    out->session = head->session;
    out->serial = head->serial;
    out->slot = head->slot;
    out->count = head->count;
    out->whole = head->whole != 0;
    out->end = head->end != 0;
    out->err = wire_err(head->err);
    out->stamp = unpack_stamp(head->stamp);
    out->before = unpack_stamp(head->before);
    out->last = unpack_stamp(head->last);
    return unpack_volume(head->volume, out->volume) && unpack_key(head->from, &out->from) &&
           unpack_key(head->to, &out->to) && unpack_view(head->view, &out->view);
}

/* --- what only some have; the payload is set already --- */

/* The bytes of a read are as many as the result says. */
static bool unpack_reply(const Pactfs__Wire__Message *head, struct arena *arena,
                         struct message *out)
{
    return wire_unpack_result(head->result, arena, &out->result) && out->payload.len <= FS_IO_MAX &&
           (out->payload.len == 0 || out->payload.len == out->result.length);
}

static bool unpack_inos(const Pactfs__Wire__Message *head, struct message *out)
{
    out->inos = head->n_inos ? head->inos : NULL;
    out->ino_count = (uint32_t)head->n_inos;
    return head->n_inos <= WIRE_ENTRIES_MAX;
}

static bool unpack_parts(const Pactfs__Wire__Message *head, struct arena *arena,
                         struct message *out)
{
    uint32_t parts = wire_kind_of((uint32_t)out->kind)->parts;
    if (!(parts & WIRE_PAYLOAD) && out->payload.len)
        return false;
    if ((parts & WIRE_OP) && (!head->op || !wire_unpack_op(head->op, out->payload, &out->op)))
        return false;
    if ((parts & WIRE_RESULT) && !unpack_reply(head, arena, out))
        return false;
    if ((parts & WIRE_INOS) && !unpack_inos(head, out))
        return false;
    if ((parts & WIRE_LEAVES) && !wire_unpack_leaves(head, arena, out))
        return false;
    if ((parts & WIRE_NAMES) && !wire_unpack_names(head, arena, out))
        return false;
    if (parts & WIRE_HEAD)
        out->head = wire_bytes(head->head);
    if (parts & WIRE_TEXT)
        out->text = wire_bytes(head->text);
    return !(parts & WIRE_TEXT) || out->text.len <= WIRE_TEXT_MAX;
}

#if WIRE_VERSION > 1
static void unpack_newest(const Pactfs__Wire__Message *head, struct message *out)
{
    for (unsigned i = 0; i < head->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &head->base.unknown_fields[i];
        if (field->tag == WIRE_NEWEST && field->wire_type == PROTOBUF_C_WIRE_TYPE_VARINT &&
            field->len == 1)
            out->newest = field->data[0];
    }
}
#endif

/* --- the whole --- */

enum err wire_decode(struct bytes bytes, struct arena *arena, struct message *out)
{
    struct cursor c = cursor_over(bytes.data, bytes.len);
    uint32_t magic = get_u32(&c), version = get_u16(&c), kind = get_u16(&c), len = get_u32(&c);
    memset(out, 0, sizeof *out);
    if (c.bad || magic != WIRE_MAGIC || bytes.len > NET_MESSAGE_MAX || len > cursor_left(&c))
        return ERR_DECODE;
    out->version = version;
    out->kind = (enum message_kind)kind;
    if (version < WIRE_OLDEST || !wire_kind_of(kind))
        return ERR_NOTSUP;
    struct wire_budget budget = {arena, len + WIRE_MEMORY};
    ProtobufCAllocator allocator = wire_allocator(&budget);
    const uint8_t *packed = get_bytes(&c, len);
    const Pactfs__Wire__Message *head = pactfs__wire__message__unpack(&allocator, len, packed);
    if (!head)
        return ERR_DECODE;
    out->payload = (struct bytes){packed + len, cursor_left(&c)};
#if WIRE_VERSION > 1
    unpack_newest(head, out);
#endif
    bool sound = unpack_common(head, out) && unpack_parts(head, arena, out);
    return sound ? OK : ERR_DECODE;
}
