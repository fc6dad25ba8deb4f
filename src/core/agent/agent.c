/* SPDX-License-Identifier: MIT
 *
 * agent.c: references, orphans and limits between a mount and an executor.
 *
 * Definitions
 *   known    the kernel holds at least one reference: the inode is in `refs` with count > 0
 *   orphan   an inode whose last name went, said by the answer to an unlink, rmdir, rename or
 * tmpfile
 *
 * Law
 *   A1  An orphan is reclaimed exactly when it is not known: at once when it never was, else with
 *       its last reference. Where the executor sees to that, it is never asked for here.
 *   A2  An orphan that got a name again (a link to an O_TMPFILE file) is none any more.
 *   A3  A result is noted before the mount sees it: the kernel cannot forget what has not been
 *       answered.
 *   A4  Reclaims wait in a queue and run between turns of the loop, at most limits.reclaims at
 *       once; a failed one is left to the next start, which finds the orphan's mark in the store.
 *   A5  ref.asker names whoever was told of the inode's attributes since the last agent_changed, so
 *       a change by the only one who was needs no word: a thread asks one thing after the other.
 *   A6  ref.loser is the last to take a name away: the kernel lets nobody else do so before that
 *       one has got its answer.
 */
#include "core/agent/agent.h"

#include <stdlib.h>
#include <string.h>

#include "core/agent/refs.h"
#include "core/base/assert.h"

#define RECLAIM_AFTER 1000000u /* nanoseconds: requests of the kernel go first */
#define RECLAIM_TURN  64u      /* started in one turn of the loop */

struct reclaim {
    struct request request;
    struct agent *agent;
    struct reclaim *next; /* free ones */
};

struct agent {
    struct env *env;
    struct executor *executor;
    struct agent_limits limits;
    struct refs refs;
    struct ref root; /* never counted; who was told of it */
    struct agent_status status;
    /* orphans to reclaim: a ring */
    uint64_t *queue;
    uint32_t queue_size, queue_first, queue_count;
    struct env_timer turn;
    bool turn_set;
    struct reclaim *slots, *free_slots;
    uint32_t reclaiming;
    void (*ready)(void *ctx);
    void *ready_ctx;
    bool room_asked;
    void (*drained)(void *ctx);
    void *drained_ctx;
};

struct agent_limits agent_limits_default(void)
{
    return (struct agent_limits){.in_flight = 256, .reclaims = 8};
}

/* --- back-pressure --- */

static bool has_room(const struct agent *agent)
{
    return agent->executor->ops->has_room(agent->executor);
}

bool agent_ready(const struct agent *agent)
{
    return agent->status.in_flight < agent->limits.in_flight && has_room(agent);
}

static void room(void *ctx);
static void tell_drained(struct agent *agent);

static void tell_ready(struct agent *agent)
{
    if (!agent->ready)
        return;
    if (!agent_ready(agent)) {
        if (!has_room(agent) && !agent->room_asked) {
            agent->room_asked = true;
            agent->executor->ops->on_room(agent->executor, room, agent);
        }
        return;
    }
    void (*ready)(void *ctx) = agent->ready;
    agent->ready = NULL;
    ready(agent->ready_ctx);
}

static void room(void *ctx)
{
    struct agent *agent = ctx;
    agent->room_asked = false;
    tell_ready(agent);
    tell_drained(agent);
}

void agent_on_ready(struct agent *agent, void (*ready)(void *ctx), void *ctx)
{
    agent->ready = ready;
    agent->ready_ctx = ctx;
    tell_ready(agent);
}

/* --- reclaiming --- */

static void tell_drained(struct agent *agent)
{
    if (!agent->drained || agent->status.in_flight || agent->reclaiming || agent->queue_count ||
        agent->room_asked)
        return;
    void (*drained)(void *ctx) = agent->drained;
    agent->drained = NULL;
    drained(agent->drained_ctx);
}

static void set_turn(struct agent *agent, uint64_t after_ns)
{
    if (agent->turn_set)
        return;
    agent->turn_set = true;
    agent->env->ops->timer_start(agent->env, &agent->turn, after_ns);
}

static void queue_grow(struct agent *agent)
{
    uint32_t size = agent->queue_size ? agent->queue_size * 2 : 256;
    uint64_t *queue = malloc(sizeof *queue * size);
    INVARIANT(queue != NULL);
    for (uint32_t i = 0; i < agent->queue_count; i++)
        queue[i] = agent->queue[(agent->queue_first + i) & (agent->queue_size - 1)];
    free(agent->queue);
    agent->queue = queue;
    agent->queue_size = size;
    agent->queue_first = 0;
}

static void want_reclaim(struct agent *agent, uint64_t ino)
{
    if (agent->executor->reclaims)
        return;
    if (agent->queue_count == agent->queue_size)
        queue_grow(agent);
    agent->queue[(agent->queue_first + agent->queue_count++) & (agent->queue_size - 1)] = ino;
    set_turn(agent, RECLAIM_AFTER);
}

static void reclaim_finished(struct agent *agent, struct reclaim *slot)
{
    if (slot->request.err == OK)
        agent->status.reclaimed++;
    else
        agent->status.unclaimed++;
    request_end(&slot->request);
    INVARIANT(agent->reclaiming > 0);
    agent->reclaiming--;
    slot->next = agent->free_slots;
    agent->free_slots = slot;
}

static void reclaim_done(struct request *request)
{
    struct reclaim *slot = request->ctx;
    struct agent *agent = slot->agent;
    reclaim_finished(agent, slot);
    if (agent->queue_count)
        set_turn(agent, 0);
    tell_drained(agent);
}

static void reclaim_start(struct agent *agent)
{
    struct reclaim *slot = agent->free_slots;
    agent->free_slots = slot->next;
    uint64_t ino = agent->queue[agent->queue_first];
    agent->queue_first = (agent->queue_first + 1) & (agent->queue_size - 1);
    agent->queue_count--;
    agent->reclaiming++;
    request_begin(&slot->request);
    slot->request.op.code = FS_RECLAIM;
    slot->request.op.ino = ino;
    slot->request.op.cred.checked = true;
    slot->request.done = reclaim_done;
    slot->request.ctx = slot;
    if (agent->executor->ops->execute(agent->executor, &slot->request))
        reclaim_finished(agent, slot);
}

static void turn(struct env_timer *timer)
{
    struct agent *agent = (struct agent *)(void *)((uint8_t *)timer - offsetof(struct agent, turn));
    agent->turn_set = false;
    for (uint32_t i = 0; i < RECLAIM_TURN && agent->queue_count && agent->free_slots; i++)
        reclaim_start(agent);
    /* With all slots busy the end of one goes on. */
    if (agent->queue_count && agent->free_slots)
        set_turn(agent, 0);
    tell_drained(agent);
}

/* --- references --- */

static void mark_orphan(struct agent *agent, uint64_t ino)
{
    struct ref *ref = refs_find(&agent->refs, ino);
    if (!ref) {
        want_reclaim(agent, ino);
    } else if (!ref->orphan) {
        ref->orphan = 1;
        agent->status.orphans++;
    }
}

static void unmark_orphan(struct agent *agent, uint64_t ino)
{
    struct ref *ref = refs_find(&agent->refs, ino);
    if (ref && ref->orphan) {
        ref->orphan = 0;
        agent->status.orphans--;
    }
}

/* What an answer says about names that went or came. */
static void note_result(struct agent *agent, const struct request *request)
{
    const struct fs_result *result = &request->result;
    if (request->err != OK)
        return;
    switch (request->op.code) {
    case FS_UNLINK:
    case FS_RMDIR:
        if (result->attr.nlink == 0)
            mark_orphan(agent, result->attr.ino);
        break;
    case FS_RENAME:
        if (result->attr2.ino != 0 && result->attr2.nlink == 0)
            mark_orphan(agent, result->attr2.ino);
        break;
    case FS_TMPFILE: {
        /* The answer carries a reference, which the mount counts; the mark has to be there by then.
         */
        struct ref *ref = refs_add(&agent->refs, result->attr.ino);
        ref->orphan = 1;
        agent->status.orphans++;
        break;
    }
    case FS_LINK:
        unmark_orphan(agent, result->attr.ino);
        break;
    default:
        break;
    }
}

void agent_ref(struct agent *agent, uint64_t ino)
{
    if (ino == FS_ROOT_INO)
        return;
    struct ref *ref = refs_add(&agent->refs, ino);
    INVARIANT(ref->count < UINT32_MAX);
    ref->count++;
}

static void last_reference_gone(struct agent *agent, struct ref *ref)
{
    uint64_t ino = ref->ino;
    bool orphan = ref->orphan;
    refs_remove(&agent->refs, ref);
    if (orphan) {
        INVARIANT(agent->status.orphans > 0);
        agent->status.orphans--;
        want_reclaim(agent, ino);
    }
}

void agent_forget(struct agent *agent, uint64_t ino, uint64_t count)
{
    if (ino == FS_ROOT_INO || count == 0)
        return;
    struct ref *ref = refs_find(&agent->refs, ino);
    INVARIANT(ref != NULL && ref->count >= count);
    ref->count -= (uint32_t)count;
    if (ref->count == 0)
        last_reference_gone(agent, ref);
}

static uint32_t blocks_told(const struct fs_attr *attr)
{
    return (uint32_t)(attr->blocks & 0x7fffffff);
}

static struct ref *known(struct agent *agent, uint64_t ino)
{
    return ino == FS_ROOT_INO ? &agent->root : refs_find(&agent->refs, ino);
}

static uint32_t thread_or_several(uint32_t who)
{
    return who ? who : REF_SEVERAL;
}

bool agent_told(struct agent *agent, const struct fs_attr *attr, uint32_t who)
{
    struct ref *ref = known(agent, attr->ino);
    if (!ref)
        return true;
    ref->told = blocks_told(attr) & 0x7fffffff;
    ref->asker = ref->asker == 0 || ref->asker == who ? thread_or_several(who) : REF_SEVERAL;
    if (ref->loser == who)
        ref->loser = 0;
    return ref->loser == 0;
}

bool agent_changed(struct agent *agent, uint64_t ino, uint32_t who)
{
    struct ref *ref = known(agent, ino);
    if (!ref)
        return false;
    bool others = ref->asker != 0 && ref->asker != who;
    ref->asker = 0;
    return others;
}

void agent_lost_name(struct agent *agent, uint64_t ino, uint32_t who)
{
    struct ref *ref = known(agent, ino);
    if (ref)
        ref->loser = thread_or_several(who);
}

void agent_settled(struct agent *agent, uint64_t ino, uint32_t who)
{
    struct ref *ref = known(agent, ino);
    if (ref && ref->loser == who)
        ref->loser = 0;
}

bool agent_has_news(struct agent *agent, const struct fs_attr *attr)
{
    struct ref *ref = refs_find(&agent->refs, attr->ino);
    if (!ref || ref->told == blocks_told(attr))
        return false;
    ref->told = blocks_told(attr) & 0x7fffffff;
    return true;
}

void agent_forget_all(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->refs.size; i++)
        if (agent->refs.table[i].ino && agent->refs.table[i].orphan)
            want_reclaim(agent, agent->refs.table[i].ino);
    refs_free(&agent->refs);
    agent->root = (struct ref){0};
    agent->status.orphans = 0;
}

/* --- requests --- */

static void leave(struct agent *agent, struct request *request)
{
    INVARIANT(agent->status.in_flight > 0);
    agent->status.in_flight--;
    note_result(agent, request);
}

static void finished(struct request *request)
{
    struct agent *agent = request->agent;
    leave(agent, request);
    request->agent_done(request);
    tell_ready(agent);
    tell_drained(agent);
}

static void enter(struct agent *agent, struct request *request)
{
    agent->status.requests++;
    agent->status.in_flight++;
    if (agent->status.in_flight > agent->status.most_in_flight)
        agent->status.most_in_flight = agent->status.in_flight;
    request->agent = agent;
    request->agent_done = request->done;
    request->done = finished;
}

bool agent_execute(struct agent *agent, struct request *request)
{
    enter(agent, request);
    if (!agent->executor->ops->execute(agent->executor, request))
        return false;
    leave(agent, request);
    return true;
}

bool agent_sync(struct agent *agent, struct request *request)
{
    enter(agent, request);
    if (!agent->executor->ops->sync(agent->executor, request))
        return false;
    leave(agent, request);
    return true;
}

/* --- making and ending --- */

enum err agent_new(struct env *env, struct executor *executor, const struct agent_limits *limits,
                   struct agent **out)
{
    INVARIANT(limits->in_flight > 0 && limits->reclaims > 0);
    struct agent *agent = calloc(1, sizeof *agent);
    struct reclaim *slots = calloc(limits->reclaims, sizeof *slots);
    if (!agent || !slots) {
        free(agent);
        free(slots);
        return ERR_NOMEM;
    }
    agent->env = env;
    agent->executor = executor;
    agent->limits = *limits;
    agent->turn.fire = turn;
    agent->slots = slots;
    for (uint32_t i = 0; i < limits->reclaims; i++) {
        slots[i].agent = agent;
        slots[i].next = agent->free_slots;
        agent->free_slots = &slots[i];
    }
    *out = agent;
    return OK;
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    INVARIANT(agent->status.in_flight == 0 && agent->reclaiming == 0 && !agent->room_asked);
    agent->env->ops->timer_stop(agent->env, &agent->turn);
    for (uint32_t i = 0; i < agent->limits.reclaims; i++)
        request_free(&agent->slots[i].request);
    refs_free(&agent->refs);
    free(agent->slots);
    free(agent->queue);
    free(agent);
}

void agent_abandon(struct agent *agent)
{
    agent->env->ops->timer_stop(agent->env, &agent->turn);
    for (uint32_t i = 0; i < agent->limits.reclaims; i++)
        request_abandon(&agent->slots[i].request);
    refs_free(&agent->refs);
    free(agent->slots);
    free(agent->queue);
    free(agent);
}

void agent_drain(struct agent *agent, void (*done)(void *ctx), void *ctx)
{
    INVARIANT(!agent->drained);
    agent->drained = done;
    agent->drained_ctx = ctx;
    tell_drained(agent);
}

uint64_t agent_new_ino(struct agent *agent)
{
    return agent->executor->ops->new_ino(agent->executor);
}

bool agent_knows(const struct agent *agent, uint64_t ino)
{
    return ino == FS_ROOT_INO || refs_find(&agent->refs, ino) != NULL;
}

void agent_status(const struct agent *agent, struct agent_status *out)
{
    *out = agent->status;
    out->inodes = agent->refs.used;
}

void agent_check(const struct agent *agent)
{
    uint64_t orphans = 0;
    refs_check(&agent->refs);
    for (uint32_t i = 0; i < agent->refs.size; i++)
        orphans += agent->refs.table[i].ino && agent->refs.table[i].orphan;
    INVARIANT(orphans == agent->status.orphans);
    INVARIANT(agent->queue_count <= agent->queue_size);
    INVARIANT(agent->reclaiming <= agent->limits.reclaims);
    INVARIANT(agent->status.in_flight <= agent->status.most_in_flight);
}
