/* SPDX-License-Identifier: MIT
 *
 * workload.h: what clients do: a pure generator of transactions, the same for the simulator and for
 * real mounts.
 *
 * A workload plans; it executes nothing. It begins each transaction in the history with its acts,
 * the caller carries it out, fills in the answers and ends it there, and tells the workload, which
 * learns from the answers (which inodes there are, what the balances were). Every written value is
 * unique, so that checkers can tell who wrote what was read.
 *
 *   register  reads and writes of keys r0, r1, ...; the value is a number
 *   list      appends and reads of keys l0, l1, ...
 *   set       adds and reads of keys s0, ...
 *   counter   increments (by 1) and reads of keys c0, ...
 *   bank      registers a0, a1, ... (at least two) whose values are "BALANCE #UNIQUE": transfers
 *             (read two, write two) and reads of all. Client 0 first writes all the balances, until
 *             that is known to be done; transfers before that read nothing and write nothing
 *   tree      one key "tree": mkdir, create, link, unlink, rmdir, rename, lookup, list, put, get,
 *             links, on few names and few inodes, so that clients meet. New inodes are numbers that
 *             the caller gives (new_inode), or, without it, the answer of the act gives them
 *
 * Law
 *   L1  The same options, answers and calls in the same order give the same plans.
 *   L2  What client c does next depends on chance of its own and on what was learnt; never on
 *       another client's chance.
 */
#ifndef PACTFS_WORKLOAD_WORKLOAD_H
#define PACTFS_WORKLOAD_WORKLOAD_H

#include "core/check/history.h"

enum workload_kind {
    WORKLOAD_REGISTER = 1,
    WORKLOAD_LIST,
    WORKLOAD_SET,
    WORKLOAD_COUNTER,
    WORKLOAD_BANK,
    WORKLOAD_TREE,
};

struct workload_options {
    enum workload_kind kind;
    uint64_t seed;
    uint32_t clients, keys;
    uint32_t acts;         /* most acts of one transaction; bank and tree have their own */
    uint32_t read_percent; /* of the acts */
    uint32_t sync_percent; /* of the transactions: an ACT_SYNC instead; 0: none */
    uint32_t volume;       /* value of the history: the keys' volume */
    /* of a tree; NULL: see above */
    uint64_t (*new_inode)(void *ctx, uint32_t client);
    void *ctx;
};

struct workload;

struct workload *workload_new(const struct workload_options *options, struct history *history);
void workload_free(struct workload *workload);

/* Begins the next transaction of a client (process number `client`) in the history; its number. */
uint32_t workload_next(struct workload *workload, uint32_t client, uint64_t at_ns);

/* A bank's transfer knows what to write only when it knows what it read. Its writes are in the
 * history from the beginning, without a value (args[0] is VALUE_NONE); when the acts before them
 * have been answered, and before the first of them is executed, this fills in the values of all.
 * Does nothing for other transactions. A write that never got a value did not take place. */
void workload_continue(struct workload *workload, uint32_t txn);

/* The transaction was ended in the history: the workload learns from it. */
void workload_ended(struct workload *workload, uint32_t txn);

/* What is known of the volume was lost in a crash, for all or for a part: a tree's clients look
 * again (list every directory they know) before they go on. */
void workload_crashed(struct workload *workload);

/* The final reads of one client: begins the next and gives its number; false when every object was
 * read. For a tree: lists of every directory and contents of every file that the lists show. */
bool workload_final(struct workload *workload, uint32_t client, uint64_t at_ns, uint32_t *txn);

const char *workload_word(enum workload_kind kind);
bool workload_of_word(const char *word, enum workload_kind *kind);

#endif
