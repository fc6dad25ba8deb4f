/* SPDX-License-Identifier: MIT
 *
 * draw.h: what the pictures of verdicts share. Private to src/core/check.
 *
 * Lengths are whole pixels, y goes down. The width of a text is not known here, since fonts differ:
 * a column counts as COLUMN_PX, which is more than any usual font takes for a letter of TEXT_PX.
 */
#ifndef PACTFS_CHECK_DRAW_H
#define PACTFS_CHECK_DRAW_H

#include "core/check/verdict.h"

#define COLUMN_PX   8 /* of one letter in a text of 13 px */
#define LINE_PX     17
#define MARGIN_PX   24
#define WIDTH_LEAST 760
#define LINES_MAX   7 /* of one transaction */

struct box {
    int x, y, w, h;
};

struct point {
    int x, y;
};

/* A picture under way. */
struct draw {
    const struct history *history;
    const struct verdict *verdict;
    struct arena *arena;
    struct text *out;
    int width, y;       /* y: where the next part begins */
    struct box *placed; /* labels and boxes that labels keep off */
    unsigned placed_count, placed_room;
};

/* --- text --- */

/* How many columns a text takes; what is wider than a letter counts twice. */
int draw_columns(const char *text);
/* The text in at most so many columns, the middle left out when it is longer, escaped for XML. */
void draw_short(struct text *out, const char *text, int columns);
/* One line at (x, y) of the class's font; its full text as a title when it was shortened. */
struct draw_line {
    int x, y, columns;
    const char *class;
};
void draw_line(struct text *out, const struct draw_line *where, const char *text);
/* Several lines, broken at blanks, at x from draw->y on, which moves down. At most `lines`. */
void draw_wrapped(struct draw *draw, int x, unsigned lines, const char *text);

/* --- transactions --- */

/* The lines of a transaction: its acts, then what became of it when it was not done. Returns how
 * many, at most LINES_MAX. */
unsigned draw_txn_lines(struct draw *draw, uint32_t txn, const char *lines[LINES_MAX]);
/* "write", "read" (only looks), "failed" or "unknown": the class of its box. */
const char *draw_txn_class(const struct draw *draw, uint32_t txn);
/* The number of a step in a circle. */
void draw_badge(struct text *out, struct point at, unsigned number);

/* --- arrows --- */

/* A quadratic curve with an arrowhead: drawn before the boxes, which it may pass behind. */
struct curve {
    struct point from, control, to;
};
void draw_arrow(struct draw *draw, const struct curve *curve, const struct witness_edge *edge);
/* The edge's label on it: drawn last, off other labels and boxes where there is room. */
void draw_arrow_label(struct draw *draw, const struct curve *curve,
                      const struct witness_edge *edge);
void draw_keep_off(struct draw *draw, struct box box);
bool boxes_meet(const struct box *a, const struct box *b);

/* --- the two shapes: they draw below draw->y, and move it. --- */

/* Decide draw->width first, from what is to be drawn. */
struct timeline;
struct timeline *timeline_layout(struct draw *draw);
void timeline_draw(struct draw *draw, struct timeline *timeline);

struct circle;
struct circle *circle_layout(struct draw *draw);
void circle_draw(struct draw *draw, struct circle *circle);

#endif
