/* SPDX-License-Identifier: MIT
 *
 * local.h: the executor over a replica manager in the same process.
 */
#ifndef PACTFS_AGENT_LOCAL_H
#define PACTFS_AGENT_LOCAL_H

#include "core/agent/executor.h"

struct local_executor {
    struct executor executor;
    struct replica *replica;
};

/* Fills *local, which must live as long as its executor is used; so must the replica manager, which
 * stays the caller's. */
struct executor *local_executor_init(struct local_executor *local, struct replica *replica);

#endif
