/* SPDX-License-Identifier: MIT
 *
 * mend.c: objects that are damaged here are fetched anew from another member.
 *
 * What comes is taken only when it is the very version that is here (the same stamp, or there is no
 * such object at either): its bytes are then the same, and nothing newer is overwritten. Otherwise
 * the object is asked for again, later. One that the other cannot read is asked for alone, and of
 * every member in turn; in the end it is left.
 *
 * Adopted objects cut the log (core/store/tail.c, B1), so the primary waits until it gives nobody
 * records from it; and it says at the end that the store is the volume as it was (store_adopt_end).
 */
#include <stdlib.h>

#include "core/replica/primary/private.h"

#define MEND_BATCH 64u
#define MEND_TRIES 100u

static void mended(struct primary *p, enum err err)
{
    if (p->mending.adopted && p->whole && !p->copy.active) {
        enum err ended = store_adopt_end(p->store, store_last_stamp(p->store));
        err = err ? err : ended;
        sync_kick(p);
    }
    p->mending.adopted = false;
    void (*done)(void *ctx, enum err err) = p->mending.done;
    free(p->mending.keys);
    p->mending.keys = NULL;
    p->mending.active = false;
    p->mending.done = NULL;
    if (done)
        done(p->mending.ctx, err);
}

void mend_stop(struct primary *p)
{
    p->mending.adopted = false; /* the next start does well without */
    if (p->mending.active)
        mended(p, ERR_BUSY);
}

void mend_free(struct primary *p)
{
    free(p->mending.keys);
}

/* The primary in the first place, then the members in turn. */
static uint32_t next_donor(struct primary *p)
{
    if (p->part == PART_BACKUP && p->mending.tries <= 1)
        return p->view.primary;
    for (uint32_t i = 0; i < p->view.count; i++) {
        uint32_t node = p->view.members[p->mending.donor_turn++ % p->view.count];
        if (node != p->self)
            return node;
    }
    return 0;
}

static bool gives_log(const struct primary *p)
{
    for (uint32_t i = 0; i < p->peer_count; i++) {
        enum stream_mode mode = p->peers[i].stream->mode;
        if (p->peers[i].donor || mode == STREAM_LOG || mode == STREAM_SNAPSHOT)
            return true;
    }
    return false;
}

/* It cannot be had now: others first, and each by itself. */
static void put_behind(struct primary *p)
{
    struct mending *mending = &p->mending;
    struct object_key first = mending->keys[0];
    for (uint32_t i = 1; i < mending->count; i++)
        mending->keys[i - 1] = mending->keys[i];
    mending->keys[mending->count - 1] = first;
    mending->batch = 1;
}

static void ask(struct primary *p)
{
    struct mending *mending = &p->mending;
    struct message_name names[MEND_BATCH] = {{{0}, {0}}};
    struct message m = message_new(p, MESSAGE_FETCH);
    uint32_t donor = next_donor(p);
    mending->asked = now_ns(p);
    if (++mending->tries > MEND_TRIES + 4 * mending->count) {
        mended(p, ERR_TIMEOUT);
        return;
    }
    if (!donor || gives_log(p))
        return;
    m.serial = ++mending->serial;
    m.name_count = mending->count < mending->batch ? mending->count : mending->batch;
    for (uint32_t i = 0; i < m.name_count; i++)
        names[i].key = mending->keys[i];
    m.names = names;
    send_message(p, donor, &m);
}

static bool same_version(struct primary *p, const struct message_name *name)
{
    struct object_version version;
    enum err err = store_get(p->store, name->key, STAMP_MAX, &version);
    if (err != OK || store_keeps_older(p->store, &name->key))
        return false;
    bool neither = !version.present && stamp_equal(name->stamp, STAMP_ZERO);
    return neither || stamp_equal(version.stamp, name->stamp) || MUTANT(mend_any_version);
}

static bool expected(const struct primary *p, uint32_t from, const struct message *m)
{
    return p->mending.active && m->serial == p->mending.serial &&
           stamp_equal(m->stamp, STAMP_ZERO) && view_has(&p->view, from) && !p->copy.active;
}

void mend_objects(struct primary *p, uint32_t from, const struct message *m)
{
    struct mending *mending = &p->mending;
    if (!expected(p, from, m))
        return;
    if (m->err != OK) {
        put_behind(p);
        ask(p);
        return;
    }
    if (m->count == 0 || m->count != m->name_count || m->count > mending->count)
        return;
    for (uint32_t i = 0; i < m->count; i++)
        if (!object_key_equal(&m->names[i].key, &mending->keys[i]) ||
            !same_version(p, &m->names[i])) {
            MARK(mend_other_version);
            put_behind(p);
            return;
        }
    struct store_shipped shipped = {.head = m->head, .payload = m->payload};
    enum err err = store_adopt(p->store, &shipped);
    if (err != OK) {
        mended(p, err);
        return;
    }
    p->status.mended += m->count;
    p->status.mended_from = from;
    mending->adopted = true;
    mending->batch = mending->batch < MEND_BATCH / 2 ? mending->batch * 2 : MEND_BATCH;
    mending->count -= m->count;
    mending->tries = 0;
    for (uint32_t i = 0; i < mending->count; i++)
        mending->keys[i] = mending->keys[i + m->count];
    sync_kick(p);
    if (mending->count == 0)
        mended(p, OK);
    else
        ask(p);
}

void mend_tick(struct primary *p)
{
    if (p->mending.active && now_ns(p) - p->mending.asked > p->timing.retry)
        ask(p);
}

void primary_mend(struct primary *p, const struct object_key *keys, uint32_t count,
                  void (*done)(void *ctx, enum err err),
                  void *ctx) /* lint: parameters-ok: a callback and its context */
{
    struct mending *mending = &p->mending;
    if (mending->active || count == 0 || (p->part != PART_BACKUP && p->part != PART_PRIMARY)) {
        done(ctx, count == 0 ? OK : ERR_BUSY);
        return;
    }
    mending->keys = calloc(count, sizeof *keys);
    INVARIANT(mending->keys != NULL);
    for (uint32_t i = 0; i < count; i++)
        mending->keys[i] = keys[i];
    mending->active = true;
    mending->count = count;
    mending->batch = MEND_BATCH;
    mending->tries = 0;
    mending->done = done;
    mending->ctx = ctx;
    ask(p);
}
