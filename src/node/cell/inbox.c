/* SPDX-License-Identifier: MIT
 *
 * inbox.c: every message that comes in is decoded once, goes through the gate, and then to whom it
 * is for. What is refused is counted; who sends what is no message at all is disconnected.
 */
#include <string.h>

#include "node/cell/ask.h"
#include "node/cell/calls.h"
#include "node/cell/cell_private.h"

void cell_send(struct cell *cell, uint32_t to, const struct message *message)
{
    arena_reset(&cell->out);
    wire_send(&cell->fence.net, to, message, NULL, 0, &cell->out);
}

static struct gate_peer peer_of(const struct cell *cell, uint32_t from,
                                const struct identity *identity)
{
    struct gate_peer peer = {.role = GATE_STRANGER, .uid = IDENTITY_UID_ANY};
    if (from == cell->file.node)
        peer.role = GATE_NODE; /* to oneself */
    if (!identity)
        return peer;
    if (identity->role == ROLE_NODE)
        peer.role = GATE_NODE;
    else if (identity->role == ROLE_ADMINISTRATOR)
        peer.role = GATE_ADMINISTRATOR;
    else if (identity->role == ROLE_CLIENT)
        peer = (struct gate_peer){GATE_CLIENT, identity->uid, user_of(cell, identity->uid)};
    return peer;
}

/* A request that the gate refused is answered: its sender would ask again and again. */
static void refuse(struct cell *cell, uint32_t from, const struct message *message)
{
    struct message reply = {.kind = MESSAGE_REPLY, .err = ERR_PERM};
    if (message->kind != MESSAGE_REQUEST)
        return;
    memcpy(reply.volume, message->volume, sizeof reply.volume);
    reply.session = message->session;
    reply.slot = message->slot;
    reply.serial = message->serial;
    cell_send(cell, from, &reply);
}

static void dispatch(struct cell *cell, uint32_t from, enum gate_role role,
                     const struct message *message)
{
    if (message->kind == MESSAGE_CALL)
        ask_peer(cell, from, role, message);
    else if (message->kind == MESSAGE_ANSWER)
        calls_answered(cell, from, message);
    else
        host_deliver(cell, from, message);
}

void inbox_deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct cell *cell = ctx;
    struct message message;
    arena_reset(&cell->in);
    enum err err = wire_decode(bytes, &cell->in, &message);
    if (err != OK) {
        cell->refused.malformed++;
        if (err == ERR_DECODE && from != cell->file.node)
            transport_drop(cell->transport, from);
        return;
    }
    struct gate_peer peer = peer_of(cell, from, transport_who(cell->transport, from));
    enum gate_verdict verdict = gate_message(&peer, &message);
    if (verdict == GATE_PASS) {
        dispatch(cell, from, peer.role, &message);
        return;
    }
    if (verdict == GATE_USER)
        cell->refused.rights++;
    else
        cell->refused.kinds++;
    refuse(cell, from, &message);
}

void inbox_joined(void *ctx, uint32_t peer, const struct identity *identity)
{
    (void)ctx;
    (void)peer;
    (void)identity;
}

void inbox_lost(void *ctx, uint32_t peer)
{
    struct cell *cell = ctx;
    asks_lost(cell, peer);
    calls_lost(cell, peer);
    hosts_lost(cell, peer);
}

bool inbox_revoked(void *ctx, uint64_t serial)
{
    return serial_revoked(ctx, serial);
}
