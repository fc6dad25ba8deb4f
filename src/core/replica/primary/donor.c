/* SPDX-License-Identifier: MIT
 *
 * donor.c: gives a replica that joins what it lacks: the log behind what it has, or a snapshot to
 * compare with and copy from.
 *
 * The snapshot is pinned, and the log behind it held, from the first question for it until the
 * replica has joined or was silent for long. The hash tree over it has two levels: leaves of
 * LEAF_OBJECTS objects each, in the order of keys, made when they are asked for (Merkle 1987 gives
 * the idea; the leaves' hashes are compared in one pass, so there is nothing above them to keep).
 * Objects are given one message at a time, in the order of the questions, and clients go first
 * (pace.h).
 */
#include <stdlib.h>
#include <string.h>

#include "core/replica/primary/private.h"

#define LEAF_OBJECTS 512u
#define LEAVES       8u  /* in one message, at most */
#define EXPORTS_MAX  16u /* for one replica at once */

static const struct object_key last_key = {UINT8_MAX, UINT64_MAX, UINT64_MAX};

/* One FETCH being answered. */
struct giving {
    struct store_export export; /* comes first */
    struct giving *next, **link;
    struct primary *primary;
    struct store_pin pin;
    struct object_key *keys;
    struct message_name *names;
    uint32_t node, name_count;
    uint64_t serial;
    bool begun;         /* it was this one's turn */
    struct stamp asked; /* the stamp that was asked for; ZERO: as it is now */
};

/* --- joining --- */

static void offer_snapshot(struct primary *p, struct peer *peer)
{
    struct donor *donor = peer->donor;
    if (!donor) {
        donor = calloc(1, sizeof *donor);
        INVARIANT(donor != NULL);
        struct stamp at = store_last_stamp(p->store);
        if (store_tail_open(p->store, at, &donor->tail) != OK) {
            free(donor);
            return; /* it asks again */
        }
        MARK(snapshot_offered);
        store_pin(p->store, at, &donor->pin);
        donor->primary = p;
        donor->node = peer->node;
        peer->donor = donor;
        peer->repair_began = now_ns(p);
        peer->repaired_bytes = peer->repaired_objects = 0;
        tell(p, "node %u is given a snapshot", peer->node);
    }
    stream_stop(peer);
    peer->stream->mode = STREAM_SNAPSHOT;
    donor->used = now_ns(p);
    struct message m = message_new(p, MESSAGE_SNAPSHOT);
    m.stamp = donor->pin.at;
    send_message(p, peer->node, &m);
}

void donor_end(struct primary *p, struct peer *peer)
{
    if (!peer->donor)
        return;
    store_unpin(p->store, &peer->donor->pin);
    store_tail_close(peer->donor->tail);
    free(peer->donor);
    peer->donor = NULL;
}

void donor_join(struct primary *p, uint32_t from, const struct message *m)
{
    if (p->part != PART_PRIMARY) {
        if (p->view.number && p->view.primary != p->self)
            serve_moved(p, from, m);
        return;
    }
    struct peer *peer = is_assigned(p, from) ? peer_need(p, from) : NULL;
    if (!peer)
        return;
    peer->heard = now_ns(p);
    peer->lost = 0;
    if (view_has(&p->view, from)) {
        if (!m->whole) {
            MARK(member_lost_its_disk);
            peer->resigned = true;
        }
        return;
    }
    if (peer->member)
        return; /* a view with it is being proposed */
    if (!peer->joining)
        peer->repair_began = now_ns(p);
    peer->joining = true;
    if (!m->whole) {
        offer_snapshot(p, peer);
        return;
    }
    if (peer->stream->mode == STREAM_WINDOW || peer->stream->mode == STREAM_LOG) {
        stream_told(p, peer, m);
        return;
    }
    bool reached = stream_start(p, peer, m->last);
    if (reached) {
        peer->durable = m->stamp;
        donor_end(p, peer);
    } else {
        offer_snapshot(p, peer);
    }
}

/* --- comparing --- */

/* The donor for a question about the snapshot at `stamp`; NULL: there is none such. */
static struct donor *donor_for(struct primary *p, uint32_t from, struct stamp stamp)
{
    struct peer *peer = peer_find(p, from);
    if (p->part != PART_PRIMARY || !peer || !peer->donor ||
        !stamp_equal(peer->donor->pin.at, stamp))
        return NULL;
    peer->donor->used = peer->heard = now_ns(p);
    return peer->donor;
}

void donor_digest(struct primary *p, uint32_t from, const struct message *m)
{
    struct message_leaf leaves[LEAVES];
    struct message answer = message_new(p, MESSAGE_LEAVES);
    struct object_key next = m->from;
    uint64_t began = now_ns(p);
    if (!donor_for(p, from, m->stamp))
        return;
    answer.stamp = m->stamp;
    answer.to = m->from; /* which question it answers */
    while (answer.leaf_count < LEAVES && !answer.end &&
           (answer.leaf_count == 0 || now_ns(p) - began < PACE_PIECE_NS)) {
        struct store_digest digest = {.walk = {.from = next, .at = m->stamp, .most = LEAF_OBJECTS},
                                      .to = last_key};
        if (store_digest(p->store, &digest) != OK)
            return;
        answer.end = !digest.walk.more;
        leaves[answer.leaf_count++] =
            (struct message_leaf){.last = answer.end ? last_key : digest.last,
                                  .count = digest.count,
                                  .hash = digest.hash};
        next = digest.walk.next;
    }
    answer.leaves = leaves;
    answer.from = answer.end ? last_key : next;
    send_message(p, from, &answer);
}

struct naming {
    struct message_name *names;
    uint32_t count;
    struct object_key to;
};

static bool name_one(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct naming *naming = ctx;
    if (object_key_compare(key, &naming->to) > 0)
        return false;
    naming->names[naming->count++] = (struct message_name){*key, version->stamp};
    return naming->count < WIRE_ENTRIES_MAX;
}

void donor_keys(struct primary *p, uint32_t from, const struct message *m)
{
    if (!donor_for(p, from, m->stamp))
        return;
    struct naming naming = {.to = m->to};
    struct store_walk walk = {.from = m->from, .at = m->stamp, .most = WIRE_ENTRIES_MAX};
    struct message answer = message_new(p, MESSAGE_NAMES);
    naming.names = calloc(WIRE_ENTRIES_MAX, sizeof *naming.names);
    INVARIANT(naming.names != NULL);
    if (store_walk(p->store, &walk, name_one, &naming) == OK) {
        answer.stamp = m->stamp;
        answer.from = m->from;
        answer.to = naming.count == WIRE_ENTRIES_MAX ? naming.names[naming.count - 1].key : m->to;
        answer.names = naming.names;
        answer.name_count = naming.count;
        send_message(p, from, &answer);
    }
    free(naming.names);
}

/* --- giving objects --- */

static void giving_free(struct giving *giving)
{
    struct primary *p = giving->primary;
    *giving->link = giving->next;
    if (giving->next)
        giving->next->link = giving->link;
    p->giving_count--;
    store_unpin(p->store, &giving->pin);
    store_export_free(&giving->export);
    free(giving->keys);
    free(giving->names);
    free(giving);
}

static void given(struct store_export *export)
{
    struct giving *giving = (struct giving *)(void *)export;
    struct primary *p = giving->primary;
    struct peer *peer = peer_find(p, giving->node);
    struct message m = message_new(p, MESSAGE_OBJECTS);
    struct env_iov payload = {(void *)(uintptr_t) export->payload.data, export->payload.len};
    m.stamp = giving->asked;
    m.serial = giving->serial;
    m.err = export->err;
    if (export->err == OK) {
        m.count = export->taken;
        m.head = export->head;
        m.names = giving->names;
        m.name_count = export->taken;
        if (peer) {
            peer->repaired_bytes += export->head.len + export->payload.len;
            peer->repaired_objects += export->taken;
        }
        if (!stamp_equal(giving->asked, STAMP_ZERO))
            p->repair_allowed -= (int64_t)(export->head.len + export->payload.len);
    } else {
        payload.len = 0;
    }
    arena_reset(&p->arena);
    wire_send(p->net, giving->node, &m, &payload, payload.len ? 1 : 0, &p->arena);
    giving_free(giving);
}

/* So many for this one already, or just this: it comes again. */
static bool gives_enough(const struct primary *p, uint32_t node, uint64_t serial)
{
    uint32_t count = 0;
    bool same = false;
    for (const struct giving *giving = p->giving; giving; giving = giving->next) {
        count += giving->node == node;
        same = same || (giving->node == node && giving->serial == serial);
    }
    return count >= EXPORTS_MAX || same;
}

static void give(struct giving *giving)
{
    struct primary *p = giving->primary;
    giving->begun = true;
    for (uint32_t i = 0; i < giving->name_count; i++) {
        struct object_version version;
        if (store_get(p->store, giving->keys[i], giving->pin.at, &version) == OK)
            giving->names[i].stamp = version.stamp;
    }
    giving->export = (struct store_export){.keys = giving->keys,
                                           .count = giving->name_count,
                                           .at = giving->pin.at,
                                           .most_bytes = EXPORT_BYTES,
                                           .done = given};
    if (store_export(p->store, &giving->export))
        given(&giving->export);
}

static void give_next(struct primary *p);

static void rested(struct env_timer *timer)
{
    give_next(pace_rested(timer));
}

/* The question that has waited longest gets its turn. */
static void give_next(struct primary *p)
{
    struct giving *first = NULL;
    for (struct giving *giving = p->giving; giving; giving = giving->next)
        if (!giving->begun)
            first = giving;
    if (!first || p->pace.resting)
        return;
    pace_begin(p);
    give(first);
    pace_end(p, rested);
}

/* Within the bound on what repair may take: a little may go over it, and is waited for later. */
static bool allowed(struct primary *p)
{
    uint64_t now = now_ns(p), most = p->repair_bytes_per_s / 4 + EXPORT_BYTES;
    if (p->repair_bytes_per_s == 0)
        return true;
    uint64_t passed = now - p->repair_filled;
    p->repair_filled = now;
    if (passed > UINT64_C(1000000000))
        passed = UINT64_C(1000000000);
    p->repair_allowed += (int64_t)(p->repair_bytes_per_s / 1000 * (passed / 1000) / 1000);
    if (p->repair_allowed > (int64_t)most)
        p->repair_allowed = (int64_t)most;
    return p->repair_allowed > 0;
}

void donor_fetch(struct primary *p, uint32_t from, const struct message *m)
{
    bool now = stamp_equal(m->stamp, STAMP_ZERO);
    if (m->name_count == 0 || gives_enough(p, from, m->serial) || !p->whole || p->copy.active)
        return;
    if (now ? p->part != PART_PRIMARY && p->part != PART_BACKUP : !donor_for(p, from, m->stamp))
        return;
    if (!now && !allowed(p))
        return; /* it is asked again */
    struct giving *giving = calloc(1, sizeof *giving);
    INVARIANT(giving != NULL);
    giving->primary = p;
    giving->node = from;
    giving->serial = m->serial;
    giving->asked = m->stamp;
    giving->keys = calloc(m->name_count, sizeof *giving->keys);
    giving->names = calloc(m->name_count, sizeof *giving->names);
    INVARIANT(giving->keys != NULL && giving->names != NULL);
    giving->name_count = m->name_count;
    giving->next = p->giving;
    giving->link = &p->giving;
    if (giving->next)
        giving->next->link = &giving->next;
    p->giving = giving;
    p->giving_count++;
    store_pin(p->store, now ? store_last_stamp(p->store) : m->stamp, &giving->pin);
    for (uint32_t i = 0; i < m->name_count; i++)
        giving->keys[i] = giving->names[i].key = m->names[i].key;
    give_next(p);
}

void donor_abandon(struct primary *p)
{
    pace_stop(p);
    while (p->giving) {
        struct giving *giving = p->giving;
        p->giving = giving->next;
        free(giving->keys);
        free(giving->names);
        free(giving);
    }
    p->giving_count = 0;
}

void donor_tick(struct primary *p, struct peer *peer)
{
    uint64_t now = now_ns(p);
    if (peer->donor && now - peer->donor->used > 10 * p->timing.failover) {
        MARK(donor_gave_up);
        donor_end(p, peer);
        if (peer->stream->mode == STREAM_SNAPSHOT)
            peer->stream->mode = STREAM_NONE;
        peer->joining = false;
    }
    if (peer->joining && !peer->member && now - peer->heard > 10 * p->timing.failover) {
        stream_stop(peer);
        peer->joining = false;
    }
}
