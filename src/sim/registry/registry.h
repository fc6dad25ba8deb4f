/* SPDX-License-Identifier: MIT
 *
 * registry.h: the registry of a simulated cell: one linearisable store outside of the nodes,
 * reached over connections that delay, lose and break. What a node sees of it is
 * core/registry/registry.h, whose Y1 to Y5 hold whatever fails here.
 *
 * Definitions
 *   service     the store itself. It never loses what it has taken
 *   connection  of one process to it; a process that starts anew opens a new one
 *   outage      the service answers nobody
 *   cut         the requests of a node do not get there, or the answers do not come back
 *
 * Law
 *   Z1  A request takes effect at one moment, or never; the moment may come after its TIMEOUT. What
 *       is answered with REGISTRY never takes effect.
 *   Z2  An answer that comes after the deadline is not told. A process that stands still hears of
 *       answer and deadline in the order in which they were due.
 *   Z3  During an outage and for a node that is cut off, watches stand still; afterwards each goes
 *       on where it was, or is told `lost`: by chance, and always when what it missed is not kept.
 *   Z4  No lease ends during an outage; after it all have their whole time again.
 *   Z5  All chance is drawn from the envs: the same world gives the same registry.
 */
#ifndef PACTFS_SIM_REGISTRY_REGISTRY_H
#define PACTFS_SIM_REGISTRY_REGISTRY_H

#include "core/registry/registry.h"
#include "sim/sim.h"

struct sim_registry;

struct sim_registry_options {
    uint64_t deadline_ns, lease_ns; /* as in struct registry; 0: 1 s, 3 s */
    uint64_t least_ns, mean_ns;     /* of each direction; both 0: 100 us + 300 us on the average */
    unsigned late_per_million;      /* of the requests: take up to two deadlines */
    unsigned lost_per_million;      /* of the requests, and of the answers */
};

/* A service in this world, empty. */
struct sim_registry *sim_registry_new(struct sim *sim, const struct sim_registry_options *options);
/* Before sim_free. Connections go with it. */
void sim_registry_free(struct sim_registry *service);

/* The connection of the process `env` of node `number` (0 to 63). The service owns it. When the
 * process dies nothing has to be done: its leases end by themselves. */
struct registry *sim_registry_open(struct sim_registry *service, struct env *env, uint32_t number);
/* The process ends in order: nobody is called any more, its leased keys go at once. */
void sim_registry_close(struct registry *registry);

/* --- faults --- */

void sim_registry_outage(struct sim_registry *service, bool on);
/* Requests of this node do not get there / answers and watches do not come back. */
void sim_registry_cut(struct sim_registry *service, uint32_t number, bool there, bool back);
void sim_registry_lossy(struct sim_registry *service, unsigned per_million);
/* Breaks every watch of the node: each is told `lost`. */
void sim_registry_break(struct sim_registry *service, uint32_t number);

/* --- for tests: behind everybody's back --- */

/* The value as the service has it; false: there is no such key. Valid until the next step. */
bool sim_registry_peek(const struct sim_registry *service, const char *key, struct bytes *value,
                       uint64_t *revision);

#endif
