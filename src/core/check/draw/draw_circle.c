/* SPDX-License-Identifier: MIT
 *
 * draw_circle.c: transactions as boxes on a circle, and why each comes before the next.
 *
 * Law
 *   O1  Step i stands at i parts of the circle, clockwise from the top (two: side by side).
 *   O2  The circle grows until the boxes are apart.
 */
#include <stdio.h>
#include <string.h>

#include "core/check/draw/draw.h"

#define COLUMNS_MAX 40
#define AROUND_PX   56 /* room around a box */

struct node {
    uint32_t txn;
    const char *lines[LINES_MAX];
    unsigned line_count;
    struct box box;
};

struct circle {
    struct node *nodes;
    unsigned count;
    struct curve *curves; /* one for each edge */
};

/* 1000 times the sine of some degrees, by Bhaskara's approximation: within 2. */
static int sine(int degrees)
{
    degrees = (degrees % 360 + 360) % 360;
    bool below = degrees >= 180;
    int half = degrees % 180, part = half * (180 - half);
    int value = 4000 * part / (40500 - part);
    return below ? -value : value;
}

static struct point centre(const struct box *box)
{
    return (struct point){box->x + box->w / 2, box->y + box->h / 2};
}

static void fill_node(struct draw *draw, struct node *node, uint32_t txn)
{
    int columns = 15;
    node->txn = txn;
    node->line_count = draw_txn_lines(draw, txn, node->lines);
    for (unsigned i = 0; i < node->line_count; i++)
        if (draw_columns(node->lines[i]) > columns)
            columns = draw_columns(node->lines[i]);
    columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
    node->box.w = columns * COLUMN_PX + 32;
    node->box.h = (int)(node->line_count + 1) * LINE_PX + 22;
}

static bool apart(const struct circle *circle, int x_px, int y_px)
{
    for (unsigned i = 0; i < circle->count; i++)
        for (unsigned j = 0; j < i; j++) {
            struct box a = circle->nodes[i].box;
            a = (struct box){a.x - x_px, a.y - y_px, a.w + 2 * x_px, a.h + 2 * y_px};
            if (boxes_meet(&a, &circle->nodes[j].box))
                return false;
        }
    return true;
}

static void place_nodes(struct circle *circle)
{
    int from = circle->count == 2 ? 180 : -90;
    int x_px = circle->count == 2 ? 240 : AROUND_PX;
    int across = 200, down = 150;
    do {
        across += across / 12;
        down += down / 16;
        for (unsigned i = 0; i < circle->count; i++) {
            struct box *box = &circle->nodes[i].box;
            int degrees = from + (int)(360 * i / circle->count);
            box->x = sine(degrees + 90) * across / 1000 - box->w / 2;
            box->y = sine(degrees) * down / 1000 - box->h / 2;
        }
    } while (!apart(circle, x_px, AROUND_PX));
}

/* --- arrows --- */

static int magnitude(int n)
{
    return n < 0 ? -n : n;
}

/* Where the line from the box's middle to `to` leaves it. */
static struct point border(const struct box *box, struct point to)
{
    struct point at = centre(box);
    int dx = to.x - at.x, dy = to.y - at.y, w = box->w / 2 + 3, h = box->h / 2 + 3;
    if (magnitude(dx) * h > magnitude(dy) * w) {
        at.y += dy * w / magnitude(dx);
        at.x += dx > 0 ? w : -w;
    } else if (dy) {
        at.x += dx * h / magnitude(dy);
        at.y += dy > 0 ? h : -h;
    }
    return at;
}

/* Bent to the left of its direction: outwards where the circle goes on clockwise. */
static struct curve arrow(const struct circle *circle, const struct witness_edge *edge, int more)
{
    const struct box *a = &circle->nodes[edge->from].box, *b = &circle->nodes[edge->to].box;
    struct point p = centre(a), q = centre(b);
    int dx = q.x - p.x, dy = q.y - p.y;
    int longer = magnitude(dx) > magnitude(dy) ? magnitude(dx) : magnitude(dy);
    int length = longer + (magnitude(dx) + magnitude(dy) - longer) / 2;
    int bend = length / 5 + 20 + more;
    struct curve c;
    if (length == 0)
        length = 1;
    c.control =
        (struct point){(p.x + q.x) / 2 + dy * bend / length, (p.y + q.y) / 2 - dx * bend / length};
    c.from = border(a, c.control);
    c.to = border(b, c.control);
    return c;
}

static void make_curves(struct draw *draw, struct circle *circle)
{
    const struct verdict *v = draw->verdict;
    circle->curves = ARENA_ARRAY(draw->arena, struct curve, v->edge_count + 1);
    for (uint32_t i = 0; i < v->edge_count; i++) {
        int more = 0;
        for (uint32_t j = 0; j < i; j++)
            if (v->edges[j].from == v->edges[i].from && v->edges[j].to == v->edges[i].to)
                more += 60;
        circle->curves[i] = arrow(circle, &v->edges[i], more);
    }
}

/* --- the whole --- */

struct bounds {
    int left, top, right, bottom;
};

static void include(struct bounds *bounds, struct box box)
{
    bounds->left = box.x < bounds->left ? box.x : bounds->left;
    bounds->top = box.y < bounds->top ? box.y : bounds->top;
    bounds->right = box.x + box.w > bounds->right ? box.x + box.w : bounds->right;
    bounds->bottom = box.y + box.h > bounds->bottom ? box.y + box.h : bounds->bottom;
}

static struct bounds bounds_of(const struct draw *draw, const struct circle *circle)
{
    struct bounds bounds = {0, 0, 0, 0};
    for (unsigned i = 0; i < circle->count; i++) {
        struct box box = circle->nodes[i].box;
        include(&bounds, (struct box){box.x - 14, box.y - 14, box.w + 28, box.h + 28});
    }
    for (uint32_t i = 0; i < draw->verdict->edge_count; i++) {
        const struct curve *c = &circle->curves[i];
        struct point middle = {(c->from.x + 2 * c->control.x + c->to.x) / 4,
                               (c->from.y + 2 * c->control.y + c->to.y) / 4};
        include(&bounds, (struct box){middle.x - 122, middle.y - 14, 244, 28});
    }
    return bounds;
}

static void move(struct circle *circle, uint32_t edges, int x, int y)
{
    for (unsigned i = 0; i < circle->count; i++) {
        circle->nodes[i].box.x += x;
        circle->nodes[i].box.y += y;
    }
    for (uint32_t i = 0; i < edges; i++) {
        struct point *points[] = {&circle->curves[i].from, &circle->curves[i].control,
                                  &circle->curves[i].to};
        for (unsigned p = 0; p < 3; p++) {
            points[p]->x += x;
            points[p]->y += y;
        }
    }
}

struct circle *circle_layout(struct draw *draw)
{
    const struct verdict *v = draw->verdict;
    struct circle *circle = ARENA_NEW(draw->arena, struct circle);
    circle->count = v->step_count;
    circle->nodes = ARENA_ARRAY(draw->arena, struct node, v->step_count);
    for (unsigned i = 0; i < circle->count; i++)
        fill_node(draw, &circle->nodes[i], v->steps[i].txn);
    place_nodes(circle);
    make_curves(draw, circle);
    struct bounds bounds = bounds_of(draw, circle);
    int width = bounds.right - bounds.left + 2 * MARGIN_PX;
    draw->width = width < WIDTH_LEAST ? WIDTH_LEAST : width;
    move(circle, v->edge_count, (draw->width - bounds.left - bounds.right) / 2, -bounds.top);
    return circle;
}

static void put_node(struct draw *draw, const struct node *node, unsigned number)
{
    const struct box *b = &node->box;
    char name[32];
    text_add(draw->out,
             "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" class=\"%s\"/>\n", b->x,
             b->y, b->w, b->h, draw_txn_class(draw, node->txn));
    struct draw_line where = {b->x + 36, b->y + 20, 14, "name"};
    snprintf(name, sizeof name, "process %u", draw->history->txns[node->txn].process);
    draw_line(draw->out, &where, name);
    where = (struct draw_line){b->x + 18, b->y + 22, (b->w - 30) / COLUMN_PX, "code"};
    for (unsigned i = 0; i < node->line_count; i++) {
        where.y += LINE_PX;
        draw_line(draw->out, &where, node->lines[i]);
    }
    draw_badge(draw->out, (struct point){b->x + 18, b->y + 16}, number);
}

void circle_draw(struct draw *draw, struct circle *circle)
{
    const struct verdict *v = draw->verdict;
    int bottom = draw->y;
    move(circle, v->edge_count, 0, draw->y);
    struct bounds bounds = bounds_of(draw, circle);
    if (bounds.bottom > bottom)
        bottom = bounds.bottom;
    for (uint32_t i = 0; i < v->edge_count; i++)
        draw_arrow(draw, &circle->curves[i], &v->edges[i]);
    for (unsigned i = 0; i < circle->count; i++) {
        const struct box *box = &circle->nodes[i].box;
        draw_keep_off(draw, (struct box){box->x - 4, box->y - 4, box->w + 8, box->h + 8});
        put_node(draw, &circle->nodes[i], i + 1);
    }
    for (uint32_t i = 0; i < v->edge_count; i++)
        draw_arrow_label(draw, &circle->curves[i], &v->edges[i]);
    draw->y = bottom;
}
