/* SPDX-License-Identifier: MIT
 *
 * acts.h: the acts of a history as operations of the file service, and its results as answers; for
 * systems that carry out transactions of one act each on a tree of files.
 *
 * Definitions
 *   deed  one client's act under way, as a request
 *   number  of an inode in the history of a tree, chosen by the workload. Where inode numbers are
 *         chosen by whoever executes (renumbers), the owner of what is made carries the number, so
 *         that every answer says both
 *   text  what is written for a value: a unit of TEXT_UNIT bytes, repeated, so that parts of two
 *         writes in one read show
 */
#ifndef PACTFS_SIM_ACTS_H
#define PACTFS_SIM_ACTS_H

#include "core/replica/local.h"
#include "sim/run/system.h"

#define TEXT_UNIT  16u
#define TEXT_LEAST (2 * TEXT_UNIT) /* of a register and a file */
#define LIST_MOST  1048576u        /* bytes that one operation reads */

/* A key that is a file or a directory of its own (all but trees). */
struct acts_file {
    uint64_t ino, size; /* size: as last seen */
};

struct deed;
struct payload;

/* What all deeds of a system share. */
struct acts {
    struct run *run;
    uint64_t pad;            /* bytes that values are made longer by, at most */
    struct acts_file *files; /* one a key */
    uint64_t (*new_ino)(void *ctx);
    void (*named)(struct deed *deed, uint64_t ino); /* an answer named this inode; may be NULL */
    bool no_atime; /* reads do not note when they happened: so they change nothing */
    bool renumbers;
    uint64_t *inos; /* by number: what is known of them; 0: nothing */
    uint32_t ino_room;
    void *ctx;
};

struct deed {
    struct request request; /* comes first */
    struct acts *acts;
    uint32_t txn;
    uint64_t number; /* of the inode that it is about; see acts_length */
    uint64_t want;   /* bytes or entries asked for; more are, when that was not all */
    uint8_t *into;
    size_t into_room;
    struct payload *payload;
};

void acts_begin(struct acts *acts, struct run *run, uint64_t pad);
void acts_end(struct acts *acts);
/* Makes the file or directory of each key; `carry_out` runs a request to its end, the world with
 * it: TIMEOUT when that does not come. False: run_broken says why. */
bool acts_make_files(struct acts *acts, enum err (*carry_out)(void *ctx, struct request *request),
                     void *ctx);

/* --- acts.c: what a deed is about --- */

struct history *deed_history(const struct deed *deed);
struct history_act *deed_act(const struct deed *deed);
bool deed_is_tree(const struct deed *deed);
/* Without an effect, whatever becomes of it. */
bool deed_only_reads(const struct deed *deed);
/* The key's file or directory (not of a tree). */
struct acts_file *deed_file(const struct deed *deed);
/* What POSIX calls an error: an answer, and in a tree an expected one. */
bool is_answer(enum err err);

/* Another transaction of the same client / the memory that a deed keeps. */
void deed_begin(struct deed *deed, uint32_t txn);
void deed_free(struct deed *deed);
/* Puts the request's result into the history. */
void deed_answer(struct deed *deed);
/* Whether there is more than was asked for; then it is asked for again, all of it at once. */
bool deed_cut_short(struct deed *deed);

/* --- acts_ops.c --- */

/* Bytes of the text in the file with this number. */
uint32_t acts_length(const struct acts *acts, uint64_t number);
/* The inode with this number: one that nobody ever made when it is not known. */
uint64_t acts_ino(const struct acts *acts, uint64_t number);
/* The number of an inode in an answer, which is noted. */
uint64_t acts_number(struct acts *acts, const struct fs_attr *attr);
/* Fills the request's operation from the act, which is no sync. */
void deed_operation(struct deed *deed);
void deed_drop_payload(struct deed *deed);

/* --- acts_text.c: values as bytes --- */

/* Fills `len` bytes, a multiple of TEXT_UNIT. */
void text_fill(const char *value, uint8_t *out, size_t len);
/* The value of such bytes: VALUE_NONE when there are none; what is mixed gives a value that says
 * so, which nobody wrote. */
uint32_t text_value(struct history *history, const uint8_t *data, size_t len);
/* A line of a list, of so many units; the values of a list's bytes, at most `room`. */
void line_fill(const char *value, uint8_t *out, uint32_t units);
uint32_t line_values(struct history *history, struct bytes bytes, uint32_t *values, uint32_t room);

#endif
