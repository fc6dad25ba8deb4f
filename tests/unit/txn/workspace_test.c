/* SPDX-License-Identifier: MIT
 *
 * workspace_test.c: reading, writing, rolling back and scanning a workspace, by rule and against a
 * naive twin.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/txn/workspace.h"

static struct object_key inode(uint64_t ino)
{
    return (struct object_key){OBJECT_INODE, ino, 0};
}

static struct object_key entry(uint64_t sub)
{
    return (struct object_key){OBJECT_DIRENT, 1, sub};
}

static struct object_key block(uint64_t sub)
{
    return (struct object_key){OBJECT_BLOCK, 1, sub};
}

static struct bytes text(const char *s)
{
    return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static struct object_version small(const char *s, uint64_t time)
{
    return (struct object_version){
        .stamp = {time, 1}, .present = s != NULL, .value = s ? text(s) : (struct bytes){0}};
}

static struct object_version chunks(uint32_t mask, uint64_t time)
{
    return (struct object_version){.stamp = {time, 1}, .present = true, .chunks = mask};
}

static int setup(void **state)
{
    static struct workspace ws;
    ws_init(&ws);
    *state = &ws;
    return 0;
}

static int teardown(void **state)
{
    ws_check(*state);
    ws_free(*state);
    return 0;
}

static void assert_value(struct workspace *ws, struct object_key key, const char *want)
{
    struct object_version v;
    assert_int_equal(ws_get(ws, key, &v), OK);
    assert_int_equal(v.present, want != NULL);
    if (want) {
        assert_int_equal(v.value.len, strlen(want));
        assert_memory_equal(v.value.data, want, v.value.len);
    }
}

static void needs_are_noted_once(void **state)
{
    struct workspace *ws = *state;
    struct object_version v = small("one", 5), got;
    assert_int_equal(ws_get(ws, inode(7), &got), ERR_NEED);
    assert_int_equal(ws_get(ws, inode(7), &got), ERR_NEED);
    ws_want(ws, inode(7));
    ws_want(ws, inode(8));
    assert_int_equal(ws->need_count, 2);
    ws_supply(ws, inode(7), &v);
    ws_clear_needs(ws);
    assert_int_equal(ws->need_count, 0);
    assert_value(ws, inode(7), "one");
    ws_want(ws, inode(7));
    assert_int_equal(ws->need_count, 0);
    assert_int_equal(ws_get(ws, inode(8), &got), ERR_NEED); /* wanted, never supplied */
    assert_int_equal(ws->need_count, 1);
}

static void the_first_version_stays(void **state)
{
    struct workspace *ws = *state;
    struct object_version a = small("old", 5), b = small("new", 6);
    ws_supply(ws, inode(7), &a);
    ws_supply(ws, inode(7), &b);
    assert_value(ws, inode(7), "old");
    ws_put(ws, inode(7), text("own"));
    ws_supply(ws, inode(7), &b);
    assert_value(ws, inode(7), "own");
}

struct reads {
    int count;
    uint64_t inos, times;
};

static bool on_read(void *ctx, const struct object_key *key, struct stamp stamp)
{
    struct reads *r = ctx;
    r->count++;
    r->inos += key->ino;
    r->times += stamp.time;
    return true;
}

static void the_read_set_names_what_was_read(void **state)
{
    struct workspace *ws = *state;
    struct object_version there = small("v", 5), never = small(NULL, 0), got;
    struct reads r = {0};
    ws_supply(ws, inode(1), &there);
    ws_supply(ws, inode(2), &never);
    ws_supply(ws, inode(4), &there); /* supplied, not read */
    ws_put(ws, inode(8), text("blind"));
    assert_int_equal(ws_get(ws, inode(1), &got), OK);
    assert_int_equal(ws_get(ws, inode(2), &got), OK);
    assert_int_equal(ws_get(ws, inode(8), &got), OK);
    uint64_t mark = ws_mark(ws);
    ws_put(ws, inode(1), text("w"));
    ws_rollback(ws, mark);
    assert_true(ws_each_read(ws, on_read, &r));
    assert_int_equal(r.count, 2);
    assert_int_equal(r.inos, 3);
    assert_int_equal(r.times, 5);
}

static void what_never_existed_is_not_deleted(void **state)
{
    struct workspace *ws = *state;
    struct object_version never = small(NULL, 0), there = small("v", 5);
    ws_supply(ws, inode(1), &never);
    ws_supply(ws, inode(2), &there);
    ws_put(ws, inode(1), text("x"));
    ws_delete(ws, inode(1));
    ws_put(ws, inode(2), text("a"));
    ws_put(ws, inode(2), text("bc"));
    ws_delete(ws, inode(3)); /* not known: must be mentioned */
    struct write_set set = ws_write_set(ws);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.items[0].key.ino, 2);
    assert_int_equal(set.items[0].value.len, 2);
    assert_int_equal(set.items[1].action, WRITE_DELETE);
    assert_int_equal(ws->bytes, 2);
}

static void chunks_replace_and_punch(void **state)
{
    struct workspace *ws = *state;
    struct object_version base = chunks(0x0f, 5), v;
    static uint8_t data[4 * CHUNK_SIZE];
    struct bytes own;
    const uint8_t *got;
    memset(data, 'x', sizeof data);
    ws_supply(ws, block(0), &base);
    assert_int_equal(ws_get_chunk(ws, block(0), 9, &got), OK); /* a hole: no need */
    assert_int_equal(got[0], 0);
    assert_int_equal(ws_get_chunk(ws, block(0), 1, &got), ERR_NEED);
    assert_int_equal(ws_get_chunk(ws, block(0), 2, &got), ERR_NEED);
    assert_int_equal(ws->need_count, 1);
    assert_int_equal(ws->needs[0].count, 2);
    ws_supply_chunks(ws, block(0), 1, 2, data);
    ws_clear_needs(ws);
    assert_int_equal(ws_get_chunk(ws, block(0), 2, &got), OK);
    assert_int_equal(got[5], 'x');
    ws_write_chunks(ws, block(0), 2, (struct bytes){data, 2 * CHUNK_SIZE + 10}, NULL);
    ws_punch(ws, block(0), 0, 3);
    assert_int_equal(ws_get(ws, block(0), &v), OK);
    assert_int_equal(v.chunks, 0x18);
    assert_true(ws_own_chunk(ws, block(0), 4, &own));
    assert_int_equal(own.len, 10);
    assert_int_equal(ws_get_chunk(ws, block(0), 4, &got), OK);
    assert_true(got[9] == 'x' && got[10] == 0 && got[4095] == 0);
    struct write_set set = ws_write_set(ws);
    assert_int_equal(set.count, 2);
    assert_true(set.items[0].action == WRITE_PUNCH && set.items[0].chunks == 3);
    assert_true(set.items[1].first_chunk == 3 && set.items[1].value.len == CHUNK_SIZE + 10);
    ws_punch(ws, block(0), 0, BLOCK_CHUNKS);
    set = ws_write_set(ws);
    assert_true(set.count == 1 && set.items[0].action == WRITE_DELETE);
}

struct owner {
    struct shared shared;
    int released;
};

static void release(struct shared *s)
{
    ((struct owner *)(void *)s)->released++;
}

static void owners_are_held_until_reset(void **state)
{
    struct workspace *ws = *state;
    struct owner o = {{1, release}, 0};
    static uint8_t data[CHUNK_SIZE];
    ws_write_chunks(ws, block(0), 0, (struct bytes){data, sizeof data}, &o.shared);
    uint64_t mark = ws_mark(ws);
    ws_write_chunks(ws, block(0), 0, (struct bytes){data, 5}, &o.shared);
    assert_int_equal(o.shared.refs, 3);
    ws_rollback(ws, mark);
    assert_int_equal(o.shared.refs, 2);
    assert_ptr_equal(ws_write_set(ws).items[0].value.data, data);
    assert_ptr_equal(ws_write_set(ws).items[0].owner, &o.shared);
    ws_reset(ws);
    assert_int_equal(o.shared.refs, 1);
    shared_unref(&o.shared);
    assert_int_equal(o.released, 1);
}

/* --- against a naive twin --- */

#define SUBS 40

struct twin {
    char value[SUBS]; /* 0: absent */
};

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 11) % below);
}

static void supply_needs(struct workspace *ws, const struct twin *base)
{
    for (uint32_t i = 0; i < ws->need_count; i++) {
        struct ws_need n = ws->needs[i];
        struct ws_found found[SUBS];
        uint32_t count = 0;
        if (n.type == WS_NEED_OBJECT) {
            char s[2] = {base->value[n.key.sub], 0};
            struct object_version v = small(s[0] ? s : NULL, 3);
            ws_supply(ws, n.key, &v);
            continue;
        }
        static char values[SUBS][2];
        for (uint64_t s = n.from; s <= n.to && s < SUBS && count < n.limit; s++) {
            if (!base->value[s])
                continue;
            values[s][0] = base->value[s];
            found[count++] = (struct ws_found){entry(s), small(values[s], 3)};
        }
        ws_supply_scan(ws, &n, found, count, count == n.limit);
    }
    ws_clear_needs(ws);
}

static void compare_scan(struct workspace *ws, const struct twin *base, const struct twin *own)
{
    uint64_t from = draw(SUBS), to = draw(3) ? UINT64_MAX : from + draw(SUBS);
    uint32_t limit = 1 + draw(10), i = 0;
    struct ws_scan scan;
    while (ws_scan(ws, &(struct ws_range){OBJECT_DIRENT, 1, from, to, limit}, &scan) == ERR_NEED)
        supply_needs(ws, base);
    for (uint64_t s = from; s < SUBS && s <= to; s++) {
        if (!own->value[s])
            continue;
        if (i == scan.count) {
            assert_true(scan.more);
            return;
        }
        assert_int_equal(scan.found[i].key.sub, s);
        assert_int_equal(scan.found[i].version.value.data[0], own->value[s]);
        i++;
    }
    assert_int_equal(i, scan.count);
    assert_true(scan.count <= limit);
    assert_true(!scan.more || scan.count > 0);
}

static void one_life(struct workspace *ws)
{
    struct twin base = {0}, own, marked;
    uint64_t mark = 0;
    for (int s = 0; s < SUBS; s++)
        base.value[s] = draw(2) ? (char)('a' + draw(26)) : 0;
    own = marked = base;
    for (int i = 0; i < 60; i++) {
        uint64_t sub = draw(SUBS);
        char value[2] = {(char)('A' + draw(26)), 0};
        struct object_version v;
        switch (draw(6)) {
        case 0:
            ws_put(ws, entry(sub), text(value));
            own.value[sub] = value[0];
            break;
        case 1:
            ws_delete(ws, entry(sub));
            own.value[sub] = 0;
            break;
        case 2:
            mark = ws_mark(ws);
            marked = own;
            break;
        case 3:
            ws_rollback(ws, mark);
            own = marked;
            break;
        case 4:
            while (ws_get(ws, entry(sub), &v) == ERR_NEED)
                supply_needs(ws, &base);
            assert_int_equal(v.present ? v.value.data[0] : 0, own.value[sub]);
            break;
        default:
            compare_scan(ws, &base, &own);
        }
        ws_check(ws);
    }
    struct write_set set = ws_write_set(ws);
    for (size_t i = 0; i < set.count; i++) {
        const struct write *w = &set.items[i];
        base.value[w->key.sub] = w->action == WRITE_PUT ? (char)w->value.data[0] : 0;
    }
    assert_memory_equal(base.value, own.value, SUBS);
}

static void agrees_with_a_naive_twin(void **state)
{
    for (int i = 0; i < 3000; i++) {
        one_life(*state);
        ws_reset(*state);
    }
}

/* The same for the chunks of one block. */
static void one_block_life(struct workspace *ws)
{
    static uint8_t data[BLOCK_SIZE];
    uint8_t own[32], marked[32], after[32];
    struct object_version base = chunks(draw(2) ? draw(UINT32_MAX) : 0, 3), v;
    uint64_t mark = 0;
    base.present = base.chunks != 0;
    ws_supply(ws, block(0), &base);
    for (int c = 0; c < 32; c++)
        own[c] = base.chunks >> c & 1;
    memcpy(marked, own, sizeof own);
    memcpy(after, own, sizeof own);
    for (int i = 0; i < 40; i++) {
        uint32_t first = draw(32), count = 1 + draw(32 - first);
        uint8_t value = (uint8_t)(2 + draw(250));
        switch (draw(5)) {
        case 0:
            memset(data, value, sizeof data);
            ws_write_chunks(ws, block(0), first, (struct bytes){data, count * CHUNK_SIZE - 7},
                            NULL);
            memset(own + first, value, count);
            break;
        case 1:
            ws_punch(ws, block(0), first, count);
            memset(own + first, 0, count);
            break;
        case 2:
            mark = ws_mark(ws);
            memcpy(marked, own, sizeof own);
            break;
        case 3:
            ws_rollback(ws, mark);
            memcpy(own, marked, sizeof own);
            break;
        default:
            if (draw(3))
                break;
            ws_delete(ws, block(0));
            memset(own, 0, sizeof own);
        }
        ws_check(ws);
        assert_int_equal(ws_get(ws, block(0), &v), OK);
        for (uint32_t c = 0; c < 32; c++)
            assert_int_equal(v.chunks >> c & 1, own[c] != 0);
    }
    struct write_set set = ws_write_set(ws);
    for (size_t i = 0; i < set.count; i++) {
        const struct write *w = &set.items[i];
        if (w->action == WRITE_DELETE)
            memset(after, 0, sizeof after);
        for (uint32_t c = 0; w->action == WRITE_PUNCH && c < w->chunks; c++)
            after[w->first_chunk + c] = 0;
        for (uint32_t c = 0; w->action == WRITE_CHUNKS && c < w->chunks; c++)
            after[w->first_chunk + c] = w->value.data[c * CHUNK_SIZE];
    }
    assert_memory_equal(after, own, sizeof own);
}

static void blocks_agree_with_a_naive_twin(void **state)
{
    for (int i = 0; i < 500; i++) {
        one_block_life(*state);
        ws_reset(*state);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(needs_are_noted_once),
        T(the_first_version_stays),
        T(the_read_set_names_what_was_read),
        T(what_never_existed_is_not_deleted),
        T(chunks_replace_and_punch),
        T(owners_are_held_until_reset),
        T(agrees_with_a_naive_twin),
        T(blocks_agree_with_a_naive_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
