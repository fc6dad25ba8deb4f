/* SPDX-License-Identifier: MIT
 *
 * shared.c: a volume that other machines change too.
 *
 * The kernel keeps no names and no attributes: each use of one is a question to the agent. Files
 * are read and written past the kernel's pages (FOPEN_DIRECT_IO), so each read(2) and write(2) is
 * an operation of the volume, or several when it is longer than FS_IO_MAX, and what the volume
 * promises of operations is what programs get. An append (O_APPEND) is placed where the file ends
 * when it is carried out, whatever the kernel thinks. Times are those of whoever executes.
 *
 * What a program may rely on besides:
 *   mmap     MAP_PRIVATE and MAP_SHARED work. On one machine a mapping and read(2), write(2) see
 *            each other's bytes, and mappings share pages. Stores reach other machines at msync(2),
 *            munmap(2), or when the kernel writes back by itself (some 30 s). What others write is
 *            seen in pages that are not there yet, and in all when the file's attributes have been
 *            asked for since (open(2), stat(2)): the kernel then drops pages of a file whose time
 *            or size is another (FUSE_AUTO_INVAL_DATA), which is why times differ for each write.
 *   locks    flock(2) and fcntl(2) hold among the programs of one machine.
 *   atime    is not kept by reads: it would make each a write.
 *
 * A program that is killed while the volume is out of reach goes: the kernel lets it only when what
 * it asked for has been answered, so it is, with EINTR.
 *
 * umount(8) asks for the attributes of the mount's root first: while the volume is out of reach,
 * these are answered as they last were.
 *
 * A kernel before 6.6 cannot map a file shared that is read past its pages. There, files are read
 * and written through them, under FUSE_AUTO_INVAL_DATA: each read(2) asks for the attributes first
 * and drops what is old. The difference: a program may see a write of another program on its own
 * machine while that is still under way, a moment before anybody else can; an append across the end
 * of a page may be sent in two pieces, between which others may append; and the kernel reads ahead.
 */
#include <errno.h>
#include <fcntl.h>

#include "io/fuse/private.h"

/* From protocol 7.39 on; bit 36 of the flags. */
#define INIT2_DIRECT_IO_ALLOW_MMAP (1u << 4)

double shared_or(const struct mount *mount, double seconds)
{
    return mount->options.shared ? 0 : seconds;
}

void shared_init(struct mount *mount, const struct fuse_init_in *in, struct fuse_init_out *out)
{
    /* libfuse 3.14 forgets it: one lookup in a directory would wait for another. */
    out->flags |= in->flags & FUSE_PARALLEL_DIROPS;
    if (mount->options.through_pages || !(in->flags & FUSE_INIT_EXT) ||
        !(in->flags2 & INIT2_DIRECT_IO_ALLOW_MMAP))
        return;
    out->flags |= FUSE_INIT_EXT;
    out->flags2 |= INIT2_DIRECT_IO_ALLOW_MMAP;
    mount->direct = true;
}

uint32_t shared_open_flags(const struct mount *mount)
{
    return mount->direct ? FOPEN_DIRECT_IO : FOPEN_KEEP_CACHE;
}

/* Where the kernel uses its pages, opening tells us nothing: it then does without, and keeps what
 * it holds. (libfuse itself would answer that it is done, which makes the kernel drop it.) */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    const struct mount *mount = fuse_req_userdata(req);
    (void)ino;
    if (mount->direct) {
        fi->direct_io = 1;
        fuse_reply_open(req, fi);
    } else {
        fuse_reply_err(req, ENOSYS);
    }
}

/* Likewise; a listing of a shared directory is not kept. */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    const struct mount *mount = fuse_req_userdata(req);
    (void)ino;
    if (mount->options.shared)
        fuse_reply_open(req, fi);
    else
        fuse_reply_err(req, ENOSYS);
}

/* --- programs that are interrupted --- */

#define INTERRUPT_MS 200u /* between two looks */

void shared_begun(struct call *call)
{
    struct mount *mount = call->mount;
    call->live_prev = NULL;
    call->live_next = mount->live;
    if (mount->live)
        mount->live->live_prev = call;
    mount->live = call;
}

void shared_ended(struct call *call)
{
    if (call->live_prev)
        call->live_prev->live_next = call->live_next;
    else
        call->mount->live = call->live_next;
    if (call->live_next)
        call->live_next->live_prev = call->live_prev;
}

static void look_at_interrupted(uv_timer_t *timer)
{
    struct mount *mount = timer->data;
    bool stalled = mount->options.stalled(mount->options.ctx);
    uint32_t left = 0;
    for (struct call *call = mount->live; call; call = call->live_next) {
        bool known = call->looks && mount->root.ino != 0;
        if ((!call->interrupted && !known) || call->answered)
            continue;
        left += !stalled;
        call->answered = stalled;
        if (stalled && known)
            wire_answer_attr(call, &mount->root);
        else if (stalled)
            wire_answer_error(call, EINTR);
    }
    if (left)
        uv_timer_start(timer, look_at_interrupted, INTERRUPT_MS, 0);
}

void shared_interrupt(struct mount *mount, uint64_t unique)
{
    struct call *call = mount->live;
    while (call && call->unique != unique)
        call = call->live_next;
    if (!call || !mount->options.stalled)
        return; /* it has been answered */
    call->interrupted = true;
    if (!uv_is_active((uv_handle_t *)&mount->interrupts))
        uv_timer_start(&mount->interrupts, look_at_interrupted, 0, 0);
}

void shared_looks(struct call *call)
{
    struct mount *mount = call->mount;
    if (!mount->options.stalled || call->request.op.ino != FS_ROOT_INO)
        return;
    call->looks = true;
    if (!uv_is_active((uv_handle_t *)&mount->interrupts))
        uv_timer_start(&mount->interrupts, look_at_interrupted, INTERRUPT_MS, 0);
}

void shared_looked(struct call *call)
{
    if (call->mount->options.shared && call->request.result.attr.ino == FS_ROOT_INO)
        call->mount->root = call->request.result.attr;
}

/* The kernel places an append at the end that it knows; pages of a mapping have their place. */
uint32_t shared_write_flags(const struct fuse_file_info *fi)
{
    return (fi->flags & O_APPEND) && !fi->writepage ? FS_WRITE_APPEND : 0;
}
