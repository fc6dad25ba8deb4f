/* SPDX-License-Identifier: MIT
 *
 * follow.c: a backup, and one that joins: takes records in their order, says what it has.
 *
 * Law
 *   F1  A record is taken only behind the one that it follows, from the primary of the view that
 *       this node knows, and not while frozen (L5).
 *   F2  `stamp` in ACK and HEARD is durable here.
 */
#include "core/replica/primary/private.h"

static struct stamp durable_stamp(const struct primary *p)
{
    return MUTANT(ack_before_durable) ? store_last_stamp(p->store) : p->durable;
}

static bool frozen(const struct primary *p)
{
    return p->part == PART_CANDIDATE || now_ns(p) < p->frozen_until;
}

void follow_ack(struct primary *p)
{
    if (p->part != PART_BACKUP && p->part != PART_JOINING)
        return;
    if (p->view.primary == p->self || frozen(p) || p->copy.active || !p->whole)
        return;
    struct message m = message_new(p, MESSAGE_ACK);
    m.stamp = durable_stamp(p);
    m.last = store_last_stamp(p->store);
    send_message(p, p->view.primary, &m);
}

static void tell_newer(struct primary *p, uint32_t to)
{
    struct message m = message_new(p, MESSAGE_MOVED);
    m.view = p->view;
    send_message(p, to, &m);
}

void follow_heartbeat(struct primary *p, uint32_t from, const struct message *m)
{
    if (!view_sound(&m->view) || m->view.primary != from)
        return;
    if (m->view.number < p->view.number) {
        MARK(heartbeat_of_old_view);
        tell_newer(p, from);
        return;
    }
    view_learn(p, &m->view, 0);
    if (m->view.number != p->view.number || p->part == PART_PRIMARY || p->part == PART_LOOKING)
        return;
    if (p->part == PART_CANDIDATE) {
        /* It lives. Unless the registry may have taken our proposal, we follow again. */
        if (p->proposal.active)
            return;
        MARK(candidate_gave_up);
        p->part = PART_BACKUP;
    } else if (now_ns(p) < p->frozen_until) {
        return;
    }
    p->heard = now_ns(p);
    if (stamp_less(p->committed, m->stamp))
        p->committed = m->stamp;
    serve_release(p);
    if (p->resigned || p->broken || p->stopping)
        return;
    struct message answer = message_new(p, MESSAGE_HEARD);
    answer.serial = m->serial;
    answer.stamp = p->whole && !p->copy.active ? durable_stamp(p) : STAMP_ZERO;
    answer.last = p->whole && !p->copy.active ? store_last_stamp(p->store) : STAMP_ZERO;
    send_message(p, from, &answer);
}

/* From whom records are taken now. */
static bool takes_from(const struct primary *p, uint32_t from, const struct message *m)
{
    if (m->number != p->view.number || !p->whole || p->copy.active || p->broken)
        return false;
    if (p->part == PART_CANDIDATE) /* the flush */
        return view_has(&p->view, from) && from != p->view.primary && !p->proposal.active;
    if (p->part != PART_BACKUP && p->part != PART_JOINING)
        return false;
    return from == p->view.primary && !frozen(p);
}

void follow_record(struct primary *p, uint32_t from, const struct message *m)
{
    struct stamp last = store_last_stamp(p->store);
    if (!takes_from(p, from, m))
        return;
    if (from == p->view.primary) {
        p->heard = now_ns(p);
        if (stamp_less(p->committed, m->last))
            p->committed = m->last;
    }
    if (!stamp_equal(m->before, last) && !MUTANT(record_over_gap)) {
        uint64_t now = now_ns(p);
        MARK(record_gap);
        if (now - p->gap_told > p->timing.heartbeat / 8) {
            p->gap_told = now;
            follow_ack(p);
        }
        return;
    }
    struct store_shipped shipped = {.head = m->head, .payload = m->payload};
    enum err err = store_commit_record(p->store, &shipped);
    if (err == ERR_FAILED || err == ERR_IO)
        broke(p, err);
    if (err != OK) {
        p->status.ignored++;
        return;
    }
    p->status.records_received++;
    sync_kick(p);
    serve_release(p);
}

static void ask_to_join(struct primary *p, uint64_t now)
{
    if (now < p->next_join || p->view.primary == p->self || p->view.number == 0 || p->broken ||
        p->stopping)
        return;
    struct message m = message_new(p, MESSAGE_JOIN);
    p->next_join = now + p->timing.retry;
    m.last = store_last_stamp(p->store);
    m.stamp = p->durable;
    m.whole = p->whole && !p->copy.active;
    send_message(p, p->view.primary, &m);
}

/* Of those that may follow the primary, who comes how soon? */
static uint64_t rank(const struct primary *p)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < p->view.count; i++)
        if (p->view.members[i] < p->self && p->view.members[i] != p->view.primary)
            before++;
    return before;
}

static bool suspects(const struct primary *p, uint64_t now)
{
    uint64_t turn = rank(p) * p->timing.heartbeat / 2;
    if (p->broken || p->resigned || p->stopping || !p->whole)
        return false;
    if (p->primary_resigned)
        return now - p->heard > turn;
    return now - p->heard >
           (MUTANT(takeover_within_lease) ? p->timing.lease / 4 : p->timing.suspect + turn);
}

void follow_tick(struct primary *p)
{
    uint64_t now = now_ns(p);
    if (p->part == PART_JOINING) {
        ask_to_join(p, now);
        copy_tick(p);
        return;
    }
    if (p->resigned && now - p->heard > 2 * p->timing.suspect && !p->broken && !p->stopping)
        p->resigned = false; /* nobody took over: better slow than not at all */
    if (p->part == PART_BACKUP && now >= p->frozen_until && suspects(p, now))
        candidate_begin(p);
}
