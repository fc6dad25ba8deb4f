/* SPDX-License-Identifier: MIT
 *
 * run_network.c: faults between nodes. Nodes of the network are the system's, 0 .. nodes - 1, and
 * behind them its clients: those of a system that has none there are cut off from nobody. Here they
 * are counted from 0; `first` is where they begin in the network.
 */
#include "core/base/assert.h"
#include "sim/run/run_private.h"

#define BIT(number) (UINT64_C(1) << (number))

static uint32_t all_nodes(const struct running *r)
{
    uint32_t all = r->run.scenario->nodes + r->run.scenario->clients;
    uint32_t most = 64 - r->ops->net_first;
    return all < most ? all : most;
}

/* Two halves with a node in each; a single node stands against the clients. */
static uint64_t some_halves(const struct running *r, uint64_t draw)
{
    uint32_t nodes = r->run.scenario->nodes, all = all_nodes(r);
    uint64_t set = draw & (all < 64 ? BIT(all) - 1 : UINT64_MAX);
    uint32_t first = (uint32_t)(draw >> 32) % nodes, second = (first + 1) % nodes;
    set |= BIT(first);
    if (second != first)
        set &= ~BIT(second);
    return set;
}

static struct sim_link lossy_link(uint64_t draw)
{
    struct sim_link link = sim_link_default();
    link.lost_per_million = 10000 + (unsigned)(draw % 200000);
    link.twice_per_million = 10000 + (unsigned)(draw >> 16) % 100000;
    link.reordered_per_million = 10000 + (unsigned)(draw >> 32) % 300000;
    return link;
}

static void choose_link(const struct running *r, struct run_active *fault, uint64_t draw)
{
    uint32_t all = all_nodes(r);
    fault->node = (uint32_t)(draw >> 32) % all;
    fault->to = (fault->node + 1 + (uint32_t)(draw & 0xffffffff) % (all - 1)) % all;
}

bool network_fault_begin(struct running *r, struct run_active *fault, uint64_t draw)
{
    struct sim *sim = r->run.sim;
    const uint32_t first = r->ops->net_first;
    uint32_t factor = 10 + (uint32_t)(draw >> 8) % 91;
    bool whole = fault->kind == FAULT_PARTITION || fault->kind == FAULT_LOSSY;
    if (fault->kind == FAULT_CUT || fault->kind == FAULT_CLOG)
        choose_link(r, fault, draw);
    else if (!whole)
        fault->node = (uint32_t)(draw >> 32) % r->run.scenario->nodes;
    if (r->on[fault->kind] & BIT(fault->node))
        return false;
    const char *word = fault_word(fault->kind);
    if (whole)
        run_say(&r->run, "fault", "%s begins", word);
    else
        run_say(&r->run, "fault", "%s of node %u begins", word, fault->node);
    switch (fault->kind) {
    case FAULT_PARTITION:
    case FAULT_SILENT:
        fault->set = fault->kind == FAULT_SILENT ? BIT(fault->node) : some_halves(r, draw);
        sim_net_partition(sim, fault->set << first, true);
        break;
    case FAULT_CUT:
        sim_net_cut(sim, first + fault->node, first + fault->to, true);
        break;
    case FAULT_CLOG:
        sim_net_clog(sim, first + fault->node, first + fault->to, true);
        break;
    case FAULT_LOSSY: {
        struct sim_link link = lossy_link(draw);
        sim_net_all(sim, &link);
        break;
    }
    case FAULT_SLOW_LINKS:
        sim_net_slow(sim, first + fault->node, factor);
        break;
    default:
        INVARIANT(false);
    }
    return true;
}

void network_fault_end(struct running *r, const struct run_active *fault)
{
    struct sim *sim = r->run.sim;
    const uint32_t first = r->ops->net_first;
    switch (fault->kind) {
    case FAULT_PARTITION:
    case FAULT_SILENT:
        sim_net_partition(sim, fault->set << first, false);
        break;
    case FAULT_CUT:
        sim_net_cut(sim, first + fault->node, first + fault->to, false);
        break;
    case FAULT_CLOG:
        sim_net_clog(sim, first + fault->node, first + fault->to, false);
        break;
    case FAULT_LOSSY: {
        struct sim_link link = sim_link_default();
        sim_net_all(sim, &link);
        break;
    }
    case FAULT_SLOW_LINKS:
        sim_net_slow(sim, first + fault->node, 1);
        break;
    default:
        INVARIANT(false);
    }
}
