/* SPDX-License-Identifier: MIT
 *
 * cluster.h: real etcd for tests: members as children of the test, on loopback ports found at run
 * time, with certificates made for them. They die with the test, whatever it dies of.
 */
#ifndef PACTFS_TESTS_REGISTRY_CLUSTER_H
#define PACTFS_TESTS_REGISTRY_CLUSTER_H

#include "suite.h"

#include "io/etcd/child.h"

#define MEMBERS 3u

struct member {
    struct etcd_child *child; /* NULL: not started */
    uint16_t client_port, peer_port;
    char dir[128], name[16];
    unsigned ups, downs;
};

struct cluster {
    struct world w; /* first */
    char tls[128], other_tls[128];
    struct member members[MEMBERS];
};

/* A directory, certificates (tls: of a node; other_tls: of a client of the cell) and ports. */
struct cluster *cluster_new(void);
/* Starts members 0 to count - 1 as one cluster, and waits until they answer. */
void cluster_start(struct cluster *c, unsigned count);
void member_start(struct cluster *c, unsigned i, const char *cluster, bool join);
void member_stop(struct cluster *c, unsigned i);
void member_signal(struct cluster *c, unsigned i, int signal);
/* The member that leads; fails when there is none within five seconds. */
unsigned cluster_leader(struct cluster *c);
void cluster_free(struct cluster *c);

/* A client of members 0 to count - 1, beginning with `first`. */
struct registry *client_open(struct cluster *c, unsigned first, unsigned count);
struct registry *client_open_at(struct cluster *c, const char *urls, const char *tls);
void client_close(struct cluster *c, struct registry *registry);
/* One POST to member i, outside the registry; the answer is malloc'd, "" when there is none. */
char *ask_member(struct cluster *c, unsigned i, const char *path, const char *body);
/* Waits until the registry answers. */
void wait_until_there(struct cluster *c, struct registry *registry);

#endif
