/* SPDX-License-Identifier: MIT
 *
 * rw_register.c: what registers with unique values say about the order of transactions.
 *
 * A read of a register shows which version was read, when only one act wrote that value. It does
 * not show which versions were there before: their order has to be inferred, and never all of it
 * can be. What is inferred here is forced: in the other order the promise would be broken anyway.
 *
 * Definitions
 *   version   what a transaction that committed left in a register (its last write there), or the
 *             initial state
 *   outside   a read is from outside while its transaction has not written the register
 *
 * Law: v is before w, two versions of one register, when
 *   V1  v is the initial state; said only of a w that is not after another by V2;
 *   V2  the writer of w read v from outside (for read committed this follows from wr);
 *   V3  some transaction read another register's version from the writer of v, and read w, or wrote
 *       w. In the other order the former saw a part of what the writer of v did and missed another
 *       (G-single: such an edge is "forced"); the latter is in a cycle of ww and wr (G1c);
 *   V4  for strict serialisability: somebody wrote or read v and had ended before somebody began to
 *       write or read w (Gibbons and Korach 1997: zones; see versions_real_time.c).
 *   V5  From v before w: ww from the writer of v to that of w, rw from each reader of v to the
 *       writer of w. A transaction that read v and wrote w itself misses nothing by that.
 *   V6  Two transactions that both read v from outside and then wrote the register lost an update.
 *       The rw edges of two such are enough: they already make a cycle.
 *   V7  Of a value that several acts wrote nothing is inferred from reads of it; nor from a cas
 *       that did not find its value.
 *
 * What that is complete for
 *   Read committed: always, for unique values: the order of versions can follow any order that
 *   agrees with wr. Snapshot isolation and stronger: when every write of a register follows a read
 *   of it in the same transaction, and no transaction of unknown outcome was seen; V2 then gives
 *   the whole order. Strict serialisability: also when every transaction is one read or one write
 *   (V4 then is linearisability of each register, and that is local: Herlihy and Wing 1990). With
 *   cas among them it is not: that nothing comes between the two versions of a cas is not followed
 *   to its end; the checker of linearisability does that.
 */
#include <stdlib.h>

#include "core/base/assert.h"
#include "core/check/transactions/versions.h"

/* --- V2, V3 --- */

struct touch {
    uint32_t txn; /* the last transaction that touched the register; what follows is its */
    uint32_t seen, written; /* versions or NO_VERSION */
};

static void touch_all(const struct versions *v, uint32_t txn, struct touch *touched)
{
    const struct history_txn *of = &v->t->history->txns[txn];
    for (uint32_t act = of->first; act < of->first + of->count; act++) {
        struct touch *touch = &touched[v->t->history->acts[act].key];
        if (v->of_read[act] == NO_VERSION && v->of_write[act] == NO_VERSION)
            continue;
        if (touch->txn != txn)
            *touch = (struct touch){txn, NO_VERSION, NO_VERSION};
        if (v->of_read[act] != NO_VERSION)
            touch->seen = v->of_read[act];
        if (v->of_write[act] != NO_VERSION)
            touch->written = v->of_write[act];
    }
}

/* All that `writer` left is before what `txn`, which read something of it, read or left there. This
 * is V2 too: what it read may be the register that it then wrote. */
static void follow_writer(struct versions *v, uint32_t writer, uint32_t txn,
                          const struct touch *touched)
{
    const struct history_txn *of = &v->t->history->txns[writer];
    for (uint32_t act = of->first; act < of->first + of->count; act++) {
        const struct touch *touch = &touched[v->t->history->acts[act].key];
        if (v->of_write[act] == NO_VERSION || touch->txn != txn)
            continue;
        if (touch->seen != NO_VERSION && v->all[touch->seen].txn != NO_TXN)
            versions_add_pair(v, &(struct pair){v->of_write[act], touch->seen, true});
        if (touch->written != NO_VERSION)
            versions_add_pair(v, &(struct pair){v->of_write[act], touch->written, false});
    }
}

static void follow_reads(struct versions *v)
{
    const struct history *history = v->t->history;
    struct touch *touched = malloc((history->key_count + 1) * sizeof *touched);
    INVARIANT(touched != NULL);
    for (uint32_t key = 0; key < history->key_count; key++)
        touched[key].txn = NO_TXN;
    for (uint32_t txn = 0; txn < history->txn_count; txn++) {
        const struct history_txn *of = &history->txns[txn];
        if (!v->t->committed[txn])
            continue;
        touch_all(v, txn, touched);
        for (uint32_t act = of->first; act < of->first + of->count; act++)
            if (v->of_read[act] != NO_VERSION && v->all[v->of_read[act]].txn != NO_TXN)
                follow_writer(v, v->all[v->of_read[act]].txn, txn, touched);
    }
    free(touched);
}

/* --- V1 --- */

static void follow_initial(struct versions *v)
{
    bool *follows = calloc((size_t)v->count + 1, sizeof *follows);
    uint32_t initial = 0;
    INVARIANT(follows != NULL);
    for (uint32_t i = 0; i < v->pair_count; i++)
        follows[v->pairs[i].after] |= !v->pairs[i].forced;
    for (uint32_t version = 0; version < v->count; version++) {
        if (v->all[version].txn == NO_TXN)
            initial = version;
        else if (!follows[version])
            versions_add_pair(v, &(struct pair){initial, version, false});
    }
    free(follows);
}

/* --- V5, V6 --- */

void writer_before(const struct versions *v, uint32_t before, uint32_t after, uint8_t kind)
{
    if (v->all[before].txn != NO_TXN)
        txn_depend(v->t, v->all[before].txn, v->all[after].txn, kind, v->all[after].act);
}

void readers_before(const struct versions *v, uint32_t before, uint32_t after, uint8_t kind)
{
    for (uint32_t i = v->reading_first[before]; i < v->reading_first[before + 1]; i++)
        txn_depend(v->t, v->readings[i].txn, v->all[after].txn, kind, v->all[after].act);
}

static void lost_update(const struct versions *v, const struct reading *a, const struct reading *b)
{
    const struct history *history = v->t->history;
    uint32_t values[2] = {VALUE_NONE, VALUE_NONE};
    act_writes(&history->acts[v->all[a->written].act], &values[0]);
    act_writes(&history->acts[v->all[b->written].act], &values[1]);
    report_acts(v->t, ANOMALY_LOST_UPDATE, (const uint32_t[]){a->act, b->act},
                "Both transactions read this, and both replaced it, by %s and %s",
                history_text(history, values[0]), history_text(history, values[1]));
}

/* rw from one version's readers to those that are known to follow it, over a relay. */
static void missed_by_readers(const struct versions *v, uint32_t version)
{
    struct txn_check *t = v->t;
    uint32_t begin = v->pair_first[version], end = v->pair_first[version + 1], updates = 0;
    const struct reading *first_update = NULL;
    uint32_t relay = dependencies_relay(&t->graph);
    for (uint32_t i = v->reading_first[version]; i < v->reading_first[version + 1]; i++) {
        const struct reading *reading = &v->readings[i];
        if (reading->written == NO_VERSION) {
            txn_depend(t, reading->txn, relay, EDGE_RW, NO_ACT);
            continue;
        }
        if (updates++ == 0)
            first_update = reading;
        else
            lost_update(v, first_update, reading);
        for (uint32_t p = begin; p < end && updates <= 2; p++) {
            const struct version *w = &v->all[v->pairs[p].after];
            txn_depend(t, reading->txn, w->txn, EDGE_RW, w->act);
        }
    }
    for (uint32_t p = begin; p < end; p++) {
        const struct version *w = &v->all[v->pairs[p].after];
        depend(&t->graph, &(struct dependency){relay, w->txn, EDGE_NONE, w->act});
    }
}

void registers_depend(struct txn_check *t)
{
    struct versions v;
    versions_gather(&v, t);
    if (t->level > LEVEL_READ_COMMITTED) {
        follow_reads(&v);
        follow_initial(&v);
        versions_index(&v);
        for (uint32_t version = 0; version < v.count; version++) {
            uint32_t begin = v.pair_first[version], end = v.pair_first[version + 1];
            for (uint32_t p = begin; p < end; p++)
                writer_before(&v, version, v.pairs[p].after,
                              v.pairs[p].forced ? EDGE_WW_FORCED : EDGE_WW);
            if (end - begin == 1)
                readers_before(&v, version, v.pairs[begin].after, EDGE_RW);
            else if (end > begin)
                missed_by_readers(&v, version);
        }
        if (t->level == LEVEL_STRICT)
            versions_real_time(&v);
    }
    versions_free(&v);
}
