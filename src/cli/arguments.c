/* SPDX-License-Identifier: MIT
 *
 * arguments.c: options anywhere, `--` ends them, --name VALUE or --name=VALUE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/contract/nearest.h"

/* The length of an option's name in "--name=value". */
static size_t name_length(const char *argument)
{
    const char *equals = strchr(argument, '=');
    return equals ? (size_t)(equals - argument) : strlen(argument);
}

static const char *find_option(const struct command *command, const char *argument)
{
    size_t len = name_length(argument);
    for (const char *const *option = command->options; *option; option++)
        if (strlen(*option) == len && strncmp(*option, argument, len) == 0)
            return *option;
    return NULL;
}

static int unknown_option(const struct command *command, const char *argument)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)name_length(argument), argument);
    const char *near = nearest_word(name, command->options);
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
    const char *option = strcmp(argument, "-h") == 0 ? "--help" : find_option(command, argument);
    if (!option)
        return unknown_option(command, argument);
    const char **value = strcmp(option, "--mount") == 0      ? &arguments->mount
                         : strcmp(option, "--ready-fd") == 0 ? &arguments->ready
                         : strcmp(option, "--cache") == 0    ? &arguments->cache
                                                             : NULL;
    const char *given = strchr(argument, '=');
    if (!value && given) {
        complain("%s takes no value; leave '%s' out", option, given);
        return EXIT_USAGE;
    }
    if (!value) {
        arguments->json |= strcmp(option, "--json") == 0;
        arguments->help |= strcmp(option, "--help") == 0;
        arguments->allow_other |= strcmp(option, "--allow-other") == 0;
        arguments->rebuild_index |= strcmp(option, "--rebuild-index") == 0;
        return EXIT_DONE;
    }
    *value = given ? given + 1 : argv[++*at];
    if (*value && **value)
        return EXIT_DONE;
    complain("%s needs a value, as in: pactfs %s %s %s", option, command->name, option,
             value == &arguments->cache ? "256M" : "./mnt");
    return EXIT_USAGE;
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
            complain("'%s' is one argument too many (or empty): pactfs %s", argv[i],
                     command->synopsis);
            return EXIT_USAGE;
        } else {
            arguments->words[arguments->word_count++] = argv[i];
        }
    }
    if (!arguments->help && arguments->word_count < command->least_words) {
        complain("something is missing: pactfs %s", command->synopsis);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}
