/* SPDX-License-Identifier: MIT
 *
 * manager.h: one replica manager, node 1, on a simulated disk. Everybody else is the test: what the
 * node sends is kept, what it shall get is handed to it, and the registry does what it is told.
 */
#ifndef PACTFS_TESTS_UNIT_REPLICA_MANAGER_H
#define PACTFS_TESTS_UNIT_REPLICA_MANAGER_H

#include "core/registry/records.h"
#include "core/replica/primary/primary.h"
#include "sim/sim.h"

#define SELF     1u
#define AGENT    50u
#define MS       UINT64_C(1000000)
#define FAILOVER (2000 * MS)
#define NODES    8u

struct sent {
    uint32_t to;
    uint64_t at;
    uint8_t *bytes;
    struct arena arena;
    struct message message;
};

struct manager {
    struct sim_disk *disk;
    struct sim *sim;
    struct env *env;
    struct store *store;
    struct primary *primary;
    struct store_identity identity;
    struct contract contract;
    struct net net;
    struct arena arena;
    struct sent *sent;
    uint32_t sent_count, sent_room, answered;
    uint64_t session;

    /* other nodes: who answers heartbeats, who takes records, up to where they have them */
    bool alive[NODES], takes[NODES];
    struct stamp has[NODES];

    /* the registry: one key */
    struct registry registry;
    char key[REGISTRY_KEY_MAX + 1];
    struct view view; /* number 0: none */
    uint64_t revision;
    struct registry_item item;
    struct arena item_arena;
    struct registry_watch *watch;
    struct registry_read *read;
    struct registry_change *change;
    struct env_timer read_timer, change_timer;
    struct view proposed; /* the last that was asked for; number 0: none */
    bool conditional;
    uint64_t condition;
    bool holds; /* changes are not answered, and not made */
};

/* The node makes the volume and is the only member; an agent has a session. */
void manager_new(struct manager *m);
void manager_free(struct manager *m);
/* The process is killed and starts again. */
void manager_restart(struct manager *m);
/* Virtual time passes; those that are alive answer meanwhile. */
void manager_pass(struct manager *m, uint64_t ns);
/* This view stands in the registry from now on, and the node has heard of it. */
void manager_view(struct manager *m, uint64_t number, uint32_t primary, uint32_t members);

/* A message to the node, of its view and volume; number is set when it is 0. */
void manager_give(struct manager *m, uint32_t from, struct message *message);
/* The newest message of this kind to `to`, or NULL. */
const struct message *manager_got(const struct manager *m, uint32_t to, enum message_kind kind);
void manager_forget(struct manager *m); /* what was sent so far */

/* The agent's request: sent once more with the same slot and serial when it is called again. */
struct asked {
    uint32_t slot;
    uint64_t serial, number; /* number 0: as the node has it */
    struct fs_op op;
};
void manager_ask(struct manager *m, const struct asked *asked);
/* The answer that came since manager_forget; false: none. */
bool manager_reply(const struct manager *m, const struct asked *asked, struct message *out);
/* Asks and waits: its err, which has to come. `out` may be NULL. */
enum err manager_do(struct manager *m, const struct asked *asked, struct message *out);

#endif
