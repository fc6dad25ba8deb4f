/* SPDX-License-Identifier: MIT
 *
 * message.h: what nodes and agents say to each other.
 *
 * A message is a prefix (PREFIX_SIZE bytes: magic, version, kind, length of the head), a head (the
 * protobuf message `Message` of proto/wire.proto) and a payload: raw bytes, file data mostly. It
 * travels whole; a transport keeps its length.
 *
 * Versions. A node says which version it speaks in each prefix. What it does not know it ignores:
 * fields by protobuf's rule, kinds by WIRE_UNKNOWN (counted). Fields are never renumbered, and a
 * newer node says nothing that an older one must understand before all have said that they are
 * newer.
 *
 * Law
 *   M1  wire_decode(wire_encode(m)) gives m; whatever bytes it is given, it reads none outside
 *       them, and answers DECODE rather than a message that breaks a limit stated here.
 *   M2  A decoded message points into the bytes it was decoded from and into the arena, of which it
 *       takes no more than the head is long and a few MiB, whatever the head says.
 *   M3  What decodes may be handed on as it is: an operation to fs_apply, a result to a mount, a
 *       view (sound), lists in their order. It is not known to be true, nor that the sender may say
 *       it.
 */
#ifndef PACTFS_WIRE_MESSAGE_H
#define PACTFS_WIRE_MESSAGE_H

#include "core/base/arena.h"
#include "core/env/net.h"
#include "core/fs/fs.h"
#include "core/group/view.h"
#include "core/store/replicate.h"

#ifndef WIRE_VERSION
#define WIRE_VERSION 1u /* what this build speaks */
#endif
#define WIRE_OLDEST      1u    /* and understands */
#define WIRE_PREFIX      12u   /* bytes */
#define WIRE_ENTRIES_MAX 8192u /* of a directory listing, keys, leaves or holds in one message */
#define WIRE_GROUPS_MAX  65536u
#define WIRE_TEXT_MAX    (1u << 20) /* bytes of a call's text */
#if WIRE_VERSION > 1
#define WIRE_NEWEST 100u /* a field that version 1 does not know: WIRE_VERSION, in each head */
#endif

enum message_kind {
    /* between an agent and the replica managers of its volume */
    MESSAGE_WHERE = 1, /* which view is it? -> MOVED */
    MESSAGE_MOVED,     /* the view as the sender knows it; also the answer to a request or a renewal
                          that the sender may not serve: then session, slot and serial say which */
    MESSAGE_OPEN,      /* a session, please; `serial` is a random number -> OPENED */
    MESSAGE_OPENED,    /* `session` for the OPEN with `serial`, or err */
    MESSAGE_CLOSE,     /* the session ends; no answer */
    MESSAGE_RENEW,     /* the session is still in use -> RENEWED (SESSION: it is gone) or MOVED */
    MESSAGE_RENEWED,
    MESSAGE_REQUEST, /* one operation: session, slot, serial, op -> REPLY or MOVED */
    MESSAGE_REPLY,   /* its result: session, slot, serial, err, result; payload: the data read */
    MESSAGE_HOLDS,   /* from the primary: which of `inos` does the kernel still know? -> HELD */
    MESSAGE_HELD,    /* those */
    /* between replica managers of one volume */
    MESSAGE_HEARTBEAT = 32, /* from the primary: the view, its clock in `serial`, `stamp`: up to
                               where all of the view have it durable (committed), `last` */
    MESSAGE_HEARD,          /* answer: `serial` as it came; `stamp` durable here, `last` received */
    MESSAGE_RECORD,  /* the next record: `before`, `stamp`, `head` and the payload; `last`: what is
                        committed */
    MESSAGE_ACK,     /* `stamp` durable here, `last` received: the next has to follow this one */
    MESSAGE_FLUSH,   /* a candidate asks for what it lacks behind `last` */
    MESSAGE_FLUSHED, /* no more records come behind `last` */
    MESSAGE_RESIGN,  /* the primary serves no more: suspect it at once */
    MESSAGE_JOIN,    /* not in the view; `last` is what it has, `whole` whether that is all of it */
    MESSAGE_SNAPSHOT, /* to one that joins: the log does not reach back; there is a snapshot at
                         `stamp` */
    MESSAGE_DIGEST,   /* the leaves from `from` on, of the snapshot at `stamp` -> LEAVES */
    MESSAGE_LEAVES,   /* they; `from` is behind the last; `end`: there are no more */
    MESSAGE_KEYS,     /* the objects in [from, to] of the snapshot -> NAMES */
    MESSAGE_NAMES,    /* they, in order, with their stamps; up to `to` (what was asked for, or
                         less) */
    MESSAGE_FETCH,    /* objects `names` of the snapshot, or as they are now (stamp ZERO), please */
    MESSAGE_OBJECTS,  /* they: `head` and payload as store_export made them; the first `count` of
                         those asked for, and their `names` */
    MESSAGE_TAKE_OVER, /* from the primary, which serves no more: the view is handed to you */
    /* between any two: the node's own business */
    MESSAGE_CALL = 96, /* `text`: a question in JSON -> ANSWER with its `serial` */
    MESSAGE_ANSWER,
#if WIRE_VERSION > 1
    MESSAGE_GREETING, /* what the next version may have and version 1 does not know; for tests of
                         two versions. No answer. */
#endif
};

/* A leaf of the hash tree over a snapshot: the objects from the end of the one before it up to and
 * including `last`. */
struct message_leaf {
    struct object_key last;
    uint32_t count;
    uint64_t hash;
};

struct message_name {
    struct object_key key;
    struct stamp stamp;
};

struct message {
    enum message_kind kind;
    uint32_t version; /* of the sender; set by decode */
#if WIRE_VERSION > 1
    uint32_t newest; /* likewise, from the field WIRE_NEWEST; 0 from version 1 */
#endif
    uint8_t volume[16]; /* which volume; zero: none */
    uint64_t number;    /* of the sender's view; 0: it knows none */
    uint64_t session, serial;
    uint32_t slot;
    uint32_t count;
    bool whole, end;
    enum err err;     /* by name on the wire; a name that is not known is IO */
    struct view view; /* MOVED, HEARTBEAT, TAKE_OVER; number 0: none */
    struct stamp stamp, before, last;
    struct object_key from, to;
    struct fs_op op; /* REQUEST; owner is not sent, nor new_ino: whoever executes takes a number;
                        value of FS_WRITE is the payload */
    struct fs_result result; /* REPLY; pieces are not sent: the bytes are the payload */
    const uint64_t *inos;    /* HOLDS, HELD: `ino_count` */
    uint32_t ino_count;
    const struct message_leaf *leaves;
    uint32_t leaf_count;
    const struct message_name *names;
    uint32_t name_count;
    struct bytes head;    /* RECORD, OBJECTS: an encoded Record */
    struct bytes text;    /* CALL, ANSWER */
    struct bytes payload; /* decode: what is behind the head. For encode see wire_encode. */
};

/* Encodes prefix and head into arena memory; what is sent is this and, behind it, the payload's
 * pieces, which stay the caller's (msg->payload is not looked at, but for a REQUEST with FS_WRITE,
 * whose payload has to be op.value). */
struct bytes wire_encode(const struct message *message, struct arena *arena);

/* DECODE: not a message, or one that breaks a limit; NOTSUP: of a version older than WIRE_OLDEST,
 * or a kind that is not known (out->kind and out->version are set). */
enum err wire_decode(struct bytes bytes, struct arena *arena, struct message *out);

/* Encodes, and sends head and payload as one message. As net_ops.send. */
enum err wire_send(struct net *net, uint32_t to, const struct message *message,
                   const struct env_iov *payload, int count, struct arena *arena);

/* What is kept of a reply, to be given again: a value of at most OBJECT_VALUE_MAX bytes in arena
 * memory. Operations that only read (but for access times) are not kept, so the result has no
 * entries, and no value longer than a symbolic link's target. */
struct bytes wire_keep_reply(uint64_t serial, enum err err, const struct fs_result *result,
                             struct arena *arena);
/* DECODE: not what wire_keep_reply made. The result points into the arena. */
enum err wire_kept_reply(struct bytes value, struct arena *arena, uint64_t *serial, enum err *err,
                         struct fs_result *result);

const char *message_kind_name(enum message_kind kind); /* "heartbeat"; static */
/* Prints "record 7:3 view 2 stamp ..." for logs and transcripts; returns buf. */
const char *message_print(const struct message *message, char *buf, size_t size);

#endif
