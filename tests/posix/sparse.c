/* SPDX-License-Identifier: MIT
 *
 * sparse.c: holes, fallocate, SEEK_DATA and SEEK_HOLE, truncate, sizes.
 */
#include "harness.h"

#define MIB (UINT64_C(1) << 20)

static void check_bytes(int fd, off_t at, size_t len, int value)
{
    unsigned char *buf = malloc(len);

    CHECK(buf);
    SAME(pread(fd, buf, len, at), len);
    for (size_t i = 0; i < len; i++)
        if (buf[i] != value)
            check_failed(__FILE__, __LINE__, "byte %lld is %d, should be %d",
                         (long long)at + (long long)i, buf[i], value);
    free(buf);
}

static int file_of(size_t size, int value)
{
    unsigned char *buf = malloc(size);
    int fd = OPEN("f", O_CREAT | O_RDWR);

    CHECK(buf);
    memset(buf, value, size);
    write_all(fd, buf, size);
    OK(fsync(fd));
    free(buf);
    return fd;
}

static void hole_reads_zero(void)
{
    int fd = OPEN("f", O_CREAT | O_RDWR);

    SAME(pwrite(fd, "end", 3, 10 * MIB), 3);
    OK(fsync(fd));
    SAME(stat_of("f").st_size, 10 * MIB + 3);
    CHECK(stat_of("f").st_blocks * 512 < 1 * (off_t)MIB);
    check_bytes(fd, 5 * MIB, 65536, 0);
    check_bytes(fd, 10 * MIB - 100, 100, 0);
    close(fd);
}

static void huge_offset(void)
{
    const off_t far = (off_t)1 << 43;
    int fd = OPEN("f", O_CREAT | O_RDWR);

    SAME(pwrite(fd, "far", 3, far), 3);
    OK(fsync(fd));
    SAME(stat_of("f").st_size, far + 3);
    check_bytes(fd, far - 4096, 4096, 0);
    OK(ftruncate(fd, 0));
    SAME(stat_of("f").st_size, 0);
    FAILS(ftruncate(fd, (off_t)1 << 60), EFBIG);
    /* A kernel with a write-back cache may take it and find out later. */
    if (pwrite(fd, "x", 1, (off_t)1 << 60) == 1)
        CHECK(fsync(fd) != 0);
    else
        SAME(errno, EFBIG);
    FAILS(pwrite(fd, "x", 1, -1), EINVAL);
    close(fd);
}

static void truncate_sizes(void)
{
    int fd = file_of(10000, 'x');

    OK(ftruncate(fd, 5000));
    SAME(stat_of("f").st_size, 5000);
    OK(ftruncate(fd, 10000));
    check_bytes(fd, 0, 5000, 'x');
    check_bytes(fd, 5000, 5000, 0);
    FAILS(ftruncate(fd, -1), EINVAL);
    FAILS(truncate(".", 0), EISDIR);
    FAILS(truncate("none", 0), ENOENT);
    close(fd);
}

static void truncate_gives_space_back(void)
{
    int fd = file_of(4 * MIB, 'x');

    OK(fsync(fd)); /* until then the kernel may hold it */
    CHECK(stat_of("f").st_blocks * 512 >= (off_t)(4 * MIB));
    OK(ftruncate(fd, 4096));
    CHECK(stat_of("f").st_blocks * 512 <= 65536);
    close(fd);
}

static void punch(void)
{
    int fd = file_of(MIB, 'x');

    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 300000));
    check_bytes(fd, 0, 100, 'x');
    check_bytes(fd, 100, 300000, 0);
    check_bytes(fd, 300100, MIB - 300100, 'x');
    SAME(stat_of("f").st_size, MIB);
    CHECK(stat_of("f").st_blocks * 512 <= (off_t)(MIB - 280000));
    /* Behind the end: nothing happens. */
    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * MIB, MIB));
    SAME(stat_of("f").st_size, MIB);
    FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096), EOPNOTSUPP);
    close(fd);
}

static void zero_range(void)
{
    int fd = file_of(MIB, 'x');

    OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 4000, 200000));
    check_bytes(fd, 0, 4000, 'x');
    check_bytes(fd, 4000, 200000, 0);
    check_bytes(fd, 204000, 1000, 'x');
    OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, MIB - 10, 1000));
    SAME(stat_of("f").st_size, MIB);
    check_bytes(fd, MIB - 10, 10, 0);
    OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, MIB - 10, 1000));
    SAME(stat_of("f").st_size, MIB + 990);
    close(fd);
}

static void allocate(void)
{
    int fd = OPEN("f", O_CREAT | O_RDWR);

    OK(fallocate(fd, 0, 0, 10000));
    SAME(stat_of("f").st_size, 10000);
    check_bytes(fd, 0, 10000, 0);
    OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000));
    SAME(stat_of("f").st_size, 10000);
    OK(posix_fallocate(fd, 0, 20000));
    SAME(stat_of("f").st_size, 20000);
    FAILS(fallocate(fd, 0, 0, 0), EINVAL);
    FAILS(fallocate(fd, 0, -1, 10), EINVAL);
    close(fd);
    fd = OPEN("f", O_RDONLY);
    FAILS(fallocate(fd, 0, 0, 10), EBADF);
    close(fd);
}

static void seek(void)
{
    int fd = OPEN("f", O_CREAT | O_RDWR);
    off_t data, hole;

    SAME(pwrite(fd, "a", 1, 0), 1);
    SAME(pwrite(fd, "b", 1, 8 * MIB), 1);
    OK(ftruncate(fd, 16 * MIB));
    OK(fsync(fd));
    SAME(lseek(fd, 0, SEEK_DATA), 0);
    hole = OK(lseek(fd, 0, SEEK_HOLE));
    CHECK(hole > 0 && hole <= (off_t)(8 * MIB));
    data = OK(lseek(fd, hole, SEEK_DATA));
    CHECK(data > (off_t)(7 * MIB) && data <= (off_t)(8 * MIB));
    SAME(lseek(fd, 8 * MIB, SEEK_DATA), 8 * MIB);
    hole = OK(lseek(fd, data, SEEK_HOLE));
    CHECK(hole > (off_t)(8 * MIB) && hole < (off_t)(16 * MIB));
    FAILS(lseek(fd, hole, SEEK_DATA), ENXIO);
    FAILS(lseek(fd, 16 * MIB, SEEK_HOLE), ENXIO);
    FAILS(lseek(fd, 16 * MIB + 1, SEEK_DATA), ENXIO);
    SAME(lseek(fd, 16 * MIB - 1, SEEK_HOLE), 16 * MIB - 1);
    close(fd);
}

/* A copying program asks right after another one wrote: what was not handed down yet counts too. */
static void seek_sees_fresh_data(void)
{
    int fd = OPEN("f", O_CREAT | O_RDWR);

    SAME(pwrite(fd, "a", 1, 0), 1);
    SAME(lseek(fd, 0, SEEK_DATA), 0);
    OK(ftruncate(fd, 16 * MIB));
    SAME(pwrite(fd, "b", 1, 8 * MIB), 1);
    SAME(lseek(fd, 8 * MIB, SEEK_DATA), 8 * MIB);
    close(fd);
}

static void seek_in_dense_and_empty(void)
{
    int fd = file_of(100000, 'x');

    SAME(lseek(fd, 50000, SEEK_DATA), 50000);
    SAME(lseek(fd, 0, SEEK_HOLE), 100000);
    OK(ftruncate(fd, 0));
    FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
    FAILS(lseek(fd, 0, SEEK_HOLE), ENXIO);
    close(fd);
}

static const struct test_case cases[] = {
    {"a hole reads as zeros", hole_reads_zero},
    {"8 TiB into a file", huge_offset},
    {"truncate down and up", truncate_sizes},
    {"truncate gives space back", truncate_gives_space_back},
    {"punch hole", punch},
    {"zero range", zero_range},
    {"fallocate and keep size", allocate},
    {"SEEK_DATA and SEEK_HOLE", seek},
    {"SEEK_DATA right after a write", seek_sees_fresh_data},
    {"SEEK_DATA in dense and empty files", seek_in_dense_and_empty},
};
TOPIC(sparse, "sparse", cases);
