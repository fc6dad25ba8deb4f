/* SPDX-License-Identifier: MIT
 *
 * primary.c: primary copy: its law, its beginning and end, and what arrives.
 *
 * Definitions
 *   record     one committed write set, at its stamp; it names the stamp of the one before it
 *   view       {number, primary, members}, in the registry; members hold all that was acknowledged
 *   reign      the time for which this node is the primary without a break
 *   committed  durable at every member: it cannot be lost while one of them is left
 *   settled    everything that the primary had when its reign began is committed
 *   frozen     nothing is taken from the primary of this view, nor said to it
 *   whole      the store is the volume as it was at its last stamp; torn otherwise (copy.c)
 *   diverged   having a record that no later view has
 *
 * Law
 *   L1  There is one sequence of views: each replaces the one with the number before it, by
 *       compare-and-swap. The members of a view are members of the one before it that were in
 *       touch with its primary, or joined with all records.
 *   L2  A change of view whose outcome is not known counts as made and as not made: whoever it
 *       would add has to have every record before it is acknowledged, and holds back the lease;
 *       whoever proposed itself stands still.
 *   L3  The primary answers only while each member has answered a heartbeat that was sent within
 *       timing.lease. A member proposes another primary only when it has heard nothing for
 *       timing.suspect, which is longer, or was told that the primary has stopped.
 *   L4  The primary serves when it is settled: what was in flight at the end of the view before is
 *       in the view, or in none, before anything is answered.
 *   L5  A candidate is frozen from the moment it begins, so nothing can be committed without it in
 *       the old view; it takes the records that other members have more before it proposes.
 *   L6  A primary that lost its memory begins a new view: what it said before was said in another.
 *   L7  Records of a store are those of the primary's, in their order, up to its last: or it is
 *       torn, or diverged and not a member.
 *
 * Transitions
 *   looking --registry--> backup | joining | candidate (it was the primary: L6)
 *   backup --silence, resignation--> candidate --compare-and-swap--> primary
 *   candidate --the primary lives, another won--> backup | joining
 *   primary --a later view, resignation--> backup | joining
 *   joining --it has all, the primary's compare-and-swap--> backup
 *
 * Sources: Lin, Yang, Zhang and Zhou, "PacificA" (2008), sections 2 and 3: views, leases,
 * reconciliation; Oki and Liskov, "Viewstamped Replication" (1988): what a new view must know;
 * Liskov and Cowling (2012), section 4.3: recovery without memory.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/replica/primary/private.h"

/* --- what all parts use --- */

void tell(struct primary *p, const char *format, ...)
{
    char line[512];
    va_list arguments;
    if (!p->say)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    p->say(p->ctx, line);
}

struct message message_new(const struct primary *p, enum message_kind kind)
{
    struct message m = {.kind = kind, .number = p->view.number};
    memcpy(m.volume, p->identity.uuid, sizeof m.volume);
    return m;
}

void send_message(struct primary *p, uint32_t to, const struct message *message)
{
    arena_reset(&p->arena);
    wire_send(p->net, to, message, NULL, 0, &p->arena);
}

struct peer *peer_find(struct primary *p, uint32_t node)
{
    for (uint32_t i = 0; i < p->peer_count; i++)
        if (p->peers[i].node == node)
            return &p->peers[i];
    return NULL;
}

struct peer *peer_need(struct primary *p, uint32_t node)
{
    struct peer *peer = peer_find(p, node);
    if (peer || node == p->self)
        return peer;
    for (uint32_t i = 0; i < p->peer_count && p->peer_count == GROUP_MAX; i++) {
        peer = &p->peers[i];
        if (peer->member || peer->joining || peer->stream->reading)
            continue;
        stream_free(peer); /* one that counts no more */
        *peer = p->peers[--p->peer_count];
    }
    if (p->peer_count == GROUP_MAX)
        return NULL;
    peer = &p->peers[p->peer_count++];
    *peer = (struct peer){.node = node, .heard = now_ns(p)};
    stream_init(p, peer);
    return peer;
}

bool is_assigned(const struct primary *p, uint32_t node)
{
    for (uint32_t i = 0; i < p->assigned_count; i++)
        if (p->assigned[i] == node)
            return true;
    return p->assigned_count == 0;
}

void broke(struct primary *p, enum err err)
{
    if (p->broken || err == OK)
        return;
    MARK(replica_broken);
    tell(p, "the store of this replica has failed: %s", err_text(err));
    p->broken = err;
}

/* --- durability --- */

static void synced(struct store_sync *sync, enum err err)
{
    struct primary *p =
        (struct primary *)(void *)((uint8_t *)sync - offsetof(struct primary, sync));
    p->syncing = false;
    if (err != OK) {
        broke(p, err);
        return;
    }
    p->durable = p->sync_stamp;
    while (p->own_unacked && !stamp_less(p->durable, p->own_unacked->stamp))
        p->own_unacked = p->own_unacked->next;
    if (p->part == PART_PRIMARY)
        stream_commit(p);
    else
        follow_ack(p);
    sync_kick(p);
    serve_go_on(p);
}

void sync_kick(struct primary *p)
{
    struct stamp last = store_last_stamp(p->store);
    if (p->syncing || p->broken || stamp_equal(last, p->durable))
        return;
    p->syncing = true;
    p->sync_stamp = last;
    p->sync.done = synced;
    store_sync(p->store, &p->sync);
}

static void recorded(void *ctx, const struct store_record *record)
{
    window_add(ctx, record);
}

/* --- whole or torn --- */

void set_whole(struct primary *p, bool whole)
{
    uint8_t note[1] = {whole ? 'W' : 'T'};
    if (p->whole == whole)
        return;
    p->whole = whole;
    if (!whole && MUTANT(torn_not_noted))
        return;
    enum err err = store_set_note(p->store, (struct bytes){note, 1});
    if (err != OK)
        broke(p, err);
}

/* --- time --- */

/* The store is working for it. */
static bool busy(const struct primary *p)
{
    bool reading = false;
    for (uint32_t i = 0; i < p->peer_count; i++)
        reading = reading || p->peers[i].stream->reading;
    return reading || p->executing || p->giving || p->syncing || p->copy.syncing ||
           (p->found.active && !p->found.asked);
}

static bool may_stop(const struct primary *p)
{
    bool late = now_ns(p) - p->stop_since > 2 * p->timing.heartbeat + p->timing.retry;
    return !busy(p) && !p->handing.active && (p->part != PART_PRIMARY || late);
}

static void stop_tick(struct primary *p)
{
    if (!p->stopped)
        return;
    if (now_ns(p) - p->stop_since > 2 * p->timing.heartbeat + p->timing.retry)
        p->handing.active = false;
    if (!may_stop(p))
        return;
    if (p->part == PART_PRIMARY || (p->part == PART_BACKUP && !p->resigned))
        resign(p);
    serve_drop_all(p);
    void (*stopped)(void *ctx) = p->stopped;
    p->stopped = NULL;
    stopped(p->stopped_ctx);
}

static void tick(struct env_timer *timer)
{
    struct primary *p =
        (struct primary *)(void *)((uint8_t *)timer - offsetof(struct primary, tick));
    p->env->ops->timer_start(p->env, &p->tick, p->timing.heartbeat / 4);
    view_tick(p);
    switch (p->part) {
    case PART_LOOKING:
        break;
    case PART_PRIMARY:
        lease_tick(p);
        stream_pump_all(p);
        serve_release(p);
        serve_go_on(p);
        sessions_tick(p);
        orphans_tick(p);
        break;
    case PART_CANDIDATE:
        candidate_tick(p);
        break;
    case PART_BACKUP:
    case PART_JOINING:
        follow_tick(p);
        break;
    }
    hand_over_tick(p);
    mend_tick(p);
    sync_kick(p);
    if (p->broken && !p->broken_told && p->failed) {
        p->broken_told = true;
        p->failed(p->ctx, p->broken); /* may free it */
        return;
    }
    stop_tick(p);
}

/* --- what arrives --- */

static void moved(struct primary *p, const struct message *m)
{
    if (view_sound(&m->view))
        view_learn(p, &m->view, 0);
}

static void resigned(struct primary *p, uint32_t from, const struct message *m)
{
    if (m->number != p->view.number)
        return;
    if (from == p->view.primary && p->part == PART_BACKUP) {
        MARK(primary_resigned);
        p->primary_resigned = true;
        p->heard = now_ns(p);
    } else if (p->part == PART_PRIMARY && peer_find(p, from)) {
        peer_find(p, from)->resigned = true;
    }
}

static void acknowledged(struct primary *p, uint32_t from, const struct message *m)
{
    struct peer *peer = peer_find(p, from);
    if (p->part != PART_PRIMARY || m->number != p->view.number || !peer)
        return;
    peer->heard = now_ns(p);
    stream_told(p, peer, m);
}

static void deliver_agent(struct primary *p, uint32_t from, const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_WHERE:
        serve_moved(p, from, m);
        break;
    case MESSAGE_OPEN:
        session_open(p, from, m);
        break;
    case MESSAGE_CLOSE:
        session_end(p, m->session);
        break;
    case MESSAGE_RENEW:
        session_renew(p, from, m);
        break;
    case MESSAGE_REQUEST:
        serve_request(p, from, m);
        break;
    case MESSAGE_HELD:
        orphans_held(p, from, m);
        break;
    default:
        p->status.ignored++;
        break;
    }
}

static void deliver_copying(struct primary *p, uint32_t from, const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_JOIN:
        donor_join(p, from, m);
        break;
    case MESSAGE_SNAPSHOT:
        copy_snapshot(p, from, m);
        break;
    case MESSAGE_DIGEST:
        donor_digest(p, from, m);
        break;
    case MESSAGE_LEAVES:
        copy_leaves(p, from, m);
        break;
    case MESSAGE_KEYS:
        donor_keys(p, from, m);
        break;
    case MESSAGE_NAMES:
        copy_names(p, from, m);
        break;
    case MESSAGE_FETCH:
        donor_fetch(p, from, m);
        break;
    case MESSAGE_OBJECTS:
        copy_objects(p, from, m);
        mend_objects(p, from, m);
        break;
    default:
        deliver_agent(p, from, m);
        break;
    }
}

void primary_deliver(struct primary *p, uint32_t from, const struct message *m)
{
    if (memcmp(m->volume, p->identity.uuid, sizeof m->volume) != 0)
        return;
    if (p->part == PART_LOOKING && m->kind != MESSAGE_WHERE)
        return; /* the registry has the first word */
    switch (m->kind) {
    case MESSAGE_HEARTBEAT:
        follow_heartbeat(p, from, m);
        break;
    case MESSAGE_HEARD:
    case MESSAGE_ACK:
        if (m->kind == MESSAGE_HEARD)
            lease_heard(p, from, m);
        else
            acknowledged(p, from, m);
        break;
    case MESSAGE_RECORD:
        follow_record(p, from, m);
        break;
    case MESSAGE_FLUSH:
        candidate_flush(p, from, m);
        break;
    case MESSAGE_FLUSHED:
        candidate_flushed(p, from, m);
        break;
    case MESSAGE_RESIGN:
        resigned(p, from, m);
        break;
    case MESSAGE_MOVED:
    case MESSAGE_TAKE_OVER:
        moved(p, m);
        break;
    default:
        deliver_copying(p, from, m);
        break;
    }
}

void primary_lost(struct primary *p, uint32_t node)
{
    struct peer *peer = peer_find(p, node);
    if (!peer)
        return;
    if (!peer->lost)
        peer->lost = now_ns(p);
    if (p->part == PART_PRIMARY && peer->stream->mode == STREAM_WINDOW)
        stream_stop(peer); /* what it has, it says when it is heard of again */
}

/* --- making and ending --- */

enum err primary_new(const struct primary_options *options, struct store *store,
                     struct primary **out)
{
    struct primary *p = calloc(1, sizeof *p);
    if (!p)
        return ERR_NOMEM;
    p->env = options->env;
    p->net = options->net;
    p->registry = options->registry;
    p->store = store;
    p->contract = *options->contract;
    p->identity = *options->identity;
    p->timing = timing_of(options->contract->failover_ns);
    p->self = options->net->self;
    p->uid = options->uid;
    p->gid = options->gid;
    p->say = options->say;
    p->failed = options->failed;
    p->ctx = options->ctx;
    p->repair_bytes_per_s = options->repair_bytes_per_s;
    p->part = PART_LOOKING;
    p->durable = store_last_stamp(store); /* what a start found is durable */
    RB_INIT(&p->sessions);
    arena_init(&p->arena);
    arena_init(&p->replies);
    struct bytes note = store_note(store);
    p->whole = (note.len == 1 && note.data[0] == 'W') || MUTANT(empty_is_whole);
    record_key_uuid(p->view_key, "view", p->identity.uuid);
    enum err err = replica_new_member(p->env, store, p->self, &p->replica);
    if (err != OK) {
        arena_free(&p->arena);
        arena_free(&p->replies);
        free(p);
        return err;
    }
    store_on_record(store, recorded, p);
    p->heard = now_ns(p);
    p->tick.fire = tick;
    p->env->ops->timer_start(p->env, &p->tick, p->timing.heartbeat / 4);
    view_watch(p);
    *out = p;
    return OK;
}

static void found_end(struct primary *p, enum err err)
{
    p->found.active = false;
    p->found.done(p->found.ctx, err);
}

static struct view first_view(const struct primary *p)
{
    return (struct view){.number = 1, .primary = p->self, .count = 1, .members = {p->self}};
}

static void found_changed(struct registry_change *change)
{
    struct primary *p = change->ctx;
    struct view view = first_view(p);
    p->found.active = false;
    p->found.made = change->err == OK;
    if (p->found.revision)
        view_learn(p, &view, p->found.revision);
    found_end(p, change->err == ERR_CONFLICT ? ERR_EXIST : change->err);
}

static void found_synced(struct store_sync *sync, enum err err)
{
    struct primary *p =
        (struct primary *)(void *)((uint8_t *)sync - offsetof(struct primary, found.sync));
    if (err != OK) {
        found_end(p, err);
        return;
    }
    p->found.asked = true;
    struct view view = first_view(p);
    struct registry_condition condition = {p->view_key, 0};
    arena_reset(&p->arena);
    struct registry_write write = {p->view_key, record_encode_view(&view, &p->arena), false};
    p->found.change = (struct registry_change){.conditions = &condition,
                                               .condition_count = 1,
                                               .writes = &write,
                                               .write_count = 1,
                                               .done = found_changed,
                                               .ctx = p};
    p->registry->ops->change(p->registry, &p->found.change);
}

void primary_found(struct primary *p, void (*done)(void *ctx, enum err err), void *ctx)
{
    INVARIANT(!p->found.active);
    p->found.active = true;
    p->found.asked = false;
    p->found.done = done;
    p->found.ctx = ctx;
    enum err err = replica_make_root(p->replica, p->uid, p->gid);
    if (err != OK) {
        found_end(p, err);
        return;
    }
    set_whole(p, true);
    p->found.sync.done = found_synced;
    store_sync(p->store, &p->found.sync);
}

void primary_assigned(struct primary *p, const uint32_t *nodes, uint32_t count)
{
    INVARIANT(count <= GROUP_MAX);
    memcpy(p->assigned, nodes, sizeof *nodes * count);
    p->assigned_count = count;
}

void primary_hand_over(struct primary *p, uint32_t to, void (*done)(void *ctx, enum err err),
                       void *ctx)
{
    if (p->part != PART_PRIMARY || p->handing.active || p->view.count < 2) {
        done(ctx, p->handing.active ? ERR_BUSY : ERR_NOTSUP);
    } else if (to && (to == p->self || !view_has(&p->view, to))) {
        done(ctx, ERR_INVAL);
    } else {
        p->handing.active = true;
        p->handing.proposed = false;
        p->handing.to = to;
        p->handing.since = now_ns(p);
        p->handing.done = done;
        p->handing.ctx = ctx;
        hand_over_tick(p);
    }
}

static void ignore(void *ctx, enum err err)
{
    (void)ctx;
    (void)err;
}

void primary_stop(struct primary *p, void (*done)(void *ctx), void *ctx)
{
    p->stop_since = now_ns(p);
    p->stopped = done;
    p->stopped_ctx = ctx;
    if (p->part == PART_PRIMARY && !p->handing.active)
        primary_hand_over(p, 0, ignore, NULL);
    p->stopping = true;
}

static void free_rest(struct primary *p)
{
    orphans_reset(p);
    session_forget_all(p);
    copy_free(p);
    mend_free(p);
    while (p->window.first) {
        struct record *record = p->window.first;
        p->window.first = record->next;
        free(record);
    }
    arena_free(&p->arena);
    arena_free(&p->replies);
    free(p);
}

void primary_free(struct primary *p)
{
    if (!p)
        return;
    INVARIANT(!busy(p));
    mend_stop(p);
    p->env->ops->timer_stop(p->env, &p->tick);
    view_unwatch(p);
    store_on_record(p->store, NULL, NULL);
    store_on_room(p->store, NULL, NULL);
    for (uint32_t i = 0; i < p->peer_count; i++) {
        donor_end(p, &p->peers[i]);
        stream_free(&p->peers[i]);
    }
    donor_abandon(p);
    serve_abandon(p);
    replica_free(p->replica);
    free_rest(p);
}

void primary_abandon(struct primary *p)
{
    p->env->ops->timer_stop(p->env, &p->tick);
    view_unwatch(p);
    for (uint32_t i = 0; i < p->peer_count; i++) {
        free(p->peers[i].donor);
        free(p->peers[i].stream);
    }
    donor_abandon(p);
    serve_abandon(p);
    replica_abandon(p->replica);
    free_rest(p);
}
