/* SPDX-License-Identifier: MIT
 *
 * scenario_private.h: what the files of the scenario share: reading with places, and the table of
 * keys.
 */
#ifndef PACTFS_SIM_SCENARIO_PRIVATE_H
#define PACTFS_SIM_SCENARIO_PRIVATE_H

#include "core/base/bytes.h"
#include "sim/scenario/scenario.h"

#define NS_MAX    (UINT64_C(24) * 3600 * 1000000000) /* no time in a scenario is longer: a day */
#define THINK_MIN UINT64_C(1000)
#define THINK_MAX (UINT64_C(3600) * 1000000000)

/* A piece of the text, and where it begins. */
struct word {
    struct bytes text;
    uint32_t column;
};

struct reading {
    struct scenario *scenario;
    struct scenario_error *error;
    uint32_t line; /* from 1; 0: of scenario_set */
};

/* Fills in the error; returns USAGE. */
__attribute__((format(printf, 3, 4))) enum err reading_refuse(struct reading *r, uint32_t column,
                                                              const char *format, ...);
/* The same for a word that is not known: with the one of `known` (ended by NULL) that was meant, or
 * with `otherwise`. `what`: "fault", as in "there is no fault 'powercut'". */
struct unknown {
    const char *what, *otherwise;
    const char *const *known;
};
enum err reading_unknown(struct reading *r, struct word word, const struct unknown *unknown);

/* --- scenario_words.c: pieces of a value --- */

struct word word_trim(struct word word);
/* The next piece up to a blank or comma; a comma is a piece. Empty at the end. */
struct word word_next(struct word *rest);
bool word_is(struct word word, const char *text);
/* Copies, ended by NUL; what does not fit is left out. For messages and lookups. */
const char *word_copy(struct word word, char *buf, size_t size);

struct limits {
    uint64_t least, most;
};
enum err read_number(struct reading *r, struct word word, struct limits limits, uint64_t *out);
enum err read_percent(struct reading *r, struct word word, uint32_t *out);
enum err read_duration(struct reading *r, struct word word, struct limits limits, uint64_t *ns);
/* "2s..5s" or "3s" */
enum err read_range(struct reading *r, struct word word, struct scenario_range *range);
/* "KIND every RANGE [for RANGE] [, at most N] [, off]", without KIND, of the kind in *fault. */
enum err read_fault(struct reading *r, struct word value, struct scenario_fault *fault);
enum err read_fault_kind(struct reading *r, struct word word, enum fault_kind *kind);
/* "durability, structure, ..." */
enum err read_checks(struct reading *r, struct word value);

void print_duration(uint64_t ns, struct text *text);
/* What read_fault reads. */
void print_fault(const struct scenario_fault *fault, struct text *text);
void print_checks(const struct scenario *scenario, struct text *text);

/* --- scenario_keys.c: the keys --- */

/* Sets a key of the table, or "fault" and "option" as lines of a file. */
enum err key_read(struct reading *r, unsigned key, struct word value);
/* The value as text; nothing for "fault" and "option". */
void key_print(const struct scenario *scenario, unsigned key, struct text *text);

unsigned key_count(void);
const char *key_word(unsigned key);
/* key_count() when there is none. */
unsigned key_find(struct word word);
enum err key_unknown(struct reading *r, struct word word);

/* By kind / by key; NULL when it is not in the scenario. */
struct scenario_fault *fault_find(struct scenario *scenario, enum fault_kind kind);
/* An empty value takes the option out. */
enum err option_set(struct reading *r, struct word key, struct word value);

#endif
