/* SPDX-License-Identifier: MIT
 *
 * client.c: the process of one client: orders in, answers out.
 */
#include "record/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t record_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

bool take_all(int fd, void *data, size_t len)
{
    char *at = data;
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool give_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* --- answers --- */

void client_begins(struct client *client)
{
    if (!client->began_ns)
        client->began_ns = record_now();
}

void client_ends(struct client *client)
{
    client->ended_ns = record_now();
}

void answer_put(struct client *client, enum answer_kind kind, enum err fault)
{
    struct answer_head head = {(uint32_t)kind, (uint32_t)fault, kind == ANSWER_VALUE};
    text_add_bytes(&client->answer, &head, sizeof head);
}

void answer_value(struct client *client, const char *text)
{
    answer_put(client, ANSWER_VALUE, OK);
    text_add_bytes(&client->answer, text, strlen(text) + 1);
}

void answer_unknown(struct client *client, int number)
{
    struct answer_head head = {ANSWER_UNKNOWN, (uint32_t)number, 0};
    text_add_bytes(&client->answer, &head, sizeof head);
}

void answer_change(struct client *client, bool good, const int *faults)
{
    int number = errno;
    if (good) {
        answer_put(client, ANSWER_NOTHING, OK);
        return;
    }
    while (*faults && *faults != number)
        faults++;
    if (*faults)
        answer_put(client, ANSWER_FAULT, err_from_errno(number));
    else
        answer_unknown(client, number);
}

/* --- orders --- */

/* The acts of one order; how many were answered. */
static uint32_t execute(struct client *client, const struct order *order)
{
    uint32_t count = 0;
    if (client->kind == WORKLOAD_BANK && order->begins && !bank_enter(client, order)) {
        answer_put(client, ANSWER_FAILED, OK);
        return 1;
    }
    bool go_on = true;
    while (go_on && count < order->count) {
        const struct order_act *act = &order->acts[count++];
        go_on = client->kind == WORKLOAD_TREE ? files_act(client, act) : plain_act(client, act);
    }
    if (client->kind == WORKLOAD_BANK && (order->ends || !go_on))
        bank_leave(client);
    return count;
}

/* Every inode that is known is held open (see files.c). */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

_Noreturn void client_run(struct client *client, int socket)
{
    static struct order order;
    raise_limit();
    umask(0);
    client->bank_lock = -1;
    while (take_all(socket, &order, sizeof order)) {
        client->began_ns = client->ended_ns = 0;
        text_clear(&client->answer);
        uint32_t acts = execute(client, &order);
        if (!client->began_ns)
            client->began_ns = record_now();
        if (client->ended_ns < client->began_ns)
            client->ended_ns = record_now();
        struct reply reply = {client->began_ns, client->ended_ns, (uint32_t)client->answer.len,
                              acts};
        if (!give_all(socket, &reply, sizeof reply) ||
            !give_all(socket, client->answer.data, client->answer.len))
            break;
    }
    _exit(0);
}
