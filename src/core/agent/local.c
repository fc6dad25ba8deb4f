/* SPDX-License-Identifier: MIT
 *
 * local.c: hands on, as executor.h says, to a replica manager in the same process.
 */
#include "core/agent/local.h"

static struct replica *replica_of(const struct executor *executor)
{
    return ((const struct local_executor *)(const void *)executor)->replica;
}

static bool execute(struct executor *executor, struct request *request)
{
    return replica_execute(replica_of(executor), request);
}

static bool make_durable(struct executor *executor, struct request *request)
{
    return replica_sync(replica_of(executor), request);
}

static bool has_room(const struct executor *executor)
{
    return replica_has_room(replica_of(executor));
}

static void on_room(struct executor *executor, void (*room)(void *ctx), void *ctx)
{
    store_on_room(replica_store(replica_of(executor)), room, ctx);
}

static uint64_t new_ino(struct executor *executor)
{
    return replica_new_ino(replica_of(executor));
}

static const struct executor_ops local_ops = {
    .execute = execute,
    .sync = make_durable,
    .has_room = has_room,
    .on_room = on_room,
    .new_ino = new_ino,
};

struct executor *local_executor_init(struct local_executor *local, struct replica *replica)
{
    *local = (struct local_executor){.executor = {.ops = &local_ops}, .replica = replica};
    return &local->executor;
}
