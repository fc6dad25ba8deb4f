/* SPDX-License-Identifier: MIT
 *
 * volume.h: what the files of the system "volume" share: the file service of one node, the
 * production code from the agent down, on a simulated disk.
 *
 * Definitions
 *   up       the store is open and requests are carried out
 *   held     a fault keeps the node down; its end starts it again
 *   slot     one client's transaction under way
 *
 * Law
 *   O1  What a client asks for reaches the process by a timer of its node: a process that stands
 *       still does not hear it.
 *   O2  A process dies only between two events. Then the transactions that it had begun have an
 *       unknown outcome (reads: failed), those that it had not heard of failed; then the history
 *       says that the system crashed. A kill is a crash too: what the process had not yet written
 *       to a file is gone.
 *   O3  A store that has failed is ended: by a kill, after which the machine's cache still shows
 *       what a failed sync did not make durable, or by the power.
 *   O4  A bit is flipped only in a record behind which the log says, durably, that it was durable.
 *       Before that the store cannot tell damage from what a power cut tore.
 */
#ifndef PACTFS_SIM_VOLUME_H
#define PACTFS_SIM_VOLUME_H

#include "core/agent/agent.h"
#include "core/agent/local.h"
#include "sim/acts/acts.h"
#include "sim/run/system.h"

#define VOLUME_NODE  3u
#define VOLUME_PATH  "/volume"
#define VOLUME_HELD  32u /* references that the kernel holds, at most */
#define VOLUME_FLIPS 64u

struct volume;

struct volume_slot {
    struct deed deed; /* comes first */
    struct env_timer arrival;
    struct volume *volume;
    struct volume_slot *next; /* of those that wait for room */
    bool busy;                /* the transaction is under way */
    bool begun;               /* the process has heard of it */
    bool durable;             /* it is answered only when it is durable */
    bool settling;            /* its answer is a fault, which is being made durable */
    uint8_t fault;
};

struct volume_flip {
    char path[64];
    uint64_t byte;
    uint8_t now;
};

/* The steps of a flip (O4). */
enum rot_step { ROT_NONE, ROT_SYNC, ROT_PROOF };

struct volume {
    struct system system; /* comes first */
    struct sim_disk *disk;
    struct env *env; /* of the living process, or NULL */
    struct store *store;
    struct replica *replica;
    struct local_executor executor;
    struct agent *agent;
    struct store_options options;
    bool up, held;
    bool restart;                 /* the process is to die and start again: its store has failed */
    bool disk_erred;              /* since the last power cut */
    bool ever_erred;              /* a disk error was asked for */
    bool ever_rotted;             /* a bit was flipped */
    struct env_timer start_timer; /* of the clients' env */
    struct volume_slot slots[SCENARIO_CLIENTS_MAX];
    struct volume_slot *waiting; /* for room */
    bool room_asked;
    struct acts acts;
    uint64_t held_inos[VOLUME_HELD];
    uint32_t held_at;
    uint64_t down_inos; /* numbers of inodes that were asked for while it was down */
    /* looking after the store */
    struct env_timer tend_timer;
    struct store_sync upkeep;
    bool upkeep_busy;
    /* rot */
    struct request rot_request;
    struct env_timer rot_timer;
    enum rot_step rot_step;
    uint32_t rot_strength;
    struct {
        char path[64];
        uint64_t end;
    } rot_files[VOLUME_FLIPS];
    uint32_t rot_file_count;
    struct volume_flip flips[VOLUME_FLIPS];
    uint32_t flip_count;
};

static inline struct volume *volume_of(struct system *system)
{
    return (struct volume *)(void *)system;
}

/* --- volume_node.c: the life of the node --- */

/* Makes the store on an empty disk, starts the node. False: run_broken says why. */
bool volume_begin(struct volume *volume);
/* Starts the node, unless it is up; when it cannot now, it tries again by itself. */
void volume_start(struct volume *volume);
/* The process dies now: by the power, or (cut is false) alone. */
void volume_die(struct volume *volume, bool cut, const char *why);
void volume_stepped(struct system *system);
/* Lets go of a process without a word in the history. */
void volume_bury(struct volume *volume);

/* --- volume_acts.c: transactions --- */

void volume_submit(struct system *system, uint32_t client, uint32_t txn, bool durable);
/* Each slot's transaction ends without an answer. */
void volume_drop_all(struct volume *volume);
/* Makes the file or directory of each key; blocking. */
bool volume_make_files(struct volume *volume);
/* Runs a request of the system's own to its end, the world with it. */
enum err volume_do(struct volume *volume, struct request *request);

/* --- volume_rot.c --- */

void volume_rot(struct volume *volume, uint32_t strength);
void volume_rot_abandon(struct volume *volume);
/* How many of the flipped bits are still in a file. */
uint32_t volume_rot_left(const struct volume *volume);

/* --- volume_inspect.c --- */

void volume_inspect(struct system *system);

#endif
