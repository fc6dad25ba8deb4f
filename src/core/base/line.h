/* SPDX-License-Identifier: MIT
 *
 * line.h: text into a buffer of fixed size; what does not fit is left out. For the print functions.
 */
#ifndef PACTFS_BASE_LINE_H
#define PACTFS_BASE_LINE_H

#include <stddef.h>

/* Zero `len`, give the buffer, size at least 1. */
struct line {
    char *buf;
    size_t size, len;
};

/* Adds to the line; it always ends with a NUL. */
__attribute__((format(printf, 2, 3))) void line_add(struct line *line, const char *format, ...);

#endif
