/* SPDX-License-Identifier: MIT
 *
 * dial.c: attempts to reach a node.
 *
 * Names are looked up by a worker thread, one at a time: a name server that does not answer shall
 * not take the threads on which the store waits for its disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/tls/transport_private.h"

struct resolving {
    uv_getaddrinfo_t request; /* first: requests are cast back */
    struct transport *transport;
    struct node_place *node; /* NULL: nobody wants to know any more */
    uint16_t port;
};

void dial_failed(struct transport *t, struct node_place *node, const char *sentence)
{
    snprintf(node->trouble, sizeof node->trouble, "%s", sentence);
    outbox_clear(&node->waiting);
    if (node->conn)
        return;
    node->lost = true;
    t->tell = true;
    turn_busy(t);
}

static void failed_errno(struct transport *t, struct node_place *node)
{
    char sentence[SENTENCE];
    snprintf(sentence, sizeof sentence, "%.120s cannot be reached: %s.", node->address,
             strerror(errno));
    dial_failed(t, node, sentence);
}

static void connect_to(struct transport *t, struct node_place *node,
                       const struct sockaddr_storage *address, socklen_t len)
{
    if (t->count >= TRANSPORT_PEERS) {
        dial_failed(t, node, "This process has no room for more connections.");
        return;
    }
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        failed_errno(t, node);
        return;
    }
    socket_options(fd, !t->options.no_delay_probe);
    if (connect(fd, (const struct sockaddr *)address, len) != 0 && errno != EINPROGRESS) {
        failed_errno(t, node);
        close(fd);
        return;
    }
    struct conn *conn = conn_new(t, fd, false);
    conn->dialled = node->number;
    conn->deadline_ms = transport_now(t) + CONNECT_MS;
    turn_due(t, conn->deadline_ms);
    node->attempt = conn;
    outbox_move(&conn->plain, &node->waiting);
    conn_update(conn);
}

/* --- names --- */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct resolving *resolving = (struct resolving *)request;
    struct transport *t = resolving->transport;
    struct node_place *node = resolving->node;
    if (t)
        t->resolving--;
    if (node) {
        node->resolving = NULL;
        if (status == 0 && found->ai_addrlen <= sizeof(struct sockaddr_storage)) {
            struct sockaddr_storage address = {0};
            memcpy(&address, found->ai_addr, found->ai_addrlen);
            address_set_port(&address, resolving->port);
            connect_to(t, node, &address, found->ai_addrlen);
        } else {
            char sentence[SENTENCE];
            snprintf(sentence, sizeof sentence, "The name in %.120s is not known: %s.",
                     node->address, uv_strerror(status));
            dial_failed(t, node, sentence);
        }
    }
    uv_freeaddrinfo(found);
    free(resolving);
}

static void resolve(struct transport *t, struct node_place *node)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    char host[RECORD_ADDR_MAX];
    uint16_t port;
    if (!address_parse(node->address, false, host, &port)) {
        dial_failed(t, node, "Its address cannot be read.");
        return;
    }
    if (t->resolving > 0) {
        turn_due(t, node->next_ms);
        return;
    }
    struct resolving *resolving = calloc(1, sizeof *resolving);
    INVARIANT(resolving != NULL);
    resolving->transport = t;
    resolving->node = node;
    resolving->port = port;
    if (uv_getaddrinfo(t->loop, &resolving->request, on_resolved, host, NULL, &hints) != 0) {
        free(resolving);
        dial_failed(t, node, "Its name cannot be looked up.");
        return;
    }
    node->resolving = resolving;
    t->resolving++;
}

void dial_forget(struct node_place *node)
{
    if (!node->resolving)
        return;
    /* A look-up cannot be stopped once it runs; it ends by itself. */
    node->resolving->transport->resolving--;
    node->resolving->transport = NULL;
    node->resolving->node = NULL;
    uv_cancel((uv_req_t *)&node->resolving->request);
    node->resolving = NULL;
}

void dial(struct transport *t, struct node_place *node)
{
    struct sockaddr_storage address;
    socklen_t len;
    uint64_t now = transport_now(t);
    if (node->conn || node->attempt || node->resolving)
        return;
    if (now < node->next_ms) {
        turn_due(t, node->next_ms);
        return;
    }
    node->next_ms = now + t->options.again_ms;
    if (!node->address[0])
        dial_failed(t, node, "Its address is not known.");
    else if (address_figures(node->address, &address, &len))
        connect_to(t, node, &address, len);
    else
        resolve(t, node);
}
