/* SPDX-License-Identifier: MIT
 *
 * client.h: the process of one client, and what goes between it and the recorder. Private to
 * src/record.
 *
 * An order is a part of a transaction: acts to be executed one after another. The answer has what
 * each was answered with, up to the first whose outcome is not known.
 */
#ifndef PACTFS_RECORD_CLIENT_H
#define PACTFS_RECORD_CLIENT_H

#include "record/record.h"

#define ORDER_ACTS_MAX RECORD_KEYS_MAX
#define WORD_MAX       48u

struct order_act {
    uint8_t code;
    bool given[ACT_ARGS_MAX]; /* this argument is there */
    char key[WORD_MAX];
    char args[ACT_ARGS_MAX][WORD_MAX];
};

struct order {
    uint32_t count;
    bool begins, ends; /* the first, the last part of its transaction */
    struct order_act acts[ORDER_ACTS_MAX];
};

enum answer_kind {
    ANSWER_NOTHING = 0, /* done, and no answer is due */
    ANSWER_NIL,
    ANSWER_VALUE,
    ANSWER_LIST,
    ANSWER_FAULT,   /* one of the act's own: number is an enum err */
    ANSWER_FAILED,  /* it was not tried, or surely took no effect */
    ANSWER_UNKNOWN, /* may have taken effect, at any time; fault is an errno, or 0 */
};

/* Of one act; then `count` strings, each ended by NUL. */
struct answer_head {
    uint32_t kind, fault, count;
};

/* Then `bytes` bytes: heads and strings in turn. */
struct reply {
    uint64_t began_ns, ended_ns; /* of the part */
    uint32_t bytes, acts;
};

/* What a client knows, and its answer under way. */
struct known_inode;
struct client {
    enum workload_kind kind;
    int dir;        /* what was made for this run */
    int mkdir_lock; /* see files.c */
    bool sync;
    uint64_t began_ns, ended_ns;
    struct text answer;
    /* of a tree */
    uint64_t root;
    struct known_inode *known;
    uint32_t known_count, known_room;
    int bank_lock; /* open while a transfer is under way, else -1 */
};

uint64_t record_now(void);
/* All of it from and to a socket; false at the end of the stream, or on an error. */
bool take_all(int fd, void *data, size_t len);
bool give_all(int fd, const void *data, size_t len);

/* Carries out orders until the recorder is gone; never returns. */
_Noreturn void client_run(struct client *client, int socket);

/* --- one act each; what they do is timed by client_begin and client_end around the calls --- */

void client_begins(struct client *client); /* before the first call of the part */
void client_ends(struct client *client);   /* after the last so far */

void answer_put(struct client *client, enum answer_kind kind, enum err fault);
void answer_value(struct client *client, const char *text);
void answer_unknown(struct client *client, int number); /* of errno */
/* Of a call that changes something: done when it was `good`; else what errno says: the fault when
 * it is among `faults`, a list ended by 0, or that its outcome is not known. */
void answer_change(struct client *client, bool good, const int *faults);

/* False: the acts behind this one are not to be executed. */
bool plain_act(struct client *client, const struct order_act *act);
bool files_act(struct client *client, const struct order_act *act);

/* The bank's lock, before the first act and after the last. */
bool bank_enter(struct client *client, const struct order *order);
void bank_leave(struct client *client);

/* Names with their inodes: name, NUL, the inode's number in decimal, NUL, and so on. */
struct names {
    struct text text;
    uint32_t count;
};

/* All names of a directory but . and .., as they were at one moment: directory.c. False: errno. */
bool read_names(int dir, const char *name, struct names *names);

#endif
