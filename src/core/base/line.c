/* SPDX-License-Identifier: MIT
 *
 * line.c: text into a buffer of fixed size.
 */
#include "core/base/line.h"

#include <stdarg.h>
#include <stdio.h>

void line_add(struct line *line, const char *format, ...)
{
    if (line->len + 1 >= line->size)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->buf + line->len, line->size - line->len, format, args);
    va_end(args);
    line->len += n > 0 ? (size_t)n : 0;
    if (line->len >= line->size)
        line->len = line->size - 1;
}
