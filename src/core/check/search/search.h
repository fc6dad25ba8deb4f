/* SPDX-License-Identifier: MIT
 *
 * search.h: a configuration that can go forward and back. Private to serialise.c and search.c;
 * the law is in serialise.c.
 */
#ifndef PACTFS_CHECK_SEARCH_H
#define PACTFS_CHECK_SEARCH_H

#include "core/check/search/problem.h"

/* 128 bits that stand for a configuration. */
struct print {
    uint64_t a, b;
};

/* A hash table of prints; the lowest bit of b says "the end of its era was reached". */
struct memo_entry {
    uint64_t a, b;
};

struct memo {
    struct memo_entry *entries;
    size_t count, mask;
};

struct memo_entry *memo_find(const struct memo *memo, struct print print);
void memo_add(struct memo *memo, struct print print);
void memo_set_reached(struct memo *memo, struct print print);
static inline bool memo_reached(const struct memo_entry *entry)
{
    return entry->b & 1;
}

enum frame_phase { PHASE_CRASH, PHASE_REQUIRED, PHASE_OPTIONAL, PHASE_DONE };

/* One configuration on the path, and what was tried from it. */
struct frame {
    struct print print;
    uint64_t limit;
    uint32_t base;   /* the trail's length there */
    uint32_t cursor; /* the last item tried; or, of crashes, the trail's length at the candidate */
    uint32_t era;
    uint8_t phase;
    bool only_crash, reached;
};

#define CRASHED UINT32_MAX /* on the trail in place of an item */

struct trail_entry {
    uint32_t item; /* or CRASHED */
    uint32_t undo; /* the number of changes before it */
};

struct change {
    uint32_t object, state, slot; /* as they were before */
};

struct search {
    struct problem *p;
    struct arena arena;
    uint32_t *states, *slots; /* by object */
    uint32_t *scratch;        /* by object */
    uint32_t *prev, *next;    /* lists of items not placed: two rings for each era */
    uint32_t *remaining;      /* by era: required items not placed */
    uint32_t *durables;       /* by era: durable ones of them */
    uint32_t *era_base;       /* by era: the trail's length at its beginning */
    struct print *era_placed; /* by era: `placed` at its end, to come back to */
    struct print placed, state_sum;
    uint32_t era;
    bool single_adders; /* some items that may be left out are only adders */
    struct trail_entry *trail;
    uint32_t trail_count, trail_room;
    struct change *changes;
    uint32_t change_count, change_room;
    struct frame *frames;
    uint32_t frame_count, frame_room;
    struct memo memo;
    uint64_t steps, stuck_rank;
};

void search_init(struct search *s, struct problem *problem);
void search_free(struct search *s);
size_t search_bytes(const struct search *s);

/* The heads of the rings of this era: items that must be placed, and those that may be left out. */
static inline uint32_t list_required(const struct search *s)
{
    return s->p->item_count + 2 * s->era;
}
static inline uint32_t list_optional(const struct search *s)
{
    return s->p->item_count + 2 * s->era + 1;
}

struct print search_print(const struct search *s);
uint64_t search_limit(const struct search *s);
/* Places an item, which is enabled; false, and nothing happens, when it cannot go here. */
bool search_place(struct search *s, uint32_t item);
/* Goes back until the trail is that long. */
void search_undo(struct search *s, uint32_t trail_count);
/* Places all that can be placed at once (S1, S4, S6). */
void search_settle(struct search *s);
/* A crash: goes to the next era with the next candidate after the frame's cursor. */
bool search_crash(struct search *s, struct frame *frame);

#endif
