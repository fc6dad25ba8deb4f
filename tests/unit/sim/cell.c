/* SPDX-License-Identifier: MIT */
#include "cell.h"

#include <stdlib.h>
#include <string.h>

static void deliver(void *ctx, uint32_t from, struct bytes message)
{
    struct cell_node *node = ctx;
    struct cell *cell = node->cell;
    struct arrival arrival = {.at = sim_now(cell->sim), .from = from, .to = node->self};
    assert_false(cell->busy); /* N2 */
    assert_true(message.len >= sizeof arrival.number);
    memcpy(&arrival.number, message.data, sizeof arrival.number);
    for (size_t i = sizeof arrival.number; i < message.len; i++)
        if (message.data[i] != (uint8_t)(arrival.number + i))
            fail_msg("byte %zu of message %llu is wrong", i, (unsigned long long)arrival.number);
    if (cell->arrived == cell->room) {
        cell->room = cell->room ? 2 * cell->room : 256;
        cell->arrivals = realloc(cell->arrivals, cell->room * sizeof *cell->arrivals);
        assert_non_null(cell->arrivals);
    }
    cell->arrivals[cell->arrived++] = arrival;
}

static void node_start(struct cell *cell, uint32_t i, struct env *env)
{
    struct cell_node *node = &cell->nodes[i];
    node->cell = cell;
    node->self = i;
    node->env = env;
    node->net = sim_net(env, i);
    assert_int_equal(node->net->self, i);
    node->net->ops->listen(node->net, deliver, node);
}

struct cell *cell_start(uint64_t seed, uint32_t count)
{
    struct cell *cell = calloc(1, sizeof *cell);
    assert_non_null(cell);
    cell->count = count;
    for (uint32_t i = 0; i < count; i++)
        cell->nodes[i].disk = sim_disk_new();
    cell->sim = sim_new(seed, cell->nodes[0].disk);
    node_start(cell, 0, sim_env(cell->sim));
    for (uint32_t i = 1; i < count; i++)
        node_start(cell, i, sim_env_add(cell->sim, cell->nodes[i].disk));
    return cell;
}

void cell_end(struct cell *cell)
{
    sim_free(cell->sim);
    for (uint32_t i = 0; i < cell->count; i++)
        sim_disk_free(cell->nodes[i].disk);
    free(cell->arrivals);
    free(cell);
}

enum err cell_send(struct cell *cell, uint32_t from, uint32_t to, uint64_t number, size_t len)
{
    struct net *net = cell->nodes[from].net;
    uint8_t *data = malloc(len);
    assert_true(data && len >= sizeof number);
    memcpy(data, &number, sizeof number);
    for (size_t i = sizeof number; i < len; i++)
        data[i] = (uint8_t)(number + i);
    struct env_iov pieces[3] = {{data, 3}, {NULL, 0}, {data + 3, len - 3}};
    cell->busy = true;
    enum err err = net->ops->send(net, to, pieces, 3);
    cell->busy = false;
    free(data); /* it has been copied */
    return err;
}

void cell_restart(struct cell *cell, uint32_t i)
{
    node_start(cell, i, sim_env_add(cell->sim, cell->nodes[i].disk));
}

void cell_idle(struct cell *cell)
{
    assert_true(sim_run_idle(cell->sim, 1000 * HOUR));
}

struct sim_net_figures cell_figures(const struct cell *cell)
{
    struct sim_net_figures figures;
    sim_net_figures(cell->sim, &figures);
    return figures;
}
