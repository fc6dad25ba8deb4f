/* SPDX-License-Identifier: MIT
 *
 * acts_text.c: values as bytes in files. A unit is the value's text, and in lists how many units
 * the line has, padded with blanks, and a line feed.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "sim/acts/acts.h"

static void unit_make(char unit[TEXT_UNIT + 1], const char *value, uint32_t units)
{
    int len = snprintf(unit, TEXT_UNIT + 1, "%-10s %4u\n", value, units);
    INVARIANT(len == (int)TEXT_UNIT);
}

static void repeat(const char *unit, uint8_t *out, size_t len)
{
    INVARIANT(len % TEXT_UNIT == 0);
    for (size_t at = 0; at < len; at += TEXT_UNIT)
        memcpy(out + at, unit, TEXT_UNIT);
}

void text_fill(const char *value, uint8_t *out, size_t len)
{
    char unit[TEXT_UNIT + 1];
    unit_make(unit, value, 0);
    repeat(unit, out, len);
}

void line_fill(const char *value, uint8_t *out, uint32_t units)
{
    char unit[TEXT_UNIT + 1];
    unit_make(unit, value, units);
    repeat(unit, out, (size_t)units * TEXT_UNIT);
}

/* The first place where the bytes do not repeat their first unit; len when they do. */
static size_t first_other(const uint8_t *data, size_t len)
{
    size_t at = TEXT_UNIT;
    while (at + TEXT_UNIT <= len && memcmp(data, data + at, TEXT_UNIT) == 0)
        at += TEXT_UNIT;
    return at + TEXT_UNIT > len ? len : at;
}

/* The text before the first blank. */
static size_t word_length(const uint8_t *unit)
{
    size_t len = 0;
    while (len < TEXT_UNIT && unit[len] > ' ' && unit[len] < 127)
        len++;
    return len;
}

static uint32_t mixed(struct history *history, const uint8_t *data, size_t len, size_t other)
{
    char text[96];
    size_t left = len > other ? len - other : 0;
    size_t second = left < TEXT_UNIT ? 0 : word_length(data + other);
    int n = snprintf(text, sizeof text, "mixed:%.*s,%.*s@%zu/%zu", (int)word_length(data),
                     (const char *)data, (int)second, second ? (const char *)data + other : "",
                     other, len);
    return history_value(history, text, (size_t)n);
}

uint32_t text_value(struct history *history, const uint8_t *data, size_t len)
{
    if (!len)
        return VALUE_NONE;
    if (len % TEXT_UNIT) {
        char text[32];
        int n = snprintf(text, sizeof text, "short:%zu", len);
        return history_value(history, text, (size_t)n);
    }
    size_t other = first_other(data, len), word = word_length(data);
    if (other < len || !word)
        return mixed(history, data, len, other);
    return history_value(history, (const char *)data, word);
}

static uint32_t units_of(const uint8_t *unit)
{
    uint32_t n = 0;
    for (uint32_t i = 11; i < 15; i++)
        if (unit[i] >= '0' && unit[i] <= '9')
            n = n * 10 + (uint32_t)(unit[i] - '0');
    return n;
}

uint32_t line_values(struct history *history, struct bytes bytes, uint32_t *values, uint32_t room)
{
    uint32_t count = 0;
    for (size_t at = 0; at < bytes.len && count < room;) {
        size_t left = bytes.len - at, len = left < TEXT_UNIT ? left : TEXT_UNIT;
        uint32_t units = len == TEXT_UNIT ? units_of(bytes.data + at) : 0;
        if (units && units <= left / TEXT_UNIT)
            len = (size_t)units * TEXT_UNIT;
        values[count++] = text_value(history, bytes.data + at, len);
        at += len;
    }
    return count;
}
