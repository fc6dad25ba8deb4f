/* SPDX-License-Identifier: MIT
 *
 * node.h: one PactFS process: a home, its store and replica manager, the agent, at most one mount,
 * and the control socket, on one event loop.
 *
 * Life: start (open the home, the store, mount, listen) -> usable -> stop (unmount, checkpoint,
 * close). Each step of the stop has a deadline; a node that cannot finish in time ends anyway, and
 * the next start replays the log.
 */
#ifndef PACTFS_NODE_NODE_H
#define PACTFS_NODE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#define NODE_CACHE   (UINT64_C(64) << 20)
#define NODE_STOP_MS 60000u /* a stop that takes longer ends the process */

struct node_options {
    const char *home;   /* absolute */
    const char *mount;  /* absolute, or NULL: not mounted yet */
    int ready_fd;       /* where one line of JSON goes when the volume is usable or cannot be:
                          {"ok":true,...} or {"ok":false,"error":"a sentence"}. -1: none, the
                          sentence goes to stderr. Closed afterwards. */
    bool background;    /* stdout and stderr become HOME/log */
    bool allow_other;   /* of the mount; root always allows others */
    bool rebuild_index; /* of the store, before anything else */
    uint64_t cache;     /* bytes of the index kept in memory; 0: NODE_CACHE */
};

/* Runs a node until SIGTERM, SIGINT or a stop request. Returns the exit code: 0 after a clean stop,
 * 1 when it could not start or the store had failed. */
int node_run(const struct node_options *options);

#endif
