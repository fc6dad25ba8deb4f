/* SPDX-License-Identifier: MIT
 *
 * history.h: what clients asked of a system, and what they were told.
 *
 * Definitions
 *   process      a client that does one thing at a time. After an unknown outcome it may go on; the
 *                checkers then take what it does later as another process's (see history_session)
 *   act          one elementary operation on one object: read x, append 5 to y, ...
 *   transaction  the acts that a process asks for together, with one beginning and one end. A plain
 *                operation is a transaction of one act
 *   outcome      done (took effect, results known), failed (took no effect), unknown (no answer:
 *                may have taken effect at any time since it began, also after later ones; or not)
 *   rank         the place of a beginning or an end in the order of all events. `a` is before `b`
 *                in real time when a's end has a smaller rank than b's beginning
 *   event        something that happened to the system: a crash, a partition, the end of all faults
 *   key          an object's name, with its volume's; each has one model
 *   value        an interned text. Equal texts have equal numbers; VALUE_NONE is "nothing"
 *
 * The history owns everything in it. Arrays may move when something is added.
 */
#ifndef PACTFS_CHECK_HISTORY_H
#define PACTFS_CHECK_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define VALUE_NONE \
    0u                          /* no value: of a register that was never written, of a result that
                                   is not known */
#define RANK_NEVER   UINT64_MAX /* the end of a transaction that has none */
#define ACT_ARGS_MAX 5u

/* What an object is. `list`, `set` and `counter` begin empty or 0, a register with VALUE_NONE. */
enum history_model {
    MODEL_REGISTER = 1, /* read, write, cas */
    MODEL_LIST,         /* read, append */
    MODEL_SET,          /* read, add */
    MODEL_COUNTER,      /* read, increment */
    MODEL_TREE,         /* a tree of files: the acts below; one key for a whole volume */
};

/* X(code, word in the file, model, arguments). In a tree inodes and names are values; the root is
 * "1". `fault` of an act of a tree is the error it was answered with. */
#define ACT_TABLE(X)                                                                     \
    X(READ, "read", 0, "-> what is there: register value, list, set, counter's number")  \
    X(WRITE, "write", MODEL_REGISTER, "value")                                           \
    X(CAS, "cas", MODEL_REGISTER, "old, new; answered with fault CONFLICT: was not old") \
    X(APPEND, "append", MODEL_LIST, "value")                                             \
    X(ADD, "add", MODEL_SET, "value")                                                    \
    X(INCREMENT, "increment", MODEL_COUNTER, "a number")                                 \
    X(MKDIR, "mkdir", MODEL_TREE, "directory, name, new inode")                          \
    X(CREATE, "create", MODEL_TREE, "directory, name, new inode")                        \
    X(LINK, "link", MODEL_TREE, "inode, directory, name")                                \
    X(UNLINK, "unlink", MODEL_TREE, "directory, name")                                   \
    X(RMDIR, "rmdir", MODEL_TREE, "directory, name")                                     \
    X(RENAME, "rename", MODEL_TREE,                                                      \
      "directory, name, directory 2, name 2, how: "                                      \
      "replace, new or exchange")                                                        \
    X(LOOKUP, "lookup", MODEL_TREE, "directory, name -> inode")                          \
    X(LIST, "list", MODEL_TREE, "directory -> name, inode, name, inode, ... any order")  \
    X(PUT, "put", MODEL_TREE, "inode, value: all that the file holds")                   \
    X(GET, "get", MODEL_TREE, "inode -> value, VALUE_NONE: empty")                       \
    X(LINKS, "links", MODEL_TREE, "inode -> number of links")                            \
    X(SYNC, "sync", 0, "all that was answered before it began is durable at its end")

enum act_code {
#define X(code, word, model, text) ACT_##code,
    ACT_TABLE(X)
#undef X
        ACT_CODE_COUNT
};

struct history_act {
    uint8_t code;                /* enum act_code */
    bool known;                  /* the answer is known (the transaction is done) */
    uint8_t fault;               /* enum err that this act was answered with; OK */
    uint32_t key;                /* of history_key; a sync has key 0 of no meaning */
    uint32_t args[ACT_ARGS_MAX]; /* values */
    uint32_t value;              /* answer: a value */
    uint32_t list, count;        /* answer: values [list, list + count) of history->pool */
};

enum outcome { OUTCOME_UNKNOWN = 0, OUTCOME_DONE, OUTCOME_FAILED };

struct history_txn {
    uint32_t process, session;   /* see history_session */
    uint32_t first, count;       /* of history->acts */
    uint8_t outcome;             /* enum outcome */
    bool durable;                /* it was answered only when it was durable */
    uint64_t began, ended;       /* ranks */
    uint64_t began_ns, ended_ns; /* of the recorder's clock; ended_ns is 0 when it has no end */
};

enum history_event_kind {
    EVENT_NOTE = 1,  /* for people */
    EVENT_CRASH,     /* of the whole system: what was not durable may be gone, the last first */
    EVENT_HEALED,    /* all faults have ended */
    EVENT_CONVERGED, /* from here on every process reads the same: the final reads follow */
};

struct history_event {
    uint8_t kind;
    uint32_t text; /* a value */
    uint64_t rank, at_ns;
};

struct history_key {
    uint8_t model;
    uint32_t name, volume; /* values */
};

struct history_names; /* private: the tables behind names and values */

struct history {
    struct history_txn *txns;
    uint32_t txn_count, txn_room;
    struct history_act *acts;
    uint32_t act_count, act_room;
    uint32_t *pool;
    uint32_t pool_count, pool_room;
    struct history_event *events;
    uint32_t event_count, event_room;
    struct history_key *keys;
    uint32_t key_count, key_room;
    uint32_t processes; /* one more than the greatest */
    uint32_t sessions;  /* as above; see history_session */
    uint64_t next_rank;
    uint32_t volume; /* VALUE_NONE or the name of the volume when keys do not say another */
    bool cut_off;    /* the record ends in the middle: what is not answered is unknown */
    struct history_names *names;
    struct history_tail *tails; /* private: of each key, see history_answer_list */
    uint32_t tail_room;
};

struct history *history_new(void);
void history_free(struct history *history);

/* --- names and values --- */

/* The number of a value. The texts that history_number gives for numbers are the numbers. */
uint32_t history_value(struct history *history, const char *text, size_t len);
uint32_t history_number(struct history *history, int64_t number);
/* How many values there are: all numbers are below. */
uint32_t history_values(const struct history *history);
/* The text, ended by NUL; "nil" for VALUE_NONE. Valid as long as the history. */
const char *history_text(const struct history *history, uint32_t value);
/* The number that a value's text begins with ("90 #17" is 90); false when it is none. */
bool history_integer(const struct history *history, uint32_t value, int64_t *number);

/* The key of that name. CONFLICT when it has another model already. `volume` is a value. */
enum err history_key(struct history *history, uint32_t volume, uint32_t name,
                     enum history_model model, uint32_t *key);
const char *history_key_text(const struct history *history, uint32_t key);

/* --- adding, in the order of what happened --- */

/* A transaction begins; its acts follow by history_add before anything else begins. Returns its
 * number. The process must have no other one under way. */
uint32_t history_begin(struct history *history, uint32_t process, uint64_t at_ns);
/* Copies an act to the last transaction; returns it, to be changed until the next is added. */
struct history_act *history_add(struct history *history, const struct history_act *act);
/* The answer: values copied into the pool, for act `index` (0 ...) of a transaction. Answers of one
 * key of which each begins as the one before did share their place in the pool: never change it. */
void history_answer_list(struct history *history, uint32_t txn, uint32_t index,
                         const uint32_t *values, uint32_t count);
/* The transaction ends. With OUTCOME_DONE all of its acts become known; set value, fault and list
 * of each before. Unknown outcomes may be ended, or never. */
void history_end(struct history *history, uint32_t txn, uint64_t at_ns, enum outcome outcome);
void history_event(struct history *history, enum history_event_kind kind, uint64_t at_ns,
                   const char *text);

/* Gives each transaction its session: one for each process, and a new one after each transaction
 * of unknown outcome, so that what one session does is in real time order, and at most the last of
 * it has no end. Call it after the last was added; checkers do. */
void history_sessions(struct history *history);

/* --- looking --- */

static inline const struct history_act *history_act(const struct history *history,
                                                    const struct history_txn *txn, uint32_t index)
{
    return &history->acts[txn->first + index];
}

const char *act_word(enum act_code code); /* "append" */
/* True, and the code, for a word of the table. */
bool act_of_word(const char *word, enum act_code *code);
const char *model_word(enum history_model model); /* "register" */

/* Prints "append x 5", "read x -> [1 2 5]", "rename 1/a 7/b -> NOENT"; returns buf. */
const char *act_print(const struct history *history, const struct history_act *act, char *buf,
                      size_t size);
/* Prints "process 3: append x 5; read y -> 2"; returns buf. */
const char *txn_print(const struct history *history, uint32_t txn, char *buf, size_t size);

#endif
