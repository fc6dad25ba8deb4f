/* SPDX-License-Identifier: MIT
 *
 * random_history.c: see random_history.h.
 */
#include "random_history.h"

#include <stdio.h>
#include <string.h>

#define PROCESSES 5u
#define KEYS      8u

struct making {
    struct history *history;
    uint64_t chance, time;
    uint32_t busy[PROCESSES]; /* 1 + the transaction under way */
    uint32_t keys[KEYS];
};

static uint32_t below(struct making *m, uint32_t n)
{
    uint64_t z = m->chance += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % n);
}

static uint32_t text(struct making *m, const char *word)
{
    return history_value(m->history, word, strlen(word));
}

static uint32_t value(struct making *m)
{
    static const char *const words[] = {
        "",       "a",    "é\"\\", "line\nbreak\t",       "007", "-0", "- 1",
        "90 #17", "\x01", "𝄞",     "9223372036854775807", "nil"};
    if (below(m, 3))
        return history_number(m->history, (int64_t)below(m, 40) - 5);
    return text(m, words[below(m, sizeof words / sizeof *words)]);
}

static void make_keys(struct making *m)
{
    static const enum history_model models[] = {MODEL_REGISTER, MODEL_LIST, MODEL_SET,
                                                MODEL_COUNTER, MODEL_TREE};
    for (uint32_t i = 0; i < KEYS; i++) {
        char name[32];
        uint32_t volume = m->history->volume;
        if (below(m, 3) == 0)
            volume = text(m, "elsewhere");
        snprintf(name, sizeof name, below(m, 2) ? "k%u" : "%u \"k\"", i);
        enum history_model model = models[below(m, 5)];
        history_key(m->history, volume, text(m, name), model, &m->keys[i]);
    }
}

static uint8_t act_for(struct making *m, enum history_model model)
{
    static const uint8_t of_tree[] = {ACT_MKDIR, ACT_CREATE, ACT_LINK,   ACT_UNLINK,
                                      ACT_RMDIR, ACT_RENAME, ACT_LOOKUP, ACT_LIST,
                                      ACT_PUT,   ACT_GET,    ACT_LINKS};
    if (model == MODEL_TREE)
        return of_tree[below(m, sizeof of_tree)];
    if (below(m, 2))
        return ACT_READ;
    return model == MODEL_REGISTER ? (below(m, 2) ? ACT_WRITE : ACT_CAS)
           : model == MODEL_LIST   ? ACT_APPEND
           : model == MODEL_SET    ? ACT_ADD
                                   : ACT_INCREMENT;
}

static void add_act(struct making *m)
{
    static const uint8_t counts[ACT_CODE_COUNT] = {
        [ACT_WRITE] = 1,     [ACT_CAS] = 2,   [ACT_APPEND] = 1, [ACT_ADD] = 1,
        [ACT_INCREMENT] = 1, [ACT_MKDIR] = 3, [ACT_CREATE] = 3, [ACT_LINK] = 3,
        [ACT_UNLINK] = 2,    [ACT_RMDIR] = 2, [ACT_RENAME] = 5, [ACT_LOOKUP] = 2,
        [ACT_LIST] = 1,      [ACT_PUT] = 2,   [ACT_GET] = 1,    [ACT_LINKS] = 1};
    static const char *const hows[] = {"replace", "new", "exchange"};
    struct history_act act = {.key = m->keys[below(m, KEYS)]};
    act.code = act_for(m, m->history->keys[act.key].model);
    for (unsigned i = 0; i < counts[act.code]; i++)
        act.args[i] = value(m);
    if (act.code == ACT_RENAME)
        act.args[4] = text(m, hows[below(m, 3)]);
    if (act.code == ACT_INCREMENT)
        act.args[0] = history_number(m->history, below(m, 9));
    if (act.code == ACT_CAS && below(m, 3) == 0)
        act.args[0] = VALUE_NONE;
    if (below(m, 20) == 0)
        act = (struct history_act){.code = ACT_SYNC};
    history_add(m->history, &act);
}

static void answer(struct making *m, uint32_t txn, uint32_t index)
{
    struct history_act *act = &m->history->acts[m->history->txns[txn].first + index];
    enum history_model model = m->history->keys[act->key].model;
    uint32_t values[12], count = below(m, 6) * 2;
    if (act->code == ACT_SYNC)
        return;
    if ((model == MODEL_TREE || act->code == ACT_CAS) && below(m, 3) == 0) {
        act->fault = (uint8_t)(1 + below(m, ERR_COUNT - 1));
        return;
    }
    if (act->code == ACT_LIST ||
        (act->code == ACT_READ && (model == MODEL_LIST || model == MODEL_SET))) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = value(m);
        history_answer_list(m->history, txn, index, values, count);
    } else if (act->code == ACT_READ && model == MODEL_COUNTER) {
        act->value = history_number(m->history, below(m, 100));
    } else if (act->code == ACT_READ || act->code == ACT_GET) {
        act->value = below(m, 4) ? value(m) : VALUE_NONE;
    } else if (act->code == ACT_LOOKUP || act->code == ACT_LINKS) {
        act->value = value(m);
    }
}

static void step(struct making *m)
{
    uint32_t process = below(m, PROCESSES);
    m->time += below(m, 3) * 1000;
    if (below(m, 30) == 0) {
        enum history_event_kind kind = (enum history_event_kind)(1 + below(m, 4));
        const char *what = below(m, 2) ? "what happened" : "";
        history_event(m->history, kind, m->time, what);
        return;
    }
    if (!m->busy[process]) {
        m->busy[process] = 1 + history_begin(m->history, process, m->time);
        for (uint32_t i = 0, count = 1 + below(m, 4); i < count; i++)
            add_act(m);
        return;
    }
    uint32_t txn = m->busy[process] - 1, how = below(m, 8);
    enum outcome outcome = how == 0 ? OUTCOME_UNKNOWN : how == 1 ? OUTCOME_FAILED : OUTCOME_DONE;
    for (uint32_t i = 0; outcome == OUTCOME_DONE && i < m->history->txns[txn].count; i++)
        answer(m, txn, i);
    m->history->txns[txn].durable = outcome == OUTCOME_DONE && below(m, 2);
    history_end(m->history, txn, m->time, outcome);
    m->busy[process] = 0;
}

struct history *random_history(uint64_t seed, unsigned transactions)
{
    struct making m = {.history = history_new(), .chance = seed, .time = 1000};
    if (below(&m, 2))
        m.history->volume = text(&m, "home");
    make_keys(&m);
    while (m.history->txn_count < transactions)
        step(&m);
    return m.history;
}
