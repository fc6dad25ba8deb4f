/* SPDX-License-Identifier: MIT
 *
 * hosts.c: the replicas of this node: a store and a replica manager for each volume whose record
 * names it.
 *
 *     CLOSED -> OPENING -> OPEN -> STOPPING -> CLOSING -> CLOSED
 *
 * Law
 *   H1  One store is opened at a time: a node with many volumes starts within bounds of memory, and
 *       the first volumes serve while the last still replay.
 *   H2  A store that cannot be opened, or fails, is tried again after a while that doubles, up to
 *       a minute; the other volumes go on.
 *   H3  A store is removed only when the registry said that this replica is not wanted any more:
 *       the volume was deleted and its time has passed, or others have its copies and the view goes
 *       on without this node. What the registry does not know is left alone.
 *   H4  A damaged store is put aside and copied anew only when the view does without this node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/store/replicate.h"
#include "io/uv/env_uv.h"
#include "node/cell/cell_private.h"
#include "node/cell/host.h"

#define KEEP_LOG_BYTES (UINT64_C(256) << 20) /* for replicas that were away */
#define REST_LEAST_NS  (1000 * CELL_MS)
#define REST_MOST_NS   (60000 * CELL_MS)
#define RESTART_NS     (1000 * CELL_MS)
#define CACHE_LEAST    (UINT64_C(8) << 20)

static void host_step(struct host *host);

static bool wanted(const struct host *host)
{
    const struct cell_volume *volume = host->volume;
    return !host->cell->stopping && !volume->gone && !volume->record.deleted && volume->sound &&
           volume_names(volume, host->cell->file.node);
}

/* --- rests --- */

static void rested(struct env_timer *timer)
{
    struct host *host = (struct host *)((char *)timer - offsetof(struct host, timer));
    host->resting = false;
    host_step(host);
}

static void rest(struct host *host)
{
    struct env *env = host->cell->env;
    host->rest_ns = host->rest_ns ? host->rest_ns * 2 : REST_LEAST_NS;
    if (host->rest_ns > REST_MOST_NS)
        host->rest_ns = REST_MOST_NS;
    host->resting = true;
    host->timer.fire = rested;
    env->ops->timer_start(env, &host->timer, host->rest_ns);
}

/* --- closing --- */

static void closed(struct host *host)
{
    host->state = HOST_CLOSED;
    host->store = NULL;
    if (host->cell->stopping)
        hosts_stop(host->cell);
    else
        host_step(host);
}

static void store_closed(void *ctx, enum err err)
{
    struct host *host = ctx;
    if (err != OK)
        journal("volume %s: the last checkpoint failed (%s); the next start replays the log",
                host->volume->record.name, err_text(err));
    closed(host);
}

static void close_store(struct host *host)
{
    primary_free(host->primary);
    host->primary = NULL;
    host->state = HOST_CLOSING;
    store_close(host->store, store_closed, host);
}

static void manager_stopped(void *ctx)
{
    close_store(ctx);
}

static void stop(struct host *host)
{
    host->state = HOST_STOPPING;
    host->restart = false;
    primary_stop(host->primary, manager_stopped, host);
}

static void failed_now(struct env_timer *timer)
{
    struct host *host = (struct host *)((char *)timer - offsetof(struct host, failure));
    if (host->state != HOST_OPEN)
        return; /* it is being stopped anyway */
    rest(host);
    close_store(host);
}

static void manager_failed(void *ctx, enum err err)
{
    struct host *host = ctx;
    struct env *env = host->cell->env;
    snprintf(host->trouble, sizeof host->trouble, "the replica stopped: %s; it is started again",
             err_text(err));
    journal("volume %s: %s", host->volume->record.name, host->trouble);
    host->failure.fire = failed_now;
    env->ops->timer_start(env, &host->failure, 0);
}

/* --- opening --- */

static void manager_says(void *ctx, const char *line)
{
    const struct host *host = ctx;
    journal("volume %s: %s", host->volume->record.name, line);
}

static void open_failed(struct host *host, enum err err)
{
    const char *why = host->error.text[0] ? host->error.text : err_text(err);
    snprintf(host->trouble, sizeof host->trouble, "%s", why);
    journal("volume %s: cannot open the replica: %s", host->volume->record.name, why);
    host->damaged = err == ERR_DAMAGED_RECORD || err == ERR_MISSING_SEGMENT ||
                    err == ERR_SHORT_SEGMENT || err == ERR_NOT_A_STORE;
    host->rebuild = err == ERR_INDEX;
    rest(host);
    closed(host);
}

static enum err start_manager(struct host *host)
{
    struct cell *cell = host->cell;
    struct cell_volume *volume = host->volume;
    const uint8_t *uuid = store_identity(host->store)->uuid;
    if (memcmp(uuid, volume->record.identity.uuid, 16) != 0) {
        snprintf(host->error.text, sizeof host->error.text,
                 "%.400s holds a store of another volume", host->dir);
        return ERR_NOT_A_STORE;
    }
    store_keep_log(host->store, KEEP_LOG_BYTES);
    host->contract = volume->contract;
    struct primary_options options = {.env = cell->env,
                                      .net = &cell->fence.net,
                                      .registry = cell->registry,
                                      .identity = &volume->record.identity,
                                      .contract = &host->contract,
                                      .say = manager_says,
                                      .failed = manager_failed,
                                      .ctx = host};
    enum err err = primary_new(&options, host->store, &host->primary);
    if (err == OK)
        primary_assigned(host->primary, volume->record.replicas, volume->record.replica_count);
    return err;
}

static void store_opened(struct env_job *job)
{
    struct host *host = (struct host *)((char *)job - offsetof(struct host, job));
    struct cell *cell = host->cell;
    cell->opening = NULL;
    enum err err = host->job_err;
    if (err == OK)
        err = start_manager(host);
    if (err == OK) {
        host->state = HOST_OPEN;
        host->rest_ns = 0;
        host->damaged = host->rebuild = false;
        host->trouble[0] = '\0';
        host_step(host);
    } else if (host->store) {
        snprintf(host->trouble, sizeof host->trouble, "%s",
                 host->error.text[0] ? host->error.text : err_text(err));
        rest(host);
        host->state = HOST_CLOSING;
        store_close(host->store, store_closed, host);
    } else {
        open_failed(host, err);
    }
    for (struct host *other = cell->hosts; other && !cell->opening; other = other->next)
        host_step(other);
}

static void open_store(struct host *host)
{
    struct cell *cell = host->cell;
    uint64_t cache = (cell->options.cache ? cell->options.cache : CELL_CACHE) / cell->host_count;
    cell->opening = host;
    host->state = HOST_OPENING;
    host->error.text[0] = '\0';
    host->identity = host->volume->record.identity;
    /* H4 */
    host->put_aside = host->damaged && cell->views_known && host->volume->view.number &&
                      !view_has(&host->volume->view, cell->file.node);
    env_uv_cache(cell->env, (size_t)(cache < CACHE_LEAST ? CACHE_LEAST : cache));
    host->job = (struct env_job){.run = host_open_job, .done = store_opened};
    cell->env->ops->submit(cell->env, &host->job);
}

/* --- the founder --- */

static void founded(void *ctx, enum err err)
{
    struct host *host = ctx;
    host->founding = false;
    if (err != OK && err != ERR_EXIST)
        journal("volume %s: cannot be begun yet: %s", host->volume->record.name, err_text(err));
}

/* Comes by again until there is a view. */
static void found(struct host *host)
{
    struct cell *cell = host->cell;
    struct cell_volume *volume = host->volume;
    if (host->founding || !cell->volumes_known || !cell->views_known || volume->view.number ||
        !volume->revision || volume->record.replicas[0] != cell->file.node)
        return;
    host->founding = true;
    primary_found(host->primary, founded, host);
}

/* --- what the registry says --- */

/* Keys that a replica manager reads only when it is made. */
static bool contract_moved(const struct contract *a, const struct contract *b)
{
    return a->least != b->least || a->failover_ns != b->failover_ns || a->read != b->read;
}

/* One replica after another, the primary last: somebody serves all the time. */
static void restart_later(struct host *host)
{
    struct cell *cell = host->cell;
    const struct view *view = &host->volume->view;
    uint64_t turn = 0;
    for (uint32_t i = 0; i < view->count; i++)
        if (view->members[i] != view->primary && view->members[i] < cell->file.node)
            turn++;
    if (view->primary == cell->file.node)
        turn = view->count;
    host->restart = true;
    host->restart_ns = cell_now(cell) + turn * (RESTART_NS + host->contract.failover_ns);
}

static bool restart_due(const struct host *host)
{
    return host->restart && cell_now(host->cell) >= host->restart_ns;
}

static void host_free(struct host *host)
{
    struct cell *cell = host->cell;
    struct host **link = &cell->hosts;
    cell->env->ops->timer_stop(cell->env, &host->timer);
    cell->env->ops->timer_stop(cell->env, &host->failure);
    while (*link != host)
        link = &(*link)->next;
    *link = host->next;
    cell->host_count--;
    host->volume->host = NULL;
    host_scrub_free(host);
    free(host);
}

static void host_step(struct host *host)
{
    bool want = wanted(host);
    if (host->state == HOST_CLOSED && want && !host->resting && !host->cell->opening)
        open_store(host);
    else if (host->state == HOST_OPEN && (!want || restart_due(host)))
        stop(host);
    else if (host->state == HOST_OPEN)
        found(host);
    if (want)
        host->unwanted_ns = 0;
    else if (!host->unwanted_ns)
        host->unwanted_ns = cell_now(host->cell);
}

struct host *host_new(struct cell *cell, struct cell_volume *volume)
{
    char uuid[33];
    if (cell->host_count == CELL_HOSTS_MAX) {
        journal("volume %s: this node has %u replicas already", volume->record.name,
                CELL_HOSTS_MAX);
        return NULL;
    }
    struct host *host = calloc(1, sizeof *host);
    INVARIANT(host != NULL);
    record_uuid_print(volume->record.identity.uuid, uuid);
    snprintf(host->dir, sizeof host->dir, "%s/volumes/%s", cell->home.path, uuid);
    host->cell = cell;
    host->volume = volume;
    host->next = cell->hosts;
    cell->hosts = host;
    cell->host_count++;
    volume->host = host;
    return host;
}

void host_follow(struct cell *cell, struct cell_volume *volume)
{
    bool here = volume_names(volume, cell->file.node) && !volume->record.deleted;
    if (!volume->host && (cell->stopping || !here || !host_new(cell, volume)))
        return;
    struct host *host = volume->host;
    if (volume->revision && volume->revision != host->saved_revision &&
        host_save_record(host) == OK)
        host->saved_revision = volume->revision;
    if (host->state == HOST_OPEN && host->primary) {
        if (volume->revision)
            primary_assigned(host->primary, volume->record.replicas, volume->record.replica_count);
        if (volume->sound && contract_moved(&host->contract, &volume->contract) && !host->restart)
            restart_later(host);
    }
    host_step(host);
}

/* --- messages --- */

static void answer_where(struct cell *cell, uint32_t from, const struct message *message,
                         const struct cell_volume *volume)
{
    struct message moved = {.kind = MESSAGE_MOVED, .view = volume->view};
    memcpy(moved.volume, message->volume, sizeof moved.volume);
    moved.number = volume->view.number;
    moved.session = message->session;
    moved.slot = message->slot;
    moved.serial = message->serial;
    cell_send(cell, from, &moved);
}

void host_deliver(struct cell *cell, uint32_t from, const struct message *message)
{
    struct cell_volume *volume = volume_of(cell, message->volume);
    if (!volume)
        return;
    if (volume->host && volume->host->primary)
        primary_deliver(volume->host->primary, from, message);
    else if (volume->view.number &&
             (message->kind == MESSAGE_WHERE || message->kind == MESSAGE_REQUEST ||
              message->kind == MESSAGE_RENEW))
        answer_where(cell, from, message, volume);
}

void hosts_lost(struct cell *cell, uint32_t peer)
{
    for (struct host *host = cell->hosts; host; host = host->next)
        if (host->primary)
            primary_lost(host->primary, peer);
}

/* --- looking after them --- */

void hosts_tidy(struct cell *cell)
{
    for (struct host *host = cell->hosts, *next; host; host = next) {
        struct cell_volume *volume = host->volume;
        next = host->next;
        host_step(host);
        if (host->state != HOST_CLOSED || wanted(host) || host_scrubs(host))
            continue;
        uint64_t for_ns = cell_now(cell) - host->unwanted_ns;
        bool purged = volume->gone && volume->record.deleted;
        bool elsewhere = volume->revision && !volume->record.deleted && volume->sound &&
                         !volume_names(volume, cell->file.node) && cell->views_known &&
                         volume->view.number && !view_has(&volume->view, cell->file.node) &&
                         for_ns > CELL_LEFT_S * 1000 * CELL_MS;
        if (!purged && !elsewhere)
            continue;
        journal("volume %s: removing a replica that is not needed any more", volume->record.name);
        host_remove_later(cell, host->dir);
        host_free(host);
        if (volume->gone)
            volume_drop(cell, volume);
    }
}

void hosts_stop(struct cell *cell)
{
    bool all = !cell->opening;
    for (struct host *host = cell->hosts; host; host = host->next) {
        host_step(host);
        all = all && host->state == HOST_CLOSED;
    }
    if (all && !cell->hosts_stopped) {
        cell->hosts_stopped = true;
        stop_further(cell);
    }
}

struct primary *host_primary(const struct cell_volume *volume)
{
    return volume->host && volume->host->state == HOST_OPEN ? volume->host->primary : NULL;
}

struct store *host_store(const struct cell_volume *volume)
{
    return volume->host && volume->host->state == HOST_OPEN ? volume->host->store : NULL;
}

const char *host_trouble(const struct cell_volume *volume)
{
    return volume->host ? volume->host->trouble : "";
}
