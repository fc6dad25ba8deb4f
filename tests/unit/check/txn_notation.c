/* SPDX-License-Identifier: MIT
 *
 * txn_notation.c: see txn_notation.h. A mistake in a text ends the test.
 */
#include "txn_notation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

#define LINES_MAX 32
#define LIST_MAX  16

struct line {
    const char *text; /* the acts */
    uint32_t process, txn, number;
    unsigned long begins, ends;
    enum outcome outcome;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The head of a line: times and process; the acts begin behind it. */
static struct line read_head(const char *text, uint32_t number)
{
    struct line line = {.process = number, .number = number, .begins = 0, .ends = 1000};
    char *end;
    if (is_digit(*text)) {
        line.begins = strtoul(text, &end, 10);
        INVARIANT(*end == '-');
        line.ends = strtoul(end + 1, &end, 10);
        text = end + (*end == ' ');
    }
    if (text[0] == 'p' && is_digit(text[1])) {
        line.process = 100 + (uint32_t)strtoul(text + 1, &end, 10);
        text = end + (*end == ' ');
    }
    line.text = text;
    line.outcome = strstr(text, "failed") ? OUTCOME_FAILED
                   : strstr(text, "lost") ? OUTCOME_UNKNOWN
                                          : OUTCOME_DONE;
    return line;
}

static uint32_t value(struct history *history, const char *text, size_t len)
{
    return len == 3 && memcmp(text, "nil", 3) == 0 ? VALUE_NONE : history_value(history, text, len);
}

struct kind {
    char sign;
    enum act_code code;
    enum history_model model;
};

static struct kind kind_of(const char *at)
{
    static const struct kind kinds[] = {
        {'=', ACT_WRITE, MODEL_REGISTER},    {'~', ACT_CAS, MODEL_REGISTER},
        {'+', ACT_APPEND, MODEL_LIST},       {'*', ACT_ADD, MODEL_SET},
        {'#', ACT_INCREMENT, MODEL_COUNTER}, {'@', ACT_READ, MODEL_COUNTER},
    };
    if (*at == ':')
        return (struct kind){':', ACT_READ,
                             at[1] == '['   ? MODEL_LIST
                             : at[1] == '{' ? MODEL_SET
                                            : MODEL_REGISTER};
    size_t i = 0;
    while (i < sizeof kinds / sizeof *kinds && kinds[i].sign != *at)
        i++;
    INVARIANT(i < sizeof kinds / sizeof *kinds);
    return kinds[i];
}

static const char *add_list(struct history *history, uint32_t txn, const char *at)
{
    uint32_t values[LIST_MAX], count = 0;
    for (at++; *at != ']' && *at != '}';) {
        size_t len = strcspn(at, " ]}");
        INVARIANT(len > 0 && count < LIST_MAX);
        values[count++] = history_value(history, at, len);
        at += len + (at[len] == ' ');
    }
    history_answer_list(history, txn, history->txns[txn].count - 1, values, count);
    return at + 1;
}

/* Adds the act at the beginning of the text; returns what is behind it. */
static const char *add_act(struct history *history, uint32_t txn, const char *text)
{
    size_t name = strcspn(text, "=~+*#@:");
    struct kind kind = kind_of(text + name);
    struct history_act act = {.code = (uint8_t)kind.code};
    INVARIANT(history_key(history, VALUE_NONE, history_value(history, text, name), kind.model,
                          &act.key) == OK);
    text += name + 1;
    if (*text == '[' || *text == '{') {
        history_add(history, &act);
        return add_list(history, txn, text);
    }
    size_t len = strcspn(text, " >");
    uint32_t number = value(history, text, len);
    if (kind.code == ACT_READ)
        act.value = number;
    else
        act.args[0] = number;
    text += len;
    if (*text == '>') {
        len = strcspn(++text, " !");
        act.args[1] = value(history, text, len);
        text += len;
    }
    if (*text == '!') {
        act.fault = ERR_CONFLICT;
        text++;
    }
    history_add(history, &act);
    return text;
}

static void begin(struct history *history, struct line *line)
{
    const char *at = line->text;
    line->txn = history_begin(history, line->process, line->begins * 1000);
    while (*at && strcmp(at, "failed") != 0 && strcmp(at, "lost") != 0) {
        at = add_act(history, line->txn, at);
        INVARIANT(*at == ' ' || !*at);
        at += *at == ' ';
    }
}

struct history *txn_history(const char *const *lines)
{
    struct history *history = history_new();
    struct line all[LINES_MAX];
    uint32_t count = 0;
    for (; lines[count]; count++) {
        INVARIANT(count < LINES_MAX);
        all[count] = read_head(lines[count], count);
    }
    for (unsigned long now = 0; now <= 1000; now++) {
        for (uint32_t i = 0; i < count; i++)
            if (all[i].ends == now)
                history_end(history, all[i].txn, now * 1000, all[i].outcome);
        for (uint32_t i = 0; i < count; i++)
            if (all[i].begins == now)
                begin(history, &all[i]);
    }
    return history;
}
