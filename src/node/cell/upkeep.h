/* SPDX-License-Identifier: MIT
 *
 * upkeep.h: what a node does by itself, once a second.
 *
 *     every node            says that it runs; its part in the registry; stores that are not needed
 *                           any more; its certificates
 *     a volume's primary    its replicas follow the contract and the nodes (placement.h)
 *     the steward           nodes that have left, deleted volumes, invitations that have expired
 */
#ifndef PACTFS_NODE_CELL_UPKEEP_H
#define PACTFS_NODE_CELL_UPKEEP_H

#include "node/cell/cell_private.h"

void upkeep_begin(struct cell *cell);
void upkeep_end(struct cell *cell);

/* The nodes as placement.h wants them; returns how many. */
uint32_t upkeep_nodes(const struct cell *cell, struct placement_node nodes[CELL_NODES_MAX]);

/* placing.c */
void placing_tick(struct cell *cell);
/* steward.c */
void steward_tick(struct cell *cell);
/* renewal.c */
void renewal_tick(struct cell *cell);

#endif
