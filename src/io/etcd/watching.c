/* SPDX-License-Identifier: MIT
 *
 * watching.c: watches on etcd: one stream over all keys, and a mirror of them.
 *
 * Law
 *   S1  The mirror is the registry as of `revision`. It is read whole, then follows the stream,
 *       which begins at `revision` + 1 again wherever it broke. (The events of one revision come
 *       together.)
 *   S2  A watch is told what the mirror has, then what changes the mirror: in the order of
 *       revisions (Y4).
 *   S3  When etcd has forgotten the revisions behind ours, all watches are told `lost`, and the
 *       mirror is read anew.
 *   S4  A stream is trusted as long as its endpoint answers a read that needs the leader, every
 *       half deadline; else it is asked for at the next endpoint.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/etcd/private.h"
#include "io/registry/copy.h"

#define CREATED_TICKS 2u  /* the stream has to be there by then */
#define AGAIN_MS      50u /* after a stream broke */

static void sync_begin(struct client *client);
static void stream_begin(struct client *client);

/* --- the mirror --- */

static void entry_clear(struct entry *entry)
{
    free(entry->key);
    free(entry->value);
}

static void mirror_clear(struct watching *w)
{
    for (size_t i = 0; i < w->count; i++)
        entry_clear(&w->mirror[i]);
    w->count = 0;
}

/* The place of a key, or where it would be. */
static size_t mirror_find(const struct watching *w, const char *key, bool *there)
{
    size_t low = 0, high = w->count;
    *there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(w->mirror[middle].key, key);
        if (order == 0)
            *there = true;
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void mirror_put(struct watching *w, const struct registry_item *item)
{
    bool there;
    size_t at = mirror_find(w, item->key, &there);
    if (w->count == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        w->mirror = realloc(w->mirror, w->room * sizeof *w->mirror);
        INVARIANT(w->mirror != NULL);
    }
    struct entry *entry = &w->mirror[at];
    if (there) {
        entry_clear(entry);
    } else {
        memmove(entry + 1, entry, (w->count - at) * sizeof *entry);
        w->count++;
    }
    entry->key = strdup(item->key);
    entry->value = malloc(item->value.len + 1);
    INVARIANT(entry->key != NULL && entry->value != NULL);
    memcpy(entry->value, item->value.data, item->value.len);
    entry->len = item->value.len;
    entry->revision = item->revision;
}

static void mirror_remove(struct watching *w, const char *key)
{
    bool there;
    size_t at = mirror_find(w, key, &there);
    if (!there)
        return;
    entry_clear(&w->mirror[at]);
    w->count--;
    memmove(&w->mirror[at], &w->mirror[at + 1], (w->count - at) * sizeof *w->mirror);
}

/* --- telling --- */

static void sweep(struct watching *w)
{
    struct seen **link = &w->first;
    while (*link) {
        struct seen *seen = *link;
        if (seen->user) {
            link = &seen->next;
            continue;
        }
        *link = seen->next;
        free(seen);
    }
    w->end = link;
}

/* What the mirror has. It does not change meanwhile: only answers change it. */
static void first_look(struct client *client, struct seen *seen)
{
    const struct watching *w = &client->watching;
    seen->looked = true;
    for (size_t i = 0; i < w->count && seen->user; i++) {
        const struct entry *entry = &w->mirror[i];
        const struct registry_item item = {
            entry->key, {entry->value, entry->len}, entry->revision + client->base};
        if (registry_key_begins(entry->key, seen->user->prefix))
            seen->user->changed(seen->user, &item);
    }
    if (seen->user && seen->user->caught_up)
        seen->user->caught_up(seen->user);
}

static void first_looks(struct client *client)
{
    struct watching *w = &client->watching;
    w->telling = true;
    for (struct seen *seen = w->first; seen && w->synced; seen = seen->next)
        if (seen->user && !seen->looked)
            first_look(client, seen);
    w->telling = false;
    sweep(w);
}

static void tell(struct client *client, const struct registry_item *item)
{
    struct watching *w = &client->watching;
    struct registry_item told = *item;
    told.revision += client->base;
    w->telling = true;
    for (struct seen *seen = w->first; seen; seen = seen->next)
        if (seen->user && seen->looked && registry_key_begins(item->key, seen->user->prefix))
            seen->user->changed(seen->user, &told);
    w->telling = false;
    sweep(w);
}

/* S3. */
static void tell_lost(struct client *client)
{
    struct watching *w = &client->watching;
    w->telling = true;
    for (struct seen *seen = w->first; seen; seen = seen->next) {
        if (seen->user && seen->looked && seen->user->lost)
            seen->user->lost(seen->user);
        seen->looked = false;
    }
    w->telling = false;
    sweep(w);
}

/* --- reading everything --- */

static void sync_build(struct ask *ask, struct text *body)
{
    etcd_ask_range(body, ask->client->prefix, "", true);
}

static void sync_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct client *client = ask->client;
    struct watching *w = &client->watching;
    w->syncing = false;
    if (err) /* the next tick tries again */
        return;
    mirror_clear(w);
    for (size_t i = 0; i < answer->count; i++)
        mirror_put(w, &answer->items[i]);
    w->revision = answer->revision;
    w->synced = true;
    stream_begin(client);
    first_looks(client);
}

static const struct ask_kind sync_kind = {
    .path = "/v3/kv/range", .needs_base = true, .build = sync_build, .answered = sync_answered};

static void sync_begin(struct client *client)
{
    struct watching *w = &client->watching;
    if (!w->syncing)
        ask_begin(client, &sync_kind, NULL, client->registry.deadline_ns);
    w->syncing = true;
}

/* --- the stream --- */

static void stream_drop(struct client *client)
{
    struct watching *w = &client->watching;
    if (w->streaming)
        http_cancel(client->http, &w->stream);
    w->streaming = w->created = false;
}

static void on_tick(uv_timer_t *timer);

static uint64_t tick_ms(const struct client *client)
{
    uint64_t ms = client->registry.deadline_ns / 2 / NS_PER_MS;
    return ms ? ms : 1;
}

static void stream_failed(struct client *client, const char *why)
{
    struct watching *w = &client->watching;
    stream_drop(client);
    client_rotate(client, w->at, why);
    INVARIANT(uv_timer_start(&w->tick, on_tick, AGAIN_MS, tick_ms(client)) == 0);
}

static void take_events(struct client *client, const struct etcd_answer *answer)
{
    struct watching *w = &client->watching;
    for (size_t i = 0; i < answer->count; i++) /* before anybody can begin another stream */
        if (answer->items[i].revision > w->revision)
            w->revision = answer->items[i].revision;
    for (size_t i = 0; i < answer->count && !client->closing; i++) {
        const struct registry_item *item = &answer->items[i];
        if (item->value.data)
            mirror_put(w, item);
        else
            mirror_remove(w, item->key);
        tell(client, item);
    }
}

/* One message of the stream. A message without events says that there are none up to its revision,
 * but for the first one. */
static void take_message(struct client *client, const struct etcd_answer *answer)
{
    struct watching *w = &client->watching;
    if (answer->error) {
        stream_failed(client, answer->error);
    } else if (answer->canceled && answer->compact_revision) {
        stream_drop(client);
        w->synced = false;
        tell_lost(client);
        if (!client->closing)
            sync_begin(client);
    } else if (answer->canceled) {
        stream_failed(client, "the watch was ended");
    } else if (answer->created) {
        w->created = true;
    } else if (answer->count) {
        take_events(client, answer);
    } else if (answer->revision > w->revision) {
        w->revision = answer->revision;
    }
}

static void take_line(struct client *client, const char *line, size_t len)
{
    struct etcd_answer answer;
    struct arena arena;
    arena_init(&arena);
    if (etcd_answer_read(line, len, client->prefix, &arena, &answer) != OK)
        stream_failed(client, "answers what etcd would not");
    else
        take_message(client, &answer);
    arena_free(&arena);
}

/* Lines are taken out of the answer first: whoever is told may end all this. */
static void on_part(struct http_call *call)
{
    struct client *client = call->ctx;
    struct watching *w = &client->watching;
    struct text lines = call->answer;
    size_t at = 0, whole = lines.len;
    unsigned stream = w->streams;
    while (whole > 0 && lines.data[whole - 1] != '\n')
        whole--;
    call->answer = (struct text){0};
    if (whole < lines.len)
        text_add_bytes(&call->answer, lines.data + whole, lines.len - whole);
    while (at < whole && w->streaming && w->streams == stream) {
        const char *line = lines.data + at;
        size_t len = (size_t)((const char *)memchr(line, '\n', whole - at) - line);
        take_line(client, line, len);
        at += len + 1;
    }
    text_free(&lines);
}

static void on_end(struct http_call *call)
{
    struct client *client = call->ctx;
    client->watching.streaming = false;
    stream_failed(client, call->outcome == HTTP_ANSWERED ? "the watch has ended" : call->why);
}

static void stream_begin(struct client *client)
{
    struct watching *w = &client->watching;
    if (w->streaming || !w->synced)
        return;
    w->at = client->current;
    w->ticks = 0;
    w->created = false;
    w->streaming = true;
    w->streams++;
    text_clear(&w->url);
    text_clear(&w->body);
    text_add(&w->url, "%s/v3/watch", client->urls[w->at]);
    etcd_ask_watch(&w->body, client->prefix, w->revision + 1);
    w->stream = (struct http_call){.url = text_string(&w->url),
                                   .body = text_string(&w->body),
                                   .connect_ms = client_share_ms(client),
                                   .part = on_part,
                                   .done = on_end,
                                   .ctx = client};
    http_begin(client->http, &w->stream);
}

/* --- S4 --- */

static void probe_build(struct ask *ask, struct text *body)
{
    etcd_ask_probe(body, ask->client->prefix);
}

static void probe_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct client *client = ask->client;
    struct watching *w = &client->watching;
    (void)answer;
    w->probing = false;
    if (err && w->streaming && w->at == (size_t)ask->pinned) {
        stream_failed(client, "is not in touch");
        stream_begin(client);
    }
}

static const struct ask_kind probe_kind = {
    .path = "/v3/kv/range", .build = probe_build, .answered = probe_answered};

static void on_tick(uv_timer_t *timer)
{
    struct client *client = timer->data;
    struct watching *w = &client->watching;
    if (!w->synced) {
        sync_begin(client);
        return;
    }
    if (w->streaming && !w->created && ++w->ticks > CREATED_TICKS)
        stream_failed(client, "does not begin a watch");
    stream_begin(client);
    if (w->created && !w->probing) {
        w->probing = true;
        ask_pinned(client, &probe_kind, w->at, client->registry.deadline_ns / 2);
    }
}

/* --- watches --- */

static void on_soon(uv_timer_t *timer)
{
    first_looks(timer->data);
}

void client_watch(struct registry *registry, struct registry_watch *watch)
{
    struct client *client = client_of(registry);
    struct watching *w = &client->watching;
    struct seen *seen = calloc(1, sizeof *seen);
    INVARIANT(seen != NULL && registry_prefix_sound(watch->prefix) && !client->closing);
    seen->user = watch;
    watch->impl = seen;
    *w->end = seen;
    w->end = &seen->next;
    if (!w->started) {
        w->started = true;
        INVARIANT(uv_timer_start(&w->tick, on_tick, 0, tick_ms(client)) == 0);
    }
    INVARIANT(uv_timer_start(&w->soon, on_soon, 0, 0) == 0);
}

void client_unwatch(struct registry *registry, struct registry_watch *watch)
{
    struct watching *w = &client_of(registry)->watching;
    struct seen *seen = watch->impl;
    INVARIANT(seen && seen->user == watch);
    seen->user = NULL;
    watch->impl = NULL;
    if (!w->telling)
        sweep(w);
}

void watching_moved(struct client *client)
{
    stream_drop(client);
    stream_begin(client);
}

void watching_open(struct client *client)
{
    struct watching *w = &client->watching;
    uv_timer_t *const timers[] = {&w->tick, &w->soon};
    w->end = &w->first;
    for (size_t i = 0; i < 2; i++) {
        INVARIANT(uv_timer_init(client->loop, timers[i]) == 0);
        timers[i]->data = client;
    }
}

void watching_stop(struct client *client)
{
    struct watching *w = &client->watching;
    stream_drop(client);
    w->synced = false;
    uv_timer_stop(&w->tick);
    uv_timer_stop(&w->soon);
}

void watching_free(struct client *client)
{
    struct watching *w = &client->watching;
    sweep(w);
    INVARIANT(!w->first);
    mirror_clear(w);
    free(w->mirror);
    text_free(&w->url);
    text_free(&w->body);
}
