/* SPDX-License-Identifier: MIT
 *
 * client.c: the life of a mount's process.
 *
 * The start is a chain, each link begun by the end of the one before:
 *   certificate read -> the nodes say where the volume is -> a session at its primary -> mounted
 * and so is the stop:
 *   unmounted -> agent drained -> session ended -> connections closed -> waiters told -> loop empty
 * A start that failed joins the stop where it stands.
 */
#include "node/client/client_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/uv/env_uv.h"
#include "node/urgent.h"

#define TICK_MS    100u
#define GRACE_MS   500u
#define STALLED_NS UINT64_C(1000000000) /* beyond the time of a failover */

/* --- telling who started us --- */

static void tell(struct mounting *mounting, json_t *answer)
{
    int fd = mounting->options->ready_fd;
    char *line = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    if (fd >= 0 && line) {
        dprintf(fd, "%s\n", line);
        close(fd);
    }
    free(line);
    json_decref(answer);
}

static void tell_failure(struct mounting *mounting)
{
    if (mounting->options->ready_fd < 0)
        dprintf(STDERR_FILENO, "pactfs: %s\n", mounting->error.text);
    else
        journal("%s", mounting->error.text);
    tell(mounting, json_pack("{s:b, s:s}", "ok", 0, "error", mounting->error.text));
}

void client_fail(struct mounting *mounting)
{
    if (mounting->stopping)
        return;
    mounting->exit_code = 1;
    client_stop(mounting);
}

/* --- the stop --- */

static void closed(uv_handle_t *handle)
{
    (void)handle;
}

static void control_ended(void *ctx)
{
    struct mounting *mounting = ctx;
    mounting->control = NULL;
    uv_close((uv_handle_t *)&mounting->deadline, closed);
    uv_close((uv_handle_t *)&mounting->tick, closed);
    uv_close((uv_handle_t *)&mounting->later, closed);
    uv_close((uv_handle_t *)&mounting->term, closed);
    uv_close((uv_handle_t *)&mounting->interrupt, closed);
}

/* Nobody uses the env any more. Who started us is told only now that nothing is left. */
static void end_world(struct mounting *mounting)
{
    mounting->ended = true;
    uv_timer_stop(&mounting->tick);
    env_uv_free(mounting->env);
    mounting->env = NULL;
    if (mounting->control)
        control_stop_listening(mounting->control);
    if (mounting->exit_code && !mounting->ready)
        tell_failure(mounting);
    entry_remove(&mounting->entry);
    for (uint32_t i = 0; i < mounting->waiter_count; i++)
        control_finish(mounting->waiters[i],
                       mounting->was_busy ? "{\"ok\":true,\"was_busy\":true}" : "{\"ok\":true}");
    if (mounting->control)
        control_close(mounting->control, GRACE_MS, control_ended, mounting);
    else
        control_ended(mounting);
}

static void end_later(uv_timer_t *timer)
{
    end_world(timer->data);
}

static void transport_ended(void *ctx)
{
    struct mounting *mounting = ctx;
    mounting->transport = NULL;
    uv_timer_start(&mounting->later, end_later, 0, 0);
}

/* From the loop, not from inside the end of a request. */
static void let_go(uv_timer_t *timer)
{
    struct mounting *mounting = timer->data;
    agent_free(mounting->agent);
    remote_free(mounting->remote);
    mounting->agent = NULL;
    mounting->remote = NULL;
    find_stop(mounting);
    if (mounting->transport)
        transport_close(mounting->transport, GRACE_MS, transport_ended, mounting);
    else
        end_world(mounting);
}

static void drained(void *ctx)
{
    struct mounting *mounting = ctx;
    uv_timer_start(&mounting->later, let_go, 0, 0);
}

static void drain(struct mounting *mounting)
{
    if (!mounting->agent) {
        drained(mounting);
        return;
    }
    agent_forget_all(mounting->agent);
    agent_drain(mounting->agent, drained, mounting);
}

static void unmounted(void *ctx, const struct mount_closed *how)
{
    struct mounting *mounting = ctx;
    mounting->mount = NULL;
    mounting->was_busy = how->was_busy;
    if (how->was_busy)
        journal("unmounted while programs still used it; they get errors from now on");
    if (how->timed_out)
        journal("the kernel did not let go of the mount in time; its connection was cut");
    drain(mounting);
}

static void too_late(uv_timer_t *timer)
{
    struct mounting *mounting = timer->data;
    journal("the stop did not finish in %u s; ending anyway", CLIENT_STOP_MS / 1000);
    entry_remove(&mounting->entry);
    _exit(1);
}

void client_stop(struct mounting *mounting)
{
    if (mounting->stopping)
        return;
    mounting->stopping = true;
    alarm(CLIENT_STOP_MS / 1000 + 5); /* should the loop itself be stuck */
    INVARIANT(uv_timer_start(&mounting->deadline, too_late, CLIENT_STOP_MS, 0) == 0);
    if (mounting->mount)
        mount_close(mounting->mount, unmounted, mounting);
    else
        drain(mounting);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct mounting *mounting = handle->data;
    journal("signal %d", number);
    if (!mounting->ready && !mounting->error.text[0])
        snprintf(mounting->error.text, sizeof mounting->error.text, "stopped by a signal.");
    mounting->exit_code = mounting->ready ? 0 : 1;
    client_stop(mounting);
}

/* --- what the mount and the agent ask of us --- */

static void on_unmounted(void *ctx)
{
    journal("%s was unmounted from outside", ((struct mounting *)ctx)->options->dir);
    client_stop(ctx);
}

static void space(void *ctx, struct env_space *out)
{
    *out = ((struct mounting *)ctx)->space;
}

static void give_up(void *ctx)
{
    struct mounting *mounting = ctx;
    if (mounting->remote)
        remote_give_up(mounting->remote);
}

static bool stalled(void *ctx)
{
    struct mounting *mounting = ctx;
    return !mounting->remote ||
           remote_silent(mounting->remote) > mounting->contract.failover_ns + STALLED_NS;
}

static uint32_t holds(void *ctx, uint64_t *inos, uint32_t count)
{
    struct mounting *mounting = ctx;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count && mounting->agent; i++)
        if (agent_knows(mounting->agent, inos[i]))
            inos[kept++] = inos[i];
    return kept;
}

static void renewed(void *ctx)
{
    (void)ctx;
    journal("the session had ended: changes that were under way then have failed");
}

/* --- messages --- */

static void deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct mounting *mounting = ctx;
    struct message message;
    arena_reset(&mounting->arena);
    if (wire_decode(bytes, &mounting->arena, &message) != OK)
        return;
    struct arena answer = mounting->arena; /* what is said meanwhile has memory of its own */
    arena_init(&mounting->arena);
    if (message.kind == MESSAGE_ANSWER)
        find_answered(mounting, &message);
    else if (mounting->remote && memcmp(message.volume, mounting->uuid, 16) == 0)
        remote_deliver(mounting->remote, from, &message);
    arena_free(&mounting->arena);
    mounting->arena = answer;
}

static void lost(void *ctx, uint32_t peer)
{
    struct mounting *mounting = ctx;
    if (mounting->remote)
        remote_lost(mounting->remote, peer);
}

/* --- from time to time --- */

static void on_tick(uv_timer_t *timer)
{
    struct mounting *mounting = timer->data;
    uint64_t now = mounting->env->ops->mono_ns(mounting->env);
    if (mounting->stopping)
        return;
    find_tick(mounting, now);
    if (!mounting->ready)
        return;
    find_follow(mounting, now);
    certificate_tick(mounting, now);
    entry_rotate(&mounting->entry);
}

/* --- the start, from its end --- */

static enum err open_mount(struct mounting *mounting)
{
    struct mount_options options = {.dir = mounting->options->dir,
                                    .fsname = mounting->volume,
                                    .shared = true,
                                    .spin_us = UINT32_MAX, /* the answer is elsewhere */
                                    .allow_other = mounting->options->allow_other || geteuid() == 0,
                                    .on_unmounted = on_unmounted,
                                    .space = space,
                                    .stalled = stalled,
                                    .give_up = give_up,
                                    .ctx = mounting};
    struct agent_limits limits = agent_limits_default();
    enum err err =
        agent_new(mounting->env, remote_executor(mounting->remote), &limits, &mounting->agent);
    if (err == OK)
        err = mount_open(mounting->env, mounting->agent, &options, &mounting->mount,
                         &mounting->error);
    return err;
}

static void begun(void *ctx, enum err err)
{
    struct mounting *mounting = ctx;
    struct remote_status status;
    char view[256];
    if (mounting->stopping)
        return;
    remote_status(mounting->remote, &status);
    if (err == ERR_TIMEOUT)
        snprintf(mounting->error.text, sizeof mounting->error.text,
                 "no replica of the volume '%s' serves it (%s). See: pactfs explain %s",
                 mounting->volume,
                 status.view.number ? view_print(&status.view, view, sizeof view)
                                    : "none of them answers",
                 mounting->volume);
    else if (err != OK)
        snprintf(mounting->error.text, sizeof mounting->error.text,
                 "the volume '%s' does not take this machine in: %s.", mounting->volume,
                 err_text(err));
    if (err == OK)
        err = open_mount(mounting);
    if (err != OK) {
        if (!mounting->error.text[0])
            snprintf(mounting->error.text, sizeof mounting->error.text, "cannot mount: %s.",
                     err_text(err));
        client_fail(mounting);
        return;
    }
    mounting->ready = true;
    journal("'%s' is mounted at %s: %s", mounting->volume, mounting->options->dir,
            view_print(&status.view, view, sizeof view));
    tell(mounting, json_pack("{s:b, s:I, s:s}", "ok", 1, "pid", (json_int_t)getpid(), "id",
                             mounting->entry.id));
}

static void begin(struct mounting *mounting)
{
    struct remote_options options = {.env = mounting->env,
                                     .net = mounting->net,
                                     .nodes = mounting->replicas,
                                     .node_count = mounting->replica_count,
                                     .timing = timing_of(mounting->contract.failover_ns),
                                     .patience_ns = CLIENT_PATIENCE_S * UINT64_C(1000000000),
                                     .read_one = mounting->contract.read == READ_ONE,
                                     .near = mounting->file->node,
                                     .holds = holds,
                                     .renewed = renewed,
                                     .ctx = mounting};
    uint64_t within = CLIENT_OPEN_MS * UINT64_C(1000000);
    memcpy(options.volume, mounting->uuid, sizeof options.volume);
    enum err err = remote_new(&options, &mounting->remote);
    INVARIANT(err == OK);
    if (within < 2 * mounting->contract.failover_ns)
        within = 2 * mounting->contract.failover_ns;
    remote_begin(mounting->remote, within, begun, mounting);
}

static void found(struct mounting *mounting, const json_t *answer)
{
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (mounting->stopping)
        return;
    if (json_is_true(json_object_get(answer, "ok")) && find_take(mounting, answer)) {
        begin(mounting);
        return;
    }
    if (error)
        snprintf(mounting->error.text, sizeof mounting->error.text, "%s", error);
    else if (answer)
        snprintf(mounting->error.text, sizeof mounting->error.text,
                 "the volume '%s' is of a kind that this version cannot mount.", mounting->volume);
    else
        find_explain(mounting);
    client_fail(mounting);
}

static enum err open_transport(struct mounting *mounting)
{
    struct transport_options options = {.loop = &mounting->loop,
                                        .dir = mounting->tls,
                                        .name = mounting->certificate,
                                        .lost = lost,
                                        .ctx = mounting};
    enum err err = transport_open(&options, &mounting->transport, &mounting->error);
    if (err != OK)
        return err;
    mounting->net = transport_net(mounting->transport);
    mounting->net->ops->listen(mounting->net, deliver, mounting);
    for (uint32_t i = 0; i < mounting->file->node_count; i++)
        transport_place(mounting->transport, mounting->file->nodes[i].number,
                        mounting->file->nodes[i].address);
    return OK;
}

static enum err open_control(struct mounting *mounting)
{
    char name[80];
    snprintf(name, sizeof name, "%s.control", mounting->entry.id);
    struct control_events events = {.request = client_request, .ctx = mounting, .name = name};
    enum err err = entry_write(mounting);
    if (err == OK)
        err = control_open(&mounting->loop, mounting->entry.folder, &events, &mounting->control);
    if (err != OK)
        snprintf(mounting->error.text, sizeof mounting->error.text,
                 "cannot write to %.200s/%s: %s.", mounting->options->home, "mounts",
                 err_text(err));
    return err;
}

static enum err start(struct mounting *mounting)
{
    enum err err = cell_file_load(mounting->options->home, mounting->file, &mounting->error);
    if (err == OK && mounting->file->node_count == 0) {
        snprintf(mounting->error.text, sizeof mounting->error.text,
                 "%.300s/cell.json names no node of the cell.", mounting->options->home);
        err = ERR_UNREACHABLE;
    }
    if (err == OK)
        err = certificate_choose(mounting);
    if (err == OK)
        err = entry_open(mounting);
    if (err == OK)
        err = open_control(mounting);
    if (err == OK)
        err = open_transport(mounting);
    return err;
}

static void open_loop(struct mounting *mounting)
{
    uv_loop_t *loop = &mounting->loop;
    INVARIANT(uv_loop_init(loop) == 0);
    INVARIANT(env_uv_new(loop, &mounting->env) == OK);
    INVARIANT(uv_signal_init(loop, &mounting->term) == 0);
    INVARIANT(uv_signal_init(loop, &mounting->interrupt) == 0);
    INVARIANT(uv_timer_init(loop, &mounting->deadline) == 0);
    INVARIANT(uv_timer_init(loop, &mounting->tick) == 0);
    INVARIANT(uv_timer_init(loop, &mounting->later) == 0);
    mounting->term.data = mounting->interrupt.data = mounting->deadline.data = mounting;
    mounting->tick.data = mounting->later.data = mounting;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    INVARIANT(uv_signal_start(&mounting->term, on_signal, SIGTERM) == 0);
    INVARIANT(uv_signal_start(&mounting->interrupt, on_signal, SIGINT) == 0);
    INVARIANT(uv_timer_start(&mounting->tick, on_tick, TICK_MS, TICK_MS) == 0);
    mounting->started_ns = mounting->env->ops->mono_ns(mounting->env);
}

int client_serve(const struct client_options *options)
{
    struct mounting *mounting = calloc(1, sizeof *mounting);
    INVARIANT(mounting != NULL);
    mounting->file = calloc(1, sizeof *mounting->file);
    INVARIANT(mounting->file != NULL);
    mounting->options = options;
    mounting->entry.folder = -1;
    arena_init(&mounting->arena);
    snprintf(mounting->volume, sizeof mounting->volume, "%s", options->volume);
    urgent();
    open_loop(mounting);
    enum err err = start(mounting);
    if (err == OK) {
        find_ask(mounting, json_pack("{s:s, s:s}", "request", "resolve", "volume", options->volume),
                 CLIENT_FIND_MS, found);
    } else {
        if (!mounting->error.text[0])
            snprintf(mounting->error.text, sizeof mounting->error.text, "cannot start: %s.",
                     err_text(err));
        client_fail(mounting);
    }
    uv_run(&mounting->loop, UV_RUN_DEFAULT);
    INVARIANT(uv_loop_close(&mounting->loop) == 0);
    int code = mounting->exit_code;
    arena_free(&mounting->arena);
    free(mounting->file);
    free(mounting);
    return code;
}
