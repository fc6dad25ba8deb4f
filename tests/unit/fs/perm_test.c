/* SPDX-License-Identifier: MIT
 *
 * perm_test.c: who may do what: mode bits, ACLs, sticky directories, set-id bits, ownership,
 * attribute namespaces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define NONE UINT32_MAX

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

static void as(struct fixture *f, uint32_t uid, uint32_t gid)
{
    f->cred = (struct fs_cred){.uid = uid, .gid = gid, .cap_fsetid = uid == 0};
}

static uint32_t mode_of(struct fixture *f, uint64_t ino)
{
    assert_int_equal(do_getattr(f, ino), OK);
    return f->result.attr.mode & 07777;
}

static enum err access_of(struct fixture *f, uint64_t ino, uint32_t mask)
{
    struct fs_op op = {.code = FS_ACCESS, .ino = ino, .mask = mask};
    return fixture_apply(f, &op);
}

/* A file in the root owned by uid 10, gid 20. */
static uint64_t file_of_10(struct fixture *f, const char *name, uint32_t mode)
{
    uint64_t ino;
    as(f, 0, 0);
    assert_int_equal(do_make(f, FS_ROOT_INO, name, 0600, &ino), OK);
    assert_int_equal(do_chown(f, ino, 10, 20), OK);
    assert_int_equal(do_chmod(f, ino, mode), OK);
    return ino;
}

static void mode_bits_decide_by_class(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t uid, gid, mode, may;
    } cases[] = {{10, 20, 0700, 7}, {11, 20, 0070, 7}, {11, 21, 0007, 7}, {10, 20, 0077, 0},
                 {11, 20, 0707, 0}, {11, 21, 0770, 0}, {0, 0, 0000, 6},   {0, 0, 0001, 7},
                 {10, 20, 0500, 5}, {11, 20, 0060, 6}, {11, 21, 0004, 4}};
    uint64_t ino = file_of_10(f, "f", 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        as(f, 0, 0);
        assert_int_equal(do_chmod(f, ino, cases[i].mode), OK);
        as(f, cases[i].uid, cases[i].gid);
        for (uint32_t mask = 1; mask < 8; mask++) {
            bool may = (mask & cases[i].may) == mask;
            assert_int_equal(access_of(f, ino, mask), may ? OK : ERR_ACCES);
        }
    }
    const uint32_t groups[] = {5, 20};
    as(f, 0, 0);
    assert_int_equal(do_chmod(f, ino, 0040), OK);
    as(f, 11, 21);
    assert_int_equal(access_of(f, ino, 4), ERR_ACCES);
    f->cred.groups = groups;
    f->cred.group_count = 2;
    assert_int_equal(access_of(f, ino, 4), OK);
}

static void directories_need_search_and_write(void **state)
{
    struct fixture *f = *state;
    uint64_t dir;
    assert_int_equal(do_mkdir(f, FS_ROOT_INO, "d", 0755, &dir), OK);
    assert_int_equal(do_make(f, dir, "f", 0644, NULL), OK);
    as(f, 10, 20);
    assert_int_equal(do_lookup(f, dir, "f"), OK);
    assert_int_equal(do_make(f, dir, "g", 0644, NULL), ERR_ACCES);
    assert_int_equal(do_make(f, dir, "f", 0644, NULL), ERR_EXIST);
    assert_int_equal(do_remove(f, FS_UNLINK, dir, "f"), ERR_ACCES);
    assert_int_equal(do_remove(f, FS_UNLINK, dir, "none"), ERR_NOENT);
    assert_int_equal(do_rename(f, (struct names){dir, "f", dir, "g", 0}), ERR_ACCES);
    as(f, 0, 0);
    assert_int_equal(do_chmod(f, dir, 0666), OK);
    as(f, 10, 20);
    assert_int_equal(do_lookup(f, dir, "f"), ERR_ACCES);
    assert_int_equal(do_lookup(f, dir, "."), ERR_ACCES);
    f->cred.checked = true;
    assert_int_equal(do_lookup(f, dir, "f"), OK);
    assert_int_equal(do_make(f, dir, "g", 0644, NULL), OK);
}

static void sticky_directories_protect_names(void **state)
{
    struct fixture *f = *state;
    uint64_t dir, dir2;
    assert_int_equal(do_mkdir(f, FS_ROOT_INO, "tmp", 0777, &dir), OK);
    assert_int_equal(do_mkdir(f, FS_ROOT_INO, "open", 0777, &dir2), OK);
    assert_int_equal(do_chmod(f, dir, 01777), OK);
    as(f, 10, 20);
    assert_int_equal(do_make(f, dir, "mine", 0644, NULL), OK);
    assert_int_equal(do_make(f, dir2, "other", 0644, NULL), OK);
    as(f, 11, 20);
    assert_int_equal(do_remove(f, FS_UNLINK, dir, "mine"), ERR_PERM);
    assert_int_equal(do_rename(f, (struct names){dir, "mine", dir2, "x", 0}), ERR_PERM);
    assert_int_equal(do_rename(f, (struct names){dir2, "other", dir, "mine", 0}), ERR_PERM);
    as(f, 10, 20);
    assert_int_equal(do_remove(f, FS_UNLINK, dir, "mine"), OK);
}

static void only_owners_change_modes_and_owners(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = file_of_10(f, "f", 0666);
    as(f, 11, 21);
    assert_int_equal(do_chmod(f, ino, 0777), ERR_PERM);
    assert_int_equal(do_chown(f, ino, 11, NONE), ERR_PERM);
    struct fs_op times = {.code = FS_SETATTR, .ino = ino, .set = FS_SET_MTIME};
    assert_int_equal(fixture_apply(f, &times), ERR_PERM);
    times.set = FS_SET_MTIME_NOW;
    assert_int_equal(fixture_apply(f, &times), OK);
    as(f, 10, 20);
    assert_int_equal(do_chmod(f, ino, 0600), OK);
    assert_int_equal(do_chown(f, ino, 11, NONE), ERR_PERM);
    assert_int_equal(do_chown(f, ino, 10, 20), OK);
    assert_int_equal(do_chown(f, ino, NONE, 21), ERR_PERM);
    f->cred.groups = (const uint32_t[]){21};
    f->cred.group_count = 1;
    assert_int_equal(do_chown(f, ino, NONE, 21), OK);
    assert_int_equal(f->result.attr.gid, 21);
    as(f, 11, 21);
    assert_int_equal(fixture_apply(f, &times), ERR_ACCES);
    assert_int_equal(do_resize(f, ino, 0), ERR_ACCES);
}

static void set_id_bits_go_when_they_must(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = file_of_10(f, "f", 06777);
    assert_int_equal(mode_of(f, ino), 06777);
    assert_int_equal(do_write(f, ino, 0, text("x")), OK); /* uid 0 keeps them */
    assert_int_equal(mode_of(f, ino), 06777);
    as(f, 11, 21);
    assert_int_equal(do_write(f, ino, 0, text("x")), OK);
    assert_int_equal(mode_of(f, ino), 0777);
    file_of_10(f, "g", 0);
    assert_int_equal(do_chmod(f, ino, 06777), OK);
    as(f, 11, 21);
    assert_int_equal(do_resize(f, ino, 0), OK);
    assert_int_equal(mode_of(f, ino), 0777);
    as(f, 0, 0);
    assert_int_equal(do_chmod(f, ino, 06777), OK);
    assert_int_equal(do_chown(f, ino, 10, 20), OK); /* chown: for anyone */
    assert_int_equal(mode_of(f, ino), 0777);
    assert_int_equal(do_chmod(f, ino, 06767), OK);
    assert_int_equal(do_chown(f, ino, 10, 20), OK); /* without g+x the bit means locking */
    assert_int_equal(mode_of(f, ino), 02767);
    as(f, 10, 99);
    assert_int_equal(do_chmod(f, ino, 02777), OK); /* not in the file's group */
    assert_int_equal(mode_of(f, ino), 0777);
}

static void set_gid_directories_pass_their_group_on(void **state)
{
    struct fixture *f = *state;
    uint64_t dir, ino;
    assert_int_equal(do_mkdir(f, FS_ROOT_INO, "d", 0777, &dir), OK);
    assert_int_equal(do_chown(f, dir, 0, 30), OK);
    assert_int_equal(do_chmod(f, dir, 02777), OK);
    as(f, 10, 20);
    assert_int_equal(do_mkdir(f, dir, "sub", 0755, &ino), OK);
    assert_int_equal(f->result.attr.gid, 30);
    assert_int_equal(f->result.attr.mode & 07777, 02755);
    assert_int_equal(do_make(f, dir, "f", 02755, &ino), OK);
    assert_int_equal(f->result.attr.gid, 30);
    assert_int_equal(f->result.attr.mode & 07777, 0755);
    assert_int_equal(do_make(f, dir, "g", 02745, &ino), OK);
    assert_int_equal(f->result.attr.mode & 07777, 02745);
}

/* --- ACLs --- */

struct acl {
    uint8_t data[256];
    size_t len;
};

static void acl_start(struct acl *a)
{
    memcpy(a->data, "\2\0\0\0", 4);
    a->len = 4;
}

static void acl_add(struct acl *a, uint16_t tag, uint16_t perm, uint32_t id)
{
    struct cursor c = cursor_over(a->data + a->len, 8);
    put_u16(&c, tag);
    put_u16(&c, perm);
    put_u32(&c, id);
    a->len += 8;
}

static enum err set_acl(struct fixture *f, uint64_t ino, const char *name, const struct acl *a)
{
    return do_setxattr(f, ino, name, (struct bytes){a->data, a->len});
}

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

/* owner rwx, user 11 rw-, group r--, group 40 rw-, mask `mask`, other --- */
static void acl_sample(struct acl *a, uint16_t mask)
{
    acl_start(a);
    acl_add(a, 1, 7, 0);
    acl_add(a, 2, 6, 11);
    acl_add(a, 4, 4, 0);
    acl_add(a, 8, 6, 40);
    acl_add(a, 16, mask, 0);
    acl_add(a, 32, 0, 0);
}

static void acl_entries_decide_in_order(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t uid, gid, may;
    } cases[] = {{10, 99, 7}, {11, 99, 6}, {12, 20, 4}, {12, 40, 6}, {12, 99, 0}};
    struct acl a;
    uint64_t ino = file_of_10(f, "f", 0700);
    for (uint16_t limit = 0; limit < 8; limit++) {
        as(f, 10, 20);
        acl_sample(&a, limit);
        assert_int_equal(set_acl(f, ino, ACCESS, &a), OK);
        assert_int_equal(mode_of(f, ino), 0700u | (uint32_t)limit << 3);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            uint32_t may = i ? cases[i].may & limit : cases[i].may;
            as(f, cases[i].uid, cases[i].gid);
            for (uint32_t mask = 1; mask < 8; mask++)
                assert_int_equal(access_of(f, ino, mask), (mask & may) == mask ? OK : ERR_ACCES);
        }
    }
    as(f, 10, 20);
    assert_int_equal(do_chmod(f, ino, 0640), OK); /* group bits are the mask now */
    as(f, 11, 99);
    assert_int_equal(access_of(f, ino, 4), OK);
    assert_int_equal(access_of(f, ino, 2), ERR_ACCES);
    assert_int_equal(do_getxattr(f, ino, ACCESS), OK);
    assert_int_equal(f->result.value.data[4 + 4 * 8 + 2], 4);
    assert_int_equal(set_acl(f, ino, ACCESS, &a), ERR_PERM);
}

static void a_matching_group_shuts_others_out(void **state)
{
    struct fixture *f = *state;
    struct acl a;
    uint64_t ino = file_of_10(f, "f", 0700);
    acl_start(&a);
    acl_add(&a, 1, 7, 0);
    acl_add(&a, 4, 4, 0);
    acl_add(&a, 8, 2, 40);
    acl_add(&a, 16, 7, 0);
    acl_add(&a, 32, 7, 0);
    assert_int_equal(set_acl(f, ino, ACCESS, &a), OK);
    as(f, 12, 20);
    assert_int_equal(access_of(f, ino, 1), ERR_ACCES);
    f->cred.groups = (const uint32_t[]){40};
    f->cred.group_count = 1;
    assert_int_equal(access_of(f, ino, 2), OK);
    assert_int_equal(access_of(f, ino, 6), ERR_ACCES); /* no single entry gives both */
    as(f, 12, 99);
    assert_int_equal(access_of(f, ino, 7), OK);
}

static void a_minimal_acl_is_the_mode(void **state)
{
    struct fixture *f = *state;
    struct acl a;
    uint64_t ino = file_of_10(f, "f", 0777);
    acl_start(&a);
    acl_add(&a, 1, 6, 0);
    acl_add(&a, 4, 4, 0);
    acl_add(&a, 32, 1, 0);
    assert_int_equal(set_acl(f, ino, ACCESS, &a), OK);
    assert_int_equal(mode_of(f, ino), 0641);
    assert_int_equal(do_getxattr(f, ino, ACCESS), ERR_NODATA);
    assert_int_equal(set_acl(f, ino, DEFAULT, &a), ERR_ACCES);
}

static void hostile_acls_are_refused(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = file_of_10(f, "f", 0777);
    struct acl good, bad;
    acl_sample(&good, 7);
    for (size_t cut = 1; cut < good.len; cut++) {
        bad = good;
        bad.len = cut;
        if (cut != 4) /* no entries: removes */
            assert_int_equal(set_acl(f, ino, ACCESS, &bad), ERR_INVAL);
    }
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{0, 1}, {0, 3},  {1, 1},  {4, 2},  {4, 3},  {4, 0},   {5, 1},   {6, 8},
                  {7, 1}, {12, 1}, {20, 2}, {28, 4}, {36, 8}, {36, 32}, {44, 16}, {44, 64}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        bad = good;
        bad.data[damage[i].at] = damage[i].value;
        assert_int_equal(set_acl(f, ino, ACCESS, &bad), ERR_INVAL);
    }
    bad = good;
    memset(bad.data + 16, 0xff, 4); /* the user nobody has */
    assert_int_equal(set_acl(f, ino, ACCESS, &bad), ERR_INVAL);
    acl_start(&bad);
    acl_add(&bad, 1, 7, 0);
    acl_add(&bad, 2, 7, 11);
    acl_add(&bad, 4, 7, 0);
    acl_add(&bad, 32, 7, 0);
    assert_int_equal(set_acl(f, ino, ACCESS, &bad), ERR_INVAL); /* no mask */
    acl_start(&bad);
    acl_add(&bad, 4, 7, 0);
    acl_add(&bad, 1, 7, 0);
    acl_add(&bad, 32, 7, 0);
    assert_int_equal(set_acl(f, ino, ACCESS, &bad), ERR_INVAL); /* out of order */
    assert_int_equal(do_getxattr(f, ino, ACCESS), ERR_NODATA);
}

static void default_acls_are_inherited(void **state)
{
    struct fixture *f = *state;
    uint64_t dir, ino;
    struct acl a;
    assert_int_equal(do_mkdir(f, FS_ROOT_INO, "d", 0777, &dir), OK);
    acl_sample(&a, 7);
    assert_int_equal(set_acl(f, dir, DEFAULT, &a), OK);
    struct fs_op op = {.code = FS_MKNOD, .ino = dir, .name = text("f"), .mode = 0664, .umask = 077};
    op.new_ino = ino = f->next_ino++;
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(f->result.attr.mode & 07777, 0660); /* umask ignored, other: 0 */
    assert_int_equal(do_getxattr(f, ino, ACCESS), OK);
    assert_int_equal(f->result.value.len, a.len);
    assert_int_equal(f->result.value.data[6], 6);             /* owner: as asked for */
    assert_int_equal(f->result.value.data[4 + 4 * 8 + 2], 6); /* mask */
    assert_int_equal(do_getxattr(f, ino, DEFAULT), ERR_NODATA);
    assert_int_equal(do_mkdir(f, dir, "sub", 0755, &ino), OK);
    assert_int_equal(do_getxattr(f, ino, DEFAULT), OK);
    assert_memory_equal(f->result.value.data, a.data, a.len);
    op = (struct fs_op){.code = FS_REMOVEXATTR, .ino = dir, .name = text(DEFAULT)};
    assert_int_equal(fixture_apply(f, &op), OK);
    op =
        (struct fs_op){.code = FS_MKNOD, .ino = dir, .name = text("g"), .mode = 0666, .umask = 027};
    op.new_ino = f->next_ino++;
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(f->result.attr.mode & 07777, 0640);
}

/* --- attribute namespaces --- */

static void namespaces_have_their_rules(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = file_of_10(f, "f", 0644), link = f->next_ino++, dir;
    struct fs_op op = {.code = FS_SYMLINK, .ino = 1, .name = text("l"), .new_ino = link};
    op.value = text("f");
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(do_setxattr(f, link, "user.a", text("v")), ERR_PERM);
    assert_int_equal(do_getxattr(f, link, "user.a"), ERR_NODATA);
    assert_int_equal(do_setxattr(f, ino, "trusted.a", text("v")), OK);
    assert_int_equal(do_setxattr(f, ino, "nothing", text("v")), ERR_NOTSUP);
    assert_int_equal(do_setxattr(f, ino, "user.", text("v")), ERR_INVAL);
    assert_int_equal(do_setxattr(f, ino, "security.x", text("v")), OK);
    as(f, 11, 21);
    assert_int_equal(do_setxattr(f, ino, "user.a", text("v")), ERR_ACCES);
    assert_int_equal(do_getxattr(f, ino, "trusted.a"), ERR_NODATA);
    assert_int_equal(do_setxattr(f, ino, "trusted.a", text("v")), ERR_PERM);
    assert_int_equal(do_setxattr(f, ino, "security.x", text("v")), ERR_PERM);
    assert_int_equal(do_getxattr(f, ino, "security.x"), OK);
    op = (struct fs_op){.code = FS_LISTXATTR, .ino = ino};
    assert_int_equal(fixture_apply(f, &op), OK);
    assert_int_equal(f->result.value.len, sizeof "security.x");
    as(f, 0, 0);
    assert_int_equal(do_mkdir(f, FS_ROOT_INO, "tmp", 0777, &dir), OK);
    assert_int_equal(do_chmod(f, dir, 01777), OK);
    as(f, 11, 21);
    assert_int_equal(do_setxattr(f, dir, "user.a", text("v")), ERR_PERM);
}

static void capabilities_go_with_the_data(void **state)
{
    struct fixture *f = *state;
    uint64_t ino = file_of_10(f, "f", 0777);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(do_setxattr(f, ino, "security.capability", text("cap")), OK);
        assert_int_equal(do_getxattr(f, ino, "security.capability"), OK);
        if (i == 0)
            assert_int_equal(do_write(f, ino, 0, text("x")), OK);
        else if (i == 1)
            assert_int_equal(do_resize(f, ino, 0), OK);
        else
            assert_int_equal(do_chown(f, ino, 10, 20), OK);
        assert_int_equal(do_getxattr(f, ino, "security.capability"), ERR_NODATA);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(mode_bits_decide_by_class),        T(directories_need_search_and_write),
        T(sticky_directories_protect_names), T(only_owners_change_modes_and_owners),
        T(set_id_bits_go_when_they_must),    T(set_gid_directories_pass_their_group_on),
        T(acl_entries_decide_in_order),      T(a_matching_group_shuts_others_out),
        T(a_minimal_acl_is_the_mode),        T(hostile_acls_are_refused),
        T(default_acls_are_inherited),       T(namespaces_have_their_rules),
        T(capabilities_go_with_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
