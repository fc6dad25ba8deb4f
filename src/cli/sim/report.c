/* SPDX-License-Identifier: MIT
 *
 * report.c: what was run and what broke, for people.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/sim/sim.h"

#define LINES_BEFORE 40u /* of the transcript, before what broke */
#define LINES_AFTER  4u

static bool progress_shown;

const char *print_time(uint64_t ns, char *buf, size_t size)
{
    uint64_t s = ns / SECOND_NS;
    if (s >= 36000)
        snprintf(buf, size, "%llu.%llu h", (unsigned long long)(s / 3600),
                 (unsigned long long)(s % 3600 / 360));
    else if (s >= 600)
        snprintf(buf, size, "%llu min", (unsigned long long)(s / 60));
    else if (s >= 10)
        snprintf(buf, size, "%llu s", (unsigned long long)s);
    else
        snprintf(buf, size, "%llu.%llu s", (unsigned long long)s,
                 (unsigned long long)(ns % SECOND_NS / (SECOND_NS / 10)));
    return buf;
}

static uint64_t all_faults(const struct sums *sums)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++)
        sum += sums->faults[i];
    return sum;
}

static uint64_t ratio(uint64_t simulated_ns, uint64_t real)
{
    return real ? simulated_ns / real : 0;
}

/* --- what there is --- */

void report_list(const struct tasks *tasks)
{
    print_heading("Scenarios");
    for (unsigned i = 0; i < tasks->count; i++)
        printf("  %-24s %s\n", tasks->at[i].word, tasks->at[i].about);
    print_heading("Systems");
    for (const struct run_system *system = run_systems(); system->word; system++)
        printf("  %-24s %s\n", system->word, system->text);
}

/* --- while it runs --- */

void report_progress(const struct tasks *tasks, const struct sim_options *options,
                     uint64_t since_ns)
{
    char time[32];
    uint64_t seeds = 0, simulated = 0, faults = 0, spent = real_ns() - since_ns;
    const struct task *now = NULL;
    if (!on_terminal() || options->json || options->transcript)
        return;
    for (unsigned i = 0; i < tasks->count; i++) {
        const struct task *task = &tasks->at[i];
        seeds += task->sums.seeds;
        simulated += task->sums.simulated_ns;
        faults += all_faults(&task->sums);
        if (task->under_way && !now)
            now = task;
    }
    printf("\r\033[K%s: %llu seeds, %s simulated, %llu times as fast as real time, %llu faults",
           now ? now->word : "", (unsigned long long)seeds,
           print_time(simulated, time, sizeof time), (unsigned long long)ratio(simulated, spent),
           (unsigned long long)faults);
    fflush(stdout);
    progress_shown = true;
}

void report_progress_clear(void)
{
    if (progress_shown)
        printf("\r\033[K");
    progress_shown = false;
}

/* --- at the end --- */

static void print_verdict(const struct task *task)
{
    if (canary_caught(task))
        printf("  broken, as it must be: %s, seed %llu\n", task->failure->promise,
               (unsigned long long)task->failure->seed);
    else if (task->failure)
        printf("  BROKEN: %s, seed %llu%s\n", task->failure->promise,
               (unsigned long long)task->failure->seed, task->failures > 1 ? " and others" : "");
    else if (task->asked.expect_broken)
        printf("  NOT BROKEN, but it must be: it is a canary, and no seed was caught\n");
}

void report_tasks(const struct tasks *tasks, const struct sim_options *options)
{
    char time[32];
    for (unsigned i = 0; i < tasks->count; i++) {
        const struct task *task = &tasks->at[i];
        const struct sums *s = &task->sums;
        if (task->next == options->first) /* it had no turn */
            continue;
        printf("%-24s %7llu seeds %9s simulated %6llu x %10llu transactions %7llu unknown %8llu "
               "faults",
               task->word, (unsigned long long)s->seeds,
               print_time(s->simulated_ns, time, sizeof time),
               (unsigned long long)ratio(s->simulated_ns, s->cpu_ns),
               (unsigned long long)s->transactions, (unsigned long long)s->unknown,
               (unsigned long long)all_faults(s));
        if (s->undecided)
            printf(" %llu undecided", (unsigned long long)s->undecided);
        if (options->trace)
            printf(" trace %016llx", (unsigned long long)s->trace);
        printf("\n");
        print_verdict(task);
    }
    if (options->marks)
        marks_report();
}

/* --- the command that replays --- */

static void add_quoted(struct text *out, const char *word)
{
    if (word[0] && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789./_-=%:,+@")]) {
        text_add(out, "%s", word);
        return;
    }
    text_add(out, "'");
    for (const char *c = word; *c; c++)
        text_add(out, *c == '\'' ? "'\\''" : "%c", *c);
    text_add(out, "'");
}

static void add_set(void *ctx, const char *key, const char *value)
{
    struct text word = {0}, *out = ctx;
    text_add(&word, "%s=%s", key, value);
    text_add(out, " --set ");
    add_quoted(out, text_string(&word));
    text_free(&word);
}

void replay_command(const struct task *task, const struct sim_options *options,
                    const struct minimised *run, struct text *out)
{
    add_quoted(out, options->program);
    text_add(out, " sim ");
    add_quoted(out, task->word);
    text_add(out, " --seed %llu", (unsigned long long)run->failure.seed);
    if (options->mutant)
        text_add(out, " --mutant %s", options->mutant);
    scenario_differences(&task->file, &run->scenario, add_set, out);
    text_add(out, " --transcript");
}

/* --- the transcript --- */

struct line {
    uint64_t ns;
    const char *who, *text; /* ended by NUL */
};

struct lines {
    struct line *at;
    size_t count;
    char *memory;
};

/* Parts a copy of the transcript into lines; what a dying child left half written is left out. */
static void split_lines(const struct text *transcript, struct lines *lines)
{
    size_t room = 0;
    memset(lines, 0, sizeof *lines);
    for (size_t i = 0; i < transcript->len; i++)
        room += transcript->data[i] == '\n';
    lines->memory = malloc(transcript->len + 1);
    lines->at = calloc(room + 1, sizeof *lines->at);
    if (!lines->memory || !lines->at)
        return;
    memcpy(lines->memory, text_string(transcript), transcript->len);
    char *at = lines->memory, *end;
    for (size_t i = 0; i < room; i++, at = end + 1) {
        end = memchr(at, '\n', transcript->len - (size_t)(at - lines->memory));
        *end = 0;
        char *who = strchr(at, '\t'), *text = who ? strchr(who + 1, '\t') : NULL;
        if (!text)
            continue;
        *who = *text = 0;
        lines->at[lines->count++] = (struct line){strtoull(at, NULL, 10), who + 1, text + 1};
    }
}

static void free_lines(struct lines *lines)
{
    free(lines->at);
    free(lines->memory);
}

static void print_line(const struct line *line)
{
    printf("  %4llu.%03llu  %-10s %s\n", (unsigned long long)(line->ns / SECOND_NS),
           (unsigned long long)(line->ns % SECOND_NS / 1000000), line->who, line->text);
}

void report_transcript(const struct text *transcript)
{
    struct lines lines;
    split_lines(transcript, &lines);
    for (size_t i = 0; i < lines.count; i++)
        print_line(&lines.at[i]);
    free_lines(&lines);
}

/* Those before `at_ns` and a few behind it; the last of all when that is 0. */
static void print_excerpt(const struct text *transcript, uint64_t at_ns)
{
    struct lines lines;
    split_lines(transcript, &lines);
    size_t end = 0;
    while (end < lines.count && (!at_ns || lines.at[end].ns <= at_ns))
        end++;
    size_t first = end > LINES_BEFORE ? end - LINES_BEFORE : 0;
    if (at_ns)
        end = end + LINES_AFTER < lines.count ? end + LINES_AFTER : lines.count;
    if (first)
        printf("  ... %zu lines before; --transcript shows them\n", first);
    for (size_t i = first; i < end; i++)
        print_line(&lines.at[i]);
    free_lines(&lines);
}

/* --- a failure --- */

static void print_text(const char *indent, const char *text)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        printf("%s%.*s\n", indent, (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static const char *meaning(const char *promise)
{
    static const struct {
        const char *word, *text;
    } others[] = {
        {"structure",
         "the tree of files is one: every name leads to an inode, every count is right"},
        {"scrub", "every checksum is right, and damage is named"},
        {"rebuild", "an index made anew from the log says the same as the old one"},
        {"start", "the system starts again after a fault"},
        {"progress", "when the faults have ended, operations end and new ones succeed"},
        {"error", "only errors that the faults explain are answered"},
        {"invariant", "the program's own invariants hold"},
        {"crash", "the program does not end by a signal"},
        {"sanitizer", "the program does nothing that a sanitizer reports"},
        {"hang", "a run ends in a reasonable time"},
    };
    enum promise known;
    if (promise_of_word(promise, &known))
        return promise_text(known);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].word, promise) == 0)
            return others[i].text;
    return "";
}

static void print_change(void *ctx, const char *key, const char *value)
{
    unsigned *count = ctx;
    printf("%s%s = %s", (*count)++ ? ", " : "  ", key, *value ? value : "(default)");
}

static void print_shrinking(const struct minimised *run)
{
    char time[32];
    unsigned changes = 0;
    if (!run->tried)
        return;
    printf("\nShrinking tried %u smaller runs in %s, and took %u%s\n", run->tried,
           print_time(run->took_ns, time, sizeof time), run->taken, run->taken ? ":" : ".");
    scenario_differences(&run->from, &run->scenario, print_change, &changes);
    if (changes)
        printf("\n");
}

static void print_files(const struct sim_options *options, const struct job_done *watched)
{
    if (watched->wrote_history)
        printf("\nThe history is in %s; pactfs check judges it.\n", options->history);
    if (watched->wrote_svg)
        printf("\nThe picture is in %s.\n", options->svg);
    else if (options->svg)
        printf("\nThere is no picture: this failure has no witness of operations.\n");
    if (watched->trouble[0])
        complain("%s", watched->trouble);
}

void report_failure(const struct task *task, const struct sim_options *options,
                    const struct minimised *run, const struct job_done *watched)
{
    struct text command = {0};
    const struct failure *failure = &run->failure;
    char title[SCENARIO_PATH + 128];
    snprintf(title, sizeof title, "BROKEN: %s, seed %llu: %s", task->word,
             (unsigned long long)failure->seed, failure->promise);
    printf("\n");
    print_heading(title);
    if (*meaning(failure->promise))
        printf("  The promise: %s.\n", meaning(failure->promise));
    printf("\n");
    print_text("  ", failure->text);
    if (failure->seed != task->failure->seed)
        printf("\nFirst seen with seed %llu.\n", (unsigned long long)task->failure->seed);
    print_shrinking(run);
    if (watched && !options->transcript) {
        printf("\nWhat happened (seconds of virtual time):\n");
        print_excerpt(&watched->transcript, failure->at_ns);
    }
    replay_command(task, options, run, &command);
    printf("\nTo see it again:\n  %s\n", text_string(&command));
    text_free(&command);
    if (watched)
        print_files(options, watched);
}
