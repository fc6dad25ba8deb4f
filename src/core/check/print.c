/* SPDX-License-Identifier: MIT
 *
 * print.c: acts and transactions in words.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/check/history.h"

static const char *const words[ACT_CODE_COUNT] = {
#define X(code, word, model, text) [ACT_##code] = word,
    ACT_TABLE(X)
#undef X
};

const char *act_word(enum act_code code)
{
    return code < ACT_CODE_COUNT ? words[code] : "?";
}

bool act_of_word(const char *word, enum act_code *code)
{
    for (unsigned i = 0; i < ACT_CODE_COUNT; i++)
        if (strcmp(words[i], word) == 0) {
            *code = (enum act_code)i;
            return true;
        }
    return false;
}

const char *model_word(enum history_model model)
{
    switch (model) {
    case MODEL_REGISTER:
        return "register";
    case MODEL_LIST:
        return "list";
    case MODEL_SET:
        return "set";
    case MODEL_COUNTER:
        return "counter";
    case MODEL_TREE:
        return "tree";
    }
    return "?";
}

/* Text into a buffer that may be too small: what does not fit is left out. */
struct line {
    char *buf;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
    va_list arguments;
    if (line->len + 1 >= line->size)
        return;
    va_start(arguments, format);
    int len = vsnprintf(line->buf + line->len, line->size - line->len, format, arguments);
    va_end(arguments);
    if (len > 0)
        line->len += (size_t)len;
    if (line->len >= line->size)
        line->len = line->size - 1;
}

static void put_list(struct line *line, const struct history *history,
                     const struct history_act *act)
{
    put(line, "[");
    for (uint32_t i = 0; i < act->count; i++)
        put(line, "%s%s", i ? " " : "", history_text(history, history->pool[act->list + i]));
    put(line, "]");
}

static void put_answer(struct line *line, const struct history *history,
                       const struct history_act *act, enum history_model model)
{
    if (act->fault) {
        put(line, " -> %s", err_name(act->fault));
        return;
    }
    if (!act->known)
        return;
    bool list = act->code == ACT_LIST ||
                (act->code == ACT_READ && (model == MODEL_LIST || model == MODEL_SET));
    if (list) {
        put(line, " -> ");
        put_list(line, history, act);
    } else if (act->code == ACT_READ || act->code == ACT_LOOKUP || act->code == ACT_GET ||
               act->code == ACT_LINKS) {
        put(line, " -> %s", history_text(history, act->value));
    }
}

static void put_act(struct line *line, const struct history *history, const struct history_act *act)
{
    put(line, "%s", act_word(act->code));
    if (act->code == ACT_SYNC)
        return;
    enum history_model model = history->keys[act->key].model;
    const char *between = " ";
    if (model != MODEL_TREE)
        put(line, " %s", history_key_text(history, act->key));
    for (unsigned i = 0; i < ACT_ARGS_MAX && act->args[i] != VALUE_NONE; i++) {
        put(line, "%s%s", between, history_text(history, act->args[i]));
        /* a directory and a name in it read as a path */
        bool directory =
            model == MODEL_TREE && act->code != ACT_PUT &&
            (i == 0 ? act->code != ACT_LINK
                    : (i == 2 && act->code == ACT_RENAME) || (i == 1 && act->code == ACT_LINK));
        between = directory ? "/" : " ";
    }
    put_answer(line, history, act, model);
}

const char *act_print(const struct history *history, const struct history_act *act, char *buf,
                      size_t size)
{
    struct line line = {buf, size, 0};
    buf[0] = 0;
    put_act(&line, history, act);
    return buf;
}

const char *txn_print(const struct history *history, uint32_t txn, char *buf, size_t size)
{
    const struct history_txn *t = &history->txns[txn];
    struct line line = {buf, size, 0};
    buf[0] = 0;
    put(&line, "process %u: ", t->process);
    for (uint32_t i = 0; i < t->count; i++) {
        put(&line, "%s", i ? "; " : "");
        put_act(&line, history, history_act(history, t, i));
    }
    if (t->outcome == OUTCOME_UNKNOWN)
        put(&line, " (no answer)");
    else if (t->outcome == OUTCOME_FAILED)
        put(&line, " (failed)");
    return buf;
}
