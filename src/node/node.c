/* SPDX-License-Identifier: MIT
 *
 * node.c: starting and stopping.
 *
 * The stop is a chain, each link started by the end of the one before:
 *   unmount -> agent drained -> store closed, its work cut short -> home unlocked, waiters told ->
 * loop empty
 */
#include "node/node_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/uv/env_uv.h"

#define HOUSEKEEPING_MS 5000u
#define GRACE_MS        2000u

static void drain_when_unmounted(struct node *node);

void node_save_state(struct node *node)
{
    struct home_state state = {.pid = node->store_closed ? 0 : (long)getpid()};
    if (node->mount)
        snprintf(state.mount, sizeof state.mount, "%s", mount_dir(node->mount));
    enum err err = home_save_state(&node->home, &state);
    if (err != OK)
        journal("cannot write state.json: %s", err_text(err));
}

/* --- mounting --- */

static void ended_mount(void *ctx, const struct mount_closed *how)
{
    struct node *node = ctx;
    if (how->was_busy)
        journal("unmounted while programs still used it; they get errors from now on");
    if (how->timed_out)
        journal("the kernel did not let go of the mount in time; its connection was cut");
    node->mount = NULL;
    node->unmounting = false;
    node_save_state(node);
    if (node->unmounter)
        control_finish(node->unmounter,
                       how->was_busy ? "{\"ok\":true,\"was_busy\":true}" : "{\"ok\":true}");
    node->unmounter = NULL;
    if (node->stopping)
        drain_when_unmounted(node);
}

static void close_mount(struct node *node)
{
    INVARIANT(node->mount && !node->unmounting);
    node->unmounting = true;
    mount_close(node->mount, ended_mount, node);
}

void node_unmount(struct node *node, struct control_peer *peer)
{
    node->unmounter = peer;
    close_mount(node);
}

static void on_unmounted(void *ctx)
{
    struct node *node = ctx;
    journal("%s was unmounted from outside", mount_dir(node->mount));
    if (!node->unmounting)
        close_mount(node);
}

/* What df(1) shows. */
static void space(void *ctx, struct env_space *out)
{
    const struct node *node = ctx;
    struct store_status status;
    store_status(node->store, &status);
    *out = (struct env_space){.total = status.disk_total,
                              .available = status.full ? 0 : status.disk_available};
}

enum err node_mount(struct node *node, const char *dir, struct store_error *error)
{
    if (node->mount) {
        snprintf(error->text, sizeof error->text,
                 "the volume is mounted at %.150s already, and a volume has one mount in this "
                 "version. To see it elsewhere too: mount --bind '%.150s' ...",
                 mount_dir(node->mount), mount_dir(node->mount));
        return ERR_BUSY;
    }
    struct mount_options options = {.dir = dir,
                                    .allow_other = node->allow_other || geteuid() == 0,
                                    .on_unmounted = on_unmounted,
                                    .space = space,
                                    .ctx = node};
    return mount_open(node->env, node->agent, &options, &node->mount, error);
}

/* --- stopping --- */

static void closed(uv_handle_t *handle)
{
    (void)handle;
}

static void control_ended(void *ctx)
{
    struct node *node = ctx;
    node->control = NULL;
    uv_close((uv_handle_t *)&node->deadline, closed);
    uv_close((uv_handle_t *)&node->housekeeping, closed);
    uv_close((uv_handle_t *)&node->term, closed);
    uv_close((uv_handle_t *)&node->interrupt, closed);
}

/* The store is gone: nobody uses the env any more. */
static void finish_stop(uv_timer_t *timer)
{
    struct node *node = timer->data;
    INVARIANT(node->tasks == 0);
    env_uv_free(node->env);
    node->env = NULL;
    control_stop_listening(node->control);
    node_save_state(node);
    journal("stopped");
    home_close(&node->home);
    for (unsigned i = 0; i < node->waiter_count; i++)
        control_finish(node->waiters[i], "{\"ok\":true,\"stopped\":true}");
    control_close(node->control, GRACE_MS, control_ended, node);
}

static void store_closed(void *ctx, enum err err)
{
    struct node *node = ctx;
    node->store = NULL;
    node->store_closed = true;
    if (err != OK) {
        journal("the last checkpoint failed (%s); the next start replays the log", err_text(err));
        node->exit_code = 1;
    }
    INVARIANT(uv_timer_start(&node->housekeeping, finish_stop, 0, 0) == 0);
}

static void agent_idle(void *ctx)
{
    struct node *node = ctx;
    agent_free(node->agent);
    replica_free(node->replica);
    node->agent = NULL;
    node->replica = NULL;
    store_close(node->store, store_closed, node);
}

static void drain_when_unmounted(struct node *node)
{
    if (!node->stopping || node->mount || node->draining)
        return;
    node->draining = true;
    agent_forget_all(node->agent);
    agent_drain(node->agent, agent_idle, node);
}

void node_task_begin(struct node *node)
{
    node->tasks++;
}

void node_task_end(struct node *node)
{
    INVARIANT(node->tasks > 0);
    node->tasks--;
}

/* What was acknowledged as synced is on the disk whatever happens here. */
static void too_late(uv_timer_t *timer)
{
    (void)timer;
    journal("the stop did not finish in %u s; ending anyway, the next start replays the log",
            NODE_STOP_MS / 1000);
    _exit(1);
}

void node_stop(struct node *node)
{
    if (node->stopping)
        return;
    node->stopping = true;
    journal("stopping");
    alarm(NODE_STOP_MS / 1000 + 5); /* should the loop itself be stuck */
    INVARIANT(uv_timer_start(&node->deadline, too_late, NODE_STOP_MS, 0) == 0);
    if (node->mount && !node->unmounting)
        close_mount(node);
    else
        drain_when_unmounted(node);
}

static void on_signal(uv_signal_t *handle, int number)
{
    journal("signal %d", number);
    node_stop(handle->data);
}

/* --- starting --- */

static void keep_house(uv_timer_t *timer)
{
    struct node *node = timer->data;
    journal_rotate(&node->home, node->background);
}

static void open_loop(struct node *node)
{
    INVARIANT(uv_loop_init(&node->loop) == 0);
    INVARIANT(uv_signal_init(&node->loop, &node->term) == 0);
    INVARIANT(uv_signal_init(&node->loop, &node->interrupt) == 0);
    INVARIANT(uv_timer_init(&node->loop, &node->deadline) == 0);
    INVARIANT(uv_timer_init(&node->loop, &node->housekeeping) == 0);
    node->term.data = node->interrupt.data = node->housekeeping.data = node;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static enum err open_volume(struct node *node, bool rebuild_index, struct store_error *error)
{
    struct store_options options = {.path = node->home.volume,
                                    .node = 1,
                                    .limits = store_limits_default(),
                                    .rebuild_index = rebuild_index};
    enum err err = env_uv_new(&node->loop, &node->env);
    if (err == OK)
        env_uv_cache(node->env, (size_t)node->cache);
    if (err == OK)
        err = home_make_volume(node->env, &node->home, &node->made_volume, error);
    if (err == OK)
        err = store_open(node->env, &options, &node->store, error);
    if (err == OK)
        err = replica_new(node->env, node->store, 1, geteuid(), getegid(), &node->replica);
    struct agent_limits limits = agent_limits_default();
    if (err == OK)
        err = agent_new(node->env, local_executor_init(&node->executor, node->replica), &limits,
                        &node->agent);
    return err;
}

/* The socket first: a mount must not be left behind when something after it fails. */
static enum err open_outside(struct node *node, const char *mount, struct store_error *error)
{
    struct control_events events = {.request = node_request, .ctx = node};
    enum err err = control_open(&node->loop, node->home.fd, &events, &node->control);
    if (err != OK) {
        snprintf(error->text, sizeof error->text, "cannot make the control socket in %.300s: %s.",
                 node->home.path, err_text(err));
        return err;
    }
    if (mount)
        err = node_mount(node, mount, error);
    if (err != OK)
        control_stop_listening(node->control);
    return err;
}

static enum err start(struct node *node, const struct node_options *options,
                      struct store_error *error)
{
    struct home_open_options home = {.path = options->home, .create = true};
    enum err err = home_contract(options->home, &node->contract, error);
    if (err == OK)
        err = home_open(&home, &node->home, error);
    if (err == OK)
        err = journal_open(&node->home, node->background, error);
    if (err == OK)
        err = open_volume(node, options->rebuild_index, error);
    if (err == OK)
        err = open_outside(node, options->mount, error);
    if (err != OK && !error->text[0])
        snprintf(error->text, sizeof error->text, "cannot start: %s.", err_text(err));
    return err;
}

/* A start that failed leaves nothing that it made. The process ends, so memory is left to it. */
static void undo(struct node *node)
{
    if (node->home.fd < 0)
        return;
    if (node->made_volume || node->home.made)
        home_unmake(&node->home);
    home_close(&node->home);
}

static void tell(const struct node_options *options, const char *line)
{
    if (options->ready_fd >= 0) {
        dprintf(options->ready_fd, "%s\n", line);
        close(options->ready_fd);
    }
}

static void tell_failure(const struct node_options *options, const struct store_error *error)
{
    json_t *json = json_pack("{s:b, s:s}", "ok", 0, "error", error->text);
    char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (options->ready_fd < 0)
        dprintf(STDERR_FILENO, "pactfs: %s\n", error->text);
    else
        journal("%s", error->text);
    tell(options, line ? line : "{\"ok\":false,\"error\":\"cannot start\"}");
    free(line);
    json_decref(json);
}

static void tell_success(const struct node *node, const struct node_options *options)
{
    json_t *json = json_pack("{s:b, s:I, s:b}", "ok", 1, "pid", (json_int_t)getpid(), "made",
                             node->made_volume);
    char *line = json_dumps(json, JSON_COMPACT);
    journal("usable: home %s, %s%s", node->home.path, node->mount ? "mounted at " : "not mounted",
            node->mount ? mount_dir(node->mount) : "");
    tell(options, line);
    free(line);
    json_decref(json);
}

static void serve(struct node *node, const struct node_options *options)
{
    INVARIANT(uv_signal_start(&node->term, on_signal, SIGTERM) == 0);
    INVARIANT(uv_signal_start(&node->interrupt, on_signal, SIGINT) == 0);
    INVARIANT(uv_timer_start(&node->housekeeping, keep_house, HOUSEKEEPING_MS, HOUSEKEEPING_MS) ==
              0);
    node->started_ns = node->env->ops->mono_ns(node->env);
    node_save_state(node);
    tell_success(node, options);
    uv_run(&node->loop, UV_RUN_DEFAULT);
    INVARIANT(node->store_closed);
    INVARIANT(uv_loop_close(&node->loop) == 0);
}

int node_run(const struct node_options *options)
{
    struct store_error error = {""};
    struct node *node = calloc(1, sizeof *node);
    INVARIANT(node != NULL);
    node->home.fd = node->home.lock_fd = -1;
    node->background = options->background;
    node->allow_other = options->allow_other;
    node->cache = options->cache ? options->cache : NODE_CACHE;
    open_loop(node);
    if (start(node, options, &error) != OK) {
        undo(node);
        tell_failure(options, &error);
        _exit(1); /* the loop holds jobs of a store that is half open */
    }
    serve(node, options);
    int code = node->exit_code;
    free(node);
    return code;
}
