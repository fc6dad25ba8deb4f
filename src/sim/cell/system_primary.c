/* SPDX-License-Identifier: MIT
 *
 * system_primary.c: the system "primary" as a run sees it: its options, its faults.
 *
 * Options  read            primary, or one: then reads may be answered by any one copy
 *          least           with fewer members in the view, writes wait
 *          failover-ms     of the contract
 *          agents          so many, which the clients share; 0: one each
 *          slots           requests that an agent has under way at once; 0: as many as by default
 *          patience-ms     after which an agent gives a request up; 0: never
 *          turns-ms        one node after another is away for so long or twice that; 0: none is
 *          repair-kib      sent a second to a replica that is repaired; 0: no bound
 *          registry-loss   of a million requests to the registry, or answers, so many are lost
 *          registry-inside 1: it runs on the first three nodes: who is cut off from two of them
 *                          does not reach it
 *          atime           0: reads change nothing
 *          messages        1: each message is in the transcript; 2: heartbeats, too
 *          segment-bytes, overlay-bytes, replay-bytes, pending-bytes, clean-percent,
 *          spare-segments, unsynced-ms, pad, again   as of the system volume
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/chance.h"
#include "sim/cell/cell.h"

#define MS           UINT64_C(1000000)
#define SEGMENT_MIN  262144u /* a whole block and more */
#define SEGMENT_MAX  (64u << 20)
#define CUT_LATER    3u /* of four power cuts so many come within the next operations of the disk */
#define CUT_WITHIN   40u
#define ERROR_WITHIN 40u

static uint64_t option(const struct scenario *s, const char *key, uint64_t otherwise)
{
    return scenario_option_number(s, key, otherwise);
}

static const char *const option_keys[] = {
    "least",        "failover-ms",   "agents",          "slots",          "patience-ms",
    "turns-ms",     "repair-kib",    "registry-loss",   "segment-bytes",  "overlay-bytes",
    "replay-bytes", "pending-bytes", "clean-percent",   "spare-segments", "unsynced-ms",
    "pad",          "messages",      "registry-inside", "again",          "atime",
};
#define OPTION_KEYS (sizeof option_keys / sizeof *option_keys)

static bool option_known(const struct scenario *s, const char *key, const char *value)
{
    size_t k = 0;
    if (strcmp(key, "read") == 0)
        return strcmp(value, "primary") == 0 || strcmp(value, "one") == 0;
    while (k < OPTION_KEYS && strcmp(option_keys[k], key) != 0)
        k++;
    return k < OPTION_KEYS && option(s, key, 0) == option(s, key, 1); /* a number */
}

static const char *refuses(const struct scenario *s)
{
    uint64_t segment = option(s, "segment-bytes", SEGMENT_MIN), least = option(s, "least", 1);
    for (uint32_t i = 0; i < s->option_count; i++)
        if (!option_known(s, s->options[i].key, s->options[i].value))
            return "its options are read (primary or one), and numbers: least, failover-ms, "
                   "agents, "
                   "slots, patience-ms, turns-ms, repair-kib, registry-loss, messages, "
                   "segment-bytes, "
                   "overlay-bytes, replay-bytes, pending-bytes, clean-percent, spare-segments, "
                   "unsynced-ms, pad, again";
    if (s->nodes > GROUP_MAX)
        return "it has at most 16 nodes: nodes = 16";
    if (s->nodes + s->clients > 62)
        return "nodes and clients together are at most 62";
    if (s->workload == WORKLOAD_BANK)
        return "it has no transactions over several files: the workload cannot be bank";
    if (s->acts > 1)
        return "each operation stands alone: acts = 1";
    if (segment < SEGMENT_MIN || segment > SEGMENT_MAX)
        return "segment-bytes lies between 262144 and 67108864";
    if (option(s, "pad", 0) > segment / 4)
        return "pad is at most a quarter of segment-bytes";
    if (least < 1 || least > s->nodes)
        return "least lies between 1 and the number of nodes";
    if (s->workload == WORKLOAD_TREE && option(s, "patience-ms", 0))
        return "of what was given up in a tree nobody knows the numbers: patience-ms = 0";
    return NULL;
}

static void set_number(struct scenario *s, const char *key, uint64_t number)
{
    struct scenario_error error;
    char name[64], value[32];
    snprintf(name, sizeof name, "option.%s", key);
    snprintf(value, sizeof value, "%llu", (unsigned long long)number);
    enum err err = scenario_set(s, name, value, &error);
    INVARIANT(err == OK);
}

/* From a quarter of what the scenario says to four times as much, in steps of two. */
static void vary(struct scenario *s, struct chance *chance, const char *key, uint64_t otherwise)
{
    uint64_t number = option(s, key, otherwise) / 4;
    number <<= chance_below(chance, 5);
    set_number(s, key, number ? number : 1);
}

static void knobs(struct scenario *s, struct chance *chance)
{
    static const uint64_t pads[] = {0, 0, 100, 1000, 5000, 12000};
    set_number(s, "segment-bytes", (uint64_t)SEGMENT_MIN << chance_below(chance, 4));
    vary(s, chance, "overlay-bytes", 48u << 10);
    vary(s, chance, "replay-bytes", 512u << 10);
    vary(s, chance, "unsynced-ms", 40);
    set_number(s, "clean-percent", 5 + chance_below(chance, 30));
    set_number(s, "pad", pads[chance_below(chance, 6)]);
    set_number(s, "again", chance_below(chance, 4) ? 100 : chance_below(chance, 900));
    set_number(s, "least", 1 + chance_below(chance, s->nodes / 2 + 1));
    set_number(s, "failover-ms", 500 + 250 * chance_below(chance, 9));
    set_number(s, "agents", chance_below(chance, 3));
    set_number(s, "slots", chance_below(chance, 5));
    set_number(s, "registry-inside", chance_below(chance, 2));
    set_number(s, "registry-loss", chance_coin(chance) ? 0 : chance_below(chance, 200000));
}

/* --- making --- */

static void set_contract(struct cell *cell, const struct scenario *s)
{
    bool one = strcmp(scenario_option(s, "read", "primary"), "one") == 0;
    cell->contract = (struct contract){
        .preset = PRESET_STRONG,
        .replicate = REPLICATE_PRIMARY,
        .share = SHARE_UNIX,
        .versions = VERSIONS_NONE,
        .read = one ? READ_ONE : READ_PRIMARY,
        .replicas = s->nodes,
        .least = (uint32_t)option(s, "least", (s->nodes + 1) / 2),
        .failover_ns = option(s, "failover-ms", 2000) * MS,
    };
    cell->patience_ns = option(s, "patience-ms", 0) * MS;
}

static void set_limits(struct store_limits *limits, const struct scenario *s)
{
    *limits = store_limits_default();
    limits->segment_bytes = (uint32_t)option(s, "segment-bytes", SEGMENT_MIN);
    limits->pending_bytes = option(s, "pending-bytes", 512u << 10);
    limits->overlay_bytes = option(s, "overlay-bytes", 48u << 10);
    limits->replay_bytes = option(s, "replay-bytes", 512u << 10);
    limits->unsynced_ns = option(s, "unsynced-ms", 40) * MS;
    limits->clean_percent = (uint32_t)option(s, "clean-percent", 15);
    limits->spare_segments = (uint32_t)option(s, "spare-segments", 2);
}

static void make_identity(struct cell *cell)
{
    struct run *run = cell_run(cell);
    for (size_t i = 0; i < sizeof cell->identity.uuid; i++)
        cell->identity.uuid[i] = (uint8_t)(1 + run_below(run, 255));
    cell->identity.salt = run_random(run);
    cell->identity.created = 1;
}

static uint64_t no_number(void *ctx)
{
    (void)ctx;
    return 0; /* whoever executes takes one */
}

/* What is not known to have happened is tried again; then the view may be there. */
static void on_found(void *ctx, enum err err)
{
    struct cell *cell = ctx;
    bool unsure = err == ERR_TIMEOUT || err == ERR_REGISTRY;
    if (err && !unsure && !(err == ERR_EXIST && cell->found_again))
        run_broken(cell_run(cell), "start", "the volume cannot be made: %s", err_name(err));
    cell->founded = !unsure;
    cell->found_again |= unsure;
    if (unsure)
        primary_found(cell->nodes[0].primary, on_found, cell);
}

static bool is_founded(struct cell *cell)
{
    return cell->founded;
}

static bool is_at_rest(struct cell *cell)
{
    return cell_unrest(cell) == NULL;
}

/* All nodes start; the first makes the volume, the others join. */
static bool begin(struct cell *cell)
{
    struct run *run = cell_run(cell);
    for (uint32_t i = 0; i < cell->node_count; i++)
        cell->assigned[i] = CELL_FIRST + i;
    for (uint32_t i = 0; i < cell->node_count; i++)
        node_begin(cell, i);
    if (run->result->broken)
        return false;
    primary_found(cell->nodes[0].primary, on_found, cell);
    bool good = cell_wait(cell, is_founded, run->scenario->heal_ns);
    for (uint32_t i = 0; i < cell->agent_count; i++)
        agent_begin(cell, i);
    good = good && acts_make_files(&cell->acts, cell_do, cell) &&
           cell_wait(cell, is_at_rest, run->scenario->heal_ns);
    const char *why = cell_unrest(cell);
    if (!good)
        run_broken(run, "start", "the cell does not come together: %s", why ? why : "it ended");
    turns_begin(cell);
    return good;
}

static void cell_free(struct system *system)
{
    struct cell *cell = cell_of(system);
    turns_end(cell);
    for (uint32_t i = 0; i < cell->node_count; i++)
        node_free(&cell->nodes[i]);
    for (uint32_t i = 0; i < cell->agent_count; i++)
        if (cell->agents[i].remote)
            agent_end(&cell->agents[i]);
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++)
        deed_free(&cell->clients[i].deed);
    acts_end(&cell->acts);
    sim_registry_free(cell->registry);
    free(cell);
}

static struct system *make(struct run *run)
{
    const struct scenario *s = run->scenario;
    struct cell *cell = calloc(1, sizeof *cell);
    INVARIANT(cell != NULL);
    cell->system = (struct system){&system_primary, run};
    acts_begin(&cell->acts, run, option(s, "pad", 0));
    cell->acts.new_ino = no_number;
    cell->acts.no_atime = option(s, "atime", 1) == 0;
    cell->acts.renumbers = s->workload == WORKLOAD_TREE;
    cell->node_count = s->nodes;
    uint64_t agents = option(s, "agents", 0);
    cell->agent_count = agents && agents < s->clients ? (uint32_t)agents : s->clients;
    cell->inos = FS_ROOT_INO;
    cell->inside = option(s, "registry-inside", 0) > 0;
    cell->messages = option(s, "messages", 0);
    make_identity(cell);
    set_contract(cell, s);
    const struct sim_registry_options options = {
        .late_per_million = (unsigned)option(s, "registry-loss", 0) / 4,
        .lost_per_million = (unsigned)option(s, "registry-loss", 0),
    };
    cell->registry = sim_registry_new(run->sim, &options);
    for (uint32_t i = 0; i < SCENARIO_NODES_MAX; i++)
        set_limits(&cell->nodes[i].options.limits, s);
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++) {
        cell->clients[i].cell = cell;
        cell->clients[i].deed.acts = &cell->acts;
        cell->clients[i].agent = &cell->agents[i % cell->agent_count];
    }
    if (begin(cell))
        return &cell->system;
    cell_free(&cell->system);
    return NULL;
}

static uint64_t new_inode(struct system *system)
{
    return ++cell_of(system)->inos;
}

/* --- faults --- */

static void power_cut(struct cell_node *node, bool begins, uint32_t strength)
{
    node->held = begins;
    if (!begins) {
        node_die(node, true, "the power fails"); /* unless it has */
        node_start(node);
    } else if (strength % 4 < CUT_LATER) {
        sim_crash_at(node->env, 1 + strength / 4 % CUT_WITHIN);
    } else {
        node_die(node, true, "the power fails");
    }
}

static void on_handed(void *ctx, enum err err)
{
    run_say(cell_run(ctx), "fault", "the primary's part was handed over: %s", err_name(err));
}

/* Who is not the primary, or hands over already, says so. */
static void hand_over(struct cell *cell, uint32_t to)
{
    struct cell_node *primary = cell_primary(cell);
    if (primary && !primary->ending)
        primary_hand_over(primary->primary, to == primary->number ? 0 : to, on_handed, cell);
}

static void lose_disk(struct cell_node *node)
{
    if (!cell_has_other(node->cell, node)) /* C4 */
        return;
    node_lose(node, "loses its disk");
    node_start(node);
}

static void registry_fault(struct cell_node *node, enum fault_kind kind, bool begins,
                           uint32_t strength)
{
    struct cell *cell = node->cell;
    if (kind == FAULT_REGISTRY_CUT) {
        node->registry_fault = begins ? 1 + strength % 3 : 0;
        cell_registry_cuts(cell);
        return;
    }
    cell->outages = begins ? cell->outages + 1 : cell->outages - 1;
    sim_registry_outage(cell->registry, cell->outages > 0);
}

static void fault(struct system *system, enum fault_kind kind, uint32_t number, bool begins,
                  uint32_t strength)
{
    struct cell *cell = cell_of(system);
    struct cell_node *node = &cell->nodes[number];
    switch (kind) {
    case FAULT_POWER_CUT:
        power_cut(node, begins, strength);
        break;
    case FAULT_KILL:
    case FAULT_RESTART:
        node->held = begins;
        if (!begins)
            node_start(node);
        else if (kind == FAULT_KILL)
            node_die(node, false, "is killed");
        else
            node_end(node);
        break;
    case FAULT_DISK_ERROR:
        node->disk_erred = cell->ever_erred = true;
        sim_io_error_at(node->env, 1 + strength % ERROR_WITHIN);
        break;
    case FAULT_DISK_LOST:
        lose_disk(node);
        break;
    case FAULT_HAND_OVER:
        hand_over(cell, node->number);
        break;
    case FAULT_REGISTRY_OUTAGE:
    case FAULT_REGISTRY_CUT:
        registry_fault(node, kind, begins, strength);
        break;
    default:
        INVARIANT(false); /* Y2 */
    }
}

static struct env *node_env(struct system *system, uint32_t node)
{
    const struct cell_node *n = &cell_of(system)->nodes[node];
    return n->up ? n->env : NULL;
}

static struct sim_disk *node_disk(struct system *system, uint32_t node)
{
    return cell_of(system)->nodes[node].disk;
}

static void stepped(struct system *system)
{
    struct cell *cell = cell_of(system);
    for (uint32_t i = 0; i < cell->node_count; i++)
        node_stepped(&cell->nodes[i]);
    if (cell->inside)
        cell_registry_cuts(cell);
    if (system->run->healed && cell->turns.least_ns)
        turns_end(cell);
}

static bool at_rest(struct system *system)
{
    struct cell *cell = cell_of(system);
    const char *why = cell_unrest(cell);
    if (why && why != cell->unrest)
        run_say(system->run, "run", "not at rest: %s", why);
    cell->unrest = why;
    return why == NULL;
}

#define BIT(kind) (UINT64_C(1) << FAULT_##kind)

const struct system_ops system_primary = {
    .word = "primary",
    .text = "a replicated volume: agents, replica managers with a primary, stores, a registry",
    .refuses = refuses,
    .knobs = knobs,
    .make = make,
    .free = cell_free,
    .submit = cell_submit,
    .new_inode = new_inode,
    .stepped = stepped,
    .faults = BIT(POWER_CUT) | BIT(KILL) | BIT(PAUSE) | BIT(SLOW) | BIT(DISK_STALL) |
              BIT(DISK_FULL) | BIT(DISK_ERROR) | BIT(DISK_LOST) | BIT(CLOCK_JUMP) |
              BIT(CLOCK_DRIFT) | BIT(PARTITION) | BIT(CUT) | BIT(CLOG) | BIT(SILENT) | BIT(LOSSY) |
              BIT(SLOW_LINKS) | BIT(REGISTRY_OUTAGE) | BIT(REGISTRY_CUT) | BIT(HAND_OVER) |
              BIT(RESTART),
    .net_first = CELL_FIRST,
    .fault = fault,
    .node_env = node_env,
    .node_disk = node_disk,
    .give_up = cell_give_up,
    .at_rest = at_rest,
    .inspect = cell_inspect,
};
