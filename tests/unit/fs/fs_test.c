/* SPDX-License-Identifier: MIT
 *
 * fs_test.c: the rules of the file service one by one; see model_test.c for all of them together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fs/check.h"
#include "core/fs/dir.h"
#include "fixture.h"

static int setup(void **state)
{
    static struct fixture f;
    fixture_init(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_check(*state);
    fixture_free(*state);
    return 0;
}

static int teardown_damaged(void **state)
{
    fixture_free(*state);
    return 0;
}

static enum err run(struct fixture *f, struct fs_op op)
{
    return fixture_apply(f, &op);
}

static uint64_t new_file(struct fixture *f, const char *name)
{
    uint64_t ino;
    assert_int_equal(do_make(f, FS_ROOT_INO, name, 0644, &ino), OK);
    return ino;
}

/* --- names --- */

static void operations_run_twice_at_most(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = new_file(f, "f");
    assert_int_equal(f->rounds, 2);
    assert_int_equal(do_lookup(f, 1, "f"), OK);
    assert_int_equal(f->rounds, 3);
    assert_int_equal(do_write(f, ino, 0, text("hello")), OK);
    assert_int_equal(f->rounds, 2);
    assert_int_equal(do_write(f, ino, 1, text("ipp")), OK);
    assert_int_equal(f->rounds, 3);
    assert_int_equal(do_remove(f, FS_UNLINK, 1, "f"), OK);
    assert_int_equal(f->rounds, 3);
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        new_file(f, name);
    }
    struct fs_op op = {.code = FS_READDIR, .ino = 1, .length = 100, .flags = FS_READDIR_PLUS};
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(f->result.entry_count, 52);
    assert_int_equal(f->rounds, 3);
}

static void names_have_limits(void **state)
{
    struct fixture *f = *state;
    char name[258];
    memset(name, 'n', sizeof name);
    name[256] = 0;
    assert_int_equal(do_make(f, 1, name, 0644, NULL), ERR_NAMETOOLONG);
    assert_int_equal(do_lookup(f, 1, name), ERR_NAMETOOLONG);
    name[255] = 0;
    assert_int_equal(do_make(f, 1, name, 0644, NULL), OK);
    assert_int_equal(do_lookup(f, 1, name), OK);
    assert_int_equal(do_make(f, 1, "", 0644, NULL), ERR_NOENT);
    assert_int_equal(do_make(f, 1, "a/b", 0644, NULL), ERR_INVAL);
    assert_int_equal(do_make(f, 1, ".", 0644, NULL), ERR_EXIST);
    assert_int_equal(do_make(f, 1, "..", 0644, NULL), ERR_EXIST);
    assert_int_equal(do_remove(f, FS_UNLINK, 1, "."), ERR_ISDIR);
    assert_int_equal(do_remove(f, FS_RMDIR, 1, "."), ERR_INVAL);
    assert_int_equal(do_remove(f, FS_RMDIR, 1, ".."), ERR_NOTEMPTY);
    assert_int_equal(do_lookup(f, 99, "x"), ERR_STALE);
    uint64_t ino = new_file(f, "file");
    assert_int_equal(do_lookup(f, ino, "x"), ERR_NOTDIR);
    static uint8_t target[4097];
    memset(target, 't', sizeof target);
    struct fs_op op = {.code = FS_SYMLINK, .ino = 1, .name = text("l"), .new_ino = 900};
    op.value = (struct bytes){target, 4096};
    assert_int_equal(run(f, op), ERR_NAMETOOLONG);
    op.value.len = 4095;
    assert_int_equal(run(f, op), OK);
    assert_int_equal(run(f, (struct fs_op){.code = FS_READLINK, .ino = 900}), OK);
    assert_int_equal(f->result.value.len, 4095);
    op.value.len = 0;
    op.name = text("m");
    assert_int_equal(run(f, op), ERR_NOENT);
}

static void dots_lead_to_self_and_parent(void **state)
{
    struct fixture *f = *state;
    uint64_t a, b;
    assert_int_equal(do_mkdir(f, 1, "a", 0755, &a), OK);
    assert_int_equal(do_mkdir(f, a, "b", 0755, &b), OK);
    assert_int_equal(do_lookup(f, b, ".."), OK);
    assert_int_equal(f->result.attr.ino, a);
    assert_int_equal(do_lookup(f, b, "."), OK);
    assert_int_equal(f->result.attr.ino, b);
    assert_int_equal(do_lookup(f, 1, ".."), OK);
    assert_int_equal(f->result.attr.ino, 1);
    assert_int_equal(do_rename(f, (struct names){a, "b", 1, "c", 0}), OK);
    assert_int_equal(do_lookup(f, b, ".."), OK);
    assert_int_equal(f->result.attr.ino, 1);
}

/* Puts a bucket where the name "x" belongs, with entries in the given slots. */
static void plant_bucket(struct fixture *f, uint64_t ino, const uint32_t *slots, uint32_t count)
{
    static const char names[] = "abcdefgh";
    struct dir_bucket b = {.key = {OBJECT_DIRENT, 1, name_hash(&f->volume, text("x"))}};
    b.count = count;
    for (uint32_t i = 0; i < count; i++)
        b.entries[i] = (struct dir_entry){{(const uint8_t *)names + i, 1}, ino, 0100000, slots[i]};
    ws_reset(&f->ws);
    struct bytes value = bucket_encode(&f->ws.arena, &b);
    struct item *item = fixture_find(f, b.key);
    assert_non_null(item);
    free((void *)(uintptr_t)item->value.data);
    uint8_t *copy = malloc(value.len);
    assert_non_null(copy);
    memcpy(copy, value.data, value.len);
    item->value = (struct bytes){copy, value.len};
}

static void colliding_names_share_a_bucket(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = new_file(f, "x"), hash = name_hash(&f->volume, text("x"));
    plant_bucket(f, ino, (const uint32_t[]){0, 1, 3, 7}, 4);
    assert_int_equal(do_make(f, 1, "x", 0644, NULL), OK);
    struct fs_op op = {.code = FS_READDIR, .ino = 1, .length = 100};
    assert_int_equal(fixture_apply(f, &op), OK);
    static const char order[] = "abxcd";
    static const uint32_t slots[] = {0, 1, 2, 3, 7};
    assert_int_equal(f->result.entry_count, 7);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(f->result.entries[2 + i].name.data[0], order[i]);
        assert_int_equal(f->result.entries[2 + i].cookie, hash | slots[i]);
    }
    op.offset = hash | 2;
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(f->result.entry_count, 2);
    assert_int_equal(f->result.entries[0].name.data[0], 'c');
    plant_bucket(f, ino, (const uint32_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 8);
    assert_int_equal(do_make(f, 1, "x", 0644, NULL), ERR_DIR_COLLISION);
    assert_int_equal(do_lookup(f, 1, "x"), ERR_NOENT);
}

static void listings_survive_changes(void **state)
{
    struct fixture *f = *state;
    char name[16];
    bool seen[200] = {0};
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "keep%d", i);
        new_file(f, name);
    }
    struct fs_op op = {.code = FS_READDIR, .ino = 1, .length = 7};
    for (int i = 0; !f->result.end || !i; i++) {
        assert_int_equal(fixture_apply(f, &op), OK);
        bool end = f->result.end;
        for (uint32_t j = 0; j < f->result.entry_count; j++) {
            const struct fs_entry *e = &f->result.entries[j];
            op.offset = e->cookie;
            char found[16];
            snprintf(found, sizeof found, "%.*s", (int)e->name.len, (const char *)e->name.data);
            if (strncmp(found, "keep", 4) == 0) {
                unsigned long which = strtoul(found + 4, NULL, 10);
                assert_false(seen[which]);
                seen[which] = true;
            }
        }
        /* other names come and go between the steps */
        snprintf(name, sizeof name, "new%d", i);
        new_file(f, name);
        snprintf(name, sizeof name, "new%d", i - 3);
        if (i >= 3)
            assert_int_equal(do_remove(f, FS_UNLINK, 1, name), OK);
        f->result.end = end;
    }
    for (int i = 0; i < 200; i++)
        assert_true(seen[i]);
}

static void files_without_names_are_reclaimed(void **state)
{
    struct fixture *f = *state;
    static uint8_t big[300000];
    size_t before = f->count;
    uint64_t ino = new_file(f, "f"), tmp = f->next_ino++;
    assert_int_equal(do_write(f, ino, 12345, (struct bytes){big, sizeof big}), OK);
    assert_int_equal(do_setxattr(f, ino, "user.small", text("v")), OK);
    assert_int_equal(do_setxattr(f, ino, "user.big", (struct bytes){big, 50000}), OK);
    assert_int_equal(do_remove(f, FS_UNLINK, 1, "f"), OK);
    assert_int_equal(f->result.attr.nlink, 0);
    assert_int_equal(fixture_count(f, OBJECT_ORPHAN), 1);
    assert_int_equal(do_getattr(f, ino), OK); /* still open */
    struct fs_op link = {.code = FS_LINK, .ino = ino, .ino2 = 1, .name2 = text("g")};
    assert_int_equal(fixture_apply(f, &link), ERR_NOENT);
    fixture_check(f);
    assert_int_equal(run(f, (struct fs_op){.code = FS_RECLAIM, .ino = ino}), OK);
    assert_int_equal(f->count, before);
    assert_int_equal(run(f, (struct fs_op){.code = FS_RECLAIM, .ino = ino}), OK);
    struct fs_op op = {.code = FS_TMPFILE, .ino = 1, .new_ino = tmp, .mode = 0600};
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(fixture_count(f, OBJECT_ORPHAN), 1);
    link.ino = tmp;
    assert_int_equal(fixture_apply(f, &link), OK);
    assert_int_equal(fixture_count(f, OBJECT_ORPHAN), 0);
    assert_int_equal(run(f, (struct fs_op){.code = FS_RECLAIM, .ino = tmp}), OK);
    assert_int_equal(do_lookup(f, 1, "g"), OK);
}

static void dead_directories_take_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t dir;
    assert_int_equal(do_mkdir(f, 1, "d", 0755, &dir), OK);
    new_file(f, "f");
    assert_int_equal(do_remove(f, FS_RMDIR, 1, "d"), OK);
    assert_int_equal(do_make(f, dir, "x", 0644, NULL), ERR_NOENT);
    assert_int_equal(do_rename(f, (struct names){1, "f", dir, "x", 0}), ERR_NOENT);
    struct fs_op op = {.code = FS_READDIR, .ino = dir, .length = 10};
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_true(f->result.end && f->result.entry_count == 0);
}

/* --- times --- */

static struct fs_attr attr_of(struct fixture *f, uint64_t ino)
{
    assert_int_equal(do_getattr(f, ino), OK);
    return f->result.attr;
}

static void changes_move_times(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = new_file(f, "f");
    struct fs_attr root = attr_of(f, 1), a = attr_of(f, ino), b;
    assert_true(root.mtime == a.btime && root.ctime == a.btime && root.atime < a.btime);
    assert_int_equal(do_write(f, ino, 0, text("x")), OK);
    b = attr_of(f, ino);
    assert_true(b.mtime > a.mtime && b.ctime == b.mtime && b.atime == a.atime);
    assert_int_equal(do_chmod(f, ino, 0600), OK);
    a = attr_of(f, ino);
    assert_true(a.ctime > b.ctime && a.mtime == b.mtime);
    assert_int_equal(do_rename(f, (struct names){1, "f", 1, "g", 0}), OK);
    b = attr_of(f, ino);
    assert_true(b.ctime > a.ctime && b.mtime == a.mtime);
    assert_true(attr_of(f, 1).mtime == b.ctime);
    struct fs_op cached = {.code = FS_WRITE, .ino = ino, .value = text("y")};
    cached.flags = FS_WRITE_CACHED;
    assert_int_equal(fixture_apply(f, &cached), OK);
    assert_int_equal(ws_write_set(&f->ws).count, 1); /* the chunk alone */
    struct fs_op times = {.code = FS_SETATTR, .ino = ino, .set = FS_SET_ATIME | FS_SET_MTIME};
    times.attr.atime = -5;
    times.attr.mtime = 7000000001;
    assert_int_equal(fixture_apply(f, &times), OK);
    b = attr_of(f, ino);
    assert_true(b.atime == -5 && b.mtime == 7000000001 && b.ctime == times.now);
}

static void access_times_are_lazy(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = new_file(f, "f");
    struct fs_op op = {.code = FS_READ, .ino = ino, .length = 10, .flags = FS_READ_ATIME};
    assert_int_equal(fixture_apply(f, &op), OK);
    int64_t first = op.now;
    assert_true(attr_of(f, ino).atime == first); /* was not newer than mtime */
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(ws_write_set(&f->ws).count, 0);
    f->now += INT64_C(86400) * 1000000000;
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_true(attr_of(f, ino).atime == op.now);
    struct fs_op list = {.code = FS_READDIR, .ino = 1, .length = 9, .flags = FS_READDIR_ATIME};
    assert_int_equal(fixture_apply(f, &list), OK);
    assert_true(attr_of(f, 1).atime == list.now);
}

/* --- data --- */

static void files_have_a_greatest_size(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = new_file(f, "f");
    assert_int_equal(do_resize(f, ino, FS_FILE_MAX + 1), ERR_FBIG);
    assert_int_equal(do_resize(f, ino, FS_FILE_MAX), OK);
    assert_int_equal(do_write(f, ino, FS_FILE_MAX, text("x")), ERR_FBIG);
    assert_int_equal(do_write(f, ino, UINT64_MAX, text("x")), ERR_FBIG);
    assert_int_equal(do_write(f, ino, FS_FILE_MAX - 2, text("xyz")), OK);
    assert_int_equal(f->result.length, 2);
    struct fs_op op = {.code = FS_FALLOCATE, .ino = ino, .offset = FS_FILE_MAX, .length = 1};
    assert_int_equal(fixture_apply(f, &op), ERR_FBIG);
    op.offset = UINT64_MAX;
    op.length = UINT64_MAX;
    assert_int_equal(fixture_apply(f, &op), ERR_FBIG);
    op = (struct fs_op){.code = FS_SEEK, .ino = ino, .offset = 5, .flags = 3};
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(f->result.offset, FS_FILE_MAX - CHUNK_SIZE);
    op = (struct fs_op){.code = FS_READ, .ino = ino, .offset = UINT64_MAX - 1, .length = 100};
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(f->result.length, 0);
}

static void bytes_behind_the_end_read_as_zeros(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[20], zeros[20] = {0};
    size_t got;
    uint64_t ino = new_file(f, "f");
    assert_int_equal(do_write(f, ino, 0, text("0123456789abcdefghij")), OK);
    assert_int_equal(do_resize(f, ino, 5), OK);
    assert_int_equal(do_resize(f, ino, 20), OK);
    assert_int_equal(do_read(f, ino, 0, (struct bytes){buf, 20}, &got), OK);
    assert_int_equal(got, 20);
    assert_memory_equal(buf, "01234", 5);
    assert_memory_equal(buf + 5, zeros, 15);
}

static void a_workspace_reads_its_own_writes(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = new_file(f, "f");
    struct fs_op read = {.code = FS_READ, .ino = ino, .length = 100};
    struct fs_op write = {.code = FS_WRITE, .ino = ino, .offset = 10, .value = text("mine")};
    struct fs_result result;
    assert_int_equal(fixture_apply(f, &read), OK); /* leaves all that is needed supplied */
    write.now = read.now = f->now;
    uint64_t mark = ws_mark(&f->ws);
    assert_int_equal(fs_apply(&f->ws, &f->volume, &write, &result), OK);
    assert_int_equal(fs_apply(&f->ws, &f->volume, &read, &result), OK);
    assert_int_equal(result.length, 14);
    assert_int_equal(result.pieces[0].type, FS_PIECE_MEMORY);
    assert_memory_equal(result.pieces[0].data, "\0\0\0\0\0\0\0\0\0\0mine", 14);
    ws_rollback(&f->ws, mark);
    assert_int_equal(fs_apply(&f->ws, &f->volume, &read, &result), OK);
    assert_int_equal(result.length, 0);
    ws_check(&f->ws);
}

static void a_long_file_is_cut_in_steps(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = new_file(f, "f"), many = FS_TRIM_MAX + 500, far = FS_FILE_MAX - 10;
    for (uint64_t i = 0; i < many; i++)
        assert_int_equal(do_write(f, ino, i * BLOCK_SIZE, text("x")), OK);
    assert_int_equal(do_write(f, ino, far, text("x")), OK);
    assert_int_equal(fixture_count(f, OBJECT_BLOCK), many + 1);
    uint64_t before = f->stamps;
    assert_int_equal(do_resize(f, ino, 3 * BLOCK_SIZE + 1), OK);
    assert_int_equal(f->result.attr.size, 3 * BLOCK_SIZE + 1);
    assert_int_equal(f->result.attr.blocks, 4 * 8);
    assert_int_equal(fixture_count(f, OBJECT_BLOCK), 4);
    assert_in_range(f->stamps - before, 2, 80); /* not one step for each 8 GiB */
}

/* --- extended attributes --- */

static void attributes_have_limits(void **state)
{
    struct fixture *f = *state;
    static uint8_t value[FS_XATTR_MAX];
    uint64_t ino = new_file(f, "f");
    char name[256];
    enum err err = OK;
    int count = 0;
    for (; err == OK; count++) {
        snprintf(name, sizeof name, "user.%d", count);
        err = do_setxattr(f, ino, name, (struct bytes){value, sizeof value});
    }
    assert_int_equal(err, ERR_XATTR_NOSPC);
    assert_int_equal(count, 16); /* the sixteenth does not fit 1 MiB with its name */
    fixture_check(f);
    ino = new_file(f, "g");
    for (err = OK, count = 0; err == OK; count++) {
        snprintf(name, sizeof name, "user.%0200d", count);
        err = do_setxattr(f, ino, name, (struct bytes){0});
    }
    assert_int_equal(err, ERR_XATTR_NOSPC);
    assert_in_range(count, 300, 330);
    assert_int_equal(run(f, (struct fs_op){.code = FS_LISTXATTR, .ino = ino}), OK);
    assert_in_range(f->result.value.len, 60000, 65536);
    memset(name, 'n', sizeof name);
    memcpy(name, "user.", 5);
    struct fs_op op = {.code = FS_GETXATTR, .ino = ino, .name = {(uint8_t *)name, 256}};
    assert_int_equal(fixture_apply(f, &op), ERR_RANGE);
}

/* --- the check and the printer --- */

static void count_problem(void *ctx, const char *sentence)
{
    (void)ctx;
    assert_true(strlen(sentence) > 10);
}

static uint64_t problems_of(struct fixture *f)
{
    struct fs_check check;
    fs_check_begin(&check, &f->volume, count_problem, NULL);
    for (size_t i = 0; i < f->count; i++) {
        const struct item *item = f->items[i];
        struct object_version v = {item->stamp, true, item->value, item->chunks};
        fs_check_object(&check, &item->key, &v);
    }
    fs_check_end(&check);
    return check.problems;
}

static void the_check_misses_no_lost_object(void **state)
{
    struct fixture *f = *state;
    static uint8_t big[300000];
    uint64_t dir, ino;
    assert_int_equal(do_mkdir(f, 1, "d", 0755, &dir), OK);
    assert_int_equal(do_mkdir(f, dir, "e", 0755, NULL), OK);
    assert_int_equal(do_make(f, dir, "f", 0644, &ino), OK);
    assert_int_equal(do_write(f, ino, 5, (struct bytes){big, sizeof big}), OK);
    assert_int_equal(do_setxattr(f, ino, "user.a", text("v")), OK);
    assert_int_equal(do_setxattr(f, ino, "user.b", (struct bytes){big, 9000}), OK);
    new_file(f, "gone");
    assert_int_equal(do_remove(f, FS_UNLINK, 1, "gone"), OK);
    assert_int_equal(problems_of(f), 0);
    for (size_t i = 0; i < f->count; i++) {
        struct item *lost = f->items[i];
        memmove(&f->items[i], &f->items[i + 1], (f->count - i - 1) * sizeof *f->items);
        f->count--;
        assert_true(problems_of(f) > 0);
        memmove(&f->items[i + 1], &f->items[i], (f->count - i) * sizeof *f->items);
        f->items[i] = lost;
        f->count++;
        if (lost->chunks) { /* a chunk lost, one too many */
            lost->chunks ^= 1;
            assert_true(problems_of(f) > 0);
            lost->chunks ^= 1;
        }
        if (lost->value.len > 2) { /* an object under another's name */
            lost->key.ino += 1000000;
            bool last = i + 1 == f->count || f->items[i + 1]->key.kind != lost->key.kind;
            assert_true(!last || problems_of(f) > 0);
            lost->key.ino -= 1000000;
        }
    }
    assert_int_equal(problems_of(f), 0);
}

static struct inode load_inode(struct fixture *f, uint64_t ino)
{
    struct inode inode;
    ws_reset(&f->ws);
    struct item *item = fixture_find(f, key_inode(ino));
    assert_non_null(item);
    assert_int_equal(inode_decode(&f->ws.arena, ino, item->value, &inode), OK);
    return inode;
}

static void store_inode(struct fixture *f, const struct inode *inode)
{
    ws_reset(&f->ws);
    struct item *item = fixture_find(f, key_inode(inode->ino));
    struct bytes value = inode_encode(&f->ws.arena, inode);
    free((void *)(uintptr_t)item->value.data);
    uint8_t *copy = malloc(value.len);
    assert_non_null(copy);
    memcpy(copy, value.data, value.len);
    item->value = (struct bytes){copy, value.len};
}

static void the_check_compares_each_count(void **state)
{
    struct fixture *f = *state;
    uint64_t dir, ino;
    assert_int_equal(do_mkdir(f, 1, "d", 0755, &dir), OK);
    assert_int_equal(do_make(f, dir, "f", 0644, &ino), OK);
    assert_int_equal(do_write(f, ino, 0, text("data")), OK);
    for (int i = 0; i < 7; i++) {
        struct inode good = load_inode(f, i < 3 ? dir : ino), bad = good;
        bad.parent += i == 0 ? ino : 0;
        bad.entries += i == 1;
        bad.nlink += i == 2 || i == 3;
        bad.chunks += i == 4;
        bad.xattr_bytes += i == 5;
        bad.size = i == 6 ? 0 : bad.size;
        store_inode(f, &bad);
        assert_true(problems_of(f) > 0);
        store_inode(f, &good);
        assert_int_equal(problems_of(f), 0);
    }
    struct inode bad = load_inode(f, ino);
    bad.mode = 0010000 | 0644; /* another type than the name says */
    store_inode(f, &bad);
    assert_true(problems_of(f) > 0);
    bad.mode = 0100000 | 0644;
    store_inode(f, &bad);
    bad = load_inode(f, dir); /* the only thing wrong: the parent, another directory */
    uint64_t other;
    assert_int_equal(do_mkdir(f, 1, "e", 0755, &other), OK);
    struct inode good = bad;
    bad.parent = other;
    store_inode(f, &bad);
    assert_int_equal(problems_of(f), 1);
    store_inode(f, &good);
}

static void the_check_finds_cycles(void **state)
{
    struct fixture *f = *state;
    uint64_t a, b, c;
    assert_int_equal(do_mkdir(f, 1, "a", 0755, &a), OK);
    assert_int_equal(do_mkdir(f, a, "b", 0755, &b), OK);
    assert_int_equal(do_mkdir(f, b, "c", 0755, &c), OK);
    /* b's name moves into c, by hand: b and c hold each other, all counts stay right */
    struct inode in_a = load_inode(f, a), in_b = load_inode(f, b), in_c = load_inode(f, c);
    in_a.nlink--;
    in_a.entries--;
    in_c.nlink++;
    in_c.entries++;
    in_b.parent = c;
    store_inode(f, &in_a);
    store_inode(f, &in_b);
    store_inode(f, &in_c);
    struct object_key from = {OBJECT_DIRENT, a, name_hash(&f->volume, text("b"))};
    struct item *entry = fixture_find(f, from);
    assert_non_null(entry);
    entry->key.ino = c;
    for (size_t i = 1; i < f->count; i++) { /* back in order */
        for (size_t j = i; j && object_key_compare(&f->items[j]->key, &f->items[j - 1]->key) < 0;
             j--) {
            struct item *swap = f->items[j];
            f->items[j] = f->items[j - 1];
            f->items[j - 1] = swap;
        }
    }
    assert_int_equal(problems_of(f), 2); /* neither b nor c can be reached */
}

static void operations_print_themselves(void **state)
{
    (void)state;
    char buf[128], tiny[8];
    struct fs_op op = {.code = FS_RENAME, .ino = 1, .name = text("a"), .ino2 = 7};
    op.name2 = text("b\n");
    op.cred.uid = 1000;
    assert_string_equal(fs_op_print(&op, buf, sizeof buf), "rename 1/'a' 7/'b\\x0a' uid=1000");
    assert_string_equal(fs_op_print(&op, tiny, sizeof tiny), "rename ");
    for (int i = 1; i < FS_CODE_COUNT; i++)
        assert_string_not_equal(fs_code_name((enum fs_code)i), "unknown");
    assert_string_equal(fs_code_name(FS_CODE_COUNT), "unknown");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define D(name) cmocka_unit_test_setup_teardown(name, setup, teardown_damaged)
    const struct CMUnitTest tests[] = {
        T(operations_run_twice_at_most),
        T(names_have_limits),
        T(dots_lead_to_self_and_parent),
        D(colliding_names_share_a_bucket),
        T(listings_survive_changes),
        T(files_without_names_are_reclaimed),
        T(dead_directories_take_nothing),
        T(changes_move_times),
        T(access_times_are_lazy),
        T(files_have_a_greatest_size),
        T(bytes_behind_the_end_read_as_zeros),
        T(a_workspace_reads_its_own_writes),
        T(a_long_file_is_cut_in_steps),
        T(attributes_have_limits),
        T(the_check_misses_no_lost_object),
        T(the_check_compares_each_count),
        D(the_check_finds_cycles),
        T(operations_print_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
