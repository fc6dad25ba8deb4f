/* SPDX-License-Identifier: MIT
 *
 * naive_txn.c: tries all orders.
 *
 * Definitions: there is an order of commits, of all transactions that are done and some of the
 * unknown ones, each of which changes the state by all of its writes at once, such that
 *   serialisable         each reads the state that the one before left, changed by itself;
 *   strict serialisable  and nobody comes before one that had ended before it began;
 *   snapshot isolation   each reads one state, not later than its commit, changed by itself; and of
 *                        the registers and lists that it writes nobody committed a write since
 *                        (Berenson et al. 1995, 4.2; any snapshot: Elnikety et al. 2005);
 *   read committed       each read is of some state not later than its commit, changed by itself;
 *                        a list that it appended to is that of its commit, as its own version.
 *                        (A cas of unknown outcome is taken as of the state of its commit.)
 */
#include "naive_txn.h"

#include <string.h>

#include "core/base/assert.h"

struct object {
    uint32_t values[NAIVE_VALUES], count; /* a register has one */
    int64_t number;
};

struct state {
    struct object objects[NAIVE_KEYS];
};

struct naive {
    const struct history *history;
    enum promise promise;
    struct state states[NAIVE_TXNS + 1]; /* states[i]: after i commits */
    uint32_t wrote[NAIVE_TXNS];          /* keys that the commit wrote, as bits */
    bool placed[NAIVE_TXNS];
    uint32_t count;
    uint32_t did;        /* of the last run: the acts that wrote, as bits */
    uint32_t wrote_keys; /* and the keys */
};

static enum history_model model_of(const struct naive *n, const struct history_act *act)
{
    return n->history->keys[act->key].model;
}

static bool holds_value(const struct object *object, uint32_t value)
{
    for (uint32_t i = 0; i < object->count; i++)
        if (object->values[i] == value)
            return true;
    return false;
}

/* True when the act writes in this state; then it did. */
static bool write(const struct naive *n, const struct history_act *act, struct state *state)
{
    struct object *object = &state->objects[act->key];
    uint32_t now = object->count ? object->values[0] : VALUE_NONE;
    int64_t number = 0;
    switch (act->code) {
    case ACT_CAS:
        if (act->fault || (!act->known && now != act->args[0]))
            return false;
        object->values[0] = act->args[1];
        object->count = 1;
        return true;
    case ACT_WRITE:
        object->values[0] = act->args[0];
        object->count = 1;
        return true;
    case ACT_ADD:
        if (holds_value(object, act->args[0]))
            return true;
        /* fall through */
    case ACT_APPEND:
        INVARIANT(object->count < NAIVE_VALUES);
        object->values[object->count++] = act->args[0];
        return true;
    case ACT_INCREMENT:
        INVARIANT(history_integer(n->history, act->args[0], &number));
        object->number += number;
        return true;
    default:
        return false;
    }
}

static bool same_set(const struct object *object, const uint32_t *list, uint32_t count)
{
    if (count != object->count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j <= i; j++)
            if (!holds_value(object, list[i]) || (j < i && list[i] == list[j]))
                return false;
    return true;
}

/* Whether an act's answer is right in this state. */
static bool answers(const struct naive *n, const struct history_act *act, const struct state *state)
{
    const struct object *object = &state->objects[act->key];
    const uint32_t *list = n->history->pool + act->list;
    uint32_t now = object->count ? object->values[0] : VALUE_NONE;
    int64_t number = 0;
    if (!act->known)
        return true;
    if (act->code == ACT_CAS)
        return (now == act->args[0]) == !act->fault;
    if (act->code != ACT_READ)
        return true;
    switch (model_of(n, act)) {
    case MODEL_REGISTER:
        return act->value == now;
    case MODEL_COUNTER:
        return history_integer(n->history, act->value, &number) && number == object->number;
    case MODEL_LIST:
        return act->count == object->count &&
               (!act->count || memcmp(list, object->values, act->count * sizeof *list) == 0);
    default:
        return same_set(object, list, act->count);
    }
}

/* Carries out the transaction up to its act `until`, from a state; returns the keys that it wrote;
 * `all` becomes false when an answer on the way is wrong. */
static uint32_t run(struct naive *n, uint32_t txn, uint32_t until, struct state *state, bool *all)
{
    const struct history_txn *of = &n->history->txns[txn];
    uint32_t wrote = 0;
    n->did = 0;
    for (uint32_t i = 0; i < until; i++) {
        const struct history_act *act = history_act(n->history, of, i);
        if (!answers(n, act, state))
            *all = false;
        if (write(n, act, state)) {
            wrote |= 1u << act->key;
            n->did |= 1u << i;
        }
    }
    n->wrote_keys = wrote;
    return wrote;
}

/* Commits to the state what the last run wrote. */
static void commit(const struct naive *n, uint32_t txn, struct state *state)
{
    const struct history_txn *of = &n->history->txns[txn];
    for (uint32_t i = 0; i < of->count; i++) {
        struct history_act act = *history_act(n->history, of, i);
        act.known = true; /* and of no fault: a cas takes effect, as it did in the run */
        if (n->did >> i & 1)
            write(n, &act, state);
    }
}

static bool commutes(const struct naive *n, uint32_t key)
{
    uint8_t model = n->history->keys[key].model;
    return model == MODEL_SET || model == MODEL_COUNTER;
}

/* Snapshot isolation: whether the snapshot of the first `at` commits explains it. */
static bool snapshot_explains(struct naive *n, uint32_t txn, uint32_t depth, uint32_t at)
{
    struct state state = n->states[at];
    bool all = true;
    uint32_t wrote = run(n, txn, n->history->txns[txn].count, &state, &all);
    for (uint32_t key = 0; key < n->history->key_count; key++)
        for (uint32_t later = at; later < depth; later++)
            if ((wrote & n->wrote[later]) >> key & 1 && !commutes(n, key))
                all = false;
    return all;
}

/* Read committed: whether each act alone is explained by some state. */
static bool committed_states_explain(struct naive *n, uint32_t txn, uint32_t depth)
{
    const struct history_txn *of = &n->history->txns[txn];
    for (uint32_t i = 0; i < of->count; i++) {
        const struct history_act *act = history_act(n->history, of, i);
        bool explained = false;
        for (uint32_t at = 0; at <= depth && !explained; at++) {
            struct state state = n->states[at];
            bool ignored;
            uint32_t wrote = run(n, txn, i, &state, &ignored);
            bool own_list = model_of(n, act) == MODEL_LIST && (wrote >> act->key & 1);
            explained = (!own_list || at == depth) && answers(n, act, &state);
        }
        if (!explained)
            return false;
    }
    struct state state = n->states[depth];
    bool ignored;
    run(n, txn, of->count, &state, &ignored);
    return true;
}

static bool explains(struct naive *n, uint32_t txn, uint32_t depth, uint32_t at)
{
    struct state state = n->states[depth];
    bool all = true;
    if (n->promise == PROMISE_SNAPSHOT_ISOLATION)
        return snapshot_explains(n, txn, depth, at);
    if (n->promise == PROMISE_READ_COMMITTED)
        return committed_states_explain(n, txn, depth);
    run(n, txn, n->history->txns[txn].count, &state, &all);
    return all;
}

static bool too_early(const struct naive *n, uint32_t txn)
{
    const struct history_txn *txns = n->history->txns;
    for (uint32_t other = 0; other < n->count; other++)
        if (!n->placed[other] && txns[other].outcome == OUTCOME_DONE &&
            txns[other].ended < txns[txn].began)
            return true;
    return false;
}

static bool search(struct naive *n, uint32_t depth);

/* Whether an order goes on with this transaction, as it was just explained. */
static bool go_on(struct naive *n, uint32_t txn, uint32_t depth)
{
    n->states[depth + 1] = n->states[depth];
    n->wrote[depth] = n->wrote_keys;
    commit(n, txn, &n->states[depth + 1]);
    n->placed[txn] = true;
    bool found = search(n, depth + 1);
    n->placed[txn] = false;
    return found;
}

static bool search(struct naive *n, uint32_t depth)
{
    bool left = false;
    for (uint32_t txn = 0; txn < n->count; txn++)
        left |= !n->placed[txn] && n->history->txns[txn].outcome == OUTCOME_DONE;
    if (!left)
        return true;
    for (uint32_t txn = 0; txn < n->count; txn++) {
        uint32_t first = n->promise == PROMISE_SNAPSHOT_ISOLATION ? 0 : depth;
        if (n->placed[txn] || n->history->txns[txn].outcome == OUTCOME_FAILED ||
            (n->promise == PROMISE_STRICT_SERIALISABLE && too_early(n, txn)))
            continue;
        for (uint32_t at = first; at <= depth; at++) {
            if (!explains(n, txn, depth, at))
                continue;
            if (go_on(n, txn, depth))
                return true;
            if (n->history->txns[txn].outcome == OUTCOME_DONE)
                break; /* of another snapshot it would do the same */
        }
    }
    return false;
}

bool naive_holds(const struct history *history, enum promise promise)
{
    struct naive n = {.history = history, .promise = promise, .count = history->txn_count};
    INVARIANT(n.count <= NAIVE_TXNS && history->key_count <= NAIVE_KEYS);
    return search(&n, 0);
}
