/* SPDX-License-Identifier: MIT
 *
 * verdict.h: promises, and what a checker says of a history.
 *
 * A checker is a function of the history and one promise. It says that the promise holds in that
 * history, or that it is broken: then it names the anomaly, tells it in words and gives a witness,
 * the smallest that it can find: some transactions and what orders them. "Undecided" is said when
 * the search took more than its limits allow; "not applicable" when the history has nothing that
 * the promise speaks of (say, a tree of files for a promise about transactions).
 */
#ifndef PACTFS_CHECK_VERDICT_H
#define PACTFS_CHECK_VERDICT_H

#include "core/base/arena.h"
#include "core/base/text.h"
#include "core/check/history.h"

/* X(code, word, what it means to a user) */
#define PROMISE_TABLE(X)                                                                     \
    X(LINEARISABLE, "linearisable",                                                          \
      "each operation takes effect at one moment between its call and its answer")           \
    X(SEQUENTIAL, "sequential",                                                              \
      "all see one order of operations, in which each process's own "                        \
      "are in the order it made them")                                                       \
    X(CAUSAL, "causal", "what may have caused a write is seen before it, by everybody")      \
    X(PRAM, "pram", "the writes of each process are seen in the order it made them")         \
    X(READ_YOUR_WRITES, "read-your-writes", "a process sees what it wrote before")           \
    X(MONOTONIC_READS, "monotonic-reads", "a process never sees an older state than it saw") \
    X(MONOTONIC_WRITES, "monotonic-writes",                                                  \
      "the writes of a process take effect in the order it made them")                       \
    X(WRITES_FOLLOW_READS, "writes-follow-reads",                                            \
      "a write takes effect after the writes that its process had seen")                     \
    X(STRICT_SERIALISABLE, "strict-serialisable",                                            \
      "transactions run as if one after another, each between its beginning and its end")    \
    X(SERIALISABLE, "serialisable", "transactions run as if one after another")              \
    X(SNAPSHOT_ISOLATION, "snapshot-isolation",                                              \
      "each transaction reads one state, and no other one writes what it writes meanwhile")  \
    X(READ_COMMITTED, "read-committed", "nobody sees what was undone or not yet finished")   \
    X(CONVERGENCE, "convergence", "when all has come to rest, everybody reads the same")     \
    X(DURABILITY, "durability",                                                              \
      "what was answered as durable is there after a crash; a crash "                        \
      "takes nothing but the last of what was not")                                          \
    X(TOTAL, "total", "the sum over all accounts is the same in every state that is seen")

enum promise {
#define X(code, word, text) PROMISE_##code,
    PROMISE_TABLE(X)
#undef X
        PROMISE_COUNT
};

/* X(code, name, what it is, source) */
#define ANOMALY_TABLE(X)                                                                         \
    X(NONE, "none", "", "")                                                                      \
    X(G0, "G0", "write cycle: two transactions each overwrote something of the other",           \
      "Adya 1999, 4.2.1")                                                                        \
    X(G1A, "G1a", "aborted read: something that was undone was seen", "Adya 1999, 4.2.2")        \
    X(G1B, "G1b", "intermediate read: something that its own transaction replaced was seen",     \
      "Adya 1999, 4.2.2")                                                                        \
    X(G1C, "G1c",                                                                                \
      "circular information flow: each of some transactions saw or overwrote the "               \
      "next one's writes",                                                                       \
      "Adya 1999, 4.2.2")                                                                        \
    X(G_SINGLE, "G-single",                                                                      \
      "read skew: one transaction missed a part of another that it "                             \
      "otherwise saw",                                                                           \
      "Adya 1999, 4.2.5")                                                                        \
    X(G_SI, "G-SIb",                                                                             \
      "a cycle with two missed writes that are not next to each other: no "                      \
      "snapshot explains it",                                                                    \
      "Adya 1999, 4.3; Kingsbury and Alvaro 2020, 4.2")                                          \
    X(G2, "G2-item", "write skew: transactions each missed what another one wrote",              \
      "Adya 1999, 4.2.3")                                                                        \
    X(LOST_UPDATE, "lost update", "two transactions read one version and both replaced it",      \
      "Berenson et al. 1995, P4")                                                                \
    X(INTERNAL, "internal", "a transaction did not see its own earlier acts",                    \
      "Cerone et al. 2015, INT")                                                                 \
    X(DUPLICATE, "duplicate", "something took effect more than once", "Kingsbury 2020, 4.1")     \
    X(INCOMPATIBLE, "incompatible order", "two reads of a list: neither begins with the other",  \
      "Kingsbury and Alvaro 2020, 4.1.2")                                                        \
    X(GARBAGE, "garbage read", "a value that nobody wrote was seen (thin air)",                  \
      "Kingsbury and Alvaro 2020, 4.1")                                                          \
    X(STALE, "stale read", "a read returned what had been replaced before it began",             \
      "Herlihy and Wing 1990, 2")                                                                \
    X(FUTURE, "future read", "a read returned what was written only after it had ended",         \
      "Herlihy and Wing 1990, 2")                                                                \
    X(LOST_WRITE, "lost write", "an acknowledged write is not there",                            \
      "Izraelevitz et al. 2016, 3")                                                              \
    X(HOLE, "hole in what was kept", "a crash took a write and left a later one",                \
      "Izraelevitz et al. 2016, 4 (buffered)")                                                   \
    X(NO_ORDER, "no order explains it", "no order of the operations gives these answers",        \
      "Herlihy and Wing 1990; Lamport 1979")                                                     \
    X(CYCLIC_CAUSE, "cyclic cause", "an operation is among its own causes",                      \
      "Bouajjani et al. 2017, CyclicCO")                                                         \
    X(CAUSE_MISSED, "cause missed",                                                              \
      "a read missed a write that is among the causes of what it "                               \
      "saw",                                                                                     \
      "Bouajjani et al. 2017, WriteCORead")                                                      \
    X(CAUSE_MISSED_INIT, "cause missed (nothing seen)",                                          \
      "a read saw nothing where a write is among its causes",                                    \
      "Bouajjani et al. 2017, WriteCOInitRead")                                                  \
    X(CAUSE_ORDER, "cyclic order of writes",                                                     \
      "what one process saw needs an order of writes that contradicts itself",                   \
      "Bouajjani et al. 2017, CyclicHB")                                                         \
    X(OWN_WRITE_MISSED, "own write missed", "a process did not see its own write",               \
      "Terry et al. 1994, 3.1")                                                                  \
    X(WENT_BACK, "went back", "a process saw an older state than before",                        \
      "Terry et al. 1994, 3.2")                                                                  \
    X(OWN_WRITES_SWAPPED, "own writes swapped",                                                  \
      "two writes of one process were seen in the other order", "Terry et al. 1994, 3.4")        \
    X(FOLLOWING_WRITE_FIRST, "following write first",                                            \
      "a write was seen without one that its process had seen before", "Terry et al. 1994, 3.3") \
    X(DIVERGED, "diverged", "processes read different states after all had come to rest",        \
      "Shapiro et al. 2011, 2.2; Vogels 2009")                                                   \
    X(WRONG_TOTAL, "wrong total", "money was made or lost", "Bernstein et al. 1987, 1.2")

enum anomaly {
#define X(code, name, text, source) ANOMALY_##code,
    ANOMALY_TABLE(X)
#undef X
        ANOMALY_COUNT
};

enum check_result { CHECK_HOLDS = 0, CHECK_BROKEN, CHECK_UNDECIDED, CHECK_NOT_APPLICABLE };

/* Why one transaction of the witness comes before another. */
enum edge_kind {
    EDGE_WW = 1,    /* the second overwrote (or appended behind) what the first wrote */
    EDGE_WR,        /* the second read what the first wrote */
    EDGE_RW,        /* the first read a state without what the second wrote: anti-dependency */
    EDGE_PROCESS,   /* one process did the first before the second */
    EDGE_REAL_TIME, /* the first ended before the second began */
    EDGE_CAUSE,     /* by several of the above */
};

struct witness_step {
    uint32_t txn;
    const char *note; /* in words, or NULL; the arena's */
};

struct witness_edge {
    uint32_t from, to; /* places in steps */
    uint8_t kind;
    uint32_t key;   /* WW, WR, RW: the object */
    uint32_t value; /* and the value that shows it, or VALUE_NONE */
};

enum witness_shape {
    WITNESS_TIMELINE = 1, /* steps in the order of their beginnings: draw bars on a time axis */
    WITNESS_CYCLE,        /* edges make a circle: steps[0] -> steps[1] -> ... -> steps[0] */
};

struct verdict {
    enum promise promise;
    enum check_result result;
    enum anomaly anomaly;              /* of a broken promise: the gravest that was found */
    uint32_t anomalies[ANOMALY_COUNT]; /* how many of each were found (a checker may stop at one) */
    const char *text; /* sentences for people: what was found, or why it is undecided or not
                         applicable; "" when the promise holds */
    enum witness_shape shape;
    struct witness_step *steps;
    uint32_t step_count;
    struct witness_edge *edges;
    uint32_t edge_count;
};

struct check_limits {
    uint64_t steps; /* of one search; 0: as by default (200,000,000) */
    uint64_t bytes; /* of memory for one search; 0: as by default (2 GiB) */
};

/* Checks one promise. Memory of the verdict is the arena's. The history is unchanged but for
 * history_sessions. */
void check_history(struct history *history, enum promise promise, const struct check_limits *limits,
                   struct arena *arena, struct verdict *verdict);

/* Whether the history's objects and events are such that the promise says something of them. */
bool promise_applies(const struct history *history, enum promise promise);

const char *promise_word(enum promise promise); /* "serialisable" */
const char *promise_text(enum promise promise); /* the sentence */
bool promise_of_word(const char *word, enum promise *promise);
const char *anomaly_name(enum anomaly anomaly);   /* "G1c" */
const char *anomaly_text(enum anomaly anomaly);   /* the sentence */
const char *anomaly_source(enum anomaly anomaly); /* "Adya 1999, ..." */

/* The witness in words, one line a step with why it comes before the next, added to `text`. */
void verdict_tell(const struct history *history, const struct verdict *verdict, struct text *text);

/* A picture (a timeline or a circle), a whole SVG file, added to `text`; of a broken promise. */
void verdict_draw(const struct history *history, const struct verdict *verdict, struct text *text);

#endif
