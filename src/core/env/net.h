/* SPDX-License-Identifier: MIT
 *
 * net.h: the seam to other nodes: messages. The simulator implements it (src/sim/network.h).
 *
 * A node has a number in its cell; messages go from number to number. The network promises little,
 * so that a protocol that is right here is right over any transport.
 *
 * Law
 *   N1  What arrives was sent, unaltered. It may arrive never, once, or several times; in any
 *       order; long after it was sent, also when sender or receiver has been started anew since.
 *   N2  `deliver` runs on the loop, never from inside a call of the seam.
 *   N3  The message's bytes are the receiver's to read during `deliver` only.
 */
#ifndef PACTFS_ENV_NET_H
#define PACTFS_ENV_NET_H

#include "core/env/env.h"

#define NET_MESSAGE_MAX (4u << 20) /* bytes of one message */

struct net;

struct net_ops {
    /* Sends the pieces, one after another as one message (copied before it returns), to node `to`;
     * to oneself is allowed. OK says nothing about arrival. LIMIT: longer than NET_MESSAGE_MAX, or
     * too much is on its way to that node already; try again later. UNREACHABLE: there is no such
     * node. */
    enum err (*send)(struct net *net, uint32_t to, const struct env_iov *pieces, int count);
    /* What arrives goes to deliver(ctx, from, message) from now on; NULL: is dropped, as in the
     * beginning. */
    void (*listen)(struct net *net, void (*deliver)(void *ctx, uint32_t from, struct bytes message),
                   void *ctx);
};

struct net {
    const struct net_ops *ops;
    uint32_t self; /* this node's number */
};

#endif
