/* SPDX-License-Identifier: MIT
 *
 * causal_random.c: see causal_random.h.
 *
 * Every process has a replica: the writes that it has, in the order in which it got them. A read
 * answers what its replica holds, by that order, or by one that is the same for all. Writes travel
 * by the rules of `delivery`; sometimes a process reads at another one's replica.
 */
#include "causal_random.h"

#include <stdlib.h>
#include <string.h>

#define PROCESSES 4u
#define WRITES    6u

enum delivery { CAUSALLY, FIFO, ANYHOW, DELIVERIES };

struct write {
    uint32_t key, value, process;
    uint32_t causes; /* bits: what its process had */
    bool counts;     /* false: it failed, and nobody gets it */
};

struct world {
    struct chance chance;
    struct history *h;
    enum delivery delivery;
    bool arbitrated, wandering, repeats, refused, outcomes, transactions;
    uint32_t processes, keys, model[3];
    struct write writes[WRITES];
    uint32_t write_count;
    uint32_t has[PROCESSES], got[PROCESSES][WRITES], got_count[PROCESSES];
};

static uint32_t below(struct world *w, uint32_t n)
{
    return chance_below(&w->chance, n);
}

static uint32_t number(struct world *w, int64_t value)
{
    return history_number(w->h, value);
}

/* --- replicas --- */

static void get(struct world *w, uint32_t process, uint32_t write)
{
    if (w->has[process] & 1u << write)
        return;
    w->has[process] |= 1u << write;
    w->got[process][w->got_count[process]++] = write;
}

static bool may_get(const struct world *w, uint32_t process, uint32_t write)
{
    const struct write *x = &w->writes[write];
    if (!x->counts)
        return false;
    uint32_t needed = w->delivery == CAUSALLY ? x->causes : 0;
    for (uint32_t i = 0; i < write && w->delivery == FIFO; i++)
        if (w->writes[i].process == x->process && w->writes[i].counts)
            needed |= 1u << i;
    return (needed & ~w->has[process]) == 0;
}

static void deliver(struct world *w)
{
    for (uint32_t tries = below(w, 6); tries; tries--) {
        if (!w->write_count)
            return;
        uint32_t process = below(w, w->processes), write = below(w, w->write_count);
        if (may_get(w, process, write))
            get(w, process, write);
    }
}

/* The writes that a replica holds of one object, in the order that counts. */
static uint32_t held(const struct world *w, uint32_t process, uint32_t key, uint32_t *writes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->got_count[process]; i++)
        if (w->writes[w->got[process][i]].key == key)
            writes[count++] = w->got[process][i];
    for (uint32_t i = 1; i < count && w->arbitrated; i++)
        for (uint32_t j = i; j && writes[j - 1] > writes[j]; j--) {
            uint32_t later = writes[j - 1];
            writes[j - 1] = writes[j];
            writes[j] = later;
        }
    return count;
}

static void read_answer(struct world *w, uint32_t process, uint32_t txn, uint32_t index)
{
    struct history_act *act = &w->h->acts[w->h->txns[txn].first + index];
    uint32_t writes[WRITES], values[WRITES], count = held(w, process, act->key, writes);
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t n = 0;
        values[i] = w->writes[writes[i]].value;
        (void)history_integer(w->h, values[i], &n);
        sum += n;
    }
    uint32_t model = w->model[act->key];
    if (model == MODEL_REGISTER)
        act->value = count ? values[count - 1] : VALUE_NONE;
    else if (model == MODEL_COUNTER)
        act->value = number(w, sum);
    else
        history_answer_list(w->h, txn, index, values, count);
}

/* --- transactions --- */

static void add_write(struct world *w, uint32_t process, struct history_act *act, bool counts)
{
    static const uint8_t codes[] = {[MODEL_REGISTER] = ACT_WRITE,
                                    [MODEL_LIST] = ACT_APPEND,
                                    [MODEL_SET] = ACT_ADD,
                                    [MODEL_COUNTER] = ACT_INCREMENT};
    uint32_t n = w->write_count++;
    bool counter = w->model[act->key] == MODEL_COUNTER;
    act->code = codes[w->model[act->key]];
    act->args[0] = number(w, counter ? 1 : n + 1);
    if (counter && !below(w, 5))
        act->args[0] = number(w, (int64_t)below(w, 5) - 2);
    else if (w->repeats && !below(w, 3))
        act->args[0] = number(w, 1 + below(w, 3));
    w->writes[n] = (struct write){act->key, act->args[0], process, w->has[process], counts};
    if (counts)
        get(w, process, n);
}

/* A cas at its own replica: done or refused by what is there. */
static void add_cas(struct world *w, uint32_t process, struct history_act *act, uint32_t txn)
{
    uint32_t at = w->h->act_count;
    struct history_act *placed = history_add(w->h, act);
    read_answer(w, process, txn, at - w->h->txns[txn].first);
    placed = &w->h->acts[at];
    uint32_t there = placed->value;
    struct history_act written = *act;
    bool refused = !below(w, 3) || there == VALUE_NONE;
    w->refused = w->refused || refused;
    if (!refused)
        add_write(w, process, &written, true);
    placed = &w->h->acts[at];
    placed->code = ACT_CAS;
    placed->value = VALUE_NONE;
    placed->args[0] = refused ? number(w, 99) : there;
    placed->args[1] = refused ? number(w, 98) : written.args[0];
    placed->fault = refused ? ERR_CONFLICT : OK;
}

static void add_act(struct world *w, uint32_t process, uint32_t txn, enum outcome outcome)
{
    struct history_act act = {.key = below(w, w->keys)};
    bool writes = w->write_count < WRITES && below(w, 5) < 2;
    bool counts =
        outcome == OUTCOME_DONE || (outcome == OUTCOME_UNKNOWN && below(w, 3)) || !below(w, 8);
    if (writes && w->model[act.key] == MODEL_REGISTER && outcome == OUTCOME_DONE && !below(w, 6)) {
        add_cas(w, process, &act, txn);
        return;
    }
    if (writes)
        add_write(w, process, &act, counts);
    else
        act.code = ACT_READ;
    uint32_t index = w->h->txns[txn].count;
    history_add(w->h, &act);
    uint32_t replica = w->wandering && !below(w, 3) ? below(w, w->processes) : process;
    if (act.code == ACT_READ)
        read_answer(w, replica, txn, index);
}

static void add_transaction(struct world *w)
{
    uint32_t process = below(w, w->processes);
    enum outcome outcome = OUTCOME_DONE;
    if (w->outcomes && !below(w, 5))
        outcome = below(w, 2) ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
    uint32_t txn = history_begin(w->h, process, 0);
    uint32_t acts = w->transactions ? 1 + below(w, 3) : 1;
    for (uint32_t i = 0; i < acts; i++)
        add_act(w, process, txn, outcome);
    history_end(w->h, txn, 0, outcome);
}

/* --- changes --- */

static void change_list(struct world *w, struct history_act *act)
{
    uint32_t *list = w->h->pool + act->list;
    if (act->count > 1 && below(w, 2)) {
        uint32_t i = below(w, act->count), j = below(w, act->count), value = list[i];
        list[i] = list[j];
        list[j] = value;
    } else if (act->count) {
        act->count--;
    }
}

static void change(struct world *w)
{
    if (!w->h->act_count)
        return;
    struct history_act *act = &w->h->acts[below(w, w->h->act_count)];
    if (act->code != ACT_READ)
        return;
    if (w->model[act->key] == MODEL_LIST || w->model[act->key] == MODEL_SET)
        change_list(w, act);
    else
        act->value = w->model[act->key] == MODEL_REGISTER && !below(w, 4)
                         ? VALUE_NONE
                         : number(w, 1 + below(w, WRITES));
}

struct random_history causal_random(uint64_t seed)
{
    static const uint8_t models[] = {MODEL_REGISTER, MODEL_REGISTER, MODEL_REGISTER, MODEL_REGISTER,
                                     MODEL_LIST,     MODEL_LIST,     MODEL_SET,      MODEL_COUNTER};
    struct world *w = calloc(1, sizeof *w);
    struct random_history made = {.history = w->h = history_new()};
    chance_seed(&w->chance, seed);
    w->delivery = below(w, DELIVERIES);
    w->arbitrated = below(w, 2);
    w->wandering = !below(w, 3);
    w->repeats = made.repeats = !below(w, 8);
    w->outcomes = !below(w, 4);
    w->transactions = !below(w, 4);
    w->processes = 2 + below(w, PROCESSES - 1);
    w->keys = 1 + below(w, 3);
    for (uint32_t i = 0; i < w->keys; i++) {
        uint32_t key;
        w->model[i] = models[below(w, sizeof models)];
        made.counters = made.counters || w->model[i] == MODEL_COUNTER;
        (void)history_key(w->h, VALUE_NONE, number(w, i), w->model[i], &key);
    }
    for (uint32_t txns = 3 + below(w, 6); txns; txns--) {
        add_transaction(w);
        deliver(w);
    }
    for (uint32_t changes = below(w, 3); changes; changes--)
        change(w);
    history_sessions(w->h);
    made.refused = w->refused;
    free(w);
    return made;
}
