/* SPDX-License-Identifier: MIT
 *
 * stale.c: what stat says after a change, while others ask for the same all the time.
 *
 * An answer that was true when it was given may reach a cache after the change that made it wrong.
 * Each case changes one thing in many rounds and looks at it after every change; the others make
 * sure that some answer is on its way, and share a processor with one that works without end, so
 * that answers lie about until it is their turn.
 */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#define OTHERS 4

static unsigned rounds(void)
{
    const char *wanted = getenv("PACTFS_STALE_ROUNDS");

    return wanted ? (unsigned)strtoul(wanted, NULL, 10) : 4000;
}

/* All of them on one processor, and none is run at once because it was woken. */
static void share_first_processor(void)
{
    struct sched_param none = {0};
    cpu_set_t all, first;
    size_t cpu = 0;

    OK(sched_getaffinity(0, sizeof all, &all));
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    OK(sched_setaffinity(0, sizeof first, &first));
    OK(sched_setscheduler(0, SCHED_BATCH, &none));
}

static bool we_wait; /* for the processor, instead of those who ask */

static void ask_for_ever(void *path)
{
    struct stat st;

    if (!we_wait)
        share_first_processor();
    for (;;)
        (void)lstat(path, &st);
}

static void work_for_ever(void *unused)
{
    (void)unused;
    share_first_processor();
    for (volatile unsigned i = 0;; i++)
        ;
}

static pid_t others[OTHERS + 1];

static void start_others(const char *first, const char *second)
{
    for (size_t i = 0; i < OTHERS; i++)
        others[i] = spawn(ask_for_ever, (void *)(uintptr_t)(i % 2 ? second : first));
    others[OTHERS] = spawn(work_for_ever, NULL);
    if (we_wait)
        share_first_processor();
}

static void stop_others(void)
{
    for (size_t i = 0; i <= OTHERS; i++) {
        OK(kill(others[i], SIGKILL));
        SAME(waitpid(others[i], NULL, 0), others[i]);
    }
}

/* True now or at the second look: a kernel may store new attributes piece by piece, and who looks
 * in between sees a mixture. What is stale stays so. */
#define SEEN(condition) CHECK((condition) || (condition))

static void links_of_a_directory(void)
{
    OK(mkdir("d", 0755));
    start_others("d", "d");
    for (unsigned i = 0; i < rounds(); i++) {
        OK(mkdir("d/x", 0755));
        SEEN(stat_of("d").st_nlink == 3);
        OK(rmdir("d/x"));
        SEEN(stat_of("d").st_nlink == 2);
    }
    stop_others();
}

static void links_of_two_directories(void)
{
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    OK(mkdir("a/x", 0755));
    start_others("a", "b");
    for (unsigned i = 0; i < rounds(); i++) {
        OK(rename("a/x", "b/x"));
        SEEN(stat_of("a").st_nlink == 2);
        SEEN(stat_of("b").st_nlink == 3);
        OK(rename("b/x", "a/x"));
        SEEN(stat_of("a").st_nlink == 3);
        SEEN(stat_of("b").st_nlink == 2);
    }
    stop_others();
}

/* Sets a time long ago, so that the change shows in it. */
static void age(const char *path)
{
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    OK(utimensat(AT_FDCWD, path, old, 0));
    SEEN(stat_of(path).st_mtim.tv_sec == 1000);
}

static void time_of_a_directory(void)
{
    OK(mkdir("d", 0755));
    start_others("d", "d");
    for (unsigned i = 0; i < rounds() / 2; i++) {
        age("d");
        OK(close(OPEN("d/x", O_CREAT | O_EXCL | O_WRONLY)));
        SEEN(stat_of("d").st_mtim.tv_sec > 1000);
        age("d");
        OK(unlink("d/x"));
        SEEN(stat_of("d").st_mtim.tv_sec > 1000);
    }
    stop_others();
}

static void lose_links(unsigned count)
{
    make_file("f", "x");
    make_file("other", "x");
    start_others("f", "f");
    for (unsigned i = 0; i < count; i++) {
        OK(link("f", "g"));
        SEEN(stat_of("f").st_nlink == 2);
        OK(unlink("g"));
        SEEN(stat_of("f").st_nlink == 1);
        OK(link("f", "h"));
        OK(rename("other", "h"));
        SEEN(stat_of("f").st_nlink == 1);
        OK(rename("h", "other"));
    }
    stop_others();
}

static void links_of_a_file(void)
{
    lose_links(rounds());
}

/* The kernel counts down by itself when it hears that a name is gone; here it hears it late. */
static void links_of_a_file_late(void)
{
    we_wait = true;
    lose_links(rounds() / 20);
}

static void size_of_a_file(void)
{
    int fd = OPEN("f", O_CREAT | O_RDWR);

    start_others("f", "f");
    for (unsigned i = 0; i < rounds(); i++) {
        SAME(pwrite(fd, "abc", 3, 0), 3);
        SEEN(stat_of("f").st_size == 3);
        OK(truncate("f", 0));
        SEEN(stat_of("f").st_size == 0);
        OK(chmod("f", i % 2 ? 0600 : 0640));
        SEEN((stat_of("f").st_mode & 0777) == (i % 2 ? 0600 : 0640));
    }
    stop_others();
    close(fd);
}

static void blocks_of_a_file(void)
{
    int fd = OPEN("f", O_CREAT | O_RDWR);
    char data[4096] = "x";

    start_others("f", "f");
    for (unsigned i = 0; i < rounds() / 8; i++) {
        SAME(pwrite(fd, data, sizeof data, 0), sizeof data);
        OK(fsync(fd));
        SEEN(stat_of("f").st_blocks == 8);
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, sizeof data) < 0)
            skip_case("no holes");
        SEEN(stat_of("f").st_blocks == 0);
    }
    stop_others();
    close(fd);
}

/* u::rwx u:12345:rwx g::rwx m::MASK o::---, as the kernel takes it. The mask shows as the group's
 * rights. */
static void set_acl(const char *path, uint16_t mask)
{
    const struct {
        uint32_t version;
        struct {
            uint16_t tag, perm;
            uint32_t id;
        } entries[5];
    } acl = {2,
             {{1, 7, UINT32_MAX},
              {2, 7, 12345},
              {4, 7, UINT32_MAX},
              {16, mask, UINT32_MAX},
              {32, 0, UINT32_MAX}}};

    OK(setxattr(path, "system.posix_acl_access", &acl, sizeof acl, 0));
}

static void mode_by_acl(void)
{
    OK(mkdir("d", 0700));
    start_others("d", "d");
    for (unsigned i = 0; i < rounds(); i++) {
        set_acl("d", 5);
        SEEN((stat_of("d").st_mode & 0777) == 0750);
        set_acl("d", 1);
        SEEN((stat_of("d").st_mode & 0777) == 0710);
    }
    stop_others();
}

static bool after(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* Waits until the clock from which times of files are taken has moved on. */
static void next_tick(struct timespec since)
{
    struct timespec now;

    do
        OK(clock_gettime(CLOCK_REALTIME_COARSE, &now));
    while (!after(now, since));
}

static void change_time_of_what_moves(void)
{
    OK(mkdir("d", 0755));
    start_others("d", "e");
    for (unsigned i = 0; i < rounds() / 8; i++) {
        struct timespec before = stat_of("d").st_ctim;

        next_tick(before);
        OK(rename("d", "e"));
        SEEN(after(stat_of("e").st_ctim, before));
        before = stat_of("e").st_ctim;
        next_tick(before);
        OK(setxattr("e", "user.a", &i, sizeof i, 0));
        SEEN(after(stat_of("e").st_ctim, before));
        OK(rename("e", "d"));
    }
    stop_others();
}

static const struct test_case cases[] = {
    {"links of a directory", links_of_a_directory},
    {"links of two directories", links_of_two_directories},
    {"time of a directory", time_of_a_directory},
    {"links of a file", links_of_a_file},
    {"links of a file, told late", links_of_a_file_late},
    {"size of a file", size_of_a_file},
    {"blocks of a file", blocks_of_a_file},
    {"mode by acl", mode_by_acl},
    {"change time of what moves", change_time_of_what_moves},
};

TOPIC(stale, "stale", cases);
