/* SPDX-License-Identifier: MIT
 *
 * embedded_test.c: the embedded registry: the suite of all backends, and what is its own.
 */
#include "../../registry/suite.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/registry/embedded.h"

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int make_dir(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/pactfs-registry-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(uv_loop_init(&w->loop), 0);
    *state = w;
    return 0;
}

static enum err reopen(struct world *w)
{
    struct store_error error = {""};
    enum err err = registry_embedded_open(&w->loop, w->dir, &w->a, &error);
    assert_true((err == OK) == (error.text[0] == 0));
    w->b = w->a;
    return err;
}

static int open_in_dir(void **state)
{
    make_dir(state);
    return reopen(*state) == OK ? 0 : -1;
}

static void flag_up(void *ctx)
{
    *(bool *)ctx = true;
}

static void close_registry(struct world *w)
{
    bool closed = false;
    registry_embedded_close(w->a, flag_up, &closed);
    assert_false(closed);
    wait_for(w, &closed, 5);
    w->a = w->b = NULL;
}

static int clean(void **state)
{
    struct world *w = *state;
    if (w->a)
        close_registry(w);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

static enum err put_leased(struct world *w, const char *key)
{
    const struct registry_write write = {key, {(const uint8_t *)"me", 2}, true};
    struct registry_change change = {.writes = &write, .write_count = 1};
    return change_all(w, w->a, &change);
}

/* --- the disk --- */

static void what_was_answered_is_there_again(void **state)
{
    struct world *w = *state;
    uint64_t revision, later;
    assert_int_equal(put(w, w->a, "k", "v", &revision), OK);
    assert_int_equal(put(w, w->a, "gone", "v", NULL), OK);
    assert_int_equal(delete_key(w, w->a, "gone"), OK);
    close_registry(w);
    assert_int_equal(reopen(w), OK);
    struct got got = get(w, w->a, "k");
    assert_string_equal(got.value, "v");
    assert_true(got.revision == revision);
    assert_int_equal(count_of(w, w->a, ""), 1);
    assert_int_equal(put(w, w->a, "new", "v", &later), OK);
    assert_true(later > revision + 2); /* also the deletion's is not given again */
}

static void leased_keys_end_with_the_registry(void **state)
{
    struct world *w = *state;
    assert_int_equal(put_leased(w, "alive/1"), OK);
    assert_int_equal(put(w, w->a, "k", "v", NULL), OK);
    close_registry(w);
    assert_int_equal(reopen(w), OK);
    assert_int_equal(count_of(w, w->a, ""), 1);
}

/* A process that dies without closing. */
static void leased_keys_end_with_the_process(void **state)
{
    struct world *w = *state;
    pid_t child = fork();
    if (child == 0) {
        bool right = reopen(w) == OK && put_leased(w, "alive/1") == OK &&
                     put(w, w->a, "k", "v", NULL) == OK && count_of(w, w->a, "") == 2;
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(reopen(w), OK);
    assert_int_equal(count_of(w, w->a, "alive/"), 0);
    assert_string_equal(get(w, w->a, "k").value, "v");
}

static void two_do_not_open_it(void **state)
{
    struct world *w = *state;
    struct registry *first = w->a;
    assert_int_equal(reopen(w), ERR_LOCKED);
    w->a = w->b = first;
}

static int open_data(const struct world *w)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    return open(path, O_RDWR);
}

static void a_cut_file_is_refused(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(put(w, w->a, key, "some bytes of a value of some length", NULL), OK);
    }
    close_registry(w);
    int fd = open_data(w);
    assert_int_equal(ftruncate(fd, 12288), 0);
    assert_int_equal(reopen(w), ERR_INDEX);
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    assert_int_equal(reopen(w), ERR_INDEX);
    w->a = NULL;
}

/* Wherever the value lies in the file, also where an older commit left it. */
static void rot(const struct world *w, const char *what)
{
    static uint8_t all[1 << 20];
    int fd = open_data(w);
    ssize_t got = read(fd, all, sizeof all);
    assert_true(got > 0);
    size_t len = strlen(what);
    for (uint8_t *at = all; (at = memmem(at, (size_t)(all + got - at), what, len)); at++)
        assert_int_equal(pwrite(fd, "X", 1, at - all), 1);
    close(fd);
}

static void a_rotten_value_is_noticed(void **state)
{
    struct world *w = *state;
    assert_int_equal(put(w, w->a, "k", "sound-value", NULL), OK);
    rot(w, "sound-value");
    assert_int_equal(get(w, w->a, "k").err, ERR_REGISTRY);
    assert_int_equal(put_if(w, w->a, "k", "v", 1), ERR_REGISTRY);
    close_registry(w);
    assert_int_equal(reopen(w), ERR_INDEX);
    w->a = NULL;
}

/* --- deadlines --- */

struct block {
    uv_work_t request;
    uv_sem_t *gate;
};

static void block_run(uv_work_t *request)
{
    uv_sem_wait(((struct block *)(void *)request)->gate);
}

static void block_done(uv_work_t *request, int status)
{
    (void)request;
    (void)status;
}

struct late {
    struct registry_change change;
    bool done;
};

static void late_done(struct registry_change *change)
{
    ((struct late *)(void *)change)->done = true;
}

/* All workers are held up, as by a disk that does not answer. */
static void a_hanging_disk_is_told_in_time(void **state)
{
    enum { WORKERS = 128 };
    struct world *w = *state;
    static struct block blocks[WORKERS];
    const struct registry_write write = {"k", {(const uint8_t *)"v", 1}, false};
    const struct registry_write other = {"other", {(const uint8_t *)"v", 1}, false};
    struct late first = {.change = {.writes = &write, .write_count = 1, .done = late_done}};
    struct late second = {.change = {.writes = &other, .write_count = 1, .done = late_done}};
    uv_sem_t gate;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    for (int i = 0; i < WORKERS; i++) {
        blocks[i].gate = &gate;
        uv_queue_work(&w->loop, &blocks[i].request, block_run, block_done);
    }
    w->a->deadline_ns = 50000000;
    w->a->ops->change(w->a, &first.change);
    w->a->ops->change(w->a, &second.change);
    uint64_t start = uv_hrtime();
    wait_for(w, &second.done, 5);
    assert_true(uv_hrtime() - start < 500000000);
    assert_true(first.done);
    assert_int_equal(first.change.err, ERR_TIMEOUT); /* a worker has it */
    assert_int_equal(second.change.err, ERR_REGISTRY);
    for (int i = 0; i < WORKERS; i++)
        uv_sem_post(&gate);
    w->a->deadline_ns = 5000000000;
    assert_int_equal(put(w, w->a, "third", "v", NULL), OK);
    assert_int_equal(get(w, w->a, "k").count, 1); /* it happened after all */
    assert_int_equal(get(w, w->a, "other").count, 0);
    run_for(w, 20);
    uv_sem_destroy(&gate);
}

/* --- freezing and sealing --- */

struct frozen {
    bool done;
    size_t count, leased;
    uint64_t revision;
};

static void on_frozen(void *ctx, const struct registry_all *all)
{
    struct frozen *frozen = ctx;
    assert_int_equal(all->err, OK);
    frozen->done = true;
    frozen->count = all->count;
    frozen->revision = all->revision;
    for (size_t i = 0; i < all->count; i++)
        frozen->leased += all->leased[i];
}

static void frozen_it_gives_all_and_takes_nothing(void **state)
{
    struct world *w = *state;
    struct frozen frozen = {0};
    const struct registry_write write = {"k", {(const uint8_t *)"v", 1}, false};
    struct late before = {.change = {.writes = &write, .write_count = 1, .done = late_done}};
    assert_int_equal(put_leased(w, "alive/1"), OK);
    w->a->ops->change(w->a, &before.change);
    registry_embedded_freeze(w->a, on_frozen, &frozen);
    assert_false(frozen.done);
    wait_for(w, &frozen.done, 5);
    assert_true(before.done);
    assert_int_equal(frozen.count, 2); /* with what was under way */
    assert_int_equal(frozen.leased, 1);
    assert_true(frozen.revision == before.change.revision);
    assert_int_equal(put(w, w->a, "k", "w", NULL), ERR_REGISTRY);
    assert_string_equal(get(w, w->a, "k").value, "v");
    registry_embedded_thaw(w->a);
    assert_int_equal(put(w, w->a, "k", "w", NULL), OK);
}

static void on_sealed(void *ctx, enum err err)
{
    assert_int_equal(err, OK);
    *(bool *)ctx = true;
}

static void sealed_it_does_not_open(void **state)
{
    struct world *w = *state;
    struct frozen frozen = {0};
    bool sealed = false;
    assert_int_equal(put(w, w->a, "k", "v", NULL), OK);
    registry_embedded_freeze(w->a, on_frozen, &frozen);
    wait_for(w, &frozen.done, 5);
    registry_embedded_seal(w->a, on_sealed, &sealed);
    wait_for(w, &sealed, 5);
    close_registry(w);
    assert_int_equal(reopen(w), ERR_MOVED);
    w->a = NULL;
}

static int run_suite(void)
{
    struct CMUnitTest *tests = calloc(registry_suite_count, sizeof *tests);
    memcpy(tests, registry_suite, registry_suite_count * sizeof *tests);
    /* the count is not known to the macro */
    int failed =
        _cmocka_run_group_tests("embedded: suite", tests, registry_suite_count, open_in_dir, clean);
    free(tests);
    return failed;
}

#define OPENED(name) cmocka_unit_test_setup_teardown(name, open_in_dir, clean)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, make_dir, clean)

int main(void)
{
    const struct CMUnitTest own[] = {
        OPENED(what_was_answered_is_there_again),
        OPENED(leased_keys_end_with_the_registry),
        CLOSED(leased_keys_end_with_the_process),
        OPENED(two_do_not_open_it),
        OPENED(a_cut_file_is_refused),
        OPENED(a_rotten_value_is_noticed),
        OPENED(a_hanging_disk_is_told_in_time),
        OPENED(frozen_it_gives_all_and_takes_nothing),
        OPENED(sealed_it_does_not_open),
    };
    int failed = run_suite();
    return failed + cmocka_run_group_tests_name("embedded", own, NULL, NULL);
}
