/* SPDX-License-Identifier: MIT
 *
 * print.c: messages as text, for logs and transcripts: the kind, then what is not zero.
 */
#include <inttypes.h>

#include "core/base/line.h"
#include "core/wire/private.h"

static void say_stamp(struct line *p, const char *name, struct stamp stamp)
{
    char text[64];
    if (stamp_compare(stamp, STAMP_ZERO) != 0)
        line_add(p, " %s %s", name, stamp_print(stamp, text, sizeof text));
}

static void say_key(struct line *p, const char *name, const struct object_key *key)
{
    char text[64];
    if (key->kind || key->ino || key->sub)
        line_add(p, " %s %s", name, object_key_print(key, text, sizeof text));
}

static void say_count(struct line *p, uint64_t count, const char *name)
{
    if (count)
        line_add(p, " %" PRIu64 " %s", count, name);
}

/* Who asks: session:slot:serial of what belongs to a session, else the serial. */
static void say_identity(struct line *p, const struct message *message)
{
    if (message->session)
        line_add(p, " %" PRIx64 ":%" PRIu32 ":%" PRIu64, message->session, message->slot,
                 message->serial);
    else if (message->serial)
        line_add(p, " serial %" PRIu64, message->serial);
}

static void say_parts(struct line *p, const struct message *message)
{
    const struct wire_kind *kind = wire_kind_of((uint32_t)message->kind);
    uint32_t parts = kind ? kind->parts : 0;
    char text[1400];
    if (parts & WIRE_OP)
        line_add(p, " {%s}", fs_op_print(&message->op, text, sizeof text));
    if (parts & WIRE_RESULT) {
        say_count(p, message->result.attr.ino, "is the inode");
        say_count(p, message->result.length, "long");
        say_count(p, message->result.entry_count, "entries");
    }
    if (parts & WIRE_INOS)
        say_count(p, message->ino_count, "inodes");
    if (parts & WIRE_LEAVES)
        say_count(p, message->leaf_count, "leaves");
    if (parts & WIRE_NAMES)
        say_count(p, message->name_count, "names");
    if (parts & WIRE_HEAD)
        say_count(p, message->head.len, "bytes of head");
    if (parts & WIRE_TEXT)
        say_count(p, message->text.len, "bytes of text");
    if (parts & WIRE_PAYLOAD)
        say_count(p, message->payload.len, "bytes of payload");
}

const char *message_print(const struct message *message, char *buf, size_t size)
{
    struct line p = {buf, size, 0};
    char view[256];
    if (size)
        buf[0] = 0;
    line_add(&p, "%s", message_kind_name(message->kind));
    if (!wire_kind_of((uint32_t)message->kind))
        line_add(&p, " (%u)", (unsigned)message->kind);
    if (message->number)
        line_add(&p, " in %" PRIu64, message->number);
    say_identity(&p, message);
    if (message->err != OK)
        line_add(&p, " %s", err_name(message->err));
    if (message->view.number)
        line_add(&p, " %s", view_print(&message->view, view, sizeof view));
    say_stamp(&p, "before", message->before);
    say_stamp(&p, "stamp", message->stamp);
    say_stamp(&p, "last", message->last);
    say_key(&p, "from", &message->from);
    say_key(&p, "to", &message->to);
    say_count(&p, message->count, "counted");
    if (message->whole)
        line_add(&p, " whole");
    if (message->end)
        line_add(&p, " end");
    say_parts(&p, message);
    return buf;
}
