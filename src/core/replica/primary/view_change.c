/* SPDX-License-Identifier: MIT
 *
 * view_change.c: from one view to the next: learning, proposing, the candidate's flush, handing
 * over. Laws L1, L2, L5, L6 of primary.c.
 */
#include <string.h>

#include "core/replica/primary/private.h"

/* --- the part that a view gives --- */

static void set_members(struct primary *p)
{
    for (uint32_t i = 0; i < p->peer_count; i++)
        p->peers[i].member = view_has(&p->view, p->peers[i].node);
    for (uint32_t i = 0; i < p->view.count; i++)
        if (p->view.members[i] != p->self) {
            struct peer *peer = peer_need(p, p->view.members[i]);
            INVARIANT(peer != NULL);
            peer->member = true;
            peer->joining = false;
        }
}

/* What was known of the others as followers is void. */
static void reset_peers(struct primary *p)
{
    uint64_t now = now_ns(p);
    for (uint32_t i = 0; i < p->peer_count; i++) {
        struct peer *peer = &p->peers[i];
        stream_stop(peer);
        donor_end(p, peer);
        peer->lease = peer->lost = 0;
        peer->heard = now;
        peer->durable = peer->last = peer->no_log = STAMP_ZERO;
        peer->resigned = peer->flushed = peer->joining = false;
    }
}

static void leave_part(struct primary *p)
{
    if (p->part == PART_PRIMARY) {
        serve_drop_all(p);
        session_forget_all(p);
        orphans_reset(p);
    }
    p->settled = false;
    p->handing.proposed = false;
    p->primary_resigned = p->resigned = false;
    p->frozen_until = 0;
    p->heard = now_ns(p);
}

static void become_primary(struct primary *p)
{
    copy_stop(p);
    leave_part(p);
    reset_peers(p);
    p->part = PART_PRIMARY;
    p->reign++;
    p->reign_from = p->view.number;
    p->reign_began = now_ns(p);
    p->settle = store_last_stamp(p->store);
    if (p->replica)
        replica_catch_up(p->replica);
    session_load_all(p);
    set_members(p);
    lease_heartbeat(p);
    sync_kick(p);
    stream_commit(p);
}

static void become_follower(struct primary *p, bool member)
{
    if (!member || p->part == PART_PRIMARY)
        copy_stop(p);
    leave_part(p);
    reset_peers(p);
    p->part = member && (p->whole || MUTANT(torn_takes_part)) ? PART_BACKUP : PART_JOINING;
    p->next_join = 0;
    set_members(p);
}

/* The primary's own change: it goes on. */
static void go_on(struct primary *p)
{
    set_members(p);
    for (uint32_t i = 0; i < p->peer_count; i++) {
        struct peer *peer = &p->peers[i];
        if (!peer->member && !peer->joining)
            stream_stop(peer);
        if (!peer->member)
            peer->resigned = false;
    }
    lease_heartbeat(p);
    stream_commit(p);
}

void view_learn(struct primary *p, const struct view *view, uint64_t revision)
{
    char text[256];
    if (view->number == p->view.number && revision)
        p->revision = revision;
    if (view->number <= p->view.number)
        return;
    bool reigns = p->part == PART_PRIMARY && p->view.primary == p->self;
    bool looking = p->part == PART_LOOKING;
    /* The first view, made by this very process just now: no reign was lost with a memory (L6). */
    bool founds = looking && p->found.made && view->number == 1;
    p->view = *view;
    p->revision = revision;
    p->proposal.active = false;
    p->status.view_changes++;
    tell(p, "%s", view_print(view, text, sizeof text));
    if (reigns && view->primary == p->self)
        go_on(p);
    else if (view->primary == p->self && p->whole && (!looking || founds) && !p->broken)
        become_primary(p);
    else
        become_follower(p, view_has(view, p->self));
    if (looking && !founds && view->primary == p->self && p->whole) {
        MARK(primary_restarted);
        candidate_begin(p); /* a reign that was lost with the memory is not gone on with: L6 */
    }
}

/* --- the registry --- */

static void view_seen(struct primary *p, const struct view *view, uint64_t revision)
{
    if (p->found.active && view->number == 1 && view->primary == p->self)
        p->found.revision = revision; /* the answer will say who made it */
    else
        view_learn(p, view, revision);
}

static void changed(struct registry_watch *watch, const struct registry_item *item)
{
    struct primary *p = watch->ctx;
    struct view view;
    if (strcmp(item->key, p->view_key) != 0 || !item->value.data)
        return;
    if (record_decode_view(item->value, &view) != OK) {
        tell(p, "the registry's view of this volume cannot be read");
        return;
    }
    p->view_read = true;
    view_seen(p, &view, item->revision);
}

void view_watch(struct primary *p)
{
    p->watch = (struct registry_watch){.prefix = p->view_key, .changed = changed, .ctx = p};
    p->watching = true;
    p->registry->ops->watch(p->registry, &p->watch);
}

void view_unwatch(struct primary *p)
{
    if (p->watching)
        p->registry->ops->unwatch(p->registry, &p->watch);
    p->watching = false;
    p->registry->ops->forget(p->registry, p);
}

/* --- proposing --- */

static void proposal_settled(struct primary *p)
{
    p->proposal.next_try = now_ns(p) + p->timing.retry;
}

static void read_view_done(struct registry_read *read)
{
    struct primary *p = read->ctx;
    struct view view;
    p->proposal.reading = false;
    if (read->err == OK && read->count == 1 &&
        record_decode_view(read->items[0].value, &view) == OK) {
        p->view_read = p->registry_fresh = true;
        view_seen(p, &view, read->items[0].revision);
    }
    proposal_settled(p);
}

static void read_view(struct primary *p)
{
    if (p->proposal.reading)
        return;
    p->proposal.reading = true;
    p->proposal.read = (struct registry_read){.key = p->view_key, .done = read_view_done, .ctx = p};
    p->registry->ops->read(p->registry, &p->proposal.read);
}

static void change_done(struct registry_change *change)
{
    struct primary *p = change->ctx;
    struct view view = p->proposal.view;
    p->proposal.sending = false;
    proposal_settled(p);
    if (!p->proposal.active)
        return;
    if (change->err == OK) {
        view_learn(p, &view, change->revision);
    } else if (change->err == ERR_CONFLICT) {
        MARK(proposal_lost);
        read_view(p); /* a later view stands, or soon will be seen to */
    } else if (change->err == ERR_REGISTRY && !p->proposal.unsure) {
        p->proposal.active = false; /* it certainly did not happen */
        p->handing.proposed = false;
        set_members(p);
    } else {
        MARK(proposal_unsure);
        p->proposal.unsure = true;
        read_view(p);
    }
}

static void send_proposal(struct primary *p)
{
    struct registry_condition condition = {p->view_key, p->revision};
    arena_reset(&p->arena);
    struct registry_write write = {p->view_key, record_encode_view(&p->proposal.view, &p->arena),
                                   false};
    p->proposal.sending = true;
    p->proposal.change =
        (struct registry_change){.conditions = &condition,
                                 .condition_count = MUTANT(view_without_condition) ? 0 : 1,
                                 .writes = &write,
                                 .write_count = 1,
                                 .done = change_done,
                                 .ctx = p};
    p->registry->ops->change(p->registry, &p->proposal.change);
}

void view_propose(struct primary *p, const struct view *view)
{
    INVARIANT(view_sound(view) && view->number == p->view.number + 1);
    if (p->revision == 0) {
        if (now_ns(p) >= p->proposal.next_try)
            read_view(p);
        return;
    }
    if (p->proposal.sending || p->proposal.reading)
        return;
    p->proposal.active = true;
    p->proposal.unsure = false;
    p->proposal.view = *view;
    /* Whoever may be a member from now on has to have everything, and may wait out our lease only
     * from now on (L2). */
    uint64_t now = now_ns(p);
    for (uint32_t i = 0; i < view->count; i++) {
        struct peer *peer = view->members[i] == p->self ? NULL : peer_need(p, view->members[i]);
        if (peer && !peer->member && p->part == PART_PRIMARY && !MUTANT(join_before_has_all)) {
            peer->member = true;
            if (peer->lease < now)
                peer->lease = now;
        }
    }
    send_proposal(p);
}

void view_tick(struct primary *p)
{
    if (p->proposal.sending || p->proposal.reading || now_ns(p) < p->proposal.next_try)
        return;
    if (p->proposal.active)
        send_proposal(p); /* the same again: whichever wins, the revision moves on */
    else if (!p->view_read || (p->revision == 0 && p->view.number))
        read_view(p);
}

/* --- the candidate --- */

static void ask_flush(struct primary *p)
{
    struct message m = message_new(p, MESSAGE_FLUSH);
    m.last = store_last_stamp(p->store);
    for (uint32_t i = 0; i < p->view.count; i++) {
        uint32_t node = p->view.members[i];
        if (node != p->self && node != p->view.primary)
            send_message(p, node, &m);
    }
}

void candidate_begin(struct primary *p)
{
    MARK(candidate);
    p->part = PART_CANDIDATE;
    p->candidate_since = now_ns(p);
    p->next_heartbeat = 0;
    p->registry_fresh = false;
    for (uint32_t i = 0; i < p->peer_count; i++)
        p->peers[i].flushed = false;
    if (p->view.primary == p->self)
        tell(p, "this node was the primary: a new view is begun");
    else
        tell(p, "nothing is heard of node %u, the primary: another view is proposed",
             p->view.primary);
    candidate_tick(p);
}

/* The next view: this node, and those that gave what they have. */
static struct view next_view(const struct primary *p)
{
    struct view next = {
        .number = p->view.number + 1, .primary = p->self, .count = 1, .members = {p->self}};
    for (uint32_t i = 0; i < p->peer_count; i++)
        if (view_has(&p->view, p->peers[i].node) && p->peers[i].flushed && !MUTANT(candidate_alone))
            view_add(&next, p->peers[i].node);
    return next;
}

void candidate_tick(struct primary *p)
{
    uint64_t now = now_ns(p), waited = now - p->candidate_since;
    if (p->proposal.active)
        return;
    if (!p->whole || p->broken || p->stopping) {
        p->part = p->whole ? PART_BACKUP : PART_JOINING;
        return;
    }
    if (now >= p->next_heartbeat) {
        p->next_heartbeat = now + p->timing.heartbeat;
        ask_flush(p);
    }
    struct view next = next_view(p);
    uint32_t expected = p->view.count - (p->view.primary == p->self ? 0 : 1);
    bool all = next.count >= expected;
    if (!all && waited < p->timing.flush)
        return;
    /* With too few, the primary may yet be well and take this node out: it goes first. */
    if (next.count < p->contract.least && next.count < p->view.count &&
        waited < p->timing.flush + p->timing.suspect / 2)
        return;
    /* Whoever proposes and hears no more of it has to stand still until it does. So it looks first
     * whether the registry is in reach. */
    if (p->registry_fresh)
        view_propose(p, &next);
    else if (now >= p->proposal.next_try)
        read_view(p);
}

static void send_behind(struct primary *p, uint32_t to, struct stamp last, bool *whole)
{
    struct record *record;
    *whole = window_find(p, last, &record);
    /* A candidate that has more than this node is behind nothing. */
    if (!*whole && stamp_less(store_last_stamp(p->store), last))
        *whole = true;
    for (; record && !MUTANT(flush_gives_nothing); record = record->next)
        record_send(p, to, record);
}

void candidate_flush(struct primary *p, uint32_t from, const struct message *m)
{
    uint64_t now = now_ns(p);
    if (m->number != p->view.number || !view_has(&p->view, from) || !p->whole || p->copy.active)
        return;
    if (p->part == PART_CANDIDATE && from < p->self && !p->proposal.active) {
        MARK(candidate_yields);
        p->part = PART_BACKUP;
    } else if (p->part != PART_BACKUP) {
        return;
    } else if (!p->primary_resigned && now - p->heard < p->timing.suspect / 2 &&
               from != p->view.primary) {
        MARK(flush_refused); /* the primary is heard of from here */
        return;
    }
    p->frozen_until = now + p->timing.suspect;
    struct message answer = message_new(p, MESSAGE_FLUSHED);
    send_behind(p, from, m->last, &answer.whole);
    answer.last = store_last_stamp(p->store);
    send_message(p, from, &answer);
}

void candidate_flushed(struct primary *p, uint32_t from, const struct message *m)
{
    struct peer *peer = peer_find(p, from);
    if (p->part != PART_CANDIDATE || m->number != p->view.number || !peer)
        return;
    bool lacks = stamp_less(store_last_stamp(p->store), m->last);
    if (!m->whole || (lacks && !MUTANT(candidate_takes_less)))
        return; /* records were lost on the way: the next FLUSH asks again */
    peer->flushed = true;
    candidate_tick(p);
}

/* --- ends on purpose --- */

void resign(struct primary *p)
{
    struct message m = message_new(p, MESSAGE_RESIGN);
    for (uint32_t i = 0; i < p->peer_count; i++)
        send_message(p, p->peers[i].node, &m);
    if (p->part == PART_PRIMARY) {
        leave_part(p);
        reset_peers(p);
        p->part = PART_BACKUP;
    }
    p->resigned = true;
    p->heard = now_ns(p);
}

static void handed(struct primary *p, enum err err)
{
    void (*done)(void *ctx, enum err err) = p->handing.done;
    p->handing.active = p->handing.proposed = false;
    p->handing.done = NULL;
    if (done)
        done(p->handing.ctx, err);
}

/* Who has everything, `to` if it may be chosen. */
static uint32_t successor(const struct primary *p)
{
    for (uint32_t i = 0; i < p->peer_count; i++) {
        const struct peer *peer = &p->peers[i];
        if (view_has(&p->view, peer->node) && (!p->handing.to || p->handing.to == peer->node) &&
            stamp_equal(peer->durable, store_last_stamp(p->store)))
            return peer->node;
    }
    return 0;
}

void hand_over_tick(struct primary *p)
{
    if (!p->handing.active)
        return;
    if (p->part != PART_PRIMARY && p->view.primary != p->self) {
        struct message m = message_new(p, MESSAGE_TAKE_OVER);
        m.view = p->view;
        send_message(p, p->view.primary, &m);
        handed(p, OK);
        return;
    }
    if (now_ns(p) - p->handing.since > p->timing.failover && !p->proposal.active) {
        handed(p, ERR_TIMEOUT);
        return;
    }
    uint32_t to = p->part == PART_PRIMARY && p->settled ? successor(p) : 0;
    if (p->proposal.active || p->executing || p->waiting || !to)
        return;
    struct view next = p->view;
    next.number++;
    next.primary = to;
    p->handing.proposed = true; /* nothing is answered from now on: the lease is given up */
    view_propose(p, &next);
    if (!p->proposal.active)
        p->handing.proposed = false;
}
