/* SPDX-License-Identifier: MIT
 *
 * fs.c: the file service over hostile objects: fs_apply gets whatever values the input says. It
 * must answer, with an error where they make no sense, and leave no writes behind then. Only
 * operations that read: those that write assert the laws between objects (link counts, totals), and
 * end the process rather than build on objects that break them.
 *
 * Input: OPERATION bytes of operation, then values: a length of two bytes and so many bytes, in the
 * order in which the operation asks for objects. When they have run out, objects are absent.
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

static struct object_version next_version(struct cursor *in, uint8_t kind)
{
    struct object_version version = {.stamp = {5, 1}};

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
        found[n].version = next_version(in, need->key.kind);
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
            struct object_version version = next_version(in, need.key.kind);

            ws_supply(ws, need.key, &version);
        } else if (need.type == WS_NEED_CHUNKS) {
            ws_supply_chunks(ws, need.key, need.first, need.count, chunks);
        } else {
            supply_scan(ws, &need, in);
        }
    }
    ws_clear_needs(ws);
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

static bool reads_only(enum fs_code code)
{
    return code == FS_LOOKUP || code == FS_GETATTR || code == FS_ACCESS || code == FS_OPEN ||
           code == FS_READLINK || code == FS_READ || code == FS_SEEK || code == FS_READDIR ||
           code == FS_GETXATTR || code == FS_LISTXATTR;
}

/* What an edge would refuse before it reaches the file service. */
static bool reasonable(struct fs_op *op)
{
    if (op->code == FS_READ && op->length > FS_IO_MAX)
        return false;
    if (op->code == FS_READDIR)
        op->length = op->length % 1000 + 1;
    if (op->code == FS_OPEN)
        op->flags = 0;
    return reads_only(op->code);
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
}

size_t fuzz_seed(unsigned number, uint8_t *out)
{
    static const uint32_t types[3] = {FS_REG | 0644, FS_DIR | 0755, FS_LNK | 0777};
    struct cursor c = cursor_over(out, FUZZ_INPUT_MAX);
    struct arena arena;

    if (number >= 3 * (FS_CODE_COUNT - 1))
        return 0;
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
