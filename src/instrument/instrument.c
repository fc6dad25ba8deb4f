/* SPDX-License-Identifier: MIT
 *
 * instrument.c: see instrument.h. The one place in which the instrumented core has state.
 */
#include "instrument/instrument.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint64_t mark_counts[MARK_COUNT];
enum mutant mutant_on = MUTANT_NONE;

struct row {
    const char *name, *text;
};

static const struct row mutants[MUTANT_COUNT] = {
#define X(name, text) [MUTANT_##name] = {#name, text},
    MUTANT_TABLE(X)
#undef X
};

static const struct row marks[MARK_COUNT] = {
#define X(name, text) [MARK_##name] = {#name, text},
    MARK_TABLE(X)
#undef X
};

static void print_rows(FILE *out, const struct row *rows, unsigned from, unsigned end)
{
    fputs("[", out);
    for (unsigned i = from; i < end; i++)
        fprintf(out, "%s{\"name\": \"%s\", \"text\": \"%s\"}", i == from ? "\n" : ",\n",
                rows[i].name, rows[i].text);
    fputs("\n]\n", out);
}

/* --- mutants --- */

const char *mutant_name(enum mutant mutant)
{
    return (unsigned)mutant < MUTANT_COUNT ? mutants[mutant].name : NULL;
}

const char *mutant_text(enum mutant mutant)
{
    return (unsigned)mutant < MUTANT_COUNT ? mutants[mutant].text : NULL;
}

enum mutant mutant_find(const char *name)
{
    for (unsigned i = MUTANT_NONE + 1; i < MUTANT_COUNT; i++)
        if (strcmp(mutants[i].name, name) == 0)
            return (enum mutant)i;
    return MUTANT_NONE;
}

void mutants_print(FILE *out)
{
    print_rows(out, mutants, MUTANT_NONE + 1, MUTANT_COUNT);
}

/* --- marks --- */

const char *mark_name(enum mark mark)
{
    return (unsigned)mark < MARK_COUNT ? marks[mark].name : NULL;
}

const char *mark_text(enum mark mark)
{
    return (unsigned)mark < MARK_COUNT ? marks[mark].text : NULL;
}

void marks_print(FILE *out)
{
    print_rows(out, marks, 0, MARK_COUNT);
}

void marks_clear(void)
{
    memset(mark_counts, 0, sizeof mark_counts);
}

size_t marks_save(char *buf, size_t size)
{
    size_t len = 0;
    if (size)
        buf[0] = 0;
    for (unsigned i = 0; i < MARK_COUNT; i++)
        if (mark_counts[i])
            len += (size_t)snprintf(len < size ? buf + len : NULL, len < size ? size - len : 0,
                                    "%s %" PRIu64 "\n", marks[i].name, mark_counts[i]);
    return len;
}

static uint64_t *count_of(const char *name, size_t len)
{
    for (unsigned i = 0; i < MARK_COUNT; i++)
        if (strlen(marks[i].name) == len && memcmp(marks[i].name, name, len) == 0)
            return &mark_counts[i];
    return NULL;
}

bool marks_merge(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, " \n");
        uint64_t *count = count_of(text, len);
        if (!count || text[len] != ' ' || text[len + 1] < '0' || text[len + 1] > '9')
            return false;
        char *end;
        uint64_t more = strtoull(text + len + 1, &end, 10);
        if (*end != '\n')
            return false;
        *count += more;
        text = end + 1;
    }
    return true;
}

void marks_print_counts(FILE *out)
{
    for (unsigned i = 0; i < MARK_COUNT; i++)
        fprintf(out, "%s\"%s\": %" PRIu64, i ? ",\n " : "{", marks[i].name, mark_counts[i]);
    fputs("}\n", out);
}
