/* SPDX-License-Identifier: MIT
 *
 * scenario_words.c: the pieces of a value: words, numbers, times, faults, checks.
 */
#include <string.h>

#include "sim/scenario/scenario_private.h"

static const struct {
    const char *word;
    bool lasts;
} faults[] = {
#define X(code, word, lasts, text) {word, lasts},
    FAULT_TABLE(X)
#undef X
};

/* From the longest; a time is printed in the longest that leaves no rest. */
static const struct {
    const char *word;
    uint64_t ns;
} units[] = {{"h", UINT64_C(3600000000000)}, {"m", UINT64_C(60000000000)},
             {"s", UINT64_C(1000000000)},    {"ms", UINT64_C(1000000)},
             {"us", UINT64_C(1000)},         {"ns", UINT64_C(1)}};
#define UNITS (sizeof units / sizeof *units)

static const struct {
    const char *word;
    enum scenario_inspect bit;
} inspects[] = {
    {"structure", INSPECT_STRUCTURE}, {"scrub", INSPECT_SCRUB}, {"rebuild", INSPECT_REBUILD}};
#define INSPECTS (sizeof inspects / sizeof *inspects)

const char *fault_word(enum fault_kind kind)
{
    return kind < FAULT_KIND_COUNT ? faults[kind].word : "?";
}

/* --- words --- */

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

struct word word_trim(struct word word)
{
    while (word.text.len && blank(word.text.data[0])) {
        word.text.data++;
        word.text.len--;
        word.column++;
    }
    while (word.text.len && blank(word.text.data[word.text.len - 1]))
        word.text.len--;
    return word;
}

static struct word cut_off(struct word *rest, size_t len)
{
    struct word word = {{rest->text.data, len}, rest->column};
    rest->text.data += len;
    rest->text.len -= len;
    rest->column += (uint32_t)len;
    return word;
}

struct word word_next(struct word *rest)
{
    size_t len = 0;
    *rest = word_trim(*rest);
    if (rest->text.len && rest->text.data[0] == ',')
        return cut_off(rest, 1);
    while (len < rest->text.len && !blank(rest->text.data[len]) && rest->text.data[len] != ',')
        len++;
    return cut_off(rest, len);
}

bool word_is(struct word word, const char *text)
{
    return word.text.len == strlen(text) && memcmp(word.text.data, text, word.text.len) == 0;
}

const char *word_copy(struct word word, char *buf, size_t size)
{
    size_t len = word.text.len < size - 1 ? word.text.len : size - 1;
    if (len)
        memcpy(buf, word.text.data, len);
    buf[len] = 0;
    return buf;
}

/* --- numbers and times --- */

/* The digits that a word begins with, and what they stand for; false when that is too large. */
static bool leading_digits(struct word word, size_t *digits, uint64_t *number)
{
    bool fits = true;
    *number = 0;
    for (*digits = 0; *digits < word.text.len; ++*digits) {
        uint8_t c = word.text.data[*digits];
        if (c < '0' || c > '9')
            break;
        fits &= *number <= (UINT64_MAX - 9) / 10;
        *number = *number * 10 + (uint64_t)(c - '0');
    }
    return fits;
}

enum err read_number(struct reading *r, struct word word, struct limits limits, uint64_t *out)
{
    char buf[SCENARIO_WORD_MAX];
    size_t digits;
    bool fits = leading_digits(word, &digits, out);
    if (!word.text.len)
        return reading_refuse(r, word.column, "a number is missing here");
    if (!fits || !digits || digits != word.text.len || *out < limits.least || *out > limits.most)
        return reading_refuse(r, word.column, "'%s' is not a whole number from %llu to %llu",
                              word_copy(word, buf, sizeof buf), (unsigned long long)limits.least,
                              (unsigned long long)limits.most);
    return OK;
}

enum err read_percent(struct reading *r, struct word word, uint32_t *out)
{
    char buf[SCENARIO_WORD_MAX];
    size_t digits;
    uint64_t number;
    bool fits = leading_digits(word, &digits, &number);
    if (!fits || !digits || number > 100 || digits + 1 != word.text.len ||
        word.text.data[digits] != '%')
        return reading_refuse(r, word.column, "'%s' is not a share from 0%% to 100%%; write 40%%",
                              word_copy(word, buf, sizeof buf));
    *out = (uint32_t)number;
    return OK;
}

static enum err out_of_limits(struct reading *r, struct word word, struct limits limits)
{
    struct text text = {0};
    char buf[SCENARIO_WORD_MAX];
    text_add(&text, "%s is not between ", word_copy(word, buf, sizeof buf));
    print_duration(limits.least, &text);
    text_add(&text, " and ");
    print_duration(limits.most, &text);
    enum err err = reading_refuse(r, word.column, "%s", text_string(&text));
    text_free(&text);
    return err;
}

enum err read_duration(struct reading *r, struct word word, struct limits limits, uint64_t *ns)
{
    char buf[SCENARIO_WORD_MAX];
    size_t digits;
    uint64_t number, unit = 0;
    bool fits = leading_digits(word, &digits, &number);
    struct word rest = {{word.text.data + digits, word.text.len - digits}, 0};
    if (!word.text.len)
        return reading_refuse(r, word.column, "a time is missing here; write one, as 20ms or 2s");
    for (size_t i = 0; i < UNITS; i++)
        if (word_is(rest, units[i].word))
            unit = units[i].ns;
    if (!digits || !unit)
        return reading_refuse(r, word.column,
                              "'%s' is not a time; write a whole number and its unit, as 20ms "
                              "(ns, us, ms, s, m, h)",
                              word_copy(word, buf, sizeof buf));
    if (!fits || number > NS_MAX / unit || number * unit < limits.least ||
        number * unit > limits.most)
        return out_of_limits(r, word, limits);
    *ns = number * unit;
    return OK;
}

enum err read_range(struct reading *r, struct word word, struct scenario_range *range)
{
    static const struct limits any = {1, NS_MAX};
    char buf[SCENARIO_WORD_MAX];
    size_t dots = 0;
    while (dots + 1 < word.text.len && memcmp(word.text.data + dots, "..", 2) != 0)
        dots++;
    if (dots + 1 >= word.text.len) {
        enum err err = read_duration(r, word, any, &range->least_ns);
        range->most_ns = range->least_ns;
        return err;
    }
    struct word most = word, least = cut_off(&most, dots);
    cut_off(&most, 2);
    enum err err = read_duration(r, least, any, &range->least_ns);
    if (err == OK)
        err = read_duration(r, most, any, &range->most_ns);
    if (err == OK && range->least_ns > range->most_ns)
        return reading_refuse(r, word.column, "in '%s' the first time is longer than the second",
                              word_copy(word, buf, sizeof buf));
    return err;
}

void print_duration(uint64_t ns, struct text *text)
{
    size_t i = 0;
    while (i + 1 < UNITS && ns % units[i].ns)
        i++;
    if (!ns)
        text_add(text, "0s");
    else
        text_add(text, "%llu%s", (unsigned long long)(ns / units[i].ns), units[i].word);
}

static void print_range(const struct scenario_range *range, struct text *text)
{
    print_duration(range->least_ns, text);
    if (range->least_ns == range->most_ns)
        return;
    text_add(text, "..");
    print_duration(range->most_ns, text);
}

/* --- faults --- */

enum err read_fault_kind(struct reading *r, struct word word, enum fault_kind *kind)
{
    const char *words[FAULT_KIND_COUNT + 1];
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++) {
        words[i] = faults[i].word;
        if (word_is(word, faults[i].word)) {
            *kind = (enum fault_kind)i;
            return OK;
        }
    }
    words[FAULT_KIND_COUNT] = NULL;
    return reading_unknown(r, word,
                           &(struct unknown){"fault",
                                             "write power-cut, kill, pause, disk-full, rot, "
                                             "partition, ... (docs/scenarios.md has all)",
                                             words});
}

/* ", at most N" or ", off", behind the comma. */
static enum err read_fault_end(struct reading *r, struct word *value, struct scenario_fault *fault)
{
    uint64_t most;
    char buf[SCENARIO_WORD_MAX];
    struct word word = word_next(value);
    if (word_is(word, "off")) {
        fault->off = true;
        return OK;
    }
    if (!word_is(word, "at") || !word_is(word_next(value), "most"))
        return reading_refuse(r, word.column,
                              "after a comma comes 'at most NUMBER' or 'off', not '%s'",
                              word_copy(word, buf, sizeof buf));
    enum err err = read_number(r, word_next(value), (struct limits){1, UINT32_MAX - 1}, &most);
    if (err == OK)
        fault->most = (uint32_t)most;
    return err;
}

static enum err read_fault_times(struct reading *r, struct word *value,
                                 struct scenario_fault *fault)
{
    const char *word = faults[fault->kind].word;
    struct word next = word_next(value);
    if (!word_is(next, "every"))
        return reading_refuse(r, next.column, "when? Write '%s every 2s..5s%s'", word,
                              faults[fault->kind].lasts ? " for 100ms..2s" : "");
    enum err err = read_range(r, word_next(value), &fault->every);
    struct word rest = *value;
    next = word_next(&rest);
    if (err != OK || !word_is(next, "for"))
        return err;
    if (!faults[fault->kind].lasts)
        return reading_refuse(r, next.column, "a fault '%s' has no duration; leave 'for' out",
                              word);
    *value = rest;
    return read_range(r, word_next(value), &fault->lasts);
}

/* How long a fault lasts when the file does not say. */
static const struct scenario_range usual = {100000000, 2000000000};

enum err read_fault(struct reading *r, struct word value, struct scenario_fault *fault)
{
    char buf[SCENARIO_WORD_MAX];
    fault->most = UINT32_MAX;
    fault->off = false;
    fault->lasts = faults[fault->kind].lasts ? usual : (struct scenario_range){0, 0};
    enum err err = read_fault_times(r, &value, fault);
    while (err == OK) {
        struct word word = word_next(&value);
        if (!word.text.len)
            return OK;
        if (!word_is(word, ","))
            return reading_refuse(r, word.column,
                                  "'%s' is not expected here; a fault reads: KIND every "
                                  "2s..5s for 100ms..2s, at most 3, off",
                                  word_copy(word, buf, sizeof buf));
        err = read_fault_end(r, &value, fault);
    }
    return err;
}

void print_fault(const struct scenario_fault *fault, struct text *text)
{
    text_add(text, "every ");
    print_range(&fault->every, text);
    if (faults[fault->kind].lasts) {
        text_add(text, " for ");
        print_range(&fault->lasts, text);
    }
    if (fault->most != UINT32_MAX)
        text_add(text, ", at most %u", fault->most);
    if (fault->off)
        text_add(text, ", off");
}

/* --- what is checked --- */

static enum err read_check(struct reading *r, struct word word)
{
    char buf[SCENARIO_WORD_MAX];
    const char *words[PROMISE_COUNT + INSPECTS + 1];
    enum promise promise;
    for (size_t i = 0; i < INSPECTS; i++) {
        words[i] = inspects[i].word;
        if (word_is(word, inspects[i].word)) {
            r->scenario->inspect |= (uint32_t)inspects[i].bit;
            return OK;
        }
    }
    if (word.text.len < sizeof buf && promise_of_word(word_copy(word, buf, sizeof buf), &promise)) {
        r->scenario->promises |= UINT32_C(1) << promise;
        return OK;
    }
    for (unsigned i = 0; i < PROMISE_COUNT; i++)
        words[INSPECTS + i] = promise_word((enum promise)i);
    words[INSPECTS + PROMISE_COUNT] = NULL;
    return reading_unknown(r, word,
                           &(struct unknown){"check",
                                             "write structure, scrub, rebuild or a promise, as "
                                             "linearisable (pactfs check --promises)",
                                             words});
}

enum err read_checks(struct reading *r, struct word value)
{
    r->scenario->promises = r->scenario->inspect = 0;
    enum err err = OK;
    for (bool more = true; more && err == OK;) {
        err = read_check(r, word_next(&value));
        struct word comma = word_next(&value);
        more = comma.text.len > 0;
        if (err == OK && more && !word_is(comma, ","))
            return reading_refuse(r, comma.column, "a comma is missing between two checks");
    }
    return err;
}

void print_checks(const struct scenario *scenario, struct text *text)
{
    const char *between = "";
    for (unsigned i = 0; i < PROMISE_COUNT; i++)
        if (scenario->promises & UINT32_C(1) << i) {
            text_add(text, "%s%s", between, promise_word((enum promise)i));
            between = ", ";
        }
    for (size_t i = 0; i < INSPECTS; i++)
        if (scenario->inspect & (uint32_t)inspects[i].bit) {
            text_add(text, "%s%s", between, inspects[i].word);
            between = ", ";
        }
}
