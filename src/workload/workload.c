/* SPDX-License-Identifier: MIT
 *
 * workload.c: making and ending; transactions on registers, lists, sets and counters.
 */
#include "workload/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "workload/private.h"

struct kind {
    const char *word;
    char prefix; /* of the keys' names */
    enum history_model model;
    enum act_code write;
};

static const struct kind kinds[] = {
    [WORKLOAD_REGISTER] = {"register", 'r', MODEL_REGISTER, ACT_WRITE},
    [WORKLOAD_LIST] = {"list", 'l', MODEL_LIST, ACT_APPEND},
    [WORKLOAD_SET] = {"set", 's', MODEL_SET, ACT_ADD},
    [WORKLOAD_COUNTER] = {"counter", 'c', MODEL_COUNTER, ACT_INCREMENT},
    [WORKLOAD_BANK] = {"bank", 'a', MODEL_REGISTER, ACT_WRITE},
    [WORKLOAD_TREE] = {"tree", 0, MODEL_TREE, ACT_PUT},
};
#define KINDS (sizeof kinds / sizeof *kinds)

const char *workload_word(enum workload_kind kind)
{
    return (unsigned)kind < KINDS && kinds[kind].word ? kinds[kind].word : "?";
}

bool workload_of_word(const char *word, enum workload_kind *kind)
{
    for (unsigned i = WORKLOAD_REGISTER; i < KINDS; i++)
        if (strcmp(kinds[i].word, word) == 0) {
            *kind = (enum workload_kind)i;
            return true;
        }
    return false;
}

/* --- making --- */

static uint32_t make_key(struct workload *w, const char *name)
{
    uint32_t key, value = history_value(w->history, name, strlen(name));
    enum err err =
        history_key(w->history, w->options.volume, value, kinds[w->options.kind].model, &key);
    INVARIANT(err == OK); /* the caller's history has no such key of another model */
    return key;
}

static void make_keys(struct workload *w)
{
    const struct kind *kind = &kinds[w->options.kind];
    char name[32];
    w->keys = calloc(w->options.keys, sizeof *w->keys);
    INVARIANT(w->keys != NULL);
    if (w->options.kind == WORKLOAD_TREE) {
        w->keys[0] = make_key(w, "tree");
        files_new(w);
        return;
    }
    for (uint32_t i = 0; i < w->options.keys; i++) {
        snprintf(name, sizeof name, "%c%u", kind->prefix, i);
        w->keys[i] = make_key(w, name);
    }
}

struct workload *workload_new(const struct workload_options *options, struct history *history)
{
    struct workload *w = calloc(1, sizeof *w);
    INVARIANT(w != NULL && options->clients > 0);
    w->options = *options;
    w->history = history;
    uint32_t least = options->kind == WORKLOAD_BANK ? 2 : 1;
    if (w->options.keys < least)
        w->options.keys = least;
    if (w->options.acts == 0)
        w->options.acts = 1;
    w->clients = calloc(options->clients, sizeof *w->clients);
    INVARIANT(w->clients != NULL);
    for (uint32_t i = 0; i < options->clients; i++)
        chance_seed(&w->clients[i].chance, options->seed ^ (i + 1) * UINT64_C(0xd1b54a32d192ed03));
    make_keys(w);
    return w;
}

void workload_free(struct workload *w)
{
    if (!w)
        return;
    files_free(w);
    free(w->keys);
    free(w->clients);
    free(w);
}

uint64_t workload_unique(struct workload *w, uint32_t client)
{
    return w->clients[client].serial++ * w->options.clients + client + 1;
}

/* --- plans --- */

static void plan_one(struct workload *w, uint32_t client)
{
    enum act_code write = kinds[w->options.kind].write;
    struct history_act act = {
        .code = ACT_READ,
        .key = w->keys[workload_below(w, client, w->options.keys)],
    };
    if (workload_below(w, client, 100) >= w->options.read_percent) {
        uint64_t value = write == ACT_INCREMENT ? 1 : workload_unique(w, client);
        act.code = (uint8_t)write;
        act.args[0] = history_number(w->history, (int64_t)value);
    }
    history_add(w->history, &act);
}

static void plan(struct workload *w, uint32_t client)
{
    uint32_t count = 1 + workload_below(w, client, w->options.acts);
    for (uint32_t i = 0; i < count; i++)
        plan_one(w, client);
}

uint32_t workload_next(struct workload *w, uint32_t client, uint64_t at_ns)
{
    INVARIANT(client < w->options.clients);
    uint32_t txn = history_begin(w->history, client, at_ns);
    if (workload_below(w, client, 100) < w->options.sync_percent)
        history_add(w->history, &(struct history_act){.code = ACT_SYNC});
    else if (w->options.kind == WORKLOAD_BANK)
        bank_plan(w, client);
    else if (w->options.kind == WORKLOAD_TREE)
        files_plan(w, client);
    else
        plan(w, client);
    return txn;
}

void workload_continue(struct workload *w, uint32_t txn)
{
    if (w->options.kind == WORKLOAD_BANK)
        bank_continue(w, txn);
}

void workload_ended(struct workload *w, uint32_t txn)
{
    if (w->options.kind == WORKLOAD_BANK)
        bank_ended(w, txn);
    else if (w->options.kind == WORKLOAD_TREE)
        files_ended(w, txn);
}

void workload_crashed(struct workload *w)
{
    if (w->options.kind == WORKLOAD_TREE)
        files_crashed(w);
}

bool workload_final(struct workload *w, uint32_t client, uint64_t at_ns, uint32_t *txn)
{
    struct workload_client *c = &w->clients[client];
    INVARIANT(client < w->options.clients);
    if (w->options.kind == WORKLOAD_TREE)
        return files_final(w, client, at_ns, txn);
    if (c->at == w->options.keys)
        return false;
    *txn = history_begin(w->history, client, at_ns);
    if (w->options.kind == WORKLOAD_BANK) {
        bank_read_all(w);
        c->at = w->options.keys;
    } else {
        history_add(w->history, &(struct history_act){.code = ACT_READ, .key = w->keys[c->at++]});
    }
    return true;
}
