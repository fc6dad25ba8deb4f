/* SPDX-License-Identifier: MIT
 *
 * embedded.c: the embedded registry: queues and watches on the loop, around db.c.
 *
 * Definitions
 *   pending   a change that was not answered yet, or was answered TIMEOUT while a worker has it
 *   batch     the changes that a worker has; those that come meanwhile make the next one
 *   soon      the next turn of the loop: reads, first looks of watches, and answers that are known
 *             at once wait for it (Y2)
 *
 * Law
 *   B1  One worker at a time. It owns the batch's copies of changes until it is done.
 *   B2  Changes are made, told to watches and answered in the order in which they came.
 *   B3  A watch looks first at what is there, and remembers the revision of that look; what is not
 *       newer is not told again.
 */
#include "io/registry/embedded.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/registry/copy.h"
#include "io/registry/db.h"

#define DEADLINE_NS UINT64_C(5000000000)
#define LEASE_NS    UINT64_C(5000000000)
#define NS_PER_MS   1000000u

struct pending {
    struct db_change db;          /* first: the batch is a list of these */
    struct registry_change *user; /* NULL: answered, or forgotten */
    uint64_t until;               /* uv_hrtime */
};

struct seen {                    /* a watch */
    struct registry_watch *user; /* NULL: ended */
    uint64_t revision;
    bool looked;
    struct seen *next;
};

struct waiting_read {
    struct registry_read *user;
    struct waiting_read *next;
};

enum work { WORK_NONE, WORK_CHANGES, WORK_SEAL, WORK_DROP_LEASED };

struct embedded {
    struct registry registry; /* first */
    uv_loop_t *loop;
    struct registry_db *db;
    uv_timer_t soon, deadline;
    uv_work_t request;
    enum work work;   /* what the worker does */
    enum err outcome; /* of WORK_SEAL and WORK_DROP_LEASED */
    struct pending *batch;
    struct pending *queue, **queue_end;
    struct pending *refused, **refused_end; /* to be answered soon: the answer is in the copy */
    struct waiting_read *reads, **reads_end;
    struct seen *watches, **watches_end;
    bool telling; /* a walk over `watches` is under way */
    bool frozen, seal_wanted, closing;
    unsigned handles;
    void (*frozen_done)(void *ctx, const struct registry_all *all);
    void (*seal_done)(void *ctx, enum err err);
    void (*close_done)(void *ctx);
    void *ctx; /* of the three: one at a time */
};

static void work_next(struct embedded *e);
static void on_soon(uv_timer_t *timer);

static struct embedded *embedded_of(struct registry *registry)
{
    return (struct embedded *)registry;
}

static void wake_soon(struct embedded *e)
{
    INVARIANT(uv_timer_start(&e->soon, on_soon, 0, 0) == 0);
}

/* --- watches --- */

static void sweep(struct embedded *e)
{
    struct seen **link = &e->watches;
    while (*link) {
        struct seen *seen = *link;
        if (seen->user) {
            link = &seen->next;
            continue;
        }
        *link = seen->next;
        free(seen);
    }
    e->watches_end = link;
}

/* B3. */
static void first_look(struct embedded *e, struct seen *seen)
{
    struct db_items items;
    enum err err = registry_db_read(e->db, seen->user->prefix, true, &items);
    if (err) { /* a damaged disk: tried again with the next turn */
        registry_db_done(e->db, &items);
        return;
    }
    seen->looked = true;
    seen->revision = items.revision;
    for (size_t i = 0; i < items.count && seen->user; i++)
        seen->user->changed(seen->user, &items.items[i]);
    registry_db_done(e->db, &items);
    if (seen->user && seen->user->caught_up)
        seen->user->caught_up(seen->user);
}

static void first_looks(struct embedded *e)
{
    e->telling = true;
    for (struct seen *seen = e->watches; seen; seen = seen->next)
        if (seen->user && !seen->looked)
            first_look(e, seen);
    e->telling = false;
    sweep(e);
}

static void tell_write(struct embedded *e, const struct registry_write *write, uint64_t revision)
{
    const struct registry_item item = {write->key, write->value, revision};
    for (struct seen *seen = e->watches; seen; seen = seen->next)
        if (seen->user && seen->looked && seen->revision < revision &&
            registry_key_begins(write->key, seen->user->prefix))
            seen->user->changed(seen->user, &item);
}

static void tell(struct embedded *e, const struct registry_change *change)
{
    e->telling = true;
    for (size_t i = 0; i < change->write_count; i++)
        if (change->writes[i].key)
            tell_write(e, &change->writes[i], change->revision);
    e->telling = false;
    sweep(e);
}

static void watch(struct registry *registry, struct registry_watch *user)
{
    struct embedded *e = embedded_of(registry);
    struct seen *seen = calloc(1, sizeof *seen);
    INVARIANT(seen != NULL && registry_prefix_sound(user->prefix) && !e->closing);
    seen->user = user;
    user->impl = seen;
    *e->watches_end = seen;
    e->watches_end = &seen->next;
    wake_soon(e);
}

static void unwatch(struct registry *registry, struct registry_watch *user)
{
    struct embedded *e = embedded_of(registry);
    struct seen *seen = user->impl;
    INVARIANT(seen && seen->user == user);
    seen->user = NULL;
    user->impl = NULL;
    if (!e->telling)
        sweep(e);
}

/* --- reads --- */

static void answer_read(struct embedded *e, struct registry_read *user)
{
    struct db_items items = {0};
    user->err = ERR_LIMIT;
    if (user->prefix ? registry_prefix_sound(user->key) : registry_key_sound(user->key))
        user->err = registry_db_read(e->db, user->key, user->prefix, &items);
    user->items = items.items;
    user->count = items.count;
    user->revision = items.revision;
    user->done(user);
    registry_db_done(e->db, &items);
}

static void answer_reads(struct embedded *e)
{
    struct waiting_read *last = NULL;
    for (struct waiting_read *r = e->reads; r; r = r->next)
        last = r;
    while (last) { /* what a `done` asks for waits for the next turn */
        struct waiting_read *first = e->reads;
        struct registry_read *user = first->user;
        e->reads = first->next;
        if (!e->reads)
            e->reads_end = &e->reads;
        bool end = first == last;
        free(first);
        if (user)
            answer_read(e, user);
        if (end)
            break;
    }
}

static void read_keys(struct registry *registry, struct registry_read *user)
{
    struct embedded *e = embedded_of(registry);
    struct waiting_read *waiting = calloc(1, sizeof *waiting);
    INVARIANT(waiting != NULL && !e->closing);
    waiting->user = user;
    *e->reads_end = waiting;
    e->reads_end = &waiting->next;
    wake_soon(e);
}

/* --- changes --- */

static void answer_change(struct pending *p, enum err err)
{
    struct registry_change *user = p->user;
    if (!user)
        return;
    p->user = NULL;
    user->err = err;
    user->revision = p->db.change->revision;
    user->done(user);
}

static void free_pending(struct pending *p)
{
    free(p->db.change);
    free(p);
}

static struct pending *next_of(const struct pending *p)
{
    return (struct pending *)p->db.next;
}

static void on_deadline(uv_timer_t *timer);

/* Deadlines come in the order of the changes, so the first one that has not been answered is next.
 */
static void set_deadline(struct embedded *e)
{
    const struct pending *first = e->batch;
    while (first && !first->user)
        first = next_of(first);
    if (!first)
        first = e->queue;
    if (!first) {
        uv_timer_stop(&e->deadline);
        return;
    }
    uint64_t now = uv_hrtime(), left = first->until > now ? first->until - now : 0;
    uv_update_time(e->loop);
    INVARIANT(uv_timer_start(&e->deadline, on_deadline, left / NS_PER_MS, 0) == 0);
}

/* Those of the batch may still happen; those of the queue do not. */
static void on_deadline(uv_timer_t *timer)
{
    struct embedded *e = timer->data;
    uint64_t now = uv_hrtime() + NS_PER_MS;
    for (struct pending *p = e->batch; p && p->until <= now; p = next_of(p))
        answer_change(p, ERR_TIMEOUT);
    while (e->queue && e->queue->until <= now) {
        struct pending *p = e->queue;
        e->queue = next_of(p);
        if (!e->queue)
            e->queue_end = &e->queue;
        answer_change(p, ERR_REGISTRY);
        free_pending(p);
    }
    set_deadline(e);
}

static struct pending *pending_new(const struct registry *registry, struct registry_change *user,
                                   enum err err)
{
    static const struct registry_change nothing;
    struct pending *p = calloc(1, sizeof *p);
    INVARIANT(p != NULL);
    p->db.change = registry_change_copy(err ? &nothing : user);
    p->db.change->err = err;
    p->user = user;
    p->until = uv_hrtime() + registry->deadline_ns;
    return p;
}

static void change_keys(struct registry *registry, struct registry_change *user)
{
    struct embedded *e = embedded_of(registry);
    INVARIANT(!e->closing);
    enum err err = e->frozen ? ERR_REGISTRY : registry_change_fits(user);
    struct pending *p = pending_new(registry, user, err);
    if (err) {
        *e->refused_end = p;
        e->refused_end = (struct pending **)&p->db.next;
        wake_soon(e);
        return;
    }
    *e->queue_end = p;
    e->queue_end = (struct pending **)&p->db.next;
    if (!e->batch)
        set_deadline(e);
    work_next(e);
}

static void answer_refused(struct embedded *e)
{
    struct pending *first = e->refused;
    e->refused = NULL;
    e->refused_end = &e->refused;
    while (first) {
        struct pending *p = first;
        first = next_of(p);
        answer_change(p, p->db.change->err);
        free_pending(p);
    }
}

static void forget(struct registry *registry, const void *ctx)
{
    struct embedded *e = embedded_of(registry);
    struct pending *lists[] = {e->batch, e->queue, e->refused};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (struct pending *p = lists[i]; p; p = next_of(p))
            if (p->user && p->user->ctx == ctx)
                p->user = NULL;
    for (struct waiting_read *r = e->reads; r; r = r->next)
        if (r->user && r->user->ctx == ctx)
            r->user = NULL;
}

/* --- the worker --- */

static void work_run(uv_work_t *request)
{
    struct embedded *e = request->data;
    if (e->work == WORK_CHANGES)
        registry_db_apply(e->db, &e->batch->db);
    else if (e->work == WORK_SEAL)
        e->outcome = registry_db_seal(e->db);
    else
        e->outcome = registry_db_drop_leased(e->db);
}

/* B2. */
static void batch_done(struct embedded *e)
{
    while (e->batch) {
        struct pending *p = e->batch;
        if (p->db.change->err == OK)
            tell(e, p->db.change);
        e->batch = next_of(p); /* forget() has to find it until here */
        answer_change(p, p->db.change->err);
        free_pending(p);
    }
    set_deadline(e);
}

static void handle_closed(uv_handle_t *handle)
{
    struct embedded *e = handle->data;
    if (--e->handles > 0)
        return;
    void (*done)(void *ctx) = e->close_done;
    void *ctx = e->ctx;
    sweep(e);
    INVARIANT(!e->watches);
    registry_db_close(e->db);
    free(e);
    done(ctx);
}

static void work_done(uv_work_t *request, int status)
{
    struct embedded *e = request->data;
    enum work work = e->work;
    INVARIANT(status == 0); /* nobody cancels */
    if (work == WORK_CHANGES)
        batch_done(e);
    e->work = WORK_NONE; /* not before: those who are told ask for more */
    if (work == WORK_SEAL)
        e->seal_done(e->ctx, e->outcome ? ERR_REGISTRY : OK);
    if (work == WORK_DROP_LEASED) {
        uv_close((uv_handle_t *)&e->soon, handle_closed);
        uv_close((uv_handle_t *)&e->deadline, handle_closed);
    } else {
        work_next(e);
    }
}

static void work_begin(struct embedded *e, enum work work)
{
    e->work = work;
    e->request.data = e;
    INVARIANT(uv_queue_work(e->loop, &e->request, work_run, work_done) == 0);
}

static void work_next(struct embedded *e)
{
    if (e->work != WORK_NONE)
        return;
    if (e->queue) {
        e->batch = e->queue;
        e->queue = NULL;
        e->queue_end = &e->queue;
        work_begin(e, WORK_CHANGES);
    } else if (e->seal_wanted) {
        e->seal_wanted = false;
        work_begin(e, WORK_SEAL);
    } else if (e->closing && !e->reads && !e->refused) {
        work_begin(e, WORK_DROP_LEASED);
    } else if (e->frozen_done) {
        wake_soon(e);
    }
}

/* --- freezing --- */

static void give_all(struct embedded *e)
{
    struct db_items items;
    void (*done)(void *ctx, const struct registry_all *all) = e->frozen_done;
    e->frozen_done = NULL;
    enum err err = registry_db_read(e->db, "", true, &items);
    const struct registry_all all = {err, items.items, items.leased, items.count, items.revision};
    done(e->ctx, &all);
    registry_db_done(e->db, &items);
}

void registry_embedded_freeze(struct registry *registry,
                              void (*done)(void *ctx, const struct registry_all *all), void *ctx)
{
    struct embedded *e = embedded_of(registry);
    INVARIANT(!e->frozen && !e->closing);
    e->frozen = true;
    e->frozen_done = done;
    e->ctx = ctx;
    work_next(e);
}

void registry_embedded_thaw(struct registry *registry)
{
    struct embedded *e = embedded_of(registry);
    INVARIANT(e->frozen && !e->frozen_done);
    e->frozen = false;
}

void registry_embedded_seal(struct registry *registry, void (*done)(void *ctx, enum err err),
                            void *ctx)
{
    struct embedded *e = embedded_of(registry);
    INVARIANT(e->frozen && !e->frozen_done && !e->queue && !e->batch);
    e->seal_wanted = true;
    e->seal_done = done;
    e->ctx = ctx;
    work_next(e);
}

/* --- opening and closing --- */

static void on_soon(uv_timer_t *timer)
{
    struct embedded *e = timer->data;
    answer_refused(e);
    answer_reads(e);
    first_looks(e);
    if (e->frozen_done && e->work == WORK_NONE && !e->queue)
        give_all(e);
    if (e->closing)
        work_next(e);
}

static const struct registry_ops embedded_ops = {
    .read = read_keys,
    .change = change_keys,
    .watch = watch,
    .unwatch = unwatch,
    .forget = forget,
};

enum err registry_embedded_open(uv_loop_t *loop, const char *dir, struct registry **out,
                                struct store_error *error)
{
    struct registry_db *db;
    enum err err = registry_db_open(dir, &db, error);
    if (err)
        return err;
    struct embedded *e = calloc(1, sizeof *e);
    INVARIANT(e != NULL);
    e->registry = (struct registry){&embedded_ops, DEADLINE_NS, LEASE_NS};
    e->loop = loop;
    e->db = db;
    e->queue_end = &e->queue;
    e->refused_end = &e->refused;
    e->reads_end = &e->reads;
    e->watches_end = &e->watches;
    INVARIANT(uv_timer_init(loop, &e->soon) == 0 && uv_timer_init(loop, &e->deadline) == 0);
    e->soon.data = e->deadline.data = e;
    e->handles = 2;
    *out = &e->registry;
    return OK;
}

void registry_embedded_close(struct registry *registry, void (*done)(void *ctx), void *ctx)
{
    struct embedded *e = embedded_of(registry);
    INVARIANT(!e->closing && !e->frozen_done && !e->seal_wanted);
    e->closing = true;
    e->close_done = done;
    e->ctx = ctx;
    work_next(e);
}
