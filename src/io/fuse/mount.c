/* SPDX-License-Identifier: MIT
 *
 * mount.c: the life of a mount, and reading its requests.
 *
 * Definitions
 *   mounted    the kernel has the mount and we read from the device
 *   severed    the device's descriptors are replaced: the kernel aborts whatever still waits for an
 * answer
 *
 * States and what leads from one to the next
 *   mounted   - mount_close -> unmounting - umount returned, or too late -> severed -> freed
 *   mounted   - the device says ENODEV (somebody unmounted) -> severed, on_unmounted - mount_close
 * -> freed
 *
 * Law
 *   M1  umount(2) and whatever may wait for an answer of ours never runs on the loop.
 *   M2  Once severed nothing is read; calls under way still end, their answers go nowhere.
 *   M3  All references of the kernel are given back when the mount is severed.
 *   M4  Nothing is freed before all calls have ended, all handles are closed and the worker is
 *       back.
 */
#include "io/fuse/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#undef BLOCK_SIZE /* ours is meant */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/assert.h"
#include "io/fuse/private.h"
#include "io/uv/env_uv.h"

#define DRAIN_MOST      64u /* requests handled before the loop looks at something else */
#define SPIN_DEFAULT_US 50u
#define SPIN_READ_US    200u /* longer than that, while the disk reads for us */
#define READAHEAD_KB    1024u
#define BACKGROUND      128u /* requests of read-ahead and write-back at once */
#define UNMOUNT_MOST_MS 10000u
#define CALLS_MOST_MS   2000u /* what is under way when the kernel has let go */

static void sever(struct mount *mount);
static void try_free(struct mount *mount);

/* --- reading requests --- */

static void readable(uv_poll_t *poll, int status, int events);

static void stop_reading(struct mount *mount)
{
    if (mount->polling)
        uv_poll_stop(&mount->poll);
    if (mount->spinning)
        uv_idle_stop(&mount->idle);
    mount->polling = mount->spinning = false;
}

static void start_reading(struct mount *mount)
{
    if (mount->severed || mount->polling)
        return;
    int problem = uv_poll_start(&mount->poll, UV_READABLE, readable);
    INVARIANT(problem == 0);
    mount->polling = true;
}

static void ready_again(void *ctx)
{
    struct mount *mount = ctx;
    if (!mount->paused)
        return;
    mount->paused = false;
    start_reading(mount);
}

static void pause_reading(struct mount *mount)
{
    mount->paused = true;
    mount->status.pauses++;
    stop_reading(mount);
    agent_on_ready(mount->agent, ready_again, mount);
}

/* A buffer that nobody else holds. */
static struct buffer *fresh_buffer(struct mount *mount)
{
    if (mount->current && mount->current->shared.refs == 1)
        return mount->current;
    if (mount->current)
        shared_unref(&mount->current->shared);
    mount->current = buffer_get(mount->pool);
    return mount->current;
}

static void device_gone(struct mount *mount)
{
    bool tell = !mount->closing && !mount->told && mount->options.on_unmounted;
    mount->told = true;
    sever(mount);
    if (tell)
        mount->options.on_unmounted(mount->options.ctx);
}

/* How many requests there were. */
static uint32_t drain(struct mount *mount)
{
    uint32_t count = 0;
    while (count < DRAIN_MOST && !mount->severed) {
        if (!agent_ready(mount->agent)) {
            pause_reading(mount);
            break;
        }
        struct buffer *buffer = fresh_buffer(mount);
        ssize_t got = read(mount->fd, buffer->data, BUFFER_SIZE);
        if (got >= (ssize_t)sizeof(struct fuse_in_header)) {
            wire_dispatch(mount, (size_t)got);
            count++;
        } else if (got < 0 && errno == EAGAIN) {
            break;
        } else if (got < 0 && (errno == EINTR || errno == ENOENT)) {
            count++; /* a request that was interrupted before we took it */
        } else {
            device_gone(mount);
        }
    }
    awake_note(&mount->awake, count, mount->status.bytes_read + mount->status.bytes_written);
    return count;
}

static void look_again(uv_idle_t *idle);

/* After a request or an answer the next request is often microseconds away; looking for it is
 * cheaper than going to sleep and being woken. */
static void look_for_more(struct mount *mount)
{
    if (!mount->options.spin_us)
        return;
    mount->spin_until = uv_hrtime() + mount->options.spin_us * UINT64_C(1000);
    if (!mount->spinning)
        mount->spinning = uv_idle_start(&mount->idle, look_again) == 0;
}

/* So is what the disk was asked for, though not quite as near. */
static bool worth_looking(const struct mount *mount)
{
    uint64_t late = env_uv_reads_in_flight(mount->env) ? SPIN_READ_US * UINT64_C(1000) : 0;
    return uv_hrtime() < mount->spin_until + late;
}

static void look_again(uv_idle_t *idle)
{
    struct mount *mount = idle->data;
    if (drain(mount) > 0) {
        mount->status.spins_won++;
        if (mount->spinning)
            look_for_more(mount);
    } else if (mount->spinning && !worth_looking(mount)) {
        uv_idle_stop(idle);
        mount->spinning = false;
    } else {
        sched_yield(); /* the program whose next request is awaited may need this very processor */
    }
}

void mount_answers(struct mount *mount)
{
    if (mount->polling)
        look_for_more(mount);
}

static void readable(uv_poll_t *poll, int status, int events)
{
    struct mount *mount = poll->data;
    (void)events;
    if (status < 0)
        mount->polling = false; /* libuv has stopped it */
    if (mount->spinning)
        mount->status.spins_won++;
    else
        mount->status.wakeups++;
    uint32_t count = drain(mount);
    if (mount->severed || mount->paused)
        return;
    if (status < 0)
        start_reading(mount);
    if (count)
        look_for_more(mount);
}

/* --- the conversation's beginning --- */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct mount *mount = userdata;
    unsigned want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_NO_OPEN_SUPPORT |
                    FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_POSIX_ACL |
                    FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                    FUSE_CAP_DONT_MASK;
    if (mount->options.shared)
        want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
               FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK | FUSE_CAP_AUTO_INVAL_DATA;
    else if (!mount->options.no_writeback)
        want |= FUSE_CAP_WRITEBACK_CACHE;
    conn->want = conn->capable & want;
    conn->max_write = FS_IO_MAX;
    conn->max_background = BACKGROUND;
    conn->congestion_threshold = BACKGROUND / 4 * 3;
    conn->time_gran = 1;
}

/* No flush: the kernel does without it too. No locks: its own are enough. */
const struct fuse_lowlevel_ops mount_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readlink = op_readlink,
    .mknod = op_mknod,
    .create = op_create,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .read = op_read,
    .write = op_write,
    .fsync = op_fsync,
    .fsyncdir = op_fsync,
    .open = op_open,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .statfs = op_statfs,
    .setxattr = op_setxattr,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .removexattr = op_removexattr,
    .fallocate = op_fallocate,
    .lseek = op_lseek,
    .copy_file_range = op_copy,
};

/* Lets the kernel read further ahead than its 128 KiB. A wish: without the right to it nothing
 * happens. */
static void raise_readahead(struct mount *mount)
{
    char path[96], text[16];
    uint32_t kb = mount->options.readahead_kb ? mount->options.readahead_kb : READAHEAD_KB;
    snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", mount->major, mount->minor);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    int length = snprintf(text, sizeof text, "%u", kb);
    ssize_t wrote = write(fd, text, (size_t)length);
    (void)wrote;
    close(fd);
}

/* --- mounting --- */

/* What libfuse said last: it explains itself only there. */
static char last_words[256];

static void listen_to_libfuse(enum fuse_log_level level, const char *format, va_list args)
{
    (void)level;
    vsnprintf(last_words, sizeof last_words, format, args);
    last_words[strcspn(last_words, "\n")] = 0;
}

static struct fuse_session *new_session(const struct mount_options *options, struct mount *mount)
{
    char text[512];
    bool root = geteuid() == 0;
    snprintf(text, sizeof text, "fsname=%s,subtype=pactfs,default_permissions%s%s%s",
             options->fsname ? options->fsname : "pactfs", options->shared ? ",noatime" : "",
             options->allow_other ? ",allow_other" : "", root ? ",dev,suid" : "");
    char *argv[] = {(char *)"pactfs", (char *)"-o", text, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    struct fuse_session *session = fuse_session_new(&args, &mount_ops, sizeof mount_ops, mount);
    fuse_opt_free_args(&args);
    return session;
}

static enum err mount_failed(struct store_error *error, const char *dir)
{
    snprintf(error->text, sizeof error->text, "%s: the mount failed: %s", dir,
             last_words[0] ? last_words : strerror(errno));
    return ERR_MOUNT;
}

/* Lets one session mount and another, which reads and writes by wire.c, work on the same device. */
static enum err start_sessions(struct mount *mount, struct store_error *error)
{
    static const struct fuse_custom_io io = {.writev = wire_writev, .read = wire_read};
    last_words[0] = 0;
    fuse_set_log_func(listen_to_libfuse);
    mount->mounter = new_session(&mount->options, mount);
    mount->session = new_session(&mount->options, mount);
    if (!mount->mounter || !mount->session)
        return mount_failed(error, mount->dir);
    if (fuse_session_mount(mount->mounter, mount->dir) != 0)
        return mount_failed(error, mount->dir);
    int fd = fcntl(fuse_session_fd(mount->mounter), F_DUPFD_CLOEXEC, 3);
    if (fd < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
        fuse_session_custom_io(mount->session, &io, fd) != 0) {
        if (fd >= 0)
            close(fd);
        enum err err = mount_failed(error, mount->dir);
        fuse_session_unmount(mount->mounter);
        return err;
    }
    mount->fd = fd;
    if (!point_device(mount->dir, &mount->major, &mount->minor))
        mount->major = mount->minor = 0;
    return OK;
}

static void destroy_sessions(struct mount *mount)
{
    if (mount->session)
        fuse_session_destroy(mount->session);
    if (mount->mounter)
        fuse_session_destroy(mount->mounter);
    mount->session = mount->mounter = NULL;
}

static void start_handles(struct mount *mount)
{
    int problem = uv_poll_init(mount->loop, &mount->poll, mount->fd);
    if (problem == 0)
        problem = uv_idle_init(mount->loop, &mount->idle);
    if (problem == 0)
        problem = uv_timer_init(mount->loop, &mount->deadline);
    if (problem == 0)
        problem = uv_timer_init(mount->loop, &mount->interrupts);
    INVARIANT(problem == 0);
    awake_open(&mount->awake, mount->loop);
    mount->poll.data = mount->idle.data = mount->deadline.data = mount;
    mount->awake.timer.data = mount->interrupts.data = mount;
    mount->handles = 5;
}

/* The kernel sends FUSE_INIT at once; with it answered, read-ahead can be set. */
static void greet(struct mount *mount)
{
    struct buffer *buffer = fresh_buffer(mount);
    ssize_t got = read(mount->fd, buffer->data, BUFFER_SIZE);
    if (got >= (ssize_t)sizeof(struct fuse_in_header))
        wire_dispatch(mount, (size_t)got);
    if (mount->started && geteuid() == 0)
        raise_readahead(mount);
}

enum err mount_open(struct env *env, struct agent *agent, const struct mount_options *options,
                    struct mount **out, struct store_error *error)
{
    error->text[0] = 0;
    enum err err = point_check(options->dir, error);
    if (err != OK)
        return err;
    struct mount *mount = calloc(1, sizeof *mount);
    if (!mount)
        return ERR_NOMEM;
    mount->env = env;
    mount->loop = env_uv_loop(env);
    mount->agent = agent;
    mount->options = *options;
    mount->fd = -1;
    mount->dir = realpath(options->dir, NULL);
    mount->options.dir = mount->dir;
    if (!mount->options.spin_us)
        mount->options.spin_us = SPIN_DEFAULT_US;
    else if (mount->options.spin_us == UINT32_MAX)
        mount->options.spin_us = 0;
    err = mount->dir ? start_sessions(mount, error) : ERR_NOENT;
    if (err != OK) {
        destroy_sessions(mount);
        free(mount->dir);
        free(mount);
        return err;
    }
    mount->pool = pool_new();
    start_handles(mount);
    greet(mount);
    start_reading(mount);
    *out = mount;
    return OK;
}

/* --- ending --- */

/* The descriptor becomes one on which nothing ever arrives and poll says POLLERR, as on a device
 * that was unmounted. */
static void replace_descriptor(int fd)
{
    int ends[2];
    if (fd < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    close(ends[0]);
    dup3(ends[1], fd, O_CLOEXEC);
    close(ends[1]);
}

static void calls_late(uv_timer_t *timer)
{
    struct mount *mount = timer->data;
    if (mount->calls && mount->options.give_up)
        mount->options.give_up(mount->options.ctx);
}

/* Nobody waits for their answers any more. */
static void await_calls(struct mount *mount)
{
    if (mount->calls)
        uv_timer_start(&mount->deadline, calls_late, CALLS_MOST_MS, 0);
}

static void sever(struct mount *mount)
{
    if (mount->severed)
        return;
    mount->severed = true;
    stop_reading(mount);
    replace_descriptor(mount->fd);
    replace_descriptor(fuse_session_fd(mount->mounter));
    agent_on_ready(mount->agent, NULL, NULL);
    agent_forget_all(mount->agent);
    await_calls(mount);
    try_free(mount);
}

static void free_calls(struct mount *mount)
{
    while (mount->free_calls) {
        struct call *call = mount->free_calls;
        mount->free_calls = call->next;
        request_free(&call->request);
        free(call);
    }
}

static void handle_closed(uv_handle_t *handle)
{
    struct mount *mount = handle->data;
    if (--mount->handles)
        return;
    void (*closed)(void *ctx, const struct mount_closed *how) = mount->closed;
    void *ctx = mount->closed_ctx;
    struct mount_closed how = mount->how;
    fuse_session_unmount(mount->mounter); /* finds it unmounted; frees what it remembers */
    destroy_sessions(mount);
    free_calls(mount);
    if (mount->current)
        shared_unref(&mount->current->shared);
    pool_free(mount->pool);
    free(mount->dir);
    free(mount);
    closed(ctx, &how);
}

static void try_free(struct mount *mount)
{
    if (!mount->closing || !mount->severed || mount->unmounting || mount->calls || mount->freeing)
        return;
    mount->freeing = true;
    uv_close((uv_handle_t *)&mount->poll, handle_closed);
    uv_close((uv_handle_t *)&mount->idle, handle_closed);
    uv_close((uv_handle_t *)&mount->deadline, handle_closed);
    uv_close((uv_handle_t *)&mount->interrupts, handle_closed);
    awake_close(&mount->awake, handle_closed);
}

/* Programs that keep it busy may have dirty pages. False: it is not ours. */
static bool write_back(const struct mount *mount)
{
    struct stat st;
    int fd = open(mount->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ours = fd >= 0 && fstat(fd, &st) == 0 && major(st.st_dev) == mount->major &&
                minor(st.st_dev) == mount->minor;
    if (ours)
        syncfs(fd);
    if (fd >= 0)
        close(fd);
    return ours;
}

/* The same, asking nobody who may be out of reach. */
static bool is_ours(const struct mount *mount)
{
    uint32_t major, minor;
    return point_device(mount->dir, &major, &minor) && major == mount->major &&
           minor == mount->minor;
}

/* On a worker: the loop goes on answering what this makes the kernel ask. */
static void unmount_work(uv_work_t *work)
{
    struct mount *mount = work->data;
    bool shared = mount->options.shared;
    if (!(shared ? is_ours(mount) : write_back(mount)))
        return;
    mount->work_error = point_unmount(mount->dir, false);
    if (mount->work_error == EBUSY) {
        mount->how.was_busy = true;
        if (shared)
            write_back(mount);
        mount->work_error = point_unmount(mount->dir, true);
    }
}

static void unmount_done(uv_work_t *work, int status)
{
    struct mount *mount = work->data;
    char line[512];
    (void)status;
    mount->unmounting = false;
    uv_timer_stop(&mount->deadline);
    if (mount->how.was_busy) {
        snprintf(line, sizeof line,
                 "%s was in use: it is detached, programs that still use it get errors from now on",
                 mount->dir);
        mount->env->ops->log(mount->env, line);
    } else if (mount->work_error) {
        snprintf(line, sizeof line, "%s could not be unmounted: %s", mount->dir,
                 strerror(mount->work_error));
        mount->env->ops->log(mount->env, line);
    }
    sever(mount);
    await_calls(mount); /* should it have been severed before */
    try_free(mount);
}

static void unmount_late(uv_timer_t *timer)
{
    struct mount *mount = timer->data;
    mount->how.timed_out = true;
    umount2(mount->dir, UMOUNT_NOFOLLOW | MNT_DETACH | MNT_FORCE);
    sever(mount); /* whoever waits for an answer gets an error, the worker too */
}

void mount_close(struct mount *mount, void (*done)(void *ctx, const struct mount_closed *how),
                 void *ctx)
{
    INVARIANT(!mount->closing);
    mount->closing = true;
    mount->closed = done;
    mount->closed_ctx = ctx;
    if (mount->severed) {
        try_free(mount);
        return;
    }
    mount->unmounting = true;
    mount->work.data = mount;
    uv_timer_start(&mount->deadline, unmount_late, UNMOUNT_MOST_MS, 0);
    int problem = uv_queue_work(mount->loop, &mount->work, unmount_work, unmount_done);
    INVARIANT(problem == 0);
}

void mount_ended_call(struct mount *mount)
{
    try_free(mount);
}

void mount_status(const struct mount *mount, struct mount_status *out)
{
    *out = mount->status;
    out->in_flight = mount->calls;
    out->buffers = pool_in_use(mount->pool);
}

const char *mount_dir(const struct mount *mount)
{
    return mount->dir;
}
