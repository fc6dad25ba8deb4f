/* SPDX-License-Identifier: MIT
 *
 * demo.h: a cell of three nodes on this machine. DIR/demo.json says what was started; it is there
 * before the first process, so that `down` finds what a broken start left.
 *
 * Law
 *   D1  A process is signalled only when number and time of its start are those that were recorded.
 *   D2  Nothing is removed outside DIR, and DIR only when it has demo.json.
 */
#ifndef PACTFS_CLI_DEMO_DEMO_H
#define PACTFS_CLI_DEMO_DEMO_H

#include "cli/cell_client.h"

#define DEMO_NODES  3u
#define DEMO_VOLUME "demo"

struct demo_process {
    long pid;       /* 0: none */
    uint64_t began; /* in the kernel's ticks since it booted */
};

struct demo_node {
    char home[HOME_PATH_MAX + 8], address[RECORD_ADDR_MAX];
    struct demo_process process;
    bool cut;
};

struct demo {
    char dir[HOME_PATH_MAX], mount[HOME_PATH_MAX];
    bool made_mount;
    struct demo_node nodes[DEMO_NODES];
    struct demo_process agent;
};

const char *demo_name(unsigned node); /* of node 0 to 2: "alpha" */

/* --- state.c --- */

/* False: there is no demo in demo->dir. */
bool demo_load(struct demo *demo);
bool demo_save(const struct demo *demo);
/* Removes DIR and everything in it (D2). */
void demo_remove(const struct demo *demo);

/* --- process.c --- */

struct demo_process demo_process_of(long pid);
enum demo_life { DEMO_GONE, DEMO_RUNS, DEMO_STOPPED };
enum demo_life demo_life(const struct demo_process *process);
bool demo_signal(const struct demo_process *process, int number);
/* Waits at most timeout_ms for it to be so: signals take their time. */
bool demo_wait(const struct demo_process *process, enum demo_life life, int timeout_ms);
/* Starts the node whose home is there. */
int demo_start_node(struct demo *demo, unsigned node);
int demo_isolate(struct demo *demo, unsigned node, bool on);
/* The home of a node that can be asked, or NULL. free() it. */
struct cell_home *demo_home(const struct demo *demo);

/* --- make.c --- */

/* Makes DIR, which must not be there, or be empty: whatever else is there is not ours. */
int demo_make_dir(const struct demo *demo);
/* The whole of it in a DIR just made, with a line for each step. */
int demo_make(struct demo *demo);
/* Mounts the volume, unless it is. */
int demo_mount(struct demo *demo);
/* Stops everything; nothing of it runs afterwards. */
void demo_stop(struct demo *demo);

#endif
