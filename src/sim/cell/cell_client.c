/* SPDX-License-Identifier: MIT
 *
 * cell_client.c: agents, and transactions of one act that clients carry out through them.
 *
 * The kernel in front of an agent holds a reference to each inode that an answer named, until
 * CELL_HELD others were named: what loses its last name before that is an orphan for a while.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/cell/cell.h"

#define ARRIVAL_NS 20000u
#define BEGIN_NS   UINT64_C(60000000000)

/* --- what the kernels hold --- */

static void on_named(struct deed *deed, uint64_t ino)
{
    struct cell_agent *agent = ((struct cell_client *)(void *)deed)->agent;
    agent->held_inos[agent->held_at++ % CELL_HELD] = ino;
}

static uint32_t on_holds(void *ctx, uint64_t *inos, uint32_t count)
{
    const struct cell_agent *agent = ctx;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;
        while (k < CELL_HELD && agent->held_inos[k] != inos[i])
            k++;
        if (k < CELL_HELD)
            inos[kept++] = inos[i];
    }
    return kept;
}

void cell_let_go(struct cell *cell)
{
    for (uint32_t i = 0; i < cell->agent_count; i++)
        memset(cell->agents[i].held_inos, 0, sizeof cell->agents[i].held_inos);
}

/* --- one transaction --- */

static void client_begin(struct cell_client *client);

static void client_end(struct cell_client *client, enum outcome outcome)
{
    if (client->begun)
        request_end(&client->deed.request);
    deed_drop_payload(&client->deed);
    client->busy = client->begun = false;
    run_ended(cell_run(client->cell), client->deed.txn, outcome);
}

static bool is_expected(const struct cell_client *client, enum err err)
{
    switch (err) {
    case ERR_NOSPC:
        return cell_run(client->cell)->result->fired[FAULT_DISK_FULL] > 0;
    case ERR_CORRUPT:
        return client->cell->ever_rotted;
    case ERR_IO:
        if (client->cell->ever_erred)
            return true; /* the last replica */
        return client->cell->gave_up || client->cell->patience_ns;
    case ERR_TIMEOUT:
        return client->cell->gave_up || client->cell->patience_ns;
    default:
        return false;
    }
}

/* No answer: certain to have had no effect, or not. See R1 of core/agent/remote.h. */
static void client_fail(struct cell_client *client, enum err err)
{
    struct run *run = cell_run(client->cell);
    bool harmless = deed_only_reads(&client->deed) || err == ERR_NOSPC || err == ERR_TIMEOUT;
    if (!is_expected(client, err)) {
        char line[512];
        run_broken(run, "error", "this was answered with %s: %s", err_name(err),
                   txn_print(run->history, client->deed.txn, line, sizeof line));
    }
    run_say(run, "agent", "answers %s", err_name(err));
    client_end(client, harmless ? OUTCOME_FAILED : OUTCOME_UNKNOWN);
}

static void client_over(struct cell_client *client)
{
    struct deed *deed = &client->deed;
    enum err err = deed->request.err;
    if (err == OK && deed_cut_short(deed)) {
        request_end(&deed->request);
        client_begin(client);
    } else if (err == OK) {
        deed_answer(deed);
        client_end(client, OUTCOME_DONE);
    } else if (is_answer(err) && deed_is_tree(deed) && deed_act(deed)->code != ACT_SYNC) {
        deed_act(deed)->fault = (uint8_t)err;
        client_end(client, OUTCOME_DONE);
    } else {
        client_fail(client, err);
    }
}

static void client_done(struct request *request)
{
    client_over((struct cell_client *)(void *)request);
}

static void client_begin(struct cell_client *client)
{
    struct deed *deed = &client->deed;
    struct executor *executor = remote_executor(client->agent->remote);
    bool over;
    client->begun = true;
    request_begin(&deed->request);
    deed->request.done = client_done;
    deed->request.durable = true;
    deed->request.op.cred = (struct fs_cred){.checked = true};
    if (deed_act(deed)->code == ACT_SYNC) {
        over = executor->ops->sync(executor, &deed->request);
    } else {
        deed_operation(deed);
        over = executor->ops->execute(executor, &deed->request);
    }
    if (over)
        client_over(client);
}

/* --- room --- */

static void room(void *ctx)
{
    struct cell_agent *agent = ctx;
    struct cell_client *client = agent->waiting;
    agent->waiting = NULL;
    agent->room_asked = false;
    while (client) {
        struct cell_client *next = client->next;
        client_begin(client);
        client = next;
    }
}

static void client_wait(struct cell_client *client)
{
    struct cell_agent *agent = client->agent;
    struct executor *executor = remote_executor(agent->remote);
    client->next = agent->waiting;
    agent->waiting = client;
    if (!agent->room_asked) {
        agent->room_asked = true;
        executor->ops->on_room(executor, room, agent);
    }
}

static void arrive(struct env_timer *timer)
{
    struct cell_client *client =
        (struct cell_client *)(void *)((uint8_t *)timer - offsetof(struct cell_client, arrival));
    struct executor *executor = remote_executor(client->agent->remote);
    if (executor->ops->has_room(executor))
        client_begin(client);
    else
        client_wait(client);
}

void cell_submit(struct system *system, uint32_t number, uint32_t txn, bool durable)
{
    struct cell_client *client = &cell_of(system)->clients[number];
    struct env *env = client->agent->env;
    (void)durable; /* every answer is */
    INVARIANT(!client->busy && system->run->history->txns[txn].count == 1);
    client->busy = true;
    client->begun = false;
    deed_begin(&client->deed, txn);
    client->arrival.fire = arrive;
    env->ops->timer_start(env, &client->arrival, ARRIVAL_NS);
}

void cell_give_up(struct system *system)
{
    struct cell *cell = cell_of(system);
    cell->gave_up = true;
    for (uint32_t i = 0; i < cell->agent_count; i++) {
        cell->agents[i].waiting = NULL;
        if (cell->agents[i].remote)
            remote_give_up(cell->agents[i].remote);
    }
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++) {
        struct cell_client *client = &cell->clients[i];
        INVARIANT(!client->busy || !client->begun); /* remote_give_up has ended those */
        if (client->busy) {
            client->agent->env->ops->timer_stop(client->agent->env, &client->arrival);
            client_end(client, OUTCOME_FAILED);
        }
    }
}

/* --- requests of the system's own --- */

static void own_done(struct request *request)
{
    *(bool *)request->ctx = true;
}

static bool none(struct cell *cell)
{
    return *cell->own_over;
}

enum err cell_do(void *ctx, struct request *request)
{
    struct cell *cell = ctx;
    struct executor *executor = remote_executor(cell->agents[0].remote);
    bool over = false;
    request->done = own_done;
    request->ctx = &over;
    cell->own_over = &over;
    if (executor->ops->execute(executor, request) ||
        cell_wait(cell, none, cell_run(cell)->scenario->heal_ns))
        return request->err;
    remote_give_up(cell->agents[0].remote);
    return ERR_TIMEOUT;
}

/* --- agents --- */

static void deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct cell_agent *agent = ctx;
    struct message message;
    arena_reset(&agent->arena);
    enum err err = wire_decode(bytes, &agent->arena, &message);
    if (err)
        run_broken(cell_run(agent->cell), "error", "a message of %u cannot be read: %s", from,
                   err_name(err));
    else {
        cell_trace(agent->cell, agent->number, from, &message);
        remote_deliver(agent->remote, from, &message);
    }
}

static void on_renewed(void *ctx)
{
    struct cell_agent *agent = ctx;
    run_broken(cell_run(agent->cell), "error", "an agent's session was lost");
}

static void on_begun(void *ctx, enum err err)
{
    struct cell_agent *agent = ctx;
    if (err)
        run_broken(cell_run(agent->cell), "start", "an agent gets no session: %s", err_name(err));
}

void agent_begin(struct cell *cell, uint32_t index)
{
    struct cell_agent *agent = &cell->agents[index];
    struct run *run = cell_run(cell);
    bool near = cell->contract.read == READ_ONE && run_below(run, 4);
    agent->cell = cell;
    agent->number = CELL_FIRST + cell->node_count + index;
    agent->env = sim_env_add(run->sim, NULL);
    agent->net = sim_net(agent->env, agent->number);
    arena_init(&agent->arena);
    struct remote_options options = {
        .env = agent->env,
        .net = agent->net,
        .nodes = cell->assigned,
        .node_count = cell->node_count,
        .timing = timing_of(cell->contract.failover_ns),
        .slots = (uint32_t)scenario_option_number(run->scenario, "slots", 0),
        .patience_ns = cell->patience_ns,
        .read_one = cell->contract.read == READ_ONE,
        .near = near ? cell->assigned[run_below(run, cell->node_count)] : 0,
        .holds = on_holds,
        .renewed = on_renewed,
        .ctx = agent,
    };
    memcpy(options.volume, cell->identity.uuid, sizeof options.volume);
    enum err err = remote_new(&options, &agent->remote);
    INVARIANT(err == OK);
    agent->net->ops->listen(agent->net, deliver, agent);
    remote_begin(agent->remote, BEGIN_NS, on_begun, agent);
    cell->acts.named = on_named;
}

void agent_end(struct cell_agent *agent)
{
    sim_stop(agent->env);
    remote_abandon(agent->remote);
    arena_free(&agent->arena);
}
