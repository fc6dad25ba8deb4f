/* SPDX-License-Identifier: MIT
 *
 * systems.c: the systems that can be run. A new protocol joins here: a row in each of two tables.
 */
#include "sim/run/system.h"

const struct system_ops *const systems[] = {
    &system_volume, &system_primary, &system_abd, &system_memory, NULL,
};

/* As in their tables of functions. */
static const struct run_system words[] = {
    {"volume", "the file service on one node: the store, the replica manager and the agent"},
    {"primary", "a replicated volume: agents, replica managers with a primary, stores, a registry"},
    {"abd", "registers on a majority of nodes, for trying the simulator itself"},
    {"memory", "transactions in one memory, for trying the checkers themselves"},
    {NULL, NULL},
};

const struct run_system *run_systems(void)
{
    return words;
}
