/* SPDX-License-Identifier: MIT
 *
 * memory_db.h: a toy database of versions, whose clients take turns by a seed, and the history of
 * what they saw. Its isolation is what is asked for, and bugs can be switched on: so there are
 * histories of known quality, small ones for tests and large ones to measure with.
 */
#ifndef PACTFS_TESTS_MEMORY_DB_H
#define PACTFS_TESTS_MEMORY_DB_H

#include "core/check/history.h"

enum db_level {
    DB_NONE,           /* writes are there at once, and stay when their transaction fails */
    DB_READ_COMMITTED, /* reads the last committed state; who would wait for a writer, fails */
    DB_SNAPSHOT,       /* reads the state of its beginning; the first committer of a key wins */
    DB_SERIALISABLE,   /* each transaction is carried out at one moment, when it ends */
    DB_LEVELS
};

enum db_bug {
    DB_NO_BUG,
    DB_STALE_SNAPSHOT,  /* reads from a state of long before */
    DB_TORN_SNAPSHOT,   /* one read of a transaction is from a later state than the others */
    DB_NO_FIRST_WINNER, /* a conflict of two writers is not noticed */
    DB_DIRTY_READ,      /* a transaction that then fails leaves one of its writes */
    DB_INTERMEDIATE,    /* a commit ends at the last write but one */
    DB_LOST_WRITE,      /* a commit forgets its first write */
    DB_TWICE,           /* a commit does its first write twice */
    DB_OWN_MISSED,      /* a transaction does not see its own writes */
    DB_BUGS
};

struct db_load {
    uint64_t seed;
    uint32_t txns, clients;
    uint32_t acts;   /* 1 ... acts in one transaction */
    uint32_t keys;   /* in use at a time */
    uint32_t retire; /* writes to one key before another one takes its place; 0: never */
    enum history_model model;
    enum db_level level;
    enum db_bug bug;
    uint32_t bug_every;       /* one of so many transactions; 0: none */
    uint32_t unknown, failed; /* of 1,000 transactions */
    bool read_first;          /* each write follows a read of that key */
    bool final_read;          /* in the end one more client reads all keys, if any */
    uint32_t repeat;          /* of 1,000 values: not unique */
};

/* The caller's, by history_free. Keys are "k0", "k1", ...; values numbers. */
struct history *db_history(const struct db_load *load);

#endif
