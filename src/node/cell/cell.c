/* SPDX-License-Identifier: MIT
 *
 * cell.c: starting and stopping a node of a cell.
 *
 * The stop is a chain, each link started by the end of the one before:
 *   replicas hand over and close -> watches end -> registry closed, its child ended -> transport
 *   closed -> home unlocked, waiters told -> the process ends
 * Each has a deadline, and the whole one: CELL_STOP_MS.
 */
#include "node/cell/cell.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/uv/env_uv.h"
#include "node/cell/ask.h"
#include "node/cell/cell_private.h"
#include "node/cell/keeper.h"
#include "node/cell/upkeep.h"
#include "node/urgent.h"

#define HOUSEKEEPING_MS 1000u
#define GRACE_MS        1000u

uint64_t cell_now(const struct cell *cell)
{
    return cell->env->ops->mono_ns(cell->env);
}

int64_t cell_wall(const struct cell *cell)
{
    return (int64_t)cell->env->ops->wall_ns(cell->env);
}

bool cell_home(const char *path)
{
    return cell_file_there(path);
}

/* --- cell.json, and the log --- */

void cell_changed(struct cell *cell)
{
    cell->file_dirty = true;
}

static void save_file(struct cell *cell)
{
    struct store_error error = {""};
    if (!cell->file_dirty)
        return;
    cell->file_dirty = false;
    if (cell_file_save(cell->home.path, &cell->file, &error) != OK)
        journal("%s", error.text);
}

static void keep_house(uv_timer_t *timer)
{
    struct cell *cell = timer->data;
    save_file(cell);
    journal_rotate(&cell->home, cell->options.background);
}

static void save_state(struct cell *cell, long pid)
{
    struct home_state state = {.pid = pid};
    if (home_save_state(&cell->home, &state) != OK)
        journal("cannot write state.json");
}

/* --- the stop --- */

static void control_ended(void *ctx)
{
    struct cell *cell = ctx;
    uv_stop(&cell->loop);
}

static void transport_ended(void *ctx)
{
    struct cell *cell = ctx;
    cell->transport = NULL;
    control_stop_listening(cell->control);
    save_file(cell);
    save_state(cell, 0);
    journal("stopped");
    home_close(&cell->home);
    for (uint32_t i = 0; i < cell->waiter_count; i++)
        control_finish(cell->waiters[i], "{\"ok\":true,\"stopped\":true}");
    control_close(cell->control, GRACE_MS, control_ended, cell);
}

static void registry_ended(void *ctx)
{
    struct cell *cell = ctx;
    transport_close(cell->transport, GRACE_MS, transport_ended, cell);
}

void stop_further(struct cell *cell)
{
    upkeep_end(cell);
    members_end(cell);
    volumes_end(cell);
    keeper_close(cell, registry_ended, cell);
}

static void too_late(uv_timer_t *timer)
{
    (void)timer;
    journal("the stop did not finish in %u s; ending anyway, the next start replays the logs",
            CELL_STOP_MS / 1000);
    _exit(1);
}

void cell_stop(struct cell *cell)
{
    if (cell->stopping)
        return;
    cell->stopping = true;
    journal("stopping");
    alarm(CELL_STOP_MS / 1000 + 5); /* should the loop itself be stuck */
    INVARIANT(uv_timer_start(&cell->deadline, too_late, CELL_STOP_MS, 0) == 0);
    hosts_stop(cell);
}

static void on_signal(uv_signal_t *handle, int number)
{
    journal("signal %d", number);
    cell_stop(handle->data);
}

/* --- the start --- */

static void open_loop(struct cell *cell)
{
    INVARIANT(uv_loop_init(&cell->loop) == 0);
    INVARIANT(uv_signal_init(&cell->loop, &cell->term) == 0);
    INVARIANT(uv_signal_init(&cell->loop, &cell->interrupt) == 0);
    INVARIANT(uv_timer_init(&cell->loop, &cell->deadline) == 0);
    INVARIANT(uv_timer_init(&cell->loop, &cell->housekeeping) == 0);
    cell->term.data = cell->interrupt.data = cell->housekeeping.data = cell;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static enum err not_a_node(const struct cell *cell, struct store_error *error)
{
    snprintf(error->text, sizeof error->text,
             "%.300s belongs to a %s, not to a node: nothing has to be started there.",
             cell->options.home, cell_role_name(cell->file.role));
    return ERR_USAGE;
}

static enum err open_home(struct cell *cell, struct store_error *error)
{
    struct home_open_options options = {.path = cell->options.home, .cell = true};
    enum err err = home_open(&options, &cell->home, error);
    if (err == OK)
        err = cell_file_load(cell->home.path, &cell->file, error);
    if (err == OK && cell->file.role != ROLE_NODE)
        err = not_a_node(cell, error);
    if (err == OK)
        err = journal_open(&cell->home, cell->options.background, error);
    snprintf(cell->tls, sizeof cell->tls, "%s/tls", cell->home.path);
    return err;
}

static enum err open_transport(struct cell *cell, struct store_error *error)
{
    struct transport_options options = {.loop = &cell->loop,
                                        .dir = cell->tls,
                                        .name = "node",
                                        .self = cell->file.node,
                                        .listen = cell->file.listen,
                                        .strangers = true,
                                        .joined = inbox_joined,
                                        .lost = inbox_lost,
                                        .revoked = inbox_revoked,
                                        .ctx = cell};
    enum err err = transport_open(&options, &cell->transport, error);
    if (err == OK) {
        fence_open(&cell->fence, transport_net(cell->transport));
        cell->fence.net.ops->listen(&cell->fence.net, inbox_deliver, cell);
    }
    return err;
}

static enum err open_control(struct cell *cell, struct store_error *error)
{
    struct control_events events = {.request = ask_control, .ctx = cell};
    enum err err = control_open(&cell->loop, cell->home.fd, &events, &cell->control);
    if (err != OK)
        snprintf(error->text, sizeof error->text, "cannot make the control socket in %.300s: %s.",
                 cell->home.path, err_text(err));
    return err;
}

static enum err start(struct cell *cell, struct store_error *error)
{
    enum err err = open_home(cell, error);
    if (err == OK)
        err = env_uv_new(&cell->loop, &cell->env);
    if (err == OK)
        err = open_transport(cell, error);
    if (err == OK)
        err = keeper_open(cell, error);
    if (err == OK)
        err = open_control(cell, error);
    if (err != OK && !error->text[0])
        snprintf(error->text, sizeof error->text, "cannot start: %s.", err_text(err));
    return err;
}

/* --- what the parent process is told --- */

static void tell(const struct cell_options *options, json_t *json)
{
    char *line = json_dumps(json, JSON_COMPACT);
    if (options->ready_fd >= 0) {
        dprintf(options->ready_fd, "%s\n", line);
        close(options->ready_fd);
    }
    free(line);
    json_decref(json);
}

static void tell_failure(const struct cell_options *options, const struct store_error *error)
{
    if (options->ready_fd < 0)
        dprintf(STDERR_FILENO, "pactfs: %s\n", error->text);
    else
        journal("%s", error->text);
    tell(options, json_pack("{s:b, s:s}", "ok", 0, "error", error->text));
}

static void serve(struct cell *cell)
{
    INVARIANT(uv_signal_start(&cell->term, on_signal, SIGTERM) == 0);
    INVARIANT(uv_signal_start(&cell->interrupt, on_signal, SIGINT) == 0);
    INVARIANT(uv_timer_start(&cell->housekeeping, keep_house, HOUSEKEEPING_MS, HOUSEKEEPING_MS) ==
              0);
    cell->started_ns = cell_now(cell);
    save_state(cell, (long)getpid());
    members_begin(cell);
    hosts_load(cell);
    volumes_begin(cell);
    upkeep_begin(cell);
    journal("node %u (%s) of cell %s listens at %s", cell->file.node, cell->file.self,
            cell->file.name, transport_address(cell->transport));
    tell(&cell->options,
         json_pack("{s:b, s:I, s:I, s:s}", "ok", 1, "pid", (json_int_t)getpid(), "node",
                   (json_int_t)cell->file.node, "address", transport_address(cell->transport)));
    uv_run(&cell->loop, UV_RUN_DEFAULT);
}

int cell_run(const struct cell_options *options)
{
    struct store_error error = {""};
    struct cell *cell = calloc(1, sizeof *cell);
    INVARIANT(cell != NULL);
    cell->options = *options;
    cell->home.fd = cell->home.lock_fd = -1;
    arena_init(&cell->in);
    arena_init(&cell->out);
    urgent();
    open_loop(cell);
    if (start(cell, &error) != OK) {
        tell_failure(options, &error);
        _exit(1); /* children and connections that were begun end with the process */
    }
    serve(cell);
    /* Questions to others may be under way still; what they hold goes with the process. */
    _exit(cell->exit_code);
}
