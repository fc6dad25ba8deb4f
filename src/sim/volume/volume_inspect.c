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
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "core/fs/check.h"
#include "sim/volume/volume.h"

#define RETRY_NS UINT64_C(200000000)

struct looking {
    struct volume *v;
    struct fs_check check;
    struct object_key *blocks;
    uint32_t count, room;
    uint64_t digest;
};

/* Runs the world until *over. */
static bool wait_for(struct volume *v, const bool *over)
{
    struct run *run = v->system.run;
    uint64_t end = sim_now(run->sim) + run->scenario->heal_ns;
    while (!*over && sim_now(run->sim) <= end && sim_step(run->sim))
        ;
    return *over;
}

/* --- everything that the store holds, in one number --- */

static void mix(struct looking *l, const void *data, size_t len)
{
    l->digest = checksum64(data, len, l->digest);
}

static void on_problem(void *ctx, const char *sentence)
{
    struct looking *l = ctx;
    run_broken(l->v->system.run, "structure", "%s", sentence);
}

static void on_object(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct looking *l = ctx;
    fs_check_object(&l->check, key, version);
    uint64_t what[] = {key->kind, key->ino, key->sub, version->stamp.time};
    mix(l, what, sizeof what);
    if (!object_kind_is_block(key->kind)) {
        mix(l, version->value.data, version->value.len);
        return;
    }
    mix(l, &version->chunks, sizeof version->chunks);
    l->blocks = grow(l->blocks, l->count, &l->room, sizeof *l->blocks);
    l->blocks[l->count++] = *key;
}

struct reading {
    struct store_read read;
    bool over;
};

static void read_over(struct store_read *read)
{
    ((struct reading *)(void *)read)->over = true;
}

static enum err read_block(struct looking *l, const struct object_key *block, uint8_t *into)
{
    struct store_range range = {.block = *block, .length = BLOCK_SIZE, .into = into};
    struct reading reading = {
        .read = {.at = STAMP_MAX, .ranges = &range, .count = 1, .done = read_over}};
    if (store_read(l->v->store, &reading.read))
        reading.over = true;
    if (!wait_for(l->v, &reading.over))
        return ERR_TIMEOUT;
    mix(l, into, BLOCK_SIZE);
    return reading.read.err;
}

/* The digest of all objects; their structure is checked on the way. */
static enum err look(struct volume *v, uint64_t *digest, uint64_t *orphans)
{
    struct looking l = {.v = v};
    struct fs_volume volume = {.salt = store_identity(v->store)->salt};
    uint8_t *into = malloc(BLOCK_SIZE);
    INVARIANT(into != NULL);
    fs_check_begin(&l.check, &volume, on_problem, &l);
    enum err err = store_each(v->store, on_object, &l);
    for (uint32_t i = 0; i < l.count && !err; i++)
        err = read_block(&l, &l.blocks[i], into);
    fs_check_end(&l.check);
    *digest = l.digest;
    *orphans = l.check.orphans;
    free(l.blocks);
    free(into);
    return err;
}

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
    if (wait_for(v, &drained))
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
    uint64_t digest, orphans;
    enum err err = look(v, &digest, &orphans);
    agent_status(v->agent, &status);
    /* One that could not be reclaimed (a full disk) waits for the next start. */
    if (err)
        run_broken(run, "structure", "not everything can be read: %s", err_name(err));
    else if (orphans > status.unclaimed && !v->ever_erred && !run->result->fired[FAULT_DISK_FULL])
        run_broken(run, "structure", "%llu inodes without a name are left",
                   (unsigned long long)orphans);
}

struct scrubbing {
    struct store_scrub scrub;
    struct volume *v;
    bool over;
    enum err err;
};

static void scrub_problem(struct store_scrub *scrub, const char *file, uint64_t offset,
                          const char *what)
{
    struct volume *v = ((struct scrubbing *)(void *)scrub)->v;
    if (v->ever_rotted)
        run_say(v->system.run, "check", "scrub: %s at %llu: %s", file, (unsigned long long)offset,
                what);
    else
        run_broken(v->system.run, "scrub", "%s at %llu: %s", file, (unsigned long long)offset,
                   what);
}

static void scrub_done(struct store_scrub *scrub, enum err err)
{
    ((struct scrubbing *)(void *)scrub)->over = true;
    ((struct scrubbing *)(void *)scrub)->err = err;
}

static void scrub(struct volume *v)
{
    struct run *run = v->system.run;
    struct scrubbing s = {.scrub = {.problem = scrub_problem, .done = scrub_done}, .v = v};
    store_scrub(v->store, &s.scrub);
    if (!wait_for(v, &s.over)) {
        run_broken(run, "scrub", "it does not end");
        volume_bury(v);
    } else if (s.err && !v->ever_rotted) {
        run_broken(run, "scrub", "it fails: %s", err_name(s.err));
    } else if (volume_rot_left(v) && !s.scrub.problems) {
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
    if (wait_for(v, &closing.over)) {
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
    uint64_t digest = 0, orphans;
    v->options.rebuild_index = rebuild;
    enum err err = store_open(v->env, &v->options, &v->store, &error);
    if (err) {
        run_broken(v->system.run, "rebuild", "the store does not open again: %s: %s", err_name(err),
                   error.text);
        return false;
    }
    store_check(v->store);
    err = look(v, &digest, &orphans);
    if (err || digest != before)
        run_broken(v->system.run, "rebuild", "%s gives another volume%s%s",
                   rebuild ? "an index made anew from the log" : "closing and opening",
                   err ? ": " : "", err ? err_name(err) : "");
    return true;
}

static void rebuild(struct volume *v)
{
    uint64_t before, orphans;
    if (look(v, &before, &orphans) == OK && close_volume(v) && open_again(v, false, before) &&
        close_volume(v))
        open_again(v, true, before);
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
