/* SPDX-License-Identifier: MIT
 *
 * txn_agree.c: see txn_agree.h.
 *
 * Histories come from a toy database at each of its levels, with and without a bug (memory_db.h);
 * of half of them some answers are then changed: into those of another moment, or anything else.
 */
#include "txn_agree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../check/memory_db.h"
#include "core/base/chance.h"
#include "core/check/verdict.h"
#include "naive_txn.h"

#define TOLD_MAX 5

static const enum promise promises[] = {PROMISE_READ_COMMITTED, PROMISE_SNAPSHOT_ISOLATION,
                                        PROMISE_SERIALISABLE, PROMISE_STRICT_SERIALISABLE};

/* --- making one --- */

static struct db_load random_load(struct chance *chance)
{
    static const enum history_model models[] = {MODEL_LIST,     MODEL_LIST,     MODEL_LIST,
                                                MODEL_REGISTER, MODEL_REGISTER, MODEL_REGISTER,
                                                MODEL_SET,      MODEL_COUNTER};
    struct db_load load = {.seed = chance_next(chance)};
    load.txns = 2 + chance_below(chance, 5);
    load.clients = 2 + chance_below(chance, 3);
    load.acts = 1 + chance_below(chance, 4);
    load.keys = 1 + chance_below(chance, 3);
    load.model = models[chance_below(chance, 8)];
    load.level = chance_below(chance, DB_LEVELS);
    load.bug = chance_below(chance, DB_BUGS);
    load.bug_every = chance_below(chance, 4);
    load.unknown = chance_below(chance, 3) ? 0 : 200;
    load.failed = chance_below(chance, 3) ? 0 : 150;
    load.read_first = chance_coin(chance);
    load.final_read = chance_below(chance, 4) > 0;
    load.repeat = chance_below(chance, 6) ? 0 : 200;
    return load;
}

/* The values that are written to a key, in some order that is the same for each of its reads. */
static uint32_t written_to(const struct history *history, uint32_t key, uint32_t *values)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->act_count && count < NAIVE_VALUES; i++)
        if (history->acts[i].key == key && history->acts[i].code != ACT_READ)
            values[count++] = history->acts[i].args[0];
    return count;
}

static void change_list(struct history *history, uint32_t txn, uint32_t index,
                        struct chance *chance)
{
    const struct history_act *act = history_act(history, &history->txns[txn], index);
    uint32_t values[NAIVE_VALUES], count = act->count;
    if (count)
        memcpy(values, history->pool + act->list, count * sizeof *values);
    switch (chance_below(chance, 5)) {
    case 0: /* in another order, or of what another transaction will write */
        count = written_to(history, act->key, values);
        count = count ? chance_below(chance, count + 1) : 0;
        break;
    case 1:
        if (count > 1) {
            uint32_t at = chance_below(chance, count - 1), swap = values[at];
            values[at] = values[at + 1];
            values[at + 1] = swap;
        }
        break;
    default: /* an earlier state */
        count = count ? chance_below(chance, count) : 0;
    }
    history_answer_list(history, txn, index, values, count);
}

static void change_value(struct history *history, struct history_act *act, struct chance *chance)
{
    uint32_t values[NAIVE_VALUES], count = written_to(history, act->key, values);
    uint32_t which = chance_below(chance, count + 1);
    act->value = which == count ? VALUE_NONE : values[which];
    if (history->keys[act->key].model == MODEL_COUNTER)
        act->value = history_number(history, chance_below(chance, 8));
}

/* Some writes of registers become cas, of a value that may be right. */
static void change_write(struct history *history, uint32_t act, struct chance *chance)
{
    struct history_act *write = &history->acts[act];
    uint32_t values[NAIVE_VALUES], count = written_to(history, write->key, values);
    uint32_t value = write->args[0], which = chance_below(chance, count + 1);
    uint32_t old = which == count ? VALUE_NONE : values[which];
    if (act > 0 && write[-1].code == ACT_READ && write[-1].key == write->key && write[-1].known)
        old = write[-1].value;
    if (old == value)
        return;
    write->code = ACT_CAS;
    write->args[0] = old;
    write->args[1] = value;
    if (write->known && !chance_below(chance, 4))
        write->fault = ERR_CONFLICT;
}

static void change_some(struct history *history, const struct db_load *load, struct chance *chance)
{
    uint32_t last = history->txn_count - (load->final_read && chance_below(chance, 4) ? 1 : 0);
    uint32_t one_of = 2 + chance_below(chance, 6);
    for (uint32_t i = 0; i < last; i++)
        for (uint32_t act = 0; act < history->txns[i].count; act++) {
            struct history_act *a = &history->acts[history->txns[i].first + act];
            uint8_t model = history->keys[a->key].model;
            if (chance_below(chance, one_of) || (!a->known && a->code != ACT_WRITE))
                continue;
            if (a->code == ACT_READ && (model == MODEL_LIST || model == MODEL_SET))
                change_list(history, i, act, chance);
            else if (a->code == ACT_READ)
                change_value(history, a, chance);
            else if (a->code == ACT_WRITE && chance_coin(chance))
                change_write(history, history->txns[i].first + act, chance);
        }
}

/* --- when the checkers are complete --- */

static bool unique(const struct history *history)
{
    for (uint32_t i = 0; i < history->act_count; i++)
        for (uint32_t j = 0; j < i; j++) {
            const struct history_act *a = &history->acts[i], *b = &history->acts[j];
            uint32_t x = a->args[a->code == ACT_CAS], y = b->args[b->code == ACT_CAS];
            if (a->code != ACT_READ && b->code != ACT_READ && a->key == b->key && x == y)
                return false;
        }
    return true;
}

static bool is_shown(const struct history *history, uint32_t key, uint32_t value)
{
    for (uint32_t i = 0; i < history->act_count; i++) {
        const struct history_act *act = &history->acts[i];
        for (uint32_t at = 0; act->key == key && act->known && at < act->count; at++)
            if (history->pool[act->list + at] == value)
                return true;
    }
    return false;
}

/* Of each list at most one transaction appended something that no read shows. */
static bool read_to_the_end(const struct history *history)
{
    uint32_t tail[NAIVE_KEYS] = {0};
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        uint32_t in_tail = 0;
        for (uint32_t act = 0; act < txn->count && txn->outcome != OUTCOME_FAILED; act++) {
            const struct history_act *a = history_act(history, txn, act);
            if (a->code == ACT_APPEND && !is_shown(history, a->key, a->args[0]))
                in_tail |= 1u << a->key;
        }
        for (uint32_t key = 0; key < history->key_count; key++)
            if (in_tail >> key & 1 && tail[key]++)
                return false;
    }
    return true;
}

/* Every write of a register follows a read of it in its transaction, and all outcomes are known. */
static bool updates_only(const struct history *history)
{
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        if (txn->outcome == OUTCOME_UNKNOWN)
            return false;
        for (uint32_t act = 0; act < txn->count; act++) {
            const struct history_act *a = history_act(history, txn, act);
            bool read = a->code != ACT_WRITE;
            for (uint32_t before = 0; before < act; before++)
                read |= history_act(history, txn, before)->key == a->key;
            if (!read || a->fault)
                return false;
        }
    }
    return true;
}

/* Every transaction is one read or one write. */
static bool single_acts(const struct history *history)
{
    for (uint32_t i = 0; i < history->txn_count; i++)
        if (history->txns[i].count != 1 || history->acts[history->txns[i].first].code == ACT_CAS)
            return false;
    return true;
}

/* A cas of which it is not known that it took effect. */
static bool any_vain_cas(const struct history *history)
{
    for (uint32_t i = 0; i < history->act_count; i++)
        if (history->acts[i].fault || (history->acts[i].code == ACT_CAS && !history->acts[i].known))
            return true;
    return false;
}

/* See the laws of list_append.c and rw_register.c. */
static bool complete(const struct history *history, enum history_model model, enum promise promise)
{
    if (!unique(history))
        return false;
    if (model == MODEL_LIST)
        return promise != PROMISE_SNAPSHOT_ISOLATION || read_to_the_end(history);
    if (model != MODEL_REGISTER || any_vain_cas(history))
        return false;
    return promise == PROMISE_READ_COMMITTED || updates_only(history) ||
           (promise == PROMISE_STRICT_SERIALISABLE && single_acts(history));
}

/* --- judging --- */

static void tell(const struct history *history, const struct verdict *verdict, uint64_t seed)
{
    char line[1024];
    printf("seed %llu: %s is said to %s, and does not\n", (unsigned long long)seed,
           promise_word(verdict->promise), verdict->result == CHECK_HOLDS ? "hold" : "be broken");
    for (uint32_t i = 0; i < history->txn_count; i++)
        printf("  %llu-%lld %s\n", (unsigned long long)history->txns[i].began,
               (long long)history->txns[i].ended, txn_print(history, i, line, sizeof line));
    printf("  %s: %s\n", anomaly_name(verdict->anomaly), verdict->text);
}

/* A cas of unknown outcome can find any committed state: the definition has it only of one. */
static bool open_cas(const struct history *history)
{
    for (uint32_t i = 0; i < history->act_count; i++)
        if (history->acts[i].code == ACT_CAS && !history->acts[i].known)
            return true;
    return false;
}

static void judge(struct history *history, const struct db_load *load, uint64_t seed,
                  struct agreement *sum)
{
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        struct arena arena;
        struct verdict verdict;
        if (!promise_applies(history, promises[i]) ||
            (promises[i] == PROMISE_READ_COMMITTED && open_cas(history)))
            continue;
        arena_init(&arena);
        check_history(history, promises[i], NULL, &arena, &verdict);
        bool holds = naive_holds(history, promises[i]);
        bool exact = complete(history, load->model, promises[i]);
        bool wrong =
            holds ? verdict.result != CHECK_HOLDS : exact && verdict.result != CHECK_BROKEN;
        sum->judged++;
        sum->broken += !holds;
        sum->exact += exact;
        sum->missed += !holds && !exact && verdict.result == CHECK_HOLDS;
        if (wrong && sum->wrong++ < TOLD_MAX)
            tell(history, &verdict, seed);
        if (wrong && sum->wrong == 1)
            sum->first_wrong = seed;
        arena_free(&arena);
    }
}

struct agreement txn_agree(uint64_t first_seed, uint64_t count)
{
    struct agreement sum = {0};
    for (uint64_t seed = first_seed; seed < first_seed + count; seed++) {
        struct chance chance;
        chance_seed(&chance, seed);
        struct db_load load = random_load(&chance);
        struct history *history = db_history(&load);
        if (chance_coin(&chance))
            change_some(history, &load, &chance);
        uint32_t key; /* a register that nobody uses: sets and counters alone are not judged */
        history_key(history, VALUE_NONE, history_value(history, "x", 1), MODEL_REGISTER, &key);
        judge(history, &load, seed, &sum);
        history_free(history);
    }
    return sum;
}
