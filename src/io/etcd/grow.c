/* SPDX-License-Identifier: MIT
 *
 * grow.c: from the embedded registry to etcd. The law is in io/registry/switch.h.
 *
 *     hold changes -> freeze -> base -> copy -> read back -> seal -> exchange -> release
 *
 * Whatever fails before the seal: thaw, release, and all is as before.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/etcd/etcd.h"
#include "io/registry/board.h"
#include "io/registry/embedded.h"

struct kept { /* an item */
    char *key;
    uint8_t *value;
    size_t len;
    bool leased;
};

struct growing {
    struct registry_growth *growth;
    struct board *board;
    struct registry *embedded, *etcd;
    struct kept *items;
    size_t count, copied, in_batch;
    struct registry_condition conditions[REGISTRY_CHANGES_MAX];
    struct registry_write writes[REGISTRY_CHANGES_MAX];
    struct registry_change change;
    struct registry_read read;
};

static void copy_next(struct growing *g);

/* --- its end --- */

static void end(struct growing *g, enum err err)
{
    struct registry_growth *growth = g->growth;
    for (size_t i = 0; i < g->count; i++) {
        free(g->items[i].key);
        free(g->items[i].value);
    }
    free(g->items);
    free(g);
    growth->err = err;
    growth->done(growth);
}

static void give_up(struct growing *g, enum err err, const char *why)
{
    const char *trouble = registry_etcd_trouble(g->etcd);
    snprintf(g->growth->error.text, sizeof g->growth->error.text,
             "The registry stays as it is: %s%s%.300s.", why, trouble[0] ? ": " : "", trouble);
    registry_embedded_thaw(g->embedded);
    g->board->growing = false;
    board_release(g->board);
    end(g, err);
}

/* W3: from here on the embedded registry is not the cell's. */
static void on_sealed(void *ctx, enum err err)
{
    struct growing *g = ctx;
    g->board->growing = false;
    if (err) { /* changes stay held, so they are refused when their time is up */
        snprintf(g->growth->error.text, sizeof g->growth->error.text,
                 "The disk failed while the registry moved to etcd. Start the node anew.");
        end(g, ERR_FAILED);
        return;
    }
    board_exchange(g->board, g->etcd);
    board_release(g->board);
    end(g, OK);
}

/* --- copying --- */

static bool same(const struct kept *kept, const struct registry_item *item)
{
    return strcmp(kept->key, item->key) == 0 && kept->len == item->value.len &&
           memcmp(kept->value, item->value.data, kept->len) == 0;
}

/* Both are in the order of keys. */
static void on_read_back(struct registry_read *read)
{
    struct growing *g = read->ctx;
    bool equal = read->err == OK && read->count == g->count;
    for (size_t i = 0; i < g->count && equal; i++)
        equal = same(&g->items[i], &read->items[i]);
    if (equal)
        registry_embedded_seal(g->embedded, on_sealed, g);
    else
        give_up(g, read->err ? read->err : ERR_REGISTRY, "what was copied could not be read back");
}

static void read_back(struct growing *g)
{
    g->read = (struct registry_read){.key = "", .prefix = true, .done = on_read_back, .ctx = g};
    g->etcd->ops->read(g->etcd, &g->read);
}

static void on_copied(struct registry_change *change)
{
    struct growing *g = change->ctx;
    if (change->err) {
        give_up(g, change->err == ERR_CONFLICT ? ERR_REGISTRY : change->err,
                "the keys could not be copied to etcd");
        return;
    }
    g->copied += g->in_batch;
    copy_next(g);
}

/* As much as one change may hold. Somebody else's keys would be noticed by the conditions. */
static void copy_next(struct growing *g)
{
    size_t bytes = 0;
    g->in_batch = 0;
    while (g->copied + g->in_batch < g->count && g->in_batch < REGISTRY_CHANGES_MAX) {
        const struct kept *kept = &g->items[g->copied + g->in_batch];
        bytes += 2 * strlen(kept->key) + kept->len;
        if (bytes > REGISTRY_CHANGE_MAX)
            break;
        g->conditions[g->in_batch] = (struct registry_condition){kept->key, 0};
        g->writes[g->in_batch] =
            (struct registry_write){kept->key, {kept->value, kept->len}, kept->leased};
        g->in_batch++;
    }
    if (g->in_batch == 0) {
        read_back(g);
        return;
    }
    g->change = (struct registry_change){.conditions = g->conditions,
                                         .condition_count = g->in_batch,
                                         .writes = g->writes,
                                         .write_count = g->in_batch,
                                         .done = on_copied,
                                         .ctx = g};
    g->etcd->ops->change(g->etcd, &g->change);
}

static void on_base(void *ctx, enum err err)
{
    struct growing *g = ctx;
    if (err)
        give_up(g, err, "etcd is not in reach");
    else
        copy_next(g);
}

static void keep(struct kept *kept, const struct registry_item *item, bool leased)
{
    kept->key = strdup(item->key);
    kept->value = malloc(item->value.len + 1);
    INVARIANT(kept->key != NULL && kept->value != NULL);
    memcpy(kept->value, item->value.data, item->value.len);
    kept->len = item->value.len;
    kept->leased = leased;
}

static void on_frozen(void *ctx, const struct registry_all *all)
{
    struct growing *g = ctx;
    if (all->err) {
        give_up(g, all->err, "it could not be read");
        return;
    }
    g->items = calloc(all->count + 1, sizeof *g->items);
    INVARIANT(g->items != NULL);
    for (size_t i = 0; i < all->count; i++)
        keep(&g->items[i], &all->items[i], all->leased[i]);
    g->count = all->count;
    registry_etcd_base(g->etcd, all->revision, on_base, g);
}

void registry_grow(struct registry_growth *growth)
{
    struct growing *g = calloc(1, sizeof *g);
    INVARIANT(g != NULL);
    g->growth = growth;
    g->board = (struct board *)growth->board;
    g->embedded = g->board->backend;
    g->etcd = growth->etcd;
    growth->error.text[0] = 0;
    INVARIANT(!g->board->growing);
    g->board->growing = true;
    board_hold(g->board);
    registry_embedded_freeze(g->embedded, on_frozen, g);
}
