/* SPDX-License-Identifier: MIT
 *
 * read_line.c: one line: the header, or an event.
 *
 * Law
 *   R1  A process has at most one transaction under way: busy, and which.
 *   R2  Times do not go back; a line without one has the last one's.
 *   R3  Fields may come in any order: a first pass finds where each begins, a second reads them.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "io/history/reader.h"

enum field {
    FIELD_TIME,
    FIELD_PROCESS,
    FIELD_EVENT,
    FIELD_ACTS,
    FIELD_ANSWERS,
    FIELD_DURABLE,
    FIELD_VOLUME,
    FIELD_TEXT,
    FIELD_WHY,
    FIELD_VERSION,
    FIELD_CONTRACT,
    FIELD_MADE_BY,
    FIELD_PROMISES,
    FIELD_MODELS,
    FIELD_ENDS,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
    "time", "process",        "event",    "acts",    "answers",  "durable", "volume", "text",
    "why",  "pactfs-history", "contract", "made-by", "promises", "models",  "ends",
};

/* Where the value of each field begins; NULL: it is not there. */
struct fields {
    const uint8_t *at[FIELD_COUNT];
};

enum err reader_fault(struct reader *reader, const uint8_t *at, const char *format, ...)
{
    struct history_fault *fault = reader->fault;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    fault->line = reader->line;
    fault->column = (uint64_t)(at - reader->scan.start) + 1;
    return ERR_DECODE;
}

enum err reader_scan_fault(struct reader *reader)
{
    return reader_fault(reader, reader->scan.problem_at, "%s", reader->scan.problem);
}

/* --- fields --- */

static enum err find_fields(struct reader *reader, struct fields *fields)
{
    struct scan *scan = &reader->scan;
    struct bytes name;
    bool first = true;
    if (!scan_open(scan, '{'))
        return reader_scan_fault(reader);
    while (scan_more(scan, '}', &first)) {
        scan_kind(scan);
        const uint8_t *at = scan->at;
        if (!scan_name(scan, &name))
            return reader_scan_fault(reader);
        scan_kind(scan);
        for (unsigned i = 0; i < FIELD_COUNT; i++) {
            if (strlen(field_names[i]) != name.len ||
                memcmp(field_names[i], name.data, name.len) != 0)
                continue;
            if (fields->at[i])
                return reader_fault(reader, at, "\"%s\" is there twice", field_names[i]);
            fields->at[i] = scan->at;
            break;
        }
        if (!scan_skip(scan))
            return reader_scan_fault(reader);
    }
    if (!scan->problem && !scan_ended(scan))
        scan_problem(scan, scan->at, "something follows the object; one line has one object");
    return scan->problem ? reader_scan_fault(reader) : OK;
}

/* Goes to a field; false when it is not there. */
static bool go_to(struct reader *reader, const struct fields *fields, enum field field)
{
    reader->scan.at = fields->at[field];
    return fields->at[field] != NULL;
}

static enum err optional_bool(struct reader *reader, const struct fields *fields, enum field field,
                              bool *value)
{
    *value = false;
    if (go_to(reader, fields, field) && !scan_bool(&reader->scan, value))
        return reader_scan_fault(reader);
    return OK;
}

/* A copy that the caller frees; NULL when it is not there. */
static enum err optional_string(struct reader *reader, const struct fields *fields,
                                enum field field, char **copy)
{
    struct bytes text;
    *copy = NULL;
    if (!go_to(reader, fields, field))
        return OK;
    if (!scan_string(&reader->scan, &text))
        return reader_scan_fault(reader);
    *copy = strndup((const char *)text.data, text.len);
    INVARIANT(*copy != NULL);
    return OK;
}

static enum err optional_volume(struct reader *reader, const struct fields *fields,
                                uint32_t *volume)
{
    *volume = reader->history->volume;
    return go_to(reader, fields, FIELD_VOLUME) ? reader_value(reader, false, volume) : OK;
}

static enum err take_time(struct reader *reader, const struct fields *fields)
{
    int64_t time;
    if (!go_to(reader, fields, FIELD_TIME))
        return OK;
    const uint8_t *at = reader->scan.at;
    if (!scan_integer(&reader->scan, &time))
        return reader_scan_fault(reader);
    if (time < 0)
        return reader_fault(reader, at,
                            "a time is a number of nanoseconds from some beginning on, "
                            "not negative");
    if ((uint64_t)time < reader->time)
        return reader_fault(reader, at,
                            "the time goes back: line %llu has %llu. Events stand in "
                            "the order in which they happened",
                            (unsigned long long)reader->time_line,
                            (unsigned long long)reader->time);
    reader->time = (uint64_t)time;
    reader->time_line = reader->line;
    return OK;
}

static enum err take_process(struct reader *reader, const struct fields *fields, uint32_t *process)
{
    int64_t number;
    if (!go_to(reader, fields, FIELD_PROCESS))
        return reader_fault(reader, reader->scan.start,
                            "\"process\" is missing: whose event is it?");
    const uint8_t *at = reader->scan.at;
    if (!scan_integer(&reader->scan, &number))
        return reader_scan_fault(reader);
    if (number < 0 || number > HISTORY_PROCESS_MAX)
        return reader_fault(reader, at, "processes have numbers from 0 to %u", HISTORY_PROCESS_MAX);
    *process = (uint32_t)number;
    if (*process < reader->process_room)
        return OK;
    uint32_t room = *process < 64 ? 64 : *process * 2;
    reader->processes = realloc(reader->processes, room * sizeof *reader->processes);
    INVARIANT(reader->processes != NULL);
    memset(reader->processes + reader->process_room, 0,
           (room - reader->process_room) * sizeof *reader->processes);
    reader->process_room = room;
    return OK;
}

/* --- transactions --- */

static enum err begin(struct reader *reader, const struct fields *fields)
{
    uint32_t process, volume;
    enum err err = take_process(reader, fields, &process);
    if (err != OK)
        return err;
    struct process_state *state = &reader->processes[process];
    if (state->busy)
        return reader_fault(reader, fields->at[FIELD_PROCESS],
                            "process %u begins while its operation of line %llu has not ended; end "
                            "that one before, perhaps as \"unknown\"",
                            process, (unsigned long long)state->line);
    err = optional_volume(reader, fields, &volume);
    if (err != OK)
        return err;
    if (!go_to(reader, fields, FIELD_ACTS))
        return reader_fault(reader, reader->scan.start,
                            "\"acts\" is missing, as in \"acts\":[[\"read\",\"x\"]]");
    state->txn = history_begin(reader->history, process, reader->time);
    state->line = reader->line;
    state->busy = true;
    return reader_acts(reader, volume);
}

static enum err end(struct reader *reader, const struct fields *fields, enum outcome outcome)
{
    uint32_t process;
    bool durable;
    enum err err = take_process(reader, fields, &process);
    if (err != OK)
        return err;
    struct process_state *state = &reader->processes[process];
    if (!state->busy)
        return reader_fault(reader, fields->at[FIELD_PROCESS],
                            "process %u has nothing under way that could end here", process);
    err = optional_bool(reader, fields, FIELD_DURABLE, &durable);
    if (err == OK && outcome == OUTCOME_DONE)
        err = go_to(reader, fields, FIELD_ANSWERS)
                  ? reader_answers(reader, state->txn)
                  : reader_no_answers(reader, state->txn, reader->scan.start);
    if (err != OK)
        return err;
    reader->history->txns[state->txn].durable = durable && outcome == OUTCOME_DONE;
    history_end(reader->history, state->txn, reader->time, outcome);
    state->busy = false;
    return OK;
}

static enum err happen(struct reader *reader, const struct fields *fields,
                       enum history_event_kind kind)
{
    char *text;
    enum err err = optional_string(reader, fields, FIELD_TEXT, &text);
    if (err == OK)
        history_event(reader->history, kind, reader->time, text ? text : "");
    free(text);
    return err;
}

static bool is_word(struct bytes word, const char *expected)
{
    return word.len == strlen(expected) && memcmp(word.data, expected, word.len) == 0;
}

static enum err event(struct reader *reader, const struct fields *fields)
{
    struct bytes word;
    enum err err = take_time(reader, fields);
    if (err != OK)
        return err;
    if (!go_to(reader, fields, FIELD_EVENT))
        return reader_fault(reader, reader->scan.start,
                            "\"event\" is missing, as in \"event\":\"begin\"");
    if (!scan_string(&reader->scan, &word))
        return reader_scan_fault(reader);
    if (is_word(word, "begin"))
        return begin(reader, fields);
    if (is_word(word, "done"))
        return end(reader, fields, OUTCOME_DONE);
    if (is_word(word, "failed"))
        return end(reader, fields, OUTCOME_FAILED);
    if (is_word(word, "unknown"))
        return end(reader, fields, OUTCOME_UNKNOWN);
    if (is_word(word, "crash"))
        return happen(reader, fields, EVENT_CRASH);
    if (is_word(word, "healed"))
        return happen(reader, fields, EVENT_HEALED);
    if (is_word(word, "converged"))
        return happen(reader, fields, EVENT_CONVERGED);
    if (is_word(word, "note"))
        return happen(reader, fields, EVENT_NOTE);
    if (is_word(word, "end")) {
        reader->ended = true;
        return OK;
    }
    return reader_fault(reader, fields->at[FIELD_EVENT],
                        "there is no such event; there are begin, done, failed, unknown, crash, "
                        "healed, converged, note and end");
}

/* --- the header --- */

static enum err promises(struct reader *reader)
{
    struct scan *scan = &reader->scan;
    struct bytes text;
    char word[32];
    enum promise promise;
    bool first = true;
    if (!scan_open(scan, '['))
        return reader_scan_fault(reader);
    while (scan_more(scan, ']', &first)) {
        scan_kind(scan);
        const uint8_t *at = scan->at;
        if (!scan_string(scan, &text))
            return reader_scan_fault(reader);
        size_t len = text.len < sizeof word ? text.len : sizeof word - 1;
        memcpy(word, text.data, len);
        word[len] = 0;
        if (!promise_of_word(word, &promise))
            return reader_fault(reader, at,
                                "there is no promise '%s'; see: pactfs check "
                                "--promises",
                                word);
        reader->file->promised[promise] = true;
    }
    reader->file->promises = true;
    return scan->problem ? reader_scan_fault(reader) : OK;
}

static enum err header(struct reader *reader, const struct fields *fields)
{
    int64_t version;
    if (!go_to(reader, fields, FIELD_VERSION))
        return reader_fault(reader, reader->scan.start,
                            "this is no history: the first line is a header, such as "
                            "{\"pactfs-history\":1}");
    if (!scan_integer(&reader->scan, &version))
        return reader_scan_fault(reader);
    if (version != HISTORY_VERSION)
        return reader_fault(reader, fields->at[FIELD_VERSION],
                            "version %lld of the format is not known here; this PactFS reads "
                            "version 1",
                            (long long)version);
    reader->has_header = true;
    enum err err = optional_volume(reader, fields, &reader->history->volume);
    if (err == OK)
        err = optional_string(reader, fields, FIELD_CONTRACT, &reader->file->contract);
    if (err == OK)
        err = optional_string(reader, fields, FIELD_MADE_BY, &reader->file->made_by);
    if (err == OK)
        err = optional_bool(reader, fields, FIELD_ENDS, &reader->ends);
    if (err == OK && go_to(reader, fields, FIELD_PROMISES))
        err = promises(reader);
    if (err == OK && go_to(reader, fields, FIELD_MODELS))
        err = reader_models(reader);
    return err;
}

enum err reader_line(struct reader *reader, struct bytes line, bool last)
{
    struct fields fields = {0};
    reader->line++;
    scan_begin(&reader->scan, line);
    if (scan_ended(&reader->scan) || *reader->scan.at == '#')
        return OK;
    enum err err = find_fields(reader, &fields);
    bool cut = err != OK && last && reader->scan.problem_at == reader->scan.end;
    if (cut && reader->has_header) {
        reader->history->cut_off = true;
        return OK;
    }
    if (err != OK)
        return err;
    if (!reader->has_header)
        return header(reader, &fields);
    if (reader->ended)
        return reader_fault(reader, reader->scan.start, "nothing follows the event \"end\"");
    return event(reader, &fields);
}
