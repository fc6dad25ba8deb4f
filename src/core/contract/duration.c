/* SPDX-License-Identifier: MIT
 *
 * duration.c: a number and its unit.
 */
#include "core/contract/duration.h"

#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"

static const struct {
    const char *name;
    uint64_t ns;
} units[] = {{"h", DURATION_H}, {"m", DURATION_M}, {"s", DURATION_S}, {"ms", DURATION_MS}};
#define UNITS (sizeof units / sizeof *units)

bool duration_parse(const char *text, uint64_t *ns)
{
    uint64_t number = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9)
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    for (size_t i = 0; i < UNITS; i++)
        if (strcmp(text + digits, units[i].name) == 0 && number <= DURATION_MAX / units[i].ns) {
            *ns = number * units[i].ns;
            return true;
        }
    return false;
}

const char *duration_print(uint64_t ns, char buf[DURATION_TEXT_MAX])
{
    size_t unit = 0;
    INVARIANT(ns <= DURATION_MAX);
    while (unit + 1 < UNITS && (ns == 0 || ns % units[unit].ns != 0))
        unit++;
    snprintf(buf, DURATION_TEXT_MAX, "%llu%s", (unsigned long long)(ns / units[unit].ns),
             units[unit].name);
    return buf;
}
