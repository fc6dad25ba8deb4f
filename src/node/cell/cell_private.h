/* SPDX-License-Identifier: MIT
 *
 * cell_private.h: what the parts of a node share.
 *
 *     cell.c       start and stop                 members.c   nodes, users, revoked certificates
 *     inbox.c      messages in, by gate.h         volumes.c   the cell's volumes
 *     ask.c        a question under way           hosts.c     the replicas of this node
 *     requests.c   which questions there are      edit.c      changes of the registry
 *     calls.c      questions to other nodes       keeper.c    the registry, and its growth
 */
#ifndef PACTFS_NODE_CELL_CELL_PRIVATE_H
#define PACTFS_NODE_CELL_CELL_PRIVATE_H

#include <jansson.h>
#include <uv.h>

#include "core/base/assert.h"
#include "core/contract/contract.h"
#include "core/replica/primary/primary.h"
#include "io/control/control.h"
#include "io/tls/transport.h"
#include "node/cell/cell.h"
#include "node/cell/cell_file.h"
#include "node/cell/fence.h"
#include "node/cell/gate.h"
#include "node/cell/placement.h"
#include "node/home.h"
#include "node/journal.h"

#define CELL_VOLUMES_MAX 4096u
#define CELL_HOSTS_MAX   256u
#define CELL_USERS_MAX   4096u
#define CELL_REVOKED_MAX 65536u
#define CELL_ASKS_MAX    256u /* questions under way */
#define CELL_GUEST_ASKS  4u   /* of them, of one peer that is not a node */
#define CELL_CALLS_MAX   512u /* questions to other nodes under way */
#define CELL_WAITERS_MAX 32u
#define CELL_ANSWER_MS   5000u /* another node's answer */
#define CELL_REGISTRY_MS 5000u /* a change of the registry, tried again when it was overtaken */
#define CELL_DELETED_S   (24 * 60 * 60) /* a deleted volume can be had back so long */
#define CELL_LEFT_S      (10 * 60)      /* a replica that went elsewhere is kept so long */
#define CELL_MS          UINT64_C(1000000)

struct host;
struct ask;
struct call;
struct keeper;
struct upkeep;

struct cell_node {
    struct record_node record;
    uint64_t revision;       /* of node/N; 0: known from cell.json only */
    uint64_t alive_revision; /* of alive/N; 0: it does not run, as far as is known */
    uint64_t total, available;
    bool seen; /* since the watch was lost */
};

struct cell_away {
    uint32_t node;
    uint64_t since_ns;
};

struct cell_volume {
    struct cell_volume *next;
    struct record_volume record; /* its contract is in text */
    char *text;
    struct contract contract;
    bool sound;        /* contract is one */
    uint64_t revision; /* of volume/UUID; 0: from this home, the registry has not said yet */
    struct view view;  /* as the registry has it; number 0: none known */
    uint64_t view_revision;
    bool seen, view_seen;
    bool gone;      /* the registry has it no more */
    bool moving;    /* its replicas, or the primary's part, are being moved */
    uint32_t edits; /* that hold on to this row */
    struct cell_away away[GROUP_MAX];
    uint32_t away_count;
    struct host *host; /* this node's replica, or NULL */
};

struct cell_refused {
    uint64_t malformed, kinds, rights, full;
};

struct cell {
    struct cell_options options;
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    uv_timer_t deadline, housekeeping, linger;
    struct home home;
    struct cell_file file;
    bool file_dirty;
    char tls[HOME_PATH_MAX + 8];
    struct env *env;
    struct arena in, out; /* of the message that is delivered; of one that is sent */
    struct transport *transport;
    struct fence fence; /* around the transport */
    struct registry *registry;
    struct keeper *keeper;
    struct upkeep *upkeep;
    struct control *control;

    struct registry_watch node_watch, alive_watch, revoked_watch, user_watch;
    struct registry_watch volume_watch, view_watch;
    bool nodes_known, alive_known, volumes_known, views_known; /* since the last `lost` */
    bool announcing, purging, tidying;
    uint64_t tidied_ns;
    uint32_t farewell;                      /* the node that is being let go; 0: none */
    struct cell_node nodes[CELL_NODES_MAX]; /* in the order of numbers */
    uint32_t node_count;
    struct gate_user *users;
    uint32_t user_count, user_room;
    uint64_t *revoked;
    uint32_t revoked_count, revoked_room;

    struct cell_volume *volumes;
    uint32_t volume_count;
    struct host *hosts;
    uint32_t host_count;
    struct host *opening; /* one at a time */

    struct ask *asks;
    uint32_t ask_count;
    struct call *calls;
    uint32_t call_count;
    uint64_t call_serial;

    struct control_peer *waiters[CELL_WAITERS_MAX]; /* of the stop */
    uint32_t waiter_count;
    struct cell_refused refused;
    uint64_t started_ns;
    int64_t not_after; /* of this node's certificate */
    bool stopping, hosts_stopped;
    int exit_code;
};

/* --- cell.c --- */
void cell_stop(struct cell *cell);
/* cell.json is written soon. */
void cell_changed(struct cell *cell);
uint64_t cell_now(const struct cell *cell); /* monotonic */
int64_t cell_wall(const struct cell *cell);

/* --- members.c --- */
void members_begin(struct cell *cell);
void members_end(struct cell *cell);
/* Says that this node runs, when the registry does not know or the figures are old. */
void members_announce(struct cell *cell);
struct cell_node *member_of(struct cell *cell, uint32_t number);
struct cell_node *member_named(struct cell *cell, const char *name); /* or by its number's digits */
bool member_alive(const struct cell *cell, uint32_t number);
const struct gate_user *user_of(const struct cell *cell, int64_t uid);
bool serial_revoked(const struct cell *cell, uint64_t serial);
/* The lowest node that runs and stays: it looks after what belongs to the cell as a whole. */
bool is_steward(const struct cell *cell);

/* --- volumes.c --- */
void volumes_begin(struct cell *cell);
void volumes_end(struct cell *cell);
struct cell_volume *volume_of(const struct cell *cell, const uint8_t uuid[16]);
/* By name (deleted ones: only when no other has it) or 32 hexadecimal digits. */
struct cell_volume *volume_named(const struct cell *cell, const char *text);
/* The row of a volume, made when there is room; NULL: there is none. */
struct cell_volume *volume_row(struct cell *cell, const uint8_t uuid[16]);
/* Takes over what a record says. DECODE: not a record, or another volume's. */
enum err volume_take(struct cell_volume *volume, struct bytes value);
/* Nobody needs the row any more. */
void volume_drop(struct cell *cell, struct cell_volume *volume);
/* Drops what the registry has no more, once it has told all, and is this cell's (members.c, N3). */
void volumes_sweep(struct cell *cell);
bool volume_names(const struct cell_volume *volume, uint32_t node);
uint32_t replicas_of(const struct cell *cell, uint32_t node); /* how many volumes name it */

/* --- hosts.c --- */
/* From this home: the volumes it has replicas of, before the registry has said anything. */
void hosts_load(struct cell *cell);
/* What the registry says of the volume has changed. */
void host_follow(struct cell *cell, struct cell_volume *volume);
void host_deliver(struct cell *cell, uint32_t from, const struct message *message);
void hosts_lost(struct cell *cell, uint32_t peer);
void hosts_stop(struct cell *cell); /* then cell->hosts_stopped, and stop_further */
struct primary *host_primary(const struct cell_volume *volume); /* NULL: it does not run here */
struct store *host_store(const struct cell_volume *volume);
const char *host_trouble(const struct cell_volume *volume); /* "" or a sentence */
void hosts_tidy(struct cell *cell); /* removes what is not needed any more */

/* --- inbox.c --- */
void inbox_deliver(void *ctx, uint32_t from, struct bytes bytes);
void inbox_joined(void *ctx, uint32_t peer, const struct identity *identity);
void inbox_lost(void *ctx, uint32_t peer);
bool inbox_revoked(void *ctx, uint64_t serial);
void cell_send(struct cell *cell, uint32_t to, const struct message *message);

/* --- cell.c, once more --- */
void stop_further(struct cell *cell);

#endif
