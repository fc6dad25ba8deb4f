/* SPDX-License-Identifier: MIT
 *
 * cell.h: one node of a cell: the registry, the transport, and a replica manager for each volume of
 * which it has a copy, on one loop; `pactfs serve HOME` when HOME is a cell home (cell_file.h).
 *
 * What it understands on HOME/control and as calls of other nodes and administrators is in
 * requests.c.
 */
#ifndef PACTFS_NODE_CELL_CELL_H
#define PACTFS_NODE_CELL_CELL_H

#include <stdbool.h>
#include <stdint.h>

#define CELL_CACHE   (UINT64_C(64) << 20)
#define CELL_STOP_MS 20000u /* a stop that takes longer ends the process */

struct cell_options {
    const char *home; /* absolute; has a cell.json with a node's number in it */
    int ready_fd;     /* as node_options.ready_fd: {"ok":true,"pid":n,"address":"host:port"} once
                         messages are taken, whether or not the registry is in reach */
    bool background;  /* stdout and stderr become HOME/log */
    uint64_t cache;   /* bytes of all indexes kept in memory; 0: CELL_CACHE */
};

/* Is `home` a cell home? (Of a node, a client or an administrator: see cell_file_load.) */
bool cell_home(const char *home);

/* Runs the node until SIGTERM, SIGINT or a stop request. Returns the exit code: 0 after a clean
 * stop, 1 when it could not start or did not end in time. */
int cell_run(const struct cell_options *options);

#endif
