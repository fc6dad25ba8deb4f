/* SPDX-License-Identifier: MIT
 *
 * reader.h: a history file as it is read, line by line. Private to src/io/history.
 */
#ifndef PACTFS_HISTORY_READER_H
#define PACTFS_HISTORY_READER_H

#include "io/history/history_file.h"
#include "io/history/scan.h"

/* How sure it is what a key is. */
enum certainty {
    KEY_OPEN = 0, /* only reads without answers so far */
    KEY_GUESSED,  /* from the shape of an answer: an array (list or set), or not (register, counter)
                   */
    KEY_FIXED,    /* by an act, or by the header */
};

struct key_state {
    uint8_t certainty;
    bool not_number; /* a read was answered with what is no number */
    uint64_t line;   /* where it became so */
};

struct process_state {
    bool busy;
    uint32_t txn;
    uint64_t line; /* where it began */
};

/* "models" of the header. */
struct declared {
    uint32_t volume, name;
    uint8_t model;
};

struct reader {
    struct history_file *file;
    struct history *history;
    struct history_fault *fault;
    struct scan scan;
    uint64_t line;
    bool has_header, ends, ended;
    uint64_t time, time_line; /* of the last line that had one */
    struct process_state *processes;
    uint32_t process_room;
    struct key_state *keys; /* beside history->keys */
    uint32_t key_room;
    struct declared *declared; /* sorted */
    uint32_t declared_count, declared_room;
    uint32_t *numbers; /* the value of each number below number_room, VALUE_NONE: not met yet */
    uint32_t number_room;
    uint32_t *values; /* of the answer being read */
    uint32_t value_count, value_room;
};

/* Fills the fault with this line, the column of `at`, and the text; returns ERR_DECODE. */
enum err reader_fault(struct reader *reader, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the scan's problem. */
enum err reader_scan_fault(struct reader *reader);

/* --- read_key.c: what a key is --- */

/* ["volume", "key"] or "key"; numbers will do as well. `volume` is of keys that name none. `model`
 * is what the act takes, 0 for a read. */
enum err reader_key(struct reader *reader, uint32_t volume, enum history_model model,
                    uint32_t *key);
/* A read of the key was answered with an array, or not. */
enum err reader_key_answered(struct reader *reader, uint32_t key, bool array, const uint8_t *at);
/* "models" of the header, and their order afterwards. */
enum err reader_models(struct reader *reader);
/* The answer of a counter was no number: a fault if it is known to be a counter. */
enum err reader_not_number(struct reader *reader, uint32_t key, const uint8_t *at);

/* --- read_acts.c --- */

/* A string, or a whole number; null gives VALUE_NONE when it may be. */
enum err reader_value(struct reader *reader, bool may_be_null, uint32_t *value);
/* The array of acts, added to the transaction that has just begun. */
enum err reader_acts(struct reader *reader, uint32_t volume);
/* The array of answers of a transaction. */
enum err reader_answers(struct reader *reader, uint32_t txn);
/* "answers" is not there: fine when no act has one. */
enum err reader_no_answers(struct reader *reader, uint32_t txn, const uint8_t *at);

/* --- read_line.c --- */

/* One line, without its end. `last`: nothing stands behind it, not even an end of line: then it may
 * be cut off. */
enum err reader_line(struct reader *reader, struct bytes line, bool last);

#endif
