/* SPDX-License-Identifier: MIT
 *
 * encode.c: messages into bytes, and onto the net.
 *
 * The prefix, little endian: magic 4, version 2, kind 2, length of the head 4.
 */
#include <string.h>

#include "core/wire/private.h"

/* The parts of a head that are there once at most; on the stack while it is packed. */
struct packing {
    Pactfs__Wire__Message head;
    Pactfs__Wire__Op op;
    Pactfs__Wire__Result result;
    Pactfs__Wire__Stamp stamps[3];
    Pactfs__Wire__Key keys[2];
    Pactfs__Wire__View view;
#if WIRE_VERSION > 1
    ProtobufCMessageUnknownField newest;
    uint8_t newest_value;
#endif
};

static Pactfs__Wire__Stamp *pack_stamp(struct stamp stamp, Pactfs__Wire__Stamp *out)
{
    if (stamp.time == 0 && stamp.node == 0)
        return NULL;
    pactfs__wire__stamp__init(out);
    out->time = stamp.time;
    out->node = stamp.node;
    return out;
}

static Pactfs__Wire__Key *pack_key(const struct object_key *key, Pactfs__Wire__Key *out)
{
    if (key->kind == 0 && key->ino == 0 && key->sub == 0)
        return NULL;
    pactfs__wire__key__init(out);
    out->kind = key->kind;
    out->ino = key->ino;
    out->sub = key->sub;
    return out;
}

static Pactfs__Wire__View *pack_view(const struct view *view, Pactfs__Wire__View *out)
{
    if (view->number == 0)
        return NULL;
    INVARIANT(view_sound(view));
    pactfs__wire__view__init(out);
    out->number = view->number;
    out->primary = view->primary;
    out->n_members = view->count;
    out->members = (uint32_t *)(uintptr_t)view->members;
    return out;
}

/* What any kind may have. */
static void pack_common(const struct message *message, struct packing *p)
{
    static const uint8_t none[sizeof message->volume];
    Pactfs__Wire__Message *head = &p->head;
    if (memcmp(message->volume, none, sizeof none) != 0)
        head->volume = wire_binary((struct bytes){message->volume, sizeof message->volume});
    head->number = message->number;
    head->session = message->session;
    head->serial = message->serial;
    head->slot = message->slot;
    head->count = message->count;
    head->whole = message->whole;
    head->end = message->end;
    head->err = (char *)(uintptr_t)wire_err_name(message->err);
    head->stamp = pack_stamp(message->stamp, &p->stamps[0]);
    head->before = pack_stamp(message->before, &p->stamps[1]);
    head->last = pack_stamp(message->last, &p->stamps[2]);
    head->from = pack_key(&message->from, &p->keys[0]);
    head->to = pack_key(&message->to, &p->keys[1]);
    head->view = pack_view(&message->view, &p->view);
}

static void pack_parts(const struct message *message, struct packing *p, struct arena *arena)
{
    Pactfs__Wire__Message *head = &p->head;
    uint32_t parts = wire_kind_of((uint32_t)message->kind)->parts;
    if (parts & WIRE_OP) {
        wire_pack_op(&message->op, arena, &p->op);
        head->op = &p->op;
    }
    if (parts & WIRE_RESULT) {
        wire_pack_result(&message->result, arena, &p->result);
        head->result = &p->result;
    }
    if (parts & WIRE_INOS) {
        INVARIANT(message->ino_count <= WIRE_ENTRIES_MAX);
        head->n_inos = message->ino_count;
        head->inos = (uint64_t *)(uintptr_t)message->inos;
    }
    if (parts & (WIRE_LEAVES | WIRE_NAMES))
        wire_pack_lists(message, arena, head);
    if (parts & WIRE_HEAD)
        head->head = wire_binary(message->head);
    if (parts & WIRE_TEXT)
        head->text = wire_binary(message->text);
}

#if WIRE_VERSION > 1
/* A field that version 1 does not have, so that a test can see it ignored. */
static void pack_newest(struct packing *p)
{
    p->newest_value = (uint8_t)WIRE_VERSION;
    p->newest = (ProtobufCMessageUnknownField){.tag = WIRE_NEWEST,
                                               .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT,
                                               .len = 1,
                                               .data = &p->newest_value};
    p->head.base.n_unknown_fields = 1;
    p->head.base.unknown_fields = &p->newest;
}
#endif

struct bytes wire_encode(const struct message *message, struct arena *arena)
{
    struct packing p;
    INVARIANT(wire_kind_of((uint32_t)message->kind) != NULL);
    pactfs__wire__message__init(&p.head);
    pack_common(message, &p);
    pack_parts(message, &p, arena);
#if WIRE_VERSION > 1
    pack_newest(&p);
#endif
    size_t len = pactfs__wire__message__get_packed_size(&p.head);
    INVARIANT(len < UINT32_MAX - WIRE_PREFIX);
    uint8_t *out = arena_alloc(arena, WIRE_PREFIX + len);
    struct cursor c = cursor_over(out, WIRE_PREFIX);
    put_u32(&c, WIRE_MAGIC);
    put_u16(&c, (uint16_t)WIRE_VERSION);
    put_u16(&c, (uint16_t)message->kind);
    put_u32(&c, (uint32_t)len);
    INVARIANT(!c.bad && cursor_left(&c) == 0);
    INVARIANT(pactfs__wire__message__pack(&p.head, out + WIRE_PREFIX) == len);
    return (struct bytes){out, WIRE_PREFIX + len};
}

enum err wire_send(struct net *net, uint32_t to, const struct message *message,
                   const struct env_iov *payload, int count,
                   struct arena *arena) /* lint: parameters-ok as net_ops.send, and what it is */
{
    struct bytes head = wire_encode(message, arena);
    struct env_iov *pieces = arena_alloc(arena, sizeof *pieces * ((size_t)count + 1));
    pieces[0] = (struct env_iov){(void *)(uintptr_t)head.data, head.len};
    if (count > 0)
        memcpy(&pieces[1], payload, sizeof *pieces * (size_t)count);
    return net->ops->send(net, to, pieces, count + 1);
}
