/* SPDX-License-Identifier: MIT
 *
 * world.h: a store in the simulated world beside an obviously correct model of it.
 *
 * The model is a handful of objects in plain arrays; `history[i]` is the model after commit i.
 * After a crash the store must equal
 * history[j] for some j between what was acknowledged as durable and what was committed.
 */
#ifndef PACTFS_TEST_STORE_WORLD_H
#define PACTFS_TEST_STORE_WORLD_H

#include "core/store/store.h"
#include "sim/sim.h"

#define SMALLS    10u
#define BLOCKS    4u
#define HISTORY   4096u
#define SMALL_MAX 240u

struct model {
    struct {
        bool present;
        uint64_t seed;
        uint32_t len;
    } small[SMALLS];
    struct {
        uint64_t seed; /* 0: a hole */
        uint32_t len;
    } chunk[BLOCKS][BLOCK_CHUNKS];
};

struct world {
    struct sim_disk *disk;
    struct sim *sim;
    struct env *env;
    struct store *store;
    struct store_options options;
    struct hlc clock;
    struct model now, *history;
    uint32_t commits, acked; /* history[commits] is now; history[acked] is durable */
    uint64_t chance;
    char log[512];
};

void world_new(struct world *w, uint64_t seed);
void world_free(struct world *w);
/* Opens the store over the disk as it is; returns what store_open said. */
enum err world_open(struct world *w, struct store_error *error);
/* As if the process had died (crash: the power too). */
void world_die(struct world *w, bool crash);
/* Closes in order and ends the world; the error of the close. */
enum err world_close(struct world *w);
uint64_t world_random(struct world *w);
/* One random commit, recorded in model and history; what store_commit said. */
enum err world_commit(struct world *w);
/* Asks for a sync and waits for it, or until the crash. True: acknowledged. */
bool world_sync(struct world *w);
/* The history index that the store equals, at most `commits` and at least `from`; -1: none. */
int world_match(struct world *w, uint32_t from);
/* Asserts that the store equals the model. */
void world_verify(struct world *w);
struct object_key world_small(uint32_t i);
struct object_key world_block(uint32_t i);
/* True when object `what` (smalls, then blocks) equals the model's; the read's error in *err. */
bool world_same(struct world *w, const struct model *model, uint32_t what, enum err *err);

#endif
