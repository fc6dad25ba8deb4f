/* SPDX-License-Identifier: MIT
 *
 * ask.c: one request, tried at one endpoint after another until it is answered or its time is up.
 *
 * Law
 *   A1  What is marked `once` is not tried again after any of it may have reached an etcd, but when
 *       that one said that it did not make the change.
 *   A2  TIMEOUT when it may have been received, REGISTRY when not.
 *   A3  An endpoint that failed is left, for all asks; the one that answered last is stayed with.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/etcd/private.h"

/* gRPC's codes */
#define CODE_INVALID_ARGUMENT 3
#define CODE_NOT_FOUND        5
#define CODE_PERMISSION       7
#define CODE_EXHAUSTED        8
#define CODE_PRECONDITION     9
#define CODE_UNIMPLEMENTED    12
#define CODE_UNAUTHENTICATED  16

static void ask_try(struct ask *ask);
static bool ready(const struct ask *ask);
static void set_again(struct client *client);

static uint64_t time_left(const struct ask *ask)
{
    uint64_t now = uv_hrtime();
    return ask->until > now ? ask->until - now : 0;
}

/* --- endpoints --- */

uint32_t client_share_ms(const struct client *client)
{
    uint64_t share = client->registry.deadline_ns / (client->url_count + 1) / NS_PER_MS;
    return share < 50 ? 50 : (uint32_t)share;
}

static void note_trouble(struct client *client, size_t at, const char *why)
{
    const char *url = at < client->url_count ? client->urls[at] : "etcd";
    snprintf(client->trouble, sizeof client->trouble, "%.200s: %.200s", url, why);
}

/* A3. */
void client_rotate(struct client *client, size_t from, const char *why)
{
    note_trouble(client, from, why);
    if (client->current == from || client->current >= client->url_count)
        client->current = (from + 1) % client->url_count;
}

void client_good(struct client *client, size_t at)
{
    if (at < client->url_count)
        client->current = at;
    client->trouble[0] = 0;
}

/* --- asks --- */

static void unlink_ask(struct ask *ask)
{
    *ask->link = ask->next;
    if (ask->next)
        ask->next->link = ask->link;
    else
        ask->client->asks_end = ask->link;
}

static void release(struct ask *ask)
{
    text_free(&ask->url);
    text_free(&ask->body);
    free(ask);
}

void ask_free(struct ask *ask)
{
    if (ask->under_way)
        http_cancel(ask->client->http, &ask->call);
    unlink_ask(ask);
    release(ask);
}

/* Who is told may close the client, which frees all asks. */
static void finish(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    unlink_ask(ask);
    ask->kind->answered(ask, err, answer);
    release(ask);
}

static void hold(struct ask *ask, uint64_t ns)
{
    ask->held_until = uv_hrtime() + ns;
    set_again(ask->client);
}

/* Elsewhere, as long as there is time; with a pause when all have been tried. */
static void try_again(struct ask *ask)
{
    if (ask->pinned != NO_PIN || time_left(ask) == 0)
        finish(ask, ask->maybe ? ERR_TIMEOUT : ERR_REGISTRY, NULL);
    else if (ask->tries % ask->client->url_count == 0)
        hold(ask, RETRY_NS);
    else if (ready(ask)) /* the lease may have ended meanwhile */
        ask_try(ask);
    else
        hold(ask, time_left(ask));
}

/* etcd said that it did not do what it was asked for. */
static bool surely_not(const struct etcd_answer *answer)
{
    switch (answer->code) {
    case CODE_INVALID_ARGUMENT:
    case CODE_NOT_FOUND:
    case CODE_PERMISSION:
    case CODE_EXHAUSTED:
    case CODE_PRECONDITION:
    case CODE_UNIMPLEMENTED:
    case CODE_UNAUTHENTICATED:
        return true;
    default: /* there is no leader to propose it to */
        return strstr(answer->error, "proposal dropped") != NULL;
    }
}

static bool later(const struct etcd_answer *answer)
{
    return strstr(answer->error, "proposal dropped") || strstr(answer->error, "too many requests");
}

static void refused(struct ask *ask, const struct etcd_answer *answer)
{
    struct client *client = ask->client;
    note_trouble(client, ask->at, answer->error);
    if (surely_not(answer) && ask->kind->needs_lease && answer->code == CODE_NOT_FOUND) {
        client->lease = 0; /* it was not heard of for too long: another one */
        try_again(ask);
    } else if (surely_not(answer) && later(answer)) {
        try_again(ask);
    } else if (surely_not(answer)) {
        finish(ask, strstr(answer->error, "too large") ? ERR_LIMIT : ERR_REGISTRY, answer);
    } else {
        client_rotate(client, ask->at, answer->error);
        ask->maybe = true;
        if (ask->kind->once)
            finish(ask, ERR_TIMEOUT, answer);
        else
            try_again(ask);
    }
}

static void not_answered(struct ask *ask)
{
    client_rotate(ask->client, ask->at, ask->call.why);
    if (ask->call.outcome != HTTP_NOT_SENT)
        ask->maybe = true;
    if (ask->maybe && ask->kind->once)
        finish(ask, ERR_TIMEOUT, NULL);
    else
        try_again(ask);
}

static void on_done(struct http_call *call)
{
    struct ask *ask = call->ctx;
    struct client *client = ask->client;
    struct etcd_answer answer;
    struct arena arena;
    ask->under_way = false;
    if (call->outcome == HTTP_TOO_LONG) {
        finish(ask, ask->kind->once ? ERR_TIMEOUT : ERR_LIMIT, NULL);
        return;
    }
    arena_init(&arena);
    if (call->outcome == HTTP_ANSWERED &&
        etcd_answer_read(text_string(&call->answer), call->answer.len, client->prefix, &arena,
                         &answer) != OK) {
        call->outcome = HTTP_BROKEN;
        snprintf(call->why, sizeof call->why, "answers what etcd would not (HTTP %ld)",
                 call->status);
    }
    if (call->outcome != HTTP_ANSWERED) {
        not_answered(ask);
    } else if (answer.error) {
        refused(ask, &answer);
    } else {
        client_good(client, ask->at);
        finish(ask, OK, &answer);
    }
    arena_free(&arena);
}

/* --- trying --- */

static bool ready(const struct ask *ask)
{
    struct client *client = ask->client;
    if (ask->kind->needs_base && !client->base_known) {
        client_want_base(client);
        return false;
    }
    if (ask->kind->needs_lease && !client->lease) {
        client_want_lease(client);
        return false;
    }
    return true;
}

static void ask_try(struct ask *ask)
{
    struct client *client = ask->client;
    uint32_t left = (uint32_t)(time_left(ask) / NS_PER_MS) + 1, share = client_share_ms(client);
    ask->at = ask->pinned == NO_PIN ? client->current : (size_t)ask->pinned % client->url_count;
    ask->tries++;
    text_clear(&ask->url);
    text_clear(&ask->body);
    text_add(&ask->url, "%s%s", client->urls[ask->at], ask->kind->path);
    ask->kind->build(ask, &ask->body);
    bool all = ask->kind->once || ask->pinned != NO_PIN; /* its time at one endpoint */
    ask->call = (struct http_call){
        .url = text_string(&ask->url),
        .body = text_string(&ask->body),
        .once = ask->kind->once,
        .connect_ms = share < left ? share : left,
        .timeout_ms = all || left < share ? left : share,
        .done = on_done,
        .ctx = ask,
    };
    ask->under_way = true;
    http_begin(client->http, &ask->call);
}

/* One held ask whose time has come; those before it in the list may be gone after each. */
static bool look_at_one(struct client *client, uint64_t now)
{
    for (struct ask *ask = client->asks; ask; ask = ask->next) {
        if (ask->under_way || (ask->held_until > now && ask->until > now))
            continue;
        if (ask->verdict) {
            finish(ask, ask->verdict, NULL);
        } else if (ask->until <= now) {
            finish(ask, ask->maybe ? ERR_TIMEOUT : ERR_REGISTRY, NULL);
        } else if (ready(ask)) {
            ask_try(ask);
        } else {
            ask->held_until = ask->until;
        }
        return true;
    }
    return false;
}

static void on_again(uv_timer_t *timer)
{
    struct client *client = timer->data;
    uint64_t now = uv_hrtime();
    while (look_at_one(client, now))
        ;
    set_again(client);
}

static void set_again(struct client *client)
{
    uint64_t next = UINT64_MAX, now = uv_hrtime();
    for (const struct ask *ask = client->asks; ask; ask = ask->next) {
        uint64_t at = ask->held_until < ask->until ? ask->held_until : ask->until;
        if (!ask->under_way && at < next)
            next = at;
    }
    if (next == UINT64_MAX || uv_is_closing((uv_handle_t *)&client->again)) {
        uv_timer_stop(&client->again);
        return;
    }
    uint64_t ms = next > now ? (next - now + NS_PER_MS - 1) / NS_PER_MS : 0;
    uv_update_time(client->loop);
    INVARIANT(uv_timer_start(&client->again, on_again, ms, 0) == 0);
}

void asks_kick(struct client *client)
{
    for (struct ask *ask = client->asks; ask; ask = ask->next)
        if (!ask->under_way && (ask->kind->needs_base || ask->kind->needs_lease))
            ask->held_until = 0;
    set_again(client);
}

/* --- beginning --- */

static struct ask *ask_new(struct client *client, const struct ask_kind *kind, void *ctx,
                           uint64_t deadline_ns)
{
    struct ask *ask = calloc(1, sizeof *ask);
    INVARIANT(ask != NULL);
    ask->kind = kind;
    ask->client = client;
    ask->ctx = ctx;
    ask->pinned = NO_PIN;
    ask->until = uv_hrtime() + deadline_ns;
    ask->link = client->asks_end;
    *client->asks_end = ask;
    client->asks_end = &ask->next;
    return ask;
}

struct ask *ask_begin(struct client *client, const struct ask_kind *kind, void *ctx,
                      uint64_t deadline_ns)
{
    struct ask *ask = ask_new(client, kind, ctx, deadline_ns);
    hold(ask, 0);
    return ask;
}

struct ask *ask_refuse(struct client *client, const struct ask_kind *kind, void *ctx,
                       enum err verdict)
{
    struct ask *ask = ask_new(client, kind, ctx, client->registry.deadline_ns);
    ask->verdict = verdict;
    hold(ask, 0);
    return ask;
}

struct ask *ask_pinned(struct client *client, const struct ask_kind *kind, size_t at,
                       uint64_t deadline_ns)
{
    struct ask *ask = ask_new(client, kind, NULL, deadline_ns);
    ask->pinned = (int)at;
    hold(ask, 0);
    return ask;
}
