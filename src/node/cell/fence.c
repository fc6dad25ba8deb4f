/* SPDX-License-Identifier: MIT
 *
 * fence.c: see fence.h.
 */
#include "node/cell/fence.h"

static enum err fence_send(struct net *net, uint32_t to, const struct env_iov *pieces, int count)
{
    struct fence *fence = (struct fence *)net;
    if (fence->shut) {
        fence->dropped++;
        return OK; /* as on a wire that was cut: nobody says so */
    }
    return fence->inner->ops->send(fence->inner, to, pieces, count);
}

static void arrived(void *ctx, uint32_t from, struct bytes message)
{
    struct fence *fence = ctx;
    if (fence->shut || !fence->deliver)
        fence->dropped++;
    else
        fence->deliver(fence->ctx, from, message);
}

static void fence_listen(struct net *net,
                         void (*deliver)(void *ctx, uint32_t from, struct bytes message), void *ctx)
{
    struct fence *fence = (struct fence *)net;
    fence->deliver = deliver;
    fence->ctx = ctx;
}

static const struct net_ops fence_ops = {.send = fence_send, .listen = fence_listen};

void fence_open(struct fence *fence, struct net *inner)
{
    *fence = (struct fence){.net = {.ops = &fence_ops, .self = inner->self}, .inner = inner};
    inner->ops->listen(inner, arrived, fence);
}
