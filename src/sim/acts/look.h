/* SPDX-License-Identifier: MIT
 *
 * look.h: a store as it is at rest: its structure checked, its contents in one number.
 */
#ifndef PACTFS_SIM_LOOK_H
#define PACTFS_SIM_LOOK_H

#include "core/store/store.h"
#include "sim/run/system.h"

struct look {
    uint64_t digest;  /* of all keys, stamps, values and bytes */
    uint64_t orphans; /* inodes without a name */
};

/* Looks at everything. What is wrong with the structure goes to run_broken, with the words `where`
 * before it. TIMEOUT, or what the store answers when not everything can be read. */
enum err look_at(struct run *run, struct store *store, const char *where, struct look *out);

/* Runs the world until *over, at most for the scenario's time to heal. */
bool look_wait(struct run *run, const bool *over);

/* Verifies every checksum of the store; each problem is told to `problem`. TIMEOUT: it does not
 * end, and is still under way. */
struct look_scrub {
    struct store_scrub scrub; /* comes first */
    void (*problem)(struct look_scrub *look, const char *file, uint64_t offset, const char *what);
    void *ctx;
    bool over;
    enum err err;
};
enum err look_scrub(struct run *run, struct store *store, struct look_scrub *look);

#endif
