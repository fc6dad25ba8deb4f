/* SPDX-License-Identifier: MIT
 *
 * ask.h: a question under way: a line of the control socket, or a CALL of another node, an
 * administrator or a client; the same JSON in both.
 *
 * Each question is finished once: ask_finish, ask_fail or ask_done, now or later. Nothing is sent
 * to who has gone meanwhile.
 */
#ifndef PACTFS_NODE_CELL_ASK_H
#define PACTFS_NODE_CELL_ASK_H

#include <jansson.h>

#include "node/cell/gate.h"

struct cell;
struct cell_volume;
struct cell_node;
struct control_peer;

struct ask {
    struct cell *cell;
    json_t *json;
    const char *request;          /* its name, in json */
    enum gate_role role;          /* of who asks; the control socket's peers are as nodes */
    struct control_peer *control; /* or NULL */
    uint32_t peer;                /* of the transport, when control is NULL */
    uint64_t serial;
    struct env_timer timer; /* while the node does not know enough to answer yet */
    uint64_t began_ns;
    struct ask *next, **link;
};

/* Takes a question in. `text` is read only during the call; who asks too much or not JSON is
 * answered at once. */
void ask_control(void *ctx, struct control_peer *peer, char *line, size_t len);
void ask_peer(struct cell *cell, uint32_t peer, enum gate_role role, const struct message *message);
/* The peer's number will be somebody else's. */
void asks_lost(struct cell *cell, uint32_t peer);

/* Each consumes `answer` and ends the question, but for ask_progress, which only the control socket
 * passes on. */
void ask_finish(struct ask *ask, json_t *answer);
void ask_progress(struct ask *ask, json_t *line);
void ask_done(struct ask *ask); /* {"ok": true} */
__attribute__((format(printf, 3, 4))) void ask_fail(struct ask *ask, enum err code,
                                                    const char *format, ...);
/* A change of the registry that failed: why, and whether it may have happened. */
void ask_fail_registry(struct ask *ask, enum err code);

/* What a question names. NULL: it was not named, or there is no such thing, and the question was
 * failed with a sentence. */
const char *ask_text(struct ask *ask, const char *name, size_t most);
struct cell_volume *ask_volume(struct ask *ask);
struct cell_node *ask_node(struct ask *ask, const char *name);

/* Lets node `to` answer in this one's place. */
void ask_forward(struct ask *ask, uint32_t to, uint32_t timeout_ms);

#endif
