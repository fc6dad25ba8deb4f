/* SPDX-License-Identifier: MIT
 *
 * objects.h: the objects of a history in groups that can be judged apart: two objects are in one
 * group when some transaction uses both (Herlihy and Wing 1990, locality; Horn and Kroening 2015).
 */
#ifndef PACTFS_CHECK_OBJECTS_H
#define PACTFS_CHECK_OBJECTS_H

#include "core/check/checking.h"
#include "core/check/search/serialise.h"

struct objects {
    uint32_t groups;
    uint32_t *places; /* by key: its place in its group */
    uint32_t *sizes;  /* by group: how many objects */
    uint32_t *first;  /* by group, and one more: its parts are parts[first[g]] ... */
    struct part *parts;
};

/* All is the arena's. With `together` all objects are one group. Failed transactions are in no
 * group, nor are those that use no object. */
void objects_group(const struct history *history, bool together, struct arena *arena,
                   struct objects *out);

/* Asks the question (its order, eras and limits are set; the rest is filled in) of each group until
 * one is broken, and says in the verdict when a search was given up. `broken`, when not NULL, is
 * told of the group that has no serialisation, and makes the verdict of it. True when all have one.
 * The steps of all groups together stay below question->steps. */
typedef void objects_broken(struct checking *c, const struct question *question,
                            const struct serial_answer *answer);
bool objects_search(struct checking *c, struct question *question, objects_broken *broken);

/* The question as it begins: of the checker's history, in real time, within its limits. */
struct question objects_question(const struct checking *c, struct models *models);

/* False, and the verdict is undecided, when a tree's file may have been made whose inode is not
 * told: what later acts show of it cannot be judged. */
bool objects_known(struct checking *c);

/* Whether each group is linearisable, decided with a share of the steps of `c`; says nothing in the
 * verdict. False also when it took too long. */
bool linearisable_at_once(struct checking *c, struct question *question);

#endif
