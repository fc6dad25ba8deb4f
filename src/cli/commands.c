/* SPDX-License-Identifier: MIT
 *
 * commands.c: every command, what it takes, and examples.
 */
#include <string.h>

#include "cli/cli.h"

#define DEFAULTS                                                       \
    "HOME is the directory of the volume; without it, $PACTFS_HOME,\n" \
    "$XDG_DATA_HOME/pactfs or ~/.local/share/pactfs."

#define CELL_HOME                                                                    \
    "--home names the home of this machine in the cell; without it, $PACTFS_HOME,\n" \
    "$XDG_DATA_HOME/pactfs or ~/.local/share/pactfs."

/* clang-format off */
#define HOME_OPTION   {"--home", "~/cell"}
#define END           {NULL, NULL}
#define HELP          {"--help", NULL}
#define JSON          {"--json", NULL}
#define MOUNT         {"--mount", "./mnt"}
#define CACHE         {"--cache", "256M"}
#define ALLOW_OTHER   {"--allow-other", NULL}
#define REBUILD_INDEX {"--rebuild-index", NULL}
/* clang-format on */

static const struct option only_help[] = {HELP, END};
static const struct option for_cell[] = {HOME_OPTION, JSON, HELP, END};
static const struct option for_mount[] = {HOME_OPTION, ALLOW_OTHER, HELP, END};
static const struct option for_umount[] = {HOME_OPTION, HELP, END};
static const struct option for_agent[] = {HOME_OPTION, {"--ready-fd", "3"}, ALLOW_OTHER, HELP, END};
static const struct option for_init[] = {{"--listen", "10.0.0.1:4700"},
                                         {"--name", "alpha"},
                                         {"--cell", "lab"},
                                         {"--etcd", "https://10.0.0.9:2379"},
                                         {"--no-start", NULL},
                                         HOME_OPTION,
                                         JSON,
                                         HELP,
                                         END};
static const struct option for_join[] = {{"--listen", "10.0.0.2:4700"},
                                         {"--name", "beta"},
                                         {"--no-start", NULL},
                                         HOME_OPTION,
                                         JSON,
                                         HELP,
                                         END};
static const struct option for_invite[] = {{"--client", NULL},
                                           {"--administrator", NULL},
                                           {"--minutes", "30"},
                                           {"--uid", "1000"},
                                           HOME_OPTION,
                                           JSON,
                                           HELP,
                                           END};
static const struct option for_volume[] = {{"--contract", "strong"},
                                           {"--on", "1,2,3"},
                                           {"--yes", NULL},
                                           {"--watch", NULL},
                                           HOME_OPTION,
                                           JSON,
                                           HELP,
                                           END};
static const struct option for_certificates[] = {
    {"--revoke", "1f3a"}, HOME_OPTION, JSON, HELP, END};
static const struct option for_demo[] = {
    {"--dir", "~/demo-homes"}, {"--mount", "./demo"}, {"--keep", NULL}, JSON, HELP, END};
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
     "Of a cell: this machine's node, its volumes and mounts. " DEFAULTS "\n"
     "Exit code 3: the volume, or the node, is not running.\n"
     "\n"
     "  pactfs status --json ~/vol",
     for_cell, 0, 1, command_status},
    {"explain", "explain VOLUME|[HOME] [--home HOME] [--json]",
     "a volume's promise in plain sentences",
     "Who sees a write when, what is on the disk when, what a crash leaves, and, of a\n"
     "cell's volume, which losses it survives and how its copies are. " DEFAULTS "\n"
     "\n"
     "  pactfs explain ~/vol\n"
     "  pactfs explain work             the volume 'work' of the cell",
     for_cell, 0, 1, command_explain},
    {"scrub", "scrub VOLUME|[HOME] [--home HOME] [--json]", "verify every checksum",
     "Reads the whole volume, beside other work when it runs, read-only when it does\n"
     "not. Of a cell's volume: all copies; what is damaged is fetched anew from another.\n" DEFAULTS
     "\n"
     "Exit code 4: damage was found; each place is named.\n"
     "\n"
     "  pactfs scrub ~/vol",
     for_cell, 0, 1, command_scrub},
    {"mount", "mount VOLUME DIR [--home HOME] [--allow-other] | mount DIR [HOME]",
     "mount a volume of the cell, or a running one of this machine",
     "A volume of a cell is mounted on as many machines as you like; the mount lives on\n"
     "while replicas fail and come back. The volume of a home has one mount; use mount\n"
     "--bind to see it elsewhere. " DEFAULTS "\n"
     "\n"
     "  pactfs mount work ~/work        the volume 'work' of the cell\n"
     "  pactfs mount ~/files ~/vol      the volume in the home ~/vol",
     for_mount, 1, 2, command_mount},
    {"umount", "umount DIR [--home HOME] | umount [HOME]", "unmount; the volume stays",
     "DIR is where a cell's volume is mounted. " DEFAULTS "\n"
     "Exit code 3: nothing is mounted there, or nothing runs.\n"
     "\n"
     "  pactfs umount ~/work\n"
     "  pactfs umount ~/vol",
     for_umount, 0, 1, command_umount},
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
     "What up, init and join start, for service managers: ends on SIGTERM, SIGINT or\n"
     "pactfs down, and says what it has to say on standard error. " DEFAULTS "\n"
     "\n"
     "  pactfs serve /srv/vol --mount /srv/files",
     for_serve, 0, 1, command_serve},
    {"init",
     "init [HOME] --listen ADDR[:PORT] [--name NODE] [--cell NAME] [--etcd URL[,URL]...]\n"
     "            [--no-start] [--json]",
     "make a cell, with this machine as its first node",
     "ADDR is where the other machines reach this one (port 4700 unless you say so). Makes\n"
     "the cell's certificate authority in HOME and starts the node. With --etcd the cell\n"
     "keeps its registry there; otherwise it looks after one of its own. " DEFAULTS "\n"
     "\n"
     "  pactfs init --listen 10.0.0.1\n"
     "  pactfs init /srv/cell --listen 10.0.0.1:4700 --name alpha --cell lab",
     for_init, 0, 1, command_init},
    {"invite", "invite [--client|--administrator] [--minutes N] [--uid N] [--home HOME] [--json]",
     "a code that lets one machine in",
     "Prints a code that is good once, for 30 minutes unless you say so. Without an option\n"
     "the machine becomes a node; --client: it may mount volumes; --uid: and act as that\n"
     "user only (otherwise its kernel is trusted with its users); --administrator: it may\n"
     "mount and administer. " CELL_HOME "\n"
     "\n"
     "  pactfs invite\n"
     "  pactfs invite --client --uid 1000",
     for_invite, 0, 0, command_invite},
    {"join", "join CODE|- [HOME] [--listen ADDR[:PORT]] [--name NAME] [--no-start] [--json]",
     "let this machine into a cell",
     "CODE is what pactfs invite printed; - reads it from standard input. A node needs\n"
     "--listen. What was cut off on the way can be done again with the same code. " DEFAULTS "\n"
     "\n"
     "  pactfs join PF04G... --listen 10.0.0.2\n"
     "  pactfs join PF04G... ~/client",
     for_join, 1, 2, command_join},
    {"nodes", "nodes [--home HOME] [--json]", "the machines of the cell",
     CELL_HOME "\n"
               "\n"
               "  pactfs nodes",
     for_cell, 0, 0, command_nodes},
    {"leave", "leave [NODE] [--home HOME] [--json]", "take a node out of the cell",
     "Its replicas are moved to other nodes first; then its certificate is refused.\n"
     "Without NODE: this machine's. " CELL_HOME "\n"
     "\n"
     "  pactfs leave gamma",
     for_cell, 0, 1, command_leave},
    {"volume",
     "volume create NAME [--contract PRESET|FILE] [--on NODE,NODE...] [KEY=VALUE]...\n"
     "       volume list\n"
     "       volume show NAME [--watch]\n"
     "       volume set NAME KEY=VALUE...\n"
     "       volume delete NAME [--yes]\n"
     "       volume restore NAME\n"
     "       volume move NAME NODE",
     "make, list, show, change and delete volumes of the cell",
     "create: the contract is a preset (strong without a word) or a file of KEY = VALUE\n"
     "lines (pactfs(5)); single keys can be given behind it. show --watch: until all copies\n"
     "are there. set: replicas, least, read and replace. delete asks; restore brings it\n"
     "back for a day. move: NODE becomes the primary's. " CELL_HOME "\n"
     "\n"
     "  pactfs volume create work\n"
     "  pactfs volume create scratch replicas=2 failover=1s\n"
     "  pactfs volume create archive --contract ./archive.contract --on alpha,beta\n"
     "  pactfs volume set work replicas=5\n"
     "  pactfs volume show work --watch",
     for_volume, 1, WORDS_MAX - 1, command_volume},
    {"certificates", "certificates [--revoke SERIAL] [--home HOME] [--json]",
     "who has a certificate of the cell",
     "--revoke: that certificate is refused from now on, everywhere. " CELL_HOME "\n"
     "\n"
     "  pactfs certificates",
     for_certificates, 0, 0, command_certificates},
    {"demo",
     "demo [kill N|stop N|cont N|cut N|heal|status|down] [--dir DIR] [--mount DIR] [--keep]",
     "a cell of three nodes on this machine, to try",
     "Without a word: three nodes as processes of their own, a volume with three copies,\n"
     "mounted at ./demo. kill: as if the machine lost power; stop, cont: as if it froze;\n"
     "cut: as if its cable was pulled; heal: everything is well again; status; down: all\n"
     "of it is removed (--keep: only stopped). --dir: where the homes are,\n"
     "~/.local/share/pactfs-demo without it.\n"
     "\n"
     "  pactfs demo\n"
     "  pactfs demo kill 2; echo still here > demo/file; pactfs demo status\n"
     "  pactfs demo heal; pactfs demo down",
     for_demo, 0, 2, command_demo},
    {"agent", "agent VOLUME DIR --home HOME [--ready-fd N] [--allow-other]", NULL,
     "What pactfs mount starts: the mount of a volume of a cell, until it is unmounted.", for_agent,
     2, 2, command_agent},
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
