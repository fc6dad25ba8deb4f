/* SPDX-License-Identifier: MIT
 *
 * draw_timeline.c: transactions as bars from beginning to end, a lane for each process.
 *
 * Law
 *   T1  The axis shows the order of beginnings, ends and events, each at a place of its own; these
 *       are as far apart as the texts in the bars need.
 *   T2  Bars of one lane do not overlap: a lane is a session (H3), of which only the last bar may
 *       be open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/check/draw/draw.h"

#define BARS_MAX   60u
#define LEFT_PX    140 /* where the axis begins */
#define BETWEEN_PX 58  /* between lanes: room for arrows and their labels */
#define EVENT_PX   84  /* beside an event, for its text */
#define WIDE_PX    1900

struct slot {
    uint64_t rank, at_ns;
    const struct history_event *event; /* NULL: a beginning or an end */
    int x;
};

struct bar {
    uint32_t txn;
    unsigned lane, begins, ends; /* places of slots */
    bool open;
    const char *lines[LINES_MAX];
    unsigned line_count;
    int columns;
    struct box box;
};

struct timeline {
    struct bar *bars;
    unsigned bar_count;
    unsigned *bar_of_step;
    struct slot *slots;
    unsigned slot_count, lane_count;
    uint32_t lanes[BARS_MAX]; /* sessions */
    int lane_y[BARS_MAX], lane_h[BARS_MAX];
};

static const struct history_txn *txn_of(const struct draw *draw, uint32_t txn)
{
    return &draw->history->txns[txn];
}

/* --- what is drawn --- */

static void collect_bars(struct draw *draw, struct timeline *t)
{
    const struct verdict *v = draw->verdict;
    t->bars = ARENA_ARRAY(draw->arena, struct bar, BARS_MAX);
    t->bar_of_step = ARENA_ARRAY(draw->arena, unsigned, v->step_count + 1);
    for (uint32_t i = 0; i < v->step_count; i++) {
        unsigned bar = 0;
        while (bar < t->bar_count && t->bars[bar].txn != v->steps[i].txn)
            bar++;
        t->bar_of_step[i] = bar;
        if (bar == BARS_MAX || bar < t->bar_count)
            continue;
        struct bar *b = &t->bars[t->bar_count++];
        b->txn = v->steps[i].txn;
        b->open = txn_of(draw, b->txn)->ended == RANK_NEVER;
        b->line_count = draw_txn_lines(draw, b->txn, b->lines);
        for (unsigned l = 0; l < b->line_count; l++)
            if (draw_columns(b->lines[l]) > b->columns)
                b->columns = draw_columns(b->lines[l]);
    }
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static unsigned slot_of(const struct timeline *t, uint64_t rank)
{
    unsigned at = 0;
    while (at + 1 < t->slot_count && t->slots[at].rank != rank)
        at++;
    return at;
}

/* Beginnings and ends of the bars, and the events among them. */
static void collect_slots(struct draw *draw, struct timeline *t)
{
    const struct history *h = draw->history;
    uint64_t first = RANK_NEVER, last = 0;
    t->slots = ARENA_ARRAY(draw->arena, struct slot, 2 * BARS_MAX + 20);
    for (unsigned i = 0; i < t->bar_count; i++) {
        const struct history_txn *txn = txn_of(draw, t->bars[i].txn);
        t->slots[t->slot_count++] = (struct slot){txn->began, txn->began_ns, NULL, 0};
        if (!t->bars[i].open)
            t->slots[t->slot_count++] = (struct slot){txn->ended, txn->ended_ns, NULL, 0};
        first = txn->began < first ? txn->began : first;
        last = txn->began > last ? txn->began : last;
    }
    for (uint32_t i = 0, taken = 0; i < h->event_count && taken < 16; i++) {
        const struct history_event *e = &h->events[i];
        if (e->kind == EVENT_NOTE || e->rank < first || e->rank > last)
            continue;
        t->slots[t->slot_count++] = (struct slot){e->rank, e->at_ns, e, 0};
        taken++;
    }
    if (t->slot_count)
        qsort(t->slots, t->slot_count, sizeof *t->slots, compare_slots);
    for (unsigned i = 0; i < t->bar_count; i++) {
        struct bar *b = &t->bars[i];
        b->begins = slot_of(t, txn_of(draw, b->txn)->began);
        b->ends = b->open ? t->slot_count - 1 : slot_of(t, txn_of(draw, b->txn)->ended);
    }
}

/* Lanes by process, then by session. */
static void collect_lanes(struct draw *draw, struct timeline *t)
{
    uint32_t process[BARS_MAX];
    for (unsigned i = 0; i < t->bar_count; i++) {
        const struct history_txn *txn = txn_of(draw, t->bars[i].txn);
        unsigned at = 0;
        while (at < t->lane_count && (process[at] < txn->process ||
                                      (process[at] == txn->process && t->lanes[at] < txn->session)))
            at++;
        if (at < t->lane_count && t->lanes[at] == txn->session)
            continue;
        memmove(&t->lanes[at + 1], &t->lanes[at], (t->lane_count - at) * sizeof *t->lanes);
        memmove(&process[at + 1], &process[at], (t->lane_count - at) * sizeof *process);
        t->lanes[at] = txn->session;
        process[at] = txn->process;
        t->lane_count++;
    }
    for (unsigned i = 0; i < t->bar_count; i++)
        while (t->lanes[t->bars[i].lane] != txn_of(draw, t->bars[i].txn)->session)
            t->bars[i].lane++;
}

/* --- where it stands --- */

static int bar_width(const struct bar *bar, int columns)
{
    return (bar->columns < columns ? bar->columns : columns) * COLUMN_PX + 30;
}

static void place_slots(struct timeline *t, int columns)
{
    int x = LEFT_PX;
    for (unsigned i = 0; i < t->slot_count; i++) {
        bool event = t->slots[i].event || (i && t->slots[i - 1].event);
        x += event ? EVENT_PX : 26;
        for (unsigned b = 0; b < t->bar_count; b++) {
            const struct bar *bar = &t->bars[b];
            int least = t->slots[bar->begins].x + bar_width(bar, columns);
            if (!bar->open && bar->ends == i && x < least)
                x = least;
        }
        t->slots[i].x = x;
    }
}

static int right_end(const struct timeline *t, int columns)
{
    int right = t->slot_count ? t->slots[t->slot_count - 1].x + 40 : LEFT_PX;
    for (unsigned b = 0; b < t->bar_count; b++) {
        int least = t->slots[t->bars[b].begins].x + bar_width(&t->bars[b], columns) + 40;
        if (t->bars[b].open && right < least)
            right = least;
    }
    return right;
}

struct timeline *timeline_layout(struct draw *draw)
{
    struct timeline *t = ARENA_NEW(draw->arena, struct timeline);
    int columns = 46, right;
    collect_bars(draw, t);
    collect_slots(draw, t);
    collect_lanes(draw, t);
    do {
        place_slots(t, columns);
        right = right_end(t, columns);
        columns -= 6;
    } while (right > WIDE_PX && columns >= 10);
    draw->width = right + MARGIN_PX < WIDTH_LEAST ? WIDTH_LEAST : right + MARGIN_PX;
    for (unsigned i = 0; i < t->bar_count; i++) {
        struct bar *b = &t->bars[i];
        b->box.x = t->slots[b->begins].x;
        b->box.w = (b->open ? draw->width - MARGIN_PX - 40 : t->slots[b->ends].x) - b->box.x;
        b->box.h = (int)b->line_count * LINE_PX + 16;
        if (t->lane_h[b->lane] < b->box.h)
            t->lane_h[b->lane] = b->box.h;
    }
    return t;
}

/* --- drawing --- */

static void put_lanes(struct draw *draw, struct timeline *t)
{
    char name[32];
    for (unsigned lane = 0; lane < t->lane_count; lane++) {
        draw->y += BETWEEN_PX;
        t->lane_y[lane] = draw->y;
        int middle = draw->y + t->lane_h[lane] / 2;
        uint32_t process = 0;
        for (unsigned b = 0; b < t->bar_count; b++)
            if (t->bars[b].lane == lane)
                process = txn_of(draw, t->bars[b].txn)->process;
        snprintf(name, sizeof name, "process %u", process);
        struct draw_line where = {MARGIN_PX, middle + 4, 14, "name"};
        draw_line(draw->out, &where, name);
        text_add(draw->out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"lane\"/>\n",
                 LEFT_PX, middle, draw->width - MARGIN_PX, middle);
        draw->y += t->lane_h[lane];
    }
}

static const char *event_word(uint8_t kind)
{
    return kind == EVENT_CRASH ? "crash" : kind == EVENT_HEALED ? "faults end" : "all at rest";
}

static void put_events(struct draw *draw, const struct timeline *t, int top)
{
    for (unsigned i = 0; i < t->slot_count; i++) {
        const struct slot *slot = &t->slots[i];
        if (!slot->event)
            continue;
        text_add(draw->out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"event\"/>\n",
                 slot->x, top + 20, slot->x, draw->y + 10);
        struct draw_line where = {slot->x, top + 14, 16, "mark"};
        draw_line(draw->out, &where, event_word(slot->event->kind));
        draw_keep_off(draw, (struct box){slot->x - 60, top, 120, 20});
    }
}

static void put_bar(struct draw *draw, const struct bar *bar)
{
    const struct box *b = &bar->box;
    const char *class = draw_txn_class(draw, bar->txn);
    if (bar->open) {
        int right = b->x + b->w, end = draw->width - MARGIN_PX;
        text_add(draw->out,
                 "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s bare\"/>"
                 "<path d=\"M %d %d H %d V %d H %d\" fill=\"none\" class=\"%s\" "
                 "style=\"fill:none\"/>"
                 "<path d=\"M %d %d H %d M %d %d H %d\" class=\"%s open\"/>\n",
                 b->x, b->y, b->w, b->h, class, right, b->y, b->x, b->y + b->h, right, class, right,
                 b->y, end, right, b->y + b->h, end, class);
    } else {
        text_add(draw->out,
                 "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" class=\"%s\"/>\n",
                 b->x, b->y, b->w, b->h, class);
    }
    struct draw_line where = {b->x + 18, b->y + 4, (b->w - 24) / COLUMN_PX, "code"};
    for (unsigned i = 0; i < bar->line_count; i++) {
        where.y += LINE_PX;
        draw_line(draw->out, &where, bar->lines[i]);
    }
}

/* From one bar's border to another's: in one lane by an arc above, else by the facing borders. */
static struct curve between(const struct bar *from, const struct bar *to)
{
    const struct box *a = &from->box, *b = &to->box;
    struct curve c;
    int up = 44;
    c.from = (struct point){a->x + a->w / 2, a->y};
    c.to = (struct point){b->x + b->w / 2, b->y};
    if (from->lane == to->lane) {
        int side = c.from.x < c.to.x ? 1 : -1;
        c.from.x += side * a->w / 4;
        c.to.x -= side * b->w / 4;
        c.control = (struct point){(c.from.x + c.to.x) / 2, (c.from.y + c.to.y) / 2 - up};
        return c;
    }
    bool down = from->lane < to->lane;
    int side = a->x + a->w / 2 < b->x + b->w / 2 ? 1 : -1;
    c.from.x += side * a->w / 4;
    c.to.x -= side * b->w / 4;
    c.from.y += down ? a->h : 0;
    c.to.y += down ? 0 : b->h;
    /* Bent, the further the more: so that few arrows cover one another. */
    int lanes = (int)to->lane - (int)from->lane;
    int bend = lanes * 36;
    c.control = (struct point){(c.from.x + c.to.x) / 2 + bend, (c.from.y + c.to.y) / 2};
    return c;
}

/* The curve of an edge; false when an end of it is not drawn. */
static bool edge_curve(const struct draw *draw, const struct timeline *t,
                       const struct witness_edge *edge, struct curve *curve)
{
    unsigned from = t->bar_of_step[edge->from], to = t->bar_of_step[edge->to];
    if (from >= t->bar_count || to >= t->bar_count || from == to)
        return false;
    *curve = between(&t->bars[from], &t->bars[to]);
    if (curve->control.x < MARGIN_PX)
        curve->control.x = MARGIN_PX;
    if (curve->control.x > draw->width - MARGIN_PX)
        curve->control.x = draw->width - MARGIN_PX;
    return true;
}

static void put_arrows(struct draw *draw, const struct timeline *t)
{
    const struct verdict *v = draw->verdict;
    struct curve curve;
    for (uint32_t i = 0; i < v->edge_count; i++)
        if (edge_curve(draw, t, &v->edges[i], &curve))
            draw_arrow(draw, &curve, &v->edges[i]);
}

static void put_labels(struct draw *draw, const struct timeline *t)
{
    const struct verdict *v = draw->verdict;
    struct curve curve;
    for (unsigned i = 0; i < t->bar_count; i++)
        draw_keep_off(draw, t->bars[i].box);
    for (uint32_t i = 0; i < v->edge_count; i++)
        if (edge_curve(draw, t, &v->edges[i], &curve))
            draw_arrow_label(draw, &curve, &v->edges[i]);
}

/* "850 ns", "12.3 us", "4.56 ms", "7.89 s" after the first. */
static void print_time(uint64_t ns, char *buf, size_t size)
{
    static const char *const units[] = {"ns", "\xc2\xb5s", "ms", "s"};
    unsigned unit = 0;
    uint64_t scale = 1;
    while (unit < 3 && ns / scale >= 1000) {
        scale *= 1000;
        unit++;
    }
    if (unit == 0)
        snprintf(buf, size, "+%u ns", (unsigned)ns);
    else
        snprintf(buf, size, "+%llu.%02u %s", (unsigned long long)(ns / scale),
                 (unsigned)(ns % scale * 100 / scale), units[unit]);
}

static void put_axis(struct draw *draw, const struct timeline *t)
{
    int y = draw->y + 22, last = -1000;
    char buf[40];
    text_add(draw->out, "<path d=\"M %d %d H %d\" class=\"edge\" marker-end=\"url(#head)\"/>\n",
             LEFT_PX, y, draw->width - MARGIN_PX);
    bool times = t->slot_count && t->slots[t->slot_count - 1].at_ns > t->slots[0].at_ns;
    for (unsigned i = 0; i < t->slot_count; i++) {
        int x = t->slots[i].x;
        text_add(draw->out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"lane\"/>\n", x,
                 y - 4, x, y + 4);
        if (!times || x - last < 84 || x > draw->width - MARGIN_PX - 80)
            continue;
        uint64_t from = t->slots[0].at_ns, at = t->slots[i].at_ns;
        print_time(at > from ? at - from : 0, buf, sizeof buf);
        struct draw_line where = {x - 2, y + 18, 10, "small"};
        draw_line(draw->out, &where, buf);
        last = x;
    }
    struct draw_line where = {MARGIN_PX, y + 4, 13, "small"};
    draw_line(draw->out, &where, "order in time");
    draw->y = y + 26;
}

void timeline_draw(struct draw *draw, struct timeline *t)
{
    int top = draw->y;
    for (unsigned i = 0; i < t->slot_count; i++)
        if (t->slots[i].event && draw->y == top)
            draw->y += 10;
    put_lanes(draw, t);
    put_events(draw, t, top);
    for (unsigned i = 0; i < t->bar_count; i++) {
        struct bar *bar = &t->bars[i];
        bar->box.y = t->lane_y[bar->lane] + (t->lane_h[bar->lane] - bar->box.h) / 2;
    }
    put_arrows(draw, t);
    for (unsigned i = 0; i < t->bar_count; i++)
        put_bar(draw, &t->bars[i]);
    put_labels(draw, t);
    for (uint32_t step = draw->verdict->step_count; step-- > 0;) {
        unsigned bar = t->bar_of_step[step];
        if (bar < t->bar_count)
            draw_badge(draw->out, (struct point){t->bars[bar].box.x + 1, t->bars[bar].box.y},
                       step + 1);
    }
    put_axis(draw, t);
}
