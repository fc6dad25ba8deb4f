/* SPDX-License-Identifier: MIT
 *
 * upkeep.c: see upkeep.h.
 */
#include "node/cell/upkeep.h"

#include <stdlib.h>
#include <string.h>

#include "node/cell/edit.h"
#include "node/cell/keeper.h"

#define TICK_NS       (1000 * CELL_MS)
#define ANNOUNCE_NS   (60000 * CELL_MS) /* the figures of the disk */
#define RENEWAL_TICKS 600u

struct upkeep {
    struct env_timer timer;
    struct cell *cell;
    uint64_t announced_ns, ticks;
    bool refreshing;
};

uint32_t upkeep_nodes(const struct cell *cell, struct placement_node nodes[CELL_NODES_MAX])
{
    for (uint32_t i = 0; i < cell->node_count; i++) {
        const struct cell_node *node = &cell->nodes[i];
        nodes[i] = (struct placement_node){.number = node->record.number,
                                           .alive = member_alive(cell, node->record.number),
                                           .leaving = node->record.leaving,
                                           .available = node->total ? node->available
                                                                    : node->record.disk_available,
                                           .replicas = replicas_of(cell, node->record.number)};
    }
    return cell->node_count;
}

/* --- this node's record --- */

static bool current(const struct cell *cell, const struct cell_node *self)
{
    return self->record.wire_version == WIRE_VERSION &&
           strcmp(self->record.address, cell->file.listen) == 0;
}

static enum err refresh_make(struct edit *edit)
{
    char key[REGISTRY_KEY_MAX + 1];
    struct cell *cell = edit->cell;
    const struct cell_node *self = member_of(cell, cell->file.node);
    if (!self || !self->revision || current(cell, self))
        return OK;
    struct record_node record = self->record;
    record.wire_version = WIRE_VERSION;
    memcpy(record.address, cell->file.listen, sizeof record.address);
    record_key_number(key, "node", record.number);
    edit_expect(edit, key, self->revision);
    edit_put(edit, key, record_encode_node(&record, &edit->arena));
    return OK;
}

static void refreshed(struct edit *edit, enum err err)
{
    (void)err;
    edit->cell->upkeep->refreshing = false;
    free(edit);
}

static void refresh(struct cell *cell)
{
    const struct cell_node *self = member_of(cell, cell->file.node);
    if (!self || !self->revision || current(cell, self) || cell->upkeep->refreshing)
        return;
    struct edit *edit = calloc(1, sizeof *edit);
    INVARIANT(edit != NULL);
    *edit = (struct edit){.cell = cell, .make = refresh_make, .done = refreshed};
    cell->upkeep->refreshing = true;
    edit_begin(edit);
}

/* --- --- */

static void announce(struct cell *cell)
{
    struct upkeep *upkeep = cell->upkeep;
    const struct cell_node *self = member_of(cell, cell->file.node);
    uint64_t now = cell_now(cell);
    bool old = now - upkeep->announced_ns > ANNOUNCE_NS;
    if (self && cell->alive_known && (self->alive_revision == 0 || old)) {
        upkeep->announced_ns = now;
        members_announce(cell);
    }
}

static void tick(struct env_timer *timer)
{
    struct cell *cell = ((struct upkeep *)timer)->cell;
    if (cell->stopping)
        return;
    announce(cell);
    refresh(cell);
    keeper_tick(cell);
    placing_tick(cell);
    hosts_tidy(cell);
    if (is_steward(cell))
        steward_tick(cell);
    if (cell->upkeep->ticks++ % RENEWAL_TICKS == 0)
        renewal_tick(cell);
    cell->env->ops->timer_start(cell->env, timer, TICK_NS);
}

void upkeep_begin(struct cell *cell)
{
    cell->upkeep = calloc(1, sizeof *cell->upkeep);
    INVARIANT(cell->upkeep != NULL);
    cell->upkeep->cell = cell;
    cell->upkeep->timer.fire = tick;
    cell->env->ops->timer_start(cell->env, &cell->upkeep->timer, TICK_NS / 10);
}

void upkeep_end(struct cell *cell)
{
    cell->env->ops->timer_stop(cell->env, &cell->upkeep->timer);
}
