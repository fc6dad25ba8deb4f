/* SPDX-License-Identifier: MIT
 *
 * blame.h: why there is no serialisation: the anomaly's name and a small witness.
 */
#ifndef PACTFS_CHECK_BLAME_H
#define PACTFS_CHECK_BLAME_H

#include "core/check/checking.h"
#include "core/check/search/serialise.h"

/* The question, whose answer was SERIAL_NONE, becomes the verdict of `c`. `anomaly` is its name
 * when the caller knows it, else ANOMALY_NONE. `order` says in words what order was asked for: "in
 * real time". */
void blame(struct checking *c, const struct question *question, const struct serial_answer *answer,
           enum anomaly anomaly, const char *order);

/* Leaves the answer as the verdict when it is neither FOUND nor NONE: undecided. */
void blame_limits(struct checking *c, const struct serial_answer *answer, uint64_t steps);

/* One witness under way; blame.c and anomaly.c share it. */
struct culprits {
    struct checking *c;
    const struct question *question;
    const uint32_t *txns; /* those that cannot all be right, in the order of their beginnings */
    uint32_t count;
    bool *shown; /* by place in txns: is a step of the verdict */
};

/* anomaly.c: the name that fits, and the one transaction that shows it (UINT32_MAX: none), with a
 * note about it. */
enum anomaly anomaly_of(const struct culprits *culprits, uint32_t *txn, const char **note);

#endif
