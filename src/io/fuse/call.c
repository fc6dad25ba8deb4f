/* SPDX-License-Identifier: MIT
 *
 * call.c: one request of the kernel, from its arrival to its answer.
 *
 * Law
 *   C1  Every call is answered exactly once and ended exactly once.
 *   C2  An answer that names an inode is counted with the agent before it is sent, and taken back
 *       when the kernel did not take it.
 *   C3  The bytes of the request stay where they are until the call has ended.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/assert.h"
#include "io/fuse/private.h"

#define NS_PER_S INT64_C(1000000000)

/* The clock that the kernel takes the times of files from: with a finer one, a file would at times
 * be younger than its first write. */
static int64_t file_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void call_done(struct request *request)
{
    struct call *call = request->ctx;
    if (call->answered) {
        call_end(call);
        return;
    }
    mount_answers(call->mount);
    call->reply(call);
}

static struct call *take(struct mount *mount)
{
    struct call *call = mount->free_calls;
    if (call) {
        mount->free_calls = call->next;
    } else {
        call = calloc(1, sizeof *call);
        INVARIANT(call != NULL);
    }
    INVARIANT(mount->current != NULL);
    mount->calls++;
    call->mount = mount;
    call->buffer = mount->current;
    shared_ref(&mount->current->shared);
    request_begin(&call->request);
    call->request.done = call_done;
    call->request.ctx = call;
    /* 0: whoever executes it knows the time, the same for all machines. */
    call->request.op.now = mount->options.shared ? 0 : file_time();
    call->room = 0;
    call->unique = ((const struct fuse_in_header *)(const void *)mount->current->data)->unique;
    call->interrupted = call->answered = call->looks = false;
    if (mount->options.shared)
        shared_begun(call);
    call->who = ((const struct fuse_in_header *)(const void *)mount->current->data)->pid;
    return call;
}

struct call *call_new(fuse_req_t req, enum fs_code code, uint64_t ino)
{
    struct call *call = take(fuse_req_userdata(req));
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    struct fs_op *op = &call->request.op;
    call->req = req;
    op->code = code;
    op->ino = ino;
    op->umask = ctx->umask;
    /* With default_permissions the kernel has checked; it has also dropped set-group-id bits that
     * the caller may not set, so what arrives is meant. */
    op->cred =
        (struct fs_cred){.uid = ctx->uid, .gid = ctx->gid, .checked = true, .cap_fsetid = true};
    return call;
}

struct call *call_new_raw(struct mount *mount, enum fs_code code)
{
    struct call *call = take(mount);
    const struct fuse_in_header *in = (const void *)mount->current->data;
    struct fs_op *op = &call->request.op;
    call->req = NULL;
    op->code = code;
    op->ino = in->nodeid;
    op->cred =
        (struct fs_cred){.uid = in->uid, .gid = in->gid, .checked = true, .cap_fsetid = true};
    return call;
}

void call_name(struct call *call, const char *name)
{
    call->request.op.name = (struct bytes){(const uint8_t *)name, strlen(name)};
}

/* Asks the kernel for the caller's supplementary groups: reads a file in /proc, so only where a
 * rule needs them. */
void call_groups(struct call *call)
{
    gid_t some[64];
    int count = fuse_req_getgroups(call->req, 64, some);
    if (count <= 0)
        return;
    call->groups = calloc((size_t)count, sizeof *call->groups);
    INVARIANT(call->groups != NULL);
    if (count <= 64)
        memcpy(call->groups, some, sizeof *call->groups * (size_t)count);
    else if (fuse_req_getgroups(call->req, count, call->groups) != count)
        count = 0; /* they changed meanwhile: the process has none that count */
    call->request.op.cred.groups = call->groups;
    call->request.op.cred.group_count = (uint32_t)count;
}

void call_run(struct call *call, void (*reply)(struct call *call))
{
    call->reply = reply;
    if (agent_execute(call->mount->agent, &call->request))
        reply(call);
}

void call_sync(struct call *call, void (*reply)(struct call *call))
{
    call->reply = reply;
    if (agent_sync(call->mount->agent, &call->request))
        reply(call);
}

void call_end(struct call *call)
{
    struct mount *mount = call->mount;
    request_end(&call->request);
    shared_unref(&call->buffer->shared);
    call->buffer = NULL;
    free(call->groups);
    call->groups = NULL;
    INVARIANT(mount->calls > 0);
    mount->calls--;
    if (mount->options.shared)
        shared_ended(call);
    call->next = mount->free_calls;
    mount->free_calls = call;
    if (mount->closing)
        mount_ended_call(mount);
}

/* --- what several operations answer --- */

bool reply_failed(struct call *call)
{
    if (call->request.err == OK)
        return false;
    fuse_reply_err(call->req, err_errno(call->request.err));
    call_end(call);
    return true;
}

void reply_status(struct call *call)
{
    change_tell(call);
    fuse_reply_err(call->req, err_errno(call->request.err));
    call_end(call);
}

static struct timespec to_timespec(int64_t ns)
{
    int64_t seconds = ns / NS_PER_S, rest = ns % NS_PER_S;
    if (rest < 0) {
        rest += NS_PER_S;
        seconds--;
    }
    return (struct timespec){.tv_sec = seconds, .tv_nsec = rest};
}

void attr_to_stat(const struct fs_attr *attr, struct stat *st)
{
    *st = (struct stat){
        .st_ino = attr->ino,
        .st_mode = attr->mode,
        .st_nlink = attr->nlink,
        .st_uid = attr->uid,
        .st_gid = attr->gid,
        .st_rdev = attr->rdev,
        .st_size = (off_t)attr->size,
        .st_blksize = CHUNK_SIZE,
        .st_blocks = (blkcnt_t)attr->blocks,
        .st_atim = to_timespec(attr->atime),
        .st_mtim = to_timespec(attr->mtime),
        .st_ctim = to_timespec(attr->ctime),
    };
}

void attr_to_wire(const struct fs_attr *attr, struct fuse_attr *out)
{
    struct timespec atime = to_timespec(attr->atime), mtime = to_timespec(attr->mtime),
                    ctime = to_timespec(attr->ctime);
    *out = (struct fuse_attr){
        .ino = attr->ino,
        .size = attr->size,
        .blocks = attr->blocks,
        .atime = (uint64_t)atime.tv_sec,
        .mtime = (uint64_t)mtime.tv_sec,
        .ctime = (uint64_t)ctime.tv_sec,
        .atimensec = (uint32_t)atime.tv_nsec,
        .mtimensec = (uint32_t)mtime.tv_nsec,
        .ctimensec = (uint32_t)ctime.tv_nsec,
        .mode = attr->mode,
        .nlink = attr->nlink,
        .uid = attr->uid,
        .gid = attr->gid,
        .rdev = (uint32_t)attr->rdev,
        .blksize = CHUNK_SIZE,
    };
}

void entry_param(const struct mount *mount, const struct fs_attr *attr, struct fuse_entry_param *e)
{
    double keep = shared_or(mount, FOREVER_S);
    *e = (struct fuse_entry_param){.ino = attr->ino, .attr_timeout = keep, .entry_timeout = keep};
    attr_to_stat(attr, &e->attr);
}

void reply_attr(struct call *call)
{
    struct stat st;
    if (reply_failed(call))
        return;
    shared_looked(call);
    attr_to_stat(&call->request.result.attr, &st);
    fuse_reply_attr(call->req, &st, change_keep(call, &call->request.result.attr));
    call_end(call);
}

void reply_entry(struct call *call)
{
    struct fuse_entry_param e;
    if (reply_failed(call))
        return;
    uint64_t ino = call->request.result.attr.ino;
    INVARIANT(ino != 0);
    entry_param(call->mount, &call->request.result.attr, &e);
    agent_ref(call->mount->agent, ino);
    e.attr_timeout = change_keep(call, &call->request.result.attr);
    change_tell(call);
    if (fuse_reply_entry(call->req, &e) != 0) {
        call->mount->status.forgotten_replies++;
        agent_forget(call->mount->agent, ino, 1);
    }
    call_end(call);
}
