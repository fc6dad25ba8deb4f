/* SPDX-License-Identifier: MIT
 *
 * run_private.h: what the files of a run share.
 */
#ifndef PACTFS_SIM_RUN_PRIVATE_H
#define PACTFS_SIM_RUN_PRIVATE_H

#include "core/base/chance.h"
#include "core/env/env.h"
#include "sim/run/system.h"
#include "workload/workload.h"

enum run_phase {
    RUN_SAFETY = 1, /* clients work, faults happen */
    RUN_PROGRESS,   /* clients work, no faults */
    RUN_REST,       /* clients begin nothing new */
    RUN_FINAL,      /* each client reads everything */
};

struct running;

struct run_client {
    struct env_timer timer; /* comes first: it thinks */
    struct running *r;
    struct chance chance; /* of when it does something, and whether it asks for durability */
    uint32_t number, txn;
    bool busy;         /* txn is under way */
    bool durable;      /* it asked for that */
    bool finished;     /* its final reads are over */
    uint64_t progress; /* transactions that began after the faults had ended, and are done */
};

/* One line of faults. */
struct run_line {
    struct env_timer timer; /* comes first: its next fault */
    struct running *r;
    const struct scenario_fault *fault;
    struct chance chance;
    uint32_t times;
};

/* A fault that will end. */
struct run_active {
    struct env_timer timer; /* comes first: its end */
    struct running *r;
    struct run_active *next, **link;
    enum fault_kind kind;
    uint32_t node, to; /* to: of a link */
    uint64_t set;      /* of a partition */
};

struct running {
    struct run run;
    const struct system_ops *ops;
    struct system *system;
    struct sim_disk *disk; /* of the clients' env: nothing is on it */
    struct env *env;       /* the clients': its timers are theirs and the faults' */
    struct workload *workload;
    struct run_client clients[SCENARIO_CLIENTS_MAX];
    struct run_line lines[SCENARIO_FAULTS_MAX];
    struct run_active *active;
    uint64_t on[FAULT_KIND_COUNT]; /* bit n: such a fault of node n has not ended */
    uint32_t fault_times;          /* over all kinds */
    bool network_touched;
    enum run_phase phase;
    uint64_t phase_began;
    uint32_t begun; /* transactions in the first phase */
    struct text scratch;
};

/* A seed for one purpose: streams of chance that do not disturb one another. */
uint64_t run_seed(uint64_t seed, uint64_t purpose);
enum run_purpose {
    PURPOSE_WORKLOAD = 1,
    PURPOSE_SYSTEM,
    PURPOSE_CLIENTS = 100, /* and the client's number */
    PURPOSE_FAULTS = 1000, /* and 100 times the kind, and how many lines of the kind came before */
};

/* run_clients.c */
void clients_begin(struct running *r, uint64_t seed);
void clients_wake(struct running *r); /* each begins its next transaction soon */
bool clients_idle(const struct running *r);
/* The first one that has something under way, or NULL. */
const struct run_client *clients_busy(const struct running *r);

/* run_faults.c */
void faults_begin(struct running *r, uint64_t seed);
void faults_end(struct running *r); /* all of them, for good */
void faults_free(struct running *r);

/* run_network.c: those between nodes. False: it could not begin. */
bool network_fault_begin(struct running *r, struct run_active *fault, uint64_t draw);
void network_fault_end(struct running *r, const struct run_active *fault);

/* run_check.c */
void run_check(struct running *r);
uint64_t run_trace(const struct running *r);

#endif
