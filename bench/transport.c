/* SPDX-License-Identifier: MIT
 *
 * transport.c: what TLS between nodes costs, beside plain TCP: transport_bench [MIB]
 *
 * One process for each node, on loopback. Prints: messages of 1 MiB one way, the same passed on by
 * a node in between, and round trips of 100 bytes, one and 16 at a time; then plain TCP with
 * blocking calls, which is what the machine can do.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "core/base/assert.h"
#include "io/tls/transport.h"

#define GREAT (1u << 20)
#define HEAD  100u
#define PINGS 20000u
#define CELL  7

static char dir[64];
static uint8_t data[GREAT];

static double seconds(void)
{
    return (double)uv_hrtime() / 1e9;
}

/* Processor time of this process and of its children that have ended. */
static double processor(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return (double)(self.ru_utime.tv_sec + self.ru_stime.tv_sec + children.ru_utime.tv_sec +
                    children.ru_stime.tv_sec) +
           (double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec + children.ru_utime.tv_usec +
                    children.ru_stime.tv_usec) /
               1e6;
}

static struct {
    double wall, processor;
} clock_at;

static void start_clock(void)
{
    clock_at.wall = seconds();
    clock_at.processor = processor();
}

/* All children have ended. `amount`: in what `unit` says. */
static void report(const char *what, double wall, double amount, const char *unit)
{
    printf("%-34s %8.0f %-5s %8.2f us of processor time for each of 1 MB or one\n", what,
           amount / wall, unit, (processor() - clock_at.processor) * 1e6 / amount);
}

/* --- over the transport --- */

struct party {
    uv_loop_t loop;
    struct transport *t;
    struct net *net;
    uint32_t next;        /* where it passes messages on to; 0: nowhere */
    uint64_t got, wanted; /* bytes, or answers */
    bool echo;
};

static enum err put(struct party *party, uint32_t to, uint32_t len)
{
    struct env_iov pieces[] = {{data, HEAD}, {data, len - HEAD}};
    return party->net->ops->send(party->net, to, pieces, len > HEAD ? 2 : 1);
}

static void on_message(void *ctx, uint32_t from, struct bytes message)
{
    struct party *party = ctx;
    struct env_iov piece = {(void *)(uintptr_t)message.data, message.len};
    party->got += party->echo ? 0 : party->wanted < GREAT ? 1 : message.len;
    if (party->echo)
        INVARIANT(party->net->ops->send(party->net, from, &piece, 1) == OK);
    else if (party->next)
        INVARIANT(party->net->ops->send(party->net, party->next, &piece, 1) == OK);
}

static void open_party(struct party *party, uint32_t self)
{
    struct store_error error;
    char name[16];
    snprintf(name, sizeof name, "n%u", self);
    INVARIANT(uv_loop_init(&party->loop) == 0);
    struct transport_options options = {.loop = &party->loop,
                                        .dir = dir,
                                        .name = name,
                                        .self = self,
                                        .listen = "127.0.0.1:0",
                                        .queue_bytes = 256u << 20};
    if (transport_open(&options, &party->t, &error) != OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    party->net = transport_net(party->t);
    party->net->ops->listen(party->net, on_message, party);
}

/* A node of its own process: tells its address, passes on or takes; ends with its parent's pipe. */
static pid_t start(uint32_t self, const struct party *like, const char *next, char address[64])
{
    int pipes[2];
    INVARIANT(pipe(pipes) == 0);
    pid_t pid = fork();
    INVARIANT(pid >= 0);
    if (pid == 0) {
        struct party party = *like;
        open_party(&party, self);
        if (next)
            transport_place(party.t, party.next, next);
        snprintf(address, 64, "%s", transport_address(party.t));
        INVARIANT(write(pipes[1], address, 64) == 64);
        for (;;) {
            uv_run(&party.loop, UV_RUN_ONCE);
            if (party.wanted && party.got >= party.wanted) {
                INVARIANT(put(&party, 1, HEAD) == OK); /* all is here */
                party.got = 0;
            }
        }
    }
    INVARIANT(read(pipes[0], address, 64) == 64);
    close(pipes[0]);
    close(pipes[1]);
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void stream(const char *what, uint64_t mib, bool relay)
{
    struct party me = {.wanted = 1}, sink = {.wanted = mib * GREAT}, between = {.next = 2};
    char first[64], second[64];
    open_party(&me, 1);
    pid_t to = start(2, &sink, NULL, first), via = 0;
    if (relay)
        via = start(3, &between, first, second);
    transport_place(me.t, relay ? 3 : 2, relay ? second : first);
    /* The sink answers node 1 directly: it has to know a way. */
    transport_place(me.t, 2, first);
    INVARIANT(put(&me, 2, HEAD) == OK);
    uv_run(&me.loop, UV_RUN_ONCE);
    start_clock();
    for (uint64_t sent = 0; me.got == 0;) {
        struct transport_status status;
        transport_status(me.t, &status);
        bool room = sent < mib && sent * GREAT < status.bytes_out + (8u << 20);
        if (room && put(&me, relay ? 3 : 2, GREAT) == OK)
            sent++;
        else
            uv_run(&me.loop, UV_RUN_ONCE);
        if (room)
            uv_run(&me.loop, UV_RUN_NOWAIT);
    }
    double wall = seconds() - clock_at.wall;
    stop(to);
    if (via)
        stop(via);
    report(what, wall, (double)mib * GREAT / 1e6, "MB/s");
}

static void pings(const char *what, uint32_t at_once)
{
    struct party me = {.wanted = 1}, other = {.echo = true};
    char address[64];
    open_party(&me, 1);
    pid_t pid = start(2, &other, NULL, address);
    transport_place(me.t, 2, address);
    put(&me, 2, HEAD);
    while (me.got < 1)
        uv_run(&me.loop, UV_RUN_ONCE);
    start_clock();
    for (uint64_t sent = 1; me.got < PINGS;) {
        while (sent < PINGS && sent - me.got < at_once && put(&me, 2, HEAD) == OK)
            sent++;
        uv_run(&me.loop, UV_RUN_ONCE);
    }
    double wall = seconds() - clock_at.wall;
    stop(pid);
    report(what, wall, PINGS, "/s");
}

/* --- plain TCP --- */

static int pair_of_processes(pid_t *pid, bool echo)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof any;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    INVARIANT(bind(listener, (struct sockaddr *)&any, sizeof any) == 0);
    INVARIANT(listen(listener, 1) == 0);
    INVARIANT(getsockname(listener, (struct sockaddr *)&any, &len) == 0);
    *pid = fork();
    if (*pid == 0) {
        int fd = accept(listener, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        for (ssize_t n; (n = read(fd, data, sizeof data)) > 0;)
            if (echo)
                INVARIANT(write(fd, data, (size_t)n) == n);
        INVARIANT(write(fd, "", 1) == 1);
        exit(0);
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    INVARIANT(connect(fd, (struct sockaddr *)&any, sizeof any) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
    return fd;
}

static void plain(uint64_t mib)
{
    pid_t pid;
    char end;
    int fd = pair_of_processes(&pid, false);
    start_clock();
    for (uint64_t i = 0; i < mib; i++)
        INVARIANT(write(fd, data, GREAT) == GREAT);
    shutdown(fd, SHUT_WR);
    INVARIANT(read(fd, &end, 1) == 1);
    double wall = seconds() - clock_at.wall;
    close(fd);
    waitpid(pid, NULL, 0);
    report("plain TCP, 1 MiB one way", wall, (double)mib * GREAT / 1e6, "MB/s");
    fd = pair_of_processes(&pid, true);
    start_clock();
    for (uint32_t i = 0; i < PINGS; i++) {
        INVARIANT(write(fd, data, HEAD) == HEAD);
        for (size_t got = 0; got < HEAD;)
            got += (size_t)read(fd, data, HEAD - got);
    }
    wall = seconds() - clock_at.wall;
    close(fd);
    waitpid(pid, NULL, 0);
    report("plain TCP, round trips", wall, PINGS, "/s");
}

static void make_cell(void)
{
    uint8_t cell[16] = {CELL};
    struct store_error error;
    snprintf(dir, sizeof dir, "/tmp/pactfs-bench-%d", (int)getpid());
    INVARIANT(authority_make(dir, cell, &error) == OK);
    for (uint32_t i = 1; i <= 3; i++) {
        struct identity node = {.role = ROLE_NODE, .node = i, .cell = {CELL}};
        char *request, *certificate;
        snprintf(node.name, sizeof node.name, "n%u", i);
        INVARIANT(identity_request(dir, node.name, &request, &error) == OK);
        INVARIANT(authority_sign(dir, request, &node, &certificate, &error) == OK);
        INVARIANT(identity_keep(dir, node.name, certificate, &error) == OK);
        free(request);
        free(certificate);
    }
}

int main(int argc, char **argv)
{
    uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    char command[128];
    make_cell();
    setvbuf(stdout, NULL, _IONBF, 0);
    stream("TLS, 1 MiB one way", mib, false);
    stream("TLS, 1 MiB by a node in between", mib, true);
    pings("TLS, round trips", 1);
    pings("TLS, round trips, 16 at once", 16);
    plain(mib);
    snprintf(command, sizeof command, "%s", dir);
    execlp("rm", "rm", "-r", command, (char *)NULL);
    return 1;
}
