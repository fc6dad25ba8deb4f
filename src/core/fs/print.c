/* SPDX-License-Identifier: MIT
 *
 * print.c: operations as text, for logs and transcripts.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/fs/fs.h"

struct printer {
    char *buf;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void say(struct printer *p, const char *format, ...)
{
    if (p->len + 1 >= p->size)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p->buf + p->len, p->size - p->len, format, args);
    va_end(args);
    p->len += n > 0 ? (size_t)n : 0;
    if (p->len >= p->size)
        p->len = p->size - 1;
}

/* Names are bytes: what is not printable is shown in hexadecimal. */
static void say_name(struct printer *p, struct bytes name)
{
    say(p, "/'");
    for (size_t i = 0; i < name.len && i < FS_NAME_MAX; i++) {
        uint8_t c = name.data[i];
        if (c < 0x20 || c >= 0x7f || c == '\'' || c == '\\')
            say(p, "\\x%02x", c);
        else
            say(p, "%c", c);
    }
    say(p, "'");
}

static void say_numbers(struct printer *p, const struct fs_op *op)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"offset", op->offset},   {"offset2", op->offset2}, {"length", op->length},
                   {"bytes", op->value.len}, {"new", op->new_ino},     {"flags", op->flags},
                   {"mask", op->mask}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].value)
            say(p, " %s=%" PRIu64, numbers[i].name, numbers[i].value);
    }
    if (op->mode)
        say(p, " mode=%o", op->mode);
    if (op->set)
        say(p, " set=%x", op->set);
    if (op->set & FS_SET_SIZE)
        say(p, " size=%" PRIu64, op->attr.size);
}

const char *fs_op_print(const struct fs_op *op, char *buf, size_t size)
{
    struct printer p = {buf, size, 0};
    if (size)
        buf[0] = 0;
    say(&p, "%s %" PRIu64, fs_code_name(op->code), op->ino);
    if (op->name.len)
        say_name(&p, op->name);
    if (op->ino2)
        say(&p, " %" PRIu64, op->ino2);
    if (op->name2.len)
        say_name(&p, op->name2);
    say_numbers(&p, op);
    say(&p, " uid=%" PRIu32, op->cred.uid);
    return buf;
}
