/* SPDX-License-Identifier: MIT
 *
 * harness.h: what the conformance cases are written with.
 *
 * A case is a function. It runs in a process of its own, in an empty directory of its own, which is
 * the working directory, with umask 022; everything it leaves there is removed afterwards. It fails
 * by a CHECK, by a signal, or after CASE_SECONDS. A child made by as_user() or spawn() may use
 * CHECK too.
 */
#ifndef PACTFS_TESTS_POSIX_HARNESS_H
#define PACTFS_TESTS_POSIX_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define CASE_SECONDS 120u

struct test_case {
    const char *name;
    void (*run)(void);
};

struct topic {
    const char *name;
    const struct test_case *cases;
    size_t count;
};

#define TOPIC(id, text, list) \
    const struct topic topic_##id = {(text), (list), sizeof(list) / sizeof((list)[0])}

/* Ends the process as a failure / as "cannot be tested here". */
_Noreturn void check_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void skip_case(const char *reason);

#define CHECK(condition)                                        \
    do {                                                        \
        if (!(condition))                                       \
            check_failed(__FILE__, __LINE__, "%s", #condition); \
    } while (0)

/* The call succeeds (is not negative); gives its value. */
#define OK(call) check_ok(__FILE__, __LINE__, #call, (long long)(call))
/* The call fails with exactly this errno. */
#define FAILS(call, number) check_fails(__FILE__, __LINE__, #call, (long long)(call), (number))
/* Two integers are equal; both are printed when not. */
#define SAME(a, b) check_same(__FILE__, __LINE__, #a " == " #b, (long long)(a), (long long)(b))

long long check_ok(const char *file, int line, const char *call, long long result);
void check_fails(const char *file, int line, const char *call, long long result, int number);
void check_same(const char *file, int line, const char *what, long long a, long long b);

/* An open file descriptor or a failed case. */
int open_ok(const char *path, int flags, mode_t mode);
#define OPEN(path, flags) open_ok((path), (flags), 0644)

void make_file(const char *path, const char *content);
void check_content(const char *path, const char *content);
struct stat stat_of(const char *path); /* lstat */
bool exists(const char *path);
void write_all(int fd, const void *data, size_t len);

/* Runs fn in a child with these ids (and no supplementary groups) and waits; a failed CHECK there
 * fails the case. Needs root: skips the case otherwise. */
void as_user(uid_t uid, gid_t gid, void (*fn)(void));

/* Runs fn(arg) in a child; wait_ok waits for it and fails the case unless it ended with success. */
pid_t spawn(void (*fn)(void *arg), void *arg);
void wait_ok(pid_t child);
void need_root(void);

/* A pair of pipes between a process and its child: signal_peer wakes the other side, await_peer
 * waits for that. */
struct link_pair {
    int to_child[2], to_parent[2];
};
struct link_pair link_pair(void);
void signal_child(const struct link_pair *l);
void signal_parent(const struct link_pair *l);
void await_child(const struct link_pair *l);
void await_parent(const struct link_pair *l);

#endif
