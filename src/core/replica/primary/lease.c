/* SPDX-License-Identifier: MIT
 *
 * lease.c: heartbeats, the primary's lease, and whom the primary suspects (Lin et al. 2008, section
 * 3.2; Gray and Cheriton 1989).
 */
#include "core/replica/primary/private.h"

bool lease_held(const struct primary *p)
{
    uint64_t now = now_ns(p);
    if (MUTANT(primary_serves_without_lease))
        return true;
    for (uint32_t i = 0; i < p->peer_count; i++) {
        const struct peer *peer = &p->peers[i];
        if (peer->member && (peer->lease == 0 || now >= peer->lease + p->timing.lease))
            return false;
    }
    return true;
}

bool may_serve(const struct primary *p)
{
    return p->part == PART_PRIMARY && p->settled && !p->handing.proposed && !p->broken &&
           lease_held(p);
}

void lease_heartbeat(struct primary *p)
{
    uint64_t now = now_ns(p);
    struct message m = message_new(p, MESSAGE_HEARTBEAT);
    m.serial = now;
    m.view = p->view;
    m.stamp = p->committed;
    m.last = store_last_stamp(p->store);
    for (uint32_t i = 0; i < p->peer_count; i++)
        send_message(p, p->peers[i].node, &m);
    p->next_heartbeat = now + p->timing.heartbeat;
}

void lease_heard(struct primary *p, uint32_t from, const struct message *m)
{
    struct peer *peer = peer_find(p, from);
    if (p->part != PART_PRIMARY || !peer || m->number != p->view.number)
        return;
    uint64_t now = now_ns(p);
    peer->heard = now;
    peer->lost = 0;
    if (m->serial > peer->lease && m->serial >= p->reign_began && m->serial <= now)
        peer->lease = m->serial;
    stream_told(p, peer, m);
    serve_release(p);
}

/* The time since the oldest record that is not durable there was committed here. */
static uint64_t lag(const struct record *unacked, uint64_t now)
{
    return unacked && now > unacked->at ? now - unacked->at : 0;
}

static bool suspected(const struct primary *p, const struct peer *peer, uint64_t now,
                      bool slow_here)
{
    uint64_t since = peer->heard > p->reign_began ? peer->heard : p->reign_began;
    if (peer->resigned || now - since > p->timing.suspect)
        return true;
    if (peer->lost && now - peer->lost > 2 * p->timing.heartbeat) {
        MARK(suspect_lost);
        return true;
    }
    /* A slow disk is a dead one, unless all are slow: then it is the load. */
    if (!slow_here && peer->stream->mode == STREAM_WINDOW &&
        lag(peer->stream->unacked, now) > p->timing.suspect) {
        MARK(suspect_slow);
        return true;
    }
    return false;
}

/* The primary whose own disk stands still, while others have what it has not, gives up. */
static bool stands_still(const struct primary *p, uint64_t now)
{
    if (lag(p->own_unacked, now) <= p->timing.suspect)
        return false;
    for (uint32_t i = 0; i < p->peer_count; i++)
        if (p->peers[i].member && stamp_less(p->durable, p->peers[i].durable) &&
            now - p->peers[i].heard < p->timing.suspect)
            return true;
    return false;
}

static void take_out(struct primary *p, uint64_t now)
{
    struct view next = p->view;
    uint64_t longest = 0;
    bool slow_here = lag(p->own_unacked, now) > p->timing.suspect;
    for (uint32_t i = 0; i < p->peer_count; i++) {
        const struct peer *peer = &p->peers[i];
        uint64_t since = peer->heard > p->reign_began ? peer->heard : p->reign_began;
        if (!view_has(&p->view, peer->node) || !suspected(p, peer, now, slow_here))
            continue;
        view_remove(&next, peer->node);
        if (peer->resigned)
            longest = UINT64_MAX; /* there is nothing that it could do better */
        else if (now - since > longest)
            longest = now - since;
    }
    for (uint32_t i = 0; i < p->view.count; i++)
        if (p->view.members[i] != p->self && !is_assigned(p, p->view.members[i]) &&
            next.count > p->contract.least)
            view_remove(&next, p->view.members[i]);
    if (next.count == p->view.count)
        return;
    /* With too few left, those that are cut off from here may do better among themselves: they go
     * first. */
    if (next.count < p->contract.least && longest < p->timing.suspect * 3 / 2)
        return;
    next.number++;
    view_propose(p, &next);
}

/* One that joins and has everything becomes a member: durably, what is committed already. */
static void take_in(struct primary *p, uint64_t now)
{
    for (uint32_t i = 0; i < p->peer_count; i++) {
        struct peer *peer = &p->peers[i];
        if (peer->member || !peer->joining || peer->stream->mode != STREAM_WINDOW ||
            p->view.count == GROUP_MAX || !is_assigned(p, peer->node) ||
            now - peer->heard > p->timing.heartbeat * 2 ||
            (stamp_less(peer->durable, p->committed) && !MUTANT(join_before_durable)) ||
            (lag(peer->stream->unacked, now) > p->timing.heartbeat && !MUTANT(join_too_early)))
            continue;
        struct view next = p->view;
        next.number++;
        view_add(&next, peer->node);
        tell(p, "node %u has caught up and joins", peer->node);
        view_propose(p, &next);
        return;
    }
}

void lease_tick(struct primary *p)
{
    uint64_t now = now_ns(p);
    if (now >= p->next_heartbeat && !p->broken)
        lease_heartbeat(p);
    if (stands_still(p, now) || p->broken) {
        MARK(primary_stands_still);
        tell(p, "the disk here has not answered in time: another node shall be the primary");
        resign(p);
        return;
    }
    if (!p->proposal.active && !p->handing.active) {
        take_out(p, now);
        if (!p->proposal.active && p->settled)
            take_in(p, now);
    }
    for (uint32_t i = 0; i < p->peer_count; i++)
        donor_tick(p, &p->peers[i]);
}
