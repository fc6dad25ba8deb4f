/* SPDX-License-Identifier: MIT
 *
 * anomaly.c: what a witness without serialisation is called.
 *
 * Law. `r` is a read of the witness, in the whole history (failed transactions aside):
 *   GARBAGE       r shows a value that nobody wrote
 *   DUPLICATE     r shows a value more often than it was appended; a counter above all increments
 *   FUTURE        r shows what began only after r had ended (real time)
 *   INCOMPATIBLE  two lists, neither of which begins with the other (without crashes)
 *   STALE         a write had ended before r began, is not in its answer, and all that may have
 *                 written what r shows had ended before that write began (real time; no crash in
 *                 between)
 *   LOST_WRITE    the same, and nobody ever saw that write
 *   NO_ORDER      anything else
 */
#include <string.h>

#include "core/check/search/blame.h"

struct tally {
    uint32_t all, early; /* writers of a value; those that began before the read had ended */
};

static bool writes_value(const struct history_act *act, uint32_t value)
{
    if (act->known && act->fault)
        return false;
    switch (act->code) {
    case ACT_WRITE:
    case ACT_APPEND:
    case ACT_ADD:
        return act->args[0] == value;
    case ACT_CAS:
    case ACT_PUT:
        return act->args[1] == value;
    default:
        return false;
    }
}

static struct tally tally_writers(const struct history *history, const struct history_act *read,
                                  uint64_t ended, uint32_t value)
{
    struct tally tally = {0, 0};
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        for (uint32_t j = 0; j < txn->count && txn->outcome != OUTCOME_FAILED; j++) {
            const struct history_act *act = history_act(history, txn, j);
            if (act->key != read->key || !writes_value(act, value))
                continue;
            if (act->code == ACT_PUT && act->args[0] != read->args[0])
                continue;
            tally.all++;
            tally.early += txn->began < ended;
        }
    }
    return tally;
}

static uint32_t times_in(const struct history *history, const struct history_act *read,
                         uint32_t value)
{
    uint32_t times = 0;
    for (uint32_t i = 0; i < read->count; i++)
        times += history->pool[read->list + i] == value;
    return times;
}

/* How often the answer shows a value. */
static uint32_t shown(const struct history *history, const struct history_act *read, uint32_t value)
{
    uint8_t model = history->keys[read->key].model;
    if (model == MODEL_LIST)
        return times_in(history, read, value);
    if (model == MODEL_SET)
        return times_in(history, read, value) > 0;
    return read->value == value;
}

struct reading {
    const struct culprits *k;
    const struct history *history;
    uint32_t txn;
    const struct history_act *act;
    const char *note;
};

static enum anomaly judge_value(struct reading *r, uint32_t value)
{
    const struct history_txn *txn = &r->history->txns[r->txn];
    bool real_time = r->k->question->order == ORDER_REAL_TIME;
    const char *text = history_text(r->history, value);
    uint32_t times = shown(r->history, r->act, value);
    bool counts = r->history->keys[r->act->key].model == MODEL_LIST;
    struct tally tally = tally_writers(r->history, r->act, txn->ended, value);
    if (tally.all == 0) {
        r->note = checking_print(r->k->c, "nobody wrote %s", text);
        return ANOMALY_GARBAGE;
    }
    if (counts && times > tally.all) {
        r->note = checking_print(r->k->c, "%s was appended %u times", text, tally.all);
        return ANOMALY_DUPLICATE;
    }
    if (real_time && (counts ? times : 1) > tally.early) {
        r->note = checking_print(r->k->c, "%s was written only after this had ended", text);
        return ANOMALY_FUTURE;
    }
    return ANOMALY_NONE;
}

static enum anomaly judge_shown(struct reading *r)
{
    uint8_t model = r->history->keys[r->act->key].model;
    enum anomaly found = ANOMALY_NONE;
    if ((model == MODEL_REGISTER || r->act->code == ACT_GET) && r->act->value != VALUE_NONE)
        return judge_value(r, r->act->value);
    if (model == MODEL_LIST || model == MODEL_SET)
        for (uint32_t i = 0; i < r->act->count && found == ANOMALY_NONE; i++)
            found = judge_value(r, r->history->pool[r->act->list + i]);
    return found;
}

/* --- counters --- */

struct sums {
    int64_t all, early, before; /* of increments: all; begun before the read ended; ended before */
    int64_t highest;            /* that any read shows */
    bool down;                  /* some are negative */
};

static void add_sums(const struct history *history, const struct history_txn *txn,
                     const struct reading *r, struct sums *sums)
{
    const struct history_txn *read = &history->txns[r->txn];
    for (uint32_t j = 0; j < txn->count; j++) {
        const struct history_act *act = history_act(history, txn, j);
        int64_t number = 0;
        if (act->key != r->act->key || (act->known && act->fault))
            continue;
        if (act->code == ACT_READ && act->known && history_integer(history, act->value, &number) &&
            number > sums->highest)
            sums->highest = number;
        if (act->code != ACT_INCREMENT || !history_integer(history, act->args[0], &number))
            continue;
        sums->all += number;
        sums->early += txn->began < read->ended ? number : 0;
        sums->before += txn->ended < read->began ? number : 0;
        sums->down = sums->down || number < 0;
    }
}

static enum anomaly judge_counter(struct reading *r)
{
    struct sums sums = {0};
    int64_t number;
    bool real_time = r->k->question->order == ORDER_REAL_TIME;
    if (!history_integer(r->history, r->act->value, &number)) {
        r->note = "that is no number";
        return ANOMALY_GARBAGE;
    }
    for (uint32_t i = 0; i < r->history->txn_count; i++)
        if (r->history->txns[i].outcome != OUTCOME_FAILED)
            add_sums(r->history, &r->history->txns[i], r, &sums);
    if (sums.down)
        return ANOMALY_NONE;
    if (number > sums.all) {
        r->note = checking_print(r->k->c, "all increments together are %lld", (long long)sums.all);
        return ANOMALY_DUPLICATE;
    }
    if (real_time && number > sums.early) {
        r->note = checking_print(r->k->c, "increments of only %lld had begun before this ended",
                                 (long long)sums.early);
        return ANOMALY_FUTURE;
    }
    if (!real_time || number >= sums.before)
        return ANOMALY_NONE;
    r->note = checking_print(r->k->c, "increments of %lld had ended before this began",
                             (long long)sums.before);
    return sums.highest >= sums.before ? ANOMALY_STALE : ANOMALY_LOST_WRITE;
}

/* --- what was missed --- */

static bool anybody_saw(const struct history *history, const struct history_act *write,
                        uint32_t value)
{
    for (uint32_t i = 0; i < history->act_count; i++) {
        const struct history_act *act = &history->acts[i];
        if (act->key != write->key || !act->known || act->fault)
            continue;
        if (act->code == ACT_CAS && act->args[0] == value)
            return true;
        if ((act->code == ACT_READ || (act->code == ACT_GET && act->args[0] == write->args[0])) &&
            shown(history, act, value))
            return true;
    }
    return false;
}

static uint32_t value_written(const struct history_act *act)
{
    return act->code == ACT_CAS || act->code == ACT_PUT ? act->args[1] : act->args[0];
}

/* Whether no crash lies between: it could have taken the write. */
static bool same_era(const struct reading *r, const struct history_txn *write)
{
    const struct eras *eras = r->k->question->eras;
    for (uint32_t i = 0; eras && i + 1 < eras->count; i++)
        if (write->began < eras->crashes[i] && eras->crashes[i] < r->history->txns[r->txn].ended)
            return false;
    return true;
}

static bool same_object(const struct history_act *read, const struct history_act *write)
{
    return read->key == write->key &&
           (write->code != ACT_PUT || (read->code == ACT_GET && read->args[0] == write->args[0]));
}

/* The write that began last of those that had ended before the read began and are not in its
 * answer; UINT32_MAX when there is none. */
static uint32_t last_missed(const struct reading *r, const struct history_act **act)
{
    const struct history *history = r->history;
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < r->txn; i++) {
        const struct history_txn *txn = &history->txns[i];
        if (txn->outcome != OUTCOME_DONE || txn->ended >= history->txns[r->txn].began ||
            !same_era(r, txn))
            continue;
        for (uint32_t j = 0; j < txn->count; j++) {
            const struct history_act *write = history_act(history, txn, j);
            uint32_t value = value_written(write);
            if (!same_object(r->act, write) || !writes_value(write, value) ||
                shown(history, r->act, value))
                continue;
            last = i;
            *act = write;
        }
    }
    return last;
}

/* Whether what the read shows may have been written after that transaction had begun. */
static bool may_be_newer(const struct reading *r, uint32_t than)
{
    uint8_t model = r->history->keys[r->act->key].model;
    if (model == MODEL_LIST || model == MODEL_SET || r->act->value == VALUE_NONE)
        return false;
    for (uint32_t i = 0; i < r->history->txn_count; i++) {
        const struct history_txn *txn = &r->history->txns[i];
        for (uint32_t j = 0; j < txn->count && txn->outcome != OUTCOME_FAILED; j++) {
            const struct history_act *act = history_act(r->history, txn, j);
            if (same_object(r->act, act) && writes_value(act, r->act->value) &&
                txn->ended > r->history->txns[than].began)
                return true;
        }
    }
    return false;
}

static enum anomaly judge_missed(struct reading *r)
{
    const struct history_act *write = NULL;
    uint32_t missed = last_missed(r, &write);
    if (missed == UINT32_MAX || may_be_newer(r, missed))
        return ANOMALY_NONE;
    uint32_t value = value_written(write);
    bool seen = anybody_saw(r->history, write, value);
    r->note = checking_print(r->k->c, "%s had been written before, and %s",
                             history_text(r->history, value),
                             seen ? "is missing here" : "nobody ever saw it");
    return seen ? ANOMALY_STALE : ANOMALY_LOST_WRITE;
}

static bool begins_with(const struct history *history, const struct history_act *a,
                        const struct history_act *b)
{
    uint32_t count = a->count < b->count ? a->count : b->count;
    return !count || memcmp(history->pool + a->list, history->pool + b->list,
                            count * sizeof *history->pool) == 0;
}

/* --- the name --- */

static enum anomaly judge(struct reading *r, const struct history_act **list)
{
    uint8_t model = r->history->keys[r->act->key].model;
    bool real_time = r->k->question->order == ORDER_REAL_TIME;
    if (model == MODEL_COUNTER)
        return judge_counter(r);
    enum anomaly found = judge_shown(r);
    if (found == ANOMALY_NONE && model == MODEL_LIST) {
        if (!r->k->question->eras && *list && (*list)->key == r->act->key &&
            !begins_with(r->history, *list, r->act))
            return ANOMALY_INCOMPATIBLE;
        *list = r->act;
    }
    if (found == ANOMALY_NONE && real_time)
        found = judge_missed(r);
    return found;
}

static bool is_read(const struct history_act *act)
{
    return act->known && !act->fault && (act->code == ACT_READ || act->code == ACT_GET);
}

enum anomaly anomaly_of(const struct culprits *k, uint32_t *which, const char **note)
{
    const struct history *history = k->c->history;
    const struct history_act *list = NULL;
    for (uint32_t i = 0; i < k->count && i < 64; i++) {
        const struct history_txn *txn = &history->txns[k->txns[i]];
        for (uint32_t j = 0; j < txn->count; j++) {
            struct reading r = {k, history, k->txns[i], history_act(history, txn, j), NULL};
            enum anomaly found = is_read(r.act) ? judge(&r, &list) : ANOMALY_NONE;
            if (found == ANOMALY_NONE)
                continue;
            *which = r.txn;
            *note = r.note;
            return found;
        }
    }
    return ANOMALY_NO_ORDER;
}
