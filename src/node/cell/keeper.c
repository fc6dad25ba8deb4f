/* SPDX-License-Identifier: MIT
 *
 * keeper.c: see keeper.h for the law. Adding members is in keeper_members.c.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/cell/edit.h"
#include "node/cell/keeper_private.h"
#include "node/cell/ports.h"

#define READY_MS     20000u /* for an etcd that was just started */
#define READY_STEP   (100 * CELL_MS)
#define CHILD_END_MS 3000u

/* --- ports --- */

/* The two behind the node's own, so that a firewall can be told; others when they are taken (0:
 * there are none, which etcd says). */
void keeper_ports(struct cell *cell)
{
    struct cell_file *file = &cell->file;
    const char *colon = strrchr(file->listen, ':');
    unsigned long own = colon ? strtoul(colon + 1, NULL, 10) : 0;
    if (file->client_port && file->peer_port)
        return;
    bool near = own > 0 && own + 2 <= 65535 && port_free((uint16_t)(own + 1)) &&
                port_free((uint16_t)(own + 2));
    uint16_t others = near ? 0 : ports_choose(2);
    file->client_port = near ? (uint16_t)(own + 1) : others;
    file->peer_port = near ? (uint16_t)(own + 2) : (uint16_t)(others + (others > 0));
}

void keeper_host(const struct cell *cell, char out[RECORD_ADDR_MAX])
{
    snprintf(out, RECORD_ADDR_MAX, "%s", cell->file.listen);
    char *colon = strrchr(out, ':');
    if (colon)
        *colon = '\0';
}

/* --- the child --- */

static void child_changed(void *ctx, bool up, const char *why)
{
    (void)ctx;
    if (!up)
        journal("etcd ended (%s); it is started again", why);
}

enum err keeper_start_child(struct cell *cell, const char *cluster, struct store_error *error)
{
    struct keeper *keeper = cell->keeper;
    char dir[HOME_PATH_MAX + 16], name[32], host[RECORD_ADDR_MAX];
    snprintf(dir, sizeof dir, "%s/registry", cell->home.path);
    snprintf(name, sizeof name, "node-%u", cell->file.node);
    keeper_host(cell, host);
    mkdir(dir, 0700);
    struct etcd_child_options options = {.loop = &cell->loop,
                                         .dir = dir,
                                         .tls = cell->tls,
                                         .name = name,
                                         .host = host,
                                         .client_port = cell->file.client_port,
                                         .peer_port = cell->file.peer_port,
                                         .cluster = cluster,
                                         .join = cluster != NULL,
                                         .changed = child_changed,
                                         .ctx = cell};
    return etcd_child_start(&options, &keeper->child, error);
}

/* --- the etcd client --- */

static void join_urls(const struct cell_file *file, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < file->url_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "," : "", file->urls[i]);
}

enum err keeper_open_etcd(struct cell *cell, struct store_error *error)
{
    char urls[CELL_URLS_MAX * CELL_URL_MAX], dir[HOME_PATH_MAX + 32], uuid[33], prefix[48];
    bool external = cell->file.registry == CELL_REGISTRY_EXTERNAL;
    join_urls(&cell->file, urls, sizeof urls);
    record_uuid_print(cell->file.uuid, uuid);
    snprintf(prefix, sizeof prefix, "pactfs/%s/", uuid);
    snprintf(dir, sizeof dir, "%s/registry/tls", cell->home.path);
    bool own = !external || access(dir, F_OK) != 0;
    struct registry_etcd_options options = {
        .loop = &cell->loop,
        .urls = urls,
        .dir = strncmp(urls, "https:", 6) == 0 ? (own ? cell->tls : dir) : NULL,
        .prefix = external ? prefix : ""};
    return registry_etcd_open(&options, &cell->keeper->etcd, error);
}

void keeper_new_urls(struct cell *cell)
{
    char urls[CELL_URLS_MAX * CELL_URL_MAX];
    struct store_error error = {""};
    join_urls(&cell->file, urls, sizeof urls);
    if (cell->keeper->etcd && registry_etcd_urls(cell->keeper->etcd, urls, &error) != OK)
        journal("the registry's new addresses are not taken: %s", error.text);
}

const char *keeper_trouble(const struct cell *cell)
{
    return cell->keeper->etcd && !cell->keeper->embedded ? registry_etcd_trouble(cell->keeper->etcd)
                                                         : "";
}

/* --- start --- */

static enum err open_embedded(struct cell *cell, struct store_error *error)
{
    char dir[HOME_PATH_MAX + 16], host[RECORD_ADDR_MAX];
    snprintf(dir, sizeof dir, "%s/registry", cell->home.path);
    enum err err = registry_embedded_open(&cell->loop, dir, &cell->keeper->embedded, error);
    if (err != ERR_MOVED)
        return err;
    /* It grew, and the process ended before cell.json said so. */
    cell->file.registry = CELL_REGISTRY_ETCD;
    cell->file.url_count = 1;
    keeper_host(cell, host);
    snprintf(cell->file.urls[0], CELL_URL_MAX, "https://%s:%u", host, cell->file.client_port);
    cell_changed(cell);
    return OK;
}

static bool has_member(const struct cell *cell)
{
    char dir[HOME_PATH_MAX + 32];
    snprintf(dir, sizeof dir, "%s/registry/etcd", cell->home.path);
    return cell->file.registry == CELL_REGISTRY_ETCD && cell->file.client_port &&
           access(dir, F_OK) == 0;
}

enum err keeper_open(struct cell *cell, struct store_error *error)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    INVARIANT(keeper != NULL);
    cell->keeper = keeper;
    keeper->cell = cell;
    enum err err = OK;
    if (cell->file.registry == CELL_REGISTRY_EMBEDDED)
        err = open_embedded(cell, error);
    if (err == OK && has_member(cell))
        err = keeper_start_child(cell, NULL, error);
    if (err == OK && cell->file.registry != CELL_REGISTRY_EMBEDDED)
        err = keeper_open_etcd(cell, error);
    if (err != OK)
        return err;
    keeper->board =
        registry_switch_new(&cell->loop, keeper->etcd ? keeper->etcd : keeper->embedded);
    cell->registry = keeper->board;
    return OK;
}

/* --- growth --- */

static void tell(struct keeper *keeper, enum err err, const struct store_error *error)
{
    uint32_t count = keeper->waiter_count;
    keeper->growing = false;
    keeper->waiter_count = 0;
    for (uint32_t i = 0; i < count; i++)
        keeper->waiters[i].done(keeper->waiters[i].ctx, err, error);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void give_up(struct keeper *keeper, enum err err)
{
    struct cell *cell = keeper->cell;
    journal("the registry could not grow: %s", keeper->error.text);
    if (keeper->etcd)
        registry_etcd_close(keeper->etcd, nothing, NULL);
    if (keeper->child)
        etcd_child_stop(keeper->child, CHILD_END_MS, nothing, NULL);
    keeper->etcd = NULL;
    keeper->child = NULL;
    cell->file.registry = CELL_REGISTRY_EMBEDDED;
    cell->file.url_count = 0;
    cell_changed(cell);
    tell(keeper, err, &keeper->error);
}

static void embedded_closed(void *ctx)
{
    (void)ctx;
    journal("the registry is an etcd on this node now, for others to use");
}

static void grown(struct registry_growth *growth)
{
    struct keeper *keeper = growth->ctx;
    struct cell *cell = keeper->cell;
    keeper->error = growth->error;
    if (growth->err == ERR_FAILED) {
        journal("the registry's growth was cut off: %s; start this node anew", growth->error.text);
        cell->exit_code = 1;
        tell(keeper, growth->err, &keeper->error);
        cell_stop(cell);
        return;
    }
    if (growth->err != OK) {
        give_up(keeper, growth->err);
        return;
    }
    struct registry *embedded = keeper->embedded;
    keeper->embedded = NULL;
    cell_changed(cell);
    registry_embedded_close(embedded, embedded_closed, keeper);
    tell(keeper, OK, &keeper->error);
}

static void look_whether_ready(struct env_timer *timer);

static void looked(struct registry_read *read)
{
    struct keeper *keeper = read->ctx;
    struct cell *cell = keeper->cell;
    if (cell->stopping)
        return;
    if (read->err == OK) {
        keeper->growth = (struct registry_growth){
            .board = keeper->board, .etcd = keeper->etcd, .done = grown, .ctx = keeper};
        registry_grow(&keeper->growth);
    } else if (cell_now(cell) < keeper->until_ns) {
        keeper->timer.fire = look_whether_ready;
        cell->env->ops->timer_start(cell->env, &keeper->timer, READY_STEP);
    } else {
        snprintf(keeper->error.text, sizeof keeper->error.text,
                 "etcd was started and does not answer: %.300s See %.100s/registry/etcd.log.",
                 registry_etcd_trouble(keeper->etcd), cell->home.path);
        give_up(keeper, ERR_REGISTRY);
    }
}

static void look_whether_ready(struct env_timer *timer)
{
    struct keeper *keeper = (struct keeper *)((char *)timer - offsetof(struct keeper, timer));
    keeper->look = (struct registry_read){.key = "cell", .done = looked, .ctx = keeper};
    keeper->etcd->ops->read(keeper->etcd, &keeper->look);
}

static void grow_registry(struct keeper *keeper)
{
    struct cell *cell = keeper->cell;
    keeper->growing = true;
    keeper->error.text[0] = '\0';
    keeper_ports(cell);
    enum err err = cell_file_save(cell->home.path, &cell->file, &keeper->error);
    if (err == OK)
        err = keeper_start_child(cell, NULL, &keeper->error);
    if (err == OK) {
        cell->file.url_count = 1;
        snprintf(cell->file.urls[0], CELL_URL_MAX, "%s", etcd_child_client_url(keeper->child));
        cell->file.registry = CELL_REGISTRY_ETCD;
        err = keeper_open_etcd(cell, &keeper->error);
    }
    if (err != OK) {
        give_up(keeper, err);
        return;
    }
    keeper->until_ns = cell_now(cell) + READY_MS * CELL_MS;
    look_whether_ready(&keeper->timer);
}

void keeper_share(struct cell *cell,
                  void (*done)(void *ctx, enum err err, const struct store_error *error), void *ctx)
{
    static const struct store_error full = {"too many machines join at once"};
    struct keeper *keeper = cell->keeper;
    if (!keeper->embedded && !keeper->growing) {
        done(ctx, OK, &keeper->error);
        return;
    }
    if (keeper->waiter_count == KEEPER_WAITERS) {
        done(ctx, ERR_BUSY, &full);
        return;
    }
    keeper->waiters[keeper->waiter_count++] = (struct keeper_waiter){done, ctx};
    if (!keeper->growing)
        grow_registry(keeper);
}

/* --- the end --- */

static void child_ended(void *ctx)
{
    struct keeper *keeper = ctx;
    keeper->child = NULL;
    keeper->closed(keeper->closed_ctx);
}

static void backend_closed(void *ctx)
{
    struct keeper *keeper = ctx;
    if (keeper->child)
        etcd_child_stop(keeper->child, CHILD_END_MS, child_ended, keeper);
    else
        child_ended(keeper);
}

static void board_closed(void *ctx)
{
    struct keeper *keeper = ctx;
    if (keeper->embedded)
        registry_embedded_close(keeper->embedded, backend_closed, keeper);
    else
        registry_etcd_close(keeper->etcd, backend_closed, keeper);
}

void keeper_close(struct cell *cell, void (*done)(void *ctx), void *ctx)
{
    struct keeper *keeper = cell->keeper;
    keeper->closed = done;
    keeper->closed_ctx = ctx;
    cell->env->ops->timer_stop(cell->env, &keeper->timer);
    cell->registry = NULL;
    registry_switch_close(keeper->board, board_closed, keeper);
}
