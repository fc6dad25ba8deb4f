/* SPDX-License-Identifier: MIT
 *
 * ask.c: see ask.h.
 */
#include "node/cell/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/contract/nearest.h"
#include "node/cell/calls.h"
#include "node/cell/cell_private.h"
#include "node/cell/requests.h"

#define NEAREST_NAMES 256u

/* --- answers --- */

static void send_text(struct ask *ask, const char *text, bool last)
{
    if (ask->control && last) {
        control_finish(ask->control, text);
    } else if (ask->control) {
        control_send(ask->control, text);
    } else if (last && ask->peer) {
        struct message answer = {.kind = MESSAGE_ANSWER, .serial = ask->serial};
        answer.text = (struct bytes){(const uint8_t *)text, strlen(text)};
        if (answer.text.len > WIRE_TEXT_MAX) {
            static const char too_long[] =
                "{\"ok\":false,\"code\":\"LIMIT\",\"error\":\"The answer is too long.\"}";
            answer.text = (struct bytes){(const uint8_t *)too_long, sizeof too_long - 1};
        }
        cell_send(ask->cell, ask->peer, &answer);
    }
}

static void send_json(struct ask *ask, json_t *json, bool last)
{
    char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    send_text(ask, line ? line : "{\"ok\":false,\"error\":\"The answer is not valid UTF-8.\"}",
              last);
    free(line);
}

void ask_finish(struct ask *ask, json_t *answer)
{
    send_json(ask, answer, true);
    *ask->link = ask->next;
    if (ask->next)
        ask->next->link = ask->link;
    ask->cell->ask_count--;
    ask->cell->env->ops->timer_stop(ask->cell->env, &ask->timer);
    json_decref(ask->json);
    free(ask);
}

void ask_progress(struct ask *ask, json_t *line)
{
    if (ask->control)
        send_json(ask, line, false);
    else
        json_decref(line);
}

void ask_done(struct ask *ask)
{
    ask_finish(ask, json_pack("{s:b}", "ok", 1));
}

static json_t *failure(enum err code, const char *sentence)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", err_name(code), "error", sentence);
}

void ask_fail(struct ask *ask, enum err code, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    ask_finish(ask, failure(code, sentence));
}

void ask_fail_registry(struct ask *ask, enum err code)
{
    if (code == ERR_TIMEOUT)
        ask_fail(ask, code,
                 "The registry did not answer in time; the change may have been made. Look, and "
                 "ask again.");
    else if (code == ERR_REGISTRY)
        ask_fail(ask, code,
                 "The registry is not in reach, so nothing can be changed now. Volumes that are "
                 "mounted go on.");
    else if (code == ERR_CONFLICT)
        ask_fail(ask, code, "Others kept changing the same thing; ask again.");
    else
        ask_fail(ask, code, "The change was not made: %s.", err_text(code));
}

/* --- what is named --- */

const char *ask_text(struct ask *ask, const char *name, size_t most)
{
    const char *text = json_string_value(json_object_get(ask->json, name));
    if (text && text[0] && strlen(text) <= most)
        return text;
    ask_fail(ask, ERR_USAGE, "The request has no '%s', or one that is too long.", name);
    return NULL;
}

static const char *nearest_volume(const struct cell *cell, const char *name)
{
    const char *names[NEAREST_NAMES + 1];
    unsigned count = 0;
    for (const struct cell_volume *v = cell->volumes; v && count < NEAREST_NAMES; v = v->next)
        if (v->revision && !v->record.deleted)
            names[count++] = v->record.name;
    names[count] = NULL;
    return nearest_word(name, names);
}

struct cell_volume *ask_volume(struct ask *ask)
{
    struct cell *cell = ask->cell;
    const char *name = ask_text(ask, "volume", RECORD_NAME_MAX);
    struct cell_volume *volume = name ? volume_named(cell, name) : NULL;
    if (volume || !name)
        return volume;
    const char *near = nearest_volume(cell, name);
    if (!cell->volumes_known)
        ask_fail(ask, ERR_REGISTRY,
                 "This node has not heard from the registry, and does not know a volume '%s'.",
                 name);
    else if (near)
        ask_fail(ask, ERR_NO_VOLUME, "There is no volume '%s'; did you mean '%s'?", name, near);
    else
        ask_fail(ask, ERR_NO_VOLUME, "There is no volume '%s'. See: pactfs volume list", name);
    return NULL;
}

struct cell_node *ask_node(struct ask *ask, const char *name)
{
    char digits[24];
    const json_t *value = json_object_get(ask->json, name);
    snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(value));
    const char *text = json_is_integer(value) ? digits : json_string_value(value);
    struct cell_node *node = text ? member_named(ask->cell, text) : NULL;
    if (!text)
        ask_fail(ask, ERR_USAGE, "The request names no node ('%s').", name);
    else if (!node)
        ask_fail(ask, ERR_NOENT, "There is no node '%.80s'. See: pactfs nodes", text);
    return node;
}

/* --- forwarding --- */

static void forwarded(void *ctx, enum err err, json_t *answer)
{
    struct ask *ask = ctx;
    if (err == OK)
        ask_finish(ask, json_incref(answer));
    else
        ask_fail(ask, err, "The node that has to do it did not answer: %s.", err_text(err));
}

void ask_forward(struct ask *ask, uint32_t to, uint32_t timeout_ms)
{
    call_node(ask->cell, to,
              &(struct call_options){.json = json_incref(ask->json),
                                     .timeout_ms = timeout_ms,
                                     .done = forwarded,
                                     .ctx = ask});
}

/* --- questions --- */

static uint32_t asked_by(const struct cell *cell, uint32_t peer)
{
    uint32_t count = 0;
    for (const struct ask *ask = cell->asks; ask; ask = ask->next)
        if (!ask->control && ask->peer == peer)
            count++;
    return count;
}

/* Where an answer goes; the rest is filled by `begin`. */
static struct ask *begin(const struct ask *who)
{
    struct cell *cell = who->cell;
    struct ask *ask = malloc(sizeof *ask);
    INVARIANT(ask != NULL);
    *ask = *who;
    ask->next = cell->asks;
    ask->link = &cell->asks;
    if (ask->next)
        ask->next->link = &ask->next;
    ask->began_ns = cell_now(cell);
    cell->asks = ask;
    cell->ask_count++;
    return ask;
}

static void run(struct ask *ask, const char *text, size_t len)
{
    struct cell *cell = ask->cell;
    json_error_t fault;
    ask->json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
    ask->request = json_string_value(json_object_get(ask->json, "request"));
    bool guest = !ask->control && ask->role != GATE_NODE;
    if (cell->ask_count > CELL_ASKS_MAX || (guest && asked_by(cell, ask->peer) > CELL_GUEST_ASKS)) {
        cell->refused.full++;
        ask_fail(ask, ERR_BUSY, "Too many questions at once; ask again.");
    } else if (!ask->request) {
        ask_fail(ask, ERR_DECODE, "The request is not a JSON object with a 'request'.");
    } else {
        request_run(ask);
    }
}

void ask_control(void *ctx, struct control_peer *peer, char *line, size_t len)
{
    struct cell *cell = ctx;
    struct ask who = {.cell = cell, .role = GATE_NODE, .control = peer};
    run(begin(&who), line, len);
}

void ask_peer(struct cell *cell, uint32_t peer, enum gate_role role, const struct message *message)
{
    struct ask who = {.cell = cell, .role = role, .peer = peer, .serial = message->serial};
    run(begin(&who), (const char *)message->text.data, message->text.len);
}

void asks_lost(struct cell *cell, uint32_t peer)
{
    for (struct ask *ask = cell->asks; ask; ask = ask->next)
        if (!ask->control && ask->peer == peer && peer >= TRANSPORT_GUESTS)
            ask->peer = 0;
}
