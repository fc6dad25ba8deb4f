/* SPDX-License-Identifier: MIT
 *
 * volume_acts.c: transactions of one act: how they reach the process, are answered, or are not.
 *
 * The kernel in front of the agent holds a reference to each inode that an answer named, until
 * VOLUME_HELD others were named: what loses its last name before that is an orphan for a while.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/fs/inode.h"
#include "sim/volume/volume.h"
#include "workload/workload.h"

#define ARRIVAL_NS 20000u

/* --- what the kernel holds --- */

static void hold(struct volume *v, uint64_t ino)
{
    uint64_t *place = &v->held_inos[v->held_at++ % VOLUME_HELD];
    agent_ref(v->agent, ino);
    if (*place)
        agent_forget(v->agent, *place, 1);
    *place = ino;
}

static void on_named(struct deed *deed, uint64_t ino)
{
    hold(((struct volume_slot *)(void *)deed)->volume, ino);
}

/* --- one transaction --- */

static void slot_begin(struct volume_slot *slot);

static void slot_end(struct volume_slot *slot, enum outcome outcome)
{
    struct run *run = slot->volume->system.run;
    if (slot->begun)
        request_end(&slot->deed.request);
    deed_drop_payload(&slot->deed);
    slot->busy = slot->begun = false;
    run_ended(run, slot->deed.txn, outcome);
}

static bool is_expected(const struct volume_slot *slot, enum err err)
{
    const struct volume *v = slot->volume;
    switch (err) {
    case ERR_NOSPC:
        return slot->volume->system.run->result->fired[FAULT_DISK_FULL] > 0;
    case ERR_AGAIN:
        return true;
    case ERR_CORRUPT:
        return v->ever_rotted;
    case ERR_IO:
    case ERR_FAILED:
        return v->ever_erred || sim_crashed(v->env);
    case ERR_CRASHED:
        return sim_crashed(v->env);
    default:
        return false;
    }
}

/* No answer: certain to have had no effect, or not. */
static void slot_fail(struct volume_slot *slot, enum err err)
{
    struct run *run = slot->volume->system.run;
    bool committed = stamp_compare(slot->deed.request.stamp, STAMP_ZERO) != 0;
    bool harmless =
        deed_only_reads(&slot->deed) || (!committed && (err == ERR_NOSPC || err == ERR_AGAIN));
    if (!is_expected(slot, err)) {
        char line[512];
        run_broken(run, "error", "this was answered with %s: %s", err_name(err),
                   txn_print(run->history, slot->deed.txn, line, sizeof line));
    }
    run_say(run, "node 0", "answers %s", err_name(err));
    slot_end(slot, harmless ? OUTCOME_FAILED : OUTCOME_UNKNOWN);
}

static void slot_over(struct volume_slot *slot);

static void slot_done(struct request *request)
{
    slot_over((struct volume_slot *)(void *)request);
}

/* A fault says something of the state: it is answered when that is durable, if asked for. */
static void slot_settle(struct volume_slot *slot, enum err fault)
{
    slot->fault = (uint8_t)fault;
    slot->settling = true;
    request_end(&slot->deed.request);
    request_begin(&slot->deed.request);
    slot->deed.request.done = slot_done;
    if (agent_sync(slot->volume->agent, &slot->deed.request))
        slot_over(slot);
}

static void slot_over(struct volume_slot *slot)
{
    enum err err = slot->deed.request.err;
    if (err == OK && slot->settling) {
        deed_act(&slot->deed)->fault = slot->fault;
        slot_end(slot, OUTCOME_DONE);
    } else if (err == OK && deed_cut_short(&slot->deed)) {
        request_end(&slot->deed.request);
        slot_begin(slot);
    } else if (err == OK) {
        deed_answer(&slot->deed);
        slot_end(slot, OUTCOME_DONE);
    } else if (is_answer(err) && deed_is_tree(&slot->deed) &&
               deed_act(&slot->deed)->code != ACT_SYNC) {
        if (slot->durable) {
            slot_settle(slot, err);
            return;
        }
        deed_act(&slot->deed)->fault = (uint8_t)err;
        slot_end(slot, OUTCOME_DONE);
    } else {
        slot_fail(slot, err);
    }
}

static void slot_begin(struct volume_slot *slot)
{
    struct agent *agent = slot->volume->agent;
    const struct history_act *act = deed_act(&slot->deed);
    slot->begun = true;
    request_begin(&slot->deed.request);
    slot->deed.request.done = slot_done;
    slot->deed.request.durable = slot->durable;
    slot->deed.request.op.cred = (struct fs_cred){.checked = true};
    bool over;
    if (act->code == ACT_SYNC) {
        over = agent_sync(agent, &slot->deed.request);
    } else {
        deed_operation(&slot->deed);
        over = agent_execute(agent, &slot->deed.request);
    }
    if (over)
        slot_over(slot);
}

/* --- room --- */

static void room(void *ctx)
{
    struct volume *v = ctx;
    struct volume_slot *slot = v->waiting;
    v->waiting = NULL;
    v->room_asked = false;
    while (slot) {
        struct volume_slot *next = slot->next;
        slot_begin(slot);
        slot = next;
    }
}

static void slot_wait(struct volume_slot *slot)
{
    struct volume *v = slot->volume;
    slot->next = v->waiting;
    v->waiting = slot;
    if (!v->room_asked) {
        v->room_asked = true;
        agent_on_ready(v->agent, room, v);
    }
}

static void arrive(struct env_timer *timer)
{
    struct volume_slot *slot =
        (struct volume_slot *)(void *)((uint8_t *)timer - offsetof(struct volume_slot, arrival));
    if (agent_ready(slot->volume->agent))
        slot_begin(slot);
    else
        slot_wait(slot);
}

void volume_submit(struct system *system, uint32_t client, uint32_t txn, bool durable)
{
    struct volume *v = volume_of(system);
    struct volume_slot *slot = &v->slots[client];
    INVARIANT(!slot->busy && system->run->history->txns[txn].count == 1);
    slot->busy = true;
    slot->begun = slot->settling = false;
    deed_begin(&slot->deed, txn);
    slot->durable = durable;
    slot->arrival.fire = arrive;
    if (v->up)
        v->env->ops->timer_start(v->env, &slot->arrival, ARRIVAL_NS);
    else
        slot_end(slot, OUTCOME_FAILED); /* nobody is there */
}

void volume_drop_all(struct volume *v)
{
    for (uint32_t i = 0; i < SCENARIO_CLIENTS_MAX; i++) {
        struct volume_slot *slot = &v->slots[i];
        if (!slot->busy)
            continue;
        bool harmless = !slot->begun || deed_only_reads(&slot->deed);
        slot->begun = false; /* its request was abandoned */
        slot_end(slot, harmless ? OUTCOME_FAILED : OUTCOME_UNKNOWN);
    }
}

/* --- making the files --- */

struct own {
    struct request *request;
    bool over;
};

static void own_done(struct request *request)
{
    ((struct own *)request->ctx)->over = true;
}

enum err volume_do(struct volume *v, struct request *request)
{
    struct own own = {.request = request};
    struct run *run = v->system.run;
    uint64_t end = sim_now(run->sim) + run->scenario->heal_ns;
    request->done = own_done;
    request->ctx = &own;
    bool over = request->op.code ? agent_execute(v->agent, request) : agent_sync(v->agent, request);
    while (!over && !own.over && sim_now(run->sim) <= end && sim_step(run->sim))
        ;
    return over || own.over ? request->err : ERR_TIMEOUT;
}

static enum err carry_out(void *ctx, struct request *request)
{
    return volume_do(ctx, request);
}

static uint64_t new_ino(void *ctx)
{
    return agent_new_ino(((struct volume *)ctx)->agent);
}

bool volume_make_files(struct volume *v)
{
    v->acts.new_ino = new_ino;
    v->acts.named = on_named;
    v->acts.ctx = v;
    return acts_make_files(&v->acts, carry_out, v);
}
