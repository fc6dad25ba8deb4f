/* SPDX-License-Identifier: MIT
 *
 * mmap.c: memory mappings, shared between processes and with read and write.
 */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void *map_file(const char *path, size_t len, int flags)
{
    int fd = OPEN(path, O_RDWR);
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

    CHECK(at != MAP_FAILED);
    close(fd);
    return at;
}

static void mapping_and_io_agree(void)
{
    char buf[8], *at;
    int fd;

    make_file("f", "hello");
    at = map_file("f", 5, MAP_SHARED);
    CHECK(memcmp(at, "hello", 5) == 0);
    at[0] = 'J';
    fd = OPEN("f", O_RDWR);
    SAME(read(fd, buf, sizeof buf), 5);
    CHECK(memcmp(buf, "Jello", 5) == 0);
    SAME(pwrite(fd, "y!", 2, 3), 2);
    CHECK(memcmp(at, "Jely!", 5) == 0);
    CHECK(at[5] == 0);
    munmap(at, 5);
    close(fd);
}

static void survives_unmap(void)
{
    const size_t size = (size_t)3 << 20;
    unsigned char *at, c;
    int fd = OPEN("f", O_CREAT | O_RDWR);

    OK(ftruncate(fd, (off_t)size));
    at = map_file("f", size, MAP_SHARED);
    for (size_t i = 0; i < size; i += 1000)
        at[i] = (unsigned char)(i / 1000);
    munmap(at, size);
    OK(fsync(fd));
    OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    for (size_t i = 0; i < size; i += 1000) {
        SAME(pread(fd, &c, 1, (off_t)i), 1);
        SAME(c, (unsigned char)(i / 1000));
    }
    close(fd);
}

struct shared_state {
    _Atomic int turn, count;
};

static void play(void *arg)
{
    struct shared_state *s = map_file("f", 4096, MAP_SHARED);

    (void)arg;
    for (int i = 0; i < 1000; i++) {
        while (atomic_load(&s->turn) != 1)
            sched_yield();
        atomic_fetch_add(&s->count, 1);
        atomic_store(&s->turn, 0);
    }
}

static void between_processes(void)
{
    struct shared_state *s;
    pid_t child;
    int fd = OPEN("f", O_CREAT | O_RDWR);

    OK(ftruncate(fd, 4096));
    close(fd);
    s = map_file("f", 4096, MAP_SHARED);
    child = spawn(play, NULL);
    for (int i = 0; i < 1000; i++) {
        while (atomic_load(&s->turn) != 0)
            sched_yield();
        atomic_fetch_add(&s->count, 1);
        atomic_store(&s->turn, 1);
    }
    wait_ok(child);
    SAME(atomic_load(&s->count), 2000);
}

static void private_mapping(void)
{
    char *at;

    make_file("f", "hello");
    at = map_file("f", 5, MAP_PRIVATE);
    at[0] = 'J';
    munmap(at, 5);
    check_content("f", "hello");
}

static void touch_behind_the_end(void *arg)
{
    volatile char *at;

    (void)arg;
    make_file("g", "x");
    at = map_file("g", 8192, MAP_SHARED);
    at[4096] = 1;
}

static void behind_the_end(void)
{
    int status;
    pid_t child = spawn(touch_behind_the_end, NULL);

    SAME(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void truncated_under_a_mapping(void)
{
    char *at;

    make_file("f", "hello, world");
    at = map_file("f", 12, MAP_SHARED);
    OK(truncate("f", 5));
    CHECK(at[5] == 0 && at[11] == 0);
    at[0] = 'J';
    OK(truncate("f", 12));
    CHECK(memcmp(at, "Jello\0\0\0\0\0\0\0", 12) == 0);
    munmap(at, 12);
    SAME(stat_of("f").st_size, 12);
}

static void outlives_the_name(void)
{
    char *at;

    make_file("f", "hello");
    at = map_file("f", 5, MAP_SHARED);
    OK(unlink("f"));
    CHECK(memcmp(at, "hello", 5) == 0);
    at[0] = 'J';
    OK(msync(at, 5, MS_SYNC));
    CHECK(at[0] == 'J');
    munmap(at, 5);
}

static const struct test_case cases[] = {
    {"mapping, read and write agree", mapping_and_io_agree},
    {"what was written survives munmap", survives_unmap},
    {"shared between processes", between_processes},
    {"private mapping", private_mapping},
    {"behind the end", behind_the_end},
    {"truncated under a mapping", truncated_under_a_mapping},
    {"outlives the name", outlives_the_name},
};
TOPIC(mmap, "mmap", cases);
