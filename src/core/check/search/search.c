/* SPDX-License-Identifier: MIT
 *
 * search.c: a configuration that can go forward and back: placing items, taking them back, crashes.
 * The law (S1 ...) is in serialise.c.
 */
#include "core/check/search/search.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/grow.h"

/* Keeps sums of different things apart. */
#define SALT_ITEM  UINT64_C(0x5d3a1f0000000000)
#define SALT_STATE UINT64_C(0x2b7c900000000000)
#define SALT_ERA   UINT64_C(0x71e5420000000000)
#define SALT_ENTER UINT64_C(0x1c86ef0000000000)

/* --- prints --- */

static void print_add(struct print *sum, uint64_t salt, uint64_t thing)
{
    sum->a += intern_mix(salt ^ thing);
    sum->b += intern_mix(~(salt ^ intern_mix(thing)));
}

static void print_take(struct print *sum, uint64_t salt, uint64_t thing)
{
    sum->a -= intern_mix(salt ^ thing);
    sum->b -= intern_mix(~(salt ^ intern_mix(thing)));
}

/* Not a plain concatenation: objects are few, states many. */
static uint64_t state_thing(uint32_t object, uint32_t state)
{
    return (uint64_t)object << 40 ^ state;
}

struct print search_print(const struct search *s)
{
    return (struct print){s->placed.a + s->state_sum.a, s->placed.b + s->state_sum.b};
}

static size_t memo_place(const struct memo *memo, struct print print)
{
    size_t place = print.a & memo->mask;
    while (memo->entries[place].a | memo->entries[place].b) {
        if (memo->entries[place].a == print.a && (memo->entries[place].b | 1) == (print.b | 1))
            break;
        place = (place + 1) & memo->mask;
    }
    return place;
}

struct memo_entry *memo_find(const struct memo *memo, struct print print)
{
    if (!memo->entries)
        return NULL;
    struct memo_entry *entry = &memo->entries[memo_place(memo, print)];
    return entry->a | entry->b ? entry : NULL;
}

static void memo_grow(struct memo *memo)
{
    struct memo old = *memo;
    memo->mask = old.entries ? old.mask * 2 + 1 : 255;
    memo->entries = calloc(memo->mask + 1, sizeof *memo->entries);
    INVARIANT(memo->entries != NULL);
    for (size_t i = 0; old.entries && i <= old.mask; i++)
        if (old.entries[i].a | old.entries[i].b) {
            struct print print = {old.entries[i].a, old.entries[i].b};
            memo->entries[memo_place(memo, print)] = old.entries[i];
        }
    free(old.entries);
}

void memo_add(struct memo *memo, struct print print)
{
    if (!memo->entries || memo->count * 2 > memo->mask)
        memo_grow(memo);
    memo->entries[memo_place(memo, print)] = (struct memo_entry){print.a, print.b & ~UINT64_C(1)};
    memo->count++;
}

void memo_set_reached(struct memo *memo, struct print print)
{
    memo->entries[memo_place(memo, print)].b |= 1;
}

/* --- beginning and end --- */

static void ring_insert(struct search *s, uint32_t before, uint32_t item)
{
    uint32_t last = s->prev[before];
    s->next[last] = s->prev[before] = item;
    s->prev[item] = last;
    s->next[item] = before;
}

static uint32_t ring_of(const struct search *s, const struct item *item)
{
    return s->p->item_count + 2 * item->era + !item->required;
}

static void init_rings(struct search *s)
{
    const struct problem *p = s->p;
    uint32_t nodes = p->item_count + 2 * p->eras;
    s->prev = arena_alloc(&s->arena, nodes * sizeof *s->prev);
    s->next = arena_alloc(&s->arena, nodes * sizeof *s->next);
    for (uint32_t i = p->item_count; i < nodes; i++)
        s->prev[i] = s->next[i] = i;
    for (uint32_t i = 0; i < p->item_count; i++) {
        const struct item *item = &p->items[i];
        s->remaining[item->era] += item->required;
        s->durables[item->era] += item->durable;
        s->single_adders = s->single_adders || (!item->required && item->only_adder);
        if (!item->follows)
            ring_insert(s, ring_of(s, item), i);
    }
}

void search_init(struct search *s, struct problem *p)
{
    memset(s, 0, sizeof *s);
    arena_init(&s->arena);
    s->p = p;
    s->stuck_rank = RANK_NEVER;
    s->remaining = ARENA_ARRAY(&s->arena, uint32_t, p->eras);
    s->durables = ARENA_ARRAY(&s->arena, uint32_t, p->eras);
    s->era_base = ARENA_ARRAY(&s->arena, uint32_t, p->eras);
    s->era_placed = ARENA_ARRAY(&s->arena, struct print, p->eras);
    init_rings(s);
    uint32_t objects = p->question->objects;
    s->states = ARENA_ARRAY(&s->arena, uint32_t, objects);
    s->slots = ARENA_ARRAY(&s->arena, uint32_t, objects);
    s->scratch = ARENA_ARRAY(&s->arena, uint32_t, objects);
    for (uint32_t i = 0; i < objects; i++) {
        s->states[i] = model_initial(p->question->models, p->objects[i].model);
        s->slots[i] = problem_slot(p, i, 0, s->states[i]);
        print_add(&s->state_sum, SALT_STATE, state_thing(i, s->states[i]));
    }
}

void search_free(struct search *s)
{
    free(s->trail);
    free(s->changes);
    free(s->frames);
    free(s->memo.entries);
    arena_free(&s->arena);
}

size_t search_bytes(const struct search *s)
{
    return problem_bytes(s->p) + models_bytes(s->p->question->models) +
           (s->memo.entries ? (s->memo.mask + 1) * sizeof *s->memo.entries : 0) +
           s->trail_room * sizeof *s->trail + s->change_room * sizeof *s->changes +
           s->frame_room * sizeof *s->frames + s->p->item_count * 2 * sizeof *s->next;
}

/* --- forward and back --- */

static void push_trail(struct search *s, uint32_t item, uint32_t undo)
{
    s->trail = grow(s->trail, s->trail_count, &s->trail_room, sizeof *s->trail);
    s->trail[s->trail_count++] = (struct trail_entry){item, undo};
}

static void set_state(struct search *s, uint32_t object, uint32_t state)
{
    s->changes = grow(s->changes, s->change_count, &s->change_room, sizeof *s->changes);
    s->changes[s->change_count++] = (struct change){object, s->states[object], s->slots[object]};
    if (s->states[object] != state) {
        print_take(&s->state_sum, SALT_STATE, state_thing(object, s->states[object]));
        print_add(&s->state_sum, SALT_STATE, state_thing(object, state));
    }
    s->states[object] = state;
    s->slots[object] = problem_slot(s->p, object, s->era, state);
}

static void undo_changes(struct search *s, uint32_t count)
{
    while (s->change_count > count) {
        const struct change *c = &s->changes[--s->change_count];
        uint32_t now = s->states[c->object];
        if (now != c->state) {
            print_take(&s->state_sum, SALT_STATE, state_thing(c->object, now));
            print_add(&s->state_sum, SALT_STATE, state_thing(c->object, c->state));
        }
        s->states[c->object] = c->state;
        s->slots[c->object] = c->slot;
    }
}

static void unlink_item(struct search *s, uint32_t i)
{
    const struct item *items = s->p->items;
    uint32_t after = s->next[i], follower = items[i].follower;
    s->next[s->prev[i]] = after;
    s->prev[after] = s->prev[i];
    if (follower == NO_ITEM)
        return;
    /* The follower comes to its place in the order of beginnings: a good order to try them in. */
    uint32_t head = ring_of(s, &items[follower]);
    if (head != ring_of(s, &items[i]))
        after = head;
    while (after != head && items[after].rank < items[follower].rank)
        after = s->next[after];
    ring_insert(s, after, follower);
}

static void relink_item(struct search *s, uint32_t i)
{
    uint32_t follower = s->p->items[i].follower;
    if (follower != NO_ITEM) {
        s->next[s->prev[follower]] = s->next[follower];
        s->prev[s->next[follower]] = s->prev[follower];
    }
    s->next[s->prev[i]] = i;
    s->prev[s->next[i]] = i;
}

static void count_item(struct search *s, uint32_t i, uint32_t by)
{
    const struct item *item = &s->p->items[i];
    s->remaining[item->era] += item->required ? by : 0;
    s->durables[item->era] += item->durable ? by : 0;
    s->p->waiting[item->waits] += item->waits ? by : 0;
    s->p->makers[item->makes] += item->makes ? by : 0;
}

/* S2: whether the item may change the object's state. */
static bool may_leave(const struct search *s, const struct item *item, uint32_t object)
{
    const struct object *o = &s->p->objects[object];
    uint32_t slot = s->slots[object];
    if (slot == NO_SLOT || s->p->waiting[slot] == (item->waits == slot))
        return true;
    if (o->model == MODEL_REGISTER)
        return s->p->makers[slot] > (item->makes == slot);
    return !o->monotone;
}

/* The first milestone behind a state of a set or counter. */
static uint32_t next_milestone(const struct search *s, const struct stage *stage, uint8_t model,
                               uint32_t state)
{
    const struct models *m = s->p->question->models;
    uint32_t low = 0, high = stage->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2, mark = s->p->marks[stage->first + middle];
        bool behind = model == MODEL_SET ? m->set_nodes[mark].size > m->set_nodes[state].size
                                         : model_number(m, mark) > model_number(m, state);
        if (behind)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* S3: whether the next milestone can be reached from `state`, which the act makes of `from`. */
static bool on_the_way(const struct search *s, const struct model_act *act, uint32_t from,
                       uint32_t state)
{
    const struct stage *stage = problem_stage(s->p, act->place, s->era);
    const struct models *m = s->p->question->models;
    if (!stage->count)
        return true;
    const uint32_t *marks = &s->p->marks[stage->first];
    if (act->model == MODEL_LIST) {
        uint32_t depth = m->list_nodes[state].depth;
        return depth > stage->count || marks[depth - 1] == state;
    }
    uint32_t next = next_milestone(s, stage, act->model, from);
    if (next == stage->count)
        return true;
    if (act->model == MODEL_SET)
        return act->level <= next;
    return model_number(m, state) <= model_number(m, marks[next]);
}

bool search_place(struct search *s, uint32_t i)
{
    const struct item *item = &s->p->items[i];
    uint32_t undo = s->change_count;
    for (uint32_t j = 0; j < item->count; j++) {
        const struct model_act *act = &s->p->acts[item->first + j];
        uint32_t from = s->states[act->place];
        uint32_t to = model_step(s->p->question->models, act, from);
        s->steps++;
        bool good = to != STATE_NONE;
        if (good && to != from)
            good = on_the_way(s, act, from, to) && may_leave(s, item, act->place);
        if (!good) {
            undo_changes(s, undo);
            return false;
        }
        if (to != from)
            set_state(s, act->place, to);
    }
    push_trail(s, i, undo);
    unlink_item(s, i);
    count_item(s, i, UINT32_MAX);
    print_add(&s->placed, SALT_ITEM, i);
    return true;
}

static void uncrash(struct search *s)
{
    s->era--;
    s->placed = s->era_placed[s->era];
}

void search_undo(struct search *s, uint32_t trail_count)
{
    while (s->trail_count > trail_count) {
        const struct trail_entry *e = &s->trail[--s->trail_count];
        undo_changes(s, e->undo);
        if (e->item == CRASHED) {
            uncrash(s);
            continue;
        }
        relink_item(s, e->item);
        count_item(s, e->item, 1);
        print_take(&s->placed, SALT_ITEM, e->item);
    }
}

/* --- at once --- */

uint64_t search_limit(const struct search *s)
{
    uint64_t limit = RANK_NEVER;
    for (uint32_t i = s->next[list_required(s)]; i != list_required(s); i = s->next[i]) {
        if (s->p->items[i].began > limit)
            break;
        if (s->p->items[i].ended < limit)
            limit = s->p->items[i].ended;
    }
    return limit;
}

static bool nothing_waits(const struct search *s, uint32_t object)
{
    return !s->slots[object] || !s->p->waiting[s->slots[object]];
}

/* S4 of a list or set, whose value only this item appends or adds. */
static bool is_needed(const struct search *s, const struct model_act *act)
{
    const struct stage *stage = problem_stage(s->p, act->place, s->era);
    const struct models *m = s->p->question->models;
    uint32_t state = s->states[act->place];
    if (act->model == MODEL_LIST)
        return s->p->eras == 1 || m->list_nodes[state].depth < stage->count;
    return s->p->eras == 1;
}

static bool goes_at_once(const struct search *s, const struct item *item)
{
    const struct model_act *act = &s->p->acts[item->first];
    if (item->looks)
        return true;
    if (item->unseen)
        return nothing_waits(s, act->place);
    return item->only_adder && nothing_waits(s, act->place) && is_needed(s, act);
}

/* Places the first item that goes at once; false when there is none. */
static bool settle_one(struct search *s)
{
    const struct item *items = s->p->items;
    uint64_t limit = RANK_NEVER;
    for (uint32_t i = s->next[list_required(s)]; i != list_required(s); i = s->next[i]) {
        if (items[i].began > limit)
            break;
        if (items[i].ended < limit)
            limit = items[i].ended;
        if (goes_at_once(s, &items[i]) && search_place(s, i))
            return true;
    }
    if (!s->single_adders)
        return false;
    for (uint32_t i = s->next[list_optional(s)]; i != list_optional(s); i = s->next[i]) {
        if (items[i].began <= limit && items[i].only_adder && goes_at_once(s, &items[i]) &&
            search_place(s, i))
            return true;
    }
    return false;
}

void search_settle(struct search *s)
{
    while (settle_one(s))
        continue;
}

/* --- crashes --- */

static void era_begin(struct search *s)
{
    s->era_placed[s->era] = s->placed;
    s->era++;
    s->placed = (struct print){0, 0};
    print_add(&s->placed, SALT_ERA, s->era);
    s->era_base[s->era] = s->trail_count;
    for (uint32_t i = 0; i < s->p->question->objects; i++)
        set_state(s, i, s->scratch[i]);
}

/* The print of the next era's beginning with that sum of states. */
static struct print entry_print(const struct search *s, struct print states)
{
    print_add(&states, SALT_ENTER, s->era + 1);
    return states;
}

static bool try_candidate(struct search *s, struct print states)
{
    struct print print = entry_print(s, states);
    uint32_t undo = s->change_count;
    if (memo_find(&s->memo, print))
        return false;
    memo_add(&s->memo, print);
    push_trail(s, CRASHED, undo);
    era_begin(s);
    return true;
}

bool search_crash(struct search *s, struct frame *f)
{
    struct print states = s->state_sum;
    uint32_t at = s->trail_count, change = s->change_count;
    if (s->durables[s->era])
        return false;
    memcpy(s->scratch, s->states, s->p->question->objects * sizeof *s->scratch);
    for (;; at--) {
        if (at < f->cursor) {
            f->cursor = at;
            if (try_candidate(s, states))
                return true;
        }
        if (at == s->era_base[s->era])
            return false;
        const struct trail_entry *e = &s->trail[at - 1];
        if (s->p->items[e->item].durable)
            return false;
        while (change > e->undo) { /* the states before it */
            const struct change *c = &s->changes[--change];
            print_take(&states, SALT_STATE, state_thing(c->object, s->scratch[c->object]));
            print_add(&states, SALT_STATE, state_thing(c->object, c->state));
            s->scratch[c->object] = c->state;
        }
    }
}
