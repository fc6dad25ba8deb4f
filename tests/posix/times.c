/* SPDX-License-Identifier: MIT
 *
 * times.c: access, modification, change and birth times.
 */
#include "harness.h"

#include <sys/mman.h>
#include <time.h>

static void set_times(const char *path, time_t atime, time_t mtime)
{
    struct timespec t[2] = {{atime, 11}, {mtime, 22}};

    OK(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW));
}

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static void nanoseconds(void)
{
    struct timespec t[2] = {{1234567890, 123456789}, {987654321, 987654321}};
    struct stat st;

    make_file("f", "");
    OK(utimensat(AT_FDCWD, "f", t, 0));
    st = stat_of("f");
    SAME(st.st_atim.tv_sec, 1234567890);
    SAME(st.st_atim.tv_nsec, 123456789);
    SAME(st.st_mtim.tv_sec, 987654321);
    SAME(st.st_mtim.tv_nsec, 987654321);
}

static void now_and_omit(void)
{
    struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
    struct stat st;

    make_file("f", "");
    set_times("f", 100, 200);
    OK(utimensat(AT_FDCWD, "f", omit, 0));
    st = stat_of("f");
    SAME(st.st_atime, 100);
    SAME(st.st_atim.tv_nsec, 11);
    CHECK(st.st_mtime > 1000000);
    set_times("f", 100, 200);
    omit[0].tv_nsec = UTIME_NOW;
    omit[1].tv_nsec = UTIME_OMIT;
    OK(utimensat(AT_FDCWD, "f", omit, 0));
    st = stat_of("f");
    SAME(st.st_mtime, 200);
    CHECK(st.st_atime > 1000000);
    omit[0].tv_nsec = 1000000000;
    FAILS(utimensat(AT_FDCWD, "f", omit, 0), EINVAL);
}

static void extremes(void)
{
    struct timespec t[2] = {{-5, 500}, {4000000000, 1}};
    struct stat st;

    make_file("f", "");
    OK(utimensat(AT_FDCWD, "f", t, 0));
    st = stat_of("f");
    SAME(st.st_atim.tv_sec, -5);
    SAME(st.st_atim.tv_nsec, 500);
    SAME(st.st_mtim.tv_sec, 4000000000);
}

static void write_changes_mtime(void)
{
    struct stat st;
    int fd;

    make_file("f", "abc");
    set_times("f", 100, 200);
    fd = OPEN("f", O_WRONLY);
    write_all(fd, "x", 1);
    OK(fstat(fd, &st));
    CHECK(st.st_mtime > 1000000);
    close(fd);
    st = stat_of("f");
    CHECK(st.st_mtime > 1000000);
    SAME(st.st_atime, 100);
}

/* What the kernel noted at the write must still be there when the data has gone down. */
static void mtime_survives_writeback(void)
{
    struct stat before, after;
    int fd = OPEN("f", O_CREAT | O_RDWR);

    write_all(fd, "abc", 3);
    OK(fstat(fd, &before));
    OK(fsync(fd));
    OK(fstat(fd, &after));
    SAME(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    SAME(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    close(fd);
    after = stat_of("f");
    SAME(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

/* A program that sets times after writing (tar, cp -p, rsync) must find them afterwards. */
static void set_after_write(void)
{
    struct timespec t[2] = {{300, 3}, {400, 4}};
    struct stat st;
    int fd = OPEN("f", O_CREAT | O_RDWR);

    write_all(fd, "abc", 3);
    OK(futimens(fd, t));
    OK(fstat(fd, &st));
    SAME(st.st_mtim.tv_sec, 400);
    OK(fsync(fd));
    close(fd);
    st = stat_of("f");
    SAME(st.st_mtim.tv_sec, 400);
    SAME(st.st_mtim.tv_nsec, 4);
    SAME(st.st_atim.tv_sec, 300);
}

static void truncate_changes_mtime(void)
{
    make_file("f", "abc");
    set_times("f", 100, 200);
    OK(truncate("f", 1));
    CHECK(stat_of("f").st_mtime > 1000000);
    set_times("f", 100, 200);
    OK(truncate("f", 100));
    CHECK(stat_of("f").st_mtime > 1000000);
}

static void chmod_changes_ctime(void)
{
    struct stat before, after;

    make_file("f", "abc");
    set_times("f", 100, 200);
    before = stat_of("f");
    do {
        OK(chmod("f", 0600));
        after = stat_of("f");
    } while (!later(after.st_ctim, before.st_ctim));
    SAME(after.st_mtime, 200);
    SAME(after.st_atime, 100);
}

static void read_fresh(const char *path)
{
    char c;
    int fd = OPEN(path, O_RDONLY);

    OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    SAME(read(fd, &c, 1), 1);
    close(fd);
}

static void relatime(void)
{
    struct timespec now;
    struct stat st;
    int fd;

    make_file("f", "abc");
    fd = OPEN("f", O_RDONLY);
    OK(fsync(fd));
    close(fd);
    OK(clock_gettime(CLOCK_REALTIME, &now));
    set_times("f", 100, 200);
    read_fresh("f");
    st = stat_of("f");
    CHECK(st.st_atime > 1000000);
    SAME(st.st_mtime, 200);
    /* Newer than mtime and ctime and not a day old: it stays. */
    set_times("f", now.tv_sec + 1000, 200);
    read_fresh("f");
    st = stat_of("f");
    SAME(st.st_atime, now.tv_sec + 1000);
}

static void map_changes_mtime(void)
{
    char *at;
    int fd;

    make_file("f", "abc");
    fd = OPEN("f", O_RDWR);
    OK(fsync(fd));
    set_times("f", 100, 200);
    at = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(at != MAP_FAILED);
    at[0] = 'x';
    OK(msync(at, 3, MS_SYNC));
    munmap(at, 3);
    close(fd);
    CHECK(stat_of("f").st_mtime > 1000000);
}

static void birth_time(void)
{
    struct statx a, b;

    make_file("f", "");
    OK(statx(AT_FDCWD, "f", 0, STATX_BTIME, &a));
    if (!(a.stx_mask & STATX_BTIME))
        skip_case("no birth times here");
    set_times("f", 100, 200);
    OK(rename("f", "g"));
    OK(statx(AT_FDCWD, "g", 0, STATX_BTIME, &b));
    SAME(a.stx_btime.tv_sec, b.stx_btime.tv_sec);
    SAME(a.stx_btime.tv_nsec, b.stx_btime.tv_nsec);
}

static void as_stranger(void)
{
    struct timespec t[2] = {{1, 0}, {2, 0}};

    OK(utimensat(AT_FDCWD, "writable", NULL, 0));
    FAILS(utimensat(AT_FDCWD, "writable", t, 0), EPERM);
    FAILS(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
}

static void who_may_set(void)
{
    make_file("writable", "");
    OK(chmod("writable", 0666));
    make_file("readable", "");
    as_user(2001, 2001, as_stranger);
}

static const struct test_case cases[] = {
    {"nanoseconds", nanoseconds},
    {"UTIME_NOW and UTIME_OMIT", now_and_omit},
    {"before 1970 and after 2038", extremes},
    {"a write changes mtime", write_changes_mtime},
    {"mtime survives write-back", mtime_survives_writeback},
    {"times set after a write stay", set_after_write},
    {"truncate changes mtime", truncate_changes_mtime},
    {"chmod changes ctime only", chmod_changes_ctime},
    {"relatime", relatime},
    {"a mapping changes mtime", map_changes_mtime},
    {"birth time", birth_time},
    {"who may set times", who_may_set},
};
TOPIC(times, "times", cases);
