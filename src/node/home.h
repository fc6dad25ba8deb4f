/* SPDX-License-Identifier: MIT
 *
 * home.h: the directory of one node with its volume.
 *
 *     HOME/volume/     the store
 *     HOME/contract    what the volume promises (optional; preset local without it)
 *     HOME/lock        flock'd by the one process that uses the home
 *     HOME/control     the control socket of the running node
 *     HOME/state.json  what runs there, for people and scripts: pid, mount, since when
 *     HOME/log, log.1  what the node had to say; 4 MiB each at most
 *
 * The home of a machine in a cell has instead of volume/ and contract:
 *
 *     HOME/cell.json   the cell, as this machine knows it (cell/cell_file.h)
 *     HOME/tls/        its certificates and keys (io/tls/identity.h)
 *     HOME/registry/   the registry's data, on nodes that keep it
 *     HOME/volumes/    by UUID: the stores of its replicas, and what the cell says of each
 *     HOME/mounts/     the mounts made from here
 *     HOME/making      only while init or join is under way, or was cut off
 *
 * Law
 *   H1  Nothing in a home changes while another process holds its lock.
 *   H2  A directory that is not a home is never changed.
 *   H3  volume/ appears complete or not at all: it is made as volume.new and renamed.
 *
 * Errors come with a sentence in *error that says what is wrong and what to do.
 */
#ifndef PACTFS_NODE_HOME_H
#define PACTFS_NODE_HOME_H

#include <stdbool.h>

#include "core/contract/contract.h"
#include "core/contract/explain.h"
#include "core/store/store.h"

#define HOME_PATH_MAX 4096u

enum home_kind {
    HOME_MISSING, /* there is nothing of that name */
    HOME_EMPTY,   /* an empty directory, or one where making a volume was interrupted */
    HOME_VOLUME,  /* a home with a volume */
    HOME_CELL,    /* of a machine in a cell, whole or half made */
};

/* What is at `path`, without changing it. NOT_A_STORE when it is something else; ACCES, IO. */
enum err home_inspect(const char *path, enum home_kind *kind, struct store_error *error);

struct home {
    char path[HOME_PATH_MAX];
    char volume[HOME_PATH_MAX + 16]; /* the store's directory */
    int fd, lock_fd; /* lock_fd is -1 for a read-only look at a home without a lock file */
    bool made;       /* the directory was made by home_open */
};

struct home_open_options {
    const char *path; /* absolute */
    bool create;      /* make the directory when it is missing (its parent must exist) */
    bool cell;        /* HOME_CELL, or what may become one; otherwise the same of HOME_VOLUME */
    bool read_only;   /* change nothing: no lock file is made */
};

/* Opens and locks a home. LOCKED when another process uses it; NOENT without `create`; NOT_A_STORE,
 * READ_ONLY, ACCES, NOSPC, IO. On failure nothing is left behind. */
enum err home_open(const struct home_open_options *options, struct home *home,
                   struct store_error *error);
/* Gives the lock back and closes. */
void home_close(struct home *home);

/* Makes the volume when there is none yet (*made tells). */
enum err home_make_volume(struct env *env, struct home *home, bool *made,
                          struct store_error *error);
/* Undoes home_make_volume and home_open's making of the directory, after a start that failed. */
void home_unmake(struct home *home);

/* Removes a directory and all in it, as far as it can; blocking. */
void home_remove_tree(const char *path);

/* The home's contract. CONTRACT with file, line and reason when it is not legal. */
enum err home_contract(const char *path, struct contract *contract, struct store_error *error);

struct home_state {
    long pid; /* 0: stopped */
    char mount[HOME_PATH_MAX];
};
/* Replaces state.json; a failure is only worth a line in the log. */
enum err home_save_state(const struct home *home, const struct home_state *state);
/* What state.json says; all zero when it is missing or not understood. */
void home_load_state(const char *path, struct home_state *state);

/* Waits, some seconds at most, for the process of `state` to be gone, when it is a pactfs that is
 * ending: its mount and its lock go at different moments. */
void home_wait_for_end(const struct home_state *state);

/* How the kernel and the store are set, for the promise in words. Everything about a running volume
 * stays unset. */
struct explain_state home_explain_state(void);

#endif
