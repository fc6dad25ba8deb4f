/* SPDX-License-Identifier: MIT
 *
 * child.c: etcd as a child of this process.
 *
 * Not by uv_spawn: nothing else ends a child whatever its parent dies of than a signal that the
 * child asks for itself, between fork and exec.
 */
#include "io/etcd/child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "core/base/text.h"

#define LOG_MAX        (1u << 20) /* bytes, then the log becomes etcd.log.old */
#define READ_BYTES     16384u
#define AGAIN_LEAST_MS 100u
#define AGAIN_MOST_MS  5000u
#define SETTLED_NS     UINT64_C(10000000000) /* who ran so long starts again at once */
#define ARGUMENTS_MAX  64u
#define PATH_MOST      4096u
#define HEARTBEAT_MS   "50"
#define ELECTION_MS    "500"
#define KEEP_REVISIONS "1000" /* of history, for watches that were cut off */
#define QUOTA_BYTES    "268435456"
#define SNAPSHOT_EVERY "10000"

struct etcd_child {
    struct etcd_child_options options; /* texts are our own */
    char program[PATH_MOST];
    char *client_url, *peer_url;
    char *arguments[ARGUMENTS_MAX];
    size_t argument_count;
    pid_t pid;                   /* 0: none */
    int pidfd, log_fd, pipe_end; /* pipe_end: what children write their log to */
    uint64_t log_bytes, started;
    uint32_t again_ms;
    uv_pipe_t pipe;
    uv_poll_t *poll; /* of pidfd; freed when closed */
    uv_timer_t timer;
    char *buffer; /* of its log: READ_BYTES, `buffered` of them in use */
    size_t buffered;
    unsigned handles;
    bool stopping;
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

static void launch(struct etcd_child *child);

/* --- its arguments --- */

__attribute__((format(printf, 2, 3))) static void argument(struct etcd_child *child,
                                                           const char *format, ...)
{
    va_list args;
    INVARIANT(child->argument_count < ARGUMENTS_MAX - 1);
    va_start(args, format);
    INVARIANT(vasprintf(&child->arguments[child->argument_count++], format, args) >= 0);
    va_end(args);
}

static bool is_address(const char *host)
{
    unsigned char raw[sizeof(struct in6_addr)];
    return host[0] == '[' || inet_pton(AF_INET, host, raw) == 1;
}

static char *url_of(const struct etcd_child_options *o, const char *host, uint16_t port)
{
    char *url;
    INVARIANT(asprintf(&url, "%s://%s:%u", o->tls ? "https" : "http", host, (unsigned)port) > 0);
    return url;
}

/* etcd listens on addresses only. */
static void add_urls(struct etcd_child *child)
{
    const struct etcd_child_options *o = &child->options;
    const char *host = is_address(o->host) ? o->host : "0.0.0.0";
    char *client = url_of(o, host, o->client_port), *peer = url_of(o, host, o->peer_port);
    argument(child, "--listen-client-urls=%s", client);
    argument(child, "--advertise-client-urls=%s", child->client_url);
    argument(child, "--listen-peer-urls=%s", peer);
    argument(child, "--initial-advertise-peer-urls=%s", child->peer_url);
    free(client);
    free(peer);
}

/* etcd does not know roles. Of all certificates of the authority, only those of nodes are good for
 * TLS clients (their extended key usage), and valid for the name localhost: io/tls/identity.h. So
 * no client of the cell gets in. (For clients, etcd 3.4 cannot look at the name: its gateway would
 * refuse itself.) */
static void add_tls(struct etcd_child *child)
{
    const char *tls = child->options.tls;
    if (!tls)
        return;
    argument(child, "--client-cert-auth");
    argument(child, "--trusted-ca-file=%s/ca.crt", tls);
    argument(child, "--cert-file=%s/node.crt", tls);
    argument(child, "--key-file=%s/node.key", tls);
    argument(child, "--peer-client-cert-auth");
    argument(child, "--peer-cert-allowed-hostname=localhost");
    argument(child, "--peer-trusted-ca-file=%s/ca.crt", tls);
    argument(child, "--peer-cert-file=%s/node.crt", tls);
    argument(child, "--peer-key-file=%s/node.key", tls);
}

static void add_arguments(struct etcd_child *child)
{
    const struct etcd_child_options *o = &child->options;
    argument(child, "etcd");
    argument(child, "--name=%s", o->name);
    argument(child, "--data-dir=%s/etcd", o->dir);
    add_urls(child);
    add_tls(child);
    if (o->cluster)
        argument(child, "--initial-cluster=%s", o->cluster);
    else
        argument(child, "--initial-cluster=%s=%s", o->name, child->peer_url);
    argument(child, "--initial-cluster-state=%s", o->join ? "existing" : "new");
    argument(child, "--initial-cluster-token=pactfs");
    argument(child, "--heartbeat-interval=" HEARTBEAT_MS);
    argument(child, "--election-timeout=" ELECTION_MS);
    argument(child, "--pre-vote");
    argument(child, "--auto-compaction-mode=revision");
    argument(child, "--auto-compaction-retention=" KEEP_REVISIONS);
    argument(child, "--quota-backend-bytes=" QUOTA_BYTES);
    argument(child, "--snapshot-count=" SNAPSHOT_EVERY);
    argument(child, "--max-wals=2");
    argument(child, "--max-snapshots=2");
    argument(child, "--logger=zap");
    argument(child, "--log-outputs=stderr");
}

/* --- its log --- */

static void log_path(const struct etcd_child *child, const char *name, char out[PATH_MOST])
{
    snprintf(out, PATH_MOST, "%s/%s", child->options.dir, name);
}

static int log_open(struct etcd_child *child)
{
    char path[PATH_MOST];
    struct stat st;
    log_path(child, "etcd.log", path);
    child->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    child->log_bytes =
        child->log_fd >= 0 && fstat(child->log_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return child->log_fd;
}

/* A log that cannot be written is no reason to stop. */
static void log_add(struct etcd_child *child, const char *data, size_t len)
{
    char path[PATH_MOST], old[PATH_MOST];
    if (child->log_bytes + len > LOG_MAX) {
        log_path(child, "etcd.log", path);
        log_path(child, "etcd.log.old", old);
        rename(path, old);
        close(child->log_fd);
        log_open(child);
    }
    while (len > 0 && child->log_fd >= 0) {
        ssize_t n = write(child->log_fd, data, len);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
        child->log_bytes += (uint64_t)n;
    }
}

/* Written for each request of a client with a certificate, and says nothing. */
static bool is_noise(const char *line, size_t len)
{
    static const char noise[] = "ignoring common name in gRPC-gateway proxy request";
    return memmem(line, len, noise, sizeof noise - 1) != NULL;
}

/* Whole lines, or as much of one as there is room for. */
static void take_lines(struct etcd_child *child)
{
    char *at = child->buffer, *end = child->buffer + child->buffered;
    for (char *line_end; (line_end = memchr(at, '\n', (size_t)(end - at))); at = line_end + 1)
        if (!is_noise(at, (size_t)(line_end - at)))
            log_add(child, at, (size_t)(line_end - at) + 1);
    if (at == child->buffer && child->buffered == READ_BYTES) {
        log_add(child, at, child->buffered);
        at = end;
    }
    child->buffered = (size_t)(end - at);
    memmove(child->buffer, at, child->buffered);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct etcd_child *child = handle->data;
    (void)suggested;
    *buf = uv_buf_init(child->buffer + child->buffered, (unsigned)(READ_BYTES - child->buffered));
}

static void on_log(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct etcd_child *child = stream->data;
    (void)buf;
    if (got <= 0)
        return;
    child->buffered += (size_t)got;
    take_lines(child);
}

/* --- starting it --- */

/* Between fork and exec: only what is safe there. */
static _Noreturn void become(const struct etcd_child *child, pid_t parent)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", memory[] = "GOGC=50";
    char *environment[] = {path, memory, NULL};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before we asked */
        _exit(1);
    setpgid(0, 0); /* Ctrl-C is not meant for it */
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, 0);
    dup2(child->pipe_end, 1);
    dup2(child->pipe_end, 2);
    close_range(3, ~0u, 0);
    execve(child->program, child->arguments, environment);
    _exit(127);
}

static void tell(struct etcd_child *child, bool up, const char *why)
{
    if (child->options.changed)
        child->options.changed(child->options.ctx, up, why);
}

static void on_launch(uv_timer_t *timer)
{
    launch(timer->data);
}

/* --- its end --- */

static void handle_closed(uv_handle_t *handle)
{
    struct etcd_child *child = handle->data;
    if (--child->handles > 0)
        return;
    void (*stopped)(void *ctx) = child->stopped;
    void *ctx = child->stopped_ctx;
    char *const texts[] = {
        (char *)(uintptr_t)child->options.dir, (char *)(uintptr_t)child->options.tls,
        (char *)(uintptr_t)child->options.name, (char *)(uintptr_t)child->options.host,
        (char *)(uintptr_t)child->options.cluster};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (size_t i = 0; i < child->argument_count; i++)
        free(child->arguments[i]);
    free(child->client_url);
    free(child->peer_url);
    free(child->buffer);
    if (child->log_fd >= 0)
        close(child->log_fd);
    close(child->pipe_end);
    free(child);
    stopped(ctx);
}

static void close_handles(struct etcd_child *child)
{
    child->handles = 2;
    uv_close((uv_handle_t *)&child->pipe, handle_closed);
    uv_close((uv_handle_t *)&child->timer, handle_closed);
}

static void poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void say_end(const struct etcd_child *child, int status, char *why, size_t room)
{
    char log[PATH_MOST];
    log_path(child, "etcd.log", log);
    if (WIFSIGNALED(status))
        snprintf(why, room, "etcd was ended by signal %d; it is started again in %u ms.",
                 WTERMSIG(status), child->again_ms);
    else
        snprintf(why, room, "etcd ended with status %d (see %s); it is started again in %u ms.",
                 WEXITSTATUS(status), log, child->again_ms);
}

static void on_end(uv_poll_t *poll, int poll_status, int events)
{
    struct etcd_child *child = poll->data;
    char why[PATH_MOST + 256];
    int status = 0;
    (void)poll_status;
    (void)events;
    if (waitpid(child->pid, &status, WNOHANG) == 0)
        return;
    child->pid = 0;
    uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, poll_closed);
    close(child->pidfd);
    if (child->stopping) {
        close_handles(child);
        return;
    }
    if (uv_hrtime() - child->started > SETTLED_NS)
        child->again_ms = AGAIN_LEAST_MS;
    uv_update_time(child->options.loop);
    INVARIANT(uv_timer_start(&child->timer, on_launch, child->again_ms, 0) == 0);
    say_end(child, status, why, sizeof why);
    child->again_ms = child->again_ms * 2 > AGAIN_MOST_MS ? AGAIN_MOST_MS : child->again_ms * 2;
    tell(child, false, why);
}

/* --- starting, continued --- */

static void launch(struct etcd_child *child)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(child, parent);
    int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd < 0) {
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        INVARIANT(uv_timer_start(&child->timer, on_launch, AGAIN_MOST_MS, 0) == 0);
        tell(child, false, "etcd could not be started: the system has no room for a process.");
        return;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    child->pid = pid;
    child->pidfd = fd;
    child->started = uv_hrtime();
    child->poll = calloc(1, sizeof *child->poll);
    INVARIANT(child->poll != NULL);
    INVARIANT(uv_poll_init(child->options.loop, child->poll, fd) == 0);
    child->poll->data = child;
    INVARIANT(uv_poll_start(child->poll, UV_READABLE, on_end) == 0);
    tell(child, true, "etcd was started.");
}

static bool find_program(const char *name, char out[PATH_MOST])
{
    static const char *const places[] = {"/usr/local/bin", "/usr/bin", "/bin"};
    if (strchr(name, '/')) {
        snprintf(out, PATH_MOST, "%s", name);
        return access(out, X_OK) == 0;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(out, PATH_MOST, "%s/%s", places[i], name);
        if (access(out, X_OK) == 0)
            return true;
    }
    return false;
}

static enum err prepare(struct etcd_child *child, struct store_error *error)
{
    const struct etcd_child_options *o = &child->options;
    const char *name = o->program ? o->program : "etcd";
    if (!find_program(name, child->program)) {
        snprintf(error->text, sizeof error->text,
                 "The program '%s' is not there; install it (Debian: etcd-server).", name);
        return ERR_UNREACHABLE;
    }
    if (mkdir(o->dir, 0700) < 0 && errno != EEXIST) {
        enum err err = err_from_errno(errno);
        snprintf(error->text, sizeof error->text, "%s cannot be made: %s.", o->dir,
                 strerror(errno));
        return err;
    }
    if (log_open(child) < 0) {
        enum err err = err_from_errno(errno);
        snprintf(error->text, sizeof error->text, "%s/etcd.log cannot be written: %s.", o->dir,
                 strerror(errno));
        return err;
    }
    return OK;
}

static char *copy(const char *text)
{
    char *own = text ? strdup(text) : NULL;
    INVARIANT(own || !text);
    return own;
}

static void set_up(struct etcd_child *child)
{
    const struct etcd_child_options *o = &child->options;
    int ends[2];
    child->client_url = url_of(o, o->host, o->client_port);
    child->peer_url = url_of(o, o->host, o->peer_port);
    child->again_ms = AGAIN_LEAST_MS;
    child->buffer = malloc(READ_BYTES);
    add_arguments(child);
    INVARIANT(child->buffer != NULL && pipe2(ends, O_CLOEXEC) == 0);
    child->pipe_end = ends[1];
    INVARIANT(uv_pipe_init(o->loop, &child->pipe, 0) == 0);
    INVARIANT(uv_pipe_open(&child->pipe, ends[0]) == 0);
    INVARIANT(uv_timer_init(o->loop, &child->timer) == 0);
    child->pipe.data = child->timer.data = child;
    INVARIANT(uv_read_start((uv_stream_t *)&child->pipe, give_room, on_log) == 0);
    INVARIANT(uv_timer_start(&child->timer, on_launch, 0, 0) == 0);
}

enum err etcd_child_start(const struct etcd_child_options *options, struct etcd_child **out,
                          struct store_error *error)
{
    struct etcd_child *child = calloc(1, sizeof *child);
    INVARIANT(child != NULL);
    child->options = *options;
    child->log_fd = -1;
    enum err err = prepare(child, error);
    if (err) {
        free(child);
        return err;
    }
    child->options.dir = copy(options->dir);
    child->options.tls = copy(options->tls);
    child->options.name = copy(options->name);
    child->options.host = copy(options->host);
    child->options.cluster = copy(options->cluster);
    child->options.program = NULL;
    set_up(child);
    *out = child;
    return OK;
}

static void on_grace_over(uv_timer_t *timer)
{
    struct etcd_child *child = timer->data;
    if (child->pid)
        kill(child->pid, SIGKILL);
}

void etcd_child_stop(struct etcd_child *child, uint64_t grace_ms, void (*done)(void *ctx),
                     void *ctx)
{
    INVARIANT(!child->stopping);
    child->stopping = true;
    child->stopped = done;
    child->stopped_ctx = ctx;
    uv_timer_stop(&child->timer);
    if (!child->pid) {
        close_handles(child);
        return;
    }
    kill(child->pid, SIGTERM);
    uv_update_time(child->options.loop);
    INVARIANT(uv_timer_start(&child->timer, on_grace_over, grace_ms, 0) == 0);
}

const char *etcd_child_client_url(const struct etcd_child *child)
{
    return child->client_url;
}

const char *etcd_child_peer_url(const struct etcd_child *child)
{
    return child->peer_url;
}

int etcd_child_process(const struct etcd_child *child)
{
    return (int)child->pid;
}

char *etcd_cluster(const struct etcd_member *members, size_t count, const char *new_name)
{
    struct text out = {0};
    bool named = false;
    for (size_t i = 0; i < count; i++) {
        const char *separator = i ? "," : "";
        if (members[i].name[0])
            text_add(&out, "%s%s=%s", separator, members[i].name, members[i].peer_url);
        else if (!named)
            text_add(&out, "%s%s=%s", separator, new_name, members[i].peer_url);
        else
            text_add(&out, "%smember-%llx=%s", separator, (unsigned long long)members[i].id,
                     members[i].peer_url);
        named |= !members[i].name[0];
    }
    return out.data ? out.data : copy("");
}
