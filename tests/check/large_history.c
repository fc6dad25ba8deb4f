/* SPDX-License-Identifier: MIT
 *
 * large_history.c: clients of a correct system, one step of one client at a time.
 */
#include "large_history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 32u
#define DIRS    10u
#define NAMES   20u
#define TAIL    30u /* effects that a crash may take */

struct version {
    uint32_t value, write; /* the write's number */
};

struct object {
    uint32_t *values; /* list, set */
    struct version *versions;
    uint32_t count, room;
    int64_t number;
};

struct client {
    uint32_t txn, view, listed[2 * NAMES], list_count;
    bool busy, effected;
    uint32_t effect_end, sync_floor;
};

struct undo {
    uint32_t *place, old, effect;
};

struct system {
    const struct large *large;
    struct history *h;
    uint64_t chance;
    struct client clients[CLIENTS];
    struct object *objects;
    uint32_t keys, values, writes, left, faults;
    uint32_t cells[DIRS][NAMES], dirs[DIRS], names[NAMES], *contents, inodes;
    struct undo *undos;
    uint32_t undo_count, undo_room, effects, durable, replace;
};

static uint32_t below(struct system *s, uint32_t n)
{
    s->chance ^= s->chance << 13;
    s->chance ^= s->chance >> 7;
    s->chance ^= s->chance << 17;
    return (uint32_t)((s->chance >> 33) % n);
}

/* --- objects --- */

static void object_grow(struct object *o)
{
    if (o->count < o->room)
        return;
    o->room = o->room ? o->room * 2 : 8;
    o->values = realloc(o->values, o->room * sizeof *o->values);
    o->versions = realloc(o->versions, o->room * sizeof *o->versions);
}

static uint32_t value_at(const struct object *o, uint32_t write)
{
    uint32_t low = 0, high = o->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (o->versions[middle].write <= write)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? o->versions[low - 1].value : VALUE_NONE;
}

static void ask_object(struct system *s, struct history_act *act)
{
    enum history_model model = s->large->model;
    bool grows = model == MODEL_LIST || model == MODEL_SET;
    uint32_t window = grows && s->keys > s->large->keys ? s->large->keys : s->keys;
    uint32_t done = s->large->operations - s->left;
    uint32_t first = (uint32_t)((uint64_t)(s->keys - window) * done / s->large->operations);
    act->key = first + below(s, window);
    act->code = ACT_READ;
    if (below(s, 2) == 0)
        return;
    act->args[0] = history_number(s->h, model == MODEL_COUNTER ? 1 : ++s->values);
    act->code = model == MODEL_REGISTER ? ACT_WRITE
                : model == MODEL_LIST   ? ACT_APPEND
                : model == MODEL_SET    ? ACT_ADD
                                        : ACT_INCREMENT;
}

static void effect_object(struct system *s, struct client *c, struct history_act *act)
{
    struct object *o = &s->objects[act->key];
    if (act->code != ACT_READ) {
        object_grow(o);
        o->versions[o->count] = (struct version){act->args[0], ++s->writes};
        o->values[o->count++] = act->args[0];
        o->number++;
        c->view = s->writes;
        return;
    }
    uint32_t oldest = s->writes > s->large->lag ? s->writes - s->large->lag : 0;
    if (c->view < oldest)
        c->view = oldest;
    c->view += below(s, s->writes - c->view + 1);
    act->value = value_at(o, s->large->lag ? c->view : s->writes);
    bool due = s->left < s->large->operations / 4 && o->count > 8;
    if (s->faults && due && s->large->model == MODEL_REGISTER) {
        s->faults--;
        act->value = o->versions[o->count - 6].value;
    }
    if (s->large->model == MODEL_COUNTER)
        act->value = history_number(s->h, o->number);
    c->effect_end = o->count;
}

/* --- trees --- */

static void change(struct system *s, uint32_t *place, uint32_t value)
{
    if (s->undo_count == s->undo_room) {
        s->undo_room = s->undo_room ? s->undo_room * 2 : 64;
        s->undos = realloc(s->undos, s->undo_room * sizeof *s->undos);
    }
    s->undos[s->undo_count++] = (struct undo){place, *place, s->effects};
    *place = value;
}

static void ask_tree(struct system *s, struct history_act *act)
{
    static const uint8_t codes[] = {ACT_CREATE, ACT_CREATE, ACT_UNLINK, ACT_RENAME,
                                    ACT_LOOKUP, ACT_LOOKUP, ACT_LIST,   ACT_PUT,
                                    ACT_PUT,    ACT_GET,    ACT_GET,    ACT_GET};
    act->code = codes[below(s, sizeof codes)];
    act->args[0] = s->dirs[below(s, DIRS)];
    if (act->code == ACT_PUT || act->code == ACT_GET) {
        uint32_t recent = s->inodes < 40 ? s->inodes : 40;
        act->args[0] = history_number(s->h, 100 + s->inodes - (recent ? below(s, recent) : 0));
        if (act->code == ACT_PUT)
            act->args[1] = history_number(s->h, 100000 + ++s->values);
        return;
    }
    if (act->code != ACT_LIST)
        act->args[1] = s->names[below(s, NAMES)];
    if (act->code == ACT_CREATE)
        act->args[2] = history_number(s->h, 100 + ++s->inodes);
    if (act->code == ACT_RENAME) {
        act->args[2] = s->dirs[below(s, DIRS)];
        act->args[3] = s->names[below(s, NAMES)];
        act->args[4] = s->replace;
    }
}

static uint32_t *cell(struct system *s, uint32_t dir, uint32_t name)
{
    uint32_t d = 0, n = 0;
    while (s->dirs[d] != dir)
        d++;
    while (s->names[n] != name)
        n++;
    return &s->cells[d][n];
}

static bool has_name(struct system *s, uint32_t inode)
{
    for (uint32_t d = 0; d < DIRS; d++)
        for (uint32_t n = 0; n < NAMES; n++)
            if (s->cells[d][n] == inode)
                return true;
    return false;
}

static void effect_content(struct system *s, struct history_act *act)
{
    int64_t number = 0;
    history_integer(s->h, act->args[0], &number);
    uint32_t *content = &s->contents[number];
    if (!has_name(s, act->args[0]))
        act->fault = ERR_STALE;
    else if (act->code == ACT_PUT)
        change(s, content, act->args[1]);
    else
        act->value = *content;
}

static void effect_list(struct system *s, struct client *c, const struct history_act *act)
{
    for (uint32_t n = 0; n < NAMES; n++) {
        uint32_t inode = *cell(s, act->args[0], s->names[n]);
        if (inode == VALUE_NONE)
            continue;
        c->listed[c->list_count++] = s->names[n];
        c->listed[c->list_count++] = inode;
    }
}

static void effect_tree(struct system *s, struct client *c, struct history_act *act)
{
    s->effects++;
    if (act->code == ACT_PUT || act->code == ACT_GET) {
        effect_content(s, act);
        return;
    }
    if (act->code == ACT_LIST) {
        effect_list(s, c, act);
        return;
    }
    uint32_t *there = cell(s, act->args[0], act->args[1]), inode = *there;
    if (act->code == ACT_CREATE) {
        if (inode)
            act->fault = ERR_EXIST;
        else
            change(s, there, act->args[2]);
        return;
    }
    act->fault = inode ? OK : ERR_NOENT;
    if (!inode)
        return;
    if (act->code == ACT_LOOKUP)
        act->value = inode;
    if (act->code == ACT_UNLINK)
        change(s, there, VALUE_NONE);
    if (act->code == ACT_RENAME && cell(s, act->args[2], act->args[3]) != there) {
        change(s, cell(s, act->args[2], act->args[3]), inode);
        change(s, there, VALUE_NONE);
    }
}

static void fall_back(struct system *s)
{
    uint32_t least = s->effects > TAIL ? s->effects - TAIL : 0;
    if (least < s->durable)
        least = s->durable;
    uint32_t kept = least + below(s, s->effects - least + 1);
    if (s->faults && s->durable > 8) {
        s->faults--;
        kept = s->durable - 8;
    }
    while (s->undo_count && s->undos[s->undo_count - 1].effect > kept) {
        const struct undo *u = &s->undos[--s->undo_count];
        *u->place = u->old;
    }
    s->undo_count = s->effects = s->durable = 0;
}

/* --- clients --- */

static void begin(struct system *s, uint32_t process)
{
    struct client *c = &s->clients[process];
    struct history_act act = {0};
    c->busy = true;
    c->effected = false;
    c->list_count = 0;
    c->txn = history_begin(s->h, process, 0);
    c->sync_floor = s->effects;
    if (s->large->model == MODEL_TREE && below(s, 60) == 0)
        act.code = ACT_SYNC;
    else if (s->large->model == MODEL_TREE)
        ask_tree(s, &act);
    else
        ask_object(s, &act);
    history_add(s->h, &act);
    s->left--;
}

static struct history_act *act_of(struct system *s, const struct client *c)
{
    return &s->h->acts[s->h->txns[c->txn].first];
}

static void effect(struct system *s, struct client *c)
{
    struct history_act *act = act_of(s, c);
    if (act->code == ACT_SYNC)
        s->durable = s->durable > c->sync_floor ? s->durable : c->sync_floor;
    else if (s->large->model == MODEL_TREE)
        effect_tree(s, c, act);
    else
        effect_object(s, c, act);
    if (s->large->model == MODEL_TREE)
        c->effect_end = s->effects;
    c->effected = true;
}

static void end(struct system *s, struct client *c)
{
    const struct history_act *act = act_of(s, c);
    bool grows = s->large->model == MODEL_LIST || s->large->model == MODEL_SET;
    c->busy = false;
    if (below(s, 100) == 0) {
        history_end(s->h, c->txn, 0, OUTCOME_UNKNOWN);
        return;
    }
    if (grows && act->code == ACT_READ)
        history_answer_list(s->h, c->txn, 0, s->objects[act->key].values, c->effect_end);
    if (c->list_count)
        history_answer_list(s->h, c->txn, 0, c->listed, c->list_count);
    if (s->large->crashes && below(s, 40) == 0) {
        s->h->txns[c->txn].durable = true;
        s->durable = s->durable > c->effect_end ? s->durable : c->effect_end;
    }
    history_end(s->h, c->txn, 0, OUTCOME_DONE);
}

static void crash(struct system *s)
{
    for (uint32_t i = 0; i < s->large->clients; i++) {
        struct client *c = &s->clients[i];
        if (c->busy && !c->effected && below(s, 2) && act_of(s, c)->code != ACT_SYNC)
            effect(s, c);
        c->busy = false;
    }
    fall_back(s);
    history_event(s->h, EVENT_CRASH, 0, "power cut");
}

static void make_dirs(struct system *s)
{
    char name[16];
    for (uint32_t i = 0; i < NAMES; i++) {
        int len = snprintf(name, sizeof name, "n%u", i);
        s->names[i] = history_value(s->h, name, (size_t)len);
    }
    s->replace = history_value(s->h, "replace", 7);
    for (uint32_t i = 0; i < DIRS; i++) {
        struct history_act act = {.code = ACT_MKDIR};
        int len = snprintf(name, sizeof name, "d%u", i);
        s->dirs[i] = history_number(s->h, 2 + i);
        act.args[0] = history_number(s->h, 1);
        act.args[1] = history_value(s->h, name, (size_t)len);
        act.args[2] = s->dirs[i];
        uint32_t txn = history_begin(s->h, 0, 0);
        history_add(s->h, &act);
        s->h->txns[txn].durable = true;
        history_end(s->h, txn, 0, OUTCOME_DONE);
    }
}

static void run(struct system *s)
{
    uint32_t crashes = s->large->crashes, operations = s->large->operations;
    while (s->left) {
        uint32_t process = below(s, s->large->clients);
        struct client *c = &s->clients[process];
        if (!c->busy)
            begin(s, process);
        else if (!c->effected)
            effect(s, c);
        else
            end(s, c);
        if (crashes && s->left < (uint64_t)operations * crashes / (s->large->crashes + 1)) {
            crashes--;
            crash(s);
        }
    }
    for (uint32_t i = 0; i < s->large->clients; i++) {
        struct client *c = &s->clients[i];
        if (c->busy && !c->effected)
            effect(s, c);
        if (c->busy)
            end(s, c);
    }
}

struct history *large_history(const struct large *large)
{
    static struct system system; /* large */
    struct system *s = &system;
    char name[16];
    memset(s, 0, sizeof *s);
    s->large = large;
    s->h = history_new();
    s->chance = (large->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    s->left = large->operations;
    s->faults = large->faults;
    s->keys = large->keys;
    if ((large->model == MODEL_LIST || large->model == MODEL_SET) &&
        s->keys < large->operations / 200)
        s->keys = large->operations / 200;
    for (uint32_t i = 0; i < s->keys; i++) {
        uint32_t key;
        int len = snprintf(name, sizeof name, "x%u", i);
        history_key(s->h, VALUE_NONE, history_value(s->h, name, (size_t)len), large->model, &key);
    }
    s->objects = calloc(s->keys, sizeof *s->objects);
    s->contents = calloc(large->operations + 200, sizeof *s->contents);
    if (large->model == MODEL_TREE)
        make_dirs(s);
    run(s);
    for (uint32_t i = 0; i < s->keys; i++) {
        free(s->objects[i].values);
        free(s->objects[i].versions);
    }
    free(s->objects);
    free(s->contents);
    free(s->undos);
    return s->h;
}
