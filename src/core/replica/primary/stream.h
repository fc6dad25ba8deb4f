/* SPDX-License-Identifier: MIT
 *
 * stream.h: records to the other replicas, and what is known of each. The law is in stream.c.
 */
#ifndef PACTFS_REPLICA_PRIMARY_STREAM_H
#define PACTFS_REPLICA_PRIMARY_STREAM_H

#include "core/replica/primary/window.h"
#include "core/wire/message.h"

#define UNACKED_BYTES (8u << 20) /* sent to one replica and not acknowledged */
#define BATCH_BYTES   (1u << 20) /* read from the log at once for one that joins */

struct donor;

enum stream_mode {
    STREAM_NONE, /* it is not known what it has */
    STREAM_WINDOW,
    STREAM_LOG,      /* from the store's tail, until the window has what follows */
    STREAM_SNAPSHOT, /* it copies; see donor.c */
};

struct stream {
    enum stream_mode mode;
    struct record *next;    /* WINDOW: to send; NULL: it has been sent everything */
    struct record *unacked; /* WINDOW: the first that it has not acknowledged; NULL: none */
    uint64_t unacked_bytes;
    uint64_t rewound; /* when it was last begun anew */
    struct store_tail *tail;
    struct store_tail_read read;
    bool reading, ended;   /* a read is under way; and is to be forgotten */
    struct stamp read_end; /* LOG: the last record that was sent */
    struct primary *primary;
    uint32_t node;
};

/* Another node of the volume, as this one sees it. */
struct peer {
    uint32_t node;
    bool member;    /* of the view, or of a proposed one: it has to have everything */
    bool joining;   /* it asked to join */
    bool resigned;  /* it said so */
    bool flushed;   /* to a candidate: it gave all it has */
    uint64_t heard; /* when, on the monotonic clock; 0: never */
    uint64_t lost;  /* when the connection broke; 0: it did not */
    uint64_t lease; /* when the last heartbeat was sent that it answered; see L3 */
    struct stamp durable, last;
    struct stamp no_log;   /* the log turned out not to reach back to this */
    struct stream *stream; /* never NULL */
    struct donor *donor;   /* or NULL */
    uint64_t repair_began, repaired_bytes, repaired_objects, repair_total;
};

void stream_init(struct primary *p, struct peer *peer);
void stream_free(struct peer *peer);
void stream_stop(struct peer *peer);
/* Sends what is behind `last`. False: the log does not reach back. */
bool stream_start(struct primary *p, struct peer *peer, struct stamp last);
void stream_pump(struct primary *p, struct peer *peer);
void stream_pump_all(struct primary *p);
void stream_told(struct primary *p, struct peer *peer, const struct message *message);
void stream_record_added(struct primary *p, struct record *record);
void stream_record_dropped(struct primary *p, const struct record *record);
void stream_commit(struct primary *p); /* what all have is committed */
bool stream_has_room(const struct primary *p);

#endif
