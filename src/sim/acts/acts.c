/* SPDX-License-Identifier: MIT
 *
 * acts.c: deeds, and results of the file service as answers of a history.
 */
#include "sim/acts/acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/fs/inode.h"
#include "workload/workload.h"

#define ENTRIES_MOST 4096u

/* --- what a deed is about --- */

struct history *deed_history(const struct deed *deed)
{
    return deed->acts->run->history;
}

struct history_act *deed_act(const struct deed *deed)
{
    return &deed_history(deed)->acts[deed_history(deed)->txns[deed->txn].first];
}

bool deed_is_tree(const struct deed *deed)
{
    return deed->acts->run->scenario->workload == WORKLOAD_TREE;
}

bool deed_only_reads(const struct deed *deed)
{
    switch ((enum act_code)deed_act(deed)->code) {
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

/* Keys have the numbers 0, 1, ... in the order in which the workload made them. */
struct acts_file *deed_file(const struct deed *deed)
{
    uint32_t key = deed_act(deed)->key;
    INVARIANT(key < deed->acts->run->scenario->keys);
    return &deed->acts->files[key];
}

bool is_answer(enum err err)
{
    return err >= ERR_NOENT && err <= ERR_TXTBSY && err != ERR_XATTR_NOSPC &&
           err != ERR_DIR_COLLISION && err != ERR_NOSYS && err != ERR_FBIG;
}

/* --- from results to answers --- */

/* Names, and in a tree their inodes, without "." and "..". */
static void answer_entries(struct deed *deed)
{
    const struct fs_result *result = &deed->request.result;
    struct history *history = deed_history(deed);
    uint32_t count = 0, *values = malloc((2 * result->entry_count + 1) * sizeof *values);
    INVARIANT(values != NULL);
    for (uint32_t i = 0; i < result->entry_count; i++) {
        const struct fs_entry *entry = &result->entries[i];
        if (entry->name.len <= 2 && memcmp(entry->name.data, "..", entry->name.len) == 0)
            continue;
        values[count++] = history_value(history, (const char *)entry->name.data, entry->name.len);
        if (deed_is_tree(deed))
            values[count++] =
                history_number(history, (int64_t)acts_number(deed->acts, &entry->attr));
    }
    history_answer_list(history, deed->txn, 0, values, count);
    free(values);
}

static void answer_lines(struct deed *deed)
{
    uint32_t room = (uint32_t)(deed->request.result.length / TEXT_UNIT) + 1;
    uint32_t *values = malloc(room * sizeof *values);
    INVARIANT(values != NULL);
    struct bytes bytes = {deed->request.into, deed->request.result.length};
    uint32_t count = line_values(deed_history(deed), bytes, values, room);
    history_answer_list(deed_history(deed), deed->txn, 0, values, count);
    free(values);
}

static void answer_text(struct deed *deed)
{
    const struct fs_result *result = &deed->request.result;
    uint64_t length = acts_length(deed->acts, deed->number);
    uint32_t value = text_value(deed_history(deed), deed->request.into, result->length);
    if (result->length && result->length != length)
        value =
            text_value(deed_history(deed), deed->request.into, 1); /* "short": nobody wrote it */
    deed_act(deed)->value = value;
}

static void answer_attr(struct deed *deed)
{
    const struct fs_attr *attr = &deed->request.result.attr;
    deed_act(deed)->value = history_number(
        deed_history(deed), (int64_t)(deed_is_tree(deed) ? attr->nlink : attr->size));
}

static void named(struct deed *deed)
{
    acts_number(deed->acts, &deed->request.result.attr);
    if (deed->acts->named)
        deed->acts->named(deed, deed->request.result.attr.ino);
}

void deed_answer(struct deed *deed)
{
    const struct fs_result *result = &deed->request.result;
    struct history_act *act = deed_act(deed);
    switch (deed->request.op.code) {
    case FS_READ:
        if (deed->acts->run->scenario->workload == WORKLOAD_LIST)
            answer_lines(deed);
        else
            answer_text(deed);
        break;
    case FS_READDIR:
        answer_entries(deed);
        break;
    case FS_GETATTR:
        answer_attr(deed);
        break;
    case FS_LOOKUP:
        act->value =
            history_number(deed_history(deed), (int64_t)acts_number(deed->acts, &result->attr));
        named(deed);
        break;
    case FS_MKNOD:
    case FS_MKDIR:
    case FS_LINK:
        named(deed);
        break;
    default:
        break;
    }
    if (!deed_is_tree(deed) && act->code != ACT_SYNC && result->attr.size > deed_file(deed)->size)
        deed_file(deed)->size = result->attr.size;
}

bool deed_cut_short(struct deed *deed)
{
    const struct request *request = &deed->request;
    uint64_t most = LIST_MOST;
    if (request->op.code == FS_READDIR && !request->result.end)
        most = ENTRIES_MOST;
    else if (request->op.code != FS_READ || request->result.length < request->op.length ||
             deed->acts->run->scenario->workload != WORKLOAD_LIST)
        return false;
    INVARIANT(deed->want < most); /* a workload that makes that much asks for too much */
    deed->want *= 2;
    return true;
}

/* --- beginning and ending --- */

void deed_begin(struct deed *deed, uint32_t txn)
{
    deed->txn = txn;
    deed->want = 0;
}

void deed_free(struct deed *deed)
{
    request_abandon(&deed->request);
    deed_drop_payload(deed);
    free(deed->into);
}

void acts_begin(struct acts *acts, struct run *run, uint64_t pad)
{
    acts->run = run;
    acts->pad = pad;
    acts->files = calloc(run->scenario->keys + 1, sizeof *acts->files);
    INVARIANT(acts->files != NULL);
}

void acts_end(struct acts *acts)
{
    free(acts->files);
    free(acts->inos);
}

bool acts_make_files(struct acts *acts, enum err (*carry_out)(void *ctx, struct request *request),
                     void *ctx)
{
    const struct scenario *s = acts->run->scenario;
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
            .new_ino = acts->new_ino(acts->ctx),
            .name = {(const uint8_t *)name, strlen(name)},
            .mode = set ? 0755u : FS_REG | 0644u,
        };
        err = carry_out(ctx, &request);
        if (err == ERR_TIMEOUT)
            break;
        acts->files[i].ino = request.result.attr.ino;
        request_end(&request);
    }
    request_abandon(&request);
    if (err)
        run_broken(acts->run, "start", "the files cannot be made: %s", err_name(err));
    return !err;
}
