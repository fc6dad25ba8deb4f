/* SPDX-License-Identifier: MIT
 *
 * arguments.c: options anywhere, `--` ends them, --name VALUE or --name=VALUE.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/base/assert.h"
#include "core/contract/nearest.h"

/* The length of an option's name in "--name=value". */
static size_t name_length(const char *argument)
{
    const char *equals = strchr(argument, '=');
    return equals ? (size_t)(equals - argument) : strlen(argument);
}

static const struct option *find_option(const struct command *command, const char *argument)
{
    size_t len = name_length(argument);
    for (const struct option *option = command->options; option->name; option++)
        if (strlen(option->name) == len && strncmp(option->name, argument, len) == 0)
            return option;
    return NULL;
}

static int unknown_option(const struct command *command, const char *argument)
{
    char name[64];
    const char *names[OPTIONS_MAX + 1];
    unsigned count = 0;
    for (const struct option *option = command->options; option->name; option++) {
        INVARIANT(count < OPTIONS_MAX);
        names[count++] = option->name;
    }
    names[count] = NULL;
    snprintf(name, sizeof name, "%.*s", (int)name_length(argument), argument);
    const char *near = nearest_word(name, names);
    if (near)
        complain("there is no option %s for '%s'; did you mean %s?", name, command->name, near);
    else
        complain("there is no option %s for '%s'; see: pactfs %s --help", name, command->name,
                 command->name);
    return EXIT_USAGE;
}

/* One option at argv[*at]; moves *at over its value. */
static int take_option(const struct command *command, char **argv, int *at,
                       struct arguments *arguments)
{
    const char *argument = argv[*at];
    const struct option *option =
        find_option(command, strcmp(argument, "-h") == 0 ? "--help" : argument);
    if (!option)
        return unknown_option(command, argument);
    const char *given = strchr(argument, '=');
    if (!option->example && given) {
        complain("%s takes no value; leave '%s' out", option->name, given);
        return EXIT_USAGE;
    }
    const char *value = given ? given + 1 : option->example ? argv[++*at] : NULL;
    if (option->example && (!value || !*value)) {
        complain("%s needs a value, as in: pactfs %s %s %s", option->name, command->name,
                 option->name, option->example);
        return EXIT_USAGE;
    }
    if (arguments->given_count == GIVEN_MAX) {
        complain("there are more than %u options", GIVEN_MAX);
        return EXIT_USAGE;
    }
    arguments->given[arguments->given_count].option = option;
    arguments->given[arguments->given_count++].value = value;
    return EXIT_DONE;
}

bool option_given(const struct arguments *arguments, const char *name)
{
    for (unsigned i = 0; i < arguments->given_count; i++)
        if (strcmp(arguments->given[i].option->name, name) == 0)
            return true;
    return false;
}

const char *option_value(const struct arguments *arguments, const char *name)
{
    for (unsigned i = arguments->given_count; i-- > 0;)
        if (strcmp(arguments->given[i].option->name, name) == 0)
            return arguments->given[i].value;
    return NULL;
}

bool option_number(const struct arguments *arguments, const struct option_range *range,
                   uint64_t *number)
{
    const char *word = option_value(arguments, range->name);
    char *end = NULL;
    if (!word)
        return true;
    errno = 0;
    uint64_t value = word[0] >= '0' && word[0] <= '9' ? strtoull(word, &end, 10) : 0;
    if (!end || *end || errno || value < range->least || value > range->most) {
        complain("%s takes a whole number from %llu to %llu, not '%s'", range->name,
                 (unsigned long long)range->least, (unsigned long long)range->most, word);
        return false;
    }
    *number = value;
    return true;
}

bool parse_cache(const char *word, uint64_t *bytes)
{
    char *end = NULL;
    *bytes = 0;
    if (!word)
        return true;
    uint64_t mib = word[0] >= '0' && word[0] <= '9' ? strtoull(word, &end, 10) : 0;
    if (end && *end == 'G' && mib <= 1024)
        mib *= 1024;
    if (end && (*end == 'G' || *end == 'M'))
        end++;
    if (!end || *end || mib < 8 || mib > 1024 * 1024) {
        complain("--cache takes 8M to 1024G, not '%s'", word);
        return false;
    }
    *bytes = mib << 20;
    return true;
}

/* The length of the first line: complaints are one line. */
static int first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

int parse_arguments(const struct command *command, int argc, char **argv,
                    struct arguments *arguments)
{
    bool only_words = false;
    memset(arguments, 0, sizeof *arguments);
    arguments->command = command->name;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
            int code = take_option(command, argv, &i, arguments);
            if (code != EXIT_DONE)
                return code;
        } else if (arguments->word_count == command->most_words || !argv[i][0]) {
            complain("'%s' is one argument too many (or empty): pactfs %.*s", argv[i],
                     first_line(command->synopsis), command->synopsis);
            return EXIT_USAGE;
        } else {
            arguments->words[arguments->word_count++] = argv[i];
        }
    }
    if (!option_given(arguments, "--help") && arguments->word_count < command->least_words) {
        complain("something is missing: pactfs %.*s", first_line(command->synopsis),
                 command->synopsis);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}
