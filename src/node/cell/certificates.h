/* SPDX-License-Identifier: MIT
 *
 * certificates.h: which certificates the cell has given, and which of them it refuses.
 *
 *     issued/SERIAL    {"name", "role", "node", "uid", "not_after"}, kept until it has expired
 *     revoked/SERIAL   refused from now on, likewise
 *     given/HASH       what the invitation with this hash was used up for: {"digest", "answer"}
 *     user/UID         {"gid", "groups"}: what a client that is bound to this user may act as
 */
#ifndef PACTFS_NODE_CELL_CERTIFICATES_H
#define PACTFS_NODE_CELL_CERTIFICATES_H

#include "node/cell/cell_private.h"
#include "node/cell/edit.h"

#define CERTIFICATES_OF_NODE 8u

struct certificate_list {
    uint32_t count;
    uint64_t serials[CERTIFICATES_OF_NODE]; /* the last ones */
    struct registry_read read;
    uint32_t node;
    void (*done)(void *ctx, enum err err);
    void *ctx;
};
/* done(ctx, err) once, later. */
void certificates_of_node(struct cell *cell, struct certificate_list *list, uint32_t node,
                          void (*done)(void *ctx, enum err err), void *ctx);

/* Adds issued/SERIAL to an edit. */
void certificate_issue(struct edit *edit, const struct identity *identity);
/* A serial that nobody has: 63 random bits. */
uint64_t certificate_serial(void);

/* SHA-256, as hexadecimal digits. */
void certificate_digest(const void *data, size_t len, char out[65]);

/* Takes away what has expired, now and then. */
void certificates_tidy(struct cell *cell);

/* Does this home hold the authority's key? */
bool certificate_authority(const struct cell *cell);
/* A node that holds it and runs, other than this one; 0: none is known. */
uint32_t certificate_authority_node(const struct cell *cell);

#endif
