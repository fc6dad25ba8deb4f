/* SPDX-License-Identifier: MIT
 *
 * help.c: what --help says.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Headings, each before one command. */
static const struct {
    const char *command, *heading;
} groups[] = {
    {"up", "Volumes:"},
    {"init", "\nCells of several machines:"},
    {"sim", "\nPromises, tried and judged:"},
    {"help", ""},
};

static void print_group(const char *name)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strcmp(groups[i].command, name) == 0)
            printf("%s\n", groups[i].heading);
}

void print_help(const struct command *command)
{
    if (command) {
        printf("pactfs %s\n\n%s%s%s\n", command->synopsis, command->summary ? command->summary : "",
               command->summary ? ".\n\n" : "", command->text);
        return;
    }
    printf("PactFS: a file system whose volumes say what they promise.\n\n");
    for (const struct command *c = commands; c->name; c++) {
        print_group(c->name);
        if (c->summary)
            printf("  pactfs %-13s %s\n", c->name, c->summary);
    }
    printf("\n  pactfs COMMAND --help   about one command, with examples\n"
           "  pactfs --version\n\n"
           "exit codes: 0 done, 1 could not be done, 2 not understood, 3 not running,\n"
           "            4 scrub found damage, 5 a promise is broken, 6 not decided\n");
}

int command_help(const struct arguments *arguments)
{
    const struct command *command = arguments->words[0] ? find_command(arguments->words[0]) : NULL;
    if (arguments->words[0] && !command) {
        complain("there is no command '%s'; see: pactfs help", arguments->words[0]);
        return EXIT_USAGE;
    }
    print_help(command);
    return EXIT_DONE;
}
