/* SPDX-License-Identifier: MIT
 *
 * report.c: questions that only look.
 *
 * The node of a volume's primary knows how it is doing; the others ask it, and say what they know
 * when it does not answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/cell/calls.h"
#include "node/cell/cell_private.h"
#include "node/cell/keeper.h"
#include "node/cell/report.h"
#include "node/cell/requests.h"

#define STATE_MS 1500u

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)(n > INT64_MAX ? INT64_MAX : n));
}

static json_t *numbers(const uint32_t *list, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, number(list[i]));
    return array;
}

json_t *report_view(const struct view *view)
{
    if (!view->number)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "number", number(view->number), "primary",
                     number(view->primary), "members", numbers(view->members, view->count));
}

static const char *name_of(struct cell *cell, uint32_t node)
{
    const struct cell_node *row = member_of(cell, node);
    return row ? row->record.name : "";
}

/* --- nodes --- */

void request_nodes(struct ask *ask)
{
    struct cell *cell = ask->cell;
    json_t *nodes = json_array();
    for (uint32_t i = 0; i < cell->node_count; i++) {
        const struct cell_node *node = &cell->nodes[i];
        json_array_append_new(
            nodes,
            json_pack("{s:o, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:o}", "number",
                      number(node->record.number), "name", node->record.name, "address",
                      node->record.address, "alive", member_alive(cell, node->record.number),
                      "registry", node->record.registry, "leaving", node->record.leaving,
                      "wire_version", number(node->record.wire_version), "disk_total",
                      number(node->total ? node->total : node->record.disk_total), "disk_available",
                      number(node->total ? node->available : node->record.disk_available),
                      "replicas", number(replicas_of(cell, node->record.number))));
    }
    ask_finish(ask, json_pack("{s:b, s:o, s:b}", "ok", 1, "nodes", nodes, "current",
                              cell->nodes_known && cell->alive_known));
}

/* --- volumes --- */

static json_t *volume_line(const struct cell_volume *volume)
{
    char uuid[33];
    record_uuid_print(volume->record.identity.uuid, uuid);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "name", volume->record.name,
                     "uuid", uuid, "contract", volume->text, "view", report_view(&volume->view),
                     "replicas", numbers(volume->record.replicas, volume->record.replica_count),
                     "created", number((uint64_t)volume->record.created / 1000000000u), "deleted",
                     number((uint64_t)volume->record.deleted / 1000000000u), "made_by",
                     number(volume->record.made_by));
}

void request_volume_list(struct ask *ask)
{
    struct cell *cell = ask->cell;
    json_t *volumes = json_array();
    for (const struct cell_volume *v = cell->volumes; v; v = v->next)
        if (v->text && !v->gone)
            json_array_append_new(volumes, volume_line(v));
    ask_finish(ask, json_pack("{s:b, s:o, s:b}", "ok", 1, "volumes", volumes, "current",
                              cell->volumes_known));
}

void request_resolve(struct ask *ask)
{
    struct cell *cell = ask->cell;
    struct cell_volume *volume = ask_volume(ask);
    if (!volume)
        return;
    if (volume->record.deleted || !volume->text) {
        ask_fail(ask, ERR_NO_VOLUME,
                 "The volume '%s' was deleted. It can be had back with: pactfs volume restore %s",
                 volume->record.name, volume->record.name);
        return;
    }
    json_t *answer = volume_line(volume), *nodes = json_array();
    for (uint32_t i = 0; i < cell->node_count; i++)
        json_array_append_new(nodes, json_pack("{s:o, s:s, s:s}", "number",
                                               number(cell->nodes[i].record.number), "name",
                                               cell->nodes[i].record.name, "address",
                                               cell->nodes[i].record.address));
    json_object_set_new(answer, "nodes", nodes);
    json_object_set_new(answer, "ok", json_true());
    ask_finish(ask, answer);
}

/* --- one volume, live --- */

static uint64_t away_ms(const struct cell_volume *volume, uint32_t node, uint64_t now)
{
    for (uint32_t i = 0; i < volume->away_count; i++)
        if (volume->away[i].node == node)
            return (now - volume->away[i].since_ns) / CELL_MS;
    return 0;
}

static const struct primary_peer *peer_in(const struct primary_status *status, uint32_t node)
{
    for (uint32_t i = 0; status && i < status->peer_count; i++)
        if (status->peers[i].node == node)
            return &status->peers[i];
    return NULL;
}

static const char *part_of(const struct cell_volume *volume, const struct primary_peer *peer,
                           uint32_t node)
{
    if (volume->view.number && volume->view.primary == node)
        return "primary";
    if (view_has(&volume->view, node))
        return "backup";
    return peer && peer->joining ? "joining" : "away";
}

static json_t *repair_json(const struct primary_peer *peer)
{
    uint64_t ms = peer->repair_ns / CELL_MS;
    bool known = peer->repair_left_ns != UINT64_MAX;
    return json_pack("{s:o, s:o, s:o, s:I}", "objects", number(peer->repaired_objects), "bytes",
                     number(peer->repaired_bytes), "rate",
                     number(ms ? peer->repaired_bytes * 1000 / ms : 0), "left_ms",
                     known ? (json_int_t)(peer->repair_left_ns / CELL_MS) : (json_int_t)-1);
}

static json_t *replica_json(struct cell *cell, const struct cell_volume *volume,
                            const struct primary_status *status, uint32_t node)
{
    const struct primary_peer *peer = peer_in(status, node);
    json_t *json =
        json_pack("{s:o, s:s, s:s, s:b, s:o}", "node", number(node), "name", name_of(cell, node),
                  "part", part_of(volume, peer, node), "alive", member_alive(cell, node), "away_ms",
                  number(away_ms(volume, node, cell_now(cell))));
    if (peer && node != cell->file.node) {
        bool heard = peer->heard_ns != UINT64_MAX;
        json_object_set_new(json, "lag_bytes", number(peer->behind_bytes));
        json_object_set_new(json, "lag_ms",
                            number(peer->behind_bytes && heard ? peer->heard_ns / CELL_MS : 0));
        if (peer->joining)
            json_object_set_new(json, "repair", repair_json(peer));
    }
    return json;
}

/* What only the replica manager and the store of this node know. */
static void add_live(json_t *json, const struct primary_status *status, struct store *store)
{
    struct store_status s;
    store_status(store, &s);
    json_t *live = json_pack(
        "{s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b}", "here",
        primary_part_name(status->part), "serves", status->serves, "writes", status->writes,
        "sessions", number(status->sessions), "requests", number(status->requests), "repeated",
        number(status->repeated), "mended", number(status->mended), "view_changes",
        number(status->view_changes), "live_bytes", number(s.live_bytes), "log_bytes",
        number(s.log_bytes), "disk_available", number(s.disk_available), "problems",
        number(s.problems), "full", s.full, "failed", s.failed);
    json_object_update(json, live);
    json_decref(live);
}

static uint32_t spares_of(const struct cell *cell, const struct cell_volume *volume)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cell->node_count; i++) {
        uint32_t node = cell->nodes[i].record.number;
        if (member_alive(cell, node) && !cell->nodes[i].record.leaving &&
            !volume_names(volume, node))
            count++;
    }
    return count;
}

json_t *report_volume(struct cell *cell, const struct cell_volume *volume)
{
    struct primary_status status;
    struct primary *primary = host_primary(volume);
    json_t *replicas = json_array(), *json = volume_line(volume);
    if (primary)
        primary_status(primary, &status);
    bool leads = primary && status.part == PART_PRIMARY;
    for (uint32_t i = 0; i < volume->record.replica_count; i++)
        json_array_append_new(replicas, replica_json(cell, volume, leads ? &status : NULL,
                                                     volume->record.replicas[i]));
    json_object_set_new(json, "ok", json_true());
    json_object_set_new(json, "replicas", replicas);
    json_object_set_new(json, "spares", number(spares_of(cell, volume)));
    json_object_set_new(json, "registry", json_boolean(keeper_trouble(cell)[0] == '\0'));
    if (host_trouble(volume)[0])
        json_object_set_new(json, "trouble", json_string(host_trouble(volume)));
    if (primary)
        add_live(json, &status, host_store(volume));
    if (!leads && primary) { /* who may answer is the primary's to say */
        json_object_del(json, "serves");
        json_object_del(json, "writes");
    }
    return json;
}

void request_volume_state(struct ask *ask)
{
    struct cell_volume *volume = ask_volume(ask);
    if (volume)
        ask_finish(ask, report_volume(ask->cell, volume));
}

static void primary_answered(void *ctx, enum err err, json_t *answer)
{
    struct ask *ask = ctx;
    if (err == OK && json_is_true(json_object_get(answer, "ok"))) {
        ask_finish(ask, json_incref(answer));
        return;
    }
    struct cell_volume *volume = ask_volume(ask);
    if (volume)
        ask_finish(ask, report_volume(ask->cell, volume));
}

void request_volume_show(struct ask *ask)
{
    struct cell *cell = ask->cell;
    char uuid[33];
    struct cell_volume *volume = ask_volume(ask);
    if (!volume)
        return;
    uint32_t to = volume->view.number ? volume->view.primary : 0;
    if (to == 0 || to == cell->file.node || cell->fence.shut) {
        ask_finish(ask, report_volume(cell, volume));
        return;
    }
    record_uuid_print(volume->record.identity.uuid, uuid);
    call_node(cell, to,
              &(struct call_options){
                  .json = json_pack("{s:s, s:s}", "request", "volume-state", "volume", uuid),
                  .timeout_ms = STATE_MS,
                  .done = primary_answered,
                  .ctx = ask});
}

/* --- status --- */

static uint64_t resident_bytes(void)
{
    unsigned long long resident = 0;
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fgets(text, sizeof text, file)) {
        char *end;
        strtoull(text, &end, 10);
        resident = strtoull(end, NULL, 10);
    }
    if (file)
        fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static json_t *registry_json(const struct cell *cell)
{
    static const char *const kinds[] = {"embedded", "etcd", "external"};
    json_t *members = json_array();
    for (uint32_t i = 0; i < cell->node_count; i++)
        if (cell->nodes[i].record.registry)
            json_array_append_new(members, number(cell->nodes[i].record.number));
    const char *trouble = keeper_trouble(cell);
    return json_pack("{s:s, s:b, s:s, s:o}", "kind", kinds[cell->file.registry], "reachable",
                     trouble[0] == '\0', "trouble", trouble, "members", members);
}

static json_t *refused_json(const struct cell *cell)
{
    struct transport_status t;
    transport_status(cell->transport, &t);
    return json_pack(
        "{s:o, s:o, s:o, s:o}", "certificate", number(t.refused_certificate), "message",
        number(t.refused_message + cell->refused.malformed + cell->refused.kinds), "rights",
        number(cell->refused.rights), "full", number(t.refused_full + cell->refused.full));
}

static json_t *traffic_json(const struct cell *cell)
{
    struct transport_status t;
    transport_status(cell->transport, &t);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "peers", number(t.peers), "guests",
                     number(t.guests), "messages_in", number(t.messages_in), "messages_out",
                     number(t.messages_out), "bytes_in", number(t.bytes_in), "bytes_out",
                     number(t.bytes_out));
}

void request_status(struct ask *ask)
{
    struct cell *cell = ask->cell;
    char uuid[33];
    json_t *volumes = json_array();
    record_uuid_print(cell->file.uuid, uuid);
    for (const struct cell_volume *v = cell->volumes; v; v = v->next)
        if (v->host && v->text && !v->record.deleted)
            json_array_append_new(volumes, report_volume(cell, v));
    json_t *json =
        json_pack("{s:b, s:b, s:{s:s, s:s}, s:{s:o, s:s, s:s}, s:s, s:I, s:o, s:s, s:o}", "ok", 1,
                  "running", 1, "cell", "uuid", uuid, "name", cell->file.name, "node", "number",
                  number(cell->file.node), "name", cell->file.self, "address", cell->file.listen,
                  "version", PACTFS_VERSION, "pid", (json_int_t)getpid(), "up_seconds",
                  number((cell_now(cell) - cell->started_ns) / 1000000000u), "home",
                  cell->home.path, "resident_bytes", number(resident_bytes()));
    json_t *rest = json_pack("{s:o, s:o, s:o, s:o, s:{s:o}, s:b}", "registry", registry_json(cell),
                             "volumes", volumes, "refused", refused_json(cell), "traffic",
                             traffic_json(cell), "certificate", "not_after",
                             number((uint64_t)cell->not_after), "isolated", cell->fence.shut);
    json_object_update(json, rest);
    json_decref(rest);
    ask_finish(ask, json);
}
