/* SPDX-License-Identifier: MIT
 *
 * transactional.h: what the parts of the check of transactions share: see transactional.c for the
 * law. Private to src/core/check.
 */
#ifndef PACTFS_CHECK_TRANSACTIONAL_H
#define PACTFS_CHECK_TRANSACTIONAL_H

#include "core/check/checking.h"
#include "core/check/transactions/cycles.h"
#include "core/check/transactions/dependencies.h"
#include "core/check/transactions/written.h"

#define NO_TXN   UINT32_MAX
#define NO_PLACE UINT32_MAX

/* From weak to strong. Each forbids all that the one before forbids. */
enum level { LEVEL_READ_COMMITTED = 1, LEVEL_SNAPSHOT, LEVEL_SERIALISABLE, LEVEL_STRICT };

struct txn_check {
    struct checking *c;
    const struct history *history;
    enum level level;
    bool *committed;   /* of each transaction: done, or of unknown outcome and seen */
    uint32_t *act_txn; /* of each act */
    struct written written;
    /* The acts of key k on registers, lists, sets and counters, but of failed transactions, in the
     * order of the history: key_acts[key_first[k]] ... key_acts[key_first[k + 1] - 1] */
    uint32_t *key_first, *key_acts;
    uint32_t *place;   /* of each append: its place in the longest read of the list, or NO_PLACE */
    uint32_t *longest; /* of each list: the act of its longest read, or NO_ACT */
    struct dependencies graph;
};

/* The acts of one committed transaction on one key, in its order. */
struct visit {
    uint32_t txn;
    const uint32_t *acts;
    uint32_t count;
};

/* The next visit to a key. `at` begins as t->key_first[key]; false: there is no more. */
bool next_visit(const struct txn_check *t, uint32_t key, uint32_t *at, struct visit *visit);

/* Of each model: what its reads show is marked as seen; then, when it is known who committed, its
 * dependencies and what is wrong with single reads. `key` is of that model. */
void list_observe(struct txn_check *t, uint32_t key);
void list_depend(struct txn_check *t, uint32_t key);
void set_observe(struct txn_check *t, uint32_t key);
void set_depend(struct txn_check *t, uint32_t key);
void counter_check(struct txn_check *t, uint32_t key);
void register_observe(struct txn_check *t, uint32_t key);
/* All registers at once: what is known of one can order the versions of another. */
void registers_depend(struct txn_check *t);
/* EDGE_REAL_TIME, for strict serialisability. */
void real_time_depend(struct txn_check *t);

/* The transaction whose committed write this is; NO_TXN when several acts wrote it. */
uint32_t writer_of(const struct txn_check *t, const struct writing *writing);
/* Marks a value as seen: its writer, when there is only one, has committed. */
void value_seen(struct txn_check *t, uint32_t key, uint32_t value);
/* An edge shown by an act of `to`. */
void txn_depend(struct txn_check *t, uint32_t from, uint32_t to, uint8_t kind, uint32_t why);

/* A value in a read that no committed transaction wrote: a garbage or an aborted read, if that is
 * what it is, is reported; then, or when its writer is not known, false. */
bool value_sound(struct txn_check *t, uint32_t read, uint32_t value, const struct writing *writing);
/* Counts an anomaly; true when it is the gravest yet, and shall be told. */
bool txn_found(struct txn_check *t, enum anomaly anomaly);
/* One act, of one transaction, is wrong, for this reason; or two are together. */
void report_act(struct txn_check *t, enum anomaly anomaly, uint32_t act, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void report_acts(struct txn_check *t, enum anomaly anomaly, const uint32_t acts[2],
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same of a read and what it read from, with an edge between them. */
void report_read(struct txn_check *t, enum anomaly anomaly, uint32_t read, uint32_t write);

/* An act in words, in the arena; of a long list its end: "x -> [... 7 8 9]". */
const char *act_words(struct txn_check *t, uint32_t act);
/* The verdict's witness becomes this cycle. */
void cycle_witness(struct txn_check *t, enum anomaly anomaly, const struct cycle *cycle);

#endif
