/* SPDX-License-Identifier: MIT
 *
 * members.c: the cell's nodes and who of them runs, its users, its revoked certificates: what the
 * registry says, kept up to date by watches, and known from cell.json before it says anything.
 *
 * Law
 *   N1  What was known is kept while the registry is out of reach; it is replaced when a watch has
 *       caught up, and not before.
 *   N2  This node's alive/N is in the registry whenever that is in reach and the node runs.
 *   N3  A registry that does not know this node takes nothing away from what is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "node/cell/cell_private.h"
#include "node/cell/edit.h"
#include "node/cell/users.h"

/* --- the table of nodes --- */

struct cell_node *member_of(struct cell *cell, uint32_t number)
{
    for (uint32_t i = 0; i < cell->node_count; i++)
        if (cell->nodes[i].record.number == number)
            return &cell->nodes[i];
    return NULL;
}

struct cell_node *member_named(struct cell *cell, const char *name)
{
    char digits[16];
    for (uint32_t i = 0; i < cell->node_count; i++) {
        snprintf(digits, sizeof digits, "%u", cell->nodes[i].record.number);
        if (strcmp(cell->nodes[i].record.name, name) == 0 || strcmp(digits, name) == 0)
            return &cell->nodes[i];
    }
    return NULL;
}

bool member_alive(const struct cell *cell, uint32_t number)
{
    for (uint32_t i = 0; i < cell->node_count; i++)
        if (cell->nodes[i].record.number == number)
            return number == cell->file.node || cell->nodes[i].alive_revision != 0;
    return false;
}

bool is_steward(const struct cell *cell)
{
    if (!cell->nodes_known || !cell->alive_known)
        return false;
    for (uint32_t i = 0; i < cell->node_count; i++)
        if (!cell->nodes[i].record.leaving && member_alive(cell, cell->nodes[i].record.number))
            return cell->nodes[i].record.number == cell->file.node;
    return false;
}

/* The node's row, made when there is room. */
static struct cell_node *row(struct cell *cell, uint32_t number)
{
    uint32_t at = 0;
    while (at < cell->node_count && cell->nodes[at].record.number < number)
        at++;
    if (at < cell->node_count && cell->nodes[at].record.number == number)
        return &cell->nodes[at];
    if (cell->node_count == CELL_NODES_MAX)
        return NULL;
    memmove(&cell->nodes[at + 1], &cell->nodes[at], (cell->node_count - at) * sizeof *cell->nodes);
    memset(&cell->nodes[at], 0, sizeof cell->nodes[at]);
    cell->nodes[at].record.number = number;
    cell->node_count++;
    return &cell->nodes[at];
}

static void place(struct cell *cell, const struct cell_node *node)
{
    struct cell_place known = {.number = node->record.number};
    const struct cell_place *old = cell_file_node(&cell->file, known.number);
    memcpy(known.name, node->record.name, sizeof known.name);
    memcpy(known.address, node->record.address, sizeof known.address);
    if (known.number != cell->file.node)
        transport_place(cell->transport, known.number, known.address);
    if (old && strcmp(old->address, known.address) == 0 && strcmp(old->name, known.name) == 0)
        return;
    if (cell_file_place(&cell->file, &known) == OK)
        cell_changed(cell);
}

static void forget_node(struct cell *cell, uint32_t number)
{
    for (uint32_t at = 0; at < cell->node_count; at++)
        if (cell->nodes[at].record.number == number) {
            cell->node_count--;
            memmove(&cell->nodes[at], &cell->nodes[at + 1],
                    (cell->node_count - at) * sizeof *cell->nodes);
            break;
        }
    if (number != cell->file.node)
        transport_place(cell->transport, number, NULL);
    cell_file_drop(&cell->file, number);
    cell_changed(cell);
}

/* The number behind the last slash of a key; 0: none. */
static uint64_t number_in(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? strtoull(slash + 1, NULL, 10) : 0;
}

/* --- node/N --- */

static void node_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct cell *cell = watch->ctx;
    uint64_t number = number_in(item->key);
    struct record_node record;
    if (number == 0 || number >= TRANSPORT_NODES)
        return;
    if (!item->value.data) {
        forget_node(cell, (uint32_t)number);
        if (number == cell->file.node && !cell->stopping) {
            journal("this node has left the cell");
            cell_stop(cell);
        }
        return;
    }
    if (record_decode_node(item->value, &record) != OK || record.number != number) {
        journal("the registry's record of node %u is not understood", (unsigned)number);
        return;
    }
    struct cell_node *node = row(cell, (uint32_t)number);
    if (!node) {
        journal("node %u is beyond the %u that this version knows", (unsigned)number,
                CELL_NODES_MAX);
        return;
    }
    node->record = record;
    node->revision = item->revision;
    node->seen = true;
    place(cell, node);
}

static void nodes_lost(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    cell->nodes_known = false;
    for (uint32_t i = 0; i < cell->node_count; i++)
        cell->nodes[i].seen = false;
}

static void nodes_caught_up(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    const struct cell_node *self = member_of(cell, cell->file.node);
    cell->nodes_known = true;
    if (!self || !self->seen) { /* N3 */
        journal("the registry does not know this node: is it another cell's, or was it emptied?");
        return;
    }
    for (uint32_t i = cell->node_count; i-- > 0;)
        if (!cell->nodes[i].seen && cell->nodes[i].record.number != cell->file.node)
            forget_node(cell, cell->nodes[i].record.number);
    volumes_sweep(cell);
}

/* --- alive/N --- */

struct announcement {
    struct edit edit;
};

static enum err announce_make(struct edit *edit)
{
    char key[REGISTRY_KEY_MAX + 1];
    struct cell *cell = edit->cell;
    struct cell_node *self = member_of(cell, cell->file.node);
    struct env_space space = {0, 0};
    if (!self)
        return ERR_NOENT;
    struct record_node record = self->record;
    cell->env->ops->dir_space(cell->env, cell->home.path, &space);
    record.disk_total = space.total;
    record.disk_available = space.available;
    record.wire_version = WIRE_VERSION;
    edit_lease(edit, record_key_number(key, "alive", cell->file.node),
               record_encode_node(&record, &edit->arena));
    return OK;
}

static void announced(struct edit *edit, enum err err)
{
    (void)err;
    edit->cell->announcing = false;
    free(edit);
}

/* N2. Housekeeping comes by again when it failed. */
void members_announce(struct cell *cell)
{
    if (cell->announcing || cell->stopping || !cell->nodes_known)
        return;
    struct announcement *announcement = calloc(1, sizeof *announcement);
    INVARIANT(announcement != NULL);
    announcement->edit = (struct edit){.cell = cell, .make = announce_make, .done = announced};
    cell->announcing = true;
    edit_begin(&announcement->edit);
}

static void alive_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct cell *cell = watch->ctx;
    struct record_node record;
    struct cell_node *node = member_of(cell, (uint32_t)number_in(item->key));
    if (!node)
        return;
    node->alive_revision = item->value.data ? item->revision : 0;
    if (item->value.data && record_decode_node(item->value, &record) == OK) {
        node->total = record.disk_total;
        node->available = record.disk_available;
    }
}

static void alive_lost(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    cell->alive_known = false;
    for (uint32_t i = 0; i < cell->node_count; i++)
        cell->nodes[i].alive_revision = 0;
}

static void alive_caught_up(struct registry_watch *watch)
{
    struct cell *cell = watch->ctx;
    cell->alive_known = true;
}

/* --- revoked/SERIAL --- */

static uint32_t revoked_place(const struct cell *cell, uint64_t serial)
{
    uint32_t low = 0, high = cell->revoked_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cell->revoked[middle] < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool serial_revoked(const struct cell *cell, uint64_t serial)
{
    uint32_t at = revoked_place(cell, serial);
    return at < cell->revoked_count && cell->revoked[at] == serial;
}

/* A certificate stays revoked here also when the registry forgets: its key goes when it has
 * expired. */
static void revoked_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct cell *cell = watch->ctx;
    struct store_error error = {""};
    uint64_t serial = number_in(item->key);
    if (!item->value.data || serial_revoked(cell, serial) ||
        cell->revoked_count == CELL_REVOKED_MAX)
        return;
    uint32_t at = revoked_place(cell, serial);
    cell->revoked =
        grow(cell->revoked, cell->revoked_count, &cell->revoked_room, sizeof *cell->revoked);
    memmove(&cell->revoked[at + 1], &cell->revoked[at],
            (cell->revoked_count - at) * sizeof *cell->revoked);
    cell->revoked[at] = serial;
    cell->revoked_count++;
    if (transport_renew(cell->transport, &error) != OK)
        journal("cannot end connections of a revoked certificate: %s", error.text);
}

/* --- user/UID --- */

const struct gate_user *user_of(const struct cell *cell, int64_t uid)
{
    for (uint32_t i = 0; i < cell->user_count; i++)
        if ((int64_t)cell->users[i].uid == uid)
            return &cell->users[i];
    return NULL;
}

static void user_changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct cell *cell = watch->ctx;
    uint32_t at = 0;
    uint64_t uid = number_in(item->key);
    while (at < cell->user_count && cell->users[at].uid != uid)
        at++;
    if (!item->value.data) {
        if (at < cell->user_count)
            cell->users[at] = cell->users[--cell->user_count];
        return;
    }
    struct gate_user user = {.uid = (uint32_t)uid};
    if (uid > UINT32_MAX || !user_read(item->value, &user))
        return;
    if (at == cell->user_count) {
        if (cell->user_count == CELL_USERS_MAX)
            return;
        cell->users = grow(cell->users, at, &cell->user_room, sizeof *cell->users);
        cell->user_count++;
    }
    cell->users[at] = user;
}

/* --- */

void members_begin(struct cell *cell)
{
    for (uint32_t i = 0; i < cell->file.node_count; i++) {
        const struct cell_place *known = &cell->file.nodes[i];
        struct cell_node *node = row(cell, known->number);
        memcpy(node->record.name, known->name, sizeof known->name);
        memcpy(node->record.address, known->address, sizeof known->address);
        node->record.wire_version = WIRE_OLDEST;
        if (known->number != cell->file.node)
            transport_place(cell->transport, known->number, known->address);
    }
    cell->node_watch = (struct registry_watch){.prefix = "node/",
                                               .changed = node_changed,
                                               .lost = nodes_lost,
                                               .caught_up = nodes_caught_up,
                                               .ctx = cell};
    cell->alive_watch = (struct registry_watch){.prefix = "alive/",
                                                .changed = alive_changed,
                                                .lost = alive_lost,
                                                .caught_up = alive_caught_up,
                                                .ctx = cell};
    cell->revoked_watch =
        (struct registry_watch){.prefix = "revoked/", .changed = revoked_changed, .ctx = cell};
    cell->user_watch =
        (struct registry_watch){.prefix = "user/", .changed = user_changed, .ctx = cell};
    cell->registry->ops->watch(cell->registry, &cell->node_watch);
    cell->registry->ops->watch(cell->registry, &cell->alive_watch);
    cell->registry->ops->watch(cell->registry, &cell->revoked_watch);
    cell->registry->ops->watch(cell->registry, &cell->user_watch);
}

void members_end(struct cell *cell)
{
    cell->registry->ops->unwatch(cell->registry, &cell->node_watch);
    cell->registry->ops->unwatch(cell->registry, &cell->alive_watch);
    cell->registry->ops->unwatch(cell->registry, &cell->revoked_watch);
    cell->registry->ops->unwatch(cell->registry, &cell->user_watch);
}
