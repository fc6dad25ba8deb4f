/* SPDX-License-Identifier: MIT
 *
 * requests.c: what a node understands, on HOME/control and by CALL. A request is {"request": NAME,
 * ...}; the answer has "ok": true, or "ok": false with "error", a sentence, and "code", an error's
 * name. "volume" is a name or 32 hexadecimal digits, a node a number or a name.
 *
 *   anybody who has a code
 *     enrol {secret, role, name, address, requests}     certificates for a new machine
 *   clients
 *     status                                            this node
 *     nodes                                             the cell's
 *     resolve {volume}                                  what an agent needs to mount it
 *     volume-list, volume-show {volume}, explain {volume}
 *     renew {pem, certificate}                          a new certificate for the same owner
 *   administrators
 *     invite {role, minutes, uid}, certificates, revoke {serial}, leave {node}
 *     volume-create {name, contract, replicas?}, volume-set {volume, contract, was?},
 *     volume-delete {volume}, volume-restore {volume, name?}, volume-move {volume, to},
 *     scrub {volume, node?}
 *   nodes, and who may use the control socket
 *     volume-state, hand-over {volume, to}, scrub-here {volume}, scrub-state {volume}
 *     isolate {on}                                      as if all cables were cut
 *     stop                                              answered when all is closed
 */
#include "node/cell/requests.h"

#include <string.h>

#include "core/contract/nearest.h"
#include "node/cell/cell_private.h"

#define PATIENCE_NS (1200 * CELL_MS) /* an answer is due within 2 s */
#define AGAIN_NS    (20 * CELL_MS)

static void request_isolate(struct ask *ask)
{
    const json_t *on = json_object_get(ask->json, "on");
    if (!ask->control)
        ask_fail(ask, ERR_PERM, "That can be asked only on the node's own machine.");
    else if (!json_is_boolean(on)) {
        ask_fail(ask, ERR_USAGE, "The request has no 'on', true or false.");
    } else {
        ask->cell->fence.shut = json_is_true(on);
        journal(json_is_true(on) ? "cut off, as was asked for" : "not cut off any more");
        ask_done(ask);
    }
}

static void request_stop(struct ask *ask)
{
    struct cell *cell = ask->cell;
    if (!ask->control || cell->waiter_count == CELL_WAITERS_MAX) {
        ask_fail(ask, ERR_BUSY, "PactFS is stopping, or cannot be stopped from here.");
        return;
    }
    cell->waiters[cell->waiter_count++] = ask->control;
    cell_stop(cell);
}

struct row {
    const char *name;
    enum gate_role least;
    bool waits; /* a little, for what the registry says of nodes and volumes */
    void (*run)(struct ask *ask);
};

static const struct row rows[] = {
    {"enrol", GATE_STRANGER, true, request_enrol},
    {"status", GATE_CLIENT, false, request_status},
    {"nodes", GATE_CLIENT, false, request_nodes},
    {"resolve", GATE_CLIENT, true, request_resolve},
    {"volume-list", GATE_CLIENT, true, request_volume_list},
    {"volume-show", GATE_CLIENT, true, request_volume_show},
    {"explain", GATE_CLIENT, true, request_volume_show},
    {"renew", GATE_CLIENT, true, request_renew},
    {"invite", GATE_ADMINISTRATOR, true, request_invite},
    {"certificates", GATE_ADMINISTRATOR, false, request_certificates},
    {"revoke", GATE_ADMINISTRATOR, false, request_revoke},
    {"leave", GATE_ADMINISTRATOR, true, request_leave},
    {"volume-create", GATE_ADMINISTRATOR, true, request_volume_create},
    {"volume-set", GATE_ADMINISTRATOR, true, request_volume_set},
    {"volume-delete", GATE_ADMINISTRATOR, true, request_volume_delete},
    {"volume-restore", GATE_ADMINISTRATOR, true, request_volume_restore},
    {"volume-move", GATE_ADMINISTRATOR, true, request_volume_move},
    {"scrub", GATE_ADMINISTRATOR, true, request_scrub},
    {"volume-state", GATE_NODE, false, request_volume_state},
    {"hand-over", GATE_NODE, false, request_hand_over},
    {"scrub-here", GATE_NODE, false, request_scrub_here},
    {"scrub-state", GATE_NODE, false, request_scrub_state},
    {"isolate", GATE_NODE, false, request_isolate},
    {"stop", GATE_NODE, false, request_stop},
};

#define ROWS (sizeof rows / sizeof *rows)

static void unknown(struct ask *ask)
{
    const char *names[ROWS + 1];
    for (size_t i = 0; i < ROWS; i++)
        names[i] = rows[i].name;
    names[ROWS] = NULL;
    const char *near = nearest_word(ask->request, names);
    if (near)
        ask_fail(ask, ERR_USAGE, "There is no request '%.40s'; did you mean '%s'?", ask->request,
                 near);
    else
        ask_fail(ask, ERR_USAGE, "There is no request '%.40s'.", ask->request);
}

/* Has the registry told what there is, this node's own figures included? */
static bool knows(const struct cell *cell)
{
    bool own = false;
    for (uint32_t i = 0; i < cell->node_count; i++)
        own = own || (cell->nodes[i].record.number == cell->file.node &&
                      cell->nodes[i].alive_revision != 0);
    return own && cell->nodes_known && cell->alive_known && cell->volumes_known &&
           cell->views_known;
}

static void run_again(struct env_timer *timer)
{
    request_run((struct ask *)((char *)timer - offsetof(struct ask, timer)));
}

void request_run(struct ask *ask)
{
    struct cell *cell = ask->cell;
    const struct row *row = rows;
    while (row < rows + ROWS && strcmp(row->name, ask->request) != 0)
        row++;
    if (row == rows + ROWS) {
        unknown(ask);
    } else if (!gate_call(ask->role, row->least)) {
        cell->refused.rights++;
        ask_fail(ask, ERR_PERM, "'%s' is not for the role of the certificate that was shown.",
                 row->name);
    } else if (cell->stopping && row->run != request_stop) {
        ask_fail(ask, ERR_BUSY, "PactFS is stopping.");
    } else if (row->waits && !knows(cell) && cell_now(cell) - ask->began_ns < PATIENCE_NS) {
        ask->timer.fire = run_again;
        cell->env->ops->timer_start(cell->env, &ask->timer, AGAIN_NS);
    } else {
        row->run(ask);
    }
}
