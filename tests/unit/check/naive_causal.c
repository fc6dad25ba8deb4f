/* SPDX-License-Identifier: MIT
 *
 * naive_causal.c: causal memory by its definition; see naive_causal.h.
 */
#include "naive_causal.h"

#include <string.h>

#include "core/base/assert.h"

#define KEYS 4u

/* The objects, as one session's serialisation leaves them. */
struct state {
    uint32_t reg[KEYS];
    uint32_t list[KEYS][NAIVE_ACTS], length[KEYS]; /* also a set's elements, in any order */
    int64_t sum[KEYS];
};

struct naive {
    const struct history *h;
    uint32_t nodes[NAIVE_ACTS], count;  /* transactions that took effect */
    bool cause[NAIVE_ACTS][NAIVE_ACTS]; /* [a][b]: a before b */
    struct choice {
        uint32_t reader;  /* its place in nodes */
        uint32_t writers; /* places, as bits: one of them wrote what it read */
    } choices[64];
    uint32_t choice_count;
};

static const struct history_txn *txn_of(const struct naive *n, uint32_t place)
{
    return &n->h->txns[n->nodes[place]];
}

/* --- what acts do --- */

static bool same_elements(const struct naive *n, const struct history_act *act,
                          const struct state *s)
{
    const uint32_t *shown = act->count ? n->h->pool + act->list : NULL;
    for (uint32_t i = 0; i < act->count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < s->length[act->key]; j++)
            found = found || s->list[act->key][j] == shown[i];
        if (!found)
            return false;
    }
    for (uint32_t j = 0; j < s->length[act->key]; j++) {
        bool found = false;
        for (uint32_t i = 0; i < act->count; i++)
            found = found || s->list[act->key][j] == shown[i];
        if (!found)
            return false;
    }
    return true;
}

static bool read_fits(const struct naive *n, const struct history_act *act, const struct state *s)
{
    int64_t number;
    switch (n->h->keys[act->key].model) {
    case MODEL_REGISTER:
        return s->reg[act->key] == act->value;
    case MODEL_LIST:
        return act->count == s->length[act->key] &&
               (!act->count || memcmp(n->h->pool + act->list, s->list[act->key],
                                      act->count * sizeof(uint32_t)) == 0);
    case MODEL_SET:
        return same_elements(n, act, s);
    default:
        return history_integer(n->h, act->value, &number) && number == s->sum[act->key];
    }
}

/* Takes an act; false when its own session would have got another answer. */
static bool step(const struct naive *n, const struct history_act *act, bool own, struct state *s)
{
    int64_t number = 0;
    if (act->fault != OK)
        return true;
    switch (act->code) {
    case ACT_READ:
        return !own || !act->known || read_fits(n, act, s);
    case ACT_CAS:
        if (own && act->known && s->reg[act->key] != act->args[0])
            return false;
        s->reg[act->key] = act->args[1];
        return true;
    case ACT_WRITE:
        s->reg[act->key] = act->args[0];
        return true;
    case ACT_INCREMENT:
        (void)history_integer(n->h, act->args[0], &number);
        s->sum[act->key] += number;
        return true;
    default:
        s->list[act->key][s->length[act->key]++] = act->args[0];
        return true;
    }
}

/* --- serialisations --- */

static bool serialise(const struct naive *n, uint32_t session, uint32_t placed,
                      const struct state *state)
{
    if (placed == (1u << n->count) - 1)
        return true;
    for (uint32_t a = 0; a < n->count; a++) {
        bool ready = !(placed & 1u << a);
        for (uint32_t b = 0; b < n->count; b++)
            ready = ready && (!n->cause[b][a] || placed & 1u << b);
        if (!ready)
            continue;
        struct state next = *state;
        const struct history_txn *txn = txn_of(n, a);
        bool fits = true;
        for (uint32_t i = 0; i < txn->count && fits; i++)
            fits = step(n, history_act(n->h, txn, i), txn->session == session, &next);
        if (fits && serialise(n, session, placed | 1u << a, &next))
            return true;
    }
    return false;
}

static bool close_causes(struct naive *n)
{
    for (uint32_t k = 0; k < n->count; k++)
        for (uint32_t a = 0; a < n->count; a++)
            for (uint32_t b = 0; b < n->count; b++)
                n->cause[a][b] = n->cause[a][b] || (n->cause[a][k] && n->cause[k][b]);
    for (uint32_t a = 0; a < n->count; a++)
        if (n->cause[a][a])
            return false;
    return true;
}

static bool all_serialise(const struct naive *n)
{
    struct naive closed = *n;
    if (!close_causes(&closed))
        return false;
    struct state empty = {.sum = {0}};
    for (uint32_t session = 0; session < n->h->sessions; session++)
        if (!serialise(&closed, session, 0, &empty))
            return false;
    return true;
}

/* --- reads-from --- */

static bool choose(struct naive *n, uint32_t at)
{
    if (at == n->choice_count)
        return all_serialise(n);
    const struct choice *c = &n->choices[at];
    for (uint32_t w = 0; w < n->count; w++) {
        if (!(c->writers & 1u << w))
            continue;
        bool before = n->cause[w][c->reader];
        n->cause[w][c->reader] = true;
        bool found = choose(n, at + 1);
        n->cause[w][c->reader] = before;
        if (found)
            return true;
    }
    return false;
}

static uint32_t writers_of(const struct naive *n, uint32_t key, uint32_t value)
{
    uint32_t writers = 0;
    for (uint32_t w = 0; w < n->count; w++)
        for (uint32_t i = 0; i < txn_of(n, w)->count; i++) {
            const struct history_act *act = history_act(n->h, txn_of(n, w), i);
            uint32_t written = act->code == ACT_CAS ? act->args[1] : act->args[0];
            if (act->key == key && act->code != ACT_READ && !act->fault && written == value)
                writers |= 1u << w;
        }
    return writers;
}

/* What one read returned, the transaction itself being among the writers of what it wrote before.
 * False when nobody wrote it. */
static bool add_choice(struct naive *n, uint32_t reader, uint32_t index, uint32_t value)
{
    const struct history_txn *txn = txn_of(n, reader);
    uint32_t key = history_act(n->h, txn, index)->key;
    uint32_t writers = writers_of(n, key, value) & ~(1u << reader);
    for (uint32_t i = 0; i < index; i++) {
        const struct history_act *act = history_act(n->h, txn, i);
        uint32_t written = act->code == ACT_CAS ? act->args[1] : act->args[0];
        if (act->key == key && act->code != ACT_READ && !act->fault && written == value)
            return true; /* its own, which makes nothing causal */
    }
    INVARIANT(n->choice_count < 64);
    n->choices[n->choice_count++] = (struct choice){reader, writers};
    return writers || (value == VALUE_NONE && n->h->keys[key].model == MODEL_REGISTER);
}

static bool add_choices(struct naive *n, uint32_t reader)
{
    const struct history_txn *txn = txn_of(n, reader);
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct history_act *act = history_act(n->h, txn, i);
        if ((act->code != ACT_READ && act->code != ACT_CAS) || !act->known || act->fault)
            continue;
        uint32_t value = act->code == ACT_CAS ? act->args[0] : act->value;
        if (n->h->keys[act->key].model == MODEL_REGISTER && value != VALUE_NONE &&
            !add_choice(n, reader, i, value))
            return false;
        for (uint32_t j = 0; j < act->count; j++)
            if (!add_choice(n, reader, i, n->h->pool[act->list + j]))
                return false;
    }
    return true;
}

/* Of these transactions of unknown outcome (bits), those that took effect. */
static enum naive_answer with_unknown(const struct history *history, uint32_t unknown)
{
    struct naive n = {.h = history};
    uint32_t k = 0;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        uint8_t outcome = history->txns[i].outcome;
        bool took = outcome == OUTCOME_DONE || (outcome == OUTCOME_UNKNOWN && unknown & 1u << k);
        k += outcome == OUTCOME_UNKNOWN;
        if (took)
            n.nodes[n.count++] = i;
    }
    for (uint32_t a = 0; a < n.count; a++)
        for (uint32_t b = a + 1; b < n.count; b++)
            n.cause[a][b] = txn_of(&n, a)->session == txn_of(&n, b)->session;
    for (uint32_t a = 0; a < n.count; a++)
        if (!add_choices(&n, a))
            return NAIVE_BROKEN;
    uint32_t ways = 1;
    for (uint32_t i = 0; i < n.choice_count && ways <= NAIVE_WAYS; i++)
        ways *= (uint32_t)__builtin_popcount(n.choices[i].writers);
    if (ways > NAIVE_WAYS)
        return NAIVE_TOO_LARGE;
    return choose(&n, 0) ? NAIVE_HOLDS : NAIVE_BROKEN;
}

enum naive_answer naive_causal(const struct history *history)
{
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < history->txn_count; i++)
        unknown += history->txns[i].outcome == OUTCOME_UNKNOWN;
    INVARIANT(history->txn_count <= NAIVE_ACTS && history->key_count <= KEYS);
    for (uint32_t set = 0; set < 1u << unknown; set++) {
        enum naive_answer answer = with_unknown(history, set);
        if (answer != NAIVE_BROKEN)
            return answer;
    }
    return NAIVE_BROKEN;
}
