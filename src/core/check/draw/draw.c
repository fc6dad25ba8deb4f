/* SPDX-License-Identifier: MIT
 *
 * draw.c: a picture of a broken promise: its heading, the drawing, and the steps in words.
 *
 * Law
 *   D1  Everything lies within the picture; no text is wider than what it stands in. Longer texts
 *       are shortened, and whole in their <title>.
 *   D2  The picture is a function of the history and the verdict: whole numbers only.
 *   D3  It is SVG 1.1 without scripts or anything from outside, on a background of its own.
 */
#include "core/check/draw/draw.h"

#include <stdio.h>

#include "core/base/assert.h"

#define CIRCLE_MAX 12u /* more transactions are drawn as a timeline */
#define STEPS_MAX  60u

/* Light fills, dark strokes and text, told apart by the colour-blind too (Okabe and Ito 2008). */
static void put_style(struct text *out)
{
    text_add(
        out,
        "<style>\n"
        "text { font-family: sans-serif; font-size: 13px; fill: #1b1b1b; }\n"
        ".head { font-size: 18px; font-weight: bold; }\n"
        ".code, .middle { font-family: monospace; }\n"
        ".middle, .number, .mark { text-anchor: middle; }\n"
        ".name { font-weight: bold; }\n"
        ".small { font-size: 11px; fill: #555555; }\n"
        ".number { font-size: 12px; font-weight: bold; fill: #ffffff; }\n"
        ".badge { fill: #1b1b1b; }\n"
        ".page { fill: #fdfdfb; stroke: #b8b8b0; }\n"
        ".lane { stroke: #d0d0c8; }\n"
        ".write { fill: #d6e8f7; stroke: #0072b2; stroke-width: 1.5; }\n"
        ".read { fill: #dff1e6; stroke: #00795a; stroke-width: 1.5; }\n"
        ".unknown { fill: #fff3cf; stroke: #9a6b00; stroke-width: 1.5; }\n"
        ".failed { fill: #ececec; stroke: #777777; stroke-width: 1.5; stroke-dasharray: 2 3; }\n"
        ".open { stroke-dasharray: 5 4; fill: none; }\n"
        ".bare { stroke: none; }\n"
        ".edge { fill: none; stroke: #333333; stroke-width: 1.6; }\n"
        ".missed { stroke: #c43c00; stroke-dasharray: 7 4; }\n"
        ".label { fill: #ffffff; stroke: #c8c8c0; }\n"
        ".event { stroke: #c43c00; stroke-width: 1.5; stroke-dasharray: 6 4; }\n"
        ".mark { fill: #c43c00; font-weight: bold; }\n"
        "</style>\n"
        "<defs>\n"
        "<marker id=\"head\" markerWidth=\"10\" markerHeight=\"8\" refX=\"9\" refY=\"4\" "
        "orient=\"auto\" markerUnits=\"userSpaceOnUse\">"
        "<path d=\"M 0 0 L 10 4 L 0 8 z\" fill=\"#333333\"/></marker>\n"
        "<marker id=\"head-missed\" markerWidth=\"10\" markerHeight=\"8\" refX=\"9\" refY=\"4\" "
        "orient=\"auto\" markerUnits=\"userSpaceOnUse\">"
        "<path d=\"M 0 0 L 10 4 L 0 8 z\" fill=\"#c43c00\"/></marker>\n"
        "</defs>\n");
}

static void put_heading(struct draw *draw)
{
    const struct verdict *v = draw->verdict;
    char line[256];
    int columns = (draw->width - 2 * MARGIN_PX) / 12;
    draw->y += 30;
    snprintf(line, sizeof line, "%s is broken: %s", promise_word(v->promise),
             anomaly_name(v->anomaly));
    struct draw_line where = {MARGIN_PX, draw->y, columns, "head"};
    draw_line(draw->out, &where, line);
    draw->y += 6;
    snprintf(line, sizeof line, "The promise: %s.", promise_text(v->promise));
    draw_wrapped(draw, MARGIN_PX, 3, line);
    if (*anomaly_text(v->anomaly)) {
        snprintf(line, sizeof line, "What was found: %s.", anomaly_text(v->anomaly));
        draw_wrapped(draw, MARGIN_PX, 3, line);
    }
    if (*v->text) {
        draw->y += 6;
        draw_wrapped(draw, MARGIN_PX, 5, v->text);
    }
    draw->y += 14;
}

static const char *legend(enum edge_kind kind)
{
    switch (kind) {
    case EDGE_WW:
        return "ww: the second overwrote, or appended behind, what the first wrote";
    case EDGE_WR:
        return "wr: the second read what the first wrote";
    case EDGE_RW:
        return "rw: the first did not see what the second wrote, so it comes before the second";
    case EDGE_PROCESS:
        return "same process: it did the first before the second";
    case EDGE_REAL_TIME:
        return "time: the first had ended before the second began";
    case EDGE_CAUSE:
        return "cause: the first is among the causes of the second";
    }
    return "";
}

static void put_legend(struct draw *draw)
{
    const struct verdict *v = draw->verdict;
    draw->y += 8;
    for (unsigned kind = EDGE_WW; kind <= EDGE_CAUSE; kind++)
        for (uint32_t i = 0; i < v->edge_count; i++)
            if (v->edges[i].kind == kind) {
                draw_wrapped(draw, MARGIN_PX, 2, legend(kind));
                break;
            }
}

static void put_steps(struct draw *draw)
{
    const struct verdict *v = draw->verdict;
    char buf[512];
    draw->y += 8;
    for (uint32_t i = 0; i < v->step_count; i++) {
        draw->y += 8;
        if (i == STEPS_MAX) {
            snprintf(buf, sizeof buf, "... and %u more", v->step_count - i);
            draw_wrapped(draw, MARGIN_PX, 1, buf);
            break;
        }
        draw_badge(draw->out, (struct point){MARGIN_PX + 11, draw->y + LINE_PX - 4}, i + 1);
        txn_print(draw->history, v->steps[i].txn, buf, sizeof buf);
        draw_wrapped(draw, MARGIN_PX + 32, 2, buf);
        if (v->steps[i].note)
            draw_wrapped(draw, MARGIN_PX + 32, 4, v->steps[i].note);
    }
    draw->y += MARGIN_PX;
}

static void put_picture(struct draw *draw, struct text *svg)
{
    text_add(svg,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" "
             "viewBox=\"0 0 %d %d\">\n<title>",
             draw->width, draw->y, draw->width, draw->y);
    draw_short(svg, promise_word(draw->verdict->promise), 100);
    text_add(svg, " is broken: ");
    draw_short(svg, anomaly_name(draw->verdict->anomaly), 100);
    text_add(svg, "</title>\n");
    put_style(svg);
    text_add(svg, "<rect x=\"1\" y=\"1\" width=\"%d\" height=\"%d\" rx=\"8\" class=\"page\"/>\n",
             draw->width - 2, draw->y - 2);
    text_add_bytes(svg, draw->out->data, draw->out->len);
    text_add(svg, "</svg>\n");
}

void verdict_draw(const struct history *history, const struct verdict *verdict, struct text *text)
{
    struct arena arena;
    struct text body = {0};
    struct draw draw = {.history = history, .verdict = verdict, .out = &body, .arena = &arena};
    INVARIANT(verdict->result == CHECK_BROKEN);
    arena_init(&arena);
    if (verdict->shape == WITNESS_CYCLE && verdict->step_count > 1 &&
        verdict->step_count <= CIRCLE_MAX) {
        struct circle *circle = circle_layout(&draw);
        put_heading(&draw);
        circle_draw(&draw, circle);
    } else {
        struct timeline *timeline = timeline_layout(&draw);
        put_heading(&draw);
        timeline_draw(&draw, timeline);
    }
    put_legend(&draw);
    put_steps(&draw);
    put_picture(&draw, text);
    text_free(&body);
    arena_free(&arena);
}
