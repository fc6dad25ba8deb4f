/* SPDX-License-Identifier: MIT
 *
 * remote.c: an agent of a volume whose replica managers are elsewhere.
 *
 * Definitions
 *   sent       of a slot: its request is with a node that has neither refused it nor, as far as is
 *              known, lost it
 *   exposed    it was sent once: what it asks for may have happened, or may yet
 *   serves     the primary of the newest view known answers us; else nothing is sent to it but a
 *              question (OPEN, RENEW) from time to time, so that the bulk of what waits does not
 *              travel to be refused
 *   quick      a quarter of timing.retry, the time between two looks at what is due
 *   cautious   the primary refused a change last, maybe while it serves reads: it is tried with one
 *              at a time
 *
 * The law is in remote.h; how it is kept:
 *   R1  A slot is given back before its request's `done` runs, and a reply is taken for the slot
 *       only if session, slot and serial are the ones it was sent with.
 *   R2  A request gets the next serial of its slot when it is first sent. Only a new session makes
 *       it a new request, and only when the old one cannot have had an effect. It names a view, so
 *       that what was sent to the primary of an older one, and comes late, does nothing.
 *   R3  locate_moved takes a view only if its number is greater.
 *   R5  Questions are bounded: to the primary one in `quick`, around one in two; a request without
 *       an answer waits twice as long each time, and the longer the more is on its way.
 *   R6  A question what the kernel knows (HOLDS) is answered when everything that was under way
 *       then has ended: an answer still on its way may make the kernel know an inode.
 */
#include <stdlib.h>
#include <string.h>

#include "core/agent/remote_private.h"
#include "core/base/assert.h"

#define SLOTS_DEFAULT 64u

/* --- messages --- */

struct message remote_message(const struct remote *remote, enum message_kind kind)
{
    struct message message = {.kind = kind, .number = remote->view.number};
    memcpy(message.volume, remote->options.volume, sizeof message.volume);
    return message;
}

/* What does not go out is as good as lost, and asked again in time. */
void remote_say(struct remote *remote, uint32_t to, const struct message *message)
{
    enum err err = wire_send(remote->net, to, message, NULL, 0, &remote->scratch);
    (void)err;
    arena_reset(&remote->scratch);
}

static void reply(struct remote *remote, uint32_t from, const struct message *message)
{
    struct slot *slot = slots_find(remote, message);
    if (!slot)
        return;
    if (message->err == ERR_SESSION) {
        if (from == remote->view.primary)
            session_lost(remote);
        return;
    }
    slots_answered(remote, slot, from, message);
}

void remote_deliver(struct remote *remote, uint32_t from, const struct message *message)
{
    if (remote->view.number != 0 && from == remote->view.primary)
        remote->heard_ns = remote_now(remote);
    switch (message->kind) {
    case MESSAGE_MOVED:
        locate_moved(remote, from, message);
        break;
    case MESSAGE_OPENED:
        session_opened(remote, message);
        break;
    case MESSAGE_RENEWED:
        session_renewed(remote, from, message);
        break;
    case MESSAGE_REPLY:
        reply(remote, from, message);
        break;
    case MESSAGE_HOLDS:
        session_holds(remote, from, message);
        break;
    default:
        break;
    }
}

void remote_lost(struct remote *remote, uint32_t node)
{
    locate_lost(remote, node);
}

void remote_nodes(struct remote *remote, const uint32_t *nodes, uint32_t count)
{
    remote->node_count = count < GROUP_MAX ? count : GROUP_MAX;
    memcpy(remote->nodes, nodes, sizeof *nodes * remote->node_count);
}

/* --- time --- */

void remote_wake(struct remote *remote, uint64_t at_ns)
{
    if (remote->timer_at <= at_ns)
        return;
    uint64_t now = remote_now(remote);
    remote->timer_at = at_ns;
    remote->env->ops->timer_start(remote->env, &remote->timer, at_ns > now ? at_ns - now : 0);
}

static void fire(struct env_timer *timer)
{
    struct remote *remote =
        (struct remote *)(void *)((uint8_t *)timer - offsetof(struct remote, timer));
    uint64_t now = remote_now(remote);
    remote->timer_at = UINT64_MAX;
    remote->full = false;
    locate_tick(remote, now);
    session_tick(remote, now);
    slots_tick(remote, now);
    bool waits = remote->busy || !remote->session || !remote->serves;
    remote_wake(remote, now + (waits ? remote_quick(remote) : remote->timing.failover));
}

/* --- making and ending --- */

static const struct executor_ops remote_ops = {
    .execute = slots_execute,
    .sync = slots_sync,
    .has_room = slots_has_room,
    .on_room = slots_on_room,
    .new_ino = session_new_ino,
};

enum err remote_new(const struct remote_options *options, struct remote **out)
{
    uint32_t slot_count = options->slots ? options->slots : SLOTS_DEFAULT;
    INVARIANT(slot_count <= REMOTE_SLOTS_MAX && options->node_count > 0);
    struct remote *remote = calloc(1, sizeof *remote);
    struct slot *slots = calloc(slot_count, sizeof *slots);
    if (!remote || !slots) {
        free(remote);
        free(slots);
        return ERR_NOMEM;
    }
    remote->executor = (struct executor){.ops = &remote_ops, .reclaims = true};
    remote->options = *options;
    remote->options.nodes = NULL;
    remote->env = options->env;
    remote->net = options->net;
    remote->timing = options->timing;
    remote->timer.fire = fire;
    remote->timer_at = UINT64_MAX;
    arena_init(&remote->scratch);
    remote_nodes(remote, options->nodes, options->node_count);
    remote->slots = slots;
    remote->slot_count = slot_count;
    for (uint32_t i = 0; i < slot_count; i++) {
        arena_init(&slots[i].arena);
        remote->free_slots[i / 64] |= UINT64_C(1) << i % 64;
    }
    *out = remote;
    return OK;
}

void remote_abandon(struct remote *remote)
{
    remote->env->ops->timer_stop(remote->env, &remote->timer);
    for (uint32_t i = 0; i < remote->slot_count; i++)
        arena_free(&remote->slots[i].arena);
    arena_free(&remote->scratch);
    free(remote->holds.inos);
    free(remote->slots);
    free(remote->waiting);
    free(remote->syncs);
    free(remote);
}

void remote_free(struct remote *remote)
{
    if (!remote)
        return;
    INVARIANT(remote->busy == 0 && remote->waiting_count == 0 && remote->sync_count == 0);
    session_close(remote);
    remote_abandon(remote);
}

struct executor *remote_executor(struct remote *remote)
{
    return &remote->executor;
}

void remote_give_up(struct remote *remote)
{
    remote->given_up = true;
    slots_give_up(remote);
}

/* --- looking --- */

uint64_t remote_silent(const struct remote *remote)
{
    return remote_silence(remote, remote_now(remote));
}

void remote_status(struct remote *remote, struct remote_status *out)
{
    *out = remote->status;
    out->view = remote->view;
    out->serves = remote->serves;
    out->session = remote->session;
    out->in_flight = remote->busy + remote->waiting_count;
    out->silent_ns = remote_silence(remote, remote_now(remote));
    remote->status.longest_ns = 0;
}

static void check_slot(const struct remote *remote, const struct slot *slot, uint32_t i)
{
    bool is_free = (remote->free_slots[i / 64] >> i % 64) & 1;
    INVARIANT(is_free == (slot->asked.request == NULL));
    if (is_free || !slot->head.data) {
        INVARIANT(!slot->sent);
        return;
    }
    INVARIANT(slot->serial > 0 && remote->session != 0);
    INVARIANT(slot->sum == slots_sum(slot));
}

void remote_check(const struct remote *remote)
{
    uint32_t busy = 0;
    uint64_t on_way = 0;
    for (uint32_t i = 0; i < remote->slot_count; i++) {
        const struct slot *slot = &remote->slots[i];
        check_slot(remote, slot, i);
        busy += slot->asked.request != NULL;
        on_way += slot->sent ? slot->payload.len : 0;
    }
    INVARIANT(busy == remote->busy && on_way == remote->on_way);
    INVARIANT(remote->waiting_count == 0 || busy == remote->slot_count);
    INVARIANT(busy == 0 || remote->timer_at != UINT64_MAX);
    INVARIANT(remote->view.number == 0 || view_sound(&remote->view));
}
