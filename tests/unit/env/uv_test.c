/* SPDX-License-Identifier: MIT
 *
 * uv_test.c: the real env: the common suite in a temporary directory, then what only LMDB can do
 * wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env_suite.h"
#include "io/lmdb/index_lmdb.h"
#include "io/uv/env_uv.h"
#include "io/uv/files.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

struct uv_world {
    struct world world;
    uv_loop_t loop;
    char dir[64];
};

static bool run_until(struct world *world, bool (*wanted)(void *ctx), void *ctx)
{
    struct uv_world *w = world->impl;
    while (!wanted(ctx))
        if (!uv_run(&w->loop, UV_RUN_ONCE))
            return wanted(ctx);
    return true;
}

static int setup(void **state, enum env_uv_reads how)
{
    struct uv_world *w = calloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/pactfs-env-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(uv_loop_init(&w->loop), 0);
    w->world = (struct world){.dir = w->dir, .run_until = run_until, .impl = w};
    assert_int_equal(env_uv_new_reading(&w->loop, how, &w->world.env), OK);
    assert_ptr_equal(env_uv_loop(w->world.env), &w->loop);
    *state = &w->world;
    return 0;
}

/* The suite runs twice. */
static enum env_uv_reads suite_reads;

int world_setup(void **state)
{
    return setup(state, suite_reads);
}

static bool remove_one(void *ctx, const char *name)
{
    char path[512], deeper[600];
    snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
    if (unlink(path) == 0 || rmdir(path) == 0)
        return true;
    static const char *const inner[] = {"data.mdb", "lock.mdb", "deep"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(deeper, sizeof deeper, "%s/%s", path, inner[i]);
        unlink(deeper);
    }
    rmdir(path);
    return true;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    struct uv_world *w = world->impl;
    struct env *env = world->env;
    assert_int_equal(env->ops->dir_list(env, w->dir, remove_one, w->dir), OK);
    assert_int_equal(rmdir(w->dir), 0);
    env_uv_free(env);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
    return 0;
}

static struct bytes number_key(uint32_t i, uint8_t buf[8])
{
    struct cursor c = cursor_over(buf, 8);
    put_u64_be(&c, i);
    return (struct bytes){buf, 8};
}

static void index_path(struct world *w, char *index, char *file)
{
    snprintf(index, 512, "%s/index", w->dir);
    snprintf(file, 512, "%s/index/data.mdb", w->dir);
}

static enum err fill(struct world *w, struct env_index *index, uint32_t from, uint32_t to)
{
    struct env_batch *batch;
    uint8_t key[8], value[100];
    memset(value, 'v', sizeof value);
    enum err err = w->env->ops->batch_begin(index, &batch);
    if (err)
        return err;
    for (uint32_t i = from; i < to; i++) {
        struct bytes k = number_key(i, key);
        err = w->env->ops->batch_put(batch, k, (struct bytes){value, sizeof value});
        if (err) {
            w->env->ops->batch_abort(batch);
            return err;
        }
    }
    return w->env->ops->batch_commit(batch);
}

static void make_index(struct world *w, char *path, char *file)
{
    struct env_index *index;
    index_path(w, path, file);
    assert_int_equal(w->env->ops->index_open(w->env, path, &index), OK);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(fill(w, index, i * 1000, i * 1000 + 1000), OK);
    w->env->ops->index_close(index);
}

/* The first two pages hold LMDB's headers: any bit of their used part, flipped, is either
 * seen at once, or one that does not matter. Never a crash, never other contents. */
static void flipped_header_bits(void **state)
{
    struct world *w = *state;
    char path[512], file[512];
    unsigned refused = 0;
    make_index(w, path, file);
    int fd = open(file, O_RDWR);
    assert_true(fd >= 0);
    for (unsigned bit = 0; bit < 2 * 152 * 8; bit++) {
        off_t at = (off_t)(bit / 8 % 152 + bit / 8 / 152 * 4096);
        uint8_t good, key[8];
        assert_int_equal(pread(fd, &good, 1, at), 1);
        uint8_t bad = good ^ (uint8_t)(1u << bit % 8);
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        struct env_index *index;
        enum err err = w->env->ops->index_open(w->env, path, &index);
        assert_true(err == OK || err == ERR_INDEX);
        refused += err == ERR_INDEX;
        if (!err) {
            struct bytes value;
            for (uint32_t i = 0; i < 5000; i += 499)
                assert_int_equal(w->env->ops->index_get(index, number_key(i, key), &value), OK);
            w->env->ops->index_close(index);
        }
        assert_int_equal(pwrite(fd, &good, 1, at), 1);
    }
    close(fd);
    print_message("%u of %u refused\n", refused, 2 * 152 * 8);
    assert_true(refused > 800);
}

static void cut_and_garbage_files(void **state)
{
    struct world *w = *state;
    char path[512], file[512], junk[20000];
    struct env_index *index;
    memset(junk, 0x5a, sizeof junk);
    static const off_t sizes[] = {0, 1, 100, 4096, 8191, 8192, 12288, 100000};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        make_index(w, path, file);
        off_t size = sizes[i / 2];
        assert_int_equal(truncate(file, size), 0);
        if (i % 2) {
            int fd = open(file, O_WRONLY);
            size_t len = size < (off_t)sizeof junk ? (size_t)size : sizeof junk;
            assert_int_equal(pwrite(fd, junk, len, 0), len);
            close(fd);
        }
        assert_int_equal(w->env->ops->index_open(w->env, path, &index), ERR_INDEX);
        assert_int_equal(w->env->ops->index_remove(w->env, path), OK);
    }
}

/* RSS of the file-backed kind stays near the limit when far more than that was read. */
static size_t shared_bytes(void)
{
    unsigned long size, resident, shared;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu %lu", &size, &resident, &shared), 3);
    fclose(f);
    return shared * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t read_all(struct world *w, struct env_index *index, uint32_t count)
{
    size_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[8];
        struct bytes value;
        assert_int_equal(w->env->ops->index_get(index, number_key(i, key), &value), OK);
        assert_true(value.len == 100 && value.data[99] == 'v');
        if (i % 1024 == 0) {
            size_t now = shared_bytes();
            most = now > most ? now : most;
        }
    }
    return most;
}

static void resident_memory_is_bounded(void **state)
{
    enum { COUNT = 400000 };
    struct world *w = *state;
    char path[512], file[512];
    struct env_index *index;
    index_path(w, path, file);
    assert_int_equal(w->env->ops->index_open(w->env, path, &index), OK);
    for (uint32_t i = 0; i < COUNT; i += 50000)
        assert_int_equal(fill(w, index, i, i + 50000), OK);
    assert_int_equal(w->env->ops->index_refresh(index), OK);
    assert_true(w->env->ops->index_bytes(index) > 40u << 20);
    size_t free_run = read_all(w, index, COUNT);
    index_lmdb_limit(index, 16u << 20);
    size_t bounded = read_all(w, index, COUNT);
    print_message("resident: %zu MiB, bounded: %zu MiB\n", free_run >> 20, bounded >> 20);
    assert_true(free_run > 40u << 20);
    assert_true(bounded < 24u << 20);
    w->env->ops->index_close(index);
}

/* A file size limit stands in for a full disk: LMDB's write fails in the middle of a commit. In a
 * child, because the limit is the process's. */
static int starved_child(struct world *w, const char *path)
{
    struct env_index *index;
    uint8_t key[8];
    struct bytes value;
    struct rlimit limit = {8u << 20, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    if (w->env->ops->index_open(w->env, path, &index) || setrlimit(RLIMIT_FSIZE, &limit))
        return 1;
    enum err err = OK;
    for (uint32_t i = 10000; !err && i < 1000000; i += 20000)
        err = fill(w, index, i, i + 20000);
    if (err != ERR_FBIG && err != ERR_IO) /* LMDB's word for a write that was cut short */
        return 2;
    if (w->env->ops->index_refresh(index))
        return 3;
    for (uint32_t i = 0; i < 5000; i++)
        if (w->env->ops->index_get(index, number_key(i, key), &value))
            return 4;
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &limit) || fill(w, index, 2000000, 2000010))
        return 5;
    w->env->ops->index_close(index);
    return w->env->ops->index_open(w->env, path, &index) ? 6 : 0;
}

static void failed_commits_leave_the_old_state(void **state)
{
    struct world *w = *state;
    char path[512], file[512];
    int status;
    make_index(w, path, file);
    pid_t child = fork();
    if (child == 0)
        _exit(starved_child(w, path));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The map is as large as the address space allows, not a byte more. */
static int narrow_child(struct world *w, const char *path)
{
    struct env_index *index;
    struct rlimit limit = {(rlim_t)2 << 30, (rlim_t)2 << 30};
    if (setrlimit(RLIMIT_AS, &limit))
        return 1;
    if (w->env->ops->index_open(w->env, path, &index))
        return 2;
    return fill(w, index, 0, 1000) ? 3 : 0;
}

static void little_address_space(void **state)
{
    struct world *w = *state;
    char path[512], file[512];
    int status;
    if (SANITIZED)
        skip(); /* the sanitizer's own shadow needs more */
    index_path(w, path, file);
    pid_t child = fork();
    if (child == 0)
        _exit(narrow_child(w, path));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* kill -9 in the middle of commits: what was committed is there, and the index opens. */
static int committing_child(struct world *w, const char *path, int report)
{
    struct env_index *index;
    if (w->env->ops->index_open(w->env, path, &index))
        return 1;
    for (uint32_t i = 0;; i++)
        if (fill(w, index, i * 50, i * 50 + 50) || write(report, &i, sizeof i) != sizeof i)
            return 2;
}

static void commits_survive_kill(void **state)
{
    struct world *w = *state;
    char path[512], file[512];
    index_path(w, path, file);
    for (uint32_t round = 0; round < 5; round++) {
        int ends[2], status;
        uint32_t last = 0, seen;
        uint8_t key[8];
        struct env_index *index;
        struct bytes value;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            _exit(committing_child(w, path, ends[1]));
        close(ends[1]);
        for (uint32_t n = 0; n <= 3 + round; n++)
            assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        while (read(ends[0], &seen, sizeof seen) == sizeof seen)
            last = seen;
        close(ends[0]);
        assert_int_equal(w->env->ops->index_open(w->env, path, &index), OK);
        for (uint32_t i = 0; i < last * 50 + 50; i++)
            assert_int_equal(w->env->ops->index_get(index, number_key(i, key), &value), OK);
        w->env->ops->index_close(index);
        assert_int_equal(w->env->ops->index_remove(w->env, path), OK);
    }
}

/* A batch is written by a worker while the loop reads: the reader's world stands still. */
struct writer {
    struct env_job job;
    struct world *w;
    struct env_index *index;
    enum err err;
    bool done;
};

static void writer_run(struct env_job *job)
{
    struct writer *wr = (struct writer *)(void *)job;
    for (uint32_t i = 0; i < 20 && !wr->err; i++)
        wr->err = fill(wr->w, wr->index, 5000 + i * 100, 5100 + i * 100);
}

static void writer_done(struct env_job *job)
{
    ((struct writer *)(void *)job)->done = true;
}

static void reads_beside_a_writing_job(void **state)
{
    struct world *w = *state;
    struct uv_world *uv = w->impl;
    char path[512], file[512];
    uint8_t key[8];
    struct bytes value;
    make_index(w, path, file);
    struct writer wr = {.job = {.run = writer_run, .done = writer_done}, .w = w};
    assert_int_equal(w->env->ops->index_open(w->env, path, &wr.index), OK);
    w->env->ops->submit(w->env, &wr.job);
    while (!wr.done) {
        for (uint32_t i = 0; i < 100; i++) {
            assert_int_equal(w->env->ops->index_get(wr.index, number_key(i * 50, key), &value), OK);
            assert_int_equal(w->env->ops->index_get(wr.index, number_key(5000 + i, key), &value),
                             ERR_NOENT);
        }
        uv_run(&uv->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(wr.err, OK);
    assert_int_equal(w->env->ops->index_refresh(wr.index), OK);
    for (uint32_t i = 0; i < 7000; i++)
        assert_int_equal(w->env->ops->index_get(wr.index, number_key(i, key), &value), OK);
    w->env->ops->index_close(wr.index);
}

/* --- reads that nobody waits for --- */

#define COLD 50000u

struct cold {
    struct env_read read;
    int *left;
    uint8_t *buf;
};

static void cold_done(struct env_read *read)
{
    (*((struct cold *)(void *)read)->left)--;
}

static bool none_left(void *ctx)
{
    return *(int *)ctx == 0;
}

/* A file that the kernel does not hold any more, as far as it lets itself be told. */
static struct env_file *cold_file(struct world *w, size_t size)
{
    char path[512];
    struct env_file *file;
    uint8_t *data = malloc(size);
    snprintf(path, sizeof path, "%s/cold", w->dir);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 4096);
    assert_int_equal(w->env->ops->file_open(w->env, path, ENV_CREATE, &file), OK);
    assert_int_equal(w->env->ops->file_write(file, 0, &(struct env_iov){data, size}, 1), OK);
    assert_int_equal(w->env->ops->file_sync(file), OK);
    free(data);
    int fd = open(path, O_RDONLY);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
    return file;
}

static void begin_cold(struct world *w, struct cold *c, struct env_file *file, size_t offset)
{
    c->buf = malloc(COLD);
    c->read = (struct env_read){
        .file = file, .offset = offset, .buf = c->buf, .len = COLD, .done = cold_done};
    w->env->ops->file_read_later(w->env, &c->read);
}

/* From the disk, with ends in the middle of pages, more than the ring takes, all at once. */
static void cold_reads(void **state)
{
    enum { COUNT = 300, SIZE = 16 << 20, STEP = 55555 };
    struct world *w = *state;
    struct env_file *file = cold_file(w, SIZE);
    struct cold *reads = calloc(COUNT, sizeof *reads);
    int left = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        reads[i].left = &left;
        begin_cold(w, &reads[i], file, i * STEP);
    }
    assert_true(w->run_until(w, none_left, &left));
    assert_int_equal(env_uv_reads_in_flight(w->env), 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(reads[i].read.err, OK);
        assert_int_equal(reads[i].read.got, COLD);
        for (size_t k = i * STEP; k < i * STEP + COLD; k++)
            if (reads[i].buf[k - i * STEP] != (uint8_t)(k * 7 + k / 4096))
                fail_msg("byte %zu of read %zu is not right", k, i);
        free(reads[i].buf);
    }
    free(reads);
    w->env->ops->file_close(file);
}

/* Whether there is such a kernel and it lets us. */
static bool kernel_has_rings(void)
{
    char setting = '0';
    FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "r");
    if (f) {
        assert_int_equal(fread(&setting, 1, 1, f), 1);
        fclose(f);
    }
    long fd = syscall(SYS_io_uring_setup, 4, &(struct io_uring_params){0});
    if (fd >= 0)
        close((int)fd);
    return setting == '0' && fd >= 0;
}

static void ring_is_used_where_there_is_one(void **state)
{
    struct world *w = *state;
    cold_reads(state);
    assert_int_equal(env_uv_reads_by_ring(w->env), kernel_has_rings());
}

static void workers_read_when_told(void **state)
{
    struct world *w = *state;
    cold_reads(state);
    assert_false(env_uv_reads_by_ring(w->env));
}

/* A filter of the kernel takes io_uring away, as containers do. In a child: it stays for good. */
static int filtered_child(void **state)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return 1;
    cold_reads(state);
    return env_uv_reads_by_ring(((struct world *)*state)->env) ? 2 : 0;
}

static void workers_read_when_rings_are_forbidden(void **state)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(uv_loop_fork(env_uv_loop(((struct world *)*state)->env)) ? 3 : filtered_child(state));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The descriptor cannot be read: the same answer from both. */
static void later_reads_tell_errors(void **state)
{
    struct world *w = *state;
    struct env_file *file = cold_file(w, 4096);
    int left = 1, directory = open(w->dir, O_RDONLY | O_DIRECTORY);
    struct cold c = {.left = &left};
    assert_int_equal(dup2(directory, posix_file_fd(file)), posix_file_fd(file));
    close(directory);
    begin_cold(w, &c, file, 0);
    assert_true(w->run_until(w, none_left, &left));
    assert_int_equal(c.read.err, ERR_ISDIR);
    free(c.buf);
    w->env->ops->file_close(file);
}

static int workers_setup(void **state)
{
    return setup(state, ENV_UV_READS_BY_WORKERS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

static const struct CMUnitTest uv_only[] = {
    T(flipped_header_bits),
    T(cut_and_garbage_files),
    T(resident_memory_is_bounded),
    T(failed_commits_leave_the_old_state),
    T(little_address_space),
    T(commits_survive_kill),
    T(reads_beside_a_writing_job),
    T(ring_is_used_where_there_is_one),
    T(workers_read_when_rings_are_forbidden),
    T(later_reads_tell_errors),
    cmocka_unit_test_setup_teardown(workers_read_when_told, workers_setup, world_teardown),
    cmocka_unit_test_setup_teardown(later_reads_tell_errors, workers_setup, world_teardown),
};

int main(void)
{
    int failed = _cmocka_run_group_tests("env: uv", env_suite, env_suite_count, NULL, NULL);
    suite_reads = ENV_UV_READS_BY_WORKERS;
    failed +=
        _cmocka_run_group_tests("env: uv, workers read", env_suite, env_suite_count, NULL, NULL);
    suite_reads = ENV_UV_READS_BEST;
    failed += cmocka_run_group_tests_name("uv and LMDB", uv_only, NULL, NULL);
    return failed != 0;
}
