/* SPDX-License-Identifier: MIT
 *
 * problem.h: a question made ready for the search. Private to serialise.c and problem.c.
 *
 * Definitions
 *   item     a transaction, restricted to the objects of the question
 *   era      the time between two crashes; one era without crashes
 *   stage    one object in one era
 *   slot     one state of one stage that an item waits for or can make
 *   looks    an item that changes nothing: all its acts are reads or were refused
 *   waits    an item whose only act is a checked read, or a cas that was answered with success: it
 *            goes in one state only
 */
#ifndef PACTFS_CHECK_PROBLEM_H
#define PACTFS_CHECK_PROBLEM_H

#include "core/check/search/serialise.h"

#define NO_ITEM UINT32_MAX
#define NO_SLOT 0u /* slot 0 belongs to no state */

struct item {
    uint64_t began, ended;      /* ranks; 0 and RANK_NEVER where the order does not look at them */
    uint64_t rank;              /* its beginning as recorded, to try items in a sensible order */
    uint32_t txn, first, count; /* acts of problem->acts */
    uint32_t era;
    uint32_t follower; /* in process order: the item that may come once this one is placed */
    uint32_t class;    /* items of one class have the same effect */
    uint32_t waits;    /* slot, or NO_SLOT */
    uint32_t makes;    /* slot of the state that it can make (registers), or NO_SLOT */
    bool required;     /* else it may be left out */
    bool looks, durable;
    bool follows;    /* in process order: another item comes before it */
    bool only_adder; /* of a list's or set's value: nobody else appends or adds it */
    bool unseen;     /* a write of a value that no item waits for: see S6 */
};

/* Milestones are the states that the stage must pass: marks[first ...], in growing order. Of a list
 * they are all the beginnings of its longest answer, so marks[first + i] has length i + 1. */
struct stage {
    uint32_t first, count;
};

/* What all acts of one object have in common. */
struct object {
    uint8_t model;
    bool plain;    /* every item has one act on it and on nothing else */
    bool simple;   /* a register: no cas that was refused or whose outcome is unknown */
    bool monotone; /* a state that was left never comes back */
};

struct problem {
    const struct question *question;
    struct arena arena;
    struct item *items;
    uint32_t item_count;
    struct model_act *acts;
    uint32_t act_count;
    struct object *objects;
    struct stage *stages; /* by object * eras + era */
    uint32_t *marks;
    uint32_t eras;
    uint32_t *waiting;   /* by slot: required items that wait for the state */
    uint32_t *makers;    /* by slot: items that can make it */
    struct intern slots; /* (stage, state) */
    uint32_t classes;    /* one more than the greatest class; class 0 is of those that have none */
    uint32_t *class_sizes;
    uint32_t spans; /* a transaction that was answered spans a crash, or NO_ITEM */
};

void problem_build(struct problem *problem, const struct question *question);
void problem_free(struct problem *problem);
size_t problem_bytes(const struct problem *problem);

static inline const struct stage *problem_stage(const struct problem *p, uint32_t object,
                                                uint32_t era)
{
    return &p->stages[object * p->eras + era];
}

static inline uint32_t problem_slot(const struct problem *p, uint32_t object, uint32_t era,
                                    uint32_t state)
{
    uint32_t slot = intern_find(&p->slots, (uint64_t)object * p->eras + era, state);
    return slot == INTERN_NONE ? NO_SLOT : slot;
}

#endif
