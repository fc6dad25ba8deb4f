/* SPDX-License-Identifier: MIT
 *
 * recorder.h: the process that plans and collects. Private to src/record.
 *
 * A recording is made of rounds: each has objects of its own and a workload of its own. Sets and
 * lists take several, so that they stay short: a listing of many names is not one moment, and a
 * list that is read over and over grows the history with the square of its length.
 */
#ifndef PACTFS_RECORD_RECORDER_H
#define PACTFS_RECORD_RECORDER_H

#include <sys/types.h>

#include "record/client.h"

#define GROWN_MAX 16u /* names in a set, of which a listing tells all at once; 128 in a list */

/* One client's process, as the recorder sees it. */
struct worker {
    pid_t pid;
    int pidfd, socket; /* socket -1: it is gone */
    bool busy;
    unsigned unknown;       /* outcomes in succession */
    uint32_t txn, from, to; /* the part under way: acts [from, to) of the transaction */
    uint64_t began_ns, sent_ns;
};

/* When something of the round happened. */
struct moment {
    uint64_t ns;
    uint8_t what; /* enum */
    uint32_t txn;
};

enum { MOMENT_BEGIN = 0, MOMENT_END, MOMENT_CONVERGED };

struct recorder {
    const struct record_options *options;
    struct history *out;
    struct worker workers[RECORD_CLIENTS_MAX];
    uint64_t start_ns, planned;
    unsigned told; /* errors that left an outcome open, on stderr */
    char run[64];  /* the name of the folder that was made in each directory */
    /* of the round */
    unsigned round;
    struct history *plan;
    struct workload *workload;
    bool full; /* an object has grown enough */
    uint32_t grown[RECORD_KEYS_MAX];
    struct moment *moments;
    uint32_t moment_count, moment_room;
};

/* --- processes.c --- */

/* Folders, processes. False: `why` has the reason; end with workers_end all the same. */
bool workers_begin(struct recorder *recorder, struct text *why);
void workers_end(struct recorder *recorder);
/* This one does not answer, or ended. */
void worker_lost(struct worker *worker);

/* --- round.c --- */

/* One round; false when it was the last. */
bool round_run(struct recorder *recorder);

/* --- replay.c --- */

/* Adds what the round did to recorder->out, in the order in which it happened. */
void round_replay(struct recorder *recorder);
void round_moment(struct recorder *recorder, uint64_t ns, int what, uint32_t txn);

#endif
