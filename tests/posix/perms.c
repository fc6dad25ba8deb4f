/* SPDX-License-Identifier: MIT
 *
 * perms.c: permissions as another user, ownership, set-id bits, sticky directories.
 */
#include "harness.h"

#include <grp.h>

enum { ALICE = 2001, BOB = 2002, GROUP = 3001 };

static void others_may_read(void)
{
    char c;
    int fd = OPEN("f", O_RDONLY);

    SAME(read(fd, &c, 1), 1);
    close(fd);
    FAILS(open("f", O_WRONLY), EACCES);
    FAILS(truncate("f", 0), EACCES);
    FAILS(chmod("f", 0777), EPERM);
    FAILS(chown("f", ALICE, ALICE), EPERM);
    FAILS(open("secret", O_RDONLY), EACCES);
    FAILS(open("new", O_CREAT | O_RDWR, 0600), EACCES);
    FAILS(mkdir("new", 0700), EACCES);
    FAILS(unlink("f"), EACCES);
    FAILS(rename("f", "g"), EACCES);
    SAME(access("f", R_OK), 0);
    FAILS(access("f", W_OK), EACCES);
    FAILS(access("f", X_OK), EACCES);
    FAILS(stat("closed/f", &(struct stat){0}), EACCES);
    OK(stat("closed", &(struct stat){0}));
    FAILS(chdir("closed"), EACCES);
    check_content("passable/f", "x");
    FAILS(open("passable", O_RDONLY), EACCES);
}

static void other_user(void)
{
    make_file("f", "x");
    make_file("secret", "x");
    OK(chmod("secret", 0600));
    OK(mkdir("closed", 0700));
    make_file("closed/f", "x");
    OK(mkdir("passable", 0711));
    make_file("passable/f", "x");
    as_user(ALICE, ALICE, others_may_read);
}

static void as_owner(void)
{
    FAILS(open("f", O_RDONLY), EACCES);
    OK(chmod("f", 0400));
    close(OPEN("f", O_RDONLY));
    FAILS(open("f", O_WRONLY), EACCES);
    FAILS(chown("f", BOB, (gid_t)-1), EPERM);
    FAILS(chown("f", (uid_t)-1, GROUP), EPERM);
    OK(chown("f", (uid_t)-1, ALICE));
}

static void owner_class_first(void)
{
    need_root();
    make_file("f", "x");
    OK(chmod("f", 0077));
    OK(chown("f", ALICE, ALICE));
    as_user(ALICE, ALICE, as_owner);
}

static void group_denied(void)
{
    FAILS(open("f", O_RDONLY), EACCES);
}

static void group_class_before_others(void)
{
    need_root();
    make_file("f", "x");
    OK(chown("f", BOB, GROUP));
    OK(chmod("f", 0604));
    as_user(ALICE, GROUP, group_denied);
}

static void with_groups(void *arg)
{
    gid_t groups[] = {4001, GROUP, 4002};

    (void)arg;
    OK(setgroups(3, groups));
    OK(setgid(ALICE));
    OK(setuid(ALICE));
    close(OPEN("f", O_RDWR));
    OK(chown("mine", (uid_t)-1, GROUP));
    SAME(stat_of("mine").st_gid, GROUP);
}

static void supplementary_groups(void)
{
    need_root();
    make_file("f", "x");
    OK(chown("f", BOB, GROUP));
    OK(chmod("f", 0660));
    make_file("mine", "x");
    OK(chown("mine", ALICE, ALICE));
    wait_ok(spawn(with_groups, NULL));
}

static void chown_basics(void)
{
    struct stat st;

    need_root();
    make_file("f", "");
    OK(chown("f", 70000, 80000));
    st = stat_of("f");
    SAME(st.st_uid, 70000);
    SAME(st.st_gid, 80000);
    OK(chown("f", (uid_t)-1, 5));
    st = stat_of("f");
    SAME(st.st_uid, 70000);
    SAME(st.st_gid, 5);
}

static void write_as_other(void)
{
    int fd = OPEN("f", O_WRONLY);

    write_all(fd, "x", 1);
    close(fd);
    SAME(stat_of("f").st_mode & 07777, 0777);
}

static void write_clears_set_id(void)
{
    need_root();
    make_file("f", "abc");
    OK(chmod("f", 06777));
    SAME(stat_of("f").st_mode & 07777, 06777);
    as_user(ALICE, ALICE, write_as_other);
    SAME(stat_of("f").st_mode & 07777, 0777);
}

static void truncate_as_other(void)
{
    OK(truncate("f", 1));
    SAME(stat_of("f").st_mode & 07777, 0777);
}

static void truncate_clears_set_id(void)
{
    need_root();
    make_file("f", "abc");
    OK(chmod("f", 06777));
    as_user(ALICE, ALICE, truncate_as_other);
    SAME(stat_of("f").st_mode & 07777, 0777);
}

static void root_keeps_set_id(void)
{
    int fd;

    need_root();
    make_file("f", "abc");
    OK(chmod("f", 06755));
    fd = OPEN("f", O_WRONLY);
    write_all(fd, "x", 1);
    close(fd);
    SAME(stat_of("f").st_mode & 07777, 06755);
}

static void give_to_group(void)
{
    OK(chown("f", (uid_t)-1, ALICE));
    SAME(stat_of("f").st_mode & 07777, 0755);
    OK(chmod("f", 02755));
    SAME(stat_of("f").st_mode & 07777, 02755);
    /* Not a member of the file's group: the bit is dropped silently. */
    OK(chmod("foreign", 02755));
    SAME(stat_of("foreign").st_mode & 07777, 0755);
}

static void chown_and_chmod_clear_set_id(void)
{
    need_root();
    make_file("f", "");
    OK(chown("f", ALICE, ALICE));
    OK(chmod("f", 06755));
    make_file("foreign", "");
    OK(chown("foreign", ALICE, GROUP));
    as_user(ALICE, ALICE, give_to_group);
}

static void in_set_gid_directory(void)
{
    make_file("d/f", "");
    SAME(stat_of("d/f").st_gid, GROUP);
    OK(mkdir("d/e", 0755));
    SAME(stat_of("d/e").st_gid, GROUP);
    CHECK(stat_of("d/e").st_mode & S_ISGID);
    OK(symlink("x", "d/l"));
    SAME(stat_of("d/l").st_gid, GROUP);
    OK(mkfifo("d/p", 0600));
    SAME(stat_of("d/p").st_gid, GROUP);
}

static void set_gid_directory(void)
{
    need_root();
    OK(mkdir("d", 0755));
    OK(chown("d", ALICE, GROUP));
    OK(chmod("d", 02775));
    as_user(ALICE, ALICE, in_set_gid_directory);
}

static void bob_in_sticky(void)
{
    FAILS(unlink("t/alice"), EPERM);
    FAILS(rename("t/alice", "t/x"), EPERM);
    FAILS(rmdir("t/dir"), EPERM);
    make_file("t/bob", "");
    FAILS(rename("t/bob", "t/alice"), EPERM);
    OK(rename("t/bob", "t/bob2"));
    OK(unlink("t/bob2"));
}

static void owner_of_sticky(void)
{
    OK(unlink("t/alice"));
}

static void sticky_directory(void)
{
    need_root();
    OK(mkdir("t", 0777));
    OK(chown("t", 2003, 2003));
    OK(chmod("t", 01777));
    make_file("t/alice", "");
    OK(chown("t/alice", ALICE, ALICE));
    OK(mkdir("t/dir", 0777));
    OK(chown("t/dir", ALICE, ALICE));
    as_user(BOB, BOB, bob_in_sticky);
    as_user(2003, 2003, owner_of_sticky);
}

static void chmod_bits(void)
{
    make_file("f", "");
    for (mode_t m = 0; m <= 07777; m = m * 2 + 1) {
        OK(chmod("f", m));
        SAME(stat_of("f").st_mode, S_IFREG | m);
    }
    FAILS(chmod("none", 0600), ENOENT);
    FAILS(chmod("f/x", 0600), ENOTDIR);
    OK(chmod(".", 01777));
    SAME(stat_of(".").st_mode & 07777, 01777);
}

static void root_needs_one_x(void)
{
    need_root();
    make_file("f", "");
    OK(chmod("f", 0000));
    OK(access("f", R_OK | W_OK));
    FAILS(access("f", X_OK), EACCES);
    OK(chmod("f", 0001));
    OK(access("f", X_OK));
}

static const struct test_case cases[] = {
    {"another user", other_user},
    {"the owner class counts first", owner_class_first},
    {"the group class counts before others", group_class_before_others},
    {"supplementary groups", supplementary_groups},
    {"chown", chown_basics},
    {"a write clears set-id bits", write_clears_set_id},
    {"truncate clears set-id bits", truncate_clears_set_id},
    {"root's write keeps set-id bits", root_keeps_set_id},
    {"chown and chmod clear set-id bits", chown_and_chmod_clear_set_id},
    {"set-gid directory", set_gid_directory},
    {"sticky directory", sticky_directory},
    {"every mode bit", chmod_bits},
    {"root and the execute bit", root_needs_one_x},
};
TOPIC(perms, "perms", cases);
