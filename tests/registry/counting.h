/* SPDX-License-Identifier: MIT
 *
 * counting.h: changes without a pause: a number under a key, made one greater again and again, each
 * change conditional on the one before. What was answered OK is never undone; what was answered
 * TIMEOUT happened or not; what was answered REGISTRY did not.
 */
#ifndef PACTFS_TESTS_REGISTRY_COUNTING_H
#define PACTFS_TESTS_REGISTRY_COUNTING_H

#include "suite.h"

struct counting {
    struct world *w;
    struct registry *registry;
    const char *key;
    struct registry_change change;
    struct registry_condition condition;
    struct registry_write write;
    struct registry_read read;
    char value[16];
    unsigned acknowledged;                           /* the number that has to be there */
    bool maybe;                                      /* or one more */
    unsigned conflicts, refused, timeouts, happened; /* happened: of the timeouts */
    uint64_t revision, last, longest;                /* times: nanoseconds */
    uint64_t latencies[65536];
    uint64_t begun;
    unsigned measured;
    bool stop, stopped;
};

/* malloc'd. Begins at once; the key is not there yet. */
struct counting *count_begin(struct world *w, struct registry *registry, const char *key);
/* Ends it, compares what is there, frees it. */
void count_end(struct counting *n);
/* Runs until so many more were acknowledged; fails after ten seconds. */
void count_some(struct counting *n, unsigned more);
/* From now on: the longest time between two acknowledged changes is measured anew. */
void count_mark(struct counting *n);
void count_report(struct counting *n, const char *what);

#endif
