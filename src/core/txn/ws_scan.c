/* SPDX-License-Identifier: MIT
 *
 * ws_scan.c: ranges of objects, with own writes merged in.
 *
 * A supplied scan covers a stretch of subs: all of its range, or up to the last object found when
 * the limit was reached. A scan is answered by walking stretches from its start; where none goes
 * on, the rest becomes a need.
 */
#include <stdlib.h>
#include <string.h>

#include "core/txn/ws_private.h"

/* The supplied stretch that holds `at`, or NULL. */
static struct ws_scan_entry *stretch_at(const struct workspace *ws, const struct ws_need *range,
                                        uint64_t at)
{
    for (struct ws_scan_entry *e = ws->scans; e; e = e->next) {
        if (e->range.key.kind == range->key.kind && e->range.key.ino == range->key.ino &&
            e->range.from <= at && at <= e->covered)
            return e;
    }
    return NULL;
}

static void need_scan(struct workspace *ws, const struct ws_need *range)
{
    for (uint32_t i = 0; i < ws->need_count; i++) {
        const struct ws_need *n = &ws->needs[i];
        if (n->type == WS_NEED_SCAN && n->key.kind == range->key.kind &&
            n->key.ino == range->key.ino && n->from == range->from && n->to == range->to &&
            n->limit >= range->limit)
            return;
    }
    *ws_note_need(ws) = *range;
}

/* The first object of a stretch at or after `from`. */
static uint32_t first_from(const struct ws_scan_entry *e, uint64_t from)
{
    uint32_t low = 0, high = e->found.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (e->found.found[middle].key.sub < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct gathered {
    struct ws_found *found;
    uint32_t count, room;
};

static void gather(struct workspace *ws, struct gathered *g, const struct ws_object *object)
{
    struct object_version version;
    ws_object_view(object, &version);
    if (!version.present)
        return;
    if (g->count == g->room) {
        uint32_t room = g->room ? g->room * 2 : 32;
        struct ws_found *bigger = arena_alloc(&ws->arena, room * sizeof *bigger);
        if (g->count)
            memcpy(bigger, g->found, g->count * sizeof *bigger);
        g->found = bigger;
        g->room = room;
    }
    g->found[g->count++] = (struct ws_found){object->key, version};
}

/* Collects supplied objects from range->from on until `limit` are there or the end is reached.
 * *covered: how far it got. NEED when a stretch is missing. */
static enum err gather_base(struct workspace *ws, const struct ws_need *range, struct gathered *g,
                            uint64_t *covered)
{
    uint64_t at = range->from;
    for (;;) {
        struct ws_scan_entry *e = stretch_at(ws, range, at);
        if (!e) {
            struct ws_need rest = *range;
            rest.from = at;
            rest.limit = range->limit - g->count;
            need_scan(ws, &rest);
            return ERR_NEED;
        }
        for (uint32_t i = first_from(e, at); i < e->found.count; i++) {
            struct ws_object *object = e->objects[i];
            if (object->key.sub > range->to)
                break;
            if (g->count == range->limit) {
                *covered = e->found.found[i].key.sub - 1;
                return OK;
            }
            object->read = true;
            gather(ws, g, object);
        }
        if (e->covered >= range->to) {
            *covered = range->to;
            return OK;
        }
        if (g->count == range->limit) {
            *covered = e->covered;
            return OK;
        }
        at = e->covered + 1;
    }
}

static int by_sub(const void *a, const void *b)
{
    const struct ws_found *x = a, *y = b;
    return x->key.sub < y->key.sub ? -1 : x->key.sub > y->key.sub;
}

/* Objects that exist only through own writes, in order. */
static void gather_own(struct workspace *ws, const struct ws_need *range, uint64_t covered,
                       struct gathered *g)
{
    for (const struct ws_write *w = ws->writes; w; w = w->older) {
        const struct ws_object *o = w->object;
        bool in = o->key.kind == range->key.kind && o->key.ino == range->key.ino &&
                  o->key.sub >= range->from && o->key.sub <= covered;
        if (in && o->write == w && !(o->supplied && o->base.present))
            gather(ws, g, o);
    }
    if (g->count > 1)
        qsort(g->found, g->count, sizeof *g->found, by_sub);
}

/* Merges two ordered lists, at most `limit` of them; subs that are in both count once. */
static struct gathered merge(struct workspace *ws, const struct gathered *a,
                             const struct gathered *b)
{
    if (!b->count)
        return *a;
    struct gathered all = {0};
    all.room = a->count + b->count;
    all.found = arena_alloc(&ws->arena, all.room * sizeof *all.found);
    for (uint32_t i = 0, j = 0; i < a->count || j < b->count;) {
        if (j == b->count || (i < a->count && a->found[i].key.sub < b->found[j].key.sub)) {
            all.found[all.count++] = a->found[i++];
        } else {
            if (i < a->count && a->found[i].key.sub == b->found[j].key.sub)
                i++;
            all.found[all.count++] = b->found[j++];
        }
    }
    return all;
}

enum err ws_scan(struct workspace *ws, const struct ws_range *asked, struct ws_scan *out)
{
    uint32_t limit = asked->limit;
    INVARIANT(limit > 0 && limit <= WS_SCAN_MAX);
    *out = (struct ws_scan){0};
    if (asked->from > asked->to)
        return OK;
    struct ws_need range = {.type = WS_NEED_SCAN,
                            .key = {asked->kind, asked->ino, 0},
                            .from = asked->from,
                            .to = asked->to,
                            .limit = limit};
    struct gathered base = {0}, own = {0};
    uint64_t covered = 0;
    enum err err = gather_base(ws, &range, &base, &covered);
    if (err != OK)
        return err;
    gather_own(ws, &range, covered, &own);
    struct gathered all = merge(ws, &base, &own);
    out->found = all.found;
    out->count = all.count < limit ? all.count : limit;
    out->more = all.count > limit || covered < range.to;
    return OK;
}

void ws_supply_scan(struct workspace *ws, const struct ws_need *need, const struct ws_found *found,
                    uint32_t count, bool more)
{
    INVARIANT(need->type == WS_NEED_SCAN && need->from <= need->to);
    INVARIANT(!more || count > 0);
    struct ws_scan_entry *e = ARENA_NEW(&ws->arena, struct ws_scan_entry);
    struct ws_found *copy = ARENA_ARRAY(&ws->arena, struct ws_found, count);
    e->objects = ARENA_ARRAY(&ws->arena, struct ws_object *, count);
    for (uint32_t i = 0; i < count; i++) {
        INVARIANT(found[i].key.sub >= need->from && found[i].key.sub <= need->to);
        INVARIANT(i == 0 || found[i].key.sub > found[i - 1].key.sub);
        ws_supply(ws, found[i].key, &found[i].version);
        e->objects[i] = ws_object_find(ws, &found[i].key);
        copy[i] = found[i];
        copy[i].version.value = e->objects[i]->base.value;
    }
    e->range = *need;
    e->found = (struct ws_scan){copy, count, more};
    e->covered = more ? found[count - 1].key.sub : need->to;
    e->next = ws->scans;
    ws->scans = e;
}

bool ws_each_scan(struct workspace *ws,
                  bool (*each)(void *ctx, const struct ws_need *range, const struct ws_scan *found),
                  void *ctx)
{
    for (const struct ws_scan_entry *e = ws->scans; e; e = e->next) {
        if (!each(ctx, &e->range, &e->found))
            return false;
    }
    return true;
}
