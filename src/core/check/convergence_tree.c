/* SPDX-License-Identifier: MIT
 *
 * convergence_tree.c: names that must be there when all has come to rest (convergence.c, V4).
 *
 * Law
 *   N1  A name must be there when an act that made it was acknowledged before the final read
 *       began, and no act that may have taken effect can have taken it away: unlink, rmdir, or
 *       rename from it.
 *   N2  A directory can go, and its names with it. Where any rmdir or rename may have taken effect
 *       in a tree, only names in its root are judged.
 */
#include "core/base/assert.h"
#include "core/check/convergence.h"

struct name {
    uint32_t key_after; /* the tree's key + 1; 0: free */
    uint32_t directory, name;
    uint32_t maker; /* the first transaction that surely made it, or NO_TXN */
    bool taken;     /* something may have taken it away */
};

struct names {
    struct name *slots;
    uint32_t size;
    bool *moved; /* of keys: N2 */
    uint32_t root;
};

static struct name *slot_for(const struct names *names, uint32_t key, uint32_t directory,
                             uint32_t name)
{
    uint64_t h = ((uint64_t)directory << 32 | name) * UINT64_C(0x9e3779b97f4a7c15) + key;
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    for (uint32_t at = (uint32_t)(h >> 32) & (names->size - 1);;
         at = (at + 1) & (names->size - 1)) {
        struct name *slot = &names->slots[at];
        if (!slot->key_after ||
            (slot->key_after == key + 1 && slot->directory == directory && slot->name == name))
            return slot;
    }
}

static struct name *name_of(const struct names *names, uint32_t key, uint32_t directory,
                            uint32_t name)
{
    struct name *slot = slot_for(names, key, directory, name);
    if (!slot->key_after)
        *slot = (struct name){key + 1, directory, name, NO_TXN, false};
    return slot;
}

static void note_act(const struct names *names, const struct history_act *act, uint32_t txn,
                     bool done)
{
    const uint32_t *a = act->args;
    struct name *made = NULL, *taken = NULL;
    if (act->code == ACT_MKDIR || act->code == ACT_CREATE)
        made = name_of(names, act->key, a[0], a[1]);
    if (act->code == ACT_LINK)
        made = name_of(names, act->key, a[1], a[2]);
    if (act->code == ACT_RENAME)
        made = name_of(names, act->key, a[2], a[3]);
    if (act->code == ACT_UNLINK || act->code == ACT_RMDIR || act->code == ACT_RENAME)
        taken = name_of(names, act->key, a[0], a[1]);
    if (made && done && made->maker == NO_TXN)
        made->maker = txn;
    if (taken)
        taken->taken = true;
    if (act->code == ACT_RMDIR || act->code == ACT_RENAME)
        names->moved[act->key] = true;
}

static void find_names(struct converging *v, struct names *names)
{
    const struct history *history = v->history;
    for (uint32_t i = 0; i < history->txn_count; i++) {
        const struct history_txn *txn = &history->txns[i];
        for (uint32_t j = 0; j < txn->count && txn->outcome != OUTCOME_FAILED; j++) {
            const struct history_act *act = history_act(history, txn, j);
            if (act->code != ACT_SYNC && history->keys[act->key].model == MODEL_TREE &&
                act->fault == OK)
                note_act(names, act, i, txn->outcome == OUTCOME_DONE);
        }
    }
}

/* Whether the final read is of the name, and does not have it. */
static bool lacks(const struct history *history, const struct history_act *act,
                  const struct name *name)
{
    if (act->key + 1 != name->key_after || act->args[0] != name->directory)
        return false;
    if (act->code == ACT_LOOKUP)
        return act->args[1] == name->name && act->fault == ERR_NOENT;
    if (act->code != ACT_LIST || act->fault != OK)
        return false;
    for (uint32_t i = 0; i + 1 < act->count; i += 2)
        if (history->pool[act->list + i] == name->name)
            return false;
    return true;
}

static bool must_be_there(const struct converging *v, const struct names *names,
                          const struct name *name, uint32_t final)
{
    if (!name->key_after || name->taken || name->maker == NO_TXN)
        return false;
    if (names->moved[name->key_after - 1] && name->directory != names->root)
        return false;
    const struct history_txn *txns = v->history->txns;
    return txns[name->maker].ended < txns[v->finals[final].txn].began;
}

/* The names of one directory are found by going over all: final listings are few, once for each
 * directory and event is enough (the others answer the same, or have diverged). */
static void look_at_list(struct converging *v, const struct names *names, uint32_t final)
{
    const struct history_act *act = &v->history->acts[v->finals[final].act];
    for (uint32_t at = 0; at < names->size; at++)
        if (must_be_there(v, names, &names->slots[at], final) &&
            lacks(v->history, act, &names->slots[at])) {
            converging_lost(v, final, names->slots[at].maker, ANOMALY_LOST_WRITE);
            return;
        }
}

static void look_at_lookup(struct converging *v, const struct names *names, uint32_t final)
{
    const struct history_act *act = &v->history->acts[v->finals[final].act];
    const struct name *name = slot_for(names, act->key, act->args[0], act->args[1]);
    if (must_be_there(v, names, name, final) && lacks(v->history, act, name))
        converging_lost(v, final, name->maker, ANOMALY_LOST_WRITE);
}

void converging_names(struct converging *v)
{
    const struct history *history = v->history;
    struct names names = {.size = 16, .root = VALUE_NONE};
    while (names.size < 4 * (size_t)history->act_count) /* a rename has two names */
        names.size *= 2;
    names.slots = ARENA_ARRAY(&v->arena, struct name, names.size);
    names.moved = ARENA_ARRAY(&v->arena, bool, history->key_count + (size_t)1);
    find_names(v, &names);
    for (uint32_t i = 0; i < v->count; i++) {
        const struct history_act *act = &history->acts[v->finals[i].act];
        if (history->keys[act->key].model != MODEL_TREE)
            continue;
        if (act->args[0] != VALUE_NONE && history_text(history, act->args[0])[0] == '1' &&
            history_text(history, act->args[0])[1] == '\0')
            names.root = act->args[0];
        if (act->code == ACT_LIST)
            look_at_list(v, &names, i);
        else if (act->code == ACT_LOOKUP)
            look_at_lookup(v, &names, i);
    }
}
