/* SPDX-License-Identifier: MIT
 *
 * command.c: pactfs sim: what is asked for, and the exit code.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/sim/sim.h"

#define PATIENCE_S  60u
#define SEEDS_USUAL 100u

/* --- options --- */

static unsigned processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > (int)JOBS_MAX ? JOBS_MAX : (unsigned)count;
}

static bool parse_seed(const char *from, char **end, uint64_t *seed)
{
    errno = 0;
    if (*from < '0' || *from > '9')
        return false;
    *seed = strtoull(from, end, 10);
    return errno == 0;
}

/* "A-B" or "A". */
static bool parse_seeds(const char *word, struct sim_options *o)
{
    char *end = NULL;
    bool good = parse_seed(word, &end, &o->first);
    o->last = o->first;
    if (good && *end == '-')
        good = parse_seed(end + 1, &end, &o->last);
    if (good && !*end && o->first <= o->last && o->last < UINT64_MAX)
        return true;
    complain("--seeds takes a number or two, as in 1-1000, not '%s'", word);
    return false;
}

/* A time is run with seeds that nobody ran before, unless they are given. */
static bool choose_seeds(const struct arguments *arguments, struct sim_options *o)
{
    const char *seeds = option_value(arguments, "--seeds"),
               *seed = option_value(arguments, "--seed");
    if (seeds && seed) {
        complain("--seed is one seed, --seeds is a range; give one of them");
        return false;
    }
    o->first = 1;
    o->last = SEEDS_USUAL;
    if (seed)
        return option_number(arguments, &(struct option_range){"--seed", 0, UINT64_MAX - 1},
                             &o->first) &&
               (o->last = o->first, true);
    if (seeds)
        return parse_seeds(seeds, o);
    if (!o->limit_ns)
        return true;
    uint32_t random = 1;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)real_ns();
    o->first = (uint64_t)random << 20;
    o->last = UINT64_MAX - 1;
    return true;
}

static bool add_set(struct sim_options *o, const char *word)
{
    const char *equals = strchr(word, '=');
    struct sim_set *set = &o->sets[o->set_count];
    if (!equals || equals == word || (size_t)(equals - word) >= sizeof set->key) {
        complain("--set takes KEY=VALUE, as in --set clients=2, not '%s'", word);
        return false;
    }
    snprintf(set->key, sizeof set->key, "%.*s", (int)(equals - word), word);
    set->value = equals + 1;
    o->set_count++;
    return true;
}

static bool take_numbers(const struct arguments *arguments, struct sim_options *o)
{
    uint64_t jobs = processors(), minutes = 0, hours = 0, patience = PATIENCE_S;
    if (!option_number(arguments, &(struct option_range){"--jobs", 1, JOBS_MAX}, &jobs) ||
        !option_number(arguments, &(struct option_range){"--minutes", 1, 100000}, &minutes) ||
        !option_number(arguments, &(struct option_range){"--hours", 1, 10000}, &hours) ||
        !option_number(arguments, &(struct option_range){"--patience", 1, 86400}, &patience))
        return false;
    o->jobs = (unsigned)jobs;
    o->limit_ns = (hours * 60 + minutes) * 60 * SECOND_NS;
    o->patience_ns = patience * SECOND_NS;
    return true;
}

static bool take_options(const struct arguments *arguments, struct sim_options *o)
{
    memset(o, 0, sizeof *o);
    o->program = arguments->program;
    o->transcript = option_given(arguments, "--transcript");
    o->trace = option_given(arguments, "--trace");
    o->shrink = !option_given(arguments, "--no-shrink") && !o->transcript;
    o->keep_going = option_given(arguments, "--keep-going");
    o->list = option_given(arguments, "--list");
    o->json = option_given(arguments, "--json");
    o->marks = option_given(arguments, "--marks");
    o->history = option_value(arguments, "--history");
    o->svg = option_value(arguments, "--svg");
    o->mutant = option_value(arguments, "--mutant");
    if (!take_numbers(arguments, o) || !choose_seeds(arguments, o))
        return false;
    for (unsigned i = 0; i < arguments->given_count; i++)
        if (strcmp(arguments->given[i].option->name, "--set") == 0 &&
            !add_set(o, arguments->given[i].value))
            return false;
    if (o->transcript && (o->first != o->last || o->json)) {
        complain("--transcript is of one run and for people: add --seed N, leave --json out");
        return false;
    }
    return !o->mutant || mutant_switch_on(o->mutant);
}

/* --- one run, or the first failure --- */

/* The task whose failure is told: the first that is bad, else a canary's when it is looked at. */
static const struct task *task_to_tell(const struct tasks *tasks, const struct sim_options *o)
{
    bool look = o->transcript || o->history || o->svg;
    for (unsigned i = 0; i < tasks->count; i++)
        if (task_bad(&tasks->at[i]))
            return &tasks->at[i];
    for (unsigned i = 0; look && i < tasks->count; i++)
        if (tasks->at[i].failure)
            return &tasks->at[i];
    return NULL;
}

/* A good run that is looked at: its transcript, its history. */
static int show_good_run(struct workers *workers, const struct tasks *tasks,
                         const struct sim_options *o)
{
    const struct task *task = &tasks->at[0];
    struct minimised run = {.scenario = sim_prepare(&task->asked, o, o->first)};
    struct job_done done;
    run.failure.seed = o->first;
    if (watch_run(workers, &run, &done) != DRIVE_OVER)
        return EXIT_FAILED;
    if (o->transcript)
        report_transcript(&done.transcript);
    text_free(&done.transcript);
    if (done.trouble[0])
        return complain("%s", done.trouble);
    return EXIT_DONE;
}

struct ending {
    const struct task *task; /* whose failure is told, or NULL */
    struct minimised run;
    struct job_done watched;
    bool was_watched;
};

static enum drive_end look_closer(struct workers *workers, const struct sim_options *o,
                                  struct ending *ending)
{
    if (!ending->task || !ending->task->failure)
        return DRIVE_OVER;
    if (!o->json && o->shrink && on_terminal()) {
        printf("a promise was broken; shrinking the run ...");
        fflush(stdout);
    }
    enum drive_end end = minimise(workers, ending->task, o, &ending->run);
    if (!o->json && o->shrink && on_terminal())
        printf("\r\033[K");
    if (end == DRIVE_OVER) {
        end = watch_run(workers, &ending->run, &ending->watched);
        ending->was_watched = end == DRIVE_OVER;
    }
    return end;
}

/* --- the end --- */

static json_t *failure_json(const struct ending *ending, const struct sim_options *o)
{
    const struct task *task = ending->task;
    if (!task || !task_bad(task))
        return json_null();
    if (!task->failure)
        return json_pack("{s:s, s:n, s:s, s:s}", "scenario", task->word, "seed", "promise",
                         "canary", "text", "The scenario must be caught, and no seed was.");
    return json_failure(task, o, &ending->run, ending->was_watched ? &ending->watched : NULL);
}

static void tell(const struct tasks *tasks, const struct sim_options *o,
                 const struct ending *ending, uint64_t since_ns)
{
    if (o->json) {
        json_t *json = json_tasks(tasks, real_ns() - since_ns);
        json_object_set_new(json, "failure", failure_json(ending, o));
        print_json(json);
        return;
    }
    if (o->transcript && ending->was_watched)
        report_transcript(&ending->watched.transcript);
    report_tasks(tasks, o);
    if (ending->task && ending->task->failure)
        report_failure(ending->task, o, &ending->run,
                       ending->was_watched ? &ending->watched : NULL);
}

static int exit_code(const struct tasks *tasks, enum drive_end end)
{
    for (unsigned i = 0; i < tasks->count; i++)
        if (tasks->at[i].failure && task_bad(&tasks->at[i]))
            return EXIT_BROKEN;
    if (end == DRIVE_INTERRUPTED)
        return complain("interrupted");
    if (end == DRIVE_TROUBLE)
        return EXIT_FAILED;
    for (unsigned i = 0; i < tasks->count; i++)
        if (task_bad(&tasks->at[i]))
            return EXIT_BROKEN;
    return EXIT_DONE;
}

static int run_tasks(struct tasks *tasks, const struct sim_options *o)
{
    uint64_t since = real_ns();
    struct ending *ending = calloc(1, sizeof *ending);
    struct workers *workers = ending ? workers_new(o) : NULL;
    int code = EXIT_DONE;
    if (!workers) {
        free(ending);
        return EXIT_FAILED;
    }
    enum drive_end end = drive(workers, tasks, o);
    bool look = o->first == o->last && tasks->count == 1 && (o->transcript || o->history);
    if (end == DRIVE_OVER)
        ending->task = task_to_tell(tasks, o);
    if (end == DRIVE_OVER && ending->task)
        end = look_closer(workers, o, ending);
    else if (end == DRIVE_OVER && look)
        code = show_good_run(workers, tasks, o);
    workers_free(workers); /* hands over the marks */
    tell(tasks, o, ending, since);
    text_free(&ending->watched.transcript);
    free(ending);
    int broken = exit_code(tasks, end);
    return broken != EXIT_DONE ? broken : code;
}

int command_sim(const struct arguments *arguments)
{
    struct sim_options options;
    struct tasks tasks = {0};
    if (option_given(arguments, "--list-mutants") || option_given(arguments, "--list-marks")) {
        instrumented_list(option_given(arguments, "--list-mutants"));
        return EXIT_DONE;
    }
    if (!take_options(arguments, &options))
        return EXIT_USAGE;
    int code = tasks_find(arguments->words, &tasks);
    if (code == EXIT_DONE && options.list)
        report_list(&tasks);
    else if (code == EXIT_DONE)
        code = tasks_set(&tasks, &options);
    if (code == EXIT_DONE && options.transcript && tasks.count != 1) {
        complain("--transcript is of one run: name one scenario");
        code = EXIT_USAGE;
    }
    if (code == EXIT_DONE && !options.list)
        code = run_tasks(&tasks, &options);
    tasks_free(&tasks);
    return code;
}
