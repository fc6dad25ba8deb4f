/* SPDX-License-Identifier: MIT
 *
 * sim.h: the simulated world: virtual time, seeded chance, disks that crash. network.h: the network
 * between its nodes.
 *
 * A `struct sim` is one world: a clock, a source of chance and a queue of events. A `struct env`
 * made in it is one node, with its own wall clock and its own disk. A `struct sim_disk` outlives
 * both: after a crash a new world (or a new env in the same one) is made over what survived.
 * Nothing here makes a system call.
 *
 * Law
 *   S1  The same seed, disk and calls give the same events in the same order, and the same
 *       sim_trace.
 *   S2  A job's `run` is one step, and so is a read for later; when it runs, and when its `done`
 *       follows, is drawn from the seed. Jobs and reads overtake one another. Nothing runs outside
 *       sim_step and the functions built on it.
 *   S3  At a crash each unsynced write is kept, lost, or torn at 512-byte sectors; each unsynced
 *       truncation, reservation, creation, removal and renaming is kept or lost; independently of
 *       each other. What was synced stays.
 *   S4  An index batch survives exactly when commit answered OK; one that was being committed may
 *       go either way.
 *   S5  After its crash (or sim_stop) an env answers ERR_CRASHED to everything but close and stop
 *       calls, and none of its events runs any more. Many envs may follow each other on one disk.
 *   S6  A paused env runs none of its events. When it is resumed, those that are overdue run first
 *       of all, in the order in which they were due, and the others when they are due.
 *   S7  A timer fires when the node's own clock shows its time, also when the clock's drift changes
 *       meanwhile. A new env begins with a true clock.
 *   S8  While a disk is stalled, no job or read for later that uses it is done, and file_read_now
 *       answers AGAIN; each goes on afterwards as if the time between had not been.
 */
#ifndef PACTFS_SIM_SIM_H
#define PACTFS_SIM_SIM_H

#include "core/env/env.h"

struct sim;
struct sim_disk;

/* --- the world --- */

/* A world with one node on `disk`, which the caller keeps; at most one live env uses a disk at a
 * time. NULL: a process that has no disk; it may not ask for one. */
struct sim *sim_new(uint64_t seed, struct sim_disk *disk);
/* Ends a world. Close what was opened in it first (allowed after a crash too); files and indexes
 * still open are closed, jobs and timers forgotten. The disk stays as it is: what was written but
 * not synced is still there, as after kill -9. */
void sim_free(struct sim *sim);

/* The env of the first node / of one more, in which a dead one's work on that disk may be taken up
 * again: what the dead one left open lets go of the disk. They live until sim_free. */
struct env *sim_env(struct sim *sim);
struct env *sim_env_add(struct sim *sim, struct sim_disk *disk);

/* Runs the next event and moves the clock to it. False: there is none (what waits for a node to be
 * resumed, or for a link to be cleared, does not count). */
bool sim_step(struct sim *sim);
/* Steps until wanted(ctx) is true (asked before each step). False when no event was left or
 * `limit_ns` of virtual time had passed before. */
bool sim_run_until(struct sim *sim, bool (*wanted)(void *ctx), void *ctx, uint64_t limit_ns);
/* Steps until no event is left: true; or until `limit_ns` have passed: false. */
bool sim_run_idle(struct sim *sim, uint64_t limit_ns);
/* Runs everything due in the next `ns` and leaves the clock exactly there. */
void sim_advance(struct sim *sim, uint64_t ns);

uint64_t sim_now(const struct sim *sim);    /* the mono_ns of an env whose clock is true */
uint64_t sim_random(struct sim *sim);       /* 64 bits from the world's chance, for workloads */
uint64_t sim_events(const struct sim *sim); /* how many events ran */
uint64_t sim_trace(const struct sim *sim);  /* a hash of everything that happened */

/* Moves the wall clock of one node by `ns`, either way. */
void sim_wall_jump(struct env *env, int64_t ns);
/* From now on the node's clocks and timers gain so many nanoseconds a millisecond (0: true; at most
 * 100,000 either way): of its own second, the world's is a little more or less. mono_ns goes on
 * without a step. */
void sim_clock_drift(struct env *env, int32_t ns_per_ms);

/* Where env->log goes; NULL (the default): nowhere. */
void sim_log_to(struct env *env, void (*line)(void *ctx, const char *line), void *ctx);

/* --- faults of one node --- */

/* The power fails now: the disk keeps what S3 says. / The process is killed: the disk keeps
 * everything. */
void sim_crash(struct env *env);
void sim_stop(struct env *env);
bool sim_crashed(const struct env *env); /* crashed or stopped */
/* The process does nothing until it is resumed (a stopped process, a virtual machine that stands
 * still); its clocks go on. What was due meanwhile happens then, in the order in which it was due:
 * S6. A crash or a stop ends the pause. */
void sim_pause(struct env *env);
void sim_resume(struct env *env);
bool sim_paused(const struct env *env);
/* The process's jobs and its disk take `factor` times as long from now on (1: as ever). */
void sim_slow(struct env *env, unsigned factor);
/* Every disk operation that begins in the next `ns`, or is under way, ends only after them. Stalls
 * that overlap are one, until the later end. */
void sim_disk_stall(struct env *env, uint64_t ns);

/* The power fails during the k-th changing disk operation from now (1: the next one; 0: never). */
void sim_crash_at(struct env *env, uint64_t k);
/* The k-th disk operation from now, reads included, answers ERR_IO (0: none). A write may leave a
 * part of itself; what a failed sync should have made durable is not made so by a later one. */
void sim_io_error_at(struct env *env, uint64_t k);
/* How many disk operations there were: all / those that change something. */
uint64_t sim_disk_ops(const struct env *env);
uint64_t sim_disk_changes(const struct env *env);
/* file_read_now answers AGAIN, or short, so many times in a thousand. Default 100. */
void sim_again_per_mille(struct env *env, unsigned per_mille);

/* --- disks --- */

struct sim_disk *sim_disk_new(void);
void sim_disk_free(struct sim_disk *disk); /* no live env may use it */
/* A copy of everything, unsynced changes and their order included; shares memory where it can. */
struct sim_disk *sim_disk_clone(const struct sim_disk *disk);
/* What a crash does to a disk that no live env uses; `seed` chooses the outcome. */
void sim_disk_crash(struct sim_disk *disk, uint64_t seed);

/* Room for so many bytes of files and index entries; 0 (the default): without end. */
void sim_disk_capacity(struct sim_disk *disk, uint64_t bytes);
/* While on, whatever needs more room answers NOSPC. */
void sim_disk_full(struct sim_disk *disk, bool full);
uint64_t sim_disk_used(const struct sim_disk *disk);

/* The disk is lost: it is as new and empty as after sim_disk_new. No live env may use it. */
void sim_disk_lose(struct sim_disk *disk);

/* Rot, on the platter and in the cache: NOENT when there is no such file, RANGE when it is shorter.
 */
enum err sim_disk_flip(struct sim_disk *disk, const char *path, uint64_t byte, unsigned bit);
/* From now on index_open answers ERR_INDEX there, until index_remove. */
enum err sim_disk_damage_index(struct sim_disk *disk, const char *path);
/* Each file (not directory) in the order of its path, with its size; until false. */
void sim_disk_list(const struct sim_disk *disk,
                   bool (*each)(void *ctx, const char *path, uint64_t size), void *ctx);
/* Reads bytes as an open file would, behind the env's back; returns how many. */
size_t sim_disk_peek(const struct sim_disk *disk, const char *path, uint64_t offset, void *buf,
                     size_t len);

#endif
