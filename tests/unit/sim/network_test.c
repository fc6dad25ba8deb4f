/* SPDX-License-Identifier: MIT
 *
 * network_test.c: how the links of the simulated network behave: T1, T2, chance.
 */
#include <stdlib.h>

#include "cell.h"

#define MANY 100000u

static void set_all(struct cell *cell, struct sim_link link)
{
    sim_net_all(cell->sim, &link);
}

/* Sends one after another, each when the one before it has arrived. */
static void send_apart(struct cell *cell, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t sent = sim_now(cell->sim);
        assert_int_equal(cell_send(cell, 0, 1, i, 8), OK);
        cell_idle(cell);
        if (cell->arrived)
            cell->arrivals[cell->arrived - 1].number = cell->arrivals[cell->arrived - 1].at - sent;
    }
}

static void expect_near(uint64_t got, uint64_t want, uint64_t per_mille)
{
    uint64_t off = got > want ? got - want : want - got;
    if (off > want * per_mille / 1000)
        fail_msg("%llu, not about %llu", (unsigned long long)got, (unsigned long long)want);
}

/* The shares of an exponential distribution that lie above half a mean, one, two and five. */
static void delays_are_exponential(void **state)
{
    const uint64_t least = 1000, mean = 50000;
    struct cell *cell = cell_start(1, 2);
    uint64_t sum = 0, above[4] = {0}, most = 0;
    const uint64_t bound[4] = {mean / 2, mean, 2 * mean, 5 * mean};
    const uint64_t share[4] = {60653, 36788, 13534, 674}; /* of 100,000: e^-0.5, e^-1, ... */
    (void)state;
    set_all(cell, (struct sim_link){.least_ns = least, .mean_ns = mean});
    send_apart(cell, MANY);
    assert_int_equal(cell->arrived, MANY);
    for (size_t i = 0; i < MANY; i++) {
        uint64_t took = cell->arrivals[i].number;
        assert_true(took >= least && took <= least + 20 * mean);
        sum += took - least;
        most = took > most ? took : most;
        for (int k = 0; k < 4; k++)
            above[k] += took - least > bound[k];
    }
    expect_near(sum / MANY, mean, 10);
    for (int k = 0; k < 3; k++)
        expect_near(above[k], share[k], 20);
    expect_near(above[3], share[3], 150);
    assert_true(most > 9 * mean);
    cell_end(cell);
}

static void delays_of_any_size(void **state)
{
    const uint64_t means[] = {3, 1000, HOUR, SIM_NET_DELAY_MAX};
    (void)state;
    for (size_t m = 0; m < sizeof means / sizeof *means; m++) {
        struct cell *cell = cell_start(2, 2);
        uint64_t sum = 0, count = m == 3 ? 40 : 10000;
        set_all(cell, (struct sim_link){.mean_ns = means[m]});
        for (uint64_t i = 0; i < count; i++) {
            uint64_t sent = sim_now(cell->sim);
            assert_int_equal(cell_send(cell, 0, 1, i, 8), OK);
            assert_true(sim_run_idle(cell->sim, UINT64_MAX));
            sum += sim_now(cell->sim) - sent;
        }
        /* Of 40 the mean is only roughly that; below 3 ns the rounding counts. */
        expect_near(sum / count, m ? means[m] : 2, m == 3 ? 500 : m ? 50 : 400);
        cell_end(cell);
    }
}

static void links_keep_the_order(void **state)
{
    struct cell *cell = cell_start(3, 3);
    uint64_t next[3] = {0};
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(cell_send(cell, 0, 1, i, 8), OK);
        assert_int_equal(cell_send(cell, 0, 2, i, 8), OK);
        sim_advance(cell->sim, 5 * US);
    }
    cell_idle(cell);
    assert_int_equal(cell->arrived, 2000);
    for (size_t i = 0; i < cell->arrived; i++)
        assert_int_equal(cell->arrivals[i].number, next[cell->arrivals[i].to]++);
    cell_end(cell);
}

static void reordered_ones_are_overtaken(void **state)
{
    struct cell *cell = cell_start(4, 2);
    uint64_t late = 0, highest = 0;
    bool seen[1000] = {false};
    (void)state;
    set_all(cell,
            (struct sim_link){.least_ns = MS, .mean_ns = 10 * US, .reordered_per_million = 200000});
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(cell_send(cell, 0, 1, i, 8), OK);
        sim_advance(cell->sim, 5 * US);
    }
    cell_idle(cell);
    assert_int_equal(cell->arrived, 1000);
    for (size_t i = 0; i < 1000; i++) {
        uint64_t number = cell->arrivals[i].number;
        assert_false(seen[number]);
        seen[number] = true;
        late += number < highest;
        highest = number > highest ? number : highest;
    }
    assert_true(late > 100 && late < 300);
    cell_end(cell);
}

static void some_are_lost(void **state)
{
    struct cell *cell = cell_start(5, 2);
    (void)state;
    set_all(cell, (struct sim_link){.lost_per_million = 300000, .queue_bytes = 16});
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(cell_send(cell, 0, 1, i, 8), OK);
        cell_idle(cell);
    }
    struct sim_net_figures figures = cell_figures(cell);
    assert_int_equal(figures.sent, MANY);
    assert_int_equal(figures.bytes, 8 * MANY);
    assert_int_equal(figures.delivered, cell->arrived);
    assert_int_equal(figures.delivered + figures.lost, MANY);
    expect_near(figures.lost, MANY * 3 / 10, 20);
    cell_end(cell);
}

static void some_arrive_twice(void **state)
{
    struct cell *cell = cell_start(6, 2);
    uint64_t twice = 0;
    (void)state;
    set_all(cell, (struct sim_link){.least_ns = US, .mean_ns = US, .twice_per_million = 100000});
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(cell_send(cell, 0, 1, i, 8), OK);
        sim_advance(cell->sim, 100);
    }
    cell_idle(cell);
    struct sim_net_figures figures = cell_figures(cell);
    for (size_t i = 1; i < cell->arrived; i++) {
        const struct arrival *last = &cell->arrivals[i - 1], *a = &cell->arrivals[i];
        assert_true(a->number == last->number || a->number == last->number + 1); /* in order */
        twice += a->number == last->number;
        assert_true(a->number != last->number || a->at > last->at); /* T1 */
        assert_true(i < 2 || a->number != cell->arrivals[i - 2].number);
    }
    assert_int_equal(twice, figures.twice);
    assert_int_equal(cell->arrived, MANY + twice);
    expect_near(twice, MANY / 10, 40);
    cell_end(cell);
}

/* Without delay all the time is that of the link. */
static void bandwidth_is_bytes_a_second(void **state)
{
    struct cell *cell = cell_start(7, 2);
    (void)state;
    set_all(cell, (struct sim_link){.least_ns = 7, .bytes_per_s = 1000000});
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(cell_send(cell, 0, 1, i, 10000), OK);
    assert_int_equal(cell_send(cell, 1, 0, 1000, 10000), OK); /* does not wait for those */
    cell_idle(cell);
    assert_int_equal(cell->arrived, 101);
    assert_int_equal(sim_now(cell->sim), SECOND + 7);
    for (uint64_t i = 0, n = 0; i < 101; i++)
        if (cell->arrivals[i].from == 0)
            assert_int_equal(cell->arrivals[i].at, ++n * 10 * MS + 7);
    sim_advance(cell->sim, HOUR); /* what was not used does not add up */
    uint64_t now = sim_now(cell->sim);
    assert_int_equal(cell_send(cell, 0, 1, 1, 10000), OK);
    assert_int_equal(cell_send(cell, 0, 1, 2, 20000), OK);
    cell_idle(cell);
    assert_int_equal(cell->arrivals[cell->arrived - 2].at, now + 10 * MS + 7);
    assert_int_equal(cell->arrivals[cell->arrived - 1].at, now + 30 * MS + 7);
    cell_end(cell);
}

static void full_queues_refuse(void **state)
{
    struct cell *cell = cell_start(8, 2);
    (void)state;
    set_all(cell, (struct sim_link){.bytes_per_s = 1000000, .queue_bytes = 50000});
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(cell_send(cell, 0, 1, i, 10000), OK);
    assert_int_equal(cell_send(cell, 0, 1, 5, 8), ERR_LIMIT);
    assert_int_equal(cell_send(cell, 1, 0, 6, 50000), OK); /* the other way there is room */
    assert_int_equal(cell_send(cell, 1, 0, 7, 8), ERR_LIMIT);
    sim_advance(cell->sim, 10 * MS);
    assert_int_equal(cell->arrived, 1);
    assert_int_equal(cell_send(cell, 0, 1, 5, 10000), OK);
    assert_int_equal(cell_send(cell, 0, 1, 8, 8), ERR_LIMIT);
    cell_idle(cell);
    assert_int_equal(cell_send(cell, 0, 1, 9, 50001), ERR_LIMIT);
    assert_int_equal(cell_figures(cell).refused, 4);
    assert_int_equal(cell_figures(cell).sent, 7);
    assert_int_equal(cell->arrived, 7);
    cell_end(cell);
}

static void bad_sends_are_refused(void **state)
{
    struct cell *cell = cell_start(9, 2);
    (void)state;
    assert_int_equal(cell_send(cell, 0, 2, 1, 8), ERR_UNREACHABLE);
    assert_int_equal(cell_send(cell, 0, SIM_NET_NODES, 1, 8), ERR_UNREACHABLE);
    assert_int_equal(cell_send(cell, 0, UINT32_MAX, 1, 8), ERR_UNREACHABLE);
    assert_int_equal(cell_send(cell, 0, 1, 1, NET_MESSAGE_MAX + 1), ERR_LIMIT);
    assert_int_equal(cell_send(cell, 0, 1, 1, NET_MESSAGE_MAX), OK);
    assert_int_equal(cell_send(cell, 0, 0, 2, 8), OK); /* to itself */
    cell_idle(cell);
    assert_int_equal(cell->arrived, 2);
    cell_end(cell);
}

static void links_differ(void **state)
{
    struct cell *cell = cell_start(10, 3);
    struct sim_link slow = {.least_ns = SECOND}, fast = {.least_ns = MS};
    (void)state;
    sim_net_link(cell->sim, 0, 1, &slow);
    sim_net_all(cell->sim, &fast); /* does not touch what was set on its own */
    assert_int_equal(cell_send(cell, 0, 1, 1, 8), OK);
    assert_int_equal(cell_send(cell, 1, 0, 2, 8), OK);
    assert_int_equal(cell_send(cell, 0, 2, 3, 8), OK);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 3);
    assert_int_equal(cell->arrivals[0].at, MS);
    assert_int_equal(cell->arrivals[1].at, MS);
    assert_int_equal(cell->arrivals[2].at, SECOND);
    sim_net_link(cell->sim, 0, 1, NULL);
    assert_int_equal(cell_send(cell, 0, 1, 4, 8), OK);
    cell_idle(cell);
    assert_int_equal(cell->arrivals[3].at, SECOND + MS);
    cell_end(cell);
}

/* L5: what disks and jobs draw is the same with traffic and without. */
static void the_network_has_its_own_chance(void **state)
{
    struct cell *quiet = cell_start(11, 2), *busy = cell_start(11, 2), *other = cell_start(12, 2);
    (void)state;
    set_all(busy, (struct sim_link){.mean_ns = MS, .lost_per_million = 1000});
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(cell_send(busy, 0, 1, i, 8), OK);
    cell_idle(busy);
    uint64_t a = sim_random(quiet->sim), b = sim_random(busy->sim), c = sim_random(other->sim);
    assert_true(a == b);
    assert_true(a != c);
    cell_end(quiet);
    cell_end(busy);
    cell_end(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_exponential),
        cmocka_unit_test(delays_of_any_size),
        cmocka_unit_test(links_keep_the_order),
        cmocka_unit_test(reordered_ones_are_overtaken),
        cmocka_unit_test(some_are_lost),
        cmocka_unit_test(some_arrive_twice),
        cmocka_unit_test(bandwidth_is_bytes_a_second),
        cmocka_unit_test(full_queues_refuse),
        cmocka_unit_test(bad_sends_are_refused),
        cmocka_unit_test(links_differ),
        cmocka_unit_test(the_network_has_its_own_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
