/* SPDX-License-Identifier: MIT
 *
 * locks.c: flock, fcntl and open-file-description locks between processes.
 */
#include "harness.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static struct flock lock_of(short type, off_t start, off_t len)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static int set_lock(int fd, short type, off_t start, off_t len)
{
    struct flock l = lock_of(type, start, len);

    return fcntl(fd, F_SETLK, &l);
}

static void flock_denied(void *arg)
{
    int fd = OPEN("f", O_RDWR);

    (void)arg;
    FAILS(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    FAILS(flock(fd, LOCK_SH | LOCK_NB), EWOULDBLOCK);
}

static void flock_granted(void *arg)
{
    int fd = OPEN("f", O_RDWR);

    (void)arg;
    OK(flock(fd, LOCK_EX | LOCK_NB));
}

static void flock_shared(void *arg)
{
    int fd = OPEN("f", O_RDWR);

    (void)arg;
    OK(flock(fd, LOCK_SH | LOCK_NB));
    FAILS(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
}

static void whole_file(void)
{
    int fd;

    make_file("f", "");
    fd = OPEN("f", O_RDWR);
    OK(flock(fd, LOCK_EX));
    wait_ok(spawn(flock_denied, NULL));
    OK(flock(fd, LOCK_SH));
    wait_ok(spawn(flock_shared, NULL));
    OK(flock(fd, LOCK_UN));
    wait_ok(spawn(flock_granted, NULL));
    OK(flock(fd, LOCK_EX | LOCK_NB)); /* the child's ended with it */
    close(fd);
}

static void fcntl_from_child(void *arg)
{
    struct flock l = lock_of(F_WRLCK, 0, 0);
    int fd = OPEN("f", O_RDWR);

    (void)arg;
    FAILS(set_lock(fd, F_WRLCK, 150, 10), EAGAIN);
    FAILS(set_lock(fd, F_RDLCK, 150, 10), EAGAIN);
    OK(set_lock(fd, F_WRLCK, 0, 100));
    OK(set_lock(fd, F_RDLCK, 300, 10));
    OK(fcntl(fd, F_GETLK, &l));
    SAME(l.l_type, F_WRLCK);
    SAME(l.l_start, 100);
    SAME(l.l_len, 100);
    SAME(l.l_pid, getppid());
}

static void ranges(void)
{
    int fd;

    make_file("f", "");
    fd = OPEN("f", O_RDWR);
    OK(set_lock(fd, F_WRLCK, 100, 100));
    OK(set_lock(fd, F_RDLCK, 300, 100));
    wait_ok(spawn(fcntl_from_child, NULL));
    close(fd);
}

static void closing_drops(void *arg)
{
    const struct link_pair *l = arg;
    int fd = OPEN("f", O_RDWR);

    FAILS(set_lock(fd, F_WRLCK, 0, 1), EAGAIN);
    signal_parent(l);
    await_parent(l);
    OK(set_lock(fd, F_WRLCK, 0, 1));
}

static void dropped_by_any_close(void)
{
    struct link_pair l = link_pair();
    pid_t child;
    int fd;

    make_file("f", "");
    fd = OPEN("f", O_RDWR);
    OK(set_lock(fd, F_WRLCK, 0, 1));
    child = spawn(closing_drops, &l);
    await_child(&l);
    close(OPEN("f", O_RDONLY));
    signal_child(&l);
    wait_ok(child);
    close(fd);
}

static void wait_for_lock(void *arg)
{
    const struct link_pair *l = arg;
    struct flock lock = lock_of(F_WRLCK, 0, 1);
    int fd = OPEN("f", O_RDWR);

    signal_parent(l);
    OK(fcntl(fd, F_SETLKW, &lock));
    check_content("f", "released");
}

static void blocking(void)
{
    struct link_pair l = link_pair();
    struct flock lock = lock_of(F_UNLCK, 0, 0);
    pid_t child;
    int fd;

    make_file("f", "held");
    fd = OPEN("f", O_RDWR);
    OK(set_lock(fd, F_WRLCK, 0, 0));
    child = spawn(wait_for_lock, &l);
    await_child(&l);
    SAME(pwrite(fd, "released", 8, 0), 8);
    OK(fcntl(fd, F_SETLK, &lock));
    wait_ok(child);
    close(fd);
}

static void description_locks(void)
{
    struct flock l = lock_of(F_WRLCK, 0, 10);
    int a, b;

    make_file("f", "");
    a = OPEN("f", O_RDWR);
    b = OPEN("f", O_RDWR);
    OK(fcntl(a, F_OFD_SETLK, &l));
    FAILS(fcntl(b, F_OFD_SETLK, &l), EAGAIN); /* even in one process */
    close(OPEN("f", O_RDONLY));               /* does not drop it */
    FAILS(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
    close(a);
    OK(fcntl(b, F_OFD_SETLK, &l));
    close(b);
}

static void hold_and_die(void *arg)
{
    const struct link_pair *l = arg;
    int fd = OPEN("f", O_RDWR);

    OK(set_lock(fd, F_WRLCK, 0, 0));
    signal_parent(l);
    await_parent(l);
}

static void released_by_death(void)
{
    struct link_pair l = link_pair();
    struct flock lock = lock_of(F_WRLCK, 0, 0);
    pid_t child;
    int fd;

    make_file("f", "");
    child = spawn(hold_and_die, &l);
    await_child(&l);
    fd = OPEN("f", O_RDWR);
    FAILS(set_lock(fd, F_WRLCK, 0, 0), EAGAIN);
    OK(kill(child, SIGKILL));
    OK(fcntl(fd, F_SETLKW, &lock));
    SAME(waitpid(child, NULL, 0), child);
    close(fd);
}

static const struct test_case cases[] = {
    {"flock", whole_file},
    {"fcntl ranges", ranges},
    {"any close drops fcntl locks", dropped_by_any_close},
    {"a blocking request waits", blocking},
    {"open file description locks", description_locks},
    {"released by death", released_by_death},
};
TOPIC(locks, "locks", cases);
