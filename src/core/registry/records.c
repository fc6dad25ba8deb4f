/* SPDX-License-Identifier: MIT
 *
 * records.c: the values of the registry, between structs and bytes.
 *
 * What is encoded has been checked where it came from, so breaking a limit there is a broken
 * invariant. What is decoded may come from anywhere.
 */
#include "core/registry/records.h"

#include <registry.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/contract/contract.h"
#include "core/registry/registry.h"

/* --- keys --- */

static const char *key_made(const char *key, int length)
{
    INVARIANT(length > 0 && (unsigned)length <= REGISTRY_KEY_MAX);
    return key;
}

const char *record_key_number(char *key, const char *kind, uint64_t number)
{
    return key_made(
        key, snprintf(key, REGISTRY_KEY_MAX + 1, "%s/%llu", kind, (unsigned long long)number));
}

const char *record_key_uuid(char *key, const char *kind, const uint8_t uuid[16])
{
    char text[33];
    record_uuid_print(uuid, text);
    return record_key_text(key, kind, text);
}

const char *record_key_text(char *key, const char *kind, const char *text)
{
    return key_made(key, snprintf(key, REGISTRY_KEY_MAX + 1, "%s/%s", kind, text));
}

static int hexadecimal(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    if (letter >= 'a' && letter <= 'f')
        return letter - 'a' + 10;
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

bool record_uuid(const char *text, uint8_t uuid[16])
{
    uint8_t read[16];
    for (int i = 0; i < 16; i++) {
        int high = hexadecimal(text[2 * i]);
        int low = high < 0 ? -1 : hexadecimal(text[2 * i + 1]);
        if (low < 0)
            return false;
        read[i] = (uint8_t)(high << 4 | low);
    }
    if (text[32])
        return false;
    memcpy(uuid, read, sizeof read);
    return true;
}

void record_uuid_print(const uint8_t uuid[16], char out[33])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[2 * i] = digits[uuid[i] >> 4];
        out[2 * i + 1] = digits[uuid[i] & 15];
    }
    out[32] = 0;
}

bool record_name_sound(const char *name)
{
    size_t length = 0;
    for (; name[length]; length++) {
        char c = name[length];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (length == RECORD_NAME_MAX - 1 || (!plain && c != '_' && c != '-' && c != '.'))
            return false;
        if (length == 0 && !plain && c != '_')
            return false;
    }
    return length > 0;
}

/* --- parts of values --- */

static bool address_sound(const char *address)
{
    size_t length = 0;
    for (; address[length]; length++)
        if (length == RECORD_ADDR_MAX - 1 || address[length] <= ' ' || address[length] > '~')
            return false;
    return length > 0;
}

static bool number_sound(uint32_t number)
{
    return number >= 1 && number <= RECORD_NODE_LAST;
}

static bool role_sound(uint32_t role)
{
    return role == ROLE_NODE || role == ROLE_CLIENT || role == ROLE_ADMINISTRATOR;
}

static bool replicas_sound(const uint32_t *replicas, size_t count)
{
    if (count < 1 || count > GROUP_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!number_sound(replicas[i]))
            return false;
        for (size_t k = 0; k < i; k++)
            if (replicas[k] == replicas[i])
                return false;
    }
    return true;
}

static bool members_sound(const struct view *view)
{
    return view_sound(view) && number_sound(view->members[0]) &&
           number_sound(view->members[view->count - 1]);
}

static ProtobufCBinaryData data_of(const void *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static ProtobufCBinaryData data_of_text(const char *text)
{
    return data_of(text, strlen(text));
}

/* False: longer than `room` less its NUL, or a NUL inside. */
static bool take_text(const ProtobufCBinaryData *data, char *out, size_t room)
{
    if (data->len >= room || (data->len && memchr(data->data, 0, data->len)))
        return false;
    memset(out, 0, room);
    if (data->len)
        memcpy(out, data->data, data->len);
    return true;
}

static bool take_name(const ProtobufCBinaryData *data, char out[RECORD_NAME_MAX])
{
    return take_text(data, out, RECORD_NAME_MAX) && record_name_sound(out);
}

static bool take_uuid(const ProtobufCBinaryData *data, uint8_t out[16])
{
    if (data->len != 16)
        return false;
    memcpy(out, data->data, 16);
    return true;
}

static struct bytes packed(const ProtobufCMessage *message, struct arena *arena)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    INVARIANT(len <= REGISTRY_VALUE_MAX);
    uint8_t *buf = arena_alloc(arena, len);
    INVARIANT(protobuf_c_message_pack(message, buf) == len);
    return (struct bytes){buf, len};
}

static void *unpacked(const ProtobufCMessageDescriptor *kind, struct bytes value,
                      struct arena *arena)
{
    if (!value.data || value.len > REGISTRY_VALUE_MAX)
        return NULL;
    ProtobufCAllocator allocator = arena_allocator(arena);
    return protobuf_c_message_unpack(kind, &allocator, value.len, value.data);
}

/* --- the cell --- */

struct bytes record_encode_cell(const struct record_cell *cell, struct arena *arena)
{
    Pactfs__CellRecord m = PACTFS__CELL_RECORD__INIT;
    INVARIANT(record_name_sound(cell->name) && cell->wire_version > 0);
    m.uuid = data_of(cell->uuid, 16);
    m.name = data_of_text(cell->name);
    m.wire_version = cell->wire_version;
    m.created = cell->created;
    return packed(&m.base, arena);
}

static bool cell_of(const Pactfs__CellRecord *m, struct record_cell *out)
{
    out->wire_version = m->wire_version;
    out->created = m->created;
    return take_uuid(&m->uuid, out->uuid) && take_name(&m->name, out->name) && m->wire_version > 0;
}

enum err record_decode_cell(struct bytes value, struct record_cell *out)
{
    struct arena arena;
    struct record_cell cell = {0};
    arena_init(&arena);
    const Pactfs__CellRecord *m = unpacked(&pactfs__cell_record__descriptor, value, &arena);
    bool sound = m && cell_of(m, &cell);
    arena_free(&arena);
    if (!sound)
        return ERR_DECODE;
    *out = cell;
    return OK;
}

/* --- nodes --- */

struct bytes record_encode_node(const struct record_node *node, struct arena *arena)
{
    Pactfs__NodeRecord m = PACTFS__NODE_RECORD__INIT;
    INVARIANT(number_sound(node->number) && record_name_sound(node->name));
    INVARIANT(address_sound(node->address) && node->wire_version > 0);
    m.number = node->number;
    m.name = data_of_text(node->name);
    m.address = data_of_text(node->address);
    m.wire_version = node->wire_version;
    m.registry = node->registry;
    m.leaving = node->leaving;
    m.joined = node->joined;
    m.disk_total = node->disk_total;
    m.disk_available = node->disk_available;
    return packed(&m.base, arena);
}

static bool node_of(const Pactfs__NodeRecord *m, struct record_node *out)
{
    out->number = m->number;
    out->wire_version = m->wire_version;
    out->registry = m->registry;
    out->leaving = m->leaving;
    out->joined = m->joined;
    out->disk_total = m->disk_total;
    out->disk_available = m->disk_available;
    return number_sound(m->number) && take_name(&m->name, out->name) && m->wire_version > 0 &&
           take_text(&m->address, out->address, RECORD_ADDR_MAX) && address_sound(out->address);
}

enum err record_decode_node(struct bytes value, struct record_node *out)
{
    struct arena arena;
    struct record_node node = {0};
    arena_init(&arena);
    const Pactfs__NodeRecord *m = unpacked(&pactfs__node_record__descriptor, value, &arena);
    bool sound = m && node_of(m, &node);
    arena_free(&arena);
    if (!sound)
        return ERR_DECODE;
    *out = node;
    return OK;
}

/* --- volumes --- */

struct bytes record_encode_volume(const struct record_volume *volume, struct arena *arena)
{
    Pactfs__VolumeRecord m = PACTFS__VOLUME_RECORD__INIT;
    INVARIANT(record_name_sound(volume->name) && volume->contract.len <= CONTRACT_TEXT_MAX);
    INVARIANT(replicas_sound(volume->replicas, volume->replica_count));
    INVARIANT(volume->deleted >= 0);
    m.name = data_of_text(volume->name);
    m.uuid = data_of(volume->identity.uuid, 16);
    m.salt = volume->identity.salt;
    m.created_store = volume->identity.created;
    m.contract = data_of(volume->contract.data, volume->contract.len);
    m.n_replicas = volume->replica_count;
    m.replicas = (uint32_t *)(uintptr_t)volume->replicas;
    m.created = volume->created;
    m.deleted = volume->deleted;
    m.made_by = volume->made_by;
    return packed(&m.base, arena);
}

static bool volume_of(const Pactfs__VolumeRecord *m, struct record_volume *out)
{
    if (!replicas_sound(m->replicas, m->n_replicas) || m->contract.len > CONTRACT_TEXT_MAX ||
        m->deleted < 0)
        return false;
    memcpy(out->replicas, m->replicas, m->n_replicas * sizeof *m->replicas);
    out->replica_count = (uint32_t)m->n_replicas;
    out->identity.salt = m->salt;
    out->identity.created = m->created_store;
    out->contract = (struct bytes){m->contract.data, m->contract.len};
    out->created = m->created;
    out->deleted = m->deleted;
    out->made_by = m->made_by;
    return take_name(&m->name, out->name) && take_uuid(&m->uuid, out->identity.uuid);
}

enum err record_decode_volume(struct bytes value, struct arena *arena, struct record_volume *out)
{
    struct record_volume volume = {0};
    const Pactfs__VolumeRecord *m = unpacked(&pactfs__volume_record__descriptor, value, arena);
    if (!m || !volume_of(m, &volume))
        return ERR_DECODE;
    *out = volume;
    return OK;
}

/* --- invitations --- */

struct bytes record_encode_invite(const struct record_invite *invite, struct arena *arena)
{
    Pactfs__InviteRecord m = PACTFS__INVITE_RECORD__INIT;
    INVARIANT(role_sound(invite->role) && invite->uid >= -1);
    m.role = invite->role;
    m.expires = invite->expires;
    m.uid = invite->uid;
    m.used = invite->used;
    return packed(&m.base, arena);
}

enum err record_decode_invite(struct bytes value, struct record_invite *out)
{
    struct arena arena;
    enum err err = ERR_DECODE;
    arena_init(&arena);
    const Pactfs__InviteRecord *m = unpacked(&pactfs__invite_record__descriptor, value, &arena);
    if (m && role_sound(m->role) && m->uid >= -1) {
        *out = (struct record_invite){
            .role = m->role, .expires = m->expires, .uid = m->uid, .used = m->used};
        err = OK;
    }
    arena_free(&arena);
    return err;
}

/* --- views --- */

struct bytes record_encode_view(const struct view *view, struct arena *arena)
{
    Pactfs__ViewRecord m = PACTFS__VIEW_RECORD__INIT;
    INVARIANT(members_sound(view));
    m.number = view->number;
    m.primary = view->primary;
    m.n_members = view->count;
    m.members = (uint32_t *)(uintptr_t)view->members;
    return packed(&m.base, arena);
}

static bool view_of(const Pactfs__ViewRecord *m, struct view *out)
{
    if (m->n_members > GROUP_MAX)
        return false;
    out->number = m->number;
    out->primary = m->primary;
    out->count = (uint32_t)m->n_members;
    if (m->n_members)
        memcpy(out->members, m->members, m->n_members * sizeof *m->members);
    return members_sound(out);
}

enum err record_decode_view(struct bytes value, struct view *out)
{
    struct arena arena;
    struct view view = {0};
    arena_init(&arena);
    const Pactfs__ViewRecord *m = unpacked(&pactfs__view_record__descriptor, value, &arena);
    bool sound = m && view_of(m, &view);
    arena_free(&arena);
    if (!sound)
        return ERR_DECODE;
    *out = view;
    return OK;
}
