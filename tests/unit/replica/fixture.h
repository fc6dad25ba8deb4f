/* SPDX-License-Identifier: MIT
 *
 * fixture.h: a volume on a simulated disk, with a replica manager, for the tests of what stands on
 * them.
 */
#ifndef PACTFS_TESTS_UNIT_REPLICA_FIXTURE_H
#define PACTFS_TESTS_UNIT_REPLICA_FIXTURE_H

#include "core/replica/local.h"
#include "sim/sim.h"

#define LIMIT_NS UINT64_C(600000000000) /* of virtual time: far more than anything takes */

struct fixture {
    struct sim_disk *disk;
    struct sim *sim;
    struct env *env;
    struct store *store;
    struct replica *replica;
    struct store_limits limits;
};

/* A new volume; limits NULL: small ones. */
void fixture_new(struct fixture *f, const struct store_limits *limits);
void fixture_free(struct fixture *f);
/* Makes everything durable, and waits until the store is ready for more. */
void fixture_sync(struct fixture *f);
/* Stops the process (crash: the power too) and starts another on the same disk. */
void fixture_restart(struct fixture *f, bool crash);
/* From now on nothing is at hand at once: reads of data wait. */
void fixture_cold(struct fixture *f);

/* Runs `request`, and the world until it has finished; its err. `waited` (may be NULL): whether it
 * did. */
enum err fixture_run(struct fixture *f, struct request *request, bool *waited);

/* The usual operations, each in a request of its own. `err` is asserted to be OK, else 0 and *err.
 */
uint64_t fixture_make(struct fixture *f, uint64_t dir, const char *name);
enum err fixture_write(struct fixture *f, uint64_t ino, uint64_t offset, const char *text);
/* Reads into a static buffer; NUL-terminated. */
const char *fixture_read(struct fixture *f, uint64_t ino, uint64_t offset, uint32_t length);
enum err fixture_getattr(struct fixture *f, uint64_t ino, struct fs_attr *attr);
enum err fixture_unlink(struct fixture *f, uint64_t dir, const char *name);

void request_for(struct request *request, enum fs_code code, uint64_t ino);
struct bytes text_bytes(const char *text);

/* Requests that a test waits for: set as `done`; count in *(uint32_t *)request->ctx. */
void count_done(struct request *request);

#endif
