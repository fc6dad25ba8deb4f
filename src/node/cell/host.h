/* SPDX-License-Identifier: MIT
 *
 * host.h: one replica of this node, and its directory:
 *
 *     HOME/volumes/UUID/record   the volume's record, as the registry had it last
 *     HOME/volumes/UUID/store/   the store; store.new while it is made, store.damaged put aside
 *     HOME/volumes/UUID.gone/    being removed
 */
#ifndef PACTFS_NODE_CELL_HOST_H
#define PACTFS_NODE_CELL_HOST_H

#include "node/cell/cell_private.h"

enum host_state { HOST_CLOSED, HOST_OPENING, HOST_OPEN, HOST_STOPPING, HOST_CLOSING };

struct host {
    struct host *next;
    struct cell *cell;
    struct cell_volume *volume;
    char dir[HOME_PATH_MAX + 64];
    enum host_state state;
    struct store *store;
    struct primary *primary;
    struct contract contract; /* that the replica manager was made with */
    bool restart;             /* with another contract, at restart_ns */
    uint64_t restart_ns;
    bool founding;
    uint64_t saved_revision; /* of the record in the directory */
    uint64_t unwanted_ns;    /* since when */
    /* rests between tries */
    struct env_timer timer, failure;
    bool resting;
    uint64_t rest_ns;
    char trouble[512];
    /* the job that opens the store, and what it uses */
    struct env_job job;
    enum err job_err;
    struct store_error error;
    struct store_identity identity;
    bool damaged, put_aside, rebuild;
    struct local_scrub *scrub; /* the last one, or NULL */
};

struct host *host_new(struct cell *cell, struct cell_volume *volume);

/* scrub.c */
void host_scrub_free(struct host *host);
bool host_scrubs(const struct host *host);

/* host_files.c */
void host_open_job(struct env_job *job); /* runs on a worker */
enum err host_save_record(struct host *host);
/* Renames the directory and removes it in the background. */
void host_remove_later(struct cell *cell, const char *dir);

#endif
