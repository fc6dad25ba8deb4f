/* SPDX-License-Identifier: MIT
 *
 * client_private.h: what the files of a mount's process share.
 *
 *   client.c        the life: start, serving, the stop
 *   find.c          a question to the cell's nodes; where the volume is, now and from time to time
 *   certificate.c   which, and its renewal
 *   entry.c         the files in HOME/mounts
 *   control.c       what the process is asked
 */
#ifndef PACTFS_NODE_CLIENT_CLIENT_PRIVATE_H
#define PACTFS_NODE_CLIENT_CLIENT_PRIVATE_H

#include <jansson.h>
#include <uv.h>

#include "core/agent/agent.h"
#include "core/agent/remote.h"
#include "core/contract/contract.h"
#include "io/control/control.h"
#include "io/fuse/mount.h"
#include "io/tls/transport.h"
#include "node/cell/cell_file.h"
#include "node/client/client.h"
#include "node/journal.h"

#define CLIENT_WAITERS 16u

/* HOME/mounts/ID and its companions. */
struct entry {
    int folder; /* HOME/mounts; -1: none */
    char id[64];
    bool background;
};

struct mounting;

/* One question to as many nodes as it takes; one at a time. */
struct question {
    char *text; /* NULL: nothing is asked */
    uint64_t serial, deadline_ns, wave_ns;
    uint32_t first, asked, refused;
    json_t *refusal; /* of a node that cannot answer */
    /* The answer with "ok", or a refusal, or NULL: nobody answered. Borrowed. */
    void (*done)(struct mounting *mounting, const json_t *answer);
};

struct mounting {
    const struct client_options *options;
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    uv_timer_t deadline, tick, later;
    struct env *env;
    struct entry entry;
    char tls[HOME_PATH_MAX + 8];
    const char *certificate;  /* "client" or "admin" */
    int64_t certificate_read; /* when its file was changed, as of the last reading */
    struct cell_file *file;
    struct transport *transport;
    struct net *net;
    struct arena arena;
    struct question question;
    /* the volume */
    uint8_t uuid[16];
    char volume[RECORD_NAME_MAX];
    struct contract contract;
    uint32_t replicas[GROUP_MAX], replica_count;
    struct env_space space;
    struct remote *remote;
    struct agent *agent;
    struct mount *mount;
    struct control *control;
    struct control_peer *waiters[CLIENT_WAITERS]; /* for the end of the unmount */
    uint32_t waiter_count;
    uint64_t started_ns, found_ns, check_ns, renew_ns;
    struct store_error error; /* why it cannot start */
    bool was_busy, ready, stopping, closing_mount, ended, vanished;
    int exit_code;
};

/* --- client.c --- */

void client_stop(struct mounting *mounting);
/* It cannot start: mounting->error says why. */
void client_fail(struct mounting *mounting);

/* --- find.c --- */

/* Asks what find_volume was given; `done` once, within `within_ms`. Consumes `request`. */
void find_ask(struct mounting *mounting, json_t *request, uint32_t within_ms,
              void (*done)(struct mounting *mounting, const json_t *answer));
void find_answered(struct mounting *mounting, const struct message *message);
void find_tick(struct mounting *mounting, uint64_t now);
void find_stop(struct mounting *mounting);
/* Where the volume is: fills in uuid, contract, replicas, places. False: the answer is not one. */
bool find_take(struct mounting *mounting, const json_t *answer);
/* Why nobody answered, in a sentence, into mounting->error. */
void find_explain(struct mounting *mounting);
/* Looks again, from time to time, and when nobody answers. */
void find_follow(struct mounting *mounting, uint64_t now);

/* --- certificate.c --- */

/* CERTIFICATE: there is none, or it has expired. */
enum err certificate_choose(struct mounting *mounting);
void certificate_tick(struct mounting *mounting, uint64_t now);

/* --- entry.c --- */

enum err entry_open(struct mounting *mounting);
enum err entry_write(const struct mounting *mounting);
void entry_rotate(const struct entry *entry);
void entry_remove(struct entry *entry);

/* --- control.c --- */

void client_request(void *ctx, struct control_peer *peer, char *line, size_t len);

#endif
