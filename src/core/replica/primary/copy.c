/* SPDX-License-Identifier: MIT
 *
 * copy.c: a replica that joins compares what it has with a snapshot of the primary's, and copies
 * what differs.
 *
 * Law
 *   K1  From the first object that is changed here until the end the store is marked torn: a node
 *       that is started anew in between knows that it has no state of the volume at all.
 *   K2  At the end it is, object for object, the snapshot; then, and only then, whole again, with
 *       the snapshot's stamp as its last.
 *   K3  Work is in proportion to what differs, but for one look at each index.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/replica/primary/private.h"

#define FETCH_NAMES  64u /* a millisecond of work for the donor */
#define WANTED_MOST  16384u
#define ABSENT_BATCH 256u

static struct object_key key_after(struct object_key key)
{
    if (++key.sub == 0 && ++key.ino == 0)
        key.kind++;
    return key;
}

static void fetches_clear(struct copy *copy)
{
    for (uint32_t i = 0; i < FETCHES; i++)
        copy->fetches[i].busy = false;
}

void copy_stop(struct primary *p)
{
    struct copy *copy = &p->copy;
    copy->active = copy->ending = false;
    copy->leaf_count = copy->leaf_next = copy->wanted_count = copy->wanted_next = 0;
    copy->leaves_done = copy->leaves_asked = copy->names_asked = false;
    fetches_clear(copy);
}

void copy_free(struct primary *p)
{
    for (uint32_t i = 0; i < FETCHES; i++)
        free(p->copy.fetches[i].names);
    free(p->copy.leaves);
    free(p->copy.wanted);
}

static void pump(struct primary *p);

void copy_snapshot(struct primary *p, uint32_t from, const struct message *m)
{
    struct copy *copy = &p->copy;
    if (p->part != PART_JOINING || from != p->view.primary || m->number != p->view.number ||
        p->broken)
        return;
    if (copy->active && stamp_equal(copy->at, m->stamp) && copy->donor == from)
        return;
    copy_stop(p);
    set_whole(p, false);
    copy->active = true;
    copy->at = m->stamp;
    copy->donor = from;
    copy->leaf_from = (struct object_key){0};
    copy->objects = copy->bytes = 0;
    copy->began = now_ns(p);
    tell(p, "what is here is compared with a snapshot of node %u", from);
    pump(p);
}

/* --- what differs --- */

static void want(struct copy *copy, const struct message_name *name)
{
    copy->wanted = grow(copy->wanted, copy->wanted_count, &copy->wanted_room, sizeof *copy->wanted);
    copy->wanted[copy->wanted_count++] = *name;
}

struct merge {
    struct primary *p;
    const struct message_name *names;
    uint32_t count, at;
    struct object_key to;
    struct object_key absent[ABSENT_BATCH];
    uint32_t absent_count;
};

static void delete_absent(struct merge *merge)
{
    struct primary *p = merge->p;
    if (merge->absent_count == 0)
        return;
    enum err err = store_adopt_absent(p->store, merge->absent, merge->absent_count);
    if (err == ERR_FAILED || err == ERR_IO)
        broke(p, err);
    else if (err != OK)
        p->copy.retry = true;
    merge->absent_count = 0;
}

static bool merge_own(void *ctx, const struct object_key *key, const struct object_version *version)
{
    struct merge *merge = ctx;
    if (object_key_compare(key, &merge->to) > 0)
        return false;
    while (merge->at < merge->count && object_key_compare(&merge->names[merge->at].key, key) < 0)
        want(&merge->p->copy, &merge->names[merge->at++]);
    if (merge->at < merge->count && object_key_equal(&merge->names[merge->at].key, key)) {
        if (!stamp_equal(merge->names[merge->at].stamp, version->stamp))
            want(&merge->p->copy, &merge->names[merge->at]);
        merge->at++;
        return true;
    }
    if (!MUTANT(copy_leaves_deleted))
        merge->absent[merge->absent_count++] = *key;
    return merge->absent_count < ABSENT_BATCH;
}

/* The names of a part of a leaf have come: this side's are walked beside them. */
static void merge_names(struct primary *p, const struct message *m)
{
    struct merge merge = {.p = p, .names = m->names, .count = m->name_count, .to = m->to};
    struct store_walk walk = {.from = m->from, .at = STAMP_MAX, .most = UINT32_MAX, .more = true};
    for (;;) {
        struct object_key last = {0};
        if (store_walk(p->store, &walk, merge_own, &merge) != OK) {
            p->copy.retry = true;
            return;
        }
        if (merge.absent_count < ABSENT_BATCH)
            break;
        last = merge.absent[ABSENT_BATCH - 1];
        delete_absent(&merge);
        walk.from = key_after(last);
    }
    delete_absent(&merge);
    while (merge.at < merge.count)
        want(&p->copy, &merge.names[merge.at++]);
}

void copy_names(struct primary *p, uint32_t from, const struct message *m)
{
    struct copy *copy = &p->copy;
    if (!copy->active || from != copy->donor || !stamp_equal(m->stamp, copy->at) ||
        !copy->names_asked || !object_key_equal(&m->from, &copy->names_from))
        return;
    copy->names_asked = false;
    merge_names(p, m);
    if (object_key_compare(&m->to, &copy->names_to) < 0) {
        copy->names_from = key_after(m->to);
        copy->names_asked = true;
        copy->asked = 0; /* at once */
    }
    pump(p);
}

void copy_leaves(struct primary *p, uint32_t from, const struct message *m)
{
    struct copy *copy = &p->copy;
    if (!copy->active || from != copy->donor || !stamp_equal(m->stamp, copy->at) ||
        !copy->leaves_asked || !object_key_equal(&m->to, &copy->leaf_from))
        return;
    copy->leaves_asked = false;
    copy->leaves_done = m->end;
    copy->leaf_next = copy->leaf_count = 0;
    for (uint32_t i = 0; i < m->leaf_count; i++) {
        copy->leaves = grow(copy->leaves, copy->leaf_count, &copy->leaf_room, sizeof *copy->leaves);
        copy->leaves[copy->leaf_count++] = m->leaves[i];
    }
    copy->leaf_begin = copy->leaf_from;
    copy->leaf_from = m->from;
    pump(p);
}

/* --- asking --- */

static void ask_leaves(struct primary *p)
{
    struct message m = message_new(p, MESSAGE_DIGEST);
    m.stamp = p->copy.at;
    m.from = p->copy.leaf_from;
    p->copy.leaves_asked = true;
    p->copy.asked = now_ns(p);
    send_message(p, p->copy.donor, &m);
}

static void ask_names(struct primary *p)
{
    struct message m = message_new(p, MESSAGE_KEYS);
    m.stamp = p->copy.at;
    m.from = p->copy.names_from;
    m.to = p->copy.names_to;
    p->copy.names_asked = true;
    p->copy.asked = now_ns(p);
    send_message(p, p->copy.donor, &m);
}

static void ask_fetch(struct primary *p, struct fetch_slot *fetch)
{
    struct message m = message_new(p, MESSAGE_FETCH);
    m.stamp = p->copy.at;
    m.serial = fetch->serial;
    m.names = fetch->names;
    m.name_count = fetch->count;
    fetch->asked = now_ns(p);
    send_message(p, p->copy.donor, &m);
}

static void fill_fetch(struct primary *p, struct fetch_slot *fetch)
{
    struct copy *copy = &p->copy;
    fetch->count = 0;
    while (fetch->count < FETCH_NAMES && copy->wanted_next < copy->wanted_count) {
        fetch->names = grow(fetch->names, fetch->count, &fetch->room, sizeof *fetch->names);
        fetch->names[fetch->count++] = copy->wanted[copy->wanted_next++];
    }
    if (copy->wanted_next == copy->wanted_count)
        copy->wanted_next = copy->wanted_count = 0;
    fetch->busy = true;
    fetch->serial = ++copy->serial;
    ask_fetch(p, fetch);
}

/* Is this leaf the same here? */
static bool leaf_same(struct primary *p, const struct message_leaf *leaf)
{
    struct store_digest digest = {
        .walk = {.from = p->copy.leaf_begin, .at = STAMP_MAX, .most = UINT32_MAX},
        .to = leaf->last};
    if (MUTANT(copy_trusts_counts))
        return store_digest(p->store, &digest) == OK && digest.count == leaf->count;
    return store_digest(p->store, &digest) == OK && digest.count == leaf->count &&
           digest.hash == leaf->hash;
}

static void compare_leaves(struct primary *p)
{
    struct copy *copy = &p->copy;
    while (copy->leaf_next < copy->leaf_count && !copy->names_asked &&
           copy->wanted_count - copy->wanted_next < WANTED_MOST) {
        const struct message_leaf *leaf = &copy->leaves[copy->leaf_next++];
        if (!leaf_same(p, leaf)) {
            MARK(copy_leaf_differs);
            copy->names_from = copy->leaf_begin;
            copy->names_to = leaf->last;
            ask_names(p);
        } else {
            MARK(copy_leaf_same);
        }
        copy->leaf_begin = key_after(leaf->last);
    }
}

static void ended(struct store_sync *sync, enum err err)
{
    struct copy *copy = (struct copy *)(void *)((uint8_t *)sync - offsetof(struct copy, sync));
    struct primary *p =
        (struct primary *)(void *)((uint8_t *)copy - offsetof(struct primary, copy));
    copy->syncing = false;
    if (err != OK)
        broke(p, err);
}

static void end(struct primary *p)
{
    struct copy *copy = &p->copy;
    if (copy->retry) { /* something could not be changed: once more from the beginning */
        struct stamp at = copy->at;
        uint32_t donor = copy->donor;
        copy_stop(p);
        copy->retry = false;
        copy->active = true;
        copy->at = at;
        copy->donor = donor;
        copy->leaf_from = (struct object_key){0};
        return;
    }
    enum err err = store_adopt_end(p->store, copy->at);
    if (err != OK) {
        if (err == ERR_FAILED || err == ERR_IO)
            broke(p, err);
        return;
    }
    tell(p, "the snapshot is here: %llu objects were copied", (unsigned long long)copy->objects);
    window_clear(p);
    copy_stop(p);
    set_whole(p, true);
    p->durable = STAMP_ZERO;
    p->next_join = 0;
    if (!copy->syncing) {
        copy->syncing = true;
        copy->sync.done = ended;
        store_sync(p->store, &copy->sync);
    }
    sync_kick(p);
}

static void pump(struct primary *p)
{
    struct copy *copy = &p->copy;
    bool busy = false;
    if (!copy->active)
        return;
    compare_leaves(p);
    if (copy->leaf_next == copy->leaf_count && !copy->leaves_done && !copy->leaves_asked &&
        !copy->names_asked)
        ask_leaves(p);
    if (copy->names_asked && copy->asked == 0)
        ask_names(p);
    for (uint32_t i = 0; i < FETCHES; i++) {
        struct fetch_slot *fetch = &copy->fetches[i];
        if (!fetch->busy && copy->wanted_next < copy->wanted_count && store_has_room(p->store))
            fill_fetch(p, fetch);
        busy = busy || fetch->busy;
    }
    if ((!busy || MUTANT(copy_ends_early)) && copy->leaves_done &&
        copy->leaf_next == copy->leaf_count && !copy->names_asked &&
        copy->wanted_next == copy->wanted_count)
        end(p);
}

/* So many at once are more than a segment takes here. */
static void ask_less(struct primary *p, struct fetch_slot *fetch, uint32_t came)
{
    struct copy *copy = &p->copy;
    uint32_t half = came > 1 ? came / 2 : 1;
    MARK(copy_asked_less);
    for (uint32_t i = half; i < fetch->count; i++)
        want(copy, &fetch->names[i]);
    fetch->count = half;
    fetch->serial = ++copy->serial;
    ask_fetch(p, fetch);
}

void copy_objects(struct primary *p, uint32_t from, const struct message *m)
{
    struct copy *copy = &p->copy;
    struct fetch_slot *fetch = NULL;
    if (!copy->active || from != copy->donor || !stamp_equal(m->stamp, copy->at))
        return;
    for (uint32_t i = 0; i < FETCHES; i++)
        if (copy->fetches[i].busy && copy->fetches[i].serial == m->serial)
            fetch = &copy->fetches[i];
    if (!fetch || m->err != OK || m->count == 0 || m->count > fetch->count)
        return; /* it is asked again */
    struct store_shipped shipped = {.head = m->head, .payload = m->payload};
    enum err err = store_adopt(p->store, &shipped);
    if (err == ERR_FAILED || err == ERR_IO)
        broke(p, err);
    if (err == ERR_LIMIT && fetch->count > 1) {
        ask_less(p, fetch, m->count);
        return;
    }
    if (err != OK) {
        p->status.ignored++;
        return;
    }
    copy->objects += m->count;
    copy->bytes += m->head.len + m->payload.len;
    fetch->count -= m->count;
    memmove(fetch->names, fetch->names + m->count, sizeof *fetch->names * fetch->count);
    fetch->busy = fetch->count > 0;
    if (fetch->busy) {
        fetch->serial = ++copy->serial;
        ask_fetch(p, fetch);
    }
    pump(p);
}

/* What was asked and not answered is asked again. */
void copy_tick(struct primary *p)
{
    struct copy *copy = &p->copy;
    uint64_t now = now_ns(p);
    if (!copy->active)
        return;
    if (copy->leaves_asked && now - copy->asked > p->timing.retry)
        ask_leaves(p);
    if (copy->names_asked && now - copy->asked > p->timing.retry)
        ask_names(p);
    for (uint32_t i = 0; i < FETCHES; i++)
        if (copy->fetches[i].busy && now - copy->fetches[i].asked > p->timing.retry)
            ask_fetch(p, &copy->fetches[i]);
    pump(p);
}
