/* SPDX-License-Identifier: MIT
 *
 * versions.h: the versions of registers, who read them, and what is known of their order.
 *
 * Private to src/core/check; see rw_register.c for the law.
 */
#ifndef PACTFS_CHECK_VERSIONS_H
#define PACTFS_CHECK_VERSIONS_H

#include "core/check/transactions/transactional.h"

#define NO_VERSION UINT32_MAX

/* What one transaction left in one register; or its initial state. */
struct version {
    uint32_t key;
    uint32_t txn; /* NO_TXN: the initial state */
    uint32_t act; /* the last write of txn to key */
};

/* A transaction read a version before it wrote the register itself. */
struct reading {
    uint32_t version, txn;
    uint32_t act;
    uint32_t written; /* what it then left in the register itself, or NO_VERSION */
};

struct pair {
    uint32_t before, after; /* versions of one register */
    bool forced;            /* by V3 */
};

struct versions {
    struct txn_check *t;
    struct version *all; /* those of one key follow one another, the initial one first */
    uint32_t count, room;
    uint32_t *of_write; /* of each act: the version that it is the last write of, or NO_VERSION */
    uint32_t *of_read;  /* of each act: the version that it read from outside, or NO_VERSION */
    struct reading *readings;
    uint32_t reading_count, reading_room;
    uint32_t *reading_first; /* those of version v are [reading_first[v], reading_first[v + 1]) */
    struct pair *pairs;      /* v is before w: sorted, each once */
    uint32_t pair_count, pair_room;
    uint32_t *pair_first; /* those with before = v, likewise */
};

/* Fills all but readings and pairs' order: what each transaction read and left; wr edges; what is
 * wrong with single reads. */
void versions_gather(struct versions *v, struct txn_check *t);
void versions_free(struct versions *v);
void versions_add_pair(struct versions *v, const struct pair *pair);
/* Sorts readings and pairs, for reading_first and pair_first. */
void versions_index(struct versions *v);

/* The edges from the order of versions in real time. After versions_index. */
void versions_real_time(const struct versions *v);
/* From a version's writer to the writer of a later one, and from its readers likewise; of these
 * kinds, EDGE_WW or like it, EDGE_RW or like it. */
void writer_before(const struct versions *v, uint32_t before, uint32_t after, uint8_t kind);
void readers_before(const struct versions *v, uint32_t before, uint32_t after, uint8_t kind);

#endif
