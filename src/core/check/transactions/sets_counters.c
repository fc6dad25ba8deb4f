/* SPDX-License-Identifier: MIT
 *
 * sets_counters.c: what sets and counters say about the order of transactions.
 *
 * After Kingsbury and Alvaro 2020, section 3: adds commute, so a set has no order of versions; but
 * nothing is taken out, so a read tells of every value whether its add came before or after.
 *
 * Law
 *   S1  wr: from the adder of each value that a read shows, when only one act added it. rw: to the
 *       adder of each value that it does not show. No ww.
 *   S2  A read shows what its own transaction added before (else: internal), and nothing twice.
 *   S3  Increments cannot be told apart. A counter only shows a number that some of the increments
 *       that did not fail can make (else: garbage): nothing else is inferred from it.
 */
#include <stdlib.h>

#include "core/base/assert.h"
#include "core/check/transactions/transactional.h"

static const struct history_act *act_at(const struct txn_check *t, uint32_t act)
{
    return &t->history->acts[act];
}

static bool is_read(const struct history_act *act)
{
    return act->code == ACT_READ && act->known && !act->fault;
}

void set_observe(struct txn_check *t, uint32_t key)
{
    for (uint32_t i = t->key_first[key]; i < t->key_first[key + 1]; i++) {
        const struct history_act *act = act_at(t, t->key_acts[i]);
        for (uint32_t at = 0; is_read(act) && at < act->count; at++)
            value_seen(t, key, t->history->pool[act->list + at]);
    }
}

/* The committed adds of a set; `shown`: the last read that shows its value. */
struct adds {
    uint32_t *act, *shown, count;
};

static uint32_t add_of(const struct adds *adds, uint32_t act)
{
    uint32_t low = 0, high = adds->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (adds->act[middle] < act)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* S2, second part. */
static void shown_once(struct txn_check *t, uint32_t read)
{
    const struct history_act *act = act_at(t, read);
    uint32_t *values = malloc((act->count + 1) * sizeof *values);
    INVARIANT(values != NULL);
    for (uint32_t i = 0; i < act->count; i++)
        values[i] = t->history->pool[act->list + i];
    qsort(values, act->count, sizeof *values, by_number);
    for (uint32_t i = 1; i < act->count; i++)
        if (values[i] == values[i - 1]) {
            report_act(t, ANOMALY_DUPLICATE, read, "A set shows %s twice",
                       history_text(t->history, values[i]));
            break;
        }
    free(values);
}

static void set_read(struct txn_check *t, struct adds *adds, uint32_t read)
{
    const struct history_act *act = act_at(t, read);
    uint32_t txn = t->act_txn[read];
    shown_once(t, read);
    for (uint32_t i = 0; i < act->count; i++) {
        uint32_t value = t->history->pool[act->list + i];
        struct writing *writing = written_find(&t->written, act->key, value);
        if (!value_sound(t, read, value, writing) || writer_of(t, writing) == NO_TXN)
            continue;
        uint32_t add = add_of(adds, writing->act);
        INVARIANT(add < adds->count && adds->act[add] == writing->act);
        adds->shown[add] = read;
        if (writer_of(t, writing) == txn && writing->act > read)
            report_act(t, ANOMALY_INTERNAL, read, "The transaction saw %s before it added it",
                       history_text(t->history, value));
        txn_depend(t, writer_of(t, writing), txn, EDGE_WR, read);
    }
    for (uint32_t add = 0; add < adds->count; add++) {
        uint32_t adder = t->act_txn[adds->act[add]];
        if (adds->shown[add] == read)
            continue;
        if (adder == txn && adds->act[add] < read)
            report_act(t, ANOMALY_INTERNAL, read,
                       "It does not show %s, which the transaction itself had added before",
                       history_text(t->history, act_at(t, adds->act[add])->args[0]));
        txn_depend(t, txn, adder, EDGE_RW, adds->act[add]);
    }
}

void set_depend(struct txn_check *t, uint32_t key)
{
    struct adds adds = {0};
    uint32_t acts = t->key_first[key + 1] - t->key_first[key], at = t->key_first[key];
    struct visit visit;
    adds.act = malloc((acts + 1) * sizeof *adds.act);
    adds.shown = malloc((acts + 1) * sizeof *adds.shown);
    INVARIANT(adds.act != NULL && adds.shown != NULL);
    while (next_visit(t, key, &at, &visit))
        for (uint32_t i = 0; i < visit.count; i++) {
            const struct history_act *act = act_at(t, visit.acts[i]);
            if (act->code != ACT_ADD || act->fault ||
                writer_of(t, written_find(&t->written, key, act->args[0])) == NO_TXN)
                continue;
            adds.shown[adds.count] = NO_ACT;
            adds.act[adds.count++] = visit.acts[i];
        }
    at = t->key_first[key];
    while (next_visit(t, key, &at, &visit))
        for (uint32_t i = 0; i < visit.count && !t->graph.over; i++)
            if (is_read(act_at(t, visit.acts[i])))
                set_read(t, &adds, visit.acts[i]);
    free(adds.act);
    free(adds.shown);
}

void counter_check(struct txn_check *t, uint32_t key)
{
    int64_t low = 0, high = 0, number;
    for (uint32_t i = t->key_first[key]; i < t->key_first[key + 1]; i++) {
        const struct history_act *act = act_at(t, t->key_acts[i]);
        if (act->code != ACT_INCREMENT || act->fault)
            continue;
        if (!history_integer(t->history, act->args[0], &number))
            return; /* nobody knows what it adds */
        int64_t *side = number < 0 ? &low : &high;
        if (__builtin_add_overflow(*side, number, side))
            return;
    }
    for (uint32_t i = t->key_first[key]; i < t->key_first[key + 1]; i++) {
        const struct history_act *act = act_at(t, t->key_acts[i]);
        if (!is_read(act) || act->value == VALUE_NONE)
            continue;
        if (!history_integer(t->history, act->value, &number) || number < low || number > high)
            report_act(t, ANOMALY_GARBAGE, t->key_acts[i],
                       "The increments can only make a number from %lld to %lld", (long long)low,
                       (long long)high);
    }
}
