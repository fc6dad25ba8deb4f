/* SPDX-License-Identifier: MIT
 *
 * io.c: reading and writing: vectors, append from several processes, copies, large transfers,
 * statfs.
 */
#include "harness.h"

#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static void short_reads_at_the_end(void)
{
    char buf[16];
    int fd;

    make_file("f", "hello");
    fd = OPEN("f", O_RDONLY);
    SAME(read(fd, buf, sizeof buf), 5);
    SAME(read(fd, buf, sizeof buf), 0);
    SAME(pread(fd, buf, 3, 4), 1);
    SAME(pread(fd, buf, 3, 1000), 0);
    SAME(lseek(fd, -2, SEEK_END), 3);
    SAME(read(fd, buf, sizeof buf), 2);
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    close(fd);
    fd = OPEN(".", O_RDONLY);
    FAILS(read(fd, buf, 1), EISDIR);
    close(fd);
}

static void vectors(void)
{
    struct iovec out[3] = {{(void *)"ab", 2}, {(void *)"", 0}, {(void *)"cdef", 4}};
    char a[3], b[3];
    struct iovec in[2] = {{a, 3}, {b, 3}};
    int fd = OPEN("f", O_CREAT | O_RDWR);

    SAME(writev(fd, out, 3), 6);
    SAME(preadv(fd, in, 2, 0), 6);
    CHECK(memcmp(a, "abc", 3) == 0 && memcmp(b, "def", 3) == 0);
    close(fd);
}

static void large_transfer(void)
{
    const size_t size = (size_t)9 << 20;
    unsigned char *a = malloc(size), *b = malloc(size);
    int fd = OPEN("f", O_CREAT | O_RDWR);

    CHECK(a && b);
    for (size_t i = 0; i < size; i++)
        a[i] = (unsigned char)(i * 31 + (i >> 12));
    write_all(fd, a, size);
    OK(fsync(fd));
    OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    SAME(pread(fd, b, size, 0), size);
    CHECK(memcmp(a, b, size) == 0);
    SAME(pread(fd, b, 100001, 4095), 100001);
    CHECK(memcmp(a + 4095, b, 100001) == 0);
    close(fd);
}

enum { WRITERS = 4, LINES = 500, LINE = 32 };

static void append_lines(void *arg)
{
    const int *who = arg;
    char line[LINE + 1];
    int fd = OPEN("log", O_WRONLY | O_APPEND);

    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%d %-28d\n", *who, i);
        SAME(strlen(line), LINE - 1);
        line[LINE - 1] = '\n';
        SAME(write(fd, line, LINE), LINE);
    }
    close(fd);
}

static void append_together(void)
{
    int ids[WRITERS], next[WRITERS] = {0};
    pid_t children[WRITERS];
    char line[LINE];
    int fd;

    make_file("log", "");
    for (int i = 0; i < WRITERS; i++) {
        ids[i] = i;
        children[i] = spawn(append_lines, &ids[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        wait_ok(children[i]);
    SAME(stat_of("log").st_size, WRITERS * LINES * LINE);
    fd = OPEN("log", O_RDONLY);
    for (int i = 0; i < WRITERS * LINES; i++) {
        int who;

        SAME(read(fd, line, LINE), LINE);
        who = line[0] - '0';
        CHECK(who >= 0 && who < WRITERS && line[1] == ' ');
        SAME(strtol(line + 2, NULL, 10), next[who]++);
    }
    close(fd);
}

static void append_ignores_offset(void)
{
    int fd;

    make_file("f", "abc");
    fd = OPEN("f", O_RDWR | O_APPEND);
    OK(lseek(fd, 0, SEEK_SET));
    write_all(fd, "def", 3);
    SAME(pwrite(fd, "ghi", 3, 0), 3); /* as Linux does, against POSIX */
    close(fd);
    check_content("f", "abcdefghi");
}

static void copy_range(void)
{
    loff_t in = 2, out = 5;
    int a, b;

    make_file("a", "0123456789");
    make_file("b", "abcdefghij");
    a = OPEN("a", O_RDWR);
    b = OPEN("b", O_RDWR);
    SAME(copy_file_range(a, &in, b, &out, 3, 0), 3);
    SAME(in, 5);
    SAME(out, 8);
    check_content("b", "abcde234ij");
    in = 8;
    SAME(copy_file_range(a, &in, b, &out, 100, 0), 2);
    check_content("b", "abcde23489");
    SAME(copy_file_range(a, &in, b, &out, 100, 0), 0);
    in = 0;
    out = 2;
    FAILS(copy_file_range(a, &in, a, &out, 5, 0), EINVAL); /* they overlap */
    out = 100;
    SAME(copy_file_range(a, &in, a, &out, 10, 0), 10);
    SAME(stat_of("a").st_size, 110);
    close(a);
    close(b);
    b = OPEN("b", O_RDONLY);
    a = OPEN("a", O_RDONLY);
    FAILS(copy_file_range(a, NULL, b, NULL, 5, 0), EBADF);
}

static void send_file(void)
{
    off_t at = 0;
    int a, b;

    make_file("a", "0123456789");
    a = OPEN("a", O_RDONLY);
    b = OPEN("b", O_CREAT | O_WRONLY);
    SAME(sendfile(b, a, &at, 100), 10);
    close(a);
    close(b);
    check_content("b", "0123456789");
}

static void statistics(void)
{
    struct statvfs v;
    struct statfs s;

    OK(statvfs(".", &v));
    OK(statfs(".", &s));
    CHECK(v.f_bsize >= 512 && v.f_blocks > 0);
    CHECK(v.f_bfree <= v.f_blocks && v.f_bavail <= v.f_bfree);
    SAME(v.f_namemax, 255);
    CHECK(v.f_files > 0 && v.f_ffree <= v.f_files);
}

static void two_descriptors_agree(void)
{
    char buf[8];
    int a = OPEN("f", O_CREAT | O_RDWR), b = OPEN("f", O_RDWR);

    write_all(a, "one", 3);
    SAME(pread(b, buf, sizeof buf, 0), 3);
    SAME(pwrite(b, "TW", 2, 0), 2);
    SAME(pread(a, buf, sizeof buf, 0), 3);
    CHECK(memcmp(buf, "TWe", 3) == 0);
    OK(ftruncate(a, 1));
    SAME(pread(b, buf, sizeof buf, 0), 1);
    close(a);
    close(b);
}

static void direct(void)
{
    char *buf;
    int fd = open("f", O_CREAT | O_RDWR | O_DIRECT, 0600);

    if (fd < 0 && errno == EINVAL)
        skip_case("no O_DIRECT here");
    OK(fd);
    CHECK(posix_memalign((void **)&buf, 4096, 65536) == 0);
    memset(buf, 'd', 65536);
    SAME(pwrite(fd, buf, 65536, 4096), 65536);
    memset(buf, 0, 65536);
    SAME(pread(fd, buf, 8192, 0), 8192);
    CHECK(buf[4095] == 0 && buf[4096] == 'd');
    SAME(stat_of("f").st_size, 65536 + 4096);
    close(fd);
    free(buf);
}

static void exec_script(void *arg)
{
    int null = OPEN("/dev/null", O_WRONLY);

    (void)arg;
    dup2(null, STDERR_FILENO);
    execl("./script", "script", (char *)NULL);
    _exit(errno == EACCES ? 126 : 127);
}

static int run_script(void)
{
    pid_t child = spawn(exec_script, NULL);
    int status;

    SAME(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void program_runs(void)
{
    int fd = open_ok("script", O_CREAT | O_WRONLY, 0755);

    write_all(fd, "#!/bin/sh\nexit 7\n", 17);
    close(fd);
    SAME(run_script(), 7);
    OK(chmod("script", 0644));
    SAME(run_script(), 126);
}

static const struct test_case cases[] = {
    {"short reads at the end", short_reads_at_the_end},
    {"readv and writev", vectors},
    {"9 MiB at once", large_transfer},
    {"O_APPEND from four processes", append_together},
    {"O_APPEND ignores the offset", append_ignores_offset},
    {"copy_file_range", copy_range},
    {"sendfile", send_file},
    {"statfs", statistics},
    {"two descriptors agree", two_descriptors_agree},
    {"O_DIRECT", direct},
    {"a program runs", program_runs},
};
TOPIC(io, "io", cases);
