/* SPDX-License-Identifier: MIT
 *
 * reads.c: reads that wait for the disk without a thread that waits for them.
 *
 * A read handed to a worker costs two hand-overs between threads, on a machine that is otherwise
 * idle several times the cost of the read itself. io_uring takes a buffered read, lets the disk
 * fetch the pages, and tells the loop. liburing is the kernel authors' own small library for it;
 * its memory barriers are not for us to write a second time. Where the kernel does not let us
 * (io_uring_disabled, seccomp, RLIMIT_MEMLOCK, an old kernel), for whatever a ring refuses, and for
 * long reads, a worker reads.
 *
 * Definitions
 *   waiting    begun, and not yet in the ring
 *   in flight  in the ring: given to the kernel or about to be, not yet answered
 *
 * Law
 *   U1  At most RING_SIZE are in flight, so neither queue of the ring is ever too short.
 *   U2  While any is waiting with room in the ring, or not yet given to the kernel, `sender` is
 *       active: the loop does not sleep.
 *   U3  `poll` keeps the loop alive exactly while some are in flight.
 *   U4  Only the thread that runs the loop touches the ring.
 */
#include "io/uv/reads.h"

#include <liburing.h>
#include <stdlib.h>

#include "core/base/assert.h"
#include "io/uv/files.h"

#define RING_SIZE 128u
#define RING_MOST 65536u /* to copy more costs more than a hand-over: a worker does it beside us */

struct reads {
    struct env *env;
    uv_loop_t *loop;
    bool tried, usable; /* the ring is made at the first read, by the thread that reads */
    struct io_uring ring;
    uv_poll_t poll;
    uv_idle_t sender;
    uint32_t handles; /* not yet closed */
    uint32_t in_flight;
    struct env_job *waiting, **waiting_end;
};

static struct env_read *read_of(struct env_job *job)
{
    return (struct env_read *)(void *)job; /* job is the first member */
}

/* --- by a worker --- */

static void worker_run(struct env_job *job)
{
    struct env_read *read = read_of(job);
    size_t got = 0;
    read->err = posix_file_read(read->file, read->offset + read->got, (char *)read->buf + read->got,
                                read->len - read->got, &got);
    read->got += got;
}

static void worker_done(struct env_job *job)
{
    read_of(job)->done(read_of(job));
}

/* Reads what is still missing. */
static void read_by_worker(struct reads *reads, struct env_read *read)
{
    read->job.run = worker_run;
    read->job.done = worker_done;
    reads->env->ops->submit(reads->env, &read->job);
}

/* --- by the ring --- */

static void send_waiting(uv_idle_t *sender);

static void append(struct reads *reads, struct env_read *read)
{
    read->job.next = NULL;
    *reads->waiting_end = &read->job;
    reads->waiting_end = &read->job.next;
    if (!uv_is_active((uv_handle_t *)&reads->sender))
        INVARIANT(uv_idle_start(&reads->sender, send_waiting) == 0);
}

static struct env_read *take_waiting(struct reads *reads)
{
    struct env_job *job = reads->waiting;
    reads->waiting = job->next;
    if (!reads->waiting)
        reads->waiting_end = &reads->waiting;
    return read_of(job);
}

/* One answer of the kernel: bytes, or an errno below zero. */
static void answered(struct reads *reads, struct env_read *read, int result)
{
    INVARIANT(reads->in_flight > 0);
    if (--reads->in_flight == 0)
        uv_unref((uv_handle_t *)&reads->poll);
    if (result < 0) {
        read_by_worker(reads, read); /* either it can, or it finds out what is wrong */
        return;
    }
    read->got += (size_t)result;
    INVARIANT(read->got <= read->len);
    if (result > 0 && read->got < read->len)
        append(reads, read); /* the rest */
    else
        read->done(read);
}

static void take_answers(struct reads *reads)
{
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&reads->ring, &cqe) == 0) {
        struct env_read *read = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&reads->ring, cqe);
        answered(reads, read, result);
    }
    if (reads->waiting && !uv_is_active((uv_handle_t *)&reads->sender))
        INVARIANT(uv_idle_start(&reads->sender, send_waiting) == 0);
}

static void fill_ring(struct reads *reads)
{
    while (reads->waiting && reads->in_flight < RING_SIZE) {
        struct env_read *read = take_waiting(reads);
        struct io_uring_sqe *sqe = io_uring_get_sqe(&reads->ring);
        INVARIANT(sqe != NULL); /* U1 */
        io_uring_prep_read(sqe, posix_file_fd(read->file), (char *)read->buf + read->got,
                           (unsigned)(read->len - read->got), read->offset + read->got);
        io_uring_sqe_set_data(sqe, read);
        if (reads->in_flight++ == 0)
            uv_ref((uv_handle_t *)&reads->poll);
    }
}

/* Once in a turn of the loop: all that was begun in the last one goes in one system call. */
static void send_waiting(uv_idle_t *sender)
{
    struct reads *reads = sender->data;
    fill_ring(reads);
    io_uring_submit(&reads->ring); /* what it does not take now, it is asked again to take (U2) */
    if (io_uring_sq_ready(&reads->ring) == 0)
        uv_idle_stop(sender);
    take_answers(reads); /* those that were at hand after all */
}

static void answers_there(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    take_answers(poll->data);
}

/* --- beginning and end --- */

/* The kernel finishes its part in whatever system call the loop makes next, and does not interrupt
 * it for that (from 5.19 on). */
static int make_ring(struct io_uring *ring)
{
    int problem = io_uring_queue_init(RING_SIZE, ring, IORING_SETUP_COOP_TASKRUN);
    return problem == -EINVAL ? io_uring_queue_init(RING_SIZE, ring, 0) : problem;
}

static void start(struct reads *reads)
{
    reads->tried = true;
    if (make_ring(&reads->ring) < 0)
        return;
    if (uv_poll_init(reads->loop, &reads->poll, reads->ring.ring_fd) != 0) {
        io_uring_queue_exit(&reads->ring);
        return;
    }
    reads->usable = true;
    INVARIANT(uv_idle_init(reads->loop, &reads->sender) == 0);
    reads->poll.data = reads->sender.data = reads;
    reads->handles = 2;
    INVARIANT(uv_poll_start(&reads->poll, UV_READABLE, answers_there) == 0);
    uv_unref((uv_handle_t *)&reads->poll);
}

struct reads *reads_new(struct env *env, uv_loop_t *loop, enum env_uv_reads how)
{
    struct reads *reads = calloc(1, sizeof *reads);
    if (!reads)
        return NULL;
    reads->env = env;
    reads->loop = loop;
    reads->tried = how == ENV_UV_READS_BY_WORKERS;
    reads->waiting_end = &reads->waiting;
    return reads;
}

static void handle_closed(uv_handle_t *handle)
{
    struct reads *reads = handle->data;
    if (--reads->handles)
        return;
    io_uring_queue_exit(&reads->ring);
    free(reads);
}

void reads_free(struct reads *reads)
{
    INVARIANT(reads->in_flight == 0 && !reads->waiting);
    if (!reads->usable) {
        free(reads);
        return;
    }
    uv_close((uv_handle_t *)&reads->poll, handle_closed);
    uv_close((uv_handle_t *)&reads->sender, handle_closed);
}

void reads_start(struct reads *reads, struct env_read *read)
{
    INVARIANT(read->done);
    read->got = 0;
    read->err = OK;
    if (!reads->tried)
        start(reads);
    if (reads->usable && read->len <= RING_MOST)
        append(reads, read);
    else
        read_by_worker(reads, read);
}

uint32_t reads_in_flight(const struct reads *reads)
{
    return reads->in_flight;
}

bool reads_by_ring(const struct reads *reads)
{
    return reads->usable;
}
