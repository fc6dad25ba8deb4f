/* SPDX-License-Identifier: MIT
 *
 * driver.c: runs a fuzz target without libFuzzer, so that any compiler will do.
 *
 *     TARGET [--runs N] [--seed S] [FILE]...   each seed, each FILE, then N mutations of them
 *     TARGET --seeds DIR                       writes the seeds there, as a corpus for libFuzzer
 *
 * The input under test is kept in a file while it runs; when the target crashes,
 * `fuzz-TARGET.input` stays.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_MAX 256u

struct pool {
    uint8_t *inputs[POOL_MAX];
    size_t sizes[POOL_MAX];
    unsigned count, originals; /* the first ones are seeds and files */
    uint64_t chance;
    char kept[256]; /* where the input under test is kept */
    uint8_t *under_test;
};

static uint64_t next_random(struct pool *p)
{
    uint64_t z = p->chance += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(struct pool *p, size_t bound)
{
    return bound ? (size_t)(next_random(p) % bound) : 0;
}

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void add_input(struct pool *p, const uint8_t *data, size_t size)
{
    if (p->count == POOL_MAX)
        return;
    p->inputs[p->count] = malloc(FUZZ_INPUT_MAX);
    if (!p->inputs[p->count])
        die("memory");
    memcpy(p->inputs[p->count], data, size);
    p->sizes[p->count++] = size;
}

/* A mapped file holds what is being tested: a crash leaves it without any handler. */
static void keep_input(struct pool *p, const char *program)
{
    const char *name = strrchr(program, '/');
    int fd;

    snprintf(p->kept, sizeof p->kept, "fuzz-%s-%ld.input", name ? name + 1 : program,
             (long)getpid());
    fd = open(p->kept, O_CREAT | O_TRUNC | O_RDWR, 0644);
    if (fd < 0 || ftruncate(fd, FUZZ_INPUT_MAX + 8) != 0)
        die(p->kept);
    p->under_test = mmap(NULL, FUZZ_INPUT_MAX + 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p->under_test == MAP_FAILED)
        die("mmap");
    close(fd);
}

static void run_one(struct pool *p, const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees the very end */
    uint64_t length = size;

    if (!exact)
        die("memory");
    memcpy(p->under_test, &length, 8);
    memcpy(p->under_test + 8, data, size);
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* --- mutations --- */

/* A place to change: heads and lengths stand in front, so half of the time there. */
static size_t spot(struct pool *p, size_t size)
{
    return below(p, below(p, 2) == 0 && size > 192 ? 192 : size);
}

static const uint64_t edges[] = {0,
                                 1,
                                 0x7f,
                                 0x80,
                                 0xff,
                                 0x7fff,
                                 0x8000,
                                 0xffff,
                                 4096,
                                 131072,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 0xffffffffffffffff};

static size_t insert(struct pool *p, uint8_t *data, size_t size)
{
    const unsigned from = (unsigned)below(p, p->count);
    size_t start = below(p, p->sizes[from]), n = 1 + below(p, 64), at = spot(p, size + 1);

    if (n > p->sizes[from] - start)
        n = p->sizes[from] - start;
    if (n > FUZZ_INPUT_MAX - size)
        n = FUZZ_INPUT_MAX - size;
    memmove(data + at + n, data + at, size - at);
    memcpy(data + at, p->inputs[from] + start, n);
    return size + n;
}

static size_t cut(struct pool *p, uint8_t *data, size_t size)
{
    size_t at = spot(p, size), n = 1 + below(p, below(p, 4) == 0 ? size : 16);

    if (n > size - at)
        n = size - at;
    memmove(data + at, data + at + n, size - at - n);
    return size - n;
}

static void overwrite(struct pool *p, uint8_t *data, size_t size)
{
    size_t width = (size_t)1 << below(p, 4), at = spot(p, size);
    uint64_t value = edges[below(p, sizeof edges / sizeof edges[0])];

    if (width > size - at)
        width = size - at;
    memcpy(data + at, &value, width);
}

static void nudge(struct pool *p, uint8_t *byte)
{
    *byte = (uint8_t)(*byte + below(p, 8) - 4);
}

static size_t mutate(struct pool *p, uint8_t *data, size_t size)
{
    for (size_t times = 1 + below(p, 6); times > 0; times--) {
        size_t way = size == 0 ? 4 : below(p, 6);

        if (way == 0)
            data[spot(p, size)] ^= (uint8_t)(1u << below(p, 8));
        else if (way == 1)
            data[spot(p, size)] = (uint8_t)next_random(p);
        else if (way == 2)
            nudge(p, &data[spot(p, size)]);
        else if (way == 3)
            size = cut(p, data, size);
        else if (way == 4)
            size = insert(p, data, size);
        else
            overwrite(p, data, size);
    }
    return size;
}

/* --- the run --- */

static void load_file(struct pool *p, const char *path)
{
    uint8_t data[FUZZ_INPUT_MAX];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);

    if (n < 0)
        die(path);
    close(fd);
    run_one(p, data, (size_t)n);
    add_input(p, data, (size_t)n);
}

static void load_seeds(struct pool *p)
{
    uint8_t data[FUZZ_INPUT_MAX];
    size_t size;

    for (unsigned i = 0; (size = fuzz_seed(i, data)) != 0; i++) {
        run_one(p, data, size);
        add_input(p, data, size);
    }
}

static int write_seeds(const char *folder)
{
    uint8_t data[FUZZ_INPUT_MAX];
    char path[4096];
    size_t size;

    for (unsigned i = 0; (size = fuzz_seed(i, data)) != 0; i++) {
        int fd;

        snprintf(path, sizeof path, "%s/seed-%u", folder, i);
        fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
            die(path);
        close(fd);
    }
    return 0;
}

static void run_mutations(struct pool *p, uint64_t runs)
{
    uint8_t data[FUZZ_INPUT_MAX];

    for (uint64_t n = 0; n < runs; n++) {
        unsigned from = (unsigned)below(p, below(p, 2) ? p->originals : p->count);
        size_t size = p->sizes[from];

        memcpy(data, p->inputs[from], size);
        size = mutate(p, data, size);
        run_one(p, data, size);
        /* Now and then a mutation takes a place in the pool, so that they add up. */
        if (below(p, 64) == 0 && p->count < POOL_MAX)
            add_input(p, data, size);
    }
}

int main(int argc, char **argv)
{
    struct pool *p;
    uint64_t runs = 20000, seed = 1;
    int i = 1;

    if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        return write_seeds(argv[2]);
    p = calloc(1, sizeof *p);
    if (!p)
        return 2;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--runs") == 0)
            runs = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 0);
        else
            break;
    }
    p->chance = seed;
    keep_input(p, argv[0]);
    load_seeds(p);
    for (; i < argc; i++)
        load_file(p, argv[i]);
    if (p->count == 0) {
        fprintf(stderr, "fuzz: no seed and no file\n");
        return 2;
    }
    p->originals = p->count;
    run_mutations(p, runs);
    printf("%llu inputs, seed %llu\n", (unsigned long long)(runs + p->count),
           (unsigned long long)seed);
    unlink(p->kept);
    for (unsigned n = 0; n < p->count; n++)
        free(p->inputs[n]);
    free(p);
    return 0;
}
