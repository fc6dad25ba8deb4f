/* SPDX-License-Identifier: MIT
 *
 * problem.c: makes a question ready for the search: items, what they wait for, milestones.
 */
#include "core/check/search/problem.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

/* What building needs besides the problem. */
struct build {
    struct problem *p;
    const struct question *q;
    struct intern seen;   /* (object, value): some answer shows it, or a cas needs it */
    struct intern adders; /* (object, value): appended or added */
    uint32_t *adder_counts;
    uint32_t *levels; /* by number in adders and era */
    bool *read;       /* by object: some answer shows its state */
};

/* --- items --- */

static uint32_t era_of(const struct question *q, uint64_t rank)
{
    uint32_t low = 0, high = q->eras ? q->eras->count - 1 : 0;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (q->eras->crashes[middle] < rank)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Adds an act to the item that is being made, unless it says nothing. */
static void add_act(struct build *b, struct item *item, const struct history_act *act, bool checked)
{
    struct problem *p = b->p;
    bool known_refusal = act->known && act->fault != OK;
    if (!model_speaks(b->q->history, act) || b->q->places[act->key] == PLACE_NONE)
        return;
    if (!checked && (model_only_looks(act, false) || known_refusal))
        return;
    struct model_act *made = &p->acts[p->act_count++];
    model_prepare(b->q->models, act, checked, &p->arena, made);
    made->place = b->q->places[act->key];
    item->count++;
    item->looks = item->looks && model_only_looks(act, checked);
}

/* What another process did is, to PRAM, a write: a cas that succeeded writes its new value. */
static void take_effect(struct problem *p, const struct item *item, bool done)
{
    for (uint32_t i = 0; i < item->count; i++) {
        struct model_act *act = &p->acts[item->first + i];
        if (act->code == ACT_CAS && done) {
            act->code = ACT_WRITE;
            act->args[0] = act->args[1];
        }
    }
}

static void add_item(struct build *b, const struct part *part)
{
    struct problem *p = b->p;
    const struct question *q = b->q;
    const struct history_txn *txn = &q->history->txns[part->txn];
    bool done = txn->outcome == OUTCOME_DONE;
    if (txn->outcome == OUTCOME_FAILED)
        return;
    struct item *item = &p->items[p->item_count];
    *item =
        (struct item){.txn = part->txn, .first = p->act_count, .looks = true, .follower = NO_ITEM};
    for (uint32_t i = 0; i < txn->count; i++)
        add_act(b, item, history_act(q->history, txn, i), done && part->role == PART_REQUIRED);
    if (!item->count)
        return;
    if (part->role == PART_EFFECT)
        take_effect(p, item, done);
    p->item_count++;
    item->required = done && part->role != PART_FREE;
    item->rank = txn->began;
    item->ended = RANK_NEVER;
    if (q->order == ORDER_REAL_TIME) {
        item->began = txn->began;
        item->ended = item->required ? txn->ended : RANK_NEVER;
    }
    item->era = era_of(q, txn->began);
    if (item->required && q->eras) {
        if (era_of(q, txn->ended) != item->era)
            p->spans = part->txn;
        item->durable = !q->forgetful && (txn->durable || txn->ended < q->eras->synced[item->era]);
    }
}

static void add_items(struct build *b)
{
    struct problem *p = b->p;
    const struct question *q = b->q;
    uint32_t acts = 0;
    for (uint32_t i = 0; i < q->part_count; i++)
        acts += q->history->txns[q->parts[i].txn].count;
    p->items = arena_alloc(&p->arena, (q->part_count + 1) * sizeof *p->items);
    p->acts = arena_alloc(&p->arena, (acts + 1) * sizeof *p->acts);
    for (uint32_t i = 0; i < q->part_count; i++)
        add_item(b, &q->parts[i]);
}

/* --- what is known of objects and values --- */

static void learn_act(struct build *b, const struct item *item, const struct model_act *act)
{
    struct object *object = &b->p->objects[act->place];
    object->model = act->model;
    if (item->count > 1)
        object->plain = false;
    if (act->model == MODEL_TREE || (act->code == ACT_INCREMENT && act->amount < 0))
        object->monotone = false;
    if (act->code == ACT_CAS && (!act->checked || act->fault))
        object->simple = false;
    if (act->model == MODEL_REGISTER) {
        object->monotone = false;
        if (act->expect != STATE_NONE)
            intern(&b->seen, act->place, act->expect, NULL);
    }
    if (act->code == ACT_READ)
        b->read[act->place] = true;
    if (act->code == ACT_READ && act->model == MODEL_SET)
        for (uint32_t i = 0; i < act->source->count; i++)
            intern(&b->seen, act->place, b->q->history->pool[act->source->list + i], NULL);
    if (act->code == ACT_APPEND || act->code == ACT_ADD) {
        uint32_t number = intern(&b->adders, act->place, act->args[0], NULL);
        b->adder_counts[number]++;
    }
}

static void see_list(struct build *b, uint32_t object, uint32_t node)
{
    const struct list_node *nodes = b->q->models->list_nodes;
    for (; node; node = nodes[node].parent)
        intern(&b->seen, object, nodes[node].value, NULL);
}

/* Of lists only the longest answer counts: where another has more, no serialisation exists. Not so
 * with crashes: what one era had, the next may have lost. */
static void learn_lists(struct build *b)
{
    const struct list_node *nodes = b->q->models->list_nodes;
    uint32_t *longest = ARENA_ARRAY(&b->p->arena, uint32_t, b->q->objects + 1);
    for (uint32_t i = 0; i < b->p->act_count; i++) {
        const struct model_act *act = &b->p->acts[i];
        if (act->code != ACT_READ || act->model != MODEL_LIST)
            continue;
        if (b->p->eras > 1)
            see_list(b, act->place, act->expect);
        else if (nodes[act->expect].depth > nodes[longest[act->place]].depth)
            longest[act->place] = act->expect;
    }
    for (uint32_t i = 0; i < b->q->objects; i++)
        see_list(b, i, longest[i]);
}

static void learn(struct build *b)
{
    struct problem *p = b->p;
    p->objects = arena_alloc(&p->arena, (b->q->objects + 1) * sizeof *p->objects);
    for (uint32_t i = 0; i < b->q->objects; i++)
        p->objects[i] = (struct object){.plain = true, .simple = true, .monotone = true};
    b->read = ARENA_ARRAY(&p->arena, bool, b->q->objects + 1);
    b->adder_counts = ARENA_ARRAY(&p->arena, uint32_t, p->act_count + 1);
    for (uint32_t i = 0; i < p->item_count; i++)
        for (uint32_t j = 0; j < p->items[i].count; j++)
            learn_act(b, &p->items[i], &p->acts[p->items[i].first + j]);
    learn_lists(b);
}

static bool is_seen(const struct build *b, const struct model_act *act, uint32_t value)
{
    return intern_find(&b->seen, act->place, value) != INTERN_NONE;
}

/* S7: whether an item that may be left out can be left out for good. */
static bool may_go(const struct build *b, const struct item *item)
{
    const struct model_act *act = &b->p->acts[item->first];
    if (item->required || item->count > 1)
        return false;
    switch (act->code) {
    case ACT_WRITE:
        return b->p->objects[act->place].simple && !is_seen(b, act, act->args[0]);
    case ACT_APPEND:
    case ACT_ADD:
        return !is_seen(b, act, act->args[0]);
    case ACT_INCREMENT:
        return !b->read[act->place];
    default:
        return false;
    }
}

static void leave_out(struct build *b)
{
    struct problem *p = b->p;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->item_count; i++)
        if (!may_go(b, &p->items[i]))
            p->items[kept++] = p->items[i];
    p->item_count = kept;
}

/* --- what items wait for --- */

static uint32_t make_slot(struct problem *p, uint32_t object, uint32_t era, uint32_t state)
{
    return intern(&p->slots, (uint64_t)object * p->eras + era, state, NULL);
}

static void set_class(struct build *b, struct intern *classes, struct item *item)
{
    const struct model_act *act = &b->p->acts[item->first];
    bool alike = act->code == ACT_WRITE || act->code == ACT_APPEND || act->code == ACT_ADD ||
                 act->code == ACT_INCREMENT;
    if (item->count > 1 || !alike)
        return;
    uint64_t how = (uint64_t)item->era << 16 | (uint64_t)act->code << 1 | item->durable;
    item->class = intern(classes, (uint64_t)act->place << 32 | act->args[0], how, NULL);
}

static void set_slots(struct build *b, struct item *item)
{
    struct problem *p = b->p;
    const struct model_act *act = &p->acts[item->first];
    const struct object *object = &p->objects[act->place];
    if (item->count > 1 || !object->plain)
        return;
    if (item->required && act->expect != STATE_NONE)
        item->waits = make_slot(p, act->place, item->era, act->expect);
    if (act->code == ACT_WRITE || act->code == ACT_CAS)
        item->makes = make_slot(p, act->place, item->era, act->args[act->code == ACT_CAS ? 1 : 0]);
    if (act->code == ACT_APPEND || act->code == ACT_ADD)
        item->only_adder = b->adder_counts[intern_find(&b->adders, act->place, act->args[0])] == 1;
    if (act->code == ACT_WRITE && item->required)
        item->unseen = object->simple && !is_seen(b, act, act->args[0]);
}

static void count_slots(struct problem *p, const struct intern *classes)
{
    p->waiting = ARENA_ARRAY(&p->arena, uint32_t, p->slots.count + 1);
    p->makers = ARENA_ARRAY(&p->arena, uint32_t, p->slots.count + 1);
    p->classes = classes->count;
    p->class_sizes = ARENA_ARRAY(&p->arena, uint32_t, p->classes + 1);
    for (uint32_t i = 0; i < p->item_count; i++) {
        const struct item *item = &p->items[i];
        p->waiting[item->waits] += item->waits != NO_SLOT;
        p->makers[item->makes] += item->makes != NO_SLOT;
        p->class_sizes[item->class] += item->class != 0;
    }
}

static void set_waits(struct build *b)
{
    struct problem *p = b->p;
    struct intern classes = {0};
    intern(&p->slots, UINT64_MAX, UINT64_MAX, NULL); /* NO_SLOT */
    intern(&classes, UINT64_MAX, UINT64_MAX, NULL);  /* class 0 */
    for (uint32_t i = 0; i < p->item_count; i++) {
        set_class(b, &classes, &p->items[i]);
        set_slots(b, &p->items[i]);
    }
    count_slots(p, &classes);
    intern_free(&classes);
}

/* In process order each item frees the next one of its session. */
static void set_followers(struct build *b)
{
    struct problem *p = b->p;
    const struct history *history = b->q->history;
    uint32_t *last = arena_alloc(&p->arena, (history->sessions + 1) * sizeof *last);
    memset(last, 0xff, (history->sessions + 1) * sizeof *last);
    for (uint32_t i = 0, part = 0; i < p->item_count; i++) {
        while (b->q->parts[part].txn != p->items[i].txn)
            part++;
        if (b->q->parts[part].role == PART_FREE)
            continue;
        uint32_t *before = &last[history->txns[p->items[i].txn].session];
        if (*before != NO_ITEM) {
            p->items[*before].follower = i;
            p->items[i].follows = true;
        }
        *before = i;
    }
}

/* --- milestones --- */

struct milestone {
    uint32_t stage, state;
    int64_t size;
    const struct model_act *act;
};

static int by_stage_and_size(const void *left, const void *right)
{
    const struct milestone *a = left, *b = right;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return (a->state > b->state) - (a->state < b->state);
}

static int64_t size_of(const struct models *m, uint8_t model, uint32_t state)
{
    if (model == MODEL_LIST)
        return m->list_nodes[state].depth;
    return model == MODEL_SET ? m->set_nodes[state].size : model_number(m, state);
}

static uint32_t collect(struct build *b, struct milestone *out)
{
    struct problem *p = b->p;
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->item_count; i++)
        for (uint32_t j = 0; j < p->items[i].count; j++) {
            const struct model_act *act = &p->acts[p->items[i].first + j];
            if (act->code != ACT_READ || act->expect == STATE_NONE || !p->items[i].required ||
                !p->objects[act->place].monotone)
                continue;
            out[count++] = (struct milestone){
                .stage = act->place * p->eras + p->items[i].era,
                .state = act->expect,
                .size = size_of(b->q->models, act->model, act->expect),
                .act = act,
            };
        }
    return count;
}

static void mark_list(struct build *b, struct stage *stage, const struct milestone *longest)
{
    const struct list_node *nodes = b->q->models->list_nodes;
    stage->count = (uint32_t)longest->size;
    for (uint32_t node = longest->state; node; node = nodes[node].parent)
        b->p->marks[stage->first + nodes[node].depth - 1] = node;
}

/* The level of each value of a set is the first milestone that has it. */
static void mark_levels(struct build *b, const struct milestone *m, uint32_t level)
{
    const struct history_act *source = m->act->source;
    uint32_t eras = b->p->eras;
    for (uint32_t i = 0; i < source->count; i++) {
        uint32_t value = b->q->history->pool[source->list + i];
        uint32_t adder = intern_find(&b->adders, m->act->place, value);
        if (adder == INTERN_NONE)
            continue; /* nobody added it: the milestone is never reached */
        uint32_t *known = &b->levels[(size_t)adder * eras + m->stage % eras];
        if (*known == UINT32_MAX)
            *known = level;
    }
}

/* Milestones [from, to) are of one stage. */
static void mark_stage(struct build *b, const struct milestone *from, const struct milestone *to)
{
    struct stage *stage = &b->p->stages[from->stage];
    if (from->act->model == MODEL_LIST) {
        mark_list(b, stage, to - 1);
        return;
    }
    for (const struct milestone *m = from; m < to; m++) {
        if (m > from && m->state == m[-1].state)
            continue;
        if (m->act->model == MODEL_SET)
            mark_levels(b, m, stage->count);
        b->p->marks[stage->first + stage->count++] = m->state;
    }
}

static uint32_t end_of_stage(const struct milestone *all, uint32_t count, uint32_t from)
{
    uint32_t to = from;
    while (to < count && all[to].stage == all[from].stage)
        to++;
    return to;
}

static void mark_stages(struct build *b, const struct milestone *all, uint32_t count)
{
    struct problem *p = b->p;
    size_t room = count;
    for (uint32_t from = 0; from < count; from = end_of_stage(all, count, from))
        if (all[from].act->model == MODEL_LIST)
            room += (size_t)all[end_of_stage(all, count, from) - 1].size;
    p->marks = arena_alloc(&p->arena, (room + 1) * sizeof *p->marks);
    uint32_t first = 0;
    for (uint32_t from = 0, to; from < count; from = to) {
        to = end_of_stage(all, count, from);
        p->stages[all[from].stage].first = first;
        mark_stage(b, all + from, all + to);
        first += p->stages[all[from].stage].count;
    }
}

static void set_stages(struct build *b)
{
    struct problem *p = b->p;
    size_t levels = (size_t)b->adders.count * p->eras + 1;
    struct milestone *all = arena_alloc(&p->arena, (p->act_count + 1) * sizeof *all);
    uint32_t count = collect(b, all);
    p->stages = ARENA_ARRAY(&p->arena, struct stage, (size_t)b->q->objects * p->eras + 1);
    b->levels = arena_alloc(&p->arena, levels * sizeof *b->levels);
    memset(b->levels, 0xff, levels * sizeof *b->levels);
    if (count)
        qsort(all, count, sizeof *all, by_stage_and_size);
    mark_stages(b, all, count);
    for (uint32_t i = 0; i < p->item_count; i++)
        for (uint32_t j = 0; j < p->items[i].count; j++) {
            struct model_act *act = &p->acts[p->items[i].first + j];
            if (act->code != ACT_ADD)
                continue;
            uint32_t adder = intern_find(&b->adders, act->place, act->args[0]);
            act->level = b->levels[(size_t)adder * p->eras + p->items[i].era];
        }
}

/* --- all of it --- */

void problem_build(struct problem *p, const struct question *q)
{
    struct build b = {.p = p, .q = q};
    memset(p, 0, sizeof *p);
    arena_init(&p->arena);
    p->question = q;
    p->eras = q->eras ? q->eras->count : 1;
    p->spans = NO_ITEM;
    add_items(&b);
    learn(&b);
    leave_out(&b);
    set_waits(&b);
    if (q->order == ORDER_PROCESS)
        set_followers(&b);
    set_stages(&b);
    intern_free(&b.seen);
    intern_free(&b.adders);
}

void problem_free(struct problem *p)
{
    intern_free(&p->slots);
    arena_free(&p->arena);
}

size_t problem_bytes(const struct problem *p)
{
    return intern_bytes(&p->slots) + p->item_count * sizeof *p->items +
           p->act_count * (sizeof *p->acts + sizeof(struct milestone));
}
