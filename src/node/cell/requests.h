/* SPDX-License-Identifier: MIT
 *
 * requests.h: the questions a node understands; each a function that finishes its ask, now or
 * later. What they take and answer is in requests.c.
 */
#ifndef PACTFS_NODE_CELL_REQUESTS_H
#define PACTFS_NODE_CELL_REQUESTS_H

#include "node/cell/ask.h"

void request_run(struct ask *ask);

/* report.c */
void request_status(struct ask *ask);
void request_nodes(struct ask *ask);
void request_resolve(struct ask *ask);
void request_volume_list(struct ask *ask);
void request_volume_show(struct ask *ask);
void request_volume_state(struct ask *ask);

/* volume_requests.c */
void request_volume_create(struct ask *ask);
void request_volume_set(struct ask *ask);
void request_volume_delete(struct ask *ask);
void request_volume_restore(struct ask *ask);
void request_volume_move(struct ask *ask);
void request_hand_over(struct ask *ask);

/* enrol.c, certificates.c */
void request_invite(struct ask *ask);
void request_enrol(struct ask *ask);
void request_renew(struct ask *ask);
void request_revoke(struct ask *ask);
void request_certificates(struct ask *ask);

/* upkeep.c, leave.c */
void request_leave(struct ask *ask);

/* scrub.c */
void request_scrub(struct ask *ask);
void request_scrub_here(struct ask *ask);
void request_scrub_state(struct ask *ask);

#endif
