/* SPDX-License-Identifier: MIT
 *
 * versions_real_time.c: what real time says about the order of a register's versions.
 *
 * After Gibbons and Korach 1997 ("Testing Shared Memories", section 4), who decide so whether a
 * register with unique values is linearisable.
 *
 * Definitions
 *   accessor   of a version: the transaction that wrote it, or that read it from outside
 *   low, high  of a version: the first end of an accessor (from then on the version is there), and
 *              the last beginning of one (up to then it is there)
 *   before     v is before w when low(v) < high(w): an accessor of v ended before one of w began
 *   forward    a version with low < high: it is there all that time. Others are backward: all their
 *              accessors overlap
 *
 * Law
 *   Z1  Two versions are each before the other (no order of them agrees with real time) only when
 *       both are forward and overlap, or one is forward and [high, low] of the other lies inside.
 *       Of such a register one such pair is told, with all its edges, and nothing else.
 *   Z2  Otherwise `before` is an order. It is written with one relay for each version, in the order
 *       of their lows, each leading to the next: what hangs on the relays up to v's is the
 *       versions whose low is at most v's.
 *   Z3  A version is not before itself. So a forward w hangs on the relay before its own, and has
 *       edges of its own from those with a low between its low and its high; these all overlap it
 *       at its low, so they are not more than there are processes.
 *   Z4  Nor does a reader of v that wrote w itself miss w. It has edges of its own to versions that
 *       v is before and w is not before. They are not more than there are processes, or one of
 *       them is before w, which with that edge makes a cycle: then the rest is left out.
 */
#include <stdlib.h>

#include "core/base/assert.h"
#include "core/check/transactions/versions.h"

struct zone {
    uint64_t low, high;
    uint32_t version, relay;
};

struct zones {
    const struct versions *v;
    struct zone *all; /* by low */
    uint32_t count;
    uint32_t *by_high; /* places in all, by high */
    uint32_t *forward; /* of each place: the last forward zone before it, plus 1; 0: none */
    uint32_t *of;      /* of each version of this register, less `first`: its place in all */
    uint32_t first;
};

static uint64_t end_of(const struct history_txn *txn)
{
    return txn->outcome == OUTCOME_DONE ? txn->ended : RANK_NEVER;
}

static void widen(struct zone *zone, const struct history_txn *txn)
{
    if (end_of(txn) < zone->low)
        zone->low = end_of(txn);
    if (txn->began > zone->high)
        zone->high = txn->began;
}

static struct zone zone_of(const struct versions *v, uint32_t version)
{
    const struct history *history = v->t->history;
    struct zone zone = {.low = RANK_NEVER, .version = version};
    widen(&zone, &history->txns[v->all[version].txn]);
    for (uint32_t i = v->reading_first[version]; i < v->reading_first[version + 1]; i++)
        widen(&zone, &history->txns[v->readings[i].txn]);
    return zone;
}

static int by_low(const void *a, const void *b)
{
    const struct zone *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return (x->version > y->version) - (x->version < y->version);
}

struct high {
    uint64_t high;
    uint32_t place;
};

static int by_high(const void *a, const void *b)
{
    const struct high *x = a, *y = b;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static bool forward(const struct zone *zone)
{
    return zone->low < zone->high;
}

static bool before(const struct zone *a, const struct zone *b)
{
    return a->low < b->high;
}

/* How many zones have a low below a rank. */
static uint32_t lows_below(const struct zones *zones, uint64_t rank)
{
    uint32_t low = 0, high = zones->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zones->all[middle].low < rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Z1: true, and the pair, when there is one. */
static bool contradiction(const struct zones *zones, const struct zone *pair[2])
{
    uint32_t last = 0; /* the last forward zone, plus 1 */
    for (uint32_t i = 0; i < zones->count; i++) {
        const struct zone *zone = pair[1] = &zones->all[i];
        zones->forward[i] = last;
        if (!forward(zone))
            continue;
        pair[0] = last ? &zones->all[last - 1] : NULL;
        if (last && before(zone, pair[0]))
            return true;
        last = i + 1;
    }
    zones->forward[zones->count] = last;
    for (uint32_t i = 0; i < zones->count; i++) {
        const struct zone *zone = pair[1] = &zones->all[i];
        if (forward(zone))
            continue;
        /* the forward zone that could hold it is the last with a low below its high */
        uint32_t at = zones->forward[lows_below(zones, zone->high)];
        pair[0] = at ? &zones->all[at - 1] : NULL;
        if (at && before(zone, pair[0]))
            return true;
    }
    return false;
}

/* --- edges --- */

static void all_before(const struct versions *v, uint32_t before, uint32_t after)
{
    writer_before(v, before, after, EDGE_WW_TIMED);
    readers_before(v, before, after, EDGE_RW_TIMED);
}

/* Z2: a version's own relay, and what hangs on it. */
static void hang_on(const struct zones *zones, struct zone *zone, uint32_t previous)
{
    const struct versions *v = zones->v;
    struct txn_check *t = v->t;
    zone->relay = dependencies_relay(&t->graph);
    if (previous != NO_VERSION)
        depend(&t->graph, &(struct dependency){previous, zone->relay, EDGE_NONE, NO_ACT});
    txn_depend(t, v->all[zone->version].txn, zone->relay, EDGE_WW_TIMED, NO_ACT);
    for (uint32_t i = v->reading_first[zone->version]; i < v->reading_first[zone->version + 1]; i++)
        if (v->readings[i].written == NO_VERSION)
            txn_depend(t, v->readings[i].txn, zone->relay, EDGE_RW_TIMED, NO_ACT);
}

/* Z2, Z3: what is before this version. */
static void hang_behind(const struct zones *zones, uint32_t place)
{
    const struct zone *zone = &zones->all[place];
    const struct version *w = &zones->v->all[zone->version];
    uint32_t below = lows_below(zones, zone->high);
    uint32_t last = below > place ? place : below;
    if (last > 0)
        depend(&zones->v->t->graph,
               &(struct dependency){zones->all[last - 1].relay, w->txn, EDGE_NONE, w->act});
    for (uint32_t i = place + 1; i < below; i++)
        all_before(zones->v, zones->all[i].version, zone->version);
}

/* Z4, of a transaction that read `seen` and wrote `written`. */
static void update_before(const struct zones *zones, uint32_t txn, const struct zone *seen,
                          const struct zone *written)
{
    struct txn_check *t = zones->v->t;
    uint32_t low = 0, high = zones->count;
    while (low < high) { /* the first high above seen's low */
        uint32_t middle = low + (high - low) / 2;
        if (zones->all[zones->by_high[middle]].high <= seen->low)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < zones->count; low++) {
        const struct zone *zone = &zones->all[zones->by_high[low]];
        const struct version *w = &zones->v->all[zone->version];
        if (before(written, zone))
            return;
        if (zone == written || zone == seen)
            continue;
        txn_depend(t, txn, w->txn, EDGE_RW_TIMED, w->act);
        if (before(zone, written))
            return;
    }
}

static void updates_before(const struct zones *zones)
{
    const struct versions *v = zones->v;
    for (uint32_t i = 0; i < zones->count; i++) {
        uint32_t version = zones->all[i].version;
        for (uint32_t r = v->reading_first[version]; r < v->reading_first[version + 1]; r++) {
            const struct reading *reading = &v->readings[r];
            if (reading->written != NO_VERSION &&
                v->t->history->txns[reading->txn].outcome == OUTCOME_DONE)
                update_before(zones, reading->txn, &zones->all[i],
                              &zones->all[zones->of[reading->written - zones->first]]);
        }
    }
}

/* --- one register --- */

static void *array(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    INVARIANT(memory != NULL);
    return memory;
}

static void sort_zones(struct zones *zones)
{
    struct high *highs = array(zones->count, sizeof *highs);
    qsort(zones->all, zones->count, sizeof *zones->all, by_low);
    for (uint32_t i = 0; i < zones->count; i++) {
        zones->of[zones->all[i].version - zones->first] = i;
        highs[i] = (struct high){zones->all[i].high, i};
    }
    qsort(highs, zones->count, sizeof *highs, by_high);
    for (uint32_t i = 0; i < zones->count; i++)
        zones->by_high[i] = highs[i].place;
    free(highs);
}

static void register_real_time(const struct versions *v, uint32_t first, uint32_t count)
{
    struct zones zones = {.v = v, .first = first, .count = count};
    const struct zone *pair[2];
    uint32_t previous = NO_VERSION;
    zones.all = array(count, sizeof *zones.all);
    zones.by_high = array(count, sizeof *zones.by_high);
    zones.forward = array(count + 1, sizeof *zones.forward);
    zones.of = array(count, sizeof *zones.of);
    for (uint32_t i = 0; i < count; i++)
        zones.all[i] = zone_of(v, first + i);
    sort_zones(&zones);
    if (contradiction(&zones, pair)) {
        all_before(v, pair[0]->version, pair[1]->version);
        all_before(v, pair[1]->version, pair[0]->version);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            hang_on(&zones, &zones.all[i], previous);
            previous = zones.all[i].relay;
        }
        for (uint32_t i = 0; i < count; i++)
            hang_behind(&zones, i);
        updates_before(&zones);
    }
    free(zones.all);
    free(zones.by_high);
    free(zones.forward);
    free(zones.of);
}

void versions_real_time(const struct versions *v)
{
    uint32_t begin = 0;
    while (begin < v->count) {
        uint32_t end = begin + 1; /* begin is the initial version of a register */
        while (end < v->count && v->all[end].txn != NO_TXN)
            end++;
        if (end - begin > 2)
            register_real_time(v, begin + 1, end - begin - 1);
        begin = end;
    }
}
