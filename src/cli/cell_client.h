/* SPDX-License-Identifier: MIT
 *
 * cell_client.h: asking a cell: through the node of this home when it is one and runs, else any
 * node, by TLS, with the certificate of the home.
 *
 * An answer is never NULL: what went wrong on the way is {"ok": false, "error": a sentence}, as if
 * a node had said it. The caller owns it.
 */
#ifndef PACTFS_CLI_CELL_CLIENT_H
#define PACTFS_CLI_CELL_CLIENT_H

#include "cli/cli.h"
#include "node/cell/cell_file.h"

#define CELL_ASK_MS  10000            /* a question that changes nothing, or little */
#define CELL_WORK_MS (10 * 60 * 1000) /* leaving, scrubbing: between two lines of the answer */

struct cell_home {
    char path[HOME_PATH_MAX];
    struct cell_file file;
};

/* The home that `word` names, or --home, $PACTFS_HOME, or the default; it must be of a cell. NULL
 * after saying what is wrong (EXIT_FAILED). free() it. */
struct cell_home *cell_home_find(const struct arguments *arguments, const char *word);
/* The same without a sentence when there is none, or it is not of a cell. */
struct cell_home *cell_home_look(const struct arguments *arguments);

/* Consumes `request`. */
json_t *cell_ask(const struct cell_home *home, json_t *request, int timeout_ms);

/* The same for long work: lines that come before the last are given to `line` (over the control
 * socket only). */
struct cell_work {
    void (*line)(void *ctx, const json_t *line);
    void *ctx;
    int timeout_ms;
};
json_t *cell_ask_work(const struct cell_home *home, json_t *request, const struct cell_work *work);

/* {"request": name, key: value} */
json_t *cell_request(const char *name, const char *key, const char *value);

/* The number of the node that `word` names or numbers, as the cell says; 0 after saying that there
 * is none, with the nearest name. `nodes` is what the request "nodes" answered. */
uint32_t cell_node_number(const json_t *nodes, const char *word);

/* Numbers and texts of an answer; 0 and "" when they are missing. */
uint64_t answer_number(const json_t *object, const char *name);
const char *answer_text(const json_t *object, const char *name);

/* Prints the sentence of a line {"progress": ...}, for cell_work.line. */
void print_progress(void *ctx, const json_t *line);

/* Starts the node of a home in the background, or says why not; `quiet`: says nothing else. */
int cell_start(const char *home, bool quiet);

/* Prints an answer as JSON, or its error; consumes it. */
int print_answer(json_t *answer);

#endif
