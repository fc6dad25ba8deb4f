/* SPDX-License-Identifier: MIT
 *
 * models.h: what each kind of object is: its states, and what an act does in each.
 *
 * A state is a number; equal states of one model have equal numbers (hash consing), so that a
 * search can compare and remember them cheaply. States never change.
 *   register  the value
 *   counter   an interned integer
 *   list      a node of a trie of appended values; depth is the length
 *   set       an interned sum of a 128-bit mixing of its members: two sets with one sum are taken
 *             as equal (for a million sets that errs with a chance below 2^-88)
 *   tree      the root of a trie of (directory, name) -> inode and inode -> record; tree_model.c
 */
#ifndef PACTFS_CHECK_MODELS_H
#define PACTFS_CHECK_MODELS_H

#include "core/base/arena.h"
#include "core/check/history.h"
#include "core/check/search/intern.h"

#define STATE_NONE UINT32_MAX /* the act cannot have happened in that state */

struct list_node {
    uint32_t parent, value, depth;
};

struct set_node {
    /* One way to make the set: parent and one member more. A set that was only read has itself as
     * parent until it is made. */
    uint32_t parent, value, size;
};

struct tree_states {
    struct intern leaves, branches;
    uint32_t root; /* the value of the root's inode */
};

struct models {
    const struct history *history;
    struct intern lists, sets, counters;
    struct list_node *list_nodes;
    struct set_node *set_nodes;
    uint32_t list_room, set_room;
    uint8_t *added;   /* by value: how often it is added to sets; 2 is more than once */
    uint32_t *marked; /* by value: the last answer that held it */
    uint32_t mark, value_count;
    struct tree_states tree;
};

/* One act, made ready for the models. */
struct model_act {
    uint8_t model, code;
    bool checked;   /* the answer counts; else the act takes effect where it can */
    uint8_t fault;  /* the answer: enum err */
    uint32_t place; /* the object's number in a search: not of the models */
    uint32_t args[ACT_ARGS_MAX];
    uint32_t value;   /* the answer */
    uint32_t expect;  /* the state that a checked read shows, or a cas needs; STATE_NONE: no such */
    int64_t amount;   /* of an increment; the answer of `links` */
    const char *word; /* how to rename; "" for other acts */
    uint32_t *list;   /* the answer of `list`: names and inodes in order of names */
    uint32_t count;   /* entries, pairs */
    const struct history_act *source;
    uint32_t level; /* of an add, in a search: see problem.h */
};

void models_init(struct models *models, struct history *history);
void models_free(struct models *models);
size_t models_bytes(const struct models *models);

/* Whether the models say something of the act and its fault: an act with a fault that they do not
 * know (NOSPC, say) took no effect and shows nothing. */
bool model_speaks(const struct history *history, const struct history_act *act);
/* Whether the act only looks: a read of any kind, or one that was refused. `checked` as above. */
bool model_only_looks(const struct history_act *act, bool checked);
/* Makes an act ready. `arena` keeps its list. */
void model_prepare(struct models *models, const struct history_act *act, bool checked,
                   struct arena *arena, struct model_act *out);

uint32_t model_initial(struct models *models, enum history_model model);
/* The state after the act, or STATE_NONE when its answer is not right in that state. */
uint32_t model_step(struct models *models, const struct model_act *act, uint32_t state);

static inline int64_t model_number(const struct models *models, uint32_t counter_state)
{
    return (int64_t)models->counters.things[counter_state].a;
}

/* tree_model.c */
void tree_init(struct tree_states *tree, uint32_t root);
void tree_free(struct tree_states *tree);
uint32_t tree_initial(struct tree_states *tree);
/* Whether `fault` is one that the tree's rules speak of. */
bool tree_speaks(enum err fault);
uint32_t tree_step(struct models *models, const struct model_act *act, uint32_t state);

#endif
