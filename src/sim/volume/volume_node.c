/* SPDX-License-Identifier: MIT
 *
 * volume_node.c: the life of the node: it is made, it starts, dies, is buried and starts again.
 */
#include "core/base/assert.h"
#include "sim/volume/volume.h"

#define MS            UINT64_C(1000000)
#define RETRY_MS      100u /* after a start that failed for want of space or by a disk error */
#define CUT_AGAIN     4u   /* one start after a power cut in so many is cut short too */
#define CUT_AGAIN_OPS 60u
#define TEND_MS       800u /* between two looks after the store, on the average half of that */

static struct run *run_of(const struct volume *v)
{
    return v->system.run;
}

static void on_log(void *ctx, const char *line)
{
    run_say(run_of(ctx), "node 0", "log: %s", line);
}

static void new_env(struct volume *v)
{
    v->env = sim_env_add(run_of(v)->sim, v->disk);
    uint64_t again = scenario_option_number(run_of(v)->scenario, "again", 100);
    sim_again_per_mille(v->env, (unsigned)(again < 1000 ? again : 999));
    sim_log_to(v->env, on_log, v);
}

/* --- death --- */

void volume_bury(struct volume *v)
{
    v->up = v->restart = v->upkeep_busy = v->room_asked = false;
    v->waiting = NULL;
    v->held_at = 0;
    for (uint32_t i = 0; i < VOLUME_HELD; i++)
        v->held_inos[i] = 0;
    if (!v->env)
        return;
    sim_stop(v->env);
    if (v->agent)
        agent_abandon(v->agent);
    if (v->replica)
        replica_abandon(v->replica);
    volume_rot_abandon(v);
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++)
        if (v->slots[i].begun)
            request_abandon(&v->slots[i].deed.request);
    if (v->store)
        store_abandon(v->store);
    v->agent = NULL;
    v->replica = NULL;
    v->store = NULL;
    v->env = NULL;
}

static void start_later(struct volume *v, uint64_t ms)
{
    struct env *env = sim_env(run_of(v)->sim);
    env->ops->timer_start(env, &v->start_timer, ms * MS);
}

static void start_due(struct env_timer *timer)
{
    struct volume *v =
        (struct volume *)(void *)((uint8_t *)timer - offsetof(struct volume, start_timer));
    volume_start(v);
}

void volume_die(struct volume *v, bool cut, const char *why)
{
    bool was_up = v->up;
    if (!v->env)
        return;
    if (cut)
        sim_crash(v->env);
    v->disk_erred = false;
    volume_bury(v);
    run_say(run_of(v), "node 0", "%s", why);
    volume_drop_all(v);
    if (was_up)
        run_crashed(run_of(v), why);
}

/* After an event in which the power failed, or in which the store was found to have failed. */
void volume_stepped(struct system *system)
{
    struct volume *v = volume_of(system);
    if (!v->env || !(v->restart || sim_crashed(v->env)))
        return;
    bool cut = sim_crashed(v->env) || run_below(run_of(v), 2); /* O3 */
    volume_die(v, cut, v->restart ? "its store has failed: it is ended" : "no power");
    if (!v->held)
        start_later(v, RETRY_MS + run_below(run_of(v), RETRY_MS));
}

/* --- looking after the store --- */

static void upkeep_over(struct store_sync *sync, enum err err)
{
    struct volume *v = (struct volume *)(void *)((uint8_t *)sync - offsetof(struct volume, upkeep));
    (void)err; /* a full disk, say: it is tried again by the store */
    v->upkeep_busy = false;
}

static void tend_later(struct volume *v)
{
    v->env->ops->timer_start(v->env, &v->tend_timer, (1 + run_below(run_of(v), TEND_MS)) * MS);
}

static void tend(struct env_timer *timer)
{
    struct volume *v =
        (struct volume *)(void *)((uint8_t *)timer - offsetof(struct volume, tend_timer));
    struct store_status status;
    uint32_t what = run_below(run_of(v), 4);
    store_status(v->store, &status);
    if (status.failed) {
        if (!v->ever_erred)
            run_broken(run_of(v), "error", "the store failed without an error of the disk");
        v->restart = true;
        return;
    }
    if (!v->upkeep_busy && what < 2) {
        v->upkeep_busy = true;
        v->upkeep.done = upkeep_over;
        if (what == 0)
            store_checkpoint(v->store, &v->upkeep);
        else
            store_clean(v->store, &v->upkeep);
    }
    tend_later(v);
}

/* --- starting --- */

static enum err open_all(struct volume *v, struct store_error *error)
{
    struct agent_limits limits = agent_limits_default();
    enum err err = store_open(v->env, &v->options, &v->store, error);
    if (!err && !sim_crashed(v->env))
        err = replica_new(v->env, v->store, VOLUME_NODE, 0, 0, &v->replica);
    if (!err && !sim_crashed(v->env))
        err = agent_new(v->env, local_executor_init(&v->executor, v->replica), &limits, &v->agent);
    return sim_crashed(v->env) ? ERR_CRASHED : err;
}

static bool is_damage(enum err err)
{
    return err == ERR_DAMAGED_RECORD || err == ERR_CORRUPT || err == ERR_MISSING_SEGMENT ||
           err == ERR_SHORT_SEGMENT || err == ERR_INDEX;
}

/* What a start that failed means. */
static void start_failed(struct volume *v, enum err err, const struct store_error *error)
{
    struct run *run = run_of(v);
    bool full = err == ERR_NOSPC || err == ERR_AGAIN;
    run_say(run, "node 0", "the start fails: %s: %s", err_name(err), error->text);
    bool erred = v->disk_erred;
    v->disk_erred = false;
    volume_bury(v);
    if (err == ERR_CRASHED || (full && run->result->fired[FAULT_DISK_FULL]) || erred)
        start_later(v, RETRY_MS);
    else if (v->ever_rotted && is_damage(err))
        run_ends(run, "a damaged store refuses to start: %s: %s", err_name(err), error->text);
    else
        run_broken(run, "start", "%s: %s", err_name(err), error->text);
}

void volume_start(struct volume *v)
{
    struct run *run = run_of(v);
    struct store_error error = {""};
    struct env *clients = sim_env(run->sim);
    clients->ops->timer_stop(clients, &v->start_timer);
    if (v->env || v->held || run->result->ended || run->result->broken)
        return;
    new_env(v);
    if (run->result->fired[FAULT_POWER_CUT] && !run->healed && run_below(run, CUT_AGAIN) == 0)
        sim_crash_at(v->env, 1 + run_below(run, CUT_AGAIN_OPS));
    enum err err = open_all(v, &error);
    if (err) {
        start_failed(v, err, &error);
        return;
    }
    v->up = true;
    tend_later(v);
    run_say(run, "node 0", "is up");
}

static bool format(struct volume *v)
{
    struct store_error error = {""};
    enum err err = v->env->ops->dir_make(v->env, VOLUME_PATH);
    err = err ? err : v->env->ops->dir_sync(v->env, "/");
    err = err ? err : store_format(v->env, &v->options, &error);
    if (err)
        run_broken(run_of(v), "start", "the store cannot be made: %s: %s", err_name(err),
                   error.text);
    return !err;
}

bool volume_begin(struct volume *v)
{
    v->start_timer.fire = start_due;
    v->tend_timer.fire = tend;
    new_env(v);
    bool made = format(v);
    volume_bury(v);
    if (!made)
        return false;
    volume_start(v);
    return v->up && volume_make_files(v);
}
