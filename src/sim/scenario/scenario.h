/* SPDX-License-Identifier: MIT
 *
 * scenario.h: what is tried: a system, clients, their workload, faults, and what has to hold.
 *
 * As text: lines `key = value`, `#` begins a comment. docs/scenarios.md describes every key.
 *
 *     # One volume on one node; the power fails under a tree of files.
 *     system    = volume            # volume; or a reference system: abd, memory
 *     nodes     = 1
 *     contract  = local
 *     workload  = tree              # see src/workload/workload.h
 *     clients   = 4
 *     keys      = 8
 *     acts      = 1                 # most acts of one transaction
 *     reads     = 40%
 *     durable   = 30%               # of the writes are answered only when they are durable
 *     syncs     = 2%
 *     think     = 20ms              # mean time between a client's operations
 *     length    = 20s               # then the faults end
 *     heal      = 10s               # within which the system must come to rest, and make progress
 *     fault     = power-cut every 2s..5s
 *     fault     = pause every 3s..9s for 100ms..2s, at most 3
 *     check     = durability, structure, scrub
 *     swarm     = yes               # each seed leaves out some faults and turns some knobs
 *     option    = segment-bytes 65536   # of the system
 *     expect    = holds             # or broken: a canary, which some seed must catch
 *
 * Law
 *   N1  What scenario_parse accepts, scenario_print prints, and scenario_parse reads back to the
 *       same bytes of the struct.
 *   N2  There is at most one fault of each kind, and at most one option of each key.
 *   N3  scenario_differences from a to b, given to scenario_set on a copy of a in its order,
 *       makes b of it, if b came from a by scenario_set, scenario_vary and scenario_shrink.
 */
#ifndef PACTFS_SIM_SCENARIO_H
#define PACTFS_SIM_SCENARIO_H

#include "core/base/text.h"
#include "core/check/verdict.h"
#include "workload/workload.h"

#define SCENARIO_FAULTS_MAX  24u
#define SCENARIO_OPTIONS_MAX 16u
#define SCENARIO_WORD_MAX    64u
#define SCENARIO_NODES_MAX   63u
#define SCENARIO_CLIENTS_MAX 64u

/* X(code, word, has a duration, what it does) */
#define FAULT_TABLE(X)                                                                         \
    X(POWER_CUT, "power-cut", true, "a node's power fails; it starts again afterwards")        \
    X(KILL, "kill", true, "a node's process is killed; it starts again afterwards")            \
    X(PAUSE, "pause", true, "a node's process stands still")                                   \
    X(SLOW, "slow", true, "a node does everything 10 to 100 times as slowly")                  \
    X(DISK_STALL, "disk-stall", true, "a node's disk does not answer")                         \
    X(DISK_FULL, "disk-full", true, "a node's disk is full")                                   \
    X(DISK_ERROR, "disk-error", false, "one disk operation of a node fails")                   \
    X(ROT, "rot", false, "a bit of what a node stored flips")                                  \
    X(DISK_LOST, "disk-lost", false, "a node's disk is lost; it starts with an empty one")     \
    X(CLOCK_JUMP, "clock-jump", false, "a node's wall clock jumps by up to a minute")          \
    X(CLOCK_DRIFT, "clock-drift", true, "a node's clocks run too fast or too slowly")          \
    X(PARTITION, "partition", true, "the nodes are in two halves that do not hear each other") \
    X(CUT, "cut", true, "one direction between two nodes is cut")                              \
    X(CLOG, "clog", true, "one direction between two nodes holds back its messages")           \
    X(SILENT, "silent", true, "nothing comes from or gets to one node")                        \
    X(LOSSY, "lossy", true, "messages are lost, doubled and reordered everywhere")             \
    X(SLOW_LINKS, "slow-links", true, "messages of one node take 10 to 100 times as long")     \
    X(REGISTRY_OUTAGE, "registry-outage", true, "the registry answers nobody")                 \
    X(REGISTRY_CUT, "registry-cut", true, "one node and the registry do not hear each other")  \
    X(HAND_OVER, "hand-over", false, "the primary's part is moved to another node")            \
    X(RESTART, "restart", true, "a node ends in order; it starts again afterwards")

enum fault_kind {
#define X(code, word, lasts, text) FAULT_##code,
    FAULT_TABLE(X)
#undef X
        FAULT_KIND_COUNT
};

struct scenario_range {
    uint64_t least_ns, most_ns;
};

struct scenario_fault {
    enum fault_kind kind;
    struct scenario_range every, lasts; /* lasts: of kinds with a duration; else 0 */
    uint32_t most;                      /* times; UINT32_MAX: no bound */
    bool off;                           /* left out by swarm, by hand or by shrinking */
};

enum scenario_inspect {                        /* bits: what else is looked at, besides promises */
                        INSPECT_STRUCTURE = 1, /* the tree of files is one: fs_check */
                        INSPECT_SCRUB = 2,     /* every checksum and the index are right */
                        INSPECT_REBUILD = 4,   /* an index made anew from the log says the same */
};

struct scenario {
    char name[SCENARIO_WORD_MAX]; /* of the file, without .scn */
    char system[SCENARIO_WORD_MAX];
    char contract[256];
    uint32_t nodes, clients, keys, acts;
    enum workload_kind workload;
    uint32_t read_percent, durable_percent, sync_percent;
    uint64_t think_ns, length_ns, heal_ns;
    uint32_t operations;  /* most, over all clients; 0: no bound but the length */
    uint32_t faults_most; /* times over all kinds; UINT32_MAX: no bound. For shrinking */
    struct scenario_fault faults[SCENARIO_FAULTS_MAX];
    uint32_t fault_count;
    uint32_t promises; /* bit n: promise n has to hold */
    uint32_t inspect;  /* enum scenario_inspect */
    bool swarm;
    struct {
        char key[SCENARIO_WORD_MAX], value[SCENARIO_WORD_MAX];
    } options[SCENARIO_OPTIONS_MAX]; /* of the system, in its words */
    uint32_t option_count;
    bool expect_broken; /* a canary: one of the promises must be seen broken by some seed */
};

struct scenario_error {
    uint32_t line, column; /* from 1; line 0: not of a text (scenario_set) */
    char text[256];        /* what is wrong and what would be right */
};

/* USAGE, with the error filled in, when the text is not understood or asks for what makes no sense.
 * Does not know the systems: see run_refuses in run.h. */
enum err scenario_parse(const char *name, struct bytes text, struct scenario *out,
                        struct scenario_error *error);
/* Changes one key as a line of the file would: "clients", "3". Besides: "fault.power-cut" with
 * "off", "on" or a new "every ..."; "option.KEY" with a value, or "" to take it out. USAGE as
 * above; the scenario is then as it was. */
enum err scenario_set(struct scenario *scenario, const char *key, const char *value,
                      struct scenario_error *error);
/* As text that scenario_parse reads back to the same. */
void scenario_print(const struct scenario *scenario, struct text *text);
/* Keys and values, as for scenario_set, that lead from one scenario to the other. */
void scenario_differences(const struct scenario *from, const struct scenario *to,
                          void (*each)(void *ctx, const char *key, const char *value), void *ctx);
/* What a swarm does with this seed (Groce et al. 2012): leaves out faults (never all but in one of
 * eight), changes rates, numbers of clients and keys, shares of reads and durable writes, and the
 * system's options by run_knobs. The result has swarm off, and says all that a replay needs. */
void scenario_vary(struct scenario *scenario, uint64_t seed);

/* The value of an option, or `otherwise`. */
const char *scenario_option(const struct scenario *scenario, const char *key,
                            const char *otherwise);
uint64_t scenario_option_number(const struct scenario *scenario, const char *key,
                                uint64_t otherwise);

const char *fault_word(enum fault_kind kind);

#endif
