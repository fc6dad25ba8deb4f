/* SPDX-License-Identifier: MIT
 *
 * locate.c: which view it is, who is its primary, and whether that one serves.
 */
#include <string.h>

#include "core/agent/remote_private.h"

/* After so many times timing.failover without a word, questions become rarer by this factor. */
#define LONG_SILENCE 10u
#define RARER        8u

/* --- asking around --- */

/* Those that may have a replica, and those that the view names. */
static uint32_t everybody(const struct remote *remote, uint32_t nodes[NODES_MAX])
{
    uint32_t count = remote->node_count;
    memcpy(nodes, remote->nodes, sizeof *nodes * count);
    for (uint32_t i = 0; i < remote->view.count; i++) {
        bool there = false;
        for (uint32_t j = 0; j < count; j++)
            there = there || nodes[j] == remote->view.members[i];
        if (!there)
            nodes[count++] = remote->view.members[i];
    }
    return count;
}

static uint64_t silence(const struct remote *remote, uint64_t now)
{
    return remote->busy ? remote_silence(remote, now) : now - remote->heard_ns;
}

void locate_ask(struct remote *remote, uint64_t now)
{
    uint32_t nodes[NODES_MAX];
    if (now < remote->where_ns)
        return;
    uint64_t pause = remote->timing.retry / 2;
    if (remote->heard_ns && silence(remote, now) > LONG_SILENCE * remote->timing.failover)
        pause *= RARER;
    remote->where_ns = now + pause;
    struct message where = remote_message(remote, MESSAGE_WHERE);
    uint32_t count = everybody(remote, nodes);
    for (uint32_t i = 0; i < count; i++)
        remote_say(remote, nodes[i], &where);
}

void locate_tick(struct remote *remote, uint64_t now)
{
    uint64_t patience = 2 * remote->timing.retry;
    if (!remote->busy)
        patience += remote->timing.failover; /* it is asked only so often */
    if (remote->view.number == 0 || !remote->session || !remote->serves) {
        locate_ask(remote, now);
        session_probe(remote, now);
    } else if (silence(remote, now) > patience) {
        locate_ask(remote, now);
        session_probe(remote, now);
        remote_wake(remote, now + remote_quick(remote));
    }
}

/* --- whom to ask --- */

static uint32_t nearby(const struct remote *remote)
{
    uint32_t near = remote->options.near;
    if (!near || !view_has(&remote->view, near))
        near = remote->view.members[remote->session % remote->view.count];
    return near;
}

uint32_t locate_for(const struct remote *remote, const struct slot *slot, uint64_t now)
{
    uint32_t near = 0;
    if (remote->view.number == 0 || !remote->session)
        return 0;
    if (remote->options.read_one && slot->read && !slot->primary_now && now >= remote->near_ns)
        near = nearby(remote);
    if (near != 0 && near != remote->view.primary)
        return near;
    return remote->serves ? remote->view.primary : 0;
}

void locate_doubt(struct remote *remote)
{
    remote->serves = false;
    remote_wake(remote, remote_now(remote) + remote_quick(remote));
}

void locate_serves(struct remote *remote)
{
    remote->serves = true;
    slots_send(remote);
}

/* --- views --- */

/* What was asked of the primary of an older view may be lost, whether or not the new one is the
 * same node: between the two there may have been others. */
static void take_view(struct remote *remote, const struct view *view)
{
    bool same = remote->view.number != 0 && remote->view.primary == view->primary;
    uint64_t now = remote_now(remote);
    remote->view = *view;
    remote->status.view_changes++;
    if (same) {
        slots_hasten(remote, now + remote_quick(remote));
        return;
    }
    remote->serves = false;
    remote->cautious = false;
    remote->heard_ns = now;
    slots_unsend(remote, 0);
    remote->probe_ns = 0;
    session_probe(remote, now);
}

void locate_learn(struct remote *remote, const struct view *view)
{
    if (view->number > remote->view.number && view_sound(view))
        take_view(remote, view);
}

/* Too few replicas for changes, or none to speak for: which of the two, a renewal tells. */
static void change_refused(struct remote *remote)
{
    uint64_t now = remote_now(remote);
    remote->cautious = true;
    remote->trial_ns = now + remote_quick(remote);
    remote_wake(remote, remote->trial_ns);
    session_probe(remote, now);
    locate_ask(remote, now);
}

/* The answer to a question of ours: `slot`'s request, or, NULL, a renewal. */
static void refused(struct remote *remote, struct slot *slot, uint32_t from)
{
    bool change = slot && !slot->read, primary = from == remote->view.primary;
    if (slot && slot->sent && slot->to == from) {
        slots_take_back(remote, slot);
        slot->primary_now = slot->primary_now || !primary;
    }
    if (primary && change)
        change_refused(remote);
    else if (primary)
        locate_doubt(remote);
    slots_send(remote);
}

void locate_moved(struct remote *remote, uint32_t from, const struct message *message)
{
    uint64_t before = remote->view.number;
    locate_learn(remote, &message->view);
    if (!remote->session || message->session != remote->session)
        return;
    struct slot *slot = slots_find(remote, message);
    if (slot || remote->view.number == before)
        refused(remote, slot, from);
}

void locate_lost(struct remote *remote, uint32_t node)
{
    uint64_t now = remote_now(remote);
    slots_unsend(remote, node);
    if (remote->view.number != 0 && node == remote->view.primary) {
        locate_doubt(remote);
        if ((remote->busy || !remote->session) && now >= remote->lost_ns) {
            remote->lost_ns = now + remote_quick(remote);
            remote->where_ns = remote->probe_ns = 0;
            locate_ask(remote, now);
            session_probe(remote, now);
        }
    } else if (remote->options.read_one) {
        remote->near_ns = now + remote->timing.failover;
    }
    slots_send(remote);
}
