/* SPDX-License-Identifier: MIT
 *
 * client.c: registry.h on etcd: reads, changes, the base and the lease.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/etcd/private.h"
#include "io/registry/copy.h"

#define DEADLINE_NS UINT64_C(1000000000)
#define LEASE_NS    UINT64_C(5000000000)
#define NS_PER_S    UINT64_C(1000000000)
#define LEASE_LEAST 2u /* seconds */
#define URL_MAX     512u

/* --- reads --- */

static void read_build(struct ask *ask, struct text *body)
{
    const struct registry_read *read = ask->user;
    etcd_ask_range(body, ask->client->prefix, read ? read->key : "!", read && read->prefix);
}

static size_t bytes_of(const struct etcd_answer *answer)
{
    size_t bytes = 0;
    for (size_t i = 0; i < answer->count; i++)
        bytes += strlen(answer->items[i].key) + answer->items[i].value.len;
    return bytes;
}

static void read_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct registry_read *read = ask->user;
    if (!read)
        return;
    read->err = err ? err : bytes_of(answer) > REGISTRY_READ_MAX ? ERR_LIMIT : OK;
    read->items = NULL;
    read->count = 0;
    if (!read->err) {
        for (size_t i = 0; i < answer->count; i++)
            answer->items[i].revision += ask->client->base;
        read->items = answer->items;
        read->count = answer->count;
        read->revision = answer->revision + ask->client->base;
    }
    read->done(read);
}

static const struct ask_kind read_kind = {
    .path = "/v3/kv/range", .needs_base = true, .build = read_build, .answered = read_answered};

static void client_read(struct registry *registry, struct registry_read *read)
{
    struct client *client = client_of(registry);
    INVARIANT(!client->closing);
    bool sound = read->prefix ? registry_prefix_sound(read->key) : registry_key_sound(read->key);
    struct ask *ask = sound ? ask_begin(client, &read_kind, NULL, registry->deadline_ns)
                            : ask_refuse(client, &read_kind, NULL, ERR_LIMIT);
    ask->user = read;
}

/* --- changes --- */

/* Law E2: etcd's own revisions. */
static void change_build(struct ask *ask, struct text *body)
{
    const struct registry_change *copy = ask->ctx;
    struct registry_condition conditions[REGISTRY_CHANGES_MAX];
    struct registry_change change = *copy;
    uint64_t base = ask->client->base;
    for (size_t i = 0; i < copy->condition_count; i++) {
        conditions[i] = copy->conditions[i];
        if (conditions[i].revision > base)
            conditions[i].revision -= base;
        else if (conditions[i].revision)
            conditions[i].revision = INT64_MAX; /* from before the base: of no key any more */
    }
    change.conditions = conditions;
    etcd_ask_txn(body, ask->client->prefix, &change, ask->client->lease);
}

static void change_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct registry_change *change = ask->user;
    free(ask->ctx);
    if (!change)
        return;
    change->err = err ? err : answer->succeeded ? OK : ERR_CONFLICT;
    change->revision = err ? 0 : answer->revision + ask->client->base;
    change->done(change);
}

static const struct ask_kind change_kind = {.path = "/v3/kv/txn",
                                            .once = true,
                                            .needs_base = true,
                                            .build = change_build,
                                            .answered = change_answered};
static const struct ask_kind leased_change_kind = {.path = "/v3/kv/txn",
                                                   .once = true,
                                                   .needs_base = true,
                                                   .needs_lease = true,
                                                   .build = change_build,
                                                   .answered = change_answered};

static void client_change(struct registry *registry, struct registry_change *change)
{
    struct client *client = client_of(registry);
    bool leased = false;
    INVARIANT(!client->closing);
    enum err err = registry_change_fits(change);
    for (size_t i = 0; i < change->write_count && !err; i++)
        leased |= change->writes[i].leased;
    const struct ask_kind *kind = leased ? &leased_change_kind : &change_kind;
    struct ask *ask =
        err ? ask_refuse(client, kind, NULL, err)
            : ask_begin(client, kind, registry_change_copy(change), registry->deadline_ns);
    ask->user = change;
}

static void client_forget(struct registry *registry, const void *ctx)
{
    for (struct ask *ask = client_of(registry)->asks; ask; ask = ask->next) {
        if (!ask->user)
            continue;
        const struct registry_read *read = ask->user;
        const struct registry_change *change = ask->user;
        if ((ask->kind == &read_kind ? read->ctx : change->ctx) == ctx)
            ask->user = NULL;
    }
}

/* --- the base --- */

static void base_build(struct ask *ask, struct text *body)
{
    etcd_ask_range(body, ask->client->prefix, ETCD_BASE_KEY, false);
}

static void base_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct client *client = ask->client;
    client->base_asked = false;
    if (!err && !client->base_known) {
        client->base = answer->base;
        client->base_known = true;
    }
    asks_kick(client); /* those that still wait ask again */
}

static const struct ask_kind base_kind = {
    .path = "/v3/kv/range", .build = base_build, .answered = base_answered};

void client_want_base(struct client *client)
{
    if (!client->base_asked)
        ask_begin(client, &base_kind, NULL, client->registry.deadline_ns);
    client->base_asked = true;
}

struct base_change {
    uint64_t base;
    void (*done)(void *ctx, enum err err);
    void *ctx;
};

static void new_base_build(struct ask *ask, struct text *body)
{
    etcd_ask_base(body, ask->client->prefix, ((struct base_change *)ask->ctx)->base);
}

static void new_base_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct base_change *change = ask->ctx;
    (void)answer;
    if (!err) {
        ask->client->base = change->base;
        ask->client->base_known = true;
    }
    change->done(change->ctx, err);
    free(change);
}

static const struct ask_kind new_base_kind = {
    .path = "/v3/kv/txn", .build = new_base_build, .answered = new_base_answered};

void registry_etcd_base(struct registry *registry, uint64_t base,
                        void (*done)(void *ctx, enum err err), void *ctx)
{
    struct client *client = client_of(registry);
    struct base_change *change = malloc(sizeof *change);
    INVARIANT(change != NULL && !client->watching.started && !client->closing);
    *change = (struct base_change){base, done, ctx};
    ask_begin(client, &new_base_kind, change, registry->deadline_ns);
}

/* --- the lease --- */

static void grant_build(struct ask *ask, struct text *body)
{
    etcd_ask_grant(body, ask->client->registry.lease_ns / NS_PER_S);
}

static void grant_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct client *client = ask->client;
    client->lease_asked = false;
    if (!err)
        client->lease = answer->lease;
    asks_kick(client);
}

static const struct ask_kind grant_kind = {
    .path = "/v3/lease/grant", .build = grant_build, .answered = grant_answered};

void client_want_lease(struct client *client)
{
    if (!client->lease_asked)
        ask_begin(client, &grant_kind, NULL, client->registry.deadline_ns);
    client->lease_asked = true;
}

static void lease_build(struct ask *ask, struct text *body)
{
    etcd_ask_lease(body, ask->client->lease);
}

/* A time to live of nothing: the lease has ended, and the keys with it. */
static void keep_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    struct client *client = ask->client;
    if (!err && answer->ttl == 0 && answer->lease == client->lease)
        client->lease = 0;
}

static const struct ask_kind keep_kind = {
    .path = "/v3/lease/keepalive", .build = lease_build, .answered = keep_answered};

static void on_keep(uv_timer_t *timer)
{
    struct client *client = timer->data;
    if (client->lease && !client->closing)
        ask_begin(client, &keep_kind, NULL, client->registry.lease_ns / 3);
}

/* --- opening --- */

static bool url_sound(const char *url, size_t len)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    if (!scheme || len <= scheme || len > URL_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~' || strchr("\"\\<>^`{}|", url[i]))
            return false;
    return strchr("/:?#", url[scheme]) == NULL;
}

static void free_urls(char *const *urls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(urls[i]);
}

static enum err read_urls(const char *text, char *urls[ETCD_URLS_MAX], size_t *count,
                          struct store_error *error)
{
    *count = 0;
    for (const char *at = text ? text : ""; *at;) {
        size_t len = strcspn(at, ","), kept = len;
        while (kept && at[kept - 1] == '/')
            kept--;
        if (!url_sound(at, kept)) {
            snprintf(error->text, sizeof error->text,
                     "'%.*s' is not an address of etcd; one looks like https://10.0.0.1:4701.",
                     (int)(kept < 200 ? kept : 200), at);
            free_urls(urls, *count);
            return ERR_USAGE;
        }
        if (*count == ETCD_URLS_MAX) {
            snprintf(error->text, sizeof error->text, "More than %u addresses of etcd.",
                     ETCD_URLS_MAX);
            free_urls(urls, *count);
            return ERR_USAGE;
        }
        urls[(*count)++] = strndup(at, kept);
        at += len + (at[len] == ',');
    }
    if (*count)
        return OK;
    snprintf(error->text, sizeof error->text, "There is no address of etcd.");
    return ERR_USAGE;
}

enum err registry_etcd_urls(struct registry *registry, const char *urls, struct store_error *error)
{
    struct client *client = client_of(registry);
    char *fresh[ETCD_URLS_MAX];
    size_t count;
    enum err err = read_urls(urls, fresh, &count, error);
    if (err)
        return err;
    free_urls(client->urls, client->url_count);
    memcpy(client->urls, fresh, count * sizeof *fresh);
    client->url_count = count;
    client->current = 0;
    watching_moved(client);
    return OK;
}

const char *registry_etcd_trouble(const struct registry *registry)
{
    return ((const struct client *)registry)->trouble;
}

static const struct registry_ops etcd_ops = {
    .read = client_read,
    .change = client_change,
    .watch = client_watch,
    .unwatch = client_unwatch,
    .forget = client_forget,
};

static void open_timers(struct client *client)
{
    uv_timer_t *const timers[] = {&client->again, &client->keep};
    for (size_t i = 0; i < 2; i++) {
        INVARIANT(uv_timer_init(client->loop, timers[i]) == 0);
        timers[i]->data = client;
    }
    uint64_t ms = client->registry.lease_ns / 3 / NS_PER_MS;
    INVARIANT(uv_timer_start(&client->keep, on_keep, ms, ms) == 0);
    watching_open(client);
}

enum err registry_etcd_open(const struct registry_etcd_options *options, struct registry **out,
                            struct store_error *error)
{
    struct client *client = calloc(1, sizeof *client);
    INVARIANT(client != NULL);
    enum err err = read_urls(options->urls, client->urls, &client->url_count, error);
    if (!err) {
        err = http_open(options->loop, options->dir, &client->http, error);
        if (err)
            free_urls(client->urls, client->url_count);
    }
    if (err) {
        free(client);
        return err;
    }
    uint64_t lease = options->lease_ns ? options->lease_ns : LEASE_NS;
    uint64_t seconds = (lease + NS_PER_S - 1) / NS_PER_S;
    client->registry.ops = &etcd_ops;
    client->registry.deadline_ns = options->deadline_ns ? options->deadline_ns : DEADLINE_NS;
    client->registry.lease_ns = (seconds < LEASE_LEAST ? LEASE_LEAST : seconds) * NS_PER_S;
    client->loop = options->loop;
    client->prefix = strdup(options->prefix ? options->prefix : "");
    client->asks_end = &client->asks;
    open_timers(client);
    *out = &client->registry;
    return OK;
}

/* --- closing --- */

static void end(struct client *client)
{
    void (*closed)(void *ctx) = client->closed;
    void *ctx = client->closed_ctx;
    watching_free(client);
    free_urls(client->urls, client->url_count);
    free(client->prefix);
    free(client);
    closed(ctx);
}

static void handle_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    if (--client->handles == 0)
        end(client);
}

static void http_closed(void *ctx)
{
    struct client *client = ctx;
    uv_handle_t *const handles[] = {(uv_handle_t *)&client->again, (uv_handle_t *)&client->keep,
                                    (uv_handle_t *)&client->watching.tick,
                                    (uv_handle_t *)&client->watching.soon};
    client->handles = sizeof handles / sizeof handles[0];
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        uv_close(handles[i], handle_closed);
}

static void revoke_answered(struct ask *ask, enum err err, const struct etcd_answer *answer)
{
    (void)err; /* without an answer it ends by itself */
    (void)answer;
    http_close(ask->client->http, http_closed, ask->client);
}

static const struct ask_kind revoke_kind = {
    .path = "/v3/lease/revoke", .build = lease_build, .answered = revoke_answered};

static void drop_asks(struct client *client)
{
    while (client->asks) {
        struct ask *ask = client->asks;
        if (ask->kind == &change_kind || ask->kind == &leased_change_kind ||
            ask->kind == &new_base_kind)
            free(ask->ctx);
        ask_free(ask);
    }
}

void registry_etcd_close(struct registry *registry, void (*done)(void *ctx), void *ctx)
{
    struct client *client = client_of(registry);
    INVARIANT(!client->closing);
    client->closing = true;
    client->closed = done;
    client->closed_ctx = ctx;
    watching_stop(client);
    drop_asks(client);
    if (client->lease)
        ask_begin(client, &revoke_kind, NULL, registry->deadline_ns);
    else
        http_close(client->http, http_closed, client);
}
