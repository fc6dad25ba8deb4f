/* SPDX-License-Identifier: MIT
 *
 * executor.h: where an agent's operations run: a replica manager in the same process
 * (replica/local.h), or one elsewhere (agent/remote.h).
 */
#ifndef PACTFS_AGENT_EXECUTOR_H
#define PACTFS_AGENT_EXECUTOR_H

#include "core/replica/local.h"

struct executor;

struct executor_ops {
    /* As replica_execute and replica_sync. */
    bool (*execute)(struct executor *executor, struct request *request);
    bool (*sync)(struct executor *executor, struct request *request);
    bool (*has_room)(const struct executor *executor);
    /* room(ctx) once, when has_room may be true again; maybe before it returns. One at a time. */
    void (*on_room)(struct executor *executor, void (*room)(void *ctx), void *ctx);
    /* A number for a new inode, or 0: whoever executes takes one. */
    uint64_t (*new_ino)(struct executor *executor);
};

struct executor {
    const struct executor_ops *ops;
    bool reclaims; /* orphans are reclaimed over there: the agent does not ask for it */
};

#endif
