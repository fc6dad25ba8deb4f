/* SPDX-License-Identifier: MIT
 *
 * peers.c: who is connected.
 *
 * Law
 *   P1  A node's connection (place->conn) is open, and of a certificate with its number (T2).
 *   P2  Two connections of a node at the same time, in both directions, and young, are a race: both
 *       ends keep that of the lower number. The other is retired: what was sent on it arrives.
 *       Both ends judge alike: an end that gets an opened connection gives up an attempt of its own
 *       that is not open yet, which the other end has then not seen open either.
 *   P3  Otherwise the newer one counts: nobody connects who has a connection.
 *   P4  joined and lost alternate for a node, but for `lost` of an attempt that failed.
 */
#include <stdlib.h>

#include "core/base/assert.h"
#include "io/tls/transport_private.h"

/* --- by number --- */

struct node_place *node_known(const struct transport *t, uint32_t number)
{
    return number < t->node_room ? t->nodes[number] : NULL;
}

static void make_room(struct transport *t, uint32_t number)
{
    uint32_t room = t->node_room ? t->node_room : 64;
    while (room <= number)
        room *= 2;
    if (room == t->node_room)
        return;
    t->nodes = realloc(t->nodes, room * sizeof(struct node_place *));
    INVARIANT(t->nodes != NULL);
    for (uint32_t i = t->node_room; i < room; i++)
        t->nodes[i] = NULL;
    t->node_room = room;
}

struct node_place *node_of(struct transport *t, uint32_t number)
{
    INVARIANT(number < TRANSPORT_NODES);
    make_room(t, number);
    if (!t->nodes[number]) {
        struct node_place *node = calloc(1, sizeof *node);
        INVARIANT(node != NULL);
        node->number = number;
        node->waiting.spare = &t->spare;
        t->nodes[number] = node;
    }
    return t->nodes[number];
}

struct conn *peer_conn(const struct transport *t, uint32_t peer)
{
    if (peer < TRANSPORT_GUESTS) {
        const struct node_place *node = node_known(t, peer);
        return node ? node->conn : NULL;
    }
    struct conn *conn = t->slots[peer % TRANSPORT_PEERS];
    return conn && conn->peer == peer ? conn : NULL;
}

/* --- nodes --- */

void peers_tell_lost(struct transport *t, struct node_place *node)
{
    if (!node->lost)
        return;
    node->lost = node->joined = false;
    if (t->options.lost && !t->closing)
        t->options.lost(t->options.ctx, node->number);
}

static void tell_joined(struct transport *t, struct node_place *node)
{
    node->trouble[0] = 0;
    if (node->joined)
        return;
    node->joined = true;
    if (t->options.joined && !t->closing)
        t->options.joined(t->options.ctx, node->number, &node->conn->identity);
}

void peers_welcomed(struct conn *conn)
{
    struct transport *t = conn->transport;
    struct node_place *node = node_known(t, conn->peer);
    if (node && node->conn == conn)
        tell_joined(t, node);
}

static void loses(struct transport *t, struct node_place *node)
{
    node->lost = true;
    t->tell = true;
    turn_busy(t);
}

static uint32_t initiator(const struct conn *conn)
{
    return conn->server ? conn->peer : conn->transport->net.self;
}

static bool race(const struct conn *old, const struct conn *conn)
{
    return old->server != conn->server &&
           conn->opened_ms - old->opened_ms < conn->transport->options.handshake_ms;
}

/* Whether `conn`, just opened, becomes the node's connection (P2, P3). */
static bool replaces(struct node_place *node, struct conn *conn)
{
    struct conn *old = node->conn;
    if (!old)
        return true;
    if (!race(old, conn)) {
        conn_end(old); /* `lost` is told below */
        return true;
    }
    if (initiator(old) < initiator(conn))
        return false;
    node->conn = NULL;
    conn_retire(old);
    return true;
}

static void take_node(struct conn *conn)
{
    struct transport *t = conn->transport;
    struct node_place *node = node_of(t, conn->identity.node);
    struct conn *attempt = node->attempt;
    conn->peer = node->number;
    node->attempt = NULL;
    if (attempt && attempt != conn) {
        outbox_move(&conn->plain, &attempt->plain);
        conn_end(attempt);
    }
    outbox_move(&conn->plain, &node->waiting);
    if (!replaces(node, conn)) {
        conn_retire(conn);
        return;
    }
    node->conn = conn;
    peers_tell_lost(t, node);
    if (conn->state == CONN_OPEN && conn->server)
        tell_joined(t, node);
}

/* --- guests --- */

static bool take_slot(struct conn *conn)
{
    struct transport *t = conn->transport;
    bool stranger = !conn->identity.role;
    if (t->guests >= TRANSPORT_PEERS - RESERVED || (stranger && t->strangers >= STRANGERS))
        return false;
    while (t->slots[t->next_slot % TRANSPORT_PEERS])
        t->next_slot++;
    uint32_t slot = t->next_slot++ % TRANSPORT_PEERS;
    uint32_t most = (UINT32_MAX - TRANSPORT_GUESTS) / TRANSPORT_PEERS;
    conn->peer = TRANSPORT_GUESTS + t->generation * TRANSPORT_PEERS + slot;
    t->generation = (t->generation + 1) % most; /* a late answer goes to nobody else */
    t->slots[slot] = conn;
    t->guests++;
    t->strangers += stranger;
    return true;
}

static void take_guest(struct conn *conn)
{
    struct transport *t = conn->transport;
    if (!take_slot(conn)) {
        t->status.refused_full++;
        conn_end(conn);
        return;
    }
    conn->told = true;
    if (t->options.joined)
        t->options.joined(t->options.ctx, conn->peer, &conn->identity);
}

/* --- beginning and end --- */

void peers_take(struct conn *conn)
{
    if (conn->transport->closing)
        conn_end(conn);
    else if (conn->identity.role == ROLE_NODE)
        take_node(conn);
    else
        take_guest(conn);
}

static void leave_node(struct conn *conn, struct node_place *node)
{
    struct transport *t = conn->transport;
    if (node->conn == conn) {
        node->conn = NULL;
        loses(t, node);
    } else if (node->attempt == conn) {
        node->attempt = NULL;
        if (!node->conn)
            loses(t, node);
    }
}

void peers_ended(struct conn *conn)
{
    struct transport *t = conn->transport;
    uint32_t number = conn->server ? conn->peer : conn->dialled;
    struct node_place *node = number < TRANSPORT_NODES ? node_known(t, number) : NULL;
    if (node)
        leave_node(conn, node);
    if (conn->peer < TRANSPORT_GUESTS || t->slots[conn->peer % TRANSPORT_PEERS] != conn)
        return;
    t->slots[conn->peer % TRANSPORT_PEERS] = NULL;
    t->guests--;
    t->strangers -= !conn->identity.role;
}

void peers_closed(struct conn *conn)
{
    struct transport *t = conn->transport;
    if (conn->told && t->options.lost && !t->closing)
        t->options.lost(t->options.ctx, conn->peer);
}
