/* SPDX-License-Identifier: MIT
 *
 * placing.c: the replicas of a volume follow its contract: at the node of its primary, one step at
 * a time, by placement.h.
 */
#include <stdlib.h>
#include <string.h>

#include "node/cell/edit.h"
#include "node/cell/upkeep.h"

#define ROOM_EXTRA (UINT64_C(64) << 20) /* bytes, beside what the volume needs now */

/* --- who is away, since when --- */

static void forget_away(struct cell_volume *volume, uint32_t at)
{
    volume->away[at] = volume->away[--volume->away_count];
}

static bool known_away(const struct cell_volume *volume, uint32_t node, uint64_t *since_ns)
{
    for (uint32_t i = 0; i < volume->away_count; i++)
        if (volume->away[i].node == node) {
            *since_ns = volume->away[i].since_ns;
            return true;
        }
    return false;
}

static void note_away(struct cell *cell, struct cell_volume *volume)
{
    uint64_t since;
    for (uint32_t i = volume->away_count; i-- > 0;)
        if (view_has(&volume->view, volume->away[i].node) ||
            !volume_names(volume, volume->away[i].node))
            forget_away(volume, i);
    for (uint32_t i = 0; volume->view.number && i < volume->record.replica_count; i++) {
        uint32_t node = volume->record.replicas[i];
        if (!view_has(&volume->view, node) && !known_away(volume, node, &since) &&
            volume->away_count < GROUP_MAX)
            volume->away[volume->away_count++] = (struct cell_away){node, cell_now(cell)};
    }
}

/* --- the step --- */

struct placing {
    struct edit edit;
    uint8_t uuid[16];
    uint64_t revision; /* of the record that the step was taken from */
    uint32_t count, replicas[GROUP_MAX];
};

static enum err placing_make(struct edit *edit)
{
    struct placing *placing = (struct placing *)edit;
    struct cell_volume *volume = volume_of(edit->cell, placing->uuid);
    char key[REGISTRY_KEY_MAX + 1];
    if (!volume || volume->revision != placing->revision)
        return OK; /* something else has changed: the next tick looks anew */
    struct record_volume record = volume->record;
    record.replica_count = placing->count;
    memcpy(record.replicas, placing->replicas, sizeof *record.replicas * placing->count);
    record_key_uuid(key, "volume", placing->uuid);
    edit_expect(edit, key, volume->revision);
    edit_put(edit, key, record_encode_volume(&record, &edit->arena));
    return OK;
}

static void placed(struct edit *edit, enum err err)
{
    struct placing *placing = (struct placing *)edit;
    struct cell_volume *volume = volume_of(edit->cell, placing->uuid);
    if (volume)
        volume->moving = false;
    if (err != OK && err != ERR_CONFLICT && volume)
        journal("volume %s: its replicas could not be changed: %s", volume->record.name,
                err_text(err));
    free(placing);
}

static void change(struct cell *cell, struct cell_volume *volume, const struct placement *p)
{
    struct placing *placing = calloc(1, sizeof *placing);
    INVARIANT(placing != NULL);
    placing->edit = (struct edit){.cell = cell, .make = placing_make, .done = placed};
    memcpy(placing->uuid, volume->record.identity.uuid, sizeof placing->uuid);
    placing->revision = volume->revision;
    placing->count = p->count;
    memcpy(placing->replicas, p->replicas, sizeof *p->replicas * p->count);
    for (uint32_t i = 0; i < p->count; i++)
        if (!volume_names(volume, p->replicas[i]))
            journal("volume %s: node %u gets a replica", volume->record.name, p->replicas[i]);
    for (uint32_t i = 0; i < volume->record.replica_count; i++) {
        bool stays = false;
        for (uint32_t k = 0; k < p->count; k++)
            stays = stays || p->replicas[k] == volume->record.replicas[i];
        if (!stays)
            journal("volume %s: the replica of node %u is given up", volume->record.name,
                    volume->record.replicas[i]);
    }
    volume->moving = true;
    edit_begin(&placing->edit);
}

/* --- the primary's part goes elsewhere first --- */

struct handing {
    struct cell *cell;
    uint8_t uuid[16];
};

static void handed_over(void *ctx, enum err err)
{
    struct handing *handing = ctx;
    struct cell_volume *volume = volume_of(handing->cell, handing->uuid);
    if (volume)
        volume->moving = false;
    if (volume && err != OK)
        journal("volume %s: the primary's part could not be handed over: %s", volume->record.name,
                err_text(err));
    free(handing);
}

static void hand_over(struct cell *cell, struct cell_volume *volume, uint32_t to)
{
    struct handing *handing = calloc(1, sizeof *handing);
    INVARIANT(handing != NULL);
    handing->cell = cell;
    memcpy(handing->uuid, volume->record.identity.uuid, sizeof handing->uuid);
    volume->moving = true;
    primary_hand_over(host_primary(volume), to, handed_over, handing);
}

static uint32_t lost_ones(const struct cell *cell, const struct cell_volume *volume)
{
    uint32_t lost = 0;
    uint64_t since, limit = volume->contract.replace_ns;
    for (uint32_t i = 0; limit && i < volume->record.replica_count; i++)
        if (known_away(volume, volume->record.replicas[i], &since) &&
            cell_now(cell) - since > limit)
            lost |= 1u << i;
    return lost;
}

static void step(struct cell *cell, struct cell_volume *volume, struct primary *primary)
{
    struct placement_node nodes[CELL_NODES_MAX];
    struct primary_status status;
    struct store_status store;
    primary_status(primary, &status);
    store_status(host_store(volume), &store);
    if (status.part != PART_PRIMARY || !status.serves ||
        status.view.number != volume->view.number || volume->moving)
        return;
    struct placement p = {.nodes = nodes,
                          .node_count = upkeep_nodes(cell, nodes),
                          .wanted = volume->contract.replicas,
                          .room = store.live_bytes + ROOM_EXTRA,
                          .view = status.view,
                          .lost = lost_ones(cell, volume),
                          .count = volume->record.replica_count};
    memcpy(p.replicas, volume->record.replicas, sizeof p.replicas);
    enum placement_step next = placement_next(&p);
    if (next == PLACEMENT_CHANGE)
        change(cell, volume, &p);
    else if (next == PLACEMENT_HAND_OVER)
        hand_over(cell, volume, p.to);
}

void placing_tick(struct cell *cell)
{
    for (struct cell_volume *v = cell->volumes; v; v = v->next) {
        struct primary *primary = host_primary(v);
        note_away(cell, v);
        if (primary && v->revision && v->sound && !v->record.deleted && cell->nodes_known &&
            cell->alive_known && cell->volumes_known && cell->views_known)
            step(cell, v, primary);
    }
}
