/* SPDX-License-Identifier: MIT
 *
 * naive_session.c: the session guarantees by their definitions; see naive_causal.h.
 *
 * Every arbitration is tried, and all sets of visible writes side by side: `feasible` has a bit
 * for each set of writes that a read may see, given what the session saw before.
 */
#include <string.h>

#include "core/base/assert.h"
#include "naive_causal.h"

struct item {
    const struct history_act *act;
    uint32_t session, place; /* place: among all acts, in each session's order */
    uint32_t value;
};

struct naive {
    const struct history *h;
    enum promise promise;
    struct item writes[NAIVE_WRITES], reads[2 * NAIVE_ACTS];
    uint32_t write_count, read_count;
    bool before[NAIVE_WRITES][NAIVE_WRITES]; /* in arbitration */
    bool with[NAIVE_WRITES][NAIVE_WRITES];   /* [a][b]: b is visible only together with a */
    uint32_t order[NAIVE_WRITES];            /* the arbitration: writes, first to last */
    struct {
        uint32_t read, writes; /* bits: what it may have read */
    } choices[64];
    uint32_t choice_count;
    uint32_t from, to; /* the piece: reads [from, to) */
};

/* --- what a read says of a set of visible writes (G1) --- */

static bool register_fits(const struct naive *n, const struct item *read, uint32_t visible)
{
    uint32_t value = VALUE_NONE;
    for (uint32_t i = 0; i < n->write_count; i++)
        if (visible & 1u << n->order[i] && n->writes[n->order[i]].act->key == read->act->key)
            value = n->writes[n->order[i]].value;
    return value == read->value;
}

static bool list_fits(const struct naive *n, const struct item *read, uint32_t visible)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < n->write_count; i++) {
        const struct item *w = &n->writes[n->order[i]];
        if (!(visible & 1u << n->order[i]) || w->act->key != read->act->key)
            continue;
        if (at == read->act->count || n->h->pool[read->act->list + at] != w->value)
            return false;
        at++;
    }
    return at == read->act->count;
}

static bool set_fits(const struct naive *n, const struct item *read, uint32_t visible)
{
    uint32_t found = 0; /* elements, as bits */
    for (uint32_t i = 0; i < n->write_count; i++) {
        bool shown = false;
        if (!(visible & 1u << i) || n->writes[i].act->key != read->act->key)
            continue;
        for (uint32_t j = 0; j < read->act->count; j++)
            if (n->h->pool[read->act->list + j] == n->writes[i].value) {
                shown = true;
                found |= 1u << j;
            }
        if (!shown)
            return false;
    }
    return found == (1u << read->act->count) - 1;
}

static bool counter_fits(const struct naive *n, const struct item *read, uint32_t visible)
{
    int64_t sum = 0, number;
    for (uint32_t i = 0; i < n->write_count; i++)
        if (visible & 1u << i && n->writes[i].act->key == read->act->key &&
            history_integer(n->h, n->writes[i].value, &number))
            sum += number;
    return history_integer(n->h, read->value, &number) && number == sum;
}

static bool fits(const struct naive *n, const struct item *read, uint32_t visible)
{
    switch (n->h->keys[read->act->key].model) {
    case MODEL_REGISTER:
        return register_fits(n, read, visible);
    case MODEL_LIST:
        return list_fits(n, read, visible);
    case MODEL_SET:
        return set_fits(n, read, visible);
    default:
        return counter_fits(n, read, visible);
    }
}

static bool closed(const struct naive *n, uint32_t visible)
{
    for (uint32_t a = 0; a < n->write_count; a++)
        for (uint32_t b = 0; b < n->write_count; b++)
            if (n->with[a][b] && visible & 1u << b && !(visible & 1u << a))
                return false;
    return true;
}

/* --- one arbitration --- */

static bool sees_own(const struct naive *n, const struct item *read, uint32_t visible)
{
    for (uint32_t i = 0; i < n->write_count; i++)
        if (n->writes[i].session == read->session && n->writes[i].place < read->place &&
            !(visible & 1u << i))
            return false;
    return true;
}

static bool reads_fit(const struct naive *n)
{
    bool monotonic = n->promise != PROMISE_READ_YOUR_WRITES;
    uint64_t feasible = 1; /* before the first read: nothing */
    for (uint32_t r = n->from; r < n->to; r++) {
        uint64_t next = 0;
        for (uint32_t v = 0; v < 1u << n->write_count; v++) {
            bool reached = !monotonic;
            for (uint32_t u = 0; u <= v && !reached; u++)
                reached = feasible >> u & 1 && (u & ~v) == 0;
            if (!reached || !fits(n, &n->reads[r], v) || !closed(n, v) ||
                (!monotonic && !sees_own(n, &n->reads[r], v)))
                continue;
            next |= UINT64_C(1) << v;
        }
        if (!next)
            return false;
        feasible = next;
    }
    return true;
}

static bool arbitrate(struct naive *n, uint32_t placed, uint32_t count)
{
    if (count == n->write_count)
        return reads_fit(n);
    for (uint32_t w = 0; w < n->write_count; w++) {
        bool ready = !(placed & 1u << w);
        for (uint32_t b = 0; b < n->write_count; b++)
            ready = ready && (!n->before[b][w] || placed & 1u << b);
        if (!ready)
            continue;
        n->order[count] = w;
        if (arbitrate(n, placed | 1u << w, count + 1))
            return true;
    }
    return false;
}

/* --- one history --- */

static void collect(struct naive *n)
{
    uint32_t place = 0;
    for (uint32_t session = 0; session < n->h->sessions; session++)
        for (uint32_t i = 0; i < n->h->txn_count; i++) {
            const struct history_txn *txn = &n->h->txns[i];
            if (txn->session != session || txn->outcome == OUTCOME_FAILED)
                continue;
            for (uint32_t j = 0; j < txn->count; j++) {
                const struct history_act *act = history_act(n->h, txn, j);
                bool cas = act->code == ACT_CAS;
                if (act->fault)
                    continue;
                struct item item = {act, session, place++, cas ? act->args[0] : act->value};
                if ((act->code == ACT_READ || cas) && act->known)
                    n->reads[n->read_count++] = item;
                if (act->code == ACT_READ)
                    continue;
                item.place = place++;
                item.value = cas ? act->args[1] : act->args[0];
                INVARIANT(n->write_count < NAIVE_WRITES);
                n->writes[n->write_count++] = item;
            }
        }
}

/* G2, and G4 for monotonic writes. */
static void order_own(struct naive *n)
{
    for (uint32_t a = 0; a < n->write_count; a++)
        for (uint32_t b = 0; b < n->write_count; b++) {
            const struct item *v = &n->writes[a], *w = &n->writes[b];
            bool own = v->session == w->session && v->place < w->place;
            bool same =
                v->act->key == w->act->key && n->h->keys[v->act->key].model == MODEL_REGISTER;
            n->before[a][b] = own && (same || n->promise == PROMISE_MONOTONIC_WRITES);
            n->with[a][b] = own && n->promise == PROMISE_MONOTONIC_WRITES;
        }
}

static bool explained(struct naive *n, uint32_t from, uint32_t to)
{
    n->from = from;
    n->to = to;
    return arbitrate(n, 0, 0);
}

static bool monotonic_reads_explain(const struct naive *n, uint32_t from, uint32_t to)
{
    struct naive m = *n;
    m.promise = PROMISE_MONOTONIC_READS;
    order_own(&m);
    return explained(&m, from, to);
}

/* G6, for the longest stretch from each read; monotonic reads; Y1. */
static bool session_holds(struct naive *n, uint32_t from, uint32_t end)
{
    if (n->promise == PROMISE_MONOTONIC_READS)
        return explained(n, from, end);
    for (; n->promise == PROMISE_READ_YOUR_WRITES && from < end; from++)
        if (!explained(n, from, from + 1))
            return false;
    for (; from < end; from++) {
        uint32_t to = from;
        while (to < end && monotonic_reads_explain(n, from, to + 1))
            to++;
        if (!explained(n, from, to))
            return false;
    }
    return true;
}

static bool sessions_hold(struct naive *n)
{
    if (!explained(n, 0, 0)) /* no arbitration at all */
        return false;
    for (uint32_t from = 0, to; from < n->read_count; from = to) {
        for (to = from; to < n->read_count && n->reads[to].session == n->reads[from].session;)
            to++;
        if (!session_holds(n, from, to))
            return false;
    }
    return true;
}

/* G5, for one choice of what each read returned. */
static bool choose(struct naive *n, uint32_t at)
{
    if (at == n->choice_count)
        return sessions_hold(n);
    const struct item *read = &n->reads[n->choices[at].read];
    for (uint32_t v = 0; v < n->write_count; v++) {
        if (!(n->choices[at].writes & 1u << v))
            continue;
        struct naive with = *n;
        for (uint32_t w = 0; w < n->write_count; w++)
            if (n->writes[w].session == read->session && n->writes[w].place > read->place)
                with.before[v][w] = with.with[v][w] = true;
        if (choose(&with, at + 1))
            return true;
    }
    return false;
}

static uint32_t writers_of(const struct naive *n, uint32_t key, uint32_t value)
{
    uint32_t writers = 0;
    for (uint32_t w = 0; w < n->write_count; w++)
        if (n->writes[w].act->key == key && n->writes[w].value == value)
            writers |= 1u << w;
    return writers;
}

/* Notes what each read may have returned; false when nobody wrote it. */
static bool add_choice(struct naive *n, uint32_t read, uint32_t value)
{
    uint32_t writers = writers_of(n, n->reads[read].act->key, value);
    bool reg = n->h->keys[n->reads[read].act->key].model == MODEL_REGISTER;
    if (reg && value == VALUE_NONE)
        return true;
    INVARIANT(n->choice_count < 64);
    n->choices[n->choice_count].read = read;
    n->choices[n->choice_count++].writes = writers;
    return writers != 0;
}

static bool add_choices(struct naive *n)
{
    for (uint32_t r = 0; r < n->read_count; r++) {
        const struct history_act *act = n->reads[r].act;
        uint8_t model = n->h->keys[act->key].model;
        if (model == MODEL_REGISTER && !add_choice(n, r, n->reads[r].value))
            return false;
        for (uint32_t i = 0; act->code == ACT_READ && i < act->count; i++) {
            const uint32_t *list = n->h->pool + act->list;
            if (!add_choice(n, r, list[i]))
                return false;
            for (uint32_t j = 0; j < i && model == MODEL_LIST; j++) {
                uint32_t writers = writers_of(n, act->key, list[i]);
                if (list[j] == list[i] && (writers & (writers - 1)) == 0)
                    return false; /* shown twice, done once */
            }
        }
    }
    return true;
}

static bool too_many(const struct naive *n)
{
    uint32_t ways = 1;
    for (uint32_t i = 0; i < n->choice_count && ways <= NAIVE_WAYS; i++)
        ways *= (uint32_t)__builtin_popcount(n->choices[i].writes);
    return ways > NAIVE_WAYS;
}

enum naive_answer naive_session(const struct history *history, enum promise promise)
{
    struct naive n = {.h = history, .promise = promise};
    collect(&n);
    order_own(&n);
    if (!add_choices(&n))
        return NAIVE_BROKEN;
    if (promise != PROMISE_WRITES_FOLLOW_READS)
        return sessions_hold(&n) ? NAIVE_HOLDS : NAIVE_BROKEN;
    if (too_many(&n))
        return NAIVE_TOO_LARGE;
    return choose(&n, 0) ? NAIVE_HOLDS : NAIVE_BROKEN;
}
