/* SPDX-License-Identifier: MIT
 *
 * view_change.h: views that are proposed, leases, and following a primary. The laws are in
 * view_change.c, lease.c and follow.c.
 */
#ifndef PACTFS_REPLICA_PRIMARY_VIEW_CHANGE_H
#define PACTFS_REPLICA_PRIMARY_VIEW_CHANGE_H

#include "core/group/view.h"
#include "core/registry/registry.h"
#include "core/wire/message.h"

struct primary;

struct proposal {
    bool active;  /* the outcome is not known */
    bool sending; /* the registry has been asked */
    bool reading;
    bool unsure; /* an attempt may have happened */
    struct view view;
    struct registry_change change;
    struct registry_read read;
    uint64_t next_try;
};

/* view_change.c */
void view_learn(struct primary *p, const struct view *view, uint64_t revision);
void view_watch(struct primary *p);
void view_unwatch(struct primary *p);
/* Tries to make `view` the next one; again and again, until some later view stands (L2). */
void view_propose(struct primary *p, const struct view *view);
void view_tick(struct primary *p);
void candidate_begin(struct primary *p);
void candidate_tick(struct primary *p);
void candidate_flush(struct primary *p, uint32_t from, const struct message *message);
void candidate_flushed(struct primary *p, uint32_t from, const struct message *message);
void hand_over_tick(struct primary *p);
void resign(struct primary *p);

/* lease.c */
bool lease_held(const struct primary *p);
bool may_serve(const struct primary *p);
void lease_heartbeat(struct primary *p); /* to everybody, now */
void lease_heard(struct primary *p, uint32_t from, const struct message *message);
void lease_tick(struct primary *p); /* of the primary: heartbeats, suspicion */

/* follow.c */
void follow_heartbeat(struct primary *p, uint32_t from, const struct message *message);
void follow_record(struct primary *p, uint32_t from, const struct message *message);
void follow_ack(struct primary *p);
void follow_tick(struct primary *p);

#endif
