/* SPDX-License-Identifier: MIT
 *
 * setup_private.h: what setup.c and join.c share.
 */
#ifndef PACTFS_NODE_CELL_SETUP_PRIVATE_H
#define PACTFS_NODE_CELL_SETUP_PRIVATE_H

#include "node/cell/cell_file.h"
#include "node/cell/setup.h"
#include "node/home.h"

/* A home that is being made: locked, with `making` in it, which says by what. */
struct setup {
    struct home home;
    char tls[HOME_PATH_MAX + 8];
    bool again; /* an earlier call with the same words was cut off */
};

__attribute__((format(printf, 3, 4))) enum err setup_refuse(struct store_error *error,
                                                            enum err code, const char *format, ...);
/* EXIST: it is whole already; NOT_A_STORE, LOCKED and others of home_open. `words` is what the call
 * is about: text that is the same when it is made again. */
enum err setup_begin(struct setup *setup, const char *home, const char *words,
                     struct store_error *error);
/* Writes cell.json, takes `making` away: the home is whole. */
enum err setup_end(struct setup *setup, const struct cell_file *file, struct store_error *error);
/* Gives the lock back. What failed before anything of worth was made leaves nothing behind. */
void setup_leave(struct setup *setup, bool nothing_made);

/* `name`, or the machine's own name as far as it can be one. */
enum err setup_name(const char *name, char out[RECORD_NAME_MAX], struct store_error *error);

#endif
