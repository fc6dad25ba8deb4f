/* SPDX-License-Identifier: MIT
 *
 * look.c: what a replica manager says of itself, and its invariants.
 */
#include "core/replica/primary/private.h"

const char *primary_part_name(enum primary_part part)
{
    switch (part) {
    case PART_LOOKING:
        return "looking";
    case PART_JOINING:
        return "joining";
    case PART_BACKUP:
        return "backup";
    case PART_CANDIDATE:
        return "candidate";
    case PART_PRIMARY:
        return "primary";
    }
    return "unknown";
}

struct replica *primary_replica(struct primary *p)
{
    return p->replica;
}

static void peer_status(const struct primary *p, const struct peer *peer, struct primary_peer *out)
{
    uint64_t now = now_ns(p);
    *out = (struct primary_peer){.node = peer->node,
                                 .member = view_has(&p->view, peer->node),
                                 .joining = peer->joining,
                                 .heard_ns = peer->heard ? now - peer->heard : UINT64_MAX,
                                 .durable = peer->durable,
                                 .behind_bytes = peer->stream->unacked_bytes,
                                 .repaired_bytes = peer->repaired_bytes,
                                 .repaired_objects = peer->repaired_objects,
                                 .repair_ns = peer->joining ? now - peer->repair_began : 0,
                                 .repair_left_ns = UINT64_MAX};
}

void primary_status(const struct primary *p, struct primary_status *out)
{
    *out = p->status;
    out->part = p->part;
    out->view = p->view;
    out->serves = may_serve(p);
    out->writes = out->serves && p->view.count >= p->contract.least;
    out->committed = p->committed;
    out->last = store_last_stamp(p->store);
    out->sessions = p->session_count;
    for (const struct call *call = p->waiting; call; call = call->wait_next)
        out->waiting++;
    for (uint32_t i = 0; i < p->peer_count; i++)
        peer_status(p, &p->peers[i], &out->peers[out->peer_count++]);
}

void primary_check(const struct primary *p)
{
    uint32_t calls = 0;
    INVARIANT(p->view.number == 0 || view_sound(&p->view));
    INVARIANT(p->part != PART_PRIMARY || p->view.primary == p->self);
    INVARIANT(p->part != PART_PRIMARY || p->whole);
    INVARIANT(!p->copy.active || !p->whole);
    for (const struct call *call = p->calls; call; call = call->next)
        calls++;
    INVARIANT(calls == p->call_count && p->executing <= calls);
    for (const struct record *r = p->window.first; r; r = r->next)
        INVARIANT(r->next ? stamp_equal(r->stamp, r->next->before) : r == p->window.last);
    for (const struct call *call = p->waiting; call && call->wait_next; call = call->wait_next)
        INVARIANT(!stamp_less(call->wait_next->need, call->need));
    if (p->part == PART_PRIMARY)
        for (uint32_t i = 0; i < p->view.count; i++) {
            const struct peer *peer = peer_find((struct primary *)(uintptr_t)p, p->view.members[i]);
            INVARIANT(p->view.members[i] == p->self || (peer && peer->member));
        }
}
