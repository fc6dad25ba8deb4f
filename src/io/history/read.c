/* SPDX-License-Identifier: MIT
 *
 * read.c: a history file as lines.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/history/reader.h"

#define CHUNK (1u << 20)

static void reader_begin(struct reader *reader, struct history_file *file,
                         struct history_fault *fault)
{
    *file = (struct history_file){.history = history_new()};
    *fault = (struct history_fault){0};
    *reader = (struct reader){.file = file, .history = file->history, .fault = fault};
}

/* All lines were read, or one was not right. */
static enum err reader_end(struct reader *reader, enum err err)
{
    struct history_file *file = reader->file;
    if (err == OK && !reader->has_header) {
        *reader->fault = (struct history_fault){.line = 1, .column = 1};
        snprintf(reader->fault->text, sizeof reader->fault->text,
                 "this is no history: the first line is a header, such as {\"pactfs-history\":1}");
        err = ERR_DECODE;
    }
    if (reader->ends && !reader->ended)
        file->history->cut_off = true;
    file->lines = reader->line;
    scan_free(&reader->scan);
    free(reader->processes);
    free(reader->keys);
    free(reader->declared);
    free(reader->values);
    free(reader->numbers);
    if (err != OK)
        history_file_free(file);
    return err;
}

static enum err too_long(struct reader *reader)
{
    *reader->fault = (struct history_fault){.line = reader->line + 1, .column = 1};
    snprintf(reader->fault->text, sizeof reader->fault->text,
             "the line is longer than %u MiB, the most that is read", HISTORY_LINE_MAX >> 20);
    return ERR_LIMIT;
}

/* The whole lines of `text`; *used is where the first that is not whole begins. */
static enum err whole_lines(struct reader *reader, struct bytes text, size_t *used)
{
    const uint8_t *end;
    enum err err = OK;
    *used = 0;
    while (err == OK && *used < text.len &&
           (end = memchr(text.data + *used, '\n', text.len - *used))) {
        struct bytes line = {text.data + *used, (size_t)(end - (text.data + *used))};
        err = line.len > HISTORY_LINE_MAX ? too_long(reader) : reader_line(reader, line, false);
        *used += line.len + 1;
    }
    return err;
}

enum err history_file_decode(struct bytes text, struct history_file *file,
                             struct history_fault *fault)
{
    struct reader reader;
    size_t used;
    reader_begin(&reader, file, fault);
    enum err err = whole_lines(&reader, text, &used);
    if (err == OK && used < text.len)
        err = reader_line(&reader, (struct bytes){text.data + used, text.len - used}, true);
    return reader_end(&reader, err);
}

/* A part of the file in memory: what stands behind the last whole line, then what was read. */
struct window {
    uint8_t *data;
    size_t len, room;
    uint64_t total;
};

/* Reads more; *more is false at the end of the file. */
static enum err fill(struct reader *reader, int fd, struct window *window, bool *more)
{
    if (window->room - window->len < CHUNK) {
        window->room = window->room * 2 + CHUNK;
        window->data = realloc(window->data, window->room);
        INVARIANT(window->data != NULL);
    }
    ssize_t n;
    do
        n = read(fd, window->data + window->len, CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        int number = errno;
        *reader->fault = (struct history_fault){0};
        snprintf(reader->fault->text, sizeof reader->fault->text, "it cannot be read: %s",
                 strerror(number));
        return err_from_errno(number);
    }
    window->len += (size_t)n;
    window->total += (uint64_t)n;
    *more = n > 0;
    return OK;
}

enum err history_file_read(int fd, const struct history_progress *progress,
                           struct history_file *file, struct history_fault *fault)
{
    struct reader reader;
    struct window window = {0};
    bool more = true;
    enum err err = OK;
    reader_begin(&reader, file, fault);
    while (err == OK && more) {
        size_t used = 0;
        err = fill(&reader, fd, &window, &more);
        if (err == OK)
            err = whole_lines(&reader, (struct bytes){window.data, window.len}, &used);
        if (err == OK && window.len - used > HISTORY_LINE_MAX)
            err = too_long(&reader);
        memmove(window.data, window.data + used, window.len - used);
        window.len -= used;
        if (err == OK && progress)
            progress->report(progress->ctx, window.total, file->history->txn_count);
    }
    if (err == OK && window.len)
        err = reader_line(&reader, (struct bytes){window.data, window.len}, true);
    free(window.data);
    return reader_end(&reader, err);
}

void history_file_free(struct history_file *file)
{
    history_free(file->history);
    free(file->contract);
    free(file->made_by);
    *file = (struct history_file){0};
}
