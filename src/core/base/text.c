/* SPDX-License-Identifier: MIT
 *
 * text.c: a string that grows.
 */
#include "core/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

static void need(struct text *text, size_t more)
{
    size_t wanted = text->len + more + 1;
    INVARIANT(wanted > more);
    if (wanted <= text->room)
        return;
    text->room = wanted < 256 ? 256 : wanted + wanted / 2;
    text->data = realloc(text->data, text->room);
    INVARIANT(text->data != NULL);
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    INVARIANT(len >= 0);
    need(text, (size_t)len);
    vsnprintf(text->data + text->len, (size_t)len + 1, format, again);
    va_end(again);
    text->len += (size_t)len;
}

void text_add_bytes(struct text *text, const void *data, size_t len)
{
    need(text, len);
    if (len)
        memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = 0;
}

void text_clear(struct text *text)
{
    text->len = 0;
    if (text->data)
        text->data[0] = 0;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}
