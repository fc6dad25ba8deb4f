/* SPDX-License-Identifier: MIT
 *
 * naive_model.c: objects as plain arrays.
 */
#include "naive_model.h"

#include <stdio.h>
#include <string.h>

#define ROOT(history) history_value(history, "1", 1)

static int64_t number_of(const struct history *history, uint32_t value)
{
    int64_t number = 0;
    history_integer(history, value, &number);
    return number;
}

static bool is_number(const struct history *history, uint32_t value, int64_t expected)
{
    int64_t number;
    return history_integer(history, value, &number) && number == expected;
}

/* --- trees --- */

static struct naive_node *node_of(struct naive_object *o, uint32_t inode)
{
    for (uint32_t i = 0; i < o->node_count; i++)
        if (o->nodes[i].inode == inode)
            return &o->nodes[i];
    return NULL;
}

static struct naive_name *name_of(struct naive_object *o, uint32_t dir, uint32_t name)
{
    for (uint32_t i = 0; i < o->name_count; i++)
        if (o->names[i].dir == dir && o->names[i].name == name)
            return &o->names[i];
    return NULL;
}

static uint32_t names_to(const struct naive_object *o, uint32_t inode)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->name_count; i++)
        count += o->names[i].inode == inode;
    return count;
}

static uint32_t names_in(const struct naive_object *o, uint32_t dir)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->name_count; i++)
        count += o->names[i].dir == dir;
    return count;
}

static bool node_is_dir(struct naive_object *o, uint32_t inode)
{
    return node_of(o, inode) && node_of(o, inode)->dir;
}

static int64_t links_of(struct naive_object *o, uint32_t inode, uint32_t root)
{
    if (!node_is_dir(o, inode))
        return names_to(o, inode);
    if (inode != root && !names_to(o, inode))
        return 0;
    int64_t links = 2;
    for (uint32_t i = 0; i < o->name_count; i++)
        links += o->names[i].dir == inode && node_is_dir(o, o->names[i].inode);
    return links;
}

static void remove_name(struct naive_object *o, struct naive_name *name)
{
    *name = o->names[--o->name_count];
}

static void add_name(struct naive_object *o, uint32_t dir, uint32_t name, uint32_t inode)
{
    o->names[o->name_count++] = (struct naive_name){dir, name, inode};
}

/* Faults that may be told of an act; bit 0: it can succeed. */
#define CAN(fault) (1ull << (fault))
#define MISSING    (CAN(ERR_NOENT) | CAN(ERR_STALE))

static uint64_t dir_faults(struct naive_object *o, uint32_t dir, uint32_t root)
{
    struct naive_node *node = node_of(o, dir);
    uint64_t faults = 0;
    if (!node || (dir != root && !names_to(o, dir)))
        faults |= MISSING;
    if (node && !node->dir)
        faults |= CAN(ERR_NOTDIR);
    return faults;
}

static bool inside(struct naive_object *o, uint32_t dir, uint32_t above)
{
    for (uint32_t steps = 0; steps < NAIVE_ITEMS; steps++) {
        if (dir == above)
            return true;
        for (uint32_t i = 0; i < o->name_count; i++)
            if (o->names[i].inode == dir) {
                dir = o->names[i].dir;
                break;
            }
    }
    return false;
}

static uint64_t rename_faults(struct naive_object *o, const struct history_act *act, char how,
                              uint32_t root)
{
    uint64_t from_bad = dir_faults(o, act->args[0], root);
    uint64_t to_bad = dir_faults(o, act->args[2], root), faults = from_bad | to_bad;
    struct naive_name *from = name_of(o, act->args[0], act->args[1]);
    struct naive_name *to = name_of(o, act->args[2], act->args[3]);
    if (!from && !from_bad)
        faults |= CAN(ERR_NOENT);
    if (how == 'x' && !to && !to_bad)
        faults |= CAN(ERR_NOENT);
    if (how == 'n' && to)
        faults |= CAN(ERR_EXIST);
    if (!from || to_bad || (to && to->inode == from->inode))
        return faults;
    bool moves_dir = node_is_dir(o, from->inode), onto_dir = to && node_is_dir(o, to->inode);
    if (moves_dir && inside(o, act->args[2], from->inode))
        faults |= CAN(ERR_INVAL) | CAN(ERR_LOOP);
    if (how == 'x' && onto_dir && inside(o, act->args[0], to->inode))
        faults |= CAN(ERR_INVAL) | CAN(ERR_LOOP);
    if (how == 'x' || !to)
        return faults;
    if (moves_dir && !onto_dir)
        faults |= CAN(ERR_NOTDIR);
    if (!moves_dir && onto_dir)
        faults |= CAN(ERR_ISDIR);
    if (onto_dir && names_in(o, to->inode))
        faults |= CAN(ERR_NOTEMPTY) | CAN(ERR_EXIST);
    return faults;
}

static void do_rename(struct naive_object *o, const struct history_act *act, char how)
{
    struct naive_name *from = name_of(o, act->args[0], act->args[1]);
    struct naive_name *to = name_of(o, act->args[2], act->args[3]);
    uint32_t moved = from->inode;
    if (to && to->inode == moved)
        return;
    if (how == 'x') {
        from->inode = to->inode;
        to->inode = moved;
        return;
    }
    if (to)
        to->inode = moved;
    else
        add_name(o, act->args[2], act->args[3], moved);
    remove_name(o, name_of(o, act->args[0], act->args[1]));
}

static char how_of(const struct history *history, const struct history_act *act)
{
    const char *how = history_text(history, act->args[4]);
    return how[0] == 'r' ? 'r' : how[0] == 'e' ? 'x' : 'n';
}

/* Of an act on a name in a directory, the faults. */
static uint64_t name_faults(struct naive_object *o, const struct history_act *act, uint32_t root)
{
    bool link = act->code == ACT_LINK;
    uint32_t dir = act->args[link ? 1 : 0], name = act->args[link ? 2 : 1];
    uint64_t faults = dir_faults(o, dir, root);
    struct naive_name *there = faults ? NULL : name_of(o, dir, name);
    struct naive_node *node = node_of(o, link ? act->args[0] : there ? there->inode : VALUE_NONE);
    bool makes = link || act->code == ACT_MKDIR || act->code == ACT_CREATE;
    if (makes && there)
        faults |= CAN(ERR_EXIST);
    if (!makes && !faults && !there)
        faults |= CAN(ERR_NOENT);
    if (link && links_of(o, act->args[0], root) == 0)
        faults |= MISSING;
    if (node && node->dir && (link || act->code == ACT_UNLINK))
        faults |= CAN(ERR_PERM) | CAN(ERR_ISDIR);
    if (act->code == ACT_RMDIR && node && !node->dir)
        faults |= CAN(ERR_NOTDIR);
    if (act->code == ACT_RMDIR && node && node->dir && names_in(o, node->inode))
        faults |= CAN(ERR_NOTEMPTY) | CAN(ERR_EXIST);
    return faults;
}

static uint64_t inode_faults(struct naive_object *o, const struct history_act *act, uint32_t root)
{
    struct naive_node *node = node_of(o, act->args[0]);
    uint64_t faults = 0;
    if (!node || links_of(o, act->args[0], root) == 0)
        faults |= MISSING;
    if (node && node->dir && act->code != ACT_LINKS)
        faults |= CAN(ERR_ISDIR);
    if (node && (!node->dir || act->code == ACT_LINKS))
        faults |= CAN(OK);
    return faults;
}

static uint64_t tree_faults(const struct history *history, struct naive_object *o,
                            const struct history_act *act, uint32_t root)
{
    uint64_t faults;
    switch (act->code) {
    case ACT_GET:
    case ACT_PUT:
    case ACT_LINKS:
        return inode_faults(o, act, root);
    case ACT_LIST:
        faults = dir_faults(o, act->args[0], root);
        return faults | (node_is_dir(o, act->args[0]) ? CAN(OK) : 0);
    case ACT_RENAME:
        faults = rename_faults(o, act, how_of(history, act), root);
        break;
    case ACT_MKDIR:
    case ACT_CREATE:
        faults = name_faults(o, act, root);
        if (!faults && links_of(o, act->args[2], root))
            return 0; /* an inode number that is in use: nothing can be answered */
        break;
    default:
        faults = name_faults(o, act, root);
    }
    return faults ? faults : CAN(OK);
}

static void make_node(struct naive_object *o, uint32_t inode, bool dir)
{
    struct naive_node *node = node_of(o, inode);
    if (!node)
        node = &o->nodes[o->node_count++];
    *node = (struct naive_node){inode, VALUE_NONE, dir};
}

static void tree_do(const struct history *history, struct naive_object *o,
                    const struct history_act *act)
{
    const uint32_t *a = act->args;
    switch (act->code) {
    case ACT_MKDIR:
    case ACT_CREATE:
        make_node(o, a[2], act->code == ACT_MKDIR);
        add_name(o, a[0], a[1], a[2]);
        break;
    case ACT_LINK:
        add_name(o, a[1], a[2], a[0]);
        break;
    case ACT_UNLINK:
    case ACT_RMDIR:
        remove_name(o, name_of(o, a[0], a[1]));
        break;
    case ACT_RENAME:
        do_rename(o, act, how_of(history, act));
        break;
    case ACT_PUT:
        node_of(o, a[0])->content = a[1];
        break;
    default:
        break;
    }
}

static bool listed(const struct history *history, struct naive_object *o,
                   const struct history_act *act)
{
    if (act->count != 2 * names_in(o, act->args[0]))
        return false;
    for (uint32_t i = 0; i < act->count; i += 2) {
        const uint32_t *pair = history->pool + act->list + i;
        struct naive_name *name = name_of(o, act->args[0], pair[0]);
        if (!name || name->inode != pair[1])
            return false;
        for (uint32_t j = 0; j < i; j += 2)
            if (history->pool[act->list + j] == pair[0])
                return false;
    }
    return true;
}

static bool tree_shows(const struct history *history, struct naive_object *o,
                       const struct history_act *act, uint32_t root)
{
    switch (act->code) {
    case ACT_LIST:
        return listed(history, o, act);
    case ACT_LOOKUP:
        return name_of(o, act->args[0], act->args[1])->inode == act->value;
    case ACT_GET:
        return node_of(o, act->args[0])->content == act->value;
    case ACT_LINKS:
        return is_number(history, act->value, links_of(o, act->args[0], root)) ||
               (node_is_dir(o, act->args[0]) && is_number(history, act->value, 1));
    default:
        return true;
    }
}

static bool tree_apply(const struct history *history, const struct history_act *act, bool checked,
                       struct naive_object *o)
{
    uint32_t root = o->value;
    uint64_t faults = tree_faults(history, o, act, root);
    if (checked && !(faults >> act->fault & 1))
        return false;
    if (checked && act->fault)
        return true;
    if (!(faults & CAN(OK)))
        return true;
    if (checked && !tree_shows(history, o, act, root))
        return false;
    tree_do(history, o, act);
    return true;
}

/* --- the others --- */

static bool holds(const struct naive_object *o, uint32_t value)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (o->items[i] == value)
            return true;
    return false;
}

static bool read_is_right(const struct history *history, const struct history_act *act,
                          const struct naive_object *o)
{
    const uint32_t *shown = history->pool + act->list;
    uint32_t different = 0;
    switch (history->keys[act->key].model) {
    case MODEL_REGISTER:
        return act->value == o->value;
    case MODEL_COUNTER:
        return is_number(history, act->value, o->number);
    case MODEL_LIST:
        return act->count == o->count &&
               (!o->count || memcmp(shown, o->items, o->count * sizeof *shown) == 0);
    default:
        for (uint32_t i = 0; i < act->count; i++) {
            bool again = false;
            for (uint32_t j = 0; j < i; j++)
                again = again || shown[j] == shown[i];
            different += !again;
            if (!holds(o, shown[i]))
                return false;
        }
        return different == o->count;
    }
}

void naive_init(struct history *history, struct naive_state *state)
{
    memset(state, 0, sizeof *state);
    for (uint32_t key = 0; key < history->key_count; key++) {
        struct naive_object *o = &state->objects[key];
        if (history->keys[key].model != MODEL_TREE)
            continue;
        o->value = ROOT(history);
        make_node(o, o->value, true);
    }
}

bool naive_apply(const struct history *history, const struct history_act *act, bool checked,
                 struct naive_state *state)
{
    if (act->code == ACT_SYNC)
        return true;
    struct naive_object *o = &state->objects[act->key];
    if (history->keys[act->key].model == MODEL_TREE)
        return tree_apply(history, act, checked, o);
    switch (act->code) {
    case ACT_READ:
        return !checked || read_is_right(history, act, o);
    case ACT_WRITE:
        o->value = act->args[0];
        return true;
    case ACT_CAS:
        if (checked && (o->value == act->args[0]) != (act->fault == OK))
            return false;
        if (o->value == act->args[0])
            o->value = act->args[1];
        return true;
    case ACT_ADD:
        if (!holds(o, act->args[0]))
            o->items[o->count++] = act->args[0];
        return true;
    case ACT_APPEND:
        o->items[o->count++] = act->args[0];
        return true;
    default:
        o->number += number_of(history, act->args[0]);
        return true;
    }
}

/* --- answers --- */

static uint32_t answer_tree(struct history *history, struct history_act *act,
                            struct naive_object *o, uint32_t *list)
{
    uint64_t faults = tree_faults(history, o, act, o->value);
    uint32_t count = 0;
    act->fault = OK;
    if (!faults)
        faults = CAN(ERR_EXIST); /* nothing is right: an inode number that is in use */
    if (!(faults & CAN(OK))) {
        while (!(faults >> act->fault & 1) && act->fault < ERR_COUNT)
            act->fault++;
        return 0;
    }
    if (act->code == ACT_LOOKUP)
        act->value = name_of(o, act->args[0], act->args[1])->inode;
    if (act->code == ACT_GET)
        act->value = node_of(o, act->args[0])->content;
    if (act->code == ACT_LINKS)
        act->value = history_number(history, links_of(o, act->args[0], o->value));
    for (uint32_t i = 0; i < o->name_count && act->code == ACT_LIST; i++)
        if (o->names[i].dir == act->args[0]) {
            list[count++] = o->names[i].name;
            list[count++] = o->names[i].inode;
        }
    return count;
}

uint32_t naive_answer(struct history *history, struct history_act *act, struct naive_state *state,
                      uint32_t *list)
{
    struct naive_object *o = &state->objects[act->key];
    uint32_t count = 0;
    if (act->code == ACT_SYNC)
        return 0;
    switch (history->keys[act->key].model) {
    case MODEL_REGISTER:
        act->value = act->code == ACT_READ ? o->value : VALUE_NONE;
        if (act->code == ACT_CAS && o->value != act->args[0])
            act->fault = ERR_CONFLICT;
        break;
    case MODEL_COUNTER:
        if (act->code == ACT_READ)
            act->value = history_number(history, o->number);
        break;
    case MODEL_TREE:
        count = answer_tree(history, act, o, list);
        break;
    default:
        count = act->code == ACT_READ ? o->count : 0;
        memcpy(list, o->items, count * sizeof *list);
    }
    if (act->fault == OK)
        naive_apply(history, act, false, state);
    return count;
}
