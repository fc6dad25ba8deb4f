/* SPDX-License-Identifier: MIT
 *
 * cut_reads.c: parts of files and listings of directories, as a client gets them, compared with
 * the volume in memory (P7).
 */
#include <inttypes.h>
#include <string.h>

#include "core/fs/inode.h"
#include "cut_world.h"

#define WAIT_NS    UINT64_C(60000000000)
#define READS      8u
#define LIST_PARTS 3u /* most names asked for at once */

struct asking {
    struct request request; /* comes first */
    struct cut_world *w;
    bool over;
};

static void answered(struct request *request)
{
    ((struct asking *)(void *)request)->over = true;
}

static bool settled(void *ctx)
{
    const struct asking *asking = ctx;
    return asking->over || sim_crashed(asking->w->env);
}

/* Runs an operation that changes nothing. False: the power failed. */
static bool ask(struct asking *asking, const struct fs_op *op, uint8_t *into)
{
    struct cut_world *w = asking->w;
    char text[256];
    request_end(&asking->request);
    request_begin(&asking->request);
    asking->request.done = answered;
    asking->request.op = *op;
    asking->request.into = into;
    asking->over = replica_execute(w->replica, &asking->request);
    if (!asking->over && !sim_run_until(w->sim, settled, asking, WAIT_NS))
        cut_fail("never answered: %s", fs_op_print(op, text, sizeof text));
    if (!asking->over || sim_crashed(w->env))
        return false;
    if (asking->request.err)
        cut_fail("%s: %s", fs_op_print(op, text, sizeof text), err_name(asking->request.err));
    return true;
}

static void must(struct cut_world *w, const struct fs_op *op)
{
    char text[256];
    enum err err = model_apply(&w->model, op);
    if (err)
        cut_fail("in memory, %s: %s", fs_op_print(op, text, sizeof text), err_name(err));
}

static bool compare_file(struct asking *asking, uint64_t ino)
{
    static uint8_t got[READ_ROOM], wanted[READ_ROOM];
    struct cut_world *w = asking->w;
    uint32_t before = load_below(&w->load, 2) ? load_below(&w->load, READ_ROOM) : 0;
    struct fs_op op = {.code = FS_READ, .cred.checked = true, .ino = ino};
    op.offset = BLOCK_SIZE * (1 + load_below(&w->load, 3)) - before;
    op.offset = load_below(&w->load, 3) ? op.offset : before;
    op.length = 1 + load_below(&w->load, READ_ROOM);
    if (!ask(asking, &op, got))
        return false;
    must(w, &op);
    model_gather(&w->model, wanted);
    if (asking->request.result.length != w->model.result.length ||
        memcmp(got, wanted, w->model.result.length) != 0)
        cut_fail("file %" PRIu64 ": %" PRIu64 " bytes from %" PRIu64 " read otherwise than written",
                 ino, op.length, op.offset);
    return true;
}

static uint64_t hash_entries(const struct fs_result *result, uint64_t hash)
{
    for (uint32_t i = 0; i < result->entry_count; i++) {
        const struct fs_entry *entry = &result->entries[i];
        uint64_t rest[] = {hash, entry->cookie, entry->attr.ino, entry->attr.mode};
        hash = checksum64(entry->name.data, entry->name.len, checksum64(rest, sizeof rest, 0));
    }
    return hash;
}

/* A part at a time, against all at once. */
static bool compare_directory(struct asking *asking, uint64_t ino)
{
    struct cut_world *w = asking->w;
    struct fs_op op = {.code = FS_READDIR, .cred.checked = true, .ino = ino};
    struct fs_result *result = &asking->request.result;
    uint64_t hash = 0;
    do {
        op.length = 1 + load_below(&w->load, LIST_PARTS);
        if (!ask(asking, &op, NULL))
            return false;
        hash = hash_entries(result, hash);
        if (result->entry_count)
            op.offset = result->entries[result->entry_count - 1].cookie;
        else if (!result->end)
            cut_fail("a listing of directory %" PRIu64 " does not go on", ino);
    } while (!result->end);
    op.offset = 0;
    op.length = 1000;
    must(w, &op);
    if (hash_entries(&w->model.result, 0) != hash)
        cut_fail("directory %" PRIu64 " is listed otherwise than it is", ino);
    return true;
}

void cut_compare_reads(struct cut_world *w)
{
    struct asking asking = {.w = w};
    bool alive = true;
    load_look(&w->load, &w->model);
    for (uint32_t i = 0; i < READS && alive; i++) {
        uint32_t at = load_below(&w->load, LOAD_INODES);
        if (at >= w->load.count)
            alive = compare_directory(&asking, FS_ROOT_INO);
        else if (w->load.known[at].type == FS_DIR)
            alive = compare_directory(&asking, w->load.known[at].ino);
        else if (w->load.known[at].type == FS_REG)
            alive = compare_file(&asking, w->load.known[at].ino);
    }
    request_abandon(&asking.request);
}
