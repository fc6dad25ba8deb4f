/* SPDX-License-Identifier: MIT
 *
 * model_test.c: random operations on the file service and on a model that is too simple to be
 * wrong: a tree of structs and flat arrays of bytes. Errors, attributes, data, holes, listings
 * and attributes must agree, and the structural check must pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define NODES     160
#define CHILDREN  40
#define XATTRS    6
#define SIZE_MAX_ (700u * 1024)
#define CHUNKS    (SIZE_MAX_ / CHUNK_SIZE + 1)
#define T_DIR     0040000u
#define T_REG     0100000u
#define T_LNK     0120000u

struct node;

struct child {
    char name[16];
    struct node *node;
};

struct attribute {
    char name[16];
    size_t len;
    uint8_t fill;
    bool there;
};

struct node {
    uint64_t ino;
    uint32_t type, nlink;
    struct node *parent;
    struct child children[CHILDREN];
    int count;
    uint8_t *data; /* SIZE_MAX_ bytes, zeros behind the size */
    bool *there;   /* per chunk */
    size_t size;
    struct attribute xattrs[XATTRS];
    bool used, linkable;
};

struct model {
    struct fixture f;
    struct node nodes[NODES];
    uint64_t random;
};

static uint32_t draw(struct model *m, uint32_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)((m->random >> 11) % below);
}

static struct node *pick(struct model *m, uint32_t type)
{
    uint32_t start = draw(m, NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        struct node *n = &m->nodes[(start + i) % NODES];
        if (n->used && (!type || n->type == type))
            return n;
    }
    return NULL;
}

static struct node *free_node(struct model *m)
{
    for (int i = 0; i < NODES; i++) {
        if (!m->nodes[i].used)
            return &m->nodes[i];
    }
    return NULL;
}

static void start_node(struct node *n, uint64_t ino, uint32_t type)
{
    memset(n, 0, sizeof *n);
    n->used = true;
    n->ino = ino;
    n->type = type;
    n->nlink = type == T_DIR ? 2 : 1;
    if (type == T_REG) {
        n->data = calloc(1, SIZE_MAX_);
        n->there = calloc(CHUNKS, sizeof *n->there);
        assert_true(n->data && n->there);
    }
}

static void end_node(struct node *n)
{
    free(n->data);
    free(n->there);
    n->used = false;
}

static struct child *child_of(struct node *dir, const char *name)
{
    for (int i = 0; i < dir->count; i++) {
        if (strcmp(dir->children[i].name, name) == 0)
            return &dir->children[i];
    }
    return NULL;
}

static void add_child(struct node *dir, const char *name, struct node *n)
{
    struct child *c = &dir->children[dir->count++];
    assert_true(dir->count <= CHILDREN);
    snprintf(c->name, sizeof c->name, "%s", name);
    c->node = n;
    if (n->type == T_DIR) {
        n->parent = dir;
        dir->nlink++;
    }
}

static void drop_child(struct node *dir, struct child *c)
{
    if (c->node->type == T_DIR)
        dir->nlink--;
    *c = dir->children[--dir->count];
}

static const char *draw_name(struct model *m)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    return names[draw(m, sizeof names / sizeof *names)];
}

static void check_attr(const struct fs_attr *a, const struct node *n)
{
    uint64_t chunks = 0;
    for (size_t i = 0; n->there && i < CHUNKS; i++)
        chunks += n->there[i];
    assert_int_equal(a->ino, n->ino);
    assert_int_equal(a->mode & 0170000, n->type);
    assert_int_equal(a->nlink, n->nlink);
    assert_int_equal(a->size, n->size);
    assert_int_equal(a->blocks, chunks * 8);
}

/* --- names --- */

static void try_make(struct model *m)
{
    static const enum fs_code codes[] = {FS_MKNOD, FS_MKNOD, FS_MKDIR, FS_SYMLINK, FS_TMPFILE};
    static const uint32_t types[] = {T_REG, T_REG, T_DIR, T_LNK, T_REG};
    struct node *dir = pick(m, T_DIR), *n = free_node(m);
    uint32_t what = draw(m, 5);
    const char *name = draw_name(m);
    bool tmp = codes[what] == FS_TMPFILE;
    if (!n)
        return;
    enum err want = !tmp && child_of(dir, name) ? ERR_EXIST : dir->nlink == 0 ? ERR_NOENT : OK;
    struct fs_op op = {.code = codes[what],
                       .ino = dir->ino,
                       .name = text(name),
                       .new_ino = m->f.next_ino++,
                       .mode = 0644};
    if (op.code == FS_SYMLINK)
        op.value = text("where");
    assert_int_equal(fixture_apply(&m->f, &op), want);
    if (want != OK)
        return;
    start_node(n, op.new_ino, types[what]);
    n->linkable = tmp;
    if (tmp)
        n->nlink = 0;
    else
        add_child(dir, name, n);
    if (op.code == FS_SYMLINK)
        n->size = 5;
    check_attr(&m->f.result.attr, n);
}

static void unname(struct node *n)
{
    n->nlink = n->type == T_DIR ? 0 : n->nlink - 1;
}

static void try_remove(struct model *m)
{
    struct node *dir = pick(m, T_DIR);
    const char *name = draw_name(m);
    struct child *c = child_of(dir, name);
    bool rmdir = draw(m, 2);
    enum err want = OK;
    if (!c)
        want = ERR_NOENT;
    else if (rmdir && c->node->type != T_DIR)
        want = ERR_NOTDIR;
    else if (!rmdir && c->node->type == T_DIR)
        want = ERR_ISDIR;
    else if (rmdir && c->node->count)
        want = ERR_NOTEMPTY;
    assert_int_equal(do_remove(&m->f, rmdir ? FS_RMDIR : FS_UNLINK, dir->ino, name), want);
    if (want != OK)
        return;
    struct node *n = c->node;
    drop_child(dir, c);
    unname(n);
    check_attr(&m->f.result.attr, n);
}

static void try_link(struct model *m)
{
    struct node *dir = pick(m, T_DIR), *n = pick(m, 0);
    const char *name = draw_name(m);
    enum err want = OK;
    if (child_of(dir, name))
        want = ERR_EXIST;
    else if (dir->nlink == 0)
        want = ERR_NOENT;
    else if (n->type == T_DIR)
        want = ERR_PERM;
    else if (n->nlink == 0 && !n->linkable)
        want = ERR_NOENT;
    struct fs_op op = {.code = FS_LINK, .ino = n->ino, .ino2 = dir->ino, .name2 = text(name)};
    assert_int_equal(fixture_apply(&m->f, &op), want);
    if (want != OK)
        return;
    n->nlink++;
    n->linkable = false;
    add_child(dir, name, n);
    check_attr(&m->f.result.attr, n);
}

static bool below(const struct node *dir, const struct node *top)
{
    for (; dir; dir = dir->parent) {
        if (dir == top)
            return true;
    }
    return false;
}

static enum err rename_error(struct node *from, struct child *a, struct node *to, struct child *b,
                             uint32_t flags)
{
    bool exchange = flags & FS_RENAME_EXCHANGE;
    if (flags == 3)
        return ERR_INVAL;
    if (!a || to->nlink == 0 || (exchange && !b))
        return ERR_NOENT;
    if ((flags & FS_RENAME_NOREPLACE) && b)
        return ERR_EXIST;
    if (b && a->node == b->node)
        return OK;
    if (a->node->type == T_DIR && below(to, a->node))
        return ERR_INVAL;
    if (exchange)
        return b->node->type == T_DIR && below(from, b->node) ? ERR_INVAL : OK;
    if (!b)
        return OK;
    if (a->node->type == T_DIR && b->node->type != T_DIR)
        return ERR_NOTDIR;
    if (a->node->type != T_DIR && b->node->type == T_DIR)
        return ERR_ISDIR;
    return b->node->type == T_DIR && b->node->count ? ERR_NOTEMPTY : OK;
}

static void model_rename(struct node *from, const char *name, struct node *to, const char *name2,
                         bool exchange)
{
    struct child *a = child_of(from, name), *b = child_of(to, name2);
    struct node *moved = a->node, *other = b ? b->node : NULL;
    if (moved == other)
        return;
    drop_child(from, a);
    if (other)
        drop_child(to, child_of(to, name2));
    add_child(to, name2, moved);
    if (other && exchange)
        add_child(from, name, other);
    else if (other)
        unname(other);
}

static void try_rename(struct model *m)
{
    struct node *from = pick(m, T_DIR), *to = draw(m, 3) ? pick(m, T_DIR) : from;
    const char *name = draw_name(m), *name2 = draw_name(m);
    uint32_t flags = draw(m, 2) ? 0 : draw(m, 4);
    struct child *a = child_of(from, name), *b = child_of(to, name2);
    enum err want = rename_error(from, a, to, b, flags);
    struct node *moved = a ? a->node : NULL, *other = b ? b->node : NULL;
    struct names names = {from->ino, name, to->ino, name2, flags};
    assert_int_equal(do_rename(&m->f, names), want);
    if (want != OK)
        return;
    model_rename(from, name, to, name2, flags & FS_RENAME_EXCHANGE);
    check_attr(&m->f.result.attr, moved);
    if (other && other != moved)
        check_attr(&m->f.result.attr2, other);
    if (!other)
        assert_int_equal(m->f.result.attr2.ino, 0);
}

static void try_list(struct model *m)
{
    struct node *dir = pick(m, T_DIR);
    uint64_t cookie = 0;
    int seen = 0, rounds = 0;
    struct fs_op op = {.code = FS_READDIR, .ino = dir->ino, .length = 1 + draw(m, 7)};
    op.flags = draw(m, 2) ? FS_READDIR_PLUS : 0;
    do {
        op.offset = cookie;
        assert_int_equal(fixture_apply(&m->f, &op), OK);
        for (uint32_t i = 0; i < m->f.result.entry_count; i++) {
            const struct fs_entry *e = &m->f.result.entries[i];
            char name[16];
            snprintf(name, sizeof name, "%.*s", (int)e->name.len, (const char *)e->name.data);
            assert_true(e->cookie > cookie);
            cookie = e->cookie;
            seen++;
            if (name[0] == '.')
                continue;
            struct child *c = child_of(dir, name);
            assert_non_null(c);
            assert_int_equal(e->attr.ino, c->node->ino);
            if (op.flags)
                check_attr(&e->attr, c->node);
        }
        assert_true(++rounds < 100);
    } while (!m->f.result.end);
    assert_int_equal(seen, dir->nlink ? dir->count + 2 : 0);
}

static void try_reclaim(struct model *m)
{
    struct node *n = pick(m, 0);
    struct fs_op op = {.code = FS_RECLAIM, .ino = n->ino};
    assert_int_equal(fixture_apply(&m->f, &op), OK);
    if (n->nlink == 0)
        end_node(n);
    assert_int_equal(do_getattr(&m->f, op.ino), n->used ? OK : ERR_STALE);
}

/* --- data --- */

static void model_zero(struct node *n, size_t from, size_t to)
{
    if (from >= n->size)
        return;
    if (to >= n->size)
        to = CHUNKS * CHUNK_SIZE;
    size_t end = to < SIZE_MAX_ ? to : SIZE_MAX_;
    if (from >= end)
        return;
    memset(n->data + from, 0, end - from);
    for (size_t c = (from + CHUNK_SIZE - 1) / CHUNK_SIZE; c < to / CHUNK_SIZE; c++)
        n->there[c] = false;
}

static void model_write(struct node *n, size_t at, const uint8_t *bytes, size_t len)
{
    memcpy(n->data + at, bytes, len);
    for (size_t c = at / CHUNK_SIZE; c <= (at + len - 1) / CHUNK_SIZE; c++)
        n->there[c] = true;
    if (at + len > n->size)
        n->size = at + len;
}

static size_t draw_offset(struct model *m)
{
    uint32_t unit = draw(m, 3) ? 1 : CHUNK_SIZE;
    uint32_t span = draw(m, 3) ? 20000 : SIZE_MAX_ - 160000;
    return (size_t)draw(m, span) / unit * unit;
}

static size_t draw_length(struct model *m)
{
    uint32_t unit = draw(m, 3) ? 1 : CHUNK_SIZE;
    uint32_t span = draw(m, 4) ? 9000 : 150000;
    return (size_t)draw(m, span) / unit * unit;
}

struct test_owner {
    struct shared shared;
    uint8_t *data;
    int released;
};

static void release(struct shared *s)
{
    ((struct test_owner *)(void *)s)->released++;
}

static void try_write(struct model *m)
{
    struct node *n = pick(m, T_REG);
    if (!n)
        return;
    size_t at = draw_offset(m), len = draw_length(m) + 1;
    bool append = !draw(m, 8) && n->size + len <= SIZE_MAX_;
    struct test_owner owner = {{1, release}, malloc(len), 0};
    assert_non_null(owner.data);
    for (size_t i = 0; i < len; i++)
        owner.data[i] = (uint8_t)(draw(m, 255) + 1);
    struct fs_op op = {.code = FS_WRITE, .ino = n->ino, .offset = at, .value = {owner.data, len}};
    op.flags = append ? FS_WRITE_APPEND : 0;
    op.owner = draw(m, 2) ? &owner.shared : NULL;
    assert_int_equal(fixture_apply(&m->f, &op), OK);
    assert_int_equal(m->f.result.length, len);
    model_write(n, append ? n->size : at, owner.data, len);
    check_attr(&m->f.result.attr, n);
    ws_reset(&m->f.ws);
    assert_int_equal(owner.shared.refs, 1);
    free(owner.data);
}

static void try_read(struct model *m)
{
    struct node *n = pick(m, T_REG);
    if (!n)
        return;
    size_t at = draw_offset(m), len = draw_length(m) + 1, got;
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    assert_int_equal(do_read(&m->f, n->ino, at, (struct bytes){buf, len}, &got), OK);
    size_t left = at < n->size ? n->size - at : 0;
    assert_int_equal(got, left < len ? left : len);
    if (got)
        assert_memory_equal(buf, n->data + at, got);
    free(buf);
}

static void try_resize(struct model *m)
{
    struct node *n = pick(m, T_REG);
    if (!n)
        return;
    size_t size = draw(m, 4) ? draw_offset(m) : 0;
    assert_int_equal(do_resize(&m->f, n->ino, size), OK);
    model_zero(n, size, CHUNKS * CHUNK_SIZE);
    n->size = size;
    check_attr(&m->f.result.attr, n);
}

static void try_fallocate(struct model *m)
{
    static const uint32_t modes[] = {0, 1, 3, 3, 16, 17, 8};
    struct node *n = pick(m, T_REG);
    if (!n)
        return;
    uint32_t mode = modes[draw(m, 7)];
    size_t at = draw_offset(m), len = draw_length(m);
    struct fs_op op = {
        .code = FS_FALLOCATE, .ino = n->ino, .offset = at, .length = len, .flags = mode};
    enum err want = mode == 8 ? ERR_NOTSUP : len == 0 ? ERR_INVAL : OK;
    assert_int_equal(fixture_apply(&m->f, &op), want);
    if (want != OK)
        return;
    if (mode & 18)
        model_zero(n, at, at + len);
    if (!(mode & 1) && at + len > n->size)
        n->size = at + len;
    check_attr(&m->f.result.attr, n);
}

static void try_seek(struct model *m)
{
    struct node *n = pick(m, T_REG);
    if (!n)
        return;
    size_t at = draw_offset(m), found = at;
    bool data = draw(m, 2);
    struct fs_op op = {.code = FS_SEEK, .ino = n->ino, .offset = at, .flags = data ? 3 : 4};
    while (found < n->size && n->there[found / CHUNK_SIZE] != data)
        found = (found / CHUNK_SIZE + 1) * CHUNK_SIZE;
    if (found > n->size)
        found = n->size;
    enum err want = at >= n->size || (data && found == n->size) ? ERR_NXIO : OK;
    assert_int_equal(fixture_apply(&m->f, &op), want);
    if (want == OK)
        assert_int_equal(m->f.result.offset, found);
}

static void model_copy(struct node *a, size_t at, struct node *b, size_t into, size_t len)
{
    bool alike = at % CHUNK_SIZE == into % CHUNK_SIZE;
    for (size_t done = 0, n; done < len; done += n) {
        n = CHUNK_SIZE - (at + done) % CHUNK_SIZE;
        if (n > len - done)
            n = len - done;
        size_t to = into + done;
        if (!alike || a->there[(at + done) / CHUNK_SIZE]) {
            model_write(b, to, a->data + at + done, n);
            continue;
        }
        model_zero(b, to, to + n);
        if (to + n > b->size)
            b->size = to + n;
    }
}

static void try_copy(struct model *m)
{
    struct node *a = pick(m, T_REG), *b = draw(m, 3) ? pick(m, T_REG) : a;
    if (!a)
        return;
    size_t at = draw_offset(m), into = draw(m, 2) ? draw_offset(m) : at, len = draw_length(m);
    size_t left = at < a->size ? a->size - at : 0, n = len < left ? len : left;
    size_t apart = at > into ? at - into : into - at;
    enum err want = a == b && apart < n ? ERR_INVAL : OK;
    struct fs_op op = {.code = FS_COPY,
                       .ino = a->ino,
                       .offset = at,
                       .ino2 = b->ino,
                       .offset2 = into,
                       .length = len};
    assert_int_equal(fixture_apply(&m->f, &op), want);
    if (want != OK)
        return;
    assert_int_equal(m->f.result.length, n);
    model_copy(a, at, b, into, n);
    check_attr(&m->f.result.attr2, b);
}

/* --- extended attributes --- */

static void try_setxattr(struct model *m)
{
    static const size_t sizes[] = {0, 5, 100, 2999, 3000, 3001, 4096, 20000, 65536, 65537};
    static uint8_t value[65537];
    struct node *n = pick(m, draw(m, 2) ? T_REG : T_DIR);
    if (!n)
        return;
    uint32_t which = draw(m, XATTRS), flags = draw(m, 4) ? 0 : 1 + draw(m, 2);
    struct attribute *x = &n->xattrs[which];
    size_t len = sizes[draw(m, 10)];
    uint8_t fill = (uint8_t)draw(m, 256);
    memset(value, fill, len);
    char name[16];
    snprintf(name, sizeof name, "user.x%u", which);
    struct fs_op op = {.code = FS_SETXATTR,
                       .ino = n->ino,
                       .name = text(name),
                       .value = {value, len},
                       .flags = flags};
    enum err want = len > 65536               ? ERR_XATTR_TOO_BIG
                    : flags == 1 && x->there  ? ERR_EXIST
                    : flags == 2 && !x->there ? ERR_NODATA
                                              : OK;
    assert_int_equal(fixture_apply(&m->f, &op), want);
    if (want != OK)
        return;
    *x = (struct attribute){.len = len, .fill = fill, .there = true};
}

static void try_getxattr(struct model *m)
{
    struct node *n = pick(m, draw(m, 2) ? T_REG : T_DIR);
    if (!n)
        return;
    uint32_t which = draw(m, XATTRS);
    struct attribute *x = &n->xattrs[which];
    char name[16];
    snprintf(name, sizeof name, "user.x%u", which);
    bool removes = !draw(m, 3);
    struct fs_op op = {
        .code = removes ? FS_REMOVEXATTR : FS_GETXATTR, .ino = n->ino, .name = text(name)};
    assert_int_equal(fixture_apply(&m->f, &op), x->there ? OK : ERR_NODATA);
    if (!removes && x->there) {
        assert_int_equal(m->f.result.value.len, x->len);
        for (size_t i = 0; i < x->len; i++)
            assert_int_equal(m->f.result.value.data[i], x->fill);
    }
    if (removes)
        x->there = false;
}

static void try_listxattr(struct model *m)
{
    struct node *n = pick(m, draw(m, 2) ? T_REG : T_DIR);
    if (!n)
        return;
    struct fs_op op = {.code = FS_LISTXATTR, .ino = n->ino};
    assert_int_equal(fixture_apply(&m->f, &op), OK);
    size_t want = 0;
    for (int i = 0; i < XATTRS; i++)
        want += n->xattrs[i].there ? sizeof "user.x0" : 0;
    assert_int_equal(m->f.result.value.len, want);
}

/* --- the run --- */

static void step(struct model *m)
{
    static void (*const tries[])(struct model *) = {
        try_make,    try_make,  try_remove,   try_link,     try_rename,   try_rename, try_list,
        try_reclaim, try_write, try_write,    try_write,    try_read,     try_resize, try_fallocate,
        try_seek,    try_copy,  try_setxattr, try_getxattr, try_listxattr};
    m->f.stingy = !draw(m, 16);
    tries[draw(m, sizeof tries / sizeof *tries)](m);
}

static uint64_t run(uint64_t seed, uint32_t steps)
{
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->random = seed;
    fixture_init(&m->f);
    start_node(&m->nodes[0], FS_ROOT_INO, T_DIR);
    for (uint32_t i = 0; i < steps; i++) {
        step(m);
        if (i % 1000 == 0)
            fixture_check(&m->f);
    }
    fixture_check(&m->f);
    /* renames are left out: a moved directory adds a run per level that has to be walked up */
    assert_in_range(m->f.most_rounds, 2, 5);
    uint64_t trace = m->f.trace;
    for (int i = 0; i < NODES; i++) {
        if (m->nodes[i].used)
            end_node(&m->nodes[i]);
    }
    fixture_free(&m->f);
    free(m);
    return trace;
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++)
        run(seed * UINT64_C(0x9e3779b97f4a7c15), 20000);
}

static void same_operations_give_the_same_writes(void **state)
{
    (void)state;
    uint64_t a = run(42, 5000), b = run(42, 5000), c = run(43, 5000);
    assert_true(a == b);
    assert_true(a != c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_operations_give_the_same_writes),
        cmocka_unit_test(agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
