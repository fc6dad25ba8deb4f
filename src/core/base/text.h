/* SPDX-License-Identifier: MIT
 *
 * text.h: a string that grows. Zero it to begin; text_free to end. Running out of memory ends the
 * process, as in arena.h: every text is bounded by what it is made from.
 */
#ifndef PACTFS_BASE_TEXT_H
#define PACTFS_BASE_TEXT_H

#include <stddef.h>

struct text {
    char *data; /* ended by NUL once something was added; NULL before */
    size_t len, room;
};

__attribute__((format(printf, 2, 3))) void text_add(struct text *text, const char *format, ...);
void text_add_bytes(struct text *text, const void *data, size_t len);
void text_clear(struct text *text); /* keeps the memory */
void text_free(struct text *text);
const char *text_string(const struct text *text); /* "" when nothing was added */

#endif
