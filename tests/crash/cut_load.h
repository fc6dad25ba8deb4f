/* SPDX-License-Identifier: MIT
 *
 * cut_load.h: random operations of the file service, on few names and few inodes so that they meet.
 */
#ifndef PACTFS_TESTS_CRASH_CUT_LOAD_H
#define PACTFS_TESTS_CRASH_CUT_LOAD_H

#include "cut_model.h"

#define LOAD_INODES 48u

/* Bytes of an operation, shared between the request, the store and the list of what was done. */
struct payload {
    struct shared shared;
    uint8_t data[];
};

struct load {
    uint64_t chance;
    struct {
        uint64_t ino;
        uint32_t type; /* FS_DIR, FS_REG, ... */
        bool nameless; /* an orphan that is open */
    } known[LOAD_INODES];
    uint32_t count;
    bool scarce; /* the disk is full: mostly operations that give space back */
};

uint64_t load_random(struct load *load);
uint32_t load_below(struct load *load, uint32_t n);

/* Forgets what it knew and looks at the volume: what has a name there is known. */
void load_look(struct load *load, struct model *model);
/* The next operation. `new_ino` is used when it makes something. The payload (or NULL) is the
 * caller's reference. op->now stays 0. */
struct payload *load_next(struct load *load, struct fs_op *op, uint64_t new_ino);
/* Takes note of what an operation that succeeded made or removed. */
void load_done(struct load *load, const struct fs_op *op, const struct fs_result *result);

#endif
