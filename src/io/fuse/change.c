/* SPDX-License-Identifier: MIT
 *
 * change.c: attributes in the kernel stay true though it keeps them without end.
 *
 * Definitions
 *   version    the kernel has one for each inode's attributes and raises it when it takes new ones
 *              in. It refuses an answer that was asked for before the version was raised last.
 *   void       of an answer under way: the kernel will refuse it when it gets to it
 *   mute       of a change: when the kernel hears that it was made, it marks the attributes as out
 *              of date and does not raise the version
 *
 * An answer is taken in by the thread that asked, at any time after it was written. When it says
 * what was true before a mute change and is taken in after the answer of the change, the mark is
 * gone and what is out of date counts for ever.
 *
 * Mute are: for the parents, all that makes and removes names; for what is renamed, the rename; for
 * the file, changes of extended attributes and ACLs (which change the mode), fallocate, and the
 * time of access of a read. Not mute: setattr and link, whose answers carry the attributes;
 * write(2) and copy_file_range; for what loses a name, the loss. Names need nothing of the kind:
 * the kernel looks up and lists under the directory's lock until the answer is taken in, and
 * changes names under the same lock.
 *
 * Of all that there is nothing to do in a shared mount, where the kernel keeps no attributes.
 *
 * Law
 *   N1  Before the answer of a mute change every older answer that carries attributes of the inode,
 *       and may not have been taken in, is made void by FUSE_NOTIFY_INVAL_INODE, which raises the
 *       version. Whoever makes the change has taken in all that it was told before it asked, so
 *       nothing is sent where nobody else asked.
 *   N2  When a file loses one of several names, the kernel takes one off its count by itself. A
 *       count that is lower already must not be kept until that is done, or it ends up too low: it
 *       is done when the thread that did it asks for something else.
 *   N3  A link's answer is taken in whatever the version is, and may be older than what the kernel
 *       has: it is not kept.
 *   N4  The loop sends word only about inodes that the request at hand holds on to. The kernel
 *       waits for one that is being evicted, which may wait for us. Of a read nobody may wait any
 *       more: after its answer, a worker sends it.
 */
#include "io/fuse/private.h"

static void changed(struct call *call, uint64_t ino)
{
    if (agent_changed(call->mount->agent, ino, call->who))
        wire_attributes_changed(call->mount, ino);
}

static void lost_name(struct call *call, const struct fs_attr *attr)
{
    struct mount *mount = call->mount;
    if (attr->ino == 0 || attr->nlink == 0 || S_ISDIR(attr->mode))
        return;
    agent_lost_name(mount->agent, attr->ino, call->who);
    if (call->who)
        mount->losers[call->who & (LOSERS - 1)] = (struct loser){attr->ino, call->who};
}

static void renamed(struct call *call)
{
    const struct fs_op *op = &call->request.op;
    const struct fs_result *result = &call->request.result;
    changed(call, op->ino);
    if (op->ino2 != op->ino)
        changed(call, op->ino2);
    changed(call, result->attr.ino);
    if (op->flags & FS_RENAME_EXCHANGE)
        changed(call, result->attr2.ino);
    else
        lost_name(call, &result->attr2);
}

void change_tell(struct call *call)
{
    const struct fs_op *op = &call->request.op;
    if (call->request.err != OK || call->mount->options.shared)
        return;
    switch (op->code) {
    case FS_UNLINK:
        lost_name(call, &call->request.result.attr);
        changed(call, op->ino);
        break;
    case FS_MKNOD:
    case FS_MKDIR:
    case FS_SYMLINK:
    case FS_RMDIR:
    case FS_SETXATTR:
    case FS_REMOVEXATTR:
    case FS_FALLOCATE:
        changed(call, op->ino);
        break;
    case FS_LINK:
    case FS_COPY:
        changed(call, op->ino2);
        break;
    case FS_RENAME:
        renamed(call);
        break;
    default:
        break;
    }
}

void change_accessed(struct call *call)
{
    const struct fs_op *op = &call->request.op;
    bool accessed = (op->flags & FS_READ_ATIME) && call->request.result.attr.atime == op->now;
    accessed = accessed && !call->mount->options.shared;
    if (accessed && agent_changed(call->mount->agent, op->ino, call->who))
        wire_attributes_changed_later(call);
    else
        call_end(call);
}

double change_keep(struct call *call, const struct fs_attr *attr)
{
    if (call->mount->options.shared)
        return 0;
    bool settled = agent_told(call->mount->agent, attr, call->who);
    return settled && call->request.op.code != FS_LINK ? FOREVER_S : 0;
}

void change_heard(struct mount *mount, const struct fuse_in_header *in)
{
    struct loser *loser = &mount->losers[in->pid & (LOSERS - 1)];
    /* Reading ahead and writing back go on beside what the thread that began them does. */
    if (!in->pid || loser->who != in->pid || in->opcode == FUSE_READ || in->opcode == FUSE_WRITE)
        return;
    agent_settled(mount->agent, loser->ino, loser->who);
    loser->who = 0;
}
