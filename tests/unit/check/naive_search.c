/* SPDX-License-Identifier: MIT
 *
 * naive_search.c: the definitions, word for word.
 *
 * Durability is judged for each key by itself, as the promise says; histories whose transactions
 * use several keys have to have one key only.
 */
#include "naive_search.h"

#include "naive_model.h"

#define MAX_TXNS 32u

struct trial {
    struct history *history;
    enum promise promise;
    uint32_t session; /* PRAM: whose view */
    uint32_t key;     /* durability: the key; else UINT32_MAX */
};

static bool is_optional(const struct history_txn *txn)
{
    return txn->outcome == OUTCOME_UNKNOWN;
}

/* Whether `a` must come before `b` when both are there. */
static bool comes_before(const struct trial *t, uint32_t a, uint32_t b)
{
    const struct history_txn *x = &t->history->txns[a], *y = &t->history->txns[b];
    if (t->promise == PROMISE_SEQUENTIAL || t->promise == PROMISE_PRAM)
        return x->session == y->session && a < b;
    return x->ended < y->began;
}

static bool apply_act(const struct trial *t, const struct history_txn *txn,
                      const struct history_act *act, struct naive_state *state)
{
    bool checked = txn->outcome == OUTCOME_DONE;
    if (t->key != UINT32_MAX && act->code != ACT_SYNC && act->key != t->key)
        return true;
    if (t->promise == PROMISE_PRAM && txn->session != t->session) {
        struct history_act effect = *act;
        if (checked && act->fault)
            return true; /* was refused: no change */
        if (checked && act->code == ACT_CAS) {
            effect.code = ACT_WRITE;
            effect.args[0] = act->args[1];
        }
        return naive_apply(t->history, &effect, false, state);
    }
    return naive_apply(t->history, act, checked, state);
}

static bool apply_txn(const struct trial *t, uint32_t number, struct naive_state *state)
{
    const struct history_txn *txn = &t->history->txns[number];
    for (uint32_t i = 0; i < txn->count; i++)
        if (!apply_act(t, txn, history_act(t->history, txn, i), state))
            return false;
    return true;
}

/* Whether `number` may be the next: all that must come before it is placed. One that may be left
 * out need not be waited for: but then it never comes. `placed` has it when it was passed over. */
static bool may_be_next(const struct trial *t, uint32_t number, uint32_t placed, uint32_t all)
{
    if (placed >> number & 1 || !(all >> number & 1))
        return false;
    for (uint32_t i = 0; i < t->history->txn_count; i++)
        if (all >> i & 1 && !(placed >> i & 1) && comes_before(t, i, number))
            return false;
    return true;
}

static bool required_left(const struct trial *t, uint32_t placed, uint32_t all)
{
    for (uint32_t i = 0; i < t->history->txn_count; i++)
        if (all >> i & 1 && !(placed >> i & 1) && !is_optional(&t->history->txns[i]))
            return true;
    return false;
}

static bool try_orders(const struct trial *t, uint32_t placed, uint32_t all,
                       const struct naive_state *state)
{
    if (!required_left(t, placed, all))
        return true;
    for (uint32_t i = 0; i < t->history->txn_count; i++) {
        struct naive_state next = *state;
        if (may_be_next(t, i, placed, all) && apply_txn(t, i, &next) &&
            try_orders(t, placed | 1u << i, all, &next))
            return true;
    }
    return false;
}

/* All that took or may have taken effect. */
static uint32_t all_of(const struct history *history)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < history->txn_count; i++)
        if (history->txns[i].outcome != OUTCOME_FAILED)
            all |= 1u << i;
    return all;
}

/* --- durability --- */

struct durable_trial {
    struct trial trial;
    uint32_t crash_count;
    uint64_t crashes[8];
};

struct era_path {
    struct naive_state states[MAX_TXNS + 1]; /* states[i]: after i transactions */
    uint32_t txns[MAX_TXNS], length;
};

static uint32_t era_of(const struct durable_trial *d, uint64_t rank)
{
    uint32_t era = 0;
    while (era < d->crash_count && d->crashes[era] < rank)
        era++;
    return era;
}

/* Answered as durable, or before a sync began that was answered in the same era. */
static bool is_durable(const struct durable_trial *d, uint32_t number)
{
    const struct history *history = d->trial.history;
    const struct history_txn *txn = &history->txns[number];
    if (txn->outcome != OUTCOME_DONE)
        return false;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *sync = &history->txns[i];
        const struct history_act *act = history_act(history, sync, 0);
        if (sync->outcome == OUTCOME_DONE && act->code == ACT_SYNC && act->fault == OK &&
            era_of(d, sync->began) == era_of(d, txn->began) && txn->ended < sync->began)
            return true;
    }
    return txn->durable;
}

static bool uses_key(const struct trial *t, uint32_t number)
{
    const struct history_txn *txn = &t->history->txns[number];
    for (uint32_t i = 0; i < txn->count; i++)
        if (history_act(t->history, txn, i)->code != ACT_SYNC &&
            history_act(t->history, txn, i)->key == t->key)
            return true;
    return false;
}

static bool try_era(const struct durable_trial *d, uint32_t era, const struct naive_state *begin);

/* The order of one era is complete: every prefix that holds all that is durable is tried. */
static bool try_prefixes(const struct durable_trial *d, uint32_t era, const struct era_path *path)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < path->length; i++)
        if (is_durable(d, path->txns[i]))
            least = i + 1;
    for (uint32_t length = least; length <= path->length; length++)
        if (try_era(d, era + 1, &path->states[length]))
            return true;
    return false;
}

static bool extend_era(const struct durable_trial *d, uint32_t era, uint32_t placed,
                       struct era_path *path)
{
    const struct trial *t = &d->trial;
    uint32_t all = 0;
    for (uint32_t i = 0; i < t->history->txn_count; i++)
        if (all_of(t->history) >> i & 1 && uses_key(t, i) &&
            era_of(d, t->history->txns[i].began) == era)
            all |= 1u << i;
    if (!required_left(t, placed, all) && try_prefixes(d, era, path))
        return true;
    for (uint32_t i = 0; i < t->history->txn_count; i++) {
        if (!may_be_next(t, i, placed, all))
            continue;
        path->states[path->length + 1] = path->states[path->length];
        if (!apply_txn(t, i, &path->states[path->length + 1]))
            continue;
        path->txns[path->length++] = i;
        bool good = extend_era(d, era, placed | 1u << i, path);
        path->length--;
        if (good)
            return true;
    }
    return false;
}

static bool try_era(const struct durable_trial *d, uint32_t era, const struct naive_state *begin)
{
    struct era_path path;
    if (era > d->crash_count)
        return true;
    path.length = 0;
    path.states[0] = *begin;
    return extend_era(d, era, 0, &path);
}

static bool durable_holds(struct history *history)
{
    struct durable_trial d = {.trial = {.history = history, .promise = PROMISE_DURABILITY}};
    for (uint32_t i = 0; i < history->event_count; i++)
        if (history->events[i].kind == EVENT_CRASH)
            d.crashes[d.crash_count++] = history->events[i].rank;
    for (d.trial.key = 0; d.trial.key < history->key_count; d.trial.key++) {
        struct naive_state begin;
        naive_init(history, &begin);
        if (!try_era(&d, 0, &begin))
            return false;
    }
    return true;
}

/* --- all --- */

bool naive_holds(struct history *history, enum promise promise)
{
    struct trial t = {.history = history, .promise = promise, .key = UINT32_MAX};
    struct naive_state state;
    if (promise == PROMISE_DURABILITY)
        return durable_holds(history);
    naive_init(history, &state);
    if (promise != PROMISE_PRAM)
        return try_orders(&t, 0, all_of(history), &state);
    for (t.session = 0; t.session < history->sessions; t.session++)
        if (!try_orders(&t, 0, all_of(history), &state))
            return false;
    return true;
}
