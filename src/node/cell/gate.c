/* SPDX-License-Identifier: MIT
 *
 * gate.c: see gate.h for the law.
 */
#include "node/cell/gate.h"

static bool in_group(const struct gate_peer *peer, uint32_t gid)
{
    const struct gate_user *user = peer->user;
    if (!user)
        return gid == (uint32_t)peer->uid;
    if (gid == user->gid)
        return true;
    for (uint32_t i = 0; i < user->group_count; i++)
        if (user->groups[i] == gid)
            return true;
    return false;
}

/* A3: the credentials are the user's own. */
static bool own_credentials(const struct gate_peer *peer, const struct fs_cred *cred)
{
    if ((int64_t)cred->uid != peer->uid || cred->checked || cred->cap_fsetid ||
        !in_group(peer, cred->gid))
        return false;
    for (uint32_t i = 0; i < cred->group_count; i++)
        if (!in_group(peer, cred->groups[i]))
            return false;
    return true;
}

/* A3: nothing that only a trusted kernel may say about times and set-id bits. */
static bool own_powers(const struct fs_op *op)
{
    if (op->code == FS_SETATTR && (op->set & (FS_SET_CTIME | FS_SET_BTIME)))
        return false;
    return !(op->code == FS_WRITE && (op->flags & FS_WRITE_CACHED));
}

static enum gate_verdict gate_request_op(const struct gate_peer *peer, struct fs_op *op)
{
    if (op->code == FS_FORMAT || op->code == FS_RECLAIM || op->new_ino != 0)
        return GATE_KIND;
    if (peer->role != GATE_CLIENT || peer->uid < 0)
        return GATE_PASS;
    if (!own_credentials(peer, &op->cred) || !own_powers(op))
        return GATE_USER;
    op->now = 0;
    return GATE_PASS;
}

static enum gate_verdict gate_guest(const struct gate_peer *peer, struct message *message)
{
    switch (message->kind) {
    case MESSAGE_WHERE:
    case MESSAGE_OPEN:
    case MESSAGE_CLOSE:
    case MESSAGE_RENEW:
    case MESSAGE_HELD:
    case MESSAGE_CALL:
        return GATE_PASS;
    case MESSAGE_REQUEST:
        return gate_request_op(peer, &message->op);
    default:
        return GATE_KIND;
    }
}

enum gate_verdict gate_message(const struct gate_peer *peer, struct message *message)
{
    switch (peer->role) {
    case GATE_NODE:
        return GATE_PASS;
    case GATE_CLIENT:
    case GATE_ADMINISTRATOR:
        return gate_guest(peer, message);
    case GATE_STRANGER:
        return message->kind == MESSAGE_CALL ? GATE_PASS : GATE_KIND;
    }
    return GATE_KIND;
}

bool gate_call(enum gate_role caller, enum gate_role least)
{
    return caller >= least;
}
