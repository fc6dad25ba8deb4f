/* SPDX-License-Identifier: MIT
 *
 * fs.c: the file service over hostile objects: every operation gets whatever values the input says,
 * each well or badly formed, and contradicting one another. fs_apply must answer, with an error
 * where they make no sense, and leave no writes behind then.
 *
 * Input: OPERATION bytes of operation, then values: a length of two bytes and so many bytes. The
 * first is the operation's own, the others are the objects', in the order in which the operation
 * asks for them; a length with its top bit set stands for a well-formed value, whose claims are
 * drawn from the other bits. When they have run out, objects are absent.
 */
#include <pactfs.pb-c.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/fs/dir.h"
#include "core/fs/fs.h"
#include "core/fs/xattr.h"
#include "fuzz.h"

#define OPERATION 48u
#define ROUNDS    64u
#define FOUND_MAX 16u

static struct bytes next_value(struct cursor *in)
{
    size_t len = cursor_left(in) >= 2 ? get_u16(in) : 0;

    if (len > cursor_left(in))
        len = cursor_left(in);
    if (len > OBJECT_VALUE_MAX)
        len = OBJECT_VALUE_MAX;
    return (struct bytes){get_bytes(in, len), len};
}

static const char *const names[] = {"a",
                                    "b",
                                    "..",
                                    "user.a",
                                    "system.posix_acl_access",
                                    "system.posix_acl_default",
                                    "security.capability",
                                    ""};

static struct bytes name_of(uint8_t n)
{
    const char *name = names[n % 8];

    return (struct bytes){(const uint8_t *)name, strlen(name)};
}

/* --- objects that are well formed, and true or not --- */

/* Small numbers, and now and then one at an edge. */
static uint32_t claim(struct cursor *in)
{
    static const uint32_t edges[] = {2, FS_LINK_MAX, UINT32_MAX, 1u << 20};
    uint8_t n = get_u8(in);

    return n < 240 ? n % 6 : edges[n % 4];
}

static struct bytes made_inode(struct arena *arena, struct cursor *in)
{
    static const uint8_t acl[] = {2, 0, 0,   0,   1,   0,   7,    0, 255, 255, 255, 255, 4,   0,
                                  5, 0, 255, 255, 255, 255, 0x20, 0, 5,   0,   255, 255, 255, 255};
    static const uint32_t types[] = {FS_REG, FS_DIR, FS_DIR, FS_LNK};
    uint8_t type = get_u8(in);
    struct inode inode = {.ino = 1, .mode = types[type % 4] | 0755};

    inode.nlink = claim(in);
    inode.size = (uint64_t)get_u8(in) * 5000;
    inode.chunks = claim(in) % 1024;
    inode.entries = claim(in);
    inode.parent = get_u8(in) % 4;
    inode.xattr_bytes = get_u8(in);
    inode.xattr_names = get_u8(in);
    inode.flags = get_u8(in) % 4;
    if (inode.chunks > inode.size / CHUNK_SIZE)
        inode.chunks = inode.size / CHUNK_SIZE;
    if (inode_is_dir(&inode) && (type & 16))
        inode.acl_default = (struct bytes){acl, sizeof acl};
    return inode_encode(arena, &inode);
}

static struct bytes made_names(struct arena *arena, struct cursor *in)
{
    static const uint32_t types[] = {FS_REG, FS_DIR, FS_DIR, FS_LNK};
    struct dir_bucket bucket = {.count = 1 + get_u8(in) % 3};

    for (uint32_t i = 0; i < bucket.count; i++) {
        struct dir_entry *e = &bucket.entries[i];

        e->name = name_of(get_u8(in) % 2);
        e->ino = 1 + get_u8(in) % 5;
        e->type = types[get_u8(in) % 4];
        e->slot = 5 * i + get_u8(in) % 5;
    }
    return bucket_encode(arena, &bucket);
}

static struct bytes made_attributes(struct arena *arena, struct cursor *in)
{
    Pactfs__Xattr xattrs[3], *list[3];
    Pactfs__XattrBucket bucket = PACTFS__XATTR_BUCKET__INIT;
    static uint8_t text[2000];
    uint8_t *packed;

    bucket.n_xattrs = 1 + get_u8(in) % 3;
    bucket.xattrs = list;
    for (uint32_t i = 0; i < bucket.n_xattrs; i++) {
        struct bytes name = name_of(3 * (get_u8(in) % 3));
        uint8_t value = get_u8(in);

        list[i] = &xattrs[i];
        pactfs__xattr__init(list[i]);
        list[i]->name = (ProtobufCBinaryData){name.len, (uint8_t *)(uintptr_t)name.data};
        list[i]->value = (ProtobufCBinaryData){value < 200 ? value : 2000, text};
        list[i]->long_length = value % 5 ? 0 : value * 100u;
        list[i]->slot = 4 * i + get_u8(in) % 4;
    }
    packed = arena_alloc(arena, pactfs__xattr_bucket__get_packed_size(&bucket));
    return (struct bytes){packed, pactfs__xattr_bucket__pack(&bucket, packed)};
}

static struct bytes made_value(struct workspace *ws, uint16_t seed, uint8_t kind)
{
    uint64_t draw[2] = {checksum64(&seed, sizeof seed, 1), checksum64(&seed, sizeof seed, 2)};
    struct cursor own = cursor_over(arena_copy(&ws->arena, draw, sizeof draw), sizeof draw);

    if (kind == OBJECT_INODE)
        return made_inode(&ws->arena, &own);
    if (kind == OBJECT_DIRENT)
        return made_names(&ws->arena, &own);
    if (kind == OBJECT_XATTR)
        return made_attributes(&ws->arena, &own);
    return (struct bytes){own.at, sizeof draw};
}

static struct object_version next_version(struct workspace *ws, struct cursor *in, uint8_t kind)
{
    struct object_version version = {.stamp = {5, 1}};

    if (cursor_left(in) >= 2 && in->at[1] & 0x80)
        version.value = made_value(ws, get_u16(in), kind);
    else
        version.value = next_value(in);
    version.present = version.value.len > 0;
    if (object_kind_is_block(kind)) {
        memcpy(&version.chunks,
               version.value.len >= 4 ? version.value.data : (const uint8_t *)"\1\0\0", 4);
        version.value = (struct bytes){NULL, 0};
        version.present = version.present && version.chunks != 0;
    }
    if (!version.present)
        version.chunks = 0;
    return version;
}

static void supply_scan(struct workspace *ws, const struct ws_need *need, struct cursor *in)
{
    struct ws_found found[FOUND_MAX];
    uint64_t sub = need->from;
    uint32_t n = 0;

    while (n < FOUND_MAX && n < need->limit && cursor_left(in) > 2) {
        uint64_t step = get_u8(in);

        sub = sub < need->to && step < need->to - sub ? sub + step : need->to;
        found[n].key = (struct object_key){need->key.kind, need->key.ino, sub};
        found[n].version = next_version(ws, in, need->key.kind);
        if (found[n].version.present)
            n++;
        if (sub == need->to)
            break;
        sub++;
    }
    ws_supply_scan(ws, need, found, n, n == need->limit);
}

static void supply(struct workspace *ws, struct cursor *in)
{
    static const uint8_t chunks[BLOCK_SIZE];

    for (uint32_t i = 0; i < ws->need_count; i++) {
        struct ws_need need = ws->needs[i];

        if (need.type == WS_NEED_OBJECT) {
            struct object_version version = next_version(ws, in, need.key.kind);

            ws_supply(ws, need.key, &version);
        } else if (need.type == WS_NEED_CHUNKS) {
            ws_supply_chunks(ws, need.key, need.first, need.count, chunks);
        } else {
            supply_scan(ws, &need, in);
        }
    }
    ws_clear_needs(ws);
}

static struct fs_op operation(struct cursor *in)
{
    struct fs_op op = {.now = 1000000000, .new_ino = 1000};

    op.code = (enum fs_code)(1 + get_u8(in) % (FS_CODE_COUNT - 1));
    op.cred.uid = get_u8(in) % 3;
    op.cred.gid = get_u8(in) % 3;
    op.cred.checked = get_u8(in) % 2;
    op.ino = get_u8(in) % 4;
    op.ino2 = get_u8(in) % 4;
    op.name = name_of(get_u8(in));
    op.name2 = name_of(get_u8(in));
    op.flags = get_u8(in);
    op.mask = get_u8(in) % 8;
    op.mode = get_u16(in);
    op.umask = get_u16(in) & 0777;
    op.set = get_u16(in);
    op.offset = get_u64(in);
    op.offset2 = get_u64(in);
    op.length = get_u32(in);
    op.attr.size = op.offset;
    op.attr.mode = op.mode;
    return op;
}

/* What an edge would refuse before it reaches the file service. */
static bool reasonable(struct fs_op *op)
{
    if ((op->code == FS_READ || op->code == FS_WRITE) && op->length > FS_IO_MAX)
        return false;
    if (op->code == FS_READDIR)
        op->length = op->length % 1000 + 1;
    if (op->code == FS_OPEN)
        op->flags &= FS_OPEN_TRUNCATE;
    return true;
}

/* What an operation carries beside its numbers: data to write, a target, an attribute's value. */
static void give_value(struct fs_op *op, struct cursor *in)
{
    static const uint8_t data[FS_IO_MAX] = {1};

    op->value = next_value(in);
    if (op->code == FS_WRITE)
        op->value = (struct bytes){data, (size_t)op->length};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_over(data, size);
    const struct fs_volume volume = {42};
    struct workspace ws;
    struct fs_result result = {0};
    struct fs_op op;
    enum err err = ERR_NEED;

    if (size < OPERATION)
        return 0;
    op = operation(&in);
    get_bytes(&in, OPERATION - (size - cursor_left(&in)));
    if (!reasonable(&op))
        return 0;
    give_value(&op, &in);
    ws_init(&ws);
    for (unsigned i = 0; i < ROUNDS && err == ERR_NEED; i++) {
        err = fs_apply(&ws, &volume, &op, &result);
        if (err == ERR_NEED) {
            INVARIANT(ws.need_count > 0);
            supply(&ws, &in);
        }
    }
    INVARIANT(err == OK || ws_write_set(&ws).count == 0);
    ws_check(&ws);
    ws_free(&ws);
    return 0;
}

/* --- seeds: every operation on well-formed objects --- */

static void put_value(struct cursor *out, struct bytes value)
{
    put_u16(out, (uint16_t)value.len);
    put_bytes(out, value.data, value.len);
}

static void put_inode(struct cursor *out, struct arena *arena, uint32_t mode)
{
    static const uint8_t acl[] = {2, 0, 0,   0,   1,   0,   7,    0, 255, 255, 255, 255, 4,   0,
                                  5, 0, 255, 255, 255, 255, 0x20, 0, 5,   0,   255, 255, 255, 255};
    struct inode inode = {.ino = 1, .mode = mode, .nlink = 2, .parent = 1, .size = 100000};

    if ((mode & FS_TYPE) == FS_LNK) {
        inode.target = (struct bytes){(const uint8_t *)"target", 6};
        inode.size = 6;
    }
    if ((mode & FS_TYPE) == FS_DIR) {
        inode.size = 0;
        inode.entries = 2;
        inode.acl_default = (struct bytes){acl, sizeof acl};
    }
    inode.xattr_bytes = 20;
    inode.xattr_names = 7;
    put_value(out, inode_encode(arena, &inode));
}

static void put_bucket(struct cursor *out, struct arena *arena)
{
    struct dir_bucket bucket = {.count = 2};

    bucket.entries[0] = (struct dir_entry){{(const uint8_t *)"a", 1}, 2, FS_REG, 0};
    bucket.entries[1] = (struct dir_entry){{(const uint8_t *)"b", 1}, 3, FS_DIR, 1};
    put_value(out, bucket_encode(arena, &bucket));
}

static void put_xattrs(struct cursor *out)
{
    Pactfs__Xattr xattr = PACTFS__XATTR__INIT, *list[1] = {&xattr};
    Pactfs__XattrBucket bucket = PACTFS__XATTR_BUCKET__INIT;
    uint8_t packed[64];

    xattr.name = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t) "user.a"};
    xattr.value = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "value"};
    bucket.n_xattrs = 1;
    bucket.xattrs = list;
    put_value(out, (struct bytes){packed, pactfs__xattr_bucket__pack(&bucket, packed)});
}

static void put_operation(struct cursor *out, uint8_t code, unsigned variant)
{
    uint8_t *start = out->at;

    put_u8(out, (uint8_t)(code - 1));
    put_u8(out, (uint8_t)(variant % 2)); /* uid */
    put_u8(out, 0);
    put_u8(out, (uint8_t)(variant % 2));
    put_u8(out, 1);
    put_u8(out, 2);
    put_u8(out, (uint8_t)(code >= FS_SETXATTR ? 3 + variant : 0));
    put_u8(out, 1);
    put_u8(out, 0);
    put_u8(out, 4);
    put_u16(out, 0100644);
    put_u16(out, 022);
    put_u16(out, FS_SET_MODE | FS_SET_SIZE);
    put_u64(out, code == FS_READDIR ? 0 : 5000);
    put_u64(out, 300000);
    put_u32(out, 9000);
    while (out->at < start + OPERATION)
        put_u8(out, 0);
    put_value(out, (struct bytes){(const uint8_t *)"value", 5});
}

/* An operation on objects whose claims are drawn. */
static size_t drawn_seed(unsigned number, uint8_t *out)
{
    struct cursor c = cursor_over(out, FUZZ_INPUT_MAX);
    put_operation(&c, (uint8_t)(1 + number % (FS_CODE_COUNT - 1)), number);
    out[6] = (uint8_t)(number / 26 % 2 + (out[6] >= 3 ? 3 : 0)); /* the names: there or not */
    out[8] = (uint8_t)(number / 52);                             /* flags */
    for (unsigned i = 0; i < 12; i++)
        put_u16(&c, (uint16_t)(0x8000 | (number * 12 + i) * 2657));
    INVARIANT(!c.bad);
    return (size_t)(c.at - out);
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const uint32_t types[3] = {FS_REG | 0644, FS_DIR | 0755, FS_LNK | 0777};
    struct cursor c = cursor_over(out, FUZZ_INPUT_MAX);
    struct arena arena;

    if (number >= 9 * (FS_CODE_COUNT - 1))
        return 0;
    if (number >= 3 * (FS_CODE_COUNT - 1))
        return drawn_seed(number, out);
    arena_init(&arena);
    put_operation(&c, (uint8_t)(1 + number / 3), number % 3);
    put_inode(&c, &arena, types[number % 3]);
    if (number % 3 == 1)
        put_bucket(&c, &arena);
    else
        put_xattrs(&c);
    put_inode(&c, &arena, types[(number + 1) % 3]);
    put_inode(&c, &arena, types[0]);
    put_bucket(&c, &arena);
    put_xattrs(&c);
    arena_free(&arena);
    INVARIANT(!c.bad);
    return (size_t)(c.at - out);
}
