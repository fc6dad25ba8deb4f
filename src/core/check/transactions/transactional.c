/* SPDX-License-Identifier: MIT
 *
 * transactional.c: the isolation of transactions, judged by the cycles of their dependencies.
 *
 * After Adya 1999 ("Weak Consistency: A Generalized Theory and Optimistic Implementations for
 * Distributed Transactions") for what the levels forbid, Cerone and Gotsman 2016 ("Analysing
 * Snapshot Isolation") for snapshot isolation, and Kingsbury and Alvaro 2020 ("Elle") for how the
 * order of versions is found in a history of lists.
 *
 * Definitions
 *   committed  done; or of unknown outcome, and something that it wrote was seen by a transaction
 *              that is done. What was never seen may be taken as not committed: that breaks nothing
 *   version    of an object: what one committed transaction left of it
 *   ww         the second wrote a later version of an object than the first
 *   wr         the second read a version that the first wrote
 *   rw         the first read a version, the second wrote a later one of that object
 *   real time  the first had ended before the second began
 *
 * What is forbidden: by RC read committed (Adya's PL-2), SI snapshot isolation (PL-SI), SE
 * serialisability (PL-3), ST strict serialisability
 *                                                              RC   SI   SE   ST
 *   garbage, duplicate, incompatible order, lost write,         x    x    x    x
 *     own writes swapped
 *   G1a, G1b; own writes not seen (internal)                    x    x    x    x
 *   G0        a cycle of ww                                     x    x    x    x
 *   G1c       a cycle of ww and wr                              x    x    x    x
 *   one object read twice, two states (internal)                     x    x    x
 *   lost update                                                      x    x    x
 *   G-single  a cycle with one rw                                    x    x    x
 *   G-SIb     a cycle in which no two rw follow each other           x    x    x
 *   G2-item   any cycle                                                   x    x
 *   the same cycles with real time; stale read, future read                    x
 *
 *   Snapshot isolation is the one without real time: the snapshot may be of any earlier moment, so
 *   a read-only transaction may read the past. Nor is the order of one process's transactions asked
 *   for by any level but the strict one.
 *
 * Law
 *   X1  Every edge of the graph, and every single finding, holds in each order of versions that
 *       does not break the promise elsewhere. So what holds is never said to be broken.
 *   X2  A promise that holds in the graph may still be broken where the order of versions is not
 *       all known: list_append.c and rw_register.c say for which histories it cannot.
 *   X3  Cycles of what was seen are told before those that need what is forced (rw_register.c),
 *       these before those that need real time. Of the last, one rw and real time is a stale read,
 *       one wr and real time a future read.
 *   X4  The verdict is the gravest anomaly (see `gravity`); of cycles the count is of strongly
 *       connected components, each counted under its gravest.
 */
#include "core/check/transactions/transactional.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

#define EFFORT_MAX UINT64_C(20000000)

/* From the gravest on. */
static const uint8_t gravity[] = {
    ANOMALY_GARBAGE,
    ANOMALY_DUPLICATE,
    ANOMALY_INCOMPATIBLE,
    ANOMALY_G1A,
    ANOMALY_G1B,
    ANOMALY_LOST_WRITE,
    ANOMALY_OWN_WRITES_SWAPPED,
    ANOMALY_INTERNAL,
    ANOMALY_G0,
    ANOMALY_G1C,
    ANOMALY_LOST_UPDATE,
    ANOMALY_G_SINGLE,
    ANOMALY_G_SI,
    ANOMALY_FUTURE,
    ANOMALY_STALE,
    ANOMALY_G2,
};

static unsigned place_of(enum anomaly anomaly)
{
    unsigned place = 0;
    while (place < sizeof gravity && gravity[place] != anomaly)
        place++;
    return place;
}

bool txn_found(struct txn_check *t, enum anomaly anomaly)
{
    return checking_broken(t->c, anomaly, place_of(anomaly) < place_of(t->c->verdict->anomaly));
}

/* --- who wrote what --- */

uint32_t writer_of(const struct txn_check *t, const struct writing *writing)
{
    if (!writing || writing->acts != 1)
        return NO_TXN;
    uint32_t txn = t->act_txn[writing->act];
    return t->committed[txn] ? txn : NO_TXN;
}

void value_seen(struct txn_check *t, uint32_t key, uint32_t value)
{
    for (;;) {
        struct writing *writing = written_find(&t->written, key, value);
        if (!writing || writing->seen)
            return;
        writing->seen = true;
        const struct history_act *act = &t->history->acts[writing->act];
        uint32_t txn = t->act_txn[writing->act];
        if (writing->acts != 1 || t->history->txns[txn].outcome == OUTCOME_FAILED)
            return;
        t->committed[txn] = true;
        if (act->code != ACT_CAS)
            return;
        value = act->args[0]; /* a cas that took effect saw this */
    }
}

bool value_sound(struct txn_check *t, uint32_t read, uint32_t value, const struct writing *writing)
{
    if (!writing)
        report_act(t, ANOMALY_GARBAGE, read, "Nobody wrote %s", history_text(t->history, value));
    else if (!writing->alive)
        report_read(t, ANOMALY_G1A, read, writing->act);
    return writing && writing->alive;
}

void txn_depend(struct txn_check *t, uint32_t from, uint32_t to, uint8_t kind, uint32_t why)
{
    if (kind == EDGE_RW && t->level == LEVEL_READ_COMMITTED)
        return;
    depend(&t->graph, &(struct dependency){from, to, kind, why});
}

/* --- the acts by key --- */

static void *array(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    INVARIANT(memory != NULL);
    return memory;
}

static bool counts(const struct txn_check *t, uint32_t act)
{
    const struct history_act *a = &t->history->acts[act];
    return t->history->txns[t->act_txn[act]].outcome != OUTCOME_FAILED && a->code != ACT_SYNC &&
           t->history->keys[a->key].model != MODEL_TREE;
}

static void sort_by_key(struct txn_check *t)
{
    const struct history *history = t->history;
    t->act_txn = array(history->act_count, sizeof *t->act_txn);
    t->key_first = array((size_t)history->key_count + 2, sizeof *t->key_first);
    t->key_acts = array(history->act_count, sizeof *t->key_acts);
    t->longest = array(history->key_count, sizeof *t->longest);
    t->place = array(history->act_count, sizeof *t->place);
    for (uint32_t act = 0; act < history->act_count; act++)
        t->place[act] = NO_PLACE;
    for (uint32_t i = 0; i < history->txn_count; i++)
        for (uint32_t act = 0; act < history->txns[i].count; act++)
            t->act_txn[history->txns[i].first + act] = i;
    for (uint32_t act = 0; act < history->act_count; act++)
        if (counts(t, act))
            t->key_first[history->acts[act].key + 2]++;
    for (uint32_t key = 0; key < history->key_count; key++)
        t->key_first[key + 2] += t->key_first[key + 1];
    for (uint32_t act = 0; act < history->act_count; act++)
        if (counts(t, act))
            t->key_acts[t->key_first[history->acts[act].key + 1]++] = act;
}

bool next_visit(const struct txn_check *t, uint32_t key, uint32_t *at, struct visit *visit)
{
    uint32_t end = t->key_first[key + 1];
    while (*at < end && !t->committed[t->act_txn[t->key_acts[*at]]])
        (*at)++;
    if (*at == end)
        return false;
    *visit =
        (struct visit){.txn = t->act_txn[t->key_acts[*at]], .acts = t->key_acts + *at, .count = 0};
    while (*at < end && t->act_txn[t->key_acts[*at]] == visit->txn) {
        (*at)++;
        visit->count++;
    }
    return true;
}

/* --- building the graph --- */

static void begin(struct txn_check *t, struct checking *c, enum level level)
{
    const struct history *history = c->history;
    *t = (struct txn_check){.c = c, .history = history, .level = level};
    t->committed = array(history->txn_count, sizeof *t->committed);
    for (uint32_t i = 0; i < history->txn_count; i++)
        t->committed[i] = history->txns[i].outcome == OUTCOME_DONE;
    sort_by_key(t);
    written_init(&t->written, history);
    dependencies_init(&t->graph, history->txn_count, c->limits.bytes);
}

static void end(struct txn_check *t)
{
    dependencies_free(&t->graph);
    written_free(&t->written);
    free(t->committed);
    free(t->act_txn);
    free(t->key_first);
    free(t->key_acts);
    free(t->longest);
    free(t->place);
}

static void observe(struct txn_check *t)
{
    for (uint32_t key = 0; key < t->history->key_count; key++) {
        switch (t->history->keys[key].model) {
        case MODEL_LIST:
            list_observe(t, key);
            break;
        case MODEL_SET:
            set_observe(t, key);
            break;
        case MODEL_REGISTER:
            register_observe(t, key);
            break;
        case MODEL_COUNTER:
            counter_check(t, key);
            break;
        default:
            break;
        }
    }
}

static void gather(struct txn_check *t)
{
    for (uint32_t key = 0; key < t->history->key_count; key++) {
        if (t->history->keys[key].model == MODEL_LIST)
            list_depend(t, key);
        else if (t->history->keys[key].model == MODEL_SET)
            set_depend(t, key);
    }
    registers_depend(t);
    if (t->level == LEVEL_STRICT)
        real_time_depend(t);
    dependencies_index(&t->graph);
}

/* --- cycles --- */

#define WW     KIND(EDGE_WW)
#define WR     KIND(EDGE_WR)
#define RW     KIND(EDGE_RW)
#define FORCED KIND(EDGE_WW_FORCED)
#define TIME   KIND(EDGE_REAL_TIME)
#define TIMED  (KIND(EDGE_WW_TIMED) | KIND(EDGE_RW_TIMED))

static const struct forbidden {
    enum anomaly anomaly;
    enum level level; /* forbidden from this level on */
    struct cycle_sort sort;
    unsigned also, also_rest; /* kinds that the sort may have besides; and its rest */
} forbidden[] = {
    {ANOMALY_G0, LEVEL_READ_COMMITTED, {WW, WW, WW, false, false}, TIME, TIME},
    {ANOMALY_G1C, LEVEL_READ_COMMITTED, {WW | WR, WR, WW | WR, false, false}, TIME, TIME},
    {ANOMALY_G_SINGLE,
     LEVEL_SNAPSHOT,
     {WW | WR | RW, RW | KIND(EDGE_RW_TIMED), WW | WR, true, true},
     FORCED | TIME | TIMED,
     FORCED | TIME | KIND(EDGE_WW_TIMED)},
    {ANOMALY_G_SINGLE,
     LEVEL_SNAPSHOT,
     {WW | WR, FORCED | KIND(EDGE_WW_TIMED), WW | WR, false, false},
     FORCED | TIME | KIND(EDGE_WW_TIMED),
     FORCED | TIME | KIND(EDGE_WW_TIMED)},
    {ANOMALY_G_SI,
     LEVEL_SNAPSHOT,
     {WW | WR | RW, RW | KIND(EDGE_RW_TIMED), WW | WR | RW, true, false},
     FORCED | TIME | TIMED,
     FORCED | TIME | TIMED},
    {ANOMALY_G2,
     LEVEL_SERIALISABLE,
     {WW | WR | RW, RW | KIND(EDGE_RW_TIMED), WW | WR | RW, false, false},
     FORCED | TIME | TIMED,
     FORCED | TIME | TIMED},
};

/* X3: what a cycle with real time is called. */
static enum anomaly name_in_time(const struct txn_check *t, enum anomaly anomaly,
                                 const struct cycle *cycle)
{
    bool timed = false;
    for (uint32_t i = 0; i < cycle->count; i++)
        timed |= ((TIME | TIMED) & KIND(t->graph.kind[cycle->edges[i]])) != 0;
    if (!timed || cycle->txns != 2)
        return anomaly;
    return anomaly == ANOMALY_G_SINGLE ? ANOMALY_STALE
           : anomaly == ANOMALY_G1C    ? ANOMALY_FUTURE
                                       : anomaly;
}

/* Counts the cycles of each sort, with those of the kinds `also` that it may have; true when there
 * are any. Tells of the gravest only while no cycles were found before. */
static bool find_sorts(struct txn_check *t, struct cycles *cycles, unsigned also, bool before)
{
    bool found = false;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        struct cycle_sort sort = forbidden[i].sort;
        struct cycle cycle = {0};
        sort.kinds |= also & forbidden[i].also;
        sort.rest |= also & forbidden[i].also_rest;
        sort.first &= sort.kinds;
        if (forbidden[i].level > t->level || !sort.first)
            continue;
        uint32_t count = cycles_find(cycles, &sort, &cycle);
        if (count) {
            enum anomaly anomaly = name_in_time(t, forbidden[i].anomaly, &cycle);
            if (!before && txn_found(t, anomaly))
                cycle_witness(t, anomaly, &cycle);
            t->c->verdict->anomalies[anomaly] += before ? count : count - 1;
            found = true;
        }
        cycle_free(&cycle);
    }
    return found;
}

static void find_cycles(struct txn_check *t)
{
    uint64_t effort = t->c->limits.steps < EFFORT_MAX ? t->c->limits.steps : EFFORT_MAX;
    struct cycles *cycles = cycles_new(&t->graph, effort);
    unsigned all = t->level == LEVEL_READ_COMMITTED ? WW | WR : WW | WR | RW | FORCED;
    if (t->level == LEVEL_STRICT)
        all |= TIME | TIMED;
    if (cycles_any(cycles, all, t->level == LEVEL_SNAPSHOT)) {
        bool found = find_sorts(t, cycles, 0, false);
        found |= find_sorts(t, cycles, FORCED & all, found);
        find_sorts(t, cycles, (FORCED | TIME | TIMED) & all, found);
        INVARIANT(t->c->verdict->result == CHECK_BROKEN);
    }
    cycles_free(cycles);
}

static void check_level(struct checking *c, enum level level)
{
    struct txn_check t;
    begin(&t, c, level);
    observe(&t);
    gather(&t);
    find_cycles(&t);
    if (t.graph.over)
        checking_undecided(c,
                           "The dependencies of the transactions take more memory than the limit "
                           "of %llu bytes; no cycle was found among those that were looked at.",
                           (unsigned long long)c->limits.bytes);
    end(&t);
}

void check_strict_serialisable(struct checking *c)
{
    check_level(c, LEVEL_STRICT);
}

void check_serialisable(struct checking *c)
{
    check_level(c, LEVEL_SERIALISABLE);
}

void check_snapshot_isolation(struct checking *c)
{
    check_level(c, LEVEL_SNAPSHOT);
}

void check_read_committed(struct checking *c)
{
    check_level(c, LEVEL_READ_COMMITTED);
}
