/* SPDX-License-Identifier: MIT
 *
 * report.h: what is known of volumes, as JSON.
 */
#ifndef PACTFS_NODE_CELL_REPORT_H
#define PACTFS_NODE_CELL_REPORT_H

#include <jansson.h>

#include "node/cell/cell_private.h"

/* {"number", "primary", "members"}, or null. */
json_t *report_view(const struct view *view);
/* A volume, as this node sees it; an answer that is whole. */
json_t *report_volume(struct cell *cell, const struct cell_volume *volume);

#endif
