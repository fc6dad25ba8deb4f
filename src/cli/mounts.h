/* SPDX-License-Identifier: MIT
 *
 * mounts.h: the mounts that were made from a home of a cell: HOME/mounts/ID holds volume, directory
 * and process, HOME/mounts/ID.control is where that process is asked.
 */
#ifndef PACTFS_CLI_MOUNTS_H
#define PACTFS_CLI_MOUNTS_H

#include "cli/cli.h"

struct mount_entry {
    char id[64], volume[64], dir[HOME_PATH_MAX];
    long pid;
    bool runs; /* its process is asked and answers */
};

/* Calls each(ctx, entry) for every mount of the home. */
void mounts_each(const char *home, void (*each)(void *ctx, const struct mount_entry *entry),
                 void *ctx);
/* False: there is none at `dir`. */
bool mounts_find(const char *home, const char *dir, struct mount_entry *out);
/* The home from which the mount at `dir` was made, by its process, whatever home that is. False: no
 * process is known that this user may look at. */
bool mounts_home_of(const char *dir, char home[HOME_PATH_MAX]);
/* A connection to the process of the mount. False: it does not run. */
bool mounts_open(const char *home, const struct mount_entry *entry, struct client *client);
/* Removes what a mount left whose process has died. */
void mounts_forget(const char *home, const struct mount_entry *entry);

/* Mounts a volume of the cell: starts its agent in the background. `volume`, `dir`, `home` are
 * resolved. The agent's answer, or NULL. */
struct mount_start {
    const char *home, *volume, *dir;
    bool allow_other;
};
json_t *mounts_start(const struct mount_start *start, pid_t *pid);
/* Asks the mount's process to unmount; the answer is never NULL. */
json_t *mounts_stop(const char *home, const struct mount_entry *entry);

#endif
