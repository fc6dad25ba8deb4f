/* SPDX-License-Identifier: MIT
 *
 * tree.c: random operations on a tree of files.
 *
 * A client knows the root and up to TREE_KNOWN inodes: those that it made, found or saw in a list.
 * It learns from the answers whether one is a directory or a file, or gone. Now and then it takes
 * one for what it is not, so that answers with errors are among what is checked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"
#include "workload/private.h"

#define MISTAKEN 40u /* one choice in so many does not look at the kind */

/* --- what a client knows --- */

static struct tree_inode *find(struct tree_client *t, uint32_t ino)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->known[i].ino == ino)
            return &t->known[i];
    return NULL;
}

/* Takes note of an inode, and of its kind when that is known. */
static void know(struct workload *w, uint32_t client, uint32_t ino, enum tree_kind kind)
{
    struct tree_client *t = &w->clients[client].tree;
    if (ino == w->root || ino == VALUE_NONE)
        return;
    struct tree_inode *known = find(t, ino);
    if (!known) {
        uint32_t at = t->count < TREE_KNOWN ? t->count++ : workload_below(w, client, TREE_KNOWN);
        known = &t->known[at];
        *known = (struct tree_inode){.ino = ino};
    }
    if (kind != TREE_UNKNOWN)
        known->kind = (uint8_t)kind;
}

static void forget(struct workload *w, uint32_t client, uint32_t ino)
{
    struct tree_client *t = &w->clients[client].tree;
    struct tree_inode *known = find(t, ino);
    if (known)
        *known = t->known[--t->count];
}

static uint32_t some_directory(struct workload *w, uint32_t client)
{
    struct tree_client *t = &w->clients[client].tree;
    bool root = workload_below(w, client, 3) == 0;
    bool mistaken = workload_below(w, client, MISTAKEN) == 0;
    uint32_t from = workload_below(w, client, TREE_KNOWN);
    if (root || !t->count)
        return w->root;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct tree_inode *known = &t->known[(from + i) % t->count];
        if (known->kind == TREE_DIRECTORY || mistaken)
            return known->ino;
    }
    return w->root;
}

/* A file, or what may be one; VALUE_NONE when it knows none. */
static uint32_t some_file(struct workload *w, uint32_t client)
{
    struct tree_client *t = &w->clients[client].tree;
    bool mistaken = workload_below(w, client, MISTAKEN) == 0;
    uint32_t from = workload_below(w, client, TREE_KNOWN);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct tree_inode *known = &t->known[(from + i) % t->count];
        if (known->kind != TREE_DIRECTORY || mistaken)
            return known->ino;
    }
    return VALUE_NONE;
}

static uint32_t some_name(struct workload *w, uint32_t client)
{
    return w->names[workload_below(w, client, w->options.keys)];
}

/* --- plans: each fills the arguments --- */

static void plan_in_directory(struct workload *w, uint32_t client, struct history_act *act)
{
    act->args[0] = some_directory(w, client);
    if (act->code != ACT_LIST)
        act->args[1] = some_name(w, client);
    if ((act->code == ACT_MKDIR || act->code == ACT_CREATE) && w->options.new_inode)
        act->args[2] =
            history_number(w->history, (int64_t)w->options.new_inode(w->options.ctx, client));
}

static void plan_on_file(struct workload *w, uint32_t client, struct history_act *act)
{
    act->args[0] = some_file(w, client);
    if (act->args[0] == VALUE_NONE) { /* then one is made */
        act->code = ACT_CREATE;
        plan_in_directory(w, client, act);
    } else if (act->code == ACT_PUT) {
        act->args[1] = history_number(w->history, (int64_t)workload_unique(w, client));
    } else if (act->code == ACT_LINK) {
        act->args[1] = some_directory(w, client);
        act->args[2] = some_name(w, client);
    }
}

static void plan_rename(struct workload *w, uint32_t client, struct history_act *act)
{
    act->args[0] = some_directory(w, client);
    act->args[1] = some_name(w, client);
    act->args[2] = some_directory(w, client);
    act->args[3] = some_name(w, client);
    uint32_t how = workload_below(w, client, 5);
    act->args[4] = how == 0 ? w->fresh : how == 1 ? w->exchange : w->replace;
}

struct choice {
    enum act_code code;
    uint32_t weight;
    void (*plan)(struct workload *w, uint32_t client, struct history_act *act);
};

static const struct choice reads[] = {
    {ACT_LOOKUP, 35, plan_in_directory},
    {ACT_LIST, 25, plan_in_directory},
    {ACT_GET, 25, plan_on_file},
    {ACT_LINKS, 15, plan_on_file},
};
static const struct choice writes[] = {
    {ACT_CREATE, 25, plan_in_directory}, {ACT_MKDIR, 10, plan_in_directory},
    {ACT_UNLINK, 18, plan_in_directory}, {ACT_RMDIR, 7, plan_in_directory},
    {ACT_LINK, 10, plan_on_file},        {ACT_RENAME, 18, plan_rename},
    {ACT_PUT, 22, plan_on_file},
};
#define READS  (sizeof reads / sizeof *reads)
#define WRITES (sizeof writes / sizeof *writes)

static const struct choice *choose(struct workload *w, uint32_t client)
{
    bool read = workload_below(w, client, 100) < w->options.read_percent;
    const struct choice *at = read ? reads : writes;
    uint32_t all = 0;
    for (size_t i = 0; i < (read ? READS : WRITES); i++)
        all += at[i].weight;
    uint32_t drawn = workload_below(w, client, all);
    while (drawn >= at->weight)
        drawn -= at++->weight;
    return at;
}

/* The next of those to be looked at again, if any. */
static bool plan_look(struct workload *w, uint32_t client, struct history_act *act)
{
    struct tree_client *t = &w->clients[client].tree;
    if (t->look_at == t->look_count)
        return false;
    const struct tree_inode *next = &t->look[t->look_at++];
    act->code = next->kind == TREE_DIRECTORY ? ACT_LIST : ACT_GET;
    act->args[0] = next->ino;
    return true;
}

void files_plan(struct workload *w, uint32_t client)
{
    struct history_act act = {.key = w->keys[0]};
    if (!plan_look(w, client, &act)) {
        const struct choice *choice = choose(w, client);
        act.code = (uint8_t)choice->code;
        choice->plan(w, client, &act);
    }
    history_add(w->history, &act);
}

/* --- looking again --- */

static bool is_listed(const struct tree_client *t, uint32_t ino, enum tree_kind kind)
{
    for (uint32_t i = 0; i < t->look_count; i++)
        if (t->look[i].ino == ino && (t->look[i].kind == kind || kind == TREE_UNKNOWN))
            return true;
    return false;
}

static void look(struct tree_client *t, uint32_t ino, enum tree_kind kind)
{
    if (is_listed(t, ino, kind))
        return;
    t->look = grow(t->look, t->look_count, &t->look_room, sizeof *t->look);
    t->look[t->look_count++] = (struct tree_inode){.ino = ino, .kind = (uint8_t)kind};
}

void files_crashed(struct workload *w)
{
    for (uint32_t i = 0; i < w->options.clients; i++) {
        struct tree_client *t = &w->clients[i].tree;
        t->look_at = t->look_count = 0;
        look(t, w->root, TREE_DIRECTORY);
        for (uint32_t j = 0; j < t->count; j++)
            if (t->known[j].kind == TREE_DIRECTORY)
                look(t, t->known[j].ino, TREE_DIRECTORY);
    }
}

bool files_final(struct workload *w, uint32_t client, uint64_t at_ns, uint32_t *txn)
{
    struct workload_client *c = &w->clients[client];
    struct history_act act = {.key = w->keys[0]};
    if (!c->finally) {
        c->finally = true;
        c->tree.look_at = c->tree.look_count = 0;
        look(&c->tree, w->root, TREE_DIRECTORY);
    }
    if (!plan_look(w, client, &act))
        return false;
    *txn = history_begin(w->history, client, at_ns);
    history_add(w->history, &act);
    return true;
}

/* --- learning --- */

/* From an error: what the act's first inode is not. */
static void learn_fault(struct workload *w, uint32_t client, const struct history_act *act)
{
    struct workload_client *c = &w->clients[client];
    bool by_name = act->code != ACT_GET && act->code != ACT_PUT && act->code != ACT_LINKS &&
                   act->code != ACT_LINK && act->code != ACT_LIST;
    switch (act->fault) {
    case ERR_STALE:
        forget(w, client, act->args[0]);
        if (act->code == ACT_LINK || act->code == ACT_RENAME)
            forget(w, client, act->args[act->code == ACT_LINK ? 1 : 2]);
        break;
    case ERR_NOENT:
        if (!by_name || act->code == ACT_CREATE || act->code == ACT_MKDIR)
            forget(w, client, act->args[0]);
        break;
    case ERR_ISDIR:
        if (by_name)
            break;
        know(w, client, act->args[0], TREE_DIRECTORY);
        if (c->finally)
            look(&c->tree, act->args[0], TREE_DIRECTORY);
        break;
    case ERR_NOTDIR:
        if (act->code == ACT_LIST || act->code == ACT_LOOKUP || act->code == ACT_CREATE)
            know(w, client, act->args[0], TREE_FILE);
        break;
    default:
        break;
    }
}

static void learn_list(struct workload *w, uint32_t client, const struct history_act *act)
{
    struct workload_client *c = &w->clients[client];
    for (uint32_t i = 1; i < act->count; i += 2) {
        uint32_t ino = w->history->pool[act->list + i];
        const struct tree_inode *known = find(&c->tree, ino);
        enum tree_kind kind = known ? known->kind : TREE_UNKNOWN;
        know(w, client, ino, kind);
        if (c->finally && !is_listed(&c->tree, ino, TREE_UNKNOWN))
            look(&c->tree, ino, kind == TREE_DIRECTORY ? kind : TREE_UNKNOWN);
    }
}

void files_ended(struct workload *w, uint32_t txn)
{
    const struct history_txn *t = &w->history->txns[txn];
    const struct history_act *act = history_act(w->history, t, 0);
    if (t->outcome != OUTCOME_DONE || act->code == ACT_SYNC)
        return;
    if (act->fault) {
        learn_fault(w, t->process, act);
        return;
    }
    switch ((enum act_code)act->code) {
    case ACT_MKDIR:
    case ACT_CREATE:
        know(w, t->process, act->args[2], act->code == ACT_MKDIR ? TREE_DIRECTORY : TREE_FILE);
        break;
    case ACT_LOOKUP:
        know(w, t->process, act->value, TREE_UNKNOWN);
        break;
    case ACT_GET:
    case ACT_PUT:
    case ACT_LINK:
        know(w, t->process, act->args[0], TREE_FILE);
        break;
    case ACT_LIST:
        know(w, t->process, act->args[0], TREE_DIRECTORY);
        learn_list(w, t->process, act);
        break;
    default:
        break;
    }
}

/* --- making --- */

static uint32_t value_of(struct workload *w, const char *text)
{
    return history_value(w->history, text, strlen(text));
}

void files_new(struct workload *w)
{
    char name[32];
    w->root = history_number(w->history, 1);
    w->replace = value_of(w, "replace");
    w->fresh = value_of(w, "new");
    w->exchange = value_of(w, "exchange");
    w->names = calloc(w->options.keys, sizeof *w->names);
    INVARIANT(w->names != NULL);
    for (uint32_t i = 0; i < w->options.keys; i++) {
        if (i < 26)
            snprintf(name, sizeof name, "%c", 'a' + (int)i);
        else
            snprintf(name, sizeof name, "n%u", i);
        w->names[i] = value_of(w, name);
    }
}

void files_free(struct workload *w)
{
    for (uint32_t i = 0; i < w->options.clients; i++)
        free(w->clients[i].tree.look);
    free(w->names);
}
