/* SPDX-License-Identifier: MIT
 *
 * system.h: what a system under test gives to a run, and what a run gives to it. A new protocol
 * joins by one table of functions and a line in systems.c.
 *
 * Law
 *   Y1  Each submitted transaction is ended by run_ended exactly once, at the latest when the
 *       system is told to give up (give_up), from the loop or from submit itself.
 *   Y2  A node is up or down. fault() is called only for faults that the system says it takes, with
 *       begin and end in turn for each node and kind.
 *   Y3  A system draws no chance but from its envs and run_random.
 *   Y4  In the network node n has the number first + n, client c the number first + nodes + c,
 *       where first is net_first of its table; faults of the network use these.
 */
#ifndef PACTFS_SIM_SYSTEM_H
#define PACTFS_SIM_SYSTEM_H

#include "sim/network.h"
#include "sim/run/run.h"
#include "sim/sim.h"

/* What the system sees of the run. */
struct run {
    const struct scenario *scenario;
    struct sim *sim;
    struct history *history;
    struct chance *chance; /* of the system's own; see run_random */
    const struct run_watch *watch;
    struct run_result *result;
    bool healed; /* all faults have ended: a system begins none of its own any more */
    void *impl;  /* of run.c */
};

struct system {
    const struct system_ops *ops;
    struct run *run;
}; /* a system's struct begins with this */

struct system_ops {
    const char *word, *text;
    /* NULL, or a sentence: what of the scenario it cannot do. */
    const char *(*refuses)(const struct scenario *scenario);
    /* Options with values by chance, by scenario_set "option.KEY". May be NULL. */
    void (*knobs)(struct scenario *scenario, struct chance *chance);
    /* The world is run->sim, empty but for one env without a disk of use (of the clients). Starts
     * the nodes. Problems go to run_broken. NULL when it cannot be made. */
    struct system *(*make)(struct run *run);
    void (*free)(struct system *system);
    /* Carries out a transaction of the history: its acts, in order. `durable`: answer only when it
     * is durable. The answers go into the history (value, fault, list), then run_ended. */
    void (*submit)(struct system *system, uint32_t client, uint32_t txn, bool durable);
    /* A number for a new inode of a tree, never used before; NULL: the system has no trees. */
    uint64_t (*new_inode)(struct system *system);
    /* After every event of the world, in nobody's hands: a node that died in it can be buried. May
     * be NULL. */
    void (*stepped)(struct system *system);
    /* Kinds of faults that it takes: bits 1 << FAULT_*. */
    uint64_t faults;
    uint32_t net_first; /* Y4 */
    /* A fault of a node (0 .. nodes - 1) begins or ends; strength: 32 bits of chance. Those of the
     * network are carried out by run.c alone. Node faults PAUSE, SLOW, DISK_STALL, DISK_FULL,
     * CLOCK_* are carried out by run.c on node_env / node_disk, when they are not NULL. */
    void (*fault)(struct system *system, enum fault_kind kind, uint32_t node, bool begins,
                  uint32_t strength);
    struct env *(*node_env)(struct system *system, uint32_t node); /* NULL while it is down */
    struct sim_disk *(*node_disk)(struct system *system, uint32_t node);
    /* Ends every transaction that is under way with an unknown outcome. */
    void (*give_up)(struct system *system);
    /* Everything at rest (replicas have what there is, nothing is under way inside). */
    bool (*at_rest)(struct system *system);
    /* Looks at what scenario->inspect asks for, and at invariants; problems go to run_broken. At
     * rest, nothing under way; the system is not used afterwards. */
    void (*inspect)(struct system *system);
};

/* --- what a system calls --- */

/* The transaction ends; its answers are in the history. */
void run_ended(struct run *run, uint32_t txn, enum outcome outcome);
/* See workload_continue: when the reads of a transaction have been answered, before its first write
 * is carried out. Needed where the workload may be a bank. */
void run_continue(struct run *run, uint32_t txn);
/* Something that must never happen; the run stops soon. The first one counts. */
__attribute__((format(printf, 3, 4))) void run_broken(struct run *run, const char *promise,
                                                      const char *format, ...);
/* The system ends here, as it may (a disk that lost what it stored): no progress is demanded from
 * now on, nothing is read or inspected; what was answered so far is checked. */
__attribute__((format(printf, 2, 3))) void run_ends(struct run *run, const char *format, ...);
/* A line of the transcript; free of cost when nobody watches. */
__attribute__((format(printf, 3, 4))) void run_say(struct run *run, const char *who,
                                                   const char *format, ...);
/* The whole system lost its memory at once (a history event for DURABILITY); transactions under way
 * were given up before. */
void run_crashed(struct run *run, const char *text);
uint64_t run_random(struct run *run);
uint32_t run_below(struct run *run, uint32_t n);

/* systems.c */
extern const struct system_ops *const systems[]; /* ended by NULL */
extern const struct system_ops system_volume;    /* the file service on one node: system_volume.c */
extern const struct system_ops system_primary;   /* a replicated volume: sim/cell */
extern const struct system_ops system_abd;       /* reference: a replicated register */
extern const struct system_ops system_memory;    /* reference: transactions in one memory */

#endif
