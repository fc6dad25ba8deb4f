/* SPDX-License-Identifier: MIT
 *
 * check.h: what `pactfs check` found, and how it is told.
 */
#ifndef PACTFS_CLI_CHECK_H
#define PACTFS_CLI_CHECK_H

#include "cli/cli.h"
#include "io/history/history_file.h"

struct finding {
    struct verdict verdict;
    char *picture; /* the file that was written, or NULL; owned */
};

struct check {
    const char *name; /* of the file, "-": standard input */
    struct history_file file;
    struct arena arena; /* of the verdicts */
    bool wanted[PROMISE_COUNT];
    struct finding findings[PROMISE_COUNT];
    unsigned count;
};

/* Lists promises and anomalies: for people, or as JSON. */
void check_list(bool json);
void check_print(const struct check *check);
void check_print_json(const struct check *check);

#endif
