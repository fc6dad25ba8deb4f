/* SPDX-License-Identifier: MIT
 *
 * cell_status.h: what status, explain and scrub do when a cell is meant.
 */
#ifndef PACTFS_CLI_CELL_STATUS_H
#define PACTFS_CLI_CELL_STATUS_H

#include "cli/cell_client.h"

int cell_status(const struct arguments *arguments, const struct cell_home *home);
/* {"ok": true, "topics": [...]}, or why not; never NULL. */
json_t *cell_explain(const struct cell_home *home, const char *name);
int cell_scrub(const struct arguments *arguments, const struct cell_home *home, const char *name);

/* explain and scrub take the name of a cell's volume or the home of a volume on this machine: the
 * cell's home when the first is meant, or NULL. *wrong: neither can be; that was said. */
struct cell_home *cell_meant(const struct arguments *arguments, bool *wrong);

#endif
