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

#define ARRIVAL_NS   20000u
#define ENTRIES_MOST 4096u

/* --- from results to answers --- */

static void hold(struct volume *v, uint64_t ino)
{
    uint64_t *place = &v->held_inos[v->held_at++ % VOLUME_HELD];
    agent_ref(v->agent, ino);
    if (*place)
        agent_forget(v->agent, *place, 1);
    *place = ino;
}

/* Names, and in a tree their inodes, without "." and "..". */
static void answer_entries(struct volume_slot *slot)
{
    const struct fs_result *result = &slot->request.result;
    struct history *history = slot_history(slot);
    uint32_t count = 0, *values = malloc((2 * result->entry_count + 1) * sizeof *values);
    INVARIANT(values != NULL);
    for (uint32_t i = 0; i < result->entry_count; i++) {
        const struct fs_entry *entry = &result->entries[i];
        if (entry->name.len <= 2 && memcmp(entry->name.data, "..", entry->name.len) == 0)
            continue;
        values[count++] = history_value(history, (const char *)entry->name.data, entry->name.len);
        if (slot_is_tree(slot))
            values[count++] = history_number(history, (int64_t)entry->attr.ino);
    }
    history_answer_list(history, slot->txn, 0, values, count);
    free(values);
}

static void answer_lines(struct volume_slot *slot)
{
    uint32_t room = (uint32_t)(slot->request.result.length / TEXT_UNIT) + 1;
    uint32_t *values = malloc(room * sizeof *values);
    INVARIANT(values != NULL);
    struct bytes bytes = {slot->request.into, slot->request.result.length};
    uint32_t count = line_values(slot_history(slot), bytes, values, room);
    history_answer_list(slot_history(slot), slot->txn, 0, values, count);
    free(values);
}

static void answer_text(struct volume_slot *slot)
{
    const struct fs_result *result = &slot->request.result;
    uint64_t length = slot_length(slot->volume, slot->request.op.ino);
    uint32_t value = text_value(slot_history(slot), slot->request.into, result->length);
    if (result->length && result->length != length)
        value =
            text_value(slot_history(slot), slot->request.into, 1); /* "short": nobody wrote it */
    slot_act(slot)->value = value;
}

static void answer(struct volume_slot *slot)
{
    const struct fs_result *result = &slot->request.result;
    struct history_act *act = slot_act(slot);
    struct history *history = slot_history(slot);
    switch (slot->request.op.code) {
    case FS_READ:
        if (slot_run(slot)->scenario->workload == WORKLOAD_LIST)
            answer_lines(slot);
        else
            answer_text(slot);
        break;
    case FS_READDIR:
        answer_entries(slot);
        break;
    case FS_GETATTR:
        act->value = history_number(
            history, (int64_t)(slot_is_tree(slot) ? result->attr.nlink : result->attr.size));
        break;
    case FS_LOOKUP:
        act->value = history_number(history, (int64_t)result->attr.ino);
        hold(slot->volume, result->attr.ino);
        break;
    case FS_MKNOD:
    case FS_MKDIR:
    case FS_LINK:
        hold(slot->volume, result->attr.ino);
        break;
    default:
        break;
    }
    if (!slot_is_tree(slot) && act->code != ACT_SYNC && result->attr.size > slot_file(slot)->size)
        slot_file(slot)->size = result->attr.size;
}

/* --- one transaction --- */

static void slot_begin(struct volume_slot *slot);

static void slot_end(struct volume_slot *slot, enum outcome outcome)
{
    struct run *run = slot_run(slot);
    if (slot->begun)
        request_end(&slot->request);
    slot_drop_payload(slot);
    slot->busy = slot->begun = false;
    run_ended(run, slot->txn, outcome);
}

/* What POSIX calls an error: an answer, and in a tree an expected one. */
static bool is_answer(enum err err)
{
    return err >= ERR_NOENT && err <= ERR_TXTBSY && err != ERR_XATTR_NOSPC &&
           err != ERR_DIR_COLLISION && err != ERR_NOSYS && err != ERR_FBIG;
}

static bool is_expected(const struct volume_slot *slot, enum err err)
{
    const struct volume *v = slot->volume;
    switch (err) {
    case ERR_NOSPC:
        return slot_run(slot)->result->fired[FAULT_DISK_FULL] > 0;
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

static bool only_reads(const struct volume_slot *slot)
{
    switch ((enum act_code)slot_act(slot)->code) {
    case ACT_READ:
    case ACT_LOOKUP:
    case ACT_LIST:
    case ACT_GET:
    case ACT_LINKS:
    case ACT_SYNC:
        return true;
    default:
        return false;
    }
}

/* No answer: certain to have had no effect, or not. */
static void slot_fail(struct volume_slot *slot, enum err err)
{
    struct run *run = slot_run(slot);
    bool committed = stamp_compare(slot->request.stamp, STAMP_ZERO) != 0;
    bool harmless = only_reads(slot) || (!committed && (err == ERR_NOSPC || err == ERR_AGAIN));
    if (!is_expected(slot, err)) {
        char line[512];
        run_broken(run, "error", "this was answered with %s: %s", err_name(err),
                   txn_print(run->history, slot->txn, line, sizeof line));
    }
    run_say(run, "node 0", "answers %s", err_name(err));
    slot_end(slot, harmless ? OUTCOME_FAILED : OUTCOME_UNKNOWN);
}

/* Whether there is more than was asked for; then it is asked for again, all of it at once. */
static bool is_cut_short(struct volume_slot *slot)
{
    const struct request *request = &slot->request;
    uint64_t most = LIST_MOST;
    if (request->op.code == FS_READDIR && !request->result.end)
        most = ENTRIES_MOST;
    else if (request->op.code != FS_READ || request->result.length < request->op.length ||
             slot_run(slot)->scenario->workload != WORKLOAD_LIST)
        return false;
    INVARIANT(slot->want < most); /* a workload that makes that much asks for too much */
    slot->want *= 2;
    return true;
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
    request_end(&slot->request);
    request_begin(&slot->request);
    slot->request.done = slot_done;
    if (agent_sync(slot->volume->agent, &slot->request))
        slot_over(slot);
}

static void slot_over(struct volume_slot *slot)
{
    enum err err = slot->request.err;
    if (err == OK && slot->settling) {
        slot_act(slot)->fault = slot->fault;
        slot_end(slot, OUTCOME_DONE);
    } else if (err == OK && is_cut_short(slot)) {
        request_end(&slot->request);
        slot_begin(slot);
    } else if (err == OK) {
        answer(slot);
        slot_end(slot, OUTCOME_DONE);
    } else if (is_answer(err) && slot_is_tree(slot) && slot_act(slot)->code != ACT_SYNC) {
        if (slot->durable) {
            slot_settle(slot, err);
            return;
        }
        slot_act(slot)->fault = (uint8_t)err;
        slot_end(slot, OUTCOME_DONE);
    } else {
        slot_fail(slot, err);
    }
}

static void slot_begin(struct volume_slot *slot)
{
    struct agent *agent = slot->volume->agent;
    const struct history_act *act = slot_act(slot);
    slot->begun = true;
    request_begin(&slot->request);
    slot->request.done = slot_done;
    slot->request.durable = slot->durable;
    slot->request.op.cred = (struct fs_cred){.checked = true};
    bool over;
    if (act->code == ACT_SYNC) {
        over = agent_sync(agent, &slot->request);
    } else {
        slot_operation(slot);
        over = agent_execute(agent, &slot->request);
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
    slot->txn = txn;
    slot->durable = durable;
    slot->want = 0;
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
        bool harmless = !slot->begun || only_reads(slot);
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

bool volume_make_files(struct volume *v)
{
    const struct scenario *s = v->system.run->scenario;
    struct request request = {0};
    enum err err = OK;
    char name[16];
    for (uint32_t i = 0; i < s->keys && s->workload != WORKLOAD_TREE && !err; i++) {
        bool set = s->workload == WORKLOAD_SET;
        request_begin(&request);
        snprintf(name, sizeof name, "k%u", i);
        request.durable = i + 1 == s->keys;
        request.op = (struct fs_op){
            .code = set ? FS_MKDIR : FS_MKNOD,
            .cred.checked = true,
            .ino = FS_ROOT_INO,
            .new_ino = agent_new_ino(v->agent),
            .name = {(const uint8_t *)name, strlen(name)},
            .mode = set ? 0755u : FS_REG | 0644u,
        };
        v->files[i].ino = request.op.new_ino;
        err = volume_do(v, &request);
        if (err != ERR_TIMEOUT)
            request_end(&request);
    }
    request_abandon(&request);
    if (err)
        run_broken(v->system.run, "start", "the files cannot be made: %s", err_name(err));
    return !err;
}
