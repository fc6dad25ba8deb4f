/* SPDX-License-Identifier: MIT
 *
 * command_record.c: real processes over real directories, as a history for check.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/contract/nearest.h"
#include "io/history/history_file.h"
#include "record/record.h"

#define OPERATIONS_DEFAULT 10000

static volatile bool stopped; /* by SIGINT or SIGTERM: what was done so far is written */

static void on_signal(int number)
{
    (void)number;
    stopped = true;
}

static int choose_workload(const char *word, enum workload_kind *kind)
{
    const char *words[] = {"register", "list", "set", "counter", "bank", "tree", NULL};
    if (!word) {
        complain("which workload? As in: pactfs record --workload list DIR; there are register, "
                 "list, set, counter, bank and tree");
        return EXIT_USAGE;
    }
    if (workload_of_word(word, kind))
        return EXIT_DONE;
    const char *near = nearest_word(word, words);
    if (near)
        complain("there is no workload '%s'; did you mean %s?", word, near);
    else
        complain("there is no workload '%s'; there are register, list, set, counter, bank and tree",
                 word);
    return EXIT_USAGE;
}

static int choose_numbers(const struct arguments *arguments, struct record_options *options)
{
    static const struct option_range clients = {"--clients", 1, RECORD_CLIENTS_MAX};
    static const struct option_range operations = {"--operations", 1, 100000000};
    static const struct option_range seconds = {"--seconds", 1, 86400};
    static const struct option_range seed = {"--seed", 0, UINT64_MAX};
    /* A listing tells all names of a directory at once only while they are few. */
    struct option_range keys = {"--keys", options->kind == WORKLOAD_BANK ? 2 : 1,
                                options->kind == WORKLOAD_TREE ? 16 : RECORD_KEYS_MAX};
    uint64_t count = 4, key_count = 8;
    if (!option_number(arguments, &clients, &count) ||
        !option_number(arguments, &keys, &key_count) ||
        !option_number(arguments, &operations, &options->operations) ||
        !option_number(arguments, &seconds, &options->seconds) ||
        !option_number(arguments, &seed, &options->seed))
        return EXIT_USAGE;
    if (!options->operations && !options->seconds)
        options->operations = OPERATIONS_DEFAULT;
    options->clients = (uint32_t)count;
    options->keys = (uint32_t)key_count;
    return EXIT_DONE;
}

static int write_history(struct history *history, const char *output, const char *made_by)
{
    char by[128];
    snprintf(by, sizeof by, "%s", made_by);
    struct history_file file = {.history = history, .made_by = by};
    FILE *out = output ? fopen(output, "we") : stdout;
    if (!out)
        return complain("%s cannot be written: %s", output, strerror(errno));
    enum err err = history_file_write(&file, out);
    int number = errno;
    if (output && fclose(out) != 0 && err == OK) {
        err = ERR_IO;
        number = errno;
    }
    if (err != OK)
        return complain("the history cannot be written: %s", strerror(number));
    return EXIT_DONE;
}

/* Of the whole record, on stderr: the history itself may be going to stdout. */
static void say_summary(const struct history *history)
{
    uint32_t count[3] = {0};
    for (uint32_t i = 0; i < history->txn_count; i++)
        count[history->txns[i].outcome]++;
    fprintf(stderr, "pactfs: %u transactions: %u done, %u failed, %u of unknown outcome\n",
            history->txn_count, count[OUTCOME_DONE], count[OUTCOME_FAILED], count[OUTCOME_UNKNOWN]);
}

int command_record(const struct arguments *arguments)
{
    const char *output = option_value(arguments, "--output");
    struct record_options options = {.dirs = arguments->words,
                                     .dir_count = arguments->word_count,
                                     .sync = option_given(arguments, "--fsync"),
                                     .keep = option_given(arguments, "--keep"),
                                     .stop = &stopped,
                                     .seed = 1};
    struct text why = {0};
    struct history *history;
    char made_by[128];
    int code = choose_workload(option_value(arguments, "--workload"), &options.kind);
    if (code == EXIT_DONE)
        code = choose_numbers(arguments, &options);
    if (code != EXIT_DONE)
        return code;
    if (!output && isatty(STDOUT_FILENO)) {
        complain("the history would go to the terminal; give --output FILE, or > FILE");
        return EXIT_USAGE;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (record_run(&options, &history, &why) != OK) {
        complain("%s", text_string(&why));
        text_free(&why);
        return EXIT_FAILED;
    }
    snprintf(made_by, sizeof made_by,
             "pactfs record --workload %s --clients %u --keys %u --seed %llu",
             workload_word(options.kind), options.clients, options.keys,
             (unsigned long long)options.seed);
    code = write_history(history, output, made_by);
    if (code == EXIT_DONE)
        say_summary(history);
    history_free(history);
    return code;
}
