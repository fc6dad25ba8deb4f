/* SPDX-License-Identifier: MIT
 *
 * links.c: how the links of the simulated network behave, and what is done to them. Law: network.c.
 */
#include <string.h>

#include "sim/lane.h"

#define MILLION 1000000u
#define STREAM  UINT64_C(0x6e6574776f726b21) /* parts the network's chance from the world's */

struct network *network_of(struct sim *sim)
{
    struct network *network = sim->network;
    if (network)
        return network;
    network = sim->network = sim_zalloc(sizeof *network);
    chance_seed(&network->chance, sim->seed ^ STREAM);
    network->fallback = sim_link_default();
    for (uint32_t i = 0; i < SIM_NET_NODES; i++)
        network->slow[i] = 1;
    return network;
}

struct row *row_of(struct network *network, uint32_t from)
{
    INVARIANT(from < SIM_NET_NODES);
    if (!network->rows[from])
        network->rows[from] = sim_zalloc(sizeof *network->rows[from]);
    return network->rows[from];
}

struct lane *lane_of(struct network *network, uint32_t from, uint32_t to)
{
    INVARIANT(to < SIM_NET_NODES);
    struct lane **lane = &row_of(network, from)->lanes[to];
    if (!*lane) {
        *lane = sim_zalloc(sizeof **lane);
        (*lane)->from = from;
        (*lane)->to = to;
    }
    return *lane;
}

void each_lane(struct sim *sim, void (*each)(struct sim *sim, struct lane *lane))
{
    const struct network *network = sim->network;
    for (uint32_t from = 0; from < SIM_NET_NODES; from++) {
        const struct row *row = network->rows[from];
        for (uint32_t to = 0; row && to < SIM_NET_NODES; to++)
            if (row->lanes[to])
                each(sim, row->lanes[to]);
    }
}

struct sim_link sim_link_default(void)
{
    return (struct sim_link){.least_ns = 100000, .mean_ns = 50000};
}

static void check(const struct sim_link *link)
{
    INVARIANT(link->least_ns <= SIM_NET_DELAY_MAX && link->mean_ns <= SIM_NET_DELAY_MAX);
    INVARIANT(link->lost_per_million <= MILLION && link->twice_per_million <= MILLION &&
              link->reordered_per_million <= MILLION);
}

void sim_net_all(struct sim *sim, const struct sim_link *link)
{
    check(link);
    network_of(sim)->fallback = *link;
}

void sim_net_link(struct sim *sim, uint32_t from, uint32_t to, const struct sim_link *link)
{
    struct lane *lane = lane_of(network_of(sim), from, to);
    lane->own = link != NULL;
    if (!link)
        return;
    check(link);
    lane->link = *link;
}

static bool swallowed(const struct event *event, const void *network)
{
    return event->kind == EVENT_MESSAGE && !event->node && lane_cut(network, event->message->lane);
}

static void empty(struct sim *sim, struct lane *lane)
{
    if (!lane_cut(sim->network, lane))
        return;
    for (struct event *event; (event = events_pop(&lane->held));) {
        sim->network->figures.cut++;
        message_drop(message_finish(sim, event));
    }
    lane->leaving = NULL; /* it was in the queue, and has been swallowed there */
    lane->under_way = lane->carried_at = lane->last_at = 0;
}

/* Swallows what is under way on cut lanes. */
static void swallow(struct sim *sim)
{
    struct events gone = {NULL, NULL};
    queue_take_all(sim, swallowed, sim->network, &gone);
    for (struct event *event; (event = events_pop(&gone));) {
        sim->network->figures.cut++;
        message_drop(message_finish(sim, event));
    }
    each_lane(sim, empty);
}

void sim_net_cut(struct sim *sim, uint32_t from, uint32_t to, bool cut)
{
    struct network *network = network_of(sim);
    const struct lane *lane = lane_of(network, from, to);
    set_bit(network->rows[from]->cut, to, cut);
    if (cut && lane->under_way)
        swallow(sim);
}

bool sim_net_is_cut(struct sim *sim, uint32_t from, uint32_t to)
{
    return has_bit(row_of(network_of(sim), from)->cut, to);
}

void sim_net_clog(struct sim *sim, uint32_t from, uint32_t to, bool clogged)
{
    struct network *network = network_of(sim);
    struct lane *lane = lane_of(network, from, to);
    set_bit(network->rows[from]->clogged, to, clogged);
    lane_let_out(sim, lane);
}

void sim_net_partition(struct sim *sim, uint64_t set, bool cut)
{
    struct network *network = network_of(sim);
    for (uint32_t from = 0; from < SIM_NET_NODES; from++) {
        bool inside = from < 64 && (set >> from & 1);
        uint64_t *row = row_of(network, from)->cut;
        for (uint32_t word = 0; word < SIM_NET_WORDS; word++) {
            uint64_t members = word ? 0 : set;
            uint64_t others = inside ? ~members : members;
            row[word] = cut ? row[word] | others : row[word] & ~others;
        }
    }
    if (cut)
        swallow(sim);
}

void sim_net_slow(struct sim *sim, uint32_t node, unsigned factor)
{
    INVARIANT(node < SIM_NET_NODES && factor > 0);
    network_of(sim)->slow[node] = factor;
}

void sim_net_heal(struct sim *sim)
{
    struct network *network = network_of(sim);
    for (uint32_t from = 0; from < SIM_NET_NODES; from++) {
        network->slow[from] = 1;
        if (!network->rows[from])
            continue;
        memset(network->rows[from]->cut, 0, sizeof network->rows[from]->cut);
        memset(network->rows[from]->clogged, 0, sizeof network->rows[from]->clogged);
    }
    each_lane(sim, lane_let_out);
}

void sim_net_figures(const struct sim *sim, struct sim_net_figures *out)
{
    *out = sim->network ? sim->network->figures : (struct sim_net_figures){0};
}
