/* SPDX-License-Identifier: MIT
 *
 * reply.c: results of operations on the wire, and as they are kept for a request that comes again.
 */
#include <string.h>

#include "core/wire/private.h"

enum err wire_err(const char *name)
{
    if (!name || !*name)
        return OK;
    for (enum err e = OK; e < ERR_COUNT; e++)
        if (strcmp(name, err_name(e)) == 0)
            return e;
    return ERR_IO;
}

const char *wire_err_name(enum err err)
{
    return err == OK ? "" : err_name(err);
}

/* --- packing --- */

static Pactfs__Wire__Attr *pack_attr(const struct fs_attr *attr, struct arena *arena)
{
    if (wire_attr_is_zero(attr))
        return NULL;
    Pactfs__Wire__Attr *out = arena_alloc(arena, sizeof *out);
    wire_pack_attr(attr, out);
    return out;
}

static void pack_entries(const struct fs_result *result, struct arena *arena,
                         Pactfs__Wire__Result *out)
{
    uint32_t count = result->entry_count;
    INVARIANT(count <= WIRE_ENTRIES_MAX);
    Pactfs__Wire__Entry *entries = arena_alloc(arena, sizeof *entries * count);
    out->n_entries = count;
    out->entries = arena_alloc(arena, sizeof *out->entries * count);
    for (uint32_t i = 0; i < count; i++) {
        pactfs__wire__entry__init(&entries[i]);
        entries[i].name = wire_binary(result->entries[i].name);
        entries[i].cookie = result->entries[i].cookie;
        entries[i].attr = pack_attr(&result->entries[i].attr, arena);
        out->entries[i] = &entries[i];
    }
}

void wire_pack_result(const struct fs_result *result, struct arena *arena,
                      Pactfs__Wire__Result *out)
{
    pactfs__wire__result__init(out);
    out->attr = pack_attr(&result->attr, arena);
    out->attr2 = pack_attr(&result->attr2, arena);
    out->value = wire_binary(result->value);
    out->offset = result->offset;
    out->length = result->length;
    out->end = result->end;
    out->again = result->again;
    if (result->entry_count)
        pack_entries(result, arena, out);
}

/* --- unpacking --- */

static bool name_sound(struct bytes name)
{
    return name.len > 0 && name.len <= FS_NAME_MAX && !memchr(name.data, 0, name.len) &&
           !memchr(name.data, '/', name.len);
}

static bool unpack_entries(const Pactfs__Wire__Result *result, struct arena *arena,
                           struct fs_result *out)
{
    if (result->n_entries > WIRE_ENTRIES_MAX)
        return false;
    struct fs_entry *entries = arena_alloc(arena, sizeof *entries * result->n_entries);
    uint64_t before = 0;
    for (size_t i = 0; i < result->n_entries; i++) {
        const Pactfs__Wire__Entry *e = result->entries[i];
        entries[i].name = wire_bytes(e->name);
        entries[i].cookie = e->cookie;
        wire_unpack_attr(e->attr, &entries[i].attr);
        if (!name_sound(entries[i].name) || e->cookie <= before || entries[i].attr.ino == 0)
            return false;
        before = e->cookie;
    }
    out->entries = entries;
    out->entry_count = (uint32_t)result->n_entries;
    return true;
}

bool wire_unpack_result(const Pactfs__Wire__Result *result, struct arena *arena,
                        struct fs_result *out)
{
    *out = (struct fs_result){0};
    out->value = (struct bytes){(const uint8_t *)"", 0};
    if (!result)
        return true;
    wire_unpack_attr(result->attr, &out->attr);
    wire_unpack_attr(result->attr2, &out->attr2);
    out->value = wire_bytes(result->value);
    out->offset = result->offset;
    out->length = result->length;
    out->end = result->end != 0;
    out->again = result->again != 0;
    if (out->value.len > FS_XATTR_MAX)
        return false;
    return result->n_entries == 0 || unpack_entries(result, arena, out);
}

/* --- what is kept --- */

struct bytes wire_keep_reply(uint64_t serial, enum err err, const struct fs_result *result,
                             struct arena *arena)
{
    Pactfs__Wire__Kept kept = PACTFS__WIRE__KEPT__INIT;
    Pactfs__Wire__Result packed;
    INVARIANT(result->entry_count == 0 && result->value.len <= FS_SYMLINK_MAX);
    wire_pack_result(result, arena, &packed);
    kept.serial = serial;
    kept.err = (char *)(uintptr_t)wire_err_name(err);
    kept.result = &packed;
    size_t len = pactfs__wire__kept__get_packed_size(&kept);
    INVARIANT(len <= OBJECT_VALUE_MAX);
    uint8_t *out = arena_alloc(arena, len);
    INVARIANT(pactfs__wire__kept__pack(&kept, out) == len);
    return (struct bytes){out, len};
}

enum err wire_kept_reply(struct bytes value, struct arena *arena, uint64_t *serial, enum err *err,
                         struct fs_result *result)
{
    struct wire_budget budget = {arena, value.len + WIRE_MEMORY};
    ProtobufCAllocator allocator = wire_allocator(&budget);
    if (value.len > OBJECT_VALUE_MAX)
        return ERR_DECODE;
    const Pactfs__Wire__Kept *kept = pactfs__wire__kept__unpack(&allocator, value.len, value.data);
    if (!kept || !wire_unpack_result(kept->result, arena, result) || result->entry_count)
        return ERR_DECODE;
    *serial = kept->serial;
    *err = wire_err(kept->err);
    return OK;
}
