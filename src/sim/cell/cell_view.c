/* SPDX-License-Identifier: MIT
 *
 * cell_view.c: what can be seen of a cell from outside: its view, who serves, whether all is at
 * rest.
 */
#include <stdio.h>

#include "core/registry/records.h"
#include "sim/cell/cell.h"

bool cell_view(const struct cell *cell, struct view *view)
{
    char key[REGISTRY_KEY_MAX + 1];
    struct bytes value;
    uint64_t revision;
    record_key_uuid(key, "view", cell->identity.uuid);
    return sim_registry_peek(cell->registry, key, &value, &revision) &&
           record_decode_view(value, view) == OK;
}

/* A node that came back with nothing is whole again once it takes part. */
static void look_at_lost(struct cell_node *node, const struct view *view)
{
    struct primary_status status;
    if (!node->lost || !node->up || !node->primary || !view_has(view, node->number))
        return;
    primary_status(node->primary, &status);
    if (status.part == PART_BACKUP && status.view.number == view->number)
        node->lost = false;
}

bool cell_has_other(struct cell *cell, const struct cell_node *node)
{
    struct view view;
    bool found = false;
    if (!cell_view(cell, &view))
        return false;
    for (uint32_t i = 0; i < cell->node_count; i++) {
        struct cell_node *other = &cell->nodes[i];
        look_at_lost(other, &view);
        found |= other != node && !other->lost && view_has(&view, other->number);
    }
    return found;
}

struct cell_node *cell_primary(struct cell *cell)
{
    struct primary_status status;
    for (uint32_t i = 0; i < cell->node_count; i++) {
        if (!cell->nodes[i].up || !cell->nodes[i].primary) /* it ends: its store closes yet */
            continue;
        primary_status(cell->nodes[i].primary, &status);
        if (status.part == PART_PRIMARY && status.serves)
            return &cell->nodes[i];
    }
    return NULL;
}

/* More than half of the registry's members: they run on the first three nodes. */
static bool reaches(const struct cell *cell, uint32_t node, bool there)
{
    struct sim *sim = cell_run(cell)->sim;
    uint32_t members = cell->node_count < 3 ? cell->node_count : 3, open = 0;
    for (uint32_t m = CELL_FIRST; m < CELL_FIRST + members; m++)
        open += m == node || !sim_net_is_cut(sim, there ? node : m, there ? m : node);
    return open > members / 2;
}

void cell_registry_cuts(struct cell *cell)
{
    for (uint32_t i = 0; i < cell->node_count; i++) {
        struct cell_node *node = &cell->nodes[i];
        uint32_t cut = node->registry_fault;
        if (cell->inside)
            cut |= (uint32_t)!reaches(cell, node->number, true) |
                   (uint32_t)!reaches(cell, node->number, false) << 1;
        if (cut == node->registry_cut)
            continue;
        node->registry_cut = cut;
        sim_registry_cut(cell->registry, node->number, cut & 1, cut & 2);
    }
}

static const char *node_unrest(struct cell_node *node, const struct view *view, struct stamp last)
{
    struct primary_status status;
    struct store_status store;
    if (!node->up || node->ending)
        return "a node is down";
    store_status(node->store, &store);
    node->restart |= store.failed;
    primary_status(node->primary, &status);
    if (store.failed)
        return "a store has failed";
    if (!view_equal(&status.view, view))
        return "a node knows another view";
    if (stamp_compare(status.last, last) || stamp_compare(status.committed, last))
        return "a replica lacks records";
    if (status.waiting)
        return "requests wait for backups";
    return status.part == PART_PRIMARY || status.part == PART_BACKUP ? NULL
                                                                     : "a node takes no part";
}

const char *cell_unrest(struct cell *cell)
{
    struct primary_status status;
    struct view view;
    const struct cell_node *primary = cell_primary(cell);
    if (!primary)
        return "no node serves";
    primary_status(primary->primary, &status);
    if (!cell_view(cell, &view) || view.count != cell->node_count)
        return "the view has not all nodes";
    if (!status.writes)
        return "the primary takes no writes";
    for (uint32_t i = 0; i < cell->node_count; i++) {
        const char *why = node_unrest(&cell->nodes[i], &view, status.last);
        if (why)
            return why;
    }
    return NULL;
}

void cell_trace(const struct cell *cell, uint32_t to, uint32_t from, const struct message *message)
{
    char who[24], text[512];
    bool beat = message->kind == MESSAGE_HEARTBEAT || message->kind == MESSAGE_HEARD;
    if (!cell->messages || (beat && cell->messages < 2))
        return;
    snprintf(who, sizeof who, "%u <- %u", to, from);
    run_say(cell_run(cell), who, "%s", message_print(message, text, sizeof text));
}

bool cell_wait(struct cell *cell, bool (*wanted)(struct cell *cell), uint64_t ns)
{
    struct run *run = cell_run(cell);
    uint64_t end = sim_now(run->sim) + ns;
    while (!wanted(cell)) {
        if (run->result->broken || sim_now(run->sim) > end || !sim_step(run->sim))
            return false;
        for (uint32_t i = 0; i < cell->node_count; i++)
            node_stepped(&cell->nodes[i]);
    }
    return true;
}
