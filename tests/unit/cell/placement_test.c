/* SPDX-License-Identifier: MIT
 *
 * placement_test.c: single steps by hand, and thousands of made-up cells in which the steps must
 * come to an end that is what the contract says, never breaking the law on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/chance.h"
#include "node/cell/placement.h"

static const struct placement_node four[] = {{1, true, false, 100, 1},
                                             {2, true, false, 100, 1},
                                             {3, true, false, 100, 1},
                                             {4, true, false, 100, 0}};

static struct placement of_three(void)
{
    struct placement p = {.nodes = four, .node_count = 4, .wanted = 3, .room = 10, .count = 3};
    for (uint32_t i = 0; i < 3; i++) {
        p.replicas[i] = i + 1;
        view_add(&p.view, i + 1);
    }
    p.view.number = 1;
    p.view.primary = 1;
    return p;
}

static void stays_as_it_is(void **state)
{
    (void)state;
    struct placement p = of_three();
    assert_int_equal(placement_next(&p), PLACEMENT_STAY);
    view_remove(&p.view, 2); /* away, but not for long */
    assert_int_equal(placement_next(&p), PLACEMENT_STAY);
    p.view.number = 0;
    p.lost = 2;
    assert_int_equal(placement_next(&p), PLACEMENT_STAY);
}

static void a_spare_for_a_lost_one(void **state)
{
    (void)state;
    struct placement p = of_three();
    view_remove(&p.view, 2);
    p.lost = 2;
    assert_int_equal(placement_next(&p), PLACEMENT_CHANGE);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.replicas[1], 4);
    p = of_three(); /* back in the view meanwhile */
    p.lost = 2;
    assert_int_equal(placement_next(&p), PLACEMENT_STAY);
    p = of_three();
    p.node_count = 3; /* no spare */
    view_remove(&p.view, 2);
    p.lost = 2;
    assert_int_equal(placement_next(&p), PLACEMENT_STAY);
    p = of_three();
    p.room = 1000; /* no room */
    view_remove(&p.view, 2);
    p.lost = 2;
    assert_int_equal(placement_next(&p), PLACEMENT_STAY);
}

static void leaving(void **state)
{
    (void)state;
    struct placement_node nodes[4];
    struct placement p = of_three();
    memcpy(nodes, four, sizeof nodes);
    nodes[0].leaving = true; /* the primary's node */
    p.nodes = nodes;
    assert_int_equal(placement_next(&p), PLACEMENT_CHANGE);
    assert_int_equal(p.count, 4);
    assert_int_equal(p.replicas[3], 4);
    assert_int_equal(placement_next(&p), PLACEMENT_STAY); /* until it has joined */
    view_add(&p.view, 4);
    assert_int_equal(placement_next(&p), PLACEMENT_HAND_OVER);
    assert_int_equal(p.to, 2);
    p.view.primary = 2;
    assert_int_equal(placement_next(&p), PLACEMENT_CHANGE);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.replicas[0], 2);
}

static void fewer(void **state)
{
    (void)state;
    struct placement p = of_three();
    p.wanted = 2;
    assert_int_equal(placement_next(&p), PLACEMENT_CHANGE);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.replicas[0], 1);
    assert_int_equal(p.replicas[1], 2);
    p = of_three();
    p.wanted = 2;
    view_remove(&p.view, 2);
    assert_int_equal(placement_next(&p), PLACEMENT_CHANGE); /* who is away goes first */
    assert_int_equal(p.replicas[1], 3);
    p = of_three();
    p.wanted = 2;
    view_remove(&p.view, 2);
    view_remove(&p.view, 3);
    assert_int_equal(placement_next(&p), PLACEMENT_STAY); /* not enough in the view */
}

static void choice(void **state)
{
    (void)state;
    static const struct placement_node nodes[] = {
        {1, true, false, 100, 2}, {2, false, false, 900, 0}, {3, true, true, 900, 0},
        {4, true, false, 5, 0},   {5, true, false, 50, 0},   {6, true, false, 60, 0}};
    struct placement p = {.nodes = nodes, .node_count = 6, .wanted = 5, .room = 10};
    assert_int_equal(placement_spare(&p), 6);
    placement_begin(&p);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.replicas[0], 6);
    assert_int_equal(p.replicas[1], 5);
    assert_int_equal(p.replicas[2], 1);
}

/* --- made-up cells --- */

#define NODES 8u

static uint32_t in_view_and_staying(const struct placement *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t n = 0; n < p->node_count; n++)
            if (p->nodes[n].number == p->replicas[i] && !p->nodes[n].leaving &&
                view_has(&p->view, p->replicas[i]))
                count++;
    return count;
}

static bool named(const struct placement *p, uint32_t number)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->replicas[i] == number)
            return true;
    return false;
}

/* P1 to P4 between two lists. */
static void check_step(const struct placement *before, const struct placement *after)
{
    uint32_t added = 0, gone = 0;
    for (uint32_t i = 0; i < after->count; i++)
        if (!named(before, after->replicas[i])) {
            added++;
            const struct placement_node *node = &before->nodes[after->replicas[i] - 1];
            assert_true(node->alive && !node->leaving && node->available >= before->room);
        }
    for (uint32_t i = 0; i < before->count; i++)
        if (!named(after, before->replicas[i])) {
            gone++;
            assert_int_not_equal(before->replicas[i], before->view.primary);
            if (view_has(&before->view, before->replicas[i]))
                assert_true(in_view_and_staying(after) >= before->wanted);
        }
    assert_true(added <= 1 && gone <= 1 && added + gone > 0);
}

static void make_up(struct chance *chance, struct placement_node nodes[NODES], struct placement *p)
{
    memset(p, 0, sizeof *p);
    for (uint32_t i = 0; i < NODES; i++)
        nodes[i] = (struct placement_node){.number = i + 1,
                                           .alive = chance_below(chance, 4) != 0,
                                           .leaving = chance_below(chance, 4) == 0,
                                           .available = chance_below(chance, 100),
                                           .replicas = (uint32_t)chance_below(chance, 3)};
    p->nodes = nodes;
    p->node_count = NODES;
    p->wanted = 1 + (uint32_t)chance_below(chance, 5);
    p->room = chance_below(chance, 30);
    p->view.number = 1;
    for (uint32_t i = 0; i < NODES; i++)
        if (chance_below(chance, 2)) {
            p->replicas[p->count++] = i + 1;
            if (nodes[i].alive || p->view.count == 0)
                view_add(&p->view, i + 1);
            else if (chance_below(chance, 2))
                p->lost |= 1u << (p->count - 1);
        }
    if (p->count == 0) {
        p->replicas[p->count++] = 1;
        view_add(&p->view, 1);
    }
    p->view.primary = p->view.members[chance_below(chance, p->view.count)];
}

/* Who was assigned and runs joins; who was taken away leaves the view. */
static void follow(struct placement *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->nodes[p->replicas[i] - 1].alive)
            view_add(&p->view, p->replicas[i]);
    for (uint32_t node = 1; node <= NODES; node++)
        if (!named(p, node))
            view_remove(&p->view, node);
    p->view.number++;
    p->lost = 0;
}

static void converges(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct chance chance;
        struct placement_node nodes[NODES];
        struct placement p;
        chance_seed(&chance, seed);
        make_up(&chance, nodes, &p);
        unsigned steps = 0;
        for (;; steps++) {
            struct placement before = p;
            enum placement_step step = placement_next(&p);
            if (step == PLACEMENT_STAY)
                break;
            if (step == PLACEMENT_HAND_OVER) {
                assert_true(view_has(&p.view, p.to) && !nodes[p.to - 1].leaving);
                p.view.primary = p.to;
                continue;
            }
            check_step(&before, &p);
            follow(&p);
            assert_true(steps < 40);
        }
        uint32_t good = in_view_and_staying(&p);
        if (good < p.wanted) /* only for want of nodes */
            assert_true(placement_spare(&p) == 0 || good < p.count);
        if (good >= p.wanted)
            for (uint32_t i = 0; i < p.count; i++)
                assert_false(nodes[p.replicas[i] - 1].leaving);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stays_as_it_is), cmocka_unit_test(a_spare_for_a_lost_one),
        cmocka_unit_test(leaving),        cmocka_unit_test(fewer),
        cmocka_unit_test(choice),         cmocka_unit_test(converges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
