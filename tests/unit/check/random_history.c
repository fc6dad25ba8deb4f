/* SPDX-License-Identifier: MIT
 *
 * random_history.c: a naive system with some clients, and its deliberate faults.
 */
#include "random_history.h"

#include <stdio.h>
#include <string.h>

#include "naive_model.h"

#define PROCESSES 4u
#define ACTS      3u
#define LOG       40u

struct client {
    bool busy, effected, looks;
    uint32_t txn, effect_end, view;
    uint32_t lists[ACTS][2 * NAIVE_ITEMS], counts[ACTS];
};

struct run {
    struct history *h;
    uint64_t chance;
    enum history_model model;
    uint32_t keys, processes, txns_left, acts_max, crashes_left;
    uint32_t values, inodes, names[2], hows[3];
    bool unique, down;
    /* percent: of answers changed, effects lost, effects that come late, reads of old states,
     * crashes that keep too little */
    uint32_t wrong, lost, late, old, careless;
    struct naive_state log[LOG]; /* of this era: log[i] is the state after i effects */
    uint32_t count, durable;     /* effects in the log; those that a crash must keep */
    struct client clients[PROCESSES];
    uint32_t late_txns[LOG], late_count;
};

static uint32_t below(struct run *r, uint32_t n)
{
    r->chance ^= r->chance << 13;
    r->chance ^= r->chance >> 7;
    r->chance ^= r->chance << 17;
    return (uint32_t)((r->chance >> 33) % n);
}

static bool percent(struct run *r, uint32_t n)
{
    return below(r, 100) < n;
}

/* --- what clients ask --- */

static uint32_t some_value(struct run *r)
{
    return history_number(r->h, r->unique ? ++r->values : 1 + below(r, 3));
}

static uint32_t some_inode(struct run *r)
{
    return history_number(r->h, 1 + below(r, r->inodes + 1));
}

static uint32_t some_dir(struct run *r)
{
    return percent(r, 60) ? history_number(r->h, 1) : some_inode(r);
}

static void ask_tree(struct run *r, struct history_act *act)
{
    static const enum act_code codes[] = {ACT_MKDIR,  ACT_MKDIR, ACT_CREATE, ACT_CREATE, ACT_LINK,
                                          ACT_UNLINK, ACT_RMDIR, ACT_RENAME, ACT_RENAME, ACT_LOOKUP,
                                          ACT_LOOKUP, ACT_LIST,  ACT_LIST,   ACT_PUT,    ACT_GET,
                                          ACT_GET,    ACT_LINKS};
    act->code = (uint8_t)codes[below(r, sizeof codes / sizeof *codes)];
    uint32_t name = r->names[below(r, 2)];
    switch (act->code) {
    case ACT_GET:
    case ACT_LINKS:
        act->args[0] = some_inode(r);
        return;
    case ACT_PUT:
        act->args[0] = some_inode(r);
        act->args[1] = some_value(r);
        return;
    case ACT_LINK:
        act->args[0] = some_inode(r);
        act->args[1] = some_dir(r);
        act->args[2] = name;
        return;
    default:
        break;
    }
    act->args[0] = some_dir(r);
    act->args[1] = act->code == ACT_LIST ? VALUE_NONE : name;
    if (act->code == ACT_MKDIR || act->code == ACT_CREATE)
        act->args[2] = history_number(r->h, 1 + (int64_t)(percent(r, 95) ? ++r->inodes : 1));
    if (act->code == ACT_RENAME) {
        act->args[2] = some_dir(r);
        act->args[3] = r->names[below(r, 2)];
        act->args[4] = r->hows[below(r, 3)];
    }
}

static struct history_act ask(struct run *r)
{
    struct history_act act = {.key = below(r, r->keys), .code = ACT_READ};
    if (r->model == MODEL_TREE) {
        ask_tree(r, &act);
        return act;
    }
    if (percent(r, 45))
        return act;
    act.args[0] = some_value(r);
    if (r->model == MODEL_REGISTER) {
        act.code = percent(r, 25) ? ACT_CAS : ACT_WRITE;
        if (act.code == ACT_CAS) {
            act.args[1] = act.args[0];
            act.args[0] = r->values && percent(r, 80)
                              ? history_number(r->h, 1 + below(r, r->unique ? r->values : 3))
                              : VALUE_NONE;
        }
    } else if (r->model == MODEL_COUNTER) {
        act.code = ACT_INCREMENT;
        act.args[0] =
            history_number(r->h, (int64_t)below(r, 3) + 1 - 2 * (r->down && percent(r, 50)));
    } else {
        act.code = r->model == MODEL_LIST ? ACT_APPEND : ACT_ADD;
    }
    return act;
}

static void begin(struct run *r, uint32_t process)
{
    struct client *c = &r->clients[process];
    uint32_t acts = percent(r, 80) ? 1 : 1 + below(r, r->acts_max);
    bool sync = r->crashes_left && percent(r, 8);
    memset(c->counts, 0, sizeof c->counts);
    c->busy = true;
    c->effected = false;
    c->looks = true;
    c->txn = history_begin(r->h, process, 0);
    for (uint32_t i = 0; i < (sync ? 1 : acts); i++) {
        struct history_act act = sync ? (struct history_act){.code = ACT_SYNC} : ask(r);
        c->looks = c->looks && (act.code == ACT_READ || act.code == ACT_LOOKUP ||
                                act.code == ACT_LIST || act.code == ACT_GET);
        history_add(r->h, &act);
    }
    r->txns_left--;
}

/* --- what the system does --- */

static struct naive_state *now(struct run *r)
{
    return &r->log[r->count];
}

static void effect(struct run *r, struct client *c)
{
    const struct history_txn *txn = &r->h->txns[c->txn];
    struct naive_state next = *now(r), old;
    bool stale = c->looks && percent(r, r->old);
    if (stale) {
        c->view += below(r, r->count - c->view + 1);
        old = r->log[c->view];
    } else {
        c->view = r->count + 1;
    }
    for (uint32_t i = 0; i < txn->count; i++) {
        struct history_act *act = &r->h->acts[txn->first + i];
        c->counts[i] = naive_answer(r->h, act, stale ? &old : &next, c->lists[i]);
        if (act->code == ACT_SYNC)
            r->durable = r->count;
    }
    if (stale || r->count + 1 == LOG) {
        c->effect_end = r->count;
    } else {
        r->log[++r->count] = percent(r, r->lost) ? *now(r) : next;
        c->effect_end = r->count;
    }
    c->effected = true;
}

/* Takes effect without an answer that anybody sees. */
static void effect_unseen(struct run *r, uint32_t txn)
{
    struct naive_state next = *now(r);
    const struct history_txn *t = &r->h->txns[txn];
    if (r->count + 1 >= LOG)
        return;
    for (uint32_t i = 0; i < t->count; i++)
        naive_apply(r->h, history_act(r->h, t, i), false, &next);
    r->log[++r->count] = next;
}

static void change_list(struct run *r, struct client *c, uint32_t i)
{
    uint32_t *list = c->lists[i], *count = &c->counts[i];
    uint32_t unit = r->model == MODEL_TREE ? 2 : 1;
    if (*count >= unit && percent(r, 50)) {
        *count -= unit;
    } else if (*count >= 2 && percent(r, 50)) {
        uint32_t first = list[0];
        list[0] = list[1];
        list[1] = first;
    } else if (unit == 1 && *count < NAIVE_ITEMS) {
        uint32_t again = *count && percent(r, 50) ? list[0] : history_number(r->h, 1 + below(r, 4));
        list[(*count)++] = again;
    }
}

/* A wrong answer. */
static void change(struct run *r, struct client *c, uint32_t i)
{
    struct history_act *act = &r->h->acts[r->h->txns[c->txn].first + i];
    static const uint8_t faults[] = {OK, ERR_NOENT, ERR_EXIST, ERR_NOTDIR, ERR_ISDIR, ERR_NOTEMPTY};
    bool list = act->code == ACT_LIST ||
                (act->code == ACT_READ && (r->model == MODEL_LIST || r->model == MODEL_SET));
    if (list && !act->fault)
        change_list(r, c, i);
    else if (act->code == ACT_CAS)
        act->fault = act->fault ? OK : ERR_CONFLICT;
    else if (r->model == MODEL_TREE && percent(r, 40))
        act->fault = faults[below(r, sizeof faults)];
    else if (act->code == ACT_READ || act->code == ACT_LOOKUP || act->code == ACT_GET ||
             act->code == ACT_LINKS)
        act->value = history_number(r->h, below(r, r->values + r->inodes + 3));
}

static void end(struct run *r, struct client *c)
{
    struct history_txn *txn = &r->h->txns[c->txn];
    c->busy = false;
    if (percent(r, 8) && !c->effected) {
        history_end(r->h, c->txn, 0, OUTCOME_FAILED);
        return;
    }
    if (percent(r, 12)) {
        if (!c->effected && percent(r, 70) && r->late_count < LOG)
            r->late_txns[r->late_count++] = c->txn;
        if (percent(r, 50))
            history_end(r->h, c->txn, 0, OUTCOME_UNKNOWN);
        return;
    }
    if (!c->effected)
        effect(r, c);
    for (uint32_t i = 0; i < txn->count; i++) {
        if (percent(r, r->wrong))
            change(r, c, i);
        if (c->counts[i])
            history_answer_list(r->h, c->txn, i, c->lists[i], c->counts[i]);
    }
    if (r->crashes_left && percent(r, 30)) {
        txn->durable = true;
        if (r->durable < c->effect_end && !percent(r, r->careless))
            r->durable = c->effect_end;
    }
    history_end(r->h, c->txn, 0, OUTCOME_DONE);
}

static void crash(struct run *r)
{
    for (uint32_t i = 0; i < r->processes; i++) {
        struct client *c = &r->clients[i];
        if (c->busy && !c->effected && percent(r, 50))
            effect_unseen(r, c->txn);
        c->busy = false;
        c->view = 0;
    }
    if (r->durable > r->count)
        r->durable = r->count;
    uint32_t least = percent(r, r->careless) ? 0 : r->durable;
    struct naive_state kept = r->log[least + below(r, r->count - least + 1)];
    r->log[0] = kept;
    r->count = r->durable = r->late_count = 0;
    history_event(r->h, EVENT_CRASH, 0, "power cut");
    r->crashes_left--;
}

static void step(struct run *r)
{
    uint32_t process = below(r, r->processes);
    struct client *c = &r->clients[process];
    if (r->crashes_left && percent(r, 6)) {
        crash(r);
    } else if (r->late_count && percent(r, 20)) {
        effect_unseen(r, r->late_txns[--r->late_count]);
    } else if (!c->busy) {
        if (r->txns_left)
            begin(r, process);
    } else if (!c->effected && !percent(r, r->late)) {
        effect(r, c);
    } else {
        end(r, c);
    }
}

static void choose(struct run *r)
{
    static const enum history_model models[] = {MODEL_REGISTER, MODEL_REGISTER, MODEL_LIST,
                                                MODEL_SET,      MODEL_COUNTER,  MODEL_TREE,
                                                MODEL_TREE};
    r->model = models[below(r, 7)];
    r->keys = 1;
    if (r->model != MODEL_TREE && percent(r, 50))
        r->keys += 1 + percent(r, 10);
    r->processes = 2 + below(r, PROCESSES - 1);
    r->txns_left = 4 + below(r, 6);
    r->unique = percent(r, 50);
    r->down = percent(r, 20);
    r->crashes_left = percent(r, 40) ? 1 + below(r, 2) : 0;
    r->acts_max = r->crashes_left && r->keys > 1 ? 1 : 1 + below(r, ACTS);
    r->wrong = percent(r, 40) ? 25 : 0;
    r->lost = percent(r, 35) ? 30 : 0;
    r->old = percent(r, 50) ? 70 : 0;
    r->careless = percent(r, 50) ? 80 : 0;
    r->late = percent(r, 50) ? 30 : 0;
}

struct history *random_history(uint64_t seed)
{
    static struct run run; /* large */
    struct run *r = &run;
    memset(r, 0, sizeof *r);
    r->chance = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (int i = 0; i < 8; i++)
        below(r, 2);
    r->h = history_new();
    choose(r);
    history_number(r->h, 1);
    r->names[0] = history_value(r->h, "a", 1);
    r->names[1] = history_value(r->h, "b", 1);
    r->hows[0] = history_value(r->h, "replace", 7);
    r->hows[1] = history_value(r->h, "new", 3);
    r->hows[2] = history_value(r->h, "exchange", 8);
    for (uint32_t i = 0; i < r->keys; i++) {
        char name[8];
        uint32_t key;
        int len = snprintf(name, sizeof name, "k%u", i);
        history_key(r->h, VALUE_NONE, history_value(r->h, name, (size_t)len), r->model, &key);
    }
    naive_init(r->h, &r->log[0]);
    for (uint32_t steps = 0; steps < 200; steps++)
        step(r);
    for (uint32_t i = 0; i < r->processes; i++)
        if (r->clients[i].busy && percent(r, 80))
            end(r, &r->clients[i]);
    return r->h;
}
