/* SPDX-License-Identifier: MIT
 *
 * cut_world.h: a volume on a simulated disk under a random load, its power cuts, and what has to
 * hold after each of them.
 *
 * Definitions
 *   order    the commits of the volume, in the order in which the store took them
 *   base     the state that was recovered last, or settled since: it is durable
 *   done     the operations behind the commits since the base, in order
 *   prefix i the base and the first i of `done`, run on a volume in memory that never crashes
 *
 * Law, checked after every cut
 *   P1  What is recovered equals prefix i for some i.
 *   P2  That i is not smaller than what was acknowledged: a request that was to finish durably, or
 *       a sync, covers all that had been committed when it began, and its own commit.
 *   P3  Nor smaller than what was committed limits.unsynced_ns (and the time of two jobs) before.
 *       Before the disk reported an error, that is, if it did: the store stops then.
 *   P4  The recovered volume passes the structural check; once what crashes orphaned has been
 *       reclaimed, no orphan is left.
 *   P5  Every record and index entry can be read, and the store's own laws hold. In the end an
 *       index made again from the log says the same; it can also be made from a damaged log.
 *   P6  The volume can be used as before.
 *   P7  What is read and listed is what the volume in memory says.
 */
#ifndef PACTFS_TESTS_CRASH_CUT_WORLD_H
#define PACTFS_TESTS_CRASH_CUT_WORLD_H

#include "core/replica/local.h"
#include "cut.h"
#include "cut_load.h"
#include "sim/sim.h"

#define SLOTS     6u
#define READ_ROOM 65536u

struct slot {
    struct request request; /* comes first */
    struct payload *payload;
    uint8_t *into;
    uint32_t floor; /* commits when it began */
    bool busy, over, sync;
};

struct done_op {
    struct fs_op op;
    struct payload *payload;
    struct stamp stamp;
    uint64_t at; /* virtual time */
};

/* What the store was given, noted before it is known which operation it came from. */
struct observed {
    struct stamp stamp;
    uint64_t reclaimed; /* the orphan that the commit takes away, or 0 */
};

struct cut_world {
    uint64_t seed;
    struct load load;
    struct model model; /* the base */
    struct sim_disk *disk;
    struct sim *sim;
    struct env *env;
    struct store *store;
    struct replica *replica;
    struct store_options options;
    struct slot slots[SLOTS];
    struct done_op *done;
    uint32_t done_count, done_room, acked;
    struct observed *observed;
    uint32_t observed_count, observed_room;
    int64_t format_now;
    struct store_sync upkeep; /* a checkpoint or a cleaning that was asked for */
    bool upkeep_busy, formatting, full;
    bool erring;        /* the disk reports an error in this round */
    uint64_t failed_at; /* virtual time at which the store stopped for that, or 0 */
    uint64_t died_at;   /* virtual time of the last cut */
    struct figures *figures;
    uint64_t trace; /* of everything recovered */
};

/* cut_verify.c */

/* The digest of what the store holds; the structural check is fed on the way (P4). False: the power
 * failed meanwhile. */
struct recovered {
    uint64_t digest, orphans;
};
bool cut_read_all(struct cut_world *w, struct recovered *out);
/* P1 to P3: moves the base to the prefix that was recovered. */
void cut_match(struct cut_world *w, const struct recovered *found);
/* P7, on some files and directories: nothing is under way, and the base is the present state. */
void cut_compare_reads(struct cut_world *w);
/* cut_rot.c: flips a bit in the log of a volume that is not open. False: it found nothing. */
bool cut_flip(struct cut_world *w);

/* Runs all of `done` on the base and forgets it. */
void cut_catch_up(struct cut_world *w);

#endif
