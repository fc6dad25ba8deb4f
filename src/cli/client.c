/* SPDX-License-Identifier: MIT
 *
 * client.c: one line of JSON there, lines of JSON back, each wait with a deadline.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"
#include "io/control/control.h"

bool client_open(struct client *client, const char *home)
{
    client->used = client->taken = 0;
    client->fd = control_connect(home);
    return client->fd >= 0;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

bool client_send(struct client *client, json_t *request)
{
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!line)
        return false;
    size_t len = strlen(line);
    line[len] = '\n';
    for (size_t sent = 0; sent <= len;) {
        ssize_t n = send(client->fd, line + sent, len + 1 - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(line);
            return false;
        }
        sent += (size_t)n;
    }
    free(line);
    return true;
}

/* Reads more; false at the end, on errors, and when nothing came in time. */
static bool read_more(struct client *client, int timeout_ms)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    int ready;
    memmove(client->buf, client->buf + client->taken, client->used - client->taken);
    client->used -= client->taken;
    client->taken = 0;
    if (client->used == sizeof client->buf)
        return false;
    do
        ready = poll(&wait, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return false;
    ssize_t got;
    do
        got = read(client->fd, client->buf + client->used, sizeof client->buf - client->used);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    client->used += (size_t)got;
    return true;
}

json_t *client_read(struct client *client, int timeout_ms)
{
    for (;;) {
        char *start = client->buf + client->taken;
        char *end = memchr(start, '\n', client->used - client->taken);
        if (end) {
            client->taken = (size_t)(end - client->buf) + 1;
            return json_loadb(start, (size_t)(end - start), 0, NULL);
        }
        if (!read_more(client, timeout_ms))
            return NULL;
    }
}

json_t *client_ask(struct client *client, const char *name, int timeout_ms)
{
    if (!client_send(client, json_pack("{s:s}", "request", name)))
        return NULL;
    return client_read(client, timeout_ms);
}

bool answer_ok(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "ok"));
}

int complain_answer(const json_t *answer)
{
    const char *sentence = json_string_value(json_object_get(answer, "error"));
    if (sentence)
        return complain("%s", sentence);
    return complain("PactFS did not answer in time, ended, or is not yours to ask; its log is in "
                    "the home.");
}
