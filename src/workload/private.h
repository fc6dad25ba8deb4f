/* SPDX-License-Identifier: MIT
 *
 * private.h: what the files of the workloads share.
 */
#ifndef PACTFS_WORKLOAD_PRIVATE_H
#define PACTFS_WORKLOAD_PRIVATE_H

#include "core/base/chance.h"
#include "workload/workload.h"

#define TREE_KNOWN 48u

enum tree_kind { TREE_UNKNOWN = 0, TREE_DIRECTORY, TREE_FILE };

struct tree_inode {
    uint32_t ino; /* a value of the history */
    uint8_t kind; /* enum tree_kind */
};

/* What one client knows of a tree. */
struct tree_client {
    struct tree_inode known[TREE_KNOWN]; /* without the root */
    uint32_t count;
    struct tree_inode *look; /* to be listed (after a crash) or read (finally), in this order */
    uint32_t look_at, look_count, look_room;
};

struct workload_client {
    struct chance chance;
    uint64_t serial;   /* of its unique values */
    uint32_t at;       /* finally: the next key */
    int64_t amount;    /* of the transfer under way */
    bool bank_is_open; /* it knows that all the balances were written */
    bool finally;
    struct tree_client tree;
};

struct workload {
    struct workload_options options;
    struct history *history;
    uint32_t *keys;                          /* of the history, options.keys of them; a tree: one */
    uint32_t *names;                         /* of a tree: values, options.keys of them */
    uint32_t root, replace, fresh, exchange; /* of a tree: values */
    struct workload_client *clients;
};

static inline uint32_t workload_below(struct workload *w, uint32_t client, uint32_t n)
{
    return chance_below(&w->clients[client].chance, n);
}

/* A number that no other write of any client has. */
uint64_t workload_unique(struct workload *w, uint32_t client);

/* Each adds the acts of the transaction that was begun last. */
void bank_plan(struct workload *w, uint32_t client);
void bank_read_all(struct workload *w);
void files_plan(struct workload *w, uint32_t client);

void bank_continue(struct workload *w, uint32_t txn);
void bank_ended(struct workload *w, uint32_t txn);

void files_new(struct workload *w);
void files_free(struct workload *w);
void files_ended(struct workload *w, uint32_t txn);
void files_crashed(struct workload *w);
/* Begins the next of the final reads; false when there is none. */
bool files_final(struct workload *w, uint32_t client, uint64_t at_ns, uint32_t *txn);

#endif
