/* SPDX-License-Identifier: MIT
 *
 * record.h: what real processes see of real directories, as a history.
 *
 * Each client is a process of its own with one directory of its own choosing among those given
 * (several mounts of one volume, or one). It does one transaction at a time through POSIX calls and
 * reads the clock of the machine before and after. The plans come from the workload, in this
 * process.
 *
 *   register  a file of 8 bytes, one pwrite, one pread
 *   list      a file, one O_APPEND write of a line; all of it is read
 *   set       a directory, names made in it; one listing
 *   counter   a file, one O_APPEND write of a byte; its size
 *   bank      files of 32 bytes, under an exclusive flock of one lock file
 *   tree      the calls themselves; inode numbers are the values
 */
#ifndef PACTFS_RECORD_RECORD_H
#define PACTFS_RECORD_RECORD_H

#include "core/base/text.h"
#include "core/check/history.h"
#include "workload/workload.h"

#define RECORD_CLIENTS_MAX 64u
#define RECORD_KEYS_MAX    64u

struct record_options {
    enum workload_kind kind;
    const char *const *dirs;
    unsigned dir_count;
    uint32_t clients, keys;
    uint64_t seed;
    uint64_t operations;       /* in all; 0: no limit */
    uint64_t seconds;          /* 0: no limit */
    bool sync;                 /* every change is followed by fsync, and answered as durable */
    bool keep;                 /* leave what was made */
    const volatile bool *stop; /* set from a signal handler: end early */
};

/* Runs the clients; the history is the caller's. Errors fill `why` with a sentence: a directory
 * cannot be used, a process cannot be started. */
enum err record_run(const struct record_options *options, struct history **history,
                    struct text *why);

#endif
