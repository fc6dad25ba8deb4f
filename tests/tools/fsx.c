/* SPDX-License-Identifier: MIT
 *
 * fsx: random operations on files, each compared with an image in memory.
 *
 *     fsx [--ops N] [--seed S] [--size MAX] [--files N] [--seek-synced] [--quiet] FILE
 *
 * Law
 *   X1  After every operation the size of the file is the size of the image.
 *   X2  Every byte that a read, a mapping or a copy shows is the byte of the image; a mapping
 *       shows zeros behind the end of the file.
 *   X3  Where SEEK_DATA skips, the image is zero; where SEEK_HOLE stops before the end, it is
 *       zero. The model's holes are only an upper bound: a file system may store zeros. The same
 *       seed and options give the same operations. On failure the last operations are printed,
 *       those that touched the wrong byte are marked, and FILE.good receives the image.
 *
 * SEEK_DATA and SEEK_HOLE are asked right after a write as well as after fsync: a copying program
 * asks at once. (--seek-synced leaves out the former, for a mount whose kernel asks the server
 * about holes without handing over what was written before.)
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX   16
#define LOG_ENTRIES 2000u
#define PAGE        4096u

struct file {
    char path[4096];
    int fd;
    uint8_t *image; /* max bytes; zero from size on */
    uint64_t size;
};

struct entry {
    uint64_t number;
    const char *what;
    unsigned file;
    uint64_t offset, length, extra; /* what extra is depends on the operation */
};

struct fsx {
    struct file files[FILES_MAX];
    unsigned file_count;
    uint64_t ops, seed, max, number;
    uint64_t random;
    bool quiet;
    bool seek_synced; /* SEEK_DATA and SEEK_HOLE only after fsync */
    uint8_t *buffer;
    struct entry log[LOG_ENTRIES];
};

struct span {
    uint64_t offset, length;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct fsx *x)
{
    uint64_t z = x->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t below(struct fsx *x, uint64_t bound)
{
    return bound == 0 ? 0 : next_random(x) % bound;
}

static void note(struct fsx *x, const struct file *f, const char *what, struct span s,
                 uint64_t extra)
{
    struct entry *e = &x->log[x->number % LOG_ENTRIES];

    *e = (struct entry){.number = x->number,
                        .what = what,
                        .file = (unsigned)(f - x->files),
                        .offset = s.offset,
                        .length = s.length,
                        .extra = extra};
}

static void print_log(const struct fsx *x, unsigned file, uint64_t offset)
{
    uint64_t first = x->number >= LOG_ENTRIES ? x->number - LOG_ENTRIES + 1 : 1;

    for (uint64_t n = first; n <= x->number; n++) {
        const struct entry *e = &x->log[n % LOG_ENTRIES];
        bool touches = e->file == file && offset >= e->offset && offset < e->offset + e->length;

        if (e->number == n && e->what)
            printf("%c %8llu file %u %-12s offset 0x%06llx length 0x%06llx extra 0x%llx\n",
                   touches ? '*' : ' ', (unsigned long long)n, e->file, e->what,
                   (unsigned long long)e->offset, (unsigned long long)e->length,
                   (unsigned long long)e->extra);
    }
}

static void save_image(const struct file *f)
{
    char path[sizeof f->path + 8];
    int fd;

    snprintf(path, sizeof path, "%s.good", f->path);
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (fd < 0 || write(fd, f->image, f->size) != (ssize_t)f->size)
        fprintf(stderr, "fsx: cannot keep the image in %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

struct place {
    const struct file *file;
    uint64_t offset;
};

_Noreturn static void fail(const struct fsx *x, struct place where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

_Noreturn static void fail(const struct fsx *x, struct place where, const char *format, ...)
{
    va_list args;

    print_log(x, (unsigned)(where.file - x->files), where.offset);
    printf("FAILED at operation %llu, seed %llu, %s: ", (unsigned long long)x->number,
           (unsigned long long)x->seed, where.file->path);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    save_image(where.file);
    exit(1);
}

#define AT(f, o)   \
    (struct place) \
    {              \
        (f), (o)   \
    }

static void fail_call(const struct fsx *x, const struct file *f, const char *call)
{
    fail(x, AT(f, 0), "%s: %s", call, strerror(errno));
}

/* --- comparing --- */

static void compare(const struct fsx *x, const struct file *f, struct span s, const uint8_t *got)
{
    if (memcmp(f->image + s.offset, got, s.length) == 0)
        return;
    for (uint64_t i = 0; i < s.length; i++)
        if (f->image[s.offset + i] != got[i])
            fail(x, AT(f, s.offset + i),
                 "byte 0x%llx (of 0x%llx..0x%llx, size 0x%llx) is 0x%02x, should be 0x%02x",
                 (unsigned long long)(s.offset + i), (unsigned long long)s.offset,
                 (unsigned long long)(s.offset + s.length), (unsigned long long)f->size, got[i],
                 f->image[s.offset + i]);
}

static void check_size(const struct fsx *x, const struct file *f)
{
    struct stat st;

    if (fstat(f->fd, &st) != 0)
        fail_call(x, f, "fstat");
    if ((uint64_t)st.st_size != f->size)
        fail(x, AT(f, f->size), "the size is 0x%llx, should be 0x%llx",
             (unsigned long long)st.st_size, (unsigned long long)f->size);
}

static void read_and_compare(const struct fsx *x, const struct file *f, struct span s)
{
    ssize_t got = pread(f->fd, x->buffer, s.length, (off_t)s.offset);

    if (got < 0)
        fail_call(x, f, "pread");
    if ((uint64_t)got != s.length)
        fail(x, AT(f, s.offset + (uint64_t)got), "pread gave %zd bytes, should give %llu", got,
             (unsigned long long)s.length);
    compare(x, f, s, x->buffer);
}

static void check_whole(const struct fsx *x, const struct file *f)
{
    check_size(x, f);
    read_and_compare(x, f, (struct span){0, f->size});
}

/* --- choosing --- */

/* A range inside [0, limit), most often short, at times on page borders; length 0 only when limit
 * is 0. */
static struct span choose(struct fsx *x, uint64_t limit)
{
    static const uint64_t longest[] = {64, PAGE, 3 * PAGE, 65536};
    struct span s = {below(x, limit), 0};
    uint64_t style = below(x, 8), most = longest[below(x, 4)];

    if (limit == 0)
        return s;
    if (style == 0)
        s.offset &= ~(uint64_t)(PAGE - 1);
    s.length = 1 + below(x, most);
    if (style == 0 || style == 1)
        s.length = (s.length + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (s.length > limit - s.offset)
        s.length = limit - s.offset;
    return s;
}

static void fill(struct fsx *x, uint8_t *at, uint64_t length)
{
    uint64_t i = 0;

    for (; i + 8 <= length; i += 8) {
        uint64_t r = next_random(x);
        memcpy(at + i, &r, 8);
    }
    for (; i < length; i++)
        at[i] = (uint8_t)next_random(x);
}

static void grow(struct file *f, uint64_t size)
{
    if (size > f->size)
        f->size = size;
}

/* --- operations --- */

static void op_read(struct fsx *x, struct file *f)
{
    struct span s = choose(x, f->size);

    note(x, f, "read", s, 0);
    if (s.length > 0)
        read_and_compare(x, f, s);
}

static void op_write(struct fsx *x, struct file *f)
{
    struct span s = choose(x, x->max);

    note(x, f, "write", s, f->size);
    fill(x, f->image + s.offset, s.length);
    grow(f, s.offset + s.length);
    if (pwrite(f->fd, f->image + s.offset, s.length, (off_t)s.offset) != (ssize_t)s.length)
        fail_call(x, f, "pwrite");
}

static void op_append(struct fsx *x, struct file *f)
{
    struct span s = {f->size, 1 + below(x, 3 * PAGE)};
    int fd;

    if (s.length > x->max - f->size)
        s.length = x->max - f->size;
    note(x, f, "append", s, 0);
    fd = open(f->path, O_WRONLY | O_APPEND);
    if (fd < 0)
        fail_call(x, f, "open O_APPEND");
    fill(x, f->image + s.offset, s.length);
    /* An offset that O_APPEND must ignore. */
    if (lseek(fd, (off_t)below(x, x->max), SEEK_SET) < 0)
        fail_call(x, f, "lseek");
    if (write(fd, f->image + s.offset, s.length) != (ssize_t)s.length)
        fail_call(x, f, "append");
    grow(f, s.offset + s.length);
    close(fd);
}

static void op_truncate(struct fsx *x, struct file *f)
{
    uint64_t size = below(x, x->max + 1);
    struct span s = {size < f->size ? size : f->size,
                     size < f->size ? f->size - size : size - f->size};

    if (below(x, 16) == 0)
        size = 0;
    note(x, f, "truncate", s, size);
    if (ftruncate(f->fd, (off_t)size) != 0)
        fail_call(x, f, "ftruncate");
    if (size < f->size)
        memset(f->image + size, 0, f->size - size);
    f->size = size;
}

static uint8_t *map(struct fsx *x, struct file *f, struct span s, int protection)
{
    uint64_t start = s.offset & ~(uint64_t)(PAGE - 1);
    uint8_t *at =
        mmap(NULL, s.offset + s.length - start, protection, MAP_SHARED, f->fd, (off_t)start);

    if (at == MAP_FAILED)
        fail_call(x, f, "mmap");
    return at;
}

static void unmap(uint8_t *at, struct span s)
{
    uint64_t start = s.offset & ~(uint64_t)(PAGE - 1);

    munmap(at, s.offset + s.length - start);
}

static void check_tail(struct fsx *x, struct file *f, const uint8_t *at, struct span s)
{
    uint64_t start = s.offset & ~(uint64_t)(PAGE - 1);
    uint64_t end = (f->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);

    if (s.offset + s.length != f->size)
        return;
    for (uint64_t i = f->size; i < end; i++)
        if (at[i - start] != 0)
            fail(x, AT(f, i), "a mapping shows 0x%02x at 0x%llx, behind the end 0x%llx",
                 at[i - start], (unsigned long long)i, (unsigned long long)f->size);
}

static void op_map_read(struct fsx *x, struct file *f)
{
    struct span s = choose(x, f->size);
    uint8_t *at;

    note(x, f, "map-read", s, 0);
    if (s.length == 0)
        return;
    at = map(x, f, s, PROT_READ);
    compare(x, f, s, at + s.offset % PAGE);
    check_tail(x, f, at, s);
    unmap(at, s);
}

static void op_map_write(struct fsx *x, struct file *f)
{
    struct span s = choose(x, x->max);
    uint64_t sync = below(x, 256);
    uint8_t *at;

    note(x, f, "map-write", s, f->size);
    if (s.offset + s.length > f->size) {
        if (ftruncate(f->fd, (off_t)(s.offset + s.length)) != 0)
            fail_call(x, f, "ftruncate");
        f->size = s.offset + s.length;
    }
    fill(x, f->image + s.offset, s.length);
    at = map(x, f, s, PROT_READ | PROT_WRITE);
    memcpy(at + s.offset % PAGE, f->image + s.offset, s.length);
    if (sync < 2 && msync(at, s.offset % PAGE + s.length, sync ? MS_SYNC : MS_ASYNC) != 0)
        fail_call(x, f, "msync");
    check_tail(x, f, at, s);
    unmap(at, s);
}

static void allocate(struct fsx *x, struct file *f, struct span s, int mode)
{
    if (s.length > 0 && fallocate(f->fd, mode, (off_t)s.offset, (off_t)s.length) != 0)
        fail_call(x, f, "fallocate");
}

static void op_punch(struct fsx *x, struct file *f)
{
    struct span s = choose(x, x->max);
    uint64_t end = s.offset + s.length < f->size ? s.offset + s.length : f->size;

    note(x, f, "punch", s, 0);
    allocate(x, f, s, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    if (s.offset < end)
        memset(f->image + s.offset, 0, end - s.offset);
}

static void op_zero(struct fsx *x, struct file *f)
{
    struct span s = choose(x, x->max);
    bool keep = below(x, 2) == 0;
    uint64_t end = s.offset + s.length;

    note(x, f, keep ? "zero-keep" : "zero", s, f->size);
    allocate(x, f, s, FALLOC_FL_ZERO_RANGE | (keep ? FALLOC_FL_KEEP_SIZE : 0));
    if (!keep)
        grow(f, end);
    if (end > f->size)
        end = f->size;
    if (s.offset < end)
        memset(f->image + s.offset, 0, end - s.offset);
}

static void op_allocate(struct fsx *x, struct file *f)
{
    struct span s = choose(x, x->max);
    bool keep = below(x, 2) == 0;

    note(x, f, keep ? "alloc-keep" : "alloc", s, f->size);
    allocate(x, f, s, keep ? FALLOC_FL_KEEP_SIZE : 0);
    if (!keep)
        grow(f, s.offset + s.length);
}

/* Where to copy `from` to, in file b: inside the limit and, in the same file, without an overlap.
 */
static bool choose_target(struct fsx *x, bool same, struct span from, uint64_t *to)
{
    *to = below(x, x->max - from.length + 1);
    return !same || *to + from.length <= from.offset || from.offset + from.length <= *to;
}

static void op_copy(struct fsx *x, struct file *f)
{
    struct file *g = &x->files[below(x, x->file_count)];
    struct span s = choose(x, f->size);
    uint64_t to, done = 0;

    if (!choose_target(x, f == g, s, &to))
        return;
    note(x, g, "copy", (struct span){to, s.length}, s.offset);
    while (done < s.length) {
        off_t in = (off_t)(s.offset + done), out = (off_t)(to + done);
        ssize_t n = copy_file_range(f->fd, &in, g->fd, &out, s.length - done, 0);

        if (n < 0)
            fail_call(x, f, "copy_file_range");
        if (n == 0)
            fail(x, AT(f, s.offset + done), "copy_file_range stopped after %llu of %llu bytes",
                 (unsigned long long)done, (unsigned long long)s.length);
        done += (uint64_t)n;
    }
    memcpy(g->image + to, f->image + s.offset, s.length);
    if (s.length > 0)
        grow(g, to + s.length);
    check_size(x, g);
}

static bool all_zero(const struct file *f, uint64_t from, uint64_t to, uint64_t *where)
{
    for (*where = from; *where < to; (*where)++)
        if (f->image[*where] != 0)
            return false;
    return true;
}

static void seek_data(struct fsx *x, struct file *f, uint64_t from)
{
    off_t data = lseek(f->fd, (off_t)from, SEEK_DATA);
    uint64_t end = data < 0 ? f->size : (uint64_t)data, wrong;

    if (data < 0 && errno != ENXIO)
        fail_call(x, f, "lseek SEEK_DATA");
    if (data >= 0 && ((uint64_t)data < from || (uint64_t)data >= f->size))
        fail(x, AT(f, from), "SEEK_DATA from 0x%llx gave 0x%llx, size 0x%llx",
             (unsigned long long)from, (unsigned long long)data, (unsigned long long)f->size);
    if (!all_zero(f, from, end, &wrong))
        fail(x, AT(f, wrong), "SEEK_DATA from 0x%llx went to 0x%llx, but 0x%llx is not zero",
             (unsigned long long)from, (unsigned long long)end, (unsigned long long)wrong);
}

static void seek_hole(struct fsx *x, struct file *f, uint64_t from)
{
    off_t hole = lseek(f->fd, (off_t)from, SEEK_HOLE);

    if (from >= f->size) {
        if (hole >= 0 || errno != ENXIO)
            fail(x, AT(f, from), "SEEK_HOLE behind the end gave %lld", (long long)hole);
        return;
    }
    if (hole < 0)
        fail_call(x, f, "lseek SEEK_HOLE");
    if ((uint64_t)hole < from || (uint64_t)hole > f->size)
        fail(x, AT(f, from), "SEEK_HOLE from 0x%llx gave 0x%llx, size 0x%llx",
             (unsigned long long)from, (unsigned long long)hole, (unsigned long long)f->size);
    if ((uint64_t)hole < f->size && f->image[hole] != 0)
        fail(x, AT(f, (uint64_t)hole), "SEEK_HOLE gave 0x%llx, where there is data",
             (unsigned long long)hole);
}

static void seek_somewhere(struct fsx *x, struct file *f)
{
    uint64_t from = below(x, f->size + PAGE);

    note(x, f, "seek", (struct span){from, 0}, 0);
    seek_data(x, f, from);
    seek_hole(x, f, from);
}

static void op_seek(struct fsx *x, struct file *f)
{
    if (!x->seek_synced)
        seek_somewhere(x, f);
}

static void op_sync(struct fsx *x, struct file *f)
{
    bool data = below(x, 2) == 0;

    note(x, f, data ? "fdatasync" : "fsync", (struct span){0, 0}, 0);
    if ((data ? fdatasync(f->fd) : fsync(f->fd)) != 0)
        fail_call(x, f, "fsync");
    seek_somewhere(x, f);
}

static void reopen(struct fsx *x, struct file *f)
{
    if (f->fd >= 0 && close(f->fd) != 0)
        fail_call(x, f, "close");
    f->fd = open(f->path, O_RDWR);
    if (f->fd < 0)
        fail_call(x, f, "open");
}

static void op_reopen(struct fsx *x, struct file *f)
{
    note(x, f, "reopen", (struct span){0, 0}, 0);
    reopen(x, f);
    check_whole(x, f);
}

/* Clean pages leave the cache, so that what is read next comes from the file system. */
static void op_drop(struct fsx *x, struct file *f)
{
    note(x, f, "drop-cache", (struct span){0, 0}, 0);
    if (fdatasync(f->fd) != 0)
        fail_call(x, f, "fdatasync");
    if (posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        fail_call(x, f, "posix_fadvise");
    check_whole(x, f);
}

struct choice {
    unsigned weight; /* of 10000 */
    void (*run)(struct fsx *x, struct file *f);
};

static const struct choice choices[] = {
    {2000, op_read},    {2200, op_write},   {1400, op_map_read}, {1400, op_map_write},
    {600, op_append},   {700, op_truncate}, {500, op_punch},     {400, op_zero},
    {250, op_allocate}, {300, op_copy},     {130, op_seek},      {80, op_reopen},
    {20, op_sync},      {20, op_drop},
};

static void step(struct fsx *x)
{
    struct file *f = &x->files[below(x, x->file_count)];
    uint64_t pick = below(x, 10000);

    x->number++;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (pick < choices[i].weight) {
            choices[i].run(x, f);
            check_size(x, f);
            return;
        }
        pick -= choices[i].weight;
    }
    abort(); /* the weights do not add up */
}

/* --- the whole run --- */

static void open_files(struct fsx *x, const char *path)
{
    for (unsigned i = 0; i < x->file_count; i++) {
        struct file *f = &x->files[i];

        if (i == 0)
            snprintf(f->path, sizeof f->path, "%s", path);
        else
            snprintf(f->path, sizeof f->path, "%s.%u", path, i);
        f->image = calloc(1, x->max);
        f->fd = open(f->path, O_CREAT | O_TRUNC | O_RDWR, 0644);
        if (!f->image || f->fd < 0) {
            fprintf(stderr, "fsx: %s: %s\n", f->path, strerror(errno));
            exit(2);
        }
    }
    /* One buffer serves every comparison. */
    x->buffer = malloc(x->max);
    if (!x->buffer)
        exit(2);
}

static void close_files(struct fsx *x)
{
    for (unsigned i = 0; i < x->file_count; i++) {
        struct file *f = &x->files[i];

        op_drop(x, f);
        reopen(x, f);
        check_whole(x, f);
        close(f->fd);
        unlink(f->path);
        free(f->image);
    }
    free(x->buffer);
}

static uint64_t number_or_exit(const char *text, uint64_t most)
{
    char *end;
    uint64_t n = strtoull(text, &end, 0);

    if (*text == '\0' || *text == '-' || *end != '\0' || n > most) {
        fprintf(stderr, "fsx: \"%s\" is not a number up to %llu\n", text, (unsigned long long)most);
        exit(2);
    }
    return n;
}

static const char *parse(struct fsx *x, int argc, char **argv)
{
    static const struct option options[] = {
        {"ops", required_argument, NULL, 'o'},
        {"seed", required_argument, NULL, 's'},
        {"size", required_argument, NULL, 'm'},
        {"files", required_argument, NULL, 'f'},
        {"quiet", no_argument, NULL, 'q'},
        {"seek-synced", no_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'o')
            x->ops = number_or_exit(optarg, UINT64_MAX);
        else if (c == 's')
            x->seed = number_or_exit(optarg, UINT64_MAX);
        else if (c == 'm')
            x->max = number_or_exit(optarg, UINT64_C(1) << 30);
        else if (c == 'f')
            x->file_count = (unsigned)number_or_exit(optarg, FILES_MAX);
        else if (c == 'q')
            x->quiet = true;
        else if (c == 'n')
            x->seek_synced = true;
        else
            exit(2);
    }
    if (optind != argc - 1 || x->max < 2 * PAGE || x->file_count == 0) {
        fprintf(stderr, "usage: fsx [--ops N] [--seed S] [--size MAX>=8192] [--files N] "
                        "[--seek-synced] [--quiet] FILE\n");
        exit(2);
    }
    return argv[optind];
}

int main(int argc, char **argv)
{
    struct fsx *x = calloc(1, sizeof *x);
    const char *path;

    if (!x)
        return 2;
    x->ops = 10000;
    x->max = 256 * 1024;
    x->file_count = 1;
    x->seed = 1;
    path = parse(x, argc, argv);
    x->random = x->seed;
    open_files(x, path);
    while (x->number < x->ops)
        step(x);
    close_files(x);
    if (!x->quiet)
        printf("fsx: %llu operations on %u file(s), seed %llu: all as they should be\n",
               (unsigned long long)x->ops, x->file_count, (unsigned long long)x->seed);
    free(x);
    return 0;
}
