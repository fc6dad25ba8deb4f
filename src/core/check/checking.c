/* SPDX-License-Identifier: MIT
 *
 * checking.c: how a checker fills its verdict.
 */
#include "core/check/checking.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"

static const char *print_in(struct arena *arena, const char *format, va_list arguments)
{
    char buf[4096];
    int len = vsnprintf(buf, sizeof buf, format, arguments);
    INVARIANT(len >= 0);
    size_t kept = (size_t)len < sizeof buf ? (size_t)len : sizeof buf - 1;
    return arena_copy(arena, buf, kept);
}

bool checking_broken(struct checking *c, enum anomaly anomaly, bool graver)
{
    struct verdict *v = c->verdict;
    v->anomalies[anomaly]++;
    if (v->result == CHECK_BROKEN && !graver)
        return false;
    v->result = CHECK_BROKEN;
    v->anomaly = anomaly;
    v->shape = WITNESS_TIMELINE;
    v->text = "";
    v->step_count = v->edge_count = 0;
    v->steps = NULL;
    v->edges = NULL;
    return true;
}

/* The arguments behind `format` as `text`. */
#define PRINTED(c, format)                                      \
    va_list arguments;                                          \
    va_start(arguments, format);                                \
    const char *text = print_in((c)->arena, format, arguments); \
    va_end(arguments)

void checking_undecided(struct checking *c, const char *format, ...)
{
    PRINTED(c, format);
    if (c->verdict->result == CHECK_BROKEN)
        return;
    c->verdict->result = CHECK_UNDECIDED;
    c->verdict->text = text;
}

void checking_not_applicable(struct checking *c, const char *format, ...)
{
    PRINTED(c, format);
    c->verdict->result = CHECK_NOT_APPLICABLE;
    c->verdict->text = text;
}

void checking_text(struct checking *c, const char *format, ...)
{
    PRINTED(c, format);
    c->verdict->text = text;
}

const char *checking_print(struct checking *c, const char *format, ...)
{
    PRINTED(c, format);
    return text;
}

/* Room for one more: arrays double, what they leave stays in the arena. */
static void *one_more(struct arena *arena, void *array, uint32_t count, size_t size)
{
    if (count & (count - 1) || (count && count < 8))
        return array;
    uint32_t room = count ? count * 2 : 8;
    void *larger = arena_zalloc(arena, room * size);
    if (count)
        memcpy(larger, array, count * size);
    return larger;
}

uint32_t checking_step(struct checking *c, uint32_t txn, const char *note_format, ...)
{
    struct verdict *v = c->verdict;
    const char *note = NULL;
    if (note_format) {
        va_list arguments;
        va_start(arguments, note_format);
        note = print_in(c->arena, note_format, arguments);
        va_end(arguments);
    }
    v->steps = one_more(c->arena, v->steps, v->step_count, sizeof *v->steps);
    v->steps[v->step_count] = (struct witness_step){.txn = txn, .note = note};
    return v->step_count++;
}

void checking_edge(struct checking *c, const struct witness_edge *edge)
{
    struct verdict *v = c->verdict;
    v->edges = one_more(c->arena, v->edges, v->edge_count, sizeof *v->edges);
    v->edges[v->edge_count++] = *edge;
}
