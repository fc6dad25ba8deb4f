/* SPDX-License-Identifier: MIT
 *
 * models.c: registers, lists, sets and counters as states and steps.
 */
#include "core/check/search/models.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"

#define ROOT_INODE "1"

/* --- lists --- */

static uint32_t list_append(struct models *m, uint32_t list, uint32_t value)
{
    bool fresh;
    uint32_t node = intern(&m->lists, (uint64_t)list << 32 | value, 1, &fresh);
    if (fresh) {
        m->list_nodes = grow(m->list_nodes, node, &m->list_room, sizeof *m->list_nodes);
        uint32_t depth = m->list_nodes[list].depth + 1;
        m->list_nodes[node] = (struct list_node){list, value, depth};
    }
    return node;
}

/* --- sets --- */

/* How often each value is added, and marks for reading answers: made when the first set is met. */
static void learn_values(struct models *m)
{
    const struct history *history = m->history;
    if (m->added)
        return;
    m->value_count = history_values(history);
    m->added = calloc(m->value_count + 1, sizeof *m->added);
    m->marked = calloc(m->value_count + 1, sizeof *m->marked);
    INVARIANT(m->added != NULL && m->marked != NULL);
    for (uint32_t i = 0; i < history->act_count; i++) {
        uint8_t *count = &m->added[history->acts[i].args[0]];
        if (history->acts[i].code == ACT_ADD && *count < 2)
            ++*count;
    }
}

static bool set_holds(const struct models *m, uint32_t set, uint32_t value)
{
    for (; m->set_nodes[set].size; set = m->set_nodes[set].parent)
        if (m->set_nodes[set].value == value)
            return true;
    return false;
}

static uint32_t set_node(struct models *m, struct intern_thing sum, uint32_t size)
{
    bool fresh;
    uint32_t node = intern(&m->sets, sum.a, sum.b, &fresh);
    if (fresh) {
        m->set_nodes = grow(m->set_nodes, node, &m->set_room, sizeof *m->set_nodes);
        m->set_nodes[node] = (struct set_node){node, VALUE_NONE, size};
    }
    return node;
}

static struct intern_thing sum_with(struct intern_thing sum, uint32_t value)
{
    return (struct intern_thing){sum.a + intern_mix(value), sum.b + intern_mix(~(uint64_t)value)};
}

/* Only a value that is added twice can be in already. */
static uint32_t set_add(struct models *m, uint32_t set, uint32_t value)
{
    learn_values(m);
    if (m->added[value] > 1 && set_holds(m, set, value))
        return set;
    uint32_t node = set_node(m, sum_with(m->sets.things[set], value), m->set_nodes[set].size + 1);
    if (m->set_nodes[node].parent == node) {
        m->set_nodes[node].parent = set;
        m->set_nodes[node].value = value;
    }
    return node;
}

static uint32_t set_of(struct models *m, const uint32_t *values, uint32_t count)
{
    struct intern_thing sum = {0, 0};
    uint32_t size = 0;
    learn_values(m);
    m->mark++;
    for (uint32_t i = 0; i < count; i++) {
        if (m->marked[values[i]] == m->mark)
            continue;
        m->marked[values[i]] = m->mark;
        sum = sum_with(sum, values[i]);
        size++;
    }
    return set_node(m, sum, size);
}

/* --- preparing --- */

void models_init(struct models *m, struct history *history)
{
    memset(m, 0, sizeof *m);
    m->history = history;
    intern(&m->lists, 0, 0, NULL);
    intern(&m->sets, 0, 0, NULL);
    intern(&m->counters, 0, 0, NULL);
    m->list_nodes = grow(NULL, 0, &m->list_room, sizeof *m->list_nodes);
    m->set_nodes = grow(NULL, 0, &m->set_room, sizeof *m->set_nodes);
    m->list_nodes[0] = (struct list_node){0, VALUE_NONE, 0};
    m->set_nodes[0] = (struct set_node){0, VALUE_NONE, 0};
    tree_init(&m->tree, history_value(history, ROOT_INODE, strlen(ROOT_INODE)));
}

void models_free(struct models *m)
{
    intern_free(&m->lists);
    intern_free(&m->sets);
    intern_free(&m->counters);
    free(m->list_nodes);
    free(m->set_nodes);
    free(m->added);
    free(m->marked);
    tree_free(&m->tree);
}

size_t models_bytes(const struct models *m)
{
    return intern_bytes(&m->lists) + intern_bytes(&m->sets) + intern_bytes(&m->counters) +
           intern_bytes(&m->tree.leaves) + intern_bytes(&m->tree.branches) +
           m->list_room * sizeof *m->list_nodes + m->set_room * sizeof *m->set_nodes +
           m->value_count * (sizeof *m->added + sizeof *m->marked);
}

static bool act_fits(enum act_code code, enum history_model model)
{
    switch (code) {
    case ACT_READ:
        return model != MODEL_TREE;
    case ACT_WRITE:
    case ACT_CAS:
        return model == MODEL_REGISTER;
    case ACT_APPEND:
        return model == MODEL_LIST;
    case ACT_ADD:
        return model == MODEL_SET;
    case ACT_INCREMENT:
        return model == MODEL_COUNTER;
    case ACT_SYNC:
    case ACT_CODE_COUNT:
        return false;
    default:
        return model == MODEL_TREE;
    }
}

bool model_speaks(const struct history *history, const struct history_act *act)
{
    if (act->code == ACT_SYNC)
        return false;
    enum history_model model = history->keys[act->key].model;
    if (!act_fits(act->code, model))
        return false;
    if (!act->known || !act->fault)
        return true;
    return model == MODEL_TREE ? tree_speaks(act->fault)
                               : act->code == ACT_CAS && act->fault == ERR_CONFLICT;
}

bool model_only_looks(const struct history_act *act, bool checked)
{
    switch (act->code) {
    case ACT_READ:
    case ACT_LOOKUP:
    case ACT_LIST:
    case ACT_GET:
    case ACT_LINKS:
        return true;
    default:
        return checked && act->fault != OK;
    }
}

/* The state that a read's answer shows, or STATE_NONE: no state is like that. */
static uint32_t state_shown(struct models *m, const struct history_act *act)
{
    const uint32_t *values = m->history->pool + act->list;
    uint32_t state = 0;
    int64_t number;
    switch (m->history->keys[act->key].model) {
    case MODEL_REGISTER:
        return act->value;
    case MODEL_LIST:
        for (uint32_t i = 0; i < act->count; i++)
            state = list_append(m, state, values[i]);
        return state;
    case MODEL_SET:
        return set_of(m, values, act->count);
    case MODEL_COUNTER:
        if (!history_integer(m->history, act->value, &number))
            return STATE_NONE;
        return intern(&m->counters, (uint64_t)number, 0, NULL);
    default:
        return STATE_NONE;
    }
}

static int by_name(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void model_prepare(struct models *m, const struct history_act *act, bool checked,
                   struct arena *arena, struct model_act *out)
{
    *out = (struct model_act){
        .model = m->history->keys[act->key].model,
        .code = act->code,
        .checked = checked,
        .fault = act->fault,
        .value = act->value,
        .expect = STATE_NONE,
        .source = act,
        .level = UINT32_MAX,
        .word = act->code == ACT_RENAME ? history_text(m->history, act->args[4]) : "",
    };
    memcpy(out->args, act->args, sizeof out->args);
    if (act->code == ACT_INCREMENT && !history_integer(m->history, act->args[0], &out->amount))
        out->amount = 0;
    if (act->code == ACT_LINKS && !history_integer(m->history, act->value, &out->amount))
        out->amount = -1;
    if (act->code == ACT_READ && checked)
        out->expect = state_shown(m, act);
    if (act->code == ACT_CAS && checked && !act->fault)
        out->expect = act->args[0];
    if (act->code == ACT_LIST && checked) {
        out->count = act->count / 2;
        out->list = arena_alloc(arena, act->count * sizeof *out->list + 1);
        if (out->count)
            memcpy(out->list, m->history->pool + act->list, out->count * 2 * sizeof *out->list);
        qsort(out->list, out->count, 2 * sizeof *out->list, by_name);
    }
}

/* --- steps --- */

uint32_t model_initial(struct models *m, enum history_model model)
{
    return model == MODEL_TREE ? tree_initial(&m->tree) : 0;
}

static uint32_t cas_step(const struct model_act *act, uint32_t state)
{
    bool matches = state == act->args[0];
    if (act->checked && matches != (act->fault == OK))
        return STATE_NONE;
    return matches ? act->args[1] : state;
}

uint32_t model_step(struct models *m, const struct model_act *act, uint32_t state)
{
    switch (act->code) {
    case ACT_READ:
        return act->expect == state ? state : STATE_NONE;
    case ACT_WRITE:
        return act->args[0];
    case ACT_CAS:
        return cas_step(act, state);
    case ACT_APPEND:
        return list_append(m, state, act->args[0]);
    case ACT_ADD:
        return set_add(m, state, act->args[0]);
    case ACT_INCREMENT: {
        uint64_t sum = (uint64_t)model_number(m, state) + (uint64_t)act->amount;
        return intern(&m->counters, sum, 0, NULL);
    }
    default:
        return tree_step(m, act, state);
    }
}
