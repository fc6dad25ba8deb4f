/* SPDX-License-Identifier: MIT
 *
 * users.h: in which groups a user is, as the machine knew where a client bound to that user was
 * invited; kept in the registry as {"gid": n, "groups": [...]} for the gates of all nodes.
 */
#ifndef PACTFS_NODE_CELL_USERS_H
#define PACTFS_NODE_CELL_USERS_H

#include "node/cell/gate.h"

/* Asks the system; may take its time. A user that it does not know is alone in a group of the same
 * number. */
void user_look_up(uint32_t uid, struct gate_user *out);
char *user_text(const struct gate_user *user); /* JSON; malloc'd */
/* False: not of that form; *user's uid is left alone. */
bool user_read(struct bytes value, struct gate_user *user);

#endif
