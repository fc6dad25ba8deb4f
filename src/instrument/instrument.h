/* SPDX-License-Identifier: MIT
 *
 * instrument.h: the counts of marks and the switch of mutants, in instrumented builds (core/base/
 * mark.h). Only programs that link core_instrumented_dep or sim_instrumented_dep may use it.
 *
 * Names and texts are static strings; texts hold neither quotes nor backslashes.
 */
#ifndef PACTFS_INSTRUMENT_INSTRUMENT_H
#define PACTFS_INSTRUMENT_INSTRUMENT_H

#include <stdbool.h>
#include <stdio.h>

#include "core/base/mark.h"

/* --- mutants --- */

/* NULL outside [1, MUTANT_COUNT). */
const char *mutant_name(enum mutant mutant);
const char *mutant_text(enum mutant mutant); /* what the program does wrong then */
/* MUTANT_NONE when there is none of that name. */
enum mutant mutant_find(const char *name);
/* Prints [{"name": ..., "text": ...}, ...], one mutant a line. */
void mutants_print(FILE *out);

/* --- marks --- */

/* NULL outside [0, MARK_COUNT). */
const char *mark_name(enum mark mark);
const char *mark_text(enum mark mark); /* what has happened when it is counted */
void marks_print(FILE *out);           /* as mutants_print */
void marks_clear(void);

/* The counts as text: a line "NAME COUNT" for each mark that was hit. Returns what snprintf would:
 * the length without the final NUL, also when that is more than `size`. MARKS_TEXT_MAX suffices. */
#define MARKS_TEXT_MAX ((size_t)MARK_COUNT * 96u)
size_t marks_save(char *buf, size_t size);
/* Adds the counts in `text`, as written by marks_save in another process. False when a line is not
 * of that form; the lines before it have been added then. */
bool marks_merge(const char *text);
/* Prints {"NAME": COUNT, ...} with every mark, hit or not. */
void marks_print_counts(FILE *out);

#endif
