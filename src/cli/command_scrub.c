/* SPDX-License-Identifier: MIT
 *
 * command_scrub.c: verify every byte, through the node when it runs, otherwise directly and
 * read-only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cell_status.h"
#include "node/offline.h"

#define SILENCE_MS 120000 /* a scrub that says nothing for so long is stuck */
#define BAR        30u

struct report {
    bool json, bar, drawn;
    json_t *problems;
    uint64_t bytes, records, count;
};

static void clear_bar(struct report *report)
{
    if (report->drawn)
        fputs("\r\033[K", stdout);
    report->drawn = false;
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct report *report = ctx;
    char a[32], b[32];
    if (!report->bar || total == 0)
        return;
    unsigned full = (unsigned)(done >= total ? BAR : BAR * done / total);
    printf("\r[%.*s%*s] %s of %s\033[K", (int)full, "##############################",
           (int)(BAR - full), "", print_bytes(done, a, sizeof a), print_bytes(total, b, sizeof b));
    fflush(stdout);
    report->drawn = true;
}

static void on_problem(void *ctx, const char *file, uint64_t offset, const char *what)
{
    struct report *report = ctx;
    clear_bar(report);
    if (report->json)
        json_array_append_new(report->problems, json_pack("{s:s, s:I, s:s}", "file", file, "offset",
                                                          (json_int_t)offset, "what", what));
    else
        printf("damaged: %s at %llu: %s\n", file, (unsigned long long)offset, what);
}

static int print_report(struct report *report)
{
    char bytes[32];
    clear_bar(report);
    if (report->json)
        print_json(json_pack("{s:b, s:I, s:I, s:I, s:O}", "ok", 1, "bytes",
                             (json_int_t)report->bytes, "records", (json_int_t)report->records,
                             "problems", (json_int_t)report->count, "damaged", report->problems));
    else if (report->count == 0)
        printf("clean: %s in %llu records were verified\n",
               print_bytes(report->bytes, bytes, sizeof bytes),
               (unsigned long long)report->records);
    else
        printf("%llu damaged places in %s; restore the files concerned from a backup: one copy "
               "cannot be repaired\n",
               (unsigned long long)report->count, print_bytes(report->bytes, bytes, sizeof bytes));
    return report->count ? EXIT_DAMAGE : EXIT_DONE;
}

static uint64_t number(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static int scrub_online(struct client *client, struct report *report)
{
    json_t *answer = client_ask(client, "scrub", SILENCE_MS);
    while (answer && !json_object_get(answer, "ok")) {
        const json_t *p = json_object_get(answer, "problem");
        const char *file = json_string_value(json_object_get(p, "file"));
        const char *what = json_string_value(json_object_get(p, "what"));
        if (file && what)
            on_problem(report, file, number(p, "offset"), what);
        p = json_object_get(answer, "progress");
        if (p)
            on_progress(report, number(p, "bytes_done"), number(p, "bytes_total"));
        json_decref(answer);
        answer = client_read(client, SILENCE_MS);
    }
    int code;
    report->bytes = number(answer, "bytes");
    report->records = number(answer, "records");
    report->count = number(answer, "problems");
    if (answer_ok(answer)) {
        code = print_report(report);
    } else {
        clear_bar(report);
        code = complain_answer(answer);
    }
    json_decref(answer);
    return code;
}

/* What cannot even be opened for its damage counts as damage. */
static bool is_damage(enum err err)
{
    return err == ERR_CORRUPT || err == ERR_MISSING_SEGMENT || err == ERR_SHORT_SEGMENT ||
           err == ERR_DAMAGED_RECORD || err == ERR_INDEX;
}

static int scrub_offline(const char *home, struct report *report)
{
    struct store_error error = {""};
    struct offline_scrub scrub = {.problem = on_problem, .progress = on_progress, .ctx = report};
    enum err err = offline_scrub_run(home, &scrub, &error);
    if (err != OK) {
        clear_bar(report);
        complain("%s", error.text[0] ? error.text : err_text(err));
        return is_damage(err) ? EXIT_DAMAGE : EXIT_FAILED;
    }
    report->bytes = scrub.bytes;
    report->records = scrub.records;
    report->count = scrub.problems;
    return print_report(report);
}

int command_scrub(const struct arguments *arguments)
{
    char home[HOME_PATH_MAX];
    struct store_error error = {""};
    struct client client;
    bool wrong;
    struct cell_home *cell = cell_meant(arguments, &wrong);
    if (cell || wrong) {
        int code = wrong ? EXIT_FAILED : cell_scrub(arguments, cell, arguments->words[0]);
        free(cell);
        return code;
    }
    if (resolve_home(arguments->words[0], home, &error) != OK)
        return complain("%s", error.text);
    struct report report = {.json = option_given(arguments, "--json"),
                            .bar = !option_given(arguments, "--json") && on_terminal(),
                            .problems = json_array()};
    int code;
    if (client_open(&client, home)) {
        code = scrub_online(&client, &report);
        client_close(&client);
    } else {
        code = scrub_offline(home, &report);
    }
    json_decref(report.problems);
    return code;
}
