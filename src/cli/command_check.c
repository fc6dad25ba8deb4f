/* SPDX-License-Identifier: MIT
 *
 * command_check.c: what clients saw against what was promised.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/check.h"
#include "core/base/assert.h"
#include "core/contract/nearest.h"

#define STEPS_DEFAULT 20000000 /* of a search: some seconds */

/* --- which promises --- */

static int unknown_promise(const char *word)
{
    const char *words[PROMISE_COUNT + 1] = {NULL};
    for (unsigned p = 0; p < PROMISE_COUNT; p++)
        words[p] = promise_word(p);
    const char *near = nearest_word(word, words);
    if (near)
        complain("there is no promise '%s'; did you mean '%s'?", word, near);
    else
        complain("there is no promise '%s'; see: pactfs check --promises", word);
    return EXIT_USAGE;
}

/* "causal,pram" */
static int take_promises(struct check *check, const char *list)
{
    char word[32];
    enum promise promise;
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word), at);
        if (!promise_of_word(word, &promise))
            return unknown_promise(word);
        check->wanted[promise] = true;
        at += len;
        if (!*at)
            return EXIT_DONE;
    }
}

static int given_promises(struct check *check, const struct arguments *arguments)
{
    for (unsigned i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, "--promise") != 0)
            continue;
        int code = take_promises(check, arguments->given[i].value);
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

/* Those of the command line, or of the header, or all that say something of such a history. */
static void choose_promises(struct check *check, const struct arguments *arguments)
{
    if (option_given(arguments, "--promise"))
        return;
    bool header = check->file.promises && !option_given(arguments, "--all");
    for (unsigned p = 0; p < PROMISE_COUNT; p++)
        check->wanted[p] =
            header ? check->file.promised[p] : promise_applies(check->file.history, p);
}

/* --- reading --- */

static void say_progress(const char *what, uint64_t number)
{
    printf("\r%s %llu\033[K", what, (unsigned long long)number);
    fflush(stdout);
}

static void on_read(void *ctx, uint64_t bytes, uint64_t transactions)
{
    uint64_t *last = ctx;
    if (bytes - *last < (8u << 20))
        return;
    *last = bytes;
    say_progress("reading: transactions:", transactions);
}

static int read_history(struct check *check, bool progress)
{
    struct history_fault fault;
    uint64_t last = 0;
    struct history_progress report = {on_read, &last};
    bool in = strcmp(check->name, "-") == 0;
    const char *name = in ? "standard input" : check->name;
    int fd = in ? STDIN_FILENO : open(check->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return complain("%s cannot be opened: %s", name, strerror(errno));
    enum err err = history_file_read(fd, progress ? &report : NULL, &check->file, &fault);
    if (!in)
        close(fd);
    if (progress && last)
        fputs("\r\033[K", stdout);
    if (err == OK)
        return EXIT_DONE;
    if (fault.line)
        return complain("%s:%llu:%llu: %s", name, (unsigned long long)fault.line,
                        (unsigned long long)fault.column, fault.text);
    return complain("%s: %s", name, fault.text);
}

/* --- pictures --- */

/* FILE for the first, FILE with the promise's word before its ending for others. */
static char *picture_name(const char *file, const char *word)
{
    char *name = NULL;
    const char *slash = strrchr(file, '/');
    const char *dot = strrchr(slash ? slash : file, '.');
    int head = (int)(dot ? (size_t)(dot - file) : strlen(file));
    int len = word ? asprintf(&name, "%.*s-%s%s", head, file, word, dot ? dot : "")
                   : asprintf(&name, "%s", file);
    INVARIANT(len >= 0);
    return name;
}

static int draw(struct check *check, struct finding *finding, const char *file)
{
    struct text svg = {0};
    verdict_draw(check->file.history, &finding->verdict, &svg);
    FILE *out = fopen(file, "we");
    bool good = out && fwrite(svg.data, 1, svg.len, out) == svg.len;
    if (out && fclose(out) != 0)
        good = false;
    text_free(&svg);
    return good ? EXIT_DONE
                : complain("the picture %s cannot be written: %s", file, strerror(errno));
}

static int draw_all(struct check *check, const char *file)
{
    bool first = true;
    for (unsigned i = 0; i < check->count; i++) {
        struct finding *f = &check->findings[i];
        if (f->verdict.result != CHECK_BROKEN)
            continue;
        f->picture = picture_name(file, first ? NULL : promise_word(f->verdict.promise));
        int code = draw(check, f, f->picture);
        if (code != EXIT_DONE)
            return code;
        first = false;
    }
    return EXIT_DONE;
}

/* --- the command --- */

static bool holds(const struct check *check, enum promise promise)
{
    for (unsigned i = 0; i < check->count; i++)
        if (check->findings[i].verdict.promise == promise)
            return check->findings[i].verdict.result == CHECK_HOLDS;
    return false;
}

/* The two promises whose search may take long hold when a stronger one does, which was judged
 * before (Viotti and Vukolic 2016, figure 1). */
static bool follows(const struct check *check, enum promise promise)
{
    if (promise == PROMISE_SEQUENTIAL)
        return holds(check, PROMISE_LINEARISABLE);
    return promise == PROMISE_PRAM &&
           (holds(check, PROMISE_LINEARISABLE) || holds(check, PROMISE_SEQUENTIAL));
}

static void judge_one(struct check *check, enum promise promise, const struct check_limits *limits)
{
    struct verdict *verdict = &check->findings[check->count].verdict;
    if (follows(check, promise))
        *verdict = (struct verdict){.promise = promise, .text = ""};
    else
        check_history(check->file.history, promise, limits, &check->arena, verdict);
    check->count++;
}

static void judge(struct check *check, const struct check_limits *limits, bool progress)
{
    for (unsigned p = 0; p < PROMISE_COUNT; p++) {
        if (!check->wanted[p])
            continue;
        if (progress) {
            printf("\rchecking: %s\033[K", promise_word(p));
            fflush(stdout);
        }
        judge_one(check, p, limits);
    }
    if (progress)
        fputs("\r\033[K", stdout);
}

static int code_of(const struct check *check)
{
    unsigned count[4] = {0};
    for (unsigned i = 0; i < check->count; i++)
        count[check->findings[i].verdict.result]++;
    if (count[CHECK_BROKEN])
        return EXIT_BROKEN;
    return count[CHECK_UNDECIDED] || !count[CHECK_HOLDS] ? EXIT_UNDECIDED : EXIT_DONE;
}

static int check_and_tell(struct check *check, const struct arguments *arguments,
                          const struct check_limits *limits)
{
    bool json = option_given(arguments, "--json");
    const char *svg = option_value(arguments, "--svg");
    choose_promises(check, arguments);
    judge(check, limits, !json && on_terminal());
    int code = svg ? draw_all(check, svg) : EXIT_DONE;
    if (code == EXIT_DONE)
        code = code_of(check);
    if (json)
        check_print_json(check);
    else
        check_print(check);
    return code;
}

int command_check(const struct arguments *arguments)
{
    static const struct option_range steps = {"--steps", 1, UINT64_MAX};
    struct check check = {.name = arguments->words[0]};
    struct check_limits limits = {.steps = STEPS_DEFAULT};
    bool json = option_given(arguments, "--json");
    if (option_given(arguments, "--promises")) {
        check_list(json);
        return EXIT_DONE;
    }
    if (!check.name) {
        complain("which history? As in: pactfs check HISTORY, or - for standard input");
        return EXIT_USAGE;
    }
    if (!option_number(arguments, &steps, &limits.steps))
        return EXIT_USAGE;
    int code = given_promises(&check, arguments);
    if (code == EXIT_DONE)
        code = read_history(&check, !json && on_terminal());
    if (code != EXIT_DONE)
        return code;
    arena_init(&check.arena);
    code = check_and_tell(&check, arguments, &limits);
    for (unsigned i = 0; i < check.count; i++)
        free(check.findings[i].picture);
    arena_free(&check.arena);
    history_file_free(&check.file);
    return code;
}
