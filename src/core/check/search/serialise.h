/* SPDX-License-Identifier: MIT
 *
 * serialise.h: is there a legal serialisation? That is an order of transactions which extends a
 * given partial order and in which every answer is right. The one question behind linearisability,
 * sequential consistency, PRAM and durability.
 *
 * The caller chooses the transactions (parts, in the order of their beginnings), what each must
 * satisfy (its role), the objects, and the order that must be extended. serialise.c has the law.
 */
#ifndef PACTFS_CHECK_SERIALISE_H
#define PACTFS_CHECK_SERIALISE_H

#include "core/check/search/models.h"

enum part_role {
    /* As recorded: answers must be right; one of unknown outcome may be left out. */
    PART_REQUIRED = 0,
    /* Its changes take effect where they can; its answers are not asked after (PRAM: how one
     * process sees what another did). */
    PART_EFFECT,
    /* Its changes may take effect at any time since it began (in process order: at any time), or
     * never; its answers are not asked after, as if it had got none. Whatever a history with such
     * parts cannot explain, the history itself cannot: this is how witnesses are made small. */
    PART_FREE,
};

struct part {
    uint32_t txn;
    uint8_t role; /* enum part_role */
};

enum serial_order {
    ORDER_REAL_TIME = 1, /* what ended before another began comes before it */
    ORDER_PROCESS,       /* what one session did comes in the order in which it did it */
};

#define PLACE_NONE UINT32_MAX

/* The times between crashes: 0 ... count - 1. */
struct eras {
    uint32_t count;
    const uint64_t *crashes; /* ranks: crashes[i] ends era i */
    const uint64_t *synced;  /* by era: what was answered before this rank was made durable by a
                                sync that was answered in the same era; 0: no such sync */
};

struct question {
    const struct history *history;
    struct models *models;
    enum serial_order order;
    const struct eras *eras;  /* the state may fall back at each crash; NULL: no crashes. Only
                                 with ORDER_REAL_TIME */
    bool forgetful;           /* with crashes: durable answers oblige to nothing */
    const struct part *parts; /* in the order of their beginnings */
    uint32_t part_count;
    const uint32_t *places; /* by key: the object's place in this question, or PLACE_NONE */
    uint32_t objects;       /* how many places */
    uint64_t steps, bytes;  /* the most to spend */
};

enum serial_result {
    SERIAL_FOUND = 0,
    SERIAL_NONE,
    SERIAL_TOO_LONG,  /* more than `steps` */
    SERIAL_TOO_LARGE, /* more than `bytes` */
    SERIAL_SPANS,     /* a transaction that was answered spans a crash: `stuck` says which */
};

struct serial_answer {
    enum serial_result result;
    uint64_t steps; /* acts tried, as a measure of time */
    /* With SERIAL_NONE, in real time: the furthest place that the search came to: the transaction
     * that had to be next and could not, and the rank of its end. What happened up to that rank has
     * no serialisation, whatever came later. RANK_NEVER when there is no such place. */
    uint64_t stuck_rank;
    uint32_t stuck;
};

void serialise(const struct question *question, struct serial_answer *answer);

#endif
