/* SPDX-License-Identifier: MIT
 *
 * shared.c: shared mounts without a cell: one volume, two agents, two mounts, as two machines would
 * have them, in one process over one replica manager.
 *
 *   shared [--pages] WHERE COMMAND ARG...
 *
 * Makes a volume in the empty folder WHERE, mounts it at WHERE/a and WHERE/b, runs COMMAND with
 * every {a} and {b} in an argument replaced, unmounts, and exits as COMMAND did. --pages: files go
 * through the kernel's pages, as on kernels before 6.6.
 *
 * Looking up the name "stick" cuts that mount off from the volume, for good: this and all that is
 * asked from then on has no answer until the mount gives up.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/agent/agent.h"
#include "core/agent/local.h"
#include "core/base/assert.h"
#include "io/fuse/mount.h"
#include "io/uv/env_uv.h"

/* Hands on to the replica manager, until it sticks. */
struct gate {
    struct executor executor; /* first */
    struct replica *replica;
    bool stuck;
    struct request *held[512];
    uint32_t held_count;
};

struct side {
    struct gate gate;
    struct agent *agent;
    struct mount *mount;
    char dir[512];
    bool closing;
};

struct world {
    uv_loop_t loop;
    uv_process_t child;
    struct env *env;
    struct store *store;
    struct replica *replica;
    struct side sides[2];
    uint32_t open_sides; /* not drained */
    int exit_code;
};

static struct world world;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "shared: %s: %s\n", what, why);
    exit(99);
}

/* --- the gate --- */

static bool hold(struct gate *gate, struct request *request)
{
    INVARIANT(gate->held_count < sizeof gate->held / sizeof *gate->held);
    gate->held[gate->held_count++] = request;
    return false;
}

static bool gate_execute(struct executor *executor, struct request *request)
{
    struct gate *gate = (struct gate *)(void *)executor;
    struct bytes name = request->op.name;
    if (request->op.code == FS_LOOKUP && name.len == 5 && memcmp(name.data, "stick", 5) == 0)
        gate->stuck = true;
    return gate->stuck ? hold(gate, request) : replica_execute(gate->replica, request);
}

static bool gate_sync(struct executor *executor, struct request *request)
{
    struct gate *gate = (struct gate *)(void *)executor;
    return gate->stuck ? hold(gate, request) : replica_sync(gate->replica, request);
}

static bool gate_has_room(const struct executor *executor)
{
    return replica_has_room(((const struct gate *)(const void *)executor)->replica);
}

static void gate_on_room(struct executor *executor, void (*room)(void *ctx), void *ctx)
{
    store_on_room(replica_store(((struct gate *)(void *)executor)->replica), room, ctx);
}

static uint64_t gate_new_ino(struct executor *executor)
{
    return replica_new_ino(((struct gate *)(void *)executor)->replica);
}

static const struct executor_ops gate_ops = {.execute = gate_execute,
                                             .sync = gate_sync,
                                             .has_room = gate_has_room,
                                             .on_room = gate_on_room,
                                             .new_ino = gate_new_ino};

static void give_up(void *ctx)
{
    struct gate *gate = &((struct side *)ctx)->gate;
    while (gate->held_count) {
        struct request *request = gate->held[--gate->held_count];
        request->err = ERR_TIMEOUT;
        request->done(request);
    }
}

static bool stalled(void *ctx)
{
    return ((struct side *)ctx)->gate.stuck;
}

/* --- ending --- */

static void store_closed(void *ctx, enum err err)
{
    (void)ctx;
    if (err != OK)
        die("closing the store", err_text(err));
}

static void drained(void *ctx)
{
    (void)ctx;
    if (--world.open_sides)
        return;
    for (int i = 0; i < 2; i++)
        agent_free(world.sides[i].agent);
    replica_free(world.replica);
    store_close(world.store, store_closed, NULL);
}

static void unmounted(void *ctx, const struct mount_closed *how)
{
    struct side *side = ctx;
    (void)how;
    agent_forget_all(side->agent);
    agent_drain(side->agent, drained, NULL);
}

static void close_side(struct side *side)
{
    if (!side->closing)
        mount_close(side->mount, unmounted, side);
    side->closing = true;
}

static void from_outside(void *ctx)
{
    close_side(ctx);
}

static void closed(uv_handle_t *handle)
{
    (void)handle;
}

static void child_ended(uv_process_t *child, int64_t status, int sign)
{
    world.exit_code = sign ? 128 + sign : (int)status;
    uv_close((uv_handle_t *)child, closed);
    for (int i = 0; i < 2; i++)
        close_side(&world.sides[i]);
}

/* --- beginning --- */

static void make_volume(const char *where)
{
    char path[600];
    struct store_error error = {""};
    snprintf(path, sizeof path, "%s/volume", where);
    struct store_options options = {.path = path, .node = 1, .limits = store_limits_default()};
    if (mkdir(path, 0700) != 0)
        die(path, strerror(errno));
    if (store_format(world.env, &options, &error) != OK ||
        store_open(world.env, &options, &world.store, &error) != OK ||
        replica_new(world.env, world.store, 1, geteuid(), getegid(), &world.replica) != OK)
        die("the volume", error.text);
}

static void space(void *ctx, struct env_space *out)
{
    (void)ctx;
    *out = (struct env_space){.total = UINT64_C(1) << 40, .available = UINT64_C(1) << 39};
}

static void open_side(struct side *side, const char *where, const char *name, bool pages)
{
    struct agent_limits limits = agent_limits_default();
    struct store_error error = {""};
    struct mount_options options = {.dir = side->dir,
                                    .shared = true,
                                    .through_pages = pages,
                                    .allow_other = geteuid() == 0,
                                    .on_unmounted = from_outside,
                                    .space = space,
                                    .stalled = stalled,
                                    .give_up = give_up,
                                    .ctx = side};
    side->gate.executor = (struct executor){.ops = &gate_ops, .reclaims = true};
    side->gate.replica = world.replica;
    snprintf(side->dir, sizeof side->dir, "%s/%s", where, name);
    if (mkdir(side->dir, 0755) != 0)
        die(side->dir, strerror(errno));
    if (agent_new(world.env, &side->gate.executor, &limits, &side->agent) != OK ||
        mount_open(world.env, side->agent, &options, &side->mount, &error) != OK)
        die("the mount", error.text);
    world.open_sides++;
}

/* Replaces {a} and {b}. */
static char *expand(const char *argument)
{
    char *out = calloc(1, strlen(argument) * 512 + 1);
    size_t used = 0;
    INVARIANT(out != NULL);
    for (const char *at = argument; *at;) {
        bool side = at[0] == '{' && (at[1] == 'a' || at[1] == 'b') && at[2] == '}';
        if (side) {
            const char *dir = world.sides[at[1] - 'a'].dir;
            memcpy(out + used, dir, strlen(dir));
            used += strlen(dir);
            at += 3;
        } else {
            out[used++] = *at++;
        }
    }
    return out;
}

static void start_child(char **argv)
{
    uv_stdio_container_t stdio[3];
    uv_process_options_t options = {.exit_cb = child_ended, .file = argv[0], .args = argv};
    for (int i = 0; argv[i]; i++)
        argv[i] = expand(argv[i]);
    options.file = argv[0];
    for (int i = 0; i < 3; i++)
        stdio[i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = i};
    options.stdio = stdio;
    options.stdio_count = 3;
    int problem = uv_spawn(&world.loop, &world.child, &options);
    if (problem)
        die(argv[0], uv_strerror(problem));
}

int main(int argc, char **argv)
{
    bool pages = argc > 1 && strcmp(argv[1], "--pages") == 0;
    if (pages) {
        argc--;
        argv++;
    }
    if (argc < 3)
        die("usage", "shared [--pages] WHERE COMMAND ARG...");
    signal(SIGPIPE, SIG_IGN);
    INVARIANT(uv_loop_init(&world.loop) == 0);
    INVARIANT(env_uv_new(&world.loop, &world.env) == OK);
    make_volume(argv[1]);
    open_side(&world.sides[0], argv[1], "a", pages);
    open_side(&world.sides[1], argv[1], "b", pages);
    start_child(argv + 2);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    if (world.open_sides)
        die("ending", "a mount was not closed");
    return world.exit_code;
}
