/* SPDX-License-Identifier: MIT
 *
 * kind.c: the kinds of messages, and what each has beside the fields that all have.
 */
#include "core/wire/private.h"

static const struct wire_kind kinds[] = {
    [MESSAGE_WHERE] = {"where", 0},
    [MESSAGE_MOVED] = {"moved", 0},
    [MESSAGE_OPEN] = {"open", 0},
    [MESSAGE_OPENED] = {"opened", 0},
    [MESSAGE_CLOSE] = {"close", 0},
    [MESSAGE_RENEW] = {"renew", 0},
    [MESSAGE_RENEWED] = {"renewed", 0},
    [MESSAGE_REQUEST] = {"request", WIRE_OP | WIRE_PAYLOAD},
    [MESSAGE_REPLY] = {"reply", WIRE_RESULT | WIRE_PAYLOAD},
    [MESSAGE_HOLDS] = {"holds", WIRE_INOS},
    [MESSAGE_HELD] = {"held", WIRE_INOS},
    [MESSAGE_HEARTBEAT] = {"heartbeat", 0},
    [MESSAGE_HEARD] = {"heard", 0},
    [MESSAGE_RECORD] = {"record", WIRE_HEAD | WIRE_PAYLOAD},
    [MESSAGE_ACK] = {"ack", 0},
    [MESSAGE_FLUSH] = {"flush", 0},
    [MESSAGE_FLUSHED] = {"flushed", 0},
    [MESSAGE_RESIGN] = {"resign", 0},
    [MESSAGE_JOIN] = {"join", 0},
    [MESSAGE_SNAPSHOT] = {"snapshot", 0},
    [MESSAGE_DIGEST] = {"digest", 0},
    [MESSAGE_LEAVES] = {"leaves", WIRE_LEAVES},
    [MESSAGE_KEYS] = {"keys", 0},
    [MESSAGE_NAMES] = {"names", WIRE_NAMES},
    [MESSAGE_FETCH] = {"fetch", WIRE_NAMES},
    [MESSAGE_OBJECTS] = {"objects", WIRE_NAMES | WIRE_HEAD | WIRE_PAYLOAD},
    [MESSAGE_TAKE_OVER] = {"take-over", 0},
    [MESSAGE_CALL] = {"call", WIRE_TEXT},
    [MESSAGE_ANSWER] = {"answer", WIRE_TEXT},
#if WIRE_VERSION > 1
    [MESSAGE_GREETING] = {"greeting", 0},
#endif
};

const struct wire_kind *wire_kind_of(uint32_t kind)
{
    if (kind >= sizeof kinds / sizeof *kinds || !kinds[kind].name)
        return NULL;
    return &kinds[kind];
}

const char *message_kind_name(enum message_kind kind)
{
    const struct wire_kind *row = wire_kind_of((uint32_t)kind);
    return row ? row->name : "unknown";
}
