/* SPDX-License-Identifier: MIT
 *
 * volume_acts.c: transactions of one act as operations of the file service.
 *
 *   register   a file; its value is written and read by one operation. Each lies at an offset of its
 *              own, some behind a hole, some over the edge of two blocks
 *   list       a file; a value is a line, appended
 *   set        a directory; a value is the name of an empty file
 *   counter    a file; it counts its bytes
 *   tree       the operations of the same names
 *
 * The kernel in front of the agent holds a reference to each inode that an answer named, until
 * VOLUME_HELD others were named: what loses its last name before that is an orphan for a while.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/fs/inode.h"
#include "sim/volume.h"
#include "workload/workload.h"

#define ARRIVAL_NS   20000u
#define LIST_ROOM    65536u   /* bytes of a list read at first, beyond what was seen */
#define LIST_LONG    524288u  /* from here on lines are short */
#define LIST_MOST    1048576u /* what one operation reads */
#define ENTRIES      64u      /* of a set read at first */
#define ENTRIES_MOST 4096u

struct payload {
    struct shared shared; /* comes first */
    size_t len;
    uint8_t data[];
};

static void payload_release(struct shared *shared)
{
    free(shared);
}

static struct payload *payload_new(size_t len)
{
    struct payload *payload = malloc(sizeof *payload + len);
    INVARIANT(payload != NULL);
    payload->shared = (struct shared){1, payload_release};
    payload->len = len;
    return payload;
}

static struct run *run_of(const struct volume_slot *slot)
{
    return slot->volume->system.run;
}

static struct history *history_of(const struct volume_slot *slot)
{
    return run_of(slot)->history;
}

static struct history_act *act_of(const struct volume_slot *slot)
{
    return &history_of(slot)->acts[history_of(slot)->txns[slot->txn].first];
}

static bool is_tree(const struct volume_slot *slot)
{
    return run_of(slot)->scenario->workload == WORKLOAD_TREE;
}

/* --- where things are --- */

/* Keys have the numbers 0, 1, ... in the order in which the workload made them. */
static struct volume_file *file_of(const struct volume_slot *slot)
{
    uint32_t key = act_of(slot)->key;
    INVARIANT(key < run_of(slot)->scenario->keys);
    return &slot->volume->files[key];
}

/* Files of a tree and registers have one length for ever, by their number. */
static uint32_t length_of(const struct volume *v, uint64_t number)
{
    uint64_t more = v->pad * (number % 3) / 2;
    return TEXT_LEAST + (uint32_t)(more / TEXT_UNIT * TEXT_UNIT);
}

static uint64_t offset_of(const struct volume *v, uint64_t number)
{
    if (!v->pad)
        return 0;
    switch (number % 4) {
    case 1:
        return 5000;
    case 2:
        return BLOCK_SIZE - 24;
    default:
        return 0;
    }
}

static uint64_t number_arg(const struct volume_slot *slot, uint32_t value)
{
    int64_t number = 0;
    history_integer(history_of(slot), value, &number);
    return (uint64_t)number;
}

static struct bytes name_arg(const struct volume_slot *slot, uint32_t value)
{
    const char *text = history_text(history_of(slot), value);
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static uint8_t *room_for(struct volume_slot *slot, size_t len)
{
    if (slot->into_room < len) {
        free(slot->into);
        slot->into = malloc(len);
        slot->into_room = len;
        INVARIANT(slot->into != NULL);
    }
    return slot->into;
}

/* --- from acts to operations --- */

static void op_read(struct volume_slot *slot, uint64_t ino, uint64_t offset, uint64_t length)
{
    struct fs_op *op = &slot->request.op;
    op->code = FS_READ;
    op->ino = ino;
    op->offset = offset;
    op->length = length;
    op->flags = slot->txn % 2 ? FS_READ_ATIME : 0;
    slot->request.into = room_for(slot, length);
}

static void op_write(struct volume_slot *slot, uint64_t ino, uint64_t offset,
                     struct payload *payload)
{
    struct fs_op *op = &slot->request.op;
    op->code = FS_WRITE;
    op->ino = ino;
    op->offset = offset;
    op->value = (struct bytes){payload->data, payload->len};
    op->length = payload->len;
    op->owner = &payload->shared;
    slot->payload = payload;
}

static void op_write_text(struct volume_slot *slot, uint64_t ino, uint64_t offset, uint32_t value)
{
    struct payload *payload = payload_new(length_of(slot->volume, ino));
    text_fill(history_text(history_of(slot), value), payload->data, payload->len);
    op_write(slot, ino, offset, payload);
}

static void op_append(struct volume_slot *slot, const struct volume_file *file, uint32_t value)
{
    uint64_t pad = file->size < LIST_LONG ? slot->volume->pad : 0;
    uint32_t units = 1 + (uint32_t)(pad * (value % 4) / 3 / TEXT_UNIT);
    struct payload *payload = payload_new((size_t)units * TEXT_UNIT);
    line_fill(history_text(history_of(slot), value), payload->data, units);
    op_write(slot, file->ino, 0, payload);
    slot->request.op.flags = FS_WRITE_APPEND;
}

static void op_increment(struct volume_slot *slot, const struct volume_file *file, uint32_t value)
{
    struct payload *payload = payload_new(number_arg(slot, value));
    memset(payload->data, '.', payload->len);
    op_write(slot, file->ino, 0, payload);
    slot->request.op.flags = FS_WRITE_APPEND;
}

static void op_readdir(struct volume_slot *slot, uint64_t ino, uint64_t entries)
{
    if (slot->want < entries)
        slot->want = entries;
    slot->request.op.code = FS_READDIR;
    slot->request.op.ino = ino;
    slot->request.op.length = slot->want;
    slot->request.op.flags = slot->txn % 8 ? 0 : FS_READDIR_ATIME;
}

static void op_read_key(struct volume_slot *slot)
{
    const struct volume_file *file = file_of(slot);
    switch (run_of(slot)->scenario->workload) {
    case WORKLOAD_LIST:
        if (slot->want < file->size + LIST_ROOM)
            slot->want = file->size + LIST_ROOM;
        if (slot->want > LIST_MOST)
            slot->want = LIST_MOST;
        op_read(slot, file->ino, 0, slot->want);
        break;
    case WORKLOAD_SET:
        op_readdir(slot, file->ino, ENTRIES);
        break;
    case WORKLOAD_COUNTER:
        slot->request.op.code = FS_GETATTR;
        slot->request.op.ino = file->ino;
        break;
    default:
        op_read(slot, file->ino, offset_of(slot->volume, file->ino),
                length_of(slot->volume, file->ino) + TEXT_UNIT);
        break;
    }
}

static void op_of_key(struct volume_slot *slot, const struct history_act *act)
{
    const struct volume_file *file = file_of(slot);
    switch ((enum act_code)act->code) {
    case ACT_READ:
        op_read_key(slot);
        break;
    case ACT_WRITE:
        op_write_text(slot, file->ino, offset_of(slot->volume, file->ino), act->args[0]);
        break;
    case ACT_APPEND:
        op_append(slot, file, act->args[0]);
        break;
    case ACT_INCREMENT:
        op_increment(slot, file, act->args[0]);
        break;
    case ACT_ADD:
        slot->request.op.code = FS_MKNOD;
        slot->request.op.ino = file->ino;
        slot->request.op.name = name_arg(slot, act->args[0]);
        slot->request.op.mode = FS_REG | 0644;
        slot->request.op.new_ino = agent_new_ino(slot->volume->agent);
        break;
    default:
        INVARIANT(false);
    }
}

static uint32_t rename_flags(const struct volume_slot *slot, uint32_t how)
{
    const char *word = history_text(history_of(slot), how);
    return strcmp(word, "new") == 0        ? FS_RENAME_NOREPLACE
           : strcmp(word, "exchange") == 0 ? FS_RENAME_EXCHANGE
                                           : 0;
}

static void op_of_names(struct volume_slot *slot, const struct history_act *act)
{
    static const enum fs_code codes[ACT_CODE_COUNT] = {
        [ACT_MKDIR] = FS_MKDIR,   [ACT_CREATE] = FS_MKNOD, [ACT_LINK] = FS_LINK,
        [ACT_UNLINK] = FS_UNLINK, [ACT_RMDIR] = FS_RMDIR,  [ACT_RENAME] = FS_RENAME,
        [ACT_LOOKUP] = FS_LOOKUP,
    };
    struct fs_op *op = &slot->request.op;
    op->code = codes[act->code];
    INVARIANT(op->code);
    op->ino = number_arg(slot, act->args[0]);
    if (act->code == ACT_LINK) {
        op->ino2 = number_arg(slot, act->args[1]);
        op->name2 = name_arg(slot, act->args[2]);
        return;
    }
    op->name = name_arg(slot, act->args[1]);
    if (act->code == ACT_MKDIR || act->code == ACT_CREATE) {
        op->new_ino = number_arg(slot, act->args[2]);
        op->mode = act->code == ACT_MKDIR ? 0755 : FS_REG | 0644;
    } else if (act->code == ACT_RENAME) {
        op->ino2 = number_arg(slot, act->args[2]);
        op->name2 = name_arg(slot, act->args[3]);
        op->flags = rename_flags(slot, act->args[4]);
    }
}

static void op_of_tree(struct volume_slot *slot, const struct history_act *act)
{
    uint64_t ino = number_arg(slot, act->args[0]);
    switch ((enum act_code)act->code) {
    case ACT_LIST:
        op_readdir(slot, ino, run_of(slot)->scenario->keys + 8);
        break;
    case ACT_PUT:
        op_write_text(slot, ino, 0, act->args[1]);
        break;
    case ACT_GET:
        op_read(slot, ino, 0, length_of(slot->volume, ino) + TEXT_UNIT);
        break;
    case ACT_LINKS:
        slot->request.op.code = FS_GETATTR;
        slot->request.op.ino = ino;
        break;
    default:
        op_of_names(slot, act);
        break;
    }
}

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
    struct history *history = history_of(slot);
    uint32_t count = 0, *values = malloc((2 * result->entry_count + 1) * sizeof *values);
    INVARIANT(values != NULL);
    for (uint32_t i = 0; i < result->entry_count; i++) {
        const struct fs_entry *entry = &result->entries[i];
        if (entry->name.len <= 2 && memcmp(entry->name.data, "..", entry->name.len) == 0)
            continue;
        values[count++] = history_value(history, (const char *)entry->name.data, entry->name.len);
        if (is_tree(slot))
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
    uint32_t count = line_values(history_of(slot), bytes, values, room);
    history_answer_list(history_of(slot), slot->txn, 0, values, count);
    free(values);
}

static void answer_text(struct volume_slot *slot)
{
    const struct fs_result *result = &slot->request.result;
    uint64_t length = length_of(slot->volume, slot->request.op.ino);
    uint32_t value = text_value(history_of(slot), slot->request.into, result->length);
    if (result->length && result->length != length)
        value = text_value(history_of(slot), slot->request.into, 1); /* "short": nobody wrote it */
    act_of(slot)->value = value;
}

static void answer(struct volume_slot *slot)
{
    const struct fs_result *result = &slot->request.result;
    struct history_act *act = act_of(slot);
    struct history *history = history_of(slot);
    switch (slot->request.op.code) {
    case FS_READ:
        if (run_of(slot)->scenario->workload == WORKLOAD_LIST)
            answer_lines(slot);
        else
            answer_text(slot);
        break;
    case FS_READDIR:
        answer_entries(slot);
        break;
    case FS_GETATTR:
        act->value = history_number(
            history, (int64_t)(is_tree(slot) ? result->attr.nlink : result->attr.size));
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
    if (!is_tree(slot) && act->code != ACT_SYNC && result->attr.size > file_of(slot)->size)
        file_of(slot)->size = result->attr.size;
}

/* --- one transaction --- */

static void slot_begin(struct volume_slot *slot);

static void slot_end(struct volume_slot *slot, enum outcome outcome)
{
    struct run *run = run_of(slot);
    if (slot->begun)
        request_end(&slot->request);
    if (slot->payload)
        shared_unref(&slot->payload->shared);
    slot->payload = NULL;
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
        return run_of(slot)->result->fired[FAULT_DISK_FULL] > 0;
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
    switch ((enum act_code)act_of(slot)->code) {
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
    struct run *run = run_of(slot);
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
             run_of(slot)->scenario->workload != WORKLOAD_LIST)
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
        act_of(slot)->fault = slot->fault;
        slot_end(slot, OUTCOME_DONE);
    } else if (err == OK && is_cut_short(slot)) {
        request_end(&slot->request);
        slot_begin(slot);
    } else if (err == OK) {
        answer(slot);
        slot_end(slot, OUTCOME_DONE);
    } else if (is_answer(err) && is_tree(slot) && act_of(slot)->code != ACT_SYNC) {
        if (slot->durable) {
            slot_settle(slot, err);
            return;
        }
        act_of(slot)->fault = (uint8_t)err;
        slot_end(slot, OUTCOME_DONE);
    } else {
        slot_fail(slot, err);
    }
}

static void slot_begin(struct volume_slot *slot)
{
    struct agent *agent = slot->volume->agent;
    const struct history_act *act = act_of(slot);
    slot->begun = true;
    request_begin(&slot->request);
    slot->request.done = slot_done;
    slot->request.durable = slot->durable;
    slot->request.op.cred = (struct fs_cred){.checked = true};
    bool over;
    if (act->code == ACT_SYNC) {
        over = agent_sync(agent, &slot->request);
    } else {
        if (is_tree(slot))
            op_of_tree(slot, act);
        else
            op_of_key(slot, act);
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
