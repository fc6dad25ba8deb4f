/* SPDX-License-Identifier: MIT
 *
 * session.c: who asks, and what each has been answered: so that a request that comes again takes
 * effect once (slots as in NFSv4.1, RFC 8881 section 2.10.6).
 *
 * Law
 *   I1  A session is an object (its id, SESSION_MARK); the reply to the last change in each of its
 *       slots is the object (id, slot), committed in one record with what the change did.
 *   I2  A request is carried out only if its slot's kept serial is smaller, and no other with that
 *       serial is under way in this reign. One whose change failed is not tried again in this
 *       reign.
 *   I3  A request names the view that its sender knew; only those of this reign are taken. So what
 *       was sent to an earlier primary and comes late does nothing.
 *   I4  A session that was not heard of for timing.session is closed: its objects go.
 */
#include <stdlib.h>
#include <string.h>

#include "core/replica/primary/private.h"

static int session_order(const struct session *a, const struct session *b)
{
    return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE(sessions, session, link, session_order)

struct object_key session_key(uint64_t id, uint64_t slot)
{
    if (MUTANT(slots_share_replies) && slot != SESSION_MARK)
        slot = 0;
    return (struct object_key){.kind = OBJECT_SESSION, .ino = id, .sub = slot};
}

struct session *session_find(struct primary *p, uint64_t id)
{
    struct session key = {.id = id};
    return RB_FIND(sessions, &p->sessions, &key);
}

static struct session *session_add(struct primary *p, uint64_t id)
{
    struct session *session = session_find(p, id);
    if (session)
        return session;
    session = calloc(1, sizeof *session);
    INVARIANT(session != NULL);
    session->id = id;
    session->heard = now_ns(p);
    RB_INSERT(sessions, &p->sessions, session);
    p->session_count++;
    return session;
}

static void session_drop(struct primary *p, struct session *session)
{
    for (uint32_t i = 0; i < session->slot_count; i++)
        if (session->slots[i].call)
            session->slots[i].call->dropped = true;
    RB_REMOVE(sessions, &p->sessions, session);
    p->session_count--;
    free(session->slots);
    free(session);
}

void session_forget_all(struct primary *p)
{
    struct session *session;
    while ((session = RB_MIN(sessions, &p->sessions)))
        session_drop(p, session);
}

static bool load_one(void *ctx, const struct object_key *key, const struct object_version *version)
{
    (void)version;
    if (key->kind != OBJECT_SESSION)
        return false;
    session_add(ctx, key->ino);
    return true;
}

void session_load_all(struct primary *p)
{
    struct store_walk walk = {
        .from = session_key(0, 0), .at = STAMP_MAX, .most = UINT32_MAX, .more = true};
    session_forget_all(p);
    if (MUTANT(sessions_forgotten))
        return;
    enum err err = store_walk(p->store, &walk, load_one, p);
    if (err != OK)
        broke(p, err);
}

struct slot *session_slot(struct session *session, uint32_t slot)
{
    if (slot >= SLOTS_MAX)
        return NULL;
    if (slot >= session->slot_count) {
        uint32_t count = session->slot_count ? session->slot_count : 4;
        while (count <= slot)
            count *= 2;
        session->slots = realloc(session->slots, sizeof *session->slots * count);
        INVARIANT(session->slots != NULL);
        memset(session->slots + session->slot_count, 0,
               sizeof *session->slots * (count - session->slot_count));
        session->slot_count = count;
    }
    return &session->slots[slot];
}

/* --- opening and closing: records of their own --- */

static void answer_open(struct call *call)
{
    struct primary *p = call->primary;
    struct message answer = message_new(p, MESSAGE_OPENED);
    answer.session = call->session;
    answer.serial = call->serial;
    answer.view = p->view;
    send_message(p, call->from, &answer);
}

static enum err commit_own(struct primary *p, const struct write *writes, size_t count)
{
    struct write_set set = {(struct write *)(uintptr_t)writes, count};
    return replica_commit(p->replica, &set);
}

void session_open(struct primary *p, uint32_t from, const struct message *m)
{
    if (!may_serve(p) || p->view.count < p->contract.least || p->handing.active || p->stopping) {
        serve_moved(p, from, m);
        return;
    }
    struct message refused = message_new(p, MESSAGE_OPENED);
    refused.serial = m->serial;
    refused.err = p->session_count >= SESSIONS_MAX ? ERR_LIMIT : ERR_AGAIN; /* it asks again */
    if (p->session_count >= SESSIONS_MAX || !store_has_room(p->store)) {
        send_message(p, from, &refused);
        return;
    }
    uint64_t id = 0;
    while (id == 0 || session_find(p, id))
        id = p->env->ops->random(p->env) >> 1;
    static const uint8_t mark[1] = {1};
    struct write write = {
        .action = WRITE_PUT, .key = session_key(id, SESSION_MARK), .value = {mark, 1}};
    refused.err = commit_own(p, &write, 1);
    if (refused.err) {
        send_message(p, from, &refused);
        return;
    }
    struct session *session = session_add(p, id);
    session->from = from;
    struct call *call = call_take(p);
    call->session = id;
    call->serial = m->serial;
    call->from = from;
    call->change = true;
    call->finished = answer_open;
    call_wait(call, store_last_stamp(p->store));
}

struct doomed {
    struct write writes[256];
    uint32_t count;
};

static bool doom(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct doomed *doomed = ctx;
    (void)version;
    doomed->writes[doomed->count++] = (struct write){.action = WRITE_DELETE, .key = *key};
    return doomed->count < sizeof doomed->writes / sizeof *doomed->writes;
}

void session_end(struct primary *p, uint64_t id)
{
    struct session *session = session_find(p, id);
    struct doomed doomed = {.count = 0};
    if (!session || !may_serve(p))
        return;
    enum err err =
        store_scan(p->store, OBJECT_SESSION, id, 0, UINT64_MAX, STAMP_MAX, doom, &doomed);
    if (err == OK && doomed.count)
        err = commit_own(p, doomed.writes, doomed.count);
    if (err != OK || doomed.count == sizeof doomed.writes / sizeof *doomed.writes)
        return; /* another time */
    session_drop(p, session);
    sync_kick(p);
    stream_pump_all(p);
}

void session_renew(struct primary *p, uint32_t from, const struct message *m)
{
    if (!may_serve(p)) {
        serve_moved(p, from, m);
        return;
    }
    struct session *session = session_find(p, m->session);
    struct message answer = message_new(p, MESSAGE_RENEWED);
    answer.session = m->session;
    answer.serial = m->serial;
    answer.view = p->view;
    answer.err = session ? OK : ERR_SESSION;
    if (session) {
        session->heard = now_ns(p);
        session->from = from;
    }
    send_message(p, from, &answer);
}

void sessions_tick(struct primary *p)
{
    struct session *session, *next;
    uint64_t now = now_ns(p);
    if (!may_serve(p) || p->view.count < p->contract.least)
        return;
    for (session = RB_MIN(sessions, &p->sessions); session; session = next) {
        next = RB_NEXT(sessions, &p->sessions, session);
        if (now - session->heard > p->timing.session) {
            MARK(session_expired);
            session_end(p, session->id);
            return; /* one a tick: it is a commit */
        }
    }
}
