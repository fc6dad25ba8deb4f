/* SPDX-License-Identifier: MIT
 *
 * network.c: messages on their way between the nodes of a world. The contract is network.h's.
 *
 * Definitions
 *   port       the place that a live node takes in the network; a number has at most one at a time
 *   lane       one direction between two numbers, with what is on its way there
 *   under way  sent, and not yet at the receiver's machine
 *   held       arrived at the end of a clogged lane; goes out one by one when it is clear
 *
 * Law
 *   L1  lane->queued = the bytes of its messages that are under way or wait at a paused node.
 *   L2  Nothing is under way on a lane that is cut.
 *   L3  sent + twice = delivered + lost + cut + those under way + those that wait at paused
 *       nodes.
 *   L4  While a lane holds messages, what comes after them is held too: they keep their order.
 *   L5  All chance is drawn from the network's own stream, so that a world's disks and jobs draw
 *       the same with a network and without.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lane.h"

#define QUEUE_DEFAULT (UINT64_C(64) << 20)
#define MILLION       1000000u
#define SECOND        UINT64_C(1000000000)

static const struct sim_link *link_of(const struct network *network, const struct lane *lane)
{
    return lane->own ? &lane->link : &network->fallback;
}

/* --- how long it takes --- */

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* As much longer as the slowness of its two ends makes it. */
static uint64_t slowed(const struct network *network, const struct lane *lane, uint64_t ns)
{
    uint64_t factor = network->slow[lane->from];
    if (lane->from != lane->to)
        factor *= network->slow[lane->to];
    return __builtin_mul_overflow(ns, factor, &ns) ? UINT64_MAX : ns;
}

/* How long the link is busy with so many bytes (at most NET_MESSAGE_MAX: the product fits). */
static uint64_t carry_ns(const struct network *network, const struct lane *lane, uint64_t len)
{
    uint64_t rate = link_of(network, lane)->bytes_per_s;
    return rate ? slowed(network, lane, (len * SECOND + rate - 1) / rate) : 0;
}

static bool happens(struct network *network, unsigned per_million)
{
    return per_million && chance_below(&network->chance, MILLION) < per_million;
}

/* --- on the way --- */

static struct message *message_new(struct lane *lane, const struct env_iov *pieces, int count,
                                   size_t len)
{
    struct message *message = malloc(sizeof *message + len);
    INVARIANT(message != NULL);
    message->lane = lane;
    message->refs = 1;
    message->len = len;
    uint8_t *to = message->data;
    for (int i = 0; i < count; i++) {
        if (pieces[i].len)
            memcpy(to, pieces[i].data, pieces[i].len);
        to += pieces[i].len;
    }
    return message;
}

void message_drop(struct message *message)
{
    if (--message->refs == 0)
        free(message);
}

static void start(struct sim *sim, struct message *message, uint64_t at)
{
    struct event *event = event_new(sim, EVENT_MESSAGE, at);
    event->message = message;
    message->refs++;
    message->lane->queued += message->len;
    message->lane->under_way++;
    queue_insert(sim, event);
}

/* Takes the message off its lane; the event is free then, and its reference the caller's. */
struct message *message_finish(struct sim *sim, struct event *event)
{
    struct message *message = event->message;
    message->lane->queued -= message->len;
    event_free(sim, event);
    return message;
}

/* When it arrives, and once more? `carried` is when the link has carried it. */
static void plan(struct sim *sim, struct message *message, uint64_t carried)
{
    struct network *network = sim->network;
    struct lane *lane = message->lane;
    const struct sim_link *link = link_of(network, lane);
    bool twice = happens(network, link->twice_per_million);
    bool overtaken = happens(network, link->reordered_per_million);
    uint64_t delay = link->least_ns + chance_exponential(&network->chance, link->mean_ns);
    uint64_t at = plus(carried, slowed(network, lane, delay));
    if (at < lane->last_at)
        at = lane->last_at;
    if (overtaken) {
        uint64_t tenths = 10 + chance_below(&network->chance, 91);
        at = plus(at, slowed(network, lane, link->mean_ns * tenths / 10));
    }
    start(sim, message, at);
    if (twice) {
        network->figures.twice++;
        delay = 1 + chance_exponential(&network->chance, link->mean_ns);
        at = plus(at, slowed(network, lane, delay));
        start(sim, message, at);
    }
    if (!overtaken)
        lane->last_at = at;
}

static bool lane_full(const struct network *network, const struct lane *lane, uint64_t len)
{
    uint64_t limit = link_of(network, lane)->queue_bytes;
    limit = limit ? limit : QUEUE_DEFAULT;
    return len > limit || lane->queued > limit - len;
}

static void carry(struct sim *sim, struct lane *lane, const struct env_iov *pieces, int count,
                  size_t len)
{
    struct network *network = sim->network;
    network->figures.sent++;
    network->figures.bytes += len;
    if (lane_cut(network, lane)) {
        network->figures.cut++;
        return;
    }
    uint64_t from = lane->carried_at > sim->now ? lane->carried_at : sim->now;
    uint64_t carried = plus(from, carry_ns(network, lane, len));
    lane->carried_at = carried;
    if (happens(network, link_of(network, lane)->lost_per_million)) {
        network->figures.lost++;
        return;
    }
    struct message *message = message_new(lane, pieces, count, len);
    trace_mix(sim, checksum64(message->data, len, 0));
    plan(sim, message, carried);
    message_drop(message);
}

static enum err net_send(struct net *net, uint32_t to, const struct env_iov *pieces, int count)
{
    const struct net_port *port = (const struct net_port *)(const void *)net; /* first member */
    struct sim *sim = port->node->sim;
    struct network *network = sim->network;
    uint64_t len = 0;
    if (port->node->dead)
        return ERR_CRASHED;
    if (to >= SIM_NET_NODES || !has_bit(network->known, to))
        return ERR_UNREACHABLE;
    for (int i = 0; i < count; i++)
        len = plus(len, pieces[i].len);
    struct lane *lane = lane_of(network, net->self, to);
    trace_mix(sim, (uint64_t)net->self << 40 ^ (uint64_t)to << 32 ^ len);
    if (len > NET_MESSAGE_MAX || lane_full(network, lane, len)) {
        network->figures.refused++;
        return ERR_LIMIT;
    }
    carry(sim, lane, pieces, count, (size_t)len);
    return OK;
}

static void net_listen(struct net *net,
                       void (*deliver)(void *ctx, uint32_t from, struct bytes message), void *ctx)
{
    struct net_port *port = (struct net_port *)(void *)net;
    port->deliver = deliver;
    port->ctx = ctx;
}

static const struct net_ops net_ops = {.send = net_send, .listen = net_listen};

/* --- arrival --- */

void network_lose(struct sim *sim, struct event *event)
{
    sim->network->figures.lost++;
    message_drop(message_finish(sim, event));
}

/* At the receiver's machine. */
static void hand_over(struct sim *sim, struct event *event)
{
    struct network *network = sim->network;
    const struct lane *lane = event->message->lane;
    struct net_port *port = network->ports[lane->to];
    if (port && port->node->paused) {
        node_event(port->node, event);
        return;
    }
    if (!port || !port->deliver) {
        network_lose(sim, event);
        return;
    }
    struct message *message = message_finish(sim, event);
    network->figures.delivered++;
    trace_mix(sim, (uint64_t)lane->from << 40 ^ (uint64_t)lane->to << 32 ^ message->len);
    port->deliver(port->ctx, lane->from, (struct bytes){message->data, message->len});
    message_drop(message);
}

/* Sends the first of the held ones on, a moment or its time on the link after the one before. */
void lane_let_out(struct sim *sim, struct lane *lane)
{
    if (lane->leaving || !lane->held.first || lane_clogged(sim->network, lane))
        return;
    struct event *event = events_pop(&lane->held);
    uint64_t takes = carry_ns(sim->network, lane, event->message->len);
    event->at = sim_after(sim, takes ? takes : 1);
    lane->leaving = event;
    queue_insert(sim, event);
}

void network_arrive(struct sim *sim, struct event *event)
{
    struct lane *lane = event->message->lane;
    bool leaving = lane->leaving == event;
    if (event->node) { /* it had arrived, and waited for the node to be resumed */
        hand_over(sim, event);
        return;
    }
    if (leaving)
        lane->leaving = NULL;
    if (leaving && lane_clogged(sim->network, lane)) {
        events_push_front(&lane->held, event);
    } else if (!leaving &&
               (lane->leaving || lane->held.first || lane_clogged(sim->network, lane))) {
        events_push(&lane->held, event);
    } else {
        lane->under_way--;
        lane_let_out(sim, lane);
        hand_over(sim, event);
    }
}

/* --- ports --- */

struct net *sim_net(struct env *env, uint32_t number)
{
    struct node *node = node_of(env);
    struct network *network = network_of(node->sim);
    INVARIANT(number < SIM_NET_NODES && !node->dead && !node->port && !network->ports[number]);
    struct net_port *port = sim_zalloc(sizeof *port);
    port->net = (struct net){.ops = &net_ops, .self = number};
    port->node = node;
    node->port = network->ports[number] = port;
    set_bit(network->known, number, true);
    return &port->net;
}

void network_leave(struct node *node)
{
    if (node->port)
        node->sim->network->ports[node->port->net.self] = NULL;
}

static bool any(const struct event *event, const void *ctx)
{
    (void)event;
    (void)ctx;
    return true;
}

static void free_lane(struct sim *sim, struct lane *lane)
{
    for (struct event *event; (event = events_pop(&lane->held));)
        message_drop(message_finish(sim, event));
    free(lane);
}

/* All nodes are dead, so nothing but messages is left. */
void network_free(struct sim *sim)
{
    struct events left = {NULL, NULL};
    if (!sim->network)
        return;
    queue_take_all(sim, any, NULL, &left);
    for (struct event *event; (event = events_pop(&left));)
        message_drop(message_finish(sim, event));
    each_lane(sim, free_lane);
    for (uint32_t from = 0; from < SIM_NET_NODES; from++)
        free(sim->network->rows[from]);
    free(sim->network);
    sim->network = NULL;
}
