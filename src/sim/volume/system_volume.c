/* SPDX-License-Identifier: MIT
 *
 * system_volume.c: the system "volume" as a run sees it: its options, its faults.
 *
 * Options  segment-bytes, overlay-bytes, replay-bytes, pending-bytes, clean-percent,
 *          spare-segments   limits of the store, see core/store/store.h
 *          unsynced-ms      no commit stays unsynced longer
 *          pad              bytes that values are made longer by, at most
 *          again            of a thousand reads that do not wait, so many must
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/chance.h"
#include "sim/volume/volume.h"

#define MS           UINT64_C(1000000)
#define SEGMENT_MIN  65536u
#define SEGMENT_MAX  (64u << 20)
#define CUT_LATER    3u /* of four power cuts so many come within the next operations of the disk */
#define CUT_WITHIN   40u
#define ERROR_WITHIN 40u
#define INO_UNUSED   (UINT64_C(1) << 40)

static uint64_t option(const struct scenario *s, const char *key, uint64_t otherwise)
{
    return scenario_option_number(s, key, otherwise);
}

static const char *const option_keys[] = {
    "segment-bytes",  "overlay-bytes", "replay-bytes", "pending-bytes", "clean-percent",
    "spare-segments", "unsynced-ms",   "pad",          "again",
};
#define OPTION_KEYS (sizeof option_keys / sizeof *option_keys)

static bool options_known(const struct scenario *s)
{
    for (uint32_t i = 0; i < s->option_count; i++) {
        size_t k = 0;
        while (k < OPTION_KEYS && strcmp(option_keys[k], s->options[i].key) != 0)
            k++;
        if (k == OPTION_KEYS ||
            option(s, option_keys[k], 0) != option(s, option_keys[k], 1)) /* no number */
            return false;
    }
    return true;
}

static const char *refuses(const struct scenario *s)
{
    uint64_t segment = option(s, "segment-bytes", SEGMENT_MIN);
    if (!options_known(s))
        return "its options are numbers: segment-bytes, overlay-bytes, replay-bytes, "
               "pending-bytes, clean-percent, spare-segments, unsynced-ms, pad, again";
    if (s->nodes != 1)
        return "it has one node: nodes = 1";
    if (s->workload == WORKLOAD_BANK)
        return "it has no transactions over several files: the workload cannot be bank";
    if (s->acts > 1)
        return "each operation stands alone: acts = 1";
    if (segment < SEGMENT_MIN || segment > SEGMENT_MAX)
        return "segment-bytes lies between 65536 and 67108864";
    if (option(s, "pad", 0) > segment / 4)
        return "pad is at most a quarter of segment-bytes";
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
    vary(s, chance, "overlay-bytes", 24u << 10);
    vary(s, chance, "replay-bytes", 256u << 10);
    vary(s, chance, "pending-bytes", 512u << 10);
    vary(s, chance, "unsynced-ms", 40);
    set_number(s, "clean-percent", 5 + chance_below(chance, 30));
    set_number(s, "spare-segments", 1 + chance_below(chance, 3));
    set_number(s, "pad", pads[chance_below(chance, 6)]);
    set_number(s, "again", chance_below(chance, 4) ? 100 : chance_below(chance, 900));
}

static void set_limits(struct volume *v, const struct scenario *s)
{
    struct store_limits *limits = &v->options.limits;
    *limits = store_limits_default();
    limits->segment_bytes = (uint32_t)option(s, "segment-bytes", SEGMENT_MIN * 2);
    limits->pending_bytes = option(s, "pending-bytes", 512u << 10);
    limits->overlay_bytes = option(s, "overlay-bytes", 24u << 10);
    limits->replay_bytes = option(s, "replay-bytes", 256u << 10);
    limits->unsynced_ns = option(s, "unsynced-ms", 40) * MS;
    limits->clean_percent = (uint32_t)option(s, "clean-percent", 15);
    limits->spare_segments = (uint32_t)option(s, "spare-segments", 2);
}

static void volume_free(struct system *system)
{
    struct volume *v = volume_of(system);
    struct env *clients = sim_env(system->run->sim);
    clients->ops->timer_stop(clients, &v->start_timer);
    volume_bury(v);
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++)
        deed_free(&v->slots[i].deed);
    acts_end(&v->acts);
    sim_disk_free(v->disk);
    free(v);
}

static struct system *make(struct run *run)
{
    struct volume *v = calloc(1, sizeof *v);
    INVARIANT(v != NULL);
    v->system = (struct system){&system_volume, run};
    v->disk = sim_disk_new();
    v->options = (struct store_options){.path = VOLUME_PATH, .node = VOLUME_NODE};
    acts_begin(&v->acts, run, option(run->scenario, "pad", 0));
    set_limits(v, run->scenario);
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++) {
        v->slots[i].volume = v;
        v->slots[i].deed.acts = &v->acts;
    }
    if (volume_begin(v))
        return &v->system;
    volume_free(&v->system);
    return NULL;
}

static uint64_t new_inode(struct system *system)
{
    struct volume *v = volume_of(system);
    if (v->up)
        return agent_new_ino(v->agent);
    return INO_UNUSED + v->down_inos++; /* nothing will be made */
}

static void power_cut(struct volume *v, bool begins, uint32_t strength)
{
    v->held = begins;
    if (!begins) {
        volume_die(v, true, "the power fails"); /* unless it has */
        volume_start(v);
    } else if (strength % 4 < CUT_LATER) {
        sim_crash_at(v->env, 1 + strength / 4 % CUT_WITHIN);
    } else {
        volume_die(v, true, "the power fails");
    }
}

static void fault(struct system *system, enum fault_kind kind, uint32_t node, bool begins,
                  uint32_t strength)
{
    struct volume *v = volume_of(system);
    (void)node;
    switch (kind) {
    case FAULT_POWER_CUT:
        power_cut(v, begins, strength);
        break;
    case FAULT_KILL:
        v->held = begins;
        if (begins)
            volume_die(v, false, "is killed");
        else
            volume_start(v);
        break;
    case FAULT_DISK_ERROR:
        v->disk_erred = v->ever_erred = true;
        sim_io_error_at(v->env, 1 + strength % ERROR_WITHIN);
        break;
    case FAULT_ROT:
        if (v->up)
            volume_rot(v, strength);
        break;
    default:
        INVARIANT(false); /* Y2 */
    }
}

static struct env *node_env(struct system *system, uint32_t node)
{
    struct volume *v = volume_of(system);
    (void)node;
    return v->up ? v->env : NULL;
}

static struct sim_disk *node_disk(struct system *system, uint32_t node)
{
    (void)node;
    return volume_of(system)->disk;
}

static void give_up(struct system *system)
{
    volume_bury(volume_of(system));
    volume_drop_all(volume_of(system));
}

/* A store that has failed cannot rest: the machine starts again first. */
static bool at_rest(struct system *system)
{
    struct volume *v = volume_of(system);
    struct replica_status replica;
    struct store_status store;
    if (!v->up || v->rot_step != ROT_NONE)
        return false;
    replica_status(v->replica, &replica);
    if (replica.in_flight || replica.orphans)
        return false;
    store_status(v->store, &store);
    v->restart |= store.failed;
    return !store.failed;
}

#define BIT(kind) (UINT64_C(1) << FAULT_##kind)

const struct system_ops system_volume = {
    .word = "volume",
    .text = "the file service on one node: the store, the replica manager and the agent",
    .refuses = refuses,
    .knobs = knobs,
    .make = make,
    .free = volume_free,
    .submit = volume_submit,
    .new_inode = new_inode,
    .stepped = volume_stepped,
    .faults = BIT(POWER_CUT) | BIT(KILL) | BIT(PAUSE) | BIT(SLOW) | BIT(DISK_STALL) |
              BIT(DISK_FULL) | BIT(DISK_ERROR) | BIT(ROT) | BIT(CLOCK_JUMP) | BIT(CLOCK_DRIFT),
    .fault = fault,
    .node_env = node_env,
    .node_disk = node_disk,
    .give_up = give_up,
    .at_rest = at_rest,
    .inspect = volume_inspect,
};
