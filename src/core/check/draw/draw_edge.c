/* SPDX-License-Identifier: MIT
 *
 * draw_edge.c: arrows, and labels that keep off one another.
 */
#include <stdio.h>
#include <string.h>

#include "core/check/draw/draw.h"

bool boxes_meet(const struct box *a, const struct box *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

void draw_keep_off(struct draw *draw, struct box box)
{
    if (draw->placed_count == draw->placed_room) {
        unsigned room = draw->placed_room ? draw->placed_room * 2 : 64;
        struct box *placed = ARENA_ARRAY(draw->arena, struct box, room);
        if (draw->placed_count)
            memcpy(placed, draw->placed, draw->placed_count * sizeof *placed);
        draw->placed = placed;
        draw->placed_room = room;
    }
    draw->placed[draw->placed_count++] = box;
}

/* The curve's point at `part` of 64 (de Casteljau). */
static struct point curve_at(const struct curve *c, int part)
{
    int rest = 64 - part;
    int a = rest * rest, b = 2 * rest * part, d = part * part;
    return (struct point){(a * c->from.x + b * c->control.x + d * c->to.x) / 4096,
                          (a * c->from.y + b * c->control.y + d * c->to.y) / 4096};
}

static const char *kind_word(enum edge_kind kind)
{
    switch (kind) {
    case EDGE_WW:
        return "ww";
    case EDGE_WR:
        return "wr";
    case EDGE_RW:
        return "rw";
    case EDGE_PROCESS:
        return "same process";
    case EDGE_REAL_TIME:
        return "time";
    case EDGE_CAUSE:
        return "cause";
    }
    return "?";
}

static void label_text(const struct draw *draw, const struct witness_edge *edge, char *buf,
                       size_t size)
{
    const char *kind = kind_word(edge->kind);
    bool object = edge->kind == EDGE_WW || edge->kind == EDGE_WR || edge->kind == EDGE_RW;
    if (!object)
        snprintf(buf, size, "%s", kind);
    else if (edge->value == VALUE_NONE)
        snprintf(buf, size, "%s %s", kind, history_key_text(draw->history, edge->key));
    else
        snprintf(buf, size, "%s %s: %s", kind, history_key_text(draw->history, edge->key),
                 history_text(draw->history, edge->value));
}

/* Where along the curve the label stands: the first of some places that is free. */
static struct box label_place(const struct draw *draw, const struct curve *curve, int w)
{
    static const int parts[] = {32, 26, 38, 20, 44, 14, 50};
    struct box first = {0};
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct point at = curve_at(curve, parts[i]);
        struct box box = {at.x - w / 2, at.y - 10, w, 20};
        bool met = box.x < MARGIN_PX || box.x + box.w > draw->width - MARGIN_PX;
        for (unsigned p = 0; p < draw->placed_count && !met; p++)
            met = boxes_meet(&box, &draw->placed[p]);
        if (!met)
            return box;
        if (i == 0)
            first = box;
    }
    if (first.x + first.w > draw->width - MARGIN_PX)
        first.x = draw->width - MARGIN_PX - first.w;
    if (first.x < MARGIN_PX)
        first.x = MARGIN_PX;
    return first;
}

void draw_arrow(struct draw *draw, const struct curve *curve, const struct witness_edge *edge)
{
    const char *class = edge->kind == EDGE_RW ? "edge missed" : "edge";
    text_add(draw->out,
             "<path d=\"M %d %d Q %d %d %d %d\" class=\"%s\" marker-end=\"url(#%s)\"/>\n",
             curve->from.x, curve->from.y, curve->control.x, curve->control.y, curve->to.x,
             curve->to.y, class, edge->kind == EDGE_RW ? "head-missed" : "head");
}

void draw_arrow_label(struct draw *draw, const struct curve *curve, const struct witness_edge *edge)
{
    char label[256];
    label_text(draw, edge, label, sizeof label);
    int columns = draw_columns(label);
    columns = columns > 28 ? 28 : columns;
    struct box box = label_place(draw, curve, columns * COLUMN_PX + 10);
    draw_keep_off(draw, box);
    text_add(draw->out,
             "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" class=\"label\"/>\n",
             box.x, box.y, box.w, box.h);
    struct draw_line where = {box.x + box.w / 2, box.y + 15, columns, "middle"};
    draw_line(draw->out, &where, label);
}
