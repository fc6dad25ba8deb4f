/* SPDX-License-Identifier: MIT
 *
 * cli.h: what the commands share. A command parses its arguments, does one thing, and returns an
 * exit code:
 *
 *   0  done
 *   1  it could not be done; stderr has a sentence with what is wrong and what to do
 *   2  the command line is not understood
 *   3  nothing is running for that home, or mounted there (status, umount, mount, sync, clean)
 *   4  scrub found damage
 *   5  a history breaks a promise (check, sim)
 *   6  check could not decide
 */
#ifndef PACTFS_CLI_CLI_H
#define PACTFS_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "node/home.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_STOPPED = 3,
    EXIT_DAMAGE = 4,
    EXIT_BROKEN = 5,
    EXIT_UNDECIDED = 6
};

#define WORDS_MAX   64u
#define OPTIONS_MAX 32u /* of one command */
#define GIVEN_MAX   64u

struct option {
    const char *name;    /* "--mount" */
    const char *example; /* of the value that it takes; NULL: it takes none */
};

struct arguments {
    const char *program; /* as it was called */
    const char *command;
    const char *words[WORDS_MAX]; /* what is not an option; NULL behind the last */
    unsigned word_count;
    struct {
        const struct option *option;
        const char *value;
    } given[GIVEN_MAX]; /* in their order; see option_value and option_given */
    unsigned given_count;
};

struct command {
    const char *name, *synopsis;
    const char *summary; /* NULL: for other commands, and not listed */
    const char *text;
    const struct option *options; /* that it takes, ended by one without a name; all take --help */
    unsigned least_words, most_words;
    int (*run)(const struct arguments *arguments);
};

/* commands.c: all of them, ended by one without a name. */
extern const struct command commands[];
const struct command *find_command(const char *name);
void print_help(const struct command *command); /* help.c; NULL: of the whole */

/* arguments.c: EXIT_DONE, or EXIT_USAGE after saying what is wrong. */
int parse_arguments(const struct command *command, int argc, char **argv,
                    struct arguments *arguments);
bool option_given(const struct arguments *arguments, const char *name);
/* The value that was given last, or NULL. */
const char *option_value(const struct arguments *arguments, const char *name);
/* A whole number from least to most as the option's value; the number is left alone when the option
 * was not given. False after saying what is wrong. */
struct option_range {
    const char *name;
    uint64_t least, most;
};
bool option_number(const struct arguments *arguments, const struct option_range *range,
                   uint64_t *number);

/* say.c: to people. */
__attribute__((format(printf, 1, 2))) int complain(const char *format,
                                                   ...); /* returns EXIT_FAILED */
bool on_terminal(void); /* stdout is one, and colour is wanted (NO_COLOR) */
void print_heading(const char *text);
void print_wrapped(const char *indent, const char *sentence);    /* at 80 columns */
void print_json(json_t *json);                                   /* consumes it */
const char *print_bytes(uint64_t bytes, char *buf, size_t size); /* "3.2 GiB"; returns buf */

/* table.c: aligned columns. Cells in the order of reading, then table_print, which empties it. */
#define TABLE_COLUMNS 10u
struct table {
    unsigned columns;
    const char *indent;
    char **cells;
    unsigned count, room;
};
__attribute__((format(printf, 2, 3))) void table_cell(struct table *table, const char *format, ...);
void table_print(struct table *table, const char *const *heads);

/* "64M", "1G" or MiB as a number, 8 MiB to 1 TiB; 0 for NULL. False after saying what is wrong. */
bool parse_cache(const char *word, uint64_t *bytes);

/* places.c: both give absolute paths without symbolic links as far as they exist. */
enum err resolve_path(const char *path, char out[HOME_PATH_MAX], struct store_error *error);
/* `word`, or $PACTFS_HOME, or the user's data directory: $XDG_DATA_HOME/pactfs,
 * ~/.local/share/pactfs. */
enum err resolve_home(const char *word, char out[HOME_PATH_MAX], struct store_error *error);
/* Makes the directories above the default home. */
void make_default_parents(const char *home);
/* True when `inner` is `outer` or lies in it; both resolved. */
bool path_inside(const char *inner, const char *outer);

/* Makes the last component of a mount point when it is missing, after clearing away what a dead
 * process left there; or says why not. */
int make_mount_point(const char *dir, bool *made);

/* client.c: talking to a running node. */
struct client {
    int fd;
    size_t used, taken;
    char buf[65536];
};
/* False: nothing runs there. */
bool client_open(struct client *client, const char *home);
void client_close(struct client *client);
/* Consumes `request`. */
bool client_send(struct client *client, json_t *request);
/* The next line of the answer, or NULL when the node ended, sent nonsense, or said nothing for
 * timeout_ms. The caller owns it. */
json_t *client_read(struct client *client, int timeout_ms);
/* Sends {"request": name} and returns the one answer, as client_read. */
json_t *client_ask(struct client *client, const char *name, int timeout_ms);
bool answer_ok(const json_t *answer);
/* Says the answer's error (or that there was none) and returns EXIT_FAILED. */
int complain_answer(const json_t *answer);

/* start.c: starts `pactfs WORDS...` in the background, with --ready-fd N behind the first word, and
 * waits for its one line, or NULL when it died without. When the line is not "ok", the process has
 * ended. `pid` may be NULL. */
json_t *start_background(const char *const *words, int timeout_ms, pid_t *pid);

/* A descriptor handed down by start_background, or -1: anything else is refused. */
int ready_descriptor(const char *text);

/* The commands. */
int command_up(const struct arguments *arguments);
int command_serve(const struct arguments *arguments);
int command_down(const struct arguments *arguments);
int command_status(const struct arguments *arguments);
int command_explain(const struct arguments *arguments);
int command_scrub(const struct arguments *arguments);
int command_mount(const struct arguments *arguments);
int command_umount(const struct arguments *arguments);
int command_store(const struct arguments *arguments); /* sync, checkpoint, clean */
int command_sim(const struct arguments *arguments);
int command_check(const struct arguments *arguments);
int command_record(const struct arguments *arguments);
int mount_local(const struct arguments *arguments);
int umount_local(const struct arguments *arguments);
/* Is this the home of one volume on this machine? */
bool is_volume_home(const char *word);
int command_init(const struct arguments *arguments);
int command_join(const struct arguments *arguments);
int command_invite(const struct arguments *arguments);
int command_nodes(const struct arguments *arguments);
int command_leave(const struct arguments *arguments);
int command_certificates(const struct arguments *arguments);
int command_volume(const struct arguments *arguments);
int command_agent(const struct arguments *arguments);
int command_demo(const struct arguments *arguments);
int command_help(const struct arguments *arguments);

#define ANSWER_MS 20000 /* a node that runs answers a question within this time */

#endif
