/* SPDX-License-Identifier: MIT
 *
 * special.c: FIFOs, sockets, device nodes.
 */
#include "harness.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static void fifo_writer(void *arg)
{
    int fd = OPEN(arg, O_WRONLY);

    write_all(fd, "through", 7);
}

static void fifo(void)
{
    char buf[8];
    pid_t child;
    int fd;

    OK(mkfifo("p", 0640));
    SAME(stat_of("p").st_mode, S_IFIFO | 0640);
    FAILS(mkfifo("p", 0640), EEXIST);
    FAILS(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
    child = spawn(fifo_writer, "p");
    fd = OPEN("p", O_RDONLY);
    SAME(read(fd, buf, sizeof buf), 7);
    CHECK(memcmp(buf, "through", 7) == 0);
    wait_ok(child);
    OK(unlink("p"));
}

static void socket_file(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "s"};
    int server = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int client = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

    OK(bind(server, (struct sockaddr *)&a, sizeof a));
    CHECK(S_ISSOCK(stat_of("s").st_mode));
    OK(listen(server, 1));
    OK(connect(client, (struct sockaddr *)&a, sizeof a));
    FAILS(open("s", O_RDONLY), ENXIO);
    OK(unlink("s"));
    CHECK(!exists("s"));
}

static void devices(void)
{
    struct stat st;

    need_root();
    OK(mknod("c", S_IFCHR | 0600, makedev(1, 3)));
    OK(mknod("b", S_IFBLK | 0660, makedev(259, 0xabcde)));
    st = stat_of("c");
    SAME(st.st_mode, S_IFCHR | 0600);
    SAME(st.st_rdev, makedev(1, 3));
    st = stat_of("b");
    CHECK(S_ISBLK(st.st_mode));
    SAME(st.st_rdev, makedev(259, 0xabcde));
    OK(chmod("c", 0644));
    OK(rename("c", "d"));
    OK(link("d", "e"));
    SAME(stat_of("e").st_rdev, makedev(1, 3));
}

static void make_device(void)
{
    FAILS(mknod("mine/c", S_IFCHR | 0600, makedev(1, 3)), EPERM);
    OK(mkfifo("mine/p", 0600));
}

static void devices_need_root(void)
{
    OK(mkdir("mine", 0777));
    OK(chmod("mine", 0777));
    as_user(1001, 1001, make_device);
}

static void regular_by_mknod(void)
{
    OK(mknod("f", S_IFREG | 0604, 0));
    SAME(stat_of("f").st_mode, S_IFREG | 0604);
    FAILS(mknod("f", S_IFREG | 0604, 0), EEXIST);
    FAILS(mknod("none/f", S_IFREG | 0604, 0), ENOENT);
}

static const struct test_case cases[] = {
    {"FIFO", fifo},
    {"socket", socket_file},
    {"device nodes", devices},
    {"device nodes need root", devices_need_root},
    {"mknod of a regular file", regular_by_mknod},
};
TOPIC(special, "special", cases);
