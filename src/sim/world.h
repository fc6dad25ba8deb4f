/* SPDX-License-Identifier: MIT
 *
 * world.h: what the files of the simulator share: chance, events, nodes.
 */
#ifndef PACTFS_SIM_WORLD_H
#define PACTFS_SIM_WORLD_H

#include "sim/disk.h"
#include "sim/sim.h"

/* xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64. Integers only. */
struct chance {
    uint64_t s[4];
};

void chance_seed(struct chance *c, uint64_t seed);
uint64_t chance_next(struct chance *c);
/* Uniform in [0, n); n > 0. */
uint32_t chance_below(struct chance *c, uint32_t n);
bool chance_coin(struct chance *c);

enum event_kind {
    EVENT_RUN = 1,
    EVENT_DONE,
    EVENT_TIMER,
};

struct node;

/* In the heap at `place`; free events are chained by `next`. */
struct event {
    uint64_t at, serial;
    size_t place;
    enum event_kind kind;
    struct node *node;
    struct env_job *job;
    struct env_timer *timer;
    struct event *next;
};

struct sim {
    uint64_t now, serial, events, trace;
    struct chance chance;
    struct event **heap;
    size_t count, room;
    struct event *free;
    struct node *first, **last;
};

/* One node: the env that the core sees, and its faults. */
struct node {
    struct env env;
    struct sim *sim;
    struct sim_disk *disk;
    struct node *next;
    int64_t wall_offset;
    uint64_t ops, changes;          /* disk operations so far */
    uint64_t crash_at, io_error_at; /* in terms of the above; 0: never */
    uint64_t busy_ns;               /* virtual time the running job has spent on the disk */
    unsigned again_per_mille;
    bool dead;  /* crashed or stopped */
    bool dying; /* the power fails during this operation */
    struct env_file *files;
    struct env_index *indexes;
    void (*log)(void *ctx, const char *line);
    void *log_ctx;
};

static inline struct node *node_of(const struct env *env)
{
    return (struct node *)(uintptr_t)env; /* env is the first member */
}

static inline void trace_mix(struct sim *sim, uint64_t value)
{
    sim->trace = (sim->trace ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    sim->trace ^= sim->trace >> 29;
}

/* Brackets of every disk operation. op_begin: OK, IO by fault, CRASHED when the node is dead. Every
 * OK is followed by op_end, which lets the power fail if this was the operation for it; it returns
 * its argument or CRASHED. */
enum err op_begin(struct node *node, bool change, uint64_t cost_ns, uint64_t what);
enum err op_end(struct node *node, enum err err);
/* Whether an operation that is cut by the power failure takes effect first. */
bool op_effective(struct node *node);

/* For sim_free. */
void files_close_all(struct node *node);
void index_close_all(struct node *node);

extern const struct env_ops sim_ops;

/* Zeroed memory; the end of the process when there is none. */
void *sim_zalloc(size_t size);

#endif
