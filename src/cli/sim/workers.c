/* SPDX-License-Identifier: MIT
 *
 * workers.c: child processes that run seeds.
 *
 * Each worker has a slot of memory that it shares with the parent, one pipe for "there is a job",
 * one for "it is done", and two files in memory: for its stderr and for transcripts. Children end
 * with the parent (PR_SET_PDEATHSIG), and the parent waits for each one that ended.
 *
 * Law
 *   P1  A slot is written by the child while its worker is busy, by the parent while it is not.
 *   P2  A child that ends during a job failed at the seed that its slot names; another takes its
 *       place when there is work for it.
 *   P3  workers_free leaves no child.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sim/sim.h"
#include "core/base/assert.h"

#define TICK_MS 200

struct slot {
    pid_t pid; /* 0: no child */
    struct worker worker;
    int job_fd, done_fd; /* the parent's ends */
    bool busy, overdue;
    void *tag;
};

struct workers {
    const struct sim_options *options;
    struct slot *slots;
    unsigned count;
    struct sigaction old_int, old_term, old_pipe;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* --- children --- */

static void close_slot(struct slot *slot)
{
    if (slot->job_fd >= 0)
        close(slot->job_fd);
    if (slot->done_fd >= 0)
        close(slot->done_fd);
    slot->job_fd = slot->done_fd = -1;
}

/* In the child: nothing of the parent's but what it needs. */
static _Noreturn void begin_child(struct workers *workers, struct slot *slot, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    for (unsigned i = 0; i < workers->count; i++)
        close_slot(&workers->slots[i]);
    dup2(slot->worker.error_fd, STDERR_FILENO);
    worker_main(&slot->worker);
}

static bool begin_worker(struct workers *workers, struct slot *slot)
{
    int job[2], done[2];
    pid_t parent = getpid();
    if (pipe2(job, O_CLOEXEC) != 0) {
        complain("a worker cannot be begun: %s", strerror(errno));
        return false;
    }
    if (pipe2(done, O_CLOEXEC) != 0) {
        complain("a worker cannot be begun: %s", strerror(errno));
        close(job[0]);
        close(job[1]);
        return false;
    }
    slot->job_fd = job[1];
    slot->done_fd = done[0];
    slot->worker.job_fd = job[0];
    slot->worker.done_fd = done[1];
    fflush(NULL);
    slot->pid = fork();
    if (slot->pid == 0)
        begin_child(workers, slot, parent);
    close(job[0]);
    close(done[1]);
    if (slot->pid > 0)
        return true;
    complain("a worker cannot be begun: %s", strerror(errno));
    slot->pid = 0;
    close_slot(slot);
    return false;
}

/* Waits for a child that ends, or has ended. */
static int reap(struct slot *slot)
{
    int status = 0;
    while (waitpid(slot->pid, &status, 0) < 0 && errno == EINTR)
        ;
    slot->pid = 0;
    close_slot(slot);
    return status;
}

/* --- making and ending --- */

static bool make_slot(const struct sim_options *options, struct slot *slot)
{
    slot->job_fd = slot->done_fd = -1;
    slot->worker.options = options;
    slot->worker.transcript_fd = memfd_create("transcript", MFD_CLOEXEC);
    slot->worker.error_fd = memfd_create("stderr", MFD_CLOEXEC);
    slot->worker.shared = mmap(NULL, sizeof *slot->worker.shared, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slot->worker.shared == MAP_FAILED)
        slot->worker.shared = NULL;
    return slot->worker.shared && slot->worker.transcript_fd >= 0 && slot->worker.error_fd >= 0 &&
           fcntl(slot->worker.transcript_fd, F_SETFL, O_APPEND) == 0 &&
           fcntl(slot->worker.error_fd, F_SETFL, O_APPEND) == 0;
}

struct workers *workers_new(const struct sim_options *options)
{
    struct workers *workers = calloc(1, sizeof *workers);
    struct slot *slots = calloc(options->jobs, sizeof *slots);
    struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    INVARIANT(options->jobs > 0 && options->jobs <= JOBS_MAX);
    if (!workers || !slots) {
        complain("out of memory");
        free(workers);
        free(slots);
        return NULL;
    }
    workers->options = options;
    workers->slots = slots;
    workers->count = options->jobs;
    interrupted = 0;
    sigaction(SIGINT, &action, &workers->old_int);
    sigaction(SIGTERM, &action, &workers->old_term);
    sigaction(SIGPIPE, &ignore,
              &workers->old_pipe); /* a child may be dead when it is given a job */
    bool good = true;
    for (unsigned i = 0; i < workers->count; i++)
        good &= make_slot(options, &slots[i]);
    if (good)
        return workers;
    complain("there is no room for %u workers: %s", workers->count, strerror(errno));
    workers_free(workers);
    return NULL;
}

static void end_worker(struct slot *slot)
{
    if (slot->busy)
        kill(slot->pid, SIGKILL);
    close_slot(slot);
    reap(slot);
    if (!slot->busy)
        marks_from_text(slot->worker.shared->marks);
}

void workers_free(struct workers *workers)
{
    for (unsigned i = 0; i < workers->count; i++) {
        struct slot *slot = &workers->slots[i];
        if (slot->pid > 0)
            end_worker(slot);
        if (slot->worker.shared)
            munmap(slot->worker.shared, sizeof *slot->worker.shared);
        if (slot->worker.transcript_fd >= 0)
            close(slot->worker.transcript_fd);
        if (slot->worker.error_fd >= 0)
            close(slot->worker.error_fd);
    }
    sigaction(SIGINT, &workers->old_int, NULL);
    sigaction(SIGTERM, &workers->old_term, NULL);
    sigaction(SIGPIPE, &workers->old_pipe, NULL);
    free(workers->slots);
    free(workers);
}

/* --- work --- */

bool workers_idle(const struct workers *workers)
{
    return workers_busy(workers) < workers->count;
}

unsigned workers_busy(const struct workers *workers)
{
    unsigned busy = 0;
    for (unsigned i = 0; i < workers->count; i++)
        busy += workers->slots[i].busy;
    return busy;
}

bool workers_submit(struct workers *workers, const struct job *job, void *tag)
{
    struct slot *slot = workers->slots;
    while (slot < workers->slots + workers->count && slot->busy)
        slot++;
    INVARIANT(slot < workers->slots + workers->count);
    if (!slot->pid && !begin_worker(workers, slot))
        return false;
    slot->worker.shared->job = *job;
    atomic_store(&slot->worker.shared->seed, job->seed);
    atomic_store(&slot->worker.shared->began_ns, real_ns());
    slot->tag = tag;
    slot->overdue = false;
    slot->busy = true;
    /* A child that died while it was idle shows in workers_wait, as one that died in its job. */
    while (write(slot->job_fd, "j", 1) < 0 && errno == EINTR)
        ;
    return true;
}

/* All that a file in memory holds; it is empty afterwards. */
static void take_file(int fd, struct text *text)
{
    char buf[65536];
    off_t at = 0;
    for (ssize_t n; (n = pread(fd, buf, sizeof buf, at)) > 0; at += n)
        text_add_bytes(text, buf, (size_t)n);
    if (ftruncate(fd, 0) != 0)
        complain("a file in memory cannot be emptied: %s", strerror(errno));
}

static void tell_death(const struct slot *slot, int status, struct failure *failure)
{
    struct text errors = {0};
    take_file(slot->worker.error_fd, &errors);
    const char *said = text_string(&errors);
    int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    memset(failure, 0, sizeof *failure);
    failure->seed = atomic_load(&slot->worker.shared->seed);
    snprintf(failure->promise, sizeof failure->promise, "%s",
             slot->overdue                       ? "hang"
             : strstr(said, "invariant broken:") ? "invariant"
             : signal_number                     ? "crash"
                                                 : "sanitizer");
    if (slot->overdue)
        snprintf(failure->text, sizeof failure->text,
                 "The run did not end within %llu s of real time.",
                 (unsigned long long)(slot->worker.options->patience_ns / SECOND_NS));
    else if (errors.len)
        snprintf(failure->text, sizeof failure->text, "%s", said);
    else
        snprintf(failure->text, sizeof failure->text, "The process ended: %s.",
                 signal_number ? strsignal(signal_number) : "it called exit");
    text_free(&errors);
}

static void take_result(struct slot *slot, bool died, struct job_done *done)
{
    struct shared_slot *shared = slot->worker.shared;
    memset(done, 0, sizeof *done);
    int status = died ? reap(slot) : 0;
    done->tag = slot->tag;
    done->job = shared->job;
    done->sums = shared->sums;
    done->failed = died || shared->failed;
    if (died)
        tell_death(slot, status, &done->failure);
    else if (shared->failed)
        done->failure = shared->failure;
    if (shared->job.watch)
        take_file(slot->worker.transcript_fd, &done->transcript);
    done->wrote_history = !died && shared->wrote_history;
    done->wrote_svg = !died && shared->wrote_svg;
    memcpy(done->trouble, shared->trouble, sizeof done->trouble);
    slot->busy = false;
    struct text errors = {0};
    take_file(slot->worker.error_fd,
              &errors); /* of a run that was good: a sanitizer that goes on */
    if (errors.len)
        fprintf(stderr, "%s", errors.data);
    text_free(&errors);
}

static void end_overdue(struct workers *workers)
{
    uint64_t now = real_ns();
    for (unsigned i = 0; i < workers->count; i++) {
        struct slot *slot = &workers->slots[i];
        uint64_t began = slot->busy ? atomic_load(&slot->worker.shared->began_ns) : 0;
        if (began && !slot->overdue && now > began && now - began > workers->options->patience_ns) {
            slot->overdue = true;
            kill(slot->pid, SIGKILL);
        }
    }
}

/* A slot with news, or NULL after `timeout_ms`; sets *died. */
static struct slot *next_news(struct workers *workers, int timeout_ms, bool *died)
{
    struct pollfd fds[JOBS_MAX];
    for (unsigned i = 0; i < workers->count; i++)
        fds[i] = (struct pollfd){.fd = workers->slots[i].busy ? workers->slots[i].done_fd : -1,
                                 .events = POLLIN};
    if (poll(fds, workers->count, timeout_ms) <= 0)
        return NULL;
    for (unsigned i = 0; i < workers->count; i++) {
        char byte;
        if (!fds[i].revents)
            continue;
        *died = read(fds[i].fd, &byte, 1) != 1;
        return &workers->slots[i];
    }
    return NULL;
}

enum workers_event workers_wait(struct workers *workers, int timeout_ms, struct job_done *done)
{
    uint64_t until = real_ns() + (uint64_t)timeout_ms * 1000000;
    for (;;) {
        bool died = false;
        if (interrupted)
            return WORKERS_INTERRUPTED;
        struct slot *slot = next_news(workers, timeout_ms < TICK_MS ? timeout_ms : TICK_MS, &died);
        if (slot) {
            take_result(slot, died, done);
            return WORKERS_DONE;
        }
        end_overdue(workers);
        if (real_ns() >= until)
            return interrupted ? WORKERS_INTERRUPTED : WORKERS_TIMEOUT;
    }
}
