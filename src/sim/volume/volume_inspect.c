/* SPDX-License-Identifier: MIT
 *
 * volume_inspect.c: what is looked at when all is at rest.
 *
 *   always     a last commit can be made and becomes durable; invariants of store and agent hold
 *   structure  the tree of files is one; what has no name is gone once all references are
 *   scrub      every checksum is right; a flipped bit that is still there is found
 *   rebuild    the store closes and opens again, once as it is and once with an index made
 *              anew from the log: each time it says the same
 *
 * After a bit has flipped, only scrub: what the damage hides is not there to be looked at.
 */
#include <string.h>

#include "core/base/assert.h"
#include "sim/acts/look.h"
#include "sim/volume/volume.h"

#define RETRY_NS UINT64_C(200000000)

/* --- the parts --- */

static void flag(void *ctx)
{
    *(bool *)ctx = true;
}

/* The kernel lets go of everything; what has no name goes. */
static bool let_go(struct volume *v)
{
    bool drained = false;
    agent_check(v->agent);
    agent_forget_all(v->agent);
    memset(v->held_inos, 0, sizeof v->held_inos);
    agent_drain(v->agent, flag, &drained);
    if (look_wait(v->system.run, &drained))
        return true;
    run_broken(v->system.run, "progress", "orphans are never reclaimed");
    volume_bury(v); /* the agent would tell a variable that is gone */
    return false;
}

static enum err commit(struct volume *v)
{
    struct request request = {0};
    request_begin(&request);
    request.durable = true;
    request.op.code = FS_SETATTR;
    request.op.cred.checked = true;
    request.op.ino = FS_ROOT_INO;
    request.op.set = FS_SET_MTIME_NOW;
    enum err err = volume_do(v, &request);
    if (err == ERR_TIMEOUT)
        volume_bury(v); /* it is still under way */
    request_abandon(&request);
    return err;
}

/* A disk that was full is looked at again after a while only. */
static bool last_commit(struct volume *v)
{
    struct run *run = v->system.run;
    uint64_t end = sim_now(run->sim) + run->scenario->heal_ns;
    enum err err = commit(v);
    while ((err == ERR_NOSPC || err == ERR_AGAIN) && sim_now(run->sim) < end) {
        sim_advance(run->sim, RETRY_NS);
        err = commit(v);
    }
    if (err == OK || (err == ERR_CORRUPT && v->ever_rotted))
        return true;
    run_broken(run, "progress", "after all faults a durable commit is answered with %s",
               err_name(err));
    return false;
}

static void structure(struct volume *v)
{
    struct run *run = v->system.run;
    struct agent_status status;
    struct look look;
    enum err err = look_at(run, v->store, "", &look);
    agent_status(v->agent, &status);
    /* One that could not be reclaimed (a full disk) waits for the next start. */
    if (err)
        run_broken(run, "structure", "not everything can be read: %s", err_name(err));
    else if (look.orphans > status.unclaimed && !v->ever_erred &&
             !run->result->fired[FAULT_DISK_FULL])
        run_broken(run, "structure", "%llu inodes without a name are left",
                   (unsigned long long)look.orphans);
}

static void scrub_problem(struct look_scrub *look, const char *file, uint64_t offset,
                          const char *what)
{
    struct volume *v = look->ctx;
    if (v->ever_rotted)
        run_say(v->system.run, "check", "scrub: %s at %llu: %s", file, (unsigned long long)offset,
                what);
    else
        run_broken(v->system.run, "scrub", "%s at %llu: %s", file, (unsigned long long)offset,
                   what);
}

static void scrub(struct volume *v)
{
    struct run *run = v->system.run;
    struct look_scrub look = {.problem = scrub_problem, .ctx = v};
    enum err err = look_scrub(run, v->store, &look);
    if (!look.over) {
        run_broken(run, "scrub", "it does not end");
        volume_bury(v);
    } else if (err && !v->ever_rotted) {
        run_broken(run, "scrub", "it fails: %s", err_name(err));
    } else if (volume_rot_left(v) && !look.scrub.problems) {
        run_broken(run, "scrub", "%u flipped bits were not found", volume_rot_left(v));
    }
}

/* --- closing and opening --- */

struct closing {
    bool over;
    enum err err;
};

static void closed(void *ctx, enum err err)
{
    ((struct closing *)ctx)->over = true;
    ((struct closing *)ctx)->err = err;
}

/* An orderly end. */
static bool close_volume(struct volume *v)
{
    struct closing closing = {false, OK};
    v->env->ops->timer_stop(v->env, &v->tend_timer);
    if (v->agent)
        agent_free(v->agent);
    if (v->replica)
        replica_free(v->replica);
    v->agent = NULL;
    v->replica = NULL;
    store_close(v->store, closed, &closing);
    if (look_wait(v->system.run, &closing.over)) {
        v->store = NULL;
        if (closing.err)
            run_broken(v->system.run, "rebuild", "the store does not close: %s",
                       err_name(closing.err));
        return !closing.err;
    }
    run_broken(v->system.run, "progress", "the store does not close");
    volume_bury(v);
    return false;
}

static bool open_again(struct volume *v, bool rebuild, uint64_t before)
{
    struct store_error error = {""};
    struct look look = {0, 0};
    v->options.rebuild_index = rebuild;
    enum err err = store_open(v->env, &v->options, &v->store, &error);
    if (err) {
        run_broken(v->system.run, "rebuild", "the store does not open again: %s: %s", err_name(err),
                   error.text);
        return false;
    }
    store_check(v->store);
    err = look_at(v->system.run, v->store, "", &look);
    if (err || look.digest != before)
        run_broken(v->system.run, "rebuild", "%s gives another volume%s%s",
                   rebuild ? "an index made anew from the log" : "closing and opening",
                   err ? ": " : "", err ? err_name(err) : "");
    return true;
}

static void rebuild(struct volume *v)
{
    struct look look;
    if (look_at(v->system.run, v->store, "", &look) == OK && close_volume(v) &&
        open_again(v, false, look.digest) && close_volume(v))
        open_again(v, true, look.digest);
}

void volume_inspect(struct system *system)
{
    struct volume *v = volume_of(system);
    uint32_t inspect = system->run->scenario->inspect;
    INVARIANT(v->up);
    if (!let_go(v) || !last_commit(v))
        return;
    store_check(v->store);
    if ((inspect & INSPECT_STRUCTURE) && !v->ever_rotted)
        structure(v);
    if (inspect & INSPECT_SCRUB)
        scrub(v);
    if ((inspect & INSPECT_REBUILD) && !v->ever_rotted && !system->run->result->broken)
        rebuild(v);
}
