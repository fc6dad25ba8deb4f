/* SPDX-License-Identifier: MIT
 *
 * short_history.c: see short_history.h.
 */
#include "short_history.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

struct reader {
    const char *at;
    struct history *history;
    uint32_t process, txn;
    uint32_t lists[64][64], counts[64]; /* answers of the transaction's acts */
    uint32_t acts;
};

static bool take(struct reader *r, char letter)
{
    if (*r->at != letter)
        return false;
    r->at++;
    return true;
}

static uint32_t value(struct reader *r)
{
    const char *from = r->at;
    if (take(r, '-') && !isdigit((unsigned char)*r->at))
        return VALUE_NONE;
    while (isalnum((unsigned char)*r->at))
        r->at++;
    INVARIANT(r->at > from);
    return history_value(r->history, from, (size_t)(r->at - from));
}

static enum history_model model_of(char letter)
{
    INVARIANT(letter >= 'a' && letter <= 'z');
    if (letter <= 'd')
        return MODEL_COUNTER;
    if (letter >= 'u')
        return MODEL_REGISTER;
    INVARIANT(letter >= 'l' && letter <= 't');
    return letter <= 'n' ? MODEL_LIST : MODEL_SET;
}

static void elements(struct reader *r, char end)
{
    uint32_t *count = &r->counts[r->acts];
    r->at++;
    while (!take(r, end)) {
        r->lists[r->acts][(*count)++] = value(r);
        (void)take(r, ',');
    }
}

static void answer(struct reader *r, struct history_act *act)
{
    act->code = ACT_READ;
    if (*r->at == '[')
        elements(r, ']');
    else if (*r->at == '{')
        elements(r, '}');
    else
        act->value = value(r);
}

static void act(struct reader *r)
{
    char letter = *r->at++;
    struct history_act act = {0};
    enum history_model model = model_of(letter);
    INVARIANT(history_key(r->history, VALUE_NONE, history_value(r->history, &letter, 1), model,
                          &act.key) == OK);
    r->counts[r->acts] = 0;
    if (take(r, ':')) {
        answer(r, &act);
    } else if (take(r, '=')) {
        act.code = ACT_WRITE;
        act.args[0] = value(r);
        if (take(r, '>')) {
            act.code = ACT_CAS;
            act.args[1] = value(r);
            act.fault = take(r, '!') ? ERR_CONFLICT : OK;
        }
    } else {
        INVARIANT(take(r, '+'));
        act.code = model == MODEL_LIST ? ACT_APPEND : model == MODEL_SET ? ACT_ADD : ACT_INCREMENT;
        act.args[0] = value(r);
    }
    history_add(r->history, &act);
    r->acts++;
}

static void transaction(struct reader *r)
{
    enum outcome outcome = OUTCOME_DONE;
    if (take(r, '?'))
        outcome = OUTCOME_UNKNOWN;
    else if (take(r, '!'))
        outcome = OUTCOME_FAILED;
    r->acts = 0;
    r->txn = history_begin(r->history, r->process, 0);
    if (take(r, '(')) {
        while (!take(r, ')')) {
            act(r);
            (void)take(r, ' ');
        }
    } else {
        act(r);
    }
    for (uint32_t i = 0; i < r->acts; i++)
        history_answer_list(r->history, r->txn, i, r->lists[i], r->counts[i]);
    history_end(r->history, r->txn, 0, outcome);
}

struct history *short_history(const char *text)
{
    struct reader *r = calloc(1, sizeof *r);
    INVARIANT(r != NULL);
    r->at = text;
    r->history = history_new();
    uint32_t next = 0;
    while (*r->at) {
        if (take(r, ' '))
            continue;
        if (take(r, '|'))
            r->process = ++next;
        else if (take(r, '#'))
            r->process = (uint32_t)(*r->at++ - '0');
        else if (take(r, '*'))
            history_event(r->history, EVENT_CONVERGED, 0, "");
        else
            transaction(r);
    }
    struct history *history = r->history;
    free(r);
    return history;
}

enum check_result short_verdict(const char *text, enum promise promise, enum anomaly *anomaly)
{
    struct history *history = short_history(text);
    struct arena arena;
    struct verdict verdict;
    struct text told = {0};
    arena_init(&arena);
    check_history(history, promise, NULL, &arena, &verdict);
    verdict_tell(history, &verdict, &told);
    INVARIANT(verdict.result != CHECK_BROKEN || (told.len && *verdict.text));
    enum check_result result = verdict.result;
    if (anomaly)
        *anomaly = verdict.anomaly;
    text_free(&told);
    arena_free(&arena);
    history_free(history);
    return result;
}
