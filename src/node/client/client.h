/* SPDX-License-Identifier: MIT
 *
 * client.h: the process behind one mount of a cell's volume: finds the volume by the cell's nodes,
 * runs the agent (core/agent/remote.h) and the mount, until it is unmounted.
 *
 *     HOME/mounts/ID           {"volume": name, "dir": mount point, "pid": n}
 *     HOME/mounts/ID.control   where this process is asked (io/control): status, umount
 *     HOME/mounts/ID.log       what it had to say, when in the background; 4 MiB at most
 *
 * They go when the process ends; one that was killed leaves them.
 */
#ifndef PACTFS_NODE_CLIENT_CLIENT_H
#define PACTFS_NODE_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_FIND_MS    1800u  /* the nodes are given to say where the volume is */
#define CLIENT_OPEN_MS    6000u  /* and its replicas to take us in */
#define CLIENT_STOP_MS    20000u /* a stop that takes longer ends the process */
#define CLIENT_PATIENCE_S 600u   /* calls wait so long for the volume to be in reach, then fail */

struct client_options {
    const char *home;   /* absolute; of a cell, with a client's or administrator's certificate */
    const char *volume; /* name */
    const char *dir;    /* absolute; an existing, empty directory */
    bool allow_other;   /* as in mount_options; root's mounts are for all users anyway */
    bool background;    /* stdout and stderr become HOME/mounts/ID.log */
    int ready_fd;       /* where one line of JSON goes, once: {"ok":true,"pid":n,"id":ID} when it is
                           mounted, {"ok":false,"error":sentence}; -1: people read stderr */
};

/* Runs until SIGTERM, SIGINT, the request umount, or an unmount from outside. The exit code: 0
 * after a clean end, 1 when it could not start or not end in time. */
int client_serve(const struct client_options *options);

#endif
