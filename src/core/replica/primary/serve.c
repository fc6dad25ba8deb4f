/* SPDX-License-Identifier: MIT
 *
 * serve.c: a client's request in the five phases.
 *
 * Law
 *   V1  Only the primary executes changes, in a reign that is settled (L4), with its lease; any
 *       copy may execute reads under `read = one`.
 *   V2  An answer leaves when everything that it rests on is durable at every member, and, for a
 *       change, `least` of them are there; the primary's also only while it has its lease.
 *   V3  A call that is dropped gives no answer.
 */
#include <stdlib.h>
#include <string.h>

#include "core/replica/primary/private.h"

/* --- response: when what it rests on cannot be lost any more --- */

void serve_moved(struct primary *p, uint32_t to, const struct message *about)
{
    struct message m = message_new(p, MESSAGE_MOVED);
    m.view = p->view;
    m.session = about->session;
    m.slot = about->slot;
    m.serial = about->serial;
    send_message(p, to, &m);
}

static void call_moved(struct call *call)
{
    struct message about = {.session = call->session, .slot = call->slot, .serial = call->serial};
    serve_moved(call->primary, call->from, &about);
}

static void response(struct call *call)
{
    struct primary *p = call->primary;
    struct request *request = &call->request;
    struct message m = message_new(p, MESSAGE_REPLY);
    struct env_iov payload = {0};
    m.session = call->session;
    m.slot = call->slot;
    m.serial = call->serial;
    m.err = request->err;
    m.stamp = call->need;
    m.result = request->result;
    if (m.err == OK && request->op.code == FS_READ && request->into)
        payload = (struct env_iov){request->into, request->result.length};
    arena_reset(&p->arena);
    wire_send(p->net, call->from, &m, &payload, payload.len ? 1 : 0, &p->arena);
}

static bool may_answer(const struct call *call)
{
    const struct primary *p = call->primary;
    if (stamp_less(p->committed, call->need) && !MUTANT(answer_before_committed))
        return false;
    if (call->near)
        return true;
    if (call->change && p->view.count < p->contract.least)
        return false;
    return may_serve(p);
}

static void call_answer(struct call *call)
{
    if (!call->dropped) {
        if (call->finished)
            call->finished(call);
        else
            response(call);
    }
    call_free(call);
}

void serve_release(struct primary *p)
{
    struct call *call = p->waiting;
    while (call && !stamp_less(p->committed, call->need)) {
        struct call *next = call->wait_next;
        if (call->dropped || may_answer(call))
            call_answer(call);
        call = next;
    }
    if (MUTANT(answer_before_committed))
        while (p->waiting && may_answer(p->waiting))
            call_answer(p->waiting);
}

void call_wait(struct call *call, struct stamp need)
{
    struct primary *p = call->primary;
    struct call *before = p->waiting_last;
    call->need = need;
    while (before && stamp_less(need, before->need))
        before = before->wait_prev;
    call->wait_prev = before;
    call->wait_next = before ? before->wait_next : p->waiting;
    if (call->wait_next)
        call->wait_next->wait_prev = call;
    else
        p->waiting_last = call;
    if (before)
        before->wait_next = call;
    else
        p->waiting = call;
    call->waiting = true;
    sync_kick(p);
    stream_pump_all(p);
    serve_release(p);
}

void serve_drop_all(struct primary *p)
{
    struct call *call = p->calls;
    while (call) {
        struct call *next = call->next;
        if (!call->finished && !call->dropped)
            call_moved(call);
        call->dropped = true;
        if (call->waiting || call->held)
            call_free(call);
        call = next;
    }
    struct session *session;
    struct message nothing = {0};
    RB_FOREACH(session, sessions, &p->sessions)
    if (session->from)
        serve_moved(p, session->from, &nothing);
}

/* --- request: what may be asked, and whether it was asked before --- */

static bool only_reads(const struct fs_op *op)
{
    switch (op->code) {
    case FS_LOOKUP:
    case FS_GETATTR:
    case FS_ACCESS:
    case FS_READLINK:
    case FS_READ:
    case FS_SEEK:
    case FS_READDIR:
    case FS_GETXATTR:
    case FS_LISTXATTR:
        return true;
    case FS_OPEN:
        return (op->flags & FS_OPEN_TRUNCATE) == 0;
    default:
        return false;
    }
}

static bool makes_inode(enum fs_code code)
{
    return code == FS_MKNOD || code == FS_MKDIR || code == FS_SYMLINK || code == FS_TMPFILE;
}

/* The reads that note when they happened do not, where a note would be a change. */
static void forget_atime(struct fs_op *op)
{
    if (op->code == FS_READ || op->code == FS_READLINK)
        op->flags &= ~(uint32_t)FS_READ_ATIME;
    if (op->code == FS_READDIR)
        op->flags &= ~(uint32_t)FS_READDIR_ATIME;
}

static void reply_err(struct primary *p, uint32_t to, const struct message *m, enum err err)
{
    struct message answer = message_new(p, MESSAGE_REPLY);
    answer.session = m->session;
    answer.slot = m->slot;
    answer.serial = m->serial;
    answer.err = err;
    send_message(p, to, &answer);
}

enum before { BEFORE_NEVER, BEFORE_DONE, BEFORE_UNDER_WAY };

/* Was this request carried out before (I2)? When it was, it is answered as it was then. */
static enum before asked_before(struct primary *p, struct session *session, uint32_t from,
                                const struct message *m)
{
    struct slot *slot = session_slot(session, m->slot);
    struct object_version kept;
    if (slot->call) {
        if (slot->call->serial == m->serial)
            slot->call->from = from;
        return BEFORE_UNDER_WAY;
    }
    if (m->serial < slot->serial && !MUTANT(old_request_taken))
        return BEFORE_UNDER_WAY;
    if (slot->failed == m->serial && !MUTANT(failed_request_again)) {
        MARK(failure_repeated);
        reply_err(p, from, m, slot->failed_err);
        return BEFORE_DONE;
    }
    if (store_get(p->store, session_key(m->session, m->slot), STAMP_MAX, &kept) != OK)
        return BEFORE_UNDER_WAY;
    if (!kept.present || MUTANT(reply_not_looked_up))
        return BEFORE_NEVER;
    struct call *call = call_take(p);
    uint64_t serial = 0;
    struct stamp stamp = kept.stamp;
    if (wire_kept_reply(kept.value, &call->reply, &serial, &call->request.err,
                        &call->request.result) != OK ||
        serial < m->serial) {
        call_free(call);
        return BEFORE_NEVER;
    }
    if (serial > m->serial) {
        call_free(call);
        return BEFORE_UNDER_WAY; /* of long ago: nobody waits for it */
    }
    MARK(reply_repeated);
    p->status.repeated++;
    slot->serial = m->serial;
    call->session = m->session;
    call->serial = m->serial;
    call->slot = m->slot;
    call->from = from;
    call->change = true;
    call_wait(call, stamp);
    return BEFORE_DONE;
}

/* --- coordination: the operation becomes ours --- */

struct payload {
    struct shared shared;
    uint8_t data[];
};

static void payload_release(struct shared *shared)
{
    free(shared);
}

static struct bytes keep(uint8_t **at, struct bytes bytes)
{
    struct bytes kept = {*at, bytes.len};
    if (bytes.len)
        memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return kept;
}

/* The message's memory goes when deliver returns. */
static void take_over(struct call *call, const struct fs_op *from)
{
    struct fs_op *op = &call->request.op;
    bool big = from->code == FS_WRITE;
    size_t groups = sizeof *from->cred.groups * from->cred.group_count;
    size_t need = groups + from->name.len + from->name2.len + (big ? 0 : from->value.len);
    if (need > call->bytes_room) {
        call->bytes = realloc(call->bytes, need);
        INVARIANT(call->bytes != NULL);
        call->bytes_room = need;
    }
    uint8_t *at = call->bytes;
    *op = *from;
    op->cred.groups = (const uint32_t *)(const void *)keep(
                          &at, (struct bytes){(const uint8_t *)from->cred.groups, groups})
                          .data;
    op->name = keep(&at, from->name);
    op->name2 = keep(&at, from->name2);
    op->owner = NULL;
    if (!big) {
        op->value = keep(&at, from->value);
        return;
    }
    struct payload *payload = malloc(sizeof *payload + from->value.len);
    INVARIANT(payload != NULL);
    payload->shared = (struct shared){1, payload_release};
    if (from->value.len)
        memcpy(payload->data, from->value.data, from->value.len);
    op->value = (struct bytes){payload->data, from->value.len};
    op->owner = call->payload = &payload->shared;
}

static void make_room(struct call *call)
{
    struct fs_op *op = &call->request.op;
    if (op->code != FS_READ)
        return;
    if (op->length > FS_IO_MAX)
        op->length = FS_IO_MAX;
    if (op->length > call->into_room) {
        free(call->into);
        call->into = malloc(op->length);
        INVARIANT(call->into != NULL);
        call->into_room = op->length;
    }
    call->request.into = call->into;
}

/* --- execution and agreement: local.c runs it; what it commits is sent by stream.c --- */

/* Before each commit: is it still ours to make, and what is kept of the answer (I1). */
static enum err record(struct request *request)
{
    struct call *call = request->ctx;
    struct primary *p = call->primary;
    if (call->near || p->part != PART_PRIMARY || p->handing.proposed ||
        (call->reign != p->reign && !MUTANT(commit_of_old_reign)))
        return ERR_MOVED;
    if (call->finished || only_reads(&request->op) || request->result.again)
        return OK;
    if (!session_find(p, call->session))
        return ERR_SESSION;
    if (MUTANT(reply_not_kept))
        return OK;
    arena_reset(&p->replies);
    ws_put(&request->ws, session_key(call->session, call->slot),
           wire_keep_reply(call->serial, OK, &request->result, &p->replies));
    return OK;
}

/* What the disk here does not give, another replica has. */
static bool cannot_read(const struct call *call)
{
    enum err err = call->request.err;
    if ((err != ERR_IO && err != ERR_CORRUPT) || call->finished || call->dropped ||
        call->primary->view.count == 1)
        return false;
    MARK(replica_cannot_read);
    tell(call->primary, "something cannot be read here: another replica shall answer");
    return true;
}

static void executed(struct call *call)
{
    struct primary *p = call->primary;
    enum err err = call->request.err;
    INVARIANT(p->executing > 0);
    p->executing--;
    bool near = call->near;
    bool ours = near || (call->reign == p->reign && p->part == PART_PRIMARY);
    if (!ours || err == ERR_MOVED) {
        if (!call->dropped && !call->finished)
            call_moved(call);
        call_free(call);
        return;
    }
    if (err == ERR_FAILED)
        broke(p, err);
    if (cannot_read(call)) {
        call_moved(call);
        call_free(call);
        if (!near)
            resign(p);
        return;
    }
    struct session *session = call->finished ? NULL : session_find(p, call->session);
    if (session && err != OK && call->change) {
        struct slot *slot = session_slot(session, call->slot);
        slot->failed = call->serial;
        slot->failed_err = err;
    }
    struct stamp need = call->request.seen;
    if (call->near && stamp_less(need, call->need))
        need = call->need;
    if (MUTANT(read_not_waiting) && !call->change)
        need = STAMP_ZERO;
    call_wait(call, need);
}

static void execution_done(struct request *request)
{
    executed((struct call *)(void *)request);
}

void call_execute(struct call *call)
{
    struct primary *p = call->primary;
    struct request *request = &call->request;
    request->record = record;
    request->track = true;
    request->keeps = call->change && !call->finished;
    request->done = execution_done;
    request->ctx = call;
    p->executing++;
    if (replica_execute(p->replica, request))
        executed(call);
}

/* --- back-pressure: a change waits until the log and the slowest member have room --- */

static bool has_room(const struct primary *p)
{
    return store_has_room(p->store) && stream_has_room(p);
}

static void room(void *ctx)
{
    struct primary *p = ctx;
    p->room_asked = false;
    serve_go_on(p);
}

static void ask_room(struct primary *p)
{
    if (p->room_asked || store_has_room(p->store))
        return;
    p->room_asked = true;
    store_on_room(p->store, room, p);
}

static void hold(struct call *call)
{
    struct primary *p = call->primary;
    MARK(change_held);
    call->held = true;
    call->wait_next = NULL;
    if (p->held)
        p->held_last->wait_next = call;
    else
        p->held = call;
    p->held_last = call;
    ask_room(p);
}

void serve_go_on(struct primary *p)
{
    while (p->held && has_room(p)) {
        struct call *call = p->held;
        held_remove(call);
        call_execute(call);
    }
    if (p->held)
        ask_room(p);
}

static void serve_near(struct primary *p, uint32_t from, const struct message *m)
{
    struct call *call = call_take(p);
    call->near = true;
    call->need = m->last;
    call->session = m->session;
    call->serial = m->serial;
    call->slot = m->slot;
    call->from = from;
    take_over(call, &m->op);
    forget_atime(&call->request.op);
    make_room(call);
    /* What the client has seen before has to be here, too. */
    if (stamp_less(store_last_stamp(p->store), m->last)) {
        MARK(near_behind);
        call_moved(call);
        call_free(call);
        return;
    }
    call_execute(call);
}

void serve_request(struct primary *p, uint32_t from, const struct message *m)
{
    bool change = !only_reads(&m->op);
    p->status.requests++;
    if (p->call_count >= CALLS_MAX || p->stopping)
        return; /* it comes again */
    if (m->op.code == FS_FORMAT || m->op.code == FS_RECLAIM) {
        p->status.refused++;
        reply_err(p, from, m, ERR_PERM);
        return;
    }
    if (p->part == PART_BACKUP && p->contract.read == READ_ONE && !change &&
        now_ns(p) >= p->frozen_until) {
        serve_near(p, from, m);
        return;
    }
    bool stale =
        m->number > p->view.number || (m->number < p->reign_from && !MUTANT(request_of_old_view));
    if (!may_serve(p) || stale || (change && p->view.count < p->contract.least)) {
        serve_moved(p, from, m);
        return;
    }
    if (p->handing.active)
        return;
    struct session *session = session_find(p, m->session);
    if (!session || m->slot >= SLOTS_MAX) {
        p->status.refused++;
        reply_err(p, from, m, ERR_SESSION);
        return;
    }
    session->from = from;
    session->heard = now_ns(p);
    if (asked_before(p, session, from, m) != BEFORE_NEVER)
        return;

    struct slot *slot = session_slot(session, m->slot);
    struct call *call = call_take(p);
    call->session = m->session;
    call->serial = m->serial;
    call->slot = m->slot;
    call->from = from;
    call->change = change;
    slot->serial = m->serial;
    slot->call = call;
    take_over(call, &m->op);
    if (p->view.count < p->contract.least)
        forget_atime(&call->request.op);
    make_room(call);
    if (makes_inode(m->op.code))
        call->request.op.new_ino = replica_new_ino(p->replica);
    if (change && (p->held || !has_room(p)))
        hold(call);
    else
        call_execute(call);
}
