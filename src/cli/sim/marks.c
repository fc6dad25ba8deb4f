/* SPDX-License-Identifier: MIT
 *
 * marks.c: marks and mutants. In plain builds there are none of them.
 */
#include <string.h>

#include "cli/sim/sim.h"

#ifdef PACTFS_INSTRUMENTED

#include <stdlib.h>

#include "core/base/assert.h"
#include "core/contract/nearest.h"
#include "instrument/instrument.h"

STATIC_ASSERT(MARKS_TEXT_MAX <= MARKS_MAX, "a child's marks fit its slot");

const bool sim_instrumented = true;

bool mutant_switch_on(const char *name)
{
    const char *names[MUTANT_COUNT] = {NULL};
    mutant_on = mutant_find(name);
    if (mutant_on != MUTANT_NONE)
        return true;
    for (unsigned i = 1; i < MUTANT_COUNT; i++)
        names[i - 1] = mutant_name((enum mutant)i);
    const char *near = nearest_word(name, names);
    if (near)
        complain("there is no mutant '%s'; did you mean '%s'?", name, near);
    else
        complain("there is no mutant '%s'; see: --list-mutants", name);
    return false;
}

void instrumented_list(bool mutants)
{
    if (mutants)
        mutants_print(stdout);
    else
        marks_print(stdout);
}

size_t marks_to_text(char *buf, size_t size)
{
    return marks_save(buf, size);
}

void marks_from_text(const char *text)
{
    marks_merge(text);
}

json_t *marks_json(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    if (!file)
        return json_object();
    marks_print_counts(file);
    fclose(file);
    json_t *json = json_loads(text, 0, NULL);
    free(text);
    return json ? json : json_object();
}

void marks_report(void)
{
    json_t *marks = marks_json(), *count;
    const char *name;
    size_t hit = 0;
    json_object_foreach(marks, name, count) hit += json_integer_value(count) > 0;
    printf("marks: %zu of %zu were hit\n", hit, json_object_size(marks));
    json_object_foreach(marks, name, count) if (json_integer_value(count) == 0)
        printf("  never hit: %s\n", name);
    json_decref(marks);
}

#else

const bool sim_instrumented = false;

bool mutant_switch_on(const char *name)
{
    complain("--mutant %s needs a build with mutants: pactfs-instrumented", name);
    return false;
}

void instrumented_list(bool mutants)
{
    (void)mutants;
}

size_t marks_to_text(char *buf, size_t size)
{
    if (size)
        buf[0] = 0;
    return 0;
}

void marks_from_text(const char *text)
{
    (void)text;
}

json_t *marks_json(void)
{
    return json_object();
}

void marks_report(void)
{
}

#endif
