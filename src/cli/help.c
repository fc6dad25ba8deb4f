/* SPDX-License-Identifier: MIT
 *
 * help.c: every command, what it takes, and examples.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define DEFAULTS                                                                  \
    "HOME is the directory of the volume; without it, $XDG_DATA_HOME/pactfs or\n" \
    "~/.local/share/pactfs."

/* clang-format off */
#define END           {NULL, NULL}
#define HELP          {"--help", NULL}
#define JSON          {"--json", NULL}
#define MOUNT         {"--mount", "./mnt"}
#define CACHE         {"--cache", "256M"}
#define ALLOW_OTHER   {"--allow-other", NULL}
#define REBUILD_INDEX {"--rebuild-index", NULL}
/* clang-format on */

static const struct option only_help[] = {HELP, END};
static const struct option with_json[] = {JSON, HELP, END};
static const struct option for_up[] = {MOUNT, JSON, ALLOW_OTHER, REBUILD_INDEX, CACHE, HELP, END};
static const struct option for_serve[] = {
    MOUNT, ALLOW_OTHER, REBUILD_INDEX, {"--ready-fd", "3"}, CACHE, HELP, END};
static const struct option for_sim[] = {{"--seeds", "1-1000"},
                                        {"--seed", "7"},
                                        {"--jobs", "2"},
                                        {"--set", "clients=2"},
                                        {"--minutes", "5"},
                                        {"--hours", "8"},
                                        {"--patience", "60"},
                                        {"--transcript", NULL},
                                        {"--trace", NULL},
                                        {"--history", "run.jsonl"},
                                        {"--svg", "run.svg"},
                                        {"--no-shrink", NULL},
                                        {"--keep-going", NULL},
                                        {"--list", NULL},
#ifdef PACTFS_INSTRUMENTED
                                        {"--mutant", "log_skip_sync"},
                                        {"--marks", NULL},
                                        {"--list-mutants", NULL},
                                        {"--list-marks", NULL},
#endif
                                        JSON,
                                        HELP,
                                        END};
static const struct option for_check[] = {{"--promise", "serialisable"},
                                          {"--svg", "broken.svg"},
                                          {"--all", NULL},
                                          {"--promises", NULL},
                                          {"--steps", "200000000"},
                                          JSON,
                                          HELP,
                                          END};
static const struct option for_record[] = {{"--workload", "list"},
                                           {"--clients", "4"},
                                           {"--keys", "8"},
                                           {"--operations", "10000"},
                                           {"--seconds", "10"},
                                           {"--seed", "1"},
                                           {"--output", "run.history"},
                                           {"--fsync", NULL},
                                           {"--keep", NULL},
                                           HELP,
                                           END};

const struct command commands[] = {
    {"up", "up [HOME] [--mount DIR] [--cache SIZE] [--allow-other] [--rebuild-index] [--json]",
     "make or start a volume and mount it",
     "Starts one background process for the volume in HOME and returns when the volume\n"
     "is usable. A volume is made when there is none. " DEFAULTS "\n"
     "DIR is where it is mounted; without it, ./mnt. DIR is made when it is missing and\n"
     "the directory above it exists. Root's mounts are open to all users; others need\n"
     "--allow-other for that, and user_allow_other in /etc/fuse.conf.\n"
     "--cache is how much of the index may stay in memory, 64M by default.\n"
     "--rebuild-index makes the index again from the log: the way out when the index is\n"
     "damaged, or when a damaged record in the log stops the start (it is passed over).\n"
     "\n"
     "  pactfs up                        the default home, mounted at ./mnt\n"
     "  pactfs up ~/vol --mount ~/files\n"
     "  pactfs up ~/vol --cache 256M     for millions of files\n"
     "  pactfs up ~/vol --rebuild-index  after damage",
     for_up, 0, 1, command_up},
    {"down", "down [HOME]", "unmount and stop",
     "Unmounts, writes a checkpoint, ends the process. " DEFAULTS "\n"
     "Nothing running is no error.\n"
     "\n"
     "  pactfs down ~/vol",
     only_help, 0, 1, command_down},
    {"status", "status [HOME] [--json]", "what runs and how it is doing",
     DEFAULTS "\n"
              "Exit code 3: the volume is not running.\n"
              "\n"
              "  pactfs status --json ~/vol",
     with_json, 0, 1, command_status},
    {"explain", "explain [HOME] [--json]", "the volume's promise in plain sentences",
     "Who sees a write when, what is on the disk when, what a crash leaves. " DEFAULTS "\n"
     "\n"
     "  pactfs explain ~/vol",
     with_json, 0, 1, command_explain},
    {"scrub", "scrub [HOME] [--json]", "verify every checksum",
     "Reads the whole volume, beside other work when it runs, read-only when it does\n"
     "not. " DEFAULTS "\n"
     "Exit code 4: damage was found; each place is named.\n"
     "\n"
     "  pactfs scrub ~/vol",
     with_json, 0, 1, command_scrub},
    {"mount", "mount DIR [HOME]", "mount a running volume that is not mounted",
     "A volume has one mount in this version; use mount --bind to see it elsewhere. " DEFAULTS "\n"
     "\n"
     "  pactfs mount ~/files ~/vol",
     only_help, 1, 2, command_mount},
    {"umount", "umount [HOME]", "unmount; the volume stays up",
     DEFAULTS "\n"
              "\n"
              "  pactfs umount ~/vol",
     only_help, 0, 1, command_umount},
    {"sync", "sync [HOME]", "return when all that PactFS was given is on the disk",
     "What the kernel's page cache still holds is not part of it; fsync is. " DEFAULTS "\n"
     "\n"
     "  pactfs sync ~/vol",
     only_help, 0, 1, command_store},
    {"clean", "clean [HOME]", "give back the space of what was deleted, now",
     "PactFS does so by itself when it is idle. " DEFAULTS "\n"
     "\n"
     "  pactfs clean ~/vol",
     only_help, 0, 1, command_store},
    {"checkpoint", "checkpoint [HOME]", "write the index now, so that the next start is short",
     "PactFS does so by itself as the log grows, and on down. " DEFAULTS "\n"
     "\n"
     "  pactfs checkpoint ~/vol",
     only_help, 0, 1, command_store},
    {"serve", "serve [HOME] [--mount DIR] [--cache SIZE] [--allow-other] [--rebuild-index]",
     "run in the foreground",
     "What up starts, for service managers: ends on SIGTERM, SIGINT or pactfs down, and\n"
     "says what it has to say on standard error. " DEFAULTS "\n"
     "\n"
     "  pactfs serve /srv/vol --mount /srv/files",
     for_serve, 0, 1, command_serve},
    {"sim",
     "sim [SCENARIO|FILE]... [--seeds A-B|--seed N] [--minutes M|--hours H] [--jobs N]\n"
     "           [--set KEY=VALUE]... [--transcript] [--history FILE] [--svg FILE]\n"
     "           [--keep-going] [--no-shrink] [--patience SECONDS] [--trace] [--list] [--json]",
     "try the promises in a simulated world",
     "Runs scenarios (all there are, without a name) in virtual time, each with 100 seeds:\n"
     "the same seed gives the same run, on any machine. Stops at the first broken promise,\n"
     "makes that run smaller, shows what happened and the one command that replays it.\n"
     "--set changes a line of the scenario; --minutes goes on with fresh seeds for that\n"
     "long; --keep-going does not stop at a failure; --patience is how many seconds of\n"
     "real time one seed may take (60). A word with a '/' or ending in .scn is a file;\n"
     "docs/scenarios.md describes them.\n"
     "Exit code 5: a promise was broken.\n"
     "\n"
     "  pactfs sim --list\n"
     "  pactfs sim power-cuts --seeds 1-10000\n"
     "  pactfs sim --minutes 10                   all of them, with fresh seeds\n"
     "  pactfs sim power-cuts --seed 7 --transcript\n"
     "  pactfs sim ./mine.scn --set clients=2 --set fault.rot=off",
     for_sim, 0, WORDS_MAX - 1, command_sim},
    {"check", "check HISTORY|- [--promise WORD[,WORD]] [--all] [--svg FILE] [--steps N] [--json]",
     "judge a recorded history",
     "Says of each promise whether it holds in the history, is broken, or could not be\n"
     "decided. A broken one is told with its anomaly and the smallest case that shows\n"
     "it; --svg draws that case. Without --promise: the promises in the history's header,\n"
     "or all that say something of such a history (--all: these in any case).\n"
     "--promises lists promises and anomalies, with what they mean and their sources.\n"
     "--steps is how long a search may take before it says undecided; 20,000,000 steps, some\n"
     "seconds, by default.\n"
     "docs/histories.md describes the format; pactfs record makes such files.\n"
     "Exit code 5: a promise is broken; 6: none is, but not all could be decided.\n"
     "\n"
     "  pactfs check run.history\n"
     "  pactfs check run.history --promise linearisable,durability --svg broken.svg\n"
     "  pactfs record --workload list ~/files | pactfs check -",
     for_check, 0, 1, command_check},
    {"record",
     "record --workload KIND DIR... [--clients N] [--keys N] [--operations N] [--seconds S]\n"
     "              [--seed N] [--fsync] [--keep] [--output FILE]",
     "what processes see of directories, as a history",
     "Starts clients, each a process that works in one of the directories (several mounts\n"
     "of a volume, or one), in a folder that is made there and removed afterwards (--keep\n"
     "leaves it). Writes what they asked and were answered to FILE or standard output.\n"
     "KIND is register, list, set, counter, bank or tree. 4 clients, 8 keys and 10,000\n"
     "operations without other words. With --fsync every change is followed by fsync, and\n"
     "counts as durable. Ctrl-C ends it early; what was done so far is written.\n"
     "\n"
     "  pactfs record --workload tree ~/files > run.history\n"
     "  pactfs record --workload list --seconds 60 --clients 8 ~/a ~/b | pactfs check -",
     for_record, 1, WORDS_MAX, command_record},
    {"help", "help [COMMAND]", "this, or about one command", "  pactfs help up", only_help, 0, 1,
     command_help},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};

const struct command *find_command(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

void print_help(const struct command *command)
{
    if (command) {
        printf("pactfs %s\n\n%s.\n\n%s\n", command->synopsis, command->summary, command->text);
        return;
    }
    printf("PactFS: a file system whose volumes say what they promise.\n\n");
    for (const struct command *c = commands; c->name; c++)
        printf("  pactfs %-11s %s\n", c->name, c->summary);
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
