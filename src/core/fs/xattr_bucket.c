/* SPDX-License-Identifier: MIT
 *
 * xattr_bucket.c: where extended attributes lie: buckets, long values, totals.
 */
#include "core/fs/xattr_bucket.h"

#include <pactfs.pb-c.h>
#include <string.h>

#include "core/fs/dir.h"

static bool decode_one(const Pactfs__Xattr *m, struct xattr_bucket *bucket)
{
    const struct xattr *last = bucket->count ? &bucket->list[bucket->count - 1] : NULL;
    if (m->name.len == 0 || m->name.len > FS_NAME_MAX || m->slot >= XATTR_SLOTS ||
        m->long_length > FS_XATTR_MAX || (last && last->slot >= m->slot))
        return false;
    bucket->list[bucket->count++] = (struct xattr){
        .name = {m->name.data, m->name.len},
        .value = {m->value.data, m->value.len},
        .long_length = m->long_length,
        .slot = m->slot,
    };
    return true;
}

enum err xattr_bucket_decode(struct arena *arena, struct bytes value, struct xattr_bucket *out)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    Pactfs__XattrBucket *m = pactfs__xattr_bucket__unpack(&allocator, value.len, value.data);
    out->count = 0;
    if (!m || m->n_xattrs == 0 || m->n_xattrs > XATTR_SLOTS)
        return ERR_CORRUPT;
    for (size_t i = 0; i < m->n_xattrs; i++) {
        if (!decode_one(m->xattrs[i], out))
            return ERR_CORRUPT;
    }
    return OK;
}

static ProtobufCBinaryData to_pb(struct bytes b)
{
    return (ProtobufCBinaryData){.len = b.len, .data = (uint8_t *)(uintptr_t)b.data};
}

/* The bucket as bytes; len beyond OBJECT_VALUE_MAX and no data when it is too big. */
static struct bytes encode(struct arena *arena, const struct xattr_bucket *bucket)
{
    Pactfs__Xattr xattrs[XATTR_SLOTS], *list[XATTR_SLOTS];
    Pactfs__XattrBucket m = PACTFS__XATTR_BUCKET__INIT;
    for (uint32_t i = 0; i < bucket->count; i++) {
        const struct xattr *x = &bucket->list[i];
        pactfs__xattr__init(&xattrs[i]);
        xattrs[i].name = to_pb(x->name);
        xattrs[i].value = x->long_length ? (ProtobufCBinaryData){0} : to_pb(x->value);
        xattrs[i].long_length = x->long_length;
        xattrs[i].slot = x->slot;
        list[i] = &xattrs[i];
    }
    m.n_xattrs = bucket->count;
    m.xattrs = list;
    size_t len = pactfs__xattr_bucket__get_packed_size(&m);
    if (len > OBJECT_VALUE_MAX)
        return (struct bytes){NULL, len};
    uint8_t *buf = arena_alloc(arena, len);
    INVARIANT(pactfs__xattr_bucket__pack(&m, buf) == len);
    return (struct bytes){buf, len};
}

struct object_key xattr_key(const struct fs_call *call, uint64_t ino, struct bytes name)
{
    return (struct object_key){OBJECT_XATTR, ino, name_hash(call->volume, name)};
}

static struct object_key key_long(const struct xattr_bucket *bucket, const struct xattr *x)
{
    return (struct object_key){OBJECT_XATTR_DATA, bucket->key.ino, bucket->key.sub | x->slot};
}

enum err xattr_load(struct fs_call *call, uint64_t ino, struct bytes name,
                    struct xattr_bucket *bucket, struct xattr **found)
{
    struct object_version version;
    bucket->key = xattr_key(call, ino, name);
    bucket->count = 0;
    *found = NULL;
    enum err err = ws_get(call->ws, bucket->key, &version);
    if (err == OK && version.present)
        err = xattr_bucket_decode(&call->ws->arena, version.value, bucket);
    for (uint32_t i = 0; err == OK && i < bucket->count; i++) {
        struct xattr *x = &bucket->list[i];
        if (x->name.len == name.len && memcmp(x->name.data, name.data, name.len) == 0)
            *found = x;
    }
    return err;
}

enum err xattr_read(struct fs_call *call, const struct xattr_bucket *bucket, const struct xattr *x,
                    struct bytes *value)
{
    *value = x->value;
    if (!x->long_length)
        return OK;
    uint32_t chunks = (x->long_length + CHUNK_SIZE - 1) / CHUNK_SIZE;
    uint8_t *buf = arena_alloc(&call->ws->arena, (size_t)chunks * CHUNK_SIZE);
    enum err err = OK;
    for (uint32_t i = 0; i < chunks; i++) {
        const uint8_t *data;
        enum err one = ws_get_chunk(call->ws, key_long(bucket, x), i, &data);
        if (one == OK)
            memcpy(buf + (size_t)i * CHUNK_SIZE, data, CHUNK_SIZE);
        else
            err = one;
    }
    *value = (struct bytes){buf, x->long_length};
    return err;
}

static void count_out(struct fs_call *call, struct inode *inode, const struct xattr *x)
{
    uint64_t bytes = x->name.len + xattr_length(x);
    if (!fs_expect(call, inode->xattr_bytes >= bytes && inode->xattr_names > x->name.len)) /* I6 */
        return;
    inode->xattr_bytes -= bytes;
    inode->xattr_names -= x->name.len + 1;
}

void xattr_take(struct fs_call *call, struct inode *inode, struct xattr_bucket *bucket,
                struct xattr *x)
{
    if (x->long_length)
        ws_delete(call->ws, key_long(bucket, x));
    count_out(call, inode, x);
    size_t behind = (size_t)(bucket->list + bucket->count - (x + 1));
    memmove(x, x + 1, behind * sizeof *x);
    bucket->count--;
    if (bucket->count)
        ws_put(call->ws, bucket->key, encode(&call->ws->arena, bucket));
    else
        ws_delete(call->ws, bucket->key);
}

/* A new attribute with no value yet in the first free slot. */
static struct xattr *make_room(struct xattr_bucket *bucket, struct bytes name)
{
    uint32_t slot = 0;
    if (bucket->count == XATTR_SLOTS)
        return NULL;
    while (slot < bucket->count && bucket->list[slot].slot == slot)
        slot++;
    struct xattr *x = &bucket->list[slot];
    memmove(x + 1, x, (bucket->count - slot) * sizeof *x);
    *x = (struct xattr){.name = name, .slot = slot};
    bucket->count++;
    return x;
}

enum err xattr_store(struct fs_call *call, struct inode *inode, struct xattr_bucket *bucket,
                     struct xattr *x, const struct xattr *set)
{
    if (x) {
        if (x->long_length)
            ws_delete(call->ws, key_long(bucket, x));
        count_out(call, inode, x);
    } else {
        x = make_room(bucket, set->name);
    }
    if (!x)
        return ERR_XATTR_NOSPC;
    x->value = set->value;
    x->long_length = set->value.len > XATTR_INLINE ? (uint32_t)set->value.len : 0;
    inode->xattr_bytes += set->name.len + set->value.len;
    inode->xattr_names += set->name.len + 1;
    if (inode->xattr_bytes > XATTR_TOTAL_MAX || inode->xattr_names > XATTR_NAMES_MAX - 64)
        return ERR_XATTR_NOSPC;
    struct bytes value = encode(&call->ws->arena, bucket);
    if (!value.data) {
        x->long_length = (uint32_t)set->value.len;
        value = encode(&call->ws->arena, bucket);
    }
    if (!value.data)
        return ERR_XATTR_NOSPC;
    ws_put(call->ws, bucket->key, value);
    if (x->long_length) {
        MARK(xattr_long);
        ws_write_chunks(call->ws, key_long(bucket, x), 0, set->value, NULL);
    }
    return OK;
}

static struct bytes capability_name(void)
{
    return (struct bytes){(const uint8_t *)XATTR_CAPABILITY, sizeof XATTR_CAPABILITY - 1};
}

bool xattr_is_capability(struct bytes name)
{
    struct bytes c = capability_name();
    return name.len == c.len && memcmp(name.data, c.data, c.len) == 0;
}

enum err xattr_drop_capability(struct fs_call *call, struct inode *inode)
{
    struct xattr_bucket bucket;
    struct xattr *x;
    enum err err = xattr_load(call, inode->ino, capability_name(), &bucket, &x);
    if (err != OK)
        return err;
    if (x)
        xattr_take(call, inode, &bucket, x);
    inode->flags &= ~(uint32_t)INODE_CAPABILITY;
    return OK;
}

enum err xattr_delete_all(struct fs_call *call, const struct inode *inode)
{
    if (!inode->xattr_bytes)
        return OK;
    static const uint8_t kinds[] = {OBJECT_XATTR, OBJECT_XATTR_DATA};
    struct ws_scan scans[2];
    enum err err = OK;
    for (int i = 0; i < 2; i++) {
        enum err one =
            ws_scan(call->ws, &(struct ws_range){kinds[i], inode->ino, 0, UINT64_MAX, WS_SCAN_MAX},
                    &scans[i]);
        if (one != OK)
            err = one;
    }
    for (int i = 0; err == OK && i < 2; i++) {
        for (uint32_t j = 0; j < scans[i].count; j++)
            ws_delete(call->ws, scans[i].found[j].key);
    }
    return err;
}
