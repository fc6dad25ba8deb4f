/* SPDX-License-Identifier: MIT
 *
 * scenario.c: reading a scenario and changing one, with places for what is not understood.
 */
#include "sim/scenario/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/contract/nearest.h"
#include "sim/scenario/scenario_private.h"

#define LINES_MAX 4096u /* of a file */

enum err reading_refuse(struct reading *r, uint32_t column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    r->error->line = r->line;
    r->error->column = column;
    vsnprintf(r->error->text, sizeof r->error->text, format, arguments);
    va_end(arguments);
    return ERR_USAGE;
}

enum err reading_unknown(struct reading *r, struct word word, const struct unknown *unknown)
{
    char typed[SCENARIO_WORD_MAX];
    const char *near = nearest_word(word_copy(word, typed, sizeof typed), unknown->known);
    if (near)
        return reading_refuse(r, word.column, "there is no %s '%s'; did you mean '%s'?",
                              unknown->what, typed, near);
    return reading_refuse(r, word.column, "there is no %s '%s'; %s", unknown->what, typed,
                          unknown->otherwise);
}

static enum err refuse_unprintable(struct reading *r, struct word word)
{
    for (size_t i = 0; i < word.text.len; i++) {
        uint8_t c = word.text.data[i];
        if ((c < 0x20 && c != '\t' && c != '\r') || c > 0x7e)
            return reading_refuse(r, word.column + (uint32_t)i,
                                  "there is a byte (0x%02x) that is not printable ASCII", c);
    }
    return OK;
}

/* --- a file --- */

static void defaults(struct scenario *s)
{
    memset(s, 0, sizeof *s);
    memcpy(s->contract, "local", sizeof "local");
    s->nodes = 1;
    s->clients = 4;
    s->keys = 8;
    s->acts = 1;
    s->read_percent = 40;
    s->think_ns = UINT64_C(20000000);
    s->length_ns = UINT64_C(20000000000);
    s->heal_ns = UINT64_C(10000000000);
    s->faults_most = UINT32_MAX;
}

/* Which line each key was on; 0: none yet. */
struct seen {
    uint32_t line[32];
};

static enum err read_line(struct reading *r, struct word line, struct seen *seen)
{
    const uint8_t *comment = line.text.len ? memchr(line.text.data, '#', line.text.len) : NULL;
    if (comment)
        line.text.len = (size_t)(comment - line.text.data);
    enum err err = refuse_unprintable(r, line);
    line = word_trim(line);
    if (err != OK || !line.text.len)
        return err;
    const uint8_t *equals = memchr(line.text.data, '=', line.text.len);
    if (!equals)
        return reading_refuse(r, line.column,
                              "the line is not KEY = VALUE; write, for example, clients = 4");
    size_t at = (size_t)(equals - line.text.data);
    struct word key = word_trim((struct word){{line.text.data, at}, line.column});
    struct word value = word_trim(
        (struct word){{equals + 1, line.text.len - at - 1}, line.column + (uint32_t)at + 1});
    unsigned index = key_find(key);
    if (index == key_count())
        return key_unknown(r, key);
    if (!value.text.len)
        return reading_refuse(r, value.column, "'%s' has no value", key_word(index));
    if (seen->line[index] && !word_is(key, "fault") && !word_is(key, "option"))
        return reading_refuse(r, key.column, "'%s' was given in line %u already", key_word(index),
                              seen->line[index]);
    seen->line[index] = r->line;
    return key_read(r, index, value);
}

/* What is wrong only when all is known. */
static enum err refuse_whole(struct reading *r, const struct seen *seen)
{
    static const struct {
        const char *key, *example;
    } needed[] = {{"system", "volume"}, {"workload", "tree"}, {"check", "durability, structure"}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        struct word key = {{(const uint8_t *)needed[i].key, strlen(needed[i].key)}, 1};
        if (!seen->line[key_find(key)])
            return reading_refuse(r, 1, "there is no line '%s = ...'; write, for example, %s = %s",
                                  needed[i].key, needed[i].key, needed[i].example);
    }
    return OK;
}

enum err scenario_parse(const char *name, struct bytes text, struct scenario *out,
                        struct scenario_error *error)
{
    struct reading r = {out, error, 1};
    struct seen seen = {{0}};
    STATIC_ASSERT(sizeof seen.line / sizeof seen.line[0] >= 20, "a line for each key");
    defaults(out);
    memset(error, 0, sizeof *error);
    if (strlen(name) >= sizeof out->name)
        return reading_refuse(&r, 1, "the scenario's name is longer than %zu letters",
                              sizeof out->name - 1);
    memcpy(out->name, name, strlen(name));
    for (; text.len; r.line++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        if (r.line > LINES_MAX || len > UINT32_MAX / 2)
            return reading_refuse(&r, 1, "the file is too long to be a scenario");
        enum err err = read_line(&r, (struct word){{text.data, len}, 1}, &seen);
        if (err != OK)
            return err;
        text.data += end ? len + 1 : len;
        text.len -= end ? len + 1 : len;
    }
    return refuse_whole(&r, &seen);
}

/* --- one key --- */

static enum err set_fault(struct reading *r, struct word kind_word, struct word value)
{
    enum fault_kind kind;
    enum err err = read_fault_kind(r, kind_word, &kind);
    if (err != OK)
        return err;
    struct scenario_fault *there = fault_find(r->scenario, kind), fault;
    bool off = word_is(value, "off");
    if (off || word_is(value, "on")) {
        if (!there)
            return reading_refuse(r, 1, "the scenario has no fault '%s'", fault_word(kind));
        there->off = off;
        return OK;
    }
    memset(&fault, 0, sizeof fault);
    fault.kind = kind;
    err = read_fault(r, value, &fault);
    if (err != OK)
        return err;
    if (!there)
        there = &r->scenario->faults[r->scenario->fault_count++];
    *there = fault;
    return OK;
}

/* The part behind "fault." or "option."; false when the key does not begin so. */
static bool behind(struct word key, const char *prefix, struct word *rest)
{
    size_t len = strlen(prefix);
    if (key.text.len < len || memcmp(key.text.data, prefix, len) != 0)
        return false;
    *rest = (struct word){{key.text.data + len, key.text.len - len}, key.column};
    return true;
}

static enum err set_key(struct reading *r, struct word key, struct word value)
{
    struct word rest;
    unsigned index = key_find(key);
    enum err err = refuse_unprintable(r, value);
    for (size_t i = 0; err == OK && i < key.text.len + value.text.len; i++)
        if ((i < key.text.len ? key.text.data[i] : value.text.data[i - key.text.len]) == '#')
            err = reading_refuse(r, 1, "'#' begins a comment and cannot be part of a value");
    if (err == OK)
        err = refuse_unprintable(r, key);
    if (err != OK)
        return err;
    if (behind(key, "fault.", &rest))
        return set_fault(r, rest, value);
    if (behind(key, "option.", &rest))
        return option_set(r, rest, value);
    if (index == key_count())
        return key_unknown(r, key);
    if (word_is(key, "fault") || word_is(key, "option"))
        return reading_refuse(r, 1, "write %s.%s", key_word(index),
                              word_is(key, "fault") ? "power-cut=off" : "KEY=VALUE");
    if (!value.text.len)
        return reading_refuse(r, 1, "'%s' has no value", key_word(index));
    return key_read(r, index, value);
}

enum err scenario_set(struct scenario *scenario, const char *key, const char *value,
                      struct scenario_error *error)
{
    struct scenario changed = *scenario;
    struct reading r = {&changed, error, 0};
    memset(error, 0, sizeof *error);
    enum err err = set_key(&r, word_trim((struct word){{(const uint8_t *)key, strlen(key)}, 1}),
                           word_trim((struct word){{(const uint8_t *)value, strlen(value)}, 1}));
    if (err == OK)
        *scenario = changed;
    return err;
}

/* --- options --- */

const char *scenario_option(const struct scenario *scenario, const char *key, const char *otherwise)
{
    for (uint32_t i = 0; i < scenario->option_count; i++)
        if (strcmp(scenario->options[i].key, key) == 0)
            return scenario->options[i].value;
    return otherwise;
}

uint64_t scenario_option_number(const struct scenario *scenario, const char *key,
                                uint64_t otherwise)
{
    const char *value = scenario_option(scenario, key, NULL);
    char *end;
    if (!value || value[0] < '0' || value[0] > '9')
        return otherwise;
    uint64_t number = strtoull(value, &end, 10);
    return *end ? otherwise : number;
}
