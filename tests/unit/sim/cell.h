/* SPDX-License-Identifier: MIT
 *
 * cell.h: a few simulated nodes on a network, and a list of what arrived where and when.
 */
#ifndef PACTFS_TESTS_SIM_CELL_H
#define PACTFS_TESTS_SIM_CELL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/network.h"

#define CELL_MAX 64u
#define US       UINT64_C(1000)
#define MS       UINT64_C(1000000)
#define SECOND   UINT64_C(1000000000)
#define HOUR     (3600 * SECOND)

struct arrival {
    uint64_t at, number;
    uint32_t from, to;
};

struct cell_node {
    struct cell *cell;
    struct sim_disk *disk;
    struct env *env;
    struct net *net;
    uint32_t self;
};

struct cell {
    struct sim *sim;
    uint32_t count;
    struct cell_node nodes[CELL_MAX];
    struct arrival *arrivals;
    size_t arrived, room;
    bool busy; /* inside a call of the network: nothing may be delivered */
};

/* Nodes 0 .. count - 1, each with a disk and listening. The caller frees it by cell_end. */
struct cell *cell_start(uint64_t seed, uint32_t count);
void cell_end(struct cell *cell);

/* A message of `len` bytes (8 at least) that carries this number. */
enum err cell_send(struct cell *cell, uint32_t from, uint32_t to, uint64_t number, size_t len);
/* Starts a node that has crashed anew, under its number and over its disk. */
void cell_restart(struct cell *cell, uint32_t node);
/* Until nothing is left to happen. */
void cell_idle(struct cell *cell);
struct sim_net_figures cell_figures(const struct cell *cell);

#endif
