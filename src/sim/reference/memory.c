/* SPDX-License-Identifier: MIT
 *
 * memory.c: the reference system of the transactional checkers: registers, lists, sets and counters
 * in the memory of nobody in particular, with versions. Each act takes a while, so transactions
 * overlap; it never fails. What its isolation promises must be found to hold; what it does not
 * promise must be found to be broken.
 *
 * Definitions
 *   time      the number of commits so far
 *   snapshot  the time at which a transaction began
 *
 * Law, by option isolation =
 *   serialisable    reads see the newest commit; a transaction commits only when nothing that it
 *                   read was changed since (backward validation: Kung and Robinson 1981)
 *   snapshot        reads see the snapshot; a transaction commits only when nothing that it wrote
 *                   was changed since (first committer wins: Berenson et al. 1995, 4.2)
 *   read-committed  reads see the newest commit; every transaction commits
 *   none            writes are there at once, and stay although one transaction of eight fails
 * A transaction sees its own writes, before all others.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "sim/run/system.h"
#include "sim/world.h"

#define ACT_NS   2000000u /* an act takes up to this long */
#define ACTS_MAX 512u

enum isolation { SERIALISABLE, SNAPSHOT, READ_COMMITTED, NONE };

struct version {
    uint64_t time;
    uint32_t value;
};

/* A register is its last version, a list and a set are all of them, a counter is their number. */
struct object {
    struct version *versions;
    uint32_t count, room;
};

struct memory;

struct client {
    struct env_timer next; /* first: see act_due */
    struct memory *memory;
    struct env *env;
    struct sim_disk *disk;
    bool busy;
    uint32_t txn, at; /* which act is next */
    uint64_t snapshot;
    uint32_t seen[ACTS_MAX]; /* by act: how many versions there were when it was carried out */
};

struct memory {
    struct system system;
    enum isolation isolation;
    uint64_t time;
    struct object *objects; /* by key */
    uint32_t object_count;
    uint32_t *answer, answer_room;
    uint32_t clients;
    struct client client[SCENARIO_CLIENTS_MAX];
};

static struct memory *memory_of(struct system *system)
{
    return (struct memory *)(void *)system;
}

static struct history *history_of(const struct memory *memory)
{
    return memory->system.run->history;
}

static struct history_act *act_of(const struct client *client, uint32_t index)
{
    struct history *history = history_of(client->memory);
    return &history->acts[history->txns[client->txn].first + index];
}

static struct object *object_of(struct memory *memory, uint32_t key)
{
    while (key >= memory->object_count) {
        uint32_t more = memory->object_count ? memory->object_count * 2 : 16;
        memory->objects = realloc(memory->objects, more * sizeof *memory->objects);
        INVARIANT(memory->objects != NULL);
        memset(memory->objects + memory->object_count, 0,
               (more - memory->object_count) * sizeof *memory->objects);
        memory->object_count = more;
    }
    return &memory->objects[key];
}

static void add_version(struct memory *memory, const struct history_act *act)
{
    struct object *object = object_of(memory, act->key);
    if (act->args[0] == VALUE_NONE)
        return; /* planned, but never asked for */
    object->versions =
        grow(object->versions, object->count, &object->room, sizeof *object->versions);
    object->versions[object->count++] = (struct version){memory->time, act->args[0]};
}

static bool is_write(const struct history_act *act)
{
    return act->code != ACT_READ && act->code != ACT_SYNC;
}

/* --- reading --- */

/* How many of an object's versions a client sees. */
static uint32_t visible(const struct client *client, const struct object *object)
{
    uint32_t count = object->count;
    if (client->memory->isolation == SNAPSHOT)
        while (count && object->versions[count - 1].time > client->snapshot)
            count--;
    return count;
}

static uint32_t *answer_room(struct memory *memory, uint32_t count)
{
    if (count > memory->answer_room) {
        memory->answer_room = count * 2;
        memory->answer = realloc(memory->answer, memory->answer_room * sizeof *memory->answer);
        INVARIANT(memory->answer != NULL);
    }
    return memory->answer;
}

/* What a client sees of an object: the committed versions, then its own. */
static uint32_t gather(struct client *client, uint32_t index)
{
    struct memory *memory = client->memory;
    const struct history_act *act = act_of(client, index);
    const struct object *object = object_of(memory, act->key);
    uint32_t count = visible(client, object);
    uint32_t *answer = answer_room(memory, count + index);
    for (uint32_t i = 0; i < count; i++)
        answer[i] = object->versions[i].value;
    for (uint32_t i = 0; i < index && memory->isolation != NONE; i++) {
        const struct history_act *own = act_of(client, i);
        if (is_write(own) && own->key == act->key && own->args[0] != VALUE_NONE)
            answer[count++] = own->args[0];
    }
    return count;
}

static void answer_read(struct client *client, uint32_t index)
{
    struct history *history = history_of(client->memory);
    struct history_act *act = act_of(client, index);
    uint32_t count = gather(client, index);
    const uint32_t *answer = client->memory->answer;
    switch (history->keys[act->key].model) {
    case MODEL_LIST:
    case MODEL_SET:
        history_answer_list(history, client->txn, index, answer, count);
        break;
    case MODEL_COUNTER:
        act->value = history_number(history, count);
        break;
    default:
        act->value = count ? answer[count - 1] : VALUE_NONE;
    }
}

/* --- the end of a transaction --- */

/* Whether others changed what this act stands on, since it was done or since the snapshot. */
static bool outdated(struct client *client, uint32_t index)
{
    const struct history_act *act = act_of(client, index);
    const struct object *object = object_of(client->memory, act->key);
    if (client->memory->isolation == SERIALISABLE)
        return act->code == ACT_READ && object->count != client->seen[index];
    return is_write(act) && object->count &&
           object->versions[object->count - 1].time > client->snapshot;
}

static bool may_commit(struct client *client, uint32_t count)
{
    struct memory *memory = client->memory;
    if (memory->isolation == NONE)
        return run_below(memory->system.run, 8) != 0;
    if (memory->isolation == READ_COMMITTED)
        return true;
    for (uint32_t i = 0; i < count; i++)
        if (act_of(client, i)->code != ACT_SYNC && outdated(client, i))
            return false;
    return true;
}

static void end(struct client *client, uint32_t count)
{
    struct memory *memory = client->memory;
    bool commits = may_commit(client, count);
    if (commits && memory->isolation != NONE) {
        memory->time++;
        for (uint32_t i = 0; i < count; i++)
            if (is_write(act_of(client, i)))
                add_version(memory, act_of(client, i));
    }
    client->busy = false;
    run_ended(memory->system.run, client->txn, commits ? OUTCOME_DONE : OUTCOME_FAILED);
}

static void carry_out(struct client *client)
{
    struct memory *memory = client->memory;
    const struct history_act *act = act_of(client, client->at);
    if (is_write(act) && act->args[0] == VALUE_NONE)
        run_continue(memory->system.run, client->txn);
    if (act->code == ACT_READ) {
        client->seen[client->at] = object_of(memory, act->key)->count;
        answer_read(client, client->at);
    } else if (memory->isolation == NONE && is_write(act)) {
        memory->time++;
        add_version(memory, act);
    }
    client->at++;
}

static void wait_a_while(struct client *client)
{
    uint64_t ns = 1 + run_below(client->memory->system.run, ACT_NS);
    client->env->ops->timer_start(client->env, &client->next, ns);
}

static void act_due(struct env_timer *timer)
{
    struct client *client = (struct client *)(void *)timer;
    uint32_t count = history_of(client->memory)->txns[client->txn].count;
    if (client->at < count)
        carry_out(client);
    if (client->at < count)
        wait_a_while(client);
    else
        end(client, count);
}

static void memory_submit(struct system *system, uint32_t number, uint32_t txn, bool durable)
{
    struct client *client = &memory_of(system)->client[number];
    (void)durable;
    INVARIANT(!client->busy && system->run->history->txns[txn].count <= ACTS_MAX);
    client->busy = true;
    client->txn = txn;
    client->at = 0;
    client->snapshot = memory_of(system)->time;
    wait_a_while(client);
}

/* --- the system --- */

static bool isolation_of(const struct scenario *scenario, enum isolation *isolation)
{
    static const char *const words[] = {"serialisable", "snapshot", "read-committed", "none"};
    const char *word = scenario_option(scenario, "isolation", words[0]);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0) {
            *isolation = (enum isolation)i;
            return true;
        }
    return false;
}

static const char *memory_refuses(const struct scenario *scenario)
{
    enum isolation isolation;
    if (scenario->workload == WORKLOAD_TREE)
        return "it has no tree of files: workload = list, register, set, counter or bank";
    if (scenario->nodes != 1)
        return "it is on no node: nodes = 1";
    if (scenario->inspect)
        return "it has no store to be looked at: of check, leave out structure, scrub and rebuild";
    if (scenario->acts > ACTS_MAX)
        return "it does at most 512 acts in a transaction: acts = 512";
    if (!isolation_of(scenario, &isolation))
        return "option isolation is serialisable, snapshot, read-committed or none";
    return NULL;
}

static struct system *memory_make(struct run *run)
{
    struct memory *memory = sim_zalloc(sizeof *memory);
    memory->system = (struct system){&system_memory, run};
    memory->clients = run->scenario->clients;
    INVARIANT(isolation_of(run->scenario, &memory->isolation));
    for (uint32_t c = 0; c < memory->clients; c++) {
        struct client *client = &memory->client[c];
        client->memory = memory;
        client->disk = sim_disk_new();
        client->env = sim_env_add(run->sim, client->disk);
        client->next.fire = act_due;
    }
    return &memory->system;
}

static void memory_free(struct system *system)
{
    struct memory *memory = memory_of(system);
    for (uint32_t c = 0; c < memory->clients; c++) {
        sim_stop(memory->client[c].env);
        sim_disk_free(memory->client[c].disk);
    }
    for (uint32_t key = 0; key < memory->object_count; key++)
        free(memory->objects[key].versions);
    free(memory->objects);
    free(memory->answer);
    free(memory);
}

static void memory_give_up(struct system *system)
{
    struct memory *memory = memory_of(system);
    for (uint32_t c = 0; c < memory->clients; c++) {
        struct client *client = &memory->client[c];
        if (!client->busy)
            continue;
        client->busy = false;
        client->env->ops->timer_stop(client->env, &client->next);
        run_ended(system->run, client->txn, OUTCOME_UNKNOWN);
    }
}

static bool memory_at_rest(struct system *system)
{
    for (uint32_t c = 0; c < memory_of(system)->clients; c++)
        if (memory_of(system)->client[c].busy)
            return false;
    return true;
}

static void memory_inspect(struct system *system)
{
    (void)system; /* it has nothing besides what clients see */
}

const struct system_ops system_memory = {
    .word = "memory",
    .text = "transactions in one memory, for trying the checkers themselves",
    .refuses = memory_refuses,
    .make = memory_make,
    .free = memory_free,
    .submit = memory_submit,
    .give_up = memory_give_up,
    .at_rest = memory_at_rest,
    .inspect = memory_inspect,
};
