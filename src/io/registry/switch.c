/* SPDX-License-Identifier: MIT
 *
 * switch.c: a registry whose backend can be exchanged. The law is in switch.h.
 *
 * Every read, change and watch of a user goes to the backend as one of our own, so that it is known
 * which of them are under way, and where.
 */
#include "io/registry/switch.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/registry/board.h"
#include "io/registry/copy.h"

#define NS_PER_MS UINT64_C(1000000)

static struct board *board_of(struct registry *registry)
{
    return (struct board *)registry;
}

/* --- reads and changes --- */

static struct routed *routed_new(struct board *board, void *user)
{
    struct routed *r = calloc(1, sizeof *r);
    INVARIANT(r != NULL);
    r->board = board;
    r->user = user;
    r->link = board->routed_end;
    *board->routed_end = r;
    board->routed_end = &r->next;
    return r;
}

static void routed_free(struct routed *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    else
        r->board->routed_end = r->link;
    free(r->copy);
    free(r);
}

static void read_done(struct registry_read *inner)
{
    struct routed *r = inner->ctx;
    struct registry_read *user = r->user;
    if (user) {
        user->err = inner->err;
        user->items = inner->items;
        user->count = inner->count;
        user->revision = inner->revision;
    }
    routed_free(r);
    if (user)
        user->done(user);
}

static void board_read(struct registry *registry, struct registry_read *user)
{
    struct board *board = board_of(registry);
    struct routed *r = routed_new(board, user);
    r->backend = board->backend;
    r->read = (struct registry_read){
        .key = user->key, .prefix = user->prefix, .done = read_done, .ctx = r};
    r->backend->ops->read(r->backend, &r->read);
}

static void answer_change(struct routed *r, enum err err, uint64_t revision)
{
    struct registry_change *user = r->user;
    routed_free(r);
    if (!user)
        return;
    user->err = err;
    user->revision = revision;
    user->done(user);
}

static void change_done(struct registry_change *inner)
{
    answer_change(inner->ctx, inner->err, inner->revision);
}

static void send_change(struct routed *r, const struct registry_change *change)
{
    r->backend = r->board->backend;
    r->change = *change;
    r->change.done = change_done;
    r->change.ctx = r;
    r->backend->ops->change(r->backend, &r->change);
}

static void set_timer(struct board *board);

/* Held ones are answered late only; their deadlines come in the order of the calls. */
static void on_timer(uv_timer_t *timer)
{
    struct board *board = timer->data;
    uint64_t now = uv_hrtime();
    struct routed *r = board->routed;
    while (r) {
        if (r->backend || r->until > now) {
            r = r->next;
            continue;
        }
        answer_change(r, ERR_REGISTRY, 0);
        r = board->routed; /* whoever was told may have changed the list */
    }
    set_timer(board);
}

static void set_timer(struct board *board)
{
    const struct routed *first = board->routed;
    while (first && first->backend)
        first = first->next;
    if (!first || uv_is_closing((uv_handle_t *)&board->timer))
        return;
    uint64_t now = uv_hrtime(), left = first->until > now ? first->until - now : 0;
    uv_update_time(board->loop);
    INVARIANT(uv_timer_start(&board->timer, on_timer, left / NS_PER_MS + 1, 0) == 0);
}

static void board_change(struct registry *registry, struct registry_change *user)
{
    struct board *board = board_of(registry);
    struct routed *r = routed_new(board, user);
    if (!board->holding || registry_change_fits(user) != OK) {
        send_change(r, user);
        return;
    }
    r->copy = registry_change_copy(user);
    r->until = uv_hrtime() + registry->deadline_ns;
    set_timer(board);
}

static void board_forget(struct registry *registry, const void *ctx)
{
    for (struct routed *r = board_of(registry)->routed; r; r = r->next) {
        if (!r->user)
            continue;
        const struct registry_read *read = r->user;
        const struct registry_change *change = r->user;
        if ((r->read.done ? read->ctx : change->ctx) == ctx)
            r->user = NULL;
    }
}

/* --- watches --- */

static void sweep(struct board *board)
{
    struct routed_watch **link = &board->watches;
    while (*link) {
        struct routed_watch *w = *link;
        if (w->user) {
            link = &w->next;
            continue;
        }
        *link = w->next;
        free(w);
    }
    board->watches_end = link;
}

static void watch_changed(struct registry_watch *inner, const struct registry_item *item)
{
    struct routed_watch *w = (struct routed_watch *)inner;
    w->user->changed(w->user, item);
}

static void watch_lost(struct registry_watch *inner)
{
    struct routed_watch *w = (struct routed_watch *)inner;
    if (w->user->lost)
        w->user->lost(w->user);
}

static void watch_caught_up(struct registry_watch *inner)
{
    struct routed_watch *w = (struct routed_watch *)inner;
    if (w->user->caught_up)
        w->user->caught_up(w->user);
}

static void board_watch(struct registry *registry, struct registry_watch *user)
{
    struct board *board = board_of(registry);
    struct routed_watch *w = calloc(1, sizeof *w);
    INVARIANT(w != NULL);
    w->inner = (struct registry_watch){.prefix = user->prefix,
                                       .changed = watch_changed,
                                       .lost = watch_lost,
                                       .caught_up = watch_caught_up};
    w->user = user;
    w->board = board;
    user->impl = w;
    *board->watches_end = w;
    board->watches_end = &w->next;
    board->backend->ops->watch(board->backend, &w->inner);
}

static void board_unwatch(struct registry *registry, struct registry_watch *user)
{
    struct board *board = board_of(registry);
    struct routed_watch *w = user->impl;
    INVARIANT(w && w->user == user);
    if (w->inner.impl)
        board->backend->ops->unwatch(board->backend, &w->inner);
    w->user = NULL;
    user->impl = NULL;
    if (!board->walking)
        sweep(board);
}

/* --- exchanging --- */

void board_hold(struct board *board)
{
    INVARIANT(!board->holding);
    board->holding = true;
}

void board_release(struct board *board)
{
    INVARIANT(board->holding);
    board->holding = false;
    for (struct routed *r = board->routed; r; r = r->next) {
        struct registry_change *copy = r->copy;
        if (r->backend)
            continue;
        r->copy = NULL;
        send_change(r, copy); /* which answers later, so the list stays */
        free(copy);
    }
}

void board_exchange(struct board *board, struct registry *backend)
{
    struct registry *old = board->backend;
    struct routed_watch *last = NULL;
    for (struct routed_watch *w = board->watches; w; w = w->next) {
        old->ops->unwatch(old, &w->inner);
        last = w;
    }
    board->backend = backend;
    board->registry.deadline_ns = backend->deadline_ns;
    board->registry.lease_ns = backend->lease_ns;
    board->walking = true;
    for (struct routed_watch *w = last ? board->watches : NULL; w; w = w == last ? NULL : w->next) {
        if (w->user && w->user->lost)
            w->user->lost(w->user);
        if (w->user)
            backend->ops->watch(backend, &w->inner);
    }
    board->walking = false;
    sweep(board);
}

/* --- making and closing --- */

static const struct registry_ops board_ops = {
    .read = board_read,
    .change = board_change,
    .watch = board_watch,
    .unwatch = board_unwatch,
    .forget = board_forget,
};

struct registry *registry_switch_new(uv_loop_t *loop, struct registry *backend)
{
    struct board *board = calloc(1, sizeof *board);
    INVARIANT(board != NULL && uv_timer_init(loop, &board->timer) == 0);
    board->registry = (struct registry){&board_ops, backend->deadline_ns, backend->lease_ns};
    board->loop = loop;
    board->backend = backend;
    board->routed_end = &board->routed;
    board->watches_end = &board->watches;
    board->timer.data = board;
    return &board->registry;
}

struct registry *registry_switch_backend(const struct registry *registry)
{
    return ((const struct board *)registry)->backend;
}

static void timer_closed(uv_handle_t *handle)
{
    struct board *board = handle->data;
    void (*closed)(void *ctx) = board->closed;
    void *ctx = board->closed_ctx;
    free(board);
    closed(ctx);
}

void registry_switch_close(struct registry *registry, void (*done)(void *ctx), void *ctx)
{
    struct board *board = board_of(registry);
    INVARIANT(!board->growing && !board->watches);
    while (board->routed) {
        struct routed *r = board->routed;
        if (r->backend)
            r->backend->ops->forget(r->backend, r);
        routed_free(r);
    }
    board->closed = done;
    board->closed_ctx = ctx;
    uv_close((uv_handle_t *)&board->timer, timer_closed);
}
