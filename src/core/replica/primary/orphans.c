/* SPDX-License-Identifier: MIT
 *
 * orphans.c: inodes without a name are reclaimed when nobody has them open any more.
 *
 * In rounds: those that are there are noted; after timing.failover, when every answer that named
 * one has arrived, all sessions are asked which of them their kernels know; those that nobody knows
 * are reclaimed. A session that does not answer holds everything, until it expires.
 */
#include <stdlib.h>

#include "core/replica/primary/private.h"

void orphans_reset(struct primary *p)
{
    struct orphans *o = &p->orphans;
    free(o->inos);
    *o = (struct orphans){.step = ORPHANS_REST, .round = o->round};
}

static bool note(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct orphans *o = ctx;
    (void)version;
    o->inos[o->count++] = key->sub;
    return o->count < WIRE_ENTRIES_MAX;
}

static void look(struct primary *p, uint64_t now)
{
    struct orphans *o = &p->orphans;
    if (now - o->since < p->timing.failover)
        return;
    o->since = now;
    o->count = o->next = 0;
    if (!o->inos)
        o->inos = calloc(WIRE_ENTRIES_MAX, sizeof *o->inos);
    INVARIANT(o->inos != NULL);
    if (store_scan(p->store, OBJECT_ORPHAN, 0, 0, UINT64_MAX, STAMP_MAX, note, o) == OK && o->count)
        o->step = ORPHANS_SEEN;
}

static void ask(struct primary *p, uint64_t now)
{
    struct orphans *o = &p->orphans;
    struct session *session;
    if (now - o->since < p->timing.failover && !MUTANT(orphan_reclaimed_at_once))
        return;
    o->since = now;
    o->round++;
    o->step = ORPHANS_ASKED;
    RB_FOREACH(session, sessions, &p->sessions)
    {
        struct message m = message_new(p, MESSAGE_HOLDS);
        m.session = session->id;
        m.serial = o->round;
        m.inos = o->inos;
        m.ino_count = o->count;
        session->held = MUTANT(orphan_holders_not_asked);
        if (session->from)
            send_message(p, session->from, &m);
    }
}

void orphans_held(struct primary *p, uint32_t from, const struct message *m)
{
    struct orphans *o = &p->orphans;
    struct session *session = session_find(p, m->session);
    if (p->part != PART_PRIMARY || !session || o->step != ORPHANS_ASKED || m->serial != o->round)
        return;
    session->from = from;
    session->heard = now_ns(p);
    session->held = true;
    for (uint32_t i = 0; i < m->ino_count; i++)
        for (uint32_t k = 0; k < o->count; k++)
            if (o->inos[k] == m->inos[i])
                o->inos[k] = 0;
}

static bool all_answered(struct primary *p)
{
    struct session *session;
    RB_FOREACH(session, sessions, &p->sessions)
    if (!session->held)
        return false;
    return true;
}

static void reclaimed(struct call *call)
{
    (void)call; /* nobody waits for it */
}

static void reclaim(struct primary *p)
{
    struct orphans *o = &p->orphans;
    uint32_t started = 0;
    while (o->next < o->count && started < 64 && p->call_count < CALLS_MAX / 2 &&
           store_has_room(p->store)) {
        uint64_t ino = o->inos[o->next++];
        if (!ino)
            continue;
        struct call *call = call_take(p);
        call->request.op.code = FS_RECLAIM;
        call->request.op.ino = ino;
        call->request.op.cred.checked = true;
        call->finished = reclaimed;
        call->dropped = true;
        call_execute(call);
        started++;
    }
    if (o->next == o->count)
        o->step = ORPHANS_REST;
}

void orphans_tick(struct primary *p)
{
    struct orphans *o = &p->orphans;
    uint64_t now = now_ns(p);
    if (!may_serve(p) || p->view.count < p->contract.least || p->handing.active)
        return;
    switch (o->step) {
    case ORPHANS_REST:
        look(p, now);
        break;
    case ORPHANS_SEEN:
        ask(p, now);
        break;
    case ORPHANS_ASKED:
        if (all_answered(p))
            o->step = ORPHANS_RECLAIM;
        else if (now - o->since > p->timing.failover)
            o->step = ORPHANS_REST;
        break;
    case ORPHANS_RECLAIM:
        reclaim(p);
        break;
    }
}
