/* SPDX-License-Identifier: MIT
 *
 * link_faults_test.c: links that are cut, clogged or slow, and nodes that are down: T3, T4.
 */
#include <stdlib.h>

#include "cell.h"

static void send_ok(struct cell *cell, uint32_t from, uint32_t to, uint64_t number)
{
    assert_int_equal(cell_send(cell, from, to, number, 8), OK);
}

static void cuts_have_a_direction(void **state)
{
    struct cell *cell = cell_start(1, 3);
    (void)state;
    sim_net_cut(cell->sim, 0, 1, true);
    send_ok(cell, 0, 1, 1);
    send_ok(cell, 1, 0, 2);
    send_ok(cell, 0, 2, 3);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 2);
    assert_true(cell->arrivals[0].number != 1 && cell->arrivals[1].number != 1);
    assert_int_equal(cell_figures(cell).cut, 1);
    sim_net_cut(cell->sim, 0, 1, false);
    send_ok(cell, 0, 1, 4);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 3);
    assert_int_equal(cell->arrivals[2].number, 4);
    cell_end(cell);
}

/* What is under way is swallowed, also when the link is whole again before it would have arrived,
 * and makes room for what follows. */
static void cuts_swallow_what_is_under_way(void **state)
{
    struct cell *cell = cell_start(2, 2);
    struct sim_link link = {.least_ns = MS, .bytes_per_s = 8000, .queue_bytes = 80};
    (void)state;
    sim_net_all(cell->sim, &link);
    for (uint64_t i = 0; i < 10; i++)
        send_ok(cell, 0, 1, i);
    send_ok(cell, 1, 0, 100);
    sim_advance(cell->sim, 3 * MS);
    assert_int_equal(cell->arrived, 3); /* two of the ten, and the one of the other direction */
    sim_net_cut(cell->sim, 0, 1, true);
    sim_net_cut(cell->sim, 0, 1, false);
    for (uint64_t i = 10; i < 20; i++)
        send_ok(cell, 0, 1, i);
    assert_int_equal(cell_send(cell, 0, 1, 20, 8), ERR_LIMIT);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 13);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(cell->arrivals[3 + i].number, 10 + i);
        assert_int_equal(cell->arrivals[3 + i].at, (5 + i) * MS); /* from 3 ms on, as if new */
    }
    assert_int_equal(cell_figures(cell).cut, 8);
    cell_end(cell);
}

static void clogs_keep_until_they_are_cleared(void **state)
{
    struct cell *cell = cell_start(3, 2);
    struct sim_link link = {.least_ns = MS, .mean_ns = MS, .twice_per_million = 200000};
    (void)state;
    sim_net_all(cell->sim, &link);
    send_ok(cell, 0, 1, 0); /* under way */
    sim_net_clog(cell->sim, 0, 1, true);
    for (uint64_t i = 1; i < 50; i++)
        send_ok(cell, 0, 1, i);
    send_ok(cell, 1, 0, 1000);
    assert_true(sim_run_idle(cell->sim, HOUR));
    assert_int_equal(cell->arrivals[0].number, 1000);
    size_t other = cell->arrived;
    assert_true(other <= 2);
    uint64_t cleared = sim_now(cell->sim) + HOUR;
    sim_advance(cell->sim, HOUR);
    sim_net_clog(cell->sim, 0, 1, false);
    for (uint64_t i = 50; i < 100; i++)
        send_ok(cell, 0, 1, i);
    cell_idle(cell);
    uint64_t last = 0;
    for (size_t i = other; i < cell->arrived; i++) {
        const struct arrival *a = &cell->arrivals[i];
        assert_true(a->at > cleared);
        assert_true(a->number == last || a->number == last + 1);
        assert_true(i == other || a->number != last || a->at > a[-1].at); /* T1 */
        last = a->number;
    }
    assert_int_equal(last, 99);
    assert_int_equal(cell->arrived, 101 + cell_figures(cell).twice);
    cell_end(cell);
}

/* A clog that comes and goes while it lets out what it held; at the bandwidth of the link, in
 * order. */
static void clogs_let_out_one_by_one(void **state)
{
    struct cell *cell = cell_start(4, 2);
    struct sim_link link = {.least_ns = MS, .bytes_per_s = 8000, .queue_bytes = 160};
    (void)state;
    sim_net_all(cell->sim, &link);
    sim_net_clog(cell->sim, 0, 1, true);
    for (uint64_t i = 0; i < 10; i++)
        send_ok(cell, 0, 1, i);
    sim_advance(cell->sim, SECOND);
    for (uint64_t i = 10; i < 20; i++)
        send_ok(cell, 0, 1, i);
    assert_int_equal(cell_send(cell, 0, 1, 20, 8), ERR_LIMIT); /* a clog pushes back */
    sim_net_clog(cell->sim, 0, 1, false);
    sim_advance(cell->sim, 5 * MS);
    assert_int_equal(cell->arrived, 5);
    sim_net_clog(cell->sim, 0, 1, true);
    sim_advance(cell->sim, SECOND);
    assert_int_equal(cell->arrived, 5);
    sim_net_clog(cell->sim, 0, 1, false);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 20);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(cell->arrivals[i].number, i);
        assert_true(i == 0 || cell->arrivals[i].at - cell->arrivals[i - 1].at >= MS);
    }
    cell_end(cell);
}

static void a_cut_empties_a_clog(void **state)
{
    struct cell *cell = cell_start(5, 2);
    (void)state;
    for (int letting_out = 0; letting_out < 2; letting_out++) {
        uint64_t before = cell->arrived;
        sim_net_clog(cell->sim, 0, 1, true);
        for (uint64_t i = 0; i < 10; i++)
            send_ok(cell, 0, 1, i);
        sim_advance(cell->sim, SECOND);
        if (letting_out)
            sim_net_clog(cell->sim, 0, 1, false);
        sim_net_cut(cell->sim, 0, 1, true);
        sim_net_heal(cell->sim);
        cell_idle(cell);
        assert_int_equal(cell->arrived, before);
        send_ok(cell, 0, 1, 77);
        cell_idle(cell);
        assert_int_equal(cell->arrived, before + 1);
    }
    assert_int_equal(cell_figures(cell).cut, 20);
    cell_end(cell);
}

static bool reaches(struct cell *cell, uint32_t from, uint32_t to)
{
    size_t before = cell->arrived;
    send_ok(cell, from, to, 1);
    cell_idle(cell);
    return cell->arrived > before;
}

static void partitions_part_two_sets(void **state)
{
    struct cell *cell = cell_start(6, CELL_MAX);
    const uint64_t set = UINT64_C(0x8000000000000013); /* 0, 1, 4 and 63 */
    (void)state;
    sim_net_partition(cell->sim, set, true);
    for (uint32_t from = 0; from < CELL_MAX; from++)
        for (uint32_t to = 0; to < CELL_MAX; to++)
            assert_true(reaches(cell, from, to) == ((set >> from & 1) == (set >> to & 1)));
    sim_net_partition(cell->sim, 2, true); /* 1 is alone now */
    sim_net_partition(cell->sim, set, false);
    assert_true(reaches(cell, 0, 2) && reaches(cell, 2, 63));
    assert_true(!reaches(cell, 0, 1) && !reaches(cell, 1, 63));
    assert_true(reaches(cell, 1, 2)); /* healed with the set; 1 <-> 0, 4, 63 is not */
    sim_net_heal(cell->sim);
    for (uint32_t from = 0; from < CELL_MAX; from++)
        assert_true(reaches(cell, from, 1) && reaches(cell, 1, from));
    cell_end(cell);
}

/* Numbers that no bit of a set stands for are outside of it. */
static void partitions_leave_out_high_numbers(void **state)
{
    struct cell *cell = cell_start(7, 2);
    struct net *far = sim_net(sim_env_add(cell->sim, NULL), SIM_NET_NODES - 1);
    uint8_t data[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct env_iov piece = {data, 8};
    (void)state;
    sim_net_partition(cell->sim, 1, true);
    assert_int_equal(far->ops->send(far, 0, &piece, 1), OK);
    assert_int_equal(cell_send(cell, 0, SIM_NET_NODES - 1, 1, 8), OK);
    cell_idle(cell);
    assert_int_equal(cell_figures(cell).cut, 2);
    piece.len = 0;
    assert_int_equal(far->ops->send(far, 0, &piece, 1), OK);
    assert_int_equal(far->ops->send(far, 0, NULL, 0), OK);
    cell_end(cell);
}

static void slow_nodes_are_slow_both_ways(void **state)
{
    struct cell *cell = cell_start(8, 3);
    struct sim_link link = {.least_ns = MS};
    const uint32_t ways[4][2] = {{0, 1}, {1, 0}, {0, 2}, {1, 1}};
    const uint64_t slow[4] = {10 * MS, 10 * MS, MS, 10 * MS};
    (void)state;
    sim_net_all(cell->sim, &link);
    sim_net_slow(cell->sim, 1, 10);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            uint64_t sent = sim_now(cell->sim);
            send_ok(cell, ways[i][0], ways[i][1], 1);
            cell_idle(cell);
            assert_int_equal(sim_now(cell->sim) - sent, round ? MS : slow[i]);
        }
        sim_net_heal(cell->sim);
    }
    cell_end(cell);
}

/* T4, and N1: a message survives both its sender and its receiver. */
static void dead_nodes_hear_nothing(void **state)
{
    struct cell *cell = cell_start(9, 3);
    (void)state;
    send_ok(cell, 0, 1, 1);
    send_ok(cell, 1, 2, 2);
    sim_crash(cell->nodes[1].env);
    assert_int_equal(cell_send(cell, 1, 2, 3, 8), ERR_CRASHED);
    send_ok(cell, 0, 1, 4);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 1);
    assert_int_equal(cell->arrivals[0].number, 2);
    assert_int_equal(cell_figures(cell).lost, 2);
    send_ok(cell, 0, 1, 5);
    cell_restart(cell, 1);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 2);
    assert_int_equal(cell->arrivals[1].number, 5);
    assert_true(reaches(cell, 0, 1) && reaches(cell, 1, 0) && reaches(cell, 1, 1));
    cell_end(cell);
}

static void paused_nodes_hear_later(void **state)
{
    struct cell *cell = cell_start(10, 2);
    struct sim_link link = {.least_ns = MS, .mean_ns = MS, .queue_bytes = 800};
    (void)state;
    sim_net_all(cell->sim, &link);
    send_ok(cell, 0, 1, 0);
    sim_pause(cell->nodes[1].env);
    for (uint64_t i = 1; i < 50; i++)
        send_ok(cell, 0, 1, i);
    sim_advance(cell->sim, SECOND);
    assert_int_equal(cell->arrived, 0);
    sim_net_cut(cell->sim, 0, 1, true); /* they have left the link */
    sim_net_cut(cell->sim, 0, 1, false);
    for (uint64_t i = 50; i < 100; i++)
        send_ok(cell, 0, 1, i);
    assert_int_equal(cell_send(cell, 0, 1, 100, 8), ERR_LIMIT); /* nobody takes them in */
    sim_resume(cell->nodes[1].env);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 100);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(cell->arrivals[i].number, i);
    assert_int_equal(cell->arrivals[49].at, SECOND);
    assert_true(cell->arrivals[50].at > SECOND);

    sim_pause(cell->nodes[1].env);
    for (uint64_t i = 0; i < 10; i++)
        send_ok(cell, 0, 1, i);
    sim_advance(cell->sim, SECOND);
    sim_crash(cell->nodes[1].env);
    cell_restart(cell, 1);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 100);
    assert_int_equal(cell_figures(cell).lost, 10);
    for (uint64_t i = 0; i < 100; i++) /* the queue is empty again */
        send_ok(cell, 0, 1, i);
    cell_end(cell); /* with messages under way, and ... */
}

/* What waits at a node has left the link: neither a clog nor a cut reaches it. */
static void what_has_arrived_is_beyond_the_link(void **state)
{
    struct cell *cell = cell_start(14, 2);
    (void)state;
    sim_pause(cell->nodes[1].env);
    send_ok(cell, 0, 1, 1);
    cell_idle(cell);
    sim_net_cut(cell->sim, 0, 1, true);
    sim_net_cut(cell->sim, 0, 1, false);
    sim_net_clog(cell->sim, 0, 1, true);
    sim_resume(cell->nodes[1].env);
    sim_pause(cell->nodes[1].env); /* before it came to anything */
    cell_idle(cell);
    assert_int_equal(cell->arrived, 0);
    sim_resume(cell->nodes[1].env);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 1);
    cell_end(cell);
}

static void worlds_end_with_messages_everywhere(void **state)
{
    struct cell *cell = cell_start(11, 4);
    (void)state;
    sim_net_clog(cell->sim, 0, 1, true);
    sim_pause(cell->nodes[2].env);
    for (uint32_t to = 0; to < 4; to++)
        for (uint64_t i = 0; i < 10; i++)
            send_ok(cell, 0, to, i);
    sim_advance(cell->sim, SECOND);
    sim_net_clog(cell->sim, 0, 1, false);
    send_ok(cell, 0, 3, 11);
    cell_end(cell); /* under way, held, being let out, and waiting */
}

static void silence_without_a_listener(void **state)
{
    struct cell *cell = cell_start(12, 2);
    (void)state;
    cell->nodes[1].net->ops->listen(cell->nodes[1].net, NULL, NULL);
    send_ok(cell, 0, 1, 1);
    cell_idle(cell);
    assert_int_equal(cell->arrived, 0);
    assert_int_equal(cell_figures(cell).lost, 1);
    cell_end(cell);
}

/* --- everything at once --- */

static void befall(struct cell *cell)
{
    uint64_t draw = sim_random(cell->sim);
    uint32_t a = draw >> 8 & 7, b = draw >> 16 & 7;
    bool on = draw >> 24 & 1;
    switch (draw % 10) {
    case 0:
        sim_net_cut(cell->sim, a, b, on);
        break;
    case 1:
        sim_net_clog(cell->sim, a, b, on);
        break;
    case 2:
        sim_net_partition(cell->sim, draw >> 32 & 255, on);
        break;
    case 3:
        sim_net_slow(cell->sim, a, 1 + (unsigned)(draw >> 32 & 15));
        break;
    case 4:
        sim_net_heal(cell->sim);
        break;
    case 5:
    case 6:
        sim_pause(cell->nodes[a].env);
        break;
    case 7:
    case 8:
        sim_resume(cell->nodes[a].env);
        break;
    default:
        sim_crash(cell->nodes[a].env);
        cell_restart(cell, a);
    }
}

/* L1 and L3: no message and no byte of a queue gets lost in the books. */
static void the_books_are_in_order(void **state)
{
    struct cell *cell = cell_start(13, 8);
    struct sim_link link = {.mean_ns = MS,
                            .lost_per_million = 50000,
                            .twice_per_million = 50000,
                            .reordered_per_million = 50000,
                            .bytes_per_s = 10000000,
                            .queue_bytes = 2000};
    uint64_t refused = 0;
    (void)state;
    sim_net_all(cell->sim, &link);
    for (int i = 0; i < 50000; i++) {
        uint64_t draw = sim_random(cell->sim);
        if (draw % 20 == 0)
            befall(cell);
        refused +=
            cell_send(cell, draw >> 8 & 7, draw >> 16 & 7, draw, 8 + (draw >> 32) % 90) != OK;
        sim_advance(cell->sim, (draw >> 40) % (20 * US));
    }
    sim_net_heal(cell->sim);
    for (uint32_t i = 0; i < 8; i++)
        sim_resume(cell->nodes[i].env);
    cell_idle(cell);
    struct sim_net_figures f = cell_figures(cell);
    assert_int_equal(f.sent + f.twice, f.delivered + f.lost + f.cut);
    assert_int_equal(f.delivered, cell->arrived);
    assert_int_equal(f.sent + refused, 50000);
    assert_int_equal(f.refused, refused);
    assert_true(f.cut > 1000 && f.twice > 100 && f.lost > 100 && f.delivered > 10000);
    for (uint32_t from = 0; from < 8; from++)
        for (uint32_t to = 0; to < 8; to++)
            assert_int_equal(cell_send(cell, from, to, 1, 2000), OK);
    cell_end(cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_have_a_direction),
        cmocka_unit_test(cuts_swallow_what_is_under_way),
        cmocka_unit_test(clogs_keep_until_they_are_cleared),
        cmocka_unit_test(clogs_let_out_one_by_one),
        cmocka_unit_test(a_cut_empties_a_clog),
        cmocka_unit_test(partitions_part_two_sets),
        cmocka_unit_test(partitions_leave_out_high_numbers),
        cmocka_unit_test(slow_nodes_are_slow_both_ways),
        cmocka_unit_test(dead_nodes_hear_nothing),
        cmocka_unit_test(paused_nodes_hear_later),
        cmocka_unit_test(what_has_arrived_is_beyond_the_link),
        cmocka_unit_test(worlds_end_with_messages_everywhere),
        cmocka_unit_test(silence_without_a_listener),
        cmocka_unit_test(the_books_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
