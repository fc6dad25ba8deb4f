/* SPDX-License-Identifier: MIT
 *
 * abd.c: clients of the replicated registers, and the system as a run sees it. See abd.h.
 *
 * Options  write-back = no    reads answer without storing what they saw (A3 broken): two reads one
 *                             after the other may see new, then old
 *          sync = no          replicas answer before the disk has it (A1 broken)
 *          quorum = N         so many replicas instead of more than half
 *          patience = TIME    after which a client gives up an operation; 2 s
 */
#include "sim/reference/abd.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/world.h"

#define AGAIN_NS    UINT64_C(30000000) /* a client asks again after this */
#define PATIENCE_MS 2000u

enum phase { PHASE_IDLE, PHASE_ASKING, PHASE_STORING };

struct abd;

struct client {
    struct env_timer again; /* first: see from_timer */
    struct abd *abd;
    struct env *env;
    struct net *net;
    struct sim_disk *disk;
    enum phase phase;
    uint32_t number, txn, key;
    bool write;
    uint64_t op, deadline_ns, answered; /* answered: bit n: replica n has, in this phase */
    struct abd_tag tag;
    uint64_t last_count; /* of its own writes: a tag that was given up is not used again */
    uint32_t value;
};

struct node_place {
    struct sim_disk *disk;
    struct env *env; /* NULL: down */
    struct abd_replica *replica;
};

struct abd {
    struct system system;
    uint32_t nodes, clients, quorum;
    bool write_back, careless;
    uint64_t patience_ns, ops;
    struct node_place node[SCENARIO_NODES_MAX];
    struct client client[SCENARIO_CLIENTS_MAX];
};

static struct abd *abd_of(struct system *system)
{
    return (struct abd *)(void *)system;
}

/* --- the client --- */

static uint32_t count_bits(uint64_t bits)
{
    uint32_t count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

static void ask(struct client *client)
{
    struct abd_message message = {
        .kind = client->phase == PHASE_ASKING ? ABD_QUERY : ABD_STORE,
        .op = client->op,
        .key = client->key,
    };
    if (client->phase == PHASE_STORING) {
        message.tag = client->tag;
        message.value = client->value;
    }
    for (uint32_t n = 0; n < client->abd->nodes; n++)
        if (!(client->answered >> n & 1))
            abd_send(client->net, n, &message);
}

static void enter(struct client *client, enum phase phase)
{
    client->phase = phase;
    client->op = ++client->abd->ops;
    client->answered = 0;
    ask(client);
    client->env->ops->timer_start(client->env, &client->again, AGAIN_NS);
}

static void end(struct client *client, enum outcome outcome)
{
    client->phase = PHASE_IDLE;
    client->env->ops->timer_stop(client->env, &client->again);
    run_ended(client->abd->system.run, client->txn, outcome);
}

static void complete(struct client *client)
{
    struct history *history = client->abd->system.run->history;
    struct history_act *act = &history->acts[history->txns[client->txn].first];
    if (!client->write)
        act->value = client->value;
    end(client, OUTCOME_DONE);
}

/* A quorum has answered the question: A2, A3. */
static void have_asked(struct client *client)
{
    if (client->write) {
        struct history *history = client->abd->system.run->history;
        if (client->tag.count < client->last_count)
            client->tag.count = client->last_count;
        client->last_count = ++client->tag.count;
        client->tag.writer = client->number + 1;
        client->value = history->acts[history->txns[client->txn].first].args[0];
    } else if (!client->abd->write_back) {
        complete(client);
        return;
    }
    enter(client, PHASE_STORING);
}

static void hear(void *ctx, uint32_t from, struct bytes bytes)
{
    struct client *client = ctx;
    struct abd_message message;
    if (!abd_decode(bytes, &message) || client->phase == PHASE_IDLE || message.op != client->op ||
        from >= client->abd->nodes)
        return; /* of an operation that is over */
    if (message.kind == ABD_VALUE && abd_compare(message.tag, client->tag) > 0) {
        client->tag = message.tag;
        client->value = message.value;
    }
    client->answered |= UINT64_C(1) << from;
    if (count_bits(client->answered) < client->abd->quorum)
        return;
    if (client->phase == PHASE_ASKING)
        have_asked(client);
    else
        complete(client);
}

static void give_up_one(struct client *client)
{
    /* A read that has not answered told nobody anything. */
    if (client->phase != PHASE_IDLE)
        end(client, client->write ? OUTCOME_UNKNOWN : OUTCOME_FAILED);
}

static void ask_again(struct env_timer *timer)
{
    struct client *client = (struct client *)(void *)timer;
    if (client->env->ops->mono_ns(client->env) >= client->deadline_ns) {
        give_up_one(client);
        return;
    }
    ask(client);
    client->env->ops->timer_start(client->env, timer, AGAIN_NS);
}

static void abd_submit(struct system *system, uint32_t number, uint32_t txn, bool durable)
{
    struct abd *abd = abd_of(system);
    struct history *history = system->run->history;
    struct client *client = &abd->client[number];
    const struct history_act *act = &history->acts[history->txns[txn].first];
    (void)durable; /* everything is */
    INVARIANT(client->phase == PHASE_IDLE && history->txns[txn].count == 1);
    INVARIANT(act->code == ACT_READ || act->code == ACT_WRITE);
    client->txn = txn;
    client->key = act->key;
    client->write = act->code == ACT_WRITE;
    client->tag = (struct abd_tag){0, 0};
    client->value = VALUE_NONE;
    client->deadline_ns = client->env->ops->mono_ns(client->env) + abd->patience_ns;
    enter(client, PHASE_ASKING);
}

/* --- the system --- */

static const char *abd_refuses(const struct scenario *scenario)
{
    if (scenario->workload != WORKLOAD_REGISTER)
        return "it has registers only: workload = register";
    if (scenario->acts > 1)
        return "it has no transactions: acts = 1";
    if (scenario->sync_percent)
        return "every write is durable, there is no sync: syncs = 0%";
    if (scenario->keys > ABD_KEYS_MAX)
        return "it has at most 64 registers: keys = 64";
    if (scenario->nodes + scenario->clients > 64)
        return "nodes and clients together are at most 64";
    if (scenario->inspect)
        return "it has no store to be looked at: of check, leave out structure, scrub and rebuild";
    return NULL;
}

static void node_start(struct abd *abd, uint32_t n)
{
    struct node_place *node = &abd->node[n];
    node->env = sim_env_add(abd->system.run->sim, node->disk);
    node->replica = abd_replica_start(node->env, n, abd->careless);
    if (!node->replica)
        run_broken(abd->system.run, "start", "replica %u does not start", n);
}

static void node_stop(struct abd *abd, uint32_t n, bool power)
{
    struct node_place *node = &abd->node[n];
    if (!node->env)
        return;
    if (power)
        sim_crash(node->env);
    else
        sim_stop(node->env);
    if (node->replica)
        abd_replica_free(node->replica);
    node->replica = NULL;
    node->env = NULL;
}

static struct system *abd_make(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    struct abd *abd = sim_zalloc(sizeof *abd);
    abd->system = (struct system){&system_abd, run};
    abd->nodes = scenario->nodes;
    abd->clients = scenario->clients;
    abd->quorum = (uint32_t)scenario_option_number(scenario, "quorum", scenario->nodes / 2 + 1);
    abd->write_back = strcmp(scenario_option(scenario, "write-back", "yes"), "no") != 0;
    abd->careless = strcmp(scenario_option(scenario, "sync", "yes"), "no") == 0;
    abd->patience_ns =
        scenario_option_number(scenario, "patience-ms", PATIENCE_MS) * UINT64_C(1000000);
    for (uint32_t n = 0; n < abd->nodes; n++) {
        abd->node[n].disk = sim_disk_new();
        node_start(abd, n);
    }
    for (uint32_t c = 0; c < abd->clients; c++) {
        struct client *client = &abd->client[c];
        client->abd = abd;
        client->number = c;
        client->disk = sim_disk_new();
        client->env = sim_env_add(run->sim, client->disk);
        client->net = sim_net(client->env, abd->nodes + c);
        client->net->ops->listen(client->net, hear, client);
        client->again.fire = ask_again;
    }
    return &abd->system;
}

static void abd_give_up(struct system *system)
{
    struct abd *abd = abd_of(system);
    for (uint32_t c = 0; c < abd->clients; c++)
        give_up_one(&abd->client[c]);
}

static void abd_free(struct system *system)
{
    struct abd *abd = abd_of(system);
    for (uint32_t n = 0; n < abd->nodes; n++) {
        node_stop(abd, n, false);
        sim_disk_free(abd->node[n].disk);
    }
    for (uint32_t c = 0; c < abd->clients; c++) {
        sim_stop(abd->client[c].env);
        sim_disk_free(abd->client[c].disk);
    }
    free(abd);
}

static void abd_fault(struct system *system, enum fault_kind kind, uint32_t n, bool begins,
                      uint32_t strength)
{
    (void)strength;
    INVARIANT(kind == FAULT_POWER_CUT || kind == FAULT_KILL);
    if (begins)
        node_stop(abd_of(system), n, kind == FAULT_POWER_CUT);
    else if (!abd_of(system)->node[n].env)
        node_start(abd_of(system), n);
}

static struct env *abd_node_env(struct system *system, uint32_t n)
{
    return abd_of(system)->node[n].env;
}

static struct sim_disk *abd_node_disk(struct system *system, uint32_t n)
{
    return abd_of(system)->node[n].disk;
}

static bool abd_at_rest(struct system *system)
{
    struct abd *abd = abd_of(system);
    for (uint32_t c = 0; c < abd->clients; c++)
        if (abd->client[c].phase != PHASE_IDLE)
            return false;
    for (uint32_t n = 0; n < abd->nodes; n++)
        if (abd->node[n].replica && abd_replica_busy(abd->node[n].replica))
            return false;
    return true;
}

static void abd_inspect(struct system *system)
{
    struct abd *abd = abd_of(system);
    for (uint32_t n = 0; n < abd->nodes; n++)
        if (!abd->node[n].replica)
            run_broken(system->run, "start", "replica %u is down after all faults have ended", n);
}

#define BIT(kind) (UINT64_C(1) << FAULT_##kind)

const struct system_ops system_abd = {
    .word = "abd",
    .text = "registers on a majority of nodes, for trying the simulator itself",
    .refuses = abd_refuses,
    .make = abd_make,
    .free = abd_free,
    .submit = abd_submit,
    .faults = BIT(POWER_CUT) | BIT(KILL) | BIT(PAUSE) | BIT(SLOW) | BIT(DISK_STALL) |
              BIT(CLOCK_JUMP) | BIT(CLOCK_DRIFT) | BIT(PARTITION) | BIT(CUT) | BIT(CLOG) |
              BIT(SILENT) | BIT(LOSSY) | BIT(SLOW_LINKS),
    .fault = abd_fault,
    .node_env = abd_node_env,
    .node_disk = abd_node_disk,
    .give_up = abd_give_up,
    .at_rest = abd_at_rest,
    .inspect = abd_inspect,
};
