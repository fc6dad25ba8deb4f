/* SPDX-License-Identifier: MIT
 *
 * processes.c: the folders of a run, and the clients' processes: begun, waited for, cleared away.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/recorder.h"

#define PATH_ROOM 4096
#define END_MS    5000

/* --- folders --- */

static bool print_path(const struct recorder *r, unsigned dir, char path[PATH_ROOM])
{
    int len = snprintf(path, PATH_ROOM, "%s/%s", r->options->dirs[dir], r->run);
    return len > 0 && len < PATH_ROOM;
}

/* One folder in the first directory; the others show the same one, or get one of that name. */
static bool make_folders(struct recorder *r, struct text *why)
{
    char path[PATH_ROOM];
    snprintf(r->run, sizeof r->run, "pactfs-record-XXXXXX");
    for (unsigned i = 0; i < r->options->dir_count; i++) {
        const char *dir = r->options->dirs[i];
        if (!print_path(r, i, path)) {
            text_add(why, "the path %s is too long", dir);
            return false;
        }
        bool good = i == 0 ? mkdtemp(path) != NULL : mkdir(path, 0700) == 0 || errno == EEXIST;
        if (!good) {
            text_add(why, "no folder can be made in %s: %s", dir, strerror(errno));
            r->run[0] = i == 0 ? 0 : r->run[0];
            return false;
        }
        if (i == 0)
            snprintf(r->run, sizeof r->run, "%s", strrchr(path, '/') + 1);
    }
    return true;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static void remove_folders(struct recorder *r)
{
    char path[PATH_ROOM];
    for (unsigned i = 0; r->run[0] && !r->options->keep && i < r->options->dir_count; i++)
        if (print_path(r, i, path))
            nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

/* --- processes --- */

/* In the new process: only its own socket stays open. */
_Noreturn static void become_client(struct recorder *r, uint32_t number, int socket, int lock)
{
    struct stat stat;
    struct client client = {.kind = r->options->kind, .mkdir_lock = lock, .sync = r->options->sync};
    char path[PATH_ROOM];
    signal(SIGINT, SIG_IGN); /* the recorder ends it */
    for (uint32_t i = 0; i < number; i++)
        close(r->workers[i].socket);
    print_path(r, number % r->options->dir_count, path);
    client.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (client.dir < 0 || fstat(client.dir, &stat) != 0)
        _exit(1);
    client.root = stat.st_ino;
    client_run(&client, socket);
}

static bool begin_worker(struct recorder *r, uint32_t number, int lock, struct text *why)
{
    int pair[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        text_add(why, "no socket: %s", strerror(errno));
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(pair[0]);
        become_client(r, number, pair[1], lock);
    }
    close(pair[1]);
    if (pid < 0) {
        text_add(why, "no process can be started: %s", strerror(errno));
        close(pair[0]);
        return false;
    }
    r->workers[number] = (struct worker){
        .pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0), .socket = pair[0]};
    return true;
}

bool workers_begin(struct recorder *r, struct text *why)
{
    if (!make_folders(r, why))
        return false;
    int lock = memfd_create("pactfs-record", MFD_CLOEXEC);
    if (lock < 0) {
        text_add(why, "no memory file: %s", strerror(errno));
        return false;
    }
    bool good = true;
    fflush(NULL);
    for (uint32_t i = 0; good && i < r->options->clients; i++)
        good = begin_worker(r, i, lock, why);
    close(lock);
    return good;
}

void worker_lost(struct worker *worker)
{
    if (worker->socket >= 0)
        close(worker->socket);
    worker->socket = -1;
    kill(worker->pid, SIGKILL);
}

/* It was told to end, or killed. One that hangs in the kernel is left to its fate. */
static void wait_for(struct worker *worker)
{
    for (int tries = 0; tries < 2; tries++) {
        struct pollfd end = {.fd = worker->pidfd, .events = POLLIN};
        if (worker->pidfd < 0 || poll(&end, 1, END_MS) > 0) {
            waitpid(worker->pid, NULL, 0);
            break;
        }
        kill(worker->pid, SIGKILL);
    }
    if (worker->pidfd >= 0)
        close(worker->pidfd);
}

void workers_end(struct recorder *r)
{
    for (uint32_t i = 0; i < r->options->clients; i++)
        if (r->workers[i].pid && r->workers[i].socket >= 0)
            close(r->workers[i].socket);
    for (uint32_t i = 0; i < r->options->clients; i++)
        if (r->workers[i].pid)
            wait_for(&r->workers[i]);
    remove_folders(r);
}
