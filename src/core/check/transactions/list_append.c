/* SPDX-License-Identifier: MIT
 *
 * list_append.c: what lists to which one appends say about the order of transactions.
 *
 * After Kingsbury and Alvaro 2020 ("Elle: Inferring Isolation Anomalies from Experimental
 * Observations"), section 4: nothing is ever taken out of a list, so each read shows not only a
 * version but, in order, all versions before it.
 *
 * Definitions
 *   version    of a list: what a transaction left of it. Its length is its place in the order
 *   longest    the longest read of the list by a transaction that is done
 *   outside    of a read: what was there before the transaction's own appends
 *
 * Law
 *   L1  Every read is a beginning of the longest (else: incompatible order); of what a transaction
 *       itself appended to it before, it ends with exactly that (else: internal).
 *   L2  ww: from the writer of each place of the longest to that of the next one. Places whose
 *       writer is not known (several wrote that value) are passed over: the order across them holds
 *       all the same.
 *   L3  An append that committed and is not in the longest comes behind all that is: ww from the
 *       last writer. In which order several such stand is not inferred.
 *   L4  wr: from the last known writer of what was read from outside. rw: to the next known writer
 *       behind it; if there is none, to all of L3.
 *   L5  Two transactions that both read one version, and then both appended, lost an update. Of
 *       several that read the longest and appended something of L3 the rw edges of two are enough:
 *       they already make a cycle.
 *   L6  What one transaction appends is in the list in its order, with nothing left out between.
 *
 * What that is complete for, when the appended values are unique
 *   Read committed, serialisable and strict: always. A topological order of the graph is also an
 *   order for the appends of L3. Snapshot isolation: when of each list at most one transaction
 *   appended something of L3, so that the order of versions is known; a last transaction that reads
 *   all lists makes it so. Else the order of two appends that nobody saw can matter: each could
 *   have missed what the other one saw.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/check/transactions/transactional.h"

struct list {
    struct txn_check *t;
    uint32_t key, read; /* read: the act of the longest, or NO_ACT */
    const uint32_t *values;
    uint32_t count;
    uint32_t *writer;   /* of each place; NO_TXN: not known */
    uint32_t *act;      /* the append, where the writer is known */
    uint32_t *previous; /* the last place before this one with a known writer, plus 1; 0: none */
    uint32_t *next;     /* the first place from this one on with a known writer; count: none */
    uint32_t *update;   /* of each length: the read of a transaction that then appended, NO_ACT */
    uint32_t *tail, tail_count;        /* the appends of L3 */
    uint32_t *readers, reader_count;   /* transactions that read all known versions */
    uint32_t *updaters, updater_count; /* and that are in the tail too */
    bool odd;                          /* a place without a sound value was told */
};

/* What a transaction did to the list up to one of its reads. */
struct own {
    uint32_t txn, count;    /* how many values it appended */
    uint32_t outside, read; /* the length of the first read from outside, and its act or NO_ACT */
    uint32_t append;        /* its last append with a known writer, or NO_ACT */
    uint32_t furthest;      /* the length of its longest read so far */
};

static const struct history_act *act_at(const struct txn_check *t, uint32_t act)
{
    return &t->history->acts[act];
}

static bool is_read(const struct history_act *act)
{
    return act->code == ACT_READ && act->known && !act->fault;
}

static bool begins_with(const struct history *history, const struct history_act *longer,
                        const struct history_act *act)
{
    return act->count <= longer->count &&
           (act->list == longer->list || act->count == 0 ||
            memcmp(history->pool + act->list, history->pool + longer->list,
                   act->count * sizeof *history->pool) == 0);
}

/* L1: two reads of one list that do not agree on its beginning. */
static void report_order(struct txn_check *t, uint32_t read, uint32_t longest)
{
    const uint32_t *a = t->history->pool + act_at(t, read)->list;
    const uint32_t *b = t->history->pool + act_at(t, longest)->list;
    uint32_t place = 0;
    while (a[place] == b[place])
        place++;
    report_acts(t, ANOMALY_INCOMPATIBLE, (const uint32_t[]){read, longest},
                "Both show one list, and differ from place %u on: %s and %s", place + 1,
                history_text(t->history, a[place]), history_text(t->history, b[place]));
}

void list_observe(struct txn_check *t, uint32_t key)
{
    const struct history *history = t->history;
    uint32_t longest = NO_ACT, begin = t->key_first[key], end = t->key_first[key + 1];
    for (uint32_t i = begin; i < end; i++) {
        const struct history_act *act = act_at(t, t->key_acts[i]);
        if (is_read(act) && (longest == NO_ACT || act->count > act_at(t, longest)->count))
            longest = t->key_acts[i];
    }
    t->longest[key] = longest;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t number = t->key_acts[i];
        const struct history_act *act = act_at(t, number);
        bool odd = number == longest;
        if (is_read(act) && !odd && !begins_with(history, act_at(t, longest), act)) {
            report_order(t, number, longest);
            odd = true;
        }
        for (uint32_t at = 0; odd && is_read(act) && at < act->count; at++)
            value_seen(t, key, history->pool[act->list + at]);
    }
}

/* --- the versions --- */

static uint32_t *numbers(uint32_t count)
{
    uint32_t *array = malloc((count + 1) * sizeof *array);
    INVARIANT(array != NULL);
    return array;
}

/* The first read, in the order of the history, that shows this place of the longest. */
static uint32_t first_to_show(const struct list *list, uint32_t place)
{
    const struct txn_check *t = list->t;
    for (uint32_t i = t->key_first[list->key]; i < t->key_first[list->key + 1]; i++) {
        const struct history_act *act = act_at(t, t->key_acts[i]);
        if (is_read(act) && act->count > place && t->committed[t->act_txn[t->key_acts[i]]] &&
            t->history->pool[act->list + place] == list->values[place])
            return t->key_acts[i];
    }
    return list->read;
}

static void place_writer(struct list *list, uint32_t place)
{
    struct txn_check *t = list->t;
    uint32_t value = list->values[place];
    struct writing *writing = written_find(&t->written, list->key, value);
    list->writer[place] = NO_TXN;
    if (!writing || !writing->alive) {
        value_sound(t, list->odd ? list->read : first_to_show(list, place), value, writing);
        list->odd = true;
        return;
    }
    if (writing->shown < COUNT_FULL)
        writing->shown++;
    if (writing->shown > writing->alive && writing->alive < COUNT_FULL)
        report_act(t, ANOMALY_DUPLICATE, list->read,
                   "It shows %s %u times; it was appended %u times",
                   history_text(t->history, value), writing->shown, writing->alive);
    if (writing->shown == 1) {
        list->writer[place] = writer_of(t, writing);
        list->act[place] = writing->act;
        t->place[writing->act] = place;
    }
}

static void order_versions(struct list *list)
{
    uint32_t last = NO_TXN;
    for (uint32_t place = 0; place < list->count; place++) {
        place_writer(list, place);
        list->previous[place + 1] =
            list->writer[place] == NO_TXN ? (place ? list->previous[place] : 0) : place + 1;
        if (list->writer[place] == NO_TXN)
            continue;
        if (last != NO_TXN)
            txn_depend(list->t, last, list->writer[place], EDGE_WW, list->act[place]);
        last = list->writer[place];
    }
    list->next[list->count] = list->count;
    for (uint32_t place = list->count; place-- > 0;)
        list->next[place] = list->writer[place] == NO_TXN ? list->next[place + 1] : place;
}

/* --- the reads of one transaction --- */

/* L1: the read ends with what its transaction appended itself, and had the same before it. */
static bool read_own(struct list *list, const struct visit *visit, uint32_t index, struct own *own)
{
    struct txn_check *t = list->t;
    uint32_t number = visit->acts[index], at = index, left = own->count;
    const struct history_act *read = act_at(t, number);
    const uint32_t *values = t->history->pool + read->list;
    bool all = read->count >= left;
    while (all && left > 0) {
        uint32_t value;
        if (act_writes(act_at(t, visit->acts[--at]), &value))
            all = values[read->count - (own->count - left--) - 1] == value;
    }
    if (!all)
        report_act(t, ANOMALY_INTERNAL, number,
                   "It does not end with what the transaction itself had appended before");
    return all;
}

/* L1, last part: two reads of one transaction show the same from outside, unless only committed
 * states are promised. */
static void read_again(struct list *list, uint32_t read, uint32_t outside, struct own *own)
{
    if (own->read == NO_ACT) {
        own->read = read;
        own->outside = outside;
    } else if (own->outside != outside && list->t->level > LEVEL_READ_COMMITTED) {
        report_acts(list->t, ANOMALY_INTERNAL, (const uint32_t[]){own->read, read},
                    "One transaction saw two states of the list, and changed it not so itself");
    }
}

/* The last act of a transaction that appends to the list. */
static uint32_t last_append(const struct txn_check *t, uint32_t txn, uint32_t key)
{
    const struct history_txn *of = &t->history->txns[txn];
    uint32_t value;
    for (uint32_t act = of->first + of->count; act-- > of->first;)
        if (act_at(t, act)->key == key && act_writes(act_at(t, act), &value))
            return act;
    return NO_ACT;
}

/* L4, of a read of `outside` values that its transaction did not append. */
static void read_outside(struct list *list, uint32_t read, uint32_t outside, const struct own *own)
{
    struct txn_check *t = list->t;
    uint32_t last = outside ? list->previous[outside] : 0, next = list->next[outside];
    if (last) {
        uint32_t writer = list->writer[last - 1];
        txn_depend(t, writer, own->txn, EDGE_WR, read);
        if (last == outside && writer != own->txn &&
            list->act[last - 1] != last_append(t, writer, list->key))
            report_read(t, ANOMALY_G1B, read, list->act[last - 1]);
    }
    if (own->count)
        return; /* what comes behind its own appends is behind by ww */
    if (next < list->count) {
        txn_depend(t, own->txn, list->writer[next], EDGE_RW, list->act[next]);
    } else if (!list->reader_count || list->readers[list->reader_count - 1] != own->txn) {
        list->readers[list->reader_count++] = own->txn;
    }
}

static void visit_read(struct list *list, const struct visit *visit, uint32_t index,
                       struct own *own)
{
    const struct txn_check *t = list->t;
    uint32_t number = visit->acts[index];
    const struct history_act *read = act_at(t, number);
    if (!read_own(list, visit, index, own))
        return;
    if (!begins_with(t->history, act_at(t, list->read), read))
        return; /* reported by list_observe */
    if (read->count > own->furthest)
        own->furthest = read->count;
    read_again(list, number, read->count - own->count, own);
    read_outside(list, number, read->count - own->count, own);
}

/* L6: the append comes behind the one that its transaction made before it. */
static void follow_own(const struct list *list, uint32_t number, const struct own *own)
{
    struct txn_check *t = list->t;
    uint32_t place = t->place[number], before = own->append;
    if (before == NO_ACT || place == NO_PLACE ||
        (t->place[before] != NO_PLACE && t->place[before] < place))
        return;
    const char *value = history_text(t->history, act_at(t, number)->args[0]);
    const char *missed = history_text(t->history, act_at(t, before)->args[0]);
    if (t->place[before] == NO_PLACE)
        report_acts(t, ANOMALY_LOST_WRITE, (const uint32_t[]){number, list->read},
                    "It shows %s, and not %s, which the same transaction had appended before",
                    value, missed);
    else
        report_acts(t, ANOMALY_OWN_WRITES_SWAPPED, (const uint32_t[]){number, list->read},
                    "It shows %s before %s, which the same transaction had appended before", value,
                    missed);
}

static void visit_append(struct list *list, uint32_t number, struct own *own)
{
    struct txn_check *t = list->t;
    struct writing *writing = written_find(&t->written, list->key, act_at(t, number)->args[0]);
    own->count++;
    if (writer_of(t, writing) == NO_TXN)
        return;
    follow_own(list, number, own);
    own->append = number;
    if (!writing->shown)
        list->tail[list->tail_count++] = number;
    else if (t->place[number] < own->furthest)
        report_act(t, ANOMALY_INTERNAL, number,
                   "The transaction had seen this before it appended it");
}

/* --- behind the longest --- */

static bool in_tail(const struct list *list, const struct visit *visit, uint32_t tail_before)
{
    return list->tail_count > tail_before &&
           list->t->act_txn[list->tail[list->tail_count - 1]] == visit->txn;
}

/* L5, when all of a transaction's acts were visited. */
static void lost_update(struct list *list, const struct own *own)
{
    if (own->read == NO_ACT || !own->count)
        return;
    uint32_t *other = &list->update[own->outside];
    if (*other == NO_ACT)
        *other = own->read;
    else if (list->t->level > LEVEL_READ_COMMITTED)
        report_acts(list->t, ANOMALY_LOST_UPDATE, (const uint32_t[]){*other, own->read},
                    "Both transactions read this version of the list, and both appended to it");
}

/* L3, L4: the appends behind the longest, and the reads that missed all of them. */
static void order_tail(struct list *list)
{
    struct txn_check *t = list->t;
    uint32_t last = list->count ? list->previous[list->count] : 0;
    if (!list->tail_count)
        return;
    for (uint32_t i = 0; last && i < list->tail_count; i++)
        txn_depend(t, list->writer[last - 1], t->act_txn[list->tail[i]], EDGE_WW, list->tail[i]);
    for (uint32_t i = 0; i < list->updater_count && i < 2; i++)
        for (uint32_t j = 0; j < list->tail_count; j++)
            txn_depend(t, list->updaters[i], t->act_txn[list->tail[j]], EDGE_RW, list->tail[j]);
    if (!list->reader_count)
        return;
    uint32_t relay = dependencies_relay(&t->graph);
    for (uint32_t i = 0; i < list->reader_count; i++)
        txn_depend(t, list->readers[i], relay, EDGE_RW, NO_ACT);
    for (uint32_t j = 0; j < list->tail_count; j++)
        depend(&t->graph,
               &(struct dependency){relay, t->act_txn[list->tail[j]], EDGE_NONE, list->tail[j]});
}

static void visit_list(struct list *list, const struct visit *visit)
{
    struct own own = {.txn = visit->txn, .read = NO_ACT, .append = NO_ACT};
    uint32_t tail_before = list->tail_count, readers_before = list->reader_count;
    for (uint32_t i = 0; i < visit->count; i++) {
        const struct history_act *act = act_at(list->t, visit->acts[i]);
        if (is_read(act))
            visit_read(list, visit, i, &own);
        else if (act->code == ACT_APPEND && !act->fault)
            visit_append(list, visit->acts[i], &own);
    }
    lost_update(list, &own);
    if (list->reader_count > readers_before && in_tail(list, visit, tail_before)) {
        list->reader_count--; /* it would miss its own append */
        list->updaters[list->updater_count++] = visit->txn;
    }
}

void list_depend(struct txn_check *t, uint32_t key)
{
    struct list list = {.t = t, .key = key, .read = t->longest[key]};
    uint32_t acts = t->key_first[key + 1] - t->key_first[key], at = t->key_first[key];
    struct visit visit;
    if (list.read != NO_ACT) {
        list.count = act_at(t, list.read)->count;
        list.values = t->history->pool + act_at(t, list.read)->list;
    }
    list.writer = numbers(list.count);
    list.act = numbers(list.count);
    list.previous = numbers(list.count);
    list.next = numbers(list.count);
    list.update = numbers(list.count);
    for (uint32_t i = 0; i <= list.count; i++)
        list.update[i] = NO_ACT;
    list.tail = numbers(acts);
    list.readers = numbers(acts);
    list.updaters = numbers(acts);
    order_versions(&list);
    while (next_visit(t, key, &at, &visit))
        visit_list(&list, &visit);
    order_tail(&list);
    uint32_t *arrays[] = {list.writer, list.act,  list.previous, list.next,
                          list.update, list.tail, list.readers,  list.updaters};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
}
