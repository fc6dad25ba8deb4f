/* SPDX-License-Identifier: MIT
 *
 * slots.c: requests: waiting for a slot, in one, sent, sent again, finished.
 */
#include <stdlib.h>
#include <string.h>

#include "core/agent/remote_private.h"
#include "core/base/assert.h"
#include "core/base/grow.h"
#include "core/base/mark.h"

static struct remote *remote_of(struct executor *executor)
{
    return (struct remote *)(void *)executor;
}

static uint32_t index_of(const struct remote *remote, const struct slot *slot)
{
    return (uint32_t)(slot - remote->slots);
}

/* --- sending --- */

uint64_t slots_sum(const struct slot *slot)
{
    return checksum64(slot->head.data, slot->head.len, slot->payload.len);
}

static void encode(struct remote *remote, struct slot *slot)
{
    struct message message = remote_message(remote, MESSAGE_REQUEST);
    const struct fs_op *op = &slot->asked.request->op;
    if (!slot->head.data || MUTANT(request_gets_new_serial)) {
        slot->serial++;
        slot->seen = remote->seen;
    }
    message.session = remote->session;
    message.slot = index_of(remote, slot);
    message.serial = slot->serial;
    message.last = slot->seen;
    message.op = *op;
    slot->payload = op->code == FS_WRITE ? op->value : (struct bytes){NULL, 0};
    slot->number = message.number;
    arena_reset(&slot->arena);
    slot->head = wire_encode(&message, &slot->arena);
    slot->sum = slots_sum(slot);
}

/* Twice as long each time, and as long as what is on its way may take. */
static uint64_t wait_for_answer(const struct remote *remote, const struct slot *slot)
{
    uint32_t doublings = slot->tries - 1 < BACKOFF_MAX ? slot->tries - 1 : BACKOFF_MAX;
    return (2 * remote->timing.retry << doublings) + remote->on_way * BYTE_NS;
}

/* False: the transport took no more. */
static bool send_to(struct remote *remote, struct slot *slot, uint32_t to, uint64_t now)
{
    if (!slot->head.data || slot->number != remote->view.number)
        encode(remote, slot);
    struct env_iov pieces[2] = {{(void *)(uintptr_t)slot->head.data, slot->head.len},
                                {(void *)(uintptr_t)slot->payload.data, slot->payload.len}};
    if (remote->net->ops->send(remote->net, to, pieces, slot->payload.len ? 2 : 1) == ERR_LIMIT) {
        remote->full = true;
        return false;
    }
    remote->status.repeated += slot->tries > 0;
    slot->tries++;
    slot->to = to;
    slot->sent = true;
    remote->on_way += slot->payload.len;
    slot->due_ns = now + wait_for_answer(remote, slot);
    return true;
}

static bool may_try(const struct remote *remote, const struct slot *slot, uint64_t now)
{
    if (!remote->cautious || slot->read)
        return true;
    for (uint32_t i = 0; i < remote->slot_count; i++)
        if (remote->slots[i].sent && !remote->slots[i].read)
            return false;
    return now >= remote->trial_ns;
}

static void try_send(struct remote *remote, struct slot *slot, uint64_t now)
{
    if (remote->full || now < slot->due_ns)
        return;
    uint32_t to = locate_for(remote, slot, now);
    if (to != 0 && may_try(remote, slot, now))
        send_to(remote, slot, to, now);
}

void slots_send(struct remote *remote)
{
    uint64_t now = remote_now(remote);
    for (uint32_t i = 0; i < remote->slot_count && remote->busy; i++)
        if (remote->slots[i].asked.request && !remote->slots[i].sent)
            try_send(remote, &remote->slots[i], now);
}

void slots_take_back(struct remote *remote, struct slot *slot)
{
    if (!slot->sent)
        return;
    slot->sent = false;
    slot->due_ns = 0;
    remote->on_way -= slot->payload.len;
}

void slots_unsend(struct remote *remote, uint32_t node)
{
    for (uint32_t i = 0; i < remote->slot_count; i++)
        if (node == 0 || remote->slots[i].to == node)
            slots_take_back(remote, &remote->slots[i]);
}

void slots_hasten(struct remote *remote, uint64_t at_ns)
{
    for (uint32_t i = 0; i < remote->slot_count; i++)
        if (remote->slots[i].sent && remote->slots[i].due_ns > at_ns)
            remote->slots[i].due_ns = at_ns;
    if (remote->busy)
        remote_wake(remote, at_ns);
}

/* --- a request comes --- */

/* The lowest free one: the primary remembers an answer for each that was ever used. */
static struct slot *free_slot(struct remote *remote)
{
    for (uint32_t i = 0; i < REMOTE_SLOTS_MAX / 64; i++)
        if (remote->free_slots[i])
            return &remote->slots[i * 64 + (uint32_t)__builtin_ctzll(remote->free_slots[i])];
    return NULL;
}

static void occupy(struct remote *remote, struct slot *slot, const struct asked *asked)
{
    uint32_t i = index_of(remote, slot);
    uint64_t now = remote_now(remote);
    remote->free_slots[i / 64] &= ~(UINT64_C(1) << i % 64);
    slot->asked = *asked;
    slot->read = answer_is_read(&asked->request->op);
    if (remote->busy++ == 0)
        remote->asked_ns = now;
    try_send(remote, slot, now);
    if (!slot->sent && !remote->serves && remote->view.number != 0)
        session_probe(remote, now);
    remote_wake(remote, now + (remote->view.number != 0 ? remote_quick(remote) : 0));
}

static void enqueue(struct remote *remote, const struct asked *asked)
{
    if (remote->waiting_count == remote->waiting_room) {
        uint32_t room = remote->waiting_room ? remote->waiting_room * 2 : 64;
        struct asked *ring = malloc(sizeof *ring * room);
        INVARIANT(ring != NULL);
        for (uint32_t i = 0; i < remote->waiting_count; i++)
            ring[i] = remote->waiting[(remote->waiting_first + i) % remote->waiting_room];
        free(remote->waiting);
        remote->waiting = ring;
        remote->waiting_room = room;
        remote->waiting_first = 0;
    }
    remote->waiting[(remote->waiting_first + remote->waiting_count++) % remote->waiting_room] =
        *asked;
}

static struct asked dequeue(struct remote *remote)
{
    struct asked asked = remote->waiting[remote->waiting_first];
    remote->waiting_first = (remote->waiting_first + 1) % remote->waiting_room;
    remote->waiting_count--;
    return asked;
}

static bool given_up(struct remote *remote, struct request *request)
{
    if (remote->given_up)
        request->err = ERR_TIMEOUT;
    return remote->given_up;
}

bool slots_execute(struct executor *executor, struct request *request)
{
    struct remote *remote = remote_of(executor);
    if (given_up(remote, request))
        return true;
    struct asked asked = {request, ++remote->order, remote_now(remote)};
    struct slot *slot = remote->waiting_count ? NULL : free_slot(remote);
    request->err = OK;
    remote->status.requests++;
    if (slot)
        occupy(remote, slot, &asked);
    else
        enqueue(remote, &asked);
    return false;
}

/* --- back-pressure --- */

bool slots_has_room(const struct executor *executor)
{
    const struct remote *remote = (const struct remote *)(const void *)executor;
    return remote->waiting_count < remote->slot_count;
}

void slots_on_room(struct executor *executor, void (*room)(void *ctx), void *ctx)
{
    struct remote *remote = remote_of(executor);
    if (slots_has_room(executor)) {
        room(ctx);
        return;
    }
    remote->room = room;
    remote->room_ctx = ctx;
}

static void tell_room(struct remote *remote)
{
    void (*room)(void *ctx) = remote->room;
    if (!room || !slots_has_room(&remote->executor))
        return;
    remote->room = NULL;
    room(remote->room_ctx);
}

/* --- sync: after all changes that were asked for before it --- */

/* The order of the oldest change that is not answered; UINT64_MAX: there is none. */
static uint64_t oldest_change(const struct remote *remote)
{
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; i < remote->slot_count; i++) {
        const struct slot *slot = &remote->slots[i];
        if (slot->asked.request && !slot->read && slot->asked.order < oldest)
            oldest = slot->asked.order;
    }
    for (uint32_t i = 0; i < remote->waiting_count; i++) {
        const struct asked *asked =
            &remote->waiting[(remote->waiting_first + i) % remote->waiting_room];
        if (asked->order < oldest && !answer_is_read(&asked->request->op))
            oldest = asked->order;
    }
    return oldest;
}

bool slots_sync(struct executor *executor, struct request *request)
{
    struct remote *remote = remote_of(executor);
    if (given_up(remote, request))
        return true;
    request->err = OK;
    if (!remote->busy || oldest_change(remote) == UINT64_MAX)
        return true;
    remote->syncs =
        grow(remote->syncs, remote->sync_count, &remote->sync_room, sizeof *remote->syncs);
    remote->syncs[remote->sync_count++] =
        (struct asked){request, ++remote->order, remote_now(remote)};
    return false;
}

/* In order; `done` may ask for more, and end others. */
static void end_syncs(struct remote *remote)
{
    while (remote->sync_count && remote->syncs[0].order < oldest_change(remote)) {
        struct request *request = remote->syncs[0].request;
        remote->sync_count--;
        memmove(remote->syncs, remote->syncs + 1, sizeof *remote->syncs * remote->sync_count);
        if (remote->given_up)
            request->err = ERR_TIMEOUT;
        request->done(request);
    }
}

/* --- a request ends --- */

struct slot *slots_find(struct remote *remote, const struct message *message)
{
    if (!remote->session || message->session != remote->session ||
        message->slot >= remote->slot_count)
        return NULL;
    struct slot *slot = &remote->slots[message->slot];
    return slot->asked.request && slot->head.data && slot->serial == message->serial ? slot : NULL;
}

/* The slot is free before `done` runs, which may ask for more. */
static void finish(struct remote *remote, struct slot *slot)
{
    struct request *request = slot->asked.request;
    uint32_t i = index_of(remote, slot);
    uint64_t took = remote_now(remote) - slot->asked.at_ns;
    bool changes = !slot->read, settles = slot->held_asked;
    if (took > remote->status.longest_ns)
        remote->status.longest_ns = took;
    slots_take_back(remote, slot);
    arena_reset(&slot->arena);
    *slot = (struct slot){.serial = slot->serial, .arena = slot->arena};
    remote->free_slots[i / 64] |= UINT64_C(1) << i % 64;
    remote->busy--;
    if (remote->waiting_count) {
        struct asked next = dequeue(remote);
        occupy(remote, free_slot(remote), &next);
    }
    request->done(request);
    if (settles)
        session_settle(remote);
    if (changes)
        end_syncs(remote);
    tell_room(remote);
}

/* Errors of a node that cannot do it now; another, or the same later, may. */
static bool not_now(enum err err)
{
    return err == ERR_AGAIN || err == ERR_MOVED || err == ERR_NO_VIEW || err == ERR_CONFLICT;
}

static void put_off(struct remote *remote, struct slot *slot, uint32_t from)
{
    if (!slot->sent || slot->to != from)
        return;
    uint32_t doublings = slot->tries < BACKOFF_MAX ? slot->tries : BACKOFF_MAX;
    slots_take_back(remote, slot);
    if (from != remote->view.primary)
        slot->primary_now = true;
    else
        slot->due_ns = remote_now(remote) + (remote_quick(remote) << doublings);
    try_send(remote, slot, remote_now(remote));
}

void slots_answered(struct remote *remote, struct slot *slot, uint32_t from,
                    const struct message *message)
{
    if (not_now(message->err)) {
        put_off(remote, slot, from);
        return;
    }
    bool cautious = remote->cautious;
    remote->replied_ns = remote_now(remote);
    if (from == remote->view.primary && !slot->read)
        remote->cautious = false;
    struct request *request = slot->asked.request;
    answer_take(request, message);
    if (stamp_compare(request->seen, remote->seen) > 0)
        remote->seen = request->seen;
    finish(remote, slot);
    if (cautious && !remote->cautious)
        slots_send(remote);
}

/* Nobody will answer this any more. */
static void fail(struct remote *remote, struct slot *slot)
{
    slot->asked.request->err = slot->tries > 0 && !slot->read ? ERR_IO : ERR_TIMEOUT;
    finish(remote, slot);
}

void slots_new_session(struct remote *remote)
{
    uint64_t last = remote->order;
    slots_unsend(remote, 0);
    for (uint32_t i = 0; i < remote->slot_count; i++) {
        struct slot *slot = &remote->slots[i];
        slot->serial = 0;
        slot->held_asked = false;
        if (slot->asked.request && (slot->read || slot->tries == 0)) {
            arena_reset(&slot->arena);
            slot->head = slot->payload = (struct bytes){NULL, 0};
            slot->tries = 0;
        }
    }
    for (uint32_t i = 0; i < remote->slot_count; i++) {
        struct slot *slot = &remote->slots[i];
        if (slot->asked.request && slot->tries > 0 && slot->asked.order <= last)
            fail(remote, slot);
    }
}

void slots_give_up(struct remote *remote)
{
    while (remote->waiting_count) {
        struct asked asked = dequeue(remote);
        asked.request->err = ERR_TIMEOUT;
        asked.request->done(asked.request);
    }
    for (uint32_t i = 0; i < remote->slot_count; i++)
        if (remote->slots[i].asked.request)
            fail(remote, &remote->slots[i]);
    end_syncs(remote);
    tell_room(remote);
}

/* --- time --- */

static bool too_long(const struct remote *remote, const struct asked *asked, uint64_t now)
{
    return remote->options.patience_ns && now - asked->at_ns >= remote->options.patience_ns;
}

static void give_up_waiting(struct remote *remote, uint64_t now)
{
    while (remote->waiting_count &&
           too_long(remote, &remote->waiting[remote->waiting_first], now)) {
        struct asked asked = dequeue(remote);
        asked.request->err = ERR_TIMEOUT;
        asked.request->done(asked.request);
        end_syncs(remote);
        tell_room(remote);
    }
}

/* A read that the replica nearby does not answer goes to the primary, and for a while so do
 * others. */
static void overdue(struct remote *remote, struct slot *slot, uint64_t now)
{
    if (slot->to != remote->view.primary && slot->read) {
        slot->primary_now = true;
        remote->near_ns = now + remote->timing.failover;
    }
    slots_take_back(remote, slot);
}

void slots_tick(struct remote *remote, uint64_t now)
{
    give_up_waiting(remote, now);
    for (uint32_t i = 0; i < remote->slot_count; i++) {
        struct slot *slot = &remote->slots[i];
        if (!slot->asked.request)
            continue;
        if (too_long(remote, &slot->asked, now))
            fail(remote, slot);
        else if (slot->sent && now >= slot->due_ns)
            overdue(remote, slot, now);
    }
    slots_send(remote);
}

uint32_t slots_mark_asked(struct remote *remote)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < remote->slot_count; i++) {
        remote->slots[i].held_asked = remote->slots[i].asked.request != NULL;
        count += remote->slots[i].held_asked;
    }
    return count;
}
