/* SPDX-License-Identifier: MIT
 *
 * volumes.c: the cell's volumes and their views, as the registry has them.
 *
 * Law
 *   V1  name/NAME holds the UUID of a volume exactly while that volume's record has this name and
 *       is not deleted: both are written in one change, which expects the record's revision.
 *   V2  What is known of a volume is dropped when the registry says that it is gone, not when the
 *       registry is out of reach.
 */
#include <stdlib.h>
#include <string.h>

#include "node/cell/cell_private.h"

struct cell_volume *volume_of(const struct cell *cell, const uint8_t uuid[16])
{
    for (struct cell_volume *v = cell->volumes; v; v = v->next)
        if (memcmp(v->record.identity.uuid, uuid, 16) == 0)
            return v;
    return NULL;
}

struct cell_volume *volume_named(const struct cell *cell, const char *text)
{
    uint8_t uuid[16];
    struct cell_volume *deleted = NULL;
    for (struct cell_volume *v = cell->volumes; v; v = v->next) {
        if (!v->revision || strcmp(v->record.name, text) != 0)
            continue;
        if (!v->record.deleted)
            return v;
        if (!deleted || v->record.deleted > deleted->record.deleted)
            deleted = v;
    }
    if (!deleted && record_uuid(text, uuid))
        deleted = volume_of(cell, uuid);
    return deleted;
}

bool volume_names(const struct cell_volume *volume, uint32_t node)
{
    for (uint32_t i = 0; i < volume->record.replica_count; i++)
        if (volume->record.replicas[i] == node)
            return true;
    return false;
}

uint32_t replicas_of(const struct cell *cell, uint32_t node)
{
    uint32_t count = 0;
    for (const struct cell_volume *v = cell->volumes; v; v = v->next)
        if (!v->record.deleted && volume_names(v, node))
            count++;
    return count;
}

struct cell_volume *volume_row(struct cell *cell, const uint8_t uuid[16])
{
    struct cell_volume *volume = volume_of(cell, uuid);
    if (volume || cell->volume_count == CELL_VOLUMES_MAX)
        return volume;
    volume = calloc(1, sizeof *volume);
    INVARIANT(volume != NULL);
    memcpy(volume->record.identity.uuid, uuid, 16);
    volume->next = cell->volumes;
    cell->volumes = volume;
    cell->volume_count++;
    return volume;
}

enum err volume_take(struct cell_volume *volume, struct bytes value)
{
    struct arena arena;
    struct record_volume record;
    struct contract_fault fault;
    arena_init(&arena);
    enum err err = record_decode_volume(value, &arena, &record);
    if (err == OK && memcmp(record.identity.uuid, volume->record.identity.uuid, 16) != 0)
        err = ERR_DECODE;
    if (err == OK) {
        free(volume->text);
        volume->text = calloc(1, record.contract.len + 1);
        INVARIANT(volume->text != NULL);
        memcpy(volume->text, record.contract.data, record.contract.len);
        volume->record = record;
        volume->record.contract = (struct bytes){(uint8_t *)volume->text, record.contract.len};
        volume->sound = contract_parse(volume->record.contract, &volume->contract, &fault) == OK;
        if (!volume->sound)
            journal("volume %s: its contract is not understood: %s", record.name, fault.text);
    }
    arena_free(&arena);
    return err;
}

static bool uuid_in(const char *key, uint8_t uuid[16])
{
    const char *slash = strchr(key, '/');
    return slash && record_uuid(slash + 1, uuid);
}

void volume_drop(struct cell *cell, struct cell_volume *volume)
{
    struct cell_volume **link = &cell->volumes;
    INVARIANT(!volume->host);
    while (*link != volume)
        link = &(*link)->next;
    *link = volume->next;
    cell->volume_count--;
    free(volume->text);
    free(volume);
}

static void forget_volume(struct cell *cell, struct cell_volume *volume)
{
    volume->revision = 0;
    volume->gone = true;
    if (volume->host)
        host_follow(cell, volume); /* looks after the store, and drops the volume then */
    else if (!volume->edits)
        volume_drop(cell, volume);
}

/* --- volume/UUID --- */

static void volume_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct cell *cell = watch->ctx;
    uint8_t uuid[16];
    if (!uuid_in(item->key, uuid))
        return;
    struct cell_volume *volume = item->value.data ? volume_row(cell, uuid) : volume_of(cell, uuid);
    if (!volume)
        return;
    if (!item->value.data) {
        forget_volume(cell, volume);
        return;
    }
    enum err err = volume_take(volume, item->value);
    if (err != OK) {
        journal("the registry's record %.60s is not understood", item->key);
        if (!volume->revision && !volume->host)
            forget_volume(cell, volume);
        return;
    }
    volume->revision = item->revision;
    volume->seen = true;
    volume->gone = false;
    host_follow(cell, volume);
}

static void volumes_lost(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    cell->volumes_known = false;
    for (struct cell_volume *v = cell->volumes; v; v = v->next)
        v->seen = false;
}

void volumes_sweep(struct cell *cell)
{
    const struct cell_node *self = member_of(cell, cell->file.node);
    if (!cell->volumes_known || !cell->nodes_known || !self || !self->seen)
        return;
    for (struct cell_volume *v = cell->volumes, *next; v; v = next) {
        next = v->next;
        if (!v->seen)
            forget_volume(cell, v);
    }
}

static void volumes_caught_up(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    cell->volumes_known = true;
    volumes_sweep(cell);
}

/* --- view/UUID --- */

static void view_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct cell *cell = watch->ctx;
    uint8_t uuid[16];
    struct view view = {.number = 0};
    struct cell_volume *volume = uuid_in(item->key, uuid) ? volume_row(cell, uuid) : NULL;
    if (!volume)
        return;
    if (item->value.data && record_decode_view(item->value, &view) != OK) {
        journal("the registry's record %.60s is not understood", item->key);
        return;
    }
    volume->view = view;
    volume->view_revision = item->value.data ? item->revision : 0;
    volume->view_seen = true;
    host_follow(cell, volume);
}

static void views_lost(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    cell->views_known = false;
    for (struct cell_volume *v = cell->volumes; v; v = v->next)
        v->view_seen = false;
}

static void views_caught_up(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    cell->views_known = true;
    for (struct cell_volume *v = cell->volumes; v; v = v->next)
        host_follow(cell, v);
}

void volumes_begin(struct cell *cell)
{
    cell->volume_watch = (struct registry_watch){.prefix = "volume/",
                                                 .changed = volume_changed,
                                                 .lost = volumes_lost,
                                                 .caught_up = volumes_caught_up,
                                                 .ctx = cell};
    cell->view_watch = (struct registry_watch){.prefix = "view/",
                                               .changed = view_changed,
                                               .lost = views_lost,
                                               .caught_up = views_caught_up,
                                               .ctx = cell};
    cell->registry->ops->watch(cell->registry, &cell->volume_watch);
    cell->registry->ops->watch(cell->registry, &cell->view_watch);
}

void volumes_end(struct cell *cell)
{
    cell->registry->ops->unwatch(cell->registry, &cell->volume_watch);
    cell->registry->ops->unwatch(cell->registry, &cell->view_watch);
}
