/* SPDX-License-Identifier: MIT
 *
 * reads_from.h: the acts of a history as reads and writes, and which write each read returned.
 * Private to src/core/check; the checkers of causal order and of the session guarantees use it.
 *
 * Definitions
 *   operation   one read or one write of one object. A cas that was done is a read of the old value
 *               and then a write of the new one; a cas that was refused is left out, as are trees,
 *               syncs, reads whose answers are not known, and all that failed
 *   unique      a value that one operation wrote to that object, and no other. A register's
 *               VALUE_NONE counts as written once, at the beginning, by nobody
 *   source      of a register's read, the operation that wrote what it returned
 *   seen        of a read of a list or set, the operations that wrote its elements, in the order
 *               shown; elements that are not unique are left out
 *
 * Values that were written twice tell nothing: a read of them has SOURCE_MANY, and constrains
 * nothing.
 */
#ifndef PACTFS_CHECK_READS_FROM_H
#define PACTFS_CHECK_READS_FROM_H

#include "core/check/checking.h"

/* Sources that are no operation. */
#define SOURCE_NONE   UINT32_MAX       /* nothing was read, and nothing is what nobody wrote */
#define SOURCE_MANY   (UINT32_MAX - 1) /* written twice: it is not known by whom */
#define SOURCE_NOBODY (UINT32_MAX - 2) /* never written */
#define SOURCE_UNDONE (UINT32_MAX - 3) /* written only by what failed */
#define SOURCE_FIRST  SOURCE_UNDONE    /* all operations are below */

struct operation {
    uint32_t txn, act; /* act: of history->acts */
    uint32_t key;
    uint32_t value;       /* written; or read from a register */
    uint32_t source;      /* of a register's read */
    uint32_t seen, count; /* of a list's or set's read: reads_from->seen[seen ...] */
    int64_t number;       /* of a counter: what was added or read */
    uint8_t model;        /* enum history_model */
    bool writes;          /* it is a write */
    bool unique;          /* of a write: its value is */
};

struct source_slot;

struct reads_from {
    struct history *history;
    struct operation *ops;   /* those of one session follow one another, in its order */
    uint32_t *session_first; /* sessions + 1: where each session's begin */
    uint32_t count, sessions;
    uint32_t *seen;
    uint32_t seen_count;
    struct arena arena; /* of all this */
    struct source_slot *table;
    uint32_t table_size;
};

/* Makes it of a history of which history_sessions was called. False when that would take more than
 * the limit of memory: the verdict is then undecided, and there is nothing to free. */
bool reads_from_init(struct reads_from *rf, struct checking *c);
void reads_from_free(struct reads_from *rf);

/* Who wrote this value to this object: an operation or one of the above. */
uint32_t reads_from_source(const struct reads_from *rf, uint32_t key, uint32_t value);

/* Looks for reads that no order explains: of what nobody wrote (garbage read), of what failed
 * (aborted read), a list that shows one append twice (duplicate). Breaks the promise if there are
 * any; false then. */
bool reads_from_explained(const struct reads_from *rf, struct checking *c);

/* Whether operations belong to one session. */
static inline bool same_session(const struct reads_from *rf, uint32_t a, uint32_t b)
{
    return rf->history->txns[rf->ops[a].txn].session == rf->history->txns[rf->ops[b].txn].session;
}

/* For witnesses: the operation in words, "read x -> 2"; in the verdict's arena. */
const char *operation_print(const struct reads_from *rf, struct checking *c, uint32_t op);
/* The number of the process, for people. */
uint32_t operation_process(const struct reads_from *rf, uint32_t op);

#endif
