/* SPDX-License-Identifier: MIT
 *
 * setup.h: making a cell, and joining one: what is done once, before the process of the node runs.
 * Both block, both make a home (node/home.h, cell_file.h) and leave the start to the caller.
 *
 * Law
 *   S1  A home has cell.json, and is whole, or it has `making` and is not: then the same call may
 *       be made again, and goes on (join) or begins anew (init).
 *   S2  A home that is whole, or is something else, is not changed.
 *   S3  An invitation is used up by the certificate that was given for it. The same home may ask
 *       for that again with the same code until the invitation expires; nobody else can.
 */
#ifndef PACTFS_NODE_CELL_SETUP_H
#define PACTFS_NODE_CELL_SETUP_H

#include "core/registry/records.h"

struct setup_init {
    const char *home;   /* absolute; made when it is missing (its parent must exist) */
    const char *listen; /* "host:port" by which the others will reach this node; the port may be
                           left out (SETUP_PORT), the host not: an IPv6 address in brackets */
    const char *name;   /* of the node; NULL: the machine's */
    const char *cell;   /* of the cell; NULL: "cell" */
    const char *etcd;   /* urls of an etcd that is there already, commas between; NULL: none */
};

struct setup_join {
    const char *home;
    const char *code;    /* of the invitation */
    const char *listen;  /* as above; NULL for one that is not to be a node */
    const char *name;    /* NULL: the machine's */
    uint32_t timeout_ms; /* 0: 10 s */
};

/* What came of it, for people. */
struct setup_made {
    enum node_role role;
    uint32_t node; /* its number; 0: not a node */
    char cell[RECORD_NAME_MAX], name[RECORD_NAME_MAX], listen[RECORD_ADDR_MAX];
    uint8_t fingerprint[32]; /* of the cell's authority */
};

#define SETUP_PORT 4700u

/* Errors, each with a sentence: USAGE (an address or name that cannot be), EXIST (the home is a
 * home already), NOT_A_STORE (the directory is something else), NOENT (its parent), LOCKED, IO,
 * NOSPC, ACCES; join also: DECODE (the code), UNREACHABLE, TIMEOUT, CERTIFICATE (the node is not of
 * the cell of the code), PERM (the invitation is used up, has expired or is for another role). */
enum err setup_init(const struct setup_init *options, struct setup_made *made,
                    struct store_error *error);
enum err setup_join(const struct setup_join *options, struct setup_made *made,
                    struct store_error *error);

/* Reads "host[:port]" as --listen takes it and writes "host:port" to `out`. USAGE with a sentence:
 * nothing that another machine could connect to. */
enum err setup_address(const char *text, char out[RECORD_ADDR_MAX], struct store_error *error);

#endif
