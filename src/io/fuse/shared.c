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
 * A kernel before 6.6 cannot map a file shared that is read past its pages. There, files are read
 * and written through them, under FUSE_AUTO_INVAL_DATA: each read(2) asks for the attributes first
 * and drops what is old. The difference: a program may see a write of another program on its own
 * machine while that is still under way, a moment before anybody else can; and the kernel reads
 * ahead.
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

/* The kernel places an append at the end that it knows; pages of a mapping have their place. */
uint32_t shared_write_flags(const struct fuse_file_info *fi)
{
    return (fi->flags & O_APPEND) && !fi->writepage ? FS_WRITE_APPEND : 0;
}
