/* SPDX-License-Identifier: MIT
 *
 * read_acts.c: acts and their answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/history/reader.h"

#define NUMBERS_MAX (1 << 24)

/* How an act is written: its arguments behind the key, how many of them may be left out or null,
 * and an example for complaints. */
struct form {
    uint8_t model;
    uint8_t least, most;
    uint8_t nullable; /* bits: these arguments may be null */
    const char *example;
};

static const struct form forms[ACT_CODE_COUNT] = {
    [ACT_READ] = {0, 0, 0, 0, "[\"read\",\"x\"]"},
    [ACT_WRITE] = {MODEL_REGISTER, 1, 1, 0, "[\"write\",\"x\",5]"},
    [ACT_CAS] = {MODEL_REGISTER, 2, 2, 1, "[\"cas\",\"x\",4,5]"},
    [ACT_APPEND] = {MODEL_LIST, 1, 1, 0, "[\"append\",\"x\",5]"},
    [ACT_ADD] = {MODEL_SET, 1, 1, 0, "[\"add\",\"x\",5]"},
    [ACT_INCREMENT] = {MODEL_COUNTER, 1, 1, 0, "[\"increment\",\"x\",1]"},
    [ACT_MKDIR] = {MODEL_TREE, 3, 3, 4, "[\"mkdir\",\"tree\",1,\"a\",7]"},
    [ACT_CREATE] = {MODEL_TREE, 3, 3, 4, "[\"create\",\"tree\",1,\"a\",7]"},
    [ACT_LINK] = {MODEL_TREE, 3, 3, 0, "[\"link\",\"tree\",7,1,\"b\"]"},
    [ACT_UNLINK] = {MODEL_TREE, 2, 2, 0, "[\"unlink\",\"tree\",1,\"a\"]"},
    [ACT_RMDIR] = {MODEL_TREE, 2, 2, 0, "[\"rmdir\",\"tree\",1,\"a\"]"},
    [ACT_RENAME] = {MODEL_TREE, 5, 5, 0, "[\"rename\",\"tree\",1,\"a\",2,\"b\",\"replace\"]"},
    [ACT_LOOKUP] = {MODEL_TREE, 2, 2, 0, "[\"lookup\",\"tree\",1,\"a\"]"},
    [ACT_LIST] = {MODEL_TREE, 1, 1, 0, "[\"list\",\"tree\",1]"},
    [ACT_PUT] = {MODEL_TREE, 2, 2, 2, "[\"put\",\"tree\",7,\"text\"]"},
    [ACT_GET] = {MODEL_TREE, 1, 1, 0, "[\"get\",\"tree\",7]"},
    [ACT_LINKS] = {MODEL_TREE, 1, 1, 0, "[\"links\",\"tree\",7]"},
    [ACT_SYNC] = {0, 0, 0, 0, "[\"sync\"]"},
};

/* Lists are full of numbers: those that were met are found without their text. */
static uint32_t number_value(struct reader *reader, int64_t number)
{
    if (number < 0 || number >= NUMBERS_MAX)
        return history_number(reader->history, number);
    if (number >= reader->number_room) {
        uint32_t room = reader->number_room ? reader->number_room : 1024;
        while (room <= number)
            room *= 2;
        reader->numbers = realloc(reader->numbers, room * sizeof *reader->numbers);
        INVARIANT(reader->numbers != NULL);
        for (uint32_t i = reader->number_room; i < room; i++)
            reader->numbers[i] = VALUE_NONE;
        reader->number_room = room;
    }
    uint32_t *value = &reader->numbers[number];
    if (*value == VALUE_NONE)
        *value = history_number(reader->history, number);
    return *value;
}

enum err reader_value(struct reader *reader, bool may_be_null, uint32_t *value)
{
    struct scan *scan = &reader->scan;
    enum scan_kind kind = scan_kind(scan);
    struct bytes text;
    int64_t number;
    *value = VALUE_NONE;
    if (kind == SCAN_NUMBER && scan_integer(scan, &number))
        *value = number_value(reader, number);
    else if (kind == SCAN_STRING && scan_string(scan, &text))
        *value = history_value(reader->history, (const char *)text.data, text.len);
    else if (kind == SCAN_NULL && may_be_null)
        scan_null(scan);
    else
        scan_problem(scan, scan->at,
                     kind == SCAN_NULL ? "here a value is due, not null"
                                       : "here a value is due: a whole number or a string");
    return scan->problem ? reader_scan_fault(reader) : OK;
}

static enum err check_room(struct reader *reader)
{
    const struct history *h = reader->history;
    if (h->txn_count < HISTORY_COUNT_MAX && h->act_count < HISTORY_COUNT_MAX &&
        h->pool_count + (uint64_t)reader->value_count < HISTORY_COUNT_MAX &&
        history_values(h) < HISTORY_COUNT_MAX)
        return OK;
    reader_fault(reader, reader->scan.start,
                 "the history is too large: more than %u transactions, acts, values or elements of "
                 "answers",
                 HISTORY_COUNT_MAX);
    return ERR_LIMIT;
}

/* --- acts --- */

static enum err act_args(struct reader *reader, struct history_act *act, bool *first)
{
    const struct form *form = &forms[act->code];
    struct scan *scan = &reader->scan;
    const uint8_t *at = scan->at;
    unsigned count = 0;
    while (scan_more(scan, ']', first)) {
        if (count == form->most)
            return reader_fault(reader, scan->at, "too many arguments: %s is written as %s",
                                act_word(act->code), form->example);
        enum err err = reader_value(reader, form->nullable >> count & 1, &act->args[count]);
        if (err != OK)
            return err;
        count++;
    }
    if (scan->problem)
        return reader_scan_fault(reader);
    if (count < form->least)
        return reader_fault(reader, at, "something is missing: %s is written as %s",
                            act_word(act->code), form->example);
    return OK;
}

static enum err check_act(struct reader *reader, const struct history_act *act, const uint8_t *at)
{
    int64_t number;
    if (act->code == ACT_INCREMENT && !history_integer(reader->history, act->args[0], &number))
        return reader_fault(reader, at, "an increment is by a number");
    if (act->code == ACT_RENAME) {
        const char *how = history_text(reader->history, act->args[4]);
        if (strcmp(how, "replace") != 0 && strcmp(how, "new") != 0 && strcmp(how, "exchange") != 0)
            return reader_fault(reader, at,
                                "a rename ends with \"replace\", \"new\" or \"exchange\"");
    }
    return OK;
}

/* The word at the beginning, as a code. */
static enum err act_code(struct reader *reader, uint8_t *code)
{
    char word[16];
    struct bytes text;
    enum act_code found;
    scan_kind(&reader->scan);
    const uint8_t *at = reader->scan.at;
    if (!scan_string(&reader->scan, &text))
        return reader_scan_fault(reader);
    size_t len = text.len < sizeof word ? text.len : sizeof word - 1;
    memcpy(word, text.data, len);
    word[len] = 0;
    if (!act_of_word(word, &found))
        return reader_fault(reader, at,
                            "there is no act '%s'; there are read, write, cas, append, add, "
                            "increment, sync and those of a tree (mkdir, create, link, unlink, "
                            "rmdir, rename, lookup, list, put, get, links)",
                            word);
    *code = (uint8_t)found;
    return OK;
}

static enum err one_act(struct reader *reader, uint32_t volume)
{
    struct scan *scan = &reader->scan;
    struct history_act act = {0};
    bool first = true;
    scan_kind(scan);
    const uint8_t *at = scan->at;
    if (!scan_open(scan, '['))
        return reader_scan_fault(reader);
    if (!scan_more(scan, ']', &first))
        return scan->problem ? reader_scan_fault(reader)
                             : reader_fault(reader, at, "an act is written as [\"read\",\"x\"]");
    enum err err = act_code(reader, &act.code);
    if (err == OK && act.code != ACT_SYNC) {
        if (!scan_more(scan, ']', &first))
            return scan->problem ? reader_scan_fault(reader)
                                 : reader_fault(reader, at,
                                                "the key is missing: %s is written "
                                                "as %s",
                                                act_word(act.code), forms[act.code].example);
        err = reader_key(reader, volume, forms[act.code].model, &act.key);
    }
    if (err == OK)
        err = act_args(reader, &act, &first);
    if (err == OK)
        err = check_act(reader, &act, at);
    if (err == OK)
        err = check_room(reader);
    if (err == OK)
        history_add(reader->history, &act);
    return err;
}

enum err reader_acts(struct reader *reader, uint32_t volume)
{
    struct scan *scan = &reader->scan;
    bool first = true;
    scan_kind(scan);
    const uint8_t *at = scan->at;
    uint32_t before = reader->history->act_count;
    if (!scan_open(scan, '['))
        return reader_scan_fault(reader);
    while (scan_more(scan, ']', &first)) {
        enum err err = one_act(reader, volume);
        if (err != OK)
            return err;
    }
    if (scan->problem)
        return reader_scan_fault(reader);
    return reader->history->act_count > before
               ? OK
               : reader_fault(reader, at, "there is no act; one is written as [\"read\",\"x\"]");
}

/* --- answers --- */

static enum err answer_array(struct reader *reader)
{
    struct scan *scan = &reader->scan;
    bool first = true;
    reader->value_count = 0;
    if (!scan_open(scan, '['))
        return reader_scan_fault(reader);
    while (scan_more(scan, ']', &first)) {
        if (reader->value_count == reader->value_room) {
            reader->value_room = reader->value_room ? reader->value_room * 2 : 256;
            reader->values = realloc(reader->values, reader->value_room * sizeof *reader->values);
            INVARIANT(reader->values != NULL);
        }
        enum err err = reader_value(reader, false, &reader->values[reader->value_count]);
        if (err != OK)
            return err;
        reader->value_count++;
    }
    return scan->problem ? reader_scan_fault(reader) : check_room(reader);
}

static bool err_of_name(struct bytes name, enum err *err)
{
    for (unsigned i = 1; i < ERR_COUNT; i++) {
        const char *known = err_name((enum err)i);
        if (strlen(known) == name.len && memcmp(known, name.data, name.len) == 0) {
            *err = (enum err)i;
            return true;
        }
    }
    return false;
}

/* {"fault":"NOENT"} */
static enum err answer_fault(struct reader *reader, struct history_act *act)
{
    struct scan *scan = &reader->scan;
    struct bytes name;
    enum err found;
    bool first = true;
    const uint8_t *at = scan->at;
    if (act->code != ACT_CAS &&
        (act->code == ACT_SYNC || act->code == ACT_READ || forms[act->code].model != MODEL_TREE))
        return reader_fault(reader, at,
                            "only acts of a tree, and cas, are answered with a fault; "
                            "when the whole transaction took no effect, its event is "
                            "\"failed\"");
    if (!scan_open(scan, '{') || !scan_more(scan, '}', &first) || !scan_name(scan, &name) ||
        name.len != 5 || memcmp(name.data, "fault", 5) != 0)
        return scan->problem ? reader_scan_fault(reader)
                             : reader_fault(reader, at,
                                            "a fault is written as "
                                            "{\"fault\":\"NOENT\"}");
    if (!scan_string(scan, &name))
        return reader_scan_fault(reader);
    if (!err_of_name(name, &found))
        return reader_fault(reader, at,
                            "there is no fault of that name; they are called as errno's "
                            "without the E, such as NOENT and EXIST");
    if (scan_more(scan, '}', &first))
        return reader_fault(reader, at, "a fault is written as {\"fault\":\"NOENT\"}");
    act->fault = (uint8_t)found;
    return scan->problem ? reader_scan_fault(reader) : OK;
}

static bool answered_by_value(const struct history_act *act)
{
    return act->code == ACT_READ || act->code == ACT_LOOKUP || act->code == ACT_GET ||
           act->code == ACT_LINKS;
}

/* A value or null, of an act that has no array for an answer. */
static enum err answer_scalar(struct reader *reader, struct history_act *act)
{
    struct scan *scan = &reader->scan;
    const uint8_t *at = scan->at;
    int64_t number;
    if (!answered_by_value(act)) {
        if (scan_kind(scan) != SCAN_NULL)
            return reader_fault(
                reader, at, "%s has no answer but null%s", act_word(act->code),
                forms[act->code].model == MODEL_TREE || act->code == ACT_CAS ? " or a fault" : "");
        scan_null(scan);
        return scan->problem ? reader_scan_fault(reader) : OK;
    }
    bool may_be_null = act->code == ACT_READ || act->code == ACT_GET;
    enum err err = reader_value(reader, may_be_null, &act->value);
    if (err == OK && act->code == ACT_READ) {
        err = reader_key_answered(reader, act->key, false, at);
        if (err == OK && !history_integer(reader->history, act->value, &number))
            err = reader_not_number(reader, act->key, at);
    }
    return err;
}

static enum err one_answer(struct reader *reader, uint32_t txn, uint32_t index)
{
    struct history *history = reader->history;
    struct history_act *act = &history->acts[history->txns[txn].first + index];
    enum scan_kind kind = scan_kind(&reader->scan);
    const uint8_t *at = reader->scan.at;
    enum err err;
    if (kind == SCAN_OBJECT)
        return answer_fault(reader, act);
    if (kind != SCAN_ARRAY) {
        if (act->code == ACT_LIST && kind != SCAN_NOTHING)
            return reader_fault(reader, at,
                                "list is answered with an array of names and inodes, "
                                "as in [\"a\",7,\"b\",9]");
        return answer_scalar(reader, act);
    }
    if (act->code != ACT_READ && act->code != ACT_LIST)
        return reader_fault(reader, at, "%s is not answered with an array", act_word(act->code));
    err = answer_array(reader);
    if (err == OK && act->code == ACT_READ)
        err = reader_key_answered(reader, act->key, true, at);
    if (err == OK && act->code == ACT_LIST && reader->value_count % 2)
        err = reader_fault(reader, at, "the answer of a list has a name and an inode in turn");
    if (err == OK)
        history_answer_list(history, txn, index, reader->values, reader->value_count);
    return err;
}

enum err reader_answers(struct reader *reader, uint32_t txn)
{
    struct scan *scan = &reader->scan;
    uint32_t count = reader->history->txns[txn].count, index = 0;
    bool first = true;
    scan_kind(scan);
    const uint8_t *at = scan->at;
    if (!scan_open(scan, '['))
        return reader_scan_fault(reader);
    while (scan_more(scan, ']', &first)) {
        if (index == count)
            return reader_fault(reader, scan->at, "more answers than acts: there were %u", count);
        enum err err = one_answer(reader, txn, index++);
        if (err != OK)
            return err;
    }
    if (scan->problem)
        return reader_scan_fault(reader);
    return index == count ? OK
                          : reader_fault(reader, at,
                                         "%u answers to %u acts; an act without an "
                                         "answer has null",
                                         index, count);
}

enum err reader_no_answers(struct reader *reader, uint32_t txn, const uint8_t *at)
{
    const struct history *history = reader->history;
    for (uint32_t i = 0; i < history->txns[txn].count; i++) {
        const struct history_act *act = history_act(history, &history->txns[txn], i);
        if (answered_by_value(act) || act->code == ACT_LIST)
            return reader_fault(reader, at,
                                "\"answers\" is missing, and %s has one; or was it "
                                "\"failed\" or \"unknown\"?",
                                act_word(act->code));
    }
    return OK;
}
