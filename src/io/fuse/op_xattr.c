/* SPDX-License-Identifier: MIT
 *
 * op_xattr.c: extended attributes; POSIX ACLs are two of them.
 */
#include <string.h>

#include "io/fuse/private.h"

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                 int flags) /* lint: parameters-ok: libfuse calls it */
{
    struct call *call = call_new(req, FS_SETXATTR, ino);
    struct fs_op *op = &call->request.op;
    call_name(call, name);
    op->value = (struct bytes){(const uint8_t *)value, size};
    op->flags = (uint32_t)flags;
    op->cred.cap_fsetid = op->cred.uid == 0;
    /* Setting an ACL drops the set-group-id bit unless the caller is in the file's group. */
    if (op->cred.uid != 0 && strcmp(name, "system.posix_acl_access") == 0)
        call_groups(call);
    call_run(call, reply_status);
}

/* The value, or its length when the kernel only asked for that. */
static void reply_value(struct call *call)
{
    if (reply_failed(call))
        return;
    struct bytes value = call->request.result.value;
    if (call->room == 0)
        fuse_reply_xattr(call->req, value.len);
    else if (value.len > call->room)
        fuse_reply_err(call->req, ERANGE);
    else
        fuse_reply_buf(call->req, (const char *)value.data, value.len);
    call_end(call);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct call *call = call_new(req, FS_GETXATTR, ino);
    call_name(call, name);
    call->room = size;
    call_run(call, reply_value);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct call *call = call_new(req, FS_LISTXATTR, ino);
    call->room = size;
    call_run(call, reply_value);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    struct call *call = call_new(req, FS_REMOVEXATTR, ino);
    call_name(call, name);
    call_run(call, reply_status);
}
