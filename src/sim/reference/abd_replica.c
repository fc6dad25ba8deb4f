/* SPDX-License-Identifier: MIT
 *
 * abd_replica.c: one replica of the registers, with its disk. See abd.h.
 *
 * Each register has one sector of one file: a sector is written whole or not at all. One job at a
 * time writes what has changed; acknowledgements that came before it began follow it.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/reference/abd.h"
#include "sim/world.h"

#define SECTOR   512u
#define PATH     "/registers"
#define WAIT_MAX 4096u

struct waiting {
    struct waiting *next;
    uint32_t to;
    struct abd_message reply;
};

struct cell {
    struct abd_tag tag;
    uint32_t value;
    bool changed;
};

struct abd_replica {
    struct env_job job;
    struct env *env;
    struct net *net;
    struct env_file *file;
    struct cell cells[ABD_KEYS_MAX];
    bool careless, busy;
    enum err err;
    struct waiting *waiting, **last; /* not yet covered by a job */
    struct waiting *covered;         /* by the job that runs */
    uint32_t waiting_count;
    uint32_t written[ABD_KEYS_MAX]; /* what the job writes: keys */
    uint32_t written_count;
    uint8_t sectors[ABD_KEYS_MAX][SECTOR];
};

int abd_compare(struct abd_tag a, struct abd_tag b)
{
    if (a.count != b.count)
        return a.count < b.count ? -1 : 1;
    return a.writer < b.writer ? -1 : a.writer > b.writer;
}

void abd_send(struct net *net, uint32_t to, const struct abd_message *message)
{
    uint8_t bytes[64] = {0};
    struct cursor c = cursor_over(bytes, sizeof bytes);
    put_u8(&c, message->kind);
    put_u64(&c, message->op);
    put_u32(&c, message->key);
    put_u64(&c, message->tag.count);
    put_u32(&c, message->tag.writer);
    put_u32(&c, message->value);
    struct env_iov piece = {bytes, (size_t)(c.at - bytes)};
    net->ops->send(net, to, &piece, 1); /* lost, refused: the sender asks again */
}

bool abd_decode(struct bytes bytes, struct abd_message *message)
{
    struct cursor c = cursor_over(bytes.data, bytes.len);
    message->kind = get_u8(&c);
    message->op = get_u64(&c);
    message->key = get_u32(&c);
    message->tag.count = get_u64(&c);
    message->tag.writer = get_u32(&c);
    message->value = get_u32(&c);
    return !c.bad && cursor_left(&c) == 0 && message->key < ABD_KEYS_MAX;
}

/* --- the disk --- */

static void encode_cell(const struct cell *cell, uint8_t sector[SECTOR])
{
    struct cursor c = cursor_over(sector, SECTOR);
    memset(sector, 0, SECTOR);
    put_u64(&c, cell->tag.count);
    put_u32(&c, cell->tag.writer);
    put_u32(&c, cell->value);
}

static enum err load(struct abd_replica *replica)
{
    uint8_t sector[SECTOR];
    size_t got;
    for (uint32_t key = 0; key < ABD_KEYS_MAX; key++) {
        enum err err = replica->env->ops->file_read(replica->file, (uint64_t)key * SECTOR, sector,
                                                    SECTOR, &got);
        if (err)
            return err;
        if (got < SECTOR)
            continue; /* never written */
        struct cursor c = cursor_over(sector, SECTOR);
        struct cell *cell = &replica->cells[key];
        cell->tag.count = get_u64(&c);
        cell->tag.writer = get_u32(&c);
        cell->value = get_u32(&c);
    }
    return OK;
}

static void write_run(struct env_job *job)
{
    struct abd_replica *replica = (struct abd_replica *)(void *)job;
    const struct env_ops *ops = replica->env->ops;
    replica->err = OK;
    for (uint32_t i = 0; i < replica->written_count && !replica->err; i++) {
        uint64_t at = (uint64_t)replica->written[i] * SECTOR;
        struct env_iov piece = {replica->sectors[i], SECTOR};
        replica->err = ops->file_write(replica->file, at, &piece, 1);
    }
    if (!replica->err)
        replica->err = ops->file_sync(replica->file);
}

static void begin_write(struct abd_replica *replica);

static void write_done(struct env_job *job)
{
    struct abd_replica *replica = (struct abd_replica *)(void *)job;
    replica->busy = false;
    for (uint32_t i = 0; replica->err && i < replica->written_count; i++)
        replica->cells[replica->written[i]].changed = true;
    for (struct waiting *w = replica->covered, *next; w; w = next) {
        next = w->next;
        if (!replica->err)
            abd_send(replica->net, w->to, &w->reply);
        free(w);
        replica->waiting_count--;
    }
    replica->covered = NULL;
    begin_write(replica);
}

static void begin_write(struct abd_replica *replica)
{
    if (replica->busy || !replica->waiting)
        return;
    replica->written_count = 0;
    for (uint32_t key = 0; key < ABD_KEYS_MAX; key++) {
        if (!replica->cells[key].changed)
            continue;
        replica->cells[key].changed = false;
        encode_cell(&replica->cells[key], replica->sectors[replica->written_count]);
        replica->written[replica->written_count++] = key;
    }
    replica->covered = replica->waiting;
    replica->waiting = NULL;
    replica->last = &replica->waiting;
    replica->busy = true;
    replica->env->ops->submit(replica->env, &replica->job);
}

/* --- messages --- */

/* A reply that leaves when what is in the cells now is durable (A1). */
static void reply_when_durable(struct abd_replica *replica, uint32_t to,
                               const struct abd_message *reply)
{
    if (replica->careless) {
        abd_send(replica->net, to, reply);
        if (replica->waiting_count >= WAIT_MAX)
            return;
    } else if (replica->waiting_count >= WAIT_MAX) {
        return; /* full: the client asks again */
    }
    struct waiting *w = sim_zalloc(sizeof *w);
    w->to = to;
    w->reply = *reply;
    *replica->last = w;
    replica->last = &w->next;
    replica->waiting_count++;
    begin_write(replica);
}

static void deliver(void *ctx, uint32_t from, struct bytes bytes)
{
    struct abd_replica *replica = ctx;
    struct abd_message message;
    if (!abd_decode(bytes, &message))
        return;
    struct cell *cell = &replica->cells[message.key];
    struct abd_message reply = message;
    if (message.kind == ABD_QUERY) {
        reply.kind = ABD_VALUE;
        reply.tag = cell->tag;
        reply.value = cell->value;
        abd_send(replica->net, from, &reply);
    } else if (message.kind == ABD_STORE) {
        if (abd_compare(message.tag, cell->tag) > 0) {
            cell->tag = message.tag;
            cell->value = message.value;
            cell->changed = true;
        }
        reply.kind = ABD_STORED;
        reply_when_durable(replica, from, &reply);
    }
}

/* --- life --- */

struct abd_replica *abd_replica_start(struct env *env, uint32_t number, bool careless)
{
    struct abd_replica *replica = sim_zalloc(sizeof *replica);
    *replica = (struct abd_replica){.env = env, .careless = careless};
    replica->job.run = write_run;
    replica->job.done = write_done;
    replica->last = &replica->waiting;
    enum err err = env->ops->file_open(env, PATH, ENV_CREATE_OR_OPEN, &replica->file);
    if (!err)
        err = load(replica);
    if (!err)
        err = env->ops->dir_sync(env, "/");
    if (err) {
        abd_replica_free(replica);
        return NULL;
    }
    replica->net = sim_net(env, number);
    replica->net->ops->listen(replica->net, deliver, replica);
    return replica;
}

static void free_list(struct waiting *w)
{
    for (struct waiting *next; w; w = next) {
        next = w->next;
        free(w);
    }
}

void abd_replica_free(struct abd_replica *replica)
{
    if (replica->file)
        replica->env->ops->file_close(replica->file);
    free_list(replica->waiting);
    free_list(replica->covered);
    free(replica);
}

bool abd_replica_busy(const struct abd_replica *replica)
{
    return replica->busy;
}
