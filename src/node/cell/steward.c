/* SPDX-License-Identifier: MIT
 *
 * steward.c: what belongs to the cell as a whole is looked after by one node, the lowest that runs
 * and stays; and the question `leave`. Two stewards at once (one of them behind the times) do no
 * harm: what they do is conditional on what they know.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/cell/certificates.h"
#include "node/cell/edit.h"
#include "node/cell/keeper.h"
#include "node/cell/requests.h"
#include "node/cell/upkeep.h"

#define LEAVE_STEP    (300 * CELL_MS)
#define LEAVE_MS      (60u * 60 * 1000) /* on the control socket */
#define LEAVE_CALL_MS 20000u

/* --- a node that has nothing left leaves --- */

struct farewell {
    struct edit edit;
    uint32_t node;
    struct certificate_list issued; /* to it */
};

static enum err farewell_make(struct edit *edit)
{
    struct farewell *farewell = (struct farewell *)edit;
    char key[REGISTRY_KEY_MAX + 1];
    const struct cell_node *node = member_of(edit->cell, farewell->node);
    if (!node || !node->revision || !node->record.leaving ||
        replicas_of(edit->cell, farewell->node) != 0)
        return OK;
    record_key_number(key, "node", farewell->node);
    edit_expect(edit, key, node->revision);
    edit_delete(edit, key);
    for (uint32_t i = 0; i < farewell->issued.count; i++)
        edit_put(edit, record_key_number(key, "revoked", farewell->issued.serials[i]),
                 (struct bytes){(const uint8_t *)"left", 4});
    return OK;
}

static void farewell_done(struct edit *edit, enum err err)
{
    struct farewell *farewell = (struct farewell *)edit;
    if (err == OK)
        journal("node %u has left the cell", farewell->node);
    else
        journal("node %u cannot leave yet: %s", farewell->node, err_text(err));
    edit->cell->farewell = 0;
    free(farewell);
}

static void certificates_known(void *ctx, enum err err)
{
    struct farewell *farewell = ctx;
    if (err != OK) {
        farewell_done(&farewell->edit, err);
        return;
    }
    edit_begin(&farewell->edit);
}

static void expelled(void *ctx, enum err err, const struct store_error *error)
{
    struct farewell *farewell = ctx;
    if (err != OK) {
        journal("node %u: its part in the registry is not ended yet: %s", farewell->node,
                error->text);
        farewell->edit.cell->farewell = 0;
        free(farewell);
        return;
    }
    certificates_of_node(farewell->edit.cell, &farewell->issued, farewell->node, certificates_known,
                         farewell);
}

static void say_farewell(struct cell *cell)
{
    for (uint32_t i = 0; i < cell->node_count && !cell->farewell; i++) {
        const struct cell_node *node = &cell->nodes[i];
        if (!node->record.leaving || !node->revision || !cell->volumes_known ||
            replicas_of(cell, node->record.number) != 0)
            continue;
        struct farewell *farewell = calloc(1, sizeof *farewell);
        INVARIANT(farewell != NULL);
        farewell->edit = (struct edit){.cell = cell, .make = farewell_make, .done = farewell_done};
        farewell->node = cell->farewell = node->record.number;
        keeper_expel(cell, farewell->node, expelled, farewell);
    }
}

/* --- deleted volumes --- */

struct purge {
    struct edit edit;
    uint8_t uuid[16];
};

static bool overdue(const struct cell *cell, const struct cell_volume *volume)
{
    return volume->revision && volume->record.deleted &&
           cell_wall(cell) - volume->record.deleted > INT64_C(1000000000) * CELL_DELETED_S;
}

static enum err purge_make(struct edit *edit)
{
    struct purge *purge = (struct purge *)edit;
    char key[REGISTRY_KEY_MAX + 1];
    const struct cell_volume *volume = volume_of(edit->cell, purge->uuid);
    if (!volume || !overdue(edit->cell, volume))
        return OK;
    record_key_uuid(key, "volume", purge->uuid);
    edit_expect(edit, key, volume->revision);
    edit_delete(edit, key);
    edit_delete(edit, record_key_uuid(key, "view", purge->uuid));
    return OK;
}

static void purged(struct edit *edit, enum err err)
{
    (void)err; /* the next tick looks again */
    edit->cell->purging = false;
    free(edit);
}

static void purge_volumes(struct cell *cell)
{
    for (const struct cell_volume *v = cell->volumes; v && !cell->purging; v = v->next) {
        if (!overdue(cell, v))
            continue;
        struct purge *purge = calloc(1, sizeof *purge);
        INVARIANT(purge != NULL);
        purge->edit = (struct edit){.cell = cell, .make = purge_make, .done = purged};
        memcpy(purge->uuid, v->record.identity.uuid, sizeof purge->uuid);
        cell->purging = true;
        edit_begin(&purge->edit);
    }
}

void steward_tick(struct cell *cell)
{
    say_farewell(cell);
    purge_volumes(cell);
    certificates_tidy(cell);
}

/* --- leave --- */

struct leave {
    struct edit edit;
    struct ask *ask;
    struct env_timer timer;
    uint32_t node, told;
    uint64_t until_ns;
};

static enum err leave_make(struct edit *edit)
{
    struct leave *leave = (struct leave *)edit;
    char key[REGISTRY_KEY_MAX + 1];
    const struct cell_node *node = member_of(edit->cell, leave->node);
    if (!node || !node->revision || node->record.leaving)
        return OK;
    struct record_node record = node->record;
    record.leaving = true;
    record_key_number(key, "node", leave->node);
    edit_expect(edit, key, node->revision);
    edit_put(edit, key, record_encode_node(&record, &edit->arena));
    return OK;
}

static void watch_leaving(struct env_timer *timer)
{
    struct leave *leave = (struct leave *)((char *)timer - offsetof(struct leave, timer));
    struct cell *cell = leave->ask->cell;
    uint32_t left = replicas_of(cell, leave->node);
    if (!member_of(cell, leave->node)) {
        ask_finish(leave->ask, json_pack("{s:b, s:b}", "ok", 1, "left", 1));
        free(leave);
    } else if (cell_now(cell) >= leave->until_ns) {
        ask_finish(leave->ask,
                   json_pack("{s:b, s:b, s:i}", "ok", 1, "left", 0, "replicas", (int)left));
        free(leave);
    } else {
        if (left != leave->told)
            ask_progress(leave->ask, json_pack("{s:{s:s, s:i}}", "progress", "text",
                                               "replicas are moved elsewhere", "left", (int)left));
        leave->told = left;
        leave->timer.fire = watch_leaving;
        cell->env->ops->timer_start(cell->env, &leave->timer, LEAVE_STEP);
    }
}

static void leave_begun(struct edit *edit, enum err err)
{
    struct leave *leave = (struct leave *)edit;
    if (err != OK) {
        ask_fail_registry(leave->ask, err);
        free(leave);
        return;
    }
    uint32_t ms = leave->ask->control ? LEAVE_MS : LEAVE_CALL_MS;
    leave->until_ns = cell_now(edit->cell) + ms * CELL_MS;
    leave->told = UINT32_MAX;
    watch_leaving(&leave->timer);
}

/* A volume that the other nodes cannot keep as its contract says, without this one; NULL: none. */
static const struct cell_volume *held_back(const struct cell *cell, uint32_t leaving)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < cell->node_count; i++)
        if (cell->nodes[i].record.number != leaving && !cell->nodes[i].record.leaving)
            others++;
    for (const struct cell_volume *v = cell->volumes; v; v = v->next)
        if (!v->record.deleted && v->sound && volume_names(v, leaving) &&
            v->contract.replicas > others)
            return v;
    return NULL;
}

void request_leave(struct ask *ask)
{
    struct cell *cell = ask->cell;
    struct cell_node *node = ask_node(ask, "node");
    if (!node)
        return;
    const struct cell_volume *held = held_back(cell, node->record.number);
    if (cell->node_count == 1) {
        ask_fail(ask, ERR_USAGE,
                 "This is the only node: with it the cell would be gone. Stop it, and remove its "
                 "home, if that is what you want.");
        return;
    }
    if (held) {
        ask_fail(ask, ERR_NO_VIEW,
                 "The volume '%s' has %u replicas by its contract, and without %s there are too "
                 "few nodes. Let another machine join first, or: pactfs volume set %s replicas=%u",
                 held->record.name, held->contract.replicas, node->record.name, held->record.name,
                 held->contract.replicas - 1);
        return;
    }
    struct leave *leave = calloc(1, sizeof *leave);
    INVARIANT(leave != NULL);
    leave->edit = (struct edit){.cell = cell, .make = leave_make, .done = leave_begun};
    leave->ask = ask;
    leave->node = node->record.number;
    edit_begin(&leave->edit);
}
