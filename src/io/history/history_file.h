/* SPDX-License-Identifier: MIT
 *
 * history_file.h: histories as JSON lines; docs/histories.md is the format's description.
 *
 * Reading judges every line; the first that is not right is the fault, with its place and what
 * would be right. A file that ends in the middle is read as far as it goes, and says so by
 * history->cut_off.
 */
#ifndef PACTFS_HISTORY_HISTORY_FILE_H
#define PACTFS_HISTORY_HISTORY_FILE_H

#include <stdio.h>

#include "core/check/verdict.h"

#define HISTORY_VERSION     1
#define HISTORY_LINE_MAX    (64u << 20) /* bytes */
#define HISTORY_COUNT_MAX   (1u << 29)  /* transactions, acts, values, answers' elements: of each */
#define HISTORY_PROCESS_MAX ((1u << 20) - 1) /* the greatest process number */

struct history_file {
    struct history *history;
    char *contract, *made_by; /* of the header; NULL: not there */
    bool promises;            /* the header has "promises", which are in promised */
    bool promised[PROMISE_COUNT];
    uint64_t lines;
};

struct history_fault {
    uint64_t line, column; /* from 1; line 0: of the file as a whole */
    char text[512];        /* a sentence without full stop */
};

/* How far a reading is, called now and then. */
struct history_progress {
    void (*report)(void *ctx, uint64_t bytes, uint64_t transactions);
    void *ctx;
};

/* Reads all that the descriptor gives. OK: *file is the caller's, history_file_free ends it.
 * DECODE: not a history, see *fault; LIMIT: larger than the limits above; IO and other errors of
 * the system: the fault's text has the reason. `progress` may be NULL. */
enum err history_file_read(int fd, const struct history_progress *progress,
                           struct history_file *file, struct history_fault *fault);
/* The same of bytes in memory. */
enum err history_file_decode(struct bytes text, struct history_file *file,
                             struct history_fault *fault);
void history_file_free(struct history_file *file);

/* Writes the history so that reading gives it back. IO: the stream reported an error. */
enum err history_file_write(const struct history_file *file, FILE *out);

#endif
