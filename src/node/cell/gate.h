/* SPDX-License-Identifier: MIT
 *
 * gate.h: who may send what to a node. Pure: a peer's certificate and its message in, a verdict
 * out.
 *
 * The gate stands in front of everything else; what it lets through is still checked by whoever
 * takes it.
 *
 * Law
 *   A1  A stranger (no certificate) may call `enrol`, and nothing else.
 *   A2  A guest (client or administrator) may send what an agent sends, and calls; never what
 *       passes between replica managers.
 *   A3  What a client that is bound to a user asks for, it asks as that user, in groups that the
 *       cell knows the user to be in, and with permissions checked here: its kernel is not trusted
 *       to have done so, nor with times and set-id bits.
 *   A4  No guest chooses inode numbers, makes a root directory or reclaims an inode.
 *   A5  What changes the cell is called by administrators and nodes only.
 *
 * A message that is sent again, or played back by somebody, has no effect a second time: sessions,
 * slots and serial numbers make requests idempotent (core/agent/remote.h), and TLS keeps third
 * parties from sending anything of one connection in another.
 */
#ifndef PACTFS_NODE_CELL_GATE_H
#define PACTFS_NODE_CELL_GATE_H

#include "core/wire/message.h"

#define GATE_GROUPS_MAX 64u /* of a user, as the cell knows them */

enum gate_role { GATE_STRANGER, GATE_CLIENT, GATE_ADMINISTRATOR, GATE_NODE };

struct gate_user {
    uint32_t uid, gid;
    uint32_t group_count, groups[GATE_GROUPS_MAX]; /* supplementary */
};

struct gate_peer {
    enum gate_role role;
    int64_t uid;                  /* CLIENT: the user that it is bound to, or -1: any */
    const struct gate_user *user; /* of that uid; NULL: not known, then its group is its uid */
};

enum gate_verdict {
    GATE_PASS,
    GATE_KIND, /* not for this peer to send */
    GATE_USER, /* beyond the user that it is bound to */
    GATE_COUNT
};

/* A message, decoded. A bound client's own idea of the time is taken out of it. */
enum gate_verdict gate_message(const struct gate_peer *peer, struct message *message);

/* Who may call a request by its name: the least role for it, in the order of enum gate_role. */
bool gate_call(enum gate_role caller, enum gate_role least);

#endif
