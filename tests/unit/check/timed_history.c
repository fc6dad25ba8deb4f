/* SPDX-License-Identifier: MIT
 *
 * timed_history.c: reads histories that are drawn on a time axis.
 */
#include "timed_history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 8u

struct open {
    uint32_t txn, lists[4][16], counts[4], acts;
};

static void bad(const char *text)
{
    fprintf(stderr, "not understood: %s\n", text);
    abort();
}

static uint32_t value(struct history *h, const char *text)
{
    return strcmp(text, "-") == 0 ? VALUE_NONE : history_value(h, text, strlen(text));
}

static enum history_model model_of(char key)
{
    if (key >= 'u')
        return MODEL_REGISTER;
    if (key >= 'r')
        return MODEL_SET;
    return key >= 'l' ? MODEL_LIST : MODEL_COUNTER;
}

static uint32_t key(struct history *h, const char *name, enum history_model model)
{
    uint32_t number;
    if (history_key(h, VALUE_NONE, value(h, name), model, &number) != OK)
        bad(name);
    return number;
}

/* Values separated by any of `between`. */
static uint32_t values(struct history *h, char *text, const char *between, uint32_t *out)
{
    uint32_t count = 0;
    for (char *at = text; *at && strcmp(text, "-") != 0;) {
        size_t len = strcspn(at, between);
        if (len)
            out[count++] = history_value(h, at, len);
        at += len;
        at += strspn(at, between);
    }
    return count;
}

static enum err fault_of(const char *name)
{
    for (unsigned e = 1; e < ERR_COUNT; e++)
        if (strcmp(err_name((enum err)e), name) == 0)
            return (enum err)e;
    return OK;
}

/* "mkdir 1 a 2 = EXIST" */
static struct history_act tree_act(struct history *h, char *text, struct open *open)
{
    struct history_act act = {0};
    enum act_code code;
    char *answer = strstr(text, " = ");
    if (answer)
        *answer = 0;
    char *arguments = text + strcspn(text, " ");
    if (*arguments)
        *arguments++ = 0;
    if (!act_of_word(text, &code))
        bad(text);
    act.code = (uint8_t)code;
    if (code != ACT_SYNC)
        act.key = key(h, "tree", MODEL_TREE);
    if (values(h, arguments, " ", act.args) > ACT_ARGS_MAX)
        bad(arguments);
    if (!answer)
        return act;
    act.fault = (uint8_t)fault_of(answer + 3);
    if (code == ACT_LIST && !act.fault)
        open->counts[open->acts] = values(h, answer + 3, " ", open->lists[open->acts]);
    else if (!act.fault)
        act.value = value(h, answer + 3);
    return act;
}

static struct history_act object_act(struct history *h, char *text, struct open *open)
{
    struct history_act act = {0};
    char name[2] = {text[0], 0}, how = text[1];
    enum history_model model = model_of(text[0]);
    act.key = key(h, name, model);
    text += 2;
    char *arrow = strchr(text, '~');
    if (arrow)
        *arrow++ = 0;
    if (how == ':') {
        act.code = ACT_READ;
        if (model == MODEL_LIST || model == MODEL_SET)
            open->counts[open->acts] = values(h, text, ",", open->lists[open->acts]);
        else
            act.value = value(h, text);
    } else if (arrow) {
        act.code = ACT_CAS;
        if (arrow[strlen(arrow) - 1] == '.') {
            act.fault = ERR_CONFLICT;
            arrow[strlen(arrow) - 1] = 0;
        }
        act.args[1] = value(h, arrow);
        act.args[0] = value(h, text);
    } else {
        act.code = model == MODEL_REGISTER ? ACT_WRITE
                   : model == MODEL_LIST   ? ACT_APPEND
                   : model == MODEL_SET    ? ACT_ADD
                                           : ACT_INCREMENT;
        act.args[0] = value(h, text);
    }
    return act;
}

/* The text between the brackets. */
static void begin(struct history *h, const char *from, uint32_t process, struct open *open)
{
    char text[128];
    size_t len = strcspn(from, "]>!");
    snprintf(text, sizeof text, "%.*s", (int)len, from);
    *open = (struct open){.txn = history_begin(h, process, 0)};
    for (char *at = text; *at;) {
        at += strspn(at, " ;");
        char *end = at + strcspn(at, ";");
        char *next = *end ? end + 1 : end;
        *end = 0;
        while (end > at && (end[-1] == ' ' || end[-1] == '*')) {
            if (end[-1] == '*')
                h->txns[open->txn].durable = true;
            *--end = 0;
        }
        if (*at) {
            bool object = at[1] == '=' || at[1] == ':' || at[1] == '+';
            struct history_act act = object ? object_act(h, at, open) : tree_act(h, at, open);
            history_add(h, &act);
            open->acts++;
        }
        at = next;
    }
}

static void end(struct history *h, struct open *open, char how)
{
    enum outcome outcome = how == ']'   ? OUTCOME_DONE
                           : how == '!' ? OUTCOME_FAILED
                                        : OUTCOME_UNKNOWN;
    for (uint32_t i = 0; i < open->acts && outcome == OUTCOME_DONE; i++)
        if (open->counts[i])
            history_answer_list(h, open->txn, i, open->lists[i], open->counts[i]);
    history_end(h, open->txn, 0, outcome);
}

struct history *timed_history(const char *const *lines)
{
    struct history *h = history_new();
    struct open open[LINES];
    size_t longest = 0;
    uint32_t count = 0;
    for (; lines[count]; count++)
        if (strlen(lines[count]) > longest)
            longest = strlen(lines[count]);
    for (size_t column = 0; column < longest; column++)
        for (uint32_t i = 0; i < count; i++) {
            char c = column < strlen(lines[i]) ? lines[i][column] : ' ';
            if (lines[i][0] == '#') {
                if (c == '#' && column)
                    history_event(h, EVENT_CRASH, 0, "crash");
            } else if (c == '[') {
                begin(h, lines[i] + column + 1, i, &open[i]);
            } else if (c == ']' || c == '>' || c == '!') {
                end(h, &open[i], c);
            }
        }
    return h;
}
