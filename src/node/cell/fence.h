/* SPDX-License-Identifier: MIT
 *
 * fence.h: a net.h around another, that can be shut: then nothing goes out and nothing comes in, as
 * if every cable had been cut. For trying out what a cell does then (`pactfs demo cut`).
 */
#ifndef PACTFS_NODE_CELL_FENCE_H
#define PACTFS_NODE_CELL_FENCE_H

#include "core/env/net.h"

struct fence {
    struct net net; /* what its users see */
    struct net *inner;
    bool shut;
    void (*deliver)(void *ctx, uint32_t from, struct bytes message);
    void *ctx;
    uint64_t dropped;
};

/* `inner` must outlive it. Nothing to free. */
void fence_open(struct fence *fence, struct net *inner);

#endif
