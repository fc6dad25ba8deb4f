/* SPDX-License-Identifier: MIT
 *
 * world.h: what the files of the simulator share: chance, events, nodes.
 */
#ifndef PACTFS_SIM_WORLD_H
#define PACTFS_SIM_WORLD_H

#include "core/base/chance.h"
#include "sim/disk.h"
#include "sim/sim.h"

/* A node's own clock: clock.c. `gain` is in nanoseconds a millisecond, as in sim_clock_drift. */
#define CLOCK_GAIN_MAX 100000

struct clock {
    uint64_t since, shown, rate;
};

void clock_start(struct clock *clock, uint64_t now); /* a true one */
uint64_t clock_read(const struct clock *clock, uint64_t now);
uint64_t clock_when(const struct clock *clock, uint64_t due);
void clock_set_rate(struct clock *clock, uint64_t now, int32_t gain);

/* --- events: queue.c --- */

enum event_kind {
    EVENT_RUN = 1, /* of a job */
    EVENT_DONE,    /* of a job */
    EVENT_TIMER,
    EVENT_MESSAGE,
};

struct node;
struct message;
struct network;

#define EVENT_LISTED SIZE_MAX

/* In the heap at `place`, or in a list; free events are chained by `next`. */
struct event {
    uint64_t at, serial;
    size_t place;
    enum event_kind kind;
    struct node *node; /* whose it is; NULL: of a message that has not arrived */
    union {
        struct env_job *job;
        struct env_timer *timer;
        struct message *message;
    };
    uint64_t due;      /* of a timer: in its node's time */
    uint64_t disk_end; /* of EVENT_DONE: until when the disk works for it */
    struct event *next, *prev;
};

struct events {
    struct event *first, *last;
};

struct sim {
    uint64_t seed, now, serial, events, trace;
    struct chance chance;
    struct event **heap;
    size_t count, room;
    struct event *free;
    struct node *first, **last;
    struct network *network; /* NULL until it is first spoken of */
};

/* The world's time in `ns`, at most UINT64_MAX. */
uint64_t sim_after(const struct sim *sim, uint64_t ns);
/* A new event, in nobody's list yet / given back. event_free resets the timer's impl. */
struct event *event_new(struct sim *sim, enum event_kind kind, uint64_t at);
void event_free(struct sim *sim, struct event *event);

void queue_insert(struct sim *sim, struct event *event);
void queue_take(struct sim *sim, struct event *event);
/* Takes every event that is wanted out of the heap and puts it into `out`, in any order. */
void queue_take_all(struct sim *sim, bool (*wanted)(const struct event *event, const void *ctx),
                    const void *ctx, struct events *out);
/* After the times of events in the heap have been changed. */
void queue_restore(struct sim *sim);
void queue_free(struct sim *sim);

void events_push(struct events *list, struct event *event);
void events_push_front(struct events *list, struct event *event);
void events_remove(struct events *list, struct event *event);
struct event *events_pop(struct events *list); /* NULL: there is none */

/* --- nodes --- */

/* One node: the env that the core sees, and its faults. */
struct node {
    struct env env;
    struct sim *sim;
    struct sim_disk *disk;
    struct node *next;
    struct clock clock;
    int64_t wall_offset;
    uint64_t ops, changes;          /* disk operations so far */
    uint64_t crash_at, io_error_at; /* in terms of the above; 0: never */
    uint64_t busy_ns;               /* virtual time the running job has spent on the disk */
    uint64_t stalled_until;         /* the disk ends nothing before */
    unsigned again_per_mille;
    unsigned slow;         /* everything takes so many times as long */
    bool dead;             /* crashed or stopped */
    bool dying;            /* the power fails during this operation */
    bool paused;           /* its events are in `waiting` */
    struct events waiting; /* of a paused node: in any order, each with the time when it was due */
    struct net_port *port; /* its place in the network, or NULL */
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

/* Puts an event of the node where it belongs: into the queue, or aside while the node is paused. */
void node_event(struct node *node, struct event *event);
/* What a dead node still has open lets go of the disk; only close calls may follow. */
void node_release(struct node *node);
void files_release(struct node *node);
void index_release(struct node *node);

/* For sim_free. */
void files_close_all(struct node *node);
void index_close_all(struct node *node);

/* network.c: a message's event is due / is lost / the node is dead / the world ends. */
void network_arrive(struct sim *sim, struct event *event);
void network_lose(struct sim *sim, struct event *event);
void network_leave(struct node *node);
void network_free(struct sim *sim);

extern const struct env_ops sim_ops;

/* Zeroed memory; the end of the process when there is none. */
void *sim_zalloc(size_t size);

#endif
