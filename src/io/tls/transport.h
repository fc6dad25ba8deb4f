/* SPDX-License-Identifier: MIT
 *
 * transport.h: net.h over TLS 1.3 connections between the nodes of a cell, and their agents.
 *
 * A connection carries messages, each behind its length (4 bytes, big-endian). Nodes connect to
 * each other as soon as one has something to send; agents connect to nodes. Nodes keep their cell's
 * numbers (1 to TRANSPORT_NODES - 1), which their certificates prove; whoever is not a node gets a
 * number of this process's own from TRANSPORT_GUESTS on, for as long as the connection stands.
 *
 * Law
 *   T1  Nothing is delivered of a peer whose certificate is not of this cell, has expired or was
 *       revoked; with one exception: a stranger (no certificate) may send messages of kind CALL, to
 *       whom allow.strangers, and gets answers.
 *   T2  A node's number is its certificate's: nobody else's message is delivered as from it.
 *   T3  Bounds: TRANSPORT_PEERS connections, `queue_bytes` unsent for each (then send answers LIMIT
 *       to us; reading from a guest stops while it leaves answers unread), a handshake of at most
 *       `handshake_ms`, messages of at most NET_MESSAGE_MAX + TRANSPORT_SLACK. What breaks one is
 *       refused, counted, and ends its connection and nothing else.
 *   T4  Messages of one connection arrive in order, once. When one breaks, both sides are told
 *       (lost); what was on its way may be lost. It is tried again when there is something to send,
 *       at most every `again_ms`. An attempt that fails loses what waited for it, and is told too
 *       (lost, without joined before it).
 *   T5  Two nodes have one connection. When both connect at once, that of the lower number stays;
 *       what was sent on the other still arrives. A connection that its other end has given up is
 *       replaced by the new one, and told (lost, then joined).
 */
#ifndef PACTFS_IO_TLS_TRANSPORT_H
#define PACTFS_IO_TLS_TRANSPORT_H

#include <uv.h>

#include "core/env/net.h"
#include "io/tls/identity.h"

#define TRANSPORT_NODES  65536u
#define TRANSPORT_GUESTS 65536u
#define TRANSPORT_PEERS  4096u
#define TRANSPORT_SLACK  (1u << 20) /* prefix and head beside the payload */

struct transport;

struct transport_options {
    uv_loop_t *loop;
    const char *dir, *name;          /* of certificate and key, see identity_context */
    uint32_t self;                   /* node number; 0: an agent, which does not listen */
    const char *listen;              /* "host:port", "[v6]:port", ":port"; NULL: does not */
    bool strangers;                  /* lets peers without a certificate ask (T1) */
    bool no_delay_probe;             /* for tests: no keepalive */
    uint64_t queue_bytes;            /* 0: 64 MiB */
    uint32_t handshake_ms, again_ms; /* 0: 3000, 100 */
    /* May be NULL. joined and lost are never called from inside a call of the transport, nor after
     * transport_close. A stranger's identity has role 0. `joined` of a node that this side
     * connected to is told when that node has accepted this side's certificate. */
    void (*joined)(void *ctx, uint32_t peer, const struct identity *identity);
    void (*lost)(void *ctx, uint32_t peer);
    bool (*revoked)(void *ctx, uint64_t serial); /* is this certificate's serial refused? */
    void *ctx;
};

/* IO, BUSY (the address is in use), CERTIFICATE, USAGE (the address cannot be read), with a
 * sentence. */
enum err transport_open(const struct transport_options *options, struct transport **out,
                        struct store_error *error);
struct net *transport_net(struct transport *transport);
/* "host:port" it listens on, with the port that was found when :0 was asked for. */
const char *transport_address(const struct transport *transport);
/* Where node `number` listens; NULL: it is not known any more. */
void transport_place(struct transport *transport, uint32_t number, const char *address);
/* Who a peer is; NULL: not connected. Valid until control goes back to the loop. */
const struct identity *transport_who(const struct transport *transport, uint32_t peer);
/* Reads certificate and key anew, for connections from now on; ends those of revoked ones. */
enum err transport_renew(struct transport *transport, struct store_error *error);
/* Ends the connection; `lost` is told. */
void transport_drop(struct transport *transport, uint32_t peer);
/* Why node `number` is not reached, as a sentence ("the certificate of 10.0.0.2:4700 has expired");
 * "" when it is, or was not tried. */
const char *transport_trouble(const struct transport *transport, uint32_t number);

/* Sends what is queued (within grace_ms), closes; done(ctx) once; freed then. */
void transport_close(struct transport *transport, uint64_t grace_ms, void (*done)(void *ctx),
                     void *ctx);

struct transport_status {
    uint32_t peers, guests;
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    /* Connections that were ended: no handshake of ours (rubbish, an older TLS, too slow); a
     * certificate that is not accepted; a message too long or not a stranger's; no room. */
    uint64_t refused_handshake, refused_certificate, refused_message, refused_full;
    uint64_t broken; /* by the other end, the network, or for not reading */
};
void transport_status(const struct transport *transport, struct transport_status *out);

/* One question to a node from a process without a loop (the command): connects (to the first of
 * `addresses`, ended by NULL, that answers), sends a CALL with `text`, waits for the ANSWER; all
 * within timeout_ms. dir/name as above; name NULL: as a stranger, and the node's authority must
 * have this fingerprint. *answer is malloc'd. UNREACHABLE, TIMEOUT, CERTIFICATE with a sentence
 * that names the address; LIMIT: the text is too long; those of identity_context. */
struct transport_call {
    const char *dir, *name;
    const uint8_t *fingerprint; /* 32 bytes, or NULL */
    const char *const *addresses;
    const char *text;
    uint32_t timeout_ms;
};
enum err transport_call(const struct transport_call *call, char **answer,
                        struct store_error *error);

/* Whether a transport could listen there now; else the same error and sentence as of one that
 * cannot. */
enum err transport_can_listen(const char *listen, struct store_error *error);

#endif
