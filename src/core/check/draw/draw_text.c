/* SPDX-License-Identifier: MIT
 *
 * draw_text.c: text in a picture: escaped, shortened, broken into lines.
 */
#include <stdio.h>
#include <string.h>

#include "core/check/draw/draw.h"

/* The next character's code and length; what is not UTF-8, or may not stand in XML 1.0 (2.2),
 * counts as U+FFFD. */
static uint32_t next_code(const char *text, size_t *len)
{
    const uint8_t *at = (const uint8_t *)text;
    uint32_t code = at[0];
    size_t due = code < 0x80 ? 1 : code < 0xc2 ? 0 : code < 0xe0 ? 2 : code < 0xf0 ? 3 : 4;
    if (code > 0xf4)
        due = 0;
    if (due > 1)
        code &= 0x3fu >> (due - 1);
    for (size_t i = 1; i < due; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            due = 0;
            break;
        }
        code = code << 6 | (at[i] & 0x3f);
    }
    *len = due ? due : 1;
    bool allowed = (code >= 0x20 && code != 0x7f && code < 0xd800) ||
                   (code >= 0xe000 && code < 0xfffe) || (code >= 0x10000 && code < 0x110000);
    bool overlong = (due == 3 && code < 0x800) || (due == 4 && code < 0x10000);
    return due && allowed && !overlong ? code : 0xfffd;
}

static int code_columns(uint32_t code)
{
    return code < 0x1100 ? 1 : 2;
}

int draw_columns(const char *text)
{
    int columns = 0;
    size_t len;
    for (const char *at = text; *at; at += len)
        columns += code_columns(next_code(at, &len));
    return columns;
}

static void put_escaped(struct text *out, const char *text, size_t bytes)
{
    size_t len;
    for (const char *at = text; at < text + bytes; at += len) {
        uint32_t code = next_code(at, &len);
        if (code == 0xfffd)
            text_add(out, "\xef\xbf\xbd");
        else if (code == '<')
            text_add(out, "&lt;");
        else if (code == '>')
            text_add(out, "&gt;");
        else if (code == '&')
            text_add(out, "&amp;");
        else if (code == '"')
            text_add(out, "&quot;");
        else
            text_add_bytes(out, at, len);
    }
}

/* The bytes of the beginning that fill at most so many columns. */
static size_t head_bytes(const char *text, int columns)
{
    size_t bytes = 0, len;
    while (text[bytes]) {
        columns -= code_columns(next_code(text + bytes, &len));
        if (columns < 0)
            break;
        bytes += len;
    }
    return bytes;
}

void draw_short(struct text *out, const char *text, int columns)
{
    int all = draw_columns(text);
    if (all <= columns) {
        put_escaped(out, text, strlen(text));
        return;
    }
    int head = columns > 2 ? (columns - 2) * 2 / 3 : 0;
    int tail = columns > 2 ? columns - 2 - head : 0;
    size_t skipped = head_bytes(text, all - tail);
    if (draw_columns(text + skipped) > tail) {
        size_t len;
        (void)next_code(text + skipped, &len);
        skipped += len;
    }
    put_escaped(out, text, head_bytes(text, head));
    text_add(out, "\xe2\x80\xa6");
    put_escaped(out, text + skipped, strlen(text + skipped));
}

void draw_line(struct text *out, const struct draw_line *where, const char *text)
{
    text_add(out, "<text x=\"%d\" y=\"%d\" class=\"%s\">", where->x, where->y, where->class);
    draw_short(out, text, where->columns);
    if (draw_columns(text) > where->columns) {
        text_add(out, "<title>");
        put_escaped(out, text, strlen(text));
        text_add(out, "</title>");
    }
    text_add(out, "</text>\n");
}

void draw_wrapped(struct draw *draw, int x, unsigned lines, const char *text)
{
    int columns = (draw->width - MARGIN_PX - x) / COLUMN_PX;
    while (*text && lines > 0) {
        bool last = --lines == 0;
        size_t fits = head_bytes(text, columns), used = fits;
        /* Broken at the last blank that fits, when there is one. */
        if (text[fits] && !last)
            while (used > 0 && text[used] != ' ')
                used--;
        used = used && !last ? used : fits;
        if (last)
            used = strlen(text);
        draw->y += LINE_PX;
        struct draw_line where = {x, draw->y, columns, "prose"};
        draw_line(draw->out, &where, arena_copy(draw->arena, text, used));
        text += used;
        text += strspn(text, " ");
    }
}

/* --- transactions --- */

unsigned draw_txn_lines(struct draw *draw, uint32_t txn, const char *lines[LINES_MAX])
{
    const struct history_txn *t = &draw->history->txns[txn];
    unsigned count = 0, room = LINES_MAX - (t->outcome != OUTCOME_DONE);
    char buf[1024];
    for (uint32_t i = 0; i < t->count; i++) {
        if (count + 1 == room && t->count > room) {
            int len = snprintf(buf, sizeof buf, "... %u more", t->count - i);
            lines[count++] = arena_copy(draw->arena, buf, (size_t)len);
            break;
        }
        act_print(draw->history, history_act(draw->history, t, i), buf, sizeof buf);
        lines[count++] = arena_copy(draw->arena, buf, strlen(buf));
    }
    if (t->outcome == OUTCOME_UNKNOWN)
        lines[count++] = "(no answer)";
    else if (t->outcome == OUTCOME_FAILED)
        lines[count++] = "(failed: took no effect)";
    return count;
}

static bool looks_only(enum act_code code)
{
    return code == ACT_READ || code == ACT_LOOKUP || code == ACT_LIST || code == ACT_GET ||
           code == ACT_LINKS;
}

const char *draw_txn_class(const struct draw *draw, uint32_t txn)
{
    const struct history_txn *t = &draw->history->txns[txn];
    if (t->outcome == OUTCOME_FAILED)
        return "failed";
    if (t->outcome == OUTCOME_UNKNOWN)
        return "unknown";
    for (uint32_t i = 0; i < t->count; i++)
        if (!looks_only(history_act(draw->history, t, i)->code))
            return "write";
    return "read";
}

void draw_badge(struct text *out, struct point at, unsigned number)
{
    text_add(out,
             "<circle cx=\"%d\" cy=\"%d\" r=\"11\" class=\"badge\"/>"
             "<text x=\"%d\" y=\"%d\" class=\"number\">%u</text>\n",
             at.x, at.y, at.x, at.y + 4, number);
}
