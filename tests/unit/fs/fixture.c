/* SPDX-License-Identifier: MIT
 *
 * fixture.c: a volume in memory, for tests of the file service.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fs/check.h"

/* --- the objects --- */

static size_t place_of(const struct fixture *f, const struct object_key *key)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (object_key_compare(&f->items[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct item *fixture_find(struct fixture *f, struct object_key key)
{
    size_t at = place_of(f, &key);
    return at < f->count && object_key_equal(&f->items[at]->key, &key) ? f->items[at] : NULL;
}

size_t fixture_count(const struct fixture *f, uint8_t kind)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += f->items[i]->key.kind == kind;
    return n;
}

static struct item *make_item(struct fixture *f, struct object_key key)
{
    struct item *item = fixture_find(f, key);
    if (item)
        return item;
    size_t at = place_of(f, &key);
    if (f->count == f->room) {
        f->room = f->room ? f->room * 2 : 256;
        f->items = realloc(f->items, f->room * sizeof *f->items);
        assert_non_null(f->items);
    }
    memmove(&f->items[at + 1], &f->items[at], (f->count - at) * sizeof *f->items);
    f->items[at] = item = calloc(1, sizeof *item);
    assert_non_null(item);
    item->key = key;
    f->count++;
    return item;
}

static void free_item(struct item *item)
{
    for (uint32_t i = 0; i < BLOCK_CHUNKS; i++)
        free(item->data[i]);
    free((void *)(uintptr_t)item->value.data);
    free(item);
}

static void drop_item(struct fixture *f, struct object_key key)
{
    struct item *item = fixture_find(f, key);
    if (!item)
        return;
    size_t at = place_of(f, &key);
    free_item(item);
    f->count--;
    memmove(&f->items[at], &f->items[at + 1], (f->count - at) * sizeof *f->items);
}

static struct object_version version_of(const struct item *item)
{
    if (!item)
        return (struct object_version){.stamp = STAMP_ZERO};
    return (struct object_version){item->stamp, true, item->value, item->chunks};
}

/* --- answering needs --- */

static void supply_chunks(struct fixture *f, const struct ws_need *need)
{
    uint8_t *buf = calloc(need->count, CHUNK_SIZE);
    struct item *item = fixture_find(f, need->key);
    assert_non_null(buf);
    for (uint32_t i = 0; item && i < need->count; i++) {
        if (item->data[need->first + i])
            memcpy(buf + (size_t)i * CHUNK_SIZE, item->data[need->first + i], CHUNK_SIZE);
    }
    ws_supply_chunks(&f->ws, need->key, need->first, need->count, buf);
    free(buf);
}

static void supply_scan(struct fixture *f, const struct ws_need *need)
{
    struct object_key from = {need->key.kind, need->key.ino, need->from};
    struct ws_found *found = calloc(need->limit, sizeof *found);
    uint32_t count = 0;
    assert_non_null(found);
    for (size_t i = place_of(f, &from); i < f->count && count < need->limit; i++) {
        const struct item *item = f->items[i];
        if (item->key.kind != from.kind || item->key.ino != from.ino || item->key.sub > need->to)
            break;
        found[count++] = (struct ws_found){item->key, version_of(item)};
    }
    ws_supply_scan(&f->ws, need, found, count, count == need->limit);
    free(found);
}

static void supply_one(struct fixture *f, const struct ws_need *need)
{
    struct object_version version;
    switch (need->type) {
    case WS_NEED_OBJECT:
        version = version_of(fixture_find(f, need->key));
        ws_supply(&f->ws, need->key, &version);
        break;
    case WS_NEED_CHUNKS:
        supply_chunks(f, need);
        break;
    case WS_NEED_SCAN:
        supply_scan(f, need);
        break;
    }
}

static void supply(struct fixture *f)
{
    uint32_t count = f->stingy ? 1 : f->ws.need_count;
    for (uint32_t i = 0; i < count; i++)
        supply_one(f, &f->ws.needs[i]);
    ws_clear_needs(&f->ws);
}

/* --- applying write sets --- */

static void check_write(const struct write_set *set, size_t at)
{
    const struct write *w = &set->items[at];
    bool small = w->action == WRITE_PUT || w->action == WRITE_DELETE;
    if (w->action == WRITE_CHUNKS) {
        assert_true(w->value.len > 0);
        assert_int_equal(w->chunks, (w->value.len + CHUNK_SIZE - 1) / CHUNK_SIZE);
    }
    if (!small)
        assert_true(w->chunks > 0 && w->first_chunk + w->chunks <= BLOCK_CHUNKS);
    assert_true(w->value.len <= (small ? OBJECT_VALUE_MAX : BLOCK_SIZE));
    for (size_t i = set->count > 400 ? at : 0; i < at; i++) { /* large sets: quadratic, left out */
        const struct write *o = &set->items[i];
        if (!object_key_equal(&o->key, &w->key))
            continue;
        assert_false(small || o->action == WRITE_PUT || o->action == WRITE_DELETE);
        assert_true(o->first_chunk + o->chunks <= w->first_chunk ||
                    w->first_chunk + w->chunks <= o->first_chunk);
    }
}

static void apply_chunks(struct item *item, const struct write *w)
{
    for (uint32_t i = 0; i < w->chunks; i++) {
        uint32_t c = w->first_chunk + i;
        free(item->data[c]);
        item->data[c] = NULL;
        item->chunks &= ~(UINT32_C(1) << c);
        if (w->action == WRITE_PUNCH)
            continue;
        size_t left = w->value.len - (size_t)i * CHUNK_SIZE;
        item->data[c] = calloc(1, CHUNK_SIZE);
        assert_non_null(item->data[c]);
        memcpy(item->data[c], w->value.data + (size_t)i * CHUNK_SIZE,
               left < CHUNK_SIZE ? left : CHUNK_SIZE);
        item->chunks |= UINT32_C(1) << c;
    }
}

static void fold(struct fixture *f, const void *data, size_t len)
{
    f->trace = checksum64(data, len, f->trace);
}

static void apply_write(struct fixture *f, const struct write *w)
{
    uint64_t head[] = {w->action, w->key.kind, w->key.ino, w->key.sub, w->first_chunk, w->chunks};
    fold(f, head, sizeof head);
    if (w->value.len)
        fold(f, w->value.data, w->value.len);
    if (w->action == WRITE_DELETE) {
        assert_non_null(fixture_find(f, w->key));
        drop_item(f, w->key);
        return;
    }
    struct item *item = make_item(f, w->key);
    item->stamp = (struct stamp){f->stamps, 1};
    if (w->action != WRITE_PUT) {
        apply_chunks(item, w);
        return;
    }
    free((void *)(uintptr_t)item->value.data);
    uint8_t *copy = malloc(w->value.len + 1);
    assert_non_null(copy);
    if (w->value.len)
        memcpy(copy, w->value.data, w->value.len);
    item->value = (struct bytes){copy, w->value.len};
}

static void apply_set(struct fixture *f)
{
    struct write_set set = ws_write_set(&f->ws);
    f->stamps++;
    for (size_t i = 0; i < set.count; i++)
        check_write(&set, i);
    for (size_t i = 0; i < set.count; i++)
        apply_write(f, &set.items[i]);
}

enum err fixture_apply(struct fixture *f, struct fs_op *op)
{
    enum err err;
    op->cred = f->cred;
    op->now = f->now += 1000000000;
    do {
        ws_reset(&f->ws);
        f->rounds = 1;
        while ((err = fs_apply(&f->ws, &f->volume, op, &f->result)) == ERR_NEED) {
            assert_true(++f->rounds < 4000);
            assert_null(f->ws.writes);
            supply(f);
        }
        ws_check(&f->ws);
        if (!f->stingy && op->code != FS_RENAME && f->rounds > f->most_rounds)
            f->most_rounds = f->rounds;
        if (err == OK)
            apply_set(f);
        else
            assert_int_equal(ws_write_set(&f->ws).count, 0);
    } while (err == OK && f->result.again);
    return err;
}

/* --- the whole --- */

static void on_problem(void *ctx, const char *sentence)
{
    (void)ctx;
    print_error("%s\n", sentence);
}

void fixture_check(struct fixture *f)
{
    struct fs_check check;
    fs_check_begin(&check, &f->volume, on_problem, NULL);
    for (size_t i = 0; i < f->count; i++) {
        struct object_version version = version_of(f->items[i]);
        fs_check_object(&check, &f->items[i]->key, &version);
    }
    fs_check_end(&check);
    assert_int_equal(check.problems, 0);
}

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->volume.salt = UINT64_C(0x5eed);
    f->cred.cap_fsetid = true;
    f->now = INT64_C(1700000000) * 1000000000;
    f->next_ino = 2;
    ws_init(&f->ws);
    struct fs_op op = {.code = FS_FORMAT, .mode = 0755};
    assert_int_equal(fixture_apply(f, &op), OK);
}

void fixture_free(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++)
        free_item(f->items[i]);
    free(f->items);
    ws_free(&f->ws);
}

/* --- short forms --- */

struct bytes text(const char *s)
{
    return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static enum err make(struct fixture *f, struct fs_op *op, uint64_t *ino)
{
    op->new_ino = f->next_ino++;
    if (ino)
        *ino = op->new_ino;
    return fixture_apply(f, op);
}

enum err do_make(struct fixture *f, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino)
{
    struct fs_op op = {.code = FS_MKNOD, .ino = dir, .name = text(name), .mode = mode};
    return make(f, &op, ino);
}

enum err do_mkdir(struct fixture *f, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino)
{
    struct fs_op op = {.code = FS_MKDIR, .ino = dir, .name = text(name), .mode = mode};
    return make(f, &op, ino);
}

enum err do_remove(struct fixture *f, enum fs_code code, uint64_t dir, const char *name)
{
    struct fs_op op = {.code = code, .ino = dir, .name = text(name)};
    return fixture_apply(f, &op);
}

enum err do_lookup(struct fixture *f, uint64_t dir, const char *name)
{
    return do_remove(f, FS_LOOKUP, dir, name);
}

enum err do_getattr(struct fixture *f, uint64_t ino)
{
    struct fs_op op = {.code = FS_GETATTR, .ino = ino};
    return fixture_apply(f, &op);
}

enum err do_write(struct fixture *f, uint64_t ino, uint64_t offset, struct bytes data)
{
    struct fs_op op = {.code = FS_WRITE, .ino = ino, .offset = offset, .value = data};
    return fixture_apply(f, &op);
}

static void copy_piece(struct fixture *f, const struct fs_piece *p, uint8_t *out)
{
    memset(out, 0, p->length);
    if (p->type == FS_PIECE_MEMORY)
        memcpy(out, p->data, p->length);
    if (p->type != FS_PIECE_STORE)
        return;
    const struct item *item = fixture_find(f, p->block);
    assert_non_null(item);
    assert_true(p->offset + p->length <= BLOCK_SIZE);
    for (uint32_t i = 0; i < p->length; i++) {
        uint32_t at = p->offset + i;
        assert_non_null(item->data[at / CHUNK_SIZE]);
        out[i] = item->data[at / CHUNK_SIZE][at % CHUNK_SIZE];
    }
}

enum err do_read(struct fixture *f, uint64_t ino, uint64_t offset, struct bytes out, size_t *got)
{
    struct fs_op op = {.code = FS_READ, .ino = ino, .offset = offset, .length = out.len};
    enum err err = fixture_apply(f, &op);
    size_t at = 0;
    for (uint32_t i = 0; err == OK && i < f->result.piece_count; i++) {
        const struct fs_piece *p = &f->result.pieces[i];
        assert_true(p->length > 0 && p->length <= out.len - at);
        copy_piece(f, p, (uint8_t *)(uintptr_t)out.data + at);
        at += p->length;
    }
    if (err == OK)
        assert_int_equal(at, f->result.length);
    *got = at;
    return err;
}

static enum err set(struct fixture *f, uint64_t ino, uint32_t what, struct fs_attr attr)
{
    struct fs_op op = {.code = FS_SETATTR, .ino = ino, .set = what, .attr = attr};
    return fixture_apply(f, &op);
}

enum err do_resize(struct fixture *f, uint64_t ino, uint64_t size)
{
    return set(f, ino, FS_SET_SIZE, (struct fs_attr){.size = size});
}

enum err do_chmod(struct fixture *f, uint64_t ino, uint32_t mode)
{
    return set(f, ino, FS_SET_MODE, (struct fs_attr){.mode = mode});
}

enum err do_chown(struct fixture *f, uint64_t ino, uint32_t uid, uint32_t gid)
{
    uint32_t what = (uid != UINT32_MAX ? FS_SET_UID : 0u) | (gid != UINT32_MAX ? FS_SET_GID : 0u);
    return set(f, ino, what, (struct fs_attr){.uid = uid, .gid = gid});
}

enum err do_setxattr(struct fixture *f, uint64_t ino, const char *name, struct bytes value)
{
    struct fs_op op = {.code = FS_SETXATTR, .ino = ino, .name = text(name), .value = value};
    return fixture_apply(f, &op);
}

enum err do_getxattr(struct fixture *f, uint64_t ino, const char *name)
{
    struct fs_op op = {.code = FS_GETXATTR, .ino = ino, .name = text(name)};
    return fixture_apply(f, &op);
}

enum err do_rename(struct fixture *f, struct names n)
{
    struct fs_op op = {.code = FS_RENAME,
                       .ino = n.from_dir,
                       .name = text(n.from),
                       .ino2 = n.to_dir,
                       .name2 = text(n.to),
                       .flags = n.flags};
    return fixture_apply(f, &op);
}
