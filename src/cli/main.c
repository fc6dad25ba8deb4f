/* SPDX-License-Identifier: MIT
 *
 * main.c: pactfs COMMAND ...
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/contract/nearest.h"

#define COMMANDS_MAX 48u

static int unknown_command(const char *name)
{
    const char *names[COMMANDS_MAX + 1];
    unsigned count = 0;
    for (const struct command *c = commands; c->name && count < COMMANDS_MAX; c++)
        if (c->summary)
            names[count++] = c->name;
    names[count] = NULL;
    const char *near = nearest_word(name, names);
    if (near)
        complain("there is no command '%s'; did you mean '%s'?", name, near);
    else
        complain("there is no command '%s'; see: pactfs --help", name);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (argc < 2) {
        print_help(NULL);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(NULL);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("pactfs %s\n", PACTFS_VERSION);
        return EXIT_DONE;
    }
    const struct command *command = find_command(argv[1]);
    if (!command)
        return unknown_command(argv[1]);
    int code = parse_arguments(command, argc - 2, argv + 2, &arguments);
    if (code != EXIT_DONE)
        return code;
    arguments.program = argv[0];
    if (option_given(&arguments, "--help")) {
        print_help(command);
        return EXIT_DONE;
    }
    return command->run(&arguments);
}
