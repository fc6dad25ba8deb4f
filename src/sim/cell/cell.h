/* SPDX-License-Identifier: MIT
 *
 * cell.h: what the files of the system "primary" share: a replicated volume, the production code
 * from the agent's remote part to the store of each replica, on simulated disks, a simulated
 * network and a simulated registry.
 *
 * Definitions
 *   node     one replica manager, with a disk of its own; numbers from 1, so that 0 is none
 *   agent    the remote part that some of the run's clients share; numbers behind the nodes'
 *   whole    a node that is a member of the view and has lost nothing since it became one
 *   turn     a time during which one node is away, see cell_turns.c
 *
 * Law
 *   C1  What a client asks for reaches its agent by a timer of the agent's process.
 *   C2  A process dies only between two events. No history says so: nothing that was answered may
 *       be lost, whoever dies.
 *   C3  A store that has failed is ended: by a kill, after which the machine's cache still shows
 *       what a failed sync did not make durable, or by the power.
 *   C4  A disk is lost, and a bit flipped, only where another node is whole: what no replica has
 *       cannot be had back.
 */
#ifndef PACTFS_SIM_CELL_H
#define PACTFS_SIM_CELL_H

#include "core/agent/remote.h"
#include "core/replica/primary/primary.h"
#include "sim/acts/acts.h"
#include "sim/registry/registry.h"
#include "sim/run/system.h"

#define CELL_FIRST 1u /* number of the first node */
#define CELL_PATH  "/volume"
#define CELL_HELD  32u /* references that one agent's kernel holds, at most */

struct cell;

struct cell_node {
    struct cell *cell;
    uint32_t number;
    struct sim_disk *disk;
    struct env *env; /* of the living process, or NULL */
    struct store *store;
    struct primary *primary;
    struct registry *registry;
    struct store_options options;
    struct arena arena;  /* of the message that is delivered */
    bool up;             /* everything is open */
    bool held;           /* a fault keeps it down; its end starts it again */
    bool formatted;      /* the disk has a store */
    bool lost;           /* it has lost what it stored, and has not been seen whole again */
    bool restart;        /* the process is to die: its store has failed */
    bool ending, closed; /* an orderly end is under way; has closed the store */
    bool disk_erred;     /* since the last power cut */
    struct env_timer start_timer; /* of the clients' env */
    struct env_timer tend_timer;
    uint32_t registry_fault, registry_cut; /* bits: 1: the way there, 2: back */
    struct store_sync upkeep;
    bool upkeep_busy;
};

/* An agent's process: never dies. */
struct cell_agent {
    struct cell *cell;
    uint32_t number; /* in the network */
    struct env *env;
    struct net *net;
    struct remote *remote;
    struct arena arena;
    uint64_t held_inos[CELL_HELD];
    uint32_t held_at;
    struct cell_client *waiting; /* for room */
    bool room_asked;
};

struct cell_client {
    struct deed deed; /* comes first */
    struct env_timer arrival;
    struct cell *cell;
    struct cell_agent *agent;
    struct cell_client *next; /* of those that wait for room */
    bool busy;                /* its transaction is under way */
    bool begun;               /* the agent has the request */
};

struct cell_turns {
    struct env_timer timer; /* of the clients' env */
    uint64_t least_ns;      /* 0: there are none */
    uint32_t kind, away;    /* away: a node's number, 0: none */
};

struct cell {
    struct system system; /* comes first */
    struct acts acts;
    struct store_identity identity;
    struct contract contract;
    struct sim_registry *registry;
    uint32_t node_count, agent_count;
    struct cell_node nodes[SCENARIO_NODES_MAX];
    struct cell_agent agents[SCENARIO_CLIENTS_MAX];
    struct cell_client clients[SCENARIO_CLIENTS_MAX];
    uint32_t assigned[GROUP_MAX];
    uint32_t outages; /* of the registry, that have not ended */
    bool ever_erred;  /* a disk error was asked for */
    bool ever_rotted; /* a bit was flipped */
    bool founded, found_again;
    uint64_t messages;    /* 1: are in the transcript; 2: heartbeats, too */
    bool inside;          /* the registry is in the network */
    bool gave_up;         /* the run is over */
    uint64_t patience_ns; /* of the agents; 0: they never give up */
    uint64_t inos;        /* numbers given to trees */
    const char *unrest;   /* why it was not at rest, when that was asked last */
    const bool *own_over; /* see cell_do */
    struct cell_turns turns;
};

static inline struct cell *cell_of(struct system *system)
{
    return (struct cell *)(void *)system;
}

static inline struct run *cell_run(const struct cell *cell)
{
    return cell->system.run;
}

static inline struct env *cell_env(const struct cell *cell)
{
    return sim_env(cell_run(cell)->sim);
}

/* --- cell_node.c: the life of a node --- */

void node_begin(struct cell *cell, uint32_t index);
void node_free(struct cell_node *node);
/* Starts the node, unless it is up; when it cannot now, it tries again by itself. */
void node_start(struct cell_node *node);
/* The process dies now: by the power, or (cut is false) alone. */
void node_die(struct cell_node *node, bool cut, const char *why);
/* It ends in order: hands over, closes its store. */
void node_end(struct cell_node *node);
/* The disk is empty from now on; the process is gone. */
void node_lose(struct cell_node *node, const char *why);
/* After each event: what died in it is buried. */
void node_stepped(struct cell_node *node);
/* Lets go of a process without a word. */
void node_bury(struct cell_node *node);
/* A process that only opens the store, which is made when there is none. */
enum err node_open_store(struct cell_node *node, struct store_error *error);

/* --- cell_view.c: the view as seen from outside --- */

/* As the registry has it; false: there is none. */
bool cell_view(const struct cell *cell, struct view *view);
/* C4: whether another node than this one is whole. */
bool cell_has_other(struct cell *cell, const struct cell_node *node);
/* The node that serves as the primary, or NULL. */
struct cell_node *cell_primary(struct cell *cell);
/* All nodes are in the view, have the same last record, and nothing is under way. Else a sentence
 * says why not. */
const char *cell_unrest(struct cell *cell);
/* A line of the transcript for a message that arrives, under the option `messages`. */
void cell_trace(const struct cell *cell, uint32_t to, uint32_t from, const struct message *message);
/* Who does not reach the registry: by a fault; and, where its members are in the network
 * (`inside`), who is cut off from most of them. */
void cell_registry_cuts(struct cell *cell);
/* Steps the world until wanted(cell), at most for `ns`. */
bool cell_wait(struct cell *cell, bool (*wanted)(struct cell *cell), uint64_t ns);

/* --- cell_client.c --- */

void agent_begin(struct cell *cell, uint32_t index);
void agent_end(struct cell_agent *agent);
void cell_submit(struct system *system, uint32_t client, uint32_t txn, bool durable);
/* Ends every transaction that is under way. */
void cell_give_up(struct system *system);
/* Runs a request of the system's own, through the first agent, to its end. */
enum err cell_do(void *cell, struct request *request);
/* The kernels let go of everything. */
void cell_let_go(struct cell *cell);

/* --- cell_turns.c --- */

void turns_begin(struct cell *cell);
void turns_end(struct cell *cell);

/* --- cell_inspect.c --- */

void cell_inspect(struct system *system);

#endif
