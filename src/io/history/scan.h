/* SPDX-License-Identifier: MIT
 *
 * scan.h: reading one JSON text (RFC 8259) in place, value by value, without building a tree: so
 * that a million lines are quick, and every complaint knows its column.
 *
 * Every function returns false when it cannot do what it says; `problem` and `problem_at` then hold
 * the first reason and its place, and stay. A problem at `end` may be that the text was cut off.
 */
#ifndef PACTFS_HISTORY_SCAN_H
#define PACTFS_HISTORY_SCAN_H

#include <stdbool.h>

#include "core/base/bytes.h"

#define SCAN_DEPTH_MAX 64u /* arrays and objects within one another */

enum scan_kind {
    SCAN_NOTHING = 0, /* the end, or no JSON */
    SCAN_OBJECT,
    SCAN_ARRAY,
    SCAN_STRING,
    SCAN_NUMBER,
    SCAN_BOOL,
    SCAN_NULL,
};

struct scan {
    const uint8_t *start, *at, *end;
    const char *problem; /* a static string; NULL: none yet */
    const uint8_t *problem_at;
    uint8_t *unescaped; /* of the last string with escapes; scan_free */
    size_t unescaped_room;
};

/* Begins with a text. The memory of an earlier one is used again: zero the struct at first. */
void scan_begin(struct scan *scan, struct bytes text);
void scan_free(struct scan *scan);

/* Always false. */
bool scan_problem(struct scan *scan, const uint8_t *at, const char *problem);

/* What comes next, told by its first letter; blanks are passed over. */
enum scan_kind scan_kind(struct scan *scan);

/* '{' or '['. Then, in turn, scan_more and one element, until scan_more returns false: behind the
 * closing one, or when there is a problem. `first` begins as true. */
bool scan_open(struct scan *scan, char open);
bool scan_more(struct scan *scan, char close, bool *first);
/* A member's name with its colon. */
bool scan_name(struct scan *scan, struct bytes *name);

/* The string, valid UTF-8, valid until the next string is read. NUL is refused. */
bool scan_string(struct scan *scan, struct bytes *string);
/* A whole number of 64 bits; another number is a problem. */
bool scan_integer(struct scan *scan, int64_t *number);
bool scan_bool(struct scan *scan, bool *value);
bool scan_null(struct scan *scan);
/* Passes over any value. */
bool scan_skip(struct scan *scan);
/* True when nothing but blanks is left. */
bool scan_ended(struct scan *scan);

#endif
