/* SPDX-License-Identifier: MIT
 *
 * volume_requests.c: making, changing, deleting and moving volumes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "node/cell/calls.h"
#include "node/cell/cell_private.h"
#include "node/cell/edit.h"
#include "node/cell/report.h"
#include "node/cell/requests.h"
#include "node/cell/upkeep.h"

#define CREATE_MS    30000u /* to wait for all replicas */
#define CREATE_STEP  (100 * CELL_MS)
#define BEGINS_NS    INT64_C(10000000000) /* within this a machine that has joined runs */
#define HAND_OVER_MS 15000u
#define ROOM_LEAST   (UINT64_C(64) << 20) /* bytes on the disk of a node that gets a replica */

/* What an administrator asks of a volume: an edit of its record that knows who asked. */
struct order {
    struct edit edit;
    struct ask *ask;
    uint8_t uuid[16];
    char name[RECORD_NAME_MAX];
    char *text; /* of the contract */
    enum err why;
    struct contract_fault fault;
    /* volume-create, once it is written */
    struct env_timer timer;
    uint64_t until_ns;
    uint32_t told;
    struct record_volume record;
    struct contract contract;
};

static struct order *order_new(struct ask *ask, enum err (*make)(struct edit *edit),
                               void (*done)(struct edit *edit, enum err err))
{
    struct order *order = calloc(1, sizeof *order);
    INVARIANT(order != NULL);
    order->ask = ask;
    order->edit = (struct edit){.cell = ask->cell, .make = make, .done = done};
    return order;
}

static void order_free(struct order *order)
{
    free(order->text);
    free(order);
}

static void order_failed(struct order *order, enum err err)
{
    if (order->fault.text[0])
        ask_fail(order->ask, err, "%s", order->fault.text);
    else
        ask_fail_registry(order->ask, err);
    order_free(order);
}

__attribute__((format(printf, 3, 4))) static enum err refuse(struct order *order, enum err err,
                                                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(order->fault.text, sizeof order->fault.text, format, arguments);
    va_end(arguments);
    return err;
}

static void key_of(char key[REGISTRY_KEY_MAX + 1], const char *kind, const struct order *order)
{
    record_key_uuid(key, kind, order->uuid);
}

/* The record as it is known here, to be changed; its name and revision are expected. */
static enum err expect(struct edit *edit, struct order *order, struct record_volume *record,
                       char key[REGISTRY_KEY_MAX + 1])
{
    struct cell_volume *volume = volume_of(edit->cell, order->uuid);
    if (!volume || !volume->revision)
        return refuse(order, ERR_NO_VOLUME, "The volume is gone.");
    *record = volume->record;
    key_of(key, "volume", order);
    edit_expect(edit, key, volume->revision);
    return OK;
}

/* --- create --- */

/* Nodes that were asked for by number: all known, none twice. */
static bool named_nodes(struct ask *ask, const json_t *list, struct placement *p)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        struct cell_node *node = member_of(ask->cell, (uint32_t)json_integer_value(entry));
        bool twice = false;
        for (uint32_t k = 0; node && k < p->count; k++)
            twice = twice || p->replicas[k] == node->record.number;
        if (!node || twice || p->count == p->wanted) {
            ask_fail(ask, ERR_USAGE,
                     "The replicas have to be %u different nodes of the cell, by number.",
                     p->wanted);
            return false;
        }
        p->replicas[p->count++] = node->record.number;
    }
    return true;
}

static bool choose(struct ask *ask, const struct contract *contract, struct record_volume *record)
{
    struct placement_node nodes[CELL_NODES_MAX];
    const json_t *list = json_object_get(ask->json, "replicas");
    struct placement p = {.nodes = nodes, .room = ROOM_LEAST, .wanted = contract->replicas};
    p.node_count = upkeep_nodes(ask->cell, nodes);
    if (json_is_array(list)) {
        if (!named_nodes(ask, list, &p))
            return false;
    } else {
        placement_begin(&p);
    }
    if (p.count < contract->least || p.count == 0) {
        ask_fail(ask, ERR_NO_VIEW,
                 "The contract wants %u replicas, at least %u to write, and %u nodes run and have "
                 "room. Let more machines join (pactfs invite), or ask for fewer replicas.",
                 contract->replicas, contract->least, p.count);
        return false;
    }
    record->replica_count = p.count;
    memcpy(record->replicas, p.replicas, sizeof *p.replicas * p.count);
    return true;
}

/* A machine that has just joined counts as soon as the registry says that it runs. */
static bool some_begin(const struct cell *cell)
{
    for (uint32_t i = 0; i < cell->node_count; i++) {
        const struct record_node *node = &cell->nodes[i].record;
        if (!node->leaving && !member_alive(cell, node->number) &&
            cell_wall(cell) - node->joined < BEGINS_NS)
            return true;
    }
    return false;
}

static uint32_t may_take(struct cell *cell, const struct contract *contract)
{
    struct placement_node nodes[CELL_NODES_MAX];
    struct placement p = {.nodes = nodes, .room = ROOM_LEAST, .wanted = contract->replicas};
    p.node_count = upkeep_nodes(cell, nodes);
    placement_begin(&p);
    return p.count;
}

static void gather(struct env_timer *timer)
{
    struct order *order = (struct order *)((char *)timer - offsetof(struct order, timer));
    struct cell *cell = order->ask->cell;
    if (cell_now(cell) < order->until_ns && !cell->stopping && some_begin(cell) &&
        may_take(cell, &order->contract) < order->contract.replicas) {
        order->timer.fire = gather;
        cell->env->ops->timer_start(cell->env, &order->timer, CREATE_STEP);
    } else if (choose(order->ask, &order->contract, &order->record)) {
        edit_begin(&order->edit);
    } else {
        order_free(order);
    }
}

static enum err create_make(struct edit *edit)
{
    struct order *order = (struct order *)edit;
    char key[REGISTRY_KEY_MAX + 1], uuid[33];
    const struct cell_volume *there = volume_named(edit->cell, order->name);
    if (there && !there->record.deleted)
        return refuse(order, ERR_EXIST, "There is a volume '%s' already.", order->name);
    if (edit->cell->volume_count >= CELL_VOLUMES_MAX)
        return refuse(order, ERR_LIMIT, "The cell has %u volumes, the most of this version.",
                      CELL_VOLUMES_MAX);
    record_uuid_print(order->uuid, uuid);
    key_of(key, "volume", order);
    edit_expect(edit, key, 0);
    edit_put(edit, key, record_encode_volume(&order->record, &edit->arena));
    record_key_text(key, "name", order->name);
    edit_expect(edit, key, 0);
    edit_put(edit, key, (struct bytes){arena_copy(&edit->arena, uuid, strlen(uuid)), strlen(uuid)});
    return OK;
}

static void created(struct order *order, const struct cell_volume *volume)
{
    char uuid[33];
    record_uuid_print(order->uuid, uuid);
    ask_finish(order->ask, json_pack("{s:b, s:s, s:o}", "ok", 1, "uuid", uuid, "view",
                                     volume ? report_view(&volume->view) : json_null()));
    order_free(order);
}

/* Until all replicas are in the view, or for so long. */
static void watch_creation(struct env_timer *timer)
{
    struct order *order = (struct order *)((char *)timer - offsetof(struct order, timer));
    struct cell *cell = order->ask->cell;
    const struct cell_volume *volume = volume_of(cell, order->uuid);
    uint32_t members = volume ? volume->view.count : 0, of = order->record.replica_count;
    bool late = cell_now(cell) >= order->until_ns || cell->stopping;
    if (members >= of || (late && members > 0)) {
        created(order, volume);
    } else if (late) {
        ask_fail(order->ask, ERR_NO_VIEW,
                 "The volume was made, but no node serves it yet; see: pactfs volume show %s",
                 order->name);
        order_free(order);
    } else {
        if (members != order->told)
            ask_progress(order->ask,
                         json_pack("{s:{s:s, s:i, s:i}}", "progress", "text",
                                   "a replica has joined", "members", (int)members, "of", (int)of));
        order->told = members;
        order->timer.fire = watch_creation;
        cell->env->ops->timer_start(cell->env, &order->timer, CREATE_STEP);
    }
}

static void create_done(struct edit *edit, enum err err)
{
    struct order *order = (struct order *)edit;
    if (err != OK) {
        order_failed(order, err);
        return;
    }
    order->until_ns = cell_now(edit->cell) + CREATE_MS * CELL_MS;
    watch_creation(&order->timer);
}

/* The contract's text of a request, legal; a copy in order->text. */
static bool take_contract(struct order *order, struct contract *contract)
{
    const char *text = json_string_value(json_object_get(order->ask->json, "contract"));
    if (!text) {
        refuse(order, ERR_USAGE, "The request has no 'contract'.");
        return false;
    }
    struct bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (contract_parse(bytes, contract, &order->fault) != OK)
        return false;
    if (contract->preset == PRESET_LOCAL) {
        refuse(order, ERR_CONTRACT,
               "A volume of a cell has preset strong; preset local is for one machine by itself "
               "(pactfs up).");
        return false;
    }
    order->text = strdup(text);
    INVARIANT(order->text != NULL);
    return true;
}

void request_volume_create(struct ask *ask)
{
    const char *name = ask_text(ask, "name", RECORD_NAME_MAX - 1);
    if (!name)
        return;
    if (!record_name_sound(name)) {
        ask_fail(ask, ERR_USAGE,
                 "'%s' cannot be the name of a volume: letters, digits, '-', '_' and '.', not "
                 "beginning with '-' or '.'.",
                 name);
        return;
    }
    struct order *order = order_new(ask, create_make, create_done);
    if (!take_contract(order, &order->contract)) {
        order_failed(order, ERR_CONTRACT);
        return;
    }
    struct record_volume *record = &order->record;
    snprintf(order->name, sizeof order->name, "%s", name);
    memcpy(record->name, order->name, sizeof record->name);
    record->created = record->identity.created = cell_wall(ask->cell);
    record->made_by = ask->cell->file.node;
    record->contract = (struct bytes){(const uint8_t *)order->text, strlen(order->text)};
    if (getrandom(order->uuid, sizeof order->uuid, 0) != sizeof order->uuid ||
        getrandom(&record->identity.salt, sizeof record->identity.salt, 0) < 0) {
        refuse(order, ERR_IO, "The kernel gives no random numbers.");
        order_failed(order, ERR_IO);
        return;
    }
    memcpy(record->identity.uuid, order->uuid, sizeof order->uuid);
    order->until_ns = cell_now(ask->cell) + (uint64_t)BEGINS_NS;
    gather(&order->timer);
}

/* --- set --- */

static enum err set_make(struct edit *edit)
{
    struct order *order = (struct order *)edit;
    char key[REGISTRY_KEY_MAX + 1];
    struct record_volume record;
    struct contract contract;
    struct contract_fault fault;
    const char *was = json_string_value(json_object_get(order->ask->json, "was"));
    enum err err = expect(edit, order, &record, key);
    if (err != OK)
        return err;
    const struct cell_volume *volume = volume_of(edit->cell, order->uuid);
    if (was && strcmp(was, volume->text) != 0)
        return refuse(order, ERR_CONFLICT,
                      "The contract was changed by somebody else meanwhile; look at it again.");
    record.contract = (struct bytes){(const uint8_t *)order->text, strlen(order->text)};
    err = contract_parse(record.contract, &contract, &fault);
    if (err == OK && volume->sound)
        err = contract_change_legal(&volume->contract, &contract, &fault);
    if (err != OK)
        return refuse(order, err, "%s", fault.text);
    edit_put(edit, key, record_encode_volume(&record, &edit->arena));
    return OK;
}

static void simply_done(struct edit *edit, enum err err)
{
    struct order *order = (struct order *)edit;
    if (err != OK) {
        order_failed(order, err);
        return;
    }
    ask_done(order->ask);
    order_free(order);
}

void request_volume_set(struct ask *ask)
{
    struct contract contract;
    struct cell_volume *volume = ask_volume(ask);
    if (!volume)
        return;
    struct order *order = order_new(ask, set_make, simply_done);
    memcpy(order->uuid, volume->record.identity.uuid, sizeof order->uuid);
    if (take_contract(order, &contract))
        edit_begin(&order->edit);
    else
        order_failed(order, ERR_CONTRACT);
}

/* --- delete, restore --- */

static enum err delete_make(struct edit *edit)
{
    struct order *order = (struct order *)edit;
    char key[REGISTRY_KEY_MAX + 1];
    struct record_volume record;
    enum err err = expect(edit, order, &record, key);
    if (err != OK)
        return err;
    if (record.deleted)
        return refuse(order, ERR_NO_VOLUME, "The volume '%s' is deleted already.", record.name);
    record.deleted = cell_wall(edit->cell);
    order->record.deleted = record.deleted;
    edit_put(edit, key, record_encode_volume(&record, &edit->arena));
    edit_delete(edit, record_key_text(key, "name", record.name));
    return OK;
}

static void deleted(struct edit *edit, enum err err)
{
    struct order *order = (struct order *)edit;
    if (err != OK) {
        order_failed(order, err);
        return;
    }
    ask_finish(order->ask,
               json_pack("{s:b, s:I}", "ok", 1, "until",
                         (json_int_t)(order->record.deleted / 1000000000) + CELL_DELETED_S));
    order_free(order);
}

void request_volume_delete(struct ask *ask)
{
    struct cell_volume *volume = ask_volume(ask);
    if (!volume)
        return;
    struct order *order = order_new(ask, delete_make, deleted);
    memcpy(order->uuid, volume->record.identity.uuid, sizeof order->uuid);
    edit_begin(&order->edit);
}

static enum err restore_make(struct edit *edit)
{
    struct order *order = (struct order *)edit;
    char key[REGISTRY_KEY_MAX + 1], uuid[33];
    struct record_volume record;
    enum err err = expect(edit, order, &record, key);
    if (err != OK)
        return err;
    if (!record.deleted)
        return refuse(order, ERR_EXIST, "The volume '%s' is not deleted.", record.name);
    record.deleted = 0;
    if (order->name[0])
        memcpy(record.name, order->name, sizeof record.name);
    const struct cell_volume *other = volume_named(edit->cell, record.name);
    if (other && !other->record.deleted)
        return refuse(order, ERR_EXIST,
                      "There is another volume '%s' now; give this one another name.", record.name);
    edit_put(edit, key, record_encode_volume(&record, &edit->arena));
    record_uuid_print(order->uuid, uuid);
    record_key_text(key, "name", record.name);
    edit_expect(edit, key, 0);
    edit_put(edit, key, (struct bytes){arena_copy(&edit->arena, uuid, strlen(uuid)), strlen(uuid)});
    return OK;
}

void request_volume_restore(struct ask *ask)
{
    const char *name = json_string_value(json_object_get(ask->json, "name"));
    struct cell_volume *volume = ask_volume(ask);
    if (!volume)
        return;
    if (name && !record_name_sound(name)) {
        ask_fail(ask, ERR_USAGE, "'%.80s' cannot be the name of a volume.", name);
        return;
    }
    struct order *order = order_new(ask, restore_make, simply_done);
    memcpy(order->uuid, volume->record.identity.uuid, sizeof order->uuid);
    if (name)
        snprintf(order->name, sizeof order->name, "%s", name);
    edit_begin(&order->edit);
}

/* --- move --- */

static void handed_over(void *ctx, enum err err)
{
    struct ask *ask = ctx;
    struct cell_volume *volume;
    if (err == ERR_NOTSUP)
        ask_fail(ask, ERR_MOVED, "The primary moved meanwhile; ask again.");
    else if (err == ERR_INVAL)
        ask_fail(ask, err, "That node's replica is not in the view now; wait for its repair.");
    else if (err != OK)
        ask_fail(ask, err, "The primary's part was not handed over: %s.", err_text(err));
    else if ((volume = ask_volume(ask)))
        ask_finish(ask, json_pack("{s:b, s:o}", "ok", 1, "primary",
                                  json_object_get(ask->json, "to")
                                      ? json_incref(json_object_get(ask->json, "to"))
                                      : json_null()));
}

void request_hand_over(struct ask *ask)
{
    struct cell_volume *volume = ask_volume(ask);
    struct cell_node *to = volume ? ask_node(ask, "to") : NULL;
    if (!to)
        return;
    struct primary *primary = host_primary(volume);
    if (!primary) {
        ask_fail(ask, ERR_MOVED, "There is no replica of '%s' on this node that runs.",
                 volume->record.name);
        return;
    }
    primary_hand_over(primary, to->record.number, handed_over, ask);
}

void request_volume_move(struct ask *ask)
{
    char uuid[33];
    struct cell_volume *volume = ask_volume(ask);
    struct cell_node *to = volume ? ask_node(ask, "to") : NULL;
    if (!to)
        return;
    if (!volume->view.number || !view_has(&volume->view, to->record.number)) {
        ask_fail(ask, ERR_INVAL,
                 "Node %u (%s) has no replica of '%s' in its view, so it cannot be its primary. "
                 "See: pactfs volume show %s",
                 to->record.number, to->record.name, volume->record.name, volume->record.name);
        return;
    }
    if (volume->view.primary == to->record.number) {
        ask_finish(ask, json_pack("{s:b, s:I}", "ok", 1, "primary", (json_int_t)to->record.number));
        return;
    }
    record_uuid_print(volume->record.identity.uuid, uuid);
    json_object_set_new(ask->json, "volume", json_string(uuid));
    json_object_set_new(ask->json, "to", json_integer((json_int_t)to->record.number));
    if (volume->view.primary == ask->cell->file.node) {
        request_hand_over(ask);
        return;
    }
    uint32_t primary = volume->view.primary;
    json_t *request = json_deep_copy(ask->json);
    json_object_set_new(request, "request", json_string("hand-over"));
    json_decref(ask->json);
    ask->json = request;
    ask->request = "hand-over";
    ask_forward(ask, primary, HAND_OVER_MS);
}
