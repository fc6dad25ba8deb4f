/* SPDX-License-Identifier: MIT
 *
 * calls.c: see calls.h.
 */
#include "node/cell/calls.h"

#include <stdlib.h>
#include <string.h>

#include "node/cell/cell_private.h"

struct call {
    struct env_timer timer; /* first: its deadline, or its end when it could not be sent */
    struct cell *cell;
    struct call *next;
    struct call_options options;
    uint64_t serial;
    uint32_t to;
    enum err outcome;
};

static void finish(struct call *call, enum err err, json_t *answer)
{
    struct cell *cell = call->cell;
    struct call **link = &cell->calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    cell->call_count--;
    cell->env->ops->timer_stop(cell->env, &call->timer);
    call->options.done(call->options.ctx, err, answer);
    free(call);
}

static void too_late(struct env_timer *timer)
{
    struct call *call = (struct call *)timer;
    finish(call, call->outcome, NULL);
}

static enum err send_call(struct call *call)
{
    struct cell *cell = call->cell;
    struct message message = {.kind = MESSAGE_CALL, .serial = call->serial};
    char *text = json_dumps(call->options.json, JSON_COMPACT);
    if (!text)
        return ERR_DECODE;
    enum err err = ERR_LIMIT;
    message.text = (struct bytes){(const uint8_t *)text, strlen(text)};
    arena_reset(&cell->out);
    if (message.text.len <= WIRE_TEXT_MAX && cell->call_count <= CELL_CALLS_MAX)
        err = wire_send(&cell->fence.net, call->to, &message, NULL, 0, &cell->out);
    free(text);
    return err;
}

void call_node(struct cell *cell, uint32_t to, const struct call_options *options)
{
    struct call *call = calloc(1, sizeof *call);
    INVARIANT(call != NULL);
    call->cell = cell;
    call->options = *options;
    call->serial = ++cell->call_serial;
    call->to = to;
    call->next = cell->calls;
    cell->calls = call;
    cell->call_count++;
    enum err err = send_call(call);
    json_decref(call->options.json);
    call->outcome = err == OK ? ERR_TIMEOUT : err;
    call->timer.fire = too_late;
    cell->env->ops->timer_start(cell->env, &call->timer,
                                err == OK ? options->timeout_ms * CELL_MS : 0);
}

void calls_answered(struct cell *cell, uint32_t from, const struct message *message)
{
    struct call *call = cell->calls;
    while (call && (call->serial != message->serial || call->to != from))
        call = call->next;
    if (!call)
        return; /* too late, or never asked */
    json_t *answer = json_loadb((const char *)message->text.data, message->text.len, 0, NULL);
    finish(call, json_is_object(answer) ? OK : ERR_DECODE, answer);
    json_decref(answer);
}

void calls_lost(struct cell *cell, uint32_t peer)
{
    for (struct call *call = cell->calls; call; call = call->next)
        if (call->to == peer) {
            call->outcome = ERR_UNREACHABLE;
            cell->env->ops->timer_start(cell->env, &call->timer, 0);
        }
}
