/* SPDX-License-Identifier: MIT
 *
 * control.c: the control socket on libuv.
 *
 * A peer lives until its handle is closed and no request of it is under way; `busy` and `closing`
 * say which of the two is outstanding.
 */
#include "io/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/assert.h"

/* With those that have gone while a request of theirs is under way. */
#define PEERS_MAX (4 * CONTROL_PEERS)
#define BACKLOG   128

struct control_peer {
    uv_pipe_t pipe; /* first: handles are cast back */
    struct control *control;
    struct control_peer *next;
    bool busy;    /* a request is under way: its owner holds the pointer */
    bool closing; /* uv_close was called */
    bool closed;  /* and has finished */
    size_t used;
    char line[CONTROL_LINE_MAX + 1];
};

struct control {
    uv_pipe_t listener;
    uv_timer_t grace;
    struct control_events events;
    char name[64];
    struct control_peer *peers;
    unsigned peer_count;
    unsigned open_handles; /* the listener and the timer */
    int home_fd;
    bool listening, stopping;
    void (*done)(void *ctx);
    void *done_ctx;
};

struct answer {
    uv_write_t write;
    struct control_peer *peer;
    bool last;
    char text[];
};

static void take_requests(struct control_peer *peer);
static void close_handle(struct control *control, uv_handle_t *handle);

static void end_when_empty(struct control *control)
{
    if (!control->stopping || control->peers)
        return;
    if (!uv_is_closing((uv_handle_t *)&control->grace))
        close_handle(control, (uv_handle_t *)&control->grace);
    if (control->open_handles > 0)
        return;
    void (*done)(void *ctx) = control->done;
    void *ctx = control->done_ctx;
    free(control);
    done(ctx);
}

static void free_peer(struct control_peer *peer)
{
    struct control *control = peer->control;
    struct control_peer **link = &control->peers;
    INVARIANT(peer->closed && !peer->busy);
    while (*link != peer)
        link = &(*link)->next;
    *link = peer->next;
    control->peer_count--;
    free(peer);
    end_when_empty(control);
}

static void peer_closed(uv_handle_t *handle)
{
    struct control_peer *peer = (struct control_peer *)handle;
    peer->closed = true;
    if (!peer->busy)
        free_peer(peer);
}

static void drop_peer(struct control_peer *peer)
{
    if (peer->closing)
        return;
    peer->closing = true;
    uv_close((uv_handle_t *)&peer->pipe, peer_closed);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_peer *peer = (struct control_peer *)handle;
    (void)suggested;
    *buf = uv_buf_init(peer->line + peer->used, (unsigned)(CONTROL_LINE_MAX - peer->used));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct control_peer *peer = (struct control_peer *)stream;
    (void)buf;
    if (got < 0) {
        drop_peer(peer);
        return;
    }
    peer->used += (size_t)got;
    take_requests(peer);
}

/* Hands over the first whole line, if there is one; the peer is not read until it was answered. */
static void take_requests(struct control_peer *peer)
{
    char *end = peer->used ? memchr(peer->line, '\n', peer->used) : NULL;
    if (!end) {
        if (peer->used == CONTROL_LINE_MAX || peer->control->stopping)
            drop_peer(peer);
        else
            uv_read_start((uv_stream_t *)&peer->pipe, give_room, on_read);
        return;
    }
    size_t len = (size_t)(end - peer->line);
    if (memchr(peer->line, 0, len)) {
        drop_peer(peer);
        return;
    }
    char *line = malloc(len + 1);
    INVARIANT(line != NULL);
    memcpy(line, peer->line, len);
    line[len] = 0;
    peer->used -= len + 1;
    memmove(peer->line, end + 1, peer->used);
    uv_read_stop((uv_stream_t *)&peer->pipe);
    peer->busy = true;
    peer->control->events.request(peer->control->events.ctx, peer, line, len);
    free(line);
}

static void on_written(uv_write_t *write, int status)
{
    struct answer *answer = (struct answer *)write;
    struct control_peer *peer = answer->peer;
    bool last = answer->last;
    free(answer);
    if (status < 0)
        drop_peer(peer);
    else if (last && !peer->closing && !peer->busy)
        take_requests(peer);
}

static void send_line(struct control_peer *peer, const char *line, bool last)
{
    size_t len = strlen(line);
    if (peer->closing)
        return;
    if (uv_stream_get_write_queue_size((uv_stream_t *)&peer->pipe) + len > CONTROL_UNREAD_MAX) {
        drop_peer(peer);
        return;
    }
    struct answer *answer = malloc(sizeof *answer + len + 1);
    INVARIANT(answer != NULL);
    answer->peer = peer;
    answer->last = last;
    memcpy(answer->text, line, len);
    answer->text[len] = '\n';
    uv_buf_t buf = uv_buf_init(answer->text, (unsigned)len + 1);
    if (uv_write(&answer->write, (uv_stream_t *)&peer->pipe, &buf, 1, on_written) < 0) {
        free(answer);
        drop_peer(peer);
    }
}

void control_send(struct control_peer *peer, const char *line)
{
    INVARIANT(peer->busy);
    send_line(peer, line, false);
}

void control_finish(struct control_peer *peer, const char *line)
{
    INVARIANT(peer->busy);
    send_line(peer, line, true);
    peer->busy = false;
    if (peer->closed)
        free_peer(peer);
}

bool control_gone(const struct control_peer *peer)
{
    return peer->closing;
}

/* Only the node's own user and root may give orders. */
static bool trusted(const struct control_peer *peer)
{
    int fd;
    struct ucred who;
    socklen_t len = sizeof who;
    if (uv_fileno((const uv_handle_t *)&peer->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return false;
    return who.uid == geteuid() || who.uid == 0;
}

/* The peer that has been idle for longest, other than `but`; NULL when all are busy. */
static struct control_peer *oldest_idle(struct control *control, const struct control_peer *but)
{
    struct control_peer *found = NULL;
    for (struct control_peer *peer = control->peers; peer; peer = peer->next)
        if (peer != but && !peer->busy && !peer->closing)
            found = peer;
    return found;
}

static unsigned connected(const struct control *control)
{
    unsigned count = 0;
    for (const struct control_peer *peer = control->peers; peer; peer = peer->next)
        count += !peer->closing;
    return count;
}

/* A newcomer takes the place of one that says nothing, so that a crowd cannot shut out its user. */
static void make_place(struct control *control, struct control_peer *newcomer)
{
    if (connected(control) <= CONTROL_PEERS)
        return;
    struct control_peer *idle = oldest_idle(control, newcomer);
    drop_peer(idle ? idle : newcomer);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct control *control = (struct control *)listener;
    if (status < 0)
        return;
    struct control_peer *peer = calloc(1, sizeof *peer);
    INVARIANT(peer != NULL);
    peer->control = control;
    INVARIANT(uv_pipe_init(listener->loop, &peer->pipe, 0) == 0);
    peer->next = control->peers;
    control->peers = peer;
    control->peer_count++;
    if (uv_accept(listener, (uv_stream_t *)&peer->pipe) < 0 || !trusted(peer) ||
        control->peer_count > PEERS_MAX)
        drop_peer(peer);
    else
        make_place(control, peer);
    if (!peer->closing)
        take_requests(peer);
}

/* A socket's address holds 108 bytes; the descriptor's name in /proc is short for any home. */
static int bind_socket(int home_fd, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", home_fd, name);
    unlinkat(home_fd, name, 0);
    mode_t mask = umask(0177);
    int failed = bind(fd, (const struct sockaddr *)&address, sizeof address);
    int number = errno;
    umask(mask);
    if (!failed)
        return fd;
    close(fd);
    errno = number;
    return -1;
}

enum err control_open(uv_loop_t *loop, int home_fd, const struct control_events *events,
                      struct control **out)
{
    const char *name = events->name ? events->name : CONTROL_NAME;
    int fd = bind_socket(home_fd, name);
    if (fd < 0)
        return err_from_errno(errno);
    struct control *control = calloc(1, sizeof *control);
    INVARIANT(control != NULL && strlen(name) < sizeof control->name);
    snprintf(control->name, sizeof control->name, "%s", name);
    control->events = *events;
    control->home_fd = home_fd;
    INVARIANT(uv_pipe_init(loop, &control->listener, 0) == 0);
    INVARIANT(uv_timer_init(loop, &control->grace) == 0);
    INVARIANT(uv_pipe_open(&control->listener, fd) == 0);
    INVARIANT(uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection) == 0);
    control->open_handles = 2;
    control->listening = true;
    *out = control;
    return OK;
}

static void handle_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    INVARIANT(control->open_handles > 0);
    control->open_handles--;
    end_when_empty(control);
}

static void close_handle(struct control *control, uv_handle_t *handle)
{
    handle->data = control;
    if (!uv_is_closing(handle))
        uv_close(handle, handle_closed);
}

void control_stop_listening(struct control *control)
{
    if (!control->listening)
        return;
    control->listening = false;
    unlinkat(control->home_fd, control->name, 0);
    close_handle(control, (uv_handle_t *)&control->listener);
}

static void drop_all(uv_timer_t *timer)
{
    struct control *control = timer->data;
    for (struct control_peer *peer = control->peers; peer; peer = peer->next)
        drop_peer(peer);
    close_handle(control, (uv_handle_t *)timer);
}

void control_close(struct control *control, uint64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
    INVARIANT(!control->stopping);
    control_stop_listening(control);
    control->stopping = true;
    control->done = done;
    control->done_ctx = ctx;
    bool waits = false;
    for (struct control_peer *peer = control->peers; peer; peer = peer->next) {
        if (uv_stream_get_write_queue_size((uv_stream_t *)&peer->pipe) == 0)
            drop_peer(peer);
        else
            waits = true;
    }
    control->grace.data = control;
    INVARIANT(uv_timer_start(&control->grace, drop_all, waits ? grace_ms : 0, 0) == 0);
}

int control_connect(const char *home)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int home_fd = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (home_fd < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", home_fd,
             CONTROL_NAME);
    int failed = fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0;
    int number = errno;
    close(home_fd);
    if (!failed)
        return fd;
    if (fd >= 0)
        close(fd);
    errno = number;
    return -1;
}
