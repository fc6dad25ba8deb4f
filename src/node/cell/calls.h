/* SPDX-License-Identifier: MIT
 *
 * calls.h: questions to other nodes (and to this one), each with an end.
 */
#ifndef PACTFS_NODE_CELL_CALLS_H
#define PACTFS_NODE_CELL_CALLS_H

#include <jansson.h>

#include "core/wire/message.h"

struct cell;

struct call_options {
    json_t *json; /* the question; consumed */
    uint32_t timeout_ms;
    /* Once, later: OK and the answer (valid during the call; it may be a failure, "ok": false), or
     * TIMEOUT, UNREACHABLE, LIMIT, DECODE. */
    void (*done)(void *ctx, enum err err, json_t *answer);
    void *ctx;
};
void call_node(struct cell *cell, uint32_t to, const struct call_options *options);

/* An ANSWER has come. */
void calls_answered(struct cell *cell, uint32_t from, const struct message *message);
/* The connection to a node broke: whom it was asked is not waited for. */
void calls_lost(struct cell *cell, uint32_t peer);

#endif
