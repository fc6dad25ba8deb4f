/* SPDX-License-Identifier: MIT
 *
 * control.h: the socket through which the command talks to a running node.
 *
 * A unix stream socket in the node's home, mode 0600. Each request is one line of JSON, each answer
 * one or more lines; the last answer to a request is the one that control_finish sends. A peer has
 * one request under way at a time: what it sends meanwhile waits in the socket.
 *
 * Hostile input: only the node's own user and root are listened to; a line longer than
 * CONTROL_LINE_MAX, more than CONTROL_PEERS peers at once, or a peer that does not read its answers
 * ends that peer's connection and nothing else.
 */
#ifndef PACTFS_IO_CONTROL_CONTROL_H
#define PACTFS_IO_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "core/base/err.h"

#define CONTROL_LINE_MAX   8192u      /* bytes of one request */
#define CONTROL_PEERS      32u        /* connections at once */
#define CONTROL_UNREAD_MAX (4u << 20) /* bytes of answers that wait for a peer */
#define CONTROL_NAME       "control"  /* of the socket in the home */

struct control;
struct control_peer;

struct control_events {
    /* One request: a line without its end, NUL-terminated, no NUL inside; valid during the call.
     * control_finish must be called for it once, now or later. */
    void (*request)(void *ctx, struct control_peer *peer, char *line, size_t len);
    void *ctx;
    const char *name; /* of the socket, at most 63 bytes; NULL: CONTROL_NAME */
};

/* Listens in the directory that `home_fd` is open on; a socket left there by a dead node is
 * replaced: the caller holds the home's lock. IO and others from the operating system. */
enum err control_open(uv_loop_t *loop, int home_fd, const struct control_events *events,
                      struct control **out);

/* Stops listening and removes the socket; peers stay connected. */
void control_stop_listening(struct control *control);

/* Closes all peers after their answers were written (or `grace_ms` went by); done(ctx) runs once,
 * on the loop; control is freed then. */
void control_close(struct control *control, uint64_t grace_ms, void (*done)(void *ctx), void *ctx);

/* Sends a line (without its end) to the peer; does nothing when it has gone. Copied. */
void control_send(struct control_peer *peer, const char *line);
/* The last line of the answer; the peer's next request is read after it. The pointer is invalid
 * then. */
void control_finish(struct control_peer *peer, const char *line);
/* True when the peer has gone and nobody reads the answer. */
bool control_gone(const struct control_peer *peer);

/* The client's side: a connected, blocking socket to the node in `home`, or -1 with errno set.
 * Paths of any length. */
int control_connect(const char *home);

#endif
