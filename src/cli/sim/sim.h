/* SPDX-License-Identifier: MIT
 *
 * sim.h: what the files of `pactfs sim` share.
 *
 *   find.c      scenarios by name or path
 *   workers.c      child processes that run seeds; worker.c is what a child does
 *   drive.c     hands out the seeds of all scenarios, counts, stops at a failure
 *   minimise.c  makes a failing run smaller
 *   report.c    what happened, for people; json.c: for programs
 *   marks.c     marks and mutants, in instrumented builds
 */
#ifndef PACTFS_CLI_SIM_SIM_H
#define PACTFS_CLI_SIM_SIM_H

#include <stdatomic.h>
#include <stdio.h>

#include "cli/cli.h"
#include "sim/run/run.h"

#define SECOND_NS     UINT64_C(1000000000)
#define FAILURE_MAX   16384u
#define MARKS_MAX     65536u
#define JOBS_MAX      256u
#define SCENARIO_PATH 4096u
#define SETS_MAX      GIVEN_MAX

struct sim_set {
    char key[SCENARIO_WORD_MAX * 2];
    const char *value;
};

struct sim_options {
    const char *program;  /* as it was called */
    uint64_t first, last; /* seeds */
    uint64_t limit_ns;    /* real time after which no more seeds are begun; 0: none */
    uint64_t patience_ns; /* real time that one seed may take */
    unsigned jobs;
    bool transcript, trace, shrink, keep_going, list, json, marks;
    const char *history, *svg; /* files to write, or NULL */
    const char *mutant;
    struct sim_set sets[SETS_MAX];
    unsigned set_count;
};

/* --- find.c --- */

/* What seeds came to, added up. */
struct sums {
    uint64_t seeds, trace, simulated_ns, cpu_ns, events;
    uint64_t transactions, done, unknown, failed;
    uint64_t undecided; /* promises */
    uint64_t faults[FAULT_KIND_COUNT];
};

struct failure {
    uint64_t seed;
    uint64_t at_ns;                /* virtual time at which it showed; 0: not known */
    uint64_t transactions, faults; /* of the run */
    uint64_t ended_ns;
    char promise[SCENARIO_WORD_MAX];
    char text[FAILURE_MAX];
};

/* One scenario of a call, and how far it is. */
struct task {
    struct scenario file;  /* as it is written */
    struct scenario asked; /* with what --set says */
    char path[SCENARIO_PATH];
    char word[SCENARIO_PATH]; /* as it is named on the command line */
    char about[160];          /* the first comment of the file */
    uint64_t next;            /* seed to hand out */
    unsigned under_way;       /* batches */
    bool over;                /* hands out no more */
    struct sums sums;
    uint64_t failures;
    struct failure *failure; /* that of the lowest seed; NULL: none */
};

struct tasks {
    struct task *at;
    unsigned count, room;
};

/* Reads the scenarios named by `words`, or all there are; EXIT_DONE, or an exit code after saying
 * what is wrong. The caller frees with tasks_free. */
int tasks_find(const char *const *words, struct tasks *tasks);
int tasks_set(struct tasks *tasks, const struct sim_options *options);
void tasks_free(struct tasks *tasks);

/* The scenario that a seed runs: varied when it is a swarm, then with what --set says once more. */
struct scenario sim_prepare(const struct scenario *asked, const struct sim_options *options,
                            uint64_t seed);

/* --- workers.c, worker.c --- */

struct job {
    struct scenario scenario;
    uint64_t seed;
    uint32_t count; /* seeds, from `seed` on; it ends with the first that fails */
    bool watch;     /* write the transcript, and the files of --history and --svg */
};

/* Memory that a child shares with its parent. */
struct shared_slot {
    struct job job;
    _Atomic uint64_t seed, began_ns; /* that the child is at, and since when; 0: none */
    struct sums sums;                /* of the seeds of the job that have ended */
    bool failed, wrote_history, wrote_svg;
    struct failure failure;
    char trouble[256]; /* why a file could not be written; "" */
    char marks[MARKS_MAX];
};

struct worker {
    int job_fd, done_fd;
    int transcript_fd, error_fd; /* files in memory */
    const struct sim_options *options;
    struct shared_slot *shared;
};

/* What a child does until its parent closes job_fd. */
_Noreturn void worker_main(const struct worker *worker);

struct workers;

/* A job that ended. */
struct job_done {
    void *tag;
    struct job job;
    struct sums sums;
    bool failed; /* or it died, or it took too long */
    struct failure failure;
    struct text transcript; /* of a watched job; lines "NS\tWHO\tTEXT". The caller's */
    bool wrote_history, wrote_svg;
    char trouble[256];
};

enum workers_event { WORKERS_DONE, WORKERS_TIMEOUT, WORKERS_INTERRUPTED, WORKERS_TROUBLE };

/* NULL after saying why. Children are begun when there is work. */
struct workers *workers_new(const struct sim_options *options);
/* Ends all children; those that are idle hand over their marks before. */
void workers_free(struct workers *workers);
bool workers_idle(const struct workers *workers);
unsigned workers_busy(const struct workers *workers);
/* Only when one is idle. False after saying why. */
bool workers_submit(struct workers *workers, const struct job *job, void *tag);
/* The next job that ends. INTERRUPTED: by a signal that asks the program to end. */
enum workers_event workers_wait(struct workers *workers, int timeout_ms, struct job_done *done);

uint64_t real_ns(void);

/* --- drive.c --- */

enum drive_end { DRIVE_OVER, DRIVE_INTERRUPTED, DRIVE_TROUBLE };

/* Runs all tasks' seeds. */
enum drive_end drive(struct workers *workers, struct tasks *tasks,
                     const struct sim_options *options);
/* True when the task was to fail and did so in a promise that it checks. */
bool canary_caught(const struct task *task);
/* What is wrong with the task: something failed, or a canary did not. */
bool task_bad(const struct task *task);

/* --- minimise.c --- */

struct minimised {
    struct scenario from, scenario; /* what failed first, without swarm; and what is left */
    struct failure failure;
    unsigned tried, taken;
    uint64_t took_ns;
};

/* Fills *out with the failing run of the task, made smaller when options->shrink. */
enum drive_end minimise(struct workers *workers, const struct task *task,
                        const struct sim_options *options, struct minimised *out);
/* Runs it once more, watched; the transcript is the caller's. */
enum drive_end watch_run(struct workers *workers, const struct minimised *run,
                         struct job_done *done);

/* --- report.c, json.c --- */

void report_list(const struct tasks *tasks);
void report_progress(const struct tasks *tasks, const struct sim_options *options,
                     uint64_t since_ns);
void report_progress_clear(void);
void report_tasks(const struct tasks *tasks, const struct sim_options *options);
void report_failure(const struct task *task, const struct sim_options *options,
                    const struct minimised *run, const struct job_done *watched);
/* All lines of a transcript, to stdout. */
void report_transcript(const struct text *transcript);
/* The command line that replays a run. */
void replay_command(const struct task *task, const struct sim_options *options,
                    const struct minimised *run, struct text *out);
/* "33 min", "2.4 h"; returns buf. */
const char *print_time(uint64_t ns, char *buf, size_t size);

json_t *json_tasks(const struct tasks *tasks, uint64_t took_ns);
json_t *json_failure(const struct task *task, const struct sim_options *options,
                     const struct minimised *run, const struct job_done *watched);

/* --- marks.c --- */

/* In plain builds there is no option that leads here. */
extern const bool sim_instrumented;
bool mutant_switch_on(const char *name); /* false after saying that there is none */
void instrumented_list(bool mutants);
size_t marks_to_text(char *buf, size_t size);
void marks_from_text(const char *text);
json_t *marks_json(void);
void marks_report(void);

#endif
