/* SPDX-License-Identifier: MIT
 *
 * node_private.h: what node.c and requests.c share.
 */
#ifndef PACTFS_NODE_NODE_PRIVATE_H
#define PACTFS_NODE_NODE_PRIVATE_H

#include <jansson.h>
#include <uv.h>

#include "core/agent/agent.h"
#include "core/agent/local.h"
#include "core/base/assert.h"
#include "io/control/control.h"
#include "io/fuse/mount.h"
#include "node/home.h"
#include "node/journal.h"
#include "node/node.h"

#define NODE_WAITERS 32u /* stop requests that wait for the end */

struct node {
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    uv_timer_t deadline, housekeeping;
    struct home home;
    struct contract contract;
    struct env *env;
    struct store *store;
    struct replica *replica;
    struct local_executor executor;
    struct agent *agent;
    struct mount *mount;
    struct control *control;
    struct control_peer *waiters[NODE_WAITERS]; /* of the stop */
    unsigned waiter_count;
    struct control_peer *unmounter; /* waits for the end of the unmount, or NULL */
    unsigned tasks;                 /* scrub, clean and other store work under way */
    bool scrubbing;
    bool unmounting; /* mount_close is under way */
    bool made_volume;
    bool background, allow_other;
    bool stopping, draining, store_closed;
    uint64_t started_ns;
    uint64_t cache; /* bytes of the index that may stay in memory */
    int exit_code;
};

/* requests.c: answers one line of the control socket. */
void node_request(void *ctx, struct control_peer *peer, char *line, size_t len);

/* node.c */
void node_stop(struct node *node);
/* MOUNT and others of mount_open, with a sentence. BUSY when there is one already. */
enum err node_mount(struct node *node, const char *dir, struct store_error *error);
/* Unmounts, then answers the peer. There is a mount, and nobody unmounts it yet. */
void node_unmount(struct node *node, struct control_peer *peer);
/* Store work has begun / ended. A stop cuts it short: all has ended when the store is closed. */
void node_task_begin(struct node *node);
void node_task_end(struct node *node);
void node_save_state(struct node *node);

#endif
