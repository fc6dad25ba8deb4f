/* SPDX-License-Identifier: MIT
 *
 * volume.h: what the commands on volumes of a cell share.
 */
#ifndef PACTFS_CLI_VOLUME_H
#define PACTFS_CLI_VOLUME_H

#include "cli/cell_client.h"
#include "core/contract/explain.h"

/* --- volume_print.c --- */

/* The contract of an answer; false when its text is not understood (a newer node made it). */
bool volume_contract(const json_t *volume, struct contract *out);

/* The state for explain(): points into `volume` and into `replicas`, of GROUP_MAX. */
struct explain_state volume_state(const json_t *volume, struct explain_replica *replicas);

/* All members are there, and nothing is being repaired. */
bool volume_whole(const json_t *volume);

void volume_print(const json_t *volume);
/* Adds the names of the primaries' nodes, as the home knows them, for volume_print_list. */
void volume_name_primaries(const struct cell_home *home, json_t *volumes);
void volume_print_list(const json_t *volumes);
/* "healthy", or a few words on what is not as it should be. */
const char *volume_health(const json_t *volume, char *buf, size_t size);

/* The sentences of a volume, as {"ok": true, "topics": [...]}. NULL: see volume_contract. */
json_t *volume_explained(const json_t *volume);

/* --- command_volume.c --- */

/* Makes a volume, and says so. `words` as for contract_compose, on top of preset or file
 * `contract` (NULL: preset strong). */
struct volume_wish {
    const char *name, *contract;
    const char *const *words;
    const char *const *nodes; /* ended by NULL; or NULL: the cell chooses */
    bool json;
};
int volume_create(const struct cell_home *home, const struct volume_wish *wish);

#endif
