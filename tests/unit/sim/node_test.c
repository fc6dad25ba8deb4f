/* SPDX-License-Identifier: MIT
 *
 * node_test.c: what befalls a node: pauses, drifting clocks, slowness, stalled and lost disks, many
 * lives. S5 to S8.
 */
#include <stdlib.h>
#include <string.h>

#include "cell.h"

/* --- what a node does: timers, jobs, reads --- */

struct alarm {
    struct env_timer timer;
    struct env *env;
    uint64_t *order; /* counts who fired */
    uint64_t place;  /* among them, from 1 */
    uint64_t at;     /* the world's time */
    uint64_t shown;  /* the node's */
};

static void fire(struct env_timer *timer)
{
    struct alarm *a = (struct alarm *)(void *)timer;
    a->shown = a->env->ops->mono_ns(a->env);
    a->place = ++*a->order;
}

static void alarm_set(struct alarm *a, struct env *env, uint64_t *order, uint64_t after_ns)
{
    *a = (struct alarm){.timer.fire = fire, .env = env, .order = order};
    env->ops->timer_start(env, &a->timer, after_ns);
}

struct work {
    struct env_job job;
    struct sim *sim;
    struct env *env;
    struct env_file *file; /* NULL: it does not touch the disk */
    uint64_t ran, done;    /* 0: not yet */
};

static void work_run(struct env_job *job)
{
    struct work *w = (struct work *)(void *)job;
    struct env_iov piece = {(void *)(uintptr_t) "12345678", 8};
    w->ran = sim_now(w->sim);
    if (!w->file)
        return;
    assert_int_equal(w->env->ops->file_write(w->file, 0, &piece, 1), OK);
    assert_int_equal(w->env->ops->file_sync(w->file), OK);
}

static void work_done(struct env_job *job)
{
    struct work *w = (struct work *)(void *)job;
    w->done = sim_now(w->sim);
}

static void work_start(struct work *w, struct sim *sim, struct env_file *file)
{
    *w = (struct work){
        .job = {.run = work_run, .done = work_done}, .sim = sim, .env = sim_env(sim), .file = file};
    w->env->ops->submit(w->env, &w->job);
}

static bool work_ran(void *ctx)
{
    return ((struct work *)ctx)->ran != 0;
}

static bool work_is_done(void *ctx)
{
    return ((struct work *)ctx)->done != 0;
}

static struct env_file *open_file(struct env *env, const char *path)
{
    struct env_file *file = NULL;
    assert_int_equal(env->ops->file_open(env, path, ENV_CREATE_OR_OPEN, &file), OK);
    return file;
}

/* --- pauses --- */

static void paused_nodes_stand_still(void **state)
{
    struct cell *cell = cell_start(1, 2);
    struct env *env = cell->nodes[0].env, *other = cell->nodes[1].env;
    struct alarm a[5], b;
    struct work work;
    uint64_t order = 0, others = 0;
    (void)state;
    alarm_set(&a[0], env, &order, 40 * MS);
    alarm_set(&a[1], env, &order, 20 * MS);
    alarm_set(&a[2], env, &order, 30 * MS);
    alarm_set(&a[3], env, &order, 3 * SECOND);
    alarm_set(&b, other, &others, 50 * MS);
    sim_pause(env);
    assert_true(sim_paused(env) && !sim_paused(other));
    work_start(&work, cell->sim, NULL);               /* by a client of the node's */
    alarm_set(&a[4], env, &order, 25 * MS);           /* the same */
    env->ops->timer_stop(env, &a[2].timer);           /* a timer that waits can be stopped */
    env->ops->timer_start(env, &a[1].timer, 45 * MS); /* or set anew */
    sim_advance(cell->sim, SECOND);
    assert_true(others == 1 && b.shown == 50 * MS);
    assert_false(sim_step(cell->sim)); /* nobody else has anything to do */
    assert_true(order == 0 && work.ran == 0);
    assert_int_equal(env->ops->mono_ns(env), SECOND); /* its clock goes on */
    alarm_set(&b, other, &others, 0);
    sim_resume(env);
    assert_false(sim_paused(env));
    sim_advance(cell->sim, 0);
    assert_true(a[4].place == 1 && a[0].place == 2 && a[1].place == 3 && a[2].place == 0);
    assert_true(a[0].shown == SECOND && a[1].shown == SECOND && others == 2);
    assert_true(work.ran == SECOND);
    cell_idle(cell);
    assert_true(work.done > SECOND && work.done < SECOND + MS);
    assert_true(a[3].place == 4 && a[3].shown == 3 * SECOND);
    cell_end(cell);
}

static void paused_nodes_can_die(void **state)
{
    struct cell *cell = cell_start(2, 2);
    struct env *env = cell->nodes[0].env;
    struct alarm a, b;
    uint64_t order = 0;
    (void)state;
    alarm_set(&a, env, &order, MS);
    alarm_set(&b, env, &order, HOUR);
    sim_pause(env);
    sim_pause(env); /* twice is once */
    sim_advance(cell->sim, SECOND);
    sim_crash(env);
    assert_true(sim_crashed(env) && !sim_paused(env));
    assert_true(!a.timer.impl && !b.timer.impl);
    sim_resume(env);
    sim_pause(env);
    assert_false(sim_paused(env));
    cell_idle(cell);
    assert_int_equal(order, 0);
    cell_restart(cell, 0);
    env = cell->nodes[0].env;
    alarm_set(&a, env, &order, MS);
    cell_idle(cell);
    assert_int_equal(order, 1);
    sim_pause(env);
    alarm_set(&a, env, &order, MS);
    cell_end(cell); /* paused */
}

/* The process pauses itself: the step it is in ends, the next one waits. */
static void pause_now(struct env_timer *timer)
{
    struct alarm *a = (struct alarm *)(void *)timer;
    sim_pause(a->env);
    a->place = ++*a->order;
    a->env->ops->timer_start(a->env, &a->timer, 0);
}

static void nodes_pause_in_a_step(void **state)
{
    struct cell *cell = cell_start(3, 1);
    uint64_t order = 0;
    struct alarm a;
    (void)state;
    alarm_set(&a, cell->nodes[0].env, &order, MS);
    a.timer.fire = pause_now;
    for (uint64_t i = 1; i < 10; i++) {
        cell_idle(cell);
        assert_int_equal(order, i);
        sim_advance(cell->sim, SECOND);
        sim_resume(cell->nodes[0].env);
    }
    cell_end(cell);
}

/* --- clocks --- */

static void clocks_drift(void **state)
{
    struct cell *cell = cell_start(4, 3);
    struct env *fast = cell->nodes[0].env, *slow = cell->nodes[1].env, *good = cell->nodes[2].env;
    struct alarm a, b, c;
    uint64_t order = 0;
    (void)state;
    uint64_t wall = fast->ops->wall_ns(fast);
    sim_clock_drift(fast, 50000);
    sim_clock_drift(slow, -50000);
    alarm_set(&a, fast, &order, HOUR);
    alarm_set(&b, slow, &order, HOUR);
    alarm_set(&c, good, &order, HOUR);
    sim_advance(cell->sim, HOUR);
    assert_int_equal(fast->ops->mono_ns(fast), HOUR + HOUR / 20);
    assert_int_equal(slow->ops->mono_ns(slow), HOUR - HOUR / 20);
    assert_int_equal(good->ops->mono_ns(good), HOUR);
    assert_int_equal(fast->ops->wall_ns(fast) - wall, HOUR + HOUR / 20);
    assert_true(a.place == 1 && c.place == 2 && b.place == 0);
    assert_int_equal(a.shown, HOUR);
    cell_idle(cell);
    assert_int_equal(b.shown, HOUR);
    assert_int_equal(sim_now(cell->sim), (HOUR * 20 + 18) / 19);
    sim_advance(cell->sim, 10000 * HOUR); /* a year of it */
    uint64_t passed = sim_now(cell->sim);
    assert_int_equal(fast->ops->mono_ns(fast), passed + passed / 20);
    cell_end(cell);
}

static void timers_follow_the_drift(void **state)
{
    struct cell *cell = cell_start(5, 1);
    struct env *env = cell->nodes[0].env;
    struct alarm a, b, never;
    uint64_t order = 0;
    (void)state;
    alarm_set(&a, env, &order, 10 * SECOND);
    alarm_set(&b, env, &order, 20 * SECOND);
    alarm_set(&never, env, &order, UINT64_MAX);
    sim_advance(cell->sim, 5 * SECOND);
    sim_clock_drift(env, 100000); /* 5 s are left: over in 4.545... s */
    sim_advance(cell->sim, 4545454545);
    assert_int_equal(order, 0);
    sim_advance(cell->sim, 1);
    assert_int_equal(order, 1);
    sim_pause(env);
    sim_clock_drift(env, -100000); /* 10 s are left: over in 11.111... s */
    sim_resume(env);
    sim_advance(cell->sim, 11 * SECOND);
    assert_int_equal(order, 1);
    sim_advance(cell->sim, SECOND);
    assert_int_equal(order, 2);
    assert_int_equal(b.shown, 20 * SECOND);
    assert_non_null(never.timer.impl);
    cell_end(cell);
}

/* What is done to one node leaves the others' events in their order. */
static void other_nodes_are_not_disturbed(void **state)
{
    struct cell *cell = cell_start(12, 3);
    struct alarm alarms[3][300];
    uint64_t order = 0, after[300];
    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        after[i] = i * 7919 % 300 * MS + 1;
        for (uint32_t n = 0; n < 3; n++)
            alarm_set(&alarms[n][i], cell->nodes[n].env, &order, after[i]);
    }
    sim_clock_drift(cell->nodes[1].env, 100000);
    sim_advance(cell->sim, 100 * MS);
    sim_stop(cell->nodes[2].env);
    sim_advance(cell->sim, 100 * MS);
    sim_clock_drift(cell->nodes[1].env, -100000);
    cell_idle(cell);
    for (uint64_t i = 0; i < 300; i++) {
        assert_int_equal(alarms[0][i].shown, after[i]);
        assert_true(alarms[1][i].shown >= after[i] && alarms[1][i].shown <= after[i] + 1);
        assert_true((alarms[2][i].place != 0) == (after[i] <= 100 * MS));
    }
    cell_end(cell);
}

/* E5, and S7 to the nanosecond, under a drift that keeps changing. */
static void drifting_clocks_never_go_back(void **state)
{
    struct cell *cell = cell_start(6, 1);
    struct env *env = cell->nodes[0].env;
    uint64_t last = 0, order = 0, fired = 0;
    struct alarm a;
    uint64_t due = 0;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t draw = sim_random(cell->sim);
        if (draw % 4 == 0)
            sim_clock_drift(env, (int32_t)((draw >> 8) % 200001) - 100000);
        if (order == fired) {
            fired++;
            due = env->ops->mono_ns(env) + (draw >> 32) % MS;
            alarm_set(&a, env, &order, (draw >> 32) % MS);
        }
        sim_advance(cell->sim, (draw >> 20) % (100 * US));
        uint64_t now = env->ops->mono_ns(env);
        assert_true(now >= last);
        last = now;
        assert_true(order == fired || now < due);
        assert_true(order < fired || (a.shown >= due && a.shown <= due + 1));
    }
    assert_true(fired > 1000);
    cell_end(cell);
}

/* --- slow machines and disks --- */

static uint64_t time_of_work(unsigned factor)
{
    struct cell *cell = cell_start(7, 1);
    struct work work[100];
    uint64_t sum = 0;
    struct env_file *file = open_file(cell->nodes[0].env, "f");
    if (factor)
        sim_slow(cell->nodes[0].env, factor);
    for (int i = 0; i < 100; i++)
        work_start(&work[i], cell->sim, file);
    cell_idle(cell);
    for (int i = 0; i < 100; i++)
        sum += work[i].done;
    cell_end(cell);
    return sum;
}

static void slow_nodes_take_longer(void **state)
{
    uint64_t usual = time_of_work(0);
    (void)state;
    assert_int_equal(time_of_work(1), usual);
    assert_int_equal(time_of_work(10), 10 * usual);
    assert_int_equal(time_of_work(100), 100 * usual);
}

static void stalled_disks_hold_jobs_up(void **state)
{
    struct cell *cell = cell_start(8, 1);
    struct sim *sim = cell->sim;
    struct env *env = cell->nodes[0].env;
    struct env_file *file = open_file(env, "f");
    struct work work, idle;
    (void)state;
    sim_disk_stall(env, SECOND);
    work_start(&work, sim, file); /* begins during the stall */
    work_start(&idle, sim, NULL);
    cell_idle(cell);
    assert_true(work.ran < 10 * MS && work.done > SECOND + 400 * US && work.done < SECOND + 2 * MS);
    assert_true(idle.done < 10 * MS); /* has nothing to do with the disk */

    work_start(&work, sim, file);
    assert_true(sim_run_until(sim, work_ran, &work, SECOND));
    sim_advance(sim, 100 * US); /* the sync is under way */
    uint64_t now = sim_now(sim);
    sim_disk_stall(env, SECOND);
    sim_disk_stall(env, SECOND / 2); /* ends before the first one: nothing more */
    sim_advance(sim, SECOND / 2);
    sim_disk_stall(env, SECOND); /* until 1.5 s */
    cell_idle(cell);
    assert_true(work.done >= now + 3 * SECOND / 2 + 330 * US);
    assert_true(work.done < now + 3 * SECOND / 2 + MS);
    cell_end(cell);
}

/* What the disk has done already is told in time. */
static void stalls_do_not_reach_back(void **state)
{
    (void)state;
    unsigned late = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct cell *cell = cell_start(seed, 1);
        struct env *env = cell->nodes[0].env;
        struct work work;
        work_start(&work, cell->sim, open_file(env, "f"));
        assert_true(sim_run_until(cell->sim, work_ran, &work, SECOND));
        sim_advance(cell->sim, 430002); /* writing 8 bytes, syncing */
        late += work.done == 0;
        sim_disk_stall(env, SECOND);
        assert_true(sim_run_until(cell->sim, work_is_done, &work, MS));
        cell_end(cell);
    }
    assert_true(late > 30);
}

struct later {
    struct env_read read;
    bool done;
};

static void later_done(struct env_read *read)
{
    ((struct later *)(void *)read)->done = true;
}

static void stalled_disks_hold_reads_up(void **state)
{
    struct cell *cell = cell_start(9, 1);
    struct env *env = cell->nodes[0].env;
    struct env_file *file = open_file(env, "f");
    struct env_iov piece = {(void *)(uintptr_t) "12345678", 8};
    uint8_t buf[8];
    size_t got = 0;
    struct later later = {.read = {.file = file, .buf = buf, .len = 8, .done = later_done}};
    (void)state;
    sim_again_per_mille(env, 0);
    assert_int_equal(env->ops->file_write(file, 0, &piece, 1), OK);
    assert_int_equal(env->ops->file_read_now(file, 0, buf, 8, &got), OK);
    sim_disk_stall(env, SECOND);
    assert_int_equal(env->ops->file_read_now(file, 0, buf, 8, &got), ERR_AGAIN);
    env->ops->file_read_later(env, &later.read);
    sim_advance(cell->sim, SECOND - 1);
    assert_false(later.done);
    assert_int_equal(env->ops->file_read_now(file, 0, buf, 8, &got), ERR_AGAIN);
    sim_advance(cell->sim, 1);
    assert_int_equal(env->ops->file_read_now(file, 0, buf, 8, &got), OK);
    sim_advance(cell->sim, MS);
    assert_true(later.done && later.read.err == OK && later.read.got == 8);
    cell_end(cell);
}

/* --- lives --- */

static void put(struct env *env, struct env_index *index, uint64_t value)
{
    struct env_batch *batch;
    struct bytes key = {(const uint8_t *)"key", 3};
    assert_int_equal(env->ops->batch_begin(index, &batch), OK);
    assert_int_equal(
        env->ops->batch_put(batch, key, (struct bytes){(const uint8_t *)&value, sizeof value}), OK);
    assert_int_equal(env->ops->batch_commit(batch), OK);
}

static uint64_t get(struct env *env, struct env_index *index)
{
    struct bytes value, key = {(const uint8_t *)"key", 3};
    uint64_t number = 0;
    if (env->ops->index_get(index, key, &value) == OK)
        memcpy(&number, value.data, sizeof number);
    return number;
}

/* Each life leaves everything open, a batch begun and a timer running. */
static void many_lives_on_one_disk(void **state)
{
    struct cell *cell = cell_start(10, 2);
    struct alarm a = {.order = NULL};
    uint64_t order = 0;
    (void)state;
    for (uint64_t life = 0; life < 5000; life++) {
        struct env *env = cell->nodes[0].env;
        struct env_index *index;
        struct env_batch *batch;
        struct env_cursor *cursor;
        assert_int_equal(env->ops->index_open(env, "index", &index), OK);
        assert_int_equal(get(env, index), life);
        put(env, index, life + 1);
        assert_int_equal(env->ops->index_refresh(index), OK);
        assert_int_equal(get(env, index), life + 1);
        struct env_file *file = open_file(env, "f"), *gone = open_file(env, "gone");
        assert_int_equal(env->ops->file_reserve(gone, 4096), OK);
        assert_int_equal(env->ops->file_remove(env, "gone"), OK);
        assert_int_equal(env->ops->batch_begin(index, &batch), OK);
        assert_int_equal(env->ops->cursor_open(index, &cursor), OK);
        alarm_set(&a, env, &order, HOUR);
        assert_int_equal(cell_send(cell, 0, 1, life, 8), OK);
        if (life % 2)
            sim_crash(env);
        else
            sim_stop(env);
        assert_null(a.timer.impl);
        cell_restart(cell, 0);
        if (life % 3 == 0) { /* the dead one's may be closed after all */
            uint64_t size;
            assert_int_equal(env->ops->file_size(file, &size), ERR_CRASHED);
            env->ops->file_close(file);
            env->ops->batch_abort(batch);
            assert_int_equal(env->ops->index_bytes(index), 0);
        } else {
            env->ops->cursor_close(cursor);
            env->ops->index_close(index);
        }
        (void)gone;
    }
    cell_idle(cell);
    assert_int_equal(cell->arrived, 5000);
    assert_int_equal(order, 0);
    assert_int_equal(sim_disk_used(cell->nodes[0].disk), 3 + 8 + 16); /* nothing but the key */
    cell_end(cell);
}

static bool count_file(void *ctx, const char *path, uint64_t size)
{
    (void)path;
    (void)size;
    ++*(int *)ctx;
    return true;
}

static void lost_disks_are_empty(void **state)
{
    struct cell *cell = cell_start(11, 1);
    struct sim_disk *disk = cell->nodes[0].disk;
    struct env *env = cell->nodes[0].env;
    struct env_index *index;
    struct env_iov piece = {(void *)(uintptr_t) "12345678", 8};
    int files = 0;
    (void)state;
    assert_int_equal(env->ops->dir_make(env, "d"), OK);
    struct env_file *file = open_file(env, "d/f");
    assert_int_equal(env->ops->file_write(file, 0, &piece, 1), OK);
    assert_int_equal(env->ops->file_sync(file), OK);
    assert_int_equal(env->ops->index_open(env, "d/index", &index), OK);
    put(env, index, 1);
    assert_int_equal(env->ops->index_open(env, "/", &index), OK);
    put(env, index, 1);
    sim_stop(env);
    sim_disk_capacity(disk, 100);
    sim_disk_full(disk, true);
    sim_disk_lose(disk);
    assert_int_equal(sim_disk_used(disk), 0);
    sim_disk_list(disk, count_file, &files);
    assert_int_equal(files, 0);
    env->ops->file_close(file);
    cell_restart(cell, 0);
    env = cell->nodes[0].env;
    assert_int_equal(env->ops->file_open(env, "d/f", ENV_READ, &file), ERR_NOENT);
    assert_int_equal(env->ops->index_open(env, "/", &index), OK);
    assert_int_equal(get(env, index), 0);
    assert_int_equal(env->ops->file_open(env, "f", ENV_CREATE, &file), OK);
    assert_int_equal(env->ops->file_reserve(file, 8192), OK);
    assert_int_equal(sim_disk_used(disk), 8192);
    sim_crash(env);
    sim_disk_free(disk); /* also before the world that used it */
    cell->nodes[0].disk = sim_disk_new();
    cell_end(cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paused_nodes_stand_still),
        cmocka_unit_test(paused_nodes_can_die),
        cmocka_unit_test(nodes_pause_in_a_step),
        cmocka_unit_test(clocks_drift),
        cmocka_unit_test(timers_follow_the_drift),
        cmocka_unit_test(other_nodes_are_not_disturbed),
        cmocka_unit_test(drifting_clocks_never_go_back),
        cmocka_unit_test(slow_nodes_take_longer),
        cmocka_unit_test(stalled_disks_hold_jobs_up),
        cmocka_unit_test(stalls_do_not_reach_back),
        cmocka_unit_test(stalled_disks_hold_reads_up),
        cmocka_unit_test(many_lives_on_one_disk),
        cmocka_unit_test(lost_disks_are_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
