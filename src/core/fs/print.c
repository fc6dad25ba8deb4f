/* SPDX-License-Identifier: MIT
 *
 * print.c: operations as text, for logs and transcripts.
 */
#include <inttypes.h>

#include "core/base/line.h"
#include "core/fs/fs.h"

/* Names are bytes: what is not printable is shown in hexadecimal. */
static void say_name(struct line *p, struct bytes name)
{
    line_add(p, "/'");
    for (size_t i = 0; i < name.len && i < FS_NAME_MAX; i++) {
        uint8_t c = name.data[i];
        if (c < 0x20 || c >= 0x7f || c == '\'' || c == '\\')
            line_add(p, "\\x%02x", c);
        else
            line_add(p, "%c", c);
    }
    line_add(p, "'");
}

static void say_numbers(struct line *p, const struct fs_op *op)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"offset", op->offset},   {"offset2", op->offset2}, {"length", op->length},
                   {"bytes", op->value.len}, {"new", op->new_ino},     {"flags", op->flags},
                   {"mask", op->mask}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].value)
            line_add(p, " %s=%" PRIu64, numbers[i].name, numbers[i].value);
    }
    if (op->mode)
        line_add(p, " mode=%o", op->mode);
    if (op->set)
        line_add(p, " set=%x", op->set);
    if (op->set & FS_SET_SIZE)
        line_add(p, " size=%" PRIu64, op->attr.size);
}

const char *fs_op_print(const struct fs_op *op, char *buf, size_t size)
{
    struct line p = {buf, size, 0};
    if (size)
        buf[0] = 0;
    line_add(&p, "%s %" PRIu64, fs_code_name(op->code), op->ino);
    if (op->name.len)
        say_name(&p, op->name);
    if (op->ino2)
        line_add(&p, " %" PRIu64, op->ino2);
    if (op->name2.len)
        say_name(&p, op->name2);
    say_numbers(&p, op);
    line_add(&p, " uid=%" PRIu32, op->cred.uid);
    return buf;
}
