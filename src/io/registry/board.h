/* SPDX-License-Identifier: MIT
 *
 * board.h: the inside of a switch (switch.c), for growth (grow.c).
 */
#ifndef PACTFS_IO_REGISTRY_BOARD_H
#define PACTFS_IO_REGISTRY_BOARD_H

#include "io/registry/switch.h"

/* A user's read or change on its way through a backend, or held. */
struct routed {
    struct registry_read read;
    struct registry_change change;
    struct board *board;
    struct registry *backend;     /* NULL: held */
    void *user;                   /* NULL: forgotten */
    struct registry_change *copy; /* held: of the user's change */
    uint64_t until;               /* held: uv_hrtime */
    struct routed *next, **link;
};

struct routed_watch {
    struct registry_watch inner; /* first */
    struct registry_watch *user; /* NULL: ended */
    struct board *board;
    struct routed_watch *next;
};

struct board {
    struct registry registry; /* first */
    uv_loop_t *loop;
    struct registry *backend;
    struct routed *routed, **routed_end; /* in the order of the calls */
    struct routed_watch *watches, **watches_end;
    uv_timer_t timer; /* the deadline of the first held change */
    bool holding, walking, growing;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* Changes wait from now on. */
void board_hold(struct board *board);
/* Held changes go to the backend, in order; so do new ones. */
void board_release(struct board *board);
/* Another backend: watches are told `lost`, and begin there. */
void board_exchange(struct board *board, struct registry *backend);

#endif
